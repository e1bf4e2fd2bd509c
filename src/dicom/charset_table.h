// The conversion tables behind dicom/charset.h: for each code element of ISO 2022, and for GBK
// and GB18030, which character stands at which place, and back. Private to src/dicom/charset*.c.
//
// A code element is named by its ISO registration number (all are below 256; 0 is none), as in
// std/charset.h. Places count from 0: single byte sets by byte 20–7F (96 places), sets of two bytes by
// row and column of 94.
#ifndef DICOM_CHARSET_TABLE_H
#define DICOM_CHARSET_TABLE_H

#include "base/err.h"
#include "base/slice.h"

enum {
    CHARSET_NONE = 0,
    CHARSET_ASCII = 6,
    CHARSET_KATAKANA = 13,
    CHARSET_ROMAJI = 14,
    CHARSET_LATIN1 = 100,
};

enum charset_alone { CHARSET_ISO2022 = 0, CHARSET_UTF8, CHARSET_GB18030, CHARSET_GBK };

enum {
    SINGLE_PLACES = 96,
    DOUBLE_PLACES = 94 * 94,
    GB_PLACES = 126 * 190,      // first byte 81–FE, second 40–7E and 80–FE
    GB4_PLACES = 39420,         // 4 bytes for the rest of the Basic Multilingual Plane
    GB4_SUPPLEMENTARY = 189000, // place of U+10000, in the order of Unicode from there
};

enum err charset_tables_load(struct fault *f);

// 1 or 2; which of G0 and G1 the element is for.
unsigned charset_set_bytes(uint8_t iso_ir);
unsigned charset_set_g(uint8_t iso_ir);

// The character at a place, 0 when there is none; a bug before charset_tables_load().
uint32_t charset_set_char(uint8_t iso_ir, size_t place);
uint32_t charset_gb_char(size_t place);  // two bytes of GB18030 and GBK
uint32_t charset_gb4_char(size_t place); // four bytes of GB18030

// The place of a character; false when the set lacks it.
bool charset_set_place(uint8_t iso_ir, uint32_t c, size_t *ret_place);
bool charset_gb_place(bool gbk, uint32_t c, size_t *ret_place);
bool charset_gb4_place(uint32_t c, size_t *ret_place);

#endif
