// HTTP/2 against nghttp2's client side, and against frames no client sends.
#include "http_test.h"

#include <nghttp2/nghttp2.h>

enum { REQUESTS_MAX = 300 };

struct answer {
    int32_t id;
    int status;
    struct buf body;
    bool closed, continued, dated;
    uint32_t code;
};

struct client {
    nghttp2_session *session;
    struct answer answer[REQUESTS_MAX];
    size_t count;
    bool goaway;
    uint32_t goaway_code;
    const uint8_t *upload; // of the next request
    size_t upload_bytes, upload_at;
    bool upload_held; // stops before its end
};

static struct answer *answer_of(struct client *k, int32_t id) {
    for (size_t i = 0; i < k->count; i++)
        if (k->answer[i].id == id)
            return &k->answer[i];
    return NULL;
}

static int on_header(nghttp2_session *session, const nghttp2_frame *frame, const uint8_t *name, size_t name_n,
                     const uint8_t *value, size_t value_n, uint8_t flags, void *user) {
    (void)session, (void)flags;
    struct answer *a = answer_of(user, frame->hd.stream_id);
    if (a && slice_eq_str(slice_of(name, name_n), "date"))
        a->dated = slice_eq_str(slice_of(value, value_n), "Sun, 06 Nov 1994 08:49:37 GMT");
    if (!a || name_n != 7 || memcmp(name, ":status", 7) != 0)
        return 0;
    int status = 0;
    for (size_t i = 0; i < value_n; i++)
        status = status * 10 + value[i] - '0';
    if (status == 100)
        a->continued = true;
    else
        a->status = status;
    return 0;
}

static int on_data(nghttp2_session *session, uint8_t flags, int32_t id, const uint8_t *p, size_t n,
                   void *user) {
    (void)session, (void)flags;
    struct answer *a = answer_of(user, id);
    if (a)
        buf_append(&a->body, p, n);
    return 0;
}

static int on_close(nghttp2_session *session, int32_t id, uint32_t code, void *user) {
    (void)session;
    struct answer *a = answer_of(user, id);
    if (a) {
        a->closed = true;
        a->code = code;
    }
    return 0;
}

static int on_frame(nghttp2_session *session, const nghttp2_frame *frame, void *user) {
    (void)session;
    struct client *k = user;
    if (frame->hd.type == NGHTTP2_GOAWAY) {
        k->goaway = true;
        k->goaway_code = frame->goaway.error_code;
    }
    return 0;
}

static void client_init(struct client *k) {
    *k = (struct client){0};
    nghttp2_session_callbacks *cb;
    nghttp2_session_callbacks_new(&cb);
    nghttp2_session_callbacks_set_on_header_callback(cb, on_header);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(cb, on_data);
    nghttp2_session_callbacks_set_on_stream_close_callback(cb, on_close);
    nghttp2_session_callbacks_set_on_frame_recv_callback(cb, on_frame);
    assert_int_equal(nghttp2_session_client_new(&k->session, cb, k), 0);
    nghttp2_session_callbacks_del(cb);
    nghttp2_submit_settings(k->session, 0, NULL, 0);
}

static void client_fini(struct client *k) {
    for (size_t i = 0; i < k->count; i++)
        buf_fini(&k->answer[i].body);
    nghttp2_session_del(k->session);
}

static ssize_t upload(nghttp2_session *session, int32_t id, uint8_t *p, size_t cap, uint32_t *flags,
                      nghttp2_data_source *source, void *user) {
    (void)session, (void)id, (void)source;
    struct client *k = user;
    size_t n = k->upload_bytes - k->upload_at < cap ? k->upload_bytes - k->upload_at : cap;
    memcpy(p, k->upload + k->upload_at, n);
    k->upload_at += n;
    if (k->upload_at == k->upload_bytes) {
        if (k->upload_held)
            return n ? (ssize_t)n : NGHTTP2_ERR_DEFERRED;
        *flags |= NGHTTP2_DATA_FLAG_EOF;
    }
    return (ssize_t)n;
}

