// The gate between a TLS client and a worker, both played by the test over socket pairs.
#include "gate/gate.h"

#include "ipc/ipc.h"
#include "os/clock.h"
#include "os/fd.h"
#include "os/log.h"
#include "os/memfd.h"
#include "os/stream.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

static EVP_PKEY *key;
static X509 *cert;

static void make_certificate(void) {
    key = EVP_EC_gen("P-256");
    cert = X509_new();
    ASN1_INTEGER_set(X509_get_serialNumber(cert), 1);
    X509_gmtime_adj(X509_getm_notBefore(cert), -60);
    X509_gmtime_adj(X509_getm_notAfter(cert), 3600);
    const uint8_t name[] = "test";
    X509_NAME_add_entry_by_txt(X509_get_subject_name(cert), "CN", MBSTRING_ASC, name, -1, -1, 0);
    X509_set_issuer_name(cert, X509_get_subject_name(cert));
    X509_set_pubkey(cert, key);
    assert_true(X509_sign(cert, key, EVP_sha256()) > 0);
}

// Puts PEM where the gate's template expects it.
static void give(int number, bool is_key) {
    BIO *bio = BIO_new(BIO_s_mem());
    if (is_key)
        PEM_write_bio_PrivateKey(bio, key, NULL, NULL, 0, NULL, NULL);
    else
        PEM_write_bio_X509(bio, cert);
    char *p;
    long n = BIO_get_mem_data(bio, &p);
    CLEANUP_FD int fd = -1;
    assert_int_equal(os_memfd_of("pem", slice_of(p, (size_t)n), &fd, NULL), OK);
    assert_int_equal(dup2(fd, number), number);
    BIO_free(bio);
}

static int set_up(void **state) {
    (void)state;
    make_certificate();
    for (int i = 3; i <= GATE_WEB_KEY_FD + 3; i++) // so that memory files get other numbers
        if (fcntl(i, F_GETFD) < 0)
            assert_true(dup2(0, i) == i);
    give(GATE_CERT_FD, false);
    give(GATE_KEY_FD, true);
    give(GATE_TRUST_FD, false);
    give(GATE_WEB_CERT_FD, false);
    give(GATE_WEB_KEY_FD, true);
    struct fault f = {0};
    if (gate_tls_load(&f) != OK)
        fail_msg("%s", f.detail);
    return 0;
}

struct play {
    int client, archive;
    struct os_stream worker;
    pid_t gate;
};

static char logged[4096];
static void log_to_archive_socket(void *ctx, enum os_log_level level, struct slice text) {
    (void)level;
    if (write(*(int *)ctx, text.p, text.n) < 0)
        _exit(9);
}

enum lane { PEERS, OUTBOUND, WEB, WEB_OLD }; // WEB_OLD: HTTP/2 is turned off

static struct play start_lane(enum lane lane, int timeout_ms) {
    bool outbound = lane == OUTBOUND;
    int c[2], w[2], a[2], shm = -1;
    struct play p;
    assert_int_equal(os_fd_pair_stream(c, NULL), OK);
    assert_int_equal(os_fd_pair_stream(w, NULL), OK);
    assert_int_equal(os_fd_pair_seqpacket(a, NULL), OK);
    assert_int_equal(os_shm_make("stream", OS_STREAM_SHM_BYTES, &shm, NULL), OK);
    pid_t pid = fork();
    if (pid == 0) {
        static struct gate g;
        int log = dup(a[1]);
        os_log_init("gate", log_to_archive_socket, &log);
        close(c[0]), close(w[0]), close(a[0]);
        g.client = c[1], g.archive = a[1], g.outbound = outbound;
        g.web = lane >= WEB, g.http2 = lane == WEB;
        g.handshake_deadline_ms = os_clock_ms() + timeout_ms;
        if (os_stream_open(&g.plain, w[1], shm, OS_STREAM_GATE, NULL) != OK
            || os_fd_set_nonblock(g.client, true, NULL) != OK || gate_tls_open(&g, NULL) != OK)
            _exit(8);
        if ((outbound || gate_is_tls(&g)) && gate_handshake(&g))
            gate_relay(&g);
        _exit(0);
    }
    close(c[1]), close(w[1]), close(a[1]);
    p = (struct play){.client = c[0], .archive = a[0], .gate = pid};
    assert_int_equal(os_stream_open(&p.worker, w[0], shm, OS_STREAM_WORKER, NULL), OK);
    return p;
}

