#include "scu.h"

#include "os/clock.h"
#include "os/fd.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/uio.h>
#include <unistd.h>

enum { READ_BYTES = 256 * 1024 };

struct scu {
    int fd;
    struct ul_assoc *assoc;
    uint16_t last_id;
    uint8_t in[READ_BYTES];
};

struct ul_assoc *scu_assoc(const struct scu *s) {
    return s->assoc;
}

uint16_t scu_next_id(struct scu *s) {
    return ++s->last_id ? s->last_id : ++s->last_id;
}

static enum err gone(struct fault *f) {
    return fault_set(f, ERR_PEER_GONE, "the server closed the connection");
}

static enum err flush(struct scu *s, struct fault *f) {
    struct slice out;
    while ((out = ul_assoc_output(s->assoc)).n > 0) {
        ssize_t n = write(s->fd, out.p, out.n);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return gone(f);
        ul_assoc_sent(s->assoc, (size_t)n, os_clock_ms());
    }
    return OK;
}

// Waits for bytes, or for a timer of the association, and hands them on.
static enum err take_input(struct scu *s, struct fault *f) {
    int64_t now = os_clock_ms(), until = ul_assoc_deadline(s->assoc);
    int64_t wait = until == INT64_MAX ? -1 : until > now ? until - now : 0;
    struct pollfd p = {.fd = s->fd, .events = POLLIN};
    int ready = poll(&p, 1, wait > INT32_MAX ? INT32_MAX : (int)wait);
    if (ready < 0 && errno != EINTR)
        return fault_errno(f, "waiting for the server");
    if (ready <= 0) {
        ul_assoc_tick(s->assoc, os_clock_ms());
        return OK;
    }
    ssize_t n = read(s->fd, s->in, sizeof s->in);
    if (n > 0)
        ul_assoc_feed(s->assoc, slice_of(s->in, (size_t)n), os_clock_ms());
    else if (n == 0 || errno != EINTR)
        ul_assoc_eof(s->assoc, os_clock_ms());
    return OK;
}

// An event that ends the association, as an error.
static enum err ended(const struct ul_assoc_event *ev, struct fault *f) {
    if (ev->kind == UL_EV_REJECTED)
        return fault_set(f, ERR_DENIED, "the server refused: %s", ul_reject_text(ev->refusal));
    if (ev->kind == UL_EV_ABORTED && ev->fault && ev->fault->code != OK)
        return fault_set(f, ev->fault->code, "%s", ev->fault->detail);
    if (ev->kind == UL_EV_ABORTED)
        return fault_set(f, ERR_PEER_GONE, "the server aborted: %s", ul_abort_text(ev->refusal));
    return gone(f);
}

enum err scu_wait(struct scu *s, struct ul_assoc_event *ret_event, struct fault *f) {
    for (;;) {
        enum err e = flush(s, f);
        if (ul_assoc_next(s->assoc, ret_event)) {
            switch (ret_event->kind) {
            case UL_EV_COMMAND:
            case UL_EV_DATA:
            case UL_EV_ASSOCIATED:
                return OK;
            case UL_EV_NONE:
                continue;
            case UL_EV_ASSOCIATE_RQ:
            case UL_EV_REJECTED:
            case UL_EV_RELEASE_RQ:
            case UL_EV_RELEASED:
            case UL_EV_ABORTED:
            case UL_EV_CLOSED:
                return ended(ret_event, f);
            }
        }
        if (e == OK && ul_assoc_closed(s->assoc))
            e = gone(f);
        if (e == OK)
            e = take_input(s, f);
        if (e != OK)
            return e;
    }
}

