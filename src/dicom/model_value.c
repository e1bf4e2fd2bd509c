// Values of a model: text to what stands in a data set.
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/hex.h"
#include "base/utf8.h"
#include "dicom/model_build.h"

enum {
    DS_CHARS = 16, // PS3.5 Table 6.2-1
    IS_CHARS = 12,
    NUMBER_CHARS = 512, // of a number in JSON: enough for any double written out
};

// Between values; of VRs that can have one only, that is an error.
static enum err next_value(struct model_build *b) {
    const struct std_vr *vr = std_vr_info(b->element.vr);
    if (b->values > 0 && !vr->multi)
        return model_wrong(b, ERR_SYNTAX, "more than one value");
    if (b->values++ > 0 && vr->class_ == VR_CLASS_STRING)
        buf_u8(&b->value, '\\');
    return OK;
}

static const char *why_not(const struct std_vr *vr, struct slice s) {
    if (s.n > 0 && memchr(s.p, 0, s.n))
        return "a NUL in text";
    if (s.n > 0 && memchr(s.p, 0x1B, s.n))
        return "an escape sequence in UTF-8";
    if (s.n > 0 && vr->multi && memchr(s.p, '\\', s.n))
        return "a backslash in a value";
    if (!vr->charset && utf8_ascii(s) < s.n)
        return "not of the default character repertoire";
    return NULL;
}

enum err model_text(struct model_build *b, struct slice utf8) {
    const struct std_vr *vr = std_vr_info(b->element.vr);
    if (vr->class_ == VR_CLASS_NUMBER)
        return model_number(b, utf8);
    if (vr->class_ != VR_CLASS_STRING || b->element.vr == VR_PN)
        return model_wrong(b, ERR_SYNTAX, "text where this VR has none");
    const char *why = why_not(vr, utf8);
    if (why)
        return model_wrong(b, ERR_SYNTAX, why);
    enum err e = next_value(b);
    if (e == OK)
        buf_append_slice(&b->value, utf8);
    return e;
}

enum err model_null(struct model_build *b) {
    enum vr_class c = std_vr_info(b->element.vr)->class_;
    if (c != VR_CLASS_STRING && c != VR_CLASS_NUMBER)
        return model_wrong(b, ERR_SYNTAX, "a value where this VR has none");
    if (c == VR_CLASS_NUMBER && b->values > 0)
        return model_wrong(b, ERR_SYNTAX, "null among numbers");
    b->null = true;
    return next_value(b);
}

// --- Names --------------------------------------------------------------------------------------

enum err model_pn(struct model_build *b) {
    if (b->element.vr != VR_PN)
        return model_wrong(b, ERR_SYNTAX, "a person name where this VR has none");
    b->groups = 0;
    return next_value(b);
}

enum err model_pn_group(struct model_build *b, unsigned group, struct slice utf8) {
    bug_unless(group >= b->groups && group < 3);
    const char *why = why_not(std_vr_info(VR_PN), utf8);
    if (!why && utf8.n > 0 && memchr(utf8.p, '=', utf8.n))
        why = "a '=' in a person name";
    if (why)
        return model_wrong(b, ERR_SYNTAX, why);
    if (utf8.n == 0)
        return OK;
    for (; b->groups < group; b->groups++)
        buf_u8(&b->value, '=');
    buf_append_slice(&b->value, utf8);
    return OK;
}

// --- Numbers ------------------------------------------------------------------------------------

static bool parse_integer(struct slice s, bool *ret_negative, uint64_t *ret_size) {
    *ret_negative = s.n > 0 && s.p[0] == '-';
    if (*ret_negative)
        s = slice_sub(s, 1, s.n);
    return slice_to_u64(s, UINT64_MAX, ret_size);
}

static bool put_integer(struct buf *out, struct slice text, unsigned bytes, bool is_signed) {
    bool negative;
    uint64_t size, max = bytes == 8 ? UINT64_MAX : ((uint64_t)1 << (8 * bytes)) - 1;
    if (is_signed)
        max >>= 1;
    if (!parse_integer(text, &negative, &size) || size > max + (is_signed && negative ? 1 : 0))
        return false;
    if (negative && size > 0 && !is_signed)
        return false;
    uint64_t v = negative ? 0 - size : size;
    for (unsigned i = 0; i < bytes; i++)
        buf_u8(out, (uint8_t)(v >> (8 * i)));
    return true;
}

// What no number of JSON or XML Schema says is a word.
static bool parse_word(const char *s, double *ret_value) {
    static const struct {
        const char *word;
        double value;
    } words[] = {{"NaN", (double)NAN},           {"inf", (double)INFINITY},
                 {"+inf", (double)INFINITY},     {"-inf", -(double)INFINITY},
                 {"Infinity", (double)INFINITY}, {"-Infinity", -(double)INFINITY},
                 {"INF", (double)INFINITY},      {"-INF", -(double)INFINITY}};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (strcmp(words[i].word, s) == 0) {
            *ret_value = words[i].value;
            return true;
        }
    return false;
}

// Decimal digits, sign, point, exponent: not what else strtod() takes (blanks, hexadecimals, words).
static bool looks_decimal(const char *s) {
    return *s && s[strspn(s, "+-.0123456789eE")] == 0;
}

