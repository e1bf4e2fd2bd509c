// What the parts of the engine share: the connection, its streams, and what is waiting to be sent.
#ifndef HTTP_CONN_INT_H
#define HTTP_CONN_INT_H

#include "base/arena.h"
#include "base/buf.h"
#include "http/h1_body.h"
#include "http/authority.h"
#include "http/date.h"
#include "http/http.h"

enum {
    PREFACE_BYTES = 24,
    SEGMENTS_MAX = 256,
    SEGMENTS_SPARE = 48,         // kept free for what must be said whatever is pending
    OUT_HIGH_BYTES = 512 * 1024, // so much is put into frames ahead
    OWN_BYTES_MAX = 1 << 20,
    OWN_BUSY_BYTES = 64 * 1024, // with more unsent no further request of a pipeline is looked at
    IN_CHUNK_BYTES = 16 * 1024,
    LINGER_BYTES_MAX = 4 << 20,
};
#define TIME_NONE INT64_MIN

// A run of an answer, given by the handler.
struct http_piece {
    struct http_piece *next;
    const uint8_t *p;
    size_t n, framed, sent;
    bool copied;
    uint8_t copy[];
};

// Body bytes that arrived over HTTP/2, where a slow handler must not stop the other streams.
struct http_chunk {
    struct http_chunk *next;
    size_t from, n;
    uint8_t data[IN_CHUNK_BYTES];
};

struct http_stream {
    struct http_stream *next;
    uint32_t id;
    struct arena arena;
    struct http_request req;
    struct http_field *field;
    size_t header_bytes, wasted_bytes;

    bool ready;                          // the request is complete and may be told
    bool told, end_told, gone_told;      // events that were handed out
    bool gone, done;                     // see http.h
    bool wanted, in_done;                // body
    bool expects;                        // waits for "100 Continue"
    size_t unconsumed;                   // of the BODY event that is out
    struct http_chunk *in_first, *in_last;
    bool waiting;                        // for body bytes, until wait_until_ms
    int64_t wait_until_ms, waited_ms;    // waited_ms: when the wait was interrupted

    bool responded, bodyless, out_last, out_end; // out_end: all of it is in the output
    int64_t to_give;                     // of the length announced; -1: none was
    struct http_piece *first, *last;
    size_t pieces, borrowed, copied, unframed;

    bool h2_open;                        // nghttp2 still knows it, and us as its user data
    int refuse;                          // HTTP/2: the status for a header found wrong
};

// Consecutive bytes to send. p NULL: of `own`, in order.
struct http_segment {
    const uint8_t *p;
    size_t n;
    struct http_stream *stream; // whose piece it is; NULL: nobody's any more
    void *release;              // freed when it is sent
};

enum http_protocol { PROTO_UNKNOWN, PROTO_H1, PROTO_H2 };

struct http_h1 {
    struct buf head;
    size_t line_from;
    unsigned blank_lines;
    struct http_stream *cur; // the request being received or answered
    struct h1_body body;
    size_t drained;
    bool close;              // after this answer
    bool chunked_out;
};

struct http_h2; // h2_int.h

struct http_conn {
    struct http_limits limits;
    int64_t now_ms;
    enum http_protocol proto;
    uint8_t preface[PREFACE_BYTES];
    size_t preface_bytes;
    struct slice in; // what was fed and is not looked at (HTTP/1)
    struct http_stream *streams;
    uint32_t last_id;

    struct buf own;
    size_t own_at;
    struct http_segment segment[SEGMENTS_MAX];
    size_t seg_first, seg_count, out_bytes;

    bool shutdown, eof, lost;
    bool over, over_told; // no more requests will come
    bool linger;          // the client may still be sending: closing at once would destroy what we said last
    size_t lingered;
    int64_t linger_until_ms;
    int64_t idle_from_ms;
    int64_t header_from_ms; // TIME_NONE: no header has begun
    int64_t send_from_ms;
    struct fault fault;

    struct http_h1 h1;
    struct http_h2 *h2;
};

// conn.c
struct http_stream *http_stream_find(const struct http_conn *c, uint32_t id); // NULL: unknown, done or gone
struct http_stream *http_stream_add(struct http_conn *c, uint32_t id);
void http_stream_sweep(struct http_conn *c); // frees the streams that nobody needs any more
void http_stream_gone(struct http_conn *c, struct http_stream *s);
void http_stream_drop_input(struct http_conn *c, struct http_stream *s);
void http_conn_over(struct http_conn *c, enum err why, const char *detail); // all streams are gone
bool http_conn_has_event(const struct http_conn *c); // http_conn_next() would be of use
bool http_conn_unsent(const struct http_conn *c); // something the client could take

// output.c
struct http_segment *http_out_push(struct http_conn *c, const uint8_t *p, size_t n, struct http_stream *s);
void http_out_own(struct http_conn *c, const void *p, size_t n);
size_t http_out_unsent_own(const struct http_conn *c);
bool http_out_has_room(const struct http_conn *c);
void http_out_pieces(struct http_conn *c, struct http_stream *s, size_t n); // the next n bytes of the answer
void http_out_detach(struct http_conn *c, struct http_stream *s); // so that no piece is needed any more
void http_out_drop(struct http_conn *c);
void http_pieces_free(struct http_stream *s);

// waiting for body bytes
void http_wait_start(struct http_conn *c, struct http_stream *s);
void http_wait_stop(struct http_conn *c, struct http_stream *s);
void http_wait_arrived(struct http_conn *c, struct http_stream *s, size_t n);

// request.c: building and checking what both protocols have in common. A status other than 0 refuses.
int http_request_field(struct http_conn *c, struct http_stream *s, struct slice name, struct slice value);
int http_request_target(struct http_conn *c, struct http_stream *s, struct slice target);
int http_request_finish(struct http_stream *s);
const char *http_reason(int status);

// conn.c: the fields of an answer that the engine gives itself.
struct http_error_fields {
    struct http_field field[HTTP_RESPONSE_FIELDS_MAX];
    size_t count;
    char date[HTTP_DATE_BYTES + 1];
};
void http_error_fields(const struct http_conn *c, struct http_error_fields *ret_fields);

// h1.c
void h1_start(struct http_conn *c);
void h1_advance(struct http_conn *c);
bool h1_can_advance(const struct http_conn *c);
struct slice h1_take_body(struct http_conn *c, struct http_stream *s);
void h1_want(struct http_conn *c, struct http_stream *s);
void h1_respond(struct http_conn *c, struct http_stream *s, const struct http_response *r);
void h1_give(struct http_conn *c, struct http_stream *s, size_t n);
void h1_fail(struct http_conn *c, int status, enum err why, const char *detail);

// h2.c
bool h2_start(struct http_conn *c);
void h2_free(struct http_conn *c);
void h2_feed(struct http_conn *c, struct slice bytes);
void h2_want(struct http_conn *c, struct http_stream *s);
void h2_consumed(struct http_conn *c, struct http_stream *s, size_t n);
enum err h2_respond(struct http_conn *c, struct http_stream *s, const struct http_response *r);
void h2_resume(struct http_conn *c, struct http_stream *s);
// Breaks the answer off; when there was none yet it is this status.
void h2_reset(struct http_conn *c, struct http_stream *s, int status);
void h2_drop_input(struct http_conn *c, struct http_stream *s);
void h2_pull(struct http_conn *c);
void h2_shutdown(struct http_conn *c);
void h2_timeout(struct http_conn *c, const char *detail);

#endif
