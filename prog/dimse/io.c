// Streams: the only place of the worker that reads, writes and waits.
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/uio.h>

#include "os/clock.h"
#include "os/listen.h"
#include "worker.h"

enum { REST_MS = 1000 }; // then memory is given back

bool link_open(struct link *l, int take_fd, int take_shm_fd, struct ul_assoc *take_assoc) {
    *l = (struct link){.assoc = take_assoc, .input = malloc(WORKER_INPUT_BYTES)};
    enum err e = os_stream_open(&l->stream, take_fd, take_shm_fd, OS_STREAM_WORKER, NULL);
    if (e == OK && l->assoc && l->input)
        return true;
    link_close(l);
    return false;
}

void link_close(struct link *l) {
    ul_assoc_free(l->assoc);
    free(l->input);
    if (l->stream.fd > 0)
        os_stream_close(&l->stream);
    *l = (struct link){.stream.fd = -1, .gone = true};
}

// Waits until the stream is ready or a timer runs out. False: a timer ran out, the engine was told.
static bool wait_for(struct link *l, short events) {
    for (;;) {
        int64_t now = os_clock_ms(), deadline = ul_assoc_deadline(l->assoc);
        if (deadline <= now) {
            ul_assoc_tick(l->assoc, now);
            return false;
        }
        struct pollfd p;
        if (os_stream_wait(&l->stream, events & POLLIN, events & POLLOUT, &p))
            return true;
        int64_t left = deadline - now, most = l->stream.used ? REST_MS : 60000;
        int n = poll(&p, 1, left > most ? (int)most : (int)left);
        os_stream_polled(&l->stream, p.revents);
        if (n == 0)
            os_stream_rest(&l->stream);
        if (n > 0 || (n < 0 && errno != EINTR))
            return true; // let the read or write tell
    }
}

static void lost(struct link *l) {
    l->gone = true;
    ul_assoc_eof(l->assoc, os_clock_ms());
}

bool link_flush(struct link *l) {
    while (!l->gone) {
        struct slice out = ul_assoc_output(l->assoc);
        if (!ul_assoc_output_ok(l->assoc)) { // nobody shall wait for the rest of half an answer
            lost(l);
            break;
        }
        if (out.n == 0)
            return true;
        struct iovec v = {(void *)(uintptr_t)out.p, out.n};
        ssize_t n = os_stream_send(&l->stream, &v, 1);
        if (n >= 0) {
            ul_assoc_sent(l->assoc, (size_t)n, os_clock_ms());
            l->answered = true;
        } else if (errno == EAGAIN) {
            if (!wait_for(l, POLLOUT))
                lost(l); // it does not read what we send
        } else if (errno != EINTR)
            lost(l);
    }
    return false;
}

// Below this it is cheaper to copy than to read in two places.
enum { DIRECT_MIN_BYTES = 16 * 1024, TAIL_BYTES = 4096 };

// Data set bytes go straight to where the caller wants them, what follows them to the input buffer.
static ssize_t receive(struct link *l, size_t *ret_direct) {
    size_t due = l->into ? ul_assoc_data_due(l->assoc) : 0;
    if (due > l->into_room)
        due = l->into_room;
    *ret_direct = due >= DIRECT_MIN_BYTES ? due : 0;
    struct iovec all = {l->input, WORKER_INPUT_BYTES}, v[2] = {{l->into, due}, {l->input, TAIL_BYTES}};
    return *ret_direct == 0 ? os_stream_recv(&l->stream, &all, 1) : os_stream_recv(&l->stream, v, 2);
}

// One read; false when there is nothing to read without waiting.
static bool read_some(struct link *l) {
    size_t direct;
    ssize_t got = receive(l, &direct);
    if (got < 0 && (errno == EAGAIN || errno == EINTR))
        return false;
    if (got <= 0) {
        lost(l);
        return true;
    }
    size_t n = (size_t)got;
    if (direct > n)
        direct = n;
    if (direct > 0) {
        ul_assoc_feed(l->assoc, slice_of(l->into, direct), os_clock_ms());
        l->tail = slice_of(l->input, n - direct);
    } else {
        ul_assoc_feed(l->assoc, slice_of(l->input, n), os_clock_ms());
    }
    return true;
}

