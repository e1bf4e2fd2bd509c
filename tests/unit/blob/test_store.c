// The store on a healthy disk: what goes in comes out, at every limit; damage is found and stays local.
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "bed.h"
#include "blob/segment.h"

static struct bed b;

static int setup(void **state) {
    (void)state;
    disk_use(); // healthy, but its syncs cost nothing
    bed_make(&b, NULL);
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

static const struct thing things[] = {
    {1, 0, 0, 0},
    {2, 1, 1, 1},
    {3, 8192, 3000, 0},
    {4, 65535, 100, 100},
    {5, 65536, 65536, 65536},
    {6, 65537, 65535, 131072},
    {7, 131072, 9000, 16},
    {8, 538624, 4000, 200},
    {9, 1 << 20, 70000, 0},
    {10, STORE_WHOLE_MAX - 1, 10, 10},
    {11, STORE_WHOLE_MAX, 2000000, 3000000},
};
enum { N_THINGS = sizeof things / sizeof *things };

static void test_whole(void **state) {
    (void)state;
    struct blob_ref refs[N_THINGS];
    for (size_t i = 0; i < N_THINGS; i++) {
        BED_OK(thing_put(&b, &things[i], bf, &refs[i]));
        assert_int_equal(refs[i].length % RECORD_ALIGN, 0);
        assert_int_equal(store_durability(b.store, &refs[i]), STORE_PENDING);
        BED_OK(thing_check(&b, &things[i], &refs[i])); // before the sync as well
    }
    BED_OK(store_sync(b.store, bf));
    for (size_t i = 0; i < N_THINGS; i++) {
        assert_int_equal(store_durability(b.store, &refs[i]), STORE_DURABLE);
        BED_OK(thing_check(&b, &things[i], &refs[i]));
    }
    reopen();
    assert_int_equal(b.n_objects, N_THINGS);
    assert_int_equal(b.n_damaged + b.n_torn + b.n_dropped, 0);
    for (size_t i = 0; i < N_THINGS; i++) {
        assert_int_equal(b.found_id[i], things[i].id);
        assert_memory_equal(&b.found[i], &refs[i], sizeof refs[i]);
        BED_OK(thing_check(&b, &things[i], &refs[i]));
        refs[i].front_bytes = 0; // a hint, no more
        BED_OK(thing_check(&b, &things[i], &refs[i]));
        refs[i].front_bytes = UINT32_MAX;
        BED_OK(thing_check(&b, &things[i], &refs[i]));
    }
}

static void test_streamed(void **state) {
    (void)state;
    static const size_t pieces[] = {1000, 65536, 70000, 524288, 10000000};
    static const struct thing rows[] = {
        {20, 0, 0, 0},           {21, 1, 10, 10},           {22, 65536, 1000, 0},
        {23, 3 << 20, 5000, 99}, {24, 2000001, 40000, 200}, // the front does not fit before the body
    };
    struct blob_ref refs[25];
    unsigned n = 0;
    for (size_t i = 0; i < 5; i++) {
        for (size_t j = 0; j < 5; j++) {
            BED_OK(thing_stream(&b, &rows[i], pieces[j], bf, &refs[n]));
            BED_OK(thing_check(&b, &rows[i], &refs[n]));
            n++;
        }
    }
    BED_OK(store_sync(b.store, bf));
    reopen();
    assert_int_equal(b.n_objects, n);
    assert_int_equal(b.n_damaged + b.n_torn, 0);
    for (unsigned i = 0; i < n; i++) {
        assert_int_equal(store_durability(b.store, &refs[i]), STORE_DURABLE);
        BED_OK(thing_check(&b, &rows[i / 5], &refs[i]));
    }
}

static void test_ranges(void **state) {
    (void)state;
    static const struct thing t = {30, 3 * 65536 + 777, 10, 10};
    static const struct {
        uint64_t at;
        size_t n;
        enum err want;
    } rows[] = {
        {0, 0, OK},           {0, 1, OK},          {65535, 2, OK},       {65536, 65536, OK},
        {1, 3 * 65536, OK},   {0, 197385, OK},     {197384, 1, OK},      {197385, 0, OK},
        {100000, 90000, OK},  {131072, 66313, OK}, {197384, 2, ERR_LIMIT}, {197386, 0, ERR_LIMIT},
        {UINT64_MAX, 1, ERR_LIMIT}, {UINT64_MAX - 1, 5, ERR_LIMIT}, {0, 197386, ERR_LIMIT},
    };
    struct blob_ref ref;
    struct store_object *o;
    BED_OK(thing_stream(&b, &t, 100000, bf, &ref));
    BED_OK(store_get_open(b.store, &ref, bf, &o));
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct fault f = {0};
        uint8_t *got = calloc(1, rows[i].n + 1), *want = malloc(rows[i].n + 1);
        assert_int_equal(store_get_read(o, rows[i].at, got, rows[i].n, &f), rows[i].want);
        if (rows[i].want == OK) {
            thing_fill(&t, 0, rows[i].at, want, rows[i].n);
            assert_memory_equal(got, want, rows[i].n);
        }
        assert_int_equal(got[rows[i].n], 0);
        free(got);
        free(want);
    }
    store_get_close(o);
}