static void await(struct os_stream *s, bool to_read) {
    struct pollfd p;
    if (os_stream_wait(s, to_read, !to_read, &p))
        return;
    assert_true(poll(&p, 1, 20000) > 0);
    os_stream_polled(s, p.revents);
}

// As read() and write() would, waiting.
static ssize_t worker_reads(struct play *p, void *to, size_t n) {
    ssize_t got;
    while ((got = os_stream_recv(&p->worker, &(struct iovec){to, n}, 1)) < 0 && errno == EAGAIN)
        await(&p->worker, true);
    return got;
}

static ssize_t worker_writes(struct play *p, const char *text) {
    struct iovec v = {(void *)(uintptr_t)text, strlen(text)};
    return os_stream_send(&p->worker, &v, 1);
}

static struct play start(bool outbound, int timeout_ms) {
    return start_lane(outbound ? OUTBOUND : PEERS, timeout_ms);
}

static void finish(struct play *p) {
    if (p->client >= 0)
        close(p->client);
    os_stream_close(&p->worker);
    ssize_t n = read(p->archive, logged, sizeof logged - 1);
    logged[n > 0 ? n : 0] = '\0';
    close(p->archive);
    int status = 0;
    assert_int_equal(waitpid(p->gate, &status, 0), p->gate);
    assert_int_equal(status, 0);
}

static SSL *tls(int fd, bool with_certificate, bool as_server, int max_version) {
    SSL_CTX *ctx = SSL_CTX_new(as_server ? TLS_server_method() : TLS_client_method());
    SSL_CTX_set_max_proto_version(ctx, max_version);
    SSL_CTX_set_security_level(ctx, 0);
    if (with_certificate || as_server) {
        SSL_CTX_use_certificate(ctx, cert);
        SSL_CTX_use_PrivateKey(ctx, key);
    }
    if (as_server)
        SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER, NULL);
    X509_STORE_add_cert(SSL_CTX_get_cert_store(ctx), cert);
    SSL *s = SSL_new(ctx);
    SSL_CTX_free(ctx);
    SSL_set_fd(s, fd);
    if (as_server)
        SSL_set_accept_state(s);
    else
        SSL_set_connect_state(s);
    return s;
}

static void expect_proof(struct play *p) {
    static uint8_t buffer[IPC_MAX_BYTES];
    struct ipc_msg m;
    struct fault f = {0};
    assert_int_equal(ipc_recv(p->archive, IPC_GATE_TO_ARCHIVE, 0, buffer, &m, &f), OK);
    uint8_t digest[32];
    unsigned n;
    X509_digest(cert, EVP_sha256(), digest, &n);
    assert_int_equal(m.u.proven.fingerprint.n, 32);
    assert_memory_equal(m.u.proven.fingerprint.p, digest, 32);
}

enum { BULK = 24 * 1024 * 1024, MOST_AT_ONCE = 90000 };

static uint8_t pattern(size_t i) {
    return (uint8_t)(i * 2654435761u >> 13);
}

// One direction of the bulk test, as far as it goes now without blocking.
struct flow {
    size_t sent, received;
    unsigned seed;
};

static size_t fill(struct flow *d, uint8_t *p) {
    size_t n = 1 + (size_t)rand_r(&d->seed) % MOST_AT_ONCE;
    n = n < BULK - d->sent ? n : BULK - d->sent;
    for (size_t i = 0; i < n; i++)
        p[i] = pattern(d->sent + i);
    return n;
}

static void check(struct flow *d, const uint8_t *p, size_t n) {
    for (size_t i = 0; i < n; i++)
        if (p[i] != pattern(d->received + i))
            fail_msg("byte %zu differs", d->received + i);
    d->received += n;
}

