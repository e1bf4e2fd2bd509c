// HTTP/2 out: answers into frames, DATA frames by reference.
#include "http/h2_int.h"

#include <stdio.h>

enum { FRAME_PIECES_MAX = 16 };

// How much of the answer goes into the next frame: not more pieces than there are segments kept free for.
static size_t frame_bytes(const struct http_stream *s, size_t most) {
    size_t n = 0, pieces = 0;
    for (const struct http_piece *p = s->first; p && n < most && pieces < FRAME_PIECES_MAX; p = p->next) {
        n += p->n - p->framed;
        pieces += p->n > p->framed;
    }
    return n < most ? n : most;
}

static ssize_t on_read(nghttp2_session *session, int32_t id, uint8_t *buffer, size_t length, uint32_t *flags,
                       nghttp2_data_source *source, void *user) {
    (void)buffer, (void)source, (void)user;
    struct http_stream *s = nghttp2_session_get_stream_user_data(session, id);
    if (!s)
        return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
    size_t n = frame_bytes(s, length);
    if (n == 0 && !s->out_last)
        return NGHTTP2_ERR_DEFERRED;
    if (s->out_last && n == s->unframed)
        *flags |= NGHTTP2_DATA_FLAG_EOF;
    if (n)
        *flags |= NGHTTP2_DATA_FLAG_NO_COPY;
    return (ssize_t)n;
}

int h2_on_send_data(nghttp2_session *session, nghttp2_frame *frame, const uint8_t *head, size_t n,
                    nghttp2_data_source *source, void *user) {
    (void)source;
    struct http_conn *c = user;
    struct http_stream *s = nghttp2_session_get_stream_user_data(session, frame->hd.stream_id);
    if (!s || s->unframed < n)
        return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
    if (!http_out_has_room(c) || c->out_bytes > OUT_HIGH_BYTES)
        return NGHTTP2_ERR_WOULDBLOCK;
    http_out_own(c, head, 9); // never padded: we set no callback for that
    http_out_pieces(c, s, n);
    return 0;
}

int h2_on_frame_sent(nghttp2_session *session, const nghttp2_frame *frame, void *user) {
    struct http_conn *c = user;
    if (frame->hd.type == NGHTTP2_GOAWAY && frame->goaway.error_code != NGHTTP2_NO_ERROR)
        c->h2->failed = true;
    if (frame->hd.type == NGHTTP2_DATA && c->h2->credit < H2_CREDIT_MAX)
        c->h2->credit += H2_EARNED;
    if (frame->hd.type != NGHTTP2_DATA && frame->hd.type != NGHTTP2_HEADERS)
        return 0;
    if (!(frame->hd.flags & NGHTTP2_FLAG_END_STREAM))
        return 0;
    struct http_stream *s = nghttp2_session_get_stream_user_data(session, frame->hd.stream_id);
    if (s)
        s->out_end = true;
    // RFC 9113 8.1: an answer that came before the whole request asks for the rest not to be sent.
    if (nghttp2_session_get_stream_remote_close(session, frame->hd.stream_id) == 0)
        return nghttp2_submit_rst_stream(session, NGHTTP2_FLAG_NONE, frame->hd.stream_id, NGHTTP2_NO_ERROR);
    return 0;
}

// --- answers

static nghttp2_nv pair(struct slice name, struct slice value) {
    union {
        const uint8_t *in;
        uint8_t *out;
    } n = {name.p}, v = {value.p}; // nghttp2 copies them; it only has no const
    return (nghttp2_nv){n.out, v.out, name.n, value.n, NGHTTP2_NV_FLAG_NONE};
}

static int submit(struct http_conn *c, struct http_stream *s, int status, const struct http_field *field,
                  size_t count, int64_t length) {
    nghttp2_nv nv[HTTP_RESPONSE_FIELDS_MAX + 2];
    char code[12], number[24];
    size_t n = 0;
    snprintf(code, sizeof code, "%d", status);
    snprintf(number, sizeof number, "%lld", (long long)length);
    nv[n++] = pair(SLICE_LIT(":status"), slice_str(code));
    for (size_t i = 0; i < count && i < HTTP_RESPONSE_FIELDS_MAX; i++)
        nv[n++] = pair(field[i].name, field[i].value);
    if (length >= 0 && status != 204)
        nv[n++] = pair(SLICE_LIT("content-length"), slice_str(number));
    nghttp2_data_provider provider = {.read_callback = on_read};
    return nghttp2_submit_response(c->h2->session, (int32_t)s->id, nv, n, s->bodyless ? NULL : &provider);
}

enum err h2_respond(struct http_conn *c, struct http_stream *s, const struct http_response *r) {
    bool head = slice_eq_str(s->req.method, "HEAD");
    int64_t length = r->status == 304 ? -1 : s->bodyless && !head ? 0 : r->length;
    if (submit(c, s, r->status, r->field, r->field_count, length) == 0)
        return OK;
    h2_reset(c, s, 503);
    return ERR_NO_MEMORY;
}

void h2_refuse(struct http_conn *c, struct http_stream *s, int status) {
    struct http_error_fields fields;
    http_error_fields(c, &fields);
    s->bodyless = true;
    if (submit(c, s, status, fields.field, fields.count, 0) != 0)
        (void)nghttp2_submit_rst_stream(c->h2->session, NGHTTP2_FLAG_NONE, (int32_t)s->id,
                                        NGHTTP2_INTERNAL_ERROR);
    http_stream_gone(c, s);
    h2_forget(c, s);
}

void h2_want(struct http_conn *c, struct http_stream *s) {
    nghttp2_nv nv = pair(SLICE_LIT(":status"), SLICE_LIT("100"));
    (void)nghttp2_submit_headers(c->h2->session, NGHTTP2_FLAG_NONE, (int32_t)s->id, NULL, &nv, 1, NULL);
}

void h2_resume(struct http_conn *c, struct http_stream *s) {
    (void)nghttp2_session_resume_data(c->h2->session, (int32_t)s->id);
}

void h2_reset(struct http_conn *c, struct http_stream *s, int status) {
    if (!s->h2_open || c->over)
        return;
    if (!s->responded) {
        h2_refuse(c, s, status);
        return;
    }
    (void)nghttp2_submit_rst_stream(c->h2->session, NGHTTP2_FLAG_NONE, (int32_t)s->id,
                                    NGHTTP2_INTERNAL_ERROR);
    http_stream_gone(c, s);
    h2_forget(c, s);
}

// --- the output

// So far ahead that a socket is kept busy, and not farther: what is in frames cannot be overtaken.
void h2_pull(struct http_conn *c) {
    while (!c->over && c->out_bytes <= OUT_HIGH_BYTES && http_out_has_room(c)) {
        const uint8_t *p = NULL;
        ssize_t n = nghttp2_session_mem_send(c->h2->session, &p);
        if (n > 0)
            http_out_own(c, p, (size_t)n);
        if (n < 0)
            http_conn_lost(c);
        if (n <= 0)
            break;
    }
    if (c->over || nghttp2_session_want_read(c->h2->session) || nghttp2_session_want_write(c->h2->session))
        return;
    c->linger = c->h2->failed;
    http_conn_over(c, c->h2->failed ? ERR_PROTOCOL : OK,
                   c->h2->failed ? "HTTP/2: the protocol was broken" : "");
}