static void test_limits(void **state) {
    (void)state;
    static const struct {
        size_t body, meta, summary, frames;
        enum err want;
    } rows[] = {
        {STORE_WHOLE_MAX, STORE_META_MAX, 0, 0, OK},
        {STORE_WHOLE_MAX + 1, 0, 0, 0, ERR_LIMIT},
        {0, STORE_META_MAX + 1, 0, 0, ERR_LIMIT},
        {0, 0, STORE_SUMMARY_MAX, 0, OK},
        {0, 0, STORE_SUMMARY_MAX + 1, 0, ERR_LIMIT},
        {0, 0, 0, STORE_FRAMES_MAX, OK},
        {0, 0, 0, STORE_FRAMES_MAX + 1, ERR_LIMIT},
    };
    uint8_t *p = calloc(1, STORE_FRAMES_MAX + 1);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct store_front front = {{p, rows[i].meta}, {p, rows[i].summary}, {p, rows[i].frames}};
        struct fault f = {0};
        struct blob_ref ref;
        assert_int_equal(
            store_put_whole(b.store, SLICE_LIT("1.2"), slice_of(p, rows[i].body), &front, &f, &ref),
            rows[i].want);
        if (rows[i].body > STORE_WHOLE_MAX)
            continue;
        struct store_stream *w;
        f = (struct fault){0};
        BED_OK(store_put_begin(b.store, SLICE_LIT("1.2"), bf, &w));
        BED_OK(store_put_append(w, slice_of(p, rows[i].body), bf));
        assert_int_equal(store_put_finish(w, &front, &f, &ref), rows[i].want);
    }
    static const size_t uids[][2] = {{0, ERR_UID}, {64, OK}, {65, ERR_UID}};
    memset(p, '1', 65);
    for (size_t i = 0; i < 3; i++) {
        struct fault f = {0};
        struct blob_ref ref;
        assert_int_equal(store_put_whole(b.store, slice_of(p, uids[i][0]), SLICE_LIT("x"),
                                         &(struct store_front){0}, &f, &ref),
                         uids[i][1]);
    }
    free(p);
}

static void test_buffer_too_small(void **state) {
    (void)state;
    static const struct thing t = {31, 10, 1000, 0};
    struct blob_ref ref;
    BED_OK(thing_put(&b, &t, bf, &ref));
    static const struct {
        size_t max;
        enum err want;
    } rows[] = {{999, ERR_LIMIT}, {1000, OK}};
    for (size_t i = 0; i < 2; i++) {
        struct buf buf = BUF_INIT(rows[i].max);
        struct fault f = {0};
        assert_int_equal(store_get_summary(b.store, &ref, &f, &buf), rows[i].want);
        buf_fini(&buf);
    }
}

static uint64_t file_size(uint32_t segment) {
    char path[400];
    struct stat st;
    bed_path(&b, segment, path);
    return stat(path, &st) == 0 ? (uint64_t)st.st_size : 0;
}

