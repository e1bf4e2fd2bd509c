// The DICOM JSON model read, clause by clause of PS3.18 Annex F: what comes out when it is written again,
// or why it is refused, and where.
#include <stdio.h>
#include <string.h>

#include "dicom/json.h"
#include "dicom/json_read.h"
#include "std/tag.h"
#include "trace.h"

#define CHARSET "\"00080005\":{\"vr\":\"CS\",\"Value\":[\"ISO_IR 192\"]}"
#define ONE(tag, rest) "{\"" tag "\":{" rest "}}"
// A private attribute, so that the VR can be any.
#define V(vr, values) ONE("00091001", "\"vr\":\"" vr "\",\"Value\":[" values "]")

// In and out are the same but for the character set, unless `out` says otherwise.
static const struct {
    const char *name, *in, *out;
} good[] = {
    {"empty", "{}", ""},
    {"in an array", "[{}]", ""},
    {"empty attribute", ONE("00100020", "\"vr\":\"LO\""), NULL},
    {"empty array", ONE("00100020", "\"vr\":\"LO\",\"Value\":[]"), "\"00100020\":{\"vr\":\"LO\"}"},
    {"null", V("LO", "null"), "\"00091001\":{\"vr\":\"LO\"}"},
    {"null among values", V("CS", "\"A\",null,\"B\""), NULL},
    {"null first and last", V("CS", "null,\"A\",null"), NULL},
    {"null for a number", V("US", "null"), "\"00091001\":{\"vr\":\"US\"}"},
    {"lower case key", ONE("0010002a", "\"vr\":\"LO\",\"Value\":[\"x\"]"),
     "\"0010002A\":{\"vr\":\"LO\",\"Value\":[\"x\"]}"},
    {"the members in another order", "{\"00100020\":{\"Value\":[\"x\"],\"vr\":\"LO\"}}",
     "\"00100020\":{\"vr\":\"LO\",\"Value\":[\"x\"]}"},
    {"the attributes in another order", "{\"00100020\":{\"vr\":\"LO\"},\"00080060\":{\"vr\":\"CS\"}}",
     "\"00080060\":{\"vr\":\"CS\"},\"00100020\":{\"vr\":\"LO\"}"},
    {"keys with escapes", "{\"00100020\":{\"\\u0076r\":\"L\\u004f\"}}", "\"00100020\":{\"vr\":\"LO\"}"},
    {"group lengths are dropped", ONE("00100000", "\"vr\":\"UL\",\"Value\":[7]"), ""},
    {"escapes", V("ST", "\"\\\"\\\\\\n\\t\\u00e4\\ud83d\\ude00\""),
     "\"00091001\":{\"vr\":\"ST\",\"Value\":[\"\\\"\\\\\\n\\t\xC3\xA4\xF0\x9F\x98\x80\"]}"},
    {"a backslash in text", V("UT", "\"a\\\\b\""), NULL},
    {"another character set", ONE("00080005", "\"vr\":\"CS\",\"Value\":[\"ISO_IR 100\"]"), ""},
    {"an empty character set", ONE("00080005", "\"vr\":\"CS\""), ""},
    {"several strings", V("UI", "\"1.2\",\"1.2.3\""), NULL},
    // F.2.2
    {"PN", V("PN", "{\"Alphabetic\":\"A^B\"}"), NULL},
    {"PN, three groups", V("PN", "{\"Phonetic\":\"C\",\"Ideographic\":\"B\",\"Alphabetic\":\"A\"}"),
     "\"00091001\":{\"vr\":\"PN\",\"Value\":[{\"Alphabetic\":\"A\",\"Ideographic\":\"B\",\"Phonetic\":\"C\"}]"
     "}"},
    {"PN, the third group only", V("PN", "{\"Phonetic\":\"C\"}"), NULL},
    {"PN, an empty group", V("PN", "{\"Alphabetic\":\"A\",\"Ideographic\":\"\"}"),
     "\"00091001\":{\"vr\":\"PN\",\"Value\":[{\"Alphabetic\":\"A\"}]}"},
    {"PN, empty objects and null", V("PN", "{},null,{\"Alphabetic\":\"A\"}"),
     "\"00091001\":{\"vr\":\"PN\",\"Value\":[null,null,{\"Alphabetic\":\"A\"}]}"},
    // F.2.3
    {"IS", V("IS", "7,\"8\",-2147483648"), "\"00091001\":{\"vr\":\"IS\",\"Value\":[7,8,-2147483648]}"},
    {"DS", V("DS", "0.5,\"1.50\",1e-3,-0"), "\"00091001\":{\"vr\":\"DS\",\"Value\":[0.5,1.50,1e-3,-0]}"},
    {"DS of 16 characters", V("DS", "0.12345678901234"), NULL},
    {"DS of 17 characters", V("DS", "0.123456789012345"),
     "\"00091001\":{\"vr\":\"DS\",\"Value\":[0.12345678901234]}"},
    {"DS as JavaScript has it", V("DS", "-0.30000000000000004"),
     "\"00091001\":{\"vr\":\"DS\",\"Value\":[-0.3]}"},
    {"DS, a small one", V("DS", "-1.2345678901234567e-100"),
     "\"00091001\":{\"vr\":\"DS\",\"Value\":[\"-1.23456789e-100\"]}"},
    {"FL", V("FL", "0.1,-1e10,\"NaN\",\"inf\",\"-inf\""),
     "\"00091001\":{\"vr\":\"FL\",\"Value\":[0.1,-1e+10,\"NaN\",\"inf\",\"-inf\"]}"},
    {"FD", V("FD", "0.1,\"Infinity\",5e-324"),
     "\"00091001\":{\"vr\":\"FD\",\"Value\":[0.1,\"inf\",4.94065645841247e-324]}"},
    {"SS, US",
     "{\"00091001\":{\"vr\":\"SS\",\"Value\":[-32768,32767]},\"00091002\":{\"vr\":\"US\",\"Value\":[0,65535]}"
     "}",
     NULL},
    {"SL, UL",
     "{\"00091001\":{\"vr\":\"SL\",\"Value\":[-2147483648,2147483647]},\"00091002\":{\"vr\":\"UL\",\"Value\":"
     "[4294967295]}}",
     NULL},
    {"SV", V("SV", "-9223372036854775808,\"9223372036854775807\",-1"),
     "\"00091001\":{\"vr\":\"SV\",\"Value\":[\"-9223372036854775808\",\"9223372036854775807\",-1]}"},
    {"UV", V("UV", "18446744073709551615,\"1\",-0"),
     "\"00091001\":{\"vr\":\"UV\",\"Value\":[\"18446744073709551615\",1,0]}"},
    {"AT", V("AT", "\"00180AFB\",\"7fe00010\""),
     "\"00091001\":{\"vr\":\"AT\",\"Value\":[\"00180AFB\",\"7FE00010\"]}"},
    // F.2.5, nesting
    {"empty sequence", ONE("00400275", "\"vr\":\"SQ\""), NULL},
    {"no items", ONE("00400275", "\"vr\":\"SQ\",\"Value\":[]"), "\"00400275\":{\"vr\":\"SQ\"}"},
    {"empty items", ONE("00400275", "\"vr\":\"SQ\",\"Value\":[{},{}]"), NULL},
    {"nested",
     ONE("00400275", "\"vr\":\"SQ\",\"Value\":[{},{\"00400275\":{\"vr\":\"SQ\",\"Value\":[{\"00100020\":"
                     "{\"vr\":\"LO\",\"Value\":[\"x\"]}}]},\"00400280\":{\"vr\":\"SQ\"}},{}]"),
     NULL},
    {"nested, out of order",
     "{\"00400280\":{\"Value\":[{\"00100020\":{\"vr\":\"LO\"},\"00100010\":{\"vr\":\"PN\"}}],\"vr\":\"SQ\"},"
     "\"00400275\":{\"vr\":\"SQ\"}}",
     "\"00400275\":{\"vr\":\"SQ\"},\"00400280\":{\"vr\":\"SQ\",\"Value\":[{\"00100010\":{\"vr\":\"PN\"},"
     "\"00100020\":{\"vr\":\"LO\"}}]}"},
    {"the character set of an item",
     ONE("00400275", "\"vr\":\"SQ\",\"Value\":[{\"00080005\":{\"vr\":\"CS\",\"Value\":[\"GBK\"]}}]"),
     "\"00400275\":{\"vr\":\"SQ\",\"Value\":[{" CHARSET "}]}"},
    // F.2.6, F.2.7
    {"InlineBinary", ONE("00091010", "\"vr\":\"OB\",\"InlineBinary\":\"AAEC/w==\""), NULL},
    {"InlineBinary, empty", ONE("00091010", "\"vr\":\"OB\",\"InlineBinary\":\"\""),
     "\"00091010\":{\"vr\":\"OB\"}"},
    {"InlineBinary with escapes", ONE("00091010", "\"vr\":\"UN\",\"InlineBinary\":\"AAEC\\/w==\""),
     "\"00091010\":{\"vr\":\"UN\",\"InlineBinary\":\"AAEC/w==\"}"},
    {"bulk data", ONE("7FE00010", "\"vr\":\"OW\",\"BulkDataURI\":\"bulk/1\""), NULL},
    {"bulk data twice",
     "{\"7FE00010\":{\"vr\":\"OB\",\"BulkDataURI\":\"cid:a%20b\"},\"00880200\":{\"vr\":\"SQ\",\"Value\":[{"
     "\"7FE00010\":{\"vr\":\"OW\",\"BulkDataURI\":\"file:///etc/passwd\"}}]}}",
     "\"00880200\":{\"vr\":\"SQ\",\"Value\":[{\"7FE00010\":{\"vr\":\"OW\",\"BulkDataURI\":\"file:///etc/"
     "passwd\"}}]},\"7FE00010\":{\"vr\":\"OB\",\"BulkDataURI\":\"cid:a%20b\"}"},
};

