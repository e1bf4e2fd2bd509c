#include "http/target.h"

#include "base/hex.h"
#include "base/utf8.h"

// The byte that "%XX" at the beginning of s stands for, or -1.
static int escaped(struct slice s) {
    if (s.n < 3)
        return -1;
    int high = hex_digit(s.p[1]), low = hex_digit(s.p[2]);
    return high < 0 || low < 0 ? -1 : high << 4 | low;
}

static enum err decode(struct slice s, bool plus, struct arena *a, struct slice *ret_text) {
    uint8_t *p = arena_alloc(a, s.n + 1);
    size_t n = 0;
    if (!p)
        return ERR_NO_MEMORY;
    for (size_t i = 0; i < s.n; i++) {
        int c = s.p[i];
        if (c == '%') {
            c = escaped(slice_sub(s, i, s.n));
            i += 2;
        } else if (plus && c == '+') {
            c = ' ';
        }
        if (c <= 0)
            return ERR_SYNTAX;
        p[n++] = (uint8_t)c;
    }
    *ret_text = slice_of(p, n);
    return utf8_valid(*ret_text) ? OK : ERR_SYNTAX;
}

static bool segment_ok(struct slice s) {
    if (s.n == 0 || slice_eq_str(s, ".") || slice_eq_str(s, ".."))
        return false;
    for (size_t i = 0; i < s.n; i++)
        if (s.p[i] < 0x20 || s.p[i] == 0x7F || s.p[i] == '/' || s.p[i] == '\\')
            return false;
    return true;
}

enum err target_split(struct slice path, struct arena *a, struct target *ret_target) {
    struct target t = {.slash = false};
    if (path.n == 0 || path.p[0] != '/')
        return ERR_SYNTAX;
    struct slice rest = slice_sub(path, 1, path.n);
    while (rest.n) {
        struct slice part = slice_split(rest, '/', &rest);
        if (t.count == TARGET_SEGMENTS_MAX)
            return ERR_LIMIT;
        enum err e = decode(part, false, a, &t.segment[t.count]);
        if (e != OK)
            return e;
        if (!segment_ok(t.segment[t.count++]))
            return ERR_SYNTAX;
    }
    t.slash = path.p[path.n - 1] == '/';
    *ret_target = t;
    return OK;
}

bool target_is(const struct target *t, size_t i, const char *segment) {
    return i < t->count && slice_eq_str(t->segment[i], segment);
}

struct query query_init(struct slice query) {
    return (struct query){.rest = query};
}

bool query_next(struct query *q, struct arena *a, struct slice *ret_key, struct slice *ret_value) {
    struct slice pair = {NULL, 0}, value, k, v;
    while (pair.n == 0) {
        if (q->rest.n == 0 || q->error)
            return false;
        pair = slice_split(q->rest, '&', &q->rest);
    }
    if (q->pairs++ == QUERY_PAIRS_MAX) {
        q->error = ERR_LIMIT;
        return false;
    }
    struct slice key = slice_split(pair, '=', &value);
    q->error = decode(key, true, a, &k);
    if (!q->error)
        q->error = decode(value, true, a, &v);
    if (q->error)
        return false;
    *ret_key = k;
    *ret_value = v;
    return true;
}

void target_escape(struct slice text, struct buf *out) {
    for (size_t i = 0; i < text.n; i++) {
        uint8_t c = text.p[i];
        if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
            (c != 0 && strchr("-._~", c)))
            buf_u8(out, c);
        else
            buf_printf(out, "%%%02X", c);
    }
}
