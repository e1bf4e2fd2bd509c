#include "os/stream.h"

#include "os/fd.h"

#include <errno.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/socket.h>

enum {
    PIECE_BYTES = 64 * 1024, // of a large send the first are being taken while the next are copied
};

// Who waits for room is woken for so much.
static size_t much_room(const struct os_stream_way *way) {
    return way->bytes / 2;
}

// At the beginning of the shared memory, once for each way. A line of the cache each: the two sides write
// to them at the same time.
struct os_stream_marks {
    _Alignas(64) _Atomic uint32_t put;
    _Alignas(64) _Atomic uint32_t taken;
    _Alignas(64) _Atomic uint32_t reader_waits;
    _Alignas(64) _Atomic uint32_t sender_waits;
    _Alignas(64) _Atomic uint32_t ended;
};
_Static_assert(2 * sizeof(struct os_stream_marks) <= 4096, "the marks have a page");

enum err os_stream_open(struct os_stream *s, int take_fd, int take_shm_fd, enum os_stream_side side,
                        struct fault *f) {
    *s = (struct os_stream){.fd = take_fd, .shm = OS_SHM_NONE};
    if (take_shm_fd < 0)
        return OK;
    enum err e = os_shm_adopt(take_shm_fd, OS_STREAM_SHM_BYTES, &s->shm, f);
    if (e != OK) {
        os_stream_close(s);
        return e;
    }
    os_shm_drop_fd(&s->shm);
    struct os_stream_marks *marks = (void *)s->shm.p;
    uint8_t *ring = s->shm.p + 4096;
    struct os_stream_way to_worker = {&marks[0], ring, OS_STREAM_TO_WORKER_BYTES, 0};
    struct os_stream_way to_gate = {&marks[1], ring + OS_STREAM_TO_WORKER_BYTES, OS_STREAM_TO_GATE_BYTES, 0};
    s->in = side == OS_STREAM_GATE ? to_gate : to_worker;
    s->out = side == OS_STREAM_GATE ? to_worker : to_gate;
    return OK;
}

void os_stream_close(struct os_stream *s) {
    os_fd_close(&s->fd);
    os_shm_close(&s->shm);
}

// --- the rings

static void wake(struct os_stream *s) {
    ssize_t n;
    do
        n = send(s->fd, "", 1, MSG_DONTWAIT | MSG_NOSIGNAL);
    while (n < 0 && errno == EINTR); // else the other side would sleep on
    if (n < 0 && errno != EAGAIN)
        s->gone = true; // a full socket wakes, too
}

// Bytes between two counters, of which one is the other side's word.
static size_t between(struct os_stream *s, const struct os_stream_way *way, uint32_t put, uint32_t taken) {
    uint32_t n = put - taken;
    if (n <= way->bytes && !s->broken)
        return n;
    s->broken = true;
    return 0;
}

static size_t stored(struct os_stream *s) {
    return between(s, &s->in, atomic_load(&s->in.marks->put), s->in.at);
}

size_t os_stream_free(struct os_stream *s) {
    size_t used = between(s, &s->out, s->out.at, atomic_load(&s->out.marks->taken));
    return s->broken ? 0 : s->out.bytes - used;
}

static size_t up_to_the_edge(const struct os_stream_way *way, uint32_t at, size_t n) {
    size_t edge = way->bytes - at % way->bytes;
    return n < edge ? n : edge;
}

struct slice os_stream_peek(struct os_stream *s) {
    size_t n = up_to_the_edge(&s->in, s->in.at, stored(s));
    return slice_of(s->in.ring + s->in.at % s->in.bytes, n);
}

void os_stream_taken(struct os_stream *s, size_t n) {
    struct os_stream_marks *m = s->in.marks;
    s->in.at += (uint32_t)n;
    atomic_store(&m->taken, s->in.at);
    if (atomic_load(&m->sender_waits) && stored(s) <= s->in.bytes - much_room(&s->in) &&
        atomic_exchange(&m->sender_waits, 0))
        wake(s);
}

uint8_t *os_stream_room(struct os_stream *s, size_t *ret_n) {
    *ret_n = up_to_the_edge(&s->out, s->out.at, os_stream_free(s));
    return s->out.ring + s->out.at % s->out.bytes;
}

static void wake_reader(struct os_stream *s) {
    if (atomic_load(&s->out.marks->reader_waits) && atomic_exchange(&s->out.marks->reader_waits, 0))
        wake(s);
}

void os_stream_put(struct os_stream *s, size_t n) {
    s->out.at += (uint32_t)n;
    atomic_store(&s->out.marks->put, s->out.at);
    s->used = true;
    wake_reader(s);
}

// What it put before it ended is seen by who has seen the end: hence the order.
bool os_stream_is_over(struct os_stream *s) {
    bool ended = s->gone || s->broken || atomic_load(&s->in.marks->ended);
    return ended && stored(s) == 0;
}

