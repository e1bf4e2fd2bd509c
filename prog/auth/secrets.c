#include "secrets.h"

#include "base/base64url.h"
#include "base/err.h"
#include "base/hex.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <sys/random.h>

void secrets_random(void *p, size_t n) {
    if (n > 256 || getrandom(p, n, 0) != (ssize_t)n)
        bug("no random numbers");
}

void secrets_digest(struct slice text, uint8_t ret_digest[DIGEST_BYTES]) {
    if (EVP_Digest(text.p, text.n, ret_digest, NULL, EVP_sha256(), NULL) != 1)
        bug("SHA-256 failed");
}

void secrets_mac(struct slice key, struct slice text, uint8_t ret_mac[DIGEST_BYTES]) {
    if (!HMAC(EVP_sha256(), key.p, (int)key.n, text.p, text.n, ret_mac, NULL))
        bug("HMAC failed");
}

void secrets_warm_up(void) {
    uint8_t digest[DIGEST_BYTES];
    OPENSSL_init_crypto(OPENSSL_INIT_LOAD_CONFIG, NULL);
    secrets_mac(SLICE_LIT("key"), SLICE_LIT("text"), digest);
}

bool secrets_equal(struct slice a, struct slice b) {
    return a.n == b.n && (a.n == 0 || CRYPTO_memcmp(a.p, b.p, a.n) == 0);
}

void secrets_make(char ret_text[SECRET_CHARS + 1], uint8_t ret_digest[DIGEST_BYTES]) {
    uint8_t secret[SECRET_BYTES];
    secrets_random(secret, sizeof secret);
    size_t n = base64url_encode(slice_of(secret, sizeof secret), ret_text);
    explicit_bzero(secret, sizeof secret);
    secrets_digest(slice_of(ret_text, n), ret_digest);
}

void secrets_make_id(char ret_id[ID_CHARS + 1]) {
    uint8_t random[ID_CHARS / 2];
    secrets_random(random, sizeof random);
    hex_encode(random, sizeof random, ret_id);
}
