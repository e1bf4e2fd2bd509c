// What travels through the browser while it signs in with the provider, and what is derived from it.
#ifndef AUTH_OIDC_STATE_H
#define AUTH_OIDC_STATE_H

#include "secrets.h"

enum {
    OIDC_STATE_CHARS = 64, // 12 random bytes, 4 of time, 32 of MAC, as base64url
    OIDC_STATE_LIFE_S = 600,
};

void oidc_state_make(const uint8_t key[32], int64_t wall_s, char ret_state[OIDC_STATE_CHARS + 1]);
bool oidc_state_check(const uint8_t key[32], struct slice state, int64_t wall_s);
// "nonce", "verifier": 43 characters that nobody can tell who does not have the key.
void oidc_state_derive(const uint8_t key[32], struct slice state, const char *what,
                       char ret_text[SECRET_CHARS + 1]);

void oidc_put_escaped(struct buf *b, struct slice text); // for a query or a form (RFC 3986 2.1)

#endif
