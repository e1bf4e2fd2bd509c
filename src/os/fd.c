#include "os/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

void os_fd_close(int *fd) {
    if (*fd < 0)
        return;
    int saved = errno;
    close(*fd); // never retried: Linux has freed the number even when it says EINTR
    errno = saved;
    *fd = -1;
}

enum err os_fd_set_nonblock(int fd, bool on, struct fault *f) {
    int flags = fcntl(fd, F_GETFL);
    if (flags < 0)
        return fault_errno(f, "fcntl");
    int wanted = on ? flags | O_NONBLOCK : flags & ~O_NONBLOCK;
    if (wanted != flags && fcntl(fd, F_SETFL, wanted) < 0)
        return fault_errno(f, "fcntl");
    return OK;
}

enum err os_fd_read_full(int fd, void *p, size_t n, struct fault *f) {
    uint8_t *at = p;
    while (n > 0) {
        ssize_t got = read(fd, at, n);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return errno == ECONNRESET ? ERR_PEER_GONE : fault_errno(f, "read");
        if (got == 0)
            return fault_set(f, ERR_TRUNCATED, "ends %zu bytes too early", n);
        at += got;
        n -= (size_t)got;
    }
    return OK;
}

enum err os_fd_write_full(int fd, const void *p, size_t n, struct fault *f) {
    const uint8_t *at = p;
    while (n > 0) {
        ssize_t put = write(fd, at, n);
        if (put < 0 && errno == EINTR)
            continue;
        if (put < 0)
            return errno == EPIPE || errno == ECONNRESET ? ERR_PEER_GONE : fault_errno(f, "write");
        at += put;
        n -= (size_t)put;
    }
    return OK;
}

enum err os_fd_read_all(int fd, struct buf *b, struct fault *f) {
    for (;;) {
        uint8_t chunk[4096];
        ssize_t got = read(fd, chunk, sizeof chunk);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return fault_errno(f, "read");
        if (got == 0)
            return OK;
        buf_append(b, chunk, (size_t)got);
        if (!buf_ok(b))
            return fault_set(f, ERR_LIMIT, "more than %zu bytes", b->max);
    }
}

enum err os_fd_pair_stream(int ret_pair[2], struct fault *f) {
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ret_pair) < 0)
        return fault_errno(f, "socketpair");
    return OK;
}

enum err os_fd_pair_seqpacket(int ret_pair[2], struct fault *f) {
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ret_pair) < 0)
        return fault_errno(f, "socketpair");
    return OK;
}
