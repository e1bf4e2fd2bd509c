// A borrowed run of bytes. It owns nothing; whoever made the bytes says how long they live.
#ifndef BASE_SLICE_H
#define BASE_SLICE_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct slice {
    const uint8_t *p;
    size_t n;
};

#define SLICE_LIT(s) ((struct slice){(const uint8_t *)(s), sizeof(s) - 1})
#define SLICE_FMT(s) (int)(s).n, (const char *)(s).p // for "%.*s"

static inline struct slice slice_of(const void *p, size_t n) {
    return (struct slice){(const uint8_t *)p, n};
}
static inline struct slice slice_str(const char *s) {
    return slice_of(s, strlen(s));
}
bool slice_eq(struct slice a, struct slice b);
int slice_cmp(struct slice a, struct slice b); // bytewise, shorter first
bool slice_eq_str(struct slice a, const char *s);
struct slice slice_sub(struct slice s, size_t from, size_t n);  // clamped to s
struct slice slice_trim_right(struct slice s, const char *set); // drops trailing bytes found in set
struct slice slice_trim(struct slice s, const char *set);       // both ends

// Splits at the first `sep`: returns what is before it, *rest what follows. Without a sep
// returns all, and rest->p is NULL. Loop: while (rest.p) { part = slice_split(rest, '\\', &rest); … }
struct slice slice_split(struct slice s, uint8_t sep, struct slice *ret_rest);

// Copies into a NUL-terminated buffer of `cap` bytes; false (dst untouched) when it does not
// fit or holds a NUL.
bool slice_to_cstr(struct slice s, char *dst, size_t cap);

// A text as printf makes it, into `dst`, cut if it is longer than cap - 1 bytes; empty if it can't be made.
struct slice slice_vformat(char *dst, size_t cap, const char *fmt, va_list ap)
    __attribute__((format(printf, 3, 0)));

// Decimal digits only, no sign or blanks; false on anything else or above max.
bool slice_to_u64(struct slice s, uint64_t max, uint64_t *ret_value);

#endif
