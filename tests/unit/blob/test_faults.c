// The store on a failing disk. Whatever call fails, and whenever: what was acknowledged stays, what was
// refused is not there, and once the disk works again so does the store, without a restart.
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "bed.h"
#include "blob/os.h"
#include "blob/segment.h"

static struct bed b;

enum { MAX = 400 };
static struct {
    struct thing t;
    struct blob_ref ref;
    bool acknowledged, refused;
} made[MAX];
static unsigned n_made;

static int setup_with(const struct store_options *o) {
    disk_use(); // from here on: its syncs cost nothing
    bed_make(&b, o);
    bed_open(&b);
    n_made = 0;
    return 0;
}

static int setup(void **state) {
    (void)state;
    return setup_with(
        &(struct store_options){.segment_bytes = 400000, .reserve_bytes = 1, .step_bytes = 100000});
}

static int teardown(void **state) {
    (void)state;
    disk_reset();
    bed_remove(&b);
    return 0;
}

// One object, whole or streamed; what was put waits for the sync.
static enum err put_one(unsigned id) {
    struct thing t = {id, id % 3 ? 3000 + id : 150000 + id, 200, id % 5 ? 0 : 20000};
    struct fault f = {0};
    struct blob_ref ref;
    enum err e = id % 4 == 3 ? thing_stream(&b, &t, 40000, &f, &ref) : thing_put(&b, &t, &f, &ref);
    if (e == OK) {
        assert_true(n_made < MAX);
        made[n_made].t = t;
        made[n_made].ref = ref;
        made[n_made].acknowledged = made[n_made].refused = false;
        n_made++;
    }
    return e;
}

static enum err sync_all(void) {
    struct fault f = {0};
    enum err e = store_sync(b.store, &f);
    for (unsigned i = 0; i < n_made; i++) {
        enum store_durability d = store_durability(b.store, &made[i].ref);
        if (made[i].acknowledged)
            assert_int_equal(d, STORE_DURABLE);
        made[i].acknowledged |= !made[i].refused && d == STORE_DURABLE;
        made[i].refused |= d == STORE_LOST;
    }
    return e;
}

static void check_acknowledged(void) {
    for (unsigned i = 0; i < n_made; i++) {
        if (made[i].acknowledged)
            assert_int_equal(thing_check(&b, &made[i].t, &made[i].ref), OK);
    }
}

static bool was_found(const struct blob_ref *ref) {
    for (unsigned i = 0; i < b.n_objects; i++) {
        if (b.found[i].segment == ref->segment && b.found[i].offset == ref->offset)
            return true;
    }
    return false;
}

// Everything acknowledged is found again; everything found is whole; nothing looks damaged.
static void check_after_restart(void) {
    disk_use();
    bed_close(&b);
    bed_open(&b);
    assert_int_equal(b.n_damaged, 0);
    for (unsigned i = 0; i < n_made; i++) {
        if (made[i].acknowledged)
            assert_true(was_found(&made[i].ref));
        made[i].refused |= !made[i].acknowledged; // its place may be given to another now
    }
    check_acknowledged();
    for (unsigned i = 0; i < b.n_objects; i++) {
        for (unsigned j = 0; j < n_made; j++) {
            if (made[j].t.id == b.found_id[i])
                assert_int_equal(thing_check(&b, &made[j].t, &b.found[i]), OK);
        }
    }
}

static void work(unsigned first, unsigned n) {
    for (unsigned i = 0; i < n; i++) {
        (void)put_one(first + i);
        if (i % 3 == 2)
            (void)sync_all();
    }
    (void)sync_all();
}

struct kind {
    const char *name;
    int *left;
    int error;
    bool half;
};

// Each call in turn fails, once or from then on.
static void fail_each_call(const struct kind *k, unsigned calls, bool once) {
    for (unsigned nth = 0; nth < calls; nth++) {
        disk_use();
        bed_remove(&b);
        setup(NULL);
        work(0, 6);
        disk.once = once;
        disk.error = k->error;
        disk.half_write = k->half;
        *k->left = (int)nth;
        work(100, 12);
        disk_use(); // it works again
        check_acknowledged();
        unsigned before = n_made;
        work(200, 6);
        assert_int_equal(n_made, before + 6);
        for (unsigned i = before; i < n_made; i++)
            assert_true(made[i].acknowledged);
        check_after_restart();
        work(300, 3);
        check_acknowledged();
    }
}

static void each_call(const struct kind *k, unsigned calls) {
    fail_each_call(k, calls, true);
    fail_each_call(k, calls, false);
}

static void test_write_full(void **state) {
    (void)state;
    each_call(&(struct kind){"pwrite", &disk.pwrite, ENOSPC, false}, 30);
}

