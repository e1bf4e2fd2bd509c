// Deletions: what they list, that they are carried out to their end after a crash, and forgotten before they
// were ready.
#include "bed.h"

#include <stdio.h>

static const char *dir;
static struct index *ix;

static int setup(void **state) {
    (void)state;
    dir = bed_folder();
    ix = bed_open(dir);
    for (int study = 1; study <= 3; study++)
        for (int n = 0; n < 12; n++) {
            struct bed_object b;
            bed_object_init(&b, study, n % 3, n);
            bed_put(&b, INDEX_ATTR_PatientID, study == 3 ? "B" : "A", NULL);
            bed_add(ix, &b);
        }
    for (int n = 0; n < 2; n++) { // kept beside 1.2.1.0.0
        struct bed_object b;
        bed_object_init(&b, 1, 0, 0);
        b.o.digest = n ? SLICE_LIT("x") : SLICE_LIT("y");
        assert_int_equal(bed_add(ix, &b), INDEX_BESIDE);
    }
    bed_commit(ix);
    return 0;
}

static int teardown(void **state) {
    (void)state;
    struct fault f = {0};
    bed_commit(ix);
    if (index_check(ix, &f) != OK)
        fail_msg("%s", f.detail);
    index_close(ix);
    bed_clean(dir);
    return 0;
}

static enum err try_list(const char *study, const char *series, const char *sop,
                         struct index_deletion **ret_deletion) {
    struct index_deletion *d;
    bool done = false;
    enum err e = index_deletion_open(ix, slice_str(study), slice_str(series), slice_str(sop), NULL, &d);
    if (e != OK)
        return e;
    while (e == OK && !done)
        e = index_deletion_list(d, NULL, &done);
    if (e == OK) {
        *ret_deletion = d;
        return OK;
    }
    assert_int_equal(index_deletion_finish(d, NULL), OK);
    index_deletion_close(d);
    return e;
}

static int carry_out(struct index_deletion *d, int most) {
    struct index_deletion_record r;
    bool end = false;
    int n = 0;
    while (n < most && index_deletion_next(d, NULL, &r, &end) == OK && !end) {
        enum err e = index_delete(ix, slice_str(r.study), slice_str(r.series), slice_str(r.sop_instance),
                                  &r.ref, NULL);
        assert_true(e == OK || e == ERR_NO_SUCH_OBJECT);
        n++;
    }
    return n;
}

static void finish(struct index_deletion *d) {
    assert_int_equal(index_deletion_finish(d, NULL), OK);
    assert_int_equal(index_commit_durable(ix, NULL), OK);
    index_deletion_close(d);
}

static int rows_left(void) {
    sqlite3_stmt *s = NULL;
    int n = -1;
    if (sqlite3_prepare_v2(ix->db,
                           "SELECT (SELECT count(*) FROM deletion)+(SELECT count(*) FROM deletion_record)",
                           -1, &s, NULL) == SQLITE_OK &&
        sqlite3_step(s) == SQLITE_ROW)
        n = sqlite3_column_int(s, 0);
    sqlite3_finalize(s);
    return n;
}

static void what_is_meant_goes(void **state) {
    (void)state;
    static const struct {
        const char *study, *series, *sop;
        int records, studies, series_left, instances, beside;
        bool whole;
        enum err expected;
    } rows[] = {
        {"1.2.9", "", "", 0, 3, 9, 36, 2, false, ERR_NO_SUCH_OBJECT},
        {"1.2.1", "1.2.2.0", "", 0, 3, 9, 36, 2, false, ERR_NO_SUCH_OBJECT},
        {"1.2.1", "1.2.1.0", "1.2.1.1.1", 0, 3, 9, 36, 2, false, ERR_NO_SUCH_OBJECT},
        {"1.2.1", "", "1.2.1.0.0", 0, 3, 9, 36, 2, false, ERR_NO_SUCH_OBJECT},
        {"not a UID", "", "", 0, 3, 9, 36, 2, false, ERR_NO_SUCH_OBJECT},
        {"", "", "", 0, 3, 9, 36, 2, false, ERR_NO_SUCH_OBJECT},
        {"1.2.2", "1.2.2.1", "1.2.2.1.1", 1, 3, 9, 35, 2, false, OK},
        {"1.2.1", "1.2.1.0", "1.2.1.0.0", 3, 3, 9, 34, 0, false, OK}, // with both beside it
        {"1.2.1", "1.2.1.0", "", 3, 3, 8, 31, 0, false, OK},
        {"1.2.1", "", "", 8, 2, 6, 23, 0, true, OK},
        {"1.2.1", "", "", 0, 2, 6, 23, 0, true, ERR_NO_SUCH_OBJECT},
        {"1.2.3", "", "", 12, 1, 3, 11, 0, true, OK},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct index_deletion *d = NULL;
        enum err e = try_list(rows[i].study, rows[i].series, rows[i].sop, &d);
        if (e != rows[i].expected)
            fail_msg("row %zu: %s", i, err_name(e));
        if (e == OK) {
            assert_int_equal(index_deletion_count(d), rows[i].records);
            assert_int_equal(index_deletion_is_whole(d), rows[i].whole);
            assert_int_equal(index_deletion_ready(d, NULL), OK);
            assert_int_equal(carry_out(d, 100), rows[i].records);
            finish(d);
        }
        struct index_info info = bed_status(ix);
        if ((int)info.studies != rows[i].studies || (int)info.series != rows[i].series_left ||
            (int)info.instances != rows[i].instances || (int)info.beside != rows[i].beside)
            fail_msg("row %zu: %d studies, %d series, %d instances, %d beside", i, (int)info.studies,
                     (int)info.series, (int)info.instances, (int)info.beside);
        assert_int_equal(rows_left(), 0);
    }
}

