#include "dicom/header.h"

static bool is_upper(uint8_t c) {
    return c >= 'A' && c <= 'Z';
}

static bool is_lower(uint8_t c) {
    return c >= 'a' && c <= 'z';
}

static bool is_printable(uint8_t c) {
    return c >= 0x20 && c < 0x7F;
}

static void decode_implicit(const uint8_t *p, enum dicom_syntax syntax, struct header *h) {
    h->vr = std_tag_vr_implicit(h->tag);
    h->length = header_u32(p + 4, syntax);
    h->bytes = 8;
}

static void decode_short(const uint8_t *p, enum dicom_syntax syntax, struct header *h) {
    h->length = header_u16(p + 6, syntax);
    h->bytes = 8;
}

static void decode_long(const uint8_t *p, size_t n, enum dicom_syntax syntax, struct header *h) {
    h->length = n >= HEADER_MAX ? header_u32(p + 8, syntax) : 0;
    h->bytes = 12;
}

static uint8_t upper(uint8_t c) {
    return is_lower(c) ? (uint8_t)(c - 'a' + 'A') : c;
}

static bool is_reserved_zero(const uint8_t *p) {
    return p[6] == 0 && p[7] == 0;
}

// What stands where a VR should and is none in the table:
//   ui      a VR in lower case: as if in upper case
//   OX, ZZ  two capitals: a VR of a later edition, which has the long form (PS3.5 6.2 note), unless its
//           reserved bytes are not zero
//   ??, --  other printable characters, or two NULs: the short form (as DCMTK takes them)
//   else    no VR at all but a length: a header in implicit VR, as some modalities write in private items
static void decode_odd(const uint8_t *p, size_t n, enum dicom_syntax syntax, struct header *h) {
    h->odd_vr = true;
    enum vr vr = std_vr_from_code(upper(p[4]), upper(p[5]));
    if (vr != VR_UNKNOWN) {
        h->vr = vr;
        if (std_vr_info(vr)->long_header && is_reserved_zero(p))
            decode_long(p, n, syntax, h);
        else
            decode_short(p, syntax, h);
        return;
    }
    h->vr = VR_UNKNOWN;
    bool is_nul = p[4] == 0 && p[5] == 0;
    if (is_upper(p[4]) && is_upper(p[5]) && is_reserved_zero(p)) {
        decode_long(p, n, syntax, h);
    } else if ((is_printable(p[4]) && is_printable(p[5])) || (is_nul && h->tag != TAG_PixelData)) {
        decode_short(p, syntax, h);
    } else {
        h->odd_vr = false;
        h->implicit = true;
        h->code[0] = h->code[1] = 0;
        decode_implicit(p, syntax, h);
    }
}

void header_decode(const uint8_t *p, size_t n, enum dicom_syntax syntax, struct header *h) {
    *h = (struct header){.tag = header_tag(p, syntax)};
    if (h->tag >> 16 == 0xFFFE) {
        h->length = header_u32(p + 4, syntax);
        h->bytes = 8;
        return;
    }
    if (syntax == DICOM_IMPLICIT_LE) {
        decode_implicit(p, syntax, h);
        return;
    }
    h->code[0] = p[4];
    h->code[1] = p[5];
    h->vr = std_vr_from_code(p[4], p[5]);
    if (h->vr == VR_UNKNOWN)
        decode_odd(p, n, syntax, h);
    else if (std_vr_info(h->vr)->long_header)
        decode_long(p, n, syntax, h);
    else
        decode_short(p, syntax, h);
}

bool header_looks_explicit(const uint8_t *p) {
    if (p[0] == 0xFE && p[1] == 0xFF)
        return false;
    enum vr vr = std_vr_from_code(p[4], p[5]);
    return vr != VR_UNKNOWN && (!std_vr_info(vr)->long_header || is_reserved_zero(p));
}
