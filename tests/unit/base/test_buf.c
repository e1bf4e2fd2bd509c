// clang-format off
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
// clang-format on

#include "base/buf.h"

static void up_to_the_maximum(void **state) {
    (void)state;
    struct buf b = BUF_INIT(300); // more than the first piece of memory
    for (int i = 0; i < 300; i++)
        buf_u8(&b, (uint8_t)i);
    assert_true(buf_ok(&b));
    assert_int_equal(buf_error(&b), OK);
    assert_int_equal(b.n, 300);
    buf_u8(&b, 1);
    assert_int_equal(buf_error(&b), ERR_LIMIT);
    buf_consume(&b, 200);
    buf_u8(&b, 1); // there would be room, but what is missing stays missing
    assert_int_equal(b.n, 100);
    assert_int_equal(buf_error(&b), ERR_LIMIT);
    buf_reset(&b);
    buf_u8(&b, 7);
    assert_int_equal(buf_error(&b), OK);
    assert_int_equal(b.p[0], 7);
    buf_fini(&b);
}

// For want of memory, not of room: nobody's fault, and worth another try.
static void without_memory(void **state) {
    (void)state;
    struct buf b = BUF_INIT(SIZE_MAX / 2);
    buf_append_str(&b, "kept");
    assert_false(buf_reserve(&b, SIZE_MAX / 4));
    assert_int_equal(buf_error(&b), ERR_NO_MEMORY);
    assert_true(slice_eq_str(buf_slice(&b), "kept"));
    struct buf of_it = BUF_INIT(100);
    buf_fail(&of_it, buf_error(&b)); // as when it should have been made of what is missing
    assert_int_equal(buf_error(&of_it), ERR_NO_MEMORY);
    buf_reset(&b);
    assert_int_equal(buf_error(&b), OK);
    buf_fail(&b, OK);
    assert_true(buf_ok(&b));
    buf_fini(&b);
}

static void on_an_array(void **state) {
    (void)state;
    uint8_t place[4];
    struct buf b = BUF_ON(place);
    buf_append_str(&b, "four");
    assert_int_equal(buf_error(&b), OK);
    assert_ptr_equal(b.p, place);
    buf_u8(&b, 0);
    assert_int_equal(buf_error(&b), ERR_LIMIT);
    assert_memory_equal(place, "four", 4);
}

static void says_what_it_was_to_hold(void **state) {
    (void)state;
    struct fault f = {0};
    struct buf b = BUF_INIT(4);
    buf_append_str(&b, "four");
    assert_int_equal(buf_check(&b, &f, "a word"), OK);
    assert_int_equal(f.code, OK);
    assert_string_equal(f.detail, "");
    buf_u8(&b, 's');
    assert_int_equal(buf_check(&b, &f, "a word of %d letters", 5), ERR_LIMIT);
    assert_int_equal(f.code, ERR_LIMIT);
    assert_string_equal(f.detail, "a word of 5 letters");
    buf_reset(&b);
    buf_fail(&b, ERR_NO_MEMORY);
    assert_int_equal(buf_check(&b, NULL, "a word"), ERR_NO_MEMORY);
    assert_int_equal(buf_check(&b, &f, "another"), ERR_LIMIT); // the first fault stays
    assert_string_equal(f.detail, "a word of 5 letters");
    buf_fini(&b);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(up_to_the_maximum),
        cmocka_unit_test(without_memory),
        cmocka_unit_test(on_an_array),
        cmocka_unit_test(says_what_it_was_to_hold),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
