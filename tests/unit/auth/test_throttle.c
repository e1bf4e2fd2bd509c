// Nobody makes somebody else wait.
#include "auth/device.h"
#include "auth/queue.h"
#include "auth/throttle.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

static struct throttle t;
static const struct slice nothing;

static struct throttle_who who(const char *user, const char *source) {
    return throttle_who(&t, slice_str(user), slice_str(source), nothing);
}

static void wrong(struct throttle_who w, int n, int64_t now_ms) {
    for (int i = 0; i < n; i++)
        throttle_note(&t, w, false, now_ms);
}

static void test_back_off(void **state) {
    (void)state;
    t = (struct throttle){.key = {7}};
    struct throttle_who ann = who("ann", "10.0.0.1");
    assert_int_equal(throttle_due_ms(&t, ann, 1000), 1000);
    wrong(ann, 1, 1000);
    assert_int_equal(throttle_due_ms(&t, ann, 1001), 1500);
    wrong(ann, 1, 1500);
    assert_int_equal(throttle_due_ms(&t, ann, 1600), 2500);
    throttle_book(&t, ann, 2500);
    assert_int_equal(throttle_due_ms(&t, ann, 1600), 3500); // at once: behind each other
    wrong(ann, 5, 5000);
    assert_int_equal(throttle_due_ms(&t, ann, 5001), 5000 + THROTTLE_MOST_MS);
    assert_int_equal(throttle_due_ms(&t, ann, 5000 + THROTTLE_FORGET_MS + 1), 5000 + THROTTLE_FORGET_MS + 1);
    throttle_note(&t, ann, true, 30000);
    assert_int_equal(throttle_due_ms(&t, ann, 30000), 30000);
}

static void test_an_attacker_elsewhere_does_not_delay(void **state) {
    (void)state;
    t = (struct throttle){.key = {7}};
    for (int i = 0; i < 20000; i++) {
        char source[32];
        snprintf(source, sizeof source, "10.%d.%d.1", i / 250, i % 250);
        wrong(who("ann", source), 3, 1000);
    }
    assert_int_equal(throttle_due_ms(&t, who("ann", "192.0.2.1"), 1000), 1000);
}

static void test_an_attacker_beside_does_not_delay_a_known_device(void **state) {
    (void)state;
    t = (struct throttle){.key = {7}};
    wrong(who("ann", "192.0.2.1"), 100, 1000);
    assert_true(throttle_due_ms(&t, who("ann", "192.0.2.1"), 1001) > 1001);
    struct throttle_who known =
        throttle_who(&t, SLICE_LIT("ann"), SLICE_LIT("192.0.2.1"), SLICE_LIT("device 1"));
    assert_int_equal(throttle_due_ms(&t, known, 1001), 1001);
    wrong(known, 3, 1001); // but it may not guess either
    assert_int_equal(throttle_due_ms(&t, known, 1001), 3001);
    struct throttle_who other =
        throttle_who(&t, SLICE_LIT("ann"), SLICE_LIT("192.0.2.1"), SLICE_LIT("device 2"));
    assert_int_equal(throttle_due_ms(&t, other, 1001), 1001);
}

static void test_spraying_is_slowed(void **state) {
    (void)state;
    t = (struct throttle){.key = {7}};
    for (int i = 0; i < THROTTLE_FREE; i++) {
        char user[16];
        snprintf(user, sizeof user, "user%d", i);
        assert_int_equal(throttle_due_ms(&t, who(user, "10.0.0.1"), 1000), 1000);
        wrong(who(user, "10.0.0.1"), 1, 1000);
    }
    wrong(who("one more", "10.0.0.1"), 1, 1000);
    assert_int_equal(throttle_due_ms(&t, who("fresh", "10.0.0.1"), 1000), 1500);
    throttle_note(&t, who("own", "10.0.0.1"), true, 1000); // an account of one's own does not help
    assert_int_equal(throttle_due_ms(&t, who("fresh", "10.0.0.1"), 1000), 1500);
    wrong(who("later", "10.0.0.1"), 1, 1000 + 30 * THROTTLE_LEAK_MS);
    assert_int_equal(throttle_due_ms(&t, who("fresh", "10.0.0.1"), 1000 + 30 * THROTTLE_LEAK_MS),
                     1000 + 30 * THROTTLE_LEAK_MS);
}

static void test_sources(void **state) {
    (void)state;
    static const struct {
        const char *a, *b;
        bool same;
    } pairs[] = {
        {"192.0.2.1", "192.0.2.1", true},
        {"192.0.2.1", "192.0.2.2", false},
        {"192.0.2.1", "::ffff:192.0.2.1", true},
        {"2001:db8:1:2::1", "2001:db8:1:2:ffff::9", true},
        {"2001:db8:1:2::1", "2001:db8:1:3::1", false},
        {"local", "192.0.2.1", false},
    };
    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++)
        if ((throttle_source(&t, slice_str(pairs[i].a)) == throttle_source(&t, slice_str(pairs[i].b))) !=
            pairs[i].same)
            fail_msg("%s and %s", pairs[i].a, pairs[i].b);
}

