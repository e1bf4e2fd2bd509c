#include "retrieve.h"

#include "uids.h"

enum err retrieval_open(struct retrieval *r, struct request *rq, struct fault *f) {
    return retrieval_open_named(r, rq, rq->parts, 3, f);
}

enum err retrieval_open_named(struct retrieval *r, struct request *rq, const struct slice *uids, size_t count,
                              struct fault *f) {
    *r = (struct retrieval){.rq = rq, .archive = &rq->archive, .pairs = BUF_INIT(64 * 1024)};
    struct buf conditions = BUF_INIT(4096);
    enum err e = uids_conditions_named(uids, count, &conditions, f);
    if (e == OK)
        e = channel_ring(r->archive, f);
    if (e == OK) {
        memcpy(channel_aux(r->archive), conditions.p, conditions.n);
        struct ipc_locate ask = {.root = 1, .level = 3, .conditions_bytes = (uint32_t)conditions.n};
        struct ipc_msg m = channel_call(r->archive, IPC_LOCATE, &ask, IPC_LOCATED);
        e = (enum err)m.u.located.error;
        r->open = e == OK;
        r->count = m.u.located.count;
        buf_append_slice(&r->pairs, m.u.located.pairs);
        if (e == OK && r->count == 0)
            e = fault_set(f, ERR_NO_SUCH_OBJECT, "there is no such study, series or instance");
    }
    buf_fini(&conditions);
    return e;
}

void retrieval_close(struct retrieval *r) {
    if (r->open)
        channel_tell(r->archive, IPC_RETRIEVE_END, &(struct ipc_retrieve_end){0});
    r->open = false;
    buf_fini(&r->pairs);
}

bool retrieval_next(struct retrieval *r, struct object *ret_object) {
    struct ipc_msg m = channel_call(r->archive, IPC_OBJECT_NEXT, &(struct ipc_object_next){0}, IPC_OBJECT);
    const struct ipc_object *got = &m.u.object;
    struct object o = {.error = (enum err)got->error, .length = got->length, .tag = got->tag};
    if (got->done)
        return false;
    bool fits = slice_to_cstr(got->sop_class, o.sop_class, sizeof o.sop_class) &&
                slice_to_cstr(got->sop_instance, o.sop_instance, sizeof o.sop_instance) &&
                slice_to_cstr(got->study, o.study, sizeof o.study) &&
                slice_to_cstr(got->series, o.series, sizeof o.series) &&
                slice_to_cstr(got->transfer_syntax, o.transfer, sizeof o.transfer);
    if (!fits)
        o.error = ERR_CORRUPT;
    *ret_object = o;
    return true;
}

enum err retrieval_front(struct retrieval *r, struct arena *a, struct slice *ret_summary,
                         struct dicom_frames *ret_frames, struct fault *f) {
    struct ipc_msg m =
        channel_call(r->archive, IPC_OBJECT_FRONT, &(struct ipc_object_front){0}, IPC_OBJECT_FRONT_DATA);
    const struct ipc_object_front_data *got = &m.u.object_front_data;
    if (got->error != OK)
        return fault_set(f, (enum err)got->error, "the object cannot be read");
    struct slice frames;
    if (!arena_dup(a, channel_aux_slice(r->archive, 0, got->summary_bytes), ret_summary) ||
        !arena_dup(a, channel_aux_slice(r->archive, got->summary_bytes, got->frames_bytes), &frames))
        return fault_set(f, ERR_NO_MEMORY, "summary");
    return dicom_frames_parse(frames, a, f, ret_frames);
}

// What fits is one piece; what is longer comes in halves, of which one is read while the other goes out.
static uint32_t piece_room(const struct retrieval *r, uint64_t n) {
    size_t all = r->archive->ring_body;
    return (uint32_t)(n <= all ? all : all / 2);
}

static void ask_for(struct retrieval *r, uint64_t offset, uint64_t n, uint32_t room, uint32_t half) {
    struct ipc_object_read ask = {
        .offset = offset, .ring_offset = half * room, .max = n < room ? (uint32_t)n : room};
    channel_tell(r->archive, IPC_OBJECT_READ, &ask);
}

static enum err take(struct retrieval *r, uint32_t room, uint32_t half, struct slice *ret_piece,
                     struct fault *f) {
    struct ipc_msg m = channel_receive(r->archive, IPC_OBJECT_DATA);
    const struct ipc_object_data *d = &m.u.object_data;
    if (d->error != OK || d->length > room)
        return fault_set(f, d->error ? (enum err)d->error : ERR_CORRUPT, "the object cannot be read");
    *ret_piece = slice_of(r->archive->ring.p + (size_t)half * room, d->length);
    return OK;
}

enum err retrieval_read(struct retrieval *r, uint64_t offset, uint64_t n, retrieval_piece_fn *fn, void *ctx,
                        struct fault *f) {
    if (n == 0)
        return fn(ctx, slice_of(NULL, 0), true, f);
    enum err e = OK;
    uint32_t room = piece_room(r, n);
    ask_for(r, offset, n, room, 0);
    for (uint32_t half = 0; n > 0; half ^= 1) {
        struct slice piece;
        enum err taken = take(r, room, half, &piece, f);
        if (taken != OK || piece.n == 0 || piece.n > n)
            return taken != OK ? taken : fault_set(f, ERR_TRUNCATED, "the object is shorter than it says");
        offset += piece.n;
        n -= piece.n;
        bool more = n > 0 && e == OK;
        if (more)
            ask_for(r, offset, n, room, half ^ 1);
        if (e == OK)
            e = fn(ctx, piece, n == 0, f);
        if (!more)
            return e;
    }
    return e;
}

struct sending {
    struct request *rq;
    bool last;
};

static enum err send_piece(void *ctx, struct slice piece, bool last, struct fault *f) {
    const struct sending *s = ctx;
    return answer_body(s->rq, piece, last && s->last) ? OK
                                                      : fault_set(f, ERR_PEER_GONE, "the client is gone");
}

enum err retrieval_send(struct retrieval *r, uint64_t offset, uint64_t n, bool last, struct fault *f) {
    struct sending s = {r->rq, last};
    return retrieval_read(r, offset, n, send_piece, &s, f);
}
