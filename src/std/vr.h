// The value representations of PS3.5 Table 6.2-1 as facts (spec/vr.tsv): how an element header
// and a value of each is laid out. Parsing and checking values is the business of src/dicom.
#ifndef STD_VR_H
#define STD_VR_H

#include "base/slice.h"

// In the order of the alphabet; the order of spec/vr.tsv is checked against it at build.
enum vr {
    VR_UNKNOWN, // not a VR of the standard, or none known
    VR_AE, VR_AS, VR_AT, VR_CS, VR_DA, VR_DS, VR_DT, VR_FD, VR_FL, VR_IS, VR_LO, VR_LT,
    VR_OB, VR_OD, VR_OF, VR_OL, VR_OV, VR_OW, VR_PN, VR_SH, VR_SL, VR_SQ, VR_SS, VR_ST,
    VR_SV, VR_TM, VR_UC, VR_UI, VR_UL, VR_UN, VR_UR, VR_US, VR_UT, VR_UV,
    VR_COUNT_
};

enum vr_class {
    VR_CLASS_NONE,     // VR_UNKNOWN
    VR_CLASS_STRING,   // characters
    VR_CLASS_NUMBER,   // binary numbers of value_bytes each, and AT
    VR_CLASS_BYTES,    // OB … OW, UN: bytes or words without inner structure
    VR_CLASS_SEQUENCE, // SQ
};

enum vr_trim {  // blanks without meaning (PS3.5 6.2)
    VR_TRIM_NONE,
    VR_TRIM_RIGHT,
    VR_TRIM_BOTH,
};

struct std_vr {
    char code[3];          // "AE", NUL-terminated; "??" for VR_UNKNOWN
    uint8_t class_;        // enum vr_class
    uint8_t trim;          // enum vr_trim
    uint8_t pad;           // the byte that makes a value even: 0x20 or 0x00
    uint8_t value_bytes;   // size of one value, 0 for what is not fixed
    uint8_t swap_bytes;    // unit to reverse between byte orders: 1 (none), 2, 4, 8
    bool long_header;      // explicit VR: 2 reserved bytes and a 32-bit length (PS3.5 7.1.2)
    bool charset;          // affected by Specific Character Set (PS3.5 6.1.2.3)
    bool multi;            // backslash separates values
    bool wildcard;         // * and ? match in C-FIND (PS3.4 C.2.2.2.4)
    bool range;            // DA, TM, DT: range matching (PS3.4 C.2.2.2.5)
    bool bulk;             // may be moved out of metadata (PS3.18 F.2.6)
    bool text;             // LT ST UT: CR, LF, FF, TAB are allowed in the value
    uint32_t max_chars;    // of one value (of one component group in PN); 0: only the length field limits
};

const struct std_vr *std_vr_info(enum vr v); // never NULL; VR_UNKNOWN for what is out of range
// Two bytes as on the wire; VR_UNKNOWN for anything not in the table, lower case included.
enum vr std_vr_from_code(uint8_t c0, uint8_t c1);

#endif