enum err scu_open(int take_fd, const struct ul_associate *rq, struct scu **ret_scu, struct fault *f) {
    static const struct ul_timers timers = {.artim_ms = 30000, .idle_ms = 600000};
    struct scu *s = calloc(1, sizeof *s);
    if (!s) {
        os_fd_close(&take_fd);
        return fault_set(f, ERR_NO_MEMORY, "not enough memory");
    }
    s->fd = take_fd;
    s->assoc = ul_assoc_new_requestor(&timers, rq, os_clock_ms(), f);
    struct ul_assoc_event ev;
    enum err e = s->assoc ? scu_wait(s, &ev, f) : fault_set(f, ERR_NO_MEMORY, "not enough memory");
    if (e == OK && ev.kind != UL_EV_ASSOCIATED)
        e = fault_set(f, ERR_PROTOCOL, "the server answered something else to the association request");
    if (e != OK) {
        ul_assoc_free(s->assoc);
        os_fd_close(&s->fd);
        free(s);
        return e;
    }
    *ret_scu = s;
    return OK;
}

void scu_close(struct scu *s) {
    if (!s)
        return;
    struct ul_assoc_event ev;
    struct fault f = {0};
    if (ul_assoc_established(s->assoc)) {
        ul_assoc_release(s->assoc, os_clock_ms());
        while (scu_wait(s, &ev, &f) == OK) // until the end, whichever it is
            continue;
    }
    (void)flush(s, &f);
    ul_assoc_free(s->assoc);
    os_fd_close(&s->fd);
    free(s);
}

enum err scu_send_command(struct scu *s, uint8_t context, const struct dimse_command *c,
                          struct fault *f) {
    enum err e = ul_assoc_send_command(s->assoc, context, c, f);
    return e == OK ? flush(s, f) : e;
}

static enum err write_both(struct scu *s, struct iovec part[2], struct fault *f) {
    while (part[0].iov_len + part[1].iov_len > 0) {
        ssize_t n = writev(s->fd, part, 2);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return gone(f);
        for (int i = 0; i < 2; i++) {
            size_t took = (size_t)n < part[i].iov_len ? (size_t)n : part[i].iov_len;
            part[i].iov_base = (uint8_t *)part[i].iov_base + took;
            part[i].iov_len -= took;
            n -= (ssize_t)took;
        }
    }
    return OK;
}

enum err scu_send_piece(struct scu *s, uint8_t context, struct slice piece, bool last, struct fault *f) {
    uint8_t header[UL_PDU_HEADER_BYTES + UL_PDV_HEADER_BYTES];
    size_t max = ul_assoc_pdv_max(s->assoc);
    do {
        struct slice part = slice_sub(piece, 0, max);
        piece = slice_sub(piece, part.n, piece.n);
        ul_assoc_pdv_header(s->assoc, context, part.n, last && piece.n == 0, header);
        union {
            const uint8_t *in;
            void *out;
        } body = {part.p}; // writev does not write to it
        struct iovec both[2] = {{header, sizeof header}, {body.out, part.n}};
        enum err e = write_both(s, both, f);
        if (e != OK)
            return e;
    } while (piece.n > 0);
    return OK;
}

enum err scu_wait_command(struct scu *s, struct dimse_command *ret_command, uint8_t *ret_context,
                          struct fault *f) {
    struct ul_assoc_event ev;
    enum err e = scu_wait(s, &ev, f);
    if (e != OK)
        return e;
    if (ev.kind != UL_EV_COMMAND)
        return fault_set(f, ERR_PROTOCOL, "the server sent a data set where a command belongs");
    *ret_command = *ev.command;
    *ret_context = ev.context;
    return OK;
}

enum err scu_wait_data(struct scu *s, struct buf *out, struct fault *f) {
    struct ul_assoc_event ev = {0};
    while (!ev.last) {
        enum err e = scu_wait(s, &ev, f);
        if (e != OK)
            return e;
        if (ev.kind != UL_EV_DATA)
            return fault_set(f, ERR_PROTOCOL, "the server sent a command in the middle of a data set");
        buf_append_slice(out, ev.data);
        if (!buf_ok(out))
            return fault_set(f, ERR_LIMIT, "the server's answer is too long");
    }
    return OK;
}
