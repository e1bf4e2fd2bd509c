#include "auth/auth.h"

#include "os/memfd.h"

#include <argon2.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

static const struct {
    const char *name, *text;
    enum err expected;
    size_t n;
} records[] = {
    {"none", "", OK, 0},
    {"one", "ann\t1\thash\n", OK, 1},
    {"two, not in order", "bob\t1\tx\nann\t2\ty\n", OK, 2},
    {"without a hash", "ann\t1\t\n", OK, 1},
    {"not ended", "ann\t1\thash", ERR_CONFIG, 0},
    {"no tab", "ann\n", ERR_CONFIG, 0},
    {"one tab", "ann\t1\n", ERR_CONFIG, 0},
    {"empty name", "\t1\thash\n", ERR_CONFIG, 0},
    {"roles are no number", "ann\tx\thash\n", ERR_CONFIG, 0},
    {"roles too large", "ann\t4294967296\thash\n", ERR_CONFIG, 0},
    {"the second is broken", "ann\t1\th\nbob\n", ERR_CONFIG, 0},
};

static enum err load(struct users *u, const char *text) {
    int fd = -1;
    assert_int_equal(os_memfd_of("users", slice_str(text), &fd, NULL), OK);
    struct fault f = {0};
    return users_load(u, fd, &f);
}

static void test_records(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof records / sizeof *records; i++) {
        struct users u = {.n = 0};
        enum err e = load(&u, records[i].text);
        if (e != records[i].expected || u.n != records[i].n)
            fail_msg("%s: %s, %zu users", records[i].name, err_name(e), u.n);
        users_fini(&u);
    }
}

static void test_find_and_replace(void **state) {
    (void)state;
    struct users u = {.n = 0};
    assert_null(users_find(&u, SLICE_LIT("ann")));
    assert_int_equal(load(&u, "bob\t1\tx\nann\t33\ty\ncy\t2\tz\n"), OK);
    assert_int_equal(users_find(&u, SLICE_LIT("ann"))->roles, 33);
    assert_null(users_find(&u, SLICE_LIT("an")));
    assert_int_equal(load(&u, "broken"), ERR_CONFIG);
    assert_non_null(users_find(&u, SLICE_LIT("bob"))); // the old ones stay
    assert_int_equal(load(&u, "dora\t4\tx\n"), OK);
    assert_null(users_find(&u, SLICE_LIT("bob")));
    users_fini(&u);
}

static void test_passcodes(void **state) {
    (void)state;
    char line[300], hash[200];
    assert_int_equal(argon2id_hash_encoded(1, 64, 1, "right", 5, "saltsaltsalt", 12, 32, hash, sizeof hash),
                     ARGON2_OK);
    snprintf(line, sizeof line, "ann\t1\t%s\nbob\t1\t\n", hash);
    struct users u = {.n = 0};
    assert_int_equal(verify_init(NULL), OK);
    assert_int_equal(load(&u, line), OK);
    const struct user *ann = users_find(&u, SLICE_LIT("ann")), *bob = users_find(&u, SLICE_LIT("bob"));
    assert_true(verify_passcode(ann, SLICE_LIT("right")));
    assert_false(verify_passcode(ann, SLICE_LIT("wrong")));
    assert_false(verify_passcode(ann, SLICE_LIT("")));
    assert_false(verify_passcode(bob, SLICE_LIT(""))); // no hash: cannot sign in
    assert_false(verify_passcode(NULL, SLICE_LIT("right")));
    users_fini(&u);
}

static void test_throttle(void **state) {
    (void)state;
    static struct throttle t = {.key = 7};
    struct slice ann = SLICE_LIT("ann"), bob = SLICE_LIT("bob");
    assert_int_equal(throttle_due_ms(&t, ann, 1000), 1000);
    throttle_note(&t, ann, false, 1000);
    assert_int_equal(throttle_due_ms(&t, ann, 2000), 2500);
    throttle_note(&t, ann, false, 2500);
    assert_int_equal(throttle_due_ms(&t, ann, 3000), 4000);
    assert_int_equal(throttle_due_ms(&t, ann, 3000), 5000); // in parallel: behind each other
    assert_int_equal(throttle_due_ms(&t, bob, 3000), 3000); // nobody else waits
    for (int i = 0; i < 100; i++)
        throttle_note(&t, ann, false, 5000);
    assert_int_equal(throttle_due_ms(&t, ann, 6000), 6000 + THROTTLE_MOST_MS);
    throttle_note(&t, ann, true, 30000);
    assert_int_equal(throttle_due_ms(&t, ann, 30000), 30000);
    throttle_note(&t, ann, false, 40000);
    assert_int_equal(throttle_due_ms(&t, ann, 40001 + THROTTLE_FORGET_MS), 40001 + THROTTLE_FORGET_MS);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_records),
                                       cmocka_unit_test(test_find_and_replace),
                                       cmocka_unit_test(test_passcodes), cmocka_unit_test(test_throttle)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
