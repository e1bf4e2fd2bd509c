// Signed JSON Web Tokens (RFC 7515, 7519) of the one provider that is configured, checked as RFC 8725 and
// OpenID Connect Core 3.1.3.7 say. No I/O: the keys were fetched before, the time is an argument.
//
// What a token's header says decides nothing but which of our keys and which of the allowed algorithms it
// wants: its kid is compared, never opened; jku, x5u, jwk and x5c are not looked at; crit is refused. Only
// signatures by RSA and elliptic curves are known here: "none" and HMACs are not among them, so no public
// key can serve as a secret.
#ifndef AUTH_JWT_H
#define AUTH_JWT_H

#include "base/json.h"

#include <cjose/jwk.h>

enum {
    JWT_MAX = 8192,
    JWT_CLAIMS_MAX = 8192,
    JWKS_MAX = 32, // keys of the provider
    JWKS_KID_MAX = 128,
    JWT_SKEW_S = 60,
};

struct jwk {
    char kid[JWKS_KID_MAX + 1]; // "": it has none
    char alg[8];                // "": any of its kind
    const char *kind;           // "RS" (also for PS), "ES256", "ES384", "ES512"
    cjose_jwk_t *key;
};

struct jwks {
    struct jwk v[JWKS_MAX];
    size_t n;
};

// The keys of a JWK Set (RFC 7517) that can check signatures; others are passed over. Replaces *jwks on
// success.
enum err jwks_parse(struct jwks *jwks, struct slice text, struct fault *f);
void jwks_fini(struct jwks *jwks);

struct jwt_rules {
    const char (*algorithms)[8];
    size_t algorithm_count;
    const char *issuer, *audience;
    const char *client_id; // of an ID token: azp must be it, if there; NULL: a bearer token
    const char *nonce;     // of an ID token
    int64_t now_s;
};

struct jwt_claims {
    struct buf text;
    struct json json;
    int64_t expires_s;
};

// ERR_NO_SUCH_OBJECT: signed with a key that is not known (yet); ERR_DENIED: not good, f says why.
enum err jwt_check(const struct jwks *jwks, struct slice jwt, const struct jwt_rules *rules, struct fault *f,
                   struct jwt_claims *ret_claims);
void jwt_claims_fini(struct jwt_claims *c);

// A claim, dots leading into objects; 0: not there.
size_t jwt_claim(const struct jwt_claims *c, const char *path);

#endif
