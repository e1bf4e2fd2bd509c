// Putting objects: sealed into a scratch buffer, written in a few large pieces.
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>

#include "blob/store_int.h"

// Gathers sealed bytes and writes them one after the other.
struct out {
    struct store *s;
    int fd;
    uint64_t at; // in the file, of the first byte in scratch
    size_t n;    // bytes in scratch
};

static bool out_flush(struct out *o) {
    if (!blob_os_write(o->fd, o->s->scratch, o->n, o->at))
        return false;
    o->at += o->n;
    o->n = 0;
    return true;
}

// Room for n more bytes in scratch, or NULL when what was there could not be written.
static uint8_t *out_room(struct out *o, size_t n) {
    if (o->n + n > STORE_SCRATCH && !out_flush(o))
        return NULL;
    uint8_t *p = o->s->scratch + o->n;
    o->n += n;
    return p;
}

static bool out_chunk(struct out *o, const struct seal_keys *k, enum seal_range range, uint64_t index,
                      const uint8_t *p, size_t n) {
    uint8_t *to = out_room(o, n + SEAL_TAG);
    if (to)
        seal_chunk(o->s->sealer, k, range, index, p, n, to);
    return to != NULL;
}

static bool out_range(struct out *o, const struct seal_keys *k, enum seal_range range, struct slice plain) {
    uint64_t full = plain.n / SEAL_CHUNK;
    for (uint64_t i = 0; i < full; i++) {
        if (!out_chunk(o, k, range, i, plain.p + i * SEAL_CHUNK, SEAL_CHUNK))
            return false;
    }
    return out_chunk(o, k, range, full, plain.n ? plain.p + full * SEAL_CHUNK : NULL, plain.n % SEAL_CHUNK);
}

static bool out_front(struct out *o, const struct seal_keys *k, const struct store_front *front) {
    return out_range(o, k, SEAL_META, front->meta) && out_range(o, k, SEAL_SUMMARY, front->summary) &&
           out_range(o, k, SEAL_FRAMES, front->frames);
}

static bool out_padding(struct out *o) {
    size_t n = (size_t)(-(o->at + o->n) % RECORD_ALIGN);
    uint8_t *p = out_room(o, n);
    if (p)
        memset(p, 0, n);
    return p != NULL;
}

// --- Common --------------------------------------------------------------------------------------

static enum err writable(const struct store *s, struct fault *f) {
    return s->options.read_only ? fault_set(f, ERR_DENIED, "the store is open for reading only") : OK;
}

static enum err may_put(const struct store *s, struct fault *f) {
    enum err e = writable(s, f);
    bug_unless(e != OK || s->recovered); // before that nobody knows where the segments end
    return e;
}

// The study's key, made when it is new, and this object's keys from it.
static enum err new_keys(struct store *s, struct slice study_uid, struct segment *g, uint64_t offset,
                         struct fault *f, struct record *r, struct seal_keys *ret_keys) {
    uint8_t kek[KEY_BYTES];
    enum err e = keyring_need(s->keyring, study_uid, f, &r->slot);
    if (e == OK)
        e = keyring_kek(s->keyring, r->slot, f, kek);
    if (e != OK)
        return e;
    seal_random(r->salt, sizeof r->salt);
    bug_unless(record_keys(store_id_of(s, g), offset, r, true, kek, ret_keys));
    OPENSSL_cleanse(kek, sizeof kek);
    return OK;
}

// What was written of a failed put goes. When even that fails, the next record overwrites it, and
// recovery takes it for torn.
static enum err undo(struct store *s, struct segment *g, uint64_t end, struct fault *f) {
    enum err e = fault_errno(f, "writing to the store");
    (void)store_space_cut(s, g, end);
    return e;
}

static void appended(struct store *s, struct segment *g, uint64_t offset, const struct record *r,
                     struct blob_ref *ret_ref) {
    g->end = offset + r->bytes;
    if (g->alloc_end < g->end)
        g->alloc_end = g->end;
    g->objects++;
    g->unsynced++;
    store_dirty(s, g);
    *ret_ref = (struct blob_ref){
        .segment = g->number,
        .front_bytes = (uint32_t)record_front_bytes(r),
        .offset = offset,
        .length = r->bytes,
    };
}

static void set_front_sizes(struct record *r, const struct store_front *front) {
    r->plain[SEAL_META] = front->meta.n;
    r->plain[SEAL_SUMMARY] = front->summary.n;
    r->plain[SEAL_FRAMES] = front->frames.n;
}

// --- Whole ---------------------------------------------------------------------------------------

