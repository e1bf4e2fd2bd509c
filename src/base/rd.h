// A reader over a slice with a sticky error: a read past the end yields zero and marks the
// reader failed; check rd_ok() once, at the end. rd_sub() narrows to a nested length, so that
// nothing inside can read past its parent.
#ifndef BASE_RD_H
#define BASE_RD_H

#include "base/slice.h"

struct rd {
    const uint8_t *p, *end;
    bool failed;
};

static inline struct rd rd_init(struct slice s) {
    return (struct rd){s.p, s.n ? s.p + s.n : s.p, false}; // NULL + 0 is undefined
}
static inline size_t rd_left(const struct rd *r) {
    return (size_t)(r->end - r->p);
}
static inline bool rd_ok(const struct rd *r) {
    return !r->failed;
}
static inline bool rd_done(const struct rd *r) { // all read, and nothing failed
    return !r->failed && r->p == r->end;
}
uint8_t rd_u8(struct rd *r);
uint16_t rd_u16le(struct rd *r);
uint32_t rd_u32le(struct rd *r);
uint64_t rd_u64le(struct rd *r);
uint16_t rd_u16be(struct rd *r);
uint32_t rd_u32be(struct rd *r);
struct slice rd_bytes(struct rd *r, size_t n); // borrowed; empty when it failed
struct rd rd_sub(struct rd *r, size_t n);      // a failed sub-reader when n is too long
void rd_skip(struct rd *r, size_t n);

#endif
