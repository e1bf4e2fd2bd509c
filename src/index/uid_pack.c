#include "index/uid_pack.h"

enum { DOT = 10, PAD = 15 };

static int nibble(uint8_t c) {
    return c >= '0' && c <= '9' ? c - '0' : c == '.' ? DOT : -1;
}

bool uid_pack(struct slice uid, struct uid_packed *ret_packed) {
    struct uid_packed u = {.n = (uint8_t)((uid.n + 1) / 2)};
    if (uid.n == 0 || uid.n > 2 * UID_PACKED_MAX)
        return false;
    for (size_t i = 0; i < uid.n; i++) {
        int v = nibble(uid.p[i]);
        if (v < 0)
            return false;
        u.p[i / 2] |= (uint8_t)(i % 2 ? v : v << 4);
    }
    if (uid.n % 2)
        u.p[uid.n / 2] |= PAD;
    *ret_packed = u;
    return true;
}

size_t uid_unpack(struct slice packed, char ret_text[UID_MAX + 1]) {
    static const char text[16] = "0123456789.";
    size_t n = 0;
    if (packed.n > UID_PACKED_MAX)
        return 0;
    for (size_t i = 0; i < packed.n; i++) {
        uint8_t high = packed.p[i] >> 4, low = packed.p[i] & 15;
        bool padded = low == PAD && i + 1 == packed.n;
        if (high > DOT || (low > DOT && !padded))
            return 0;
        ret_text[n++] = text[high];
        if (!padded)
            ret_text[n++] = text[low];
    }
    ret_text[n] = '\0';
    return n;
}
