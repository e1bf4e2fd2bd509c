// Defined terms and escape sequences of PS3.3 Tables C.12-2 to C.12-5, typed in again; each iconv
// name is tried out on a character of the set.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <iconv.h>

#include "std/charset.h"

static const struct {
    const char *term;
    enum charset_kind kind;
    const char *g0, *g1; // escape sequences
    unsigned g0_iso_ir, g1_iso_ir;
} terms[] = {
    {"ISO_IR 6", CHARSET_SINGLE, "", "", 6, 0},
    {"ISO_IR 100", CHARSET_SINGLE, "", "", 6, 100},
    {"ISO_IR 101", CHARSET_SINGLE, "", "", 6, 101},
    {"ISO_IR 109", CHARSET_SINGLE, "", "", 6, 109},
    {"ISO_IR 110", CHARSET_SINGLE, "", "", 6, 110},
    {"ISO_IR 144", CHARSET_SINGLE, "", "", 6, 144},
    {"ISO_IR 127", CHARSET_SINGLE, "", "", 6, 127},
    {"ISO_IR 126", CHARSET_SINGLE, "", "", 6, 126},
    {"ISO_IR 138", CHARSET_SINGLE, "", "", 6, 138},
    {"ISO_IR 148", CHARSET_SINGLE, "", "", 6, 148},
    {"ISO_IR 203", CHARSET_SINGLE, "", "", 6, 203},
    {"ISO_IR 13", CHARSET_SINGLE, "", "", 14, 13},
    {"ISO_IR 166", CHARSET_SINGLE, "", "", 6, 166},
    {"ISO 2022 IR 6", CHARSET_EXT_SINGLE, "\x1b\x28\x42", "", 6, 0},
    {"ISO 2022 IR 100", CHARSET_EXT_SINGLE, "\x1b\x28\x42", "\x1b\x2d\x41", 6, 100},
    {"ISO 2022 IR 101", CHARSET_EXT_SINGLE, "\x1b\x28\x42", "\x1b\x2d\x42", 6, 101},
    {"ISO 2022 IR 109", CHARSET_EXT_SINGLE, "\x1b\x28\x42", "\x1b\x2d\x43", 6, 109},
    {"ISO 2022 IR 110", CHARSET_EXT_SINGLE, "\x1b\x28\x42", "\x1b\x2d\x44", 6, 110},
    {"ISO 2022 IR 144", CHARSET_EXT_SINGLE, "\x1b\x28\x42", "\x1b\x2d\x4c", 6, 144},
    {"ISO 2022 IR 127", CHARSET_EXT_SINGLE, "\x1b\x28\x42", "\x1b\x2d\x47", 6, 127},
    {"ISO 2022 IR 126", CHARSET_EXT_SINGLE, "\x1b\x28\x42", "\x1b\x2d\x46", 6, 126},
    {"ISO 2022 IR 138", CHARSET_EXT_SINGLE, "\x1b\x28\x42", "\x1b\x2d\x48", 6, 138},
    {"ISO 2022 IR 148", CHARSET_EXT_SINGLE, "\x1b\x28\x42", "\x1b\x2d\x4d", 6, 148},
    {"ISO 2022 IR 203", CHARSET_EXT_SINGLE, "\x1b\x28\x42", "\x1b\x2d\x62", 6, 203},
    {"ISO 2022 IR 13", CHARSET_EXT_SINGLE, "\x1b\x28\x4a", "\x1b\x29\x49", 14, 13},
    {"ISO 2022 IR 166", CHARSET_EXT_SINGLE, "\x1b\x28\x42", "\x1b\x2d\x54", 6, 166},
    {"ISO 2022 IR 87", CHARSET_EXT_MULTI, "\x1b\x24\x42", "", 87, 0},
    {"ISO 2022 IR 159", CHARSET_EXT_MULTI, "\x1b\x24\x28\x44", "", 159, 0},
    {"ISO 2022 IR 149", CHARSET_EXT_MULTI, "", "\x1b\x24\x29\x43", 0, 149},
    {"ISO 2022 IR 58", CHARSET_EXT_MULTI, "", "\x1b\x24\x29\x41", 0, 58},
    {"ISO_IR 192", CHARSET_ALONE, "", "", 0, 0},
    {"GB18030", CHARSET_ALONE, "", "", 0, 0},
    {"GBK", CHARSET_ALONE, "", "", 0, 0},
};

static void known_terms(void **state) {
    (void)state;
    assert_int_equal(std_charset_count(), sizeof terms / sizeof terms[0]);
    for (size_t i = 0; i < sizeof terms / sizeof terms[0]; i++) {
        const struct std_charset *c = std_charset_find(slice_str(terms[i].term));
        assert_non_null(c);
        assert_ptr_equal(c, std_charset_at(i));
        assert_string_equal(c->term, terms[i].term);
        assert_int_equal(c->kind, terms[i].kind);
        assert_true(slice_eq_str(c->g0, terms[i].g0));
        assert_true(slice_eq_str(c->g1, terms[i].g1));
        assert_int_equal(c->g0_iso_ir, terms[i].g0_iso_ir);
        assert_int_equal(c->g1_iso_ir, terms[i].g1_iso_ir);
    }
    assert_string_equal(std_charset_find(SLICE_LIT(""))->iconv, "ASCII");
    assert_null(std_charset_at(std_charset_count()));
}

