// A handler that tells back what it was asked, and what it sent: for tests of both protocols.
#ifndef HTTP_TEST_H
#define HTTP_TEST_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "base/buf.h"
#include "http/http.h"

struct told { // of one request
    uint32_t stream;
    char path[64];
    struct buf body;
    bool ended, gone;
};

struct server {
    struct http_conn *c;
    int64_t now;
    struct told told[256];
    size_t count, gone, ended;
    bool closed;
    bool passive;      // does not answer
    bool early;        // answers before the body
    bool unknown;      // the length of the answer
    bool no_consume;   // leaves bodies where they are
    bool keeps;        // is slow to notice that a client is gone
    const char *text;  // of the answer; NULL: method, path and body
    struct buf out;    // what the client would see
    struct slice held; // the last body bytes not consumed
};

static inline struct told *told_of(struct server *s, uint32_t stream) {
    for (size_t i = 0; i < s->count; i++)
        if (s->told[i].stream == stream)
            return &s->told[i];
    fail_msg("no stream %u", stream);
    return NULL;
}

static inline void server_answer(struct server *s, struct told *t, const struct http_request *r) {
    struct buf text = BUF_INIT(1 << 20);
    if (s->text)
        buf_append_str(&text, s->text);
    else
        buf_printf(&text, "%s %.*s", r ? "early" : t->path, SLICE_FMT(buf_slice(&t->body)));
    struct http_field field = {SLICE_LIT("X-Test"), SLICE_LIT("1")};
    struct http_response response = {.status = 200, .field = &field, .field_count = 1,
                                     .length = s->unknown ? -1 : (int64_t)text.n};
    assert_int_equal(http_respond(s->c, t->stream, &response), OK);
    assert_int_equal(http_body_copy(s->c, t->stream, buf_slice(&text), true), OK);
    buf_fini(&text);
    http_stream_done(s->c, t->stream);
}

static inline void server_event(struct server *s, const struct http_event *ev) {
    struct told *t = NULL;
    switch (ev->kind) {
    case HTTP_EV_REQUEST:
        assert_true(s->count < 256);
        t = &s->told[s->count++];
        t->stream = ev->stream;
        t->body = BUF_INIT(1 << 24);
        snprintf(t->path, sizeof t->path, "%.*s %.*s%s%.*s", SLICE_FMT(ev->request->method),
                 SLICE_FMT(ev->request->path), ev->request->query.p ? "?" : "",
                 SLICE_FMT(ev->request->query));
        if (s->early)
            server_answer(s, t, ev->request);
        else if (!s->passive)
            http_body_want(s->c, ev->stream);
        break;
    case HTTP_EV_BODY:
        assert_true(ev->data.n > 0);
        buf_append_slice(&told_of(s, ev->stream)->body, ev->data);
        s->held = ev->data;
        if (!s->no_consume)
            http_body_consumed(s->c, ev->stream, ev->data.n);
        break;
    case HTTP_EV_END:
        t = told_of(s, ev->stream);
        t->ended = true;
        s->ended++;
        if (!s->passive)
            server_answer(s, t, NULL);
        break;
    case HTTP_EV_GONE:
        told_of(s, ev->stream)->gone = true;
        s->gone++;
        if (!s->keeps)
            http_stream_done(s->c, ev->stream);
        break;
    case HTTP_EV_CLOSED:
        assert_false(s->closed);
        s->closed = true;
        break;
    case HTTP_EV_NONE:
        fail_msg("an event that is none");
    }
}

static inline void server_events(struct server *s) {
    struct http_event ev;
    while (http_conn_next(s->c, &ev))
        server_event(s, &ev);
}

// Sends all there is, `step` bytes at a time.
static inline void server_flush(struct server *s, size_t step) {
    struct iovec v[16];
    int n;
    while ((n = http_conn_output(s->c, v, 16)) > 0) {
        size_t sent = 0;
        for (int i = 0; i < n && sent < step; i++) {
            size_t run = v[i].iov_len < step - sent ? v[i].iov_len : step - sent;
            buf_append(&s->out, v[i].iov_base, run);
            sent += run;
        }
        http_conn_sent(s->c, sent, s->now);
        server_events(s);
    }
}

static inline void server_init(struct server *s, const struct http_limits *limits) {
    *s = (struct server){.now = 1000, .out = BUF_INIT(1 << 26)};
    s->c = http_conn_new(limits ? limits : &http_limits_default, s->now);
    assert_non_null(s->c);
}

static inline void server_fini(struct server *s) {
    for (size_t i = 0; i < s->count; i++)
        buf_fini(&s->told[i].body);
    buf_fini(&s->out);
    http_conn_free(s->c);
}

// Feeds in pieces of `step` bytes, each in a block of exactly its size.
static inline void server_feed(struct server *s, struct slice in, size_t step) {
    while (in.n && http_conn_wants_input(s->c)) {
        size_t n = in.n < step ? in.n : step;
        uint8_t *exact = malloc(n);
        assert_non_null(exact);
        memcpy(exact, in.p, n);
        http_conn_feed(s->c, slice_of(exact, n), s->now);
        server_events(s);
        server_flush(s, SIZE_MAX);
        in = slice_sub(in, n, in.n);
        free(exact);
    }
}

static inline void assert_out(struct server *s, const char *expected) {
    buf_u8(&s->out, 0);
    assert_true(buf_ok(&s->out));
    assert_string_equal((const char *)s->out.p, expected);
    buf_reset(&s->out);
}

#endif
