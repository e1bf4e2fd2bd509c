// The fields of a request, one by one: dates, ranges, conditions, cookies, what proxies say, encodings.
#include "http_test.h"

#include "http/cookie.h"
#include "http/date.h"
#include "http/encoding.h"
#include "http/forwarded.h"
#include "http/range.h"

#include <zlib.h>

static void dates(void **state) {
    (void)state;
    static const struct {
        const char *text;
        int64_t s; // -1: refused
    } cases[] = {
        {"Sun, 06 Nov 1994 08:49:37 GMT", 784111777},
        {"Thu, 01 Jan 1970 00:00:00 GMT", 0},
        {"Thu, 29 Feb 2024 23:59:59 GMT", 1709251199},
        {"Tue, 29 Feb 2000 12:00:00 GMT", 951825600},
        {"Fri, 31 Dec 9999 23:59:59 GMT", 253402300799},
        {"Sat, 31 Dec 2016 23:59:60 GMT", 1483228800},
        {"Mon, 06 Nov 1994 08:49:37 GMT", -1},
        {"Wed, 29 Feb 2023 00:00:00 GMT", -1},
        {"Mon, 29 Feb 2100 00:00:00 GMT", -1},
        {"Sun, 6 Nov 1994 08:49:37 GMT", -1},
        {"Sun, 06 Nov 1994 08:49:37 UTC", -1},
        {"sun, 06 nov 1994 08:49:37 gmt", -1},
        {"Sun, 06 Nov 1994 24:00:00 GMT", -1},
        {"Sun, 06 Nov 1994 08:60:37 GMT", -1},
        {"Sun, 06 Nov 1994 08:49:61 GMT", -1},
        {"Sun, 06 Nov 1994 8:49:037 GMT", -1},
        {"Sun, 00 Nov 1994 08:49:37 GMT", -1},
        {"Sun, 31 Nov 1994 08:49:37 GMT", -1},
        {"Wed, 31 Dec 1969 23:59:59 GMT", -1},
        {"Sunday, 06-Nov-94 08:49:37 GMT", -1},
        {"Sun Nov  6 08:49:37 1994", -1},
        {"", -1},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        int64_t s = -1;
        char text[HTTP_DATE_BYTES + 1];
        assert_int_equal(http_date_parse(slice_str(cases[i].text), &s), cases[i].s >= 0);
        assert_int_equal(s, cases[i].s);
        http_date_format(s, text);
        if (s >= 0 && s != 1483228800)
            assert_string_equal(text, cases[i].text);
    }
    char text[HTTP_DATE_BYTES + 1];
    http_date_format(INT64_MAX, text);
    assert_string_equal(text, "Fri, 31 Dec 9999 23:59:59 GMT");
    http_date_format(INT64_MIN, text);
    assert_string_equal(text, "Thu, 01 Jan 1970 00:00:00 GMT");
}

static void ranges(void **state) {
    (void)state;
    static const struct {
        const char *text;
        uint64_t size, from, n;
        enum range_kind kind;
    } cases[] = {
        {"bytes=0-99", 100, 0, 100, RANGE_PART},
        {"bytes=0-0", 100, 0, 1, RANGE_PART},
        {"bytes=99-", 100, 99, 1, RANGE_PART},
        {"bytes=10-1000", 100, 10, 90, RANGE_PART},
        {"bytes=-1", 100, 99, 1, RANGE_PART},
        {"bytes=-1000", 100, 0, 100, RANGE_PART},
        {"bytes=18446744073709551614-18446744073709551615", 100, 0, 0, RANGE_NONE},
        {"bytes=0-18446744073709551615", 100, 0, 100, RANGE_PART},
        {"bytes=100-", 100, 0, 0, RANGE_NONE},
        {"bytes=-0", 100, 0, 0, RANGE_NONE},
        {"bytes=0-", 0, 0, 0, RANGE_NONE},
        {"bytes=-5", 0, 0, 0, RANGE_NONE},
        {"bytes=5-4", 100, 0, 0, RANGE_ALL},
        {"bytes=0-1,3-4", 100, 0, 0, RANGE_ALL},
        {"bytes=18446744073709551616-", 100, 0, 0, RANGE_ALL},
        {"bytes=-", 100, 0, 0, RANGE_ALL},
        {"bytes=1", 100, 0, 0, RANGE_ALL},
        {"bytes=a-b", 100, 0, 0, RANGE_ALL},
        {"bytes=1-2-3", 100, 0, 0, RANGE_ALL},
        {"bytes=+1-2", 100, 0, 0, RANGE_ALL},
        {"bytes 0-1", 100, 0, 0, RANGE_ALL},
        {"lines=0-1", 100, 0, 0, RANGE_ALL},
        {"", 100, 0, 0, RANGE_ALL},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        uint64_t from = 0, n = 0;
        if (range_parse(slice_str(cases[i].text), cases[i].size, &from, &n) != cases[i].kind)
            fail_msg("%s", cases[i].text);
        assert_int_equal(from, cases[i].from);
        assert_int_equal(n, cases[i].n);
    }
    uint64_t from, n;
    assert_int_equal(range_parse((struct slice){NULL, 0}, 1, &from, &n), RANGE_ALL);
}