static void unknown_terms(void **state) {
    (void)state;
    static const char *const bad[] = {
        " ",          "ISO_IR",          "ISO_IR 1",     "ISO_IR 1000", "iso_ir 100", "ISO_IR 100 ",
        "ISO_IR 149", "ISO 2022 IR 192", "ISO 2022 GBK", "UTF-8",       "GB 18030"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_null(std_charset_find(slice_str(bad[i])));
}

// The bytes of one character in a value, and what it is in UTF-8.
static void convert(const char *encoding, const char *bytes, const char *expected) {
    char in[32], out[32] = "", *from = in, *to = out;
    strcpy(in, bytes);
    size_t from_left = strlen(in), to_left = sizeof out - 1;
    iconv_t cd = iconv_open("UTF-8", encoding);
    assert_true(cd != (iconv_t)-1);
    assert_int_equal(iconv(cd, &from, &from_left, &to, &to_left), 0);
    iconv_close(cd);
    assert_string_equal(out, expected);
}

static void code_elements(void **state) {
    (void)state;
    static const struct {
        unsigned iso_ir, g, char_bytes;
        const char *escape, *bytes, *utf8;
    } cases[] = {
        {6, 0, 1, "\x1b(B", "A", "A"},
        {14, 0, 1, "\x1b(J", "A", "A"},
        {13, 1, 1, "\x1b)I", "\xd4", "\uff94"},
        {100, 1, 1, "\x1b-A", "\xe4", "\u00e4"},
        {101, 1, 1, "\x1b-B", "\xb1", "\u0105"},
        {109, 1, 1, "\x1b-C", "\xa1", "\u0126"},
        {110, 1, 1, "\x1b-D", "\xa2", "\u0138"},
        {144, 1, 1, "\x1b-L", "\xbb", "\u041b"},
        {127, 1, 1, "\x1b-G", "\xe2", "\u0642"},
        {126, 1, 1, "\x1b-F", "\xc4", "\u0394"},
        {138, 1, 1, "\x1b-H", "\xf9", "\u05e9"},
        {148, 1, 1, "\x1b-M", "\xdd", "\u0130"},
        {203, 1, 1, "\x1b-b", "\xa4", "\u20ac"},
        {166, 1, 1, "\x1b-T", "\xa1", "\u0e01"},
        {87, 0, 2, "\x1b$B", "\x3b\x33", "\u5c71"},
        {159, 0, 2, "\x1b$(D", "\x30\x21", "\u4e02"},
        {149, 1, 2, "\x1b$)C", "\xb1\xe8", "\uae40"},
        {58, 1, 2, "\x1b$)A", "\xcd\xf5", "\u738b"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const struct std_code_element *e = std_code_element_find((uint16_t)cases[i].iso_ir);
        assert_non_null(e);
        assert_int_equal(e->g, cases[i].g);
        assert_int_equal(e->char_bytes, cases[i].char_bytes);
        assert_true(slice_eq_str(e->escape, cases[i].escape));
        assert_int_equal(strlen(cases[i].bytes), e->char_bytes);
        char value[16];
        strcpy(value, cases[i].escape);
        strcat(value, cases[i].bytes);
        assert_ptr_equal(std_code_element_at(slice_str(value)), e);
        strcpy(value, e->iconv_pre);
        strcat(value, cases[i].bytes);
        strcat(value, e->iconv_post);
        convert(e->iconv, value, cases[i].utf8);
    }
}

static void no_code_elements(void **state) {
    (void)state;
    static const char *const bad[] = {"",        "\x1b",   "\x1b(", "\x1b(Z",  "\x1b$",  "\x1b$)",
                                      "\x1b$)Z", "\x1b$@", "(B",    "A\x1b(B", "\x1b.A", "\x1b-Z"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_null(std_code_element_at(slice_str(bad[i])));
    assert_null(std_code_element_find(0));
    assert_null(std_code_element_find(192));
}

static void whole_values(void **state) {
    (void)state;
    convert(std_charset_find(SLICE_LIT("ISO_IR 192"))->iconv, "\xc3\xa4", "\u00e4");
    convert(std_charset_find(SLICE_LIT("GB18030"))->iconv, "\xcd\xf5", "\u738b");
    convert(std_charset_find(SLICE_LIT("GBK"))->iconv, "\xcd\xf5", "\u738b");
    convert(std_charset_find(SLICE_LIT("ISO_IR 13"))->iconv, "A\xd4", "A\uff94");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(known_terms),      cmocka_unit_test(unknown_terms), cmocka_unit_test(code_elements),
        cmocka_unit_test(no_code_elements), cmocka_unit_test(whole_values),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
