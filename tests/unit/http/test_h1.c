// HTTP/1.0 and 1.1: what is answered, what is refused, and where one message ends and the next begins.
#include "http_test.h"

#define OK_HEAD(n) "HTTP/1.1 200 OK\r\nX-Test: 1\r\nContent-Length: " n "\r\n"
#define OK_TEXT(n, text) OK_HEAD(n) "\r\n" text
#define OK_CLOSE(n, text) OK_HEAD(n) "Connection: close\r\n\r\n" text
#define REFUSED(status) "HTTP/1.1 " status "\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
#define BAD REFUSED("400 Bad Request")
#define CONTINUE "HTTP/1.1 100 Continue\r\n\r\n"
#define H "Host: a\r\n"

static const struct {
    const char *name, *in, *out;
} good[] = {
    {"get", "GET /a?b=c HTTP/1.1\r\nHost: a:80\r\n\r\n", OK_TEXT("11", "GET /a?b=c ")},
    {"empty query", "GET /? HTTP/1.1\r\n" H "\r\n", OK_TEXT("7", "GET /? ")},
    {"empty line first", "\r\nGET / HTTP/1.1\r\n" H "\r\n", OK_TEXT("6", "GET / ")},
    {"two", "GET /1 HTTP/1.1\r\n" H "\r\nGET /2 HTTP/1.1\r\n" H "\r\n",
     OK_TEXT("7", "GET /1 ") OK_TEXT("7", "GET /2 ")},
    {"length", "POST / HTTP/1.1\r\n" H "Content-Length: 5\r\n\r\nhello", OK_TEXT("12", "POST / hello")},
    {"length 0", "POST / HTTP/1.1\r\n" H "Content-Length: 0\r\n\r\n", OK_TEXT("7", "POST / ")},
    {"length and next", "POST / HTTP/1.1\r\n" H "Content-Length: 5\r\n\r\nhelloGET / HTTP/1.1\r\n" H "\r\n",
     OK_TEXT("12", "POST / hello") OK_TEXT("6", "GET / ")},
    {"chunks",
     "POST / HTTP/1.1\r\n" H "Transfer-Encoding: chunked\r\n\r\n3\r\nhel\r\n02;x=\"y\"\r\nlo\r\n0\r\n\r\n",
     OK_TEXT("12", "POST / hello")},
    {"chunks, trailer, next",
     "POST / HTTP/1.1\r\n" H "transfer-encoding:CHUNKED\r\n\r\nA\r\n0123456789\r\n0\r\nHost: b\r\n\r\n"
     "GET / HTTP/1.1\r\n" H "\r\n",
     OK_TEXT("17", "POST / 0123456789") OK_TEXT("6", "GET / ")},
    {"close", "GET / HTTP/1.1\r\n" H "Connection: foo, Close\r\n\r\nGET /2 HTTP/1.1\r\n" H "\r\n",
     OK_CLOSE("6", "GET / ")},
    {"1.0", "GET / HTTP/1.0\r\n\r\n", OK_CLOSE("6", "GET / ")},
    {"1.0 keep-alive", "GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n",
     OK_HEAD("6") "Connection: keep-alive\r\n\r\nGET / "},
    {"head", "HEAD / HTTP/1.1\r\n" H "\r\n", OK_HEAD("7") "\r\n"},
    {"expect", "POST / HTTP/1.1\r\n" H "Expect: 100-continue\r\nContent-Length: 2\r\n\r\nab",
     CONTINUE OK_TEXT("9", "POST / ab")},
    {"expect, no body", "POST / HTTP/1.1\r\n" H "Expect: 100-Continue\r\n\r\n", OK_TEXT("7", "POST / ")},
    {"absolute", "GET http://A/x HTTP/1.1\r\nHost: a\r\n\r\n", OK_TEXT("7", "GET /x ")},
    {"absolute, no path", "GET https://a HTTP/1.1\r\nHost: a\r\n\r\n", OK_TEXT("6", "GET / ")},
    {"star", "OPTIONS * HTTP/1.1\r\n" H "\r\n", OK_TEXT("10", "OPTIONS * ")},
    {"tabs and blanks", "GET / HTTP/1.1\r\nHost:\t a \t\r\n\r\n", OK_TEXT("6", "GET / ")},
    {"IPv6", "GET / HTTP/1.1\r\nHost: [::1]:443\r\n\r\n", OK_TEXT("6", "GET / ")},
    {"8-bit value", "GET / HTTP/1.1\r\n" H "X: \xC3\xA4\r\n\r\n", OK_TEXT("6", "GET / ")},
    {"empty value", "GET / HTTP/1.1\r\n" H "X:\r\nY: 1\r\n\r\n", OK_TEXT("6", "GET / ")},
};