static const struct {
    const char *name, *in;
    enum err expected;
    const char *where; // the fault begins so
} bad[] = {
    {"no JSON", "{", ERR_SYNTAX, "JSON, byte 1"},
    {"a number", "7", ERR_SYNTAX, "JSON that is no data set"},
    {"a string", "\"x\"", ERR_SYNTAX, "JSON that is no data set"},
    {"an array in an array", "[[]]", ERR_SYNTAX, "a data set that is no object"},
    {"a keyword", ONE("PatientName", "\"vr\":\"PN\""), ERR_SYNTAX, "a key that is no tag"},
    {"seven digits", ONE("0010001", "\"vr\":\"PN\""), ERR_SYNTAX, "a key that is no tag"},
    {"nine digits", ONE("001000100", "\"vr\":\"PN\""), ERR_SYNTAX, "a key that is no tag"},
    {"a comma", ONE("0010,010", "\"vr\":\"PN\""), ERR_SYNTAX, "a key that is no tag"},
    {"an empty key", ONE("", "\"vr\":\"PN\""), ERR_SYNTAX, "a key that is no tag"},
    {"an item tag", ONE("FFFEE000", "\"vr\":\"UN\""), ERR_SYNTAX, "FFFEE000: not an attribute"},
    {"a command", ONE("00000100", "\"vr\":\"US\""), ERR_SYNTAX, "00000100: not an attribute"},
    {"group 0002 in an item", ONE("00400275", "\"vr\":\"SQ\",\"Value\":[{\"00020010\":{\"vr\":\"UI\"}}]"),
     ERR_SYNTAX, "00400275/1/00020010: not an attribute"},
    {"twice", "{\"00100020\":{\"vr\":\"LO\"},\"00100020\":{\"vr\":\"LO\"}}", ERR_SYNTAX,
     "00100020: an attribute that comes twice"},
    {"twice, apart",
     "{\"0010002A\":{\"vr\":\"LO\"},\"00100010\":{\"vr\":\"LO\"},\"0010002a\":{\"vr\":\"LO\"}}", ERR_SYNTAX,
     "0010002A: an attribute that comes twice"},
    {"no object", "{\"00100020\":\"x\"}", ERR_SYNTAX, "00100020: an attribute that is no object"},
    {"null for an attribute", "{\"00100020\":null}", ERR_SYNTAX, "00100020: an attribute that is no object"},
    {"no vr", "{\"00100020\":{}}", ERR_SYNTAX, "00100020: no vr"},
    {"an unknown VR", ONE("00100020", "\"vr\":\"ZZ\""), ERR_SYNTAX, "00100020: no such VR"},
    {"a lower case VR", ONE("00100020", "\"vr\":\"lo\""), ERR_SYNTAX, "00100020: no such VR"},
    {"a long VR", ONE("00100020", "\"vr\":\"LO \""), ERR_SYNTAX, "00100020: no such VR"},
    {"an empty VR", ONE("00100020", "\"vr\":\"\""), ERR_SYNTAX, "00100020: no such VR"},
    {"VR null", ONE("00100020", "\"vr\":null"), ERR_SYNTAX, "00100020: a key with a value of the wrong kind"},
    {"vr twice", ONE("00100020", "\"vr\":\"LO\",\"vr\":\"LO\""), ERR_SYNTAX,
     "00100020: a key that comes twice"},
    {"an unknown member", ONE("00100020", "\"vr\":\"LO\",\"value\":[]"), ERR_SYNTAX,
     "00100020: an unknown key"},
    {"Value and InlineBinary", ONE("00100020", "\"vr\":\"OB\",\"Value\":[],\"InlineBinary\":\"\""),
     ERR_SYNTAX, "00100020: more than one of"},
    {"Value that is no array", ONE("00100020", "\"vr\":\"LO\",\"Value\":\"x\""), ERR_SYNTAX,
     "00100020: a key with a value"},
    {"Value null", ONE("00100020", "\"vr\":\"LO\",\"Value\":null"), ERR_SYNTAX,
     "00100020: a key with a value"},
    {"true", V("CS", "true"), ERR_SYNTAX, "00091001: a value that is none"},
    {"an array in Value", V("CS", "[]"), ERR_SYNTAX, "00091001: a value that is none"},
    {"an object for text", V("LO", "{}"), ERR_SYNTAX, "00091001: a person name where"},
    {"a number for text", V("LO", "7"), ERR_SYNTAX, "00091001: a number where"},
    {"a string for PN", V("PN", "\"A^B\""), ERR_SYNTAX, "00091001: text where"},
    {"a backslash in a value", V("LO", "\"a\\\\b\""), ERR_SYNTAX, "00091001: a backslash"},
    {"a NUL", V("LO", "\"a\\u0000\""), ERR_SYNTAX, "JSON, byte 34: a string holds"},
    {"an escape sequence", V("LO", "\"\\u001b$B\""), ERR_SYNTAX, "00091001: an escape"},
    {"a letter no CS has", V("CS", "\"\xC3\xA4\""), ERR_SYNTAX, "00091001: not of the default"},
    {"two values of ST", V("ST", "\"a\",\"b\""), ERR_SYNTAX, "00091001: more than one value"},
    {"two values of UR", V("UR", "\"a\",\"b\""), ERR_SYNTAX, "00091001: more than one value"},
    {"PN, an unknown group", V("PN", "{\"Family\":\"A\"}"), ERR_SYNTAX, "00091001: a person name with"},
    {"PN, a group twice", V("PN", "{\"Alphabetic\":\"A\",\"Alphabetic\":\"A\"}"), ERR_SYNTAX,
     "00091001: a person name with"},
    {"PN, a number", V("PN", "{\"Alphabetic\":7}"), ERR_SYNTAX, "00091001: a part of"},
    {"PN, '='", V("PN", "{\"Alphabetic\":\"A=B\"}"), ERR_SYNTAX, "00091001: a '='"},
    {"PN, a backslash", V("PN", "{\"Phonetic\":\"A\\\\B\"}"), ERR_SYNTAX, "00091001: a backslash"},
    {"IS with a fraction", V("IS", "7.0"), ERR_SYNTAX, "00091001: not a number"},
    {"IS too large", V("IS", "2147483648"), ERR_SYNTAX, "00091001: not a number"},
    {"IS too small", V("IS", "-2147483649"), ERR_SYNTAX, "00091001: not a number"},
    {"US below", V("US", "-1"), ERR_SYNTAX, "00091001: not a number"},
    {"US above", V("US", "65536"), ERR_SYNTAX, "00091001: not a number"},
    {"US as a string", V("US", "\"7\""), ERR_SYNTAX, "00091001: a string where"},
    {"US with a fraction", V("US", "7.5"), ERR_SYNTAX, "00091001: not a number"},
    {"US with an exponent", V("US", "1e2"), ERR_SYNTAX, "00091001: not a number"},
    {"SS below", V("SS", "-32769"), ERR_SYNTAX, "00091001: not a number"},
    {"SS above", V("SS", "32768"), ERR_SYNTAX, "00091001: not a number"},
    {"SL below", V("SL", "-2147483649"), ERR_SYNTAX, "00091001: not a number"},
    {"UL above", V("UL", "4294967296"), ERR_SYNTAX, "00091001: not a number"},
    {"SV above", V("SV", "9223372036854775808"), ERR_SYNTAX, "00091001: not a number"},
    {"SV below", V("SV", "-9223372036854775809"), ERR_SYNTAX, "00091001: not a number"},
    {"UV above", V("UV", "18446744073709551616"), ERR_SYNTAX, "00091001: not a number"},
    {"UV, words", V("UV", "\"all\""), ERR_SYNTAX, "00091001: not a number"},
    {"UV, empty", V("UV", "\"\""), ERR_SYNTAX, "00091001: not a number"},
    {"null after a number", V("US", "7,null"), ERR_SYNTAX, "00091001: null among numbers"},
    {"null before a number", V("US", "null,7"), ERR_SYNTAX, "00091001: null among numbers"},
    {"two nulls for numbers", V("US", "null,null"), ERR_SYNTAX, "00091001: null among numbers"},
    {"FL too large", V("FL", "1e39"), ERR_SYNTAX, "00091001: not a number"},
    {"FD too large", V("FD", "1e309"), ERR_SYNTAX, "00091001: not a number"},
    {"DS too large", V("DS", "1.0000000000000000e309"), ERR_SYNTAX, "00091001: not a number"},
    {"FD as a string", V("FD", "\"0.5\""), ERR_SYNTAX, "00091001: a string where"},
    {"FD, another word", V("FD", "\"nan\""), ERR_SYNTAX, "00091001: not a number"},
    {"FD, hexadecimal", V("FD", "\"0x1p\""), ERR_SYNTAX, "00091001: not a number"},
    {"AT as a number", V("AT", "180"), ERR_SYNTAX, "00091001: a number where a tag"},
    {"AT too short", V("AT", "\"00180AF\""), ERR_SYNTAX, "00091001: not a number"},
    {"AT, a keyword", V("AT", "\"PatientA\""), ERR_SYNTAX, "00091001: not a number"},
    {"Value of OB", V("OB", "1"), ERR_SYNTAX, "00091001: a Value where"},
    {"Value of UN", V("UN", ""), ERR_SYNTAX, "00091001: a Value where"},
    {"items of LO", V("LO", "{\"00100020\":{\"vr\":\"LO\"}}"), ERR_SYNTAX, "00091001: a person name"},
    {"an item that is null", V("SQ", "null"), ERR_SYNTAX, "00091001: an item that"},
    {"an item that is text", V("SQ", "{},\"x\""), ERR_SYNTAX, "00091001: an item that"},
    {"an error in an item", V("SQ", "{},{\"00100020\":{\"vr\":\"LO\",\"Value\":[7]}}"), ERR_SYNTAX,
     "00091001/2/00100020: a number where"},
    {"an error after items", "{\"00091001\":{\"vr\":\"SQ\",\"Value\":[{}]},\"x\":{}}", ERR_SYNTAX,
     "a key that is no tag"},
    {"InlineBinary of LO", ONE("00091001", "\"vr\":\"LO\",\"InlineBinary\":\"\""), ERR_SYNTAX,
     "00091001: InlineBinary where"},
    {"InlineBinary of SQ", ONE("00091001", "\"vr\":\"SQ\",\"InlineBinary\":\"\""), ERR_SYNTAX,
     "00091001: InlineBinary where"},
    {"InlineBinary as an array", ONE("00091001", "\"vr\":\"OB\",\"InlineBinary\":[\"AAEC\"]"), ERR_SYNTAX,
     "00091001: a key with"},
    {"base64 without padding", ONE("00091001", "\"vr\":\"OB\",\"InlineBinary\":\"AAE\""), ERR_SYNTAX,
     "00091001: InlineBinary that"},
    {"base64, too much padding", ONE("00091001", "\"vr\":\"OB\",\"InlineBinary\":\"A===\""), ERR_SYNTAX,
     "00091001: InlineBinary that"},
    {"base64, padding inside", ONE("00091001", "\"vr\":\"OB\",\"InlineBinary\":\"AA==AAEC\""), ERR_SYNTAX,
     "00091001: InlineBinary that"},
    {"base64, a blank", ONE("00091001", "\"vr\":\"OB\",\"InlineBinary\":\"AAE AAE=\""), ERR_SYNTAX,
     "00091001: InlineBinary that"},
    {"base64, the other alphabet", ONE("00091001", "\"vr\":\"OB\",\"InlineBinary\":\"AA_-\""), ERR_SYNTAX,
     "00091001: InlineBinary that"},
    {"base64, stray bits", ONE("00091001", "\"vr\":\"OB\",\"InlineBinary\":\"AAF=\""), ERR_SYNTAX,
     "00091001: InlineBinary that"},
    {"half a word", ONE("00091001", "\"vr\":\"OW\",\"InlineBinary\":\"AAEC\""), ERR_SYNTAX,
     "00091001: InlineBinary of a length"},
    {"a sequence as bulk", ONE("00091001", "\"vr\":\"SQ\",\"BulkDataURI\":\"x\""), ERR_SYNTAX,
     "00091001: a sequence as bulk"},
    {"an empty URI", ONE("00091001", "\"vr\":\"OB\",\"BulkDataURI\":\"\""), ERR_SYNTAX,
     "00091001: bulk data with no URI"},
};

