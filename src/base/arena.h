// A bump allocator with a cap: what belongs to one request is freed in one go.
#ifndef BASE_ARENA_H
#define BASE_ARENA_H

#include "base/slice.h"

struct arena_block;
struct arena {
    struct arena_block *head;
    size_t used, max;
};

#define ARENA_INIT(max_bytes) ((struct arena){NULL, 0, (max_bytes)})

void *arena_alloc(struct arena *a, size_t n); // zeroed, 16-byte aligned; NULL past the cap
void *arena_calloc(struct arena *a, size_t count, size_t size);
bool arena_dup(struct arena *a, struct slice s, struct slice *ret_copy); // NUL-terminated copy
void arena_reset(struct arena *a); // forgets everything, keeps one block
void arena_fini(struct arena *a);

#endif
