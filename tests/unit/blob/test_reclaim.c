// What was dropped gives the disk its room back: runs of neighbours, whole segments, and what of it may fail.
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "bed.h"
#include "blob/os.h"
#include "blob/segment.h"

enum { N = 40, SMALL = 200000 }; // a segment of SMALL bytes is full with some thirty things

static struct bed b;
static struct thing things[4 * N];
static struct blob_ref refs[4 * N];

static int setup(void **state) {
    (void)state;
    disk_use(); // healthy, but its syncs cost nothing
    bed_make(&b, NULL);
    bed_open(&b);
    return 0;
}

static int setup_small(void **state) {
    (void)state;
    disk_use();
    bed_make(&b, &(struct store_options){.segment_bytes = SMALL, .reserve_bytes = 1});
    bed_open(&b);
    return 0;
}

static int teardown(void **state) {
    (void)state;
    bed_remove(&b);
    disk_reset();
    return 0;
}

static void reopen(void) {
    bed_close(&b);
    bed_open(&b);
}

static void put_from(unsigned first, unsigned n) {
    for (unsigned i = first; i < first + n; i++) {
        things[i] = (struct thing){i, i % 3 ? 9000 + i : 30 + i, 700, i % 5 ? 0 : 40};
        BED_OK(thing_put(&b, &things[i], bf, &refs[i]));
    }
    BED_OK(store_sync_all(b.store, bf));
}

static void drop_range(unsigned first, unsigned n) {
    for (unsigned i = first; i < first + n; i++)
        BED_OK(store_drop(b.store, &refs[i], bf));
    BED_OK(store_sync_all(b.store, bf));
}

static void check_range(unsigned first, unsigned n, enum err expected) {
    for (unsigned i = first; i < first + n; i++)
        assert_int_equal(thing_check(&b, &things[i], &refs[i]), expected);
}

static uint64_t disk_bytes(uint32_t segment) {
    char path[400];
    struct stat st;
    bed_path(&b, segment, path);
    return stat(path, &st) == 0 ? (uint64_t)st.st_blocks * 512 : 0;
}

static bool file_is_there(uint32_t segment) {
    char path[400];
    bed_path(&b, segment, path);
    return access(path, F_OK) == 0;
}

static void copy_file(const char *from, const char *to) {
    char command[900];
    snprintf(command, sizeof command, "cp --sparse=always %s %s", from, to);
    assert_int_equal(system(command), 0);
}

// What a verify finds, beside us.
static struct store *verify_open(void) {
    struct store *other = NULL;
    struct store_options ro = {.read_only = true};
    BED_OK(store_open(b.store_dir, b.keyring, &ro, bf, &other));
    return other;
}

static uint32_t verify(unsigned n_objects, unsigned n_damaged) {
    struct store *other = verify_open();
    bed_forget(&b);
    BED_OK(store_scan(other, 0, 0, STORE_SCAN_ALL, bed_on_found, &b, bf));
    assert_int_equal(b.n_objects, n_objects);
    assert_int_equal(b.n_damaged, n_damaged);
    uint32_t missing = store_missing(other, 0);
    store_close(other);
    return missing;
}

// --- Runs ----------------------------------------------------------------------------------------

// In whatever order they are dropped, in the end they are one run, and the neighbours whole.
static const struct {
    const char *name;
    unsigned step, at_once; // every step-th first; so many before each sync
    bool backwards, restarts;
} orders[] = {
    {"at once", 1, N, false, false},
    {"one by one", 1, 1, false, false},
    {"from the end", 1, 1, true, false},
    {"some at a time", 1, 7, false, true},
    {"every other, then the rest", 2, 1, false, false},
    {"every third from the end, with restarts", 3, 2, true, true},
};

static void drop_in_order(size_t row) {
    unsigned done = 0;
    for (unsigned start = 0; start < orders[row].step; start++)
        for (unsigned i = start; i < N; i += orders[row].step) {
            unsigned which = N + (orders[row].backwards ? N - 1 - i : i);
            BED_OK(store_drop(b.store, &refs[which], bf));
            if (++done % orders[row].at_once != 0)
                continue;
            BED_OK(store_sync_all(b.store, bf));
            if (orders[row].restarts)
                reopen();
        }
    BED_OK(store_sync_all(b.store, bf));
}

