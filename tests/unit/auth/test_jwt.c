// Tokens of the sign-in provider, and all the ways in which one can be wrong. The keys are made here.
#include "auth/jwt.h"
#include "auth/oidc_state.h"
#include "auth/provider.h"

#include "base/base64url.h"

#include <cjose/jws.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

enum { NOW = 1800000000 };
static cjose_jwk_t *rsa, *other_rsa, *ec, *ec384;
static struct jwks jwks;

static char *public_json(cjose_jwk_t *key, const char *kid, const char *more) {
    cjose_err err;
    char *text = cjose_jwk_to_json(key, false, &err), *joined = NULL;
    assert_non_null(text);
    text[strlen(text) - 1] = '\0'; // without the brace
    assert_true(asprintf(&joined, "%s,\"kid\":\"%s\"%s}", text, kid, more) > 0);
    free(text);
    return joined;
}

static void load_keys(const char *kid) {
    char *one = public_json(rsa, kid, ",\"use\":\"sig\""), *two = public_json(ec, "ec", ",\"alg\":\"ES256\""),
         *set;
    struct fault f = {0};
    assert_true(asprintf(&set, "{\"keys\":[{\"kty\":\"oct\",\"k\":\"AAAA\",\"kid\":\"%s\"},%s,%s]}", kid, one,
                         two) > 0);
    assert_int_equal(jwks_parse(&jwks, slice_str(set), &f), OK);
    assert_int_equal(jwks.n, 2);
    free(one);
    free(two);
    free(set);
}

static char *sign(cjose_jwk_t *key, const char *alg, const char *kid, const char *claims) {
    cjose_err err;
    const char *text;
    cjose_header_t *h = cjose_header_new(&err);
    cjose_header_set(h, "alg", alg, &err);
    if (kid)
        cjose_header_set(h, "kid", kid, &err);
    cjose_jws_t *jws = cjose_jws_sign(key, h, (const uint8_t *)claims, strlen(claims), &err);
    assert_non_null(jws);
    assert_true(cjose_jws_export(jws, &text, &err));
    char *copy = strdup(text);
    cjose_jws_release(jws);
    cjose_header_release(h);
    return copy;
}

#define GOOD                                                                                                 \
    "\"iss\":\"https://"                                                                                     \
    "idp\",\"sub\":\"1\",\"aud\":\"us\",\"exp\":1800000300,\"iat\":1799999990,\"nonce\":\"n\""

static const char algorithms[][8] = {"RS256", "PS256", "ES256"};

static struct jwt_rules id_token(void) {
    return (struct jwt_rules){.algorithms = algorithms,
                              .algorithm_count = 3,
                              .issuer = "https://idp",
                              .audience = "us",
                              .client_id = "us",
                              .nonce = "n",
                              .now_s = NOW};
}

static enum err check(const char *text, const struct jwt_rules *rules) {
    struct jwt_claims c = {.expires_s = 0};
    struct fault f = {0};
    enum err e = jwt_check(&jwks, slice_str(text), rules, &f, &c);
    if (e == OK)
        jwt_claims_fini(&c);
    else
        assert_true(f.detail[0] != '\0');
    return e;
}