static const struct {
    const char *name, *in, *out;
} bad[] = {
    {"no host", "GET / HTTP/1.1\r\n\r\n", BAD},
    {"two hosts", "GET / HTTP/1.1\r\n" H H "\r\n", BAD},
    {"empty host", "GET / HTTP/1.1\r\nHost:\r\n\r\n", BAD},
    {"user in host", "GET / HTTP/1.1\r\nHost: u@a\r\n\r\n", BAD},
    {"path in host", "GET / HTTP/1.1\r\nHost: a/b\r\n\r\n", BAD},
    {"host of two colons", "GET / HTTP/1.1\r\nHost: a:b:1\r\n\r\n", BAD},
    {"port without host", "GET / HTTP/1.1\r\nHost: :80\r\n\r\n", BAD},
    {"absolute, other host", "GET http://b/x HTTP/1.1\r\nHost: a\r\n\r\n", BAD},
    {"absolute, no host", "GET http://b/x HTTP/1.1\r\n\r\n", BAD},
    {"absolute, other scheme", "GET ftp://a/x HTTP/1.1\r\nHost: a\r\n\r\n", BAD},
    {"absolute, no authority", "GET http:///x HTTP/1.1\r\nHost: a\r\n\r\n", BAD},
    {"authority", "GET a:80 HTTP/1.1\r\nHost: a\r\n\r\n", BAD},
    {"star with get", "GET * HTTP/1.1\r\n" H "\r\n", BAD},
    {"fragment", "GET /a#b HTTP/1.1\r\n" H "\r\n", BAD},
    {"8-bit target", "GET /\xE4 HTTP/1.1\r\n" H "\r\n", BAD},
    {"tab in line", "GET\t/ HTTP/1.1\r\n" H "\r\n", BAD},
    {"two blanks", "GET  / HTTP/1.1\r\n" H "\r\n", BAD},
    {"blank at end", "GET / HTTP/1.1 \r\n" H "\r\n", BAD},
    {"no version", "GET /\r\n" H "\r\n", BAD},
    {"no target", "GET HTTP/1.1\r\n" H "\r\n", BAD},
    {"small version", "GET / http/1.1\r\n" H "\r\n", BAD},
    {"version 2", "GET / HTTP/2.0\r\n" H "\r\n", REFUSED("505 HTTP Version Not Supported")},
    {"version 1.2", "GET / HTTP/1.2\r\n" H "\r\n", REFUSED("505 HTTP Version Not Supported")},
    {"version 0.9", "GET / HTTP/0.9\r\n" H "\r\n", REFUSED("505 HTTP Version Not Supported")},
    {"version 1.10", "GET / HTTP/1.10\r\n" H "\r\n", BAD},
    {"connect", "CONNECT a:1 HTTP/1.1\r\n" H "\r\n", REFUSED("501 Not Implemented")},
    {"method", "BREW / HTTP/1.1\r\n" H "\r\n", REFUSED("501 Not Implemented")},
    {"small method", "get / HTTP/1.1\r\n" H "\r\n", REFUSED("501 Not Implemented")},
    {"no method", " / HTTP/1.1\r\n" H "\r\n", BAD},
    {"method of junk", "G(T / HTTP/1.1\r\n" H "\r\n", BAD},
    {"bare LF", "GET / HTTP/1.1\n" H "\r\n", BAD},
    {"bare LF in fields", "GET / HTTP/1.1\r\nHost: a\nX: y\r\n\r\n", BAD},
    {"bare LF at end", "GET / HTTP/1.1\r\n" H "\n", BAD},
    {"bare CR", "GET / HTTP/1.1\r\n" H "X: a\rb\r\n\r\n", BAD},
    {"CR CR LF", "GET / HTTP/1.1\r\n" H "X: a\r\r\n\r\n", BAD},
    {"two empty lines", "\r\n\r\nGET / HTTP/1.1\r\n" H "\r\n", BAD},
    {"folded", "GET / HTTP/1.1\r\n" H "X: a\r\n b\r\n\r\n", BAD},
    {"folded by tab", "GET / HTTP/1.1\r\n" H "X: a\r\n\tb\r\n\r\n", BAD},
    {"folded first", "GET / HTTP/1.1\r\n Host: a\r\n\r\n", BAD},
    {"blank before colon", "GET / HTTP/1.1\r\n" H "X : a\r\n\r\n", BAD},
    {"no colon", "GET / HTTP/1.1\r\n" H "X\r\n\r\n", BAD},
    {"no name", "GET / HTTP/1.1\r\n" H ": x\r\n\r\n", BAD},
    {"name of junk", "GET / HTTP/1.1\r\n" H "X(: x\r\n\r\n", BAD},
    {"8-bit name", "GET / HTTP/1.1\r\n" H "\xC3\xA4: x\r\n\r\n", BAD},
    {"control", "GET / HTTP/1.1\r\n" H "X: a\001b\r\n\r\n", BAD},
    {"delete", "GET / HTTP/1.1\r\n" H "X: a\177b\r\n\r\n", BAD},
    {"length and chunked",
     "POST / HTTP/1.1\r\n" H "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", BAD},
    {"chunked and length",
     "POST / HTTP/1.1\r\n" H "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n", BAD},
    {"two lengths", "POST / HTTP/1.1\r\n" H "Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello", BAD},
    {"same length twice", "POST / HTTP/1.1\r\n" H "Content-Length: 5\r\nContent-Length: 5\r\n\r\nhello", BAD},
    {"list of lengths", "POST / HTTP/1.1\r\n" H "Content-Length: 5, 5\r\n\r\nhello", BAD},
    {"negative length", "POST / HTTP/1.1\r\n" H "Content-Length: -5\r\n\r\nhello", BAD},
    {"signed length", "POST / HTTP/1.1\r\n" H "Content-Length: +5\r\n\r\nhello", BAD},
    {"hex length", "POST / HTTP/1.1\r\n" H "Content-Length: 0x5\r\n\r\nhello", BAD},
    {"empty length", "POST / HTTP/1.1\r\n" H "Content-Length:\r\n\r\nhello", BAD},
    {"huge length", "POST / HTTP/1.1\r\n" H "Content-Length: 9223372036854775808\r\n\r\n", BAD},
    {"chunked in 1.0", "POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", BAD},
    {"gzip, chunked", "POST / HTTP/1.1\r\n" H "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
     REFUSED("501 Not Implemented")},
    {"identity", "POST / HTTP/1.1\r\n" H "Transfer-Encoding: identity\r\n\r\n",
     REFUSED("501 Not Implemented")},
    {"chunked twice",
     "POST / HTTP/1.1\r\n" H "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n",
     REFUSED("501 Not Implemented")},
    {"chunked hidden", "POST / HTTP/1.1\r\n" H "Transfer-Encoding: \vchunked\r\n\r\n", BAD},
    {"expect other", "POST / HTTP/1.1\r\n" H "Expect: tea\r\n\r\n", REFUSED("417 Expectation Failed")},
    {"TLS", "\026\003\001\002\n", BAD},
};