static void test_write_half(void **state) {
    (void)state;
    each_call(&(struct kind){"pwrite", &disk.pwrite, ENOSPC, true}, 30);
}

static void test_write_error(void **state) {
    (void)state;
    each_call(&(struct kind){"pwrite", &disk.pwrite, EIO, true}, 30);
}

static void test_fdatasync(void **state) {
    (void)state;
    each_call(&(struct kind){"fdatasync", &disk.fdatasync, EIO, false}, 15);
}

static void test_fsync_of_the_folder(void **state) {
    (void)state;
    each_call(&(struct kind){"fsync", &disk.fsync, EIO, false}, 5);
}

static void test_fallocate(void **state) {
    (void)state;
    each_call(&(struct kind){"fallocate", &disk.fallocate, ENOSPC, false}, 12);
    each_call(&(struct kind){"fallocate", &disk.fallocate, EOPNOTSUPP, false}, 3);
}

static void test_openat(void **state) {
    (void)state;
    each_call(&(struct kind){"openat", &disk.openat, EMFILE, false}, 6);
}

static void test_fstatvfs(void **state) {
    (void)state;
    each_call(&(struct kind){"fstatvfs", &disk.fstatvfs, EIO, false}, 8);
}

static void test_write_and_truncate(void **state) {
    (void)state;
    for (int nth = 0; nth < 12; nth++) {
        disk_use();
        bed_remove(&b);
        setup(NULL);
        work(0, 6);
        disk.ftruncate = 0; // nothing can be taken back
        disk.half_write = true;
        disk.pwrite = nth;
        disk.once = true;
        work(100, 12);
        disk_use();
        check_acknowledged();
        work(200, 6);
        check_after_restart();
    }
}

// A failed sync is never followed by another one of the same pages that might wrongly succeed.
static void test_failed_sync_is_final(void **state) {
    (void)state;
    assert_int_equal(put_one(1), OK);
    assert_int_equal(sync_all(), OK);
    assert_int_equal(put_one(2), OK);
    disk.fdatasync = 1; // the keys succeed, the segment fails
    disk.once = true;
    assert_int_equal(put_one(9), OK); // a new study: the keys are synced too
    assert_int_equal(sync_all(), ERR_IO);
    assert_int_equal(store_durability(b.store, &made[0].ref), STORE_DURABLE);
    assert_int_equal(store_durability(b.store, &made[1].ref), STORE_LOST);
    assert_int_equal(sync_all(), OK);
    assert_int_equal(store_durability(b.store, &made[1].ref), STORE_LOST);
    assert_int_equal(put_one(3), OK);
    assert_int_not_equal(made[3].ref.segment, made[1].ref.segment);
    assert_int_equal(sync_all(), OK);
    check_after_restart();
    assert_false(was_found(&made[1].ref)); // refused, and gone
    struct store_info info;
    BED_OK(store_status(b.store, bf, &info));
    assert_int_equal(info.objects, b.n_objects);
}

// What is put while a round is under way is not covered by it, but shares its fate when it fails.
static void test_put_during_a_round(void **state) {
    (void)state;
    struct fault f = {0};
    assert_int_equal(put_one(1), OK);
    assert_true(store_sync_begin(b.store));
    assert_false(store_sync_begin(b.store));
    assert_int_equal(put_one(2), OK);
    store_sync_run(b.store);
    assert_int_equal(put_one(4), OK);
    assert_int_equal(store_sync_end(b.store, &f), OK);
    assert_int_equal(store_sync_end(b.store, &f), OK); // none under way: nothing
    assert_int_equal(store_durability(b.store, &made[0].ref), STORE_DURABLE);
    assert_int_equal(store_durability(b.store, &made[1].ref), STORE_PENDING);
    assert_int_equal(store_durability(b.store, &made[2].ref), STORE_PENDING);
    assert_true(store_sync_begin(b.store));
    assert_int_equal(put_one(5), OK);
    disk.fdatasync = 0;
    store_sync_run(b.store);
    assert_int_equal(store_sync_end(b.store, &f), ERR_IO);
    disk_use();
    for (unsigned i = 1; i < 4; i++)
        assert_int_equal(store_durability(b.store, &made[i].ref), STORE_LOST);
    assert_int_equal(sync_all(), OK);
}