static enum err write_whole(struct store *s, struct segment *g, const struct record *r,
                            const struct seal_keys *k, struct slice body, const struct store_front *front,
                            struct fault *f) {
    enum err e = store_space_room(s, g, g->end + r->bytes, f);
    if (e != OK)
        return e;
    store_space_zero_ahead(s, g, r->bytes);
    struct out o = {.s = s, .fd = g->fd, .at = g->end};
    record_write(store_id_of(s, g), g->end, r, out_room(&o, RECORD_HEADER));
    if (!out_front(&o, k, front) || !out_range(&o, k, SEAL_BODY, body) || !out_padding(&o) || !out_flush(&o))
        return undo(s, g, g->end, f);
    return OK;
}

enum err store_put_whole(struct store *s, struct slice study_uid, struct slice body,
                         const struct store_front *front, struct fault *f, struct blob_ref *ret_ref) {
    struct segment *g;
    struct seal_keys k;
    struct record r = {.plain = {[SEAL_BODY] = body.n}};
    set_front_sizes(&r, front);
    enum err e = may_put(s, f);
    if (e != OK)
        return e;
    if (body.n > STORE_WHOLE_MAX || !record_lay_out(&r))
        return fault_set(f, ERR_LIMIT,
                         "an object of %zu bytes with %zu of meta, %zu of summary, %zu of frames", body.n,
                         front->meta.n, front->summary.n, front->frames.n);
    e = store_space_find(s, false, f, &g);
    if (e == OK)
        e = new_keys(s, study_uid, g, g->end, f, &r, &k);
    if (e != OK)
        return e;
    e = write_whole(s, g, &r, &k, body, front, f);
    seal_keys_wipe(&k);
    if (e == OK)
        appended(s, g, g->end, &r, ret_ref);
    return e;
}

// --- Streamed ------------------------------------------------------------------------------------

struct store_stream {
    struct store *s;
    struct store_stream *next;
    struct segment *g;
    struct record r;
    struct seal_keys k;
    uint64_t offset;      // of the record
    uint64_t at;          // of the next sealed byte
    uint64_t chunks;      // sealed so far
    uint64_t written_back; // up to here the kernel was asked to write
    bool failed;
    size_t n_carry;
    uint8_t carry[SEAL_CHUNK]; // a chunk not yet full
};

enum { WRITE_BACK = 8 * 1024 * 1024 };

void store_streams_fail(struct store *s) {
    for (struct store_stream *w = s->streams; w; w = w->next)
        w->failed = true;
}

static void stream_free(struct store_stream *w) {
    struct store_stream **p = &w->s->streams;
    while (*p != w)
        p = &(*p)->next;
    *p = w->next;
    w->g->busy = false;
    w->g->pins--;
    OPENSSL_cleanse(w, sizeof *w);
    free(w);
}

enum err store_put_begin(struct store *s, struct slice study_uid, struct fault *f,
                         struct store_stream **ret_stream) {
    enum err e = may_put(s, f);
    if (e != OK)
        return e;
    struct store_stream *w = calloc(1, sizeof *w);
    if (!w)
        return fault_set(f, ERR_NO_MEMORY, "stream");
    w->s = s;
    e = store_space_find(s, true, f, &w->g);
    if (e == OK)
        e = new_keys(s, study_uid, w->g, w->g->end, f, &w->r, &w->k);
    if (e != OK) {
        free(w);
        return e;
    }
    w->offset = w->g->end;
    w->r.body_at = STREAM_FRONT;
    w->at = w->written_back = w->offset + STREAM_FRONT;
    w->g->busy = true;
    w->g->pins++;
    w->next = s->streams;
    s->streams = w;
    *ret_stream = w;
    return OK;
}

static enum err stream_usable(const struct store_stream *w, struct fault *f) {
    if (w->failed || w->g->failed)
        return fault_set(f, ERR_IO, "an earlier write or sync of this object failed");
    return OK;
}

// Starts writing back early: else the group commit after a large object stops everyone for its whole length.
static void write_back(struct store_stream *w) {
    if (w->at - w->written_back < WRITE_BACK)
        return;
    (void)sync_file_range(w->g->fd, (off_t)w->written_back, (off_t)(w->at - w->written_back),
                          SYNC_FILE_RANGE_WRITE);
    w->written_back = w->at;
}

// The chunks that became full; the rest stays in carry.
static bool stream_chunks(struct store_stream *w, struct out *o, struct slice piece) {
    while (w->n_carry + piece.n >= SEAL_CHUNK) {
        size_t take = SEAL_CHUNK - w->n_carry;
        const uint8_t *from = piece.p;
        if (w->n_carry) {
            memcpy(w->carry + w->n_carry, piece.p, take);
            from = w->carry;
        }
        if (!out_chunk(o, &w->k, SEAL_BODY, w->chunks, from, SEAL_CHUNK))
            return false;
        w->chunks++;
        w->n_carry = 0;
        piece = slice_of(piece.p + take, piece.n - take);
    }
    if (piece.n)
        memcpy(w->carry + w->n_carry, piece.p, piece.n);
    w->n_carry += piece.n;
    return true;
}

