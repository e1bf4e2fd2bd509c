// What auth reads of others: the provider's keys and settings, tokens (headers, claims and signatures,
// written plainly with line breaks between them, so that mutants get behind the base64), and records. The
// first byte says which.
#include "fuzz.h"

#include "auth/jwt.h"
#include "auth/provider.h"
#include "auth/settings.h"
#include "auth/totp.h"
#include "base/base64url.h"
#include "conf/token.h"

static const char key_set[] =
    "{\"keys\":[{\"kty\":\"RSA\",\"kid\":\"one\",\"e\":\"AQAB\",\"n\":\"mG81mk8_dmhjdgHWXgbyYUbKi2-58GV"
    "tWXrbAZjvf5hWfMEaCzT1EfusTza0kbfbZ9IT-_Y5j-jyIo9VgwHWtMSKcteS2E_VEjFZI7Po5jVC0iBBWJhy6agncFBPcyW7j"
    "nCApFhGfU2q36y0V1fPsbM1tmrgIqFwN0EeOVuxX4w6w_Qn0x1RCHQ8rOgiXL9QzKpEQpGBt1ZlVOABN8qYTxWg52whZF96Kw9"
    "cnLhoJYUlqnuRSWQ2ZMpTex61UBp4vW0jD7Q0KliakFn8dgF-kATDUbR1x96Zqm9GQGjnHWrjIGsnLCKZBNJBdJLMPL6DJGLID"
    "1N_0XJHXgT1ELRo5Q\"},{\"kty\":\"EC\",\"kid\":\"ec\",\"crv\":\"P-256\",\"x\":\"TI_vp7IDcORhxT1_pV1h"
    "OeGbNFejwyItnEOXIa5ARZo\",\"y\":\"eKDPSCHv-SkGkmN5GIxAeWjhidoRA4tyxSGsstSfacQ\"}]}";

static void check_token(struct slice text) {
    static struct jwks jwks;
    static const char algorithms[][8] = {"RS256", "PS256", "ES256"};
    struct jwt_rules rules = {algorithms, 3, "https://idp", "us", "us", "n", 1800000000};
    struct jwt_claims claims;
    struct fault f = {0};
    if (jwks.n == 0)
        FUZZ_CHECK(jwks_parse(&jwks, slice_str(key_set), &f) == OK && jwks.n == 2);
    // Nobody can sign for these keys, whatever the header says.
    FUZZ_CHECK(jwt_check(&jwks, text, &rules, &f, &claims) != OK);
}

static void assemble_token(struct slice text) {
    struct buf jwt = BUF_INIT(64 * 1024);
    char part[8192];
    for (int i = 0; text.p; i++) {
        struct slice line = slice_split(text, '\n', &text);
        if (i > 0)
            buf_u8(&jwt, '.');
        if (line.n <= 4096)
            buf_append(&jwt, part, base64url_encode(line, part));
    }
    check_token(buf_slice(&jwt));
    buf_fini(&jwt);
}

static void read_line(struct slice text) {
    struct conf_token t, again;
    if (!conf_token_line_parse(text, &t))
        return;
    struct buf b = BUF_INIT(8192);
    conf_token_line_put(&b, &t);
    FUZZ_CHECK(buf_ok(&b) && conf_token_line_parse(slice_sub(buf_slice(&b), 0, b.n - 1), &again));
    FUZZ_CHECK(again.can == t.can && again.expires_s == t.expires_s);
    buf_fini(&b);
}

static void read_provider(struct slice text) {
    struct provider p = {.settings_ms = 0};
    static const struct settings s = {.issuer = "https://idp"};
    struct fault f = {0};
    if (provider_take(&p, &s, PROVIDER_NEEDS_SETTINGS, 200, text, 1, &f) == OK)
        FUZZ_CHECK(provider_url_valid(slice_str(p.token)) && provider_url_valid(slice_str(p.jwks_uri)));
}

static void read_keys(struct slice text) {
    struct jwks jwks = {.n = 0};
    struct fault f = {0};
    FUZZ_CHECK((jwks_parse(&jwks, text, &f) == OK) == (jwks.n > 0));
    jwks_fini(&jwks);
}

static void read_texts(struct slice text) {
    uint8_t bytes[4096];
    char back[8192];
    size_t n;
    static struct settings s;
    struct fault f = {0};
    if (base64url_decode(text, bytes, sizeof bytes, &n)) {
        base64url_encode(slice_of(bytes, n), back);
        FUZZ_CHECK(slice_eq_str(text, back));
    }
    (void)base32_decode(text, bytes, sizeof bytes, &n);
    (void)settings_parse(&s, text, &f);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n) {
    struct slice text = slice_of(n ? data + 1 : data, n ? n - 1 : 0);
    switch (n ? data[0] % 6 : 5) {
    case 0:
        check_token(text);
        break;
    case 1:
        assemble_token(text);
        break;
    case 2:
        read_line(text);
        break;
    case 3:
        read_provider(text);
        break;
    case 4:
        read_keys(text);
        break;
    default:
        read_texts(text);
    }
    return 0;
}