static const struct {
    const char *name, *chunks;
} bad_chunks[] = {
    {"no digits", "\r\nabc"},
    {"sign", "+3\r\nabc\r\n0\r\n\r\n"},
    {"0x", "0x3\r\nabc\r\n0\r\n\r\n"},
    {"blank before", " 3\r\nabc\r\n0\r\n\r\n"},
    {"blank after", "3 \r\nabc\r\n0\r\n\r\n"},
    {"bare LF", "3\nabc\r\n0\r\n\r\n"},
    {"bare LF in extension", "3;a\nabc\r\n0\r\n\r\n"},
    {"CR in extension", "3;a\rb\r\nabc\r\n0\r\n\r\n"},
    {"too long", "3\r\nabcd\r\n0\r\n\r\n"},
    {"too short", "3\r\nab\r\n0\r\n\r\n"},
    {"LF after data", "3\r\nabc\n0\r\n\r\n"},
    {"overflow", "10000000000000003\r\nabc\r\n0\r\n\r\n"},
    {"16 digits", "0000000000000003\r\nabc\r\n0\r\n\r\n"},
    {"bare LF at end", "3\r\nabc\r\n0\r\n\n"},
    {"bare LF in trailer", "3\r\nabc\r\n0\r\nX: y\n\r\n"},
    {"control in trailer", "3\r\nabc\r\n0\r\nX: \001y\r\n\r\n"},
};

static void run(const char *name, struct slice in, size_t step, const char *out) {
    struct server s;
    server_init(&s, NULL);
    server_feed(&s, in, step);
    if (strcmp((const char *)(buf_u8(&s.out, 0), s.out.p), out) != 0)
        fail_msg("%s, %zu bytes at a time:\n%s\ninstead of\n%s", name, step, (const char *)s.out.p, out);
    server_fini(&s);
}

static void answered(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        run(good[i].name, slice_str(good[i].in), SIZE_MAX, good[i].out);
        run(good[i].name, slice_str(good[i].in), 1, good[i].out);
        run(good[i].name, slice_str(good[i].in), 7, good[i].out);
    }
}