// The keys of a round are lost: streams that began with them may not finish, in whatever segment.
static void test_lost_keys(void **state) {
    (void)state;
    struct store_stream *w;
    struct blob_ref ref;
    assert_int_equal(put_one(1), OK);
    BED_OK(store_put_begin(b.store, SLICE_LIT("1.2.3.4.5"), bf, &w)); // a study of its own
    BED_OK(store_put_append(w, SLICE_LIT("body"), bf));
    disk.fdatasync = 0; // the keys' comes first
    disk.once = true;
    assert_int_equal(sync_all(), ERR_IO);
    assert_int_equal(store_durability(b.store, &made[0].ref), STORE_LOST);
    struct fault f = {0};
    assert_int_equal(store_put_append(w, SLICE_LIT("more"), &f), ERR_IO);
    f = (struct fault){0};
    assert_int_equal(store_put_finish(w, &(struct store_front){0}, &f, &ref), ERR_IO);
    assert_int_equal(put_one(1), OK);
    assert_int_equal(sync_all(), OK);
    check_after_restart();
    assert_int_equal(b.n_objects, 1);
    assert_int_equal(b.n_no_key, 0);
}

// … and the same for what began while the round was at the disk, with keys made meanwhile.
static void test_lost_keys_of_the_next_round(void **state) {
    (void)state;
    struct store_stream *w;
    struct blob_ref ref;
    struct fault f = {0};
    assert_int_equal(put_one(1), OK);
    assert_int_equal(put_one(3), OK); // streamed: a second segment
    assert_int_equal(sync_all(), OK);
    assert_int_equal(put_one(9), OK);
    disk.fdatasync = 0;
    disk.once = true;
    assert_true(store_sync_begin(b.store));
    BED_OK(store_put_begin(b.store, SLICE_LIT("1.2.3.4.5"), bf, &w));
    assert_int_equal(put_one(17), OK);
    store_sync_run(b.store);
    assert_int_equal(store_sync_end(b.store, &f), ERR_IO);
    assert_int_equal(store_durability(b.store, &made[3].ref), STORE_LOST);
    f = (struct fault){0};
    assert_int_equal(store_put_append(w, SLICE_LIT("more"), &f), ERR_IO);
    f = (struct fault){0};
    assert_int_equal(store_put_finish(w, &(struct store_front){0}, &f, &ref), ERR_IO);
    assert_int_equal(sync_all(), OK);
    check_after_restart();
    assert_int_equal(b.n_objects, 2);
}

// A small disk fills up: refusals, nothing visible, reads go on; it heals when room is made.
static void test_full_disk(void **state) {
    (void)state;
    bed_remove(&b);
    setup_with(
        &(struct store_options){.segment_bytes = 4 << 20, .reserve_bytes = 500000, .step_bytes = 1 << 20});
    disk.free_bytes = 3500000;
    unsigned n = 0;
    while (n < 300 && put_one(n) == OK)
        n++;
    assert_in_range(n, 20, 80);
    assert_in_range(disk.free_bytes, 500000, 700000);
    struct fault f = {0};
    struct blob_ref ref;
    struct thing large = {500, 3 << 20, 10, 0};
    assert_int_equal(thing_put(&b, &large, &f, &ref), ERR_NO_SPACE);
    f = (struct fault){0};
    assert_int_equal(thing_stream(&b, &large, 65536, &f, &ref), ERR_NO_SPACE);
    struct store_info info;
    BED_OK(store_status(b.store, bf, &info));
    assert_true(info.full);
    assert_int_equal(sync_all(), OK);
    check_acknowledged();
    disk.free_bytes = 50000000;
    BED_OK(store_status(b.store, bf, &info));
    assert_false(info.full);
    BED_OK(thing_put(&b, &large, bf, &ref));
    BED_OK(thing_stream(&b, &large, 65536, bf, &ref));
    assert_int_equal(sync_all(), OK);
    check_after_restart();
}

// A disk that cannot be read just now is not an empty one: nothing is cut off.
static void test_read_errors_at_start(void **state) {
    (void)state;
    work(0, 9);
    unsigned whole = 0;
    for (int nth = 0; nth < 120; nth++) {
        disk_use();
        bed_close(&b);
        disk.pread = nth / 2;
        disk.error = nth % 2 ? ENOMEM : EIO;
        disk.once = true;
        struct fault f = {0};
        enum err e = bed_try_open(&b, NULL, 0, &f);
        disk_use();
        if (e == OK)
            bed_close(&b);
        bed_open(&b);
        assert_int_equal(b.n_damaged + b.n_torn, 0);
        assert_int_equal(b.n_objects, n_made);
        check_acknowledged();
        whole += e == OK;
    }
    assert_true(whole > 0);
}

