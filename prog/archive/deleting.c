// DELETE: objects go for good. Administrators may delete what they see; others what they have stored
// themselves.
//
// In this order, so that a crash leaves all or nothing (index/index.h, deletions): the records are listed
// and the list made durable; of a whole study, its key is destroyed, which is the end of all of it here and
// in every backup; then record after record is dropped from the store and the index; the store is synced,
// and gives the disk its room back; the list is forgotten; and only then the answer goes out. Whoever starts
// after a crash carries a list out to its end.
//
// A study is not deleted under the hands of somebody who is storing into it: that would lose what is
// acknowledged with the key it was sealed with.
#include "archive.h"

#include "meta.h"
#include "os/clock.h"

// The store gives space back with a sync, and remembers so many drops till then (blob/store.h).
enum { SYNCED_AFTER = STORE_DROPS_MAX / 4 };
enum { RECORDS_PER_STEP = 32, CHECKED_PER_STEP = 32, RELISTED_MAX = 8, WAIT_MS = 10 * 1000, AGAIN_MS = 1000,
       ROOM_BYTES = 256 * 1024 };

struct deleting {
    struct job job;
    struct index_deletion *list;
    enum { LISTING, CHECKING, WAITING, DROPPING, FINISHING } state;
    char owner[PEER_TEXT_MAX + 1]; // "": need not be the one who stored it
    bool resumed;
    unsigned relisted, unsynced;
    uint64_t dropped;
    int64_t give_up_ms, try_again_ms;
};

// --- Answering ----------------------------------------------------------------------------------

static void answer(struct archive *a, struct session *s, enum err e, uint64_t count, const char *detail) {
    struct ipc_deleted m = {.error = (uint16_t)e, .count = count, .detail = slice_str(detail)};
    session_reply(a, s, IPC_DELETED, &m, -1);
}

static enum job_progress done(struct archive *a, struct deleting *d, enum err e, const char *detail) {
    struct session *s = d->job.session;
    if (e != OK && e != ERR_NO_SUCH_OBJECT && e != ERR_DENIED && e != ERR_PEER_GONE)
        session_log(a, s, OS_LOG_ERROR, "a deletion failed: %s: %s", err_text(e), detail);
    job_leave(&d->job);
    if (s)
        answer(a, s, e, e == OK ? d->dropped : 0, detail);
    return JOB_DONE;
}

// There is no way back: the one who asked hears that it failed, but it goes on until it is done, here or
// after the next start.
static enum job_progress try_again(struct archive *a, struct deleting *d, enum err e, const char *detail) {
    if (d->try_again_ms == 0)
        (void)done(a, d, e, detail);
    else
        session_log(a, NULL, OS_LOG_ERROR, "a deletion failed again: %s: %s", err_text(e),
                    detail);
    d->job.session = NULL;
    d->dropped = 0;
    d->try_again_ms = os_clock_ms() + AGAIN_MS;
    index_deletion_rewind(d->list);
    return JOB_RESTS;
}

// Before it was ready: nothing has gone, and the list is forgotten.
static enum job_progress give_up(struct archive *a, struct deleting *d, enum err e, const char *detail) {
    struct fault f = {0};
    if (index_deletion_finish(d->list, &f) != OK)
        session_log(a, NULL, OS_LOG_ERROR, "index: %s", f.detail);
    commit_index_later(a);
    return done(a, d, e, detail);
}

// --- Is somebody storing into it? ----------------------------------------------------------------

static bool waits_for_disk(const struct pending *p, const char *study) {
    for (; p; p = p->next) {
        struct meta m;
        if (meta_get(buf_slice(&p->meta), &m, NULL) == OK && slice_eq_str(m.study, study))
            return true;
    }
    return false;
}

static bool is_being_stored(const struct archive *a, const char *study) {
    for (const struct session *s = a->sessions; s; s = s->next)
        if (s->stream && strcmp(s->stream_study, study) == 0)
            return true;
    return waits_for_disk(a->pending, study) || waits_for_disk(a->syncing, study);
}

// --- Steps --------------------------------------------------------------------------------------

static enum job_progress list_more(struct archive *a, struct deleting *d) {
    struct fault f = {0};
    bool all = false;
    enum err e = index_deletion_list(d->list, &f, &all);
    if (e != OK)
        return give_up(a, d, e, f.detail);
    if (all)
        d->state = d->owner[0] ? CHECKING : WAITING;
    return JOB_AGAIN;
}

