// Hexadecimal digits: read in either case, written in lower case.
#ifndef BASE_HEX_H
#define BASE_HEX_H

#include "base/slice.h"

int hex_digit(uint8_t c);                                         // its value, -1: it is none
bool hex_u32(struct slice text, uint32_t *ret_value);             // of exactly 8 digits
bool hex_decode(struct slice text, uint8_t *ret_bytes, size_t n); // exactly n bytes; else nothing is written
char *hex_encode(const uint8_t *bytes, size_t n, char *ret_text); // 2 * n + 1 characters; its NUL

#endif
