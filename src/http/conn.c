#include "http/conn_int.h"

#include <stdlib.h>
#include <strings.h>

const struct http_limits http_limits_default = {
    .header_bytes = 32 * 1024,
    .header_count = 100,
    .target_bytes = 8 * 1024,
    .streams = 64,
    .stream_window = 1 << 20,
    .conn_window = 4 << 20,
    .drain_bytes = 64 * 1024,
    .header_ms = 20000,
    .idle_ms = 75000,
    .body_idle_ms = 30000,
    .body_bytes_per_s = 512,
    .send_idle_ms = 60000,
    .linger_ms = 2000,
};

struct http_conn *http_conn_new(const struct http_limits *limits, int64_t now_ms) {
    struct http_conn *c = calloc(1, sizeof *c);
    if (!c)
        return NULL;
    c->limits = *limits;
    c->now_ms = c->idle_from_ms = c->send_from_ms = c->header_from_ms = now_ms;
    c->linger_until_ms = TIME_NONE;
    c->own = BUF_INIT(OWN_BYTES_MAX);
    c->h1.head = BUF_INIT(limits->header_bytes + limits->target_bytes + 1024);
    return c;
}

static void chunks_free(struct http_chunk *chunk) {
    while (chunk) {
        struct http_chunk *next = chunk->next;
        free(chunk);
        chunk = next;
    }
}

static void stream_free(struct http_stream *s) {
    http_pieces_free(s);
    chunks_free(s->in_first);
    arena_fini(&s->arena);
    free(s);
}

void http_conn_free(struct http_conn *c) {
    if (!c)
        return;
    h2_free(c);
    http_out_drop(c);
    while (c->streams) {
        struct http_stream *s = c->streams;
        c->streams = s->next;
        stream_free(s);
    }
    buf_fini(&c->own);
    buf_fini(&c->h1.head);
    free(c);
}

// --- streams

struct http_stream *http_stream_find(const struct http_conn *c, uint32_t id) {
    for (struct http_stream *s = c->streams; s; s = s->next)
        if (s->id == id)
            return s->done || s->gone ? NULL : s;
    return NULL;
}

struct http_stream *http_stream_add(struct http_conn *c, uint32_t id) {
    struct http_stream *s = calloc(1, sizeof *s);
    if (!s)
        return NULL;
    // Names and values with a NUL each, rounded up; the list of them; and what joining them takes.
    s->arena = ARENA_INIT(3 * (c->limits.header_bytes + c->limits.target_bytes) +
                          c->limits.header_count * (sizeof(struct http_field) + 4) + 4096);
    s->field = arena_calloc(&s->arena, c->limits.header_count + 1, sizeof *s->field);
    if (!s->field) {
        stream_free(s);
        return NULL;
    }
    s->id = id;
    s->to_give = -1;
    s->wait_until_ms = TIME_NONE;
    s->req.content_length = -1;
    s->req.field = s->field;
    struct http_stream **at = &c->streams; // in order of arrival, so that nobody is overtaken
    while (*at)
        at = &(*at)->next;
    return *at = s;
}

// But for the chunk that a BODY event out there points into: that lives as long as the stream.
void http_stream_drop_input(struct http_conn *c, struct http_stream *s) {
    h2_drop_input(c, s);
    struct http_chunk *held = s->unconsumed ? s->in_first : NULL;
    chunks_free(held ? held->next : s->in_first);
    if (held) {
        held->next = NULL;
        held->from = held->n;
    }
    s->in_first = s->in_last = held;
}

void http_stream_gone(struct http_conn *c, struct http_stream *s) {
    if (s->gone)
        return;
    s->gone = true;
    s->waiting = false;
    http_stream_drop_input(c, s);
    s->unconsumed = 0;
    http_out_detach(c, s);
    s->out_end = true;
}

// The handler is through with it, and so are output and protocol.
static bool needless(const struct http_conn *c, const struct http_stream *s) {
    bool ours = s->told ? s->done : s->gone || (c->over && !s->ready);
    return ours && (s->gone || (s->out_end && !s->first)) && !s->h2_open && c->h1.cur != s;
}

void http_stream_sweep(struct http_conn *c) {
    struct http_stream **at = &c->streams;
    while (*at) {
        struct http_stream *s = *at;
        if (!needless(c, s)) {
            at = &s->next;
            continue;
        }
        *at = s->next;
        stream_free(s);
    }
    if (c->streams || c->proto != PROTO_H2 || !c->shutdown || c->over)
        return;
    h2_pull(c); // what was said last
    if (c->out_bytes == 0)
        http_conn_over(c, OK, "");
}

