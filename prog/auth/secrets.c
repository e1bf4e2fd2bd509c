#include "secrets.h"

#include "base/base64url.h"
#include "base/err.h"
#include "base/hex.h"

#include <openssl/crypto.h>
#include <sys/random.h>

void secrets_random(void *p, size_t n) {
    if (n > 256 || getrandom(p, n, 0) != (ssize_t)n)
        bug("no random numbers");
}

void secrets_warm_up(void) {
    OPENSSL_init_crypto(OPENSSL_INIT_LOAD_CONFIG, NULL);
}

bool secrets_equal(struct slice a, struct slice b) {
    return a.n == b.n && (a.n == 0 || CRYPTO_memcmp(a.p, b.p, a.n) == 0);
}

void secrets_make(char ret_text[SECRET_CHARS + 1], uint8_t ret_digest[DIGEST_SHA256_BYTES]) {
    uint8_t secret[SECRET_BYTES];
    secrets_random(secret, sizeof secret);
    size_t n = base64url_encode(slice_of(secret, sizeof secret), ret_text);
    explicit_bzero(secret, sizeof secret);
    digest_sha256(slice_of(ret_text, n), ret_digest);
}

void secrets_make_id(char ret_id[ID_CHARS + 1]) {
    uint8_t random[ID_CHARS / 2];
    secrets_random(random, sizeof random);
    hex_encode(random, sizeof random, ret_id);
}
