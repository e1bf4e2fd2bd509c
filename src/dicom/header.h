// One element header, decoded (PS3.5 7.1). Private to the reader.
#ifndef DICOM_HEADER_H
#define DICOM_HEADER_H

#include "dicom/reader.h"
#include "std/tag.h"

enum {
    HEADER_MIN = 8,
    HEADER_MAX = 12,
};

struct header {
    uint32_t tag, length;
    enum vr vr;
    uint8_t code[2];
    uint8_t bytes;   // how long the header is: 8 or 12. When more than was given, length is not known yet
    bool implicit;   // in implicit VR though explicit was expected
    bool odd_vr;     // unknown or misspelt
};

// Needs at least HEADER_MIN bytes.
void header_decode(const uint8_t *p, size_t n, enum dicom_syntax syntax, struct header *ret_header);
// An implicit data set (or item) in which the first header is an explicit one after all.
bool header_looks_explicit(const uint8_t *p);

static inline uint32_t header_u32(const uint8_t *p, enum dicom_syntax s) {
    if (s == DICOM_EXPLICIT_BE)
        return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | (uint32_t)p[3];
    return (uint32_t)p[3] << 24 | (uint32_t)p[2] << 16 | (uint32_t)p[1] << 8 | (uint32_t)p[0];
}
static inline uint16_t header_u16(const uint8_t *p, enum dicom_syntax s) {
    return (uint16_t)(s == DICOM_EXPLICIT_BE ? p[0] << 8 | p[1] : p[1] << 8 | p[0]);
}
static inline uint32_t header_tag(const uint8_t *p, enum dicom_syntax s) {
    return (uint32_t)header_u16(p, s) << 16 | header_u16(p + 2, s);
}

#endif