static bool uri(void *ctx, const char *path, const struct dicom_element *e, struct buf *out) {
    const struct dicom_model *m = ctx;
    assert_true(e->ref.offset < m->bulk_count);
    const struct dicom_bulk *b = &m->bulk[e->ref.offset];
    assert_string_equal(b->path, path);
    assert_int_equal(b->tag, e->tag);
    assert_int_equal(b->vr, e->vr);
    buf_append_slice(out, b->uri);
    return true;
}

static enum err read_first(struct slice text, struct arena *a, struct fault *f, struct dicom_model *m) {
    struct dicom_json_reader r;
    enum err e = dicom_json_reader_init(&r, text, f);
    if (e != OK)
        return e;
    assert_int_equal(dicom_json_reader_count(&r), 1);
    e = dicom_json_read(&r, a, f, m);
    assert_false(dicom_json_reader_more(&r));
    dicom_json_reader_fini(&r);
    return e;
}

static void test_good(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        struct arena a = ARENA_INIT(1 << 20);
        struct buf out = BUF_INIT(1 << 20), want = BUF_INIT(1 << 20);
        struct fault f = {0};
        struct dicom_model m;
        if (read_first(slice_str(good[i].in), &a, &f, &m) != OK)
            fail_msg("%s: %s", good[i].name, f.detail);
        const struct dicom_json_options o = {.uri = uri, .uri_ctx = &m};
        assert_int_equal(dicom_json_write(m.ds, &o, &out, NULL), OK);
        const char *rest = good[i].out ? good[i].out : good[i].in + 1;
        buf_printf(&want, "{" CHARSET "%s%s%s", *rest ? "," : "", rest, good[i].out ? "}" : "");
        if (!slice_eq(buf_slice(&out), buf_slice(&want)))
            fail_msg("%s: %.*s", good[i].name, (int)out.n, (const char *)out.p);
        assert_null(m.meta);
        // Every smaller arena is a limit, not an accident.
        struct arena less = ARENA_INIT(a.used - 1);
        assert_int_equal(read_first(slice_str(good[i].in), &less, NULL, &m), ERR_LIMIT);
        arena_fini(&less);
        buf_fini(&want);
        buf_fini(&out);
        arena_fini(&a);
    }
}

