// The stream between a gate and its worker: bytes and ends as through a socket, and a hostile other side that
// gains nothing by what it writes into the shared memory.
#include "os/fd.h"
#include "os/stream.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

// Where the two counters of each way lie, for who writes there what it should not.
enum { PUT_TO_WORKER = 0, TAKEN_TO_WORKER = 64, PUT_TO_GATE = 320, TAKEN_TO_GATE = 384 };

struct pair {
    struct os_stream gate, worker;
};

static void open_pair(struct pair *p) {
    int fds[2], shm = -1;
    assert_int_equal(os_fd_pair_stream(fds, NULL), OK);
    assert_int_equal(os_shm_make("stream", OS_STREAM_SHM_BYTES, &shm, NULL), OK);
    assert_int_equal(os_stream_open(&p->gate, fds[0], dup(shm), OS_STREAM_GATE, NULL), OK);
    assert_int_equal(os_stream_open(&p->worker, fds[1], shm, OS_STREAM_WORKER, NULL), OK);
}

static void close_pair(struct pair *p) {
    os_stream_close(&p->gate);
    os_stream_close(&p->worker);
}

static ssize_t give(struct os_stream *s, const void *bytes, size_t n) {
    return os_stream_send(s, &(struct iovec){(void *)(uintptr_t)bytes, n}, 1);
}

static ssize_t take(struct os_stream *s, void *bytes, size_t n) {
    return os_stream_recv(s, &(struct iovec){bytes, n}, 1);
}

static void await(struct os_stream *s, bool to_read, bool to_send) {
    struct pollfd p;
    if (os_stream_wait(s, to_read, to_send, &p))
        return;
    assert_true(poll(&p, 1, 20000) == 1); // else a wake-up was lost
    os_stream_polled(s, p.revents);
}

static void poke(struct os_stream *s, size_t at, uint32_t value) {
    atomic_store((_Atomic uint32_t *)(void *)(s->shm.p + at), value);
}

// --- bytes

static uint8_t byte_at(size_t i) {
    return (uint8_t)(i * 2654435761u >> 13);
}

// Sends and receives so many bytes at once, in pieces of changing size, waiting when it must.
static void exchange(struct os_stream *s, size_t bytes, unsigned seed) {
    static uint8_t out[100000], in[100000];
    size_t sent = 0, received = 0;
    srand(seed);
    while (sent < bytes || received < bytes) {
        size_t n = (size_t)rand() % sizeof out + 1;
        n = n < bytes - sent ? n : bytes - sent;
        for (size_t i = 0; i < n; i++)
            out[i] = byte_at(sent + i);
        struct iovec two[2] = {{out, n / 3}, {out + n / 3, n - n / 3}};
        ssize_t k = n ? os_stream_send(s, two, 2) : 0;
        sent += k > 0 ? (size_t)k : 0;
        ssize_t got = take(s, in, (size_t)rand() % sizeof in + 1);
        for (ssize_t i = 0; i < got; i++)
            assert_int_equal(in[i], byte_at(received + (size_t)i));
        received += got > 0 ? (size_t)got : 0;
        if (k <= 0 && got <= 0)
            await(s, received < bytes, sent < bytes);
    }
}

static void test_both_ways_at_once(void **state) {
    enum { BYTES = 20 << 20 };
    (void)state;
    for (int shared = 0; shared < 2; shared++) {
        struct pair p;
        open_pair(&p);
        if (!shared) // through the socket, as on the plain lane
            os_shm_close(&p.gate.shm), os_shm_close(&p.worker.shm);
        pid_t child = fork();
        if (child == 0) {
            exchange(&p.worker, BYTES, 1);
            _exit(0);
        }
        exchange(&p.gate, BYTES, 2);
        int status;
        assert_int_equal(waitpid(child, &status, 0), child);
        assert_int_equal(status, 0);
        close_pair(&p);
    }
}

