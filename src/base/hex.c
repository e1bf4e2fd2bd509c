#include "base/hex.h"

int hex_digit(uint8_t c) {
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

bool hex_u32(struct slice text, uint32_t *ret_value) {
    uint8_t b[4];
    if (!hex_decode(text, b, sizeof b))
        return false;
    *ret_value = (uint32_t)b[0] << 24 | (uint32_t)b[1] << 16 | (uint32_t)b[2] << 8 | b[3];
    return true;
}

bool hex_decode(struct slice text, uint8_t *ret_bytes, size_t n) {
    if (text.n != 2 * n)
        return false;
    for (size_t i = 0; i < text.n; i++)
        if (hex_digit(text.p[i]) < 0)
            return false;
    for (size_t i = 0; i < n; i++)
        ret_bytes[i] = (uint8_t)(hex_digit(text.p[2 * i]) << 4 | hex_digit(text.p[2 * i + 1]));
    return true;
}

char *hex_encode(const uint8_t *bytes, size_t n, char *ret_text) {
    static const char digits[] = "0123456789abcdef";
    for (size_t i = 0; i < n; i++) {
        *ret_text++ = digits[bytes[i] >> 4];
        *ret_text++ = digits[bytes[i] & 15];
    }
    *ret_text = '\0';
    return ret_text;
}
