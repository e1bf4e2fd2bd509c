// Group commit: append, one fdatasync for all who wait, then the index, then the answers.
//
// While one round is at the disk, the loop goes on and the next round gathers: a second thread
// calls fdatasync and nothing else. When every store under way is waiting for this very round,
// handing it over would only cost two wake-ups, so the loop does it itself. So it does when a job waits for a
// moment without a round: under load there would be none.
#include <pthread.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "archive.h"
#include "os/clock.h"
#include "os/fd.h"

static void *sync_thread(void *arg) {
    struct archive *a = arg;
    uint64_t one = 1, got;
    while (os_fd_read_full(a->sync_start_fd, &got, sizeof got, NULL) == OK) {
        store_sync_run(a->store);
        if (os_fd_write_full(a->sync_done.fd, &one, sizeof one, NULL) != OK)
            break;
    }
    return NULL;
}

enum err commit_init(struct archive *a, struct fault *f) {
    a->sync_start_fd = eventfd(0, EFD_CLOEXEC);
    int done = eventfd(0, EFD_CLOEXEC);
    pthread_t thread;
    if (a->sync_start_fd < 0 || done < 0)
        return fault_errno(f, "eventfd");
    if (!watch_add(a, &a->sync_done, WATCH_SYNC, done, NULL))
        return fault_errno(f, "epoll_ctl");
    pthread_attr_t attr;
    pthread_attr_init(&attr);
    pthread_attr_setstacksize(&attr, 128 * 1024);
    int e = pthread_create(&thread, &attr, sync_thread, a);
    pthread_attr_destroy(&attr);
    if (e != 0)
        return fault_set(f, ERR_NO_MEMORY, "cannot start the sync thread");
    pthread_detach(thread);
    return OK;
}

struct pending *commit_add(struct archive *a, struct session *s, const struct blob_ref *ref,
                           struct buf *take_meta) {
    struct pending *p = calloc(1, sizeof *p);
    if (!p)
        return NULL;
    p->session = s;
    p->ref = *ref;
    p->meta = *take_meta;
    *take_meta = BUF_INIT(take_meta->max);
    *a->pending_end = p;
    a->pending_end = &p->next;
    return p;
}

static void forget_in(struct pending *p, const struct session *s) {
    for (; p; p = p->next)
        if (p->session == s)
            p->session = NULL;
}

void commit_forget(struct archive *a, const struct session *s) {
    forget_in(a->pending, s);
    forget_in(a->syncing, s);
}

static bool someone_is_storing(const struct archive *a) {
    for (const struct session *s = a->newest_ring; s; s = s->ring.older)
        if (s->phase == IPC_PHASE_STORING || s->phase == IPC_PHASE_READY)
            return true;
    return false;
}

static void end_round(struct archive *a);

void commit_start(struct archive *a) {
    if (a->syncing || !a->pending)
        return;
    if (!store_sync_begin(a->store)) { // nothing to sync: all of it was durable already
        a->syncing = a->pending;
        a->pending = NULL;
        a->pending_end = &a->pending;
        end_round(a);
        return;
    }
    a->syncing = a->pending;
    a->pending = NULL;
    a->pending_end = &a->pending;
    uint64_t one = 1;
    if (someone_is_storing(a) && !jobs_wait(a) && write(a->sync_start_fd, &one, sizeof one) == sizeof one)
        return;
    store_sync_run(a->store);
    end_round(a);
}

static void answer(struct archive *a, const struct pending *p, enum err e, enum stored outcome,
                   const char *detail) {
    struct session *s = p->session;
    if (!s)
        return;
    s->waits--;
    if (s->phase == IPC_PHASE_SYNCING)
        s->phase = IPC_PHASE_READY;
    struct ipc_store_done m = {
        .error = (uint16_t)e, .outcome = (uint8_t)outcome, .detail = slice_str(detail)};
    session_reply(a, s, IPC_STORE_DONE, &m, -1);
}

