// HTTP/2 in: nghttp2 knows the protocol; here are the limits, and what becomes of requests and bodies.
#include "http/h2_int.h"

#include <stdlib.h>

static struct http_stream *stream_of(nghttp2_session *session, int32_t id) {
    return nghttp2_session_get_stream_user_data(session, id);
}

// --- patience

bool h2_pay(struct http_conn *c, int64_t cost) {
    struct http_h2 *h = c->h2;
    h->credit += (c->now_ms - h->credit_ms) * H2_CREDIT_PER_S / 1000;
    if (h->credit >= H2_CREDIT_MAX || (c->now_ms - h->credit_ms) * H2_CREDIT_PER_S >= 1000)
        h->credit_ms = c->now_ms;
    if (h->credit > H2_CREDIT_MAX)
        h->credit = H2_CREDIT_MAX;
    h->credit -= cost;
    if (h->credit < 0)
        h->flood = true;
    return !h->flood;
}

static int64_t frame_cost(const nghttp2_frame_hd *hd) {
    switch (hd->type) {
    case NGHTTP2_HEADERS:
        return 0; // what they begin is counted
    case NGHTTP2_DATA:
        return hd->length || (hd->flags & NGHTTP2_FLAG_END_STREAM) ? 0 : H2_COST_EMPTY;
    case NGHTTP2_RST_STREAM:
        return H2_COST_RESET;
    case NGHTTP2_SETTINGS:
        return hd->flags & NGHTTP2_FLAG_ACK ? H2_COST_CHEAP : H2_COST_SETTINGS;
    case NGHTTP2_PING:
        return H2_COST_PING;
    case NGHTTP2_CONTINUATION:
        return H2_COST_CONTINUATION;
    default:
        return H2_COST_CHEAP;
    }
}

static int on_begin_frame(nghttp2_session *session, const nghttp2_frame_hd *hd, void *user) {
    (void)session;
    return h2_pay(user, frame_cost(hd)) ? 0 : NGHTTP2_ERR_CALLBACK_FAILURE;
}

// --- headers

// Handlers may be busy with requests that the client has given up: those count as well.
static bool too_many(const struct http_conn *c) {
    size_t n = 0, busy = 0;
    for (const struct http_stream *s = c->streams; s; s = s->next) {
        n++;
        busy += !s->done && !(s->gone && !s->told);
    }
    return busy >= c->limits.streams || n >= 2 * (size_t)c->limits.streams;
}

static int on_begin_headers(nghttp2_session *session, const nghttp2_frame *frame, void *user) {
    struct http_conn *c = user;
    c->header_from_ms = c->now_ms;
    if (frame->headers.cat != NGHTTP2_HCAT_REQUEST)
        return 0;
    int32_t id = frame->hd.stream_id;
    if (c->shutdown || too_many(c)) {
        h2_pay(c, H2_COST_REFUSED);
        return nghttp2_submit_rst_stream(session, NGHTTP2_FLAG_NONE, id, NGHTTP2_REFUSED_STREAM);
    }
    struct http_stream *s = http_stream_add(c, (uint32_t)id);
    if (!s)
        return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
    s->req.version = HTTP_2;
    s->h2_open = true;
    return nghttp2_session_set_stream_user_data(session, id, s);
}

static int pseudo(struct http_conn *c, struct http_stream *s, struct slice name, struct slice value) {
    s->header_bytes += name.n + value.n + 32;
    if (s->header_bytes > c->limits.header_bytes + c->limits.target_bytes)
        return 431;
    if (slice_eq_str(name, ":path"))
        return http_request_target(c, s, value);
    struct slice *to = slice_eq_str(name, ":method")      ? &s->req.method
                       : slice_eq_str(name, ":scheme")    ? &s->req.scheme
                       : slice_eq_str(name, ":authority") ? &s->req.authority
                                                          : NULL;
    if (!to)
        return 400;
    return arena_dup(&s->arena, value, to) ? 0 : 431;
}

// A block that is decompressed for us to throw away is worth that only up to a point.
static bool bomb(struct http_conn *c, struct http_stream *s, size_t n) {
    s->wasted_bytes += n;
    if (s->wasted_bytes > 4 * c->limits.header_bytes)
        c->h2->flood = true;
    return c->h2->flood;
}

