// The different names of an archive, which fuzzy keys are compared with.
#include "bed.h"

#include <stdio.h>

#include "index/query_internal.h"

static const char *dir;
static struct index *ix;

static int setup(void **state) {
    (void)state;
    dir = bed_folder();
    ix = bed_open(dir);
    return 0;
}

static int teardown(void **state) {
    (void)state;
    index_close(ix);
    bed_clean(dir);
    return 0;
}

static uint64_t fuzzy_count(const char *key) {
    struct slice operand = slice_str(key);
    struct query_condition c = {INDEX_ATTR_PatientName, QUERY_FUZZY, 1, &operand};
    struct index_query_spec spec = {.level = INDEX_STUDY, .conditions = &c, .condition_count = 1};
    struct index_query *q;
    struct fault f = {0};
    enum index_step step;
    assert_int_equal(index_count_open(ix, &spec, &f, &q), OK);
    do
        assert_int_equal(index_query_step(q, &f, &step), OK);
    while (step != INDEX_END);
    uint64_t n = index_count_result(q);
    index_query_close(q);
    return n;
}

static void names_that_come_later_are_found(void **state) {
    (void)state;
    char name[32];
    struct fault f = {0};
    assert_int_equal(fuzzy_count("quux"), 0);
    for (int i = 0; i < 5000; i++) { // more than wait to be sorted; between others, and some twice
        struct bed_object b;
        bed_object_init(&b, i, 1, 1);
        snprintf(name, sizeof name, "%s%04d^quux", i % 2 ? "a" : "zz", i * 7 % 4999);
        bed_put(&b, INDEX_ATTR_PatientName, name, NULL);
        assert_int_equal(bed_add(ix, &b), INDEX_NEW);
        if (i % 1000 == 0)
            assert_int_equal(fuzzy_count("quux"), i + 1);
    }
    assert_int_equal(fuzzy_count("quux"), 5000);
    assert_int_equal(fuzzy_count("quux"), 5000);
    assert_int_equal(fuzzy_count("qxuuy"), 0);
    assert_non_null(ix->spellings);
    spellings_free(ix);
    ix->too_many_spellings = true;
    assert_int_equal(fuzzy_count("quux"), 5000);
    ix->too_many_spellings = false;
    assert_int_equal(fuzzy_count("quux"), 5000);
    assert_int_equal(index_rollback(ix, &f), OK); // they stay among the names, and nothing is found
    assert_int_equal(fuzzy_count("quux"), 0);
}

static void add_named(int study, const char *name) {
    struct bed_object b;
    bed_object_init(&b, study, 1, 1);
    bed_put(&b, INDEX_ATTR_PatientName, name, NULL);
    assert_int_equal(bed_add(ix, &b), INDEX_NEW);
}

static void names_are_read_a_part_at_a_time(void **state) {
    (void)state;
    enum { STUDIES = 18000 }; // more than two parts
    static const char *const keys[] = {"quux", "quux m0012", "qu m1", "m17 a", "nobody"};
    char name[32];
    struct fault f = {0};
    struct index_query *q;
    enum index_step step;
    struct slice operand = slice_str("quux");
    struct query_condition c = {INDEX_ATTR_PatientName, QUERY_FUZZY, 1, &operand};
    struct index_query_spec spec = {.level = INDEX_STUDY, .conditions = &c, .condition_count = 1};
    for (int i = 0; i < STUDIES; i++) {
        snprintf(name, sizeof name, "m%05d^%s", i / 2, i % 4 ? "quux" : "a");
        add_named(i, name);
    }
    assert_int_equal(index_count_open(ix, &spec, &f, &q), OK);
    assert_int_equal(index_query_step(q, &f, &step), OK);
    assert_int_equal(step, INDEX_AGAIN);
    add_named(STUDIES, "a^quux"); // before what is read already, and behind it
    add_named(STUDIES + 1, "z^quux");
    bed_commit(ix);
    do
        assert_int_equal(index_query_step(q, &f, &step), OK);
    while (step != INDEX_END);
    assert_int_equal(index_count_result(q), STUDIES / 4 * 3 + 2);
    index_query_close(q);
    uint64_t counted[sizeof keys / sizeof *keys];
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
        counted[i] = fuzzy_count(keys[i]);
    assert_non_null(ix->spellings);
    spellings_free(ix);
    ix->too_many_spellings = true; // each study's name is looked at
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
        assert_int_equal(fuzzy_count(keys[i]), counted[i]);
}

static void a_name_that_is_filled_in_is_found(void **state) {
    (void)state;
    struct bed_object b;
    bed_object_init(&b, 1, 1, 1);
    bed_add(ix, &b); // a study without a name
    assert_int_equal(fuzzy_count("quux"), 0);
    bed_object_init(&b, 1, 1, 2);
    bed_put(&b, INDEX_ATTR_PatientName, "quux^a", NULL);
    bed_add(ix, &b);
    assert_int_equal(fuzzy_count("quux"), 1);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(names_that_come_later_are_found, setup, teardown),
        cmocka_unit_test_setup_teardown(names_are_read_a_part_at_a_time, setup, teardown),
        cmocka_unit_test_setup_teardown(a_name_that_is_filled_in_is_found, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
