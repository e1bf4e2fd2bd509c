#include "blob/seal.h"

#include <errno.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <sys/random.h>

#include "digest/digest.h"

#define LABEL "galena/sealed-object@v1+AEAD_AES_256_GCM"

struct sealer {
    EVP_CIPHER *gcm, *aes;
    EVP_CIPHER_CTX *enc, *dec, *ecb;
    uint8_t enc_key[SEAL_KEY], dec_key[SEAL_KEY]; // what enc and dec are set to
    bool enc_keyed, dec_keyed;
};

struct sealer *sealer_new(void) {
    struct sealer *s = calloc(1, sizeof *s);
    if (!s)
        return NULL;
    s->gcm = EVP_CIPHER_fetch(NULL, "AES-256-GCM", NULL);
    s->aes = EVP_CIPHER_fetch(NULL, "AES-256-ECB", NULL);
    s->enc = EVP_CIPHER_CTX_new();
    s->dec = EVP_CIPHER_CTX_new();
    s->ecb = EVP_CIPHER_CTX_new();
    // Each context is given its cipher once: what comes later needs no memory, so that it cannot fail.
    if (!s->gcm || !s->aes || !s->enc || !s->dec || !s->ecb ||
        EVP_EncryptInit_ex2(s->enc, s->gcm, NULL, NULL, NULL) != 1 ||
        EVP_DecryptInit_ex2(s->dec, s->gcm, NULL, NULL, NULL) != 1 ||
        EVP_EncryptInit_ex2(s->ecb, s->aes, NULL, NULL, NULL) != 1) {
        sealer_free(s);
        return NULL;
    }
    return s;
}

void sealer_free(struct sealer *s) {
    if (!s)
        return;
    EVP_CIPHER_CTX_free(s->enc);
    EVP_CIPHER_CTX_free(s->dec);
    EVP_CIPHER_CTX_free(s->ecb);
    EVP_CIPHER_free(s->gcm);
    EVP_CIPHER_free(s->aes);
    OPENSSL_cleanse(s, sizeof *s);
    free(s);
}

void seal_random(void *p, size_t n) {
    uint8_t *at = p;
    while (n) {
        ssize_t got = getrandom(at, n, 0);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            bug("the kernel gives no randomness");
        at += got;
        n -= (size_t)got;
    }
}

bool seal_same(const void *a, const void *b, size_t n) {
    return CRYPTO_memcmp(a, b, n) == 0;
}

void seal_keys_wipe(struct seal_keys *k) {
    OPENSSL_cleanse(k, sizeof *k);
}

void seal_expand(const uint8_t prk[SEAL_KEY], struct slice info, uint8_t *ret, size_t n) {
    bug_unless(n <= 255 * DIGEST_SHA256_BYTES);
    uint8_t t[DIGEST_SHA256_BYTES], counter = 0;
    for (size_t done = 0; done < n;) {
        counter++;
        struct slice parts[3] = {{t, done ? sizeof t : 0}, info, {&counter, 1}};
        digest_hmac_sha256_parts(slice_of(prk, SEAL_KEY), parts, 3, t);
        size_t take = n - done < sizeof t ? n - done : sizeof t;
        memcpy(ret + done, t, take);
        done += take;
    }
    OPENSSL_cleanse(t, sizeof t);
}

void seal_derive(const uint8_t kek[SEAL_KEY], const uint8_t salt[SEAL_SALT],
                 struct slice context, struct seal_keys *ret_keys) {
    uint8_t info[sizeof LABEL + SEAL_SALT + SEAL_CONTEXT_MAX];
    bug_unless(context.n <= SEAL_CONTEXT_MAX);
    size_t n = sizeof LABEL; // with its NUL: the separator
    memcpy(info, LABEL, n);
    memcpy(info + n, salt, SEAL_SALT);
    n += SEAL_SALT;
    memcpy(info + n, context.p, context.n);
    n += context.n;
    uint8_t out[SEAL_KEY + sizeof ret_keys->nonce + SEAL_COMMITMENT];
    seal_expand(kek, slice_of(info, n), out, sizeof out);
    memcpy(ret_keys->key, out, SEAL_KEY);
    memcpy(ret_keys->nonce, out + SEAL_KEY, sizeof ret_keys->nonce);
    memcpy(ret_keys->commitment, out + SEAL_KEY + sizeof ret_keys->nonce, SEAL_COMMITMENT);
    OPENSSL_cleanse(out, sizeof out);
}