static bool put_float(struct buf *out, const char *text, bool is_single) {
    double v;
    char *end;
    bool word = parse_word(text, &v);
    if (!word && !looks_decimal(text))
        return false;
    if (is_single) {
        float single = word ? (float)v : strtof(text, &end);
        uint32_t bits;
        memcpy(&bits, &single, sizeof bits);
        buf_u32le(out, bits);
        return word || (*end == 0 && !isinf(single));
    }
    if (!word)
        v = strtod(text, &end);
    uint64_t bits;
    memcpy(&bits, &v, sizeof bits);
    buf_u64le(out, bits);
    return word || (*end == 0 && !isinf(v));
}

// A number as a decimal string: as it is written where that fits, else with as many digits as do.
static bool put_ds(struct buf *out, const char *text) {
    char fit[40];
    size_t n = strlen(text);
    if (n <= DS_CHARS) {
        buf_append(out, text, n);
        return looks_decimal(text);
    }
    char *end;
    double v = strtod(text, &end);
    if (*end != 0 || isinf(v) || !looks_decimal(text))
        return false;
    for (int digits = DS_CHARS; digits > 0; digits--)
        if ((n = (size_t)snprintf(fit, sizeof fit, "%.*g", digits, v)) <= DS_CHARS)
            break;
    buf_append(out, fit, n);
    return true;
}

static bool put_is(struct buf *out, struct slice text) {
    bool negative;
    uint64_t size;
    buf_append_slice(out, text);
    return text.n <= IS_CHARS && parse_integer(text, &negative, &size) &&
           size <= (uint64_t)INT32_MAX + (negative ? 1 : 0);
}

static bool put_at(struct buf *out, struct slice text) {
    uint32_t tag;
    if (!hex_u32(text, &tag))
        return false;
    buf_u16le(out, (uint16_t)(tag >> 16));
    buf_u16le(out, (uint16_t)tag);
    return true;
}

static bool put_number(struct buf *out, enum vr vr, struct slice text, const char *cstr) {
    switch ((int)vr) {
    case VR_AT:
        return put_at(out, text);
    case VR_DS:
        return put_ds(out, cstr);
    case VR_IS:
        return put_is(out, text);
    case VR_FL:
        return put_float(out, cstr, true);
    case VR_FD:
        return put_float(out, cstr, false);
    case VR_SS:
        return put_integer(out, text, 2, true);
    case VR_US:
        return put_integer(out, text, 2, false);
    case VR_SL:
        return put_integer(out, text, 4, true);
    case VR_UL:
        return put_integer(out, text, 4, false);
    case VR_SV:
        return put_integer(out, text, 8, true);
    case VR_UV:
        return put_integer(out, text, 8, false);
    default:
        return false;
    }
}

enum err model_number(struct model_build *b, struct slice text) {
    char cstr[NUMBER_CHARS + 1];
    enum vr vr = b->element.vr;
    if (std_vr_info(vr)->class_ != VR_CLASS_NUMBER && vr != VR_IS && vr != VR_DS)
        return model_wrong(b, ERR_SYNTAX, "a number where this VR has none");
    if (b->null && std_vr_info(vr)->class_ == VR_CLASS_NUMBER)
        return model_wrong(b, ERR_SYNTAX, "null among numbers");
    if (text.n > NUMBER_CHARS)
        return model_wrong(b, ERR_LIMIT, "a number of too many digits");
    enum err e = next_value(b);
    if (e != OK)
        return e;
    if (!slice_to_cstr(text, cstr, sizeof cstr) || !put_number(&b->value, vr, text, cstr))
        return model_wrong(b, ERR_SYNTAX, "not a number, or not one that fits this VR");
    return OK;
}

// --- Bytes --------------------------------------------------------------------------------------

static int sextet(uint8_t c) {
    return c >= 'A' && c <= 'Z'   ? c - 'A'
           : c >= 'a' && c <= 'z' ? c - 'a' + 26
           : c >= '0' && c <= '9' ? c - '0' + 52
           : c == '+'             ? 62
           : c == '/'             ? 63
                                  : -1;
}

// RFC 4648 section 4, padding required, no other characters, no bits set that mean nothing.
static bool put_base64(struct buf *out, struct slice s) {
    if (s.n % 4 != 0)
        return false;
    size_t padding = s.n == 0 ? 0 : s.p[s.n - 2] == '=' ? 2 : s.p[s.n - 1] == '=' ? 1 : 0;
    uint8_t *to = buf_extend(out, s.n / 4 * 3 - padding);
    if (!to)
        return true; // the caller sees that the buffer failed
    for (size_t i = 0; i < s.n; i += 4) {
        size_t n = i + 4 == s.n ? 3 - padding : 3;
        uint32_t v = 0;
        for (size_t k = 0; k < 4; k++) {
            int d = k > n ? (s.p[i + k] == '=' ? 0 : -1) : sextet(s.p[i + k]);
            if (d < 0)
                return false;
            v = v << 6 | (uint32_t)d;
        }
        if (n < 3 && (v & ((1u << (8 * (3 - n))) - 1)) != 0)
            return false;
        for (size_t k = 0; k < n; k++)
            *to++ = (uint8_t)(v >> (16 - 8 * k));
    }
    return true;
}

enum err model_binary(struct model_build *b, struct slice base64) {
    const struct std_vr *vr = std_vr_info(b->element.vr);
    if (vr->class_ != VR_CLASS_BYTES)
        return model_wrong(b, ERR_SYNTAX, "InlineBinary where this VR has none");
    if (!put_base64(&b->value, base64))
        return model_wrong(b, ERR_SYNTAX, "InlineBinary that is no base64");
    if (b->value.n % vr->swap_bytes != 0)
        return model_wrong(b, ERR_SYNTAX, "InlineBinary of a length this VR can't have");
    return OK;
}
