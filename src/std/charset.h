// Specific Character Set (spec/charset.tsv): defined terms of PS3.3 C.12.1.1.2 with their
// ISO 2022 escape sequences and the name iconv knows them by. Converting is done in src/dicom.
//
// A term stands for one or two code elements: G0 (bytes 20–7F) and G1 (bytes A0–FF).
#ifndef STD_CHARSET_H
#define STD_CHARSET_H

#include "base/slice.h"

enum charset_kind {
    CHARSET_SINGLE,      // single byte, no code extensions: ISO_IR 100
    CHARSET_ALONE,       // several bytes, no code extensions: ISO_IR 192, GB18030, GBK
    CHARSET_EXT_SINGLE,  // single byte, code extensions: ISO 2022 IR 100
    CHARSET_EXT_MULTI,   // several bytes, code extensions: ISO 2022 IR 87
};

struct std_charset {
    const char *term;     // "ISO 2022 IR 87"
    const char *name;     // "Japanese"
    const char *iconv;    // "ISO-2022-JP"
    uint8_t kind;         // enum charset_kind
    struct slice g0;      // escape sequence that designates G0, ESC included; empty when there is none
    struct slice g1;      // … G1
    uint16_t g0_iso_ir;   // registration number of the G0 code element, 0 when none
    uint16_t g1_iso_ir;
};

// A value of (0008,0005), blanks already trimmed; the empty one is the default repertoire, ISO_IR 6.
const struct std_charset *std_charset_find(struct slice term);
size_t std_charset_count(void);
const struct std_charset *std_charset_at(size_t i); // NULL past the end

// One code element, as an escape sequence designates it.
struct std_code_element {
    struct slice escape;    // 3 or 4 bytes, ESC included
    uint8_t g;              // 0 or 1
    uint8_t char_bytes;     // 1 or 2
    uint16_t iso_ir;        // 6, 13, 14, 58, 87, 100 … 203
    const char *iconv;      // what decodes bytes of this element alone, see spec/README.md
    const char *iconv_pre;  // bytes to put before (the escape sequence for ISO-2022-JP), or ""
    const char *iconv_post; // bytes to put after, or ""
};

// The element whose escape sequence `s` begins with, or NULL.
const struct std_code_element *std_code_element_at(struct slice s);
const struct std_code_element *std_code_element_find(uint16_t iso_ir);

#endif
