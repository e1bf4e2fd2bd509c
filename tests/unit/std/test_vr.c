// Facts of PS3.5 Table 6.2-1 and section 7.1.2, typed in again from the standard, not from spec/.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "std/vr.h"

// long header, class, size of a value, swap unit, padding, greatest length
static const struct {
    const char *code;
    enum vr vr;
    bool long_header;
    enum vr_class class_;
    unsigned value_bytes, swap_bytes, pad, max_chars;
} cases[] = {
    {"AE", VR_AE, false, VR_CLASS_STRING, 0, 1, ' ', 16},
    {"AS", VR_AS, false, VR_CLASS_STRING, 0, 1, ' ', 4},
    {"AT", VR_AT, false, VR_CLASS_NUMBER, 4, 2, 0, 0},
    {"CS", VR_CS, false, VR_CLASS_STRING, 0, 1, ' ', 16},
    {"DA", VR_DA, false, VR_CLASS_STRING, 0, 1, ' ', 8},
    {"DS", VR_DS, false, VR_CLASS_STRING, 0, 1, ' ', 16},
    {"DT", VR_DT, false, VR_CLASS_STRING, 0, 1, ' ', 26},
    {"FD", VR_FD, false, VR_CLASS_NUMBER, 8, 8, 0, 0},
    {"FL", VR_FL, false, VR_CLASS_NUMBER, 4, 4, 0, 0},
    {"IS", VR_IS, false, VR_CLASS_STRING, 0, 1, ' ', 12},
    {"LO", VR_LO, false, VR_CLASS_STRING, 0, 1, ' ', 64},
    {"LT", VR_LT, false, VR_CLASS_STRING, 0, 1, ' ', 10240},
    {"OB", VR_OB, true, VR_CLASS_BYTES, 1, 1, 0, 0},
    {"OD", VR_OD, true, VR_CLASS_BYTES, 8, 8, 0, 0},
    {"OF", VR_OF, true, VR_CLASS_BYTES, 4, 4, 0, 0},
    {"OL", VR_OL, true, VR_CLASS_BYTES, 4, 4, 0, 0},
    {"OV", VR_OV, true, VR_CLASS_BYTES, 8, 8, 0, 0},
    {"OW", VR_OW, true, VR_CLASS_BYTES, 2, 2, 0, 0},
    {"PN", VR_PN, false, VR_CLASS_STRING, 0, 1, ' ', 64},
    {"SH", VR_SH, false, VR_CLASS_STRING, 0, 1, ' ', 16},
    {"SL", VR_SL, false, VR_CLASS_NUMBER, 4, 4, 0, 0},
    {"SQ", VR_SQ, true, VR_CLASS_SEQUENCE, 0, 1, 0, 0},
    {"SS", VR_SS, false, VR_CLASS_NUMBER, 2, 2, 0, 0},
    {"ST", VR_ST, false, VR_CLASS_STRING, 0, 1, ' ', 1024},
    {"SV", VR_SV, true, VR_CLASS_NUMBER, 8, 8, 0, 0},
    {"TM", VR_TM, false, VR_CLASS_STRING, 0, 1, ' ', 14},
    {"UC", VR_UC, true, VR_CLASS_STRING, 0, 1, ' ', 0},
    {"UI", VR_UI, false, VR_CLASS_STRING, 0, 1, 0, 64},
    {"UL", VR_UL, false, VR_CLASS_NUMBER, 4, 4, 0, 0},
    {"UN", VR_UN, true, VR_CLASS_BYTES, 1, 1, 0, 0},
    {"UR", VR_UR, true, VR_CLASS_STRING, 0, 1, ' ', 0},
    {"US", VR_US, false, VR_CLASS_NUMBER, 2, 2, 0, 0},
    {"UT", VR_UT, true, VR_CLASS_STRING, 0, 1, ' ', 0},
    {"UV", VR_UV, true, VR_CLASS_NUMBER, 8, 8, 0, 0},
};

