// The key ring: what must survive a restart, what must not, and what damage and failing disks may do.
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "bed.h"
#include "blob/keyring_file.h"

static struct bed b;
static struct keyring *k;

static void keys_path(const char *name, char ret[400]) {
    snprintf(ret, 400, "%s/%s", b.keys, name);
}

static void reopen(void) {
    keyring_close(k);
    k = NULL;
    BED_OK(keyring_open(b.keys, bf, &k));
}

static int setup(void **state) {
    (void)state;
    bed_make(&b, NULL);
    BED_OK(keyring_open(b.keys, bf, &k));
    return 0;
}

static int teardown(void **state) {
    (void)state;
    disk_reset();
    keyring_close(k);
    k = NULL;
    bed_remove(&b);
    return 0;
}

static uint32_t need(unsigned study) {
    char uid[64];
    uint32_t slot;
    snprintf(uid, sizeof uid, "1.2.840.%u", study);
    BED_OK(keyring_need(k, slice_str(uid), bf, &slot));
    return slot;
}

static enum err find(unsigned study, uint32_t *ret_slot) {
    char uid[64];
    snprintf(uid, sizeof uid, "1.2.840.%u", study);
    return keyring_find(k, slice_str(uid), ret_slot);
}

static void kek_of(uint32_t slot, uint8_t ret[KEY_BYTES]) {
    BED_OK(keyring_kek(k, slot, bf, ret));
}

static bool sync_keys(void) {
    if (!keyring_sync_begin(k))
        return true;
    bool ok = keyring_sync_run(k);
    keyring_sync_end(k, ok);
    return ok;
}

static void patch(const char *name, uint64_t at, uint8_t xor) {
    char path[400];
    uint8_t c;
    keys_path(name, path);
    int fd = open(path, O_RDWR);
    assert_int_equal(pread(fd, &c, 1, (off_t)at), 1);
    c ^= xor;
    assert_int_equal(pwrite(fd, &c, 1, (off_t)at), 1);
    close(fd);
}

static void test_keys_survive_restart(void **state) {
    (void)state;
    uint8_t before[3000][KEY_BYTES], after[KEY_BYTES]; // more than are cached, more than one growth
    for (unsigned i = 0; i < 3000; i++) {
        uint32_t slot = need(i);
        assert_int_equal(slot, i);
        kek_of(slot, before[i]);
        assert_int_equal(need(i), i);
    }
    assert_true(sync_keys());
    reopen();
    for (unsigned i = 0; i < 3000; i++) {
        uint32_t slot;
        assert_int_equal(find(i, &slot), OK);
        assert_int_equal(slot, i);
        kek_of(slot, after);
        assert_memory_equal(after, before[i], KEY_BYTES);
    }
    uint32_t slot = 77;
    assert_int_equal(find(3000, &slot), ERR_NO_SUCH_OBJECT);
    assert_int_equal(slot, 77);
    assert_int_equal(need(3000), 3000);
    uint64_t damaged;
    BED_OK(keyring_verify(k, bf, &damaged));
    assert_int_equal(damaged, 0);
}

static void test_study_uid_limits(void **state) {
    (void)state;
    static const struct {
        size_t n;
        enum err want;
    } rows[] = {{0, ERR_UID}, {1, OK}, {63, OK}, {64, OK}, {65, ERR_UID}};
    uint8_t uid[70];
    memset(uid, '1', sizeof uid);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        uint32_t slot;
        struct fault f = {0};
        assert_int_equal(keyring_need(k, slice_of(uid, rows[i].n), &f, &slot), rows[i].want);
    }
}

static void test_derive(void **state) {
    (void)state;
    uint8_t one[KEY_BYTES], two[KEY_BYTES], again[KEY_BYTES];
    keyring_derive(k, "one", one);
    keyring_derive(k, "two", two);
    assert_memory_not_equal(one, two, KEY_BYTES);
    reopen();
    keyring_derive(k, "one", again);
    assert_memory_equal(one, again, KEY_BYTES);
}