// The disk fails when a finished one is to be made durable: it is finished a second time, and meanwhile there
// is another, whose list is not touched by that.
static void one_that_is_finished_twice(void **state) {
    (void)state;
    struct index_deletion *first = NULL, *second = NULL;
    assert_int_equal(try_list("1.2.1", "", "", &first), OK);
    assert_int_equal(index_deletion_ready(first, NULL), OK);
    assert_int_equal(carry_out(first, 100), 14);
    assert_int_equal(index_deletion_finish(first, NULL), OK);
    assert_int_equal(index_commit(ix, NULL), OK);
    assert_int_equal(try_list("1.2.3", "", "", &second), OK);
    assert_int_equal(index_deletion_ready(second, NULL), OK);
    finish(first);
    assert_int_equal(carry_out(second, 100), 12);
    finish(second);
    assert_int_equal(rows_left(), 0);
    assert_int_equal(bed_status(ix).studies, 1);
}

static void reopen(void) { // as after a crash: what was not committed is gone
    index_close(ix);
    ix = bed_open(dir);
}

static void a_crash_leaves_no_half(void **state) {
    (void)state;
    for (int crash = 0; crash < 4;
         crash++) { // before ready, then after so many records and none committed, some
        struct index_deletion *d = NULL, *again = NULL;
        assert_int_equal(try_list("1.2.1", "", "", &d), OK);
        if (crash > 0)
            assert_int_equal(index_deletion_ready(d, NULL), OK);
        assert_int_equal(index_commit_durable(ix, NULL), OK);
        assert_int_equal(carry_out(d, crash * 3), crash * 3);
        if (crash == 3)
            bed_commit(ix);
        index_deletion_close(d);
        reopen();
        assert_int_equal(index_deletion_resume(ix, NULL, &again), OK);
        if (crash == 0) {
            assert_null(again);
            assert_int_equal(rows_left(), 0);
            assert_int_equal(bed_status(ix).instances, 36);
            continue;
        }
        assert_non_null(again);
        assert_string_equal(index_deletion_study(again), "1.2.1");
        assert_true(index_deletion_is_whole(again));
        if (crash < 3) { // and it crashes again
            index_deletion_close(again);
            reopen();
            assert_int_equal(bed_status(ix).instances, 36);
            assert_int_equal(index_deletion_resume(ix, NULL, &again), OK);
            index_deletion_finish(again, NULL); // so that the next round begins anew
            index_deletion_close(again);
            bed_commit(ix);
            continue;
        }
        assert_int_equal(carry_out(again, 100), 14);
        finish(again);
        assert_int_equal(index_deletion_resume(ix, NULL, &again), OK);
    }
    assert_int_equal(bed_status(ix).instances, 24);
    assert_int_equal(bed_status(ix).beside, 0);
    assert_int_equal(rows_left(), 0);
}

static void what_comes_meanwhile_is_noticed(void **state) {
    (void)state;
    struct index_deletion *d = NULL;
    struct bed_object b;
    bool done = false;
    assert_int_equal(try_list("1.2.2", "", "", &d), OK);
    assert_false(index_deletion_is_stale(d));
    bed_object_init(&b, 3, 0, 77);
    bed_add(ix, &b);
    assert_false(index_deletion_is_stale(d));
    bed_object_init(&b, 2, 5, 77);
    bed_add(ix, &b);
    assert_true(index_deletion_is_stale(d));
    assert_int_equal(index_deletion_relist(d, NULL), OK);
    while (!done)
        assert_int_equal(index_deletion_list(d, NULL, &done), OK);
    assert_false(index_deletion_is_stale(d));
    assert_int_equal(index_deletion_count(d), 13);
    finish(d);
}

