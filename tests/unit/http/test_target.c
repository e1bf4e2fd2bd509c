// Paths and queries: decoded once, and nothing that could be read in two ways.
#include "http_test.h"

#include "http/target.h"

static void paths(void **state) {
    (void)state;
    static const struct {
        const char *path, *expected;
        enum err err;
    } cases[] = {
        {"/", "/", OK},
        {"/a", "a", OK},
        {"/a/", "a|/", OK},
        {"/dicomweb/studies/1.2.3/series", "dicomweb|studies|1.2.3|series", OK},
        {"/a%20b/%C3%a4", "a b|\xC3\xA4", OK},
        {"/a+b", "a+b", OK},
        {"/%252F", "%2F", OK},
        {"/...", "...", OK},
        {"/1/2/3/4/5/6/7/8/9/0/1/2/3/4/5/6", "1|2|3|4|5|6|7|8|9|0|1|2|3|4|5|6", OK},
        {"/1/2/3/4/5/6/7/8/9/0/1/2/3/4/5/6/7", NULL, ERR_LIMIT},
        {"", NULL, ERR_SYNTAX},
        {"a", NULL, ERR_SYNTAX},
        {"*", NULL, ERR_SYNTAX},
        {"//", NULL, ERR_SYNTAX},
        {"/a//b", NULL, ERR_SYNTAX},
        {"/a/./b", NULL, ERR_SYNTAX},
        {"/a/..", NULL, ERR_SYNTAX},
        {"/a/%2e%2E/b", NULL, ERR_SYNTAX},
        {"/a/.%2e", NULL, ERR_SYNTAX},
        {"/a%2fb", NULL, ERR_SYNTAX},
        {"/a%5Cb", NULL, ERR_SYNTAX},
        {"/a\\b", NULL, ERR_SYNTAX},
        {"/a%00", NULL, ERR_SYNTAX},
        {"/a%0a", NULL, ERR_SYNTAX},
        {"/a%7f", NULL, ERR_SYNTAX},
        {"/%", NULL, ERR_SYNTAX},
        {"/%2", NULL, ERR_SYNTAX},
        {"/%2x", NULL, ERR_SYNTAX},
        {"/%-1", NULL, ERR_SYNTAX},
        {"/%ff", NULL, ERR_SYNTAX},
        {"/%c0%af", NULL, ERR_SYNTAX},
        {"/%ed%a0%80", NULL, ERR_SYNTAX},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct arena arena = ARENA_INIT(65536);
        struct target t;
        enum err e = target_split(slice_str(cases[i].path), &arena, &t);
        if (e != cases[i].err)
            fail_msg("%s: %s", cases[i].path, err_name(e));
        struct buf out = BUF_INIT(1024);
        for (size_t k = 0; e == OK && k < t.count; k++)
            buf_printf(&out, "%s%.*s", k ? "|" : "", SLICE_FMT(t.segment[k]));
        if (e == OK && t.slash)
            buf_append_str(&out, t.count ? "|/" : "/");
        buf_u8(&out, 0);
        assert_string_equal((const char *)out.p, e == OK ? cases[i].expected : "");
        buf_fini(&out);
        arena_fini(&arena);
    }
}

static void queries(void **state) {
    (void)state;
    static const struct {
        const char *query, *expected;
        enum err err;
    } cases[] = {
        {"", "", OK},
        {"a=b", "a=b;", OK},
        {"a=b&a=c", "a=b;a=c;", OK},
        {"a", "a=;", OK},
        {"a=", "a=;", OK},
        {"=b", "=b;", OK},
        {"&&a=b&", "a=b;", OK},
        {"a=b=c", "a=b=c;", OK},
        {"PatientName=M%C3%BCller+H*", "PatientName=M\xC3\xBCller H*;", OK},
        {"a=%2B%26%3d", "a=+&=;", OK},
        {"a=%252B", "a=%2B;", OK},
        {"a=b&c=%", "a=b;", ERR_SYNTAX},
        {"a=%0", "", ERR_SYNTAX},
        {"a=%zz", "", ERR_SYNTAX},
        {"a=%00", "", ERR_SYNTAX},
        {"a=%ff", "", ERR_SYNTAX},
        {"%80=a", "", ERR_SYNTAX},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct arena arena = ARENA_INIT(65536);
        struct query q = query_init(slice_str(cases[i].query));
        struct slice k, v;
        struct buf out = BUF_INIT(1024);
        while (query_next(&q, &arena, &k, &v))
            buf_printf(&out, "%.*s=%.*s;", SLICE_FMT(k), SLICE_FMT(v));
        buf_u8(&out, 0);
        assert_string_equal((const char *)out.p, cases[i].expected);
        assert_int_equal(q.error, cases[i].err);
        buf_fini(&out);
        arena_fini(&arena);
    }
}

static void query_limits(void **state) {
    (void)state;
    for (size_t n = QUERY_PAIRS_MAX; n <= QUERY_PAIRS_MAX + 1; n++) {
        struct buf text = BUF_INIT(4096);
        struct arena arena = ARENA_INIT(65536);
        struct slice k, v;
        size_t count = 0;
        for (size_t i = 0; i < n; i++)
            buf_append_str(&text, "a=b&");
        struct query q = query_init(buf_slice(&text));
        while (query_next(&q, &arena, &k, &v))
            count++;
        assert_int_equal(count, QUERY_PAIRS_MAX);
        assert_int_equal(q.error, n > QUERY_PAIRS_MAX ? ERR_LIMIT : OK);
        arena_fini(&arena);
        buf_fini(&text);
    }
}

static void escapes(void **state) {
    (void)state;
    struct buf out = BUF_INIT(256);
    target_escape(SLICE_LIT("aZ09-._~ /%+&=\"\0\xC3\xA4"), &out);
    assert_true(slice_eq_str(buf_slice(&out), "aZ09-._~%20%2F%25%2B%26%3D%22%00%C3%A4"));
    buf_fini(&out);
}

int main(void) {
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(paths),
        cmocka_unit_test(queries),
        cmocka_unit_test(query_limits),
        cmocka_unit_test(escapes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
