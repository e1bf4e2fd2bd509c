// Getting objects, whole or in part.
#include <stdlib.h>

#include "base/ckd.h"
#include "blob/store_int.h"

struct store_object {
    struct store *s;
    struct segment *g;
    uint64_t offset;
    struct record r;
    struct seal_keys k;
};

enum err store_record_keys(struct store *s, struct segment *g, uint64_t offset, struct record *r,
                           struct fault *f, struct seal_keys *ret_keys) {
    uint8_t kek[KEY_BYTES];
    enum err e = keyring_kek(s->keyring, r->slot, f, kek);
    if (e != OK)
        return e;
    bool ok = record_keys(store_id_of(s, g), offset, r, false, kek, ret_keys);
    OPENSSL_cleanse(kek, sizeof kek);
    return ok ? OK : ERR_MISMATCH;
}

static enum err damaged(const struct segment *g, uint64_t offset, const char *what, struct fault *f) {
    return fault_set(f, ERR_CORRUPT, "segment %08x, record at %llu: %s", g->number,
                     (unsigned long long)offset, what);
}

// The first n bytes of a record (or fewer) and what its header says.
static enum err read_start(struct store *s, const struct blob_ref *ref, uint8_t *p, size_t *n,
                           struct fault *f, struct segment **ret_segment, struct record *ret_record) {
    struct segment *g = store_segment(s, ref->segment);
    if (!g)
        return fault_set(f, ERR_NO_SUCH_OBJECT, "segment %08x does not exist", ref->segment);
    if (ref->offset < SEGMENT_PAGE || ref->offset >= SEGMENT_BYTES_MAX || ref->length < RECORD_HEADER)
        return fault_set(f, ERR_NO_SUCH_OBJECT, "no record at this place");
    enum err e = store_segment_fd(s, g, f);
    if (e != OK)
        return e;
    ssize_t got = blob_os_read(g->fd, p, *n < ref->length ? *n : (size_t)ref->length, ref->offset);
    if (got < 0)
        return fault_errno(f, "reading the store");
    struct record r;
    bool header = got >= RECORD_HEADER && record_read(store_id_of(s, g), ref->offset, p, &r);
    if (header ? r.dropped : store_scan_is_in_run(s, g, ref->offset))
        return fault_set(f, ERR_NO_SUCH_OBJECT, "the record was dropped");
    if (!header || r.bytes != ref->length)
        return damaged(g, ref->offset, "no header", f);
    *n = (size_t)got;
    *ret_segment = g;
    *ret_record = r;
    return OK;
}

static enum err object_keys(struct store *s, struct segment *g, uint64_t offset, struct record *r,
                            struct fault *f, struct seal_keys *ret_keys) {
    enum err e = store_record_keys(s, g, offset, r, f, ret_keys);
    return e == ERR_MISMATCH ? damaged(g, offset, "its key does not belong to it", f) : e;
}

// --- The body ------------------------------------------------------------------------------------

enum err store_get_open(struct store *s, const struct blob_ref *ref, struct fault *f,
                        struct store_object **ret_object) {
    uint8_t p[RECORD_HEADER];
    size_t n = sizeof p;
    struct store_object *o = calloc(1, sizeof *o);
    if (!o)
        return fault_set(f, ERR_NO_MEMORY, "object");
    o->s = s;
    o->offset = ref->offset;
    enum err e = read_start(s, ref, p, &n, f, &o->g, &o->r);
    if (e == OK)
        e = object_keys(s, o->g, o->offset, &o->r, f, &o->k);
    if (e != OK) {
        free(o);
        return e;
    }
    o->g->pins++;
    *ret_object = o;
    return OK;
}

uint64_t store_get_body_bytes(const struct store_object *o) {
    return o->r.plain[SEAL_BODY];
}

void store_get_close(struct store_object *o) {
    if (!o)
        return;
    o->g->pins--;
    OPENSSL_cleanse(o, sizeof *o);
    free(o);
}

static size_t chunk_plain(const struct record *r, uint64_t index) {
    uint64_t left = r->plain[SEAL_BODY] - index * SEAL_CHUNK;
    return left < SEAL_CHUNK ? (size_t)left : SEAL_CHUNK;
}

// Reads as many sealed chunks, from `index` on, as scratch takes and `last` (inclusive) allows.
static enum err read_chunks(struct store *s, struct segment *g, uint64_t offset, const struct record *r,
                            uint64_t index, uint64_t last, struct fault *f, uint64_t *ret_count) {
    uint64_t count = last - index + 1;
    if (count > STORE_SCRATCH / SEAL_STRIDE)
        count = STORE_SCRATCH / SEAL_STRIDE;
    size_t n = (size_t)(count - 1) * SEAL_STRIDE + chunk_plain(r, index + count - 1) + SEAL_TAG;
    ssize_t got = blob_os_read(g->fd, s->scratch, n, offset + r->body_at + index * SEAL_STRIDE);
    if (got < 0)
        return fault_errno(f, "reading the store");
    if ((size_t)got < n)
        return damaged(g, offset, "cut short", f);
    *ret_count = count;
    return OK;
}

// One chunk from scratch to dst: [from, to) of its plaintext.
static bool take_chunk(struct store_object *o, uint64_t index, uint8_t *sealed, size_t from, size_t to,
                       uint8_t *dst) {
    size_t plain = chunk_plain(&o->r, index);
    bool all = from == 0 && to == plain;
    uint8_t *target = all ? dst : sealed;
    if (!seal_open_chunk(o->s->sealer, &o->k, SEAL_BODY, index, sealed, plain + SEAL_TAG, target))
        return false;
    if (!all)
        memcpy(dst, sealed + from, to - from);
    return true;
}