static void test_bad(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct arena a = ARENA_INIT(1 << 20);
        struct fault f = {0};
        struct dicom_model m = {.bulk_count = 77};
        enum err e = read_first(slice_str(bad[i].in), &a, &f, &m);
        if (e != bad[i].expected || f.code != e || strncmp(f.detail, bad[i].where, strlen(bad[i].where)) != 0)
            fail_msg("%s: %s, %s", bad[i].name, err_name(e), f.detail);
        assert_int_equal(m.bulk_count, 77);
        arena_fini(&a);
    }
}

static void test_bytes(void **state) {
    (void)state;
    struct arena a = ARENA_INIT(1 << 16);
    struct dicom_model m;
    const char *text =
        "{\"00100010\":{\"vr\":\"PN\",\"Value\":[{\"Phonetic\":\"C\"},{\"Alphabetic\":\"A\",\"Ideographic\":"
        "\"B\"}]},"
        "\"00091001\":{\"vr\":\"AT\",\"Value\":[\"00180AFB\"]},"
        "\"00091002\":{\"vr\":\"SS\",\"Value\":[-2]},\"00091003\":{\"vr\":\"UV\",\"Value\":[258]},"
        "\"00091004\":{\"vr\":\"IS\",\"Value\":[null,\" 7\"]},\"00091005\":{\"vr\":\"FL\",\"Value\":[0.5]}}";
    assert_int_equal(read_first(slice_str(text), &a, NULL, &m), OK);
    static const struct {
        uint32_t tag;
        const char *bytes;
        size_t n;
    } want[] = {
        {0x00100010, "==C\\A=B", 7},
        {0x00091001, "\x18\0\xfb\x0a", 4},
        {0x00091002, "\xfe\xff", 2},
        {0x00091003, "\2\1\0\0\0\0\0\0", 8},
        {0x00091004, "\\ 7", 3},
        {0x00091005, "\0\0\0\x3f", 4},
        {TAG_SpecificCharacterSet, "ISO_IR 192", 10},
    };
    for (size_t i = 0; i < sizeof want / sizeof want[0]; i++)
        assert_true(slice_eq(dicom_dataset_value(m.ds, want[i].tag), slice_of(want[i].bytes, want[i].n)));
    arena_fini(&a);
}

