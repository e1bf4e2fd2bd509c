// What the sign-in provider says of itself: where to send browsers, where to redeem codes, its keys. No
// I/O: says what is to be fetched next, takes what came.
#ifndef AUTH_PROVIDER_H
#define AUTH_PROVIDER_H

#include "jwt.h"
#include "settings.h"

enum {
    PROVIDER_URL_MAX = 1024,
    PROVIDER_FRESH_MS = 3600000,      // settings and keys, before they are fetched again
    PROVIDER_STALE_MS = 24 * 3600000, // the longest they are used when that fails
    PROVIDER_RETRY_MS = 10000,        // after a failure
    PROVIDER_KEYS_AGAIN_MS = 30000,   // for a key that is not known, not more often
};

enum provider_need { PROVIDER_NEEDS_NOTHING, PROVIDER_NEEDS_SETTINGS, PROVIDER_NEEDS_KEYS };

struct provider {
    char authorization[PROVIDER_URL_MAX + 1], token[PROVIDER_URL_MAX + 1], jwks_uri[PROVIDER_URL_MAX + 1];
    bool secret_in_body; // client_secret_post: where the provider does not know client_secret_basic
    struct jwks jwks;
    int64_t settings_ms, keys_ms; // when they came; 0: not yet
    int64_t keys_asked_ms;        // when they were last asked for
    int64_t failed_ms;            // the last failure since something came; 0: none
    enum provider_need fetching;
};

void provider_forget(struct provider *p);
// What must be fetched before it can be used. What is merely not fresh is fetched too, if nothing failed
// just now.
enum provider_need provider_needs(const struct provider *p, int64_t now_ms);
bool provider_is_usable(const struct provider *p, int64_t now_ms);
bool provider_may_ask_keys(const struct provider *p, int64_t now_ms); // because of an unknown key
// The URL of what is to be fetched.
bool provider_url(const struct provider *p, const struct settings *s, enum provider_need need,
                  char ret_url[PROVIDER_URL_MAX + 1]);
// What came, or failed (status other than 200).
enum err provider_take(struct provider *p, const struct settings *s, enum provider_need need, unsigned status,
                       struct slice body, int64_t now_ms, struct fault *f);

// https, or http on a loopback address: as conf_oidc_url_valid(), but as long as PROVIDER_URL_MAX, with a
// query.
bool provider_url_valid(struct slice url);

#endif
