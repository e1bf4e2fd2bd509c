// The segment's layout: written headers read back, all others are refused even when their MAC is right.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
// after these:
#include <cmocka.h>

#include "blob/segment.h"
#include "blob/store.h"

static struct sealer *s;
static struct segment_id id = {.store_id = "store", .mac_key = "mac", .number = 7};
static const uint8_t kek[KEY_BYTES] = "key";

static int setup(void **state) {
    (void)state;
    s = sealer_new();
    return s ? 0 : -1;
}

static int teardown(void **state) {
    (void)state;
    sealer_free(s);
    return 0;
}

static struct record good(uint64_t body_at) {
    struct record r = {
        .plain = {[SEAL_BODY] = 100000, [SEAL_META] = 300, [SEAL_SUMMARY] = 4000, [SEAL_FRAMES] = 16},
        .body_at = body_at,
        .slot = 5};
    assert_true(record_lay_out(&r));
    return r;
}

static void test_round_trip(void **state) {
    (void)state;
    static const uint64_t body_at[] = {0, 16384, 5000, 128}; // whole; streamed: front before; …; front behind
    for (size_t i = 0; i < 4; i++) {
        uint8_t p[RECORD_HEADER];
        struct record r = good(body_at[i]), got;
        struct seal_keys k;
        assert_true(record_keys(&id, 4096, &r, true, kek, &k));
        record_write(&id, 4096, &r, p);
        assert_true(record_read(&id, 4096, p, &got));
        assert_true(got.bytes == r.bytes && got.front_at == r.front_at && got.body_at == r.body_at);
        assert_true(got.slot == r.slot && !got.dropped);
        assert_memory_equal(got.plain, r.plain, sizeof r.plain);
        assert_memory_equal(got.salt, r.salt, sizeof r.salt);
        assert_memory_equal(got.commitment, r.commitment, sizeof r.commitment);
        assert_int_equal(record_front_bytes(&r) != 0, i != 3);
        record_drop_mark(p);
        assert_true(record_read(&id, 4096, p, &got));
        assert_true(got.dropped);
    }
}

static void test_ranges_do_not_overlap(void **state) {
    (void)state;
    static const uint64_t body_at[] = {0, 16384, 128};
    for (size_t i = 0; i < 3; i++) {
        struct record r = good(body_at[i]);
        for (int x = SEAL_BODY; x < SEAL_RANGES_; x++) {
            uint64_t at = record_range_at(&r, (enum seal_range)x), n = seal_sealed_bytes(r.plain[x]);
            assert_true(at >= RECORD_HEADER && at + n <= r.bytes);
            for (int y = SEAL_BODY; y < x; y++) {
                uint64_t other = record_range_at(&r, (enum seal_range)y), m = seal_sealed_bytes(r.plain[y]);
                assert_true(at + n <= other || other + m <= at);
            }
        }
    }
}

static void test_header_elsewhere(void **state) {
    (void)state;
    uint8_t p[RECORD_HEADER];
    struct record r = good(0), got;
    record_write(&id, 4096, &r, p);
    struct segment_id other = id;
    other.number = 8;
    assert_false(record_read(&other, 4096, p, &got));
    other = id;
    other.mac_key[0] ^= 1;
    assert_false(record_read(&other, 4096, p, &got));
    assert_false(record_read(&id, 4096 + 64, p, &got));
    for (size_t i = 0; i < RECORD_HEADER; i++) {
        p[i] ^= 0x20;
        assert_false(record_read(&id, 4096, p, &got));
        p[i] ^= 0x20;
    }
}