static void test_abort_leaves_nothing(void **state) {
    (void)state;
    struct store_stream *w;
    struct blob_ref ref;
    uint8_t *p = calloc(1, 700000);
    static const struct thing t = {32, 300000, 10, 0};
    BED_OK(thing_stream(&b, &t, 65536, bf, &ref));
    uint64_t before = file_size(ref.segment);
    for (size_t n = 0; n < 700000; n += 233333) {
        BED_OK(store_put_begin(b.store, SLICE_LIT("1.2"), bf, &w));
        BED_OK(store_put_append(w, slice_of(p, n), bf));
        store_put_abort(w);
    }
    store_put_abort(NULL);
    free(p);
    BED_OK(store_sync(b.store, bf));
    assert_true(file_size(ref.segment) <= before);
    reopen();
    assert_int_equal(b.n_objects, 1);
    assert_int_equal(b.n_torn + b.n_damaged, 0);
    BED_OK(thing_check(&b, &t, &ref));
}

// Streams at the same time, whole objects between them: nobody writes into another's segment.
static void test_interleaved(void **state) {
    (void)state;
    enum { N = 5 };
    struct store_stream *w[N];
    struct blob_ref refs[N], whole;
    static const struct thing t = {33, 100, 10, 0};
    uint8_t *p = malloc(200000);
    memset(p, 5, 200000);
    for (unsigned i = 0; i < N; i++)
        BED_OK(store_put_begin(b.store, SLICE_LIT("1.2"), bf, &w[i]));
    for (unsigned round = 0; round < 4; round++) {
        for (unsigned i = 0; i < N; i++)
            BED_OK(store_put_append(w[i], slice_of(p, 100000 + i), bf));
        BED_OK(thing_put(&b, &t, bf, &whole));
        BED_OK(store_sync(b.store, bf));
        BED_OK(thing_check(&b, &t, &whole));
    }
    uint8_t meta[1] = {0};
    (void)meta;
    for (unsigned i = 0; i < N; i++) {
        if (i == 2) {
            store_put_abort(w[i]);
            continue;
        }
        BED_OK(store_put_finish(w[i], &(struct store_front){0}, bf, &refs[i]));
        for (unsigned j = 0; j < i; j++)
            assert_true(j == 2 || refs[i].segment != refs[j].segment);
        assert_int_not_equal(refs[i].segment, whole.segment);
    }
    BED_OK(store_sync(b.store, bf));
    for (unsigned i = 0; i < N; i++) {
        struct store_object *o;
        if (i == 2)
            continue;
        BED_OK(store_get_open(b.store, &refs[i], bf, &o));
        assert_int_equal(store_get_body_bytes(o), 4 * (100000 + i));
        BED_OK(store_get_read(o, 0, p, 200000, bf));
        store_get_close(o);
    }
    free(p);
}

static void test_drop(void **state) {
    (void)state;
    struct blob_ref refs[4];
    static const struct thing t = {40, 70000, 10, 0};
    for (unsigned i = 0; i < 4; i++)
        BED_OK(thing_put(&b, &t, bf, &refs[i]));
    BED_OK(store_sync(b.store, bf));
    BED_OK(store_drop(b.store, &refs[1], bf));
    BED_OK(store_drop(b.store, &refs[1], bf)); // again: nothing more
    assert_int_equal(thing_check(&b, &t, &refs[1]), ERR_NO_SUCH_OBJECT);
    struct store_info info;
    BED_OK(store_status(b.store, bf, &info));
    assert_int_equal(info.objects, 3);
    assert_int_equal(info.dead_bytes, refs[1].length);
    BED_OK(store_sync(b.store, bf));
    reopen();
    assert_int_equal(b.n_objects, 3);
    assert_int_equal(b.n_dropped, 1);
    BED_OK(thing_check(&b, &t, &refs[2]));
    static const struct blob_ref bad[] = {
        {1, 0, 0, 64}, {1, 0, 4096 + 64, 64}, {1, 0, 4095, 64}, {99, 0, 4096, 64}, {1, 0, 1ull << 60, 64},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct fault f = {0};
        assert_int_not_equal(store_drop(b.store, &bad[i], &f), OK);
    }
}

static uint64_t disk_blocks(uint32_t segment) {
    char path[400];
    struct stat st;
    bed_path(&b, segment, path);
    return stat(path, &st) == 0 ? (uint64_t)st.st_blocks : 0;
}

