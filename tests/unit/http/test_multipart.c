// Multipart bodies, cut in every way.
#include "http_test.h"

#include "http/multipart.h"

static const struct {
    const char *name, *body, *expected; // parts as {fields|data}, '.' at the end, '!' at an error
    enum err err;
} cases[] = {
    {"one", "--b\r\nContent-Type: application/dicom\r\n\r\nDATA\r\n--b--\r\n",
     "{content-type=application/dicom|DATA}.", OK},
    {"two", "--b\r\nA: 1\r\n\r\nx\r\n--b\r\nA: 2\r\n\r\ny\r\n--b--", "{a=1|x}{a=2|y}.", OK},
    {"no fields", "--b\r\n\r\nx\r\n--b--", "{|x}.", OK},
    {"empty part", "--b\r\nA: 1\r\n\r\n\r\n--b--", "{a=1|}.", OK},
    {"part without a body", "--b\r\nA: 1\r\n\r\n--b--", "{a=1|}.", OK},
    {"no parts", "--b--", ".", OK},
    {"preamble", "hello\r\nyou\r\n--b\r\n\r\nx\r\n--b--", "{|x}.", OK},
    {"preamble like a boundary", "--bb\r\n-\r\n--b\r\n\r\nx\r\n--b--", "{|x}.", OK},
    {"line break first", "\r\n--b\r\n\r\nx\r\n--b--", "{|x}.", OK},
    {"epilogue", "--b\r\n\r\nx\r\n--b--\r\nbye\r\n--b\r\n\r\ny", "{|x}.", OK},
    {"padding", "--b \t\r\n\r\nx\r\n--b  \r\n\r\ny\r\n--b--  ", "{|x}{|y}.", OK},
    {"longer boundary", "--b\r\n\r\nx\r\n--bc\r\ny\r\n--b--", "{|x\r\n--bc\r\ny}.", OK},
    {"half a boundary", "--b\r\n\r\nx\r\n--\r\n-\r\n\r\n\r--b\n--b\r\n--b--",
     "{|x\r\n--\r\n-\r\n\r\n\r--b\n--b}.", OK},
    {"boundary and CR", "--b\r\n\r\nx\r\n--b\r\r\n--b--", "{|x\r\n--b\r}.", OK},
    {"boundary and dash", "--b\r\n\r\nx\r\n--b-\r\n--b--", "{|x\r\n--b-}.", OK},
    {"boundary and blanks", "--b\r\n\r\nx\r\n--b  y\r\n--b--", "{|x\r\n--b  y}.", OK},
    {"boundary and LF", "--b\r\n\r\nx\r\n--b\ny\r\n--b--", "{|x\r\n--b\ny}.", OK},
    {"boundary after LF", "--b\r\n\r\nx\n--b--\r\n--b--", "{|x\n--b--}.", OK},
    {"CRs", "--b\r\n\r\n\r\r\r\r\n--b--", "{|\r\r\r}.", OK},
    {"body like a boundary", "--b\r\n\r\n--bx\r\n--b--", "{|--bx}.", OK},
    {"body of dashes", "--b\r\n\r\n--\r\n--b--", "{|--}.", OK},
    {"folded", "--b\r\nA: 1;\r\n\t2\r\nB: 3\r\n\r\n\r\n--b--", "{a=1;  \t2,b=3|}.", OK},
    {"values", "--b\r\nContent-ID:<a@b>\r\nX:\r\n\r\n\r\n--b--", "{content-id=<a@b>,x=|}.", OK},
    {"nothing", "", "", ERR_TRUNCATED},
    {"no boundary", "hello", "", ERR_TRUNCATED},
    {"no end", "--b\r\n\r\nx", "{|x", ERR_TRUNCATED},
    {"no end, boundary", "--b\r\n\r\nx\r\n--b", "{|x", ERR_TRUNCATED},
    {"no end, dash", "--b\r\n\r\nx\r\n--b-", "{|x", ERR_TRUNCATED},
    {"no end, next part", "--b\r\n\r\nx\r\n--b\r\nA: 1\r\n", "{|x}", ERR_TRUNCATED},
    {"bare LF in fields", "--b\r\nA: 1\n\r\nx\r\n--b--", "!", ERR_SYNTAX},
    {"bare LF as line", "--b\r\n\nx\r\n--b--", "!", ERR_SYNTAX},
    {"no colon", "--b\r\nA\r\n\r\nx\r\n--b--", "!", ERR_SYNTAX},
    {"no name", "--b\r\n: 1\r\n\r\nx\r\n--b--", "!", ERR_SYNTAX},
    {"blank in name", "--b\r\nA : 1\r\n\r\nx\r\n--b--", "!", ERR_SYNTAX},
    {"folded first", "--b\r\n A: 1\r\n\r\nx\r\n--b--", "!", ERR_SYNTAX},
    {"control", "--b\r\nA: \0011\r\n\r\nx\r\n--b--", "!", ERR_SYNTAX},
    {"CR in value", "--b\r\nA: 1\r2\r\n\r\nx\r\n--b--", "!", ERR_SYNTAX},
    {"twice", "--b\r\nA: 1\r\na: 2\r\n\r\nx\r\n--b--", "!", ERR_SYNTAX},
    {"second bad", "--b\r\n\r\nx\r\n--b\r\nA\r\n\r\nx\r\n--b--", "{|x}!", ERR_SYNTAX},
};

