#include "base/slice.h"

#include <stdio.h>

bool slice_eq(struct slice a, struct slice b) {
    return a.n == b.n && (a.n == 0 || memcmp(a.p, b.p, a.n) == 0);
}

int slice_cmp(struct slice a, struct slice b) {
    size_t n = a.n < b.n ? a.n : b.n;
    int c = n ? memcmp(a.p, b.p, n) : 0;
    if (c != 0)
        return c;
    return (a.n > b.n) - (a.n < b.n);
}

bool slice_eq_str(struct slice a, const char *s) {
    return slice_eq(a, slice_str(s));
}

struct slice slice_sub(struct slice s, size_t from, size_t n) {
    if (from > s.n)
        from = s.n;
    if (n > s.n - from)
        n = s.n - from;
    return (struct slice){s.p ? s.p + from : NULL, n};
}

static bool in_set(uint8_t c, const char *set) {
    for (; *set; set++)
        if ((uint8_t)*set == c)
            return true;
    return false;
}

struct slice slice_trim_right(struct slice s, const char *set) {
    while (s.n > 0 && in_set(s.p[s.n - 1], set))
        s.n--;
    return s;
}

struct slice slice_trim(struct slice s, const char *set) {
    while (s.n > 0 && in_set(s.p[0], set)) {
        s.p++;
        s.n--;
    }
    return slice_trim_right(s, set);
}

struct slice slice_split(struct slice s, uint8_t sep, struct slice *ret_rest) {
    const uint8_t *at = s.n ? memchr(s.p, sep, s.n) : NULL;
    if (!at) {
        *ret_rest = (struct slice){NULL, 0};
        return s;
    }
    size_t n = (size_t)(at - s.p);
    *ret_rest = (struct slice){at + 1, s.n - n - 1};
    return (struct slice){s.p, n};
}

bool slice_to_cstr(struct slice s, char *dst, size_t cap) {
    if (s.n >= cap || (s.n && memchr(s.p, 0, s.n)))
        return false;
    if (s.n)
        memcpy(dst, s.p, s.n);
    dst[s.n] = 0;
    return true;
}

bool slice_to_u64(struct slice s, uint64_t max, uint64_t *ret_value) {
    if (s.n == 0)
        return false;
    uint64_t v = 0;
    for (size_t i = 0; i < s.n; i++) {
        if (s.p[i] < '0' || s.p[i] > '9')
            return false;
        unsigned d = s.p[i] - '0';
        if (v > (UINT64_MAX - d) / 10)
            return false;
        v = v * 10 + d;
    }
    if (v > max)
        return false;
    *ret_value = v;
    return true;
}

struct slice slice_vformat(char *dst, size_t cap, const char *fmt, va_list ap) {
    int n = vsnprintf(dst, cap, fmt, ap);
    if (n < 0)
        dst[n = 0] = 0;
    return slice_of(dst, (size_t)n < cap ? (size_t)n : cap - 1);
}
