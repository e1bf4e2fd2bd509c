#include "oidc_state.h"

#include "base/base64url.h"

enum { RANDOM_BYTES = 12, TIME_BYTES = 4, HEAD_BYTES = RANDOM_BYTES + TIME_BYTES };

static void mac_of(const uint8_t key[32], const char *what, struct slice text,
                   uint8_t ret_mac[DIGEST_SHA256_BYTES]) {
    uint8_t purpose[DIGEST_SHA256_BYTES];
    digest_hmac_sha256(slice_of(key, 32), slice_str(what), purpose);
    digest_hmac_sha256(slice_of(purpose, sizeof purpose), text, ret_mac);
    explicit_bzero(purpose, sizeof purpose);
}

void oidc_state_make(const uint8_t key[32], int64_t wall_s, char ret_state[OIDC_STATE_CHARS + 1]) {
    uint8_t state[HEAD_BYTES + DIGEST_SHA256_BYTES];
    uint32_t time = (uint32_t)wall_s;
    secrets_random(state, RANDOM_BYTES);
    memcpy(state + RANDOM_BYTES, &time, sizeof time);
    mac_of(key, "state", slice_of(state, HEAD_BYTES), state + HEAD_BYTES);
    base64url_encode(slice_of(state, sizeof state), ret_state);
}

bool oidc_state_check(const uint8_t key[32], struct slice state, int64_t wall_s) {
    uint8_t got[HEAD_BYTES + DIGEST_SHA256_BYTES], mac[DIGEST_SHA256_BYTES];
    size_t n;
    if (!base64url_decode(state, got, sizeof got, &n) || n != sizeof got)
        return false;
    uint32_t made;
    memcpy(&made, got + RANDOM_BYTES, sizeof made);
    mac_of(key, "state", slice_of(got, HEAD_BYTES), mac);
    return secrets_equal(slice_of(mac, sizeof mac), slice_of(got + HEAD_BYTES, DIGEST_SHA256_BYTES)) &&
           wall_s - made <= OIDC_STATE_LIFE_S && made - wall_s <= 1;
}

void oidc_state_derive(const uint8_t key[32], struct slice state, const char *what,
                       char ret_text[SECRET_CHARS + 1]) {
    uint8_t mac[DIGEST_SHA256_BYTES];
    mac_of(key, what, state, mac);
    base64url_encode(slice_of(mac, sizeof mac), ret_text);
    explicit_bzero(mac, sizeof mac);
}

void oidc_put_escaped(struct buf *b, struct slice text) {
    for (size_t i = 0; i < text.n; i++) {
        uint8_t c = text.p[i];
        bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                     (c && strchr("-._~", c));
        buf_printf(b, plain ? "%c" : "%%%02X", c);
    }
}