static void tell(const struct multipart_event *ev, struct buf *out) {
    switch (ev->kind) {
    case MULTIPART_PART:
        buf_append_str(out, "{");
        for (size_t i = 0; i < ev->field_count; i++)
            buf_printf(out, "%s%.*s=%.*s", i ? "," : "", SLICE_FMT(ev->field[i].name),
                       SLICE_FMT(ev->field[i].value));
        buf_append_str(out, "|");
        break;
    case MULTIPART_DATA:
        assert_true(ev->data.n > 0);
        buf_append_slice(out, ev->data);
        break;
    case MULTIPART_PART_END:
        buf_append_str(out, "}");
        break;
    case MULTIPART_END:
        buf_append_str(out, ".");
        break;
    case MULTIPART_ERROR:
        buf_append_str(out, "!");
        break;
    case MULTIPART_MORE:
        break;
    }
}

static enum err run(struct multipart *m, struct slice body, size_t step, struct buf *out) {
    struct multipart_event ev = {.kind = MULTIPART_MORE};
    for (size_t at = 0; at < body.n && ev.kind != MULTIPART_ERROR; at += step) {
        struct slice part = slice_sub(body, at, step);
        uint8_t *exact = malloc(part.n);
        memcpy(exact, part.p, part.n);
        struct slice in = {exact, part.n};
        do {
            multipart_next(m, &in, &ev);
            tell(&ev, out);
        } while (ev.kind != MULTIPART_MORE && ev.kind != MULTIPART_ERROR);
        free(exact);
    }
    return multipart_finish(m);
}

static void cut(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        for (size_t step = 1; step <= strlen(cases[i].body) + 1; step++) {
            struct multipart *m = multipart_new(SLICE_LIT("b"), &multipart_limits_default);
            struct buf out = BUF_INIT(4096);
            enum err e = run(m, slice_str(cases[i].body), step, &out);
            buf_u8(&out, 0);
            if (e != cases[i].err || strcmp((const char *)out.p, cases[i].expected) != 0)
                fail_msg("%s by %zu: %s: %s", cases[i].name, step, err_name(e), (const char *)out.p);
            buf_fini(&out);
            multipart_free(m);
        }
}

static void boundaries(void **state) {
    (void)state;
    char text[140];
    memset(text, 'b', sizeof text);
    for (size_t n = 0; n < sizeof text; n++) {
        struct multipart *m = multipart_new(slice_of(text, n), &multipart_limits_default);
        assert_int_equal(m != NULL, n >= 1 && n <= 128);
        multipart_free(m);
    }
    assert_null(multipart_new(SLICE_LIT("a "), &multipart_limits_default));
    assert_null(multipart_new(SLICE_LIT("a\r"), &multipart_limits_default));
    assert_null(multipart_new(SLICE_LIT("a\0"), &multipart_limits_default));
    assert_null(multipart_new(SLICE_LIT("\xE4"), &multipart_limits_default));
}

static enum err limited(size_t header_bytes, uint64_t parts, struct slice body) {
    struct multipart_limits l = {.header_bytes = header_bytes, .parts = parts};
    struct multipart *m = multipart_new(SLICE_LIT("b"), &l);
    struct buf out = BUF_INIT(1 << 20);
    enum err e = run(m, body, SIZE_MAX / 2, &out);
    buf_fini(&out);
    multipart_free(m);
    return e;
}

