// Scope-bound cleanup (GCC/Clang attribute) and transfer of ownership.
//
//   CLEANUP(fd_close) int fd = open(…);    closed when the scope ends
//   return TAKE(ptr);                      hands the pointer on, leaves NULL behind
#ifndef BASE_CLEANUP_H
#define BASE_CLEANUP_H

#include <stdlib.h>

#define CLEANUP(fn) __attribute__((cleanup(fn)))

#define TAKE(p)                                                                                              \
    __extension__({                                                                                          \
        __typeof__(p) taken_ = (p);                                                                          \
        (p) = NULL;                                                                                          \
        taken_;                                                                                              \
    })

static inline void free_ptr(void *pp) {
    free(*(void **)pp);
    *(void **)pp = NULL;
}

#define CLEANUP_FREE CLEANUP(free_ptr)

#endif
