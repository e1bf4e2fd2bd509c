#include "jwt.h"

#include "base/base64url.h"
#include "base/cleanup.h"

#include <cjose/header.h>
#include <cjose/jws.h>
#include <stdio.h>

enum {
    HEADER_MAX = 2048,
    MEMBERS_MAX = 128,
    TOKENS_MAX = 4096,
    RSA_LEAST_BYTES = 256,
    NUMBER_BYTES_MAX = 1024,
    COORDINATE_MAX = 66
};

// --- keys

static bool take_bytes(const struct json *j, size_t object, const char *name, uint8_t *dst, size_t cap,
                       size_t *ret_n) {
    size_t i = json_member(j, object, name);
    return i && j->token[i].kind == JSON_STRING && !j->token[i].escaped &&
           base64url_decode(json_raw(j, i), dst, cap, ret_n) && *ret_n > 0;
}

static cjose_jwk_t *rsa_key(const struct json *j, size_t object) {
    uint8_t n[NUMBER_BYTES_MAX], e[8];
    cjose_jwk_rsa_keyspec spec = {.n = n, .e = e};
    cjose_err err;
    if (!take_bytes(j, object, "n", n, sizeof n, &spec.nlen) ||
        !take_bytes(j, object, "e", e, sizeof e, &spec.elen) || spec.nlen < RSA_LEAST_BYTES || n[0] == 0)
        return NULL;
    return cjose_jwk_create_RSA_spec(&spec, &err);
}

static const struct {
    const char *crv, *kind;
    cjose_jwk_ec_curve curve;
    size_t bytes;
} curves[] = {{"P-256", "ES256", CJOSE_JWK_EC_P_256, 32},
              {"P-384", "ES384", CJOSE_JWK_EC_P_384, 48},
              {"P-521", "ES512", CJOSE_JWK_EC_P_521, 66}};

static cjose_jwk_t *ec_key(const struct json *j, size_t object, const char **ret_kind) {
    uint8_t x[COORDINATE_MAX], y[COORDINATE_MAX];
    cjose_jwk_ec_keyspec spec = {.x = x, .y = y};
    cjose_err err;
    size_t crv = json_member(j, object, "crv");
    for (size_t i = 0; crv && i < sizeof curves / sizeof *curves; i++) {
        if (!json_is(j, crv, curves[i].crv) || !take_bytes(j, object, "x", x, sizeof x, &spec.xlen) ||
            !take_bytes(j, object, "y", y, sizeof y, &spec.ylen) || spec.xlen != curves[i].bytes ||
            spec.ylen != curves[i].bytes)
            continue;
        spec.crv = curves[i].curve;
        *ret_kind = curves[i].kind;
        return cjose_jwk_create_EC_spec(&spec, &err);
    }
    return NULL;
}

// A text that may be missing; false when it is there and not a plain text that fits.
static bool take_text(const struct json *j, size_t object, const char *name, char *dst, size_t cap) {
    size_t i = json_member(j, object, name);
    dst[0] = '\0';
    return !i || (j->token[i].kind == JSON_STRING && !j->token[i].escaped &&
                  slice_to_cstr(json_raw(j, i), dst, cap));
}

static void add_key(struct jwks *jwks, const struct json *j, size_t object) {
    struct jwk k = {.kind = "RS"};
    size_t kty = json_member(j, object, "kty"), use = json_member(j, object, "use");
    if (jwks->n == JWKS_MAX || !kty || (use && !json_is(j, use, "sig")) ||
        !take_text(j, object, "kid", k.kid, sizeof k.kid) ||
        !take_text(j, object, "alg", k.alg, sizeof k.alg))
        return;
    if (json_is(j, kty, "RSA"))
        k.key = rsa_key(j, object);
    else if (json_is(j, kty, "EC"))
        k.key = ec_key(j, object, &k.kind);
    if (k.key)
        jwks->v[jwks->n++] = k;
}

enum err jwks_parse(struct jwks *jwks, struct slice text, struct fault *f) {
    struct json j;
    enum err e = json_scan(text, TOKENS_MAX, f, &j);
    if (e != OK)
        return e;
    struct jwks fresh = {.n = 0};
    size_t keys = json_member(&j, 0, "keys");
    if (keys && j.token[keys].kind == JSON_ARRAY)
        for (size_t i = keys + 1; i < j.token[keys].next; i = j.token[i].next)
            add_key(&fresh, &j, i);
    json_fini(&j);
    if (fresh.n == 0)
        return fault_set(f, ERR_SYNTAX, "the provider's key set has no key that we can use");
    jwks_fini(jwks);
    *jwks = fresh;
    return OK;
}

void jwks_fini(struct jwks *jwks) {
    for (size_t i = 0; i < jwks->n; i++)
        cjose_jwk_release(jwks->v[i].key);
    *jwks = (struct jwks){.n = 0};
}

// --- header

struct header {
    char alg[8], kid[JWKS_KID_MAX + 1];
};