static enum err is_owners(struct archive *a, const struct deleting *d, const struct index_ref *at,
                          bool *ret_is) {
    struct blob_ref ref = blob_ref_of(at);
    struct meta m;
    buf_reset(&a->scratch);
    enum err e = store_get_meta(a->store, &ref, NULL, &a->scratch);
    if (e == OK)
        e = meta_get(buf_slice(&a->scratch), &m, NULL);
    *ret_is = e == OK && slice_eq_str(m.peer, d->owner);
    return e;
}

static enum job_progress check_more(struct archive *a, struct deleting *d) {
    struct fault f = {0};
    for (int i = 0; i < CHECKED_PER_STEP; i++) {
        struct index_deletion_record r;
        bool end = false, is_theirs = false;
        enum err e = index_deletion_next(d->list, &f, &r, &end);
        if (e != OK)
            return give_up(a, d, e, f.detail);
        if (end) {
            index_deletion_rewind(d->list);
            d->state = WAITING;
            return JOB_AGAIN;
        }
        e = is_owners(a, d, &r.ref, &is_theirs);
        if (!is_theirs) // what cannot be read is nobody's
            return give_up(a, d, ERR_DENIED, "not all of it was stored by this user");
    }
    return JOB_AGAIN;
}

static enum job_progress list_again(struct archive *a, struct deleting *d) {
    struct fault f = {0};
    if (++d->relisted > RELISTED_MAX)
        return give_up(a, d, ERR_BUSY, "objects of it keep coming in");
    enum err e = index_deletion_relist(d->list, &f);
    if (e != OK)
        return give_up(a, d, e, f.detail);
    d->state = LISTING;
    return JOB_AGAIN;
}

// Erased already when it was resumed, or nothing of it was ever durable: both are fine.
static enum err erase_key(struct archive *a, const char *study, struct fault *f) {
    enum err e = keyring_erase(a->keyring, slice_str(study), f);
    return e == ERR_NO_SUCH_OBJECT ? OK : e;
}

// From here on there is no way back.
static enum job_progress begin_dropping(struct archive *a, struct deleting *d) {
    struct fault f = {0};
    enum err e = index_deletion_ready(d->list, &f);
    if (e != OK)
        return give_up(a, d, e, f.detail);
    e = commit_index_durably(a, &f);
    if (e != OK) { // on record or not: the next start knows, and nothing may be stored that would go with it
        commit_stop(a, "a deletion may be on record or not");
        return done(a, d, e, f.detail);
    }
    d->state = DROPPING;
    if (index_deletion_is_whole(d->list) && (e = erase_key(a, index_deletion_study(d->list), &f)) != OK)
        session_log(a, NULL, OS_LOG_ERROR,
                    "a study's key could not be destroyed: %s: delete it again after a "
                    "restart",
                    f.detail);
    return JOB_AGAIN;
}

static enum job_progress wait_for_others(struct archive *a, struct deleting *d) {
    if (index_deletion_is_stale(d->list))
        return list_again(a, d);
    if (a->syncing || is_being_stored(a, index_deletion_study(d->list)))
        return os_clock_ms() < d->give_up_ms ? JOB_WAITS : give_up(a, d, ERR_BUSY, "it is being stored into");
    return begin_dropping(a, d);
}

static enum err drop(struct archive *a, const struct index_deletion_record *r, struct fault *f) {
    struct blob_ref ref = blob_ref_of(&r->ref);
    struct fault unreadable = {0};
    enum err e = store_drop(a->store, &ref, &unreadable);
    if (err_of_machine(e))
        return fault_set(f, e, "%s", unreadable.detail);
    e = index_delete(a->index, slice_str(r->study), slice_str(r->series), slice_str(r->sop_instance), &r->ref,
                     f);
    if (e == ERR_NO_SUCH_OBJECT) { // gone before the crash
        *f = (struct fault){0};
        e = OK;
    }
    return e;
}

