#include "std/vr.h"

#include "std/vr.inc"

const struct std_vr *std_vr_info(enum vr v) {
    if ((unsigned)v >= VR_COUNT_)
        return &vr_rows[VR_UNKNOWN];
    return &vr_rows[v];
}

enum vr std_vr_from_code(uint8_t c0, uint8_t c1) {
    unsigned i0 = (unsigned)c0 - 'A', i1 = (unsigned)c1 - 'A';
    if (i0 >= 26 || i1 >= 26)
        return VR_UNKNOWN;
    return (enum vr)vr_by_code[i0][i1];
}
