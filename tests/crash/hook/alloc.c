// Memory. Beside the address sanitizer, which has its own allocator, the programs are linked with --wrap, and
// only their own calls are seen; else those of the libraries are, too.
#include "hook.h"

#include <errno.h>
#include <stdlib.h>

#define FROM __builtin_return_address(0)
#define FAIL_IF_DUE                                                                                          \
    if (hook_due(HOOK_ALLOC, FROM)) {                                                                        \
        errno = ENOMEM;                                                                                      \
        return NULL;                                                                                         \
    }

#ifdef HOOK_WRAPS
#define NAME(name) __wrap_##name
#define REAL(name) name
#else
#define NAME(name) name
#define REAL(name) __libc_##name
void *__libc_malloc(size_t n);
void *__libc_calloc(size_t n, size_t each);
void *__libc_realloc(void *p, size_t n);
void *__libc_memalign(size_t align, size_t n);
#endif

void *NAME(malloc)(size_t n);
void *NAME(calloc)(size_t n, size_t each);
void *NAME(realloc)(void *p, size_t n);
void *NAME(reallocarray)(void *p, size_t n, size_t each);

void *NAME(malloc)(size_t n) {
    FAIL_IF_DUE
    return REAL(malloc)(n);
}

void *NAME(calloc)(size_t n, size_t each) {
    FAIL_IF_DUE
    return REAL(calloc)(n, each);
}

void *NAME(realloc)(void *p, size_t n) {
    FAIL_IF_DUE
    return REAL(realloc)(p, n);
}

void *NAME(reallocarray)(void *p, size_t n, size_t each) {
    size_t bytes;
    FAIL_IF_DUE
    if (__builtin_mul_overflow(n, each, &bytes)) {
        errno = ENOMEM;
        return NULL;
    }
    return REAL(realloc)(p, bytes);
}

#ifndef HOOK_WRAPS
int posix_memalign(void **ret, size_t align, size_t n) {
    if (hook_due(HOOK_ALLOC, FROM))
        return ENOMEM;
    void *p = __libc_memalign(align, n);
    if (!p)
        return ENOMEM;
    *ret = p;
    return 0;
}

void *aligned_alloc(size_t align, size_t n) {
    FAIL_IF_DUE
    return __libc_memalign(align, n);
}
#endif
