#define OPENSSL_SUPPRESS_DEPRECATED // in favour of those that take memory
#include "digest/digest.h"

#include <openssl/crypto.h>
#include <openssl/sha.h>

#include "base/err.h"

enum { BLOCK_BYTES = 64, INNER = 0x36, OUTER = 0x5c, PARTS_MAX = 4 };

typedef void hash_fn(const struct slice *parts, size_t n_parts, uint8_t *ret_digest);

static void sha256(const struct slice *parts, size_t n_parts, uint8_t *ret_digest) {
    SHA256_CTX c;
    SHA256_Init(&c);
    for (size_t i = 0; i < n_parts; i++)
        SHA256_Update(&c, parts[i].p, parts[i].n);
    SHA256_Final(ret_digest, &c);
    OPENSSL_cleanse(&c, sizeof c);
}

static void sha1(const struct slice *parts, size_t n_parts, uint8_t *ret_digest) {
    SHA_CTX c;
    SHA1_Init(&c);
    for (size_t i = 0; i < n_parts; i++)
        SHA1_Update(&c, parts[i].p, parts[i].n);
    SHA1_Final(ret_digest, &c);
    OPENSSL_cleanse(&c, sizeof c);
}

static void change_pad(uint8_t pad[BLOCK_BYTES], uint8_t by) {
    for (size_t i = 0; i < BLOCK_BYTES; i++)
        pad[i] ^= by;
}

// RFC 2104.
static void hmac(hash_fn *hash, size_t digest_bytes, struct slice key, const struct slice *parts,
                 size_t n_parts, uint8_t *ret_mac) {
    uint8_t pad[BLOCK_BYTES] = {0}, inner[DIGEST_SHA256_BYTES];
    struct slice in[1 + PARTS_MAX] = {{pad, sizeof pad}}, out[2] = {{pad, sizeof pad}, {inner, digest_bytes}};
    bug_unless(n_parts <= PARTS_MAX);
    memcpy(in + 1, parts, n_parts * sizeof *parts);
    if (key.n > BLOCK_BYTES)
        hash(&key, 1, pad);
    else if (key.n)
        memcpy(pad, key.p, key.n);
    change_pad(pad, INNER);
    hash(in, 1 + n_parts, inner);
    change_pad(pad, INNER ^ OUTER);
    hash(out, 2, ret_mac);
    OPENSSL_cleanse(pad, sizeof pad);
}

void digest_sha256(struct slice data, uint8_t ret_digest[DIGEST_SHA256_BYTES]) {
    sha256(&data, 1, ret_digest);
}

void digest_hmac_sha256_parts(struct slice key, const struct slice *parts, size_t n_parts,
                              uint8_t ret_mac[DIGEST_SHA256_BYTES]) {
    hmac(sha256, DIGEST_SHA256_BYTES, key, parts, n_parts, ret_mac);
}

void digest_hmac_sha256(struct slice key, struct slice data, uint8_t ret_mac[DIGEST_SHA256_BYTES]) {
    digest_hmac_sha256_parts(key, &data, 1, ret_mac);
}

void digest_hmac_sha1(struct slice key, struct slice data, uint8_t ret_mac[DIGEST_SHA1_BYTES]) {
    hmac(sha1, DIGEST_SHA1_BYTES, key, &data, 1, ret_mac);
}