static int on_header(nghttp2_session *session, const nghttp2_frame *frame, const uint8_t *name, size_t name_n,
                     const uint8_t *value, size_t value_n, uint8_t flags, void *user) {
    (void)flags;
    struct http_conn *c = user;
    struct http_stream *s = stream_of(session, frame->hd.stream_id);
    if (!s || frame->headers.cat != NGHTTP2_HCAT_REQUEST) // trailers: nobody asks for them
        return 0;
    if (s->refuse)
        return bomb(c, s, name_n + value_n + 32) ? NGHTTP2_ERR_CALLBACK_FAILURE : 0;
    struct slice key = slice_of(name, name_n), text = slice_of(value, value_n);
    s->refuse = name_n && name[0] == ':' ? pseudo(c, s, key, text) : http_request_field(c, s, key, text);
    return 0;
}

static void request_complete(struct http_conn *c, struct http_stream *s, bool ended) {
    if (!s->refuse && slice_eq_str(s->req.method, "CONNECT"))
        s->refuse = 501;
    if (!s->refuse)
        s->refuse = s->req.path.p ? http_request_finish(s) : 400;
    s->req.has_body = !ended;
    s->in_done = ended;
    if (s->refuse)
        h2_refuse(c, s, s->refuse);
    else
        s->ready = true;
}

static int on_frame(nghttp2_session *session, const nghttp2_frame *frame, void *user) {
    struct http_conn *c = user;
    struct http_stream *s = stream_of(session, frame->hd.stream_id);
    bool ended = frame->hd.flags & NGHTTP2_FLAG_END_STREAM;
    if (frame->hd.type == NGHTTP2_SETTINGS || frame->hd.type == NGHTTP2_HEADERS)
        c->header_from_ms = TIME_NONE;
    if (frame->hd.type == NGHTTP2_HEADERS && s && !s->ready)
        request_complete(c, s, ended);
    else if ((frame->hd.type == NGHTTP2_DATA || frame->hd.type == NGHTTP2_HEADERS) && s && ended)
        s->in_done = true;
    return 0;
}

// --- bodies

static bool chunk_append(struct http_stream *s, const uint8_t *p, size_t n) {
    while (n) {
        struct http_chunk *chunk = s->in_last;
        if (!chunk || chunk->n == IN_CHUNK_BYTES) {
            chunk = malloc(sizeof *chunk);
            if (!chunk)
                return false;
            chunk->next = NULL;
            chunk->from = chunk->n = 0;
            *(s->in_last ? &s->in_last->next : &s->in_first) = chunk;
            s->in_last = chunk;
        }
        size_t run = IN_CHUNK_BYTES - chunk->n < n ? IN_CHUNK_BYTES - chunk->n : n;
        memcpy(chunk->data + chunk->n, p, run);
        chunk->n += run;
        p += run;
        n -= run;
    }
    return true;
}

static int on_data(nghttp2_session *session, uint8_t flags, int32_t id, const uint8_t *p, size_t n,
                   void *user) {
    (void)flags;
    struct http_conn *c = user;
    struct http_stream *s = stream_of(session, id);
    if (!s || s->gone || s->done) // nobody wants it, but the connection goes on
        return nghttp2_session_consume_connection(session, n);
    http_wait_arrived(c, s, n);
    return chunk_append(s, p, n) ? 0 : NGHTTP2_ERR_NOMEM;
}

void h2_consumed(struct http_conn *c, struct http_stream *s, size_t n) {
    struct http_chunk *chunk = s->in_first;
    if (!chunk || c->over)
        return;
    chunk->from += n;
    if (chunk->from == chunk->n) {
        s->in_first = chunk->next;
        if (!s->in_first)
            s->in_last = NULL;
        free(chunk);
    }
    (void)nghttp2_session_consume(c->h2->session, (int32_t)s->id, n);
}

// What was not consumed still holds the window of the connection.
void h2_drop_input(struct http_conn *c, struct http_stream *s) {
    size_t n = 0;
    for (const struct http_chunk *chunk = s->in_first; chunk; chunk = chunk->next)
        n += chunk->n - chunk->from;
    if (n && c->h2 && !c->over)
        (void)nghttp2_session_consume_connection(c->h2->session, n);
}

// --- ends

void h2_forget(struct http_conn *c, struct http_stream *s) {
    if (s->h2_open)
        (void)nghttp2_session_set_stream_user_data(c->h2->session, (int32_t)s->id, NULL);
    s->h2_open = false;
}

static int on_close(nghttp2_session *session, int32_t id, uint32_t code, void *user) {
    (void)code;
    struct http_conn *c = user;
    struct http_stream *s = stream_of(session, id);
    c->idle_from_ms = c->now_ms;
    if (!s)
        return 0;
    s->h2_open = false;
    if (!s->out_end || !s->in_done)
        http_stream_gone(c, s);
    return 0;
}