static void refused(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        run(bad[i].name, slice_str(bad[i].in), SIZE_MAX, bad[i].out);
        run(bad[i].name, slice_str(bad[i].in), 1, bad[i].out);
    }
    run("NUL", SLICE_LIT("GET / HTTP/1.1\r\n" H "X: a\0b\r\n\r\n"), SIZE_MAX, BAD);
    run("NUL in name", SLICE_LIT("GET / HTTP/1.1\r\n" H "X\0: b\r\n\r\n"), SIZE_MAX, BAD);
    run("NUL in target", SLICE_LIT("GET /\0 HTTP/1.1\r\n" H "\r\n"), SIZE_MAX, BAD);
}

static void chunks_refused(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof bad_chunks / sizeof *bad_chunks; i++) {
        char in[256];
        snprintf(in, sizeof in, "POST / HTTP/1.1\r\n" H "Transfer-Encoding: chunked\r\n\r\n%s",
                 bad_chunks[i].chunks);
        run(bad_chunks[i].name, slice_str(in), SIZE_MAX, BAD);
        run(bad_chunks[i].name, slice_str(in), 1, BAD);
    }
}

static void header_limits(void **state) {
    (void)state;
    struct http_limits limits = http_limits_default;
    limits.header_count = 3;
    limits.header_bytes = 32 * 3 + 5 + 6; // host a, x 1, and four bytes
    limits.target_bytes = 4;
    static const struct {
        const char *in, *status;
    } cases[] = {
        {"GET /abc HTTP/1.1\r\n" H "x: 1\r\ny: 234\r\n\r\n", "200"},
        {"GET /abc HTTP/1.1\r\n" H "x: 1\r\ny: 2345\r\n\r\n", "431"},
        {"GET /abcd HTTP/1.1\r\n" H "\r\n", "414"},
        {"GET / HTTP/1.1\r\n" H "x:\r\ny:\r\nz:\r\n\r\n", "431"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct server s;
        server_init(&s, &limits);
        server_feed(&s, slice_str(cases[i].in), SIZE_MAX);
        assert_true(s.out.n > 12);
        assert_memory_equal(s.out.p + 9, cases[i].status, 3);
        server_fini(&s);
    }
}

// A header without end is not kept, however it comes.
static void endless(void **state) {
    (void)state;
    for (int target = 0; target < 2; target++) {
        struct server s;
        server_init(&s, NULL);
        uint8_t many[8192];
        memset(many, 'a', sizeof many);
        server_feed(&s, slice_str(target ? "GET /" : "GET / HTTP/1.1\r\nX: "), SIZE_MAX);
        for (int i = 0; i < 8 && !s.closed; i++)
            server_feed(&s, slice_of(many, sizeof many), SIZE_MAX);
        assert_true(s.closed);
        assert_memory_equal(s.out.p + 9, target ? "414" : "431", 3);
        server_fini(&s);
    }
}

static void borrowed(void **state) {
    (void)state;
    struct server s;
    server_init(&s, NULL);
    s.passive = true;
    server_feed(&s, SLICE_LIT("GET / HTTP/1.1\r\n" H "\r\n"), SIZE_MAX);
    static const uint8_t image[1 << 16];
    uint32_t id = s.told[0].stream;
    struct http_response r = {.status = 200, .length = sizeof image + 3};
    assert_int_equal(http_body_give(s.c, id, slice_of(image, 1), false), ERR_PROTOCOL);
    assert_int_equal(http_respond(s.c, id, &r), OK);
    assert_int_equal(http_respond(s.c, id, &r), ERR_PROTOCOL);
    assert_int_equal(http_body_give(s.c, id, slice_of(image, sizeof image), false), OK);
    assert_int_equal(http_body_give(s.c, id, slice_of("abcd", 4), false), ERR_MISMATCH);
    assert_int_equal(http_body_give(s.c, id, slice_of("ab", 2), true), ERR_MISMATCH);
    assert_int_equal(http_body_pending(s.c, id), sizeof image);
    struct iovec v[4];
    assert_int_equal(http_conn_output(s.c, v, 4), 2);
    assert_ptr_equal(v[1].iov_base, image);
    assert_int_equal(v[1].iov_len, sizeof image);
    http_conn_sent(s.c, v[0].iov_len + 10, 0);
    assert_int_equal(http_body_pending(s.c, id), sizeof image - 10);
    assert_int_equal(http_body_give(s.c, id, slice_of("abc", 3), true), OK);
    assert_int_equal(http_body_give(s.c, id, slice_of("abc", 3), true), ERR_PROTOCOL);
    server_flush(&s, 1000);
    assert_int_equal(http_body_pending(s.c, id), 0);
    assert_true(http_stream_alive(s.c, id));
    http_stream_done(s.c, id);
    assert_false(http_stream_alive(s.c, id));
    assert_int_equal(http_body_give(s.c, id, slice_of("abc", 3), true), ERR_PEER_GONE);
    server_feed(&s, SLICE_LIT("GET / HTTP/1.1\r\n" H "\r\n"), SIZE_MAX);
    assert_int_equal(s.count, 2);
    server_fini(&s);
}

// The last answer of a connection leaves whole, and is lent until then.
static void borrowed_last(void **state) {
    (void)state;
    enum { IMAGE = 3 << 20 };
    uint8_t *image = calloc(1, IMAGE);
    struct server s;
    server_init(&s, NULL);
    s.passive = true;
    server_feed(&s, SLICE_LIT("GET / HTTP/1.1\r\n" H "Connection: close\r\n\r\n"), SIZE_MAX);
    uint32_t id = s.told[0].stream;
    struct http_response r = {.status = 200, .length = IMAGE};
    assert_int_equal(http_respond(s.c, id, &r), OK);
    assert_int_equal(http_body_give(s.c, id, slice_of(image, IMAGE), true), OK);
    server_events(&s);
    assert_false(s.closed);
    assert_int_equal(http_body_pending(s.c, id), IMAGE);
    server_flush(&s, 100000);
    assert_int_equal(http_body_pending(s.c, id), 0);
    assert_true(s.gone == 0 && s.out.n > IMAGE);
    http_stream_done(s.c, id);
    server_events(&s);
    assert_true(s.closed && http_conn_closed(s.c));
    server_fini(&s);
    free(image);
}

// The next request of a pipeline waits until the handler of the one before is through.
static void one_after_the_other(void **state) {
    (void)state;
    struct server s;
    server_init(&s, NULL);
    s.passive = true;
    struct slice two = SLICE_LIT("GET / HTTP/1.1\r\n" H "\r\nGET / HTTP/1.1\r\n" H "\r\n");
    http_conn_feed(s.c, two, s.now);
    server_events(&s);
    struct http_response r = {.status = 200, .length = 2};
    assert_int_equal(http_respond(s.c, s.told[0].stream, &r), OK);
    assert_int_equal(http_body_give(s.c, s.told[0].stream, SLICE_LIT("ab"), true), OK);
    server_flush(&s, SIZE_MAX);
    assert_int_equal(s.count, 1);
    assert_false(http_conn_wants_input(s.c));
    assert_int_equal(http_conn_deadline(s.c), INT64_MAX);
    http_stream_done(s.c, s.told[0].stream);
    assert_int_equal(http_conn_deadline(s.c), s.now); // so that a caller that waits does not wait
    server_events(&s);
    assert_int_equal(s.count, 2);
    server_fini(&s);
}

static void chunked_answer(void **state) {
    (void)state;
    struct server s;
    server_init(&s, NULL);
    s.unknown = true;
    s.text = "0123456789abcdef";
    server_feed(&s, SLICE_LIT("GET / HTTP/1.1\r\n" H "\r\n"), SIZE_MAX);
    assert_out(&s, "HTTP/1.1 200 OK\r\nX-Test: 1\r\nTransfer-Encoding: "
                   "chunked\r\n\r\n10\r\n0123456789abcdef\r\n0\r\n\r\n");
    server_feed(&s, SLICE_LIT("HEAD / HTTP/1.1\r\n" H "\r\n"), SIZE_MAX);
    assert_out(&s, "HTTP/1.1 200 OK\r\nX-Test: 1\r\n\r\n");
    server_feed(&s, SLICE_LIT("GET / HTTP/1.0\r\n" H "Connection: keep-alive\r\n\r\n"), SIZE_MAX);
    assert_out(&s, "HTTP/1.1 200 OK\r\nX-Test: 1\r\nConnection: close\r\n\r\n0123456789abcdef");
    assert_true(http_conn_closed(s.c));
    server_fini(&s);
}

static void split_response(void **state) {
    (void)state;
    static const struct {
        const char *name, *value;
        int status;
    } cases[] = {
        {"X", "a\r\nY: b", 200},
        {"X", "a\nb", 200},
        {"X\r\nY", "a", 200},
        {"X Y", "a", 200},
        {"", "a", 200},
        {"Content-Length", "5", 200},
        {"transfer-encoding", "chunked", 200},
        {"Connection", "x", 200},
        {"X", "a", 199},
        {"X", "a", 600},
    };
    struct server s;
    server_init(&s, NULL);
    s.passive = true;
    server_feed(&s, SLICE_LIT("GET / HTTP/1.1\r\n" H "\r\n"), SIZE_MAX);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct http_field f = {slice_str(cases[i].name), slice_str(cases[i].value)};
        struct http_response r = {.status = cases[i].status, .field = &f, .field_count = 1};
        assert_int_equal(http_respond(s.c, s.told[0].stream, &r), ERR_SYNTAX);
    }
    server_fini(&s);
}

