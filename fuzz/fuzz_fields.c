// What a request's target and header fields say: the first byte chooses which, the rest is its value.
#include "fuzz.h"

#include "http/cookie.h"
#include "http/date.h"
#include "http/encoding.h"
#include "http/forwarded.h"
#include "http/media.h"
#include "http/range.h"
#include "http/target.h"

static bool within(struct slice part, struct slice text) {
    return part.n == 0 || (part.p >= text.p && part.p + part.n <= text.p + text.n);
}

// No segment leads anywhere else; and what is decoded once stays what it is.
static void a_path(struct slice text) {
    struct arena a = ARENA_INIT(1 << 20);
    struct target t, again;
    if (target_split(text, &a, &t) == OK) {
        struct buf b = BUF_INIT(1 << 20);
        for (size_t i = 0; i < t.count; i++) {
            FUZZ_CHECK(t.segment[i].n && !target_is(&t, i, ".") && !target_is(&t, i, ".."));
            FUZZ_CHECK(!memchr(t.segment[i].p, '/', t.segment[i].n));
            FUZZ_CHECK(!memchr(t.segment[i].p, 0, t.segment[i].n));
            buf_u8(&b, '/');
            target_escape(t.segment[i], &b);
        }
        if (t.slash || t.count == 0)
            buf_u8(&b, '/');
        FUZZ_CHECK(target_split(buf_slice(&b), &a, &again) == OK);
        FUZZ_CHECK(again.count == t.count && again.slash == t.slash);
        for (size_t i = 0; i < t.count; i++)
            FUZZ_CHECK(slice_eq(t.segment[i], again.segment[i]));
        buf_fini(&b);
    }
    arena_fini(&a);
}

static void a_query(struct slice text) {
    struct arena a = ARENA_INIT(1 << 20);
    struct query q = query_init(text);
    struct slice key, value, key_again, value_again;
    while (query_next(&q, &a, &key, &value)) {
        struct buf b = BUF_INIT(1 << 20);
        target_escape(key, &b);
        buf_u8(&b, '=');
        target_escape(value, &b);
        struct query one = query_init(buf_slice(&b));
        FUZZ_CHECK(query_next(&one, &a, &key_again, &value_again));
        FUZZ_CHECK(slice_eq(key, key_again) && slice_eq(value, value_again));
        buf_fini(&b);
    }
    FUZZ_CHECK(q.pairs <= QUERY_PAIRS_MAX + 1);
    arena_fini(&a);
}

static void an_accept(struct slice text) {
    struct accept a;
    struct media_type m;
    accept_parse(text, &a);
    FUZZ_CHECK(a.count <= ACCEPT_MAX);
    for (size_t i = 0; i < a.count; i++) {
        FUZZ_CHECK(a.range[i].q <= 1000 && (i == 0 || a.range[i].q <= a.range[i - 1].q));
        FUZZ_CHECK(within(a.range[i].media.type, text) && within(a.range[i].media.subtype, text));
        (void)accept_holds(&a.range[i], "application/dicom");
    }
    FUZZ_CHECK(accept_quality(&a, "application/dicom+json") <= 1000);
    if (media_parse(text, &m)) {
        FUZZ_CHECK(m.count <= MEDIA_PARAMETERS_MAX && !slice_eq_str(m.type, "*"));
        for (size_t i = 0; i < m.count; i++)
            FUZZ_CHECK(within(m.parameter[i].value, text) && within(m.parameter[i].name, text));
    }
    (void)gzip_wanted(text);
}

static void a_range(struct slice text) {
    static const uint64_t sizes[] = {0, 1, 1000, UINT64_MAX};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        uint64_t from, bytes;
        if (range_parse(text, sizes[i], &from, &bytes) == RANGE_PART)
            FUZZ_CHECK(bytes > 0 && from < sizes[i] && bytes <= sizes[i] - from);
    }
    (void)etag_listed(text, SLICE_LIT("\"a\""), false);
    (void)etag_listed(text, SLICE_LIT("W/\"a\""), true);
    (void)if_range_holds(text, SLICE_LIT("\"a\""), 1);
}

static void a_date(struct slice text) {
    int64_t s;
    char again[HTTP_DATE_BYTES + 1];
    if (http_date_parse(text, &s)) {
        http_date_format(s, again);
        FUZZ_CHECK(slice_eq_str(text, again));
    }
}

static void a_proxy(struct slice text) {
    static const char *const names[] = {"forwarded", "x-forwarded-for", "x-forwarded-proto",
                                        "x-forwarded-host"};
    struct http_field fields[4];
    size_t n = 0;
    while (n < 4 && text.p) {
        fields[n].name = slice_str(names[n]);
        fields[n].value = slice_split(text, '\n', &text);
        n += fields[n].value.n > 0;
    }
    struct http_request r = {.field = fields, .field_count = n};
    struct forwarded said;
    if (forwarded_read(&r, &said))
        FUZZ_CHECK(strlen(said.address) < FORWARDED_ADDRESS_MAX && strlen(said.host) < FORWARDED_HOST_MAX);
}

static void a_cookie(struct slice text) {
    struct slice value;
    if (cookie_get(text, "__Host-session", &value))
        FUZZ_CHECK(within(value, text));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n) {
    static void (*const each[])(struct slice) = {a_path, a_query, an_accept, a_range,
                                                 a_date, a_proxy, a_cookie};
    if (n)
        each[data[0] % (sizeof each / sizeof *each)](slice_of(data + 1, n - 1));
    return 0;
}
