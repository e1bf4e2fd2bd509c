#include "os/listen.h"

#include "os/clock.h"
#include "os/fd.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

enum { BACKLOG = 1024 };

// Splits "host:port" or "[v6]:port" at the last colon; host without its brackets.
static bool split_host_port(const char *text, char *host, size_t cap, const char **ret_port) {
    const char *colon = strrchr(text, ':');
    if (!colon || colon == text)
        return false;
    size_t n = (size_t)(colon - text);
    if (text[0] == '[') {
        if (colon[-1] != ']' || n < 3)
            return false;
        text++;
        n -= 2;
    } else if (memchr(text, ':', n)) {
        return false; // an IPv6 address needs its brackets
    }
    *ret_port = colon + 1;
    return slice_to_cstr(slice_of(text, n), host, cap);
}

static void set_any(struct os_addr *a, uint16_t port) {
    struct sockaddr_in6 *six = (struct sockaddr_in6 *)&a->sa;
    *six = (struct sockaddr_in6){.sin6_family = AF_INET6, .sin6_addr = in6addr_any, .sin6_port = htons(port)};
    a->n = sizeof *six;
}

enum err os_addr_parse(const char *text, struct os_addr *ret_addr, struct fault *f) {
    char host[INET6_ADDRSTRLEN + 1];
    const char *port_text = NULL;
    uint64_t port = 0;
    if (!split_host_port(text, host, sizeof host, &port_text)
        || !slice_to_u64(slice_str(port_text), 65535, &port))
        return fault_set(f, ERR_CONFIG, "\"%.80s\" is not ADDRESS:PORT", text);
    struct os_addr a = {.n = 0};
    struct sockaddr_in *four = (struct sockaddr_in *)&a.sa;
    struct sockaddr_in6 *six = (struct sockaddr_in6 *)&a.sa;
    if (strcmp(host, "*") == 0) {
        set_any(&a, (uint16_t)port);
    } else if (inet_pton(AF_INET, host, &four->sin_addr) == 1) {
        four->sin_family = AF_INET;
        four->sin_port = htons((uint16_t)port);
        a.n = sizeof *four;
    } else if (inet_pton(AF_INET6, host, &six->sin6_addr) == 1) {
        six->sin6_family = AF_INET6;
        six->sin6_port = htons((uint16_t)port);
        a.n = sizeof *six;
    } else {
        return fault_set(f, ERR_CONFIG, "\"%.80s\" does not begin with a numeric address", text);
    }
    *ret_addr = a;
    return OK;
}

static bool is_mapped(const struct os_addr *a) {
    const struct sockaddr_in6 *six = (const struct sockaddr_in6 *)&a->sa;
    return a->sa.ss_family == AF_INET6 && IN6_IS_ADDR_V4MAPPED(&six->sin6_addr);
}

void os_addr_host_text(const struct os_addr *a, char dst[OS_ADDR_TEXT]) {
    const struct sockaddr_in *four = (const struct sockaddr_in *)&a->sa;
    const struct sockaddr_in6 *six = (const struct sockaddr_in6 *)&a->sa;
    if (a->sa.ss_family == AF_INET)
        inet_ntop(AF_INET, &four->sin_addr, dst, OS_ADDR_TEXT);
    else if (is_mapped(a))
        inet_ntop(AF_INET, &six->sin6_addr.s6_addr[12], dst, OS_ADDR_TEXT);
    else if (a->sa.ss_family == AF_INET6)
        inet_ntop(AF_INET6, &six->sin6_addr, dst, OS_ADDR_TEXT);
    else
        snprintf(dst, OS_ADDR_TEXT, "local");
}

void os_addr_text(const struct os_addr *a, char dst[OS_ADDR_TEXT]) {
    char host[OS_ADDR_TEXT];
    os_addr_host_text(a, host);
    const struct sockaddr_in *four = (const struct sockaddr_in *)&a->sa;
    const struct sockaddr_in6 *six = (const struct sockaddr_in6 *)&a->sa;
    if (a->sa.ss_family == AF_INET)
        snprintf(dst, OS_ADDR_TEXT, "%.46s:%u", host, ntohs(four->sin_port));
    else if (a->sa.ss_family == AF_INET6)
        snprintf(dst, OS_ADDR_TEXT, is_mapped(a) ? "%.46s:%u" : "[%.46s]:%u", host, ntohs(six->sin6_port));
    else
        snprintf(dst, OS_ADDR_TEXT, "local");
}