// An object whose names come once each and are written plainly: every reader of it sees the same.
static bool is_sound(const struct json *j) {
    if (j->token[0].kind != JSON_OBJECT || j->token[0].n > MEMBERS_MAX)
        return false;
    for (size_t k = 1; k < j->token[0].next; k = j->token[k + 1].next) {
        if (j->token[k].escaped)
            return false;
        for (size_t other = 1; other < k; other = j->token[other + 1].next)
            if (slice_eq(json_raw(j, other), json_raw(j, k)))
                return false;
    }
    return true;
}

static bool is_allowed(const struct jwt_rules *rules, const char *alg) {
    for (size_t i = 0; i < rules->algorithm_count; i++)
        if (strcmp(rules->algorithms[i], alg) == 0)
            return true;
    return false;
}

static enum err check_header(const struct json *j, const struct jwt_rules *rules, struct header *h,
                             struct fault *f) {
    if (!is_sound(j))
        return fault_set(f, ERR_DENIED, "its header is no plain object");
    if (!take_text(j, 0, "alg", h->alg, sizeof h->alg) || !h->alg[0] || !is_allowed(rules, h->alg))
        return fault_set(f, ERR_DENIED, "its algorithm is not allowed");
    if (json_member(j, 0, "crit") || json_member(j, 0, "b64") || json_member(j, 0, "zip"))
        return fault_set(f, ERR_DENIED, "its header asks for what we do not do");
    if (!take_text(j, 0, "kid", h->kid, sizeof h->kid))
        return fault_set(f, ERR_DENIED, "its key's name is none");
    return OK;
}

static enum err read_header(struct slice part, const struct jwt_rules *rules, struct header *ret_h,
                            struct fault *f) {
    uint8_t bytes[HEADER_MAX];
    size_t n;
    struct json j;
    struct header h = {.alg = ""};
    struct fault why = {0};
    if (!base64url_decode(part, bytes, sizeof bytes, &n) || json_scan(slice_of(bytes, n), 64, &why, &j) != OK)
        return fault_set(f, ERR_DENIED, "its header cannot be understood");
    enum err e = check_header(&j, rules, &h, f);
    json_fini(&j);
    if (e == OK)
        *ret_h = h;
    return e;
}

// --- signature

static bool fits(const struct jwk *k, const char *alg) {
    bool kind = strcmp(k->kind, "RS") == 0 ? alg[0] == 'R' || alg[0] == 'P' : strcmp(k->kind, alg) == 0;
    return kind && (!k->alg[0] || strcmp(k->alg, alg) == 0);
}

// By name; without one only if there is no choice.
static const struct jwk *find_key(const struct jwks *jwks, const struct header *h) {
    const struct jwk *found = NULL;
    for (size_t i = 0; i < jwks->n; i++) {
        const struct jwk *k = &jwks->v[i];
        if (!fits(k, h->alg) || (h->kid[0] && strcmp(k->kid, h->kid) != 0))
            continue;
        if (found)
            return NULL;
        found = k;
    }
    return found;
}

static bool verify(cjose_jws_t *jws, const struct jwk *key, const struct header *h, struct buf *ret_claims) {
    cjose_err err;
    uint8_t *plain;
    size_t n;
    const char *alg = cjose_header_get(cjose_jws_get_protected(jws), "alg", &err);
    if (!alg || strcmp(alg, h->alg) != 0 || !cjose_jws_verify(jws, key->key, &err) ||
        !cjose_jws_get_plaintext(jws, &plain, &n, &err))
        return false;
    buf_append(ret_claims, plain, n);
    return buf_ok(ret_claims);
}

static enum err check_signature(const struct jwks *jwks, struct slice jwt, const struct header *h,
                                struct buf *ret_claims, struct fault *f) {
    char text[JWT_MAX + 1];
    cjose_err err;
    const struct jwk *key = find_key(jwks, h);
    if (!key)
        return fault_set(f, ERR_NO_SUCH_OBJECT, "it is signed with a key that the provider does not have");
    if (!slice_to_cstr(jwt, text, sizeof text))
        return fault_set(f, ERR_DENIED, "it is too long");
    cjose_jws_t *jws = cjose_jws_import(text, jwt.n, &err);
    bool good = jws && verify(jws, key, h, ret_claims);
    if (jws)
        cjose_jws_release(jws);
    explicit_bzero(text, sizeof text);
    return good ? OK : fault_set(f, ERR_DENIED, "its signature is wrong");
}

// --- claims

size_t jwt_claim(const struct jwt_claims *c, const char *path) {
    struct slice rest = slice_str(path);
    size_t at = 0;
    do {
        char name[65];
        struct slice part = slice_split(rest, '.', &rest);
        at = slice_to_cstr(part, name, sizeof name) ? json_member(&c->json, at, name) : 0;
    } while (at && rest.p);
    return at;
}