void http_conn_over(struct http_conn *c, enum err why, const char *detail) {
    if (why != OK)
        fault_set(&c->fault, why, "%s", detail);
    if (c->over)
        return;
    c->over = true;
    if (c->out_bytes == 0)
        c->linger_until_ms = c->now_ms + c->limits.linger_ms;
    for (struct http_stream *s = c->streams; s; s = s->next) {
        s->h2_open = false;
        // An answer of HTTP/1 that is in the output as a whole still leaves.
        if (c->proto == PROTO_H2 || (!s->done && !(s->out_end && s->in_done)))
            http_stream_gone(c, s);
    }
    c->h1.cur = NULL;
    c->in = (struct slice){NULL, 0};
}

void http_conn_lost(struct http_conn *c) {
    c->lost = c->eof = true;
    http_out_drop(c);
    for (struct http_stream *s = c->streams; s; s = s->next)
        http_stream_gone(c, s);
    http_conn_over(c, OK, "");
}

// --- input

bool http_conn_wants_input(const struct http_conn *c) {
    if (c->eof || c->lost)
        return false;
    if (c->over)
        return !http_conn_closed(c);
    if (c->proto == PROTO_H2)
        return http_out_unsent_own(c) < OWN_BUSY_BYTES; // answers to control frames, not read
    return c->in.n == 0 && !(c->h1.cur && c->h1.cur->unconsumed);
}

