// From the store to the index: what was put since the last commit of the index (at every start),
// all of it (reindex), or nothing but looking (verify). Also the way every new object takes.
#include "archive.h"

#include <inttypes.h>
#include <openssl/crypto.h>
#include <poll.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "meta.h"
#include "os/clock.h"
#include "paths.h"

enum { COMPARE_BYTES = 256 * 1024 };

struct blob_ref blob_ref_of(const struct index_ref *r) {
    return (struct blob_ref){r->segment, r->front_bytes, r->offset, r->length};
}

static struct index_ref index_ref_of(const struct blob_ref *r) {
    return (struct index_ref){r->segment, r->front_bytes, r->offset, r->length};
}

static enum err bodies_equal(struct store_object *x, struct store_object *y, bool *ret_equal,
                             struct fault *f) {
    uint64_t n = store_get_body_bytes(x), at = 0;
    if (n != store_get_body_bytes(y)) {
        *ret_equal = false;
        return OK;
    }
    CLEANUP_FREE uint8_t *p = malloc(2 * COMPARE_BYTES);
    if (!p)
        return fault_set(f, ERR_NO_MEMORY, "comparing objects");
    bool equal = true;
    while (equal && at < n) {
        size_t part = n - at < COMPARE_BYTES ? (size_t)(n - at) : COMPARE_BYTES;
        enum err e = store_get_read(x, at, p, part, f);
        if (e == OK)
            e = store_get_read(y, at, p + COMPARE_BYTES, part, f);
        if (e != OK)
            return e;
        equal = memcmp(p, p + COMPARE_BYTES, part) == 0;
        at += part;
    }
    *ret_equal = equal;
    return OK;
}

static enum err same_body(struct archive *a, const struct blob_ref *x, const struct blob_ref *y,
                          bool *ret_equal, struct fault *f) {
    struct store_object *ox = NULL, *oy = NULL;
    enum err e = store_get_open(a->store, x, f, &ox);
    if (e == OK)
        e = store_get_open(a->store, y, f, &oy);
    if (e == OK)
        e = bodies_equal(ox, oy, ret_equal, f);
    if (ox)
        store_get_close(ox);
    if (oy)
        store_get_close(oy);
    return e;
}

// What else an object has: what a reindex takes, its attributes, its frame table.
static enum err try_front(struct archive *a, const struct blob_ref *ref) {
    enum err (*const parts[])(struct store *, const struct blob_ref *, struct fault *, struct buf *) = {
        store_get_meta, store_get_summary, store_get_frames};
    struct buf b = BUF_INIT(STORE_FRAMES_MAX);
    struct fault f = {0};
    enum err e = OK;
    for (size_t i = 0; e == OK && i < sizeof parts / sizeof *parts; i++) {
        buf_reset(&b);
        e = parts[i](a->store, ref, &f, &b);
    }
    buf_fini(&b);
    return e;
}

struct same_as {
    struct archive *a;
    const struct blob_ref *ref;
};

// What is damaged, or erased, makes way. Not so what the disk does not give just now.
static enum err is_same(void *arg, const struct index_ref *other, enum index_likeness *ret_likeness,
                        struct fault *f) {
    const struct same_as *s = arg;
    struct blob_ref have = blob_ref_of(other);
    struct fault why = {0};
    bool equal = false;
    (void)f;
    enum err e = same_body(s->a, &have, s->ref, &equal, &why);
    if (e == OK && equal)
        e = try_front(s->a, &have);
    *ret_likeness = e == ERR_CORRUPT || e == ERR_NO_SUCH_OBJECT ? INDEX_UNREADABLE
                    : e == OK && equal                          ? INDEX_SAME
                                                                : INDEX_DIFFERS;
    return OK;
}

static struct index_object index_object_of(const struct meta *m, const struct blob_ref *ref) {
    return (struct index_object){.study = m->study,
                                 .series = m->series,
                                 .sop_instance = m->sop_instance,
                                 .sop_class = m->sop_class,
                                 .transfer_syntax = m->transfer_syntax,
                                 .attributes = m->attributes,
                                 .ref = index_ref_of(ref),
                                 .received_ms = m->received_ms,
                                 .peer = m->peer};
}

enum err replay_check(const struct meta *m, struct fault *f) {
    struct blob_ref nowhere = {0};
    struct index_object object = index_object_of(m, &nowhere);
    return index_object_check(&object, f);
}

enum err replay_index_object(struct archive *a, const struct blob_ref *ref, struct slice meta,
                             enum stored *ret_stored, struct fault *f) {
    struct meta m;
    enum err e = meta_get(meta, &m, f);
    if (e != OK)
        return e;
    struct index_object object = index_object_of(&m, ref);
    struct same_as same = {a, ref};
    enum index_outcome outcome;
    e = index_add(a->index, &object, is_same, &same, f, &outcome);
    if (e != OK)
        return e;
    if (outcome == INDEX_IDENTICAL)
        (void)store_drop(a->store, ref, NULL);
    if (outcome == INDEX_INSTEAD)
        session_log(a, NULL, OS_LOG_WARN,
                    "an object whose record cannot be read any more was stored again: it is served from now "
                    "on");
    bool beside = outcome == INDEX_BESIDE || outcome == INDEX_INSTEAD;
    *ret_stored = outcome == INDEX_NEW ? STORED_NEW : beside ? STORED_BESIDE : STORED_IDENTICAL;
    return OK;
}

