#include "provider.h"

#include <stdio.h>

enum { TOKENS_MAX = 4096 };

void provider_forget(struct provider *p) {
    jwks_fini(&p->jwks);
    *p = (struct provider){.settings_ms = 0};
}

static bool is_fresh(int64_t since_ms, int64_t now_ms, int64_t life_ms) {
    return since_ms != 0 && now_ms - since_ms < life_ms;
}

bool provider_is_usable(const struct provider *p, int64_t now_ms) {
    return is_fresh(p->settings_ms, now_ms, PROVIDER_STALE_MS) &&
           is_fresh(p->keys_ms, now_ms, PROVIDER_STALE_MS);
}

enum provider_need provider_needs(const struct provider *p, int64_t now_ms) {
    if (p->failed_ms != 0 && now_ms - p->failed_ms < PROVIDER_RETRY_MS)
        return PROVIDER_NEEDS_NOTHING;
    if (!is_fresh(p->settings_ms, now_ms, PROVIDER_FRESH_MS))
        return PROVIDER_NEEDS_SETTINGS;
    return is_fresh(p->keys_ms, now_ms, PROVIDER_FRESH_MS) ? PROVIDER_NEEDS_NOTHING : PROVIDER_NEEDS_KEYS;
}

bool provider_may_ask_keys(const struct provider *p, int64_t now_ms) {
    return p->settings_ms != 0 &&
           (p->keys_asked_ms == 0 || now_ms - p->keys_asked_ms >= PROVIDER_KEYS_AGAIN_MS);
}

bool provider_url_valid(struct slice url) {
    static const char *const loopback[] = {"http://127.0.0.1", "http://[::1]", "http://localhost"};
    bool good = url.n > 8 && memcmp(url.p, "https://", 8) == 0 && url.p[8] != '/';
    for (size_t i = 0; i < sizeof loopback / sizeof *loopback; i++) {
        size_t n = strlen(loopback[i]);
        good = good || (url.n >= n && memcmp(url.p, loopback[i], n) == 0 &&
                        (url.n == n || url.p[n] == ':' || url.p[n] == '/'));
    }
    for (size_t i = 0; i < url.n; i++)
        good = good && url.p[i] > 0x20 && url.p[i] < 0x7f && !strchr("@#\\\"<>", url.p[i]);
    return good && url.n <= PROVIDER_URL_MAX;
}

bool provider_url(const struct provider *p, const struct settings *s, enum provider_need need,
                  char ret_url[PROVIDER_URL_MAX + 1]) {
    if (need == PROVIDER_NEEDS_KEYS)
        return slice_to_cstr(slice_str(p->jwks_uri), ret_url, PROVIDER_URL_MAX + 1);
    struct slice issuer = slice_trim_right(slice_str(s->issuer), "/");
    int n =
        snprintf(ret_url, PROVIDER_URL_MAX + 1, "%.*s/.well-known/openid-configuration", SLICE_FMT(issuer));
    return n > 0 && n <= PROVIDER_URL_MAX;
}

static bool take_url(const struct json *j, const char *name, char dst[PROVIDER_URL_MAX + 1]) {
    struct buf b = BUF_INIT(PROVIDER_URL_MAX);
    size_t i = json_member(j, 0, name);
    if (i && j->token[i].kind == JSON_STRING)
        json_string(j, i, &b);
    bool good = buf_ok(&b) && provider_url_valid(buf_slice(&b)) &&
                slice_to_cstr(buf_slice(&b), dst, PROVIDER_URL_MAX + 1);
    buf_fini(&b);
    return good;
}

// OpenID Connect Discovery 3: when nothing is said it is client_secret_basic.
static bool wants_secret_in_body(const struct json *j) {
    size_t list = json_member(j, 0, "token_endpoint_auth_methods_supported");
    bool basic = !list || j->token[list].kind != JSON_ARRAY;
    for (size_t i = list + 1; !basic && i < j->token[list].next; i = j->token[i].next)
        basic = json_is(j, i, "client_secret_basic");
    return !basic;
}

static enum err take_settings(struct provider *p, const struct settings *s, const struct json *j,
                              struct fault *f) {
    struct provider fresh = *p;
    size_t issuer = json_member(j, 0, "issuer");
    if (!issuer || !json_is(j, issuer, s->issuer))
        return fault_set(f, ERR_CONFIG, "the provider calls itself otherwise than oidc.conf does (issuer)");
    if (!take_url(j, "authorization_endpoint", fresh.authorization) ||
        !take_url(j, "token_endpoint", fresh.token) || !take_url(j, "jwks_uri", fresh.jwks_uri))
        return fault_set(f, ERR_CONFIG, "the provider's settings lack an address that can be used");
    fresh.secret_in_body = wants_secret_in_body(j);
    *p = fresh;
    return OK;
}

static enum err take(struct provider *p, const struct settings *s, enum provider_need need, struct slice body,
                     struct fault *f) {
    if (need == PROVIDER_NEEDS_KEYS)
        return jwks_parse(&p->jwks, body, f);
    struct json j;
    enum err e = json_scan(body, TOKENS_MAX, f, &j);
    if (e != OK)
        return e;
    e = take_settings(p, s, &j, f);
    json_fini(&j);
    return e;
}

enum err provider_take(struct provider *p, const struct settings *s, enum provider_need need, unsigned status,
                       struct slice body, int64_t now_ms, struct fault *f) {
    enum err e = status == 200 ? take(p, s, need, body, f)
                               : fault_set(f, ERR_IO, "the sign-in provider answered with status %u", status);
    p->failed_ms = e == OK ? 0 : now_ms;
    if (e == OK && need == PROVIDER_NEEDS_KEYS)
        p->keys_ms = now_ms;
    else if (e == OK)
        p->settings_ms = now_ms;
    return e;
}
