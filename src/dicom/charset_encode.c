// UTF-8 into the character set a requestor asked for (PS3.4 C.4.1.1.3.2).
#include "base/utf8.h"
#include "dicom/charset.h"
#include "dicom/charset_table.h"
#include "std/charset.h"

struct encoder {
    const struct dicom_charset *cs;
    struct buf *out;
    bool values, name;
    uint8_t g0, g1; // designated now
};

// The set of several bytes that a lone "ISO 2022 IR 149" puts into G1 is designated all the same: not
// every reader takes it for granted.
static uint8_t first_g1(const struct dicom_charset *cs) {
    return cs->g1 != CHARSET_NONE && charset_set_bytes(cs->g1) == 1 ? cs->g1 : CHARSET_NONE;
}

static void designate(struct encoder *e, uint8_t set) {
    const struct std_code_element *el = std_code_element_find(set);
    bug_unless(el);
    buf_append_slice(e->out, el->escape);
    *(el->g == 0 ? &e->g0 : &e->g1) = set;
}

// Before delimiters and at the end the sets of the first value are active (PS3.5 6.1.2.5.3).
static void return_to_first(struct encoder *e) {
    if (e->g0 != e->cs->g0)
        designate(e, e->cs->g0);
    uint8_t g1 = first_g1(e->cs);
    if (g1 != CHARSET_NONE && e->g1 != g1)
        designate(e, g1);
    e->g1 = g1;
}

static void put_place(struct encoder *e, uint8_t set, size_t place) {
    uint8_t high = charset_set_g(set) ? 0x80 : 0;
    if (charset_set_bytes(set) == 2) {
        buf_u8(e->out, (uint8_t)(place / 94 + 0x21 + high));
        buf_u8(e->out, (uint8_t)(place % 94 + 0x21 + high));
    } else {
        buf_u8(e->out, (uint8_t)(place + 0x20 + high));
    }
}

// Where a set has the character. A yen sign at the place of the backslash is none where that separates
// values.
static bool find(const struct encoder *e, uint8_t set, uint32_t c, size_t *ret_place) {
    if (set == CHARSET_NONE || !charset_set_place(set, c, ret_place))
        return false;
    return !(set == CHARSET_ROMAJI && e->values && *ret_place == '\\' - 0x20);
}

static bool put_char(struct encoder *e, uint32_t c) {
    size_t place;
    const uint8_t active[2] = {e->g0, e->g1};
    for (size_t i = 0; i < 2; i++) {
        if (find(e, active[i], c, &place)) {
            put_place(e, active[i], place);
            return true;
        }
    }
    for (size_t i = 0; i < e->cs->set_count && e->cs->extended; i++) {
        uint8_t set = e->cs->sets[i];
        if (find(e, set, c, &place)) {
            designate(e, set);
            put_place(e, set, place);
            return true;
        }
    }
    return false;
}

static bool put_iso2022(struct encoder *e, uint32_t c) {
    bool delimiter = (e->values && c == '\\') || (e->name && (c == '^' || c == '='));
    if (c > 0x20 && c != 0x7F && !delimiter)
        return put_char(e, c);
    if (c == 0x1B || c == 0)
        return false;
    // A blank belongs to no set and ends none, but is not for the middle of characters of two bytes.
    if (c != 0x20 && c != 0x7F)
        return_to_first(e);
    else if (e->g0 != e->cs->g0)
        designate(e, e->cs->g0);
    buf_u8(e->out, (uint8_t)c);
    return true;
}

static bool put_gb(struct encoder *e, uint32_t c) {
    bool gbk = e->cs->alone == CHARSET_GBK;
    size_t place;
    if (c < 0x80) {
        buf_u8(e->out, (uint8_t)c);
    } else if (charset_gb_place(gbk, c, &place)) {
        size_t low = place % 190;
        buf_u8(e->out, (uint8_t)(place / 190 + 0x81));
        buf_u8(e->out, (uint8_t)(low + (low < 63 ? 0x40 : 0x41)));
    } else if (!gbk && charset_gb4_place(c, &place)) {
        buf_u8(e->out, (uint8_t)(place / 12600 + 0x81));
        buf_u8(e->out, (uint8_t)(place / 1260 % 10 + 0x30));
        buf_u8(e->out, (uint8_t)(place / 10 % 126 + 0x81));
        buf_u8(e->out, (uint8_t)(place % 10 + 0x30));
    } else {
        return false;
    }
    return true;
}

static bool encode(struct encoder *e, struct slice utf8) {
    while (utf8.n > 0) {
        uint32_t c;
        size_t n = utf8_decode(utf8, &c);
        if (n == 0 || (e->cs->alone ? c == 0 || c == 0x1B || !put_gb(e, c) : !put_iso2022(e, c)))
            return false;
        utf8 = slice_sub(utf8, n, utf8.n);
    }
    return_to_first(e);
    return true;
}

// Nearly all values: the same bytes in every set whose G0 is ASCII.
static bool is_ascii(struct slice s) {
    uint8_t all = 0;
    for (size_t i = 0; i < s.n; i++) {
        all |= s.p[i];
        if (s.p[i] == 0x1B || s.p[i] == 0)
            return false;
    }
    return all < 0x80;
}

bool dicom_charset_encode(const struct dicom_charset *cs, enum vr vr, struct slice utf8, struct buf *out) {
    const struct std_vr *info = std_vr_info(vr);
    bool plain = cs->g0 == CHARSET_ASCII && is_ascii(utf8);
    if (plain || (cs->alone == CHARSET_UTF8 && utf8_valid(utf8))) {
        buf_append_slice(out, utf8);
        return buf_ok(out);
    }
    if (cs->alone == CHARSET_UTF8)
        return false;
    if (!info->charset)
        cs = &dicom_charset_ascii;
    struct encoder e = {cs, out, info->multi, vr == VR_PN, cs->g0, first_g1(cs)};
    size_t before = out->n;
    if (encode(&e, utf8) && buf_ok(out))
        return true;
    if (buf_ok(out))
        out->n = before;
    return false;
}
