#define OPENSSL_SUPPRESS_DEPRECATED // in favour of those that take memory
#include "digest/digest.h"

#include <openssl/crypto.h>
#include <openssl/sha.h>

enum { BLOCK_BYTES = 64, INNER = 0x36, OUTER = 0x5c };

void digest_sha256(struct slice data, uint8_t ret_digest[DIGEST_SHA256_BYTES]) {
    SHA256_CTX c;
    SHA256_Init(&c);
    SHA256_Update(&c, data.p, data.n);
    SHA256_Final(ret_digest, &c);
    OPENSSL_cleanse(&c, sizeof c);
}

static void change_pad(uint8_t pad[BLOCK_BYTES], uint8_t by) {
    for (size_t i = 0; i < BLOCK_BYTES; i++)
        pad[i] ^= by;
}

void digest_hmac_sha256_parts(struct slice key, const struct slice *parts, size_t n_parts,
                              uint8_t ret_mac[DIGEST_SHA256_BYTES]) {
    SHA256_CTX c;
    uint8_t pad[BLOCK_BYTES] = {0}, inner[DIGEST_SHA256_BYTES];
    if (key.n > BLOCK_BYTES)
        digest_sha256(key, pad);
    else if (key.n)
        memcpy(pad, key.p, key.n);
    change_pad(pad, INNER);
    SHA256_Init(&c);
    SHA256_Update(&c, pad, sizeof pad);
    for (size_t i = 0; i < n_parts; i++)
        SHA256_Update(&c, parts[i].p, parts[i].n);
    SHA256_Final(inner, &c);
    change_pad(pad, INNER ^ OUTER);
    SHA256_Init(&c);
    SHA256_Update(&c, pad, sizeof pad);
    SHA256_Update(&c, inner, sizeof inner);
    SHA256_Final(ret_mac, &c);
    OPENSSL_cleanse(pad, sizeof pad);
    OPENSSL_cleanse(&c, sizeof c);
}

void digest_hmac_sha256(struct slice key, struct slice data, uint8_t ret_mac[DIGEST_SHA256_BYTES]) {
    digest_hmac_sha256_parts(key, &data, 1, ret_mac);
}

void digest_hmac_sha1(struct slice key, struct slice data, uint8_t ret_mac[DIGEST_SHA1_BYTES]) {
    SHA_CTX c;
    uint8_t pad[BLOCK_BYTES] = {0}, inner[DIGEST_SHA1_BYTES];
    SHA1_Init(&c);
    if (key.n > BLOCK_BYTES) {
        SHA1_Update(&c, key.p, key.n);
        SHA1_Final(pad, &c);
    } else if (key.n) {
        memcpy(pad, key.p, key.n);
    }
    change_pad(pad, INNER);
    SHA1_Init(&c);
    SHA1_Update(&c, pad, sizeof pad);
    SHA1_Update(&c, data.p, data.n);
    SHA1_Final(inner, &c);
    change_pad(pad, INNER ^ OUTER);
    SHA1_Init(&c);
    SHA1_Update(&c, pad, sizeof pad);
    SHA1_Update(&c, inner, sizeof inner);
    SHA1_Final(ret_mac, &c);
    OPENSSL_cleanse(pad, sizeof pad);
    OPENSSL_cleanse(&c, sizeof c);
}