uint64_t seal_sealed_bytes(uint64_t plain) {
    bug_unless(plain < SEAL_PLAIN_MAX);
    return plain + seal_chunks(plain) * SEAL_TAG;
}

bool seal_plain_bytes(uint64_t sealed, uint64_t *ret_plain) {
    uint64_t full = sealed / SEAL_STRIDE, last = sealed % SEAL_STRIDE;
    if (last < SEAL_TAG || full > SEAL_PLAIN_MAX / SEAL_CHUNK - 1)
        return false;
    *ret_plain = full * SEAL_CHUNK + (last - SEAL_TAG);
    return true;
}

// Byte 0 tells the ranges apart, bytes 4 to 11 the chunks: both XORed into the random base nonce.
static void chunk_nonce(const struct seal_keys *k, enum seal_range range, uint64_t index,
                        uint8_t ret_nonce[12]) {
    memcpy(ret_nonce, k->nonce, 12);
    ret_nonce[0] ^= (uint8_t)range;
    for (int i = 0; i < 8; i++)
        ret_nonce[4 + i] ^= (uint8_t)(index >> (56 - 8 * i));
}

// Setting a key costs the key schedule and the GHASH tables: only when it is another one.
static const uint8_t *rekey(uint8_t current[SEAL_KEY], bool *keyed, const uint8_t key[SEAL_KEY]) {
    if (*keyed && memcmp(current, key, SEAL_KEY) == 0)
        return NULL;
    memcpy(current, key, SEAL_KEY);
    *keyed = true;
    return key;
}

void seal_chunk(struct sealer *s, const struct seal_keys *k, enum seal_range range, uint64_t index,
                const uint8_t *src, size_t n, uint8_t *dst) {
    bug_unless(n <= SEAL_CHUNK);
    uint8_t nonce[12];
    chunk_nonce(k, range, index, nonce);
    int got = 0, rest = 0;
    bool ok = EVP_EncryptInit_ex2(s->enc, NULL, rekey(s->enc_key, &s->enc_keyed, k->key), nonce, NULL) == 1 &&
              (n == 0 || EVP_EncryptUpdate(s->enc, dst, &got, src, (int)n) == 1) && (size_t)got == n &&
              EVP_EncryptFinal_ex(s->enc, dst + n, &rest) == 1 && rest == 0 &&
              EVP_CIPHER_CTX_ctrl(s->enc, EVP_CTRL_AEAD_GET_TAG, SEAL_TAG, dst + n) == 1;
    bug_unless(ok); // nothing from outside can make AES fail
}

void seal_all(struct sealer *s, const struct seal_keys *k, enum seal_range range, struct slice plain,
              uint8_t *dst) {
    uint64_t last = plain.n / SEAL_CHUNK;
    for (uint64_t i = 0; i < last; i++, dst += SEAL_STRIDE)
        seal_chunk(s, k, range, i, plain.p + i * SEAL_CHUNK, SEAL_CHUNK, dst);
    seal_chunk(s, k, range, last, plain.n ? plain.p + last * SEAL_CHUNK : NULL, plain.n % SEAL_CHUNK, dst);
}

bool seal_open_chunk(struct sealer *s, const struct seal_keys *k, enum seal_range range, uint64_t index,
                     const uint8_t *src, size_t n, uint8_t *dst) {
    if (n < SEAL_TAG || n > SEAL_STRIDE)
        return false;
    n -= SEAL_TAG;
    uint8_t nonce[12], tag[SEAL_TAG], none[16];
    chunk_nonce(k, range, index, nonce);
    memcpy(tag, src + n, SEAL_TAG);
    int got = 0, rest = 0;
    bool ok = EVP_DecryptInit_ex2(s->dec, NULL, rekey(s->dec_key, &s->dec_keyed, k->key), nonce, NULL) == 1 &&
              EVP_CIPHER_CTX_ctrl(s->dec, EVP_CTRL_AEAD_SET_TAG, SEAL_TAG, tag) == 1;
    bug_unless(ok);
    return (n == 0 || EVP_DecryptUpdate(s->dec, dst, &got, src, (int)n) == 1) && (size_t)got == n &&
           EVP_DecryptFinal_ex(s->dec, none, &rest) == 1;
}

