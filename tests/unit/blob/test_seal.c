// Sealing: against an independent derivation, at the chunk limits, and against every kind of tampering.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
// after these:
#include <cmocka.h>
#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/kdf.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "blob/seal.h"
#include "crypto_memory.h"

static struct sealer *s;
static struct seal_keys k;
static const uint8_t kek[SEAL_KEY] = "0123456789abcdef0123456789abcdef", salt[SEAL_SALT] = "salt";

static int setup(void **state) {
    (void)state;
    s = sealer_new();
    assert_non_null(s);
    seal_derive(kek, salt, SLICE_LIT("context"), &k);
    return 0;
}

static int teardown(void **state) {
    (void)state;
    sealer_free(s);
    return 0;
}

// The same with libcrypto's own HKDF.
static void test_derivation(void **state) {
    (void)state;
    uint8_t info[128], out[76];
    size_t n = 0;
    static const char label[] = "galena/sealed-object@v1+AEAD_AES_256_GCM";
    memcpy(info, label, sizeof label);
    n += sizeof label;
    memcpy(info + n, salt, SEAL_SALT);
    n += SEAL_SALT;
    memcpy(info + n, "context", 7);
    n += 7;
    EVP_KDF *kdf = EVP_KDF_fetch(NULL, "HKDF", NULL);
    EVP_KDF_CTX *ctx = EVP_KDF_CTX_new(kdf);
    int mode = EVP_KDF_HKDF_MODE_EXPAND_ONLY;
    OSSL_PARAM params[] = {
        OSSL_PARAM_construct_int(OSSL_KDF_PARAM_MODE, &mode),
        OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST, (char[]){"SHA256"}, 0),
        OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_KEY, (void *)(uintptr_t)kek, SEAL_KEY),
        OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_INFO, info, n),
        OSSL_PARAM_construct_end(),
    };
    assert_int_equal(EVP_KDF_derive(ctx, out, sizeof out, params), 1);
    assert_memory_equal(k.key, out, 32);
    assert_memory_equal(k.nonce, out + 32, 12);
    assert_memory_equal(k.commitment, out + 44, 32);
    EVP_KDF_CTX_free(ctx);
    EVP_KDF_free(kdf);
}

static void test_derivation_depends_on_everything(void **state) {
    (void)state;
    struct seal_keys other;
    uint8_t kek2[SEAL_KEY], salt2[SEAL_SALT];
    memcpy(kek2, kek, sizeof kek2);
    memcpy(salt2, salt, sizeof salt2);
    kek2[31] ^= 1;
    salt2[23] ^= 1;
    seal_derive(kek2, salt, SLICE_LIT("context"), &other);
    assert_false(seal_same(other.commitment, k.commitment, SEAL_COMMITMENT));
    seal_derive(kek, salt2, SLICE_LIT("context"), &other);
    assert_false(seal_same(other.commitment, k.commitment, SEAL_COMMITMENT));
    seal_derive(kek, salt, SLICE_LIT("contexu"), &other);
    assert_false(seal_same(other.commitment, k.commitment, SEAL_COMMITMENT));
}

static const size_t sizes[] = {0,      1,          15,         16,         17,           4095,
                               65535,  65536,      65537,      131071,     131072,       131073,
                               196608, 5 * 65536 + 77};

static uint8_t *plain_of(size_t n) {
    uint8_t *p = malloc(n + 1);
    assert_non_null(p);
    for (size_t i = 0; i < n; i++)
        p[i] = (uint8_t)(i * 7 + i / 251);
    return p;
}

static uint8_t *sealed_of(size_t n, size_t *ret_sealed) {
    uint8_t *plain = plain_of(n), *sealed = malloc((size_t)seal_sealed_bytes(n));
    assert_non_null(sealed);
    seal_all(s, &k, SEAL_BODY, slice_of(plain, n), sealed);
    free(plain);
    *ret_sealed = (size_t)seal_sealed_bytes(n);
    return sealed;
}

static void test_round_trip(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        size_t n_sealed;
        uint8_t *want = plain_of(sizes[i]), *sealed = sealed_of(sizes[i], &n_sealed),
                *got = malloc(sizes[i] + 1);
        assert_true(seal_open_all(s, &k, SEAL_BODY, slice_of(sealed, n_sealed), got));
        assert_memory_equal(got, want, sizes[i]);
        uint64_t plain;
        assert_true(seal_plain_bytes(n_sealed, &plain));
        assert_int_equal(plain, sizes[i]);
        free(want);
        free(sealed);
        free(got);
    }
}

