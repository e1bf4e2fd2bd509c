// Against the vectors of the standards, and OpenSSL's HMAC for keys of every length. None of it may ask for
// memory.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
// after these:
#include <cmocka.h>
#include <openssl/hmac.h>
#include <stdlib.h>

#include "crypto_memory.h"
#include "digest/digest.h"

#include "base/hex.h"

static void equals(const uint8_t *got, size_t n, const char *want_hex) {
    char text[2 * DIGEST_SHA256_BYTES + 1];
    hex_encode(got, n, text);
    assert_string_equal(text, want_hex);
}

static void test_vectors(void **state) {
    (void)state;
    uint8_t got[DIGEST_SHA256_BYTES], key[131];
    digest_sha256(SLICE_LIT(""), got); // FIPS 180-4
    equals(got, sizeof got, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    digest_sha256(SLICE_LIT("abc"), got);
    equals(got, sizeof got, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    digest_hmac_sha256(SLICE_LIT("Jefe"), SLICE_LIT("what do ya want for nothing?"), got); // RFC 4231 4.3
    equals(got, sizeof got, "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
    memset(key, 0xaa, sizeof key); // RFC 4231 4.7
    digest_hmac_sha256(slice_of(key, sizeof key),
                       SLICE_LIT("Test Using Larger Than Block-Size Key - Hash Key First"), got);
    equals(got, sizeof got, "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54");
    digest_hmac_sha1(SLICE_LIT("Jefe"), SLICE_LIT("what do ya want for nothing?"), got); // RFC 2202 3
    equals(got, DIGEST_SHA1_BYTES, "effcdf6ae5eb2fa2d27416d5f184df9c259a7c79");
}

static void test_keys_of_every_length(void **state) {
    (void)state;
    uint8_t key[200], got[DIGEST_SHA256_BYTES], want[DIGEST_SHA256_BYTES];
    for (size_t i = 0; i < sizeof key; i++)
        key[i] = (uint8_t)(i * 7 + 1);
    for (size_t n = 0; n <= sizeof key; n++) {
        struct slice data = slice_of(key, sizeof key - n);
        assert_non_null(HMAC(EVP_sha256(), key, (int)n, data.p, data.n, want, NULL));
        digest_hmac_sha256(slice_of(key, n), data, got);
        assert_memory_equal(got, want, DIGEST_SHA256_BYTES);
        assert_non_null(HMAC(EVP_sha1(), key, (int)n, data.p, data.n, want, NULL));
        digest_hmac_sha1(slice_of(key, n), data, got);
        assert_memory_equal(got, want, DIGEST_SHA1_BYTES);
    }
}

static void test_parts(void **state) {
    (void)state;
    uint8_t whole[DIGEST_SHA256_BYTES], parts[DIGEST_SHA256_BYTES];
    const struct slice three[] = {SLICE_LIT("one "), {NULL, 0}, SLICE_LIT("two")};
    digest_hmac_sha256(SLICE_LIT("key"), SLICE_LIT("one two"), whole);
    digest_hmac_sha256_parts(SLICE_LIT("key"), three, 3, parts);
    assert_memory_equal(whole, parts, sizeof whole);
}

static void test_no_memory_is_asked_for(void **state) {
    (void)state;
    uint8_t out[DIGEST_SHA256_BYTES];
    size_t before = crypto_allocations;
    digest_sha256(SLICE_LIT("abc"), out);
    digest_hmac_sha256(SLICE_LIT("key"), SLICE_LIT("abc"), out);
    digest_hmac_sha1(SLICE_LIT("key"), SLICE_LIT("abc"), out);
    assert_int_equal(crypto_allocations, before);
    assert_non_null(HMAC(EVP_sha256(), "key", 3, out, sizeof out, out, NULL)); // which does: they are counted
    assert_true(crypto_allocations > before);
}

int main(void) {
    crypto_memory_count();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_vectors),
        cmocka_unit_test(test_keys_of_every_length),
        cmocka_unit_test(test_parts),
        cmocka_unit_test(test_no_memory_is_asked_for),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