enum err store_get_read(struct store_object *o, uint64_t offset, uint8_t *dst, size_t n, struct fault *f) {
    uint64_t end;
    if (!ckd_add_u64(offset, n, &end) || end > o->r.plain[SEAL_BODY])
        return fault_set(f, ERR_LIMIT, "a range past the object's end");
    if (n == 0)
        return OK;
    uint64_t last = (end - 1) / SEAL_CHUNK;
    for (uint64_t index = offset / SEAL_CHUNK; index <= last;) {
        uint64_t count;
        enum err e = read_chunks(o->s, o->g, o->offset, &o->r, index, last, f, &count);
        if (e != OK)
            return e;
        for (uint64_t i = 0; i < count; i++, index++) {
            uint64_t start = index * SEAL_CHUNK;
            size_t from = start < offset ? (size_t)(offset - start) : 0;
            size_t to =
                end - start < chunk_plain(&o->r, index) ? (size_t)(end - start) : chunk_plain(&o->r, index);
            if (!take_chunk(o, index, o->s->scratch + i * SEAL_STRIDE, from, to, dst))
                return damaged(o->g, o->offset, "the body does not authenticate", f);
            dst += to - from;
        }
    }
    return OK;
}

enum err store_body_check(struct store *s, struct segment *g, uint64_t offset, const struct record *r,
                          const struct seal_keys *k, struct fault *f) {
    uint64_t last = r->plain[SEAL_BODY] / SEAL_CHUNK;
    for (uint64_t index = 0; index <= last;) {
        uint64_t count;
        enum err e = read_chunks(s, g, offset, r, index, last, f, &count);
        if (e != OK)
            return e;
        for (uint64_t i = 0; i < count; i++, index++) {
            uint8_t *p = s->scratch + i * SEAL_STRIDE;
            if (!seal_open_chunk(s->sealer, k, SEAL_BODY, index, p, chunk_plain(r, index) + SEAL_TAG, p))
                return damaged(g, offset, "the body does not authenticate", f);
        }
    }
    return OK;
}

// --- The front -----------------------------------------------------------------------------------

static enum err open_range(struct store *s, struct segment *g, uint64_t offset, const struct record *r,
                           const struct seal_keys *k, enum seal_range range, const uint8_t *sealed,
                           struct fault *f, struct buf *b) {
    size_t plain = (size_t)r->plain[range];
    uint8_t none[1], *to = plain ? buf_extend(b, plain) : none;
    if (!to)
        return fault_set(f, buf_error(b), "%zu bytes do not fit", plain);
    if (seal_open_all(s->sealer, k, range, slice_of(sealed, (size_t)seal_sealed_bytes(plain)), to))
        return OK;
    b->n -= plain;
    return damaged(g, offset, "meta, summary or frames do not authenticate", f);
}

enum err store_record_range(struct store *s, struct segment *g, uint64_t offset, const struct record *r,
                            const struct seal_keys *k, enum seal_range range, struct slice start,
                            struct fault *f, struct buf *b) {
    uint64_t at = record_range_at(r, range), n = seal_sealed_bytes(r->plain[range]);
    if (at + n <= start.n)
        return open_range(s, g, offset, r, k, range, start.p + at, f, b);
    uint8_t *p = store_read_buf(s, (size_t)n); // `start` may be gone from here on
    if (!p)
        return fault_set(f, ERR_NO_MEMORY, "%llu bytes to read", (unsigned long long)n);
    ssize_t got = blob_os_read(g->fd, p, (size_t)n, offset + at);
    if (got < 0)
        return fault_errno(f, "reading the store");
    if ((uint64_t)got < n)
        return damaged(g, offset, "cut short", f);
    return open_range(s, g, offset, r, k, range, p, f, b);
}

static enum err get_range(struct store *s, const struct blob_ref *ref, enum seal_range range, struct fault *f,
                          struct buf *b) {
    enum { HINT_MAX = 1 << 20 };
    bool known = ref->front_bytes > 0 && range != SEAL_FRAMES;
    size_t n = known ? ref->front_bytes : STORE_READ_AHEAD;
    if (n > HINT_MAX)
        n = HINT_MAX;
    uint8_t *p = store_read_buf(s, n);
    struct segment *g;
    struct record r;
    struct seal_keys k;
    if (!p)
        return fault_set(f, ERR_NO_MEMORY, "%zu bytes to read", n);
    enum err e = read_start(s, ref, p, &n, f, &g, &r);
    if (e == OK)
        e = object_keys(s, g, ref->offset, &r, f, &k);
    if (e != OK)
        return e;
    e = store_record_range(s, g, ref->offset, &r, &k, range, slice_of(p, n), f, b);
    seal_keys_wipe(&k);
    store_read_buf_trim(s);
    return e;
}

enum err store_get_meta(struct store *s, const struct blob_ref *ref, struct fault *f, struct buf *b) {
    return get_range(s, ref, SEAL_META, f, b);
}

enum err store_get_summary(struct store *s, const struct blob_ref *ref, struct fault *f, struct buf *b) {
    return get_range(s, ref, SEAL_SUMMARY, f, b);
}

enum err store_get_frames(struct store *s, const struct blob_ref *ref, struct fault *f, struct buf *b) {
    return get_range(s, ref, SEAL_FRAMES, f, b);
}