static void test_impossible_sizes(void **state) {
    (void)state;
    static const uint64_t bad[] = {0, 1, 15, SEAL_STRIDE, SEAL_STRIDE + 15, 2 * SEAL_STRIDE, UINT64_MAX};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        uint64_t plain = 77;
        assert_false(seal_plain_bytes(bad[i], &plain));
        assert_int_equal(plain, 77);
    }
}

// Any bit of a short range, and some of every chunk of a long one.
static void test_bit_flips(void **state) {
    (void)state;
    static const struct {
        size_t n, step;
    } rows[] = {{0, 1}, {33, 1}, {3 * 65536 + 100, 9973}};
    for (size_t i = 0; i < 3; i++) {
        size_t n;
        uint8_t *sealed = sealed_of(rows[i].n, &n), *got = malloc(rows[i].n + 1);
        for (size_t at = 0; at < n; at += rows[i].step) {
            sealed[at] ^= (uint8_t)(1 << at % 8);
            assert_false(seal_open_all(s, &k, SEAL_BODY, slice_of(sealed, n), got));
            sealed[at] ^= (uint8_t)(1 << at % 8);
        }
        assert_true(seal_open_all(s, &k, SEAL_BODY, slice_of(sealed, n), got));
        free(sealed);
        free(got);
    }
}

// Every shorter length fails, those that drop whole chunks as well.
static void test_truncation(void **state) {
    (void)state;
    size_t n;
    uint8_t *sealed = sealed_of(2 * 65536 + 10, &n), *got = malloc(3 * 65536);
    for (size_t cut = 1; cut <= n; cut += cut < 100 ? 1 : 1021)
        assert_false(seal_open_all(s, &k, SEAL_BODY, slice_of(sealed, n - cut), got));
    assert_false(seal_open_all(s, &k, SEAL_BODY, slice_of(sealed, SEAL_STRIDE), got));
    assert_false(seal_open_all(s, &k, SEAL_BODY, slice_of(sealed, 2 * SEAL_STRIDE), got));
    free(sealed);
    free(got);
}

static void test_chunks_stay_in_place(void **state) {
    (void)state;
    size_t n;
    uint8_t *sealed = sealed_of(2 * 65536 + 10, &n), *got = malloc(65536);
    assert_true(seal_open_chunk(s, &k, SEAL_BODY, 1, sealed + SEAL_STRIDE, SEAL_STRIDE, got));
    assert_false(seal_open_chunk(s, &k, SEAL_BODY, 0, sealed + SEAL_STRIDE, SEAL_STRIDE, got));
    assert_false(seal_open_chunk(s, &k, SEAL_SUMMARY, 1, sealed + SEAL_STRIDE, SEAL_STRIDE, got));
    assert_false(seal_open_chunk(s, &k, SEAL_BODY, 1ull << 40, sealed + SEAL_STRIDE, SEAL_STRIDE, got));
    free(sealed);
    free(got);
}

static void test_other_key_after_each_other(void **state) {
    (void)state;
    struct seal_keys other;
    uint8_t kek2[SEAL_KEY] = {1}, one[3 + SEAL_TAG], two[3 + SEAL_TAG], got[3];
    seal_derive(kek2, salt, SLICE_LIT("context"), &other);
    for (int i = 0; i < 3; i++) { // the key schedule is cached: it must follow
        seal_chunk(s, &k, SEAL_META, 0, (const uint8_t *)"abc", 3, one);
        seal_chunk(s, &other, SEAL_META, 0, (const uint8_t *)"abc", 3, two);
        assert_memory_not_equal(one, two, sizeof one);
        assert_true(seal_open_chunk(s, &k, SEAL_META, 0, one, sizeof one, got));
        assert_true(seal_open_chunk(s, &other, SEAL_META, 0, two, sizeof two, got));
        assert_false(seal_open_chunk(s, &k, SEAL_META, 0, two, sizeof two, got));
    }
}

static atomic_bool stop;

static void *scribble(void *arg) {
    volatile uint8_t *p = arg;
    for (unsigned i = 0; !atomic_load_explicit(&stop, memory_order_relaxed); i++)
        p[(i * 4099) % SEAL_CHUNK] ^= 0xff;
    return NULL;
}