static void test_meta(void **state) {
    (void)state;
    struct arena a = ARENA_INIT(1 << 16);
    struct dicom_model m;
    const char *text = "{\"00080018\":{\"vr\":\"UI\",\"Value\":[\"1.2\"]},\"00020010\":{\"vr\":\"UI\","
                       "\"Value\":[\"1.2.840.10008.1.2.1\"]},"
                       "\"00020000\":{\"vr\":\"UL\",\"Value\":[1]},\"00020003\":{\"vr\":\"UI\"}}";
    assert_int_equal(read_first(slice_str(text), &a, NULL, &m), OK);
    assert_int_equal(dicom_dataset_count(m.meta), 2);
    assert_true(slice_eq_str(dicom_dataset_value(m.meta, 0x00020010), "1.2.840.10008.1.2.1"));
    assert_int_equal(dicom_dataset_count(m.ds), 2);
    arena_fini(&a);
}

static void test_several(void **state) {
    (void)state;
    struct arena a = ARENA_INIT(1 << 16);
    struct dicom_json_reader r;
    struct dicom_model m;
    struct fault f = {0};
    assert_int_equal(
        dicom_json_reader_init(&r, slice_str("[{},{\"x\":{}},{\"00100020\":{\"vr\":\"LO\"}}]"), NULL), OK);
    assert_int_equal(dicom_json_reader_count(&r), 3);
    assert_int_equal(dicom_json_read(&r, &a, NULL, &m), OK);
    assert_int_equal(dicom_json_read(&r, &a, &f, &m), ERR_SYNTAX); // is passed over
    assert_int_equal(r.number, 2);
    assert_true(dicom_json_reader_more(&r));
    assert_int_equal(dicom_json_read(&r, &a, NULL, &m), OK);
    assert_non_null(dicom_dataset_find(m.ds, 0x00100020));
    assert_false(dicom_json_reader_more(&r));
    dicom_json_reader_fini(&r);
    assert_int_equal(dicom_json_reader_init(&r, slice_str("[]"), NULL), OK);
    assert_int_equal(dicom_json_reader_count(&r), 0);
    assert_false(dicom_json_reader_more(&r));
    dicom_json_reader_fini(&r);
    arena_fini(&a);
}

