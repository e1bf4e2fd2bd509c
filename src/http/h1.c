// HTTP/1.0 and 1.1: one request after the other. Where a message ends is decided once, and whatever leaves
// doubt about it ends the connection.
#include "http/h1_head.h"

#include <stdio.h>

void h1_start(struct http_conn *c) {
    buf_append(&c->h1.head, c->preface, c->preface_bytes);
}

// --- answers

static void put(struct http_conn *c, const char *text) {
    http_out_own(c, text, strlen(text));
}

static void put_field(struct http_conn *c, struct slice name, struct slice value) {
    http_out_own(c, name.p, name.n);
    put(c, ": ");
    http_out_own(c, value.p, value.n);
    put(c, "\r\n");
}

static void put_status(struct http_conn *c, int status) {
    char line[80];
    snprintf(line, sizeof line, "HTTP/1.1 %d %s\r\n", status, http_reason(status));
    put(c, line);
}

static void put_length(struct http_conn *c, int64_t n) {
    char line[48];
    snprintf(line, sizeof line, "Content-Length: %lld\r\n", (long long)n);
    put(c, line);
}

void h1_fail(struct http_conn *c, int status, enum err why, const char *detail) {
    if (c->over)
        return;
    if (!c->h1.cur || !c->h1.cur->responded) {
        struct http_error_fields fields;
        http_error_fields(c, &fields);
        put_status(c, status);
        for (size_t i = 0; i < fields.count; i++)
            put_field(c, fields.field[i].name, fields.field[i].value);
        put(c, "Content-Length: 0\r\nConnection: close\r\n\r\n");
    }
    c->linger = true;
    http_conn_over(c, why, detail);
}

void h1_want(struct http_conn *c, struct http_stream *s) {
    (void)s;
    put(c, "HTTP/1.1 100 Continue\r\n\r\n");
}

static void put_framing(struct http_conn *c, const struct http_stream *s, const struct http_response *r) {
    c->h1.chunked_out = false;
    if (r->status == 204 || r->status == 304)
        return;
    if (slice_eq_str(s->req.method, "HEAD")) {
        if (r->length >= 0)
            put_length(c, r->length);
    } else if (s->bodyless) {
        put_length(c, 0);
    } else if (r->length >= 0) {
        put_length(c, r->length);
    } else if (s->req.version == HTTP_1_1) {
        c->h1.chunked_out = true;
        put(c, "Transfer-Encoding: chunked\r\n");
    } else {
        c->h1.close = true; // the body ends where the connection does
    }
}

// A body that nobody reads is worth reading on only if little of it is left.
static bool must_close(const struct http_conn *c, const struct http_stream *s) {
    if (c->h1.close || c->shutdown)
        return true;
    return !s->in_done && !s->wanted &&
           (s->expects || c->h1.body.state != H1_BODY_LENGTH || c->h1.body.left > c->limits.drain_bytes);
}

void h1_respond(struct http_conn *c, struct http_stream *s, const struct http_response *r) {
    put_status(c, r->status);
    for (size_t i = 0; i < r->field_count; i++)
        put_field(c, r->field[i].name, r->field[i].value);
    c->h1.close = must_close(c, s);
    put_framing(c, s, r);
    if (c->h1.close)
        put(c, "Connection: close\r\n");
    else if (s->req.version == HTTP_1_0)
        put(c, "Connection: keep-alive\r\n");
    put(c, "\r\n");
    s->out_end = s->bodyless;
}

void h1_give(struct http_conn *c, struct http_stream *s, size_t n) {
    char line[24];
    if (c->h1.chunked_out && n) {
        snprintf(line, sizeof line, "%zx\r\n", n);
        put(c, line);
    }
    http_out_pieces(c, s, n);
    if (c->h1.chunked_out && n)
        put(c, "\r\n");
    if (!s->out_last)
        return;
    if (c->h1.chunked_out)
        put(c, "0\r\n\r\n");
    s->out_end = true;
}

// --- the body of a request

static struct slice take(struct http_conn *c, struct http_stream *s) {
    struct slice data = h1_body_take(&c->h1.body, &c->in);
    if (h1_body_bad(&c->h1.body))
        h1_fail(c, 400, ERR_PROTOCOL, "a chunk of a body is malformed");
    else if (h1_body_done(&c->h1.body))
        s->in_done = true;
    return data;
}

struct slice h1_take_body(struct http_conn *c, struct http_stream *s) {
    if (c->h1.cur != s || s->in_done)
        return (struct slice){NULL, 0};
    struct slice data = take(c, s);
    http_wait_arrived(c, s, data.n);
    return data;
}

static void drain(struct http_conn *c, struct http_stream *s) {
    if (c->h1.close) {
        c->linger = true;
        http_conn_over(c, OK, "");
        return;
    }
    while (c->in.n && !s->in_done && !c->over) {
        size_t n = take(c, s).n;
        c->h1.drained += n;
        http_wait_arrived(c, s, n);
    }
    if (!s->in_done && c->h1.drained > c->limits.drain_bytes) {
        c->linger = true;
        http_conn_over(c, OK, "");
    }
    if (!c->over)
        http_wait_start(c, s);
}

