// JSON texts that are some, and texts that are none (RFC 8259).
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/json.h"

static const struct {
    const char *text;
    enum err expected;
    size_t tokens;
} rows[] = {
    {"null", OK, 1},
    {" true ", OK, 1},
    {"false", OK, 1},
    {"0", OK, 1},
    {"-0.5e+10", OK, 1},
    {"123456789012345678901234567890", OK, 1},
    {"1E5", OK, 1},
    {"\"\"", OK, 1},
    {"\"\\\"\\\\\\/\\b\\f\\n\\r\\t\\u00e4\\uD83D\\uDE00\"", OK, 1},
    {"\"\xC3\xA4\"", OK, 1},
    {"[]", OK, 1},
    {"{}", OK, 1},
    {"\t[ 1 ,\r\n2 ]", OK, 3},
    {"[[],{},[[]]]", OK, 5},
    {"{\"a\":1,\"b\":[{\"c\":null}]}", OK, 8},
    {"{\"a\":1,\"a\":2}", OK, 5},
    {"", ERR_SYNTAX, 0},
    {" ", ERR_SYNTAX, 0},
    {"nul", ERR_SYNTAX, 0},
    {"nulls", ERR_SYNTAX, 0},
    {"True", ERR_SYNTAX, 0},
    {"NaN", ERR_SYNTAX, 0},
    {"Infinity", ERR_SYNTAX, 0},
    {"01", ERR_SYNTAX, 0},
    {"-", ERR_SYNTAX, 0},
    {"+1", ERR_SYNTAX, 0},
    {".5", ERR_SYNTAX, 0},
    {"5.", ERR_SYNTAX, 0},
    {"1e", ERR_SYNTAX, 0},
    {"1e+", ERR_SYNTAX, 0},
    {"0x10", ERR_SYNTAX, 0},
    {"1 2", ERR_SYNTAX, 0},
    {"'a'", ERR_SYNTAX, 0},
    {"\"a", ERR_SYNTAX, 0},
    {"\"a\\\"", ERR_SYNTAX, 0},
    {"\"\\", ERR_SYNTAX, 0},
    {"\"\\x\"", ERR_SYNTAX, 0},
    {"\"\\u12\"", ERR_SYNTAX, 0},
    {"\"\\u12G4\"", ERR_SYNTAX, 0},
    {"\"\\uD800\"", ERR_SYNTAX, 0},
    {"\"\\uD800\\u0041\"", ERR_SYNTAX, 0},
    {"\"\\uD800\\n\"", ERR_SYNTAX, 0},
    {"\"\\uDC00\"", ERR_SYNTAX, 0},
    {"\"\\u0000\"", ERR_SYNTAX, 0},
    {"\"a\\u0000b\"", ERR_SYNTAX, 0},
    {"{\"a\\u0000\":1}", ERR_SYNTAX, 0},
    {"\"\\u0001\"", OK, 1},
    {"\"\n\"", ERR_SYNTAX, 0},
    {"\"\xFF\"", ERR_SYNTAX, 0},
    {"\"\xC3\"", ERR_SYNTAX, 0},
    {"\"\xED\xA0\x80\"", ERR_SYNTAX, 0},
    {"\xEF\xBB\xBF{}", ERR_SYNTAX, 0},
    {"[", ERR_SYNTAX, 0},
    {"[1", ERR_SYNTAX, 0},
    {"[1,]", ERR_SYNTAX, 0},
    {"[,1]", ERR_SYNTAX, 0},
    {"[1 2]", ERR_SYNTAX, 0},
    {"[1}", ERR_SYNTAX, 0},
    {"]", ERR_SYNTAX, 0},
    {"{", ERR_SYNTAX, 0},
    {"{\"a\"}", ERR_SYNTAX, 0},
    {"{\"a\":}", ERR_SYNTAX, 0},
    {"{\"a\":1,}", ERR_SYNTAX, 0},
    {"{a:1}", ERR_SYNTAX, 0},
    {"{1:1}", ERR_SYNTAX, 0},
    {"{\"a\":1]", ERR_SYNTAX, 0},
    {"{}{}", ERR_SYNTAX, 0},
    {"[1]//", ERR_SYNTAX, 0},
    {"[1]\f", ERR_SYNTAX, 0},
};

