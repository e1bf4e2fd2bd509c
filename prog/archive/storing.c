// C-STORE as the archive sees it: an opaque body from the ring, typed fields, a sync, an answer.
#include "archive.h"

#include "meta.h"
#include "os/clock.h"

// A commit that came to nothing; `early` as in STORE_COMMIT.
static void refused(struct archive *a, struct session *s, bool early, enum err e, const char *detail) {
    struct ipc_store_taken taken = {.error = (uint16_t)e, .detail = slice_str(detail)};
    struct ipc_store_done done = {.error = (uint16_t)e, .detail = slice_str(detail)};
    s->phase = IPC_PHASE_READY;
    a->refused++;
    session_log(a, s, OS_LOG_ERROR, "an object of peer %s was not stored: %s: %s", s->peer, err_text(e),
                detail);
    session_reply(a, s, early ? IPC_STORE_TAKEN : IPC_STORE_DONE, early ? (const void *)&taken : &done, -1);
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

static enum err build_meta(struct session *s, const struct ipc_store_commit *m, struct buf *meta,
                           struct fault *f) {
    struct meta record = {.received_ms = (uint64_t)os_clock_wall_ms(),
                          .sop_class = m->sop_class,
                          .sop_instance = m->sop_instance,
                          .study = m->study,
                          .series = m->series,
                          .transfer_syntax = m->transfer_syntax,
                          .peer = slice_str(s->peer),
                          .attributes = m->attributes};
    enum err e = replay_check(&record, f);
    if (e != OK)
        return e;
    meta_put(meta, &record);
    return buf_check(meta, f, "attributes to index");
}

void storing_on_commit(struct archive *a, struct session *s, const struct ipc_store_commit *m) {
    if (!may_store(a, s))
        return;
    const uint8_t *ring = ring_map(a, s);
    bool fits = ring && ring_body_range(m->ring_offset, m->length) && m->summary_bytes <= RING_AUX_BYTES &&
                m->frames_bytes <= RING_AUX_BYTES - m->summary_bytes;
    if (!fits || !all_there(m) || s->waits == STORES_WAITING_MAX ||
        (s->stream && !slice_eq_str(m->study, s->stream_study))) {
        session_end(a, s, "its worker commits an object that is none");
        return;
    }
    struct fault f = {0};
    struct blob_ref ref;
    struct buf meta = BUF_INIT(STORE_META_MAX);
    enum err e = build_meta(s, m, &meta, &f);
    if (e == OK)
        e = put(a, s, m, ring, buf_slice(&meta), &ref, &f);
    else if (s->stream)
        store_put_abort(TAKE(s->stream));
    if (e == OK)
        e = commit_add(a, s, &ref, &meta) ? OK : ERR_NO_MEMORY;
    buf_fini(&meta);
    if (e != OK) {
        refused(a, s, m->early, e, f.detail);
        return;
    }
    s->waits++;
    s->phase = m->early ? IPC_PHASE_READY : IPC_PHASE_SYNCING;
    if (m->early)
        session_reply(a, s, IPC_STORE_TAKEN, &(struct ipc_store_taken){.error = OK}, -1);
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
    if (s->waits > 0)
        commit_forget(a, s);
    s->waits = 0;
}
