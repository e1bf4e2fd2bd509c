// The Native DICOM Model (PS3.19 A.1), written and read. The same data sets in JSON say what is meant.
#include <stdio.h>
#include <string.h>

#include "dicom/json.h"
#include "dicom/json_read.h"
#include "dicom/xml_read.h"
#include "dicom/xml_write.h"
#include "std/tag.h"
#include "trace.h"

#define HEAD "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
#define MODEL                                                                                                \
    "<NativeDicomModel xmlns=\"http://dicom.nema.org/PS3.19/models/NativeDICOM\" xml:space=\"preserve\">"
#define CHARSET_JSON "\"00080005\":{\"vr\":\"CS\",\"Value\":[\"ISO_IR 192\"]}"
#define CHARSET_XML                                                                                          \
    "<DicomAttribute tag=\"00080005\" vr=\"CS\" keyword=\"SpecificCharacterSet\"><Value "                    \
    "number=\"1\">ISO_IR "                                                                                   \
    "192</Value></DicomAttribute>"
#define A(tag, vr, rest) "<DicomAttribute tag=\"" tag "\" vr=\"" vr "\">" rest "</DicomAttribute>"
#define V(n, text) "<Value number=\"" #n "\">" text "</Value>"

// Each way; the character set comes first.
static const struct {
    const char *name, *json, *xml;
} both[] = {
    {"empty", "", ""},
    {"empty attribute", ",\"00100020\":{\"vr\":\"LO\"}",
     "<DicomAttribute tag=\"00100020\" vr=\"LO\" keyword=\"PatientID\"></DicomAttribute>"},
    {"values", ",\"00110005\":{\"vr\":\"CS\",\"Value\":[\"A\",null,\"B\"]}",
     A("00110005", "CS", V(1, "A") V(2, "") V(3, "B"))},
    {"what XML would take for markup",
     ",\"00110005\":{\"vr\":\"ST\",\"Value\":[\"<a href=\\\"x\\\">&amp;]]>\"]}",
     A("00110005", "ST", V(1, "&lt;a href=&quot;x&quot;&gt;&amp;amp;]]&gt;"))},
    {"blanks and line ends", ",\"00110005\":{\"vr\":\"ST\",\"Value\":[\"  a\\r\\n\\tb\"]}",
     A("00110005", "ST", V(1, "  a&#13;&#10;&#9;b"))},
    {"beyond ASCII", ",\"00110005\":{\"vr\":\"LO\",\"Value\":[\"\xC3\xA4\xF0\x9F\x98\x80\"]}",
     A("00110005", "LO", V(1, "\xC3\xA4\xF0\x9F\x98\x80"))},
    {"a name", ",\"00110005\":{\"vr\":\"PN\",\"Value\":[{\"Alphabetic\":\"A^B^^D\"}]}",
     A("00110005", "PN",
       "<PersonName number=\"1\"><Alphabetic><FamilyName>A</FamilyName><GivenName>B</GivenName>"
       "<NamePrefix>D</NamePrefix></Alphabetic></PersonName>")},
    {"names",
     ",\"00110005\":{\"vr\":\"PN\",\"Value\":[{\"Phonetic\":\"^G\"},null,{\"Ideographic\":\"F^^M^P^S^X\"}]}",
     A("00110005", "PN",
       "<PersonName number=\"1\"><Phonetic><GivenName>G</GivenName></Phonetic></PersonName>"
       "<PersonName number=\"2\"></PersonName>"
       "<PersonName number=\"3\"><Ideographic><FamilyName>F</FamilyName><MiddleName>M</MiddleName>"
       "<NamePrefix>P</NamePrefix><NameSuffix>S^X</NameSuffix></Ideographic></PersonName>")},
    {"numbers",
     ",\"00110005\":{\"vr\":\"FD\",\"Value\":[0.1,\"NaN\",\"inf\",\"-inf\"]},\"00110006\":{\"vr\":\"SS\","
     "\"Value\":[-1]},"
     "\"00110007\":{\"vr\":\"UV\",\"Value\":[\"18446744073709551615\"]},\"00110008\":{\"vr\":\"AT\","
     "\"Value\":[\"00180AFB\"]},"
     "\"00110009\":{\"vr\":\"DS\",\"Value\":[1.50]}",
     A("00110005", "FD", V(1, "0.1") V(2, "NaN") V(3, "inf") V(4, "-inf")) A("00110006", "SS", V(1, "-1"))
         A("00110007", "UV", V(1, "18446744073709551615")) A("00110008", "AT", V(1, "00180AFB"))
             A("00110009", "DS", V(1, "1.50"))},
    {"bytes", ",\"00110005\":{\"vr\":\"OB\",\"InlineBinary\":\"AAEC/w==\"}",
     A("00110005", "OB", "<InlineBinary>AAEC/w==</InlineBinary>")},
    {"bulk", ",\"00110005\":{\"vr\":\"OW\",\"BulkDataURI\":\"a?b&c\\\"\"}",
     A("00110005", "OW", "<BulkData uri=\"a?b&amp;c&quot;\"/>")},
    {"items",
     ",\"00110005\":{\"vr\":\"SQ\",\"Value\":[{},{\"00110005\":{\"vr\":\"SQ\",\"Value\":[{\"00110006\":{"
     "\"vr\":\"OB\","
     "\"BulkDataURI\":\"u\"}}]},\"00110006\":{\"vr\":\"SQ\"}},{}]},\"00110007\":{\"vr\":\"LO\"}",
     A("00110005", "SQ",
       "<Item number=\"1\"></Item><Item number=\"2\">" A(
           "00110005", "SQ", "<Item number=\"1\">" A("00110006", "OB", "<BulkData uri=\"u\"/>") "</Item>")
           A("00110006", "SQ", "") "</Item><Item number=\"3\"></Item>") A("00110007", "LO", "")},
    {"a private creator",
     ",\"00110010\":{\"vr\":\"LO\",\"Value\":[\"ACME "
     "<1>\"]},\"00111001\":{\"vr\":\"LO\",\"Value\":[\"x\"]},\"00111110\":{\"vr\":\"LO\"}",
     A("00110010", "LO", V(1, "ACME &lt;1&gt;")) "<DicomAttribute tag=\"00110001\" vr=\"LO\" "
                                                 "privateCreator=\"ACME &lt;1&gt;\">" V(
                                                     1, "x") "</DicomAttribute>" A("00111110", "LO", "")},
};