// Stored again while the old ones are being deleted: the record is another, and stays.
static void what_was_stored_since_stays(void **state) {
    (void)state;
    struct index_deletion *d = NULL;
    struct bed_object b;
    assert_int_equal(try_list("1.2.2", "", "", &d), OK);
    assert_int_equal(index_deletion_ready(d, NULL), OK);
    assert_int_equal(carry_out(d, 1), 1);
    bed_object_init(&b, 2, 0, 0);
    assert_int_equal(bed_add(ix, &b), INDEX_NEW);
    index_deletion_rewind(d);
    assert_int_equal(carry_out(d, 100), 12);
    finish(d);
    assert_int_equal(bed_status(ix).instances, 25);
}

// Each is there to be carried out, whether or not those before it have come to their end.
static void several_to_be_resumed(void **state) {
    (void)state;
    static const char *const studies[] = {"1.2.1", "1.2.2"};
    struct index_deletion *again[3];
    for (int i = 0; i < 2; i++) {
        struct index_deletion *d = NULL;
        assert_int_equal(try_list(studies[i], "", "", &d), OK);
        assert_int_equal(index_deletion_ready(d, NULL), OK);
        index_deletion_close(d);
    }
    assert_int_equal(index_commit_durable(ix, NULL), OK);
    reopen();
    for (int i = 0; i < 3; i++) {
        again[i] = NULL;
        assert_int_equal(index_deletion_resume(ix, NULL, &again[i]), OK);
        if (i < 2)
            assert_string_equal(index_deletion_study(again[i]), studies[i]);
    }
    assert_null(again[2]);
    for (int i = 0; i < 2; i++) {
        carry_out(again[i], 100);
        finish(again[i]);
    }
    assert_int_equal(rows_left(), 0);
}

static enum err always_same(void *arg, const struct index_ref *other, enum index_likeness *ret_likeness,
                            struct fault *f) {
    (void)arg, (void)other, (void)f;
    *ret_likeness = INDEX_SAME;
    return OK;
}

// Identical to what will surely go: it must not go with it, after a restart either.
static void what_is_sent_again_stays(void **state) {
    (void)state;
    struct index_deletion *d = NULL;
    struct index_ref found;
    struct fault f = {0};
    enum index_outcome outcome;
    struct bed_object b;
    assert_int_equal(try_list("1.2.2", "1.2.2.1", "", &d), OK);
    bed_object_init(&b, 2, 1, 1);
    assert_int_equal(index_add(ix, &b.o, always_same, NULL, &f, &outcome), OK);
    assert_int_equal(outcome, INDEX_IDENTICAL); // nobody has been told yet that it goes
    assert_int_equal(index_deletion_ready(d, NULL), OK);
    for (int i = 0; i < 2; i++) {
        bed_object_init(&b, 2, 1, i ? 4 : 1);
        assert_int_equal(index_add(ix, &b.o, always_same, NULL, &f, &outcome), OK);
        assert_int_equal(outcome, INDEX_INSTEAD);
        bed_object_init(&b, 2, 0, 3);
        assert_int_equal(index_add(ix, &b.o, always_same, NULL, &f, &outcome), OK);
        assert_int_equal(outcome, INDEX_IDENTICAL);
        if (i)
            break;
        assert_int_equal(index_commit_durable(ix, NULL), OK);
        index_deletion_close(d);
        reopen();
        assert_int_equal(index_deletion_resume(ix, NULL, &d), OK);
    }
    carry_out(d, 100);
    finish(d);
    assert_int_equal(bed_status(ix).instances, 36 - 2); // of the four in this series, two are left
    for (int i = 0; i < 2; i++) {
        bed_object_init(&b, 2, 1, i ? 4 : 1);
        assert_int_equal(index_find(ix, b.o.study, b.o.series, b.o.sop_instance, NULL, &found), OK);
    }
    assert_int_equal(bed_status(ix).beside, 2);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_is_meant_goes, setup, teardown),
        cmocka_unit_test_setup_teardown(one_that_is_finished_twice, setup, teardown),
        cmocka_unit_test_setup_teardown(a_crash_leaves_no_half, setup, teardown),
        cmocka_unit_test_setup_teardown(several_to_be_resumed, setup, teardown),
        cmocka_unit_test_setup_teardown(what_comes_meanwhile_is_noticed, setup, teardown),
        cmocka_unit_test_setup_teardown(what_was_stored_since_stays, setup, teardown),
        cmocka_unit_test_setup_teardown(what_is_sent_again_stays, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