bool seal_open_all(struct sealer *s, const struct seal_keys *k, enum seal_range range, struct slice sealed,
                   uint8_t *dst) {
    uint64_t plain;
    if (!seal_plain_bytes(sealed.n, &plain))
        return false;
    uint64_t last = plain / SEAL_CHUNK;
    for (uint64_t i = 0; i <= last; i++) {
        size_t n = i < last ? SEAL_STRIDE : sealed.n - last * SEAL_STRIDE;
        if (!seal_open_chunk(s, k, range, i, sealed.p + i * SEAL_STRIDE, n, dst + i * SEAL_CHUNK))
            return false;
    }
    return true;
}

// RFC 3394 over AES-256 block by block: libcrypto's own key wrap takes the table AES, at 16 µs instead
// of 2, and with key-dependent timing.
enum { WRAP_BLOCKS = SEAL_KEY / 8, WRAP_STEPS = 6 * WRAP_BLOCKS };

static void wrap_begin(struct sealer *s, const uint8_t key[SEAL_KEY], int encrypt) {
    bool ok = EVP_CipherInit_ex2(s->ecb, NULL, key, NULL, encrypt, NULL) == 1 &&
              EVP_CIPHER_CTX_set_padding(s->ecb, 0) == 1;
    bug_unless(ok);
}

static void wrap_block(struct sealer *s, uint8_t block[16]) {
    int n = 0;
    bug_unless(EVP_CipherUpdate(s->ecb, block, &n, block, 16) == 1 && n == 16);
}

void seal_wrap(struct sealer *s, const uint8_t key[SEAL_KEY], const uint8_t plain[SEAL_KEY],
               uint8_t ret_wrapped[SEAL_WRAPPED]) {
    uint8_t b[16]; // A | R[i]
    memset(b, 0xa6, 8);
    memmove(ret_wrapped + 8, plain, SEAL_KEY);
    wrap_begin(s, key, 1);
    for (unsigned t = 1; t <= WRAP_STEPS; t++) {
        uint8_t *r = ret_wrapped + 8 + 8 * ((t - 1) % WRAP_BLOCKS);
        memcpy(b + 8, r, 8);
        wrap_block(s, b);
        b[7] ^= (uint8_t)t;
        memcpy(r, b + 8, 8);
    }
    memcpy(ret_wrapped, b, 8);
    OPENSSL_cleanse(b, sizeof b);
}

bool seal_unwrap(struct sealer *s, const uint8_t key[SEAL_KEY], const uint8_t wrapped[SEAL_WRAPPED],
                 uint8_t ret_plain[SEAL_KEY]) {
    static const uint8_t want[8] = {0xa6, 0xa6, 0xa6, 0xa6, 0xa6, 0xa6, 0xa6, 0xa6};
    uint8_t b[16], out[SEAL_KEY];
    memcpy(b, wrapped, 8);
    memcpy(out, wrapped + 8, SEAL_KEY);
    wrap_begin(s, key, 0);
    for (unsigned t = WRAP_STEPS; t > 0; t--) {
        uint8_t *r = out + 8 * ((t - 1) % WRAP_BLOCKS);
        b[7] ^= (uint8_t)t;
        memcpy(b + 8, r, 8);
        wrap_block(s, b);
        memcpy(r, b + 8, 8);
    }
    bool ok = seal_same(b, want, sizeof want);
    if (ok)
        memcpy(ret_plain, out, SEAL_KEY);
    OPENSSL_cleanse(out, sizeof out);
    OPENSSL_cleanse(b, sizeof b);
    return ok;
}
