// PS3.18 Annex F, clause by clause.
#include <stdio.h>
#include <string.h>

#include "dicom/json.h"
#include "dicom/summary.h"
#include "dicom/text.h"
#include "std/tag.h"
#include "trace.h"

#define S(lit) lit, sizeof(lit) - 1

static const struct {
    const char *name;
    const char *bytes; // explicit little endian
    size_t n;
    const char *json;
} rows[] = {
    {"empty data set", S(""), "{}"},
    // F.2.2: keys, PN
    {"keys in upper case",
     S("\x2c\x00\xfb\x0a"
       "LO\x02\0"
       "x "),
     "{\"002C0AFB\":{\"vr\":\"LO\",\"Value\":[\"x\"]}}"},
    {"ascending whatever the file has",
     S("\x10\x00\x20\x00LO\x02\0"
       "x "
       "\x08\x00\x60\x00"
       "CS\x02\0CT"),
     "{\"00080060\":{\"vr\":\"CS\",\"Value\":[\"CT\"]},\"00100020\":{\"vr\":\"LO\",\"Value\":[\"x\"]}}"},
    {"no group lengths, no group 0002",
     S("\x02\x00\x10\x00UI\x02\0"
       "1\0"
       "\x08\x00\x00\x00UL\x04\0\x01\0\0\0"),
     "{}"},
    {"PN, one group", S("\x10\x00\x10\x00PN\x08\0Doe^Jane"),
     "{\"00100010\":{\"vr\":\"PN\",\"Value\":[{\"Alphabetic\":\"Doe^Jane\"}]}}"},
    {"PN, first and third group",
     S("\x10\x00\x10\x00PN\x06\0"
       "A==B  "),
     "{\"00100010\":{\"vr\":\"PN\",\"Value\":[{\"Alphabetic\":\"A\",\"Phonetic\":\"B\"}]}}"},
    {"PN, second group only", S("\x10\x00\x10\x00PN\x02\0=B"),
     "{\"00100010\":{\"vr\":\"PN\",\"Value\":[{\"Ideographic\":\"B\"}]}}"},
    {"PN, several", S("\x10\x00\x01\x10PN\x04\0A\\\\B"),
     "{\"00101001\":{\"vr\":\"PN\",\"Value\":[{\"Alphabetic\":\"A\"},null,{\"Alphabetic\":\"B\"}]}}"},
    // F.2.5: empty
    {"empty attribute", S("\x10\x00\x20\x00LO\x00\0"), "{\"00100020\":{\"vr\":\"LO\"}}"},
    {"blanks only", S("\x10\x00\x20\x00LO\x02\0  "), "{\"00100020\":{\"vr\":\"LO\"}}"},
    {"an empty value among others",
     S("\x08\x00\x08\x00"
       "CS\x04\0A\\\\B"),
     "{\"00080008\":{\"vr\":\"CS\",\"Value\":[\"A\",null,\"B\"]}}"},
    {"empty sequence", S(TAG_SQ "SQ\0\0\0\0\0\0"), "{\"00400275\":{\"vr\":\"SQ\"}}"},
    {"empty item", S(SQ_UNDEFINED ITEM_OF("\0") ITEM_OF("\0") SQ_END),
     "{\"00400275\":{\"vr\":\"SQ\",\"Value\":[{},{}]}}"},
    {"nested", S(SQ_UNDEFINED ITEM_UNDEFINED SQ_UNDEFINED ITEM_OF("\x0c") NAME SQ_END ITEM_END SQ_END),
     "{\"00400275\":{\"vr\":\"SQ\",\"Value\":[{\"00400275\":{\"vr\":\"SQ\",\"Value\":"
     "[{\"00100010\":{\"vr\":\"PN\",\"Value\":[{\"Alphabetic\":\"A^B\"}]}}]}}]}}"},
    // F.2.3: numbers
    {"IS",
     S("\x20\x00\x13\x00IS\x02\0"
       "7 "),
     "{\"00200013\":{\"vr\":\"IS\",\"Value\":[7]}}"},
    {"IS with a sign and zeros", S("\x20\x00\x13\x00IS\x0a\0+07\\-0\\000"),
     "{\"00200013\":{\"vr\":\"IS\",\"Value\":[7,-0,0]}}"},
    {"IS that is none",
     S("\x20\x00\x13\x00IS\x04\0"
       "1..2"),
     "{\"00200013\":{\"vr\":\"IS\",\"Value\":[\"1..2\"]}}"},
    {"DS",
     S("\x28\x00\x30\x00"
       "DS\x10\0"
       "0.5\\ .5\\5.\\1e-3 "),
     "{\"00280030\":{\"vr\":\"DS\",\"Value\":[0.5,0.5,5,1e-3]}}"},
    {"DS of 16 digits",
     S("\x28\x00\x30\x00"
       "DS\x10\0"
       "0.12345678901234"),
     "{\"00280030\":{\"vr\":\"DS\",\"Value\":[0.12345678901234]}}"},
    {"DS too precise",
     S("\x28\x00\x30\x00"
       "DS\x10\0"
       "1234567890123456"),
     "{\"00280030\":{\"vr\":\"DS\",\"Value\":[\"1234567890123456\"]}}"},
    {"DS too large",
     S("\x28\x00\x30\x00"
       "DS\x06\0"
       "1e9999"),
     "{\"00280030\":{\"vr\":\"DS\",\"Value\":[\"1e9999\"]}}"},
    {"FD, FL",
     S("\x18\x00\x87\x00"
       "FD\x08\0\x9a\x99\x99\x99\x99\x99\xb9\x3f"
       "\x18\x00\x16\x93"
       "FL\x04\0\xcd\xcc\xcc\x3d"),
     "{\"00180087\":{\"vr\":\"FD\",\"Value\":[0.1]},\"00189316\":{\"vr\":\"FL\",\"Value\":[0.1]}}"},
    {"FL that is no number",
     S("\x18\x00\x16\x93"
       "FL\x0c\0\0\0\xc0\x7f\0\0\x80\x7f\0\0\x80\xff"),
     "{\"00189316\":{\"vr\":\"FL\",\"Value\":[\"NaN\",\"inf\",\"-inf\"]}}"},
    {"SV, UV",
     S("\x72\x00\x82\x00SV\0\0\x10\0\0\0\xff\xff\xff\xff\xff\xff\xff\xff\0\0\0\0\0\0\0\x80"
       "\x72\x00\x83\x00UV\0\0\x08\0\0\0\xff\xff\xff\xff\xff\xff\xff\xff"),
     "{\"00720082\":{\"vr\":\"SV\",\"Value\":[-1,\"-9223372036854775808\"]},"
     "\"00720083\":{\"vr\":\"UV\",\"Value\":[\"18446744073709551615\"]}}"},
    {"US, SS, UL, SL",
     S("\x28\x00\x10\x00US\x02\0\xff\xff"
       "\x28\x00\x06\x01SS\x02\0\xff\xff"
       "\x28\x00\x11\x11UL\x04\0\xff\xff\xff\xff"
       "\x28\x00\x12\x11SL\x04\0\xff\xff\xff\xff"),
     "{\"00280010\":{\"vr\":\"US\",\"Value\":[65535]},\"00280106\":{\"vr\":\"SS\",\"Value\":[-1]},"
     "\"00281111\":{\"vr\":\"UL\",\"Value\":[4294967295]},\"00281112\":{\"vr\":\"SL\",\"Value\":[-1]}}"},
    {"AT",
     S("\x20\x00\x65\x91"
       "AT\x04\0\x18\x00\xfb\x0a"),
     "{\"00209165\":{\"vr\":\"AT\",\"Value\":[\"00180AFB\"]}}"},
    {"half a number", S("\x28\x00\x10\x00US\x03\0\x01\0\x02"),
     "{\"00280010\":{\"vr\":\"US\",\"Value\":[1]}}"},
    // Text
    {"quotes, backslashes, controls", S("\x08\x00\x70\x04ST\x08\0\"\\\n\x01<\x1f\t "),
     "{\"00080470\":{\"vr\":\"ST\",\"Value\":[\"\\\"\\\\\\n\\u0001<\\u001f\\t\"]}}"},
    {"leading blanks count in text, not in strings",
     S("\x08\x00\x70\x04ST\x04\0 x  "
       "\x10\x00\x20\x00LO\x04\0 x  "),
     "{\"00080470\":{\"vr\":\"ST\",\"Value\":[\" x\"]},\"00100020\":{\"vr\":\"LO\",\"Value\":[\"x\"]}}"},
    {"UI without its NUL",
     S("\x08\x00\x18\x00UI\x04\0"
       "1.2\0"),
     "{\"00080018\":{\"vr\":\"UI\",\"Value\":[\"1.2\"]}}"},
    {"Latin 1 becomes UTF-8, and says so",
     S("\x08\x00\x05\x00"
       "CS\x0a\0ISO_IR 100"
       "\x10\x00\x20\x00LO\x02\0\xe4 "),
     "{\"00080005\":{\"vr\":\"CS\",\"Value\":[\"ISO_IR 192\"]},"
      "\"00100020\":{\"vr\":\"LO\",\"Value\":[\"\xc3\xa4\"]}}"},
    {"no character set, but text beyond ASCII: it is named, in its place",
     S("\x08\x00\x00\x00UL\x04\0\x01\0\0\0"
       "\x08\x00\x60\x00"
       "CS\x02\0CT"
       "\x10\x00\x20\x00LO\x02\0\xe4 "),
     "{\"00080005\":{\"vr\":\"CS\",\"Value\":[\"ISO_IR 192\"]},"
     "\"00080060\":{\"vr\":\"CS\",\"Value\":[\"CT\"]},"
     "\"00100020\":{\"vr\":\"LO\",\"Value\":[\"\xc3\xa4\"]}}"},
    {"an empty one, and text beyond ASCII",
     S("\x08\x00\x05\x00"
       "CS\0\0"
       "\x10\x00\x20\x00LO\x02\0\xc3\xa4"),
     "{\"00080005\":{\"vr\":\"CS\",\"Value\":[\"ISO_IR 192\"]},"
     "\"00100020\":{\"vr\":\"LO\",\"Value\":[\"\xc3\xa4\"]}}"},
    {"an empty one, and none of that",
     S("\x08\x00\x05\x00"
       "CS\0\0"
       "\x10\x00\x20\x00LO\x02\0x "),
     "{\"00080005\":{\"vr\":\"CS\"},\"00100020\":{\"vr\":\"LO\",\"Value\":[\"x\"]}}"},
    {"the text is in an item",
     S(SQ_UNDEFINED ITEM_UNDEFINED "\x10\x00\x20\x00LO\x02\0\xe4 " ITEM_END SQ_END),
     "{\"00080005\":{\"vr\":\"CS\",\"Value\":[\"ISO_IR 192\"]},\"00400275\":{\"vr\":\"SQ\",\"Value\":["
     "{\"00100020\":{\"vr\":\"LO\",\"Value\":[\"\xc3\xa4\"]}}]}}"},
    {"an item has its own, the whole has none",
     S(SQ_UNDEFINED ITEM_UNDEFINED "\x08\x00\x05\x00"
                                   "CS\x0a\0ISO_IR 100"
                                   "\x10\x00\x20\x00LO\x02\0\xe4 " ITEM_END SQ_END),
     "{\"00080005\":{\"vr\":\"CS\",\"Value\":[\"ISO_IR 192\"]},\"00400275\":{\"vr\":\"SQ\",\"Value\":["
     "{\"00080005\":{\"vr\":\"CS\",\"Value\":[\"ISO_IR 192\"]},"
     "\"00100020\":{\"vr\":\"LO\",\"Value\":[\"\xc3\xa4\"]}}]}}"},
    {"bytes are no text",
     S("\x09\x00\x10\x10OB\0\0\x02\0\0\0\xff\xff"),
     "{\"00091010\":{\"vr\":\"OB\",\"InlineBinary\":\"//8=\"}}"},
    {"an item has its own character set, the next one its parent's",
     S("\x08\x00\x05\x00"
       "CS\x0a\0ISO_IR 100" SQ_UNDEFINED ITEM_UNDEFINED "\x08\x00\x05\x00"
       "CS\x0a\0ISO_IR 192"
       "\x10\x00\x20\x00LO\x02\0\xc3\xa4" ITEM_END ITEM_UNDEFINED
       "\x10\x00\x20\x00LO\x02\0\xe4 " ITEM_END SQ_END),
     "{\"00080005\":{\"vr\":\"CS\",\"Value\":[\"ISO_IR 192\"]},\"00400275\":{\"vr\":\"SQ\",\"Value\":["
     "{\"00080005\":{\"vr\":\"CS\",\"Value\":[\"ISO_IR 192\"]},"
      "\"00100020\":{\"vr\":\"LO\",\"Value\":[\"\xc3\xa4\"]}},"
     "{\"00100020\":{\"vr\":\"LO\",\"Value\":[\"\xc3\xa4\"]}}]}}"},
    // F.2.7: bytes
    {"InlineBinary",
     S("\x09\x00\x10\x10OB\0\0\x04\0\0\0\0\x01\x02\xff"
       "\x09\x00\x11\x10UN\0\0\x02\0\0\0ab"),
     "{\"00091010\":{\"vr\":\"OB\",\"InlineBinary\":\"AAEC/w==\"},"
      "\"00091011\":{\"vr\":\"UN\",\"InlineBinary\":\"YWI=\"}}"},
    {"UN of an attribute that is known",
     S("\x10\x00\x20\x00UN\0\0\x02\0\0\0x "
       "\x28\x00\x10\x00UN\0\0\x02\0\0\0\x01\x02"
       "\x28\x00\x11\x00UN\0\0\x02\0\0\0\0\0"
       "\x40\x00\x75\x02UN\0\0\x02\0\0\0"
       "ab"),
     "{\"00100020\":{\"vr\":\"LO\",\"Value\":[\"x\"]},\"00280010\":{\"vr\":\"US\",\"Value\":[513]},"
     "\"00280011\":{\"vr\":\"US\",\"Value\":[0]},\"00400275\":{\"vr\":\"UN\",\"InlineBinary\":\"YWI=\"}}"},
    {"UN of a length that the VR can't have",
     S("\x18\x00\x18\x60UN\0\0\x02\0\0\0"
       "ab"),
     "{\"00186018\":{\"vr\":\"UN\",\"InlineBinary\":\"YWI=\"}}"},
    {"PN, components that are empty",
     S("\x10\x00\x10\x00PN\x06\0"
       "A^^^^ "
       "\x10\x00\x01\x10PN\x06\0^^=^^ "),
     "{\"00100010\":{\"vr\":\"PN\",\"Value\":[{\"Alphabetic\":\"A\"}]},\"00101001\":{\"vr\":\"PN\"}}"},
    {"AS, padded",
     S("\x10\x00\x10\x10"
       "AS\x04\0"
       "22Y "),
     "{\"00101010\":{\"vr\":\"AS\",\"Value\":[\"22Y\"]}}"},
    {"empty bytes", S("\x09\x00\x10\x10OB\0\0\0\0\0\0"), "{\"00091010\":{\"vr\":\"OB\"}}"},
    {"an unknown VR", S("\x09\x00\x10\x10ZZ\0\0\x02\0\0\0ab"),
     "{\"00091010\":{\"vr\":\"UN\",\"InlineBinary\":\"YWI=\"}}"},
    // 10.4.3.3.2: large values
    {"pixels", S("\xe0\x7f\x10\x00OW\0\0\x04\0\0\0\0\0\0\0"),
     "{\"7FE00010\":{\"vr\":\"OW\",\"BulkDataURI\":\"b/7FE00010@12+4\"}}"},
    {"pixels in an item",
     S("\x88\x00\x00\x02SQ\0\0\xff\xff\xff\xff" ITEM_OF("\0") ITEM_UNDEFINED PIXELS_UNDEFINED ITEM_OF("\0")
           SQ_END ITEM_END SQ_END),
     "{\"00880200\":{\"vr\":\"SQ\",\"Value\":[{},{\"7FE00010\":{\"vr\":\"OB\","
     "\"BulkDataURI\":\"b/00880200/2/7FE00010@40+8\"}}]}}"},
};