// Authentic, but impossible: of another version, or a mistake of ours.
static void test_impossible_layouts(void **state) {
    (void)state;
    static const struct {
        const char *name;
        uint64_t bytes, body, meta, summary, frames, front_at, body_at; // added to what is right
    } rows[] = {
        {"right", 0, 0, 0, 0, 0, 0, 0},
        {"longer", 64, 0, 0, 0, 0, 0, 0},
        {"shorter", (uint64_t)-64, 0, 0, 0, 0, 0, 0},
        {"unaligned", 1, 0, 0, 0, 0, 0, 0},
        {"no length", (uint64_t)-104960, 0, 0, 0, 0, 0, 0},
        {"larger body", 0, 65536, 0, 0, 0, 0, 0},
        {"huge body", 0, UINT64_MAX - 200000, 0, 0, 0, 0, 0},
        {"large meta", 0, 0, STORE_META_MAX, 0, 0, 0, 0},
        {"large summary", 0, 0, 0, STORE_SUMMARY_MAX, 0, 0, 0},
        {"large frames", 0, 0, 0, 0, STORE_FRAMES_MAX, 0, 0},
        {"front on the header", 0, 0, 0, 0, 0, (uint64_t)-64, 0},
        {"front on the body", 0, 0, 0, 0, 0, 4500, 0},
        {"body on the header", 0, 0, 0, 0, 0, 0, (uint64_t)-4600},
        {"body on the front", 0, 0, 0, 0, 0, 0, (uint64_t)-1000},
        {"body far away", 0, 0, 0, 0, 0, 0, 1ull << 50},
        {"body wraps", 0, 0, 0, 0, 0, 0, UINT64_MAX - 5000},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        uint8_t p[RECORD_HEADER];
        struct record r = good(0), got;
        r.bytes += rows[i].bytes;
        r.plain[SEAL_BODY] += rows[i].body;
        r.plain[SEAL_META] += rows[i].meta;
        r.plain[SEAL_SUMMARY] += rows[i].summary;
        r.plain[SEAL_FRAMES] += rows[i].frames;
        r.front_at += rows[i].front_at;
        r.body_at += rows[i].body_at;
        record_write(&id, 4096, &r, p);
        if (record_read(&id, 4096, p, &got) != (i == 0))
            fail_msg("%s", rows[i].name);
    }
}

static void test_keys_are_bound(void **state) {
    (void)state;
    struct record r = good(0);
    struct seal_keys k, untouched;
    memset(&k, 7, sizeof k);
    untouched = k;
    struct seal_keys right;
    assert_true(record_keys(&id, 4096, &r, true, kek, &right));
    struct segment_id other = id;
    uint8_t kek2[KEY_BYTES] = "kez";
    other.number++;
    assert_false(record_keys(&other, 4096, &r, false, kek, &k));
    other = id;
    other.store_id[15] ^= 1;
    assert_false(record_keys(&other, 4096, &r, false, kek, &k));
    assert_false(record_keys(&id, 4160, &r, false, kek, &k));
    assert_false(record_keys(&id, 4096, &r, false, kek2, &k));
    r.slot++;
    assert_false(record_keys(&id, 4096, &r, false, kek, &k));
    r.slot--;
    r.salt[0] ^= 1;
    assert_false(record_keys(&id, 4096, &r, false, kek, &k));
    r.salt[0] ^= 1;
    r.commitment[31] ^= 1;
    assert_false(record_keys(&id, 4096, &r, false, kek, &k));
    r.commitment[31] ^= 1;
    assert_memory_equal(&k, &untouched, sizeof k);
    assert_true(record_keys(&id, 4096, &r, false, kek, &k));
    assert_memory_equal(&k, &right, sizeof k);
}

static void test_page(void **state) {
    (void)state;
    uint8_t p[SEGMENT_PAGE];
    struct segment_page got;
    for (int closed = 0; closed < 2; closed++) {
        segment_page_write(&id, &(struct segment_page){.closed = closed, .end = 123456}, p);
        assert_true(segment_page_read(&id, p, &got));
        assert_int_equal(got.closed, closed);
        assert_int_equal(got.end, closed ? 123456 : 0);
        for (size_t i = 0; i < 96; i++) {
            p[i] ^= 1;
            assert_false(segment_page_read(&id, p, &got));
            p[i] ^= 1;
        }
        struct segment_id other = id;
        other.number++;
        assert_false(segment_page_read(&other, p, &got));
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_round_trip),
        cmocka_unit_test(test_ranges_do_not_overlap),
        cmocka_unit_test(test_header_elsewhere),
        cmocka_unit_test(test_impossible_layouts),
        cmocka_unit_test(test_keys_are_bound),
        cmocka_unit_test(test_page),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
