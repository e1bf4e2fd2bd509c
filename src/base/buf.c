#include "base/buf.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

void buf_fini(struct buf *b) {
    free(b->p);
    *b = BUF_INIT(b->max);
}

void buf_reset(struct buf *b) {
    b->n = 0;
    b->failed = b->no_memory = false;
}

bool buf_reserve(struct buf *b, size_t more) {
    if (b->failed || more > b->max || b->n > b->max - more) {
        b->failed = true;
        return false;
    }
    size_t want = b->n + more;
    if (want <= b->cap)
        return true;
    size_t cap = b->cap ? b->cap : b->max < 256 ? b->max : 256; // never beyond max: see buf_append()
    while (cap < want)
        cap = cap > b->max / 2 ? b->max : cap * 2;
    uint8_t *p = realloc(b->p, cap);
    if (!p) {
        b->failed = b->no_memory = true;
        return false;
    }
    b->p = p;
    b->cap = cap;
    return true;
}

void buf_append_slow(struct buf *b, const void *p, size_t n) {
    if (n == 0 || !buf_reserve(b, n))
        return;
    memcpy(b->p + b->n, p, n);
    b->n += n;
}

void buf_printf(struct buf *b, const char *fmt, ...) {
    va_list ap, again;
    va_start(ap, fmt);
    va_copy(again, ap);
    int n = vsnprintf(NULL, 0, fmt, ap);
    va_end(ap);
    if (n > 0 && buf_reserve(b, (size_t)n + 1)) {
        vsnprintf((char *)b->p + b->n, (size_t)n + 1, fmt, again);
        b->n += (size_t)n;
    } else if (n < 0) {
        b->failed = true;
    }
    va_end(again);
}

uint8_t *buf_extend(struct buf *b, size_t n) {
    if (!buf_reserve(b, n))
        return NULL;
    uint8_t *at = b->p + b->n;
    b->n += n;
    return at;
}

void buf_u16le(struct buf *b, uint16_t v) {
    buf_append(b, (uint8_t[]){(uint8_t)v, (uint8_t)(v >> 8)}, 2);
}

void buf_u32le(struct buf *b, uint32_t v) {
    buf_append(b, (uint8_t[]){(uint8_t)v, (uint8_t)(v >> 8), (uint8_t)(v >> 16), (uint8_t)(v >> 24)}, 4);
}

void buf_u64le(struct buf *b, uint64_t v) {
    buf_u32le(b, (uint32_t)v);
    buf_u32le(b, (uint32_t)(v >> 32));
}

void buf_u16be(struct buf *b, uint16_t v) {
    buf_append(b, (uint8_t[]){(uint8_t)(v >> 8), (uint8_t)v}, 2);
}

void buf_u32be(struct buf *b, uint32_t v) {
    buf_append(b, (uint8_t[]){(uint8_t)(v >> 24), (uint8_t)(v >> 16), (uint8_t)(v >> 8), (uint8_t)v}, 4);
}

void buf_consume(struct buf *b, size_t n) {
    if (n > b->n)
        n = b->n;
    if (n > 0 && n < b->n)
        memmove(b->p, b->p + n, b->n - n);
    b->n -= n;
}

enum err buf_check(const struct buf *b, struct fault *f, const char *fmt, ...) {
    if (buf_ok(b))
        return OK;
    va_list ap;
    va_start(ap, fmt);
    enum err e = fault_set_v(f, buf_error(b), fmt, ap);
    va_end(ap);
    return e;
}