// The engine's next event from what was read already; how the association ended is kept for the log.
static bool pull(struct link *l, struct ul_assoc_event *ret_event) {
    bool got = ul_assoc_next(l->assoc, ret_event);
    if (!got && l->tail.n > 0) {
        ul_assoc_feed(l->assoc, l->tail, os_clock_ms());
        l->tail.n = 0;
        got = ul_assoc_next(l->assoc, ret_event);
    }
    if (got && (ret_event->kind == UL_EV_ABORTED || ret_event->kind == UL_EV_CLOSED))
        l->end = *ret_event;
    return got;
}

bool link_next(struct link *l, struct ul_assoc_event *ret_event) {
    if (l->holds) {
        *ret_event = l->held;
        l->holds = false;
        return true;
    }
    for (;;) {
        if (pull(l, ret_event))
            return true;
        if (!l->gone && !link_flush(l))
            continue; // lost: the engine has one more event to say so
        if (l->gone || ul_assoc_closed(l->assoc))
            return false;
        bool wait = l->answered;
        l->answered = false;
        if (wait || !read_some(l)) {
            // A sender that lets TCP collect small writes (Nagle) waits for this before it goes on.
            if (l->tcp)
                os_tcp_ack_now(l->stream.fd);
            (void)wait_for(l, POLLIN);
        }
    }
}

void link_hold(struct link *l, const struct ul_assoc_event *event) {
    l->held = *event;
    l->holds = true;
}

bool link_peek(struct link *l, struct ul_assoc_event *ret_event) {
    if (l->holds)
        return false;
    if (pull(l, ret_event))
        return true;
    if (l->gone || ul_assoc_unread(l->assoc) > 0 || !read_some(l))
        return false;
    return pull(l, ret_event);
}

static void advance(struct iovec **v, int *n, size_t sent) {
    while (*n > 0 && sent >= (*v)->iov_len) {
        sent -= (*v)->iov_len;
        ++*v;
        --*n;
    }
    if (*n > 0) {
        (*v)->iov_base = (uint8_t *)(*v)->iov_base + sent;
        (*v)->iov_len -= sent;
    }
}

static bool send_vector(struct link *l, struct iovec *v, int n) {
    while (n > 0) {
        ssize_t sent = os_stream_send(&l->stream, v, n);
        if (sent >= 0)
            advance(&v, &n, (size_t)sent);
        else if (errno != EINTR && (errno != EAGAIN || !wait_for(l, POLLOUT))) {
            lost(l);
            return false;
        }
    }
    l->answered = true;
    return true;
}

// Several PDUs go out with one system call, behind what the output holds (the command): headers on
// our stack, bodies where they lie.
bool link_send_piece(struct link *l, uint8_t context, struct slice piece, bool last) {
    enum { PDUS = 16, HEADER = UL_PDU_HEADER_BYTES + UL_PDV_HEADER_BYTES };
    uint8_t headers[PDUS][HEADER];
    struct iovec v[2 * PDUS + 1];
    size_t max = ul_assoc_pdv_max(l->assoc);
    bool due = piece.n > 0 || last;
    while (due && !l->gone) {
        struct slice out = ul_assoc_output(l->assoc);
        int n = 0;
        if (!ul_assoc_output_ok(l->assoc)) {
            lost(l);
            return false;
        }
        if (out.n > 0)
            v[n++] = (struct iovec){(void *)(uintptr_t)out.p, out.n};
        for (size_t i = 0; i < PDUS && due; i++) {
            size_t body = piece.n < max ? piece.n : max;
            ul_assoc_pdv_header(l->assoc, context, body, last && body == piece.n, headers[i]);
            v[n++] = (struct iovec){headers[i], HEADER};
            v[n++] = (struct iovec){(void *)(uintptr_t)piece.p, body};
            piece = slice_sub(piece, body, piece.n);
            due = piece.n > 0;
        }
        if (!send_vector(l, v, n))
            return false;
        ul_assoc_sent(l->assoc, out.n, os_clock_ms());
    }
    return !l->gone;
}