static bool uri(void *ctx, const char *path, const struct dicom_element *e, struct buf *out) {
    const struct dicom_model *m = ctx;
    assert_string_equal(m->bulk[e->ref.offset].path, path);
    buf_append_slice(out, m->bulk[e->ref.offset].uri);
    return true;
}

static void from_json(const char *rest, struct arena *a, struct dicom_model *m) {
    struct dicom_json_reader r;
    struct buf text = BUF_INIT(1 << 16);
    struct fault f = {0};
    buf_printf(&text, "{" CHARSET_JSON "%s}", rest);
    if (dicom_json_reader_init(&r, buf_slice(&text), &f) != OK || dicom_json_read(&r, a, &f, m) != OK)
        fail_msg("%s: %s", rest, f.detail);
    dicom_json_reader_fini(&r);
    buf_fini(&text);
}

static void expect_json(struct dicom_model *m, const char *name, const char *rest) {
    struct buf out = BUF_INIT(1 << 16), want = BUF_INIT(1 << 16);
    const struct dicom_json_options o = {.uri = uri, .uri_ctx = m};
    assert_int_equal(dicom_json_write(m->ds, &o, &out, NULL), OK);
    buf_printf(&want, "{" CHARSET_JSON "%s}", rest);
    if (!slice_eq(buf_slice(&out), buf_slice(&want)))
        fail_msg("%s: %.*s", name, (int)out.n, (const char *)out.p);
    buf_fini(&out);
    buf_fini(&want);
}

