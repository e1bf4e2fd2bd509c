// SHA-256, and HMAC (RFC 2104) with SHA-256 and SHA-1, that cannot fail.
//
// libcrypto's own interface to them takes memory at every beginning, so that whoever checks something could
// take it for forged, or damaged, for want of memory. The functions of libcrypto that these stand on are the
// same code without that.
#ifndef DIGEST_DIGEST_H
#define DIGEST_DIGEST_H

#include "base/slice.h"

enum { DIGEST_SHA1_BYTES = 20, DIGEST_SHA256_BYTES = 32 };

void digest_sha256(struct slice data, uint8_t ret_digest[DIGEST_SHA256_BYTES]);
void digest_hmac_sha256(struct slice key, struct slice data, uint8_t ret_mac[DIGEST_SHA256_BYTES]);
// Of the parts one after the other, at most 4.
void digest_hmac_sha256_parts(struct slice key, const struct slice *parts, size_t n_parts,
                              uint8_t ret_mac[DIGEST_SHA256_BYTES]);
void digest_hmac_sha1(struct slice key, struct slice data, uint8_t ret_mac[DIGEST_SHA1_BYTES]); // RFC 4226

#endif
