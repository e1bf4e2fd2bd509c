#include "gate.h"

#include "ipc/ipc.h"
#include "os/clock.h"
#include "os/fd.h"
#include "os/log.h"

#include <openssl/err.h>
#include <openssl/x509.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>

static const char distrusts[] = "it does not trust our certificate: import tls/ca.pem there, or give the "
                                "web a certificate that browsers know (tls/https.cert.pem)";

// Why a handshake failed, in words an administrator can act on. First match wins.
static const struct {
    int reason;
    const char *says;
    const char *of_browser; // on the web, where it is something else
} reasons[] = {
    {SSL_R_PEER_DID_NOT_RETURN_A_CERTIFICATE,
     "it showed no certificate: install the key and certificate made by galena peer add there", NULL},
    {SSL_R_UNSUPPORTED_PROTOCOL, "it offers no TLS version newer than 1.1: update it, or use the plain lane",
     "it offers no TLS version newer than 1.1: update it"},
    {SSL_R_WRONG_VERSION_NUMBER, "it does not speak TLS 1.2 or 1.3", NULL},
    {SSL_R_VERSION_TOO_LOW, "it offers no TLS version newer than 1.1: update it, or use the plain lane",
     "it offers no TLS version newer than 1.1: update it"},
    {SSL_R_TLSV1_ALERT_PROTOCOL_VERSION, "it refuses TLS 1.2 and 1.3", NULL},
    {SSL_R_NO_SHARED_CIPHER, "it offers no cipher suite with forward secrecy and AEAD (BCP 195)", NULL},
    {SSL_R_NO_APPLICATION_PROTOCOL, "it offers neither HTTP/2 nor HTTP/1.1", NULL},
    {SSL_R_TLSV1_ALERT_UNKNOWN_CA, "it does not trust our certificate: install tls/ca.pem there", distrusts},
    {SSL_R_SSLV3_ALERT_BAD_CERTIFICATE, "it refuses our certificate: install tls/ca.pem there", distrusts},
    {SSL_R_SSLV3_ALERT_CERTIFICATE_UNKNOWN,
     "it refuses our certificate: install tls/ca.pem there", distrusts},
    {SSL_R_SSLV3_ALERT_CERTIFICATE_EXPIRED, "it says our certificate has expired: check the clocks of both",
     NULL},
    {SSL_R_SSLV3_ALERT_HANDSHAKE_FAILURE, "it refuses what we offer (certificate or cipher suite)", NULL},
    {SSL_R_EE_KEY_TOO_SMALL, "its certificate's key is too short: RSA needs 2048 bits", NULL},
    {SSL_R_CA_KEY_TOO_SMALL, "its issuer's key is too short: RSA needs 2048 bits", NULL},
    {SSL_R_CA_MD_TOO_WEAK, "its certificate is signed with a broken hash", NULL},
};

static const char *explain_certificate(long result) {
    switch (result) {
    case X509_V_ERR_CERT_HAS_EXPIRED:
        return "its certificate has expired: make a new one, or check the clock";
    case X509_V_ERR_CERT_NOT_YET_VALID:
        return "its certificate is not valid yet: check the clocks of both";
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
    case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
    case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
    case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
        return "its certificate is not known here: galena peer add --cert FILE makes it known";
    case X509_V_ERR_EE_KEY_TOO_SMALL:
    case X509_V_ERR_CA_KEY_TOO_SMALL:
        return "its certificate's key is too short: RSA needs 2048 bits";
    case X509_V_ERR_CA_MD_TOO_WEAK:
        return "its certificate is signed with a broken hash: make a new one";
    default:
        return X509_verify_cert_error_string(result);
    }
}

static const char *explain(const struct gate *g) {
    unsigned long code = ERR_peek_error();
    int reason = ERR_GET_REASON(code);
    if (code == 0 || ERR_GET_LIB(code) != ERR_LIB_SSL)
        return "it closed the connection during the handshake";
    if (reason == SSL_R_CERTIFICATE_VERIFY_FAILED)
        return explain_certificate(SSL_get_verify_result(g->ssl));
    for (size_t i = 0; i < sizeof reasons / sizeof *reasons; i++)
        if (reasons[i].reason == reason)
            return g->web && reasons[i].of_browser ? reasons[i].of_browser : reasons[i].says;
    const char *text = ERR_reason_error_string(code);
    return text ? text : "TLS error";
}

static void subject_text(X509 *x, char *dst, size_t cap) {
    dst[0] = '\0';
    BIO *bio = BIO_new(BIO_s_mem());
    if (!bio)
        return;
    X509_NAME_print_ex(bio, X509_get_subject_name(x), 0, XN_FLAG_RFC2253);
    int n = BIO_read(bio, dst, (int)cap - 1);
    dst[n > 0 ? n : 0] = '\0';
    BIO_free(bio);
}

static char refused_subject[256]; // of the certificate that verification stumbled over

static int on_verify(int good, X509_STORE_CTX *ctx) {
    X509 *leaf = X509_STORE_CTX_get0_cert(ctx);
    if (!good && leaf)
        subject_text(leaf, refused_subject, sizeof refused_subject);
    return good;
}

static bool wait_for(struct gate *g, short events) {
    int64_t left_ms = g->handshake_deadline_ms - os_clock_ms();
    struct pollfd p = {.fd = g->client, .events = events};
    return left_ms > 0 && poll(&p, 1, (int)left_ms) > 0;
}

// Drives the handshake; NULL on success, else why not.
static const char *shake(struct gate *g) {
    for (;;) {
        ERR_clear_error();
        g->drained = false;
        int done = SSL_do_handshake(g->ssl);
        int error = SSL_get_error(g->ssl, done);
        const char *why = done == 1 || error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE
                              ? NULL : explain(g);
        // Also after a failure: the alert tells the other side.
        if (!gate_flush(g))
            return why ? why : "it closed the connection during the handshake";
        if (why)
            return why;
        if (done == 1 && !gate_has_output(g))
            return NULL;
        if (!wait_for(g, gate_has_output(g) ? POLLOUT : POLLIN))
            return "it did not finish the handshake in time";
    }
}

static bool tell_archive(struct gate *g) {
    X509 *x = SSL_get0_peer_certificate(g->ssl);
    uint8_t digest[32];
    unsigned n = 0;
    if (!x || X509_digest(x, EVP_sha256(), digest, &n) != 1 || n != sizeof digest)
        return false;
    struct ipc_proven m = {.fingerprint = slice_of(digest, n)};
    bool told = ipc_send(g->archive, IPC_PROVEN, &m, NULL, 0) == OK;
    os_fd_close(&g->archive); // we have nothing more to say to it, whatever happens to us
    return told;
}

bool gate_handshake(struct gate *g) {
    if (!g->web)
        SSL_set_verify(g->ssl, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, on_verify);
    const char *why = shake(g);
    if (why && refused_subject[0])
        os_log(OS_LOG_WARN, "TLS handshake failed", OS_LOG_TEXT("why", why),
               OS_LOG_TEXT("certificate", refused_subject));
    else if (why)
        os_log(OS_LOG_WARN, "TLS handshake failed", OS_LOG_TEXT("why", why));
    return !why && (g->web || tell_archive(g));
}