// The source is shared memory that a worker may change at any time: what was sealed must still open.
static void test_source_changes_under_way(void **state) {
    (void)state;
    uint8_t *src = calloc(1, SEAL_CHUNK), *sealed = malloc(SEAL_STRIDE), *got = malloc(SEAL_CHUNK);
    pthread_t t;
    atomic_store(&stop, false);
    assert_int_equal(pthread_create(&t, NULL, scribble, src), 0);
    for (uint64_t i = 0; i < 300; i++) {
        seal_chunk(s, &k, SEAL_BODY, i, src, SEAL_CHUNK, sealed);
        assert_true(seal_open_chunk(s, &k, SEAL_BODY, i, sealed, SEAL_STRIDE, got));
    }
    atomic_store(&stop, true);
    pthread_join(t, NULL);
    free(src);
    free(sealed);
    free(got);
}

// RFC 3394, 4.6.
static void test_wrap_vector(void **state) {
    (void)state;
    static const uint8_t want[SEAL_WRAPPED] = {0x28, 0xc9, 0xf4, 0x04, 0xc4, 0xb8, 0x10, 0xf4, 0xcb, 0xcc,
                                               0xb3, 0x5c, 0xfb, 0x87, 0xf8, 0x26, 0x3f, 0x57, 0x86, 0xe2,
                                               0xd8, 0x0e, 0xd3, 0x26, 0xcb, 0xc7, 0xf0, 0xe7, 0x1a, 0x99,
                                               0xf4, 0x3b, 0xfb, 0x98, 0x8b, 0x9b, 0x7a, 0x02, 0xdd, 0x21};
    uint8_t key[SEAL_KEY], data[SEAL_KEY], wrapped[SEAL_WRAPPED];
    for (unsigned i = 0; i < SEAL_KEY; i++) {
        key[i] = (uint8_t)i;
        data[i] = (uint8_t)(i < 16 ? i * 0x11 : i - 16);
    }
    seal_wrap(s, key, data, wrapped);
    assert_memory_equal(wrapped, want, sizeof want);
}

static void test_wrap(void **state) {
    (void)state;
    uint8_t wrapped[SEAL_WRAPPED], got[SEAL_KEY] = {0}, other[SEAL_KEY] = {9};
    seal_wrap(s, kek, k.key, wrapped);
    assert_true(seal_unwrap(s, kek, wrapped, got));
    assert_memory_equal(got, k.key, SEAL_KEY);
    assert_false(seal_unwrap(s, other, wrapped, got));
    for (size_t i = 0; i < sizeof wrapped; i++) {
        wrapped[i] ^= 4;
        assert_false(seal_unwrap(s, kek, wrapped, got));
        wrapped[i] ^= 4;
    }
}

// A sealer that is there needs no memory: nothing it does can fail, no record be taken for damaged.
static void test_no_memory_is_asked_for(void **state) {
    (void)state;
    uint8_t sealed[100 + SEAL_TAG], plain[100] = {1}, wrapped[SEAL_WRAPPED], key[SEAL_KEY];
    struct seal_keys keys;
    struct sealer *fresh = sealer_new();
    assert_non_null(fresh);
    size_t before = crypto_allocations;
    assert_true(before > 0);
    for (int i = 0; i < 3; i++) {
        seal_derive(kek, salt, SLICE_LIT("context"), &keys);
        seal_chunk(fresh, &keys, SEAL_BODY, 0, plain, sizeof plain, sealed);
        assert_true(seal_open_chunk(fresh, &keys, SEAL_BODY, 0, sealed, sizeof sealed, plain));
        seal_wrap(fresh, kek, keys.key, wrapped);
        assert_true(seal_unwrap(fresh, kek, wrapped, key));
    }
    assert_int_equal(crypto_allocations, before);
    sealer_free(fresh);
}

int main(void) {
    crypto_memory_count();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_derivation),
        cmocka_unit_test(test_derivation_depends_on_everything),
        cmocka_unit_test(test_round_trip),
        cmocka_unit_test(test_impossible_sizes),
        cmocka_unit_test(test_bit_flips),
        cmocka_unit_test(test_truncation),
        cmocka_unit_test(test_chunks_stay_in_place),
        cmocka_unit_test(test_other_key_after_each_other),
        cmocka_unit_test(test_source_changes_under_way),
        cmocka_unit_test(test_wrap_vector),
        cmocka_unit_test(test_wrap),
        cmocka_unit_test(test_no_memory_is_asked_for),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