static const struct {
    const char *name, *claims;
    bool id, bearer; // good as an ID token, as a bearer token
} claims[] = {
    {"good", "{" GOOD "}", true, true},
    {"no nonce",
     "{\"iss\":\"https://idp\",\"sub\":\"1\",\"aud\":\"us\",\"exp\":1800000300,\"iat\":1799999990}", false,
     true},
    {"another nonce",
     "{\"iss\":\"https://"
     "idp\",\"sub\":\"1\",\"aud\":\"us\",\"exp\":1800000300,\"iat\":1799999990,\"nonce\":\"m\"}",
     false, true},
    {"another issuer",
     "{\"iss\":\"https://idp/\",\"sub\":\"1\",\"aud\":\"us\",\"exp\":1800000300,\"iat\":1,\"nonce\":\"n\"}",
     false, false},
    {"issuer is a list",
     "{\"iss\":[\"https://idp\"],\"sub\":\"1\",\"aud\":\"us\",\"exp\":1800000300,\"iat\":1,\"nonce\":\"n\"}",
     false, false},
    {"issuer twice", "{" GOOD ",\"iss\":\"https://idp\"}", false, false},
    {"another audience",
     "{\"iss\":\"https://idp\",\"sub\":\"1\",\"aud\":\"them\",\"exp\":1800000300,\"iat\":1,\"nonce\":\"n\"}",
     false, false},
    {"no audience", "{\"iss\":\"https://idp\",\"sub\":\"1\",\"exp\":1800000300,\"iat\":1,\"nonce\":\"n\"}",
     false, false},
    {"audience is a list of us",
     "{\"iss\":\"https://idp\",\"sub\":\"1\",\"aud\":[\"us\"],\"exp\":1800000300,\"iat\":1,\"nonce\":\"n\"}",
     true, true},
    {"audience is an empty list",
     "{\"iss\":\"https://idp\",\"sub\":\"1\",\"aud\":[],\"exp\":1800000300,\"iat\":1,\"nonce\":\"n\"}", false,
     false},
    {"audience is us in an object",
     "{\"iss\":\"https://"
     "idp\",\"sub\":\"1\",\"aud\":{\"us\":\"us\"},\"exp\":1800000300,\"iat\":1,\"nonce\":\"n\"}",
     false, false},
    {"others too, without azp",
     "{\"iss\":\"https://"
     "idp\",\"sub\":\"1\",\"aud\":[\"us\",\"x\"],\"exp\":1800000300,\"iat\":1,\"nonce\":\"n\"}",
     false, true},
    {"others too, azp is us",
     "{\"iss\":\"https://"
     "idp\",\"sub\":\"1\",\"aud\":[\"us\",\"x\"],\"azp\":\"us\",\"exp\":1800000300,\"iat\":1,"
     "\"nonce\":\"n\"}",
     true, true},
    {"azp is another", "{" GOOD ",\"azp\":\"them\"}", false, true},
    {"no expiry", "{\"iss\":\"https://idp\",\"sub\":\"1\",\"aud\":\"us\",\"iat\":1,\"nonce\":\"n\"}", false,
     false},
    {"expiry is a text",
     "{\"iss\":\"https://"
     "idp\",\"sub\":\"1\",\"aud\":\"us\",\"exp\":\"1800000300\",\"iat\":1,\"nonce\":\"n\"}",
     false, false},
    {"expiry is negative",
     "{\"iss\":\"https://idp\",\"sub\":\"1\",\"aud\":\"us\",\"exp\":-1,\"iat\":1,\"nonce\":\"n\"}", false,
     false},
    {"expiry is huge",
     "{\"iss\":\"https://idp\",\"sub\":\"1\",\"aud\":\"us\",\"exp\":1e300,\"iat\":1,\"nonce\":\"n\"}", false,
     false},
    {"expired 59 s ago",
     "{\"iss\":\"https://idp\",\"sub\":\"1\",\"aud\":\"us\",\"exp\":1799999941,\"iat\":1,\"nonce\":\"n\"}",
     true, true},
    {"expired 60 s ago",
     "{\"iss\":\"https://idp\",\"sub\":\"1\",\"aud\":\"us\",\"exp\":1799999940,\"iat\":1,\"nonce\":\"n\"}",
     false, false},
    {"good in 60 s", "{" GOOD ",\"nbf\":1800000060}", true, true},
    {"good in 61 s", "{" GOOD ",\"nbf\":1800000061}", false, false},
    {"nbf is a text", "{" GOOD ",\"nbf\":\"1\"}", false, false},
    {"made in the future",
     "{\"iss\":\"https://"
     "idp\",\"sub\":\"1\",\"aud\":\"us\",\"exp\":1800000300,\"iat\":1800000061,\"nonce\":\"n\"}",
     false, false},
    {"does not say when it was made",
     "{\"iss\":\"https://idp\",\"sub\":\"1\",\"aud\":\"us\",\"exp\":1800000300,\"nonce\":\"n\"}", false,
     true},
    {"no subject", "{\"iss\":\"https://idp\",\"aud\":\"us\",\"exp\":1800000300,\"iat\":1,\"nonce\":\"n\"}",
     false, true},
    {"an escaped name", "{" GOOD ",\"\\u0061zp\":\"us\"}", false, false},
    {"no object", "[1]", false, false},
    {"no JSON", "{" GOOD "} ,", false, false},
};

