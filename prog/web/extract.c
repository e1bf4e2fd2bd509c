#include "extract.h"

#include <zlib.h>

enum { INFLATED_BYTES = 256 * 1024 };

struct extraction {
    struct request *rq;
    enum vr vr;
    bool swaps, last;
    uint64_t skip, left; // of what is read, swapped or inflated: before what is wanted, and of it
    struct buf out;
    z_stream z;
};

static enum err send(struct extraction *x, struct slice bytes, struct fault *f) {
    bool end = x->last && bytes.n == x->left;
    x->left -= bytes.n;
    return answer_body(x->rq, bytes, end) ? OK : fault_set(f, ERR_PEER_GONE, "the client is gone");
}

static enum err send_wanted(struct extraction *x, struct slice bytes, struct fault *f) {
    uint64_t skip = bytes.n < x->skip ? bytes.n : x->skip;
    x->skip -= skip;
    bytes = slice_sub(bytes, (size_t)skip, bytes.n);
    if (bytes.n > x->left)
        bytes.n = (size_t)x->left;
    return bytes.n > 0 ? send(x, bytes, f) : OK;
}

// Pieces are multiples of eight bytes, so that no word is cut.
static enum err send_swapped(void *ctx, struct slice piece, bool last, struct fault *f) {
    struct extraction *x = ctx;
    (void)last;
    if (!x->swaps)
        return send_wanted(x, piece, f);
    buf_reset(&x->out);
    buf_append_slice(&x->out, piece);
    if (!buf_ok(&x->out))
        return fault_set(f, ERR_NO_MEMORY, "the other byte order");
    dicom_swap(x->vr, x->out.p, x->out.n);
    return send_wanted(x, buf_slice(&x->out), f);
}

static enum err inflate_piece(void *ctx, struct slice piece, bool last, struct fault *f) {
    struct extraction *x = ctx;
    enum err e = OK;
    int z = Z_OK;
    (void)last;
    union {
        const uint8_t *in;
        uint8_t *out;
    } from = {piece.p};
    x->z.next_in = from.out;
    x->z.avail_in = (uInt)piece.n;
    do {
        x->z.next_out = x->out.p;
        x->z.avail_out = INFLATED_BYTES;
        z = inflate(&x->z, Z_NO_FLUSH);
        if (z != Z_OK && z != Z_STREAM_END && z != Z_BUF_ERROR)
            return fault_set(f, ERR_INFLATE, "the stored data set");
        e = send_wanted(x, slice_of(x->out.p, INFLATED_BYTES - x->z.avail_out), f);
    } while (e == OK && z == Z_OK && x->z.avail_out == 0 && x->left > 0);
    return e;
}

static enum err send_from_deflated(struct retrieval *r, const struct object *o, struct extraction *x,
                                   struct fault *f) {
    if (!buf_extend(&x->out, INFLATED_BYTES) || inflateInit2(&x->z, -MAX_WBITS) != Z_OK)
        return fault_set(f, ERR_NO_MEMORY, "inflating");
    enum err e = retrieval_read(r, 0, o->length, inflate_piece, x, f);
    (void)inflateEnd(&x->z);
    return e == OK && x->left > 0 ? fault_set(f, ERR_TRUNCATED, "the stored data set") : e;
}

// Reads whole words around what is wanted.
static enum err send_from_big_endian(struct retrieval *r, struct dicom_ref value, uint64_t from,
                                     struct extraction *x, struct fault *f) {
    uint64_t unit = x->swaps ? std_vr_info(x->vr)->swap_bytes : 1;
    uint64_t end = from + x->left;
    x->skip = from % unit;
    end += (unit - end % unit) % unit;
    if (end > value.length)
        end = value.length;
    from -= x->skip;
    return retrieval_read(r, value.offset + from, end - from, send_swapped, x, f);
}

enum err extract_send_part(struct retrieval *r, const struct object *o, struct dicom_ref value, uint64_t from,
                           uint64_t bytes, enum vr vr, bool last, struct fault *f) {
    const struct std_ts *ts = std_ts_find(slice_str(o->transfer));
    if (!ts || (!ts->deflated && !ts->big_endian))
        return retrieval_send(r, value.offset + from, bytes, last, f);
    struct extraction x = {.rq = r->rq,
                           .vr = vr,
                           .swaps = ts->big_endian && std_vr_info(vr)->swap_bytes > 1,
                           .last = last,
                           .skip = value.offset + from,
                           .left = bytes,
                           .out = BUF_INIT(2 * 1024 * 1024)};
    enum err e = ts->deflated ? send_from_deflated(r, o, &x, f) : send_from_big_endian(r, value, from, &x, f);
    buf_fini(&x.out);
    return e;
}

enum err extract_send(struct retrieval *r, const struct object *o, struct dicom_ref value, enum vr vr,
                      bool last, struct fault *f) {
    return extract_send_part(r, o, value, 0, value.length, vr, last, f);
}