static void exchange(SSL *s, struct os_stream *worker, struct flow *up, struct flow *down) {
    static uint8_t bytes[MOST_AT_ONCE];
    while (up->received < BULK || down->received < BULK) {
        struct pollfd p[2] = {{SSL_get_fd(s), POLLIN, 0}};
        p[0].events |= up->sent < BULK ? POLLOUT : 0;
        bool now = os_stream_wait(worker, true, down->sent < BULK, &p[1]);
        assert_true(poll(p, 2, now ? 0 : 20000) > 0 || now);
        os_stream_polled(worker, p[1].revents);
        size_t n = 0;
        ssize_t got;
        if (p[0].revents & POLLOUT && SSL_write_ex(s, bytes, fill(up, bytes), &n))
            up->sent += n;
        while (SSL_read_ex(s, bytes, sizeof bytes, &n))
            check(down, bytes, n);
        struct iovec v = {bytes, down->sent < BULK ? fill(down, bytes) : 0};
        if (v.iov_len > 0 && (got = os_stream_send(worker, &v, 1)) > 0)
            down->sent += (size_t)got;
        v.iov_len = sizeof bytes;
        if ((got = os_stream_recv(worker, &v, 1)) > 0)
            check(up, bytes, (size_t)got);
    }
}

static const struct {
    const char *name;
    int version;
    bool outbound;
} sides[] = {
    {"server, TLS 1.3", TLS1_3_VERSION, false},
    {"server, TLS 1.2", TLS1_2_VERSION, false},
    {"client, TLS 1.3", TLS1_3_VERSION, true},
    {"client, TLS 1.2", TLS1_2_VERSION, true},
};

static void test_bulk_both_ways(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof sides / sizeof *sides; i++) {
        struct play p = start(sides[i].outbound, 10000);
        SSL *s = tls(p.client, true, sides[i].outbound, sides[i].version);
        assert_int_equal(SSL_do_handshake(s), 1);
        expect_proof(&p);
        SSL_set_mode(s, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
        assert_int_equal(os_fd_set_nonblock(p.client, true, NULL), OK);
        struct flow up = {.seed = 1}, down = {.seed = 2};
        exchange(s, &p.worker, &up, &down);
        SSL_free(s);
        finish(&p);
    }
}

static void test_worker_ends_first(void **state) {
    (void)state;
    struct play p = start(false, 10000);
    SSL *s = tls(p.client, true, false, TLS1_3_VERSION);
    assert_int_equal(SSL_do_handshake(s), 1);
    expect_proof(&p);
    assert_int_equal(worker_writes(&p, "bye"), 3);
    os_stream_end(&p.worker);
    char text[10];
    assert_int_equal(SSL_read(s, text, sizeof text), 3);
    int n = SSL_read(s, text, sizeof text);
    assert_int_equal(SSL_get_error(s, n), SSL_ERROR_ZERO_RETURN); // a close_notify, not a torn connection
    SSL_free(s);
    finish(&p);
}

static void test_client_ends_first(void **state) {
    (void)state;
    struct play p = start(false, 10000);
    SSL *s = tls(p.client, true, false, TLS1_3_VERSION);
    assert_int_equal(SSL_do_handshake(s), 1);
    expect_proof(&p);
    assert_int_equal(SSL_write(s, "last", 4), 4);
    SSL_shutdown(s);
    char text[10];
    assert_int_equal(worker_reads(&p, text, sizeof text), 4);
    assert_int_equal(worker_reads(&p, text, sizeof text), 0);
    assert_int_equal(worker_writes(&p, "answer"), 6); // the other half is open still
    os_stream_end(&p.worker);
    assert_int_equal(SSL_read(s, text, sizeof text), 6);
    SSL_free(s);
    finish(&p);
}

static void test_client_torn_off(void **state) {
    (void)state;
    struct play p = start(false, 10000);
    SSL *s = tls(p.client, true, false, TLS1_3_VERSION);
    assert_int_equal(SSL_do_handshake(s), 1);
    expect_proof(&p);
    SSL_free(s);
    close(p.client);
    p.client = -1;
    char text[10];
    assert_int_equal(worker_reads(&p, text, sizeof text), 0);
    finish(&p);
}

static const struct {
    const char *name;
    const void *bytes;
    size_t n;
    const char *expected; // in the log; "" for none
} strangers[] = {
    {"DICOM without TLS", "\1\0\0\0\0\4", 6, "DICOM without TLS"},
    {"web browser", "GET / HTTP/1.1\r\n", 16, "web browser"},
    {"HTTP/2", "PRI * HTTP/2.0", 14, "web client"},
    {"something else", "hello", 5, "not TLS"},
    {"two bytes only", "\1\0", 2, "DICOM without TLS"},
    {"nothing", "", 0, ""},
};