static void early_answer(void **state) {
    (void)state;
    static const struct {
        const char *name, *in;
        bool close;
    } cases[] = {
        {"little is drained",
         "POST / HTTP/1.1\r\n" H "Content-Length: 5\r\n\r\nhelloGET /2 HTTP/1.1\r\n" H "\r\n", false},
        {"much is not", "POST / HTTP/1.1\r\n" H "Content-Length: 65537\r\n\r\nhello", true},
        {"chunks", "POST / HTTP/1.1\r\n" H "Transfer-Encoding: chunked\r\n\r\n5\r\n", true},
        {"expecting", "POST / HTTP/1.1\r\n" H "Expect: 100-continue\r\nContent-Length: 5\r\n\r\n", true},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct server s;
        server_init(&s, NULL);
        s.early = true;
        server_feed(&s, slice_str(cases[i].in), SIZE_MAX);
        assert_int_equal(s.count, cases[i].close ? 1 : 2);
        assert_int_equal(s.closed, cases[i].close);
        assert_out(&s,
                   cases[i].close ? OK_CLOSE("6", "early ") : OK_TEXT("6", "early ") OK_TEXT("6", "early "));
        if (cases[i].close) { // not before the client had time to read
            assert_false(http_conn_closed(s.c));
            assert_true(http_conn_wants_input(s.c));
            http_conn_tick(s.c, s.now + http_limits_default.linger_ms - 1);
            assert_false(http_conn_closed(s.c));
            http_conn_tick(s.c, s.now + http_limits_default.linger_ms);
            assert_true(http_conn_closed(s.c));
        }
        server_fini(&s);
    }
}