static enum err read_nested(size_t depth, struct fault *f) {
    struct buf b = BUF_INIT(1 << 20);
    struct arena a = ARENA_INIT(1 << 20);
    struct dicom_model m;
    for (size_t i = 0; i < depth; i++)
        buf_append_str(&b, "{\"00400275\":{\"Value\":[");
    buf_append_str(&b, "{}");
    for (size_t i = 0; i < depth; i++)
        buf_append_str(&b, "],\"vr\":\"SQ\"}}");
    enum err e = read_first(buf_slice(&b), &a, f, &m);
    arena_fini(&a);
    buf_fini(&b);
    return e;
}

static void test_depth(void **state) {
    (void)state;
    struct fault f = {0};
    assert_int_equal(read_nested(DICOM_DEPTH_MAX - 1, NULL), OK);
    assert_int_equal(read_nested(DICOM_DEPTH_MAX, NULL), OK);
    assert_int_equal(read_nested(DICOM_DEPTH_MAX + 1, &f), ERR_DEPTH);
    assert_non_null(strstr(f.detail, "00400275/1/00400275: nested too deeply"));
    assert_int_equal(read_nested(1000, NULL), ERR_DEPTH);
}

static void test_limits(void **state) {
    (void)state;
    static const struct {
        size_t n;
        enum err expected;
    } uris[] = {{DICOM_MODEL_URI_MAX - 1, OK},
                {DICOM_MODEL_URI_MAX, OK},
                {DICOM_MODEL_URI_MAX + 1, ERR_LIMIT}},
      digits[] = {{511, OK}, {512, OK}, {513, ERR_LIMIT}};
    for (size_t i = 0; i < 3; i++) {
        struct buf b = BUF_INIT(1 << 20), d = BUF_INIT(1 << 20);
        struct arena a = ARENA_INIT(1 << 20);
        struct dicom_model m;
        buf_append_str(&b, "{\"7FE00010\":{\"vr\":\"OB\",\"BulkDataURI\":\"");
        memset(buf_extend(&b, uris[i].n), 'u', uris[i].n);
        buf_append_str(&b, "\"}}");
        assert_int_equal(read_first(buf_slice(&b), &a, NULL, &m), uris[i].expected);
        buf_append_str(&d, "{\"00091001\":{\"vr\":\"FD\",\"Value\":[0.");
        memset(buf_extend(&d, digits[i].n - 2), '1', digits[i].n - 2);
        buf_append_str(&d, "]}}");
        assert_int_equal(read_first(buf_slice(&d), &a, NULL, &m), digits[i].expected);
        arena_fini(&a);
        buf_fini(&b);
        buf_fini(&d);
    }
}

int main(void) {
    struct fault f = {0};
    if (dicom_charset_preload(&f) != OK)
        return 1;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_good),   cmocka_unit_test(test_bad),     cmocka_unit_test(test_bytes),
        cmocka_unit_test(test_meta),   cmocka_unit_test(test_several), cmocka_unit_test(test_depth),
        cmocka_unit_test(test_limits),
    };
    return cmocka_run_group_tests_name("dicom/json_read", tests, NULL, NULL);
}
