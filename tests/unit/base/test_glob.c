// Wildcards, names and ranges as PS3.4 C.2.2.2.4 and .5 want them.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/glob.h"

struct row {
    const char *pattern, *value;
    bool expected;
};

static const struct row glob_rows[] = {
    {"", "", true},
    {"", "a", false},
    {"a", "", false},
    {"abc", "abc", true},
    {"abc", "ABC", false},
    {"abc", "abcd", false},
    {"abcd", "abc", false},
    {"*", "", true},
    {"*", "anything", true},
    {"**", "x", true},
    {"?", "", false},
    {"?", "x", true},
    {"?", "xy", false},
    {"a*", "a", true},
    {"a*", "ba", false},
    {"*a", "ba", true},
    {"*a", "ab", false},
    {"a*c", "abbbc", true},
    {"a*c", "abbb", false},
    {"a?c", "abc", true},
    {"a?c", "ac", false},
    {"*b*", "abc", true},
    {"*b*", "ac", false},
    {"a*b*c", "axbxbxc", true},
    {"a*b*c", "axcxb", false},
    {"*ab", "aab", true},
    {"*aab", "aaab", true},
    {"?*", "", false},
    {"?*?", "a", false},
    {"?*?", "ab", true},
    {"%", "x", false},
    {"%", "%", true},
    {"_", "x", false},
    {"a_c", "abc", false},
    {"a_c", "a_c", true},
    {"\\", "\\", true},
    {"\\*", "\\x", true},
    {"\\*", "*", false},
    {"[a]", "a", false},
    {"a%*", "a%b", true},
    {"a%*", "ab", false},
    {"?", "\xC3\xA4", true},
    {"??", "\xC3\xA4", false},
    {"?", "\xE5\xB1\xB1", true},
    {"*\xE7\x94\xB0", "\xE5\xB1\xB1\xE7\x94\xB0", true},
    {"?\xE7\x94\xB0", "\xE5\xB1\xB1\xE7\x94\xB0", true},
    {"??", "\xF0\xA0\x80\x8B\xE7\x94\xB0", true},
    {"?", "\xFF", true},
    {"?", "\xE5\xB1", false},
    {"??", "\xE5\xB1", true},
    {"'; DROP TABLE", "'; DROP TABLE", true},
    {"*'*", "x", false},
};

static const struct row name_rows[] = {
    {"doe^john", "doe^john", true},
    {"doe^john", "doe^jane", false},
    {"doe", "doe^john", false},
    {"doe*", "doe^john", true},
    {"b*", "a=b=c", true},
    {"c", "a=b=c", true},
    {"a=c", "a=b=c", false},
    {"a*c", "a=b=c", false}, // a '*' does not reach into the next group
    {"*=b", "a=b=c", true},
    {"=b", "a=b=c", true},
    {"=b", "b=a", false},
    {"==c", "a=b=c", true},
    {"==c", "a=b", false},
    {"a=", "a=b", true},
    {"a=", "b=a", false},
    {"a=b=c=d", "a=b=c", false},
    {"a", "", false},
    {"*", "", true},
    {"", "", true},
    {"", "a", false},
};

static void test_glob(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof glob_rows / sizeof *glob_rows; i++) {
        const struct row *r = &glob_rows[i];
        if (glob_match(slice_str(r->pattern), slice_str(r->value)) != r->expected)
            fail_msg("row %zu: '%s' on '%s'", i, r->pattern, r->value);
    }
}

static void test_names(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof name_rows / sizeof *name_rows; i++) {
        const struct row *r = &name_rows[i];
        if (glob_match_name(slice_str(r->pattern), slice_str(r->value)) != r->expected)
            fail_msg("row %zu: '%s' on '%s'", i, r->pattern, r->value);
    }
}

static void test_range(void **state) {
    (void)state;
    static const struct {
        const char *low, *high, *value;
        bool expected;
    } rows[] = {
        {"20240101", "20240131", "20240101", true},
        {"20240101", "20240131", "20240131", true},
        {"20240101", "20240131", "20231231", false},
        {"20240101", "20240131", "20240201", false},
        {"", "20240131", "19000101", true},
        {"", "20240131", "20240201", false},
        {"20240101", "", "20991231", true},
        {"20240101", "", "20231231", false},
        {"20240131", "20240101", "20240115", false},
        {"", "", "x", true},
        {"", "", "", false},
        {"20240101", "", "", false},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (glob_in_range(slice_str(rows[i].low), slice_str(rows[i].high), slice_str(rows[i].value)) !=
            rows[i].expected)
            fail_msg("row %zu", i);
}

static void test_parts(void **state) {
    (void)state;
    assert_int_equal(glob_prefix(slice_str("abc*d")), 3);
    assert_int_equal(glob_prefix(slice_str("abc")), 3);
    assert_int_equal(glob_prefix(slice_str("?")), 0);
    assert_true(glob_has_wildcard(slice_str("a?")));
    assert_false(glob_has_wildcard(slice_str("a%_\\")));
    assert_true(glob_is_universal(slice_str("**")));
    assert_false(glob_is_universal(slice_str("*?")));
    assert_false(glob_is_universal(slice_str("")));
}

// A pattern that makes a backtracking matcher take exponential time: here it must be quick enough to notice
// nothing.
static void test_hostile(void **state) {
    (void)state;
    enum { PAIRS = 2000, VALUE = 3999 };
    char pattern[2 * PAIRS + 2], value[VALUE + 1];
    for (size_t i = 0; i < PAIRS; i++)
        memcpy(pattern + 2 * i, "?*", 2);
    memcpy(pattern + (size_t)2 * PAIRS, "b", 2);
    memset(value, 'a', VALUE);
    value[VALUE] = 0;
    assert_false(glob_match(slice_str(pattern), slice_str(value)));
    value[VALUE - 1] = 'b';
    assert_true(glob_match(slice_str(pattern), slice_str(value)));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_glob),  cmocka_unit_test(test_names),   cmocka_unit_test(test_range),
        cmocka_unit_test(test_parts), cmocka_unit_test(test_hostile),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
