// Streams: the only place of the worker that reads, writes and waits.
#include <errno.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include "os/clock.h"
#include "os/fd.h"
#include "worker.h"

bool link_open(struct link *l, int take_fd, struct ul_assoc *take_assoc) {
    *l = (struct link){.fd = take_fd, .assoc = take_assoc, .input = malloc(WORKER_INPUT_BYTES)};
    if (l->assoc && l->input)
        return true;
    link_close(l);
    return false;
}

void link_close(struct link *l) {
    ul_assoc_free(l->assoc);
    free(l->input);
    if (l->fd > 0)
        os_fd_close(&l->fd);
    *l = (struct link){.fd = -1, .gone = true};
}

// Waits until the stream is ready or a timer runs out. False: a timer ran out, the engine was told.
static bool wait_for(struct link *l, short events) {
    for (;;) {
        int64_t now = os_clock_ms(), deadline = ul_assoc_deadline(l->assoc);
        if (deadline <= now) {
            ul_assoc_tick(l->assoc, now);
            return false;
        }
        int64_t left = deadline - now;
        struct pollfd p = {l->fd, events, 0};
        int n = poll(&p, 1, left > 60000 ? 60000 : (int)left);
        if (n > 0)
            return true;
        if (n < 0 && errno != EINTR)
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
        if (out.n == 0)
            return true;
        ssize_t n = send(l->fd, out.p, out.n, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (n >= 0)
            ul_assoc_sent(l->assoc, (size_t)n, os_clock_ms());
        else if (errno == EAGAIN) {
            if (!wait_for(l, POLLOUT))
                lost(l); // it does not read what we send
        } else if (errno != EINTR)
            lost(l);
    }
    return false;
}

// One read; false when there is nothing to read without waiting.
static bool read_some(struct link *l) {
    ssize_t n = recv(l->fd, l->input, WORKER_INPUT_BYTES, MSG_DONTWAIT);
    if (n > 0)
        ul_assoc_feed(l->assoc, slice_of(l->input, (size_t)n), os_clock_ms());
    else if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return false;
    else
        lost(l);
    return true;
}

bool link_next(struct link *l, struct ul_assoc_event *ret_event) {
    for (;;) {
        if (ul_assoc_next(l->assoc, ret_event))
            return true;
        if (!l->gone && !link_flush(l))
            continue; // lost: the engine has one more event to say so
        if (l->gone || ul_assoc_closed(l->assoc))
            return false;
        if (!read_some(l))
            (void)wait_for(l, POLLIN);
    }
}

bool link_peek(struct link *l, struct ul_assoc_event *ret_event) {
    if (ul_assoc_next(l->assoc, ret_event))
        return true;
    if (l->gone || ul_assoc_unread(l->assoc) > 0 || !read_some(l))
        return false;
    return ul_assoc_next(l->assoc, ret_event);
}

static bool send_vector(struct link *l, struct iovec *v, int n) {
    while (n > 0) {
        struct msghdr h = {.msg_iov = v, .msg_iovlen = (size_t)n};
        ssize_t sent = sendmsg(l->fd, &h, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (sent < 0) {
            if (errno == EAGAIN && wait_for(l, POLLOUT))
                continue;
            if (errno == EINTR)
                continue;
            lost(l);
            return false;
        }
        ul_assoc_sent(l->assoc, 0, os_clock_ms());
        size_t left = (size_t)sent;
        while (n > 0 && left >= v->iov_len) {
            left -= v->iov_len;
            v++;
            n--;
        }
        if (n > 0) {
            v->iov_base = (uint8_t *)v->iov_base + left;
            v->iov_len -= left;
        }
    }
    return true;
}

// Several PDUs go out with one system call: headers on our stack, bodies where they lie.
bool link_send_piece(struct link *l, uint8_t context, struct slice piece, bool last) {
    enum { PDUS = 16, HEADER = UL_PDU_HEADER_BYTES + UL_PDV_HEADER_BYTES };
    uint8_t headers[PDUS][HEADER];
    struct iovec v[2 * PDUS];
    size_t max = ul_assoc_pdv_max(l->assoc);
    if (!link_flush(l))
        return false;
    do {
        int n = 0;
        for (size_t i = 0; i < PDUS && (piece.n > 0 || (last && i == 0 && n == 0)); i++) {
            size_t body = piece.n < max ? piece.n : max;
            ul_assoc_pdv_header(l->assoc, context, body, last && body == piece.n, headers[i]);
            v[n++] = (struct iovec){headers[i], HEADER};
            v[n++] = (struct iovec){(void *)(uintptr_t)piece.p, body};
            piece = slice_sub(piece, body, piece.n);
        }
        if (!send_vector(l, v, n))
            return false;
    } while (piece.n > 0);
    return true;
}
