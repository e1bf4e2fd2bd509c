// The gate: one process a TLS connection. It proves who the other side is, tells the archive that
// and nothing else, and relays plain bytes to and from the worker that parses them. Browsers and other web
// clients show no certificate: before them it does TLS alone, and has no channel to the archive.
//
// It knows the server's key and whom to trust, no files, no rights, no DICOM.
#ifndef GATE_GATE_H
#define GATE_GATE_H

#include "base/err.h"
#include "base/slice.h"
#include "os/stream.h"

#include <openssl/ssl.h>

// Descriptors the supervisor gives a template, after its own socket (os/template.h).
enum { GATE_CERT_FD = 4, GATE_KEY_FD, GATE_TRUST_FD, GATE_WEB_CERT_FD, GATE_WEB_KEY_FD };

// Ciphertext waiting for the socket: all that one turn's bytes from the worker make.
enum { GATE_OUT_BYTES = 168 * 1024 };

// Ciphertext is collected here, so that many records leave in one write.
struct outbox {
    uint8_t bytes[GATE_OUT_BYTES] __attribute__((aligned(4096)));
    size_t from, to;
};

struct gate {
    int client;  // TCP
    struct os_stream plain; // to the worker
    int archive; // the channel for PROVEN; -1 on the web
    bool outbound;
    bool web;    // HTTPS
    bool http2;  // is offered
    int64_t handshake_deadline_ms;
    SSL *ssl;
    bool drained; // the socket had less than asked for: nothing more there until poll says so
    bool ended;   // end of file from the client
    struct outbox out;
};

// --- tls.c: what every connection has in common, made once in the template
enum err gate_tls_load(struct fault *f);
// A TLS object over g->client and g->out.
enum err gate_tls_open(struct gate *g, struct fault *f);
// Sends what the outbox holds, as far as the socket takes it; false: the connection is gone.
bool gate_flush(struct gate *g);
static inline bool gate_has_output(const struct gate *g) {
    return g->out.from < g->out.to;
}

// --- greet.c: the first bytes of a client; false when they are not TLS, and a line about it logged.
// Who speaks HTTP to the HTTPS port is told so.
bool gate_is_tls(struct gate *g);

// --- handshake.c: false when it failed, and a line about why and what to do logged
bool gate_handshake(struct gate *g);

// --- relay.c: until both sides have ended
void gate_relay(struct gate *g);

#endif