static bool uri(void *ctx, const char *path, const struct dicom_element *e, struct buf *out) {
    buf_printf(out, "%s/%s@%u+%u", (const char *)ctx, path, (unsigned)e->ref.offset, (unsigned)e->ref.length);
    return true;
}

// Through the summary, as the archive does it.
static struct dicom_dataset *parse(struct slice bytes, enum dicom_syntax syntax, struct dicom_summary *s,
                                   struct arena *a) {
    struct dicom_dataset *ds = NULL;
    const struct dicom_reader_options o = {.syntax = syntax};
    assert_int_equal(dicom_read(&o, bytes, dicom_summary_event, s, NULL), OK);
    assert_int_equal(dicom_summary_parse(dicom_summary_bytes(s), a, NULL, &ds), OK);
    return ds;
}

static void test_rows(void **state) {
    (void)state;
    char base[] = "b";
    const struct dicom_json_options o = {.uri = uri, .uri_ctx = base};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct arena a = ARENA_INIT(1 << 20);
        struct buf out = BUF_INIT(1 << 20);
        struct dicom_summary *s = dicom_summary_new(NULL, 0, 0);
        struct dicom_dataset *ds = parse(slice_of(rows[i].bytes, rows[i].n), DICOM_EXPLICIT_LE, s, &a);
        assert_int_equal(dicom_json_write(ds, &o, &out, NULL), OK);
        if (!slice_eq_str(buf_slice(&out), rows[i].json))
            fail_msg("%s: %.*s", rows[i].name, (int)out.n, (const char *)out.p);
        // Every shorter buffer is a limit, not an accident.
        struct buf less = BUF_INIT(out.n - 1);
        assert_int_equal(dicom_json_write(ds, &o, &less, NULL), ERR_LIMIT);
        buf_fini(&less);
        buf_fini(&out);
        dicom_summary_free(s);
        arena_fini(&a);
    }
}

