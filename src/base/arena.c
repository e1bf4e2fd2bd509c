#include "base/arena.h"

#include <stdlib.h>

enum { BLOCK_BYTES = 8192 };

struct arena_block {
    struct arena_block *next;
    size_t n, cap;
    _Alignas(16) uint8_t data[];
};

static struct arena_block *block_new(struct arena *a, size_t n) {
    size_t cap = n > BLOCK_BYTES ? n : BLOCK_BYTES;
    struct arena_block *b = malloc(sizeof *b + cap);
    if (!b)
        return NULL;
    *b = (struct arena_block){.next = a->head, .n = 0, .cap = cap};
    a->head = b;
    return b;
}

void *arena_alloc(struct arena *a, size_t n) {
    if (n > a->max || a->used > a->max - n)
        return NULL;
    size_t rounded = (n + 15) & ~(size_t)15;
    struct arena_block *b = a->head;
    if (!b || b->cap - b->n < rounded) {
        b = block_new(a, rounded);
        if (!b)
            return NULL;
    }
    void *p = b->data + b->n;
    b->n += rounded;
    a->used += n;
    return memset(p, 0, rounded);
}

void *arena_calloc(struct arena *a, size_t count, size_t size) {
    size_t n;
    if (__builtin_mul_overflow(count, size, &n))
        return NULL;
    return arena_alloc(a, n);
}

bool arena_dup(struct arena *a, struct slice s, struct slice *ret_copy) {
    if (s.n == SIZE_MAX)
        return false;
    uint8_t *p = arena_alloc(a, s.n + 1);
    if (!p)
        return false;
    if (s.n)
        memcpy(p, s.p, s.n);
    *ret_copy = slice_of(p, s.n);
    return true;
}

void arena_reset(struct arena *a) {
    while (a->head && a->head->next) {
        struct arena_block *b = a->head;
        a->head = b->next;
        free(b);
    }
    if (a->head)
        a->head->n = 0;
    a->used = 0;
}

void arena_fini(struct arena *a) {
    while (a->head) {
        struct arena_block *b = a->head;
        a->head = b->next;
        free(b);
    }
    a->used = 0;
}
