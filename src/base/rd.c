#include "base/rd.h"

static const uint8_t *take(struct rd *r, size_t n) {
    if (r->failed || rd_left(r) < n) {
        r->failed = true;
        return NULL;
    }
    const uint8_t *p = r->p;
    r->p += n;
    return p;
}

uint8_t rd_u8(struct rd *r) {
    const uint8_t *p = take(r, 1);
    return p ? p[0] : 0;
}

uint16_t rd_u16le(struct rd *r) {
    const uint8_t *p = take(r, 2);
    return p ? (uint16_t)((unsigned)p[0] | (unsigned)p[1] << 8) : 0;
}

uint32_t rd_u32le(struct rd *r) {
    const uint8_t *p = take(r, 4);
    return p ? (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24 : 0;
}

uint64_t rd_u64le(struct rd *r) {
    uint64_t lo = rd_u32le(r);
    uint64_t hi = rd_u32le(r);
    return r->failed ? 0 : lo | hi << 32;
}

uint16_t rd_u16be(struct rd *r) {
    const uint8_t *p = take(r, 2);
    return p ? (uint16_t)((unsigned)p[0] << 8 | (unsigned)p[1]) : 0;
}

uint32_t rd_u32be(struct rd *r) {
    const uint8_t *p = take(r, 4);
    return p ? (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | (uint32_t)p[3] : 0;
}

struct slice rd_bytes(struct rd *r, size_t n) {
    const uint8_t *p = take(r, n);
    return p ? slice_of(p, n) : slice_of(NULL, 0);
}

struct rd rd_sub(struct rd *r, size_t n) {
    const uint8_t *p = take(r, n);
    if (!p)
        return (struct rd){r->p, r->p, true};
    return (struct rd){p, p + n, false};
}

void rd_skip(struct rd *r, size_t n) {
    (void)take(r, n);
}