// Without its index the archive cannot go on, but nothing is lost: this process ends, and the next
// one indexes again what the store has beyond the last commit, or all of it.
// Whatever fails in it, a mere query too, may have taken back what was not committed yet: until it is there
// again, no search may say that there is no such study.
void commit_check_index(struct archive *a) {
    enum index_health health = index_health(a->index);
    if (health == INDEX_SOUND || a->stopping)
        return;
    session_log(a, NULL, OS_LOG_ERROR,
                "the index is %s: the archive starts again and builds it from the store",
                health == INDEX_DAMAGED ? "damaged" : "behind");
    a->index_damaged = health == INDEX_DAMAGED;
    a->stopping = a->failed = true;
}

void commit_stop(struct archive *a, const char *why) {
    if (!a->stopping)
        session_log(a, NULL, OS_LOG_ERROR, "%s: the archive starts again", why);
    a->stopping = a->failed = true;
}

static void settle(struct archive *a, struct pending *p) {
    struct fault f = {0};
    enum stored outcome = STORED_NEW;
    enum err e = store_durability(a->store, &p->ref) == STORE_DURABLE
                     ? replay_index_object(a, &p->ref, buf_slice(&p->meta), &outcome, &f)
                     : fault_set(&f, ERR_IO, "the disk failed to make the object durable");
    if (e != OK)
        a->refused++;
    else if (outcome == STORED_IDENTICAL)
        a->identical++;
    else if (outcome == STORED_BESIDE)
        a->beside++;
    else
        a->stored++;
    answer(a, p, e, outcome, f.detail);
    if (e != OK)
        commit_check_index(a);
    buf_fini(&p->meta);
    free(p);
}

static void end_round(struct archive *a) {
    struct fault f = {0};
    struct pending *p = a->syncing;
    if (store_sync_end(a->store, &f) != OK)
        session_log(a, NULL, OS_LOG_ERROR,
                    "the disk failed: %s: the objects of this round are refused, senders try again",
                    f.detail);
    a->syncing = NULL;
    while (p) {
        struct pending *next = p->next;
        settle(a, p);
        p = next;
    }
    commit_index_later(a);
}

void commit_index_later(struct archive *a) {
    if (a->index_dirty)
        return;
    a->index_dirty = true;
    a->index_commit_due_ms = os_clock_ms() + INDEX_COMMIT_MS;
}

void commit_on_done(struct archive *a) {
    uint64_t n;
    if (read(a->sync_done.fd, &n, sizeof n) == sizeof n)
        end_round(a);
}

static void save_marks(struct archive *a) {
    struct store_mark marks[32];
    size_t n;
    struct fault f = {0};
    while ((n = store_take_marks(a->store, marks, 32)) > 0)
        for (size_t i = 0; i < n; i++)
            if (index_set_mark(a->index,
                               &(struct index_mark){marks[i].segment, marks[i].end, marks[i].objects,
                                                    marks[i].dead_bytes},
                               &f) != OK)
                session_log(a, NULL, OS_LOG_ERROR, "index: %s", f.detail);
}

// Not while a round is under way: marks only vouch for what is indexed.
void commit_index(struct archive *a, bool now) {
    if (!a->index_dirty || a->syncing || (!now && os_clock_ms() < a->index_commit_due_ms))
        return;
    struct fault f = {0};
    save_marks(a);
    a->index_dirty = false;
    if (index_commit(a->index, &f) != OK) {
        session_log(a, NULL, OS_LOG_ERROR, "index: %s", f.detail);
        commit_check_index(a);
    }
}

enum err commit_index_durably(struct archive *a, struct fault *f) {
    bug_unless(!a->syncing);
    save_marks(a);
    a->index_dirty = false;
    enum err e = index_commit_durable(a->index, f);
    if (e != OK)
        commit_check_index(a);
    return e;
}
