// What libcrypto asks for, counted: crypto_memory_count() before anything else of it is used.
#ifndef TESTS_CRYPTO_MEMORY_H
#define TESTS_CRYPTO_MEMORY_H

#include <openssl/crypto.h>
#include <stdlib.h>

static size_t crypto_allocations;

static void *crypto_memory_malloc(size_t n, const char *file, int line) {
    (void)file, (void)line;
    crypto_allocations++;
    return malloc(n);
}

static void *crypto_memory_realloc(void *p, size_t n, const char *file, int line) {
    (void)file, (void)line;
    crypto_allocations++;
    return realloc(p, n);
}

static void crypto_memory_free(void *p, const char *file, int line) {
    (void)file, (void)line;
    free(p);
}

static inline void crypto_memory_count(void) {
    CRYPTO_set_mem_functions(crypto_memory_malloc, crypto_memory_realloc, crypto_memory_free);
}

#endif
