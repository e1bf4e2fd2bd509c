// Time: slow headers, slow bodies, clients that do not read, connections that do nothing.
#include "http/conn_int.h"

// A body that is waited for must come at a rate: each byte buys time, but never more than body_idle_ms of it,
// so that a sender of one byte now and then runs out of it. Time in which we did not read does not count.
void http_wait_start(struct http_conn *c, struct http_stream *s) {
    if (s->waiting || s->in_done || s->gone)
        return;
    s->waiting = true;
    if (s->wait_until_ms == TIME_NONE)
        s->wait_until_ms = c->now_ms + c->limits.body_idle_ms;
    else
        s->wait_until_ms += c->now_ms - s->waited_ms;
}

void http_wait_stop(struct http_conn *c, struct http_stream *s) {
    if (!s->waiting)
        return;
    s->waiting = false;
    s->waited_ms = c->now_ms;
}

void http_wait_arrived(struct http_conn *c, struct http_stream *s, size_t n) {
    if (n == 0 || s->wait_until_ms == TIME_NONE)
        return;
    int64_t now = s->waiting ? c->now_ms : s->waited_ms;
    int64_t most = now + c->limits.body_idle_ms;
    uint32_t rate = c->limits.body_bytes_per_s;
    uint64_t earned = rate ? (uint64_t)n * 1000 / rate + 1 : UINT32_MAX;
    if (earned >= (uint64_t)(most - s->wait_until_ms))
        s->wait_until_ms = most;
    else
        s->wait_until_ms += (int64_t)earned;
}

bool http_conn_unsent(const struct http_conn *c) {
    if (c->out_bytes)
        return true;
    for (const struct http_stream *s = c->streams; s; s = s->next)
        if (s->unframed)
            return true;
    return false;
}

static int64_t earlier(int64_t a, int64_t b) {
    return a < b ? a : b;
}

static bool idle(const struct http_conn *c) {
    return c->streams == NULL && c->header_from_ms == TIME_NONE && c->out_bytes == 0;
}

int64_t http_conn_deadline(const struct http_conn *c) {
    int64_t at = INT64_MAX;
    if (http_conn_closed(c) || http_conn_has_event(c))
        return c->now_ms;
    if (http_conn_unsent(c))
        at = earlier(at, c->send_from_ms + c->limits.send_idle_ms);
    if (c->over)
        return c->out_bytes ? at : earlier(at, c->linger_until_ms);
    if (c->header_from_ms != TIME_NONE)
        at = earlier(at, c->header_from_ms + c->limits.header_ms);
    if (idle(c))
        at = earlier(at, c->idle_from_ms + c->limits.idle_ms);
    for (const struct http_stream *s = c->streams; s; s = s->next)
        if (s->waiting)
            at = earlier(at, s->wait_until_ms);
    return at;
}

static void body_timeouts(struct http_conn *c) {
    for (struct http_stream *s = c->streams; s && !c->over; s = s->next) {
        if (!s->waiting || c->now_ms < s->wait_until_ms)
            continue;
        if (c->proto == PROTO_H1) {
            h1_fail(c, 408, ERR_TIMEOUT, "a body came too slowly");
            return;
        }
        h2_reset(c, s, 408);
    }
}

static void header_timeout(struct http_conn *c) {
    if (c->proto == PROTO_H1)
        h1_fail(c, 408, ERR_TIMEOUT, "a header came too slowly");
    else if (c->proto == PROTO_H2)
        h2_timeout(c, "a header came too slowly");
    else
        http_conn_over(c, ERR_TIMEOUT, "nothing came");
}

void http_conn_tick(struct http_conn *c, int64_t now_ms) {
    c->now_ms = now_ms;
    if (c->lost)
        return;
    if (http_conn_unsent(c) && now_ms >= c->send_from_ms + c->limits.send_idle_ms) {
        fault_set(&c->fault, ERR_TIMEOUT, "the client does not read");
        http_conn_lost(c);
        return;
    }
    if (c->over)
        return;
    if (c->header_from_ms != TIME_NONE && now_ms >= c->header_from_ms + c->limits.header_ms)
        header_timeout(c);
    else if (idle(c) && now_ms >= c->idle_from_ms + c->limits.idle_ms) {
        if (c->proto == PROTO_H2)
            h2_timeout(c, "");
        else
            http_conn_over(c, OK, "");
    }
    body_timeouts(c);
    http_stream_sweep(c);
}