static void test_erase(void **state) {
    (void)state;
    uint8_t kek[KEY_BYTES];
    uint32_t one = need(1), two = need(2), slot;
    kek_of(one, kek);
    BED_OK(keyring_erase(k, SLICE_LIT("1.2.840.1"), bf));
    struct fault f = {0};
    assert_int_equal(keyring_kek(k, one, &f, kek), ERR_NO_SUCH_OBJECT);
    assert_int_equal(find(1, &slot), ERR_NO_SUCH_OBJECT);
    kek_of(two, kek);
    f = (struct fault){0};
    assert_int_equal(keyring_erase(k, SLICE_LIT("1.2.840.1"), &f), ERR_NO_SUCH_OBJECT);
    reopen();
    f = (struct fault){0};
    assert_int_equal(keyring_kek(k, one, &f, kek), ERR_NO_SUCH_OBJECT);
    assert_int_not_equal(need(1), one); // never used again
}

// Nothing of an erased key is left in the file.
static void test_erase_leaves_zeros(void **state) {
    (void)state;
    char path[400];
    uint8_t slot[KEYS_SLOT], zero[KEYS_SLOT] = {KEY_SLOT_ERASED};
    need(1);
    BED_OK(keyring_erase(k, SLICE_LIT("1.2.840.1"), bf));
    keys_path("studies.keys", path);
    int fd = open(path, O_RDONLY);
    assert_int_equal(pread(fd, slot, sizeof slot, KEYS_SLOTS_AT), sizeof slot);
    assert_memory_equal(slot, zero, sizeof slot);
    close(fd);
}

static void test_root_key_is_checked(void **state) {
    (void)state;
    char path[400];
    struct fault f = {0};
    keyring_close(k);
    k = NULL;
    keys_path("root.key", path);
    static const struct {
        mode_t mode;
        off_t size;
        enum err want;
    } rows[] = {{0640, 32, ERR_CONFIG}, {0604, 32, ERR_CONFIG}, {0600, 31, ERR_CONFIG},
                {0600, 33, ERR_CONFIG}, {0600, 0, ERR_CONFIG},  {0600, 32, ERR_CORRUPT}}; // zeros by now
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        assert_int_equal(truncate(path, rows[i].size), 0);
        assert_int_equal(chmod(path, rows[i].mode), 0);
        f = (struct fault){0};
        assert_int_equal(keyring_open(b.keys, &f, &k), rows[i].want);
    }
    assert_int_equal(unlink(path), 0);
    f = (struct fault){0};
    assert_int_equal(keyring_open(b.keys, &f, &k), ERR_CONFIG);
}

static void test_create_twice(void **state) {
    (void)state;
    struct fault f = {0};
    assert_int_equal(keyring_create(b.keys, &f), ERR_MISMATCH);
    reopen();
}

static void test_busy(void **state) {
    (void)state;
    struct keyring *other = NULL;
    struct fault f = {0};
    assert_int_equal(keyring_open(b.keys, &f, &other), ERR_BUSY);
    BED_OK(keyring_open_read_only(b.keys, bf, &other));
    uint32_t slot;
    f = (struct fault){0};
    assert_int_equal(keyring_need(other, SLICE_LIT("1.2"), &f, &slot), ERR_DENIED);
    f = (struct fault){0};
    assert_int_equal(keyring_erase(other, SLICE_LIT("1.2"), &f), ERR_DENIED);
    keyring_close(other);
}

// One copy of the header page may be lost, not both.
static void test_header_damage(void **state) {
    (void)state;
    need(1);
    for (unsigned at = 0; at < KEYS_PAGE; at += 61) {
        patch("studies.keys", at, 0x10);
        reopen();
        patch("studies.keys", at, 0x10);
        patch("studies.keys", KEYS_PAGE + at, 0x10);
        reopen();
        patch("studies.keys", KEYS_PAGE + at, 0x10);
    }
    patch("studies.keys", 9, 1);
    patch("studies.keys", KEYS_PAGE + 99, 1);
    keyring_close(k);
    k = NULL;
    struct fault f = {0};
    assert_int_equal(keyring_open(b.keys, &f, &k), ERR_CORRUPT);
}

// Any damage to a slot: this study is unreadable, its neighbours are not, no wrong key comes out.
static void test_slot_damage(void **state) {
    (void)state;
    uint8_t one[KEY_BYTES], kek[KEY_BYTES];
    need(1);
    need(2);
    kek_of(0, one);
    for (unsigned at = 0; at < KEYS_SLOT; at++) {
        patch("studies.keys", KEYS_SLOTS_AT + KEYS_SLOT + at, 0x42);
        reopen();
        struct fault f = {0};
        assert_int_equal(keyring_kek(k, 1, &f, kek), ERR_CORRUPT);
        kek_of(0, kek);
        assert_memory_equal(kek, one, KEY_BYTES);
        patch("studies.keys", KEYS_SLOTS_AT + KEYS_SLOT + at, 0x42);
    }
}

