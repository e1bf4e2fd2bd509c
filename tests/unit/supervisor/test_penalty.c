#include "supervisor/penalty.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

static const struct penalty_limits limits = {
    .per_source = 5, .unproven_per_source = 3, .first_ms = 1000, .most_ms = 300000};

static void test_limits_at_once(void **state) {
    (void)state;
    struct penalties *p = penalties_new(&limits);
    for (int i = 0; i < 3; i++)
        assert_int_equal(penalty_admit(p, "a", 0), PENALTY_ADMIT);
    assert_int_equal(penalty_admit(p, "a", 0), PENALTY_TOO_MANY_UNPROVEN);
    assert_int_equal(penalty_admit(p, "b", 0), PENALTY_ADMIT); // another address is not concerned
    for (int i = 0; i < 3; i++)
        penalty_proven(p, "a");
    assert_int_equal(penalty_admit(p, "a", 0), PENALTY_ADMIT);
    assert_int_equal(penalty_admit(p, "a", 0), PENALTY_ADMIT);
    assert_int_equal(penalty_admit(p, "a", 0), PENALTY_TOO_MANY);
    penalty_leave(p, "a", true, 0);
    assert_int_equal(penalty_admit(p, "a", 0), PENALTY_ADMIT);
    penalties_free(p);
}

static void test_leaving_unproven_makes_room(void **state) {
    (void)state;
    struct penalties *p = penalties_new(&limits);
    for (int i = 0; i < 3; i++)
        assert_int_equal(penalty_admit(p, "a", 0), PENALTY_ADMIT);
    penalty_leave(p, "a", false, 0);
    assert_int_equal(penalty_admit(p, "a", 0), PENALTY_ADMIT);
    assert_int_equal(penalty_admit(p, "a", 0), PENALTY_TOO_MANY_UNPROVEN);
    penalties_free(p);
}

static const struct {
    const char *name;
    int64_t at_ms, wait_ms;
} crashes[] = {
    {"first", 0, 1000},
    {"second", 10000, 2000},
    {"third", 20000, 4000},
    {"fourth", 30000, 8000},
    {"after two forgotten", 30000 + 2 * PENALTY_FORGET_MS, 4000},
    {"after all are forgotten", 30000 + 20 * (int64_t)PENALTY_FORGET_MS, 1000},
};

static void test_waits_double_and_decay(void **state) {
    (void)state;
    struct penalties *p = penalties_new(&limits);
    for (size_t i = 0; i < sizeof crashes / sizeof *crashes; i++) {
        int64_t at_ms = crashes[i].at_ms, wait_ms = penalty_crash(p, "a", at_ms);
        if (wait_ms != crashes[i].wait_ms)
            fail_msg("%s: waits %lld ms", crashes[i].name, (long long)wait_ms);
        assert_int_equal(penalty_admit(p, "a", at_ms + wait_ms - 1), PENALTY_WAITS);
        assert_int_equal(penalty_admit(p, "b", at_ms), PENALTY_ADMIT);
        penalty_leave(p, "b", false, at_ms);
        assert_int_equal(penalty_admit(p, "a", at_ms + wait_ms), PENALTY_ADMIT);
        penalty_leave(p, "a", false, at_ms + wait_ms);
    }
    penalties_free(p);
}

static void test_wait_has_a_maximum(void **state) {
    (void)state;
    struct penalties *p = penalties_new(&limits);
    int64_t wait_ms = 0;
    for (int i = 0; i < 100; i++)
        wait_ms = penalty_crash(p, "a", 0);
    assert_int_equal(wait_ms, 300000);
    penalties_free(p);
}

static void test_switched_off(void **state) {
    (void)state;
    struct penalties *p = penalties_new(&limits);
    struct penalty_limits off = limits;
    off.first_ms = off.most_ms = 0;
    penalties_set_limits(p, &off);
    assert_int_equal(penalty_crash(p, "a", 0), 0);
    assert_int_equal(penalty_admit(p, "a", 0), PENALTY_ADMIT);
    penalties_free(p);
}

static void test_forgets(void **state) {
    (void)state;
    struct penalties *p = penalties_new(&limits);
    for (int i = 0; i < 10000; i++) {
        char source[32];
        snprintf(source, sizeof source, "10.%d.%d.%d", i / 65536, i / 256 % 256, i % 256);
        assert_int_equal(penalty_admit(p, source, 0), PENALTY_ADMIT);
        penalty_leave(p, source, false, 0);
    }
    assert_int_equal(penalties_count(p), 0);
    penalty_leave(p, "never seen", false, 0);
    penalty_proven(p, "never seen");
    penalties_free(p);
}

static void test_news_once(void **state) {
    (void)state;
    struct penalties *p = penalties_new(&limits);
    penalty_crash(p, "a", 0);
    assert_int_equal(penalty_admit(p, "a", 0), PENALTY_WAITS);
    assert_true(penalty_is_news(p, "a"));
    assert_false(penalty_is_news(p, "a"));
    penalty_crash(p, "a", 0);
    assert_true(penalty_is_news(p, "a"));
    penalties_free(p);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_limits_at_once),     cmocka_unit_test(test_leaving_unproven_makes_room),
        cmocka_unit_test(test_waits_double_and_decay), cmocka_unit_test(test_wait_has_a_maximum),
        cmocka_unit_test(test_switched_off),       cmocka_unit_test(test_forgets),
        cmocka_unit_test(test_news_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
