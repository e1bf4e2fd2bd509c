#include "base/base64url.h"

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

size_t base64url_encode(struct slice bytes, char *dst) {
    uint32_t bits = 0;
    unsigned have = 0;
    size_t n = 0;
    for (size_t i = 0; i < bytes.n; i++) {
        bits = bits << 8 | bytes.p[i];
        for (have += 8; have >= 6; have -= 6)
            dst[n++] = alphabet[bits >> (have - 6) & 63];
    }
    if (have > 0)
        dst[n++] = alphabet[bits << (6 - have) & 63];
    dst[n] = '\0';
    return n;
}

bool base64url_decode(struct slice text, uint8_t *dst, size_t cap, size_t *ret_n) {
    uint32_t bits = 0;
    unsigned have = 0;
    size_t n = 0;
    for (size_t i = 0; i < text.n; i++) {
        const char *at = text.p[i] ? strchr(alphabet, text.p[i]) : NULL;
        if (!at)
            return false;
        bits = bits << 6 | (uint32_t)(at - alphabet);
        have += 6;
        if (have < 8)
            continue;
        if (n == cap)
            return false;
        have -= 8;
        dst[n++] = (uint8_t)(bits >> have);
    }
    // A lone character, or bits that say nothing, would give one value several texts.
    if (have >= 6 || (bits & ((1u << have) - 1)) != 0)
        return false;
    *ret_n = n;
    return true;
}
