#include "std/charset.h"

#include "std/charset.inc"

#define COUNT(rows) (sizeof(rows) / sizeof((rows)[0]))

const struct std_charset *std_charset_find(struct slice term) {
    if (term.n == 0)
        return &charset_rows[0];
    for (size_t i = 0; i < COUNT(charset_rows); i++) {
        if (slice_eq_str(term, charset_rows[i].term))
            return &charset_rows[i];
    }
    return NULL;
}

size_t std_charset_count(void) {
    return COUNT(charset_rows);
}

const struct std_charset *std_charset_at(size_t i) {
    return i < COUNT(charset_rows) ? &charset_rows[i] : NULL;
}

const struct std_code_element *std_code_element_at(struct slice s) {
    if (s.n == 0 || s.p[0] != 0x1B)
        return NULL;
    for (size_t i = 0; i < COUNT(element_rows); i++) {
        if (slice_eq(slice_sub(s, 0, element_rows[i].escape.n), element_rows[i].escape))
            return &element_rows[i];
    }
    return NULL;
}

const struct std_code_element *std_code_element_find(uint16_t iso_ir) {
    for (size_t i = 0; i < COUNT(element_rows); i++) {
        if (element_rows[i].iso_ir == iso_ir)
            return &element_rows[i];
    }
    return NULL;
}
