#include "auth/auth.h"

#include "os/memfd.h"

#include <argon2.h>
#include <malloc.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/resource.h>

#include <cmocka.h>

static const struct {
    const char *name, *text;
    enum err expected;
    size_t n;
} records[] = {
    {"none", "", OK, 0},
    {"one", "ann\t1\thash\t\t\t\n", OK, 1},
    {"two, not in order", "bob\t1\tx\t\t\t\nann\t2\ty\t\t\t\n", OK, 2},
    {"all of it", "ann\t1\thash\tABCD\tward,lab\tSmith^John\n", OK, 1},
    {"without a hash", "ann\t1\t\t\t\t\n", OK, 1},
    {"not ended", "ann\t1\thash\t\t\t", ERR_CONFIG, 0},
    {"no tab", "ann\n", ERR_CONFIG, 0},
    {"a cell is missing", "ann\t1\thash\t\t\n", ERR_CONFIG, 0},
    {"a cell too many", "ann\t1\thash\t\t\t\t\n", ERR_CONFIG, 0},
    {"empty name", "\t1\thash\t\t\t\n", ERR_CONFIG, 0},
    {"roles are no number", "ann\tx\thash\t\t\t\n", ERR_CONFIG, 0},
    {"roles too large", "ann\t4294967296\thash\t\t\t\n", ERR_CONFIG, 0},
    {"the second is broken", "ann\t1\th\t\t\t\nbob\n", ERR_CONFIG, 0},
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
    assert_int_equal(load(&u, "bob\t1\tx\t\t\t\nann\t33\ty\t\t\t\ncy\t2\tz\t\t\t\n"), OK);
    assert_int_equal(users_find(&u, SLICE_LIT("ann"))->roles, 33);
    assert_null(users_find(&u, SLICE_LIT("an")));
    assert_int_equal(load(&u, "broken"), ERR_CONFIG);
    assert_non_null(users_find(&u, SLICE_LIT("bob"))); // the old ones stay
    assert_int_equal(load(&u, "dora\t4\tx\t\t\t\n"), OK);
    assert_null(users_find(&u, SLICE_LIT("bob")));
    users_fini(&u);
}

static void test_passcodes(void **state) {
    (void)state;
    char line[300], hash[200];
    assert_int_equal(argon2id_hash_encoded(1, 64, 1, "right", 5, "saltsaltsalt", 12, 32, hash, sizeof hash),
                     ARGON2_OK);
    snprintf(line, sizeof line, "ann\t1\t%s\t\t\t\nbob\t1\t\t\t\t\n", hash);
    struct users u = {.n = 0};
    assert_int_equal(verify_init(NULL), OK);
    assert_int_equal(load(&u, line), OK);
    const struct user *ann = users_find(&u, SLICE_LIT("ann")), *bob = users_find(&u, SLICE_LIT("bob"));
    assert_int_equal(verify_passcode(ann, SLICE_LIT("right")), VERIFY_YES);
    assert_int_equal(verify_passcode(ann, SLICE_LIT("wrong")), VERIFY_NO);
    assert_int_equal(verify_passcode(ann, SLICE_LIT("")), VERIFY_NO);
    assert_int_equal(verify_passcode(bob, SLICE_LIT("")), VERIFY_NO); // no hash: cannot sign in
    assert_int_equal(verify_passcode(NULL, SLICE_LIT("right")), VERIFY_NO);
    users_fini(&u);
}

void __asan_init(void) __attribute__((weak)); // there: it takes all addresses that there are

// Argon2id takes 19 MiB: no memory is no wrong password.
static void test_no_memory(void **state) {
    (void)state;
    struct rlimit before, none;
    if (__asan_init)
        skip();
    malloc_trim(0); // what the tests before it gave back
    struct user ann = {.name = SLICE_LIT("ann"), .hash = verify_nobodys_hash()};
    assert_int_equal(getrlimit(RLIMIT_AS, &before), 0);
    none = (struct rlimit){.rlim_cur = 0, .rlim_max = before.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_AS, &none), 0);
    enum verdict known = verify_passcode(&ann, SLICE_LIT("right")),
                 unknown = verify_passcode(NULL, SLICE_LIT("right"));
    assert_int_equal(setrlimit(RLIMIT_AS, &before), 0);
    assert_int_equal(known, VERIFY_NO_MEMORY);
    assert_int_equal(unknown, VERIFY_NO_MEMORY);
    assert_int_equal(verify_passcode(&ann, SLICE_LIT("right")), VERIFY_NO);
}

static void test_changes(void **state) {
    (void)state;
    struct users u = {.n = 0};
    assert_int_equal(load(&u, "ann\t1\tx\tOLD\tward\tSmith\n"), OK);
    struct user *ann = users_find(&u, SLICE_LIT("ann"));
    assert_true(users_set_hash(ann, SLICE_LIT("new hash")));
    assert_true(users_set_hash(ann, SLICE_LIT("newer hash")));
    assert_true(users_set_totp(ann, SLICE_LIT("")));
    assert_true(slice_eq_str(ann->hash, "newer hash"));
    assert_int_equal(ann->totp.n, 0);
    assert_true(slice_eq_str(ann->physician, "Smith"));
    users_fini(&u);
}

static void test_settings(void **state) {
    (void)state;
    struct settings s = {.session_max_s = 7};
    const char *const wrong[] = {"",
                                 "session_idle_s\t5\n",
                                 "session_idle_s\t5\nsession_max_s\t6\nunknown\tx\n",
                                 "session_idle_s\tx\nsession_max_s\t6\n",
                                 "session_idle_s\t0\nsession_max_s\t6\n",
                                 "session_idle_s\t5\nsession_max_s\t6\nrole\t1\n"};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        if (settings_parse(&s, slice_str(wrong[i]), NULL) != ERR_CONFIG || s.session_max_s != 7)
            fail_msg("taken: %s", wrong[i]);
    assert_int_equal(settings_parse(&s,
                                    SLICE_LIT("session_idle_s\t5\nsession_max_s\t6\nrole\t3\tpacs readers\n"
                                              "algorithm\tES256\nissuer\thttps://a\n"),
                                    NULL),
                     OK);
    assert_int_equal(s.session_idle_s, 5);
    assert_int_equal(s.roles[0].roles, 3);
    assert_string_equal(s.roles[0].value, "pacs readers");
    assert_string_equal(s.algorithms[0], "ES256");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_records), cmocka_unit_test(test_find_and_replace),
        cmocka_unit_test(test_passcodes), cmocka_unit_test(test_no_memory),
        cmocka_unit_test(test_changes), cmocka_unit_test(test_settings)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
