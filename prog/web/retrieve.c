#include "retrieve.h"

#include "uids.h"

static bool comes_with_body(const struct retrieval *r) {
    return r->with & (RETRIEVAL_WITH_BODY | RETRIEVAL_WITH_BODIES);
}

// --- which objects

enum err retrieval_open(struct retrieval *r, struct request *rq, unsigned with, struct fault *f) {
    return retrieval_open_named(r, rq, rq->parts, 3, with, f);
}

static enum err locate(struct retrieval *r, struct slice conditions, struct fault *f) {
    memcpy(channel_aux(r->archive), conditions.p, conditions.n);
    struct ipc_locate ask = {.root = 1,
                             .level = 3,
                             .conditions_bytes = (uint32_t)conditions.n,
                             .first = 1,
                             .front = (r->with & RETRIEVAL_WITH_FRONT) != 0};
    if (comes_with_body(r)) // with one alone no other needs the room
        ask.max = r->with & RETRIEVAL_WITH_BODY ? 2 * channel_turn_bytes(r->archive)
                                                : channel_turn_bytes(r->archive);
    struct ipc_msg m = channel_call(r->archive, IPC_LOCATE, &ask, IPC_LOCATED);
    enum err e = (enum err)m.u.located.error;
    r->open = e == OK;
    r->count = m.u.located.count;
    r->asked = r->open && r->count > 0;
    buf_append_slice(&r->pairs, m.u.located.pairs);
    if (e == OK) // without them it would look as if nothing could be sent as wanted
        e = buf_check(&r->pairs, f, "what there is");
    if (e == OK && r->count == 0)
        e = fault_set(f, ERR_NO_SUCH_OBJECT, "there is no such study, series or instance");
    return e;
}

enum err retrieval_open_named(struct retrieval *r, struct request *rq, const struct slice *uids, size_t count,
                              unsigned with, struct fault *f) {
    *r = (struct retrieval){.rq = rq, .archive = &rq->archive, .with = with, .pairs = BUF_INIT(64 * 1024)};
    struct buf conditions = BUF_INIT(4096);
    enum err e = uids_conditions_named(uids, count, &conditions, f);
    if (e == OK)
        e = channel_ring(r->archive, f);
    if (e == OK)
        e = locate(r, buf_slice(&conditions), f);
    buf_fini(&conditions);
    return e;
}

void retrieval_fini(struct retrieval *r) {
    if (r->asked) // the answer belongs to nobody else
        (void)channel_receive(r->archive, IPC_OBJECT);
    r->open = r->asked = false;
    buf_fini(&r->pairs);
}

void retrieval_close(struct retrieval *r) {
    bool open = r->open;
    retrieval_fini(r);
    if (open)
        channel_tell(r->archive, IPC_RETRIEVE_END, &(struct ipc_retrieve_end){0});
}

// --- one after the other

static void ask_next(struct retrieval *r, uint32_t ring_offset) {
    struct ipc_object_next ask = {.front = (r->with & RETRIEVAL_WITH_FRONT) != 0,
                                  .ring_offset = ring_offset,
                                  .max = comes_with_body(r) ? channel_turn_bytes(r->archive) : 0};
    channel_tell(r->archive, IPC_OBJECT_NEXT, &ask);
    r->read_at = ring_offset;
    r->asked = true;
}

static struct ipc_msg receive_next(struct retrieval *r) {
    if (!r->asked)
        ask_next(r, 0);
    struct ipc_msg m = channel_receive(r->archive, IPC_OBJECT);
    const struct ipc_object *got = &m.u.object;
    r->asked = false;
    r->given++;
    r->summary_bytes = got->summary_bytes;
    r->frames_bytes = got->frames_bytes;
    bool fits = got->read_bytes <= r->archive->ring_body - r->read_at && got->read_bytes <= got->length;
    r->read_bytes = fits ? got->read_bytes : 0;
    r->length = got->length;
    return m;
}