static void test_neighbours_become_one_run(void **state) {
    (void)state;
    for (size_t row = 0; row < sizeof orders / sizeof *orders; row++) {
        put_from(0, 3 * N);
        uint32_t segment = refs[0].segment;
        assert_int_equal(refs[3 * N - 1].segment, segment);
        uint64_t dead = refs[2 * N].offset - refs[N].offset, before = disk_bytes(segment);
        drop_in_order(row);
        if (disk_bytes(segment) > before - dead + 3 * 4096)
            fail_msg("%s: %llu of %llu bytes are given back", orders[row].name,
                     (unsigned long long)(before - disk_bytes(segment)), (unsigned long long)dead);
        for (int again = 0; again < 2; again++) {
            check_range(0, N, OK);
            check_range(N, N, ERR_NO_SUCH_OBJECT);
            check_range(2 * N, N, OK);
            assert_int_equal(verify(2 * N, 0), 0);
            assert_int_equal(b.n_dropped, 1);
            reopen();
            assert_int_equal(b.n_dropped, 1);
            assert_int_equal(b.n_objects, 2 * N);
            assert_int_equal(b.n_damaged + b.n_torn, 0);
        }
        bed_remove(&b);
        bed_make(&b, NULL);
        bed_open(&b);
    }
}

// A deletion that is carried out once more after a crash changes nothing.
static void test_dropped_again(void **state) {
    (void)state;
    put_from(0, N);
    drop_range(5, 10);
    drop_range(15, N - 20);
    uint64_t before = disk_bytes(refs[0].segment);
    for (unsigned i = 5; i < N - 8; i++) {
        drop_range(i, i % 4);
        check_range(5, N - 10, ERR_NO_SUCH_OBJECT);
        check_range(0, 5, OK);
        check_range(N - 5, 5, OK);
        assert_int_equal(verify(10, 0), 0);
        assert_int_equal(b.n_dropped, 1);
    }
    assert_int_equal(disk_bytes(refs[0].segment), before);
}

// The index may know a segment up to a place that is the midst of a run by now.
static void test_a_mark_within_a_run(void **state) {
    (void)state;
    put_from(0, N);
    for (unsigned last = 0; last < 2; last++) { // live records behind the run, or none
        drop_range(last ? 0 : 5, last ? N : N - 10);
        for (unsigned i = 0; i < N; i++) {
            struct store_mark m = {.segment = refs[i].segment, .end = refs[i].offset, .objects = i};
            struct fault f = {0};
            bed_close(&b);
            assert_int_equal(bed_try_open(&b, &m, 1, &f), OK);
            assert_int_equal(b.n_damaged + b.n_torn, 0);
            assert_int_equal(b.n_objects, last ? 1 : i < 5 ? 10 - i : i < N - 5 ? 5 : N - i);
        }
        put_from(N, 1); // not where the run is
        reopen();
        assert_int_equal(b.n_objects, last ? 2 : 11);
        check_range(N, 1, OK);
    }
}

// The first header of a run, or the note behind it, is damaged: the note at the end still tells.
static void test_a_damaged_run(void **state) {
    (void)state;
    put_from(0, N);
    drop_range(5, N - 10);
    static const struct {
        unsigned from, bytes;
    } places[] = {{0, RECORD_HEADER}, {RECORD_HEADER, RUN_NOTE}, {0, RECORD_HEADER + RUN_NOTE}, {60, 8}};
    char path[400], copy[410];
    bed_path(&b, refs[0].segment, path);
    snprintf(copy, sizeof copy, "%s.copy", path);
    copy_file(path, copy);
    for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
        uint8_t bad[RECORD_HEADER + RUN_NOTE];
        memset(bad, 'x', sizeof bad);
        int fd = open(path, O_WRONLY);
        assert_int_equal(pwrite(fd, bad, places[i].bytes, (off_t)(refs[5].offset + places[i].from)),
                         places[i].bytes);
        close(fd);
        assert_int_equal(verify(10, 0), 0);
        copy_file(copy, path);
    }
    unlink(copy);
}

// --- Segments ------------------------------------------------------------------------------------

// Three closed segments and one that takes more.
static uint32_t fill_segments(unsigned *ret_first, unsigned *ret_end) { // of the second's things
    put_from(0, 4 * N);
    assert_true(refs[4 * N - 1].segment > 4);
    unsigned i = 0;
    while (refs[i].segment < 2)
        i++;
    *ret_first = i;
    while (refs[i].segment == 2)
        i++;
    *ret_end = i;
    return refs[4 * N - 1].segment;
}

static void test_a_dead_segment_is_removed(void **state) {
    (void)state;
    unsigned first, end;
    uint32_t last = fill_segments(&first, &end);
    struct store_mark marks[16];
    size_t n = store_take_marks(b.store, marks, 16);
    drop_range(first, end - first - 1);
    assert_true(file_is_there(2));
    drop_range(end - 1, 1);
    assert_false(file_is_there(2));
    for (int again = 0; again < 3; again++) {
        assert_int_equal(store_missing(b.store, 0), 0);
        check_range(0, first, OK);
        check_range(first, end - first, ERR_NO_SUCH_OBJECT);
        check_range(end, 4 * N - end, OK);
        assert_int_equal(verify(4 * N - (end - first), 0), 0);
        struct fault f = {0};
        bed_close(&b);
        assert_int_equal(bed_try_open(&b, again ? NULL : marks, again ? 0 : n, &f), OK); // marks of before
        assert_int_equal(b.n_damaged + b.n_torn, 0);
    }
    put_from(0, 4 * N); // its number is nobody's
    assert_false(file_is_there(2));
    for (unsigned i = 0; i < 4 * N; i++)
        assert_true(refs[i].segment >= last);
}