static void test_claims(void **state) {
    (void)state;
    struct jwt_rules id = id_token(), bearer = id_token();
    bearer.client_id = bearer.nonce = NULL;
    for (size_t i = 0; i < sizeof claims / sizeof *claims; i++) {
        char *text = sign(rsa, "RS256", "one", claims[i].claims);
        if ((check(text, &id) == OK) != claims[i].id)
            fail_msg("as an ID token: %s", claims[i].name);
        if ((check(text, &bearer) == OK) != claims[i].bearer)
            fail_msg("as a bearer token: %s", claims[i].name);
        free(text);
    }
}

// A token of any header with the claims and signature given.
static char *assemble(const char *header, const char *body, const char *signature) {
    char h[4096], c[4096], *text;
    base64url_encode(slice_str(header), h);
    base64url_encode(slice_str(body), c);
    assert_true(asprintf(&text, "%s.%s.%s", h, c, signature) > 0);
    return text;
}

static const struct {
    const char *name, *header;
} headers[] = {
    {"none", "{\"alg\":\"none\"}"},
    {"None", "{\"alg\":\"None\",\"kid\":\"one\"}"},
    {"an HMAC with the public key", "{\"alg\":\"HS256\",\"kid\":\"one\"}"},
    {"RS384 is not allowed", "{\"alg\":\"RS384\",\"kid\":\"one\"}"},
    {"no algorithm", "{\"kid\":\"one\"}"},
    {"algorithm twice", "{\"alg\":\"RS256\",\"alg\":\"none\",\"kid\":\"one\"}"},
    {"algorithm twice, escaped", "{\"alg\":\"RS256\",\"\\u0061lg\":\"none\",\"kid\":\"one\"}"},
    {"algorithm is a list", "{\"alg\":[\"RS256\"],\"kid\":\"one\"}"},
    {"algorithm with a NUL", "{\"alg\":\"RS256\\u0000\",\"kid\":\"one\"}"},
    {"an elliptic key for RSA", "{\"alg\":\"RS256\",\"kid\":\"ec\"}"},
    {"an RSA key for an elliptic curve", "{\"alg\":\"ES256\",\"kid\":\"one\"}"},
    {"critical", "{\"alg\":\"RS256\",\"kid\":\"one\",\"crit\":[\"exp\"]}"},
    {"not encoded", "{\"alg\":\"RS256\",\"kid\":\"one\",\"b64\":false}"},
    {"packed", "{\"alg\":\"RS256\",\"kid\":\"one\",\"zip\":\"DEF\"}"},
    {"a path", "{\"alg\":\"RS256\",\"kid\":\"../../../dev/null\"}"},
    {"an address", "{\"alg\":\"RS256\",\"kid\":\"https://evil/key\"}"},
    {"a query", "{\"alg\":\"RS256\",\"kid\":\"' OR 1=1 --\"}"},
    {"a number", "{\"alg\":\"RS256\",\"kid\":1}"},
    {"a long name",
     "{\"alg\":\"RS256\",\"kid\":\"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
     "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\"}"},
    {"no object", "[\"RS256\"]"},
    {"no JSON", "alg=RS256"},
    {"empty", ""},
    {"a signature of other bytes", "{\"alg\":\"RS256\",\"kid\":\"one\"}"},
    {"the same, without a key's name", "{\"alg\":\"RS256\"}"},
};

static void test_headers(void **state) {
    (void)state;
    struct jwt_rules rules = id_token();
    char *good = sign(rsa, "RS256", "one", "{" GOOD "}");
    assert_int_equal(check(good, &rules), OK);
    for (size_t i = 0; i < sizeof headers / sizeof *headers; i++) {
        // With the signature of another token, with an empty one, and with nonsense.
        const char *const signatures[] = {strrchr(good, '.') + 1, "", "AAAA"};
        for (size_t k = 0; k < 3; k++) {
            char *text = assemble(headers[i].header, "{" GOOD ",\"x\":1}", signatures[k]);
            if (check(text, &rules) == OK)
                fail_msg("%s, signature %zu", headers[i].name, k);
            free(text);
        }
    }
    free(good);
}