bool retrieval_next(struct retrieval *r, struct object *ret_object) {
    if (r->given == r->count)
        return false;
    struct ipc_msg m = receive_next(r);
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
    struct slice frames;
    if (!arena_dup(a, channel_aux_slice(r->archive, 0, r->summary_bytes), ret_summary) ||
        !arena_dup(a, channel_aux_slice(r->archive, r->summary_bytes, r->frames_bytes), &frames))
        return fault_set(f, ERR_NO_MEMORY, "summary");
    return dicom_frames_parse(frames, a, f, ret_frames);
}

// --- bodies

// A range of a body that is on its way.
struct reading {
    struct retrieval *r;
    uint64_t offset, left; // of what has not come yet
    uint32_t room;         // of a piece that is asked for
    uint32_t at;           // where the next piece lies, or will
};

static bool has_come(const struct reading *x) {
    return x->offset < x->r->read_bytes;
}

static void ask(const struct reading *x) {
    struct ipc_object_read m = {
        .offset = x->offset, .ring_offset = x->at, .max = x->left < x->room ? (uint32_t)x->left : x->room};
    channel_tell(x->r->archive, IPC_OBJECT_READ, &m);
}

// What came with the object is one piece where it is all, else no more than what lies in one half.
static struct slice take_early(struct reading *x) {
    uint64_t there = x->r->read_bytes - x->offset;
    size_t n = (size_t)(there < x->left ? there : x->left), to_edge = x->room - x->at % x->room;
    if (n < x->left && n > to_edge)
        n = to_edge;
    return slice_of(x->r->archive->ring.p + x->at, n);
}

static enum err take(struct reading *x, struct slice *ret_piece, struct fault *f) {
    if (has_come(x)) {
        *ret_piece = take_early(x);
        return OK;
    }
    struct ipc_msg m = channel_receive(x->r->archive, IPC_OBJECT_DATA);
    const struct ipc_object_data *d = &m.u.object_data;
    if (d->error != OK || d->length > x->room)
        return fault_set(f, d->error ? (enum err)d->error : ERR_CORRUPT, "the object cannot be read");
    if (d->length == 0 || d->length > x->left)
        return fault_set(f, ERR_TRUNCATED, "the object is shorter than it says");
    *ret_piece = slice_of(x->r->archive->ring.p + x->at, d->length);
    return OK;
}

static void begin(struct reading *x, struct retrieval *r, uint64_t offset, uint64_t n) {
    uint32_t half = channel_turn_bytes(r->archive);
    *x = (struct reading){.r = r, .offset = offset, .left = n, .room = half};
    if (has_come(x)) {
        x->at = r->read_at + (uint32_t)offset;
        return;
    }
    if (n <= 2 * (uint64_t)half && !(r->with & RETRIEVAL_WITH_BODIES)) // it is one piece
        x->room = 2 * half;
    ask(x);
}

// A piece has been taken and goes out: what comes meanwhile? True: something of this range.
static bool ask_ahead(struct reading *x, struct slice piece) {
    struct retrieval *r = x->r;
    uint32_t other = x->at < channel_turn_bytes(r->archive) ? channel_turn_bytes(r->archive) : 0;
    x->offset += piece.n;
    x->left -= piece.n;
    bool early = has_come(x);
    x->at = early ? x->at + (uint32_t)piece.n : other;
    if (x->left > 0 && !early)
        ask(x);
    else if (x->left == 0 && r->with & RETRIEVAL_WITH_BODIES && x->offset == r->length && r->given < r->count)
        ask_next(r, other);
    return x->left > 0;
}

enum err retrieval_read(struct retrieval *r, uint64_t offset, uint64_t n, retrieval_piece_fn *fn, void *ctx,
                        struct fault *f) {
    struct reading x;
    struct slice piece;
    if (n == 0)
        return fn(ctx, slice_of(NULL, 0), true, f);
    begin(&x, r, offset, n);
    for (;;) {
        enum err e = take(&x, &piece, f);
        if (e != OK)
            return e;
        bool more = ask_ahead(&x, piece);
        e = fn(ctx, piece, !more, f);
        if (e != OK && more && !has_come(&x)) // the answer that is on its way belongs to nobody else
            (void)take(&x, &piece, &(struct fault){0});
        if (e != OK || !more)
            return e;
    }
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
