// What is waiting to be sent: segments, in order, of the engine's own bytes and of the pieces of answers.
#include "http/conn_int.h"

#include <stdlib.h>

size_t http_out_unsent_own(const struct http_conn *c) {
    return c->own.n - c->own_at;
}

bool http_out_has_room(const struct http_conn *c) {
    return c->seg_count + SEGMENTS_SPARE < SEGMENTS_MAX;
}

static struct http_segment *segment_at(struct http_conn *c, size_t i) {
    return &c->segment[(c->seg_first + i) % SEGMENTS_MAX];
}

struct http_segment *http_out_push(struct http_conn *c, const uint8_t *p, size_t n, struct http_stream *s) {
    bug_unless(c->seg_count < SEGMENTS_MAX);
    if (c->out_bytes == 0)
        c->send_from_ms = c->now_ms;
    struct http_segment *seg = segment_at(c, c->seg_count++);
    *seg = (struct http_segment){p, n, s, NULL};
    c->out_bytes += n;
    return seg;
}

void http_out_own(struct http_conn *c, const void *p, size_t n) {
    if (n == 0 || c->lost)
        return;
    buf_append(&c->own, p, n);
    if (!buf_ok(&c->own)) { // more than a client that does not read is worth
        fault_set(&c->fault, ERR_LIMIT, "answers that are not read");
        http_conn_lost(c);
        return;
    }
    struct http_segment *last = c->seg_count ? segment_at(c, c->seg_count - 1) : NULL;
    if (last && !last->p) {
        last->n += n;
        c->out_bytes += n;
    } else {
        http_out_push(c, NULL, n, NULL);
    }
}

void http_out_pieces(struct http_conn *c, struct http_stream *s, size_t n) {
    struct http_piece *piece = s->first;
    while (n && !c->lost) { // lost: in between, for want of memory
        while (piece->framed == piece->n)
            piece = piece->next;
        size_t run = piece->n - piece->framed < n ? piece->n - piece->framed : n;
        http_out_push(c, piece->p + piece->framed, run, s);
        piece->framed += run;
        s->unframed -= run;
        n -= run;
    }
}

static void piece_sent(struct http_stream *s, size_t n) {
    while (n) {
        struct http_piece *piece = s->first;
        size_t run = piece->n - piece->sent < n ? piece->n - piece->sent : n;
        piece->sent += run;
        *(piece->copied ? &s->copied : &s->borrowed) -= run;
        n -= run;
        if (piece->sent < piece->n)
            break;
        s->first = piece->next;
        if (!s->first)
            s->last = NULL;
        s->pieces--;
        free(piece);
    }
}

void http_pieces_free(struct http_stream *s) {
    while (s->first) {
        struct http_piece *piece = s->first;
        s->first = piece->next;
        free(piece);
    }
    s->last = NULL;
    s->pieces = s->borrowed = s->copied = s->unframed = 0;
}

static void segment_pop(struct http_conn *c) {
    free(segment_at(c, 0)->release);
    c->seg_first = (c->seg_first + 1) % SEGMENTS_MAX;
    c->seg_count--;
}

void http_out_drop(struct http_conn *c) {
    while (c->seg_count)
        segment_pop(c);
    c->out_bytes = 0;
    buf_reset(&c->own);
    c->own_at = 0;
}

static size_t framed_bytes(struct http_conn *c, const struct http_stream *s) {
    size_t n = 0;
    for (size_t i = 0; i < c->seg_count; i++)
        if (segment_at(c, i)->stream == s)
            n += segment_at(c, i)->n;
    return n;
}

// What was begun of the answer in HTTP/1 ends here; it is the last one there is.
static void truncate_output(struct http_conn *c, const struct http_stream *s) {
    size_t i = 0, own = 0, bytes = 0;
    while (i < c->seg_count && segment_at(c, i)->stream != s)
        i++;
    for (size_t k = i; k < c->seg_count; k++) {
        own += segment_at(c, k)->p ? 0 : segment_at(c, k)->n;
        bytes += segment_at(c, k)->n;
    }
    c->seg_count = i;
    c->own.n -= own;
    c->out_bytes -= bytes;
}

// Frames that were begun must go out whole, or the other streams of the connection would suffer: the rest
// of them is copied, at most OUT_HIGH_BYTES and a frame.
void http_out_detach(struct http_conn *c, struct http_stream *s) {
    if (c->proto != PROTO_H2 && (!s->out_end || framed_bytes(c, s) > OUT_HIGH_BYTES)) {
        truncate_output(c, s);
        http_pieces_free(s);
        return;
    }
    size_t n = framed_bytes(c, s);
    uint8_t *copy = n ? malloc(n) : NULL;
    if (n && !copy) {
        fault_set(&c->fault, ERR_NO_MEMORY, "the rest of an answer");
        http_conn_lost(c);
        return;
    }
    size_t at = 0;
    struct http_segment *last = NULL;
    for (size_t i = 0; i < c->seg_count; i++) {
        struct http_segment *seg = segment_at(c, i);
        if (seg->stream != s)
            continue;
        memcpy(copy + at, seg->p, seg->n);
        seg->p = copy + at;
        seg->stream = NULL;
        at += seg->n;
        last = seg;
    }
    if (last)
        last->release = copy;
    http_pieces_free(s);
}

int http_conn_output(struct http_conn *c, struct iovec *ret_iov, int max) {
    if (c->proto == PROTO_H2)
        h2_pull(c);
    const uint8_t *own = c->own.p ? c->own.p + c->own_at : NULL;
    int count = 0;
    for (size_t i = 0; i < c->seg_count && count < max; i++) {
        const struct http_segment *seg = segment_at(c, i);
        union {
            const uint8_t *in;
            void *out;
        } base = {seg->p ? seg->p : own}; // an iovec has no const, but what it is for does not write
        if (!seg->p)
            own += seg->n;
        ret_iov[count++] = (struct iovec){base.out, seg->n};
    }
    return count;
}

static void own_sent(struct http_conn *c, size_t n) {
    c->own_at += n;
    if (c->own_at == c->own.n) {
        buf_reset(&c->own);
        c->own_at = 0;
    } else if (c->own_at > OWN_BUSY_BYTES) {
        buf_consume(&c->own, c->own_at);
        c->own_at = 0;
    }
}

void http_conn_sent(struct http_conn *c, size_t n, int64_t now_ms) {
    c->now_ms = now_ms;
    bug_unless(n <= c->out_bytes);
    if (n)
        c->send_from_ms = now_ms;
    c->out_bytes -= n;
    while (n) {
        struct http_segment *seg = segment_at(c, 0);
        size_t run = seg->n < n ? seg->n : n;
        if (!seg->p)
            own_sent(c, run);
        else if (seg->stream)
            piece_sent(seg->stream, run);
        if (seg->p)
            seg->p += run;
        seg->n -= run;
        n -= run;
        if (seg->n == 0)
            segment_pop(c);
    }
    if (c->out_bytes == 0 && c->over && c->linger_until_ms == TIME_NONE)
        c->linger_until_ms = now_ms + c->limits.linger_ms;
    http_stream_sweep(c);
}