// A handler that is through after the last look at events: a body that never comes has its time all the same.
static void late_answer_without_the_body(void **state) {
    (void)state;
    static const char *const lengths[] = {"1000", "99999999"};
    for (size_t i = 0; i < 2; i++) {
        struct server s;
        char request[100];
        struct iovec v[16];
        server_init(&s, NULL);
        s.passive = true;
        snprintf(request, sizeof request, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: %s\r\n\r\n",
                 lengths[i]);
        http_conn_feed(s.c, slice_str(request), s.now);
        server_events(&s);
        server_answer(&s, &s.told[0], NULL);
        while (http_conn_output(s.c, v, 16) > 0)
            http_conn_sent(s.c, v[0].iov_len, s.now);
        for (int k = 0; k < 10 && !http_conn_closed(s.c); k++) {
            int64_t at = http_conn_deadline(s.c);
            assert_true(at <= s.now + http_limits_default.body_idle_ms);
            s.now = at > s.now ? at : s.now;
            http_conn_tick(s.c, s.now);
            server_events(&s);
            server_flush(&s, SIZE_MAX);
        }
        assert_true(http_conn_closed(s.c));
        server_fini(&s);
    }
}

static void back_pressure(void **state) {
    (void)state;
    struct server s;
    server_init(&s, NULL);
    s.no_consume = true;
    struct slice in = SLICE_LIT("POST / HTTP/1.1\r\n" H "Content-Length: 10\r\n\r\nhello");
    http_conn_feed(s.c, in, s.now);
    server_events(&s);
    assert_int_equal(s.held.n, 5);
    assert_ptr_equal(s.held.p, in.p + in.n - 5); // not copied
    assert_false(http_conn_wants_input(s.c));
    http_body_consumed(s.c, s.told[0].stream, 4);
    assert_false(http_conn_wants_input(s.c));
    http_body_consumed(s.c, s.told[0].stream, 1);
    assert_true(http_conn_wants_input(s.c));
    server_fini(&s);
}

// RFC 9110 6.6.1: an answer of the engine's own has a Date too, if it is told the time.
static void refused_with_date(void **state) {
    (void)state;
    const struct http_field standing = {SLICE_LIT("a"), SLICE_LIT("b")};
    struct http_limits limits = http_limits_default;
    struct server s;
    limits.error_field = &standing;
    limits.error_field_count = 1;
    static const char *const date[] = {"", "date: Sun, 06 Nov 1994 08:49:37 GMT\r\n"};
    for (int told = 0; told < 2; told++) {
        char wanted[200];
        snprintf(wanted, sizeof wanted,
                 "HTTP/1.1 400 Bad Request\r\na: b\r\n%sContent-Length: 0\r\nConnection: close\r\n\r\n",
                 date[told]);
        limits.wall_ms = told ? 784111777000 - 1000 : 0;
        server_init(&s, &limits);
        assert_int_equal(s.now, 1000);
        server_feed(&s, SLICE_LIT("GET\r\n\r\n"), SIZE_MAX);
        assert_true(slice_eq_str(buf_slice(&s.out), wanted));
        server_fini(&s);
    }
}

