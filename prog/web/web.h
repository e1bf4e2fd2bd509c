// The web worker: serves one connection, HTTP/1.1 or HTTP/2; knows no files, no keys, no rights of its own.
//
// Each request is a task (task.h) that runs its route's handler from top to bottom. The loop (loop.c) is
// the only place that reads, writes and polls; a handler waits in request_body(), answer_body() and in a
// call to the archive, and others run meanwhile. Routes are rows of a table (route.c): one resource, one
// file.
//
// Who asks is decided by the archive, for each request anew: the worker hands over the credential that came
// with it and hears what it may do. With RELEASE at the end of the request the archive forgets it.
#ifndef WEB_WEB_H
#define WEB_WEB_H

#include "base/arena.h"
#include "base/buf.h"
#include "http/http.h"
#include "http/multipart.h"
#include "os/log.h"
#include "os/stream.h"
#include "task.h"
#include "worker/channel.h"
#include "worker/incoming.h"

enum {
    WEB_TASKS_MAX = 15,  // requests of one connection served at once; each has a channel of its own
    ROUTE_PARTS_MAX = 6, // variable segments of a path
    REQUEST_ARENA_BYTES = 64 * 1024 * 1024,
    ANSWER_HEADERS_MAX = 32,
};

struct route;
struct request;

// --- main.c: what all requests of this connection have in common
struct web {
    int ctl; // to the supervisor: log lines
    struct os_stream client;
    struct http_conn *http;
    char source[81]; // the other end's address, for the archive's throttles
    char name[65];   // of the archive
    char ae_title[17];
    char origin[300];            // the public URL that is configured; "": what the request says
    char proxies[2048];          // CIDRs of trusted proxies, one a line
    char oidc_name[65];          // of the provider one can sign in with; "": none
    char private_classes[16641]; // storage SOP classes besides the standard's, one a line
    uint64_t upload_max_bytes;
    struct channel control;   // for asking for further channels; nobody is ever identified on it
    struct request *requests; // WEB_TASKS_MAX
    uint64_t served;
    bool ending; // the server stops
};

// One request, while it is served. Strings and slices live until its handler returns.
struct request {
    struct web *web;
    struct task *task;
    bool busy; // being served
    uint32_t stream;
    const struct http_request *http;
    const struct route *route;
    struct slice parts[ROUTE_PARTS_MAX]; // the variable segments of the path, decoded
    struct arena arena;                  // freed when the request is over
    struct channel archive;              // open once the request was identified
    struct incoming_tools *tools;        // of stores (request_tools())

    char origin[300];                    // request_origin()

    // who asks, as the archive says; "" and no rights: nobody
    char user[65];
    uint32_t roles, rights, expires_s;
    bool by_cookie;     // signed in with a browser
    bool second_factor; // has one

    // answering
    bool answered;  // the status is out
    bool by_accept; // in which form depends on Accept
    bool gone;      // nobody is there any more to hear an answer, or the rest of it (HEAD)

    // --- loop.c
    int wait_fd; // the archive's channel, or -1
    bool waits_for_body, waits_for_room;
    struct slice body;   // borrowed from the engine, not consumed yet
    uint64_t body_bytes; // of it so far
    bool body_ended;
    bool body_too_long; // over the limit for uploads: the rest of it is not read
};

// --- loop.c
void web_serve(struct web *w);                    // until the connection is over
void request_wait_fd(struct request *rq, int fd); // until it is readable

// --- request.c: what came The next bytes of the body, waiting for them; empty at its end, when the client
// is gone (rq->gone), and past the limit for uploads (rq->body_too_long: 413 is the answer). Valid until
// the next call.
struct slice request_body(struct request *rq);
// All of a body that is small: ERR_LIMIT past max. In the arena.
enum err request_body_whole(struct request *rq, size_t max, struct slice *ret_body, struct fault *f);
struct slice request_header(const struct request *rq, const char *name); // p is NULL when absent
// A parameter of the query string, decoded; p is NULL when absent. The n-th of that name, from 0.
struct slice request_parameter(struct request *rq, const char *name, size_t n);
// "https://host:port", as the client sees us.
struct slice request_origin(struct request *rq);
// A cookie's value; empty when it is absent, or there twice.
struct slice request_cookie(struct request *rq, const char *name);
void request_boundary(char ret_boundary[MULTIPART_BOUNDARY_BYTES + 1]); // for a multipart answer
struct slice request_client(struct request *rq);                        // its address
struct incoming_tools *request_tools(struct request *rq);               // NULL: no memory

// --- identity.c Asks the archive whose request it is (a session's cookie, a bearer token). False:
// nobody's, or not allowed; the answer (401, 403) is out. `needs`: enum ipc_right bits that must all be
// there.
bool request_identify(struct request *rq, uint32_t needs);
// An open channel for what needs nobody (signing in). False: 503 is out.
bool request_open_channel(struct request *rq);

// --- answer.c
struct answer {
    int status;
    const char *type; // Content-Type; NULL: no body
    int64_t length;   // -1: not known beforehand
    const char *etag; // with its quotes; NULL: none
    bool cacheable;   // public and unchanging (the site's own files); else private or not at all
    bool no_policy;   // the caller puts its own Content-Security-Policy
    struct http_field extra[ANSWER_HEADERS_MAX];
    size_t extra_count;
};
extern const struct http_field answer_standing_fields[]; // that every answer has
extern const size_t answer_standing_count;
void answer_header(struct answer *a, const char *name, struct slice value); // value: the caller's until sent
// Sends the head. False: the client is gone, or wanted nothing else (HEAD).
bool answer_begin(struct request *rq, const struct answer *a);
// Sends a piece of the body from where it lies and waits until it is out, so that the memory is free again.
// False: the client is gone.
bool answer_body(struct request *rq, struct slice piece, bool last);
// Begins to send and returns at once: `piece` must stay as it is until answer_wait(), which comes before
// the next.
bool answer_body_begin(struct request *rq, struct slice piece, bool last);
bool answer_wait(struct request *rq);
// Cannot go on: the client must see that the body is incomplete.
void answer_break(struct request *rq);
// A whole body at once: 304 for what the client has, gzip where it pays and is wanted. Makes the ETag of
// its content when `a` has none and the status is 200.
void answer_whole(struct request *rq, struct answer *a, struct slice body);
// The same; 503 where the buffer found no memory.
void answer_text(struct request *rq, struct answer *a, const struct buf *body);
void answer_json(struct request *rq, int status, const struct buf *json);
void answer_empty(struct request *rq, int status);
// Range and If-Range of the request, for something of `size` bytes with the ETag of `a`: status, length and
// headers of `a` follow. False: 416 is out.
struct answer_part {
    uint64_t from, bytes;
    char content_range[80];
};
bool answer_part_of(struct request *rq, struct answer *a, uint64_t size, struct answer_part *ret_part);
// {"error": code, "message": …}; the message says what to do, never patient data.
void answer_error(struct request *rq, int status, const char *code, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));
void answer_fault(struct request *rq, enum err e, const struct fault *f); // the error table's status and text
void answer_redirect(struct request *rq, struct slice location);
// Has the client this content already (If-None-Match)? Then 304 is out.
bool answer_not_modified(struct request *rq, struct answer *a);

// --- log.c
void web_log(struct web *w, enum os_log_level level, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

#endif
