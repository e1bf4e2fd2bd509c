// A growable byte buffer with a hard maximum. Failure is sticky: after the first append that
// would pass `max` (or an allocation that fails) every later append is ignored and buf_ok()
// is false, so that a writer checks once, at the end.
#ifndef BASE_BUF_H
#define BASE_BUF_H

#include "base/err.h"
#include "base/slice.h"

struct buf {
    uint8_t *p;
    size_t n, cap, max;
    bool failed, no_memory; // no_memory: for want of it, not of room
};

#define BUF_INIT(max_bytes) ((struct buf){NULL, 0, 0, (max_bytes), false, false})
// In an array of the caller's: never grown, never freed.
#define BUF_ON(array) ((struct buf){(array), 0, sizeof(array), sizeof(array), false, false})

void buf_fini(struct buf *b);  // frees; the buffer may be used again from empty
void buf_reset(struct buf *b); // empties, keeps the memory, clears the failure
bool buf_reserve(struct buf *b, size_t more);
void buf_append_slow(struct buf *b, const void *p, size_t n);
static inline void buf_append(struct buf *b, const void *p, size_t n) {
    if (n == 0 || b->failed || n > b->cap - b->n) {
        buf_append_slow(b, p, n);
        return;
    }
    memcpy(b->p + b->n, p, n);
    b->n += n;
}
static inline void buf_append_slice(struct buf *b, struct slice s) {
    buf_append(b, s.p, s.n);
}
static inline void buf_append_str(struct buf *b, const char *s) {
    buf_append(b, s, strlen(s));
}
void buf_printf(struct buf *b, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
uint8_t *buf_extend(struct buf *b, size_t n); // n uninitialised bytes to fill, or NULL
static inline void buf_u8(struct buf *b, uint8_t v) {
    buf_append(b, &v, 1);
}
void buf_u16le(struct buf *b, uint16_t v);
void buf_u32le(struct buf *b, uint32_t v);
void buf_u64le(struct buf *b, uint64_t v);
void buf_u16be(struct buf *b, uint16_t v);
void buf_u32be(struct buf *b, uint32_t v);
void buf_consume(struct buf *b, size_t n); // drops the first n bytes
static inline bool buf_ok(const struct buf *b) {
    return !b->failed;
}
static inline enum err buf_error(const struct buf *b) { // OK, ERR_LIMIT or ERR_NO_MEMORY
    return !b->failed ? OK : b->no_memory ? ERR_NO_MEMORY : ERR_LIMIT;
}
// OK, or buf_error() with what the buffer was to hold as its detail.
enum err buf_check(const struct buf *b, struct fault *f, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
// What was to be appended could not be made: fails for that reason; OK does nothing.
static inline void buf_fail(struct buf *b, enum err why) {
    b->no_memory |= why == ERR_NO_MEMORY && !b->failed;
    b->failed |= why != OK;
}
static inline struct slice buf_slice(const struct buf *b) {
    return (struct slice){b->p, b->n};
}

#endif
