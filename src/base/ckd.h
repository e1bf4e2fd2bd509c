// Checked arithmetic on numbers from outside: true on success, *ret_ untouched on overflow.
#ifndef BASE_CKD_H
#define BASE_CKD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

static inline bool ckd_add_u64(uint64_t a, uint64_t b, uint64_t *ret_sum) {
    uint64_t r;
    if (__builtin_add_overflow(a, b, &r))
        return false;
    *ret_sum = r;
    return true;
}

static inline bool ckd_mul_u64(uint64_t a, uint64_t b, uint64_t *ret_product) {
    uint64_t r;
    if (__builtin_mul_overflow(a, b, &r))
        return false;
    *ret_product = r;
    return true;
}

static inline bool ckd_add_size(size_t a, size_t b, size_t *ret_sum) {
    size_t r;
    if (__builtin_add_overflow(a, b, &r))
        return false;
    *ret_sum = r;
    return true;
}

#endif