struct replay {
    struct archive *a;
    uint64_t objects, erased, damaged, torn, bytes;
    int64_t shown_ms;
    bool show;
};

static void show_progress(struct replay *r, bool last) {
    int64_t now = os_clock_ms();
    if (!r->show || (!last && now - r->shown_ms < 500))
        return;
    r->shown_ms = now;
    fprintf(stderr, "\r%" PRIu64 " objects, %.1f GB%s", r->objects, (double)r->bytes / 1e9,
            last ? "\n" : " …");
}

static void count(struct replay *r, const struct store_found *found) {
    r->bytes += found->ref.length;
    r->objects += found->kind == STORE_OBJECT;
    r->erased += found->kind == STORE_ERASED;
    r->damaged += found->kind == STORE_DAMAGED || found->kind == STORE_NO_KEY;
    r->torn += found->kind == STORE_TORN;
    show_progress(r, false);
}

static enum err on_found(void *arg, const struct store_found *found) {
    struct replay *r = arg;
    struct fault f = {0};
    enum stored outcome;
    count(r, found);
    if (found->kind == STORE_DAMAGED)
        session_log(r->a, NULL, OS_LOG_ERROR,
                    "store: segment %08x is damaged at %" PRIu64 ", %" PRIu64 " bytes", found->ref.segment,
                    found->ref.offset, found->ref.length);
    if (found->kind != STORE_OBJECT)
        return OK;
    enum err e = replay_index_object(r->a, &found->ref, found->meta, &outcome, &f);
    bool its_own_fault = e == ERR_CORRUPT || e == ERR_SYNTAX || e == ERR_UID || e == ERR_LIMIT;
    if (its_own_fault && index_health(r->a->index) == INDEX_SOUND) { // the others still count
        r->damaged++;
        session_log(r->a, NULL, OS_LOG_ERROR, "store: a record cannot be indexed: %s", f.detail);
        return OK;
    }
    return e;
}

static void on_migrating(void *arg, int from, int to) {
    session_log(arg, NULL, OS_LOG_INFO, "the index is of version %d: it is brought to version %d", from, to);
}

static enum err open_index(struct archive *a, struct fault *f) {
    struct index_options options = {
        .cache_bytes = a->conf.index_cache_mib << 20, .migrating = on_migrating, .arg = a};
    char path[4096];
    uint8_t key[KEY_BYTES];
    path_in(path, a->dir, "index");
    (void)mkdir(path, 0700);
    keyring_derive(a->keyring, "galena/index/v1", key);
    enum err e = index_open(path, key, &options, f, &a->index);
    if (e == ERR_CORRUPT) {
        session_log(a, NULL, OS_LOG_WARN, "the index is damaged (%s): it is built again from the store",
                    f->detail);
        *f = (struct fault){0};
        e = index_remove(path, f);
        if (e == OK)
            e = index_open(path, key, &options, f, &a->index);
    }
    OPENSSL_cleanse(key, sizeof key);
    return e;
}

static enum err recover(struct replay *r, struct fault *f) {
    struct archive *a = r->a;
    struct index_mark *have = NULL;
    size_t n = 0;
    enum err e = index_get_marks(a->index, f, &have, &n);
    struct store_mark *marks = e == OK ? calloc(n ? n : 1, sizeof *marks) : NULL;
    if (e == OK && !marks)
        e = fault_set(f, ERR_NO_MEMORY, "marks");
    for (size_t i = 0; e == OK && i < n; i++)
        marks[i] = (struct store_mark){have[i].segment, have[i].end, have[i].objects, have[i].dead_bytes};
    if (e == OK)
        e = store_recover(a->store, marks, n, on_found, r, f);
    free(have);
    free(marks);
    a->index_dirty = true;
    if (e == OK)
        commit_index(a, true);
    return e;
}

enum err replay_start(struct archive *a, struct fault *f) {
    enum err e = open_index(a, f);
    if (e != OK)
        return e;
    struct replay r = {.a = a};
    e = recover(&r, f);
    if (e == OK)
        e = deleting_resume(a, f);
    if (r.objects || r.torn || r.damaged)
        session_log(a, NULL, OS_LOG_INFO,
                    "store: %" PRIu64 " objects indexed that were stored last, %" PRIu64
                    " torn ones dropped, %" PRIu64 " damaged",
                    r.objects, r.torn, r.damaged);
    return e;
}

