// A proof that this browser has signed this user in before: it gets a throttle slot of its own
// (throttle.h), and nothing else. Not a credential.
//
// 16 bytes of its own, and an HMAC over user and these 16 bytes, as 64 characters of base64url. The HMAC's
// key is made of the user's password hash: so no key has to be kept anywhere, proofs outlive a restart, and
// a new password ends them all. They say nothing about the hash: it has a random salt that never leaves
// this process.
#ifndef AUTH_DEVICE_H
#define AUTH_DEVICE_H

#include "base/slice.h"

enum {
    DEVICE_CHARS = 64,
    DEVICE_ID_BYTES = 16, // 12 random ones, and the hour it was made in
    DEVICE_HOURS = 180 * 24,
};

void device_make(struct slice user, struct slice hash, int64_t wall_ms, char ret_proof[DEVICE_CHARS + 1]);
bool device_check(struct slice proof, struct slice user, struct slice hash, int64_t wall_ms,
                  uint8_t ret_id[DEVICE_ID_BYTES]);

#endif