static void test_both(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof both / sizeof both[0]; i++) {
        struct arena a = ARENA_INIT(1 << 20);
        struct buf out = BUF_INIT(1 << 16), want = BUF_INIT(1 << 16);
        struct dicom_model m;
        struct fault f = {0};
        from_json(both[i].json, &a, &m);
        const struct dicom_json_options o = {.uri = uri, .uri_ctx = &m};
        assert_int_equal(dicom_xml_write(m.ds, &o, &out, NULL), OK);
        buf_printf(&want, HEAD MODEL CHARSET_XML "%s</NativeDicomModel>", both[i].xml);
        if (!slice_eq(buf_slice(&out), buf_slice(&want)))
            fail_msg("%s: %.*s", both[i].name, (int)out.n, (const char *)out.p);
        struct buf less = BUF_INIT(out.n - 1);
        assert_int_equal(dicom_xml_write(m.ds, &o, &less, NULL), ERR_LIMIT);
        buf_fini(&less);
        if (dicom_xml_read(buf_slice(&out), &a, &f, &m) != OK)
            fail_msg("%s: %s", both[i].name, f.detail);
        expect_json(&m, both[i].name, both[i].json);
        // For people: the same.
        const struct dicom_json_options indent = {.indent = true, .uri = uri, .uri_ctx = &m};
        buf_reset(&out);
        assert_int_equal(dicom_xml_write(m.ds, &indent, &out, NULL), OK);
        assert_int_equal(dicom_xml_read(buf_slice(&out), &a, NULL, &m), OK);
        expect_json(&m, both[i].name, both[i].json);
        buf_fini(&out);
        buf_fini(&want);
        arena_fini(&a);
    }
}

// Only read so.
static const struct {
    const char *name, *xml, *json;
} good[] = {
    {"no namespace, no declaration",
     "<NativeDicomModel>" A("00110005", "LO", V(1, "x")) "</NativeDicomModel>",
     ",\"00110005\":{\"vr\":\"LO\",\"Value\":[\"x\"]}"},
    {"a prefix",
     "<n:NativeDicomModel xmlns:n='http://dicom.nema.org/PS3.19/models/NativeDICOM'><n:DicomAttribute "
     "tag='00110005' vr='LO'/></n:NativeDicomModel>",
     ",\"00110005\":{\"vr\":\"LO\"}"},
    {"comments, instructions, blanks",
     "<!-- a --><?b c?>\n<NativeDicomModel>\n <!-- < -->\n" A(
         "00110005", "LO", " " V(1, "x<!-- -->y<![CDATA[<&]]>") "\n") "</NativeDicomModel>\n",
     ",\"00110005\":{\"vr\":\"LO\",\"Value\":[\"xy<&\"]}"},
    {"out of order",
     "<NativeDicomModel>" A("00110006", "LO", "") A("00110005", "LO", "") "</NativeDicomModel>",
     ",\"00110005\":{\"vr\":\"LO\"},\"00110006\":{\"vr\":\"LO\"}"},
    {"numbers left out",
     "<NativeDicomModel>" A("00110005", "LO", V(2, "b") V(4, "d"))
         A("00110006", "PN", "<PersonName number=\"2\"/>") "</NativeDicomModel>",
     ",\"00110005\":{\"vr\":\"LO\",\"Value\":[null,\"b\",null,\"d\"]},\"00110006\":{\"vr\":\"PN\",\"Value\":["
     "null,null]}"},
    {"no numbers",
     "<NativeDicomModel>" A("00110005", "LO", "<Value>a</Value><Value>b</Value>") "</NativeDicomModel>",
     ",\"00110005\":{\"vr\":\"LO\",\"Value\":[\"a\",\"b\"]}"},
    {"base64 in lines",
     "<NativeDicomModel>" A("00110005", "OB",
                            "<InlineBinary>\nAAEC\n /w==\n</InlineBinary>") "</NativeDicomModel>",
     ",\"00110005\":{\"vr\":\"OB\",\"InlineBinary\":\"AAEC/w==\"}"},
    {"character references",
     "<NativeDicomModel>" A("00110005", "LO", V(1, "&#x41;&#66;&lt;")) "</NativeDicomModel>",
     ",\"00110005\":{\"vr\":\"LO\",\"Value\":[\"AB<\"]}"},
    {"creators not reserved",
     "<NativeDicomModel><DicomAttribute tag='00110001' vr='LO' privateCreator='A'/><DicomAttribute "
     "tag='00110001' vr='LO' "
     "privateCreator='B'/><DicomAttribute tag='00110002' vr='LO' privateCreator='A'/></NativeDicomModel>",
     ",\"00110010\":{\"vr\":\"LO\",\"Value\":[\"A\"]},\"00110011\":{\"vr\":\"LO\",\"Value\":[\"B\"]},"
     "\"00111001\":{\"vr\":\"LO\"},"
     "\"00111002\":{\"vr\":\"LO\"},\"00111101\":{\"vr\":\"LO\"}"},
    {"a creator with its block",
     "<NativeDicomModel><DicomAttribute tag='00112001' vr='LO' privateCreator='A'/></NativeDicomModel>",
     ",\"00110020\":{\"vr\":\"LO\",\"Value\":[\"A\"]},\"00112001\":{\"vr\":\"LO\"}"},
    {"a creator of an item is another",
     "<NativeDicomModel>" A("00110010", "LO",
                            V(1, "A")) A("00110005", "SQ",
                                         "<Item number='1'><DicomAttribute tag='00110003' vr='LO' "
                                         "privateCreator='B'/></Item>") "</NativeDicomModel>",
     ",\"00110005\":{\"vr\":\"SQ\",\"Value\":[{\"00110010\":{\"vr\":\"LO\",\"Value\":[\"B\"]},\"00111003\":{"
     "\"vr\":\"LO\"}}]},"
     "\"00110010\":{\"vr\":\"LO\",\"Value\":[\"A\"]}"},
};