// ERR_NO_SUCH_OBJECT: it is not; any other error: nobody knows.
static enum err study_is_there(struct archive *a, const char *study, const struct view *view,
                               struct fault *f) {
    struct slice uid = slice_str(study);
    struct query_condition c = {INDEX_ATTR_StudyInstanceUID, QUERY_SINGLE, 1, &uid};
    struct index_query_spec spec = {.level = INDEX_STUDY, .conditions = &c, .condition_count = 1, .limit = 1};
    struct index_query *q = NULL;
    enum index_step step = INDEX_AGAIN;
    view_limit(view, &spec);
    enum err e = index_query_open(a->index, &spec, f, &q);
    while (e == OK && step == INDEX_AGAIN)
        e = index_query_step(q, f, &step);
    index_query_close(q);
    return e == OK && step != INDEX_ROW ? fault_set(f, ERR_NO_SUCH_OBJECT, "no such object") : e;
}

// The last of a study goes with its key, unless more of it is on its way. When nobody knows whether more is
// there, the key stays.
static void erase_if_empty(struct archive *a, const struct deleting *d) {
    const char *study = index_deletion_study(d->list);
    struct fault f = {0};
    if (index_deletion_is_whole(d->list) || is_being_stored(a, study))
        return;
    enum err there = study_is_there(a, study, NULL, &f);
    if (there != OK && there != ERR_NO_SUCH_OBJECT)
        session_log(a, NULL, OS_LOG_ERROR, "an empty study's key could not be destroyed: %s", f.detail);
    if (there != ERR_NO_SUCH_OBJECT)
        return;
    f = (struct fault){0};
    if (erase_key(a, study, &f) != OK)
        session_log(a, NULL, OS_LOG_ERROR, "a study's key could not be destroyed: %s", f.detail);
}

static enum job_progress drop_more(struct archive *a, struct deleting *d) {
    struct fault f = {0};
    if (d->unsynced >= SYNCED_AFTER) {
        if (a->syncing)
            return JOB_WAITS;
        enum err e = store_sync(a->store, &f);
        if (e != OK)
            return try_again(a, d, e, f.detail);
        d->unsynced = 0;
    }
    commit_index_later(a);
    for (int i = 0; i < RECORDS_PER_STEP; i++) {
        struct index_deletion_record r;
        bool end = false;
        enum err e = index_deletion_next(d->list, &f, &r, &end);
        if (e == OK && !end)
            e = drop(a, &r, &f);
        if (e != OK)
            return try_again(a, d, e, f.detail);
        if (end) {
            erase_if_empty(a, d);
            d->state = FINISHING;
            return JOB_AGAIN;
        }
        d->dropped++;
        d->unsynced++;
    }
    return JOB_AGAIN;
}

static enum job_progress finish(struct archive *a, struct deleting *d) {
    struct fault f = {0};
    if (a->syncing)
        return JOB_WAITS;
    enum err e = store_sync(a->store, &f);
    if (e == OK && store_sync_all(a->store, &f) != OK) { // what is dropped is gone all the same
        session_log(a, NULL, OS_LOG_WARN, "the room of a deletion is not given back: %s", f.detail);
        f = (struct fault){0};
    }
    if (e == OK)
        e = index_deletion_finish(d->list, &f);
    if (e == OK)
        e = commit_index_durably(a, &f);
    if (e == OK)
        session_log(a, d->job.session, OS_LOG_INFO, "%s: %llu objects deleted",
                    d->job.session ? d->job.session->peer : "a deletion carried out to its end",
                    (unsigned long long)d->dropped);
    return e == OK ? done(a, d, e, f.detail) : try_again(a, d, e, f.detail);
}

static enum job_progress step(struct archive *a, struct job *j) {
    struct deleting *d = (struct deleting *)j;
    if (d->try_again_ms > os_clock_ms())
        return JOB_RESTS;
    if (!j->session && !d->resumed && d->state < DROPPING)
        return give_up(a, d, ERR_PEER_GONE, "nobody waits for it any more");
    switch (d->state) {
    case LISTING:
        return list_more(a, d);
    case CHECKING:
        return check_more(a, d);
    case WAITING:
        return wait_for_others(a, d);
    case DROPPING:
        return drop_more(a, d);
    case FINISHING:
        break;
    }
    return finish(a, d);
}

static void end(struct archive *a, struct job *j) {
    (void)a;
    index_deletion_close(((struct deleting *)j)->list);
    free(j);
}

// --- Beginning ----------------------------------------------------------------------------------

