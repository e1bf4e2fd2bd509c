#include "dicom/json_value.h"

#include "base/rd.h"
#include "base/utf8.h"
#include "dicom/json.h"
#include "dicom/number_text.h"
#include "std/tag.h"

enum {
    EXACT_DIGITS = 15, // of a decimal number that survives being read as a 64-bit float
    EXPONENT_DIGITS = 2,
};

// --- Strings ------------------------------------------------------------------------------------

static void put_escaped(struct buf *out, uint8_t c) {
    switch (c) {
    case '"':
        buf_append(out, "\\\"", 2);
        break;
    case '\\':
        buf_append(out, "\\\\", 2);
        break;
    case '\n':
        buf_append(out, "\\n", 2);
        break;
    case '\r':
        buf_append(out, "\\r", 2);
        break;
    case '\t':
        buf_append(out, "\\t", 2);
        break;
    default:
        buf_append(out, "\\u00", 4);
        buf_u8(out, (uint8_t) "0123456789abcdef"[c >> 4]);
        buf_u8(out, (uint8_t) "0123456789abcdef"[c & 15]);
        break;
    }
}

// How many of the next bytes need no escape.
static size_t plain_run(struct slice s) {
    size_t n = 0;
    while (n < s.n && s.p[n] >= 0x20 && s.p[n] < 0x7F && s.p[n] != '"' && s.p[n] != '\\')
        n++;
    return n;
}

void dicom_json_string(struct buf *out, struct slice s) {
    buf_u8(out, '"');
    while (s.n > 0) {
        size_t n = plain_run(s);
        buf_append(out, s.p, n);
        s = slice_sub(s, n, s.n - n);
        if (s.n == 0)
            break;
        uint32_t c;
        n = utf8_decode(s, &c);
        if (s.p[0] < 0x80)
            put_escaped(out, s.p[0]);
        else if (n == 0)
            buf_append_str(out, "\xEF\xBF\xBD");
        else
            buf_append(out, s.p, n);
        s = slice_sub(s, n ? n : 1, s.n);
    }
    buf_u8(out, '"');
}

// --- Numbers ------------------------------------------------------------------------------------

struct decimal {
    bool negative;
    struct slice whole, fraction, exponent; // digits; the exponent may have a sign
};

static struct slice take_digits(struct slice *s) {
    size_t n = 0;
    while (n < s->n && s->p[n] >= '0' && s->p[n] <= '9')
        n++;
    struct slice digits = slice_sub(*s, 0, n);
    *s = slice_sub(*s, n, s->n - n);
    return digits;
}

static bool take(struct slice *s, char a, char b) {
    if (s->n == 0 || (s->p[0] != (uint8_t)a && s->p[0] != (uint8_t)b))
        return false;
    *s = slice_sub(*s, 1, s->n - 1);
    return true;
}

static bool parse_decimal(struct slice s, struct decimal *d) {
    *d = (struct decimal){.negative = s.n > 0 && s.p[0] == '-'};
    (void)take(&s, '+', '-');
    d->whole = take_digits(&s);
    if (take(&s, '.', '.'))
        d->fraction = take_digits(&s);
    if (d->whole.n + d->fraction.n == 0)
        return false;
    if (take(&s, 'e', 'E')) {
        struct slice from = s;
        (void)take(&s, '+', '-');
        struct slice digits = take_digits(&s);
        if (digits.n == 0 || digits.n > EXPONENT_DIGITS)
            return false;
        d->exponent = slice_sub(from, 0, (size_t)(digits.p - from.p) + digits.n);
    }
    while (d->whole.n > 0 && d->whole.p[0] == '0')
        d->whole = slice_sub(d->whole, 1, d->whole.n - 1);
    return s.n == 0 && d->whole.n + d->fraction.n <= EXACT_DIGITS;
}

void json_value_decimal(struct buf *out, struct slice text) {
    struct decimal d;
    if (!parse_decimal(text, &d)) {
        dicom_json_string(out, text);
        return;
    }
    if (d.negative)
        buf_u8(out, '-');
    if (d.whole.n == 0)
        buf_u8(out, '0');
    buf_append_slice(out, d.whole);
    if (d.fraction.n > 0) {
        buf_u8(out, '.');
        buf_append_slice(out, d.fraction);
    }
    if (d.exponent.n > 0) {
        buf_u8(out, 'e');
        buf_append_slice(out, d.exponent);
    }
}

static void put_numbers(struct buf *out, enum vr vr, struct slice value) {
    size_t unit = std_vr_info(vr)->value_bytes;
    struct rd r = rd_init(value);
    if (rd_left(&r) < unit)
        return;
    buf_append_str(out, ",\"Value\":[");
    for (bool first = true; rd_left(&r) >= unit && buf_ok(out); first = false) {
        if (!first)
            buf_u8(out, ',');
        size_t at = out->n;
        if (dicom_number_text(out, vr, rd_bytes(&r, unit).p))
            continue;
        buf_u8(out, '"'); // once more, with room for the quote before it
        if (!buf_ok(out))
            break;
        memmove(out->p + at + 1, out->p + at, out->n - 1 - at);
        out->p[at] = '"';
        buf_u8(out, '"');
    }
    buf_u8(out, ']');
}