void os_addr_source(const struct os_addr *a, char dst[OS_ADDR_TEXT]) {
    if (a->sa.ss_family != AF_INET6 || is_mapped(a)) {
        os_addr_host_text(a, dst);
        return;
    }
    struct os_addr net = *a;
    struct sockaddr_in6 *six = (struct sockaddr_in6 *)&net.sa;
    memset(&six->sin6_addr.s6_addr[8], 0, 8);
    char host[OS_ADDR_TEXT];
    os_addr_host_text(&net, host);
    snprintf(dst, OS_ADDR_TEXT, "%.46s/64", host);
}

enum err os_listen_tcp(const struct os_addr *a, int *ret_fd, struct fault *f) {
    char text[OS_ADDR_TEXT];
    os_addr_text(a, text);
    CLEANUP_FD int fd = socket(a->sa.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return fault_errno(f, "socket");
    int on = 1, off = 0;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    const struct sockaddr_in6 *six = (const struct sockaddr_in6 *)&a->sa;
    if (a->sa.ss_family == AF_INET6) { // only the wildcard also takes IPv4
        bool any = IN6_IS_ADDR_UNSPECIFIED(&six->sin6_addr);
        setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, any ? &off : &on, sizeof on);
    }
    if (bind(fd, (const struct sockaddr *)&a->sa, a->n) < 0 || listen(fd, BACKLOG) < 0)
        return fault_set(f, ERR_CONFIG, "cannot listen on %s: %s", text, strerror(errno));
    *ret_fd = os_fd_take(&fd);
    return OK;
}

uint16_t os_listen_port(int fd) {
    struct os_addr a = {.n = sizeof a.sa};
    if (getsockname(fd, (struct sockaddr *)&a.sa, &a.n) < 0)
        return 0;
    if (a.sa.ss_family == AF_INET)
        return ntohs(((const struct sockaddr_in *)&a.sa)->sin_port);
    return a.sa.ss_family == AF_INET6 ? ntohs(((const struct sockaddr_in6 *)&a.sa)->sin6_port) : 0;
}

static enum err unix_address(const char *path, struct sockaddr_un *ret_un, struct fault *f) {
    struct sockaddr_un un = {.sun_family = AF_UNIX};
    if (!slice_to_cstr(slice_str(path), un.sun_path, sizeof un.sun_path))
        return fault_set(f, ERR_CONFIG, "%.100s: the path is too long for a socket (%zu bytes at most)", path,
                         sizeof un.sun_path - 1);
    *ret_un = un;
    return OK;
}

static void remove_stale_socket(const char *path) {
    struct stat st;
    if (lstat(path, &st) == 0 && S_ISSOCK(st.st_mode))
        unlink(path);
}