static enum err stream_failed(struct store_stream *w, enum err e) {
    w->failed = true;
    return e;
}

enum err store_put_append(struct store_stream *w, struct slice piece, struct fault *f) {
    enum err e = stream_usable(w, f);
    if (e != OK)
        return e;
    if (piece.n >= SEGMENT_BYTES_MAX / 4 - w->r.plain[SEAL_BODY])
        return stream_failed(w, fault_set(f, ERR_LIMIT, "an object of more than 16 TiB"));
    uint64_t sealed = seal_sealed_bytes(w->n_carry + piece.n);
    e = store_space_room(w->s, w->g, w->at + sealed, f);
    if (e != OK)
        return stream_failed(w, e);
    struct out o = {.s = w->s, .fd = w->g->fd, .at = w->at};
    if (!stream_chunks(w, &o, piece) || !out_flush(&o))
        return stream_failed(w, fault_errno(f, "writing to the store"));
    w->at = o.at;
    if (w->g->alloc_end < w->at)
        w->g->alloc_end = w->at;
    w->r.plain[SEAL_BODY] += piece.n;
    write_back(w);
    return OK;
}

// The last chunk, then the front, and the header after all else.
static enum err stream_close(struct store_stream *w, const struct store_front *front, struct fault *f) {
    struct store *s = w->s;
    enum err e = store_space_room(s, w->g, w->offset + w->r.bytes, f);
    if (e != OK)
        return e;
    struct out o = {.s = s, .fd = w->g->fd, .at = w->at};
    if (!out_chunk(&o, &w->k, SEAL_BODY, w->chunks, w->carry, w->n_carry))
        return fault_errno(f, "writing to the store");
    bool behind = w->r.front_at > w->r.body_at;
    if ((behind && !out_front(&o, &w->k, front)) || !out_padding(&o) || !out_flush(&o))
        return fault_errno(f, "writing to the store");
    o.at = w->offset;
    record_write(store_id_of(s, w->g), w->offset, &w->r, out_room(&o, RECORD_HEADER));
    if ((!behind && !out_front(&o, &w->k, front)) || !out_flush(&o))
        return fault_errno(f, "writing to the store");
    return OK;
}

enum err store_put_finish(struct store_stream *take_stream, const struct store_front *front, struct fault *f,
                          struct blob_ref *ret_ref) {
    struct store_stream *w = take_stream;
    set_front_sizes(&w->r, front);
    enum err e = stream_usable(w, f);
    if (e == OK && !record_lay_out(&w->r))
        e = fault_set(f, ERR_LIMIT, "%zu bytes of meta, %zu of summary, %zu of frames", front->meta.n,
                      front->summary.n, front->frames.n);
    if (e == OK)
        e = stream_close(w, front, f);
    if (e != OK) {
        store_put_abort(w);
        return e;
    }
    appended(w->s, w->g, w->offset, &w->r, ret_ref);
    stream_free(w);
    return OK;
}

void store_put_abort(struct store_stream *take_stream) {
    struct store_stream *w = take_stream;
    if (!w)
        return;
    if (!w->g->failed)
        (void)store_space_cut(w->s, w->g, w->offset);
    stream_free(w);
}

// --- Dropping ------------------------------------------------------------------------------------

enum err store_drop(struct store *s, const struct blob_ref *ref, struct fault *f) {
    uint8_t p[RECORD_HEADER], mark[4];
    struct record r;
    enum err e = writable(s, f);
    if (e != OK)
        return e;
    struct segment *g = store_segment(s, ref->segment);
    if (!g || ref->offset < SEGMENT_PAGE || ref->offset % RECORD_ALIGN || ref->offset >= g->end)
        return fault_set(f, ERR_NO_SUCH_OBJECT, "no record at this place");
    e = store_segment_fd(s, g, f);
    if (e != OK)
        return e;
    ssize_t n = blob_os_read(g->fd, p, sizeof p, ref->offset);
    if (n < 0)
        return fault_errno(f, "reading the store");
    if (n < RECORD_HEADER || !record_read(store_id_of(s, g), ref->offset, p, &r))
        return store_scan_is_in_run(s, g, ref->offset)
                   ? OK
                   : fault_set(f, ERR_CORRUPT, "no record at this place");
    if (r.dropped) { // with a crash behind it its room may not have been given back
        store_dirty(s, g);
        store_reclaim_note(s, g, ref->offset, r.bytes);
        return OK;
    }
    record_drop_mark(mark);
    if (!blob_os_write(g->fd, mark, sizeof mark, ref->offset))
        return fault_errno(f, "writing to the store");
    store_dirty(s, g);
    g->mark_changed = true;
    g->objects -= g->objects > 0;
    g->dead_bytes += r.bytes;
    store_reclaim_note(s, g, ref->offset, r.bytes);
    return OK;
}