static void test_slots_cannot_be_exchanged(void **state) {
    (void)state;
    char path[400];
    uint8_t slots[2][KEYS_SLOT], kek[KEY_BYTES];
    need(1);
    need(2);
    keys_path("studies.keys", path);
    int fd = open(path, O_RDWR);
    assert_int_equal(pread(fd, slots, sizeof slots, KEYS_SLOTS_AT), sizeof slots);
    assert_int_equal(pwrite(fd, slots[1], KEYS_SLOT, KEYS_SLOTS_AT), KEYS_SLOT);
    assert_int_equal(pwrite(fd, slots[0], KEYS_SLOT, KEYS_SLOTS_AT + KEYS_SLOT), KEYS_SLOT);
    close(fd);
    reopen();
    struct fault f = {0};
    assert_int_equal(keyring_kek(k, 0, &f, kek), ERR_CORRUPT);
    uint64_t damaged;
    BED_OK(keyring_verify(k, bf, &damaged));
    assert_int_equal(damaged, 2);
}

static void test_slots_that_do_not_exist(void **state) {
    (void)state;
    static const uint32_t rows[] = {0, 1023, 1024, 5000, KEY_SLOTS_MAX - 1u, KEY_SLOTS_MAX, UINT32_MAX};
    uint8_t kek[KEY_BYTES];
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct fault f = {0};
        assert_int_equal(keyring_kek(k, rows[i], &f, kek), ERR_CORRUPT);
    }
}

static void test_pass_over(void **state) {
    (void)state;
    need(1);
    keyring_pass_over(k, 2000);
    assert_int_equal(need(2), 2001);
    keyring_pass_over(k, 5);
    assert_int_equal(need(3), 2002);
    assert_true(sync_keys());
    reopen();
    uint32_t slot;
    assert_int_equal(find(2, &slot), OK);
    assert_int_equal(slot, 2001);
    uint64_t damaged;
    BED_OK(keyring_verify(k, bf, &damaged));
    assert_int_equal(damaged, 0);
}

// After a failed sync the slots of the round, and those made during it, are not used any more.
static void test_failed_sync_burns(void **state) {
    (void)state;
    uint32_t one = need(1), slot;
    uint8_t kek[KEY_BYTES];
    assert_true(sync_keys());
    uint32_t two = need(2);
    disk_use();
    disk.fdatasync = 0;
    disk.once = true;
    assert_true(keyring_sync_begin(k));
    uint32_t three = need(3);
    bool ok = keyring_sync_run(k);
    assert_false(ok);
    keyring_sync_end(k, ok);
    assert_int_equal(find(1, &slot), OK);
    assert_int_equal(find(2, &slot), ERR_NO_SUCH_OBJECT);
    assert_int_equal(find(3, &slot), ERR_NO_SUCH_OBJECT);
    uint32_t again = need(2);
    assert_true(again > two && again > three);
    kek_of(one, kek);
    assert_true(sync_keys());
    reopen();
    assert_int_equal(find(2, &slot), OK);
    assert_int_equal(slot, again);
}

static void test_failed_write_changes_nothing(void **state) {
    (void)state;
    for (int half = 0; half < 2; half++) {
        need(1);
        disk_use();
        disk.pwrite = 0;
        disk.error = ENOSPC;
        disk.half_write = half;
        struct fault f = {0};
        uint32_t slot;
        assert_int_equal(keyring_need(k, SLICE_LIT("1.2.3"), &f, &slot), ERR_NO_SPACE);
        assert_int_equal(keyring_find(k, SLICE_LIT("1.2.3"), &slot), ERR_NO_SUCH_OBJECT);
        disk_reset();
        uint32_t old = need(1);
        BED_OK(keyring_need(k, SLICE_LIT("1.2.3"), bf, &slot));
        assert_true(sync_keys());
        reopen();
        assert_int_equal(need(1), old);
        assert_int_equal(keyring_find(k, SLICE_LIT("1.2.3"), &slot), OK);
        BED_OK(keyring_erase(k, SLICE_LIT("1.2.3"), bf));
    }
}

