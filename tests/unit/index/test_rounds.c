// Counting in rounds: it goes on where it was when others have changed the index meanwhile.
#include "bed.h"

#include <stdio.h>

#include "index/query_internal.h"

enum { STUDIES = 24000 }; // more keys than a step looks at, in each round

static void add(struct index *ix, int study) {
    char name[32];
    struct bed_object b;
    bed_object_init(&b, study, 1, 1);
    snprintf(name, sizeof name, "%c%02d^x", study % 2 ? 'a' : 'b', study % 90);
    bed_put(&b, INDEX_ATTR_PatientName, name, NULL);
    bed_put(&b, INDEX_ATTR_StudyDate, study % 5 ? "20240105" : "20230105", NULL);
    bed_put(&b, INDEX_ATTR_InstitutionName, study % 3 ? "north" : "south", NULL);
    assert_int_equal(bed_add(ix, &b), INDEX_NEW);
}

static uint64_t count(struct index *ix, const struct index_query_spec *spec, bool changes, bool *ret_rounds) {
    static int next = STUDIES;
    struct index_query *q;
    struct fault f = {0};
    enum index_step step;
    unsigned steps = 0;
    assert_int_equal(index_count_open(ix, spec, &f, &q), OK);
    *ret_rounds = q->round_count > 0;
    do {
        assert_int_equal(index_query_step(q, &f, &step), OK);
        if (changes && step == INDEX_AGAIN) {
            add(ix, next++); // all queries are suspended by it
            bed_commit(ix);
        }
        assert_true(++steps < 1000);
    } while (step != INDEX_END);
    uint64_t n = index_count_result(q);
    index_query_close(q);
    return n;
}

static void counts_are_the_same(void **state) {
    (void)state;
    const char *dir = bed_folder();
    struct index *ix = bed_open(dir);
    struct slice prefix = slice_str("a*"), north = slice_str("north"),
                 days[] = {slice_str("20240101"), slice_str("20241231")};
    struct query_condition c[] = {{INDEX_ATTR_PatientName, QUERY_WILDCARD, 1, &prefix},
                                  {INDEX_ATTR_StudyInstitution, QUERY_SINGLE, 1, &north},
                                  {INDEX_ATTR_StudyDate, QUERY_RANGE, 2, days}};
    struct index_query_spec spec = {.level = INDEX_STUDY, .conditions = c, .condition_count = 3};
    uint64_t expected = 0;
    bool rounds;
    for (int i = 0; i < STUDIES; i++) {
        add(ix, i);
        expected += i % 2 && i % 3 && i % 5;
    }
    bed_commit(ix);
    assert_int_equal(count(ix, &spec, false, &rounds), expected);
    assert_true(rounds);
    assert_int_equal(count(ix, &spec, true, &rounds), expected); // what comes meanwhile is not in it
    assert_true(rounds);
    spec.condition_count = 2; // two rounds, and few rows
    ix->few_rows = STUDIES;
    uint64_t by_reading = count(ix, &spec, false, &rounds);
    assert_false(rounds);
    assert_true(count(ix, &spec, true, &rounds) >= by_reading);
    uint64_t now = count(ix, &spec, false, &rounds); // with what came
    ix->few_rows = FEW_ROWS;
    assert_int_equal(count(ix, &spec, false, &rounds), now);
    assert_true(rounds);
    assert_int_equal(ix->gathered_bytes, 0);
    index_close(ix);
    bed_clean(dir);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(counts_are_the_same)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