// The space of dropped records comes back with the syncs, their neighbours stay whole.
static void test_drop_frees_space(void **state) {
    (void)state;
    enum { N = 8 };
    struct blob_ref refs[N];
    struct thing t[N];
    for (unsigned i = 0; i < N; i++) {
        t[i] = (struct thing){i, i % 3 ? 100000 + i : 5000, 10, 0};
        BED_OK(thing_put(&b, &t[i], bf, &refs[i]));
    }
    BED_OK(store_sync(b.store, bf));
    uint64_t before = disk_blocks(1);
    for (unsigned i = 0; i < N; i += 2)
        BED_OK(store_drop(b.store, &refs[i], bf));
    assert_int_equal(disk_blocks(1), before);
    BED_OK(store_sync_all(b.store, bf));
    assert_true(disk_blocks(1) + 2 * 90000 / 512 <= before);
    for (int again = 0; again < 2; again++) {
        for (unsigned i = 0; i < N; i++)
            assert_int_equal(thing_check(&b, &t[i], &refs[i]), i % 2 ? OK : ERR_NO_SUCH_OBJECT);
        reopen();
        assert_int_equal(b.n_objects, N / 2);
        assert_int_equal(b.n_dropped, N / 2);
        assert_int_equal(b.n_damaged + b.n_torn, 0);
    }
}

static void test_erased_study(void **state) {
    (void)state;
    struct blob_ref one, other;
    static const struct thing t = {80, 70000, 10, 0}, t2 = {88, 10, 10, 0}; // two studies
    char uid[64];
    BED_OK(thing_put(&b, &t, bf, &one));
    BED_OK(thing_put(&b, &t2, bf, &other));
    BED_OK(store_sync(b.store, bf));
    BED_OK(keyring_erase(b.keyring, thing_study(t.id, uid), bf));
    assert_int_equal(thing_check(&b, &t, &one), ERR_NO_SUCH_OBJECT);
    BED_OK(thing_check(&b, &t2, &other));
    reopen();
    assert_int_equal(b.n_objects, 1);
    assert_int_equal(b.n_erased, 1);
    assert_int_equal(thing_check(&b, &t, &one), ERR_NO_SUCH_OBJECT);
    BED_OK(thing_check(&b, &t2, &other));
    BED_OK(thing_put(&b, &t, bf, &one)); // the study may come again
    BED_OK(thing_check(&b, &t, &one));
}

static void test_bad_refs(void **state) {
    (void)state;
    struct blob_ref good;
    static const struct thing t = {41, 1000, 10, 0};
    BED_OK(thing_put(&b, &t, bf, &good));
    struct blob_ref rows[] = {good, good, good, good, good, good, {0}};
    rows[0].segment = 77;
    rows[1].offset = 0;
    rows[2].offset += 64;
    rows[3].length += 64;
    rows[4].length = 1;
    rows[5].offset = UINT64_MAX - 10;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        enum err e = thing_check(&b, &t, &rows[i]);
        assert_true(e == ERR_NO_SUCH_OBJECT || e == ERR_CORRUPT);
        assert_int_equal(store_durability(b.store, &rows[i]) == STORE_DURABLE, false);
    }
}

// Segments fill up, are closed, and are then believed by their page.
static void test_many_segments(void **state) {
    (void)state;
    bed_close(&b);
    b.options.segment_bytes = 200000;
    bed_open(&b);
    enum { N = 60 };
    struct blob_ref refs[N];
    struct thing t[N];
    for (unsigned i = 0; i < N; i++) {
        t[i] = (struct thing){i, 30000 + i, 100, 0};
        BED_OK(thing_put(&b, &t[i], bf, &refs[i]));
        if (i % 7 == 0)
            BED_OK(store_sync(b.store, bf));
    }
    BED_OK(store_sync(b.store, bf));
    BED_OK(store_sync(b.store, bf)); // the closing of pages
    assert_true(refs[N - 1].segment >= 8);
    struct store_mark marks[64];
    size_t n = store_take_marks(b.store, marks, 5), more;
    assert_int_equal(n, 5);
    while ((more = store_take_marks(b.store, marks + n, 5)) > 0)
        n += more;
    uint64_t objects = 0;
    for (size_t i = 0; i < n; i++)
        objects += marks[i].objects;
    assert_int_equal(objects, N);
    bed_close(&b);
    BED_OK(bed_try_open(&b, marks, n, bf)); // nothing is new
    assert_int_equal(b.n_objects + b.n_torn + b.n_damaged, 0);
    assert_int_equal(store_take_marks(b.store, marks + n, 5), 0);
    struct store_info info;
    BED_OK(store_status(b.store, bf, &info));
    assert_int_equal(info.objects, N);
    bed_forget(&b);
    BED_OK(store_scan(b.store, 0, 0, STORE_SCAN_ALL, bed_on_found, &b, bf));
    assert_int_equal(b.n_objects, N);
    bed_forget(&b);
    BED_OK(store_scan(b.store, refs[50].segment, refs[50].offset, STORE_SCAN_META, bed_on_found, &b, bf));
    assert_int_equal(b.n_objects, N - 50);
    BED_OK(thing_put(&b, &t[0], bf, &refs[0]));
    bed_close(&b);
    BED_OK(bed_try_open(&b, marks, n, bf)); // only what is
    assert_int_equal(b.n_objects, 1);
    for (unsigned i = 0; i < N; i++)
        BED_OK(thing_check(&b, &t[i], &refs[i]));
}

