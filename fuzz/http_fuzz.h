// A server on the HTTP engine for its two targets: handlers of four kinds, memory that is freed as soon as
// the engine says it may be, and a client that takes what it gets.
#ifndef FUZZ_HTTP_FUZZ_H
#define FUZZ_HTTP_FUZZ_H

#include "fuzz.h"

#include "base/buf.h"
#include "http/http.h"

enum { HANDLERS_MAX = 512, BORROWED = 40000 };

struct handler {
    uint32_t stream;
    uint8_t kind; // 0 answers in the end, 1 at once, 2 with borrowed memory, 3 gives up
    uint8_t *borrowed;
    bool ended, gone, done;
    unsigned events;
};

struct fuzz_server {
    struct http_conn *c;
    struct handler handler[HANDLERS_MAX];
    size_t count;
    uint8_t control;
    bool closed;
    int64_t now_ms;
    struct buf out;
    uint32_t sum; // of everything looked at, so that it is
};

static inline void look(struct fuzz_server *s, struct slice bytes) {
    for (size_t i = 0; i < bytes.n; i++)
        s->sum = s->sum * 31 + bytes.p[i];
}

static inline struct handler *handler_of(struct fuzz_server *s, uint32_t stream) {
    for (size_t i = 0; i < s->count; i++)
        if (s->handler[i].stream == stream)
            return &s->handler[i];
    return NULL;
}

static inline void handler_done(struct fuzz_server *s, struct handler *h) {
    if (h->done)
        return;
    h->done = true;
    if (!h->gone && http_body_pending(s->c, h->stream))
        http_stream_reset(s->c, h->stream, ERR_NO_MEMORY);
    free(h->borrowed);
    h->borrowed = NULL;
    http_stream_done(s->c, h->stream);
}

static inline void handler_answer(struct fuzz_server *s, struct handler *h) {
    struct http_field field = {SLICE_LIT("X-A"), SLICE_LIT("b")};
    struct http_response r = {.status = s->control & 4 ? 404 : 200,
                              .field = &field,
                              .field_count = 1,
                              .length = s->control & 8 ? 10 : -1};
    (void)http_respond(s->c, h->stream, &r);
    (void)http_body_copy(s->c, h->stream, SLICE_LIT("01234"), false);
    (void)http_body_copy(s->c, h->stream, SLICE_LIT("56789"), true);
    handler_done(s, h);
}

static inline void handler_lend(struct fuzz_server *s, struct handler *h) {
    struct http_response r = {.status = 200, .length = -1};
    h->borrowed = malloc(BORROWED);
    FUZZ_CHECK(h->borrowed);
    memset(h->borrowed, 'x', BORROWED);
    (void)http_respond(s->c, h->stream, &r);
    (void)http_body_give(s->c, h->stream, slice_of(h->borrowed, 3), false);
    (void)http_body_give(s->c, h->stream, slice_of(h->borrowed + 3, BORROWED - 3), true);
}

static inline void on_request(struct fuzz_server *s, const struct http_event *ev) {
    FUZZ_CHECK(!handler_of(s, ev->stream) && s->count < HANDLERS_MAX);
    struct handler *h = &s->handler[s->count++];
    const struct http_request *r = ev->request;
    *h = (struct handler){.stream = ev->stream, .kind = (s->control + ev->stream / 2) & 3};
    FUZZ_CHECK(r->path.n && (r->path.p[0] == '/' || slice_eq_str(r->path, "*")) && r->method.n);
    look(s, r->method), look(s, r->scheme), look(s, r->authority), look(s, r->path), look(s, r->query);
    for (size_t i = 0; i < r->field_count; i++) {
        look(s, r->field[i].name), look(s, r->field[i].value);
        FUZZ_CHECK(!memchr(r->field[i].value.p, '\n', r->field[i].value.n));
        FUZZ_CHECK(!memchr(r->field[i].value.p, 0, r->field[i].value.n));
    }
    if (h->kind == 1)
        handler_answer(s, h);
    else if (h->kind != 3)
        http_body_want(s->c, h->stream);
}

static inline void on_body(struct fuzz_server *s, struct handler *h, const struct http_event *ev) {
    look(s, ev->data);
    FUZZ_CHECK(ev->data.n && !h->ended && (h->kind == 0 || h->kind == 2));
    size_t half = ev->data.n / 2;
    http_body_consumed(s->c, h->stream, half);
    http_body_consumed(s->c, h->stream, ev->data.n - half);
}