// The last one is nobody's heir: it stays until there is a later one.
static void test_all_segments_die(void **state) {
    (void)state;
    put_from(0, 4 * N);
    uint32_t last = refs[4 * N - 1].segment;
    drop_range(0, 4 * N);
    for (uint32_t i = 1; i < last; i++)
        assert_false(file_is_there(i));
    assert_true(file_is_there(last));
    reopen(); // without what it was given ahead
    assert_true(disk_bytes(last) <= 4 * 4096);
    assert_int_equal(b.n_objects + b.n_damaged, 0);
    assert_int_equal(store_missing(b.store, 0), 0);
    put_from(0, 4 * N);
    assert_int_equal(refs[0].segment, last);
    drop_range(0, 4 * N);
    assert_false(file_is_there(last));
    assert_int_equal(verify(0, 0), 0);
}

// What somebody else removed is told, before and behind what was removed rightly, and does not become so.
static void test_a_missing_segment_is_told(void **state) {
    (void)state;
    unsigned first, end;
    char path[400];
    for (uint32_t lost = 1; lost <= 3; lost += 2) {
        for (int before = 0; before < 2; before++) {
            (void)fill_segments(&first, &end);
            struct store_mark marks[16];
            size_t n = store_take_marks(b.store, marks, 16);
            if (!before)
                drop_range(first, end - first);
            bed_close(&b);
            bed_path(&b, lost, path);
            assert_int_equal(unlink(path), 0);
            bed_open(&b);
            if (before)
                drop_range(first, end - first);
            reopen();
            bool heir = lost == 3 && !before; // with it goes what it said of the second
            assert_int_equal(store_missing(b.store, 0), heir ? 2 : lost);
            assert_int_equal(store_missing(b.store, 2), lost == 3 ? 3 : 0);
            assert_int_equal(store_missing(b.store, 3), 0);
            assert_int_equal(verify(b.n_objects, 0), heir ? 2 : lost);
            bed_close(&b);
            struct fault f = {0};
            assert_int_equal(bed_try_open(&b, marks, n, &f), OK);
            assert_int_equal(b.n_damaged, heir ? 2 : 1);
            // with a gap behind it, nobody can say that it is gone: it stays, without its blocks
            assert_int_equal(file_is_there(2), lost == 3 && before);
            assert_true(disk_bytes(2) <= 4 * 4096);
            bed_remove(&b);
            bed_make(&b, &(struct store_options){.segment_bytes = SMALL, .reserve_bytes = 1});
            bed_open(&b);
        }
    }
}

static void test_an_open_object_keeps_its_segment(void **state) {
    (void)state;
    unsigned first, end;
    struct store_object *o;
    (void)fill_segments(&first, &end);
    BED_OK(store_get_open(b.store, &refs[first], bf, &o));
    drop_range(first, end - first);
    assert_true(file_is_there(2));
    store_get_close(o);
    drop_range(0, 1); // whatever syncs next
    assert_false(file_is_there(2));
}

// As an older version left it: dropped records without a run.
static void test_a_segment_that_was_dead_before(void **state) {
    (void)state;
    unsigned first, end;
    char path[400];
    uint8_t mark[4];
    (void)fill_segments(&first, &end);
    bed_close(&b);
    bed_path(&b, 2, path);
    int fd = open(path, O_WRONLY);
    record_drop_mark(mark);
    for (unsigned i = first; i < end; i++) {
        if (i == end - 1) {
            bed_open(&b);
            assert_true(file_is_there(2)); // one lives
            bed_close(&b);
        }
        assert_int_equal(pwrite(fd, mark, sizeof mark, (off_t)refs[i].offset), sizeof mark);
    }
    close(fd);
    bed_open(&b);
    assert_false(file_is_there(2));
    check_range(end, 4 * N - end, OK);
    assert_int_equal(verify(4 * N - (end - first), 0), 0);
}

// A backup of the segment is put back: what it holds is found.
static void test_a_segment_that_is_back(void **state) {
    (void)state;
    unsigned first, end;
    char path[400], copy[410];
    (void)fill_segments(&first, &end);
    bed_path(&b, 2, path);
    snprintf(copy, sizeof copy, "%s.copy", path);
    copy_file(path, copy);
    drop_range(first, end - first);
    assert_false(file_is_there(2));
    bed_close(&b);
    copy_file(copy, path);
    bed_open(&b);
    assert_int_equal(b.n_objects, 4 * N);
    check_range(first, end - first, OK);
    drop_range(first, end - first);
    assert_false(file_is_there(2));
    unlink(copy);
}