static enum err open_store(struct archive *a, bool read_only, struct fault *f) {
    char path[4096];
    a->supervisor.fd = a->auth.fd = -1;
    path_in(path, a->dir, "keys");
    enum err e = (read_only ? keyring_open_read_only : keyring_open)(path, f, &a->keyring);
    struct store_options options = {.read_only = read_only};
    if (e == OK)
        e = store_open(path_in(path, a->dir, "store"), a->keyring, &options, f, &a->store);
    return e;
}

static int failed(const char *what, enum err e, const struct fault *f) {
    fprintf(stderr, "galena: %s: %s: %s\n", what, err_text(e), f->detail);
    return 1;
}

int reindex_main(const char *dir) {
    struct archive a = {.dir = dir};
    struct fault f = {0};
    char path[4096];
    enum err e = open_store(&a, false, &f);
    if (e == ERR_BUSY) {
        fprintf(stderr, "galena: the archive is being served: stop it first\n");
        return 1;
    }
    if (e == OK)
        e = index_remove(path_in(path, dir, "index"), &f);
    if (e == OK)
        e = open_index(&a, &f);
    struct replay r = {.a = &a, .show = isatty(2)};
    if (e == OK)
        e = recover(&r, &f);
    if (e != OK)
        return failed("reindex", e, &f);
    show_progress(&r, true);
    index_close(a.index);
    store_close(a.store);
    keyring_close(a.keyring);
    printf("%" PRIu64 " objects indexed, %" PRIu64 " erased, %" PRIu64 " damaged\n", r.objects, r.erased,
           r.damaged);
    return r.damaged ? 1 : 0;
}

// What stands at the end of a segment and cannot be read is being written just now, or a crash broke it off,
// or it is damaged.
enum { DOUBTS_MAX = 256, WRITTEN_WITHIN_MS = 2000 };

struct verify {
    struct replay r; // first: what count() takes
    struct blob_ref doubts[DOUBTS_MAX];
    size_t doubt_count;
};

static void say_damaged(const struct blob_ref *ref, const char *more) {
    printf("damaged: segment %08x at %" PRIu64 ", %" PRIu64 " bytes%s\n", ref->segment, ref->offset,
           ref->length, more);
}

static enum err on_verified(void *arg, const struct store_found *found) {
    struct verify *v = arg;
    count(&v->r, found);
    if (found->kind == STORE_DAMAGED || found->kind == STORE_NO_KEY)
        say_damaged(&found->ref, found->kind == STORE_NO_KEY ? " (its key is missing)" : "");
    if (found->kind == STORE_TORN && found->has_header && v->doubt_count < DOUBTS_MAX)
        v->doubts[v->doubt_count++] = found->ref;
    return OK;
}

static void say_missing(struct verify *v) {
    for (uint32_t n = 0; (n = store_missing(v->r.a->store, n)) != 0; v->r.damaged++)
        printf("damaged: segment %08x is missing, with all that was in it\n", n);
}

static enum err on_second_look(void *arg, const struct store_found *found) {
    *(bool *)arg = found->kind == STORE_TORN && found->has_header;
    return ERR_CANCELLED;
}

static void look_again(struct verify *v) {
    if (v->doubt_count > 0)
        (void)poll(NULL, 0, WRITTEN_WITHIN_MS);
    for (size_t i = 0; i < v->doubt_count; i++) {
        const struct blob_ref *ref = &v->doubts[i];
        bool still = false;
        struct fault f = {0};
        (void)store_scan(v->r.a->store, ref->segment, ref->offset, STORE_SCAN_ALL, on_second_look, &still,
                         &f);
        if (!still)
            continue;
        say_damaged(ref, " (or broken off by a crash: then the next start removes it)");
        v->r.damaged++;
    }
}

// What is damaged at a second look, too, is not just being written.
static enum err check_keys(struct verify *v, struct fault *f) {
    uint64_t damaged = 0;
    enum err e = keyring_verify(v->r.a->keyring, f, &damaged);
    if (e == OK && damaged)
        e = keyring_verify(v->r.a->keyring, f, &damaged);
    if (e == OK && damaged)
        printf("damaged: keys/studies.keys, the keys of %" PRIu64 " studies\n", damaged);
    v->r.damaged += damaged;
    return e;
}

int verify_main(const char *dir) {
    struct archive a = {.dir = dir};
    struct fault f = {0};
    enum err e = open_store(&a, true, &f);
    struct verify v = {.r = {.a = &a, .show = isatty(2)}};
    if (e == OK)
        e = check_keys(&v, &f);
    if (e == OK)
        e = store_scan(a.store, 0, 0, STORE_SCAN_ALL, on_verified, &v, &f);
    if (e != OK)
        return failed("verify", e, &f);
    show_progress(&v.r, true);
    say_missing(&v);
    look_again(&v);
    printf("%" PRIu64 " objects, %.1f GB: %" PRIu64 " erased, %" PRIu64 " damaged\n", v.r.objects,
           (double)v.r.bytes / 1e9, v.r.erased, v.r.damaged);
    store_close(a.store);
    keyring_close(a.keyring);
    return v.r.damaged ? 1 : 0;
}
