// URL-safe base64 without padding (RFC 4648 5).
#ifndef BASE_BASE64URL_H
#define BASE_BASE64URL_H

#include "base/slice.h"

// dst: 4 * (n + 2) / 3 + 1 bytes, ended with a NUL; returns the length.
size_t base64url_encode(struct slice bytes, char *dst);
// Exact: no padding, no blanks, no bits left over. False when it is none, or longer than cap.
bool base64url_decode(struct slice text, uint8_t *dst, size_t cap, size_t *ret_n);

#endif
