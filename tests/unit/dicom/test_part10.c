// PS3.10 chapter 7: the head of files, as they should be and as they are.
#include <string.h>

#include "dicom/part10.h"
#include "std/uid.h"
#include "trace.h"

#define S(lit) lit, sizeof(lit) - 1
#define ZEROS16 "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"
#define PREAMBLE ZEROS16 ZEROS16 ZEROS16 ZEROS16 ZEROS16 ZEROS16 ZEROS16 ZEROS16 "DICM"
#define TS_EXPLICIT "\x02\0\x10\0UI\x14\0" "1.2.840.10008.1.2.1\0"          // 28 bytes
#define TS_DEFLATED "\x02\0\x10\0UI\x16\0" "1.2.840.10008.1.2.1.99"         // 30 bytes
#define LENGTH(n) "\x02\0\0\0UL\x04\0" n "\0\0\0"                            // 12 bytes
#define IMPLICIT_NAME "\x10\x00\x10\x00\x04\0\0\0A^B "
#define BIG_NAME "\x00\x10\x00\x10PN\0\x04" "A^B "

struct row {
    const char *name, *bytes;
    size_t n;
    enum err expected;
    const char *transfer_syntax;
    uint64_t data_set_offset;
    bool guessed;
};

static const struct row rows[] = {
    {"usual", S(PREAMBLE LENGTH("\x1c") TS_EXPLICIT NAME), OK, UID_ExplicitVRLittleEndian, 172, false},
    {"nothing after", S(PREAMBLE LENGTH("\x1c") TS_EXPLICIT), OK, UID_ExplicitVRLittleEndian, 172, false},
    {"no group length", S(PREAMBLE TS_EXPLICIT NAME), OK, UID_ExplicitVRLittleEndian, 160, false},
    {"group length too short", S(PREAMBLE LENGTH("\x02") TS_EXPLICIT NAME), OK, UID_ExplicitVRLittleEndian,
     172, false},
    {"group length too long", S(PREAMBLE LENGTH("\x7f") TS_EXPLICIT NAME), OK, UID_ExplicitVRLittleEndian,
     172, false},
    {"deflated data that look like group 0002",
     S(PREAMBLE LENGTH("\x1e") TS_DEFLATED "\x02\0\x10\0UI\xff\xff"), OK,
     UID_DeflatedExplicitVRLittleEndian, 174, false},
    {"no preamble", S(LENGTH("\x1c") TS_EXPLICIT NAME), OK, UID_ExplicitVRLittleEndian, 40, false},
    {"DICM without preamble", S("DICM" LENGTH("\x1c") TS_EXPLICIT NAME), OK, UID_ExplicitVRLittleEndian, 44,
     false},
    {"a preamble like a program",
     S("MZ\x90\0"
       "ELF."
       "\0\0\0\0\0\0\0\0" ZEROS16 ZEROS16 ZEROS16 ZEROS16 ZEROS16 ZEROS16 ZEROS16 "DICM" TS_EXPLICIT NAME),
     OK, UID_ExplicitVRLittleEndian, 160, false},
    {"unknown transfer syntax",
     S(PREAMBLE "\x02\0\x10\0UI\x04\0"
                "1.2\0" NAME),
     OK, "1.2", 144, false},
    {"no transfer syntax, explicit", S(PREAMBLE LENGTH("\0") NAME), OK, UID_ExplicitVRLittleEndian, 144,
     true},
    {"no transfer syntax, implicit", S(PREAMBLE LENGTH("\0") IMPLICIT_NAME), OK, UID_ImplicitVRLittleEndian,
     144, true},
    {"a transfer syntax that is no UID",
     S(PREAMBLE "\x02\0\x10\0UI\x04\0"
                "../\0" NAME),
     OK, UID_ExplicitVRLittleEndian, 144, true},
    {"nothing but a data set, explicit", S(NAME), OK, UID_ExplicitVRLittleEndian, 0, true},
    {"nothing but a data set, implicit", S(IMPLICIT_NAME), OK, UID_ImplicitVRLittleEndian, 0, true},
    {"nothing but a data set, big endian", S(BIG_NAME), OK, UID_ExplicitVRBigEndian, 0, true},
    {"empty", S(""), ERR_SYNTAX, NULL, 0, false},
    {"zeros", S(ZEROS16 ZEROS16 ZEROS16 ZEROS16 ZEROS16 ZEROS16 ZEROS16 ZEROS16 ZEROS16), ERR_SYNTAX, NULL,
     0, false},
    {"text", S("Dear Sir or Madam, please find attached the images you asked for."), ERR_SYNTAX, NULL, 0,
     false},
    {"a GIF", S("GIF89a\x01\x00\x01\x00\x80\x00\x00\xff"), ERR_SYNTAX, NULL, 0, false},
    {"preamble alone", S(PREAMBLE), ERR_SYNTAX, NULL, 0, false},
    {"cut in an element",
     S(PREAMBLE LENGTH("\x1c") "\x02\0\x10\0UI\x14\0"
                               "1.2.840"),
     ERR_TRUNCATED, NULL, 0, false},
    {"cut in a header", S(PREAMBLE LENGTH("\x1c") "\x02\0\x01\0OB"), ERR_TRUNCATED, NULL, 0, false},
    {"an element of 4 GB", S(PREAMBLE "\x02\0\x01\0OB\0\0\xff\xff\xff\xff\0\1" TS_EXPLICIT), ERR_LIMIT,
     NULL, 0, false},
};

