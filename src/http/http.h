// One HTTP connection, server side, HTTP/1.1 (RFC 9112) or HTTP/2 (RFC 9113), without I/O: bytes are fed in,
// events pulled out, what is to be sent pulled out, and time is an argument. Which of the two is spoken the
// first bytes say (RFC 9113 3.4), and nobody above needs to know.
//
// Not here: sockets, TLS, routes, dates, cookies, multipart, compression (the other headers of this folder).
//
// The loop of a caller:
//     if (http_conn_wants_input(c)) read(fd, buffer), then http_conn_feed(c, …) or http_conn_eof(c, now)
//     while (http_conn_next(c, &ev)) handle(&ev);      after every other call, sent() included
//     n = http_conn_output(c, iov, max); sendmsg(fd, iov, n); http_conn_sent(c, bytes, now);   until n is 0
//     if (http_conn_closed(c)) close(fd);
//     poll(fd, until http_conn_deadline(c)); http_conn_tick(c, now);       always: it sets the clock, too
// A socket that fails (ECONNRESET, EPIPE): http_conn_lost().
//
// A request in the eyes of its handler:
//     HTTP_EV_REQUEST                                  ev.request stays valid until http_stream_done()
//     http_body_want(c, stream)                        "100 Continue" if the client waits for it, then
//     HTTP_EV_BODY ... http_body_consumed() ...        one at a time: the next when all is consumed
//     HTTP_EV_END                                      the request is complete (at once, when it has no body)
//     http_respond(), http_body_give() ...             as long as http_body_pending() says, memory is in use
//     http_stream_done()                               exactly once for each HTTP_EV_REQUEST
// Who answers without http_body_want() need not care what becomes of the body.
//
// Memory: what comes in is bounded by the limits; what goes out is borrowed from the caller.
#ifndef HTTP_HTTP_H
#define HTTP_HTTP_H

#include "base/err.h"
#include "base/slice.h"

#include <sys/uio.h>

struct http_field {
    struct slice name, value;
};

struct http_limits {
    size_t header_bytes;        // of a request: names and values, and 32 more for each (431)
    size_t header_count;        // (431)
    size_t target_bytes;        // (414)
    uint32_t streams;           // requests of a connection at once: told and not done
    uint32_t stream_window;     // bytes of one body on their way, HTTP/2
    uint32_t conn_window;       // and of all
    size_t drain_bytes;         // of a body that nobody wants, read to save an HTTP/1.1 connection
    int64_t header_ms;          // a whole request header must arrive within this from its first byte
    int64_t idle_ms;            // between requests
    int64_t body_idle_ms;       // body bytes must come at least so often ...
    uint32_t body_bytes_per_s;  // ... and, after that time of grace, this fast; 0: any
    int64_t send_idle_ms;       // the client must take something within this, of each answer
    int64_t linger_ms;          // for the client to read our last word before the connection closes
    // Fields of the answers that the engine gives itself (400 ...). Borrowed for ever; none needed.
    const struct http_field *error_field;
    size_t error_field_count;
    int64_t wall_ms; // since 1970, when now_ms was 0: for the Date of these answers; 0: they have none
};
extern const struct http_limits http_limits_default;

enum http_version { HTTP_1_0 = 10, HTTP_1_1 = 11, HTTP_2 = 20 };

// Checked: one authority, a target that begins with '/' (or is "*", for OPTIONS) and holds visible ASCII
// only, no control characters anywhere. Names are lower case. A field that came more than once is one with
// its values joined by ", " (Cookie: "; "), but for those that must be single: such a request was refused.
struct http_request {
    enum http_version version;
    struct slice method;        // "GET": case matters
    struct slice scheme;        // what the client says; empty in HTTP/1
    struct slice authority;     // Host; empty only in HTTP/1.0
    struct slice path, query;   // as they came, still encoded; query without '?'
    const struct http_field *field;
    size_t field_count;
    int64_t content_length;     // -1: not known
    bool has_body;              // a body follows, or may (HTTP/2)
};
// The value of a field, by its name in lower case; p is NULL when it is absent.
struct slice http_header(const struct http_request *r, const char *name);

