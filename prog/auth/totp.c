#include "totp.h"

#include "secrets.h"

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

void base32_encode(struct slice bytes, char *dst) {
    size_t n = 0;
    for (size_t i = 0; i + 5 <= bytes.n; i += 5) {
        uint64_t group = 0;
        for (size_t k = 0; k < 5; k++)
            group = group << 8 | bytes.p[i + k];
        for (int shift = 35; shift >= 0; shift -= 5)
            dst[n++] = alphabet[group >> shift & 31];
    }
    dst[n] = '\0';
}

bool base32_decode(struct slice text, uint8_t *dst, size_t cap, size_t *ret_n) {
    uint32_t bits = 0;
    unsigned have = 0;
    size_t n = 0;
    for (size_t i = 0; i < text.n; i++) {
        const char *at = text.p[i] ? strchr(alphabet, text.p[i]) : NULL;
        if (!at)
            return false;
        bits = bits << 5 | (uint32_t)(at - alphabet);
        have += 5;
        if (have < 8)
            continue;
        if (n == cap)
            return false;
        have -= 8;
        dst[n++] = (uint8_t)(bits >> have);
    }
    *ret_n = n;
    return n > 0 && have < 5 && (bits & ((1u << have) - 1)) == 0;
}

// RFC 4226 5.3: dynamic truncation.
uint32_t totp_code(const uint8_t *secret, size_t n, int64_t step) {
    uint8_t counter[8], mac[DIGEST_SHA1_BYTES];
    for (int i = 0; i < 8; i++)
        counter[i] = (uint8_t)((uint64_t)step >> (56 - 8 * i));
    digest_hmac_sha1(slice_of(secret, n), slice_of(counter, sizeof counter), mac);
    const uint8_t *p = mac + (mac[19] & 15);
    uint32_t word = (uint32_t)(p[0] & 0x7f) << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
    return word % 1000000;
}

static bool parse_code(struct slice code, uint32_t *ret_code) {
    unsigned digits = 0;
    uint32_t value = 0;
    for (size_t i = 0; i < code.n; i++) {
        if (code.p[i] == ' ')
            continue;
        if (code.p[i] < '0' || code.p[i] > '9' || ++digits > TOTP_DIGITS)
            return false;
        value = value * 10 + (uint32_t)(code.p[i] - '0');
    }
    *ret_code = value;
    return digits == TOTP_DIGITS;
}

bool totp_check(struct slice secret, struct slice code, int64_t wall_ms, int64_t after, int64_t *ret_step) {
    uint32_t wanted;
    int64_t now = wall_ms / 1000 / TOTP_STEP_S;
    if (!parse_code(code, &wanted))
        return false;
    bool found = false;
    for (int64_t step = now - TOTP_WINDOW; step <= now + TOTP_WINDOW; step++)
        if (totp_code(secret.p, secret.n, step) == wanted && step > after) {
            *ret_step = step;
            found = true;
        }
    return found;
}

static void put_escaped(struct buf *b, struct slice text) {
    for (size_t i = 0; i < text.n; i++) {
        uint8_t c = text.p[i];
        bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                     (c && strchr("-._~", c));
        buf_printf(b, plain ? "%c" : "%%%02X", c);
    }
}

bool totp_uri(const char *secret_text, struct slice issuer, struct slice user,
              char ret_uri[TOTP_URI_MAX + 1]) {
    struct buf b = BUF_INIT(TOTP_URI_MAX);
    buf_append_str(&b, "otpauth://totp/");
    put_escaped(&b, issuer);
    buf_append_str(&b, ":");
    put_escaped(&b, user);
    buf_printf(&b, "?secret=%s&issuer=", secret_text);
    put_escaped(&b, issuer);
    bool ok = buf_ok(&b) && slice_to_cstr(buf_slice(&b), ret_uri, TOTP_URI_MAX + 1);
    if (b.p)
        explicit_bzero(b.p, b.n);
    buf_fini(&b);
    return ok;
}

static size_t place_of(const uint8_t user[DIGEST_SHA256_BYTES]) {
    size_t at;
    memcpy(&at, user, sizeof at);
    return at % TOTP_USED_MAX;
}

int64_t totp_used_last(const struct totp_used *used, struct slice user) {
    uint8_t digest[DIGEST_SHA256_BYTES];
    digest_sha256(user, digest);
    for (size_t i = 0, at = place_of(digest); i < 8; i++, at = (at + 1) % TOTP_USED_MAX)
        if (memcmp(used->v[at].user, digest, DIGEST_SHA256_BYTES) == 0)
            return used->v[at].step;
    return INT64_MIN;
}

// Eight places for each name; the one that was used longest ago makes room.
void totp_used_note(struct totp_used *used, struct slice user, int64_t step) {
    uint8_t digest[DIGEST_SHA256_BYTES];
    digest_sha256(user, digest);
    size_t best = place_of(digest);
    for (size_t i = 0, at = best; i < 8; i++, at = (at + 1) % TOTP_USED_MAX) {
        if (memcmp(used->v[at].user, digest, DIGEST_SHA256_BYTES) == 0) {
            best = at;
            break;
        }
        if (used->v[at].step < used->v[best].step)
            best = at;
    }
    memcpy(used->v[best].user, digest, DIGEST_SHA256_BYTES);
    used->v[best].step = step;
}
