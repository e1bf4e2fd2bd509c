// Random secrets, their digests and the texts they travel as. Whoever holds a secret wipes it.
#ifndef AUTH_SECRETS_H
#define AUTH_SECRETS_H

#include "base/buf.h"
#include "base/slice.h"
#include "digest/digest.h"

enum {
    SECRET_BYTES = 32, // 256 bits
    SECRET_CHARS = 43, // the same as URL-safe base64 without padding (RFC 4648 5)
    ID_CHARS = 16,     // what a thing is called that has a secret: 64 random bits in hexadecimal
};

void secrets_warm_up(void); // before the sandbox: later the library may not read its settings

void secrets_random(void *p, size_t n); // ends the process when the kernel has none
bool secrets_equal(struct slice a, struct slice b); // takes as long whatever differs; the length is no secret

// The digest is that of the text.
void secrets_make(char ret_text[SECRET_CHARS + 1], uint8_t ret_digest[DIGEST_SHA256_BYTES]);
void secrets_make_id(char ret_id[ID_CHARS + 1]);

#endif