// The classic: the public key, which everyone has, as the secret of an HMAC.
static void test_the_public_key_is_no_secret(void **state) {
    (void)state;
    cjose_err err;
    struct jwt_rules rules = id_token();
    char *json = cjose_jwk_to_json(rsa, false, &err);
    cjose_jwk_t *oct = cjose_jwk_create_oct_spec((const uint8_t *)json, strlen(json), &err);
    char *text = sign(oct, "HS256", "one", "{" GOOD "}");
    assert_int_equal(check(text, &rules), ERR_DENIED);
    cjose_jwk_release(oct);
    free(text);
    free(json);
}

// Keys that a token brings along are not looked at.
static void test_embedded_keys(void **state) {
    (void)state;
    cjose_err err;
    struct jwt_rules rules = id_token();
    const char *text;
    static const char *const names[] = {"jwk", "jku", "x5u", "x5c"};
    char *json = cjose_jwk_to_json(other_rsa, false, &err);
    for (size_t i = 0; i < 4; i++) {
        cjose_header_t *h = cjose_header_new(&err);
        cjose_header_set(h, "alg", "RS256", &err);
        cjose_header_set(h, "kid", "one", &err);
        if (i == 0)
            cjose_header_set_raw(h, "jwk", json, &err);
        else
            cjose_header_set(h, names[i], "https://evil/keys", &err);
        cjose_jws_t *jws =
            cjose_jws_sign(other_rsa, h, (const uint8_t *)"{" GOOD "}", strlen("{" GOOD "}"), &err);
        assert_true(cjose_jws_export(jws, &text, &err));
        assert_int_equal(check(text, &rules), ERR_DENIED);
        cjose_jws_release(jws);
        cjose_header_release(h);
    }
    free(json);
}

static void test_algorithms(void **state) {
    (void)state;
    struct jwt_rules rules = id_token();
    struct {
        cjose_jwk_t *key;
        const char *alg, *kid;
        enum err expected;
    } cases[] = {
        {rsa, "RS256", "one", OK},
        {rsa, "PS256", "one", OK},
        {ec, "ES256", "ec", OK},
        {rsa, "RS256", NULL, OK}, // the only one of its kind
        {ec, "ES256", NULL, OK},
        {rsa, "RS512", "one", ERR_DENIED}, // not in the list
        {ec384, "ES384", "ec", ERR_DENIED},
        {other_rsa, "RS256", "one", ERR_DENIED}, // somebody else's key under a known name
        {other_rsa, "RS256", NULL, ERR_DENIED},
        {other_rsa, "RS256", "two", ERR_NO_SUCH_OBJECT},
        {rsa, "RS256", "ec", ERR_NO_SUCH_OBJECT},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char *text = sign(cases[i].key, cases[i].alg, cases[i].kid, "{" GOOD "}");
        enum err e = check(text, &rules);
        if (e != cases[i].expected)
            fail_msg("%zu: %s of %s: %s", i, cases[i].alg, cases[i].kid ? cases[i].kid : "nothing",
                     err_name(e));
        free(text);
    }
}

static void test_rotation(void **state) {
    (void)state;
    struct jwt_rules rules = id_token();
    char *text = sign(rsa, "RS256", "two", "{" GOOD "}");
    assert_int_equal(check(text, &rules), ERR_NO_SUCH_OBJECT);
    load_keys("two");
    assert_int_equal(check(text, &rules), OK);
    load_keys("one");
    assert_int_equal(check(text, &rules), ERR_NO_SUCH_OBJECT); // and the old one is gone
    free(text);
}

static void test_shapes(void **state) {
    (void)state;
    struct jwt_rules rules = id_token();
    static char longest[JWT_MAX + 2];
    memset(longest, 'A', sizeof longest - 1);
    const char *const wrong[] = {"", ".", "..", "...", "a.b", "a.b.c.d", "e30.e30.e30", "e30.e30.", longest};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        assert_int_equal(check(wrong[i], &rules), ERR_DENIED);
    char *good = sign(rsa, "RS256", "one", "{" GOOD "}");
    for (size_t i = 0, n = strlen(good); i < n; i += 7) { // each part counts
        char kept = good[i];
        good[i] = kept == 'Q' ? 'R' : 'Q';
        if (check(good, &rules) == OK)
            fail_msg("byte %zu changed", i);
        good[i] = kept;
    }
    assert_int_equal(check(good, &rules), OK);
    free(good);
}

