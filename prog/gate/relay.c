// Both ways at once, without blocking on either side: a side that does not take bytes stops the other
// from being read, so that nothing grows.
#include "gate.h"

#include "os/clock.h"
#include "os/fd.h"
#include "os/listen.h"

#include <errno.h>
#include <malloc.h>
#include <openssl/err.h>
#include <poll.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    IN_BYTES = 128 * 1024,   // plain text for the worker
    REPLY_BYTES = 128 * 1024, // plain text from the worker, encrypted at once
    FAREWELL_MS = 10000,     // for the last bytes and the close_notify
    IDLE_MS = 1000,          // then memory is given back
};

struct relay {
    struct gate *g;
    size_t in_from, in_to;  // of in[]
    size_t reply_from, reply_to; // of reply[]
    bool client_ended, plain_ended; // reading from there is over
    bool more;              // the TLS object may hold more than we took
    bool told_worker;       // its stream is shut down for writing
    bool failed;
    bool warm;              // there were bytes since memory was given back
};

static uint8_t in[IN_BYTES] __attribute__((aligned(4096)));
static uint8_t reply[REPLY_BYTES] __attribute__((aligned(4096)));

// Takes as many records as there are, up to the buffer's size.
static void read_client(struct relay *r) {
    r->more = false;
    r->g->drained = false;
    while (r->in_to < IN_BYTES) {
        ERR_clear_error();
        size_t n = 0;
        int good = SSL_read_ex(r->g->ssl, in + r->in_to, IN_BYTES - r->in_to, &n);
        if (good) {
            r->in_to += n;
            continue;
        }
        int error = SSL_get_error(r->g->ssl, 0);
        if (error == SSL_ERROR_ZERO_RETURN)
            r->client_ended = true;
        else if (error != SSL_ERROR_WANT_READ && error != SSL_ERROR_WANT_WRITE)
            r->client_ended = r->failed = true;
        return;
    }
    r->more = true;
}

static void write_plain(struct relay *r) {
    while (r->in_from < r->in_to) {
        ssize_t n = send(r->g->plain, in + r->in_from, r->in_to - r->in_from, MSG_NOSIGNAL);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0 && errno == EAGAIN)
            return;
        if (n < 0) { // the worker takes no more, but may have said something that is still to be sent
            r->client_ended = r->told_worker = true;
            break;
        }
        r->in_from += (size_t)n;
    }
    r->in_from = r->in_to = 0;
    if (r->client_ended && !r->told_worker) {
        shutdown(r->g->plain, SHUT_WR);
        r->told_worker = true;
    }
}

static void read_plain(struct relay *r) {
    ssize_t n = recv(r->g->plain, reply, REPLY_BYTES, 0);
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (n <= 0) {
        r->plain_ended = true;
        return;
    }
    r->reply_from = 0;
    r->reply_to = (size_t)n;
}

// Encrypts what the worker said; records collect in the outbox and leave together.
static void encrypt(struct relay *r) {
    while (r->reply_from < r->reply_to) {
        ERR_clear_error();
        size_t n = 0;
        if (!SSL_write_ex(r->g->ssl, reply + r->reply_from, r->reply_to - r->reply_from, &n)) {
            int error = SSL_get_error(r->g->ssl, 0);
            r->failed = error != SSL_ERROR_WANT_WRITE && error != SSL_ERROR_WANT_READ;
            return;
        }
        r->reply_from += n;
    }
}

// An association may be silent for long; its gate then keeps what it must and no buffers.
static void give_back_memory(struct relay *r) {
    madvise(in, sizeof in, MADV_DONTNEED);
    madvise(reply, sizeof reply, MADV_DONTNEED);
    if (!gate_has_output(r->g))
        madvise(r->g->out.bytes, sizeof r->g->out.bytes, MADV_DONTNEED);
    malloc_trim(0);
    r->warm = false;
}

static bool wait_for_events(struct relay *r, struct pollfd p[2]) {
    bool in_empty = r->in_to == 0, reply_empty = r->reply_from == r->reply_to && !gate_has_output(r->g);
    p[0] = (struct pollfd){.fd = r->g->client};
    p[1] = (struct pollfd){.fd = r->g->plain};
    if (in_empty && !r->client_ended)
        p[0].events |= POLLIN;
    if (gate_has_output(r->g))
        p[0].events |= POLLOUT;
    if (reply_empty && !r->plain_ended)
        p[1].events |= POLLIN;
    if (!in_empty)
        p[1].events |= POLLOUT;
    for (int i = 0; i < 2; i++)
        if (p[i].events == 0)
            p[i].fd = -1; // else a hang-up there would wake us for ever
    bool idle = r->warm && in_empty && reply_empty;
    int n = poll(p, 2, r->more && in_empty ? 0 : idle ? IDLE_MS : -1);
    if (n == 0 && idle && !r->more)
        give_back_memory(r);
    return n > 0 || r->more;
}

static void turn(struct relay *r, const struct pollfd p[2]) {
    if (r->in_to == 0 && !r->client_ended && (p[0].revents || r->more)) {
        read_client(r);
        // A sender with Nagle's algorithm may wait for it; while there is more to read, nobody waits.
        if (r->in_to > 0 && !r->more)
            os_tcp_ack_now(r->g->client);
    }
    if (r->in_to > 0 || r->client_ended)
        write_plain(r);
    if (p[1].revents & (POLLIN | POLLHUP | POLLERR) && r->reply_from == r->reply_to && !gate_has_output(r->g))
        read_plain(r);
    encrypt(r);
    if (!gate_flush(r->g))
        r->failed = true;
    r->warm = true;
}

// The worker has said all: the rest of it goes out with a close_notify, within a time.
static void farewell(struct gate *g) {
    int64_t deadline_ms = os_clock_ms() + FAREWELL_MS;
    ERR_clear_error();
    SSL_shutdown(g->ssl);
    while (gate_flush(g) && gate_has_output(g)) {
        int64_t left_ms = deadline_ms - os_clock_ms();
        struct pollfd p = {.fd = g->client, .events = POLLOUT};
        if (left_ms <= 0 || poll(&p, 1, (int)left_ms) <= 0)
            return;
    }
    shutdown(g->client, SHUT_WR);
    // Closing with unread bytes would make the kernel send a reset, which may overtake our last words.
    uint8_t rest[4096];
    while (os_clock_ms() < deadline_ms) {
        struct pollfd p = {.fd = g->client, .events = POLLIN};
        if (poll(&p, 1, 1000) <= 0 || recv(g->client, rest, sizeof rest, 0) <= 0)
            return;
    }
}

void gate_relay(struct gate *g) {
    mallopt(M_MMAP_THRESHOLD, 1024 * 1024); // OpenSSL's buffers come and go: not by mmap each time
    struct relay r = {.g = g, .more = true};
    struct pollfd p[2] = {{.fd = -1}, {.fd = -1}};
    turn(&r, p); // what came together with the handshake
    while (!r.failed && !(r.plain_ended && r.reply_from == r.reply_to))
        if (wait_for_events(&r, p))
            turn(&r, p);
    if (!r.failed)
        farewell(g);
}