static void test_strangers(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof strangers / sizeof *strangers; i++) {
        struct play p = start(false, 300);
        if (strangers[i].n > 0)
            assert_int_equal(write(p.client, strangers[i].bytes, strangers[i].n), strangers[i].n);
        char text[10];
        assert_true(worker_reads(&p, text, sizeof text) <= 0); // nothing reaches the worker
        finish(&p);
        if (strangers[i].expected[0] ? !strstr(logged, strangers[i].expected) : logged[0] != '\0')
            fail_msg("%s: logged \"%s\"", strangers[i].name, logged);
    }
}

static const struct {
    const char *name;
    bool with_certificate;
    int version;
    const char *expected;
} refused[] = {
    {"no certificate, TLS 1.3", false, TLS1_3_VERSION, "it showed no certificate"},
    {"no certificate, TLS 1.2", false, TLS1_2_VERSION, "it showed no certificate"},
    {"TLS 1.1", true, TLS1_1_VERSION, "newer than 1.1"},
};

static void test_refused_handshakes(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
        struct play p = start(false, 5000);
        SSL *s = tls(p.client, refused[i].with_certificate, false, refused[i].version);
        char byte;
        if (SSL_do_handshake(s) == 1) // in TLS 1.3 a client learns of it with its first read
            assert_true(SSL_read(s, &byte, 1) <= 0);
        ERR_clear_error();
        assert_true(worker_reads(&p, &byte, 1) <= 0);
        SSL_free(s);
        finish(&p);
        if (!strstr(logged, refused[i].expected))
            fail_msg("%s: logged \"%s\"", refused[i].name, logged);
    }
}

static void test_slow_handshake_ends(void **state) {
    (void)state;
    struct play p = start(false, 300);
    assert_int_equal(write(p.client, "\x16\x03\x01\x02\x00", 5), 5);
    char byte;
    assert_true(worker_reads(&p, &byte, 1) <= 0);
    finish(&p);
    assert_non_null(strstr(logged, "in time"));
}

// --- the web: no certificate, one of two protocols
static const struct {
    const char *name;
    enum lane lane;
    const char *offered;  // as in RFC 7301; NULL: no such extension
    const char *accepted; // NULL: the handshake fails; "": it says nothing
    int version;
} protocols[] = {
    {"both", WEB, "\x08http/1.1\x02h2", "h2", TLS1_3_VERSION},
    {"both, TLS 1.2", WEB, "\x02h2\x08http/1.1", "h2", TLS1_2_VERSION},
    {"HTTP/1.1 alone", WEB, "\x08http/1.1", "http/1.1", TLS1_3_VERSION},
    {"one we do not know, too", WEB, "\x02h9\x08http/1.1", "http/1.1", TLS1_3_VERSION},
    {"none we know", WEB, "\x02h9", NULL, TLS1_3_VERSION},
    {"no such extension", WEB, NULL, "", TLS1_3_VERSION},
    {"HTTP/2 is off", WEB_OLD, "\x02h2\x08http/1.1", "http/1.1", TLS1_3_VERSION},
    {"HTTP/2 alone, and it is off", WEB_OLD, "\x02h2", NULL, TLS1_3_VERSION},
    {"TLS 1.1", WEB, "\x02h2", NULL, TLS1_1_VERSION},
};

static void assert_accepted(SSL *s, const char *expected) {
    const unsigned char *got = NULL;
    unsigned n = 0;
    SSL_get0_alpn_selected(s, &got, &n);
    assert_true(slice_eq_str(slice_of(got, n), expected));
}

static int on_certificate_asked_for(SSL *s, X509 **x, EVP_PKEY **k) {
    (void)s, (void)x, (void)k;
    fail_msg("a certificate was asked for");
    return 0;
}

