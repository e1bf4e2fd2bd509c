// C-STORE as the archive sees it: an opaque body from the ring, typed fields, a sync, an answer.
#include "archive.h"

#include "base/rd.h"
#include "base/utf8.h"
#include "meta.h"
#include "os/clock.h"

static void done(struct archive *a, struct session *s, enum err e, enum stored outcome, const char *detail) {
    struct ipc_store_done m = {
        .error = (uint16_t)e, .outcome = (uint8_t)outcome, .detail = slice_str(detail)};
    s->phase = IPC_PHASE_READY;
    if (e != OK) {
        a->refused++;
        session_log(a, s, OS_LOG_ERROR, "an object of peer %s was not stored: %s: %s", s->peer, err_text(e),
                    detail);
    }
    session_reply(a, s, IPC_STORE_DONE, &m, -1);
}

static bool may_store(struct archive *a, struct session *s) {
    if (s->rights & IPC_RIGHT_STORE)
        return true;
    session_end(a, s, "its worker stores without the right to");
    return false;
}

void storing_on_body(struct archive *a, struct session *s, const struct ipc_store_body *m) {
    if (!may_store(a, s))
        return;
    const uint8_t *ring = ring_map(a, s);
    if (!ring || !ring_body_range(m->ring_offset, m->length) || m->study.n == 0) {
        session_end(a, s, "its worker names memory or a study that is none");
        return;
    }
    struct fault f = {0};
    enum err e = OK;
    if (!s->stream) {
        e = store_put_begin(a->store, m->study, &f, &s->stream);
        if (e == OK)
            bug_unless(slice_to_cstr(m->study, s->stream_study, sizeof s->stream_study));
    }
    if (e == OK)
        e = store_put_append(s->stream, slice_of(ring + m->ring_offset, m->length), &f);
    s->phase = IPC_PHASE_STORING;
    if (e != OK) {
        session_log(a, s, OS_LOG_ERROR, "an object of peer %s was not stored: %s: %s", s->peer, err_text(e),
                    f.detail);
        a->refused++;
        storing_on_abort(a, s);
    }
    struct ipc_store_body_taken taken = {.error = (uint16_t)e};
    session_reply(a, s, IPC_STORE_BODY_TAKEN, &taken, -1);
}

static bool all_there(const struct ipc_store_commit *m) {
    return m->sop_class.n && m->sop_instance.n && m->study.n && m->series.n && m->transfer_syntax.n;
}

// Attributes are u16 number, u16 length, UTF-8: whole, known, and in the order of their numbers.
static bool attributes_valid(struct slice bytes) {
    struct rd r = rd_init(bytes);
    int last = -1;
    while (rd_ok(&r) && rd_left(&r) > 0) {
        uint16_t number = rd_u16le(&r);
        uint16_t n = rd_u16le(&r);
        struct slice value = rd_bytes(&r, n);
        if (!rd_ok(&r) || (int)number <= last || number >= INDEX_ATTR_VALUE(INDEX_ATTR_COUNT_) ||
            !utf8_valid(value))
            return false;
        last = number;
    }
    return rd_ok(&r);
}

static enum err put(struct archive *a, struct session *s, const struct ipc_store_commit *m,
                    const uint8_t *ring, struct slice meta, struct blob_ref *ret_ref, struct fault *f) {
    const uint8_t *aux = ring + RING_BODY_BYTES;
    struct slice part = slice_of(ring + m->ring_offset, m->length);
    struct store_front front = {.meta = meta,
                                .summary = slice_of(aux, m->summary_bytes),
                                .frames = slice_of(aux + m->summary_bytes, m->frames_bytes)};
    if (!s->stream)
        return store_put_whole(a->store, m->study, part, &front, f, ret_ref);
    enum err e = part.n ? store_put_append(s->stream, part, f) : OK;
    if (e != OK) {
        store_put_abort(TAKE(s->stream));
        return e;
    }
    return store_put_finish(TAKE(s->stream), &front, f, ret_ref);
}

static void build_meta(struct session *s, const struct ipc_store_commit *m, struct buf *meta) {
    struct meta record = {.received_ms = (uint64_t)os_clock_wall_ms(),
                          .sop_class = m->sop_class,
                          .sop_instance = m->sop_instance,
                          .study = m->study,
                          .series = m->series,
                          .transfer_syntax = m->transfer_syntax,
                          .peer = slice_str(s->peer),
                          .attributes = m->attributes};
    meta_put(meta, &record);
}

void storing_on_commit(struct archive *a, struct session *s, const struct ipc_store_commit *m) {
    if (!may_store(a, s))
        return;
    const uint8_t *ring = ring_map(a, s);
    bool fits = ring && ring_body_range(m->ring_offset, m->length) && m->summary_bytes <= RING_AUX_BYTES &&
                m->frames_bytes <= RING_AUX_BYTES - m->summary_bytes;
    if (!fits || !all_there(m) || !attributes_valid(m->attributes) ||
        (s->stream && !slice_eq_str(m->study, s->stream_study))) {
        session_end(a, s, "its worker commits an object that is none");
        return;
    }
    struct fault f = {0};
    struct blob_ref ref;
    struct buf meta = BUF_INIT(STORE_META_MAX);
    build_meta(s, m, &meta);
    enum err e = buf_ok(&meta) ? put(a, s, m, ring, buf_slice(&meta), &ref, &f) : ERR_LIMIT;
    if (e == OK) {
        s->waits = commit_add(a, s, &ref, &meta);
        e = s->waits ? OK : ERR_NO_MEMORY;
    }
    buf_fini(&meta);
    if (e == OK)
        s->phase = IPC_PHASE_SYNCING;
    else
        done(a, s, e, STORED_NEW, f.detail);
}

void storing_on_abort(struct archive *a, struct session *s) {
    (void)a;
    if (s->stream)
        store_put_abort(TAKE(s->stream));
    s->phase = IPC_PHASE_READY;
}

// What is waiting for its sync stays: it may become durable, and then it is served.
void storing_forget(struct archive *a, struct session *s) {
    if (s->stream)
        storing_on_abort(a, s);
    if (s->waits)
        s->waits->session = NULL;
    s->waits = NULL;
}
