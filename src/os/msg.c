#include "os/msg.h"

#include <errno.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

// Room for exactly OS_MSG_FDS_MAX descriptors; the kernel drops what does not fit and says
// MSG_CTRUNC. A whole number of alignment units, so that not one more slips in as padding.
union control {
    struct cmsghdr head;
    uint8_t room[CMSG_SPACE(sizeof(int[OS_MSG_FDS_MAX]))];
};
_Static_assert(CMSG_SPACE(sizeof(int[OS_MSG_FDS_MAX])) == CMSG_LEN(sizeof(int[OS_MSG_FDS_MAX])), "padding");

static enum err send_error(struct fault *f) {
    switch (errno) {
    case EAGAIN:
    case ETOOMANYREFS: // descriptors in flight: somebody else does not read
        return ERR_BUSY;
    case EPIPE:
    case ECONNRESET:
    case ENOTCONN:
        return ERR_PEER_GONE;
    case EMSGSIZE:
        return fault_set(f, ERR_LIMIT, "message is too long for its socket");
    default:
        return fault_errno(f, "sendmsg");
    }
}

// The kernel has no memory for a message now; a moment later it usually has. What a message says is said
// once, and who waits for it would wait for ever: so we wait a moment, each time twice as long.
static bool wait_for_memory(int *wait_ms) {
    enum { WAIT_MAX_MS = 256 };
    if ((errno != ENOBUFS && errno != ENOMEM) || *wait_ms > WAIT_MAX_MS)
        return false;
    (void)poll(NULL, 0, *wait_ms);
    *wait_ms *= 2;
    return true;
}

static void attach_fds(struct msghdr *m, union control *c, const int *fds, unsigned n) {
    memset(c, 0, sizeof *c);
    m->msg_control = c;
    m->msg_controllen = CMSG_SPACE(sizeof(int) * n);
    struct cmsghdr *head = CMSG_FIRSTHDR(m);
    head->cmsg_level = SOL_SOCKET;
    head->cmsg_type = SCM_RIGHTS;
    head->cmsg_len = CMSG_LEN(sizeof(int) * n);
    memcpy(CMSG_DATA(head), fds, sizeof(int) * n);
}

enum err os_msg_send2(int sock, struct slice head, struct slice body, const int *fds, unsigned n,
                      struct fault *f) {
    bug_unless(head.n + body.n > 0 && n <= OS_MSG_FDS_MAX);
    if (head.n > OS_MSG_BYTES_MAX || body.n > OS_MSG_BYTES_MAX - head.n)
        return fault_set(f, ERR_LIMIT, "message of %zu bytes", head.n + body.n);
    // iovec has no const; the kernel only reads.
    union {
        const void *in;
        void *out;
    } h = {head.p}, b = {body.p};
    struct iovec iov[2] = {{h.out, head.n}, {b.out, body.n}};
    struct msghdr m = {.msg_iov = iov, .msg_iovlen = body.n > 0 ? 2 : 1};
    union control c;
    if (n > 0)
        attach_fds(&m, &c, fds, n);
    int wait_ms = 1;
    ssize_t sent;
    do
        sent = sendmsg(sock, &m, MSG_NOSIGNAL);
    while (sent < 0 && (errno == EINTR || wait_for_memory(&wait_ms)));
    return sent < 0 ? send_error(f) : OK;
}

enum err os_msg_send(int sock, struct slice bytes, const int *fds, unsigned n, struct fault *f) {
    return os_msg_send2(sock, bytes, slice_of(NULL, 0), fds, n, f);
}

// Takes all descriptors out of the control data, whatever their number: each one is ours to close.
static void collect_fds(struct msghdr *m, struct os_msg_fds *fds) {
    for (struct cmsghdr *h = CMSG_FIRSTHDR(m); h; h = CMSG_NXTHDR(m, h)) {
        if (h->cmsg_level != SOL_SOCKET || h->cmsg_type != SCM_RIGHTS)
            continue;
        size_t count = (h->cmsg_len - CMSG_LEN(0)) / sizeof(int);
        for (size_t i = 0; i < count; i++) {
            int fd;
            memcpy(&fd, CMSG_DATA(h) + i * sizeof fd, sizeof fd);
            if (fds->n < OS_MSG_FDS_MAX)
                fds->fd[fds->n++] = fd;
            else
                close(fd); // cannot happen with this control buffer; must not leak if it does
        }
    }
}

static enum err check_received(const struct msghdr *m, size_t got, const struct os_msg_fds *fds,
                               unsigned fds_max, struct fault *f) {
    if (m->msg_flags & MSG_TRUNC)
        return fault_set(f, ERR_PROTOCOL, "message is longer than allowed");
    if (m->msg_flags & MSG_CTRUNC || fds->n > fds_max)
        return fault_set(f, ERR_PROTOCOL, "message carries more descriptors than allowed");
    if (got == 0)
        return ERR_PEER_GONE; // the end; an empty message is never sent
    return OK;
}

static enum err receive(int sock, int flags, void *p, size_t cap, unsigned fds_max, size_t *ret_n,
                        struct os_msg_fds *ret_fds, struct fault *f) {
    bug_unless(fds_max <= OS_MSG_FDS_MAX);
    struct iovec iov = {p, cap};
    union control c;
    struct msghdr m = {
        .msg_iov = &iov, .msg_iovlen = 1, .msg_control = &c, .msg_controllen = sizeof c};
    ssize_t got;
    do
        got = recvmsg(sock, &m, MSG_CMSG_CLOEXEC | flags);
    while (got < 0 && errno == EINTR);
    if (got < 0) {
        if (errno == EAGAIN)
            return ERR_BUSY;
        return errno == ECONNRESET ? ERR_PEER_GONE : fault_errno(f, "recvmsg");
    }
    struct os_msg_fds fds = {.fd = {-1, -1, -1, -1}};
    collect_fds(&m, &fds);
    enum err e = check_received(&m, (size_t)got, &fds, fds_max, f);
    if (e != OK) {
        os_msg_fds_close(&fds);
        return e;
    }
    *ret_n = (size_t)got;
    *ret_fds = fds;
    return OK;
}

enum err os_msg_recv(int sock, void *p, size_t cap, unsigned fds_max, size_t *ret_n,
                     struct os_msg_fds *ret_fds, struct fault *f) {
    return receive(sock, 0, p, cap, fds_max, ret_n, ret_fds, f);
}

enum err os_msg_recv_now(int sock, void *p, size_t cap, unsigned fds_max, size_t *ret_n,
                         struct os_msg_fds *ret_fds, struct fault *f) {
    return receive(sock, MSG_DONTWAIT, p, cap, fds_max, ret_n, ret_fds, f);
}

void os_msg_fds_close(struct os_msg_fds *fds) {
    for (unsigned i = 0; i < fds->n; i++) {
        if (fds->fd[i] >= 0)
            close(fds->fd[i]);
        fds->fd[i] = -1;
    }
    fds->n = 0;
}

int os_msg_fds_take(struct os_msg_fds *fds, unsigned i) {
    if (i >= fds->n)
        return -1;
    int fd = fds->fd[i];
    fds->fd[i] = -1;
    return fd;
}
