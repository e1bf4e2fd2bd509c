// Media types and Accept, as DICOMweb clients write them.
#include "http_test.h"

#include "http/media.h"

static void types(void **state) {
    (void)state;
    static const struct {
        const char *text, *name, *parameter, *value; // name NULL: refused
    } cases[] = {
        {"application/dicom+json", "application/dicom+json", "q", NULL},
        {" Application/DICOM ", "application/dicom", "type", NULL},
        {"multipart/related; type=\"application/dicom\"; boundary=abc", "multipart/related", "boundary",
         "abc"},
        {"multipart/related;type=application/dicom;boundary=\"a b:c\"", "multipart/related", "boundary",
         "a b:c"},
        {"multipart/related;TYPE=application/dicom", "multipart/related", "type", "application/dicom"},
        {"a/b;", "a/b", "c", NULL},
        {"a/b;;c=d", "a/b", "c", "d"},
        {"a/b; c=\"\"", "a/b", "c", ""},
        {"a/b;p1=1;p2=2;p3=3;p4=4;p5=5;p6=6;p7=7;p8=8", "a/b", "p8", "8"},
        {"a/b;p1=1;p2=2;p3=3;p4=4;p5=5;p6=6;p7=7;p8=8;p9=9", NULL, NULL, NULL},
        {"", NULL, NULL, NULL},
        {"a", NULL, NULL, NULL},
        {"a/", NULL, NULL, NULL},
        {"/b", NULL, NULL, NULL},
        {"a /b", NULL, NULL, NULL},
        {"a/b c", NULL, NULL, NULL},
        {"a/b, c/d", NULL, NULL, NULL},
        {"a/*", NULL, NULL, NULL},
        {"*/*", NULL, NULL, NULL},
        {"a/b;c", NULL, NULL, NULL},
        {"a/b;c=", NULL, NULL, NULL},
        {"a/b;c=\"d", NULL, NULL, NULL},
        {"a/b;c=\"d\"e", NULL, NULL, NULL},
        {"a/b;c=\"d\\\"e\"", NULL, NULL, NULL},
        {"a/b;c=d;C=e", NULL, NULL, NULL},
        {"a/b;c=\"d\001\"", NULL, NULL, NULL},
        {"a/b;=d", NULL, NULL, NULL},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct media_type m;
        bool ok = media_parse(slice_str(cases[i].text), &m);
        if (ok != (cases[i].name != NULL))
            fail_msg("%s", cases[i].text);
        if (!ok)
            continue;
        assert_true(media_is(&m, cases[i].name));
        assert_false(media_is(&m, "application/dico"));
        struct slice v = media_parameter(&m, cases[i].parameter);
        assert_int_equal(v.p != NULL, cases[i].value != NULL);
        assert_true(!v.p || slice_eq_str(v, cases[i].value));
    }
}

static void order(void **state) {
    (void)state;
    static const struct {
        const char *text, *expected;
    } cases[] = {
        {"a/b", "a/b"},
        {"a/b, c/d", "a/b c/d"},
        {"a/b;q=0.5, c/d", "c/d a/b"},
        {"*/*, a/*, a/b", "a/b a/* */*"},
        {"a/b;q=0, c/d;q=0.001", "c/d a/b"},
        {"multipart/related; type=\"application/dicom\"; transfer-syntax=*, application/zip;q=1.000",
         "multipart/related application/zip"},
        {"a/b;x=\",\", c/d", "a/b c/d"},
        {"text/html, image/gif, image/jpeg, *; q=.2, */*; q=.2", "text/html image/gif image/jpeg"},
        {"nonsense, a/b", "a/b"},
        {",,a/b,,", "a/b"},
        {"a/b;q=1.1, c/d", "c/d"},
        {"a/b;q=0.5555, c/d", "c/d"},
        {"a/b;q=x, c/d", "c/d"},
        {"a/b;q=, c/d", "c/d"},
        {"*/b, c/d", "c/d"},
        {"", ""},
        {"\"", ""},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct accept a;
        struct buf out = BUF_INIT(1024);
        accept_parse(slice_str(cases[i].text), &a);
        for (size_t k = 0; k < a.count; k++)
            buf_printf(&out, "%s%.*s/%.*s", k ? " " : "", SLICE_FMT(a.range[k].media.type),
                       SLICE_FMT(a.range[k].media.subtype));
        buf_u8(&out, 0);
        assert_string_equal((const char *)out.p, cases[i].expected);
        buf_fini(&out);
    }
}

static void many(void **state) {
    (void)state;
    struct buf text = BUF_INIT(4096);
    struct accept a;
    for (int i = 0; i < 40; i++)
        buf_append_str(&text, "a/b,");
    accept_parse(buf_slice(&text), &a);
    assert_int_equal(a.count, ACCEPT_MAX);
    buf_fini(&text);
}

static void wanted(void **state) {
    (void)state;
    static const struct {
        const char *text, *type;
        unsigned q;
    } cases[] = {
        {"image/jpeg", "image/jpeg", 1000},
        {"image/*;q=0.5, image/jpeg", "image/png", 500},
        {"image/*;q=0.5, image/jpeg", "image/jpeg", 1000},
        {"*/*, image/jpeg;q=0", "image/jpeg", 0},
        {"*/*, image/jpeg;q=0", "image/png", 1000},
        {"*/*;q=0.1, image/*;q=0", "image/png", 0},
        {"image/jpeg", "image/png", 0},
        {"", "image/png", 0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct accept a;
        accept_parse(slice_str(cases[i].text), &a);
        assert_int_equal(accept_quality(&a, cases[i].type), cases[i].q);
    }
}

int main(void) {
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(types),
        cmocka_unit_test(order),
        cmocka_unit_test(many),
        cmocka_unit_test(wanted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
