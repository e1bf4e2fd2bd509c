// UTF-8 as RFC 3629 allows it: no surrogates, no overlong forms, nothing above U+10FFFF.
#ifndef BASE_UTF8_H
#define BASE_UTF8_H

#include "base/slice.h"

bool utf8_valid(struct slice s);
// Decodes the character at s.p; returns its length in bytes (1 to 4), 0 when it is not valid.
size_t utf8_decode(struct slice s, uint32_t *ret_char);
size_t utf8_ascii(struct slice s); // how many bytes at the beginning are ASCII
size_t utf8_encode(uint32_t c, uint8_t out[4]); // length, 0 when c is no character

#endif