enum { CASES = sizeof cases / sizeof cases[0] };

static void every_vr(void **state) {
    (void)state;
    assert_int_equal(CASES + 1, VR_COUNT_);
    for (size_t i = 0; i < CASES; i++) {
        const char *code = cases[i].code;
        enum vr v = std_vr_from_code((uint8_t)code[0], (uint8_t)code[1]);
        assert_int_equal(v, cases[i].vr);
        const struct std_vr *info = std_vr_info(v);
        assert_string_equal(info->code, code);
        assert_int_equal(info->long_header, cases[i].long_header);
        assert_int_equal(info->class_, cases[i].class_);
        assert_int_equal(info->value_bytes, cases[i].value_bytes);
        assert_int_equal(info->swap_bytes, cases[i].swap_bytes);
        assert_int_equal(info->pad, cases[i].pad);
        assert_int_equal(info->max_chars, cases[i].max_chars);
    }
}

// The string of the codes for which a property holds, in the order of the alphabet.
static void expect_codes(const char *expected, bool (*holds)(const struct std_vr *)) {
    char codes[4 * VR_COUNT_] = "";
    for (unsigned v = VR_UNKNOWN; v < VR_COUNT_; v++) {
        const struct std_vr *info = std_vr_info((enum vr)v);
        if (holds(info)) {
            strcat(codes, codes[0] ? " " : "");
            strcat(codes, info->code);
        }
    }
    assert_string_equal(codes, expected);
}

static bool is_charset(const struct std_vr *v) { return v->charset; }
static bool is_wildcard(const struct std_vr *v) { return v->wildcard; }
static bool is_range(const struct std_vr *v) { return v->range; }
static bool is_bulk(const struct std_vr *v) { return v->bulk; }
static bool is_text(const struct std_vr *v) { return v->text; }
static bool is_single_string(const struct std_vr *v) { return v->class_ == VR_CLASS_STRING && !v->multi; }
static bool is_trimmed_left(const struct std_vr *v) { return v->trim == VR_TRIM_BOTH; }

static void properties(void **state) {
    (void)state;
    expect_codes("LO LT PN SH ST UC UT", is_charset);
    expect_codes("AE CS LO LT PN SH ST UC UR UT", is_wildcard);
    expect_codes("DA DT TM", is_range);
    expect_codes("OB OD OF OL OV OW UC UN UR UT", is_bulk);
    expect_codes("LT ST UT", is_text);
    expect_codes("LT ST UR UT", is_single_string);
    expect_codes("AE CS DS IS LO SH", is_trimmed_left);
}

static void no_vr(void **state) {
    (void)state;
    static const char bad[][3] = {"XX", "ae", "Ae", "aE", "A",  "",         "  ",
                                  "??", "OX", "ZZ", "[[", "@@", "\xff\xff", "BR"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_int_equal(std_vr_from_code((uint8_t)bad[i][0], (uint8_t)bad[i][1]), VR_UNKNOWN);
    assert_string_equal(std_vr_info(VR_UNKNOWN)->code, "??");
    assert_ptr_equal(std_vr_info(VR_COUNT_), std_vr_info(VR_UNKNOWN));
    assert_ptr_equal(std_vr_info((enum vr) - 1), std_vr_info(VR_UNKNOWN));
    assert_int_equal(std_vr_info(VR_UNKNOWN)->class_, VR_CLASS_NONE);
}

// Of all 65536 pairs of bytes, exactly the 34 are VRs.
static void exactly_34(void **state) {
    (void)state;
    unsigned found = 0;
    for (unsigned c = 0; c < 0x10000; c++)
        found += std_vr_from_code((uint8_t)(c >> 8), (uint8_t)c) != VR_UNKNOWN;
    assert_int_equal(found, 34);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_vr),
        cmocka_unit_test(properties),
        cmocka_unit_test(no_vr),
        cmocka_unit_test(exactly_34),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
