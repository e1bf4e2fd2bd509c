// Hexadecimal digits, and what is nearly one.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/hex.h"

static void digits(void **state) {
    (void)state;
    static const char all[] = "0123456789abcdefABCDEF";
    for (int c = 0; c < 256; c++) {
        const char *at = c ? strchr(all, c) : NULL;
        int expected = !at ? -1 : at - all < 16 ? (int)(at - all) : (int)(at - all) - 6;
        assert_int_equal(hex_digit((uint8_t)c), expected);
    }
}

static void numbers(void **state) {
    (void)state;
    static const struct {
        const char *text;
        bool good;
        uint32_t value;
    } rows[] = {
        {"00000000", true, 0},          {"0040A730", true, 0x0040A730}, {"fffEE00d", true, 0xFFFEE00D},
        {"ffffffff", true, UINT32_MAX}, {"", false, 0},                 {"0040A73", false, 0},
        {"0040A7300", false, 0},        {"0040A73G", false, 0},         {"0x40A730", false, 0},
        {" 040A730", false, 0},         {"0040,A73", false, 0},         {"-0000001", false, 0},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        uint32_t v = 4711;
        assert_int_equal(hex_u32(slice_str(rows[i].text), &v), rows[i].good);
        assert_int_equal(v, rows[i].good ? rows[i].value : 4711);
    }
}

static void bytes(void **state) {
    (void)state;
    uint8_t b[4] = "abc";
    char text[9];
    assert_true(hex_decode(slice_str("00ffA9"), b, 3));
    assert_memory_equal(b, "\x00\xff\xa9", 4);
    assert_ptr_equal(hex_encode(b, 3, text), text + 6);
    assert_string_equal(text, "00ffa9");
    assert_ptr_equal(hex_encode(b, 0, text), text);
    assert_string_equal(text, "");
    static const char *const wrong[] = {"", "00ffA", "00ffA90", "00ffA9b0", "00ffAx", "x0ffA9"};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        assert_false(hex_decode(slice_str(wrong[i]), b, 3));
    assert_memory_equal(b, "\x00\xff\xa9", 4);
    assert_true(hex_decode(slice_str(""), b, 0));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(digits),
        cmocka_unit_test(numbers),
        cmocka_unit_test(bytes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
