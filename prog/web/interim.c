#include "interim.h"
#include <zlib.h>
static int hex(int c) {
    return c >= '0' && c <= '9' ? c - '0' : (c | 32) >= 'a' && (c | 32) <= 'f' ? (c | 32) - 'a' + 10 : -1;
}
static struct slice dec(struct slice s, struct arena *a, bool plus) {
    uint8_t *p = arena_alloc(a, s.n + 1);
    size_t n = 0;
    for (size_t i = 0; i < s.n; i++) {
        if (s.p[i] == '%' && i + 2 < s.n + 0 && hex(s.p[i + 1]) >= 0) {
            p[n++] = (uint8_t)(hex(s.p[i + 1]) << 4 | hex(s.p[i + 2]));
            i += 2;
        } else
            p[n++] = plus && s.p[i] == '+' ? ' ' : s.p[i];
    }
    return slice_of(p, n);
}
enum err http_path_split(struct slice path, struct arena *a, struct http_path *r, struct fault *f) {
    (void)f;
    *r = (struct http_path){.count = 0};
    struct slice rest = slice_sub(path, 1, path.n);
    while (rest.p && r->count < HTTP_SEGMENTS_MAX) {
        r->segments[r->count++] = dec(slice_split(rest, '/', &rest), a, false);
    }
    return OK;
}
bool http_query_next(struct slice *rest, struct arena *a, struct slice *k, struct slice *v) {
    if (!rest->p || rest->n == 0)
        return false;
    struct slice one = slice_split(*rest, '&', rest), val;
    struct slice key = slice_split(one, '=', &val);
    *k = dec(key, a, true);
    *v = val.p ? dec(val, a, true) : slice_of("", 0);
    return true;
}
void http_escape(struct buf *b, struct slice s) {
    for (size_t i = 0; i < s.n; i++) {
        uint8_t c = s.p[i];
        if ((c >= '0' && c <= '9') || ((c | 32) >= 'a' && (c | 32) <= 'z') || c == '-' || c == '.' ||
            c == '_' || c == '~' || c == '/')
            buf_u8(b, c);
        else
            buf_printf(b, "%%%02X", c);
    }
}
struct slice http_cookie(struct slice h, const char *name) {
    struct slice rest = h;
    while (rest.p) {
        struct slice one = slice_trim(slice_split(rest, ';', &rest), " "), v;
        struct slice k = slice_split(one, '=', &v);
        if (slice_eq_str(k, name) && v.p)
            return v;
    }
    return slice_of(NULL, 0);
}
bool http_etag_listed(struct slice l, struct slice e) {
    struct slice rest = l;
    while (rest.p) {
        struct slice one = slice_trim(slice_split(rest, ',', &rest), " ");
        if (slice_eq(one, e) || slice_eq_str(one, "*"))
            return true;
    }
    return false;
}
bool http_gzip_wanted(struct slice a) {
    return a.p && memmem(a.p, a.n, "gzip", 4) != NULL;
}
enum err http_gzip(struct slice in, int level, struct buf *out) {
    z_stream z = {0};
    if (deflateInit2(&z, level, Z_DEFLATED, 31, 8, 0) != Z_OK)
        return ERR_NO_MEMORY;
    size_t m = deflateBound(&z, in.n);
    uint8_t *p = buf_extend(out, m);
    if (!p) {
        deflateEnd(&z);
        return ERR_LIMIT;
    }
    z.next_in = (Bytef *)(uintptr_t)in.p;
    z.avail_in = (uInt)in.n;
    z.next_out = p;
    z.avail_out = (uInt)m;
    deflate(&z, Z_FINISH);
    out->n -= m - z.total_out;
    deflateEnd(&z);
    return OK;
}