static void test_an_object_larger_than_a_segment(void **state) {
    (void)state;
    bed_close(&b);
    b.options.segment_bytes = 100000;
    bed_open(&b);
    struct blob_ref ref;
    static const struct thing t = {42, 3000000, 10, 0};
    BED_OK(thing_stream(&b, &t, 524288, bf, &ref));
    BED_OK(store_sync(b.store, bf));
    reopen();
    BED_OK(thing_check(&b, &t, &ref));
}

static void test_one_writer(void **state) {
    (void)state;
    struct store *other = NULL;
    struct fault f = {0};
    assert_int_equal(store_open(b.store_dir, b.keyring, NULL, &f, &other), ERR_BUSY);
    assert_null(other);
    struct blob_ref ref;
    static const struct thing t = {43, 3000, 10, 0};
    BED_OK(thing_put(&b, &t, bf, &ref));
    struct store_options ro = {.read_only = true};
    BED_OK(store_open(b.store_dir, b.keyring, &ro, bf, &other));
    bed_forget(&b);
    BED_OK(store_scan(other, 0, 0, STORE_SCAN_ALL, bed_on_found, &b, bf));
    assert_int_equal(b.n_objects, 1);
    assert_int_equal(b.n_torn + b.n_damaged, 0);
    f = (struct fault){0};
    assert_int_equal(
        store_put_whole(other, SLICE_LIT("1.2"), SLICE_LIT("x"), &(struct store_front){0}, &f, &ref),
        ERR_DENIED);
    f = (struct fault){0};
    assert_int_equal(store_drop(other, &ref, &f), ERR_DENIED);
    assert_false(store_sync_begin(other));
    store_close(other);
}

// Three small records: every byte of the file flipped in turn. Either the flip is of no consequence
// (padding, zeros) or the object it belongs to is unreadable; the others are always whole.
static void test_every_byte_flipped(void **state) {
    (void)state;
    struct blob_ref refs[3];
    static const struct thing t[3] = {{0, 90, 40, 20}, {8, 100, 0, 0}, {16, 77, 70, 0}};
    char path[400];
    for (unsigned i = 0; i < 3; i++)
        BED_OK(thing_put(&b, &t[i], bf, &refs[i]));
    BED_OK(store_sync(b.store, bf));
    bed_path(&b, 1, path);
    int fd = open(path, O_RDWR);
    unsigned harmless = 0;
    for (uint64_t at = SEGMENT_PAGE; at < refs[2].offset + refs[2].length; at++) {
        uint8_t c, flipped;
        assert_int_equal(pread(fd, &c, 1, (off_t)at), 1);
        flipped = c ^ (uint8_t)(1u << at % 8);
        assert_int_equal(pwrite(fd, &flipped, 1, (off_t)at), 1);
        bed_forget(&b);
        BED_OK(store_scan(b.store, 0, 0, STORE_SCAN_ALL, bed_on_found, &b, bf));
        for (unsigned i = 0; i < 3; i++) {
            bool mine = at >= refs[i].offset && at < refs[i].offset + refs[i].length;
            enum err e = thing_check(&b, &t[i], &refs[i]);
            if (!mine)
                assert_int_equal(e, OK);
            else
                assert_true(e == OK || e == ERR_CORRUPT);
            if (mine && e == OK) {
                harmless++;
                assert_int_equal(b.n_objects, 3);
            } else if (mine) {
                assert_int_equal(b.n_objects, 2);
                assert_true(b.n_damaged >= 1);
            }
        }
        assert_int_equal(pwrite(fd, &c, 1, (off_t)at), 1);
    }
    assert_true(harmless < 3 * RECORD_ALIGN); // padding alone
    close(fd);
}