static void test_good(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        struct arena a = ARENA_INIT(1 << 20);
        struct dicom_model m;
        struct fault f = {0};
        if (dicom_xml_read(slice_str(good[i].xml), &a, &f, &m) != OK)
            fail_msg("%s: %s", good[i].name, f.detail);
        expect_json(&m, good[i].name, good[i].json);
        struct arena less = ARENA_INIT(a.used - 1);
        assert_int_equal(dicom_xml_read(slice_str(good[i].xml), &less, NULL, &m), ERR_LIMIT);
        arena_fini(&less);
        arena_fini(&a);
    }
}

#define IN(rest) "<NativeDicomModel>" rest "</NativeDicomModel>"
static const struct {
    const char *name, *xml, *where;
} bad[] = {
    {"empty", "", "XML, line 1"},
    {"no XML", "{}", "XML, line 1"},
    {"cut off", "<NativeDicomModel>", "XML, line 1"},
    {"another root", "<html/>", "an XML element"},
    {"another namespace", "<NativeDicomModel xmlns='urn:x'/>", "an XML element"},
    {"a document type", "<!DOCTYPE NativeDicomModel><NativeDicomModel/>", "XML with a document type"},
    {"an external one", "<!DOCTYPE NativeDicomModel SYSTEM 'file:///etc/passwd'><NativeDicomModel/>",
     "XML with a document type"},
    {"laughs", "<!DOCTYPE x [<!ENTITY a 'ha'><!ENTITY b '&a;&a;'>]><NativeDicomModel>&b;</NativeDicomModel>",
     "XML with a document type"},
    {"an entity", IN(A("00110005", "LO", V(1, "&xxe;"))), "XML, line 1"},
    {"another encoding", "<?xml version='1.0' encoding='ISO-8859-1'?>" IN(A("00110005", "LO", V(1, "\xE4"))),
     "XML, line 1"},
    {"two roots", IN("") IN(""), "XML, line 1"},
    {"bad UTF-8", IN(A("00110005", "LO", V(1, "\xED\xA0\x80"))), "XML, line 1"},
    {"a control character", IN(A("00110005", "LO", V(1, "&#1;"))), "XML, line 1"},
    {"text in the model", IN("x"), "text that"},
    {"text in an attribute", IN(A("00110005", "LO", "x")), "00110005: text that"},
    {"text in an item", IN(A("00110005", "SQ", "<Item number='1'>x</Item>")), "00110005/1: text that"},
    {"text in a name", IN(A("00110005", "PN", "<PersonName number='1'>x</PersonName>")),
     "00110005: text that"},
    {"text in a group",
     IN(A("00110005", "PN", "<PersonName number='1'><Alphabetic>x</Alphabetic></PersonName>")),
     "00110005: text that"},
    {"an unknown element", IN("<Comment/>"), "an XML element"},
    {"an element in a value", IN(A("00110005", "LO", "<Value number='1'><b/></Value>")),
     "00110005: an XML element"},
    {"an item at the top", IN("<Item number='1'/>"), "an XML element"},
    {"an unknown XML attribute", IN("<DicomAttribute tag='00110005' vr='LO' name='x'/>"),
     "an unknown XML attribute"},
    {"number of an attribute", IN("<DicomAttribute tag='00110005' vr='LO' number='1'/>"),
     "an unknown XML attribute"},
    {"no tag", IN("<DicomAttribute vr='LO'/>"), "a DicomAttribute without"},
    {"a keyword for a tag", IN("<DicomAttribute tag='PatientName' vr='PN'/>"), "a DicomAttribute without"},
    {"no vr", IN("<DicomAttribute tag='00110005'/>"), "00110005: no vr"},
    {"an unknown vr", IN(A("00110005", "ZZ", "")), "00110005: no such VR"},
    {"an empty vr", IN(A("00110005", "", "")), "00110005: no such VR"},
    {"an item tag", IN(A("FFFEE000", "UN", "")), "FFFEE000: not an attribute"},
    {"twice", IN(A("00110005", "LO", "") A("00110005", "LO", "")), "00110005: an attribute that comes twice"},
    {"a value of OB", IN(A("00110005", "OB", V(1, "x"))), "00110005: text where"},
    {"an empty value of OB", IN(A("00110005", "OB", V(1, ""))), "00110005: a value where"},
    {"a value of SQ", IN(A("00110005", "SQ", V(1, "x"))), "00110005: text where"},
    {"an item of LO", IN(A("00110005", "LO", "<Item number='1'/>")), "00110005: an Item where"},
    {"a name of LO", IN(A("00110005", "LO", "<PersonName number='1'/>")), "00110005: a person name where"},
    {"a value of PN", IN(A("00110005", "PN", V(1, "x"))), "00110005: text where"},
    {"bytes of LO", IN(A("00110005", "LO", "<InlineBinary/>")), "00110005: InlineBinary where"},
    {"no base64", IN(A("00110005", "OB", "<InlineBinary>?</InlineBinary>")), "00110005: InlineBinary that"},
    {"bytes twice", IN(A("00110005", "OB", "<InlineBinary/><InlineBinary/>")),
     "00110005: an attribute with more"},
    {"bytes and bulk", IN(A("00110005", "OB", "<InlineBinary/><BulkData uri='x'/>")),
     "00110005: an attribute with more"},
    {"bulk without URI", IN(A("00110005", "OB", "<BulkData/>")), "00110005: bulk data with no URI"},
    {"bulk by UUID", IN(A("00110005", "OB", "<BulkData uuid='x'/>")), "00110005: an unknown XML attribute"},
    {"number 0", IN(A("00110005", "LO", V(0, "x"))), "00110005: a number out of order"},
    {"the same number", IN(A("00110005", "LO", V(1, "x") V(1, "y"))), "00110005: a number out of order"},
    {"a gap too wide", IN(A("00110005", "LO", V(1026, "x"))), "00110005: a number out of order"},
    {"a huge number", IN(A("00110005", "LO", V(99999999999999999999, "x"))),
     "00110005: a number that is none"},
    {"a negative number", IN(A("00110005", "LO", V(-1, "x"))), "00110005: a number that is none"},
    {"a gap in items", IN(A("00110005", "SQ", "<Item number='2'/>")), "00110005: a number out of order"},
    {"US above", IN(A("00110005", "US", V(1, "65536"))), "00110005: not a number"},
    {"US with a blank", IN(A("00110005", "US", V(1, " 7"))), "00110005: not a number"},
    {"a backslash", IN(A("00110005", "LO", V(1, "a\\b"))), "00110005: a backslash"},
    {"groups exchanged", IN(A("00110005", "PN", "<PersonName><Phonetic/><Alphabetic/></PersonName>")),
     "00110005: a part of"},
    {"a group twice", IN(A("00110005", "PN", "<PersonName><Alphabetic/><Alphabetic/></PersonName>")),
     "00110005: a part of"},
    {"parts exchanged",
     IN(A("00110005", "PN", "<PersonName><Alphabetic><GivenName/><FamilyName/></Alphabetic></PersonName>")),
     "00110005: a part of"},
    {"a '^' in a part",
     IN(A("00110005", "PN",
          "<PersonName><Alphabetic><FamilyName>A^B</FamilyName></Alphabetic></PersonName>")),
     "00110005: a '^'"},
    {"a '=' in a part",
     IN(A("00110005", "PN",
          "<PersonName><Alphabetic><FamilyName>A=B</FamilyName></Alphabetic></PersonName>")),
     "00110005: a '='"},
    {"a creator of a standard attribute", IN("<DicomAttribute tag='00100010' vr='PN' privateCreator='A'/>"),
     "a private creator"},
    {"an empty creator", IN("<DicomAttribute tag='00110001' vr='PN' privateCreator=' '/>"),
     "a private creator"},
    {"a creator with a block that is none", IN("<DicomAttribute tag='00110101' vr='PN' privateCreator='A'/>"),
     "a private creator"},
};