// Seconds since 1970, perhaps with a fraction (RFC 7519 2, NumericDate). False: not there, or none.
static bool take_time(const struct jwt_claims *c, const char *name, int64_t *ret_s) {
    size_t i = json_member(&c->json, 0, name);
    uint64_t s;
    struct slice fraction;
    if (!i || c->json.token[i].kind != JSON_NUMBER ||
        !slice_to_u64(slice_split(json_raw(&c->json, i), '.', &fraction), INT64_MAX / 2, &s))
        return false;
    *ret_s = (int64_t)s;
    return true;
}

static enum err check_times(struct jwt_claims *c, const struct jwt_rules *rules, struct fault *f) {
    int64_t nbf_s, iat_s;
    if (!take_time(c, "exp", &c->expires_s) || c->expires_s + JWT_SKEW_S <= rules->now_s)
        return fault_set(f, ERR_DENIED, "it has expired, or does not say when it does");
    if (json_member(&c->json, 0, "nbf") &&
        (!take_time(c, "nbf", &nbf_s) || nbf_s - JWT_SKEW_S > rules->now_s))
        return fault_set(f, ERR_DENIED, "it is not good yet");
    bool has_iat = json_member(&c->json, 0, "iat") != 0;
    if ((has_iat || rules->client_id) && (!take_time(c, "iat", &iat_s) || iat_s - JWT_SKEW_S > rules->now_s))
        return fault_set(f, ERR_DENIED, "it was made in the future, or does not say when");
    return OK;
}

static bool is_for(const struct jwt_claims *c, const char *audience, bool *ret_others) {
    size_t aud = json_member(&c->json, 0, "aud");
    *ret_others = false;
    if (!aud || c->json.token[aud].kind != JSON_ARRAY)
        return aud && json_is(&c->json, aud, audience);
    bool found = false;
    for (size_t i = aud + 1; i < c->json.token[aud].next; i = c->json.token[i].next) {
        bool same = json_is(&c->json, i, audience);
        found = found || same;
        *ret_others = *ret_others || !same;
    }
    return found;
}

static enum err check_parties(const struct jwt_claims *c, const struct jwt_rules *rules, struct fault *f) {
    bool others;
    size_t iss = json_member(&c->json, 0, "iss"), azp = json_member(&c->json, 0, "azp");
    size_t nonce = json_member(&c->json, 0, "nonce"), sub = json_member(&c->json, 0, "sub");
    if (!iss || !json_is(&c->json, iss, rules->issuer))
        return fault_set(f, ERR_DENIED, "it is of another issuer");
    if (!is_for(c, rules->audience, &others))
        return fault_set(f, ERR_DENIED, "it is not meant for us");
    if (!rules->client_id)
        return OK;
    if ((azp || others) && (!azp || !json_is(&c->json, azp, rules->client_id)))
        return fault_set(f, ERR_DENIED, "it was made for another client");
    if (!nonce || !json_is(&c->json, nonce, rules->nonce))
        return fault_set(f, ERR_DENIED, "it belongs to another sign-in");
    return sub && c->json.token[sub].kind == JSON_STRING ? OK : fault_set(f, ERR_DENIED, "it has no subject");
}

static enum err read_claims(struct jwt_claims *c, const struct jwt_rules *rules, struct fault *f) {
    struct fault why = {0};
    if (json_scan(buf_slice(&c->text), TOKENS_MAX, &why, &c->json) != OK)
        return fault_set(f, ERR_DENIED, "its claims cannot be understood");
    if (!is_sound(&c->json))
        return fault_set(f, ERR_DENIED, "its claims are no plain object");
    enum err e = check_parties(c, rules, f);
    return e == OK ? check_times(c, rules, f) : e;
}

static bool has_three_parts(struct slice jwt, struct slice *ret_header) {
    struct slice rest;
    *ret_header = slice_split(jwt, '.', &rest);
    struct slice claims = rest.p ? slice_split(rest, '.', &rest) : rest;
    uint8_t signature[NUMBER_BYTES_MAX];
    size_t n;
    return rest.p && ret_header->n > 0 && claims.n > 0 && rest.n > 0 &&
           base64url_decode(rest, signature, sizeof signature, &n);
}

enum err jwt_check(const struct jwks *jwks, struct slice jwt, const struct jwt_rules *rules, struct fault *f,
                   struct jwt_claims *ret_claims) {
    struct slice part;
    struct header h;
    struct jwt_claims c = {.text = BUF_INIT(JWT_CLAIMS_MAX)};
    if (jwt.n > JWT_MAX || !has_three_parts(jwt, &part))
        return fault_set(f, ERR_DENIED, "it is no signed token");
    enum err e = read_header(part, rules, &h, f);
    if (e == OK)
        e = check_signature(jwks, jwt, &h, &c.text, f);
    if (e == OK)
        e = read_claims(&c, rules, f);
    if (e == OK)
        *ret_claims = c;
    else
        jwt_claims_fini(&c);
    return e;
}

void jwt_claims_fini(struct jwt_claims *c) {
    if (c->json.token)
        json_fini(&c->json);
    buf_fini(&c->text);
}