static void tags(void **state) {
    (void)state;
    static const struct {
        const char *list, *tag;
        bool strong, weak;
    } cases[] = {
        {"\"a\"", "\"a\"", true, true},
        {"\"b\", \"a\"", "\"a\"", true, true},
        {"\"b,\"a\"\",\"a\"", "\"a\"", true, true},
        {"\"x,y\"", "\"x,y\"", true, true},
        {"*", "\"a\"", true, true},
        {"W/\"a\"", "\"a\"", false, true},
        {"\"a\"", "W/\"a\"", false, true},
        {"\"b\"", "\"a\"", false, false},
        {"a", "\"a\"", false, false},
        {"\"a", "\"a\"", false, false},
        {"w/\"a\"", "\"a\"", false, false},
        {"", "\"a\"", false, false},
        {",,", "\"a\"", false, false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct slice list = slice_str(cases[i].list), tag = slice_str(cases[i].tag);
        if (etag_listed(list, tag, false) != cases[i].strong || etag_listed(list, tag, true) != cases[i].weak)
            fail_msg("%s", cases[i].list);
    }
    assert_true(if_range_holds((struct slice){NULL, 0}, SLICE_LIT("\"a\""), -1));
    assert_true(if_range_holds(SLICE_LIT("\"a\""), SLICE_LIT("\"a\""), -1));
    assert_false(if_range_holds(SLICE_LIT("W/\"a\""), SLICE_LIT("W/\"a\""), -1));
    assert_true(if_range_holds(SLICE_LIT("Thu, 01 Jan 1970 00:00:00 GMT"), SLICE_LIT("\"a\""), 0));
    assert_false(if_range_holds(SLICE_LIT("Thu, 01 Jan 1970 00:00:00 GMT"), SLICE_LIT("\"a\""), 1));
    assert_false(if_range_holds(SLICE_LIT("*"), SLICE_LIT("\"a\""), 1));
}

static void cookies(void **state) {
    (void)state;
    static const struct {
        const char *header, *expected;
    } cases[] = {
        {"s=1", "1"},       {"a=b; s=1; c=d", "1"}, {"s=", ""},      {"s=a=b", "a=b"}, {"a=b;s=1", "1"},
        {"S=1", NULL},      {"ss=1", NULL},         {"xs=1", NULL},  {"s =1", NULL},   {"s", NULL},
        {"s=1; s=2", NULL}, {"s=1; s=1", NULL},     {"a=s=1", NULL}, {"", NULL},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct slice v;
        bool ok = cookie_get(slice_str(cases[i].header), "s", &v);
        if (ok != (cases[i].expected != NULL) || (ok && !slice_eq_str(v, cases[i].expected)))
            fail_msg("%s", cases[i].header);
    }
    struct slice v;
    assert_false(cookie_get((struct slice){NULL, 0}, "s", &v));
}

static void proxies(void **state) {
    (void)state;
    static const struct {
        const char *name, *value, *expected; // NULL: false
    } cases[] = {
        {"forwarded", "for=192.0.2.1", "192.0.2.1 - -"},
        {"forwarded", "For=\"[2001:db8::1]:4711\";proto=https;host=a.example", "2001:db8::1 https a.example"},
        {"forwarded", "for=192.0.2.1:80", "192.0.2.1 - -"},
        {"forwarded", "for=1.2.3.4, for=5.6.7.8;proto=http", "5.6.7.8 http -"},
        {"forwarded", "for=unknown;proto=https", " https -"},
        {"forwarded", "for=_hidden;by=_x", " - -"},
        {"forwarded", "host=\"a:443\"", " - a:443"},
        {"x-forwarded-for", "1.2.3.4", "1.2.3.4 - -"},
        {"x-forwarded-for", "evil, 1.2.3.4", "1.2.3.4 - -"},
        {"x-forwarded-for", "2001:db8::1", "2001:db8::1 - -"},
        {"x-forwarded-proto", "https", " https -"},
        {"x-forwarded-host", "a.example", " - a.example"},
        {"forwarded", "for=evil", NULL},
        {"forwarded", "for=1.2.3.4.5", NULL},
        {"forwarded", "for=[::1", NULL},
        {"forwarded", "for=[::1]x", NULL},
        {"forwarded", "proto=gopher", NULL},
        {"forwarded", "host=\"a b\"", NULL},
        {"forwarded", "host=a/b", NULL},
        {"forwarded", "for", NULL},
        {"forwarded", "for=\"1.2.3.4", NULL},
        {"x-forwarded-for", "1.2.3.4, evil", NULL},
        {"x-forwarded-for", "", NULL},
        {"x-forwarded-proto", "", NULL},
        {"x-forwarded-host", "u@a", NULL},
        {"x", "y", NULL},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct http_field f = {slice_str(cases[i].name), slice_str(cases[i].value)};
        struct http_request r = {.field = &f, .field_count = 1};
        struct forwarded out;
        char text[400] = "";
        bool ok = forwarded_read(&r, &out);
        if (ok)
            snprintf(text, sizeof text, "%s %s %s", out.address,
                     out.https  ? "https"
                     : out.http ? "http"
                                : "-",
                     out.host[0] ? out.host : "-");
        if (ok != (cases[i].expected != NULL))
            fail_msg("%s: %s: %s", cases[i].name, cases[i].value, text);
        if (ok)
            assert_string_equal(text, cases[i].expected);
    }
}

static void encodings(void **state) {
    (void)state;
    static const struct {
        const char *text;
        bool wanted;
    } cases[] = {
        {"gzip", true},
        {"deflate, gzip;q=1.0, *;q=0.5", true},
        {"GZIP", true},
        {"x-gzip", true},
        {"*", true},
        {"br, gzip ; q=0.5", true},
        {"gzip;q=0.5, identity", false},
        {"gzip;q=0", false},
        {"gzip;q=0.000", false},
        {"*, gzip;q=0", false},
        {"*;q=0", false},
        {"identity", false},
        {"br", false},
        {"gzipped", false},
        {"gzip;q=", false},
        {"gzip;x=1", false},
        {"", false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        if (gzip_wanted(slice_str(cases[i].text)) != cases[i].wanted)
            fail_msg("%s", cases[i].text);
    assert_false(gzip_wanted((struct slice){NULL, 0}));
}

static void compressed(void **state) {
    (void)state;
    enum { N = 300000 };
    uint8_t *in = malloc(N), *back = malloc(N + 1);
    for (size_t i = 0; i < N; i++)
        in[i] = (uint8_t)(i * i >> 9);
    for (int level = 1; level <= 6; level += 5) {
        struct buf out = BUF_INIT(1 << 20);
        struct gzip *g = gzip_new(level);
        for (size_t at = 0; at < N; at += 7001)
            assert_int_equal(gzip_write(g, slice_sub(slice_of(in, N), at, 7001), &out), OK);
        assert_int_equal(gzip_end(g, &out), OK);
        gzip_free(g);
        assert_true(out.n < N);
        z_stream z = {.next_in = out.p, .avail_in = (uInt)out.n, .next_out = back, .avail_out = N + 1};
        assert_int_equal(inflateInit2(&z, 15 + 16), Z_OK);
        assert_int_equal(inflate(&z, Z_FINISH), Z_STREAM_END);
        assert_int_equal(z.total_out, N);
        assert_memory_equal(back, in, N);
        inflateEnd(&z);
        buf_fini(&out);
    }
    struct buf tight = BUF_INIT(100);
    assert_int_equal(gzip_whole(1, slice_of(in, N), &tight), ERR_LIMIT);
    buf_fini(&tight);
    struct buf nothing = BUF_INIT(1 << 20);
    assert_int_equal(gzip_whole(1, (struct slice){NULL, 0}, &nothing), OK);
    assert_int_equal(nothing.n, 20);
    buf_fini(&nothing);
    free(in);
    free(back);
}

int main(void) {
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(dates),      cmocka_unit_test(ranges),     cmocka_unit_test(tags),
        cmocka_unit_test(cookies),    cmocka_unit_test(proxies),
        cmocka_unit_test(encodings),  cmocka_unit_test(compressed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
