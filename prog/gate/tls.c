// PS3.15 B.12 (BCP 195: RFC 9325): TLS 1.2 and 1.3, forward secrecy and AEAD only, both sides prove
// themselves. Who may do what is not decided here: the archive compares the certificate's
// SHA-256 with its peers, so that trust here is only about possession of a key that is expected at all.
#include "gate.h"

#include "base/cleanup.h"
#include "os/fd.h"
#include "os/log.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    CHAIN_MAX_BYTES = 1024 * 1024,
    PEM_MAX_BYTES = 16 * 1024 * 1024, // thousands of peers' certificates
    READ_AHEAD_BYTES = 128 * 1024,
    WARN_DAYS = 30,
};

enum { PEER_SERVER, PEER_CLIENT, WEB_SERVER, CONTEXTS };
static SSL_CTX *contexts[CONTEXTS]; // which of them we are
static BIO_METHOD *outbox_method, *client_method;

static const char ciphers[] = "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:"
                              "ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-RSA-AES256-GCM-SHA384:"
                              "ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305";

static const char suites[] = "TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256";

static enum err tls_fault(struct fault *f, const char *what) {
    unsigned long code = ERR_peek_last_error();
    const char *reason = ERR_reason_error_string(code);
    ERR_clear_error();
    return fault_set(f, ERR_CONFIG, "%s: %s", what, reason ? reason : "unknown error");
}

static enum err read_pem(int fd, BIO **ret_bio, struct buf *b, struct fault *f) {
    enum err e = os_fd_read_all(fd, b, f);
    close(fd);
    if (e != OK)
        return e;
    BIO *bio = BIO_new_mem_buf(b->p, (int)b->n);
    if (!bio)
        return tls_fault(f, "memory");
    *ret_bio = bio;
    return OK;
}

static void cleanse(struct buf *b) {
    if (b->p)
        OPENSSL_cleanse(b->p, b->n);
    buf_fini(b);
}

static enum err load_key(int take_fd, EVP_PKEY **ret_key, struct fault *f) {
    CLEANUP(cleanse) struct buf b = BUF_INIT(64 * 1024);
    BIO *bio = NULL;
    enum err e = read_pem(take_fd, &bio, &b, f);
    if (e != OK)
        return e;
    // No pass phrase: whoever starts the server unattended needs the key in reach.
    EVP_PKEY *key = PEM_read_bio_PrivateKey(bio, NULL, NULL, NULL);
    BIO_free(bio);
    if (!key)
        return tls_fault(f, take_fd == GATE_KEY_FD ? "the server's private key (tls/server.key.pem)"
                                                : "the web's private key (tls/https.key.pem)");
    *ret_key = key;
    return OK;
}

// The leaf first, whatever intermediate certificates follow sent along with it.
static enum err use_chain(SSL_CTX *ctx, struct slice pem, struct fault *f) {
    BIO *bio = BIO_new_mem_buf(pem.p, (int)pem.n);
    X509 *leaf = PEM_read_bio_X509(bio, NULL, NULL, NULL);
    bool good = leaf && SSL_CTX_use_certificate(ctx, leaf) == 1;
    X509_free(leaf);
    X509 *next;
    while (good && (next = PEM_read_bio_X509(bio, NULL, NULL, NULL))) {
        good = SSL_CTX_add0_chain_cert(ctx, next) == 1;
        if (!good)
            X509_free(next);
    }
    BIO_free(bio);
    if (!good)
        return tls_fault(f, "the certificate (tls/server.cert.pem or tls/https.cert.pem)");
    ERR_clear_error(); // the end of the file
    return OK;
}

static enum err load_trust(X509_STORE *store, struct fault *f) {
    CLEANUP(buf_fini) struct buf b = BUF_INIT(PEM_MAX_BYTES);
    BIO *bio = NULL;
    enum err e = read_pem(GATE_TRUST_FD, &bio, &b, f);
    if (e != OK)
        return e;
    X509 *x;
    while ((x = PEM_read_bio_X509(bio, NULL, NULL, NULL))) {
        X509_STORE_add_cert(store, x); // a second time is no error
        X509_free(x);
    }
    BIO_free(bio);
    ERR_clear_error();
    // A peer's own certificate is enough, whoever issued it.
    X509_STORE_set_flags(store, X509_V_FLAG_PARTIAL_CHAIN);
    return OK;
}