static const struct {
    const char *name, *text;
} key_sets[] = {
    {"empty", ""},
    {"no set", "{}"},
    {"no keys", "{\"keys\":[]}"},
    {"secret keys only", "{\"keys\":[{\"kty\":\"oct\",\"k\":\"AAAA\"}]}"},
    {"a short key", "{\"keys\":[{\"kty\":\"RSA\",\"n\":\"AQAB\",\"e\":\"AQAB\"}]}"},
    {"a key of no curve", "{\"keys\":[{\"kty\":\"EC\",\"crv\":\"P-999\",\"x\":\"AQAB\",\"y\":\"AQAB\"}]}"},
    {"a point that is none",
     "{\"keys\":[{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\""
     ",\"y\":\"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\"}]}"},
    {"keys are no list", "{\"keys\":{\"kty\":\"RSA\"}}"},
    {"a key that is no object", "{\"keys\":[1,\"x\",null,[]]}"},
};

static void test_key_sets(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof key_sets / sizeof *key_sets; i++) {
        struct fault f = {0};
        if (jwks_parse(&jwks, slice_str(key_sets[i].text), &f) == OK)
            fail_msg("%s", key_sets[i].name);
        assert_int_equal(jwks.n, 2); // the old ones stay
    }
}

static void test_claim_paths(void **state) {
    (void)state;
    struct jwt_rules rules = id_token();
    struct jwt_claims c;
    struct fault f = {0};
    char *text = sign(rsa, "RS256", "one", "{" GOOD ",\"realm_access\":{\"roles\":[\"a\"]}}");
    assert_int_equal(jwt_check(&jwks, slice_str(text), &rules, &f, &c), OK);
    size_t at = jwt_claim(&c, "realm_access.roles");
    assert_true(at && c.json.token[at].kind == JSON_ARRAY);
    assert_int_equal(jwt_claim(&c, "realm_access.groups"), 0);
    assert_int_equal(jwt_claim(&c, "iss.x"), 0);
    assert_int_equal(jwt_claim(&c, ""), 0);
    jwt_claims_fini(&c);
    free(text);
}

// --- the provider's settings

#define DISCOVERY(issuer, token)                                                                             \
    "{\"issuer\":\"" issuer "\",\"authorization_endpoint\":\"https://idp/auth\",\"token_endpoint\":\"" token \
    "\",\"jwks_uri\":\"https://idp/keys\"}"

static void test_provider(void **state) {
    (void)state;
    static struct provider p;
    static struct settings s = {.issuer = "https://idp"};
    struct fault f = {0};
    char url[PROVIDER_URL_MAX + 1];
    assert_int_equal(provider_needs(&p, 1000), PROVIDER_NEEDS_SETTINGS);
    assert_true(provider_url(&p, &s, PROVIDER_NEEDS_SETTINGS, url));
    assert_string_equal(url, "https://idp/.well-known/openid-configuration");
    static const char *const wrong[] = {DISCOVERY("https://evil", "https://idp/token"),
                                        DISCOVERY("https://idp", "http://idp/token"),
                                        DISCOVERY("https://idp", "file:///etc/passwd"),
                                        DISCOVERY("https://idp", "https://idp@evil/"),
                                        "{}",
                                        "x"};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        if (provider_take(&p, &s, PROVIDER_NEEDS_SETTINGS, 200, slice_str(wrong[i]), 1000, &f) == OK)
            fail_msg("%s", wrong[i]);
    assert_int_equal(provider_needs(&p, 1001), PROVIDER_NEEDS_NOTHING); // not at once again
    assert_false(provider_is_usable(&p, 1001));
    int64_t now_ms = 1000 + PROVIDER_RETRY_MS;
    assert_int_equal(provider_needs(&p, now_ms), PROVIDER_NEEDS_SETTINGS);
    f = (struct fault){0};
    assert_int_equal(provider_take(&p, &s, PROVIDER_NEEDS_SETTINGS, 200,
                                   SLICE_LIT(DISCOVERY("https://idp", "https://idp/token")), now_ms, &f),
                     OK);
    assert_int_equal(provider_needs(&p, now_ms), PROVIDER_NEEDS_KEYS);
    char *key = public_json(rsa, "one", ""), *set;
    assert_true(asprintf(&set, "{\"keys\":[%s]}", key) > 0);
    f = (struct fault){0};
    assert_int_equal(provider_take(&p, &s, PROVIDER_NEEDS_KEYS, 404, slice_str(set), now_ms, &f), ERR_IO);
    f = (struct fault){0};
    assert_int_equal(provider_take(&p, &s, PROVIDER_NEEDS_KEYS, 200, slice_str(set), now_ms, &f), OK);
    assert_true(provider_is_usable(&p, now_ms));
    p.keys_asked_ms = now_ms;
    assert_false(provider_may_ask_keys(&p, now_ms + PROVIDER_KEYS_AGAIN_MS - 1));
    assert_true(provider_may_ask_keys(&p, now_ms + PROVIDER_KEYS_AGAIN_MS));
    assert_int_equal(provider_needs(&p, now_ms + PROVIDER_FRESH_MS), PROVIDER_NEEDS_SETTINGS);
    assert_true(provider_is_usable(&p, now_ms + PROVIDER_FRESH_MS)); // meanwhile, or if it cannot be reached
    assert_false(provider_is_usable(&p, now_ms + PROVIDER_STALE_MS));
    provider_forget(&p);
    free(key);
    free(set);
}