static void timers(void **state) {
    (void)state;
    static const struct {
        const char *name, *in, *out;
        int64_t after;
    } cases[] = {
        {"nothing", "", "", 20000},
        {"part of a header", "GET / HTTP/1.1\r\n", REFUSED("408 Request Timeout"), 20000},
        {"part of a second header", "GET / HTTP/1.1\r\n" H "\r\nG",
         OK_TEXT("6", "GET / ") REFUSED("408 Request Timeout"), 20000},
        {"idle", "GET / HTTP/1.1\r\n" H "\r\n", OK_TEXT("6", "GET / "), 75000},
        {"part of a body", "POST / HTTP/1.1\r\n" H "Content-Length: 9\r\n\r\nab",
         REFUSED("408 Request Timeout"), 30000},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct server s;
        server_init(&s, NULL);
        server_feed(&s, slice_str(cases[i].in), SIZE_MAX);
        if (http_conn_deadline(s.c) != s.now + cases[i].after)
            fail_msg("%s: %lld", cases[i].name, (long long)(http_conn_deadline(s.c) - s.now));
        http_conn_tick(s.c, s.now + cases[i].after - 1);
        server_events(&s);
        if (s.closed)
            fail_msg("%s: too early", cases[i].name);
        http_conn_tick(s.c, s.now + cases[i].after);
        server_events(&s);
        if (!s.closed)
            fail_msg("%s: not closed", cases[i].name);
        server_flush(&s, SIZE_MAX);
        assert_out(&s, cases[i].out);
        server_fini(&s);
    }
}

// A byte now and then is no body.
static void slow_body(void **state) {
    (void)state;
    static const struct {
        size_t bytes;
        int64_t every_ms;
        bool ends;
    } cases[] = {{1, 1000, true},
                 {256, 1000, true},
                 {512, 1000, false},
                 {6000, 10000, false},
                 {1 << 20, 29999, false}};
    uint8_t *many = calloc(1, 1 << 20);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct server s;
        server_init(&s, NULL);
        server_feed(&s, SLICE_LIT("POST / HTTP/1.1\r\n" H "Content-Length: 999999999999\r\n\r\n"), SIZE_MAX);
        for (int k = 0; k < 30000 / (int)cases[i].every_ms * 600 && !s.closed && k < 20000; k++) {
            s.now += cases[i].every_ms;
            http_conn_tick(s.c, s.now);
            server_events(&s);
            buf_reset(&s.told[0].body);
            if (!s.closed)
                server_feed(&s, slice_of(many, cases[i].bytes), SIZE_MAX);
        }
        assert_int_equal(s.closed, cases[i].ends);
        assert_int_equal(s.gone, cases[i].ends);
        server_fini(&s);
    }
    free(many);
}

static void slow_reader(void **state) {
    (void)state;
    struct server s;
    server_init(&s, NULL);
    s.passive = true;
    server_feed(&s, SLICE_LIT("GET / HTTP/1.1\r\n" H "\r\n"), SIZE_MAX);
    struct http_response r = {.status = 200, .length = 4};
    http_respond(s.c, s.told[0].stream, &r);
    http_body_give(s.c, s.told[0].stream, SLICE_LIT("abcd"), true);
    http_conn_sent(s.c, 1, s.now + 50000);
    assert_int_equal(http_conn_deadline(s.c), s.now + 50000 + http_limits_default.send_idle_ms);
    http_conn_tick(s.c, s.now + 50000 + http_limits_default.send_idle_ms);
    server_events(&s);
    assert_int_equal(s.gone, 1);
    assert_true(s.closed && http_conn_closed(s.c));
    assert_int_equal(http_conn_fault(s.c)->code, ERR_TIMEOUT);
    server_fini(&s);
}