static void test_web_protocols(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof protocols / sizeof *protocols; i++) {
        struct play p = start_lane(protocols[i].lane, 5000);
        SSL *s = tls(p.client, false, false, protocols[i].version);
        const char *offered = protocols[i].offered;
        SSL_CTX_set_client_cert_cb(SSL_get_SSL_CTX(s), on_certificate_asked_for);
        if (offered)
            SSL_set_alpn_protos(s, (const unsigned char *)offered, (unsigned)strlen(offered));
        bool good = SSL_do_handshake(s) == 1;
        ERR_clear_error();
        if (good != (protocols[i].accepted != NULL))
            fail_msg("%s", protocols[i].name);
        if (good) {
            char text[3];
            assert_accepted(s, protocols[i].accepted);
            assert_int_equal(SSL_write(s, "ab", 2), 2);
            assert_int_equal(worker_reads(&p, text, sizeof text), 2);
        }
        SSL_free(s);
        close(p.client);
        p.client = -1;
        finish(&p);
        // Nothing is proven either.
        assert_true(good ? logged[0] == '\0' : strstr(logged, "handshake failed") != NULL);
    }
}

// What a browser keeps of a session is good for nothing: each handshake is a whole one.
static void test_web_sessions_are_not_resumed(void **state) {
    (void)state;
    const int versions[] = {TLS1_2_VERSION, TLS1_3_VERSION};
    for (size_t i = 0; i < 2; i++) {
        SSL_SESSION *kept = NULL;
        for (int round = 0; round < 2; round++) {
            struct play p = start_lane(WEB, 5000);
            SSL *s = tls(p.client, false, false, versions[i]);
            char text[3];
            if (kept)
                SSL_set_session(s, kept);
            assert_int_equal(SSL_do_handshake(s), 1);
            assert_int_equal(SSL_session_reused(s), 0);
            assert_int_equal(worker_writes(&p, "x"), 1);
            assert_int_equal(SSL_read(s, text, 1), 1); // a ticket comes before
            SSL_SESSION_free(kept);
            kept = SSL_get1_session(s);
            SSL_shutdown(s);
            SSL_free(s);
            close(p.client);
            p.client = -1;
            finish(&p);
        }
        SSL_SESSION_free(kept);
    }
}

static const struct {
    const char *bytes, *expected; // in the log
    size_t n;
    bool answered;
} web_strangers[] = {
    {"GET / HTTP/1.1\r\nHost: x\r\n\r\n", "HTTP without TLS on the HTTPS port", 27, true},
    {"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "HTTP without TLS on the HTTPS port", 24, true},
    {"\1\0\0\0\0\4", "DICOM on the HTTPS port", 6, false},
    {"hello", "not TLS", 5, false},
};

static void test_web_strangers(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof web_strangers / sizeof *web_strangers; i++) {
        struct play p = start_lane(WEB, 300);
        assert_int_equal(write(p.client, web_strangers[i].bytes, web_strangers[i].n), web_strangers[i].n);
        char text[512] = "";
        ssize_t n = recv(p.client, text, sizeof text - 1, MSG_WAITALL);
        assert_true(web_strangers[i].answered ? n > 0 : n <= 0);
        if (n > 0) {
            assert_int_equal(strncmp(text, "HTTP/1.1 400 ", 13), 0);
            const char *body = strstr(text, "\r\n\r\n"), *length = strstr(text, "Content-Length: ");
            assert_non_null(body);
            assert_int_equal(strlen(body + 4), atoi(length + 16));
        }
        close(p.client);
        p.client = -1;
        finish(&p);
        assert_non_null(strstr(logged, web_strangers[i].expected));
    }
}

static void test_web_bulk(void **state) {
    (void)state;
    struct play p = start_lane(WEB, 10000);
    SSL *s = tls(p.client, false, false, TLS1_3_VERSION);
    assert_int_equal(SSL_do_handshake(s), 1);
    SSL_set_mode(s, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    assert_int_equal(os_fd_set_nonblock(p.client, true, NULL), OK);
    struct flow up = {.seed = 3}, down = {.seed = 4};
    exchange(s, &p.worker, &up, &down);
    SSL_free(s);
    finish(&p);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bulk_both_ways),     cmocka_unit_test(test_worker_ends_first),
        cmocka_unit_test(test_client_ends_first),  cmocka_unit_test(test_client_torn_off),
        cmocka_unit_test(test_strangers),          cmocka_unit_test(test_refused_handshakes),
        cmocka_unit_test(test_slow_handshake_ends), cmocka_unit_test(test_web_protocols),
        cmocka_unit_test(test_web_sessions_are_not_resumed), cmocka_unit_test(test_web_strangers),
        cmocka_unit_test(test_web_bulk),
    };
    return cmocka_run_group_tests(tests, set_up, NULL);
}
