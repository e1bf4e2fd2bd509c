// Binary numbers of a data set (AT, FL, FD, SL, SS, SV, UL, US, UV) as text. Private to src/dicom.
#ifndef DICOM_NUMBER_TEXT_H
#define DICOM_NUMBER_TEXT_H

#include "base/buf.h"
#include "std/vr.h"

// Appends the value at p, little endian, value_bytes of its VR long: "00180AFB" for AT; for FL and FD the
// fewest digits that read back as the same, or "NaN", "inf", "-inf". True: it is a JSON number, and one that
// a reader with 64-bit floats takes exactly.
bool dicom_number_text(struct buf *out, enum vr vr, const uint8_t *p);

// Eight digits, upper case.
static inline void dicom_hex_u32(uint32_t v, uint8_t ret_text[8]) {
    for (unsigned i = 0; i < 8; i++)
        ret_text[i] = (uint8_t) "0123456789ABCDEF"[v >> (28 - 4 * i) & 15];
}

void dicom_put_u64(struct buf *out, uint64_t v); // decimal

#endif