// A read error is not "no such study": else the study would get a second key, or outlive its erasure.
static void test_read_error(void **state) {
    (void)state;
    need(1);
    assert_true(sync_keys());
    reopen();
    const struct {
        int error;
        enum err expected;
    } rows[] = {{EIO, ERR_IO}, {ENOMEM, ERR_NO_MEMORY}};
    uint32_t slot;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        disk_use();
        disk.pread = 0;
        disk.error = rows[i].error;
        struct fault f = {0};
        assert_int_equal(keyring_need(k, SLICE_LIT("1.2.840.1"), &f, &slot), rows[i].expected);
        f = (struct fault){0};
        assert_int_equal(keyring_erase(k, SLICE_LIT("1.2.840.1"), &f), rows[i].expected);
        f = (struct fault){0};
        uint64_t damaged;
        assert_int_equal(keyring_verify(k, &f, &damaged), rows[i].expected);
    }
    disk_reset();
    assert_int_equal(find(1, &slot), OK);
}

static void test_failed_erase_is_told(void **state) {
    (void)state;
    need(1);
    disk_use();
    disk.fdatasync = 0;
    struct fault f = {0};
    assert_int_equal(keyring_erase(k, SLICE_LIT("1.2.840.1"), &f), ERR_IO);
    need(2);
    disk_use();
    disk.pwrite = 0;
    f = (struct fault){0};
    assert_int_equal(keyring_erase(k, SLICE_LIT("1.2.840.2"), &f), ERR_IO);
}

// Random puts and removals against a plain array.
static void test_table(void **state) {
    (void)state;
    enum { N = 3000 };
    static uint8_t ids[N][KEYS_ID];
    static bool in[N];
    struct key_table t;
    assert_true(key_table_init(&t, 0));
    srand(7);
    for (unsigned i = 0; i < N; i++) {
        for (unsigned j = 0; j < KEYS_ID; j++)
            ids[i][j] = (uint8_t)rand();
        ids[i][0] = (uint8_t)(i % 5); // long runs
        ids[i][1] = ids[i][2] = 0;
    }
    for (unsigned step = 0; step < 20000; step++) {
        unsigned i = (unsigned)rand() % N;
        if (!in[i]) {
            assert_true(key_table_room(&t));
            key_table_put(&t, ids[i], i);
        } else {
            key_table_remove(&t, ids[i], i);
        }
        in[i] = !in[i];
    }
    for (unsigned i = 0; i < N; i++) {
        uint32_t at = 0, slot;
        bool there = false;
        while (key_table_next(&t, ids[i], &at, &slot))
            there |= slot == i;
        assert_int_equal(there, in[i]);
    }
    key_table_fini(&t);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_keys_survive_restart, setup, teardown),
        cmocka_unit_test_setup_teardown(test_study_uid_limits, setup, teardown),
        cmocka_unit_test_setup_teardown(test_derive, setup, teardown),
        cmocka_unit_test_setup_teardown(test_erase, setup, teardown),
        cmocka_unit_test_setup_teardown(test_erase_leaves_zeros, setup, teardown),
        cmocka_unit_test_setup_teardown(test_root_key_is_checked, setup, teardown),
        cmocka_unit_test_setup_teardown(test_create_twice, setup, teardown),
        cmocka_unit_test_setup_teardown(test_busy, setup, teardown),
        cmocka_unit_test_setup_teardown(test_header_damage, setup, teardown),
        cmocka_unit_test_setup_teardown(test_slot_damage, setup, teardown),
        cmocka_unit_test_setup_teardown(test_slots_cannot_be_exchanged, setup, teardown),
        cmocka_unit_test_setup_teardown(test_slots_that_do_not_exist, setup, teardown),
        cmocka_unit_test_setup_teardown(test_pass_over, setup, teardown),
        cmocka_unit_test_setup_teardown(test_failed_sync_burns, setup, teardown),
        cmocka_unit_test_setup_teardown(test_failed_write_changes_nothing, setup, teardown),
        cmocka_unit_test_setup_teardown(test_read_error, setup, teardown),
        cmocka_unit_test_setup_teardown(test_failed_erase_is_told, setup, teardown),
        cmocka_unit_test(test_table),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