// A deletion is written down first. Better refused than cut off there (begin_dropping()).
static enum err check_room(struct archive *a, struct fault *f) {
    struct store_info info = {0};
    enum err e = store_status(a->store, f, &info);
    return e != OK || info.free_bytes >= ROOM_BYTES
               ? e
               : fault_set(f, ERR_NO_SPACE, "deleting takes %d KiB first; free them by other means",
                           ROOM_BYTES / 1024);
}

static enum err start(struct archive *a, struct session *s, const struct ipc_delete_objects *m,
                      struct fault *f) {
    struct deleting *d = calloc(1, sizeof *d);
    if (!d)
        return fault_set(f, ERR_NO_MEMORY, "deleting");
    d->job.step = step;
    d->job.end = end;
    d->give_up_ms = os_clock_ms() + WAIT_MS;
    if (!(s->rights & IPC_RIGHT_DELETE))
        memcpy(d->owner, s->peer, sizeof d->owner);
    enum err e = index_deletion_open(a->index, m->study, m->series, m->sop_instance, f, &d->list);
    if (e == OK) {
        commit_index_later(a);
        job_start(a, s, &d->job);
    } else {
        free(d);
    }
    return e;
}

static bool may_delete(const struct session *s) { // anything, or what is one's own
    return s->rights & IPC_RIGHT_DELETE ||
           (s->rights & IPC_RIGHT_STORE && strncmp(s->peer, "user:", 5) == 0);
}

void deleting_on_delete(struct archive *a, struct session *s, const struct ipc_delete_objects *m) {
    struct fault f = {0};
    char study[UID_MAX + 1];
    if (!may_delete(s)) {
        answer(a, s, ERR_DENIED, 0, "no right to delete");
        return;
    }
    enum err e = slice_to_cstr(m->study, study, sizeof study)
                     ? study_is_there(a, study, s->view, &f)
                     : fault_set(&f, ERR_NO_SUCH_OBJECT, "no such object");
    if (e == OK)
        e = check_room(a, &f);
    if (e == OK)
        e = start(a, s, m, &f);
    if (e != OK)
        answer(a, s, e, 0, f.detail);
}

// --- After a crash ------------------------------------------------------------------------------

// The key is destroyed before the first record is dropped. So when a record can be read, it was not yet;
// when none can, it must not be destroyed again: the study may have been stored anew since.
static enum err erase_unless_done(struct archive *a, struct deleting *d, struct fault *f) {
    struct index_deletion_record r;
    bool end = false, readable = false;
    enum err e = OK;
    while (e == OK && !readable && (e = index_deletion_next(d->list, f, &r, &end)) == OK && !end) {
        struct blob_ref ref = blob_ref_of(&r.ref);
        buf_reset(&a->scratch);
        readable = store_get_meta(a->store, &ref, NULL, &a->scratch) == OK;
    }
    index_deletion_rewind(d->list);
    return e == OK && readable ? erase_key(a, index_deletion_study(d->list), f) : e;
}

// What fails again once the key is gone goes on while we serve. But not a key that could not be destroyed: by
// what is stored into the study meanwhile, the next start would destroy more than what was deleted.
static enum err resume(struct archive *a, struct index_deletion *take_list, struct fault *f) {
    struct deleting *d = calloc(1, sizeof *d);
    if (!d) {
        index_deletion_close(take_list);
        return fault_set(f, ERR_NO_MEMORY, "deleting");
    }
    *d = (struct deleting){.list = take_list, .state = DROPPING, .resumed = true};
    d->job.step = step;
    d->job.end = end;
    enum err e = index_deletion_is_whole(d->list) ? erase_unless_done(a, d, f) : OK;
    enum job_progress progress = JOB_AGAIN;
    while (e == OK && progress != JOB_DONE && progress != JOB_RESTS)
        progress = step(a, &d->job);
    if (progress == JOB_RESTS)
        job_add(a, &d->job);
    else
        end(a, &d->job);
    return e;
}

enum err deleting_resume(struct archive *a, struct fault *f) {
    struct index_deletion *list = NULL;
    enum err e;
    while ((e = index_deletion_resume(a->index, f, &list)) == OK && list) {
        if ((e = resume(a, list, f)) != OK) {
            session_log(a, NULL, OS_LOG_ERROR, "a deletion that was interrupted could not be carried out: %s",
                        f->detail);
            return e;
        }
        list = NULL;
    }
    return e;
}