static void test_read_errors_later(void **state) {
    (void)state;
    work(0, 3);
    for (unsigned i = 0; i < n_made; i++) {
        for (int nth = 0; nth < 6; nth++) {
            disk_use();
            disk.pread = nth;
            disk.once = true;
            enum err e = thing_check(&b, &made[i].t, &made[i].ref);
            assert_true(e == ERR_IO || e == OK);
            disk_use();
            assert_int_equal(thing_check(&b, &made[i].t, &made[i].ref), OK);
        }
    }
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

// A lost segment shows by its number, so a file that was never used must not look like one.
static void test_a_segment_is_missing(void **state) {
    (void)state;
    static const struct thing t[2] = {{0, 300, 40, 20}, {8, 3000, 0, 0}};
    struct blob_ref refs[2];
    char path[400];
    BED_OK(thing_put(&b, &t[0], bf, &refs[0]));
    BED_OK(thing_stream(&b, &t[1], 1000, bf, &refs[1]));
    BED_OK(store_sync(b.store, bf));
    assert_int_equal(refs[1].segment, 2);
    assert_int_equal(store_missing(b.store, 0), 0);
    bed_close(&b);
    bed_path(&b, 1, path);
    assert_int_equal(truncate(path, 0), 0);
    for (int i = 0; i < 3; i++) {
        bed_open(&b);
        assert_int_equal(store_missing(b.store, 0), i < 2 ? 0 : 1);
        assert_int_equal(store_missing(b.store, 1), 0);
        assert_int_equal(b.n_damaged, 0);
        BED_OK(thing_check(&b, &t[1], &refs[1]));
        bed_close(&b);
        if (i == 1)
            assert_int_equal(unlink(path), 0);
    }
    bed_open(&b);
}

// A record that the archive beside us is writing: it is whole by the time that what follows it is looked at.
static struct late {
    int fd;
    uint8_t bytes[128];
    uint64_t at, record, next; // where they belong, the record begins, and ends
    unsigned looks; // at its header
    ssize_t (*real)(int fd, void *p, size_t n, off_t at);
} late;

static ssize_t late_pread(int fd, void *p, size_t n, off_t at) {
    ssize_t got = late.real(fd, p, n, at);
    late.looks += (uint64_t)at == late.record;
    if ((uint64_t)at >= late.next || late.looks > 1)
        assert_int_equal(pwrite(late.fd, late.bytes, sizeof late.bytes, (off_t)late.at), sizeof late.bytes);
    return got;
}

static void test_a_record_in_the_making(void **state) {
    (void)state;
    static const struct thing t[3] = {{0, 3000, 40, 20}, {8, 3000, 0, 0}, {16, 77, 70, 0}};
    static const uint8_t zeros[sizeof late.bytes];
    struct store_options ro = {.read_only = true};
    struct blob_ref refs[3];
    char path[400];
    for (unsigned i = 0; i < 3; i++)
        BED_OK(thing_put(&b, &t[i], bf, &refs[i]));
    BED_OK(store_sync(b.store, bf));
    bed_path(&b, 1, path);
    late.fd = open(path, O_RDWR);
    late.record = refs[1].offset;
    late.next = refs[2].offset;
    const uint64_t places[] = {refs[1].offset, refs[1].offset + 2000}; // its header, its body
    for (unsigned i = 0; i < 4; i++) {
        struct store *other = NULL;
        bool comes = i < 2;
        late.at = places[i % 2];
        late.looks = 0;
        assert_int_equal(pread(late.fd, late.bytes, sizeof zeros, (off_t)late.at), sizeof zeros);
        assert_int_equal(pwrite(late.fd, zeros, sizeof zeros, (off_t)late.at), sizeof zeros);
        BED_OK(store_open(b.store_dir, b.keyring, &ro, bf, &other));
        late.real = blob_os.pread;
        blob_os.pread = comes ? late_pread : blob_os.pread;
        bed_forget(&b);
        BED_OK(store_scan(other, 0, 0, STORE_SCAN_ALL, bed_on_found, &b, bf));
        blob_os.pread = late.real;
        assert_int_equal(b.n_objects, comes ? 3 : 2);
        assert_int_equal(b.n_damaged, comes ? 0 : 1);
        assert_int_equal(pwrite(late.fd, late.bytes, sizeof zeros, (off_t)late.at), sizeof zeros);
        store_close(other);
    }
    close(late.fd);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        T(test_write_full),
        T(test_write_half),
        T(test_write_error),
        T(test_fdatasync),
        T(test_fsync_of_the_folder),
        T(test_fallocate),
        T(test_openat),
        T(test_fstatvfs),
        T(test_write_and_truncate),
        T(test_failed_sync_is_final),
        T(test_put_during_a_round),
        T(test_lost_keys),
        T(test_lost_keys_of_the_next_round),
        T(test_full_disk),
        T(test_read_errors_at_start),
        T(test_read_errors_later),
        T(test_a_record_in_the_making),
        T(test_a_segment_is_missing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