// The file cut at each byte of the last record: it is gone, the others stay, its place is used again.
static void test_cut_at_every_byte(void **state) {
    (void)state;
    struct blob_ref refs[2], again;
    static const struct thing t[2] = {{0, 900, 40, 20}, {8, 300, 50, 5}};
    char path[400];
    for (unsigned i = 0; i < 2; i++)
        BED_OK(thing_put(&b, &t[i], bf, &refs[i]));
    BED_OK(store_sync(b.store, bf));
    bed_path(&b, 1, path);
    uint64_t end = refs[1].offset + refs[1].length;
    uint8_t *whole = malloc(end);
    int fd = open(path, O_RDWR);
    assert_int_equal(pread(fd, whole, end, 0), (ssize_t)end);
    for (uint64_t cut = refs[1].offset; cut < end; cut++) {
        bed_close(&b);
        assert_int_equal(ftruncate(fd, 0), 0);
        assert_int_equal(pwrite(fd, whole, cut, 0), (ssize_t)cut);
        bed_open(&b);
        assert_int_equal(b.n_objects, 1);
        assert_int_equal(b.n_damaged, 0);
        assert_int_equal(b.n_torn, cut > refs[1].offset);
        BED_OK(thing_check(&b, &t[0], &refs[0]));
        BED_OK(thing_put(&b, &t[1], bf, &again));
        assert_int_equal(again.offset, refs[1].offset);
        BED_OK(thing_check(&b, &t[1], &again));
    }
    // … and with zeros in place of what is missing, as after a power loss in preallocated space
    for (uint64_t cut = refs[1].offset; cut < end - RECORD_ALIGN; cut++) {
        bed_close(&b);
        assert_int_equal(ftruncate(fd, 0), 0);
        assert_int_equal(pwrite(fd, whole, cut, 0), (ssize_t)cut);
        assert_int_equal(ftruncate(fd, 1 << 20), 0);
        bed_open(&b);
        assert_int_equal(b.n_objects, 1);
        assert_int_equal(b.n_damaged, 0);
        BED_OK(thing_put(&b, &t[1], bf, &again));
        assert_int_equal(again.offset, refs[1].offset);
        BED_OK(thing_check(&b, &t[1], &again));
    }
    close(fd);
    free(whole);
}

static void overwrite(uint32_t segment, uint64_t at, uint64_t n, uint8_t with) {
    char path[400];
    bed_path(&b, segment, path);
    int fd = open(path, O_RDWR);
    uint8_t *p = malloc(n);
    memset(p, with, n);
    assert_int_equal(pwrite(fd, p, n, (off_t)at), (ssize_t)n);
    free(p);
    close(fd);
}

