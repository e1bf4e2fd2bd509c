#include "base/utf8.h"

size_t utf8_decode(struct slice s, uint32_t *ret_char) {
    if (s.n == 0)
        return 0;
    uint8_t b = s.p[0];
    if (b < 0x80) {
        *ret_char = b;
        return 1;
    }
    size_t len = (b & 0xE0) == 0xC0 ? 2 : (b & 0xF0) == 0xE0 ? 3 : (b & 0xF8) == 0xF0 ? 4 : 0;
    if (len == 0 || s.n < len)
        return 0;
    uint32_t c = b & (0x7Fu >> len);
    for (size_t i = 1; i < len; i++) {
        if ((s.p[i] & 0xC0) != 0x80)
            return 0;
        c = c << 6 | (s.p[i] & 0x3Fu);
    }
    static const uint32_t least[5] = {0, 0, 0x80, 0x800, 0x10000};
    if (c < least[len] || c > 0x10FFFF || (c >= 0xD800 && c <= 0xDFFF))
        return 0;
    *ret_char = c;
    return len;
}

size_t utf8_ascii(struct slice s) {
    size_t n = 0;
    while (n < s.n && s.p[n] < 0x80)
        n++;
    return n;
}

bool utf8_valid(struct slice s) {
    while (s.n > 0) {
        uint32_t c;
        size_t len = utf8_decode(s, &c);
        if (len == 0)
            return false;
        s.p += len;
        s.n -= len;
    }
    return true;
}

size_t utf8_encode(uint32_t c, uint8_t out[4]) {
    if (c < 0x80) {
        out[0] = (uint8_t)c;
        return 1;
    }
    if (c < 0x800) {
        out[0] = (uint8_t)(0xC0 | c >> 6);
        out[1] = (uint8_t)(0x80 | (c & 0x3F));
        return 2;
    }
    if (c >= 0xD800 && c <= 0xDFFF)
        return 0;
    if (c < 0x10000) {
        out[0] = (uint8_t)(0xE0 | c >> 12);
        out[1] = (uint8_t)(0x80 | (c >> 6 & 0x3F));
        out[2] = (uint8_t)(0x80 | (c & 0x3F));
        return 3;
    }
    if (c > 0x10FFFF)
        return 0;
    out[0] = (uint8_t)(0xF0 | c >> 18);
    out[1] = (uint8_t)(0x80 | (c >> 12 & 0x3F));
    out[2] = (uint8_t)(0x80 | (c >> 6 & 0x3F));
    out[3] = (uint8_t)(0x80 | (c & 0x3F));
    return 4;
}