enum http_event_kind {
    HTTP_EV_NONE,
    HTTP_EV_REQUEST,            // ev.request
    HTTP_EV_BODY,               // ev.data, valid until it is consumed
    HTTP_EV_END,                // all of the body was there
    HTTP_EV_GONE, // client gave the request up, or the connection ended: nothing is borrowed any
                                // more, all calls for the stream but http_stream_done() do nothing
    HTTP_EV_CLOSED,             // the connection is over: all its streams are GONE or done
};

struct http_event {
    enum http_event_kind kind;
    uint32_t stream;            // never 0, never used again
    const struct http_request *request;
    struct slice data;
};

struct http_conn;

struct http_conn *http_conn_new(const struct http_limits *limits, int64_t now_ms); // NULL: out of memory
void http_conn_free(struct http_conn *c);

// Input. Only while http_conn_wants_input(); the bytes stay the caller's and must lie there untouched until
// it says so again.
bool http_conn_wants_input(const struct http_conn *c);
void http_conn_feed(struct http_conn *c, struct slice bytes, int64_t now_ms);
void http_conn_eof(struct http_conn *c, int64_t now_ms);   // the client sends no more; it may still read
void http_conn_lost(struct http_conn *c);                  // the connection is dead in both directions
bool http_conn_next(struct http_conn *c, struct http_event *ret_event);

// The body of a request. Consumed bytes open the window again.
void http_body_want(struct http_conn *c, uint32_t stream);
void http_body_consumed(struct http_conn *c, uint32_t stream, size_t n);

struct http_response {
    int status;                 // 200 to 599
    const struct http_field *field; // without Content-Length, Transfer-Encoding, Connection: made here
    size_t field_count;
    int64_t length;             // of the body; -1: not known
    bool no_body; // the response is complete with this (its length is what it would be: HEAD)
};
enum { HTTP_RESPONSE_FIELDS_MAX = 64 };
// Copies what it is given. To HEAD, with 204, with 304 and with length 0 the response is complete then, and
// bodies are ignored.
// ERR_SYNTAX: a field that cannot be sent (line breaks, ...), or too many.
// ERR_PROTOCOL: answered already. ERR_PEER_GONE.
enum err http_respond(struct http_conn *c, uint32_t stream, const struct http_response *r);
// May be called again before the former bytes are sent, HTTP_PIECES_MAX times. Borrows, until
// http_body_pending() (in order) or GONE says it is sent.
// ERR_BUSY: too many pieces; ERR_MISMATCH: more than the length announced, or last and less; ERR_PEER_GONE.
enum { HTTP_PIECES_MAX = 64, HTTP_COPY_MAX = 1 << 20 };
enum err http_body_give(struct http_conn *c, uint32_t stream, struct slice borrowed, bool last);
// The same, but copies, at most HTTP_COPY_MAX bytes unsent at a time (ERR_BUSY).
enum err http_body_copy(struct http_conn *c, uint32_t stream, struct slice bytes, bool last);
size_t http_body_pending(const struct http_conn *c, uint32_t stream); // borrowed bytes not sent yet
bool http_stream_alive(const struct http_conn *c, uint32_t stream);   // false: GONE, or done
// The handler is through with it, request and all. An answer that is complete, but for bytes copied, goes its
// way; one that is not, or has borrowed bytes pending, is broken off.
void http_stream_done(struct http_conn *c, uint32_t stream);
// Cannot go on: an answer that was begun is broken off so that the client knows; where none was, it gets the
// status of why. Nothing is borrowed then.
void http_stream_reset(struct http_conn *c, uint32_t stream, enum err why);

// Output: what to send next, of the engine's own bytes and of those borrowed. Valid until any other call.
int http_conn_output(struct http_conn *c, struct iovec *ret_iov, int max);
void http_conn_sent(struct http_conn *c, size_t n, int64_t now_ms);

void http_conn_shutdown(struct http_conn *c, int64_t now_ms); // no more requests; those here end in peace
bool http_conn_closed(const struct http_conn *c);             // CLOSED was told and all is sent: close it
int64_t http_conn_deadline(const struct http_conn *c); // INT64_MAX: none; now: http_conn_next() has events
void http_conn_tick(struct http_conn *c, int64_t now_ms);     // expires timers; then pull events
// Why it ended, for a log; OK: in good order. No text from the client in it.
const struct fault *http_conn_fault(const struct http_conn *c);

#endif