static void test_states(void **state) {
    (void)state;
    const uint8_t key[32] = {1}, other[32] = {2};
    char text[OIDC_STATE_CHARS + 1], another[OIDC_STATE_CHARS + 1], a[SECRET_CHARS + 1], b[SECRET_CHARS + 1];
    oidc_state_make(key, NOW, text);
    oidc_state_make(key, NOW, another);
    assert_string_not_equal(text, another);
    assert_true(oidc_state_check(key, slice_str(text), NOW));
    assert_true(oidc_state_check(key, slice_str(text), NOW + OIDC_STATE_LIFE_S));
    assert_false(oidc_state_check(key, slice_str(text), NOW + OIDC_STATE_LIFE_S + 1));
    assert_false(oidc_state_check(other, slice_str(text), NOW));
    assert_false(oidc_state_check(key, SLICE_LIT(""), NOW));
    oidc_state_derive(key, slice_str(text), "nonce", a);
    oidc_state_derive(key, slice_str(text), "verifier", b);
    assert_string_not_equal(a, b);
    oidc_state_derive(key, slice_str(another), "nonce", b);
    assert_string_not_equal(a, b);
    text[30] = text[30] == 'A' ? 'B' : 'A';
    assert_false(oidc_state_check(key, slice_str(text), NOW));
}

static int make_keys(void **state) {
    (void)state;
    cjose_err err;
    uint8_t e[] = {1, 0, 1};
    rsa = cjose_jwk_create_RSA_random(2048, e, sizeof e, &err);
    other_rsa = cjose_jwk_create_RSA_random(2048, e, sizeof e, &err);
    ec = cjose_jwk_create_EC_random(CJOSE_JWK_EC_P_256, &err);
    ec384 = cjose_jwk_create_EC_random(CJOSE_JWK_EC_P_384, &err);
    load_keys("one");
    return 0;
}

static int drop_keys(void **state) {
    (void)state;
    jwks_fini(&jwks);
    cjose_jwk_release(rsa);
    cjose_jwk_release(other_rsa);
    cjose_jwk_release(ec);
    cjose_jwk_release(ec384);
    return 0;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_claims),
        cmocka_unit_test(test_headers),
        cmocka_unit_test(test_the_public_key_is_no_secret),
        cmocka_unit_test(test_embedded_keys),
        cmocka_unit_test(test_algorithms),
        cmocka_unit_test(test_rotation),
        cmocka_unit_test(test_shapes),
        cmocka_unit_test(test_key_sets),
        cmocka_unit_test(test_claim_paths),
        cmocka_unit_test(test_provider),
        cmocka_unit_test(test_states),
    };
    return cmocka_run_group_tests(tests, make_keys, drop_keys);
}
