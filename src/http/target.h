// The target of a request (RFC 3986 3.3, 3.4): a path in segments, a query in pairs, percent-encoding
// undone and done. Decoded once and never again.
#ifndef HTTP_TARGET_H
#define HTTP_TARGET_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"

enum { TARGET_SEGMENTS_MAX = 16, QUERY_PAIRS_MAX = 256 };

struct target {
    size_t count; // "/": 0
    struct slice segment[TARGET_SEGMENTS_MAX];
    bool slash; // the path ends with one
};

// Decoded segments, UTF-8, in the arena. ERR_SYNTAX: does not begin with '/', empty and dot segments, what is
// no UTF-8, broken escapes, control characters, and '/' or '\' that came encoded. ERR_LIMIT; ERR_NO_MEMORY.
enum err target_split(struct slice path, struct arena *a, struct target *ret_target);
bool target_is(const struct target *t, size_t i, const char *segment); // false when there is no such segment

// Pairs of a query: "a=b&c&d=", '+' is a blank (WHATWG URL 5.1), what has no '=' has an empty value.
struct query {
    struct slice rest;
    unsigned pairs;
    enum err error; // ERR_SYNTAX: no UTF-8, broken escapes, NUL; ERR_LIMIT; ERR_NO_MEMORY
};
struct query query_init(struct slice query);
// Decoded, in the arena. False at the end, and at an error.
bool query_next(struct query *q, struct arena *a, struct slice *ret_key, struct slice *ret_value);

// Appends with everything encoded but letters, digits and "-._~": for a segment, a key, or a value.
void target_escape(struct slice text, struct buf *out);

#endif