static void fill_and_empty(struct os_stream *from, struct os_stream *to, size_t ring_bytes) {
    uint8_t *bytes = calloc(1, ring_bytes + 1), *back = malloc(ring_bytes + 1);
    assert_int_equal(give(from, bytes, ring_bytes - 1), ring_bytes - 1);
    assert_int_equal(give(from, bytes, 2), 1);
    assert_int_equal(give(from, bytes, 1), -1);
    assert_int_equal(errno, EAGAIN);
    assert_int_equal(take(to, back, ring_bytes + 1), ring_bytes);
    assert_int_equal(take(to, back, 1), -1);
    assert_int_equal(errno, EAGAIN);
    free(bytes);
    free(back);
}

static void test_room(void **state) {
    (void)state;
    struct pair p;
    open_pair(&p);
    fill_and_empty(&p.gate, &p.worker, OS_STREAM_TO_WORKER_BYTES);
    fill_and_empty(&p.worker, &p.gate, OS_STREAM_TO_GATE_BYTES);
    close_pair(&p);
}

// A head and what follows it leave in one piece: a reader that is woken finds both.
static void test_one_send_is_seen_at_once(void **state) {
    (void)state;
    struct pair p;
    open_pair(&p);
    struct iovec v[2] = {{(void *)(uintptr_t) "head", 4}, {(void *)(uintptr_t) "body", 4}};
    assert_int_equal(os_stream_send(&p.worker, v, 2), 8);
    assert_int_equal(os_stream_peek(&p.gate).n, 8);
    close_pair(&p);
}

// --- ends

static void test_end_comes_after_the_bytes(void **state) {
    (void)state;
    struct pair p;
    char got[8];
    open_pair(&p);
    assert_int_equal(give(&p.gate, "last", 4), 4);
    os_stream_end(&p.gate);
    await(&p.worker, true, false);
    assert_int_equal(take(&p.worker, got, sizeof got), 4);
    assert_int_equal(take(&p.worker, got, sizeof got), 0);
    assert_int_equal(give(&p.worker, "more", 4), 4); // the other half is open still
    assert_int_equal(take(&p.gate, got, sizeof got), 4);
    close_pair(&p);
}

static void test_the_other_side_is_gone(void **state) {
    (void)state;
    struct pair p;
    char got[8];
    open_pair(&p);
    assert_int_equal(give(&p.gate, "last", 4), 4);
    os_stream_close(&p.gate);
    assert_int_equal(take(&p.worker, got, sizeof got), 4);
    await(&p.worker, true, false);
    assert_int_equal(take(&p.worker, got, sizeof got), 0);
    assert_int_equal(give(&p.worker, "x", 1), -1);
    assert_int_equal(errno, EPIPE);
    os_stream_close(&p.worker);
}

// --- a hostile other side

static const struct {
    const char *name;
    size_t at; // of the worker's own counters, which the gate has to doubt
    uint32_t value;
    bool broken;
} lies[] = {
    {"a ring's bytes put", PUT_TO_GATE, OS_STREAM_TO_GATE_BYTES, false},
    {"more than a ring's bytes put", PUT_TO_GATE, OS_STREAM_TO_GATE_BYTES + 1, true},
    {"less than nothing put", PUT_TO_GATE, UINT32_MAX, true},
    {"much put", PUT_TO_GATE, 0x80000000u, true},
    {"all taken", TAKEN_TO_WORKER, 5, false},
    {"more taken than was put", TAKEN_TO_WORKER, 6, true},
    {"less taken than a ring's bytes ago", TAKEN_TO_WORKER, 5 - OS_STREAM_TO_WORKER_BYTES - 1, true},
    {"much taken", TAKEN_TO_WORKER, 0x80000000u, true},
};