void h2_end(struct http_conn *c, uint32_t code, enum err why, const char *detail) {
    if (c->over)
        return;
    if (why != OK) // before nghttp2 has its say
        fault_set(&c->fault, why, "%s", detail);
    (void)nghttp2_session_terminate_session(c->h2->session, code);
    h2_pull(c);
    c->linger = code != NGHTTP2_NO_ERROR;
    http_conn_over(c, why, detail);
}

void h2_timeout(struct http_conn *c, const char *detail) {
    h2_end(c, NGHTTP2_NO_ERROR, detail[0] ? ERR_TIMEOUT : OK, detail);
}

void h2_shutdown(struct http_conn *c) {
    if (c->over)
        return;
    nghttp2_session *session = c->h2->session;
    (void)nghttp2_submit_goaway(session, NGHTTP2_FLAG_NONE, nghttp2_session_get_last_proc_stream_id(session),
                                NGHTTP2_NO_ERROR, NULL, 0);
    h2_pull(c);
    http_stream_sweep(c);
}

// --- the session

static nghttp2_session_callbacks *callbacks_new(void) {
    nghttp2_session_callbacks *k = NULL;
    if (nghttp2_session_callbacks_new(&k) != 0)
        return NULL;
    nghttp2_session_callbacks_set_on_begin_frame_callback(k, on_begin_frame);
    nghttp2_session_callbacks_set_on_begin_headers_callback(k, on_begin_headers);
    nghttp2_session_callbacks_set_on_header_callback(k, on_header);
    nghttp2_session_callbacks_set_on_frame_recv_callback(k, on_frame);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(k, on_data);
    nghttp2_session_callbacks_set_on_stream_close_callback(k, on_close);
    nghttp2_session_callbacks_set_send_data_callback(k, h2_on_send_data);
    nghttp2_session_callbacks_set_on_frame_send_callback(k, h2_on_frame_sent);
    return k;
}

static nghttp2_session *session_new(struct http_conn *c) {
    nghttp2_session *session = NULL;
    nghttp2_option *option = NULL;
    nghttp2_session_callbacks *k = callbacks_new();
    if (k && nghttp2_option_new(&option) == 0) {
        nghttp2_option_set_no_auto_window_update(option, 1);
        nghttp2_option_set_no_closed_streams(option, 1);
        if (nghttp2_session_server_new2(&session, k, c, option) != 0)
            session = NULL;
    }
    nghttp2_option_del(option);
    nghttp2_session_callbacks_del(k);
    return session;
}

static bool greet(struct http_conn *c) {
    nghttp2_session *session = c->h2->session;
    const nghttp2_settings_entry settings[] = {
        {NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, c->limits.streams},
        {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, c->limits.stream_window},
        {NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, (uint32_t)c->limits.header_bytes},
        {NGHTTP2_SETTINGS_NO_RFC7540_PRIORITIES, 1}, // the old scheme is a tree for clients to play with
    };
    return nghttp2_submit_settings(session, NGHTTP2_FLAG_NONE, settings,
                                   sizeof settings / sizeof *settings) == 0 &&
           nghttp2_session_set_local_window_size(session, NGHTTP2_FLAG_NONE, 0,
                                                 (int32_t)c->limits.conn_window) == 0;
}

bool h2_start(struct http_conn *c) {
    c->h2 = calloc(1, sizeof *c->h2);
    if (c->h2) {
        c->h2->credit = H2_CREDIT_MAX;
        c->h2->credit_ms = c->now_ms;
        c->h2->session = session_new(c);
    }
    if (c->h2 && c->h2->session && greet(c))
        return true;
    http_conn_over(c, ERR_NO_MEMORY, "an HTTP/2 session");
    return false;
}

void h2_free(struct http_conn *c) {
    if (!c->h2)
        return;
    nghttp2_session_del(c->h2->session);
    free(c->h2);
    c->h2 = NULL;
}

void h2_feed(struct http_conn *c, struct slice bytes) {
    ssize_t n = nghttp2_session_mem_recv(c->h2->session, bytes.p, bytes.n);
    if (c->over)
        return;
    if (c->h2->flood || n == NGHTTP2_ERR_FLOODED)
        h2_end(c, NGHTTP2_ENHANCE_YOUR_CALM, ERR_LIMIT, "HTTP/2: frames that serve no purpose");
    else if (n == NGHTTP2_ERR_NOMEM)
        h2_end(c, NGHTTP2_INTERNAL_ERROR, ERR_NO_MEMORY, "HTTP/2");
    else if (n < 0)
        h2_end(c, NGHTTP2_PROTOCOL_ERROR, ERR_PROTOCOL, "HTTP/2: malformed frames");
    else
        h2_pull(c);
}