// Fields are "name", "value", …, NULL.
static int32_t ask(struct client *k, const char *const *fields, const void *body, size_t body_bytes) {
    nghttp2_nv nv[160];
    size_t n = 0;
    for (; fields[2 * n]; n++)
        nv[n] = (nghttp2_nv){(uint8_t *)(uintptr_t)fields[2 * n], (uint8_t *)(uintptr_t)fields[2 * n + 1],
                             strlen(fields[2 * n]), strlen(fields[2 * n + 1]), 0};
    nghttp2_data_provider provider = {.read_callback = upload};
    k->upload = body;
    k->upload_bytes = body_bytes;
    k->upload_at = 0;
    int32_t id = nghttp2_submit_request(k->session, NULL, nv, n, body ? &provider : NULL, NULL);
    assert_true(id > 0 && k->count < REQUESTS_MAX);
    k->answer[k->count++] = (struct answer){.id = id, .body = BUF_INIT(1 << 26)};
    return id;
}

#define FIELDS(...) ((const char *const[]){__VA_ARGS__, NULL, NULL})
#define BASIC(method, path) ":method", method, ":scheme", "https", ":authority", "a", ":path", path

static bool client_to_server(struct client *k, struct server *s, size_t step) {
    bool any = false;
    const uint8_t *p;
    ssize_t n;
    while ((n = nghttp2_session_mem_send(k->session, &p)) > 0) {
        server_feed(s, slice_of(p, (size_t)n), step);
        any = true;
    }
    return any;
}

static bool server_to_client(struct client *k, struct server *s, size_t step) {
    server_flush(s, step);
    if (s->out.n == 0)
        return false;
    ssize_t n = nghttp2_session_mem_recv(k->session, s->out.p, s->out.n);
    assert_int_equal(n, s->out.n);
    buf_reset(&s->out);
    return true;
}

static void pump(struct client *k, struct server *s, size_t step) {
    bool any = true;
    while (any) {
        any = client_to_server(k, s, step);
        any |= server_to_client(k, s, step);
    }
}

static void requests(void **state) {
    (void)state;
    static const size_t steps[] = {1, 7, SIZE_MAX};
    for (size_t i = 0; i < 3; i++) {
        struct client k;
        struct server s;
        client_init(&k);
        server_init(&s, NULL);
        s.unknown = i == 1;
        int32_t a = ask(&k, FIELDS(BASIC("GET", "/a?b=c")), NULL, 0);
        int32_t b = ask(&k, FIELDS(BASIC("HEAD", "/")), NULL, 0);
        pump(&k, &s, steps[i]);
        int32_t c = ask(&k, FIELDS(BASIC("POST", "/p"), "content-length", "5"), "hello", 5);
        pump(&k, &s, steps[i]);
        assert_true(slice_eq_str(buf_slice(&answer_of(&k, a)->body), "GET /a?b=c "));
        assert_int_equal(answer_of(&k, b)->body.n, 0);
        assert_true(slice_eq_str(buf_slice(&answer_of(&k, c)->body), "POST /p hello"));
        for (size_t j = 0; j < 3; j++) {
            assert_int_equal(k.answer[j].status, 200);
            assert_true(k.answer[j].closed);
            assert_int_equal(k.answer[j].code, 0);
        }
        assert_int_equal(s.gone, 0);
        assert_int_equal(http_conn_deadline(s.c), s.now + http_limits_default.idle_ms);
        client_fini(&k);
        server_fini(&s);
    }
}