static void test_big_endian_binary_is_little_endian(void **state) {
    (void)state;
    struct arena a = ARENA_INIT(1 << 16);
    struct buf out = BUF_INIT(1 << 16);
    struct dicom_summary *s = dicom_summary_new(NULL, 0, 0);
    struct dicom_dataset *ds = parse(slice_of(S("\x00\x28\x12\x01OW\0\0\0\0\0\x04\x01\x02\x03\x04")),
                                     DICOM_EXPLICIT_BE, s, &a);
    assert_int_equal(dicom_json_write(ds, NULL, &out, NULL), OK);
    assert_true(
        slice_eq_str(buf_slice(&out), "{\"00281201\":{\"vr\":\"OW\",\"InlineBinary\":\"AgEEAw==\"}}"));
    buf_fini(&out);
    dicom_summary_free(s);
    arena_fini(&a);
}

static void test_invalid_utf8_is_replaced(void **state) {
    (void)state;
    struct buf out = BUF_INIT(100);
    dicom_json_string(&out, slice_of(S("a\xff\xc0\x80z\xe2\x82")));
    assert_true(slice_eq_str(buf_slice(&out),
                             "\"a\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBDz\xEF\xBF\xBD\xEF\xBF\xBD\""));
    buf_fini(&out);
}

static void test_text_is_safe(void **state) {
    (void)state;
    static const struct {
        const char *in, *out;
    } cases[] = {
        {"plain", "plain"},
        {"a\nb\r\tc", "a\\nb\\r\\tc"},
        {"\x1b[31mred", "\\x1b[31mred"},
        {"\xc2\x9b", "\\u{9b}"},                   // CSI in one character
        {"\xe2\x80\xae" "evil", "\\u{202e}evil"},  // right-to-left override
        {"\xff\xfe", "\\xff\\xfe"},
        {"\xc3\xa4\xe5\xb1\xb1", "\xc3\xa4\xe5\xb1\xb1"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct buf out = BUF_INIT(1000);
        dicom_text_escape(&out, slice_str(cases[i].in));
        assert_true(slice_eq_str(buf_slice(&out), cases[i].out));
        buf_fini(&out);
    }
}

static void test_private_creators_are_named(void **state) {
    (void)state;
    struct buf out = BUF_INIT(1 << 16);
    struct dicom_text t;
    dicom_text_init(&t, &out, 8);
    struct slice s = slice_of(S("\x09\x00\x10\x00LO\x06\0ACME\x07 "
                                "\x09\x00\x01\x10LO\x02\0"
                                "a "
                                "\x09\x00\x01\x11LO\x02\0"
                                "b " SQ_UNDEFINED ITEM_UNDEFINED "\x09\x00\x01\x10LO\x02\0"
                                "c " ITEM_END SQ_END "\x41\x00\x01\x10LO\x02\0"
                                "d "));
    const struct dicom_reader_options o = {.syntax = DICOM_EXPLICIT_LE};
    assert_int_equal(dicom_read(&o, s, dicom_text_event, &t, NULL), OK);
    buf_u8(&out, 0);
    const char *text = (const char *)out.p;
    assert_non_null(strstr(strstr(text, "[a]"), "private of ACME\\x07\n"));
    assert_non_null(strstr(strstr(text, "[b]"), " private\n")); // another block
    assert_non_null(strstr(strstr(text, "[c]"), " private\n")); // an item has its own creators
    buf_fini(&out);
}

static void test_text_lines(void **state) {
    (void)state;
    struct buf out = BUF_INIT(1 << 16);
    struct dicom_text t;
    dicom_text_init(&t, &out, 8);
    struct slice s = slice_of(
        S("\x08\x00\x18\x00UI\x04\0"
          "1.2\0" SQ_UNDEFINED ITEM_OF(
              "\x12") "\x10\x00\x20\x00LO\x0a\0"
                      "0123456789" SQ_END "\x28\x00\x10\x00US\x02\0\x01\x02" PIXELS_UNDEFINED ITEM_OF("\0")
                          ITEM_OF("\2") "ab" SQ_END));
    const struct dicom_reader_options o = {.syntax = DICOM_EXPLICIT_LE};
    assert_int_equal(dicom_read(&o, s, dicom_text_event, &t, NULL), OK);
    buf_u8(&out, 0);
    static const char *const want[] = {
        "(0008,0018) UI #4 [1.2] ", " SOPInstanceUID\n", "(0040,0275) SQ #undefined ", "\n  - item 1\n",
        "\n  (0010,0020) LO #10 [01234567...] ", "(0028,0010) US #2 513 ", "  - fragment 1 (2 bytes at ",
    };
    for (size_t i = 0; i < sizeof want / sizeof want[0]; i++)
        if (!strstr((char *)out.p, want[i]))
            fail_msg("no \"%s\" in:\n%s", want[i], (char *)out.p);
    buf_fini(&out);
}

int main(void) {
    struct fault f = {0};
    if (dicom_charset_preload(&f) != OK)
        return 1;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rows),
        cmocka_unit_test(test_big_endian_binary_is_little_endian),
        cmocka_unit_test(test_invalid_utf8_is_replaced),
        cmocka_unit_test(test_text_is_safe),
        cmocka_unit_test(test_text_lines),
        cmocka_unit_test(test_private_creators_are_named),
    };
    return cmocka_run_group_tests_name("dicom/json", tests, NULL, NULL);
}