static void limits(void **state) {
    (void)state;
    assert_int_equal(limited(8, 1, SLICE_LIT("--b\r\nA: 1\r\n\r\n\r\n--b--")), OK);
    assert_int_equal(limited(7, 1, SLICE_LIT("--b\r\nA: 1\r\n\r\n\r\n--b--")), ERR_LIMIT);
    assert_int_equal(limited(8, 1, SLICE_LIT("--b\r\nA: 1234567890")), ERR_LIMIT);
    assert_int_equal(limited(8, 2, SLICE_LIT("--b\r\n\r\n\r\n--b\r\n\r\n\r\n--b--")), OK);
    assert_int_equal(limited(8, 1, SLICE_LIT("--b\r\n\r\n\r\n--b\r\n\r\n\r\n--b--")), ERR_LIMIT);
    for (size_t n = MULTIPART_PREAMBLE_MAX; n <= MULTIPART_PREAMBLE_MAX + 1; n++) {
        struct buf body = BUF_INIT(1 << 20);
        memset(buf_extend(&body, n), 'x', n);
        buf_append_str(&body, "\r\n--b--");
        assert_int_equal(limited(8, 1, buf_slice(&body)), n > MULTIPART_PREAMBLE_MAX ? ERR_LIMIT : OK);
        buf_fini(&body);
    }
    for (int n = MULTIPART_FIELDS_MAX; n <= MULTIPART_FIELDS_MAX + 1; n++) {
        struct buf body = BUF_INIT(1 << 20);
        buf_append_str(&body, "--b\r\n");
        for (int i = 0; i < n; i++)
            buf_printf(&body, "x%d: y\r\n", i);
        buf_append_str(&body, "\r\n\r\n--b--");
        assert_int_equal(limited(8192, 1, buf_slice(&body)), n > MULTIPART_FIELDS_MAX ? ERR_LIMIT : OK);
        buf_fini(&body);
    }
}

static void many_parts(void **state) {
    (void)state;
    enum { PARTS = 1000000 };
    struct multipart *m = multipart_new(SLICE_LIT("b"), &multipart_limits_default);
    struct multipart_event ev;
    size_t begun = 0;
    for (int i = 0; i <= PARTS; i++) {
        struct slice in = i < PARTS ? SLICE_LIT("\r\n--b\r\n\r\nx") : SLICE_LIT("\r\n--b--");
        while (multipart_next(m, &in, &ev) != MULTIPART_MORE)
            begun += ev.kind == MULTIPART_PART;
    }
    assert_int_equal(begun, PARTS);
    assert_int_equal(multipart_finish(m), OK);
    multipart_free(m);
}

static void not_copied(void **state) {
    (void)state;
    static uint8_t big[1 << 20];
    struct multipart *m = multipart_new(SLICE_LIT("b"), &multipart_limits_default);
    struct multipart_event ev;
    struct slice in = SLICE_LIT("--b\r\n\r\n");
    assert_int_equal(multipart_next(m, &in, &ev), MULTIPART_PART);
    assert_int_equal(multipart_next(m, &in, &ev), MULTIPART_MORE);
    in = slice_of(big, sizeof big);
    assert_int_equal(multipart_next(m, &in, &ev), MULTIPART_DATA);
    assert_ptr_equal(ev.data.p, big);
    assert_int_equal(ev.data.n, sizeof big);
    assert_int_equal(in.n, 0);
    multipart_free(m);
}

static void written(void **state) {
    (void)state;
    char boundary[MULTIPART_BOUNDARY_BYTES + 1];
    multipart_boundary((const uint8_t *)"0123456789abcdef", boundary);
    assert_string_equal(boundary, "g-30313233343536373839616263646566");
    struct http_field f = {SLICE_LIT("Content-Type"), SLICE_LIT("application/dicom")};
    struct buf body = BUF_INIT(4096), out = BUF_INIT(4096);
    multipart_write_part(&body, boundary, true, &f, 1);
    buf_append_str(&body, "one");
    multipart_write_part(&body, boundary, false, &f, 1);
    multipart_write_end(&body, boundary, false);
    struct multipart *m = multipart_new(slice_str(boundary), &multipart_limits_default);
    assert_int_equal(run(m, buf_slice(&body), 5, &out), OK);
    assert_true(slice_eq_str(buf_slice(&out),
                             "{content-type=application/dicom|one}{content-type=application/dicom|}."));
    multipart_free(m);
    char type[MULTIPART_TYPE_MAX];
    multipart_write_type(type, "application/dicom", "x");
    assert_string_equal(type, "multipart/related; type=\"application/dicom\"; boundary=x");
    buf_reset(&out);
    multipart_write_end(&out, "x", true);
    assert_true(slice_eq_str(buf_slice(&out), "--x--\r\n"));
    buf_fini(&out);
    buf_fini(&body);
}

int main(void) {
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(cut),        cmocka_unit_test(boundaries), cmocka_unit_test(limits),
        cmocka_unit_test(many_parts), cmocka_unit_test(not_copied), cmocka_unit_test(written),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