static void test_codes_are_guessed_slowly(void **state) {
    (void)state;
    t = (struct throttle){.key = {7}};
    struct throttle_who code = throttle_who_code(&t, SLICE_LIT("ann"), 0);
    wrong(code, 20, 1000);
    assert_int_equal(throttle_due_ms(&t, code, 1001), 1000 + THROTTLE_CODE_MOST_MS);
    assert_int_equal(throttle_due_ms(&t, who("ann", "10.0.0.1"), 1001), 1001);
    assert_int_equal(throttle_due_ms(&t, throttle_who_code(&t, SLICE_LIT("ann"), 5), 1001), 1001);
}

// Somebody who has the password, and a device's cookie perhaps: of a million codes three are good.
static void test_few_codes_are_guessed_in_a_day(void **state) {
    (void)state;
    for (uint64_t device = 0; device < 2; device++) {
        t = (struct throttle){.key = {7}};
        struct throttle_who code = throttle_who_code(&t, SLICE_LIT("ann"), device);
        unsigned guesses = 0;
        for (int64_t now_ms = 1000; now_ms < 10 * 86400000LL; guesses++) {
            throttle_note(&t, code, false, now_ms);
            now_ms = throttle_due_ms(&t, code, now_ms);
            if (guesses % 2 == 0) // waiting a little longer does not help
                now_ms += 60000;
        }
        assert_in_range(guesses, 900, 1000);
        throttle_note(&t, code, true, 10 * 86400000LL);
        assert_int_equal(throttle_due_ms(&t, code, 10 * 86400000LL), 10 * 86400000LL);
    }
}

static void put(struct queue *q, uint64_t lane, bool device, uint64_t request) {
    struct job job = {.lane = lane, .device = device, .request = request, .due_ms = 100};
    queue_put(q, &job);
}

static void test_turns(void **state) {
    (void)state;
    static struct queue q;
    struct job job;
    int64_t next_ms;
    assert_true(queue_init(&q));
    assert_false(queue_take(&q, 100, &job, &next_ms));
    assert_true(next_ms == INT64_MAX);
    for (uint64_t i = 0; i < QUEUE_OF_LANE; i++) {
        assert_true(queue_has_room(&q, 1, false, QUEUE_OF_LANE));
        put(&q, 1, false, i);
    }
    assert_false(queue_has_room(&q, 1, false, QUEUE_OF_LANE));
    put(&q, 2, false, 10);
    put(&q, 3, true, 20);
    put(&q, 3, true, 21);
    assert_false(queue_take(&q, 99, &job, &next_ms));
    assert_int_equal(next_ms, 100);
    // Lane 1 came first; then everyone in turn, and known devices every second time.
    static const uint64_t expected[] = {20, 0, 21, 10, 1, 2, 3};
    for (size_t i = 0; i < sizeof expected / sizeof *expected; i++) {
        assert_true(queue_take(&q, 100, &job, &next_ms));
        assert_int_equal(job.request, expected[i]);
    }
}

static void test_a_flood_leaves_room_for_known_devices(void **state) {
    (void)state;
    static struct queue q;
    assert_true(queue_init(&q));
    uint64_t lane = 1;
    while (queue_has_room(&q, lane, false, QUEUE_OF_LANE))
        put(&q, lane++, false, 0);
    assert_int_equal(q.n, QUEUE_MAX - QUEUE_KEPT);
    assert_true(queue_has_room(&q, 1000000, true, QUEUE_OF_LANE));
    put(&q, 1000000, true, 42);
    struct job job;
    int64_t next_ms;
    assert_true(queue_take(&q, 100, &job, &next_ms));
    assert_int_equal(job.request, 42);
}

static void test_devices(void **state) {
    (void)state;
    char proof[DEVICE_CHARS + 1];
    uint8_t id[DEVICE_ID_BYTES];
    const int64_t hour_ms = 3600000, now_ms = 1800000000000;
    struct slice ann = SLICE_LIT("ann"), hash = SLICE_LIT("$argon2id$one");
    device_make(ann, hash, now_ms, proof);
    assert_true(device_check(slice_str(proof), ann, hash, now_ms, id));
    assert_true(device_check(slice_str(proof), ann, hash, now_ms + DEVICE_HOURS * hour_ms, id));
    assert_false(device_check(slice_str(proof), ann, hash, now_ms + (DEVICE_HOURS + 1) * hour_ms, id));
    assert_false(device_check(slice_str(proof), SLICE_LIT("bob"), hash, now_ms, id));
    assert_false(device_check(slice_str(proof), ann, SLICE_LIT("$argon2id$two"), now_ms, id));
    assert_false(device_check(slice_str(proof), ann, SLICE_LIT(""), now_ms, id));
    assert_false(device_check(SLICE_LIT(""), ann, hash, now_ms, id));
    assert_false(device_check(slice_sub(slice_str(proof), 0, DEVICE_CHARS - 1), ann, hash, now_ms, id));
    proof[40] = proof[40] == 'A' ? 'B' : 'A';
    assert_false(device_check(slice_str(proof), ann, hash, now_ms, id));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_back_off),
        cmocka_unit_test(test_an_attacker_elsewhere_does_not_delay),
        cmocka_unit_test(test_an_attacker_beside_does_not_delay_a_known_device),
        cmocka_unit_test(test_spraying_is_slowed),
        cmocka_unit_test(test_sources),
        cmocka_unit_test(test_codes_are_guessed_slowly),
        cmocka_unit_test(test_few_codes_are_guessed_in_a_day),
        cmocka_unit_test(test_turns),
        cmocka_unit_test(test_a_flood_leaves_room_for_known_devices),
        cmocka_unit_test(test_devices),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