static void test_lies_about_counters(void **state) {
    (void)state;
    static uint8_t got[2 * OS_STREAM_TO_GATE_BYTES];
    for (size_t i = 0; i < sizeof lies / sizeof *lies; i++) {
        struct pair p;
        size_t room;
        open_pair(&p);
        assert_int_equal(give(&p.gate, "12345", 5), 5);
        poke(&p.worker, lies[i].at, lies[i].value);
        (void)os_stream_free(&p.gate);
        ssize_t n = take(&p.gate, got, sizeof got);
        if (p.gate.broken != lies[i].broken || (lies[i].broken && (n != -1 || errno != EPROTO)))
            fail_msg("%s: broken %d, took %zd", lies[i].name, p.gate.broken, n);
        if (lies[i].broken) {
            assert_true(os_stream_is_over(&p.gate));
            assert_int_equal(os_stream_peek(&p.gate).n, 0);
            (void)os_stream_room(&p.gate, &room);
            assert_int_equal(room, 0);
            assert_int_equal(give(&p.gate, "x", 1), -1);
            poke(&p.worker, PUT_TO_GATE, 1); // it does not recover
            assert_int_equal(take(&p.gate, got, sizeof got), -1);
        }
        close_pair(&p);
    }
}

static void test_wake_ups_nobody_asked_for(void **state) {
    (void)state;
    struct pair p;
    char got[8], noise[4096] = {0};
    open_pair(&p);
    assert_int_equal(send(p.worker.fd, noise, sizeof noise, 0), sizeof noise);
    assert_int_equal(take(&p.gate, got, sizeof got), -1); // they are no bytes of the stream
    assert_int_equal(errno, EAGAIN);
    for (int i = 0; i < 100; i++)
        os_stream_polled(&p.gate, POLLIN);
    assert_false(p.gate.gone);
    assert_int_equal(give(&p.worker, "x", 1), 1);
    assert_int_equal(take(&p.gate, got, sizeof got), 1);
    close_pair(&p);
}

static void test_memory_that_may_shrink(void **state) {
    (void)state;
    int fds[2], shm = memfd_create("stream", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    struct os_stream s;
    assert_int_equal(os_fd_pair_stream(fds, NULL), OK);
    assert_int_equal(ftruncate(shm, OS_STREAM_SHM_BYTES), 0);
    assert_int_equal(os_stream_open(&s, fds[0], shm, OS_STREAM_GATE, NULL), ERR_PROTOCOL);
    assert_int_equal(fcntl(shm, F_GETFD), -1);
    close(fds[1]);
}

// --- rest

static void test_rest_gives_memory_back(void **state) {
    (void)state;
    static uint8_t bytes[OS_STREAM_TO_WORKER_BYTES];
    struct pair p;
    open_pair(&p);
    memset(bytes, 7, sizeof bytes);
    assert_int_equal(give(&p.gate, bytes, sizeof bytes), sizeof bytes);
    os_stream_rest(&p.gate); // not while something is on its way
    assert_int_equal(take(&p.worker, bytes, sizeof bytes), sizeof bytes);
    assert_int_equal(bytes[sizeof bytes - 1], 7);
    assert_int_equal(p.gate.out.ring[0], 7);
    os_stream_rest(&p.gate);
    assert_int_equal(p.gate.out.ring[0], 0);
    assert_int_equal(give(&p.gate, "x", 1), 1);
    assert_int_equal(take(&p.worker, bytes, 1), 1);
    assert_int_equal(bytes[0], 'x');
    close_pair(&p);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_both_ways_at_once),       cmocka_unit_test(test_room),
        cmocka_unit_test(test_one_send_is_seen_at_once), cmocka_unit_test(test_end_comes_after_the_bytes),
        cmocka_unit_test(test_the_other_side_is_gone),  cmocka_unit_test(test_lies_about_counters),
        cmocka_unit_test(test_wake_ups_nobody_asked_for), cmocka_unit_test(test_memory_that_may_shrink),
        cmocka_unit_test(test_rest_gives_memory_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