static void ends(void **state) {
    (void)state;
    struct server s;
    // After a whole request the client may stop sending, and wait for its answer.
    server_init(&s, NULL);
    s.passive = true;
    server_feed(&s, SLICE_LIT("GET / HTTP/1.1\r\n" H "\r\n"), SIZE_MAX);
    http_conn_eof(s.c, s.now);
    server_events(&s);
    assert_int_equal(s.gone, 0);
    server_answer(&s, &s.told[0], NULL);
    server_flush(&s, SIZE_MAX);
    server_events(&s);
    assert_out(&s, OK_CLOSE("6", "GET / "));
    assert_true(http_conn_closed(s.c));
    server_fini(&s);
    // Within one it is gone.
    server_init(&s, NULL);
    server_feed(&s, SLICE_LIT("POST / HTTP/1.1\r\n" H "Content-Length: 9\r\n\r\nab"), SIZE_MAX);
    http_conn_eof(s.c, s.now);
    server_events(&s);
    assert_true(s.gone == 1 && s.closed && http_conn_closed(s.c));
    assert_int_equal(http_conn_fault(s.c)->code, ERR_PEER_GONE);
    server_fini(&s);
    // Lost: nothing is borrowed any more.
    server_init(&s, NULL);
    s.passive = true;
    server_feed(&s, SLICE_LIT("GET / HTTP/1.1\r\n" H "\r\n"), SIZE_MAX);
    struct http_response r = {.status = 200, .length = 4};
    http_respond(s.c, s.told[0].stream, &r);
    http_body_give(s.c, s.told[0].stream, SLICE_LIT("abcd"), true);
    http_conn_lost(s.c);
    assert_int_equal(http_body_pending(s.c, s.told[0].stream), 0);
    server_events(&s);
    assert_true(s.gone == 1 && s.closed && http_conn_closed(s.c));
    server_fini(&s);
}

static void broken_off(void **state) {
    (void)state;
    struct server s;
    for (int begun = 0; begun < 2; begun++) {
        server_init(&s, NULL);
        s.passive = true;
        server_feed(&s, SLICE_LIT("GET / HTTP/1.1\r\n" H "\r\n"), SIZE_MAX);
        struct http_response r = {.status = 200, .length = -1};
        char memory[] = "abcd";
        if (begun) {
            http_respond(s.c, s.told[0].stream, &r);
            http_body_give(s.c, s.told[0].stream, slice_str(memory), false);
        }
        http_stream_reset(s.c, s.told[0].stream, ERR_NO_MEMORY);
        memset(memory, 'x', 4);
        http_stream_done(s.c, s.told[0].stream);
        server_events(&s);
        server_flush(&s, SIZE_MAX);
        assert_true(s.closed);
        assert_int_equal(s.gone, 0);
        assert_out(&s, begun ? "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\n"
                             : REFUSED("503 Service Unavailable"));
        server_fini(&s);
    }
}

static void shutdown_in_peace(void **state) {
    (void)state;
    struct server s;
    server_init(&s, NULL);
    http_conn_shutdown(s.c, s.now);
    server_events(&s);
    assert_true(s.closed && http_conn_closed(s.c));
    server_fini(&s);
    server_init(&s, NULL);
    s.passive = true;
    server_feed(&s, SLICE_LIT("GET / HTTP/1.1\r\n" H "\r\n"), SIZE_MAX);
    http_conn_shutdown(s.c, s.now);
    server_events(&s);
    assert_false(s.closed);
    server_answer(&s, &s.told[0], NULL);
    server_events(&s);
    server_flush(&s, SIZE_MAX);
    assert_out(&s, OK_CLOSE("6", "GET / "));
    assert_true(s.closed && http_conn_closed(s.c));
    server_fini(&s);
}

static void fields_joined(void **state) {
    (void)state;
    struct http_conn *c = http_conn_new(&http_limits_default, 0);
    struct http_event ev;
    http_conn_feed(c,
                   SLICE_LIT("GET / HTTP/1.1\r\nAccept: a\r\n" H
                             "Cookie: x=1\r\nACCEPT: b\r\ncookie: y=2\r\nAccept:\r\n\r\n"),
                   0);
    assert_true(http_conn_next(c, &ev));
    assert_int_equal(ev.request->field_count, 3);
    assert_true(slice_eq_str(http_header(ev.request, "accept"), "a, b, "));
    assert_true(slice_eq_str(http_header(ev.request, "cookie"), "x=1; y=2"));
    assert_null(http_header(ev.request, "range").p);
    assert_int_equal(ev.request->content_length, -1);
    http_conn_free(c);
}

int main(void) {
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(answered),       cmocka_unit_test(refused),
        cmocka_unit_test(refused_with_date),
        cmocka_unit_test(chunks_refused), cmocka_unit_test(header_limits),
        cmocka_unit_test(endless),        cmocka_unit_test(borrowed),
        cmocka_unit_test(borrowed_last),  cmocka_unit_test(one_after_the_other),
        cmocka_unit_test(chunked_answer), cmocka_unit_test(split_response),
        cmocka_unit_test(early_answer),   cmocka_unit_test(late_answer_without_the_body),
        cmocka_unit_test(back_pressure),
        cmocka_unit_test(timers),         cmocka_unit_test(slow_body),
        cmocka_unit_test(slow_reader),    cmocka_unit_test(ends),
        cmocka_unit_test(broken_off),     cmocka_unit_test(shutdown_in_peace),
        cmocka_unit_test(fields_joined),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
