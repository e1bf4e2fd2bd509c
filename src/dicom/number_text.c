#include "dicom/number_text.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#define EXACT_INTEGER ((uint64_t)1 << 53)

void dicom_put_u64(struct buf *out, uint64_t v) {
    uint8_t text[20];
    size_t at = sizeof text;
    do {
        text[--at] = (uint8_t)('0' + v % 10);
        v /= 10;
    } while (v > 0);
    buf_append(out, text + at, sizeof text - at);
}

static bool put_u64(struct buf *out, uint64_t v) {
    dicom_put_u64(out, v);
    return v <= EXACT_INTEGER;
}

static bool put_i64(struct buf *out, int64_t v) {
    if (v < 0)
        buf_u8(out, '-');
    return put_u64(out, v < 0 ? 0 - (uint64_t)v : (uint64_t)v);
}

// Whole numbers of at most this many digits, which %g writes without an exponent.
static bool put_whole(struct buf *out, double v, double below) {
    if (v == 0 || v >= below || v <= -below || v != (double)(int64_t)v)
        return false;
    (void)put_i64(out, (int64_t)v);
    return true;
}

// Numbers like 0.9765625 and -312.5, of few digits: whole / 10^k is what reading its digits gives, as long as
// both are exact in the type (IEEE 754 division rounds correctly). The first k that fits has fewest digits.
static bool put_short(struct buf *out, double v, bool is_single) {
    static const float tens[] = {1, 10, 100, 1000, 1e4f, 1e5f, 1e6f};
    double size = v < 0 ? -v : v;
    if (size < 1e-4 || size >= 1e6)
        return false;
    for (unsigned k = 1; k < sizeof tens / sizeof *tens; k++) {
        double whole = size * (double)tens[k] + 0.5;
        if (whole >= (is_single ? 1e6 : 1e13))
            return false;
        uint64_t n = (uint64_t)whole;
        double back = is_single ? (double)((float)n / tens[k]) : (double)n / (double)tens[k];
        if (memcmp(&back, &size, sizeof back) != 0)
            continue;
        if (v < 0)
            buf_u8(out, '-');
        uint64_t ten = (uint64_t)tens[k], rest = n % ten;
        dicom_put_u64(out, n / ten);
        buf_u8(out, '.');
        for (ten /= 10; ten > 0; ten /= 10)
            buf_u8(out, (uint8_t)('0' + rest / ten % 10));
        return true;
    }
    return false;
}

// The shortest digits that read back as the same number.
static bool put_float(struct buf *out, double v, int digits_min, int digits_max, bool is_single) {
    if (isnan(v) || isinf(v)) {
        buf_append_str(out, isnan(v) ? "NaN" : v > 0 ? "inf" : "-inf");
        return false;
    }
    if (put_whole(out, v, is_single ? 1e6 : 1e15) || put_short(out, v, is_single))
        return true;
    char text[40];
    for (int digits = digits_min; digits <= digits_max; digits++) {
        snprintf(text, sizeof text, "%.*g", digits, v);
        double back = is_single ? (double)strtof(text, NULL) : strtod(text, NULL);
        if (memcmp(&back, &v, sizeof v) == 0)
            break;
    }
    buf_append_str(out, text);
    return true;
}

static bool put_single(struct buf *out, uint32_t bits) {
    float v;
    memcpy(&v, &bits, sizeof v);
    return put_float(out, (double)v, 6, 9, true);
}

static bool put_double(struct buf *out, uint64_t bits) {
    double v;
    memcpy(&v, &bits, sizeof v);
    return put_float(out, v, 15, 17, false);
}

static bool put_at(struct buf *out, uint64_t v) {
    uint8_t text[8];
    dicom_hex_u32((uint32_t)(v << 16 | v >> 16), text);
    buf_append(out, text, sizeof text);
    return false;
}

bool dicom_number_text(struct buf *out, enum vr vr, const uint8_t *p) {
    uint64_t v = 0;
    for (unsigned i = std_vr_info(vr)->value_bytes; i > 0; i--)
        v = v << 8 | p[i - 1];
    switch ((int)vr) {
    case VR_AT:
        return put_at(out, v);
    case VR_FL:
        return put_single(out, (uint32_t)v);
    case VR_FD:
        return put_double(out, v);
    case VR_SS:
        return put_i64(out, (int16_t)v);
    case VR_SL:
        return put_i64(out, (int32_t)v);
    case VR_SV:
        return put_i64(out, (int64_t)v);
    default:
        return put_u64(out, v); // US, UL, UV
    }
}
