// Sealing: chunked AES-256-GCM in the manner of c2sp.org/chunked-encryption, so that any range of
// an object can be opened alone, a truncated or reordered one is noticed, and the key is committed.
//
// What differs from C2SP, and why:
//   - Chunks of 64 KiB instead of 16: half the cost a byte of a large image, and a frame of a CT
//     still takes only nine of them.
//   - One derivation serves the four ranges of a record (body, meta, summary, frames): the range
//     number goes into the nonce beside the chunk counter. One HKDF and one key schedule an
//     object instead of four; nonces stay distinct by construction.
// What is the same: key ‖ base nonce ‖ commitment = HKDF-Expand-SHA256(study key, label ‖ salt ‖
// context) with a random salt of 24 bytes an object; nonce = base nonce XOR counter; the last chunk
// of a range is always shorter than a full one (perhaps empty), which makes truncation and
// extension fail to authenticate without a "last" flag and without look-ahead; no AAD, everything
// else that must match is in the context of the derivation.
//
// The key of an object is derived from its study's key and a salt, not random and wrapped: as
// strong (a PRF output of 256 bits), destroyed with the study's key all the same, and it saves a
// GCM operation and 60 bytes an object.
//
// Nothing here takes memory once there is a sealer, so that nothing can fail for want of it.
//
// It is not a file format (blob/segment.h) and keeps no keys (blob/keyring.h). A sealer belongs
// to one thread.
#ifndef BLOB_SEAL_H
#define BLOB_SEAL_H

#include "base/err.h"
#include "base/slice.h"

enum {
    SEAL_CHUNK = 64 * 1024, // plaintext bytes of every chunk but the last of a range
    SEAL_TAG = 16,
    SEAL_STRIDE = SEAL_CHUNK + SEAL_TAG,
    SEAL_SALT = 24,
    SEAL_COMMITMENT = 32,
    SEAL_KEY = 32,
    SEAL_WRAPPED = SEAL_KEY + 8,
    SEAL_MAC = 32,
    SEAL_CONTEXT_MAX = 64,
};
#define SEAL_PLAIN_MAX ((uint64_t)1 << 47) // of one range; far beyond any object, and no sum overflows

enum seal_range {
    SEAL_BODY,
    SEAL_META,
    SEAL_SUMMARY,
    SEAL_FRAMES,
    SEAL_RANGES_,
};

// What opens and seals one object. Wipe it (seal_keys_wipe) when done.
struct seal_keys {
    uint8_t key[SEAL_KEY];
    uint8_t nonce[12];
    uint8_t commitment[SEAL_COMMITMENT]; // goes into the record; compare before opening anything
};

struct sealer;

// NULL: libcrypto lacks AES-256-GCM or SHA-256, or memory is short.
struct sealer *sealer_new(void);
void sealer_free(struct sealer *s);

void seal_random(void *p, size_t n); // from the kernel; bug() when there is no randomness

// The keys of the object sealed under `kek` with this salt and context.
void seal_derive(const uint8_t kek[SEAL_KEY], const uint8_t salt[SEAL_SALT],
                 struct slice context, struct seal_keys *ret_keys);
void seal_keys_wipe(struct seal_keys *k);
bool seal_same(const void *a, const void *b, size_t n); // in constant time

// Sizes. plain < SEAL_PLAIN_MAX.
uint64_t seal_sealed_bytes(uint64_t plain);                          // with all tags
bool seal_plain_bytes(uint64_t sealed, uint64_t *ret_plain);         // false: no range has this size
static inline uint64_t seal_chunks(uint64_t plain) {
    return plain / SEAL_CHUNK + 1;
}

// Seals chunk `index` of a range: writes n + SEAL_TAG bytes to dst. n ≤ SEAL_CHUNK, less for the last.
// src may be memory that another process is changing: each byte of it is read exactly once and the
// tag is computed over what was written to dst, which must therefore be private memory.
void seal_chunk(struct sealer *s, const struct seal_keys *k, enum seal_range range, uint64_t index,
                const uint8_t *src, size_t n, uint8_t *dst);
// All of a range at once; writes seal_sealed_bytes(plain.n) bytes.
void seal_all(struct sealer *s, const struct seal_keys *k, enum seal_range range, struct slice plain,
              uint8_t *dst);

// Opens one chunk: `n` sealed bytes (tag included) to n - SEAL_TAG at dst; false when it does not
// authenticate (dst then holds rubbish). dst may be shared memory, src may not. In place is fine.
bool seal_open_chunk(struct sealer *s, const struct seal_keys *k, enum seal_range range, uint64_t index,
                     const uint8_t *src, size_t n, uint8_t *dst);
bool seal_open_all(struct sealer *s, const struct seal_keys *k, enum seal_range range, struct slice sealed,
                   uint8_t *dst);

// HKDF-Expand-SHA256 to n ≤ 255·32 bytes.
void seal_expand(const uint8_t prk[SEAL_KEY], struct slice info, uint8_t *ret, size_t n);
// AES-256 key wrap (RFC 3394) of 32 bytes to 40: needs no nonce, so that a slot may be rewritten.
void seal_wrap(struct sealer *s, const uint8_t key[SEAL_KEY], const uint8_t plain[SEAL_KEY],
               uint8_t ret_wrapped[SEAL_WRAPPED]);
bool seal_unwrap(struct sealer *s, const uint8_t key[SEAL_KEY], const uint8_t wrapped[SEAL_WRAPPED],
                 uint8_t ret_plain[SEAL_KEY]);

#endif