static void test_rows(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct json j = {.text = {NULL, 0}};
        struct fault f = {0};
        enum err e = json_scan(slice_str(rows[i].text), 100, &f, &j);
        if (e != rows[i].expected || j.count != rows[i].tokens)
            fail_msg("%s: %s %s, %zu tokens", rows[i].text, err_name(e), f.detail, j.count);
        assert_int_equal(f.code, e);
        if (e != OK)
            continue;
        assert_int_equal(j.token[0].next, j.count);
        // One token fewer is a limit.
        struct json less;
        assert_int_equal(json_scan(slice_str(rows[i].text), j.count - 1, NULL, &less), ERR_LIMIT);
        json_fini(&j);
    }
}

static void test_nul_bytes(void **state) {
    (void)state;
    struct json j;
    assert_int_equal(json_scan(SLICE_LIT("1\0"), 10, NULL, &j), ERR_SYNTAX);
    assert_int_equal(json_scan(SLICE_LIT("\"\0\""), 10, NULL, &j), ERR_SYNTAX);
    assert_int_equal(json_scan(SLICE_LIT("[\0]"), 10, NULL, &j), ERR_SYNTAX);
}

static void test_depth(void **state) {
    (void)state;
    static const struct {
        size_t depth;
        enum err expected;
    } cases[] = {{JSON_DEPTH_MAX - 1, OK},
                 {JSON_DEPTH_MAX, OK},
                 {JSON_DEPTH_MAX + 1, ERR_DEPTH},
                 {1 << 20, ERR_DEPTH}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct buf b = BUF_INIT(4 << 20);
        for (size_t d = 0; d < cases[i].depth; d++)
            buf_u8(&b, '[');
        for (size_t d = 0; d < cases[i].depth; d++)
            buf_u8(&b, ']');
        struct json j;
        assert_int_equal(json_scan(buf_slice(&b), 1 << 21, NULL, &j), cases[i].expected);
        if (cases[i].expected == OK)
            json_fini(&j);
        buf_fini(&b);
    }
}

static void test_looking(void **state) {
    (void)state;
    struct json j;
    struct buf b = BUF_INIT(100);
    const char *text =
        "{\"a\":[1,{\"b\":2}],\"\\u0062\":\"x\\n\\u20ac\\ud83d\\ude00\",\"c\":1,\"c\":2,\"\":7}";
    assert_int_equal(json_scan(slice_str(text), 100, NULL, &j), OK);
    assert_int_equal(j.token[0].n, 5);
    size_t a = json_member(&j, 0, "a"), x = json_member(&j, 0, "b");
    assert_int_equal(j.token[a].kind, JSON_ARRAY);
    assert_int_equal(j.token[a].n, 2);
    json_string(&j, x, &b);
    assert_true(slice_eq_str(buf_slice(&b), "x\n\xE2\x82\xAC\xF0\x9F\x98\x80"));
    assert_true(json_is(&j, x, "x\n\xE2\x82\xAC\xF0\x9F\x98\x80"));
    assert_false(json_is(&j, x, "x\n"));
    assert_false(json_is(&j, a, "1"));
    assert_int_equal(json_member(&j, 0, "c"), 0); // twice
    assert_int_equal(json_member(&j, 0, "d"), 0);
    assert_int_equal(json_member(&j, a, "b"), 0);
    assert_true(slice_eq_str(json_raw(&j, json_member(&j, 0, "")), "7"));
    assert_true(slice_eq_str(json_raw(&j, json_member(&j, a + 2, "b")), "2"));
    buf_fini(&b);
    json_fini(&j);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rows),
        cmocka_unit_test(test_nul_bytes),
        cmocka_unit_test(test_depth),
        cmocka_unit_test(test_looking),
    };
    return cmocka_run_group_tests_name("base/json", tests, NULL, NULL);
}