// Damage in the middle never costs what stands behind it, and is not taken for the end.
static void test_damage_in_the_middle(void **state) {
    (void)state;
    enum { N = 6 };
    struct blob_ref refs[N];
    struct thing t[N];
    for (unsigned i = 0; i < N; i++) {
        t[i] = (struct thing){i, 70000, 100, 0};
        BED_OK(thing_put(&b, &t[i], bf, &refs[i]));
    }
    BED_OK(store_sync(b.store, bf));
    static const struct {
        unsigned record, from, n;
        uint8_t with;
    } rows[] = {
        {1, 0, RECORD_HEADER, 0},    // header zeroed
        {1, 0, 70000, 0xff},         // header and body
        {2, 0, 70000, 0},            // all zero
        {3, 69000, 10, 7},           // body
        {0, 200, 10, 7},             // meta or summary
        {4, 5, 1, 9},                // header
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char path[400];
        uint64_t at = refs[rows[i].record].offset + rows[i].from;
        uint8_t *keep = malloc(rows[i].n);
        bed_path(&b, 1, path);
        int fd = open(path, O_RDWR);
        assert_int_equal(pread(fd, keep, rows[i].n, (off_t)at), (ssize_t)rows[i].n);
        overwrite(1, at, rows[i].n, rows[i].with);
        bed_forget(&b);
        BED_OK(store_scan(b.store, 0, 0, STORE_SCAN_ALL, bed_on_found, &b, bf));
        assert_int_equal(b.n_objects, N - 1);
        assert_int_equal(b.n_damaged, 1);
        reopen();
        assert_int_equal(b.n_objects, N - 1);
        assert_int_equal(b.n_damaged + b.n_torn, 1);
        for (unsigned j = 0; j < N; j++)
            assert_int_equal(thing_check(&b, &t[j], &refs[j]), j == rows[i].record ? ERR_CORRUPT : OK);
        assert_int_equal(pwrite(fd, keep, rows[i].n, (off_t)at), (ssize_t)rows[i].n);
        close(fd);
        free(keep);
        reopen();
        assert_int_equal(b.n_objects, N);
    }
}

// A record copied elsewhere, or from another store, is not taken for one.
static void test_moved_records(void **state) {
    (void)state;
    struct blob_ref refs[2];
    static const struct thing t[2] = {{0, 900, 40, 20}, {1, 900, 40, 20}};
    char path[400];
    for (unsigned i = 0; i < 2; i++)
        BED_OK(thing_put(&b, &t[i], bf, &refs[i]));
    BED_OK(store_sync(b.store, bf));
    assert_int_equal(refs[0].length, refs[1].length);
    bed_path(&b, 1, path);
    int fd = open(path, O_RDWR);
    uint8_t *p = malloc(refs[0].length);
    assert_int_equal(pread(fd, p, refs[0].length, (off_t)refs[0].offset), (ssize_t)refs[0].length);
    assert_int_equal(pwrite(fd, p, refs[0].length, (off_t)refs[1].offset), (ssize_t)refs[0].length);
    assert_int_equal(thing_check(&b, &t[1], &refs[1]), ERR_CORRUPT);
    // a copy of the segment under another number
    char other[400];
    bed_path(&b, 9, other);
    char command[2000];
    snprintf(command, sizeof command, "cp %s %s", path, other);
    bed_close(&b);
    assert_int_equal(system(command), 0);
    uint64_t size = file_size(9);
    bed_open(&b);
    assert_int_equal(b.n_objects, 1);
    assert_int_equal(file_size(9), size); // not ours: not touched
    struct blob_ref ref;
    BED_OK(thing_put(&b, &t[0], bf, &ref));
    assert_int_not_equal(ref.segment, 9);
    close(fd);
    free(p);
}

static void test_missing_and_shorter_segments(void **state) {
    (void)state;
    struct blob_ref ref, again;
    static const struct thing t = {0, 9000, 40, 20};
    char path[400];
    struct store_mark marks[4];
    for (unsigned i = 0; i < 3; i++)
        BED_OK(thing_put(&b, &t, bf, &ref));
    BED_OK(store_sync(b.store, bf));
    size_t n = store_take_marks(b.store, marks, 4);
    assert_int_equal(n, 1);
    bed_path(&b, 1, path);
    bed_close(&b);
    assert_int_equal(truncate(path, (off_t)ref.offset), 0);
    BED_OK(bed_try_open(&b, marks, n, bf));
    assert_int_equal(b.n_damaged, 1);
    BED_OK(thing_put(&b, &t, bf, &again)); // not where the index believes another to be
    assert_int_not_equal(again.segment, 1);
    bed_close(&b);
    assert_int_equal(unlink(path), 0);
    bed_path(&b, again.segment, path);
    assert_int_equal(unlink(path), 0);
    BED_OK(bed_try_open(&b, marks, n, bf));
    assert_int_equal(b.n_damaged, 1);
    BED_OK(thing_put(&b, &t, bf, &again));
    assert_int_equal(again.segment, 2);
}