// As long as the bytes are those of the preface of HTTP/2, none of HTTP/1 are.
static void tell_protocol(struct http_conn *c, struct slice bytes) {
    static const char preface[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
    size_t i = 0;
    while (c->preface_bytes < PREFACE_BYTES && i < bytes.n &&
           bytes.p[i] == (uint8_t)preface[c->preface_bytes])
        c->preface[c->preface_bytes++] = bytes.p[i++];
    if (c->preface_bytes < PREFACE_BYTES && i == bytes.n)
        return;
    if (c->preface_bytes == PREFACE_BYTES) {
        c->proto = PROTO_H2;
        if (!h2_start(c))
            return;
        h2_feed(c, slice_of(c->preface, PREFACE_BYTES));
        if (!c->over && i < bytes.n)
            h2_feed(c, slice_sub(bytes, i, bytes.n));
        return;
    }
    c->proto = PROTO_H1;
    h1_start(c);
    c->in = slice_sub(bytes, i, bytes.n);
}

void http_conn_feed(struct http_conn *c, struct slice bytes, int64_t now_ms) {
    bug_unless(http_conn_wants_input(c));
    c->now_ms = now_ms;
    if (bytes.n == 0)
        return;
    if (c->over) {
        c->lingered += bytes.n;
        return;
    }
    if (c->proto == PROTO_UNKNOWN)
        tell_protocol(c, bytes);
    else if (c->proto == PROTO_H2)
        h2_feed(c, bytes);
    else
        c->in = bytes;
    http_stream_sweep(c);
}

void http_conn_eof(struct http_conn *c, int64_t now_ms) {
    c->now_ms = now_ms;
    c->eof = true;
    if (c->proto != PROTO_H1)
        http_conn_over(c, OK, "");
}

// --- events

static struct slice take_body(struct http_conn *c, struct http_stream *s) {
    if (c->proto == PROTO_H1)
        return h1_take_body(c, s);
    struct http_chunk *chunk = s->in_first;
    return chunk ? slice_of(chunk->data + chunk->from, chunk->n - chunk->from) : (struct slice){NULL, 0};
}

static bool body_event(struct http_conn *c, struct http_stream *s, struct http_event *ev) {
    if (s->end_told || s->unconsumed || (s->req.has_body && !s->wanted))
        return false;
    struct slice data = take_body(c, s);
    if (data.n) {
        s->unconsumed = data.n;
        http_wait_stop(c, s);
        *ev = (struct http_event){.kind = HTTP_EV_BODY, .stream = s->id, .data = data};
        return true;
    }
    if (s->gone || !s->in_done) {
        http_wait_start(c, s);
        return false;
    }
    http_wait_stop(c, s);
    s->end_told = true;
    *ev = (struct http_event){.kind = HTTP_EV_END, .stream = s->id};
    return true;
}

static bool stream_event(struct http_conn *c, struct http_stream *s, struct http_event *ev) {
    if (!s->ready || s->done || (s->gone && !s->told))
        return false;
    if (!s->told) {
        s->told = true;
        *ev = (struct http_event){.kind = HTTP_EV_REQUEST, .stream = s->id, .request = &s->req};
        return true;
    }
    if (!s->gone && body_event(c, s, ev))
        return true;
    if (!s->gone || s->gone_told)
        return false;
    s->gone_told = true;
    *ev = (struct http_event){.kind = HTTP_EV_GONE, .stream = s->id};
    return true;
}

static bool has_event(const struct http_conn *c, const struct http_stream *s) {
    if (!s->ready || s->done || (s->gone && (!s->told || s->gone_told)))
        return false;
    if (!s->told || s->gone)
        return true;
    if (s->end_told || s->unconsumed || (s->req.has_body && !s->wanted))
        return false;
    return s->in_done || (c->proto == PROTO_H2 && s->in_first);
}

bool http_conn_has_event(const struct http_conn *c) {
    bool all_through = true;
    if (c->proto == PROTO_H1 && h1_can_advance(c))
        return true;
    for (const struct http_stream *s = c->streams; s; s = s->next) {
        if (has_event(c, s))
            return true;
        all_through &= !s->told || s->gone || s->done;
    }
    return c->over && !c->over_told && all_through;
}

bool http_conn_next(struct http_conn *c, struct http_event *ret_event) {
    *ret_event = (struct http_event){.kind = HTTP_EV_NONE};
    if (c->proto == PROTO_H1)
        h1_advance(c);
    for (struct http_stream *s = c->streams; s; s = s->next)
        if (stream_event(c, s, ret_event))
            return true;
    http_stream_sweep(c);
    if (!c->over || c->over_told)
        return false;
    // What went wrong in the last round may have left streams to be told of, and some may not be through.
    for (struct http_stream *s = c->streams; s; s = s->next) {
        if (stream_event(c, s, ret_event))
            return true;
        if (s->told && !s->gone && !s->done)
            return false;
    }
    c->over_told = true;
    ret_event->kind = HTTP_EV_CLOSED;
    return true;
}

// --- the body of a request

void http_body_want(struct http_conn *c, uint32_t stream) {
    struct http_stream *s = http_stream_find(c, stream);
    if (!s || s->wanted)
        return;
    s->wanted = true;
    if (s->expects && !s->responded && !s->in_done) {
        s->expects = false;
        if (c->proto == PROTO_H1)
            h1_want(c, s);
        else
            h2_want(c, s);
    }
}

void http_body_consumed(struct http_conn *c, uint32_t stream, size_t n) {
    struct http_stream *s = http_stream_find(c, stream);
    if (!s)
        return;
    bug_unless(n <= s->unconsumed);
    s->unconsumed -= n;
    if (c->proto == PROTO_H2 && n)
        h2_consumed(c, s, n);
}

// --- answers

static bool field_name_ok(struct slice name) {
    static const char *const ours[] = {"content-length", "transfer-encoding", "connection", "keep-alive",
                                       "upgrade"};
    if (name.n == 0)
        return false;
    for (size_t i = 0; i < name.n; i++)
        if (!memchr("!#$%&'*+-.^_`|~", name.p[i], 15) && !(name.p[i] >= '0' && name.p[i] <= '9') &&
            !((name.p[i] | 32) >= 'a' && (name.p[i] | 32) <= 'z'))
            return false;
    for (size_t i = 0; i < sizeof ours / sizeof *ours; i++)
        if (name.n == strlen(ours[i]) && strncasecmp((const char *)name.p, ours[i], name.n) == 0)
            return false;
    return true;
}

static bool response_ok(const struct http_response *r) {
    if (r->status < 200 || r->status > 599 || r->field_count > HTTP_RESPONSE_FIELDS_MAX)
        return false;
    for (size_t i = 0; i < r->field_count; i++) {
        struct slice v = r->field[i].value;
        for (size_t k = 0; k < v.n; k++)
            if ((v.p[k] < 0x20 && v.p[k] != '\t') || v.p[k] == 0x7F)
                return false;
        if (!field_name_ok(r->field[i].name))
            return false;
    }
    return true;
}

enum err http_respond(struct http_conn *c, uint32_t stream, const struct http_response *r) {
    struct http_stream *s = http_stream_find(c, stream);
    if (!s)
        return ERR_PEER_GONE;
    if (s->responded)
        return ERR_PROTOCOL;
    if (!response_ok(r))
        return ERR_SYNTAX;
    s->bodyless = r->no_body || slice_eq_str(s->req.method, "HEAD") || r->status == 204 || r->status == 304 ||
                  r->length == 0;
    s->to_give = s->bodyless ? 0 : r->length;
    s->out_last = s->bodyless;
    s->responded = true;
    if (c->proto == PROTO_H2)
        return h2_respond(c, s, r);
    h1_respond(c, s, r);
    return OK;
}

static enum err piece_allowed(const struct http_stream *s, size_t n, bool last, bool copied) {
    if (s->to_give >= 0 && ((uint64_t)s->to_give < n || (last && (uint64_t)s->to_give != n)))
        return ERR_MISMATCH;
    if (copied && n > HTTP_COPY_MAX - s->copied)
        return ERR_BUSY;
    return s->pieces < HTTP_PIECES_MAX || n == 0 ? OK : ERR_BUSY;
}

static bool piece_add(struct http_stream *s, struct slice bytes, bool copied) {
    struct http_piece *piece = malloc(sizeof *piece + (copied ? bytes.n : 0));
    if (!piece)
        return false;
    *piece = (struct http_piece){.p = bytes.p, .n = bytes.n, .copied = copied};
    if (copied)
        piece->p = memcpy(piece->copy, bytes.p, bytes.n);
    *(s->last ? &s->last->next : &s->first) = piece;
    s->last = piece;
    s->pieces++;
    s->unframed += bytes.n;
    *(copied ? &s->copied : &s->borrowed) += bytes.n;
    return true;
}

static enum err give(struct http_conn *c, uint32_t stream, struct slice bytes, bool last, bool copied) {
    struct http_stream *s = http_stream_find(c, stream);
    if (!s)
        return ERR_PEER_GONE;
    if (s->bodyless)
        return OK;
    if (!s->responded || s->out_last)
        return ERR_PROTOCOL;
    enum err e = piece_allowed(s, bytes.n, last, copied);
    if (e != OK || (bytes.n == 0 && !last))
        return e;
    if (c->proto == PROTO_H1 && !http_out_has_room(c))
        return ERR_BUSY;
    if (!http_conn_unsent(c))
        c->send_from_ms = c->now_ms;
    if (bytes.n && !piece_add(s, bytes, copied))
        return ERR_NO_MEMORY;
    if (s->to_give > 0)
        s->to_give -= (int64_t)bytes.n;
    s->out_last = last;
    if (c->proto == PROTO_H2)
        h2_resume(c, s);
    else
        h1_give(c, s, bytes.n);
    return OK;
}

enum err http_body_give(struct http_conn *c, uint32_t stream, struct slice borrowed, bool last) {
    return give(c, stream, borrowed, last, false);
}

enum err http_body_copy(struct http_conn *c, uint32_t stream, struct slice bytes, bool last) {
    return give(c, stream, bytes, last, true);
}

size_t http_body_pending(const struct http_conn *c, uint32_t stream) {
    const struct http_stream *s = http_stream_find(c, stream);
    return s ? s->borrowed : 0;
}

bool http_stream_alive(const struct http_conn *c, uint32_t stream) {
    return http_stream_find(c, stream) != NULL;
}

// RFC 9110 6.6.1: who has a clock says when.
void http_error_fields(const struct http_conn *c, struct http_error_fields *ret_fields) {
    const struct http_limits *l = &c->limits;
    size_t n = 0;
    for (; n < l->error_field_count && n < HTTP_RESPONSE_FIELDS_MAX - 1; n++)
        ret_fields->field[n] = l->error_field[n];
    if (l->wall_ms) {
        http_date_format((l->wall_ms + c->now_ms) / 1000, ret_fields->date);
        ret_fields->field[n++] = (struct http_field){SLICE_LIT("date"), slice_str(ret_fields->date)};
    }
    ret_fields->count = n;
}

static void break_off(struct http_conn *c, struct http_stream *s, int status) {
    if (c->proto == PROTO_H2) {
        h2_reset(c, s, status);
        http_stream_gone(c, s);
        return;
    }
    // The one way to say in HTTP/1 that a body is not complete is to close before it is.
    if (!s->responded)
        h1_fail(c, status, ERR_CANCELLED, "an answer was given up");
    else
        http_conn_over(c, ERR_CANCELLED, "an answer was broken off");
    http_stream_gone(c, s);
}

void http_stream_reset(struct http_conn *c, uint32_t stream, enum err why) {
    struct http_stream *s = http_stream_find(c, stream);
    if (!s)
        return;
    break_off(c, s, (int)err_http_status(why));
    s->gone_told = true; // it was the handler's own doing
}

void http_stream_done(struct http_conn *c, uint32_t stream) {
    struct http_stream *s = c->streams;
    while (s && (s->id != stream || s->done))
        s = s->next;
    if (!s)
        return;
    if (!s->gone && (!s->out_last || s->borrowed))
        break_off(c, s, 500);
    s->done = true;
    s->unconsumed = 0;
    s->waiting = false;
    if (!s->gone)
        http_stream_drop_input(c, s);
    http_stream_sweep(c);
}

// --- the end

void http_conn_shutdown(struct http_conn *c, int64_t now_ms) {
    c->now_ms = now_ms;
    c->shutdown = true;
    if (c->proto == PROTO_H2) {
        h2_shutdown(c);
        return;
    }
    if (!c->h1.cur && c->h1.head.n == 0 && c->in.n == 0)
        http_conn_over(c, OK, "");
    c->h1.close = true;
}

bool http_conn_closed(const struct http_conn *c) {
    if (!c->over_told)
        return false;
    if (c->lost)
        return true;
    return c->out_bytes == 0 &&
           (!c->linger || c->eof || c->lingered > LINGER_BYTES_MAX || c->now_ms >= c->linger_until_ms);
}

const struct fault *http_conn_fault(const struct http_conn *c) {
    return &c->fault;
}