// --- like a socket

static ssize_t take(struct os_stream *s, const struct iovec *v, int n) {
    size_t all = 0;
    bool over = os_stream_is_over(s);
    for (int i = 0; i < n; i++) {
        uint8_t *to = v[i].iov_base;
        for (size_t left = v[i].iov_len; left > 0;) {
            struct slice there = os_stream_peek(s);
            size_t k = there.n < left ? there.n : left;
            if (k == 0)
                goto done;
            memcpy(to, there.p, k);
            os_stream_taken(s, k);
            to += k, left -= k, all += k;
        }
    }
done:
    if (all > 0 || (over && !s->broken))
        return (ssize_t)all;
    errno = s->broken ? EPROTO : EAGAIN;
    return -1;
}

ssize_t os_stream_recv(struct os_stream *s, const struct iovec *v, int n) {
    struct msghdr h = {.msg_iov = (struct iovec *)(uintptr_t)v, .msg_iovlen = (size_t)n};
    return s->shm.p ? take(s, v, n) : recvmsg(s->fd, &h, MSG_DONTWAIT);
}

// Copies into the ring. What goes in one piece is told in one: a reader woken for a frame's head only would
// send it off alone.
static ssize_t give(struct os_stream *s, const struct iovec *v, int n) {
    size_t all = 0, told = 0, room = os_stream_free(s);
    for (int i = 0; i < n && all < room; i++) {
        const uint8_t *from = v[i].iov_base;
        for (size_t left = v[i].iov_len; left > 0 && all < room;) {
            uint32_t at = s->out.at + (uint32_t)(all - told);
            size_t k = left < room - all ? left : room - all;
            k = up_to_the_edge(&s->out, at, k < PIECE_BYTES ? k : PIECE_BYTES);
            memcpy(s->out.ring + at % s->out.bytes, from, k);
            from += k, left -= k, all += k;
            if (all - told >= PIECE_BYTES) {
                os_stream_put(s, all - told);
                told = all;
            }
        }
    }
    if (all > told)
        os_stream_put(s, all - told);
    if (all > 0)
        return (ssize_t)all;
    errno = s->broken ? EPROTO : EAGAIN;
    return -1;
}

ssize_t os_stream_send(struct os_stream *s, const struct iovec *v, int n) {
    struct msghdr h = {.msg_iov = (struct iovec *)(uintptr_t)v, .msg_iovlen = (size_t)n};
    if (!s->shm.p)
        return sendmsg(s->fd, &h, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (!s->gone)
        return give(s, v, n);
    errno = EPIPE;
    return -1;
}

void os_stream_end(struct os_stream *s) {
    if (!s->shm.p) {
        shutdown(s->fd, SHUT_WR);
        return;
    }
    atomic_store(&s->out.marks->ended, 1);
    wake_reader(s);
}

// --- waiting

// First it is said that we wait, then looked once more: what comes in between is seen by one of the two.
static bool nothing_to_read(struct os_stream *s) {
    atomic_store(&s->in.marks->reader_waits, 1);
    return stored(s) == 0 && !os_stream_is_over(s);
}

static bool no_room(struct os_stream *s) {
    atomic_store(&s->out.marks->sender_waits, 1);
    return os_stream_free(s) < much_room(&s->out);
}

bool os_stream_wait(struct os_stream *s, bool to_read, bool to_send, struct pollfd *ret_p) {
    bool any = to_read || to_send;
    *ret_p = (struct pollfd){.fd = any ? s->fd : -1}; // else a hang-up there would wake us for ever
    if (!s->shm.p) {
        ret_p->events = (short)((to_read ? POLLIN : 0) | (to_send ? POLLOUT : 0));
        return false;
    }
    ret_p->events = POLLIN;
    bool waits = (!to_read || nothing_to_read(s)) && (!to_send || no_room(s));
    return any && (!waits || s->gone || s->broken);
}

void os_stream_polled(struct os_stream *s, short revents) {
    uint8_t calls[64];
    if (!s->shm.p || revents == 0)
        return;
    ssize_t n = recv(s->fd, calls, sizeof calls, MSG_DONTWAIT);
    if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR))
        s->gone = true;
}

bool os_stream_readable(struct os_stream *s, short revents) {
    if (!s->shm.p)
        return revents & (POLLIN | POLLHUP | POLLERR);
    return stored(s) > 0 || os_stream_is_over(s);
}

// The ring is ours to write to, and the other side has nothing to read in it.
void os_stream_rest(struct os_stream *s) {
    if (!s->shm.p || !s->used || os_stream_free(s) != s->out.bytes)
        return;
    (void)madvise(s->out.ring, s->out.bytes, MADV_REMOVE);
    s->used = false;
}