// --- Beside a verify ------------------------------------------------------------------------------

static struct {
    unsigned n, drop_at, first, end;
} beside;

static enum err drop_meanwhile(void *arg, const struct store_found *found) {
    (void)arg;
    if (beside.n++ == beside.drop_at)
        drop_range(beside.first, beside.end - beside.first);
    return bed_on_found(&b, found);
}

// Whatever vanishes while it looks is not damaged, and no segment missing.
static void test_drops_beside_a_verify(void **state) {
    (void)state;
    for (unsigned at = 0; at < 2 * N; at += 3) {
        for (unsigned which = 0; which < 3; which++) {
            unsigned first, end;
            (void)fill_segments(&first, &end);
            struct store *other = verify_open();
            beside.n = 0;
            beside.drop_at = at;
            beside.first = which == 0 ? at : first;
            beside.end = which == 0 ? at + N : which == 1 ? end : end + 1;
            bed_forget(&b);
            BED_OK(store_scan(other, 0, 0, STORE_SCAN_ALL, drop_meanwhile, NULL, bf));
            assert_int_equal(b.n_damaged, 0);
            assert_int_equal(store_missing(other, 0), 0);
            store_close(other);
            bed_remove(&b);
            bed_make(&b, &(struct store_options){.segment_bytes = SMALL, .reserve_bytes = 1});
            bed_open(&b);
        }
    }
}

// --- Faults ---------------------------------------------------------------------------------------

static const struct {
    const char *name;
    int *left;
    int error;
} faults[] = {
    {"write: full", &disk.pwrite, ENOSPC},        {"write: error", &disk.pwrite, EIO},
    {"hole: not here", &disk.fallocate, EOPNOTSUPP}, {"hole: error", &disk.fallocate, EIO},
    {"fdatasync", &disk.fdatasync, EIO},          {"unlink: error", &disk.unlinkat, EIO},
    {"unlink: read-only", &disk.unlinkat, EROFS}, {"open", &disk.openat, EMFILE},
    {"read", &disk.pread, EIO},                   {"truncate", &disk.ftruncate, EIO},
};

// What was dropped is gone or, if that failed, there; its neighbours are whole; nothing is damaged.
static void check_after_a_fault(const char *name, unsigned first, unsigned end) {
    check_range(0, first, OK);
    check_range(end, 4 * N - end, OK);
    reopen();
    check_range(0, first, OK);
    check_range(end, 4 * N - end, OK);
    if (b.n_damaged || store_missing(b.store, 0))
        fail_msg("%s: %u damaged, segment %u missing", name, b.n_damaged, store_missing(b.store, 0));
    for (unsigned i = first; i < end; i++) {
        struct fault f = {0};
        (void)store_drop(b.store, &refs[i], &f);
    }
    BED_OK(store_sync_all(b.store, bf)); // the deletion is carried out to its end
    reopen();
    check_range(first, end - first, ERR_NO_SUCH_OBJECT);
    check_range(end, 4 * N - end, OK);
    assert_false(file_is_there(2));
    assert_int_equal(verify(4 * N - (end - first), 0), 0);
}

static void test_each_fault(void **state) {
    (void)state;
    for (size_t row = 0; row < sizeof faults / sizeof *faults; row++) {
        bool fired = true;
        for (int nth = 0; fired; nth += nth < 20 ? 1 : 11) {
            for (int once = 0; once < 2; once++) {
                unsigned first, end;
                (void)fill_segments(&first, &end);
                *faults[row].left = nth;
                disk.error = faults[row].error;
                disk.once = once;
                for (unsigned i = first; i < end; i++) {
                    struct fault f = {0};
                    (void)store_drop(b.store, &refs[i], &f);
                }
                struct fault f = {0};
                (void)store_sync_all(b.store, &f);
                fired = once ? *faults[row].left < 0 : *faults[row].left == 0;
                disk_use();
                check_after_a_fault(faults[row].name, first, end);
                bed_remove(&b);
                bed_make(&b, &(struct store_options){.segment_bytes = SMALL, .reserve_bytes = 1});
                bed_open(&b);
            }
        }
    }
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
#define S(name) cmocka_unit_test_setup_teardown(name, setup_small, teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        T(test_neighbours_become_one_run),
        T(test_dropped_again),
        T(test_a_mark_within_a_run),
        T(test_a_damaged_run),
        S(test_a_dead_segment_is_removed),
        S(test_all_segments_die),
        S(test_a_missing_segment_is_told),
        S(test_an_open_object_keeps_its_segment),
        S(test_a_segment_that_was_dead_before),
        S(test_a_segment_that_is_back),
        S(test_drops_beside_a_verify),
        S(test_each_fault),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
