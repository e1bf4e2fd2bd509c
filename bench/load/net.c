// TCP or TLS, one blocking connection at a time.
#include "load.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { IN_BYTES = 256 * 1024, STAGE_BYTES = 128 * 1024 };

struct conn {
    int fd;
    SSL *ssl;
    size_t at, end;
    uint8_t *stage; // TLS: small pieces are put together into whole records
    uint8_t in[IN_BYTES];
};

static SSL_CTX *dial_ctx, *listen_ctx;

static SSL_CTX *new_ctx(const SSL_METHOD *method, const char *folder) {
    char path[3][4096];
    static const char *const names[] = {"key.pem", "cert.pem", "ca.pem"};
    for (int i = 0; i < 3; i++)
        snprintf(path[i], sizeof path[i], "%s/%s", folder, names[i]);
    SSL_CTX *ctx = SSL_CTX_new(method);
    bool ok = ctx && SSL_CTX_use_certificate_chain_file(ctx, path[1]) == 1 &&
              SSL_CTX_use_PrivateKey_file(ctx, path[0], SSL_FILETYPE_PEM) == 1 &&
              SSL_CTX_load_verify_locations(ctx, path[2], NULL) == 1;
    if (!ok) {
        ERR_print_errors_fp(stderr);
        return NULL;
    }
    SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
    SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_mode(ctx, SSL_MODE_AUTO_RETRY | SSL_MODE_RELEASE_BUFFERS);
    return ctx;
}

bool net_init(const char *tls_folder) {
    if (!tls_folder)
        return true;
    dial_ctx = new_ctx(TLS_client_method(), tls_folder);
    listen_ctx = new_ctx(TLS_server_method(), tls_folder);
    return dial_ctx && listen_ctx;
}

static struct conn *conn_new(int fd, SSL_CTX *ctx) {
    struct conn *c = malloc(sizeof *c); // not cleared: most of it is never touched
    int one = 1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    if (!c)
        return close(fd), NULL;
    c->fd = fd;
    c->ssl = NULL;
    c->stage = NULL;
    c->at = c->end = 0;
    if (ctx) {
        c->ssl = SSL_new(ctx);
        c->stage = malloc(STAGE_BYTES);
        SSL_set_fd(c->ssl, fd);
    }
    return c;
}

struct conn *conn_dial(const char *host, int port, int timeout_s) {
    struct addrinfo hints = {.ai_family = AF_INET, .ai_socktype = SOCK_STREAM}, *found;
    char service[16];
    snprintf(service, sizeof service, "%d", port);
    if (getaddrinfo(host, service, &hints, &found) != 0)
        return errno = EHOSTUNREACH, NULL;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct timeval limit = {.tv_sec = timeout_s};
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
    int r = connect(fd, found->ai_addr, found->ai_addrlen);
    freeaddrinfo(found);
    if (r < 0)
        return close(fd), NULL;
    struct conn *c = conn_new(fd, dial_ctx);
    if (c && c->ssl && SSL_connect(c->ssl) != 1) {
        conn_close(c);
        return errno = EPROTO, NULL;
    }
    return c;
}

int net_listen(int port) {
    int one = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port),
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    if (bind(fd, (struct sockaddr *)&at, sizeof at) < 0 || listen(fd, 64) < 0)
        return close(fd), -1;
    return fd;
}

struct conn *conn_take_over(int fd) {
    struct conn *c = conn_new(fd, listen_ctx);
    if (c && c->ssl && SSL_accept(c->ssl) != 1) {
        conn_close(c);
        return NULL;
    }
    return c;
}

void conn_close(struct conn *c) {
    if (!c)
        return;
    if (c->ssl) {
        SSL_shutdown(c->ssl);
        SSL_free(c->ssl);
    }
    close(c->fd);
    free(c->stage);
    free(c);
}

static bool tls_write(struct conn *c, const struct iovec *iov, size_t n) {
    size_t held = 0;
    for (size_t i = 0; i < n; i++) {
        const uint8_t *p = iov[i].iov_base;
        size_t left = iov[i].iov_len;
        while (left > 0) {
            size_t k = left < STAGE_BYTES - held ? left : STAGE_BYTES - held;
            memcpy(c->stage + held, p, k);
            held += k, p += k, left -= k;
            if (held == STAGE_BYTES && SSL_write(c->ssl, c->stage, (int)held) <= 0)
                return false;
            held %= STAGE_BYTES;
        }
    }
    return held == 0 || SSL_write(c->ssl, c->stage, (int)held) > 0;
}

bool conn_write(struct conn *c, struct iovec *iov, size_t n) {
    if (c->ssl)
        return tls_write(c, iov, n);
    while (n > 0) {
        ssize_t r = writev(c->fd, iov, n < 1024 ? (int)n : 1024);
        if (r < 0 && errno == EINTR)
            continue;
        if (r <= 0)
            return false;
        for (size_t k = (size_t)r; k > 0;) {
            size_t part = k < iov->iov_len ? k : iov->iov_len;
            iov->iov_base = (uint8_t *)iov->iov_base + part;
            iov->iov_len -= part, k -= part;
            if (iov->iov_len == 0)
                iov++, n--;
        }
    }
    return true;
}

static bool conn_fill(struct conn *c) {
    ssize_t r = c->ssl ? SSL_read(c->ssl, c->in + c->end, (int)(IN_BYTES - c->end))
                       : read(c->fd, c->in + c->end, IN_BYTES - c->end);
    if (r <= 0)
        return false;
    c->end += (size_t)r;
    return true;
}

const uint8_t *conn_take(struct conn *c, size_t n) {
    if (c->end - c->at < n && c->at > 0) {
        memmove(c->in, c->in + c->at, c->end - c->at);
        c->end -= c->at, c->at = 0;
    }
    while (c->end - c->at < n)
        if (n > IN_BYTES || !conn_fill(c))
            return NULL;
    c->at += n;
    return c->in + c->at - n;
}