static bool set_rules(SSL_CTX *ctx) {
    char groups[] = "X25519:P-256:P-384"; // the macro below casts const away
    SSL_CTX_set_security_level(ctx, 2);
    SSL_CTX_set_options(ctx, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION | SSL_OP_NO_TICKET
                                 | SSL_OP_IGNORE_UNEXPECTED_EOF | SSL_OP_CIPHER_SERVER_PREFERENCE
                                 | SSL_OP_PRIORITIZE_CHACHA);
    SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF); // each connection proves itself anew
    // A ticket that leads nowhere: it carries the acknowledgement of the client's last flight. Without
    // it a client that lets TCP collect small writes (Nagle) waits 40 ms for that before its first request.
    SSL_CTX_set_num_tickets(ctx, 1);
    SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
    SSL_CTX_set_verify_depth(ctx, 5);
    // Equipment often has one certificate for both directions: its extended key usage decides nothing here.
    SSL_CTX_set_purpose(ctx, X509_PURPOSE_ANY);
    SSL_CTX_set_mode(ctx, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE
                              | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    SSL_CTX_set_read_ahead(ctx, 1);
    SSL_CTX_set_default_read_buffer_len(ctx, READ_AHEAD_BYTES);
    return SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION) == 1
        && SSL_CTX_set_cipher_list(ctx, ciphers) == 1 && SSL_CTX_set_ciphersuites(ctx, suites) == 1
        && SSL_CTX_set1_groups_list(ctx, groups) == 1;
}

static enum err make_context(const SSL_METHOD *method, EVP_PKEY *key, struct slice chain, X509_STORE *store,
                             SSL_CTX **ret_ctx, struct fault *f) {
    SSL_CTX *ctx = SSL_CTX_new(method);
    if (!ctx || !set_rules(ctx))
        return tls_fault(f, "TLS set-up");
    enum err e = use_chain(ctx, chain, f);
    if (e != OK)
        return e;
    if (SSL_CTX_use_PrivateKey(ctx, key) != 1 || SSL_CTX_check_private_key(ctx) != 1)
        return tls_fault(f, "a private key in tls does not belong to its certificate");
    if (store)
        SSL_CTX_set1_cert_store(ctx, store);
    *ret_ctx = ctx;
    return OK;
}

// --- the client's socket as an OpenSSL source, sparing the call that would say "nothing there"

static int client_read(BIO *bio, char *p, int n) {
    struct gate *g = BIO_get_data(bio);
    BIO_clear_retry_flags(bio);
    ssize_t got = -1;
    if (!g->drained) {
        do
            got = recv(g->client, p, (size_t)n, 0);
        while (got < 0 && errno == EINTR);
        g->ended = got == 0 || (got < 0 && errno != EAGAIN);
        g->drained = got < n && !g->ended;
    }
    if (got < 0 && !g->ended)
        BIO_set_retry_read(bio);
    return (int)got;
}

static long client_ctrl(BIO *bio, int command, long number, void *p) {
    (void)number, (void)p;
    const struct gate *g = BIO_get_data(bio);
    return command == BIO_CTRL_EOF ? g->ended : 0;
}

// --- the outbox as an OpenSSL sink

static int outbox_write(BIO *bio, const char *p, int n) {
    struct outbox *out = BIO_get_data(bio);
    BIO_clear_retry_flags(bio);
    if (out->from == out->to)
        out->from = out->to = 0;
    if (n <= 0 || (size_t)n > sizeof out->bytes - out->to) {
        BIO_set_retry_write(bio);
        return -1;
    }
    memcpy(out->bytes + out->to, p, (size_t)n);
    out->to += (size_t)n;
    return n;
}

static long outbox_ctrl(BIO *bio, int command, long number, void *p) {
    (void)bio, (void)number, (void)p;
    return command == BIO_CTRL_FLUSH ? 1 : 0;
}

static int bio_create(BIO *bio) {
    BIO_set_init(bio, 1);
    return 1;
}

static enum err make_bio_methods(struct fault *f) {
    outbox_method = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "outbox");
    if (!outbox_method || !BIO_meth_set_write(outbox_method, outbox_write)
        || !BIO_meth_set_ctrl(outbox_method, outbox_ctrl)
        || !BIO_meth_set_create(outbox_method, bio_create))
        return tls_fault(f, "TLS set-up");
    client_method = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "client");
    if (!client_method || !BIO_meth_set_read(client_method, client_read)
        || !BIO_meth_set_ctrl(client_method, client_ctrl) || !BIO_meth_set_create(client_method, bio_create))
        return tls_fault(f, "TLS set-up");
    return OK;
}

static enum err load_pair(int take_cert, int take_key, struct buf *chain, EVP_PKEY **ret_key,
                          struct fault *f) {
    enum err e = os_fd_read_all(take_cert, chain, f);
    close(take_cert);
    return e == OK ? load_key(take_key, ret_key, f) : e;
}