static void test_rows(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const struct row *r = &rows[i];
        struct dicom_meta m = {.data_set_offset = 777};
        struct fault f = {0};
        enum err e = dicom_meta_parse(slice_of(r->bytes, r->n), true, &m, &f);
        if (e != r->expected || f.code != e)
            fail_msg("%s: %s (%s)", r->name, err_name(e), f.detail);
        if (e != OK) {
            assert_int_equal(m.data_set_offset, 777); // untouched
            continue;
        }
        if (strcmp(m.transfer_syntax, r->transfer_syntax) != 0 || m.data_set_offset != r->data_set_offset ||
            m.guessed != r->guessed)
            fail_msg("%s: %s at %d", r->name, m.transfer_syntax, (int)m.data_set_offset);
    }
}

// With the first n bytes of a file it either asks for more or says what it says with all.
static void test_incremental(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct dicom_meta whole = {0}, m = {0};
        enum err e = dicom_meta_parse(slice_of(rows[i].bytes, rows[i].n), true, &whole, NULL);
        for (size_t n = 0; n < rows[i].n; n++) {
            enum err part = dicom_meta_parse(slice_of(rows[i].bytes, n), false, &m, NULL);
            assert_true(part == ERR_TRUNCATED || part == e);
            assert_true(part != OK || memcmp(&m, &whole, sizeof m) == 0);
        }
    }
}

static void test_meta_limit(void **state) {
    (void)state;
    static const struct {
        uint32_t n;
        enum err expected;
    } sizes[] = {{DICOM_META_MAX_BYTES - 42, OK},
                 {DICOM_META_MAX_BYTES - 40, OK},
                 {DICOM_META_MAX_BYTES - 38, ERR_LIMIT}};
    for (size_t i = 0; i < 3; i++) { // 28 bytes transfer syntax, 12 of header, and the value
        struct buf b = BUF_INIT(1 << 20);
        struct dicom_meta m;
        buf_append(&b, S(PREAMBLE TS_EXPLICIT "\x02\0\x02\x01OB\0\0"));
        buf_u32le(&b, sizes[i].n);
        memset(buf_extend(&b, sizes[i].n), 0, sizes[i].n);
        buf_append(&b, S(NAME));
        assert_int_equal(dicom_meta_parse(buf_slice(&b), false, &m, NULL), sizes[i].expected);
        buf_fini(&b);
    }
}

static void test_written_reads_back(void **state) {
    (void)state;
    struct buf b = BUF_INIT(4096);
    struct dicom_meta m;
    struct dicom_reader_options o;
    dicom_meta_write(&b, slice_str("1.2.840.10008.5.1.4.1.1.2"), slice_str("1.2.3"),
                     slice_str(UID_RLELossless), "CT1");
    assert_true(buf_ok(&b) && b.n % 2 == 0);
    for (size_t i = 0; i < 128; i++)
        assert_int_equal(b.p[i], 0);
    uint32_t group_length = (uint32_t)(b.p[140] | b.p[141] << 8);
    assert_int_equal(group_length, b.n - 144);
    buf_append(&b, S(NAME));
    assert_int_equal(dicom_meta_parse(buf_slice(&b), false, &m, NULL), OK);
    assert_string_equal(m.sop_class, "1.2.840.10008.5.1.4.1.1.2");
    assert_string_equal(m.sop_instance, "1.2.3");
    assert_string_equal(m.transfer_syntax, UID_RLELossless);
    assert_int_equal(m.data_set_offset, b.n - 12);
    assert_int_equal(dicom_meta_reader_options(&m, &o, NULL), OK);
    assert_int_equal(o.syntax, DICOM_EXPLICIT_LE);
    assert_true(uid_valid(slice_str(GALENA_IMPLEMENTATION_CLASS)));
    buf_fini(&b);
}

static void test_reader_options(void **state) {
    (void)state;
    static const struct {
        const char *uid;
        enum err expected;
        enum dicom_syntax syntax;
        bool deflated;
    } cases[] = {
        {UID_ImplicitVRLittleEndian, OK, DICOM_IMPLICIT_LE, false},
        {UID_ExplicitVRLittleEndian, OK, DICOM_EXPLICIT_LE, false},
        {UID_ExplicitVRBigEndian, OK, DICOM_EXPLICIT_BE, false},
        {UID_DeflatedExplicitVRLittleEndian, OK, DICOM_EXPLICIT_LE, true},
        {UID_JPEG2000, OK, DICOM_EXPLICIT_LE, false},
        {"1.2.3.4.5", OK, DICOM_EXPLICIT_LE, false},
        {"1.2.840.10008.1.2.6.1", ERR_UNSUPPORTED, DICOM_EXPLICIT_LE, false}, // RFC 2557 MIME encapsulation
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct dicom_meta m = {0};
        struct dicom_reader_options o = {0};
        assert_true(slice_to_cstr(slice_str(cases[i].uid), m.transfer_syntax, sizeof m.transfer_syntax));
        assert_int_equal(dicom_meta_reader_options(&m, &o, NULL), cases[i].expected);
        if (cases[i].expected == OK)
            assert_true(o.syntax == cases[i].syntax && o.deflated == cases[i].deflated);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rows),
        cmocka_unit_test(test_incremental),
        cmocka_unit_test(test_meta_limit),
        cmocka_unit_test(test_written_reads_back),
        cmocka_unit_test(test_reader_options),
    };
    return cmocka_run_group_tests_name("dicom/part10", tests, NULL, NULL);
}
