#include "dicom/inflate.h"

#include <stdlib.h>
#include <zlib.h>

enum { OUT_BYTES = 32 * 1024 };

struct inflater {
    z_stream z;
    struct inflate_limits limits;
    uint64_t in_bytes, out_bytes, trailing;
    bool ended;
    uint8_t out[OUT_BYTES];
};

struct inflater *inflater_new(void) {
    struct inflater *i = calloc(1, sizeof *i);
    if (i && inflateInit2(&i->z, -MAX_WBITS) != Z_OK) {
        free(i);
        return NULL;
    }
    return i;
}

void inflater_free(struct inflater *i) {
    if (!i)
        return;
    inflateEnd(&i->z);
    free(i);
}

void inflater_reset(struct inflater *i, struct inflate_limits limits) {
    inflateReset(&i->z);
    i->limits = limits;
    i->in_bytes = i->out_bytes = i->trailing = 0;
    i->ended = false;
}

static enum err check_limits(const struct inflater *i, struct fault *f) {
    if (i->out_bytes > i->limits.max_bytes)
        return fault_set(f, ERR_LIMIT, "inflates to more than %llu bytes",
                         (unsigned long long)i->limits.max_bytes);
    if (i->out_bytes > i->limits.free_bytes && i->out_bytes / i->limits.ratio_max > i->in_bytes)
        return fault_set(f, ERR_LIMIT, "inflates to more than %u times its size", i->limits.ratio_max);
    return OK;
}

static enum err step(struct inflater *i, inflate_sink_fn *sink, void *ctx, struct fault *f) {
    uInt before = i->z.avail_in;
    i->z.next_out = i->out;
    i->z.avail_out = OUT_BYTES;
    int z = inflate(&i->z, Z_NO_FLUSH);
    size_t n = OUT_BYTES - i->z.avail_out;
    i->in_bytes += before - i->z.avail_in;
    i->out_bytes += n;
    i->ended = z == Z_STREAM_END;
    enum err e = check_limits(i, f);
    // What came before the damage is good, and reading it tells the same however the bytes were cut.
    if (e == OK && n > 0)
        e = sink(ctx, slice_of(i->out, n), f);
    if (e == OK && z != Z_OK && z != Z_STREAM_END && z != Z_BUF_ERROR)
        e = fault_set(f, ERR_INFLATE, "after %llu inflated bytes", (unsigned long long)i->out_bytes);
    return e;
}

enum err inflater_feed(struct inflater *i, struct slice bytes, inflate_sink_fn *sink, void *ctx,
                       struct fault *f) {
    while (bytes.n > 0 && !i->ended) {
        size_t n = bytes.n > 1u << 30 ? 1u << 30 : bytes.n;
        i->z.next_in = (Bytef *)(uintptr_t)bytes.p; // zlib does not write there
        i->z.avail_in = (uInt)n;
        // Output may be pending when the input is used up: go on until a step leaves room.
        do {
            enum err e = step(i, sink, ctx, f);
            if (e != OK)
                return e;
        } while (!i->ended && (i->z.avail_in > 0 || i->z.avail_out == 0));
        size_t used = n - i->z.avail_in;
        bytes = slice_sub(bytes, used, bytes.n - used);
    }
    i->trailing += bytes.n;
    return OK;
}

bool inflater_ended(const struct inflater *i) {
    return i->ended;
}

uint64_t inflater_trailing(const struct inflater *i) {
    return i->trailing;
}
