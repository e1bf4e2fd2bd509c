#include "base/glob.h"

#include "base/utf8.h"

// Length in bytes of the character that s begins with; s is not empty.
static size_t char_bytes(struct slice s) {
    uint32_t c;
    size_t n = utf8_decode(s, &c);
    return n ? n : 1;
}

// Greedy, with one place to go back to: when what follows the last '*' fails, that '*' takes one
// character more. An earlier '*' never needs to take more, so one is enough.
bool glob_match(struct slice pattern, struct slice value) {
    size_t p = 0, v = 0, star = SIZE_MAX, star_v = 0;
    while (v < value.n) {
        if (p < pattern.n && pattern.p[p] == '*') {
            star = ++p;
            star_v = v;
        } else if (p < pattern.n && pattern.p[p] == '?') {
            p++;
            v += char_bytes(slice_sub(value, v, value.n));
        } else if (p < pattern.n && pattern.p[p] == value.p[v]) {
            p++;
            v++;
        } else if (star != SIZE_MAX) {
            star_v += char_bytes(slice_sub(value, star_v, value.n));
            p = star;
            v = star_v;
        } else {
            return false;
        }
    }
    while (p < pattern.n && pattern.p[p] == '*')
        p++;
    return p == pattern.n;
}

size_t glob_prefix(struct slice pattern) {
    size_t n = 0;
    while (n < pattern.n && pattern.p[n] != '*' && pattern.p[n] != '?')
        n++;
    return n;
}

bool glob_has_wildcard(struct slice pattern) {
    return glob_prefix(pattern) < pattern.n;
}

bool glob_is_universal(struct slice pattern) {
    for (size_t i = 0; i < pattern.n; i++)
        if (pattern.p[i] != '*')
            return false;
    return pattern.n > 0;
}

static bool any_group(struct slice pattern, struct slice value) {
    struct slice rest = value;
    do {
        if (glob_match(pattern, slice_split(rest, '=', &rest)))
            return true;
    } while (rest.p);
    return false;
}

bool glob_match_name(struct slice pattern, struct slice value) {
    if (pattern.n == 0 || !memchr(pattern.p, '=', pattern.n))
        return any_group(pattern, value);
    struct slice patterns = pattern, groups = value;
    while (patterns.p) {
        struct slice p = slice_split(patterns, '=', &patterns);
        struct slice g = groups.p ? slice_split(groups, '=', &groups) : (struct slice){NULL, 0};
        if (p.n && !glob_match(p, g))
            return false;
    }
    return true;
}

bool glob_in_range(struct slice low, struct slice high, struct slice value) {
    if (value.n == 0)
        return false;
    return (low.n == 0 || slice_cmp(low, value) <= 0) && (high.n == 0 || slice_cmp(value, high) <= 0);
}