static void refused(void **state) {
    (void)state;
    char path[9000], value[8000];
    memset(path, 'a', sizeof path - 1);
    path[0] = '/';
    path[sizeof path - 1] = 0;
    memset(value, 'v', sizeof value - 1);
    value[sizeof value - 1] = 0;
    const struct {
        const char *const *fields;
        int status; // 0: reset
    } cases[] = {
        {FIELDS(BASIC("GET", path)), 414},
        {FIELDS(BASIC("GET", "/"), "a", value, "b", value, "c", value, "d", value), 200},
        {FIELDS(BASIC("GET", "/"), "a", value, "b", value, "c", value, "d", value, "e", value), 431},
        {FIELDS(BASIC("GET", "/"), "host", "b"), 400},
        {FIELDS(BASIC("GET", "/"), "host", "A"), 200},
        {FIELDS(BASIC("GET", "/"), "range", "a", "range", "b"), 400},
        {FIELDS(BASIC("GET", "/"), "expect", "tea"), 417},
        {FIELDS(BASIC("GET", "/#")), 0},
        {FIELDS(BASIC("GET", "*")), 0},
        {FIELDS(BASIC("OPTIONS", "*")), 200},
        {FIELDS(":method", "GET", ":scheme", "https", ":path", "/"), 0},
        {FIELDS(":method", "GET", ":scheme", "https", ":path", "/", "host", "a"), 200},
        {FIELDS(":method", "GET", ":scheme", "https", ":authority", "u@a", ":path", "/"), 400},
        {FIELDS(":method", "GET", ":scheme", "https", ":authority", "a"), 0},
        {FIELDS(":method", "GET", ":authority", "a", ":path", "/"), 0},
        {FIELDS(":method", "CONNECT", ":authority", "a:1"), 501},
        {FIELDS(BASIC("GET", "/"), "connection", "close"), 0},
        {FIELDS(BASIC("GET", "/"), "transfer-encoding", "chunked"), 0},
        {FIELDS(BASIC("GET", "/"), ":path", "/b"), 0},
        {FIELDS(BASIC("GET", "/"), "x", "a\001b"), 0},
        {FIELDS(BASIC("GET", "/"), "content-length", "x"), 0},
        {FIELDS(BASIC("GET", "/"), "te", "gzip"), 0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct client k;
        struct server s;
        client_init(&k);
        server_init(&s, NULL);
        int32_t id = ask(&k, cases[i].fields, NULL, 0);
        int32_t next = ask(&k, FIELDS(BASIC("GET", "/")), NULL, 0);
        pump(&k, &s, SIZE_MAX);
        if (answer_of(&k, id)->status != cases[i].status &&
            !(cases[i].status == 0 && answer_of(&k, id)->status == 400))
            fail_msg("case %zu: %d instead of %d", i, answer_of(&k, id)->status, cases[i].status);
        assert_true(answer_of(&k, id)->closed);
        assert_int_equal(answer_of(&k, next)->status, 200); // the connection does not suffer
        assert_int_equal(s.count, cases[i].status == 200 ? 2 : 1);
        client_fini(&k);
        server_fini(&s);
    }
}

static void refused_with_date(void **state) {
    (void)state;
    struct http_limits limits = http_limits_default;
    limits.wall_ms = 784111777000 - 1000;
    limits.header_count = 1;
    struct client k;
    struct server s;
    client_init(&k);
    server_init(&s, &limits);
    int32_t id = ask(&k, FIELDS(BASIC("GET", "/"), "a", "b", "c", "d"), NULL, 0);
    pump(&k, &s, SIZE_MAX);
    assert_int_equal(answer_of(&k, id)->status, 431);
    assert_true(answer_of(&k, id)->dated);
    client_fini(&k);
    server_fini(&s);
}

static void too_many_fields(void **state) {
    (void)state;
    for (size_t count = 100; count <= 101; count++) {
        const char *fields[2 * 110] = {BASIC("GET", "/")};
        char names[110][24];
        for (size_t i = 0; i < count; i++) {
            snprintf(names[i], sizeof names[i], "x%zu", i);
            fields[8 + 2 * i] = names[i];
            fields[9 + 2 * i] = "1";
        }
        struct client k;
        struct server s;
        client_init(&k);
        server_init(&s, NULL);
        int32_t id = ask(&k, fields, NULL, 0);
        pump(&k, &s, SIZE_MAX);
        assert_int_equal(answer_of(&k, id)->status, count == 100 ? 200 : 431);
        client_fini(&k);
        server_fini(&s);
    }
}

static void cookies(void **state) {
    (void)state;
    struct client k;
    struct http_conn *c = http_conn_new(&http_limits_default, 0);
    struct http_event ev;
    client_init(&k);
    ask(&k, FIELDS(BASIC("GET", "/"), "cookie", "a=1", "accept", "x", "cookie", "b=2"), NULL, 0);
    const uint8_t *p;
    ssize_t n;
    while ((n = nghttp2_session_mem_send(k.session, &p)) > 0)
        http_conn_feed(c, slice_of(p, (size_t)n), 0);
    assert_true(http_conn_next(c, &ev));
    assert_int_equal(ev.kind, HTTP_EV_REQUEST);
    assert_true(slice_eq_str(http_header(ev.request, "cookie"), "a=1; b=2"));
    assert_true(slice_eq_str(ev.request->authority, "a"));
    assert_true(slice_eq_str(ev.request->scheme, "https"));
    assert_false(ev.request->has_body);
    http_conn_free(c);
    client_fini(&k);
}

static void big_upload(void **state) {
    (void)state;
    size_t n = 10 << 20;
    uint8_t *body = malloc(n);
    for (size_t i = 0; i < n; i++)
        body[i] = (uint8_t)(i * 7 + i / 251);
    struct client k;
    struct server s;
    client_init(&k);
    server_init(&s, NULL);
    s.text = "done";
    int32_t id = ask(&k, FIELDS(BASIC("POST", "/")), body, n);
    pump(&k, &s, SIZE_MAX);
    assert_int_equal(answer_of(&k, id)->status, 200);
    assert_int_equal(s.told[0].body.n, n);
    assert_memory_equal(s.told[0].body.p, body, n);
    client_fini(&k);
    server_fini(&s);
    // A handler that does not read stops its own client, at the window, and no other.
    client_init(&k);
    server_init(&s, NULL);
    s.no_consume = true;
    ask(&k, FIELDS(BASIC("POST", "/")), body, n);
    pump(&k, &s, SIZE_MAX);
    assert_int_equal(k.upload_at, http_limits_default.stream_window);
    id = ask(&k, FIELDS(BASIC("GET", "/")), NULL, 0);
    pump(&k, &s, SIZE_MAX);
    assert_int_equal(answer_of(&k, id)->status, 200);
    // What it did not read is given back to the connection: four more fit in only then.
    for (int i = 0; i < 8; i++) {
        http_stream_reset(s.c, s.told[s.count - (i ? 1 : 2)].stream, ERR_NO_MEMORY);
        http_stream_done(s.c, s.told[s.count - (i ? 1 : 2)].stream);
        pump(&k, &s, SIZE_MAX);
        ask(&k, FIELDS(BASIC("POST", "/")), body, n);
        pump(&k, &s, SIZE_MAX);
        assert_int_equal(k.upload_at, http_limits_default.stream_window);
    }
    client_fini(&k);
    server_fini(&s);
    free(body);
}

static void borrowed(void **state) {
    (void)state;
    enum { IMAGE = 300000 };
    uint8_t *image = malloc(IMAGE);
    memset(image, 'i', IMAGE);
    struct client k;
    struct server s;
    client_init(&k);
    server_init(&s, NULL);
    s.passive = true;
    nghttp2_session_set_local_window_size(k.session, 0, 0, 1 << 20);
    int32_t id = ask(&k, FIELDS(BASIC("GET", "/")), NULL, 0);
    client_to_server(&k, &s, SIZE_MAX);
    uint32_t stream = s.told[0].stream;
    struct http_response r = {.status = 200, .length = IMAGE + 6};
    assert_int_equal(http_respond(s.c, stream, &r), OK);
    assert_int_equal(http_body_copy(s.c, stream, SLICE_LIT("abc"), false), OK);
    assert_int_equal(http_body_give(s.c, stream, slice_of(image, IMAGE), false), OK);
    assert_int_equal(http_body_copy(s.c, stream, SLICE_LIT("xyz"), true), OK);
    struct iovec v[64];
    int n = http_conn_output(s.c, v, 64), in = 0;
    for (int i = 0; i < n; i++)
        in += (uint8_t *)v[i].iov_base >= image && (uint8_t *)v[i].iov_base < image + IMAGE;
    assert_true(in >= 3); // the window of a stream is 65535 bytes: four frames
    pump(&k, &s, 10000);
    assert_int_equal(http_body_pending(s.c, stream), 0);
    assert_int_equal(answer_of(&k, id)->body.n, IMAGE + 6);
    assert_memory_equal(answer_of(&k, id)->body.p, "abci", 4);
    assert_memory_equal(answer_of(&k, id)->body.p + IMAGE + 2, "ixyz", 4);
    assert_true(answer_of(&k, id)->closed);
    assert_true(http_stream_alive(s.c, stream));
    http_stream_done(s.c, stream);
    client_fini(&k);
    server_fini(&s);
    free(image);
}

// The client gives a request up in the middle of its answer: the memory is free at once.
static void given_up(void **state) {
    (void)state;
    enum { IMAGE = 50000 };
    for (int ours = 0; ours < 2; ours++) {
        uint8_t *image = malloc(IMAGE);
        memset(image, 'i', IMAGE);
        struct client k;
        struct server s;
        client_init(&k);
        server_init(&s, NULL);
        s.passive = true;
        int32_t id = ask(&k, FIELDS(BASIC("GET", "/")), NULL, 0);
        client_to_server(&k, &s, SIZE_MAX);
        uint32_t stream = s.told[0].stream;
        struct http_response r = {.status = 200, .length = -1};
        assert_int_equal(http_respond(s.c, stream, &r), OK);
        assert_int_equal(http_body_give(s.c, stream, slice_of(image, IMAGE), false), OK);
        struct iovec v[64];
        int n = http_conn_output(s.c, v, 64);
        assert_true(n > 4);
        if (ours) {
            http_stream_reset(s.c, stream, ERR_NO_MEMORY);
            http_stream_done(s.c, stream);
        } else {
            nghttp2_submit_rst_stream(k.session, 0, id, NGHTTP2_CANCEL);
            const uint8_t *p;
            ssize_t bytes = nghttp2_session_mem_send(k.session, &p);
            http_conn_feed(s.c, slice_of(p, (size_t)bytes), s.now);
        }
        assert_int_equal(http_body_pending(s.c, stream), 0);
        free(image);
        server_events(&s);
        assert_int_equal(s.gone, !ours);
        s.passive = false;
        int32_t next = ask(&k, FIELDS(BASIC("GET", "/")), NULL, 0);
        pump(&k, &s, SIZE_MAX);
        assert_int_equal(answer_of(&k, next)->status, 200);
        assert_true(answer_of(&k, id)->closed);
        client_fini(&k);
        server_fini(&s);
    }
}

static void early_answer(void **state) {
    (void)state;
    struct client k;
    struct server s;
    client_init(&k);
    server_init(&s, NULL);
    s.early = true;
    k.upload_held = true;
    int32_t id = ask(&k, FIELDS(BASIC("POST", "/")), "hello", 5);
    pump(&k, &s, SIZE_MAX);
    assert_int_equal(answer_of(&k, id)->status, 200);
    assert_true(answer_of(&k, id)->closed);
    assert_int_equal(answer_of(&k, id)->code, NGHTTP2_NO_ERROR);
    assert_int_equal(s.gone, 0);
    client_fini(&k);
    server_fini(&s);
}

static void expecting(void **state) {
    (void)state;
    struct client k;
    struct server s;
    client_init(&k);
    server_init(&s, NULL);
    int32_t id = ask(&k, FIELDS(BASIC("POST", "/"), "expect", "100-continue"), "hello", 5);
    pump(&k, &s, SIZE_MAX);
    assert_int_equal(answer_of(&k, id)->status, 200);
    client_fini(&k);
    server_fini(&s);
    client_init(&k);
    server_init(&s, NULL);
    k.upload_held = true;
    id = ask(&k, FIELDS(BASIC("POST", "/"), "expect", "100-continue"), "", 0);
    pump(&k, &s, SIZE_MAX);
    assert_true(answer_of(&k, id)->continued);
    client_fini(&k);
    server_fini(&s);
}

static void timers(void **state) {
    (void)state;
    struct client k;
    struct server s;
    // A body that does not come.
    client_init(&k);
    server_init(&s, NULL);
    k.upload_held = true;
    int32_t id = ask(&k, FIELDS(BASIC("POST", "/")), "hello", 5);
    pump(&k, &s, SIZE_MAX);
    assert_int_equal(http_conn_deadline(s.c), s.now + http_limits_default.body_idle_ms);
    http_conn_tick(s.c, s.now + http_limits_default.body_idle_ms);
    server_events(&s);
    pump(&k, &s, SIZE_MAX);
    assert_int_equal(s.gone, 1);
    assert_int_equal(answer_of(&k, id)->status, 408);
    assert_false(s.closed);
    // Nothing to do.
    s.now += http_limits_default.body_idle_ms;
    assert_int_equal(http_conn_deadline(s.c), s.now + http_limits_default.idle_ms);
    http_conn_tick(s.c, s.now + http_limits_default.idle_ms);
    server_events(&s);
    assert_true(s.closed);
    server_to_client(&k, &s, SIZE_MAX);
    assert_true(k.goaway);
    assert_int_equal(k.goaway_code, 0);
    assert_true(http_conn_closed(s.c));
    client_fini(&k);
    server_fini(&s);
    // A client that gives no window.
    client_init(&k);
    server_init(&s, NULL);
    nghttp2_settings_entry none = {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, 0};
    nghttp2_submit_settings(k.session, 0, &none, 1);
    ask(&k, FIELDS(BASIC("GET", "/")), NULL, 0);
    pump(&k, &s, SIZE_MAX);
    assert_int_equal(http_conn_deadline(s.c), s.now + http_limits_default.send_idle_ms);
    http_conn_tick(s.c, s.now + http_limits_default.send_idle_ms);
    server_events(&s);
    assert_true(s.closed && http_conn_closed(s.c));
    client_fini(&k);
    server_fini(&s);
}

static void shutdown_in_peace(void **state) {
    (void)state;
    struct client k;
    struct server s;
    client_init(&k);
    server_init(&s, NULL);
    s.passive = true;
    int32_t id = ask(&k, FIELDS(BASIC("GET", "/")), NULL, 0);
    pump(&k, &s, SIZE_MAX);
    http_conn_shutdown(s.c, s.now);
    server_events(&s);
    pump(&k, &s, SIZE_MAX);
    assert_true(k.goaway);
    assert_false(s.closed);
    server_answer(&s, &s.told[0], NULL);
    pump(&k, &s, SIZE_MAX);
    assert_int_equal(answer_of(&k, id)->status, 200);
    assert_true(s.closed && http_conn_closed(s.c));
    assert_int_equal(http_conn_fault(s.c)->code, OK);
    client_fini(&k);
    server_fini(&s);
}

static void ends(void **state) {
    (void)state;
    for (int lost = 0; lost < 2; lost++) {
        struct client k;
        struct server s;
        client_init(&k);
        server_init(&s, NULL);
        s.passive = true;
        ask(&k, FIELDS(BASIC("GET", "/1")), NULL, 0);
        ask(&k, FIELDS(BASIC("GET", "/2")), NULL, 0);
        pump(&k, &s, SIZE_MAX);
        if (lost)
            http_conn_lost(s.c);
        else
            http_conn_eof(s.c, s.now);
        server_events(&s);
        assert_int_equal(s.gone, 2);
        assert_true(s.closed && http_conn_closed(s.c));
        client_fini(&k);
        server_fini(&s);
    }
}

// --- frames no client sends

static const char preface[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

static void frame(struct buf *b, uint8_t type, uint8_t flags, uint32_t stream, struct slice payload) {
    buf_u8(b, 0);
    buf_u16be(b, (uint16_t)payload.n);
    buf_u8(b, type);
    buf_u8(b, flags);
    buf_u32be(b, stream);
    buf_append_slice(b, payload);
}

// GET https a /, from the static table and one literal.
#define GET_BLOCK                                                                                            \
    SLICE_LIT("\x82\x87\x84\x01\x01"                                                                         \
              "a")

// Feeds it `count` times; the last GOAWAY's code, -1 when it was endured.
static int64_t flood(struct slice first, struct slice again, size_t count, bool passive) {
    struct server s;
    server_init(&s, NULL);
    s.passive = passive;
    struct buf start = BUF_INIT(4096);
    buf_append_str(&start, preface);
    frame(&start, NGHTTP2_SETTINGS, 0, 0, (struct slice){NULL, 0});
    buf_append_slice(&start, first);
    server_feed(&s, buf_slice(&start), SIZE_MAX);
    for (size_t i = 0; i < count && !s.closed; i++)
        server_feed(&s, again, SIZE_MAX);
    int64_t code = -1;
    for (size_t at = 0; at + 9 <= s.out.n;) {
        size_t n = (size_t)s.out.p[at] << 16 | (size_t)s.out.p[at + 1] << 8 | s.out.p[at + 2];
        if (s.out.p[at + 3] == NGHTTP2_GOAWAY)
            code = s.out.p[at + 9 + 7];
        at += 9 + n;
    }
    assert_int_equal(code >= 0, s.closed);
    buf_fini(&start);
    server_fini(&s);
    return code;
}

static void floods(void **state) {
    (void)state;
    struct buf open = BUF_INIT(4096);
    frame(&open, NGHTTP2_HEADERS, NGHTTP2_FLAG_END_HEADERS, 1, GET_BLOCK);
    const struct {
        const char *name;
        uint8_t type, flags;
        uint32_t stream;
        struct slice payload;
        size_t endured, count;
        bool opened;
    } cases[] = {
        {"ping", NGHTTP2_PING, 0, 0, SLICE_LIT("12345678"), 400, 600, false},
        {"settings", NGHTTP2_SETTINGS, 0, 0, {NULL, 0}, 90, 110, false},
        {"priority", NGHTTP2_PRIORITY, 0, 1, SLICE_LIT("\0\0\0\0\1"), 1900, 2100, false},
        {"window", NGHTTP2_WINDOW_UPDATE, 0, 0, SLICE_LIT("\0\0\0\1"), 1900, 2100, false},
        {"empty data", NGHTTP2_DATA, 0, 1, {NULL, 0}, 400, 600, true},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct buf again = BUF_INIT(256);
        frame(&again, cases[i].type, cases[i].flags, cases[i].stream, cases[i].payload);
        struct slice first = cases[i].opened ? buf_slice(&open) : (struct slice){NULL, 0};
        if (flood(first, buf_slice(&again), cases[i].endured, true) != -1)
            fail_msg("%s: not endured", cases[i].name);
        if (flood(first, buf_slice(&again), cases[i].count, true) != NGHTTP2_ENHANCE_YOUR_CALM)
            fail_msg("%s: endured", cases[i].name);
        buf_fini(&again);
    }
    buf_fini(&open);
}

static void rapid_reset(void **state) {
    (void)state;
    struct server s;
    server_init(&s, NULL);
    struct buf b = BUF_INIT(4096);
    buf_append_str(&b, preface);
    frame(&b, NGHTTP2_SETTINGS, 0, 0, (struct slice){NULL, 0});
    uint32_t id = 1;
    for (; id < 4001 && !s.closed; id += 2) {
        frame(&b, NGHTTP2_HEADERS, NGHTTP2_FLAG_END_HEADERS, id, GET_BLOCK);
        frame(&b, NGHTTP2_RST_STREAM, 0, id, SLICE_LIT("\0\0\0\10"));
        server_feed(&s, buf_slice(&b), SIZE_MAX);
        buf_reset(&b);
    }
    assert_true(s.closed);
    assert_in_range(id, 300, 500);
    assert_int_equal(http_conn_fault(s.c)->code, ERR_LIMIT);
    assert_int_equal(s.gone, s.count);
    buf_fini(&b);
    server_fini(&s);
}

// However fast a client gives up and asks again, there are no more requests than may be.
static void slow_handlers(void **state) {
    (void)state;
    struct http_limits limits = http_limits_default;
    limits.streams = 4;
    struct server s;
    server_init(&s, &limits);
    s.passive = s.keeps = true;
    struct buf b = BUF_INIT(4096);
    buf_append_str(&b, preface);
    frame(&b, NGHTTP2_SETTINGS, 0, 0, (struct slice){NULL, 0});
    for (uint32_t id = 1; id < 40; id += 2) {
        frame(&b, NGHTTP2_HEADERS, NGHTTP2_FLAG_END_HEADERS, id, GET_BLOCK);
        server_feed(&s, buf_slice(&b), SIZE_MAX);
        buf_reset(&b);
        frame(&b, NGHTTP2_RST_STREAM, 0, id, SLICE_LIT("\0\0\0\10"));
        server_feed(&s, buf_slice(&b), SIZE_MAX);
        buf_reset(&b);
    }
    assert_int_equal(s.count, 4);
    assert_int_equal(s.gone, 4);
    assert_false(s.closed);
    http_stream_done(s.c, s.told[0].stream);
    frame(&b, NGHTTP2_HEADERS, NGHTTP2_FLAG_END_HEADERS, 101, GET_BLOCK);
    server_feed(&s, buf_slice(&b), SIZE_MAX);
    assert_int_equal(s.count, 5);
    buf_fini(&b);
    server_fini(&s);
}

static void continuations(void **state) {
    (void)state;
    struct buf head = BUF_INIT(4096), more = BUF_INIT(4096);
    frame(&head, NGHTTP2_HEADERS, 0, 1, GET_BLOCK);
    frame(&more, NGHTTP2_CONTINUATION, 0, 1, SLICE_LIT("\x40\x01x\x01y"));
    assert_int_not_equal(flood(buf_slice(&head), buf_slice(&more), 1000, true), -1);
    // One that is not finished in time.
    struct server s;
    server_init(&s, NULL);
    server_feed(&s, slice_str(preface), SIZE_MAX);
    struct buf b = BUF_INIT(64);
    frame(&b, NGHTTP2_SETTINGS, 0, 0, (struct slice){NULL, 0});
    server_feed(&s, buf_slice(&b), SIZE_MAX);
    server_feed(&s, buf_slice(&head), SIZE_MAX);
    assert_int_equal(http_conn_deadline(s.c), s.now + http_limits_default.header_ms);
    http_conn_tick(s.c, s.now + http_limits_default.header_ms);
    server_events(&s);
    assert_true(s.closed);
    assert_int_equal(s.count, 0);
    server_fini(&s);
    buf_fini(&b);
    buf_fini(&head);
    buf_fini(&more);
}

static void malformed(void **state) {
    (void)state;
    static const struct {
        const char *name;
        uint8_t type, flags;
        uint32_t stream;
        struct slice payload;
    } cases[] = {
        {"data on no stream", NGHTTP2_DATA, 0, 0, {(const uint8_t *)"x", 1}},
        {"data on an idle stream", NGHTTP2_DATA, 0, 5, {(const uint8_t *)"x", 1}},
        {"even stream", NGHTTP2_HEADERS, 5, 2, {(const uint8_t *)"\x82", 1}},
        {"short ping", NGHTTP2_PING, 0, 0, {(const uint8_t *)"x", 1}},
        {"push", NGHTTP2_PUSH_PROMISE, 4, 1, {(const uint8_t *)"\0\0\0\2\x82", 5}},
        {"bad index", NGHTTP2_HEADERS, 5, 1, {(const uint8_t *)"\xff\xff\xff\xff\x0f", 5}},
        {"continuation alone", NGHTTP2_CONTINUATION, 4, 1, {(const uint8_t *)"\x82", 1}},
        {"window of 0", NGHTTP2_WINDOW_UPDATE, 0, 0, {(const uint8_t *)"\0\0\0\0", 4}},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct buf b = BUF_INIT(256);
        frame(&b, cases[i].type, cases[i].flags, cases[i].stream, cases[i].payload);
        if (flood(buf_slice(&b), (struct slice){NULL, 0}, 0, false) < 1)
            fail_msg("%s: endured", cases[i].name);
        buf_fini(&b);
    }
}

int main(void) {
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(requests),
        cmocka_unit_test(refused),
        cmocka_unit_test(refused_with_date),
        cmocka_unit_test(too_many_fields),
        cmocka_unit_test(cookies),
        cmocka_unit_test(big_upload),
        cmocka_unit_test(borrowed),
        cmocka_unit_test(given_up),
        cmocka_unit_test(early_answer),
        cmocka_unit_test(expecting),
        cmocka_unit_test(timers),
        cmocka_unit_test(shutdown_in_peace),
        cmocka_unit_test(ends),
        cmocka_unit_test(floods),
        cmocka_unit_test(rapid_reset),
        cmocka_unit_test(slow_handlers),
        cmocka_unit_test(continuations),
        cmocka_unit_test(malformed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