// --- one request after the other

static void finish(struct http_conn *c, struct http_stream *s) {
    http_wait_stop(c, s);
    c->h1.cur = NULL;
    c->idle_from_ms = c->now_ms;
    if (c->h1.close) {
        c->linger = c->in.n > 0;
        http_conn_over(c, OK, "");
    }
    http_stream_sweep(c);
}

// False: nothing more can be done before more comes in.
static bool go_on(struct http_conn *c, struct http_stream *s) {
    if (!s->out_end || !s->done)
        return false;
    if (!s->in_done)
        drain(c, s);
    if (c->over || !s->in_done)
        return false;
    finish(c, s);
    return true;
}

static void begin(struct http_conn *c) {
    struct slice bytes = buf_slice(&c->h1.head);
    struct http_stream *s = http_stream_add(c, ++c->last_id);
    struct h1_head head = {false, false};
    c->header_from_ms = TIME_NONE;
    if (!s) {
        h1_fail(c, 503, ERR_NO_MEMORY, "a request");
        return;
    }
    int status = h1_head_parse(c, s, bytes, &head);
    buf_reset(&c->h1.head);
    c->h1.line_from = c->h1.blank_lines = 0;
    if (status) {
        h1_fail(c, status, status == 431 || status == 414 ? ERR_LIMIT : ERR_PROTOCOL,
                "a request was refused");
        return;
    }
    c->h1.close = !head.keep_alive || c->shutdown;
    c->h1.drained = 0;
    if (head.chunked)
        h1_body_init_chunked(&c->h1.body);
    else
        h1_body_init_length(&c->h1.body, s->req.has_body ? (uint64_t)s->req.content_length : 0);
    c->h1.cur = s;
    s->ready = true;
}

// The line that ends with the last byte of the head so far.
static void end_line(struct http_conn *c) {
    struct http_h1 *h = &c->h1;
    size_t n = h->head.n - h->line_from;
    if (n < 2 || h->head.p[h->head.n - 2] != '\r') {
        h1_fail(c, 400, ERR_PROTOCOL, "a line ends without CR");
        return;
    }
    if (n > 2) {
        h->line_from = h->head.n;
        return;
    }
    if (h->line_from) {
        begin(c);
        return;
    }
    buf_reset(&h->head); // RFC 9112 2.2: an empty line before a request is forgiven
    if (++h->blank_lines > 1)
        h1_fail(c, 400, ERR_PROTOCOL, "empty lines instead of a request");
}

// False: nothing more can be done before more comes in.
static bool head_input(struct http_conn *c) {
    struct http_h1 *h = &c->h1;
    if (c->in.n == 0)
        return false;
    if (c->header_from_ms == TIME_NONE)
        c->header_from_ms = c->now_ms;
    const uint8_t *lf = memchr(c->in.p, '\n', c->in.n);
    size_t n = lf ? (size_t)(lf - c->in.p) + 1 : c->in.n;
    if (n > h->head.max - h->head.n) {
        h1_fail(c, h->line_from ? 431 : 414, ERR_LIMIT, "a request header is too long");
        return false;
    }
    buf_append(&h->head, c->in.p, n);
    c->in = slice_sub(c->in, n, c->in.n);
    if (!buf_ok(&h->head))
        h1_fail(c, 503, ERR_NO_MEMORY, "a request header");
    else if (lf)
        end_line(c);
    return !c->over;
}

static void at_eof(struct http_conn *c) {
    struct http_stream *s = c->h1.cur;
    if (s && s->in_done) {
        c->h1.close = true; // the client may still read
        return;
    }
    bool midway = s || c->h1.head.n;
    http_conn_over(c, midway ? ERR_PEER_GONE : OK, midway ? "the client left within a request" : "");
}

bool h1_can_advance(const struct http_conn *c) {
    const struct http_stream *s = c->h1.cur;
    if (c->over)
        return false;
    if (s && !(s->out_end && s->done))
        return s->wanted && !s->unconsumed && !s->in_done && (c->in.n || c->eof);
    if (s) // answered; if its body is not, it is dropped, and that has its time
        return s->in_done || c->in.n || c->eof || c->h1.close || !s->waiting;
    if (c->in.n == 0)
        return c->eof;
    return http_out_has_room(c) && http_out_unsent_own(c) <= OWN_BUSY_BYTES;
}

void h1_advance(struct http_conn *c) {
    while (!c->over) {
        if (c->h1.cur ? !go_on(c, c->h1.cur) : !http_out_has_room(c))
            break;
        if (c->h1.cur)
            continue;
        if (http_out_unsent_own(c) > OWN_BUSY_BYTES || !head_input(c))
            break;
    }
    if (!c->over && c->eof && c->in.n == 0)
        at_eof(c);
}
