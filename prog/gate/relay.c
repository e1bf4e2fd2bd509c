// Both ways at once, without blocking on either side: a side that does not take bytes stops the other
// from being read, so that nothing grows.
#include "gate.h"

#include "os/clock.h"
#include "os/listen.h"

#include <errno.h>
#include <malloc.h>
#include <openssl/err.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    TURN_BYTES = 128 * 1024, // plain text of one turn, each way; what the outbox holds encrypted
    TURNS_AT_ONCE = 4,       // of the worker's, before we look at the client again
    FAREWELL_MS = 10000,     // for the last bytes and the close_notify
    IDLE_MS = 1000,          // then memory is given back
};

struct relay {
    struct gate *g;
    bool client_ended, plain_ended; // reading from there is over
    bool more;        // the TLS object may hold more than we took
    bool told_worker; // that no more comes
    bool failed;
    bool warm;        // there were bytes since memory was given back
};

static bool takes_more(struct relay *r) {
    return !r->client_ended && os_stream_free(&r->g->plain) >= TURN_BYTES;
}

// The next bytes of the client, decrypted to where the worker will read them; 0: none now, or the end.
static size_t read_some(struct relay *r, uint8_t *to, size_t room) {
    size_t n = 0;
    ERR_clear_error();
    if (SSL_read_ex(r->g->ssl, to, room, &n))
        return n;
    int error = SSL_get_error(r->g->ssl, 0);
    if (error == SSL_ERROR_ZERO_RETURN)
        r->client_ended = true;
    else if (error != SSL_ERROR_WANT_READ && error != SSL_ERROR_WANT_WRITE)
        r->client_ended = r->failed = true;
    return 0;
}

// Takes as many records as there are, up to a turn's bytes. The worker hears of them together.
static void read_client(struct relay *r) {
    size_t all = 0, n = 1;
    r->more = false;
    r->g->drained = false;
    while (n > 0 && all < TURN_BYTES) {
        size_t room, filled = 0;
        uint8_t *to = os_stream_room(&r->g->plain, &room);
        room = room < TURN_BYTES - all ? room : TURN_BYTES - all;
        while (filled < room && (n = read_some(r, to + filled, room - filled)) > 0)
            filled += n;
        if (filled > 0)
            os_stream_put(&r->g->plain, filled);
        all += filled;
    }
    r->more = n > 0;
    // A sender with Nagle's algorithm may wait for it; while there is more to read, nobody waits.
    if (all > 0 && !r->more)
        os_tcp_ack_now(r->g->client);
}

// Encrypts what the worker said, from where it lies; records collect in the outbox and leave together.
// OpenSSL takes a copy of each before it does anything with it, so that they may change under our eyes.
static void encrypt(struct relay *r) {
    struct slice said;
    for (size_t all = 0; all < TURN_BYTES && (said = os_stream_peek(&r->g->plain)).n > 0;) {
        size_t n = 0, most = said.n < TURN_BYTES - all ? said.n : TURN_BYTES - all;
        ERR_clear_error();
        if (!SSL_write_ex(r->g->ssl, said.p, most, &n)) {
            int error = SSL_get_error(r->g->ssl, 0);
            r->failed = error != SSL_ERROR_WANT_WRITE && error != SSL_ERROR_WANT_READ;
            return;
        }
        os_stream_taken(&r->g->plain, n);
        all += n;
    }
}

static void write_client(struct relay *r) {
    bool good = gate_flush(r->g);
    for (int i = 0; i < TURNS_AT_ONCE && good && !r->failed && !gate_has_output(r->g); i++) {
        encrypt(r);
        if (!gate_has_output(r->g))
            break;
        good = gate_flush(r->g);
    }
    if (!good)
        r->failed = true;
}

// An association may be silent for long; its gate then keeps what it must and no buffers.
static void give_back_memory(struct relay *r) {
    os_stream_rest(&r->g->plain);
    madvise(r->g->out.bytes, sizeof r->g->out.bytes, MADV_DONTNEED);
    malloc_trim(0);
    r->warm = false;
}

static bool is_idle(struct relay *r) {
    struct os_stream *plain = &r->g->plain;
    return r->warm && !r->more && !gate_has_output(r->g) && os_stream_peek(plain).n == 0 &&
           os_stream_free(plain) == OS_STREAM_TO_WORKER_BYTES;
}

static bool wait_for_events(struct relay *r, struct pollfd p[2]) {
    bool output = gate_has_output(r->g), takes = takes_more(r);
    p[0] = (struct pollfd){.fd = r->g->client};
    p[0].events = (short)((takes ? POLLIN : 0) | (output ? POLLOUT : 0));
    if (p[0].events == 0)
        p[0].fd = -1; // else a hang-up there would wake us for ever
    bool now = os_stream_wait(&r->g->plain, !output && !r->plain_ended, !takes && !r->client_ended, &p[1]);
    bool idle = is_idle(r);
    int n = poll(p, 2, now || (r->more && takes) ? 0 : idle ? IDLE_MS : -1);
    os_stream_polled(&r->g->plain, p[1].revents);
    if (n == 0 && idle && !now)
        give_back_memory(r);
    return n > 0 || now || r->more;
}

static void tell_worker_of_the_end(struct relay *r) {
    if (r->g->plain.gone) // it takes no more, but may have said something that is still to be sent
        r->client_ended = true;
    if (r->client_ended && !r->told_worker)
        os_stream_end(&r->g->plain);
    r->told_worker = r->client_ended;
}

static void turn(struct relay *r, const struct pollfd p[2]) {
    if (takes_more(r) && (p[0].revents & (POLLIN | POLLHUP | POLLERR) || r->more))
        read_client(r);
    tell_worker_of_the_end(r);
    write_client(r);
    r->plain_ended = os_stream_is_over(&r->g->plain);
    r->failed |= r->g->plain.broken;
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
    while (!r.failed && !r.plain_ended)
        if (wait_for_events(&r, p))
            turn(&r, p);
    if (!r.failed)
        farewell(g);
}