enum err os_listen_unix(const char *path, int type, mode_t mode, int *ret_fd, struct fault *f) {
    struct sockaddr_un un;
    enum err e = unix_address(path, &un, f);
    if (e != OK)
        return e;
    CLEANUP_FD int fd = socket(AF_UNIX, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return fault_errno(f, "socket");
    remove_stale_socket(path);
    mode_t saved = umask(0777 & ~mode); // bind creates the name with this mode, so there is no gap
    int failed = bind(fd, (const struct sockaddr *)&un, sizeof un);
    umask(saved);
    if (failed || listen(fd, BACKLOG) < 0)
        return fault_set(f, ERR_CONFIG, "cannot listen on %.100s: %s", path, strerror(errno));
    *ret_fd = os_fd_take(&fd);
    return OK;
}

static bool unused_socket(int error) {
    return error == ECONNREFUSED || error == ENOENT;
}

enum err os_connect_unix(const char *path, int type, int *ret_fd, struct fault *f) {
    struct sockaddr_un un;
    enum err e = unix_address(path, &un, f);
    if (e != OK)
        return e;
    CLEANUP_FD int fd = socket(AF_UNIX, type | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return fault_errno(f, "socket");
    if (connect(fd, (const struct sockaddr *)&un, sizeof un) < 0)
        return fault_set(f, unused_socket(errno) ? ERR_PEER_GONE : ERR_IO, "%.100s: %s", path,
                         strerror(errno));
    *ret_fd = os_fd_take(&fd);
    return OK;
}

// Answers leave in one write, so nothing is gained by waiting; a vanished peer is noticed in minutes.
static void tune_tcp(int fd) {
    int on = 1, idle_s = 60, interval_s = 20, probes = 3;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
    setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &idle_s, sizeof idle_s);
    setsockopt(fd, IPPROTO_TCP, TCP_KEEPINTVL, &interval_s, sizeof interval_s);
    setsockopt(fd, IPPROTO_TCP, TCP_KEEPCNT, &probes, sizeof probes);
}

enum err os_accept(int listener, bool nonblock, int *ret_fd, struct os_addr *ret_addr, struct fault *f) {
    struct os_addr a = {.n = sizeof a.sa};
    int fd;
    do
        fd = accept4(listener, (struct sockaddr *)&a.sa, &a.n, SOCK_CLOEXEC | (nonblock ? SOCK_NONBLOCK : 0));
    while (fd < 0 && errno == EINTR);
    if (fd < 0) {
        // accept(2): errors of the new connection itself are as good as none waiting.
        if (errno == EAGAIN || errno == ECONNABORTED || errno == EPROTO || errno == ENETDOWN || errno == EPERM
            || errno == EHOSTUNREACH || errno == ENETUNREACH || errno == ETIMEDOUT)
            return ERR_BUSY;
        if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM)
            return fault_set(f, ERR_NO_MEMORY, "accept: %s", strerror(errno));
        return fault_errno(f, "accept");
    }
    if (a.sa.ss_family != AF_UNIX)
        tune_tcp(fd);
    *ret_fd = fd;
    *ret_addr = a;
    return OK;
}

void os_tcp_ack_now(int fd) {
    int on = 1;
    setsockopt(fd, IPPROTO_TCP, TCP_QUICKACK, &on, sizeof on); // does not last, hence after each read
}

enum err os_peer_cred(int fd, struct os_cred *ret_cred, struct fault *f) {
    struct ucred c;
    socklen_t n = sizeof c;
    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &c, &n) < 0 || n != sizeof c)
        return fault_errno(f, "SO_PEERCRED");
    *ret_cred = (struct os_cred){c.pid, c.uid, c.gid};
    return OK;
}

// Waits for a connection under way; 0 or an errno.
static int await_connection(int fd, int64_t deadline_ms) {
    int64_t left_ms = deadline_ms - os_clock_ms();
    struct pollfd p = {.fd = fd, .events = POLLOUT};
    int n = left_ms > 0 ? poll(&p, 1, (int)left_ms) : 0;
    if (n == 0)
        return ETIMEDOUT;
    int error = 0;
    socklen_t size = sizeof error;
    if (n < 0 || getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size) < 0)
        return errno;
    return error;
}

static int try_address(const struct addrinfo *ai, int64_t deadline_ms, int *ret_fd) {
    CLEANUP_FD int fd = socket(ai->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return errno;
    int error = connect(fd, ai->ai_addr, ai->ai_addrlen) < 0 ? errno : 0;
    if (error == EINPROGRESS)
        error = await_connection(fd, deadline_ms);
    if (error != 0)
        return error;
    if (os_fd_set_nonblock(fd, false, NULL) != OK)
        return errno;
    tune_tcp(fd);
    *ret_fd = os_fd_take(&fd);
    return 0;
}

enum err os_dial_tcp(const char *host, const char *port, int timeout_ms, int *ret_fd, struct fault *f) {
    int64_t deadline_ms = os_clock_ms() + timeout_ms;
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICSERV | AI_ADDRCONFIG};
    struct addrinfo *list = NULL;
    int failed = getaddrinfo(host, port, &hints, &list);
    if (failed != 0)
        return fault_set(f, ERR_DESTINATION, "%.80s: %s", host, gai_strerror(failed));
    int error = EHOSTUNREACH;
    for (const struct addrinfo *ai = list; ai && error != 0; ai = ai->ai_next)
        error = try_address(ai, deadline_ms, ret_fd);
    freeaddrinfo(list);
    if (error != 0)
        return fault_set(f, ERR_PEER_GONE, "%.80s port %.8s: %s", host, port, strerror(error));
    return OK;
}
