#include "http/encoding.h"

#include "http/media.h"

#include <stdlib.h>
#include <zlib.h>

enum { STEP = 16384, GZIP_WINDOW = 15 + 16, MEMORY_LEVEL = 8, IN_MAX = 1 << 30 };

// "q=0.5" in thousandths; what cannot be read counts as 0: not wanted.
static unsigned quality(struct slice s) {
    s = slice_trim(s, " \t");
    if (!s.p || s.n == 0)
        return 1000;
    if (s.n < 3 || (s.p[0] | 32) != 'q' || s.p[1] != '=' || (s.p[2] != '0' && s.p[2] != '1'))
        return 0;
    unsigned q = (s.p[2] - '0') * 1000u, unit = 100;
    for (size_t i = 4; i < s.n && i < 7; i++, unit /= 10)
        if (s.p[i] >= '0' && s.p[i] <= '9')
            q += (s.p[i] - '0') * unit;
    return q > 1000 ? 1000 : q;
}

bool gzip_wanted(struct slice accept_encoding) {
    struct slice rest = accept_encoding;
    int gzip = -1, any = -1, identity = -1;
    while (rest.p) {
        struct slice q, name = slice_split(slice_split(rest, ',', &rest), ';', &q);
        name = slice_trim(name, " \t");
        int value = (int)quality(q);
        if (media_slice_is(name, "gzip") || media_slice_is(name, "x-gzip"))
            gzip = value;
        else if (media_slice_is(name, "identity"))
            identity = value;
        else if (media_slice_is(name, "*"))
            any = value;
    }
    if (gzip < 0)
        gzip = any;
    return gzip > 0 && gzip >= identity;
}

struct gzip {
    z_stream z;
};

struct gzip *gzip_new(int level) {
    struct gzip *g = calloc(1, sizeof *g);
    if (!g)
        return NULL;
    if (deflateInit2(&g->z, level, Z_DEFLATED, GZIP_WINDOW, MEMORY_LEVEL, Z_DEFAULT_STRATEGY) != Z_OK) {
        free(g);
        return NULL;
    }
    return g;
}

void gzip_free(struct gzip *g) {
    if (!g)
        return;
    (void)deflateEnd(&g->z);
    free(g);
}

static enum err run(struct gzip *g, struct slice in, int flush, struct buf *out) {
    union {
        const uint8_t *in;
        uint8_t *out;
    } next = {in.p}; // zlib only has no const
    int status;
    g->z.next_in = next.out;
    g->z.avail_in = (uInt)in.n;
    do {
        uint8_t *p = buf_extend(out, STEP);
        if (!p)
            return ERR_LIMIT;
        g->z.next_out = p;
        g->z.avail_out = STEP;
        status = deflate(&g->z, flush);
        out->n -= g->z.avail_out;
    } while (g->z.avail_out == 0 || (flush == Z_FINISH && status == Z_OK));
    return status == Z_OK || status == Z_STREAM_END || status == Z_BUF_ERROR ? OK : ERR_LIMIT;
}

enum err gzip_write(struct gzip *g, struct slice in, struct buf *out) {
    enum err e = OK;
    while (in.n && e == OK) {
        struct slice part = slice_sub(in, 0, IN_MAX);
        e = run(g, part, Z_NO_FLUSH, out);
        in = slice_sub(in, part.n, in.n);
    }
    return e;
}

enum err gzip_end(struct gzip *g, struct buf *out) {
    return run(g, (struct slice){NULL, 0}, Z_FINISH, out);
}

enum err gzip_whole(int level, struct slice in, struct buf *out) {
    struct gzip *g = gzip_new(level);
    if (!g)
        return ERR_NO_MEMORY;
    enum err e = gzip_write(g, in, out);
    if (e == OK)
        e = gzip_end(g, out);
    gzip_free(g);
    return e;
}