// Only one of another authority comes so far: galena serve renews its own.
static void warn_of_the_end(struct slice chain, const char *whom) {
    BIO *bio = BIO_new_mem_buf(chain.p, (int)chain.n);
    X509 *leaf = bio ? PEM_read_bio_X509(bio, NULL, NULL, NULL) : NULL;
    int days = 0, seconds = 0;
    if (leaf && ASN1_TIME_diff(&days, &seconds, NULL, X509_get0_notAfter(leaf)) && days < WARN_DAYS)
        os_log(OS_LOG_WARN,
               days < 0 || seconds < 0 ? "the certificate has ended" : "the certificate ends soon",
               OS_LOG_TEXT("for", whom), OS_LOG_NUM("days", days));
    X509_free(leaf);
    BIO_free(bio);
    ERR_clear_error();
}

// For DICOM: both sides prove themselves.
static enum err load_peers(struct fault *f) {
    CLEANUP(buf_fini) struct buf chain = BUF_INIT(CHAIN_MAX_BYTES);
    EVP_PKEY *key = NULL;
    X509_STORE *store = X509_STORE_new();
    enum err e = store ? load_pair(GATE_CERT_FD, GATE_KEY_FD, &chain, &key, f) : ERR_NO_MEMORY;
    if (e == OK)
        e = load_trust(store, f);
    if (e == OK)
        e = make_context(TLS_server_method(), key, buf_slice(&chain), store, &contexts[PEER_SERVER], f);
    if (e == OK)
        e = make_context(TLS_client_method(), key, buf_slice(&chain), store, &contexts[PEER_CLIENT], f);
    if (e == OK)
        warn_of_the_end(buf_slice(&chain), "devices");
    EVP_PKEY_free(key);
    X509_STORE_free(store);
    return e;
}

// What both can, in our order (RFC 7301). Nothing in common: the handshake fails with the alert for it.
static int on_alpn(SSL *ssl, const unsigned char **out, unsigned char *outlen, const unsigned char *in,
                   unsigned int inlen, void *arg) {
    static const unsigned char both[] = "\x02h2\x08http/1.1";
    enum { H2_BYTES = 3, BOTH_BYTES = sizeof both - 1 };
    const struct gate *g = SSL_get_app_data(ssl);
    unsigned skip = g->http2 ? 0 : H2_BYTES;
    unsigned char *chosen = NULL;
    (void)arg;
    if (SSL_select_next_proto(&chosen, outlen, both + skip, BOTH_BYTES - skip, in, inlen)
        != OPENSSL_NPN_NEGOTIATED)
        return SSL_TLSEXT_ERR_ALERT_FATAL;
    *out = chosen;
    return SSL_TLSEXT_ERR_OK;
}

// For the web: no certificate is asked for. Sessions are not resumed here either. A ticket's key would be
// one more secret in every gate, valid for connections of others (in TLS 1.2 it even opens recorded ones),
// to spare a handshake of a millisecond at the begin of a connection that serves many requests.
static enum err load_web(struct fault *f) {
    CLEANUP(buf_fini) struct buf chain = BUF_INIT(CHAIN_MAX_BYTES);
    EVP_PKEY *key = NULL;
    enum err e = load_pair(GATE_WEB_CERT_FD, GATE_WEB_KEY_FD, &chain, &key, f);
    if (e == OK)
        e = make_context(TLS_server_method(), key, buf_slice(&chain), NULL, &contexts[WEB_SERVER], f);
    if (e == OK) {
        warn_of_the_end(buf_slice(&chain), "browsers");
        SSL_CTX_set_verify(contexts[WEB_SERVER], SSL_VERIFY_NONE, NULL);
        SSL_CTX_set_alpn_select_cb(contexts[WEB_SERVER], on_alpn, NULL);
    }
    EVP_PKEY_free(key);
    return e;
}

enum err gate_tls_load(struct fault *f) {
    enum err e = make_bio_methods(f);
    if (e == OK)
        e = load_peers(f);
    return e == OK ? load_web(f) : e;
}

enum err gate_tls_open(struct gate *g, struct fault *f) {
    SSL *ssl = SSL_new(contexts[g->web ? WEB_SERVER : g->outbound ? PEER_CLIENT : PEER_SERVER]);
    BIO *in = BIO_new(client_method);
    BIO *out = BIO_new(outbox_method);
    if (!ssl || !in || !out)
        return tls_fault(f, "TLS set-up");
    SSL_set_app_data(ssl, g);
    BIO_set_data(in, g);
    BIO_set_data(out, &g->out);
    SSL_set0_rbio(ssl, in);
    SSL_set0_wbio(ssl, out);
    if (g->outbound)
        SSL_set_connect_state(ssl);
    else
        SSL_set_accept_state(ssl);
    g->ssl = ssl;
    return OK;
}

bool gate_flush(struct gate *g) {
    while (gate_has_output(g)) {
        ssize_t n = send(g->client, g->out.bytes + g->out.from, g->out.to - g->out.from, MSG_NOSIGNAL);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return errno == EAGAIN;
        g->out.from += (size_t)n;
    }
    return true;
}