// studies.keys of yesterday: the newer studies cannot be read, but nothing is cut off or overwritten.
static void test_old_key_file(void **state) {
    (void)state;
    struct blob_ref old, new, ref;
    static const struct thing t1 = {0, 9000, 40, 20}, t2 = {8, 9000, 40, 20};
    char command[2000];
    BED_OK(thing_put(&b, &t1, bf, &old));
    BED_OK(store_sync(b.store, bf));
    snprintf(command, sizeof command, "cp %s/studies.keys %s/copy", b.keys, b.keys);
    assert_int_equal(system(command), 0);
    BED_OK(thing_put(&b, &t2, bf, &new));
    BED_OK(store_sync(b.store, bf));
    bed_close(&b);
    snprintf(command, sizeof command, "mv %s/studies.keys %s/newer; cp %s/copy %s/studies.keys", b.keys,
             b.keys, b.keys, b.keys);
    assert_int_equal(system(command), 0);
    bed_open(&b);
    assert_int_equal(b.n_objects, 1);
    assert_int_equal(b.n_no_key, 1);
    assert_int_equal(thing_check(&b, &t2, &new), ERR_CORRUPT);
    BED_OK(thing_put(&b, &t2, bf, &ref)); // gets another slot than the lost one
    BED_OK(thing_check(&b, &t2, &ref));
    assert_int_equal(thing_check(&b, &t2, &new), ERR_CORRUPT);
    BED_OK(store_sync(b.store, bf));
    reopen();
    assert_int_equal(b.n_no_key, 1); // still not called damaged
    assert_int_equal(b.n_damaged, 0);
    bed_close(&b);
    snprintf(command, sizeof command, "mv %s/newer %s/studies.keys", b.keys, b.keys);
    assert_int_equal(system(command), 0);
    bed_open(&b);
    BED_OK(thing_check(&b, &t1, &old));
    BED_OK(thing_check(&b, &t2, &new)); // it is all there
}

static enum err stop(void *arg, const struct store_found *found) {
    (void)found;
    ++*(unsigned *)arg;
    return ERR_CANCELLED;
}

static void test_callback_stops(void **state) {
    (void)state;
    struct blob_ref ref;
    unsigned n = 0;
    static const struct thing t = {0, 9000, 40, 20};
    for (unsigned i = 0; i < 3; i++)
        BED_OK(thing_put(&b, &t, bf, &ref));
    struct fault f = {0};
    assert_int_equal(store_scan(b.store, 0, 0, STORE_SCAN_META, stop, &n, &f), ERR_CANCELLED);
    assert_int_equal(n, 1);
}

static enum err drop_it(void *arg, const struct store_found *found) {
    struct fault f = {0};
    struct buf buf = BUF_INIT(1 << 20);
    if (found->kind != STORE_OBJECT)
        return OK;
    assert_int_equal(store_get_summary(arg, &found->ref, &f, &buf), OK);
    buf_fini(&buf);
    return store_drop(arg, &found->ref, &f);
}

// The index drops duplicates as it replays.
static void test_drop_while_recovering(void **state) {
    (void)state;
    struct blob_ref ref;
    static const struct thing t = {0, 9000, 40, 20};
    for (unsigned i = 0; i < 3; i++)
        BED_OK(thing_put(&b, &t, bf, &ref));
    BED_OK(store_sync(b.store, bf));
    bed_close(&b);
    BED_OK(keyring_open(b.keys, bf, &b.keyring));
    BED_OK(store_open(b.store_dir, b.keyring, &b.options, bf, &b.store));
    BED_OK(store_recover(b.store, NULL, 0, drop_it, b.store, bf));
    reopen();
    assert_int_equal(b.n_objects, 0);
    assert_int_equal(b.n_dropped, 1); // one run
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        T(test_whole),
        T(test_streamed),
        T(test_ranges),
        T(test_limits),
        T(test_buffer_too_small),
        T(test_abort_leaves_nothing),
        T(test_interleaved),
        T(test_drop),
        T(test_drop_frees_space),
        T(test_erased_study),
        T(test_bad_refs),
        T(test_many_segments),
        T(test_an_object_larger_than_a_segment),
        T(test_one_writer),
        T(test_every_byte_flipped),
        T(test_cut_at_every_byte),
        T(test_damage_in_the_middle),
        T(test_moved_records),
        T(test_missing_and_shorter_segments),
        T(test_old_key_file),
        T(test_callback_stops),
        T(test_drop_while_recovering),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