static void test_bad(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct arena a = ARENA_INIT(1 << 20);
        struct dicom_model m = {.bulk_count = 77};
        struct fault f = {0};
        enum err e = dicom_xml_read(slice_str(bad[i].xml), &a, &f, &m);
        if (e != ERR_SYNTAX || f.code != e || strncmp(f.detail, bad[i].where, strlen(bad[i].where)) != 0)
            fail_msg("%s: %s, %s", bad[i].name, err_name(e), f.detail);
        assert_int_equal(m.bulk_count, 77);
        arena_fini(&a);
    }
}

// What XML 1.0 can't hold.
static void test_characters(void **state) {
    (void)state;
    static const struct {
        const char *value, *xml;
    } rows[] = {
        {"a\x01z", "a\xEF\xBF\xBDz"},     {"a\x7Fz", "a\x7Fz"},
        {"\xC2\x9B", "\xC2\x9B"},         {"\xEF\xBF\xBE\xEF\xBF\xBD", "\xEF\xBF\xBD\xEF\xBF\xBD"},
        {"\xEF\xBF\xBF", "\xEF\xBF\xBD"}, {"\xED\xA0\x80", "\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct arena a = ARENA_INIT(1 << 16);
        struct buf out = BUF_INIT(1 << 16), want = BUF_INIT(1 << 16);
        struct dicom_dataset *ds = dicom_dataset_new(&a);
        dicom_dataset_put_str(ds, TAG_SpecificCharacterSet, VR_CS, "ISO_IR 192");
        dicom_dataset_put_str(ds, 0x00110005, VR_ST, rows[i].value);
        assert_int_equal(dicom_xml_write(ds, NULL, &out, NULL), OK);
        buf_printf(&want, HEAD MODEL CHARSET_XML A("00110005", "ST", V(1, "%s")) "</NativeDicomModel>",
                   rows[i].xml);
        if (!slice_eq(buf_slice(&out), buf_slice(&want)))
            fail_msg("%zu: %.*s", i, (int)out.n, (const char *)out.p);
        buf_fini(&out);
        buf_fini(&want);
        arena_fini(&a);
    }
}

static enum err read_nested(size_t depth) {
    struct buf b = BUF_INIT(1 << 20);
    struct arena a = ARENA_INIT(1 << 20);
    struct dicom_model m;
    buf_append_str(&b, "<NativeDicomModel>");
    for (size_t i = 0; i < depth; i++)
        buf_append_str(&b, "<DicomAttribute tag='00400275' vr='SQ'><Item number='1'>");
    buf_append_str(&b, A("00110005", "PN",
                         "<PersonName><Alphabetic><FamilyName>x</FamilyName></Alphabetic></PersonName>"));
    for (size_t i = 0; i < depth; i++)
        buf_append_str(&b, "</Item></DicomAttribute>");
    buf_append_str(&b, "</NativeDicomModel>");
    enum err e = dicom_xml_read(buf_slice(&b), &a, NULL, &m);
    arena_fini(&a);
    buf_fini(&b);
    return e;
}

static void test_depth(void **state) {
    (void)state;
    assert_int_equal(read_nested(DICOM_DEPTH_MAX - 1), OK);
    assert_int_equal(read_nested(DICOM_DEPTH_MAX), OK);
    assert_int_equal(read_nested(DICOM_DEPTH_MAX + 1), ERR_DEPTH);
    assert_int_equal(read_nested(1000), ERR_DEPTH);
}

int main(void) {
    struct fault f = {0};
    if (dicom_charset_preload(&f) != OK)
        return 1;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_both),       cmocka_unit_test(test_good),  cmocka_unit_test(test_bad),
        cmocka_unit_test(test_characters), cmocka_unit_test(test_depth),
    };
    return cmocka_run_group_tests_name("dicom/xml", tests, NULL, NULL);
}