// --- Text ---------------------------------------------------------------------------------------

static void put_pn(struct buf *out, struct slice name) {
    static const char *const group[] = {"\"Alphabetic\":", "\"Ideographic\":", "\"Phonetic\":"};
    bool first = true;
    buf_u8(out, '{');
    for (size_t i = 0; i < 3 && name.p; i++) {
        struct slice g = slice_trim_right(slice_trim(slice_split(name, '=', &name), " "), " ^");
        if (g.n == 0)
            continue;
        if (!first)
            buf_u8(out, ',');
        buf_append_str(out, group[i]);
        dicom_json_string(out, g);
        first = false;
    }
    buf_u8(out, '}');
}

static bool is_empty_pn(struct slice name) {
    return slice_trim(name, " =^").n == 0;
}

static void put_text(struct buf *out, enum vr vr, struct slice s) {
    if (s.n == 0 || (vr == VR_PN && is_empty_pn(s)))
        buf_append_str(out, "null");
    else if (vr == VR_PN)
        put_pn(out, s);
    else if (vr == VR_IS || vr == VR_DS)
        json_value_decimal(out, s);
    else
        dicom_json_string(out, s);
}

struct slice json_value_trim(enum vr vr, struct slice s) {
    switch ((enum vr_trim)std_vr_info(vr)->trim) {
    case VR_TRIM_NONE:
        return vr == VR_UI ? slice_trim(s, " ") : slice_trim_right(s, " "); // AS
    case VR_TRIM_RIGHT:
        return slice_trim_right(s, " ");
    case VR_TRIM_BOTH:
        return slice_trim(s, " ");
    }
    return s;
}

static void put_texts(struct buf *out, struct buf *text, enum vr vr, struct slice value,
                      const struct dicom_charset *cs) {
    buf_reset(text);
    dicom_charset_decode(cs, vr, value, text);
    buf_fail(out, buf_error(text));
    struct slice rest = buf_slice(text);
    if (json_value_trim(vr, rest).n == 0 || (vr == VR_PN && is_empty_pn(rest)))
        return;
    bool multi = std_vr_info(vr)->multi;
    buf_append_str(out, ",\"Value\":[");
    for (bool first = true; rest.p; first = false) {
        struct slice one = rest;
        if (multi)
            one = slice_split(rest, '\\', &rest);
        else
            rest = slice_of(NULL, 0);
        if (!first)
            buf_u8(out, ',');
        put_text(out, vr, json_value_trim(vr, one));
    }
    buf_u8(out, ']');
}

// --- Bytes --------------------------------------------------------------------------------------

void json_value_base64(struct buf *out, struct slice s) {
    static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    uint8_t *p = s.n < SIZE_MAX / 2 ? buf_extend(out, (s.n + 2) / 3 * 4) : NULL;
    for (size_t i = 0; p && i < s.n; i += 3) {
        uint32_t v = (uint32_t)s.p[i] << 16 | (i + 1 < s.n ? (uint32_t)s.p[i + 1] << 8 : 0) |
                     (i + 2 < s.n ? s.p[i + 2] : 0);
        *p++ = (uint8_t)alphabet[v >> 18];
        *p++ = (uint8_t)alphabet[v >> 12 & 63];
        *p++ = i + 1 < s.n ? (uint8_t)alphabet[v >> 6 & 63] : '=';
        *p++ = i + 2 < s.n ? (uint8_t)alphabet[v & 63] : '=';
    }
}

enum vr json_value_vr(const struct dicom_element *e) {
    if (e->vr != VR_UN && e->vr != VR_UNKNOWN)
        return e->vr;
    const struct std_tag *known = std_tag_find(e->tag);
    enum vr vr = known && !e->is_ref ? known->vr[0] : VR_UN;
    const struct std_vr *info = std_vr_info(vr);
    bool fits = info->class_ == VR_CLASS_STRING ||
                (info->class_ == VR_CLASS_NUMBER && e->value.n % info->value_bytes == 0);
    return fits ? vr : VR_UN;
}

void json_value_write(struct buf *out, struct buf *text, const struct dicom_element *e,
                      const struct dicom_charset *cs) {
    if (e->value.n == 0)
        return;
    enum vr vr = json_value_vr(e);
    switch ((enum vr_class)std_vr_info(vr)->class_) {
    case VR_CLASS_STRING:
        put_texts(out, text, vr, e->value, cs);
        break;
    case VR_CLASS_NUMBER:
        put_numbers(out, vr, e->value);
        break;
    case VR_CLASS_BYTES:
    case VR_CLASS_NONE:
    case VR_CLASS_SEQUENCE: // one that came as bytes
        buf_append_str(out, ",\"InlineBinary\":\"");
        json_value_base64(out, e->value);
        buf_u8(out, '"');
        break;
    }
}