static inline void on_event(struct fuzz_server *s, const struct http_event *ev) {
    struct handler *h = handler_of(s, ev->stream);
    FUZZ_CHECK(!s->closed);
    if (ev->kind == HTTP_EV_REQUEST) {
        on_request(s, ev);
        return;
    }
    if (ev->kind == HTTP_EV_CLOSED) {
        s->closed = true;
        return;
    }
    FUZZ_CHECK(h && !h->done && !h->gone);
    if (ev->kind == HTTP_EV_BODY) {
        on_body(s, h, ev);
    } else if (ev->kind == HTTP_EV_END) {
        h->ended = true;
        if (h->kind == 0)
            handler_answer(s, h);
        else if (h->kind == 2)
            handler_lend(s, h);
    } else {
        h->gone = true;
        FUZZ_CHECK(ev->kind == HTTP_EV_GONE && http_body_pending(s->c, h->stream) == 0);
        handler_done(s, h);
    }
}

// Those that have their answer out, or never will.
static inline void handlers_go_on(struct fuzz_server *s) {
    for (size_t i = 0; i < s->count; i++) {
        struct handler *h = &s->handler[i];
        if (!h->done && h->kind == 2 && h->borrowed && http_body_pending(s->c, h->stream) == 0) {
            free(h->borrowed); // from here on nobody may look at it
            h->borrowed = NULL;
            handler_done(s, h);
        }
        if (!h->done && h->kind == 3 && ++h->events > 3)
            handler_done(s, h);
    }
}

static inline void pull_events(struct fuzz_server *s) {
    struct http_event ev;
    do {
        while (http_conn_next(s->c, &ev))
            on_event(s, &ev);
        handlers_go_on(s);
    } while (!http_conn_closed(s->c) && http_conn_deadline(s->c) <= s->now_ms);
}

static inline void send_all(struct fuzz_server *s, size_t step) {
    struct iovec v[7];
    int n;
    while ((n = http_conn_output(s->c, v, 7)) > 0) {
        size_t sent = 0;
        for (int i = 0; i < n && sent < step; i++) {
            size_t run = v[i].iov_len < step - sent ? v[i].iov_len : step - sent;
            buf_append(&s->out, v[i].iov_base, run);
            sent += run;
        }
        http_conn_sent(s->c, sent, s->now_ms);
        pull_events(s);
    }
}

static inline void server_start(struct fuzz_server *s, const struct http_limits *limits, uint8_t control) {
    *s = (struct fuzz_server){.control = control, .out = BUF_INIT(1 << 28)};
    s->c = http_conn_new(limits, 0);
    FUZZ_CHECK(s->c);
}

// Does any handler have something yet to do that does not depend on what comes in?
static inline bool handlers_busy(const struct fuzz_server *s) {
    for (size_t i = 0; i < s->count; i++)
        if (!s->handler[i].done && (s->handler[i].kind == 3 || s->handler[i].borrowed))
            return true;
    return false;
}

static inline void server_take(struct fuzz_server *s, struct slice in, size_t step, size_t send_step) {
    while (in.n && http_conn_wants_input(s->c) && s->count < HANDLERS_MAX / 2) {
        struct slice part = slice_sub(in, 0, step);
        uint8_t *exact = malloc(part.n);
        FUZZ_CHECK(exact);
        memcpy(exact, part.p, part.n);
        http_conn_feed(s->c, slice_of(exact, part.n), s->now_ms);
        do { // a pipeline waits for its answers to leave
            pull_events(s);
            send_all(s, send_step);
        } while (!http_conn_wants_input(s->c) && !http_conn_closed(s->c) && s->count < HANDLERS_MAX / 2 &&
                 handlers_busy(s));
        in = slice_sub(in, part.n, in.n);
        if (http_conn_wants_input(s->c) || http_conn_closed(s->c)) {
            free(exact);
            continue;
        }
        http_conn_lost(s->c); // before its bytes go
        pull_events(s);
        free(exact);
    }
}

static inline void server_end(struct fuzz_server *s) {
    for (int i = 0; i < 20 && handlers_busy(s); i++) {
        pull_events(s);
        send_all(s, SIZE_MAX);
    }
    int64_t at = http_conn_deadline(s->c);
    for (int i = 0; i < 1000 && at != INT64_MAX && !http_conn_closed(s->c); i++) {
        s->now_ms = at > s->now_ms ? at : s->now_ms + 1;
        http_conn_tick(s->c, s->now_ms);
        pull_events(s);
        send_all(s, SIZE_MAX);
        at = http_conn_deadline(s->c);
    }
    pull_events(s);
    FUZZ_CHECK(http_conn_closed(s->c) && s->closed);
    for (size_t i = 0; i < s->count; i++)
        FUZZ_CHECK(s->handler[i].done);
    http_conn_free(s->c);
    buf_fini(&s->out);
}

#endif
