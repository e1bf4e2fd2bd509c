// Data sets from one uncompressed transfer syntax to another (PS3.5 7.1, 7.3, 7.5, A.5).
#include <stdio.h>
#include <string.h>
#define ZLIB_CONST
#include <zlib.h>

#include "dicom/recode.h"
#include "std/uid.h"
#include "trace.h"

#define S(lit) lit, sizeof(lit) - 1

static const struct {
    const char *name, *from, *to;
    const char *in;
    size_t in_n;
    const char *out;
    size_t out_n;
} rows[] = {
    {"implicit to explicit", UID_ImplicitVRLittleEndian, UID_ExplicitVRLittleEndian,
     S("\x10\0\x10\0\4\0\0\0"
       "A^B "
       "\x28\0\x10\0\2\0\0\0\1\2"
       "\xe0\x7f\x10\0\4\0\0\0"
       "abcd"),
     S(NAME "\x28\0\x10\0US\2\0\1\2"
            "\xe0\x7f\x10\0OW\0\0\4\0\0\0"
            "abcd")},
    {"big endian to explicit", UID_ExplicitVRBigEndian, UID_ExplicitVRLittleEndian,
     S("\0\x10\0\x10PN\0\4"
       "A^B "
       "\0\x20\x91\x65"
       "AT\0\4"
       "\x7f\xe0\0\x10"
       "\0\x28\0\x10US\0\4\1\2\3\4"
       "\x7f\xe0\0\x10OW\0\0\0\0\0\4"
       "badc"),
     S(NAME "\x20\0\x65\x91"
            "AT\4\0"
            "\xe0\x7f\x10\0"
            "\x28\0\x10\0US\4\0\2\1\4\3"
            "\xe0\x7f\x10\0OW\0\0\4\0\0\0"
            "abcd")},
    {"big endian bytes stay", UID_ExplicitVRBigEndian, UID_ExplicitVRLittleEndian,
     S("\x7f\xe0\0\x10OB\0\0\0\0\0\4"
       "abcd"),
     S("\xe0\x7f\x10\0OB\0\0\4\0\0\0"
       "abcd")},
    {"big endian, four and eight bytes", UID_ExplicitVRBigEndian, UID_ExplicitVRLittleEndian,
     S("\0\x11\0\x10"
       "FL\0\4"
       "abcd"
       "\0\x11\0\x11"
       "FD\0\x08"
       "abcdefgh"
       "\x7f\xe0\0\x08OF\0\0\0\0\0\4"
       "abcd"),
     S("\x11\0\x10\0"
       "FL\4\0"
       "dcba"
       "\x11\0\x11\0"
       "FD\x08\0"
       "hgfedcba"
       "\xe0\x7f\x08\0OF\0\0\4\0\0\0"
       "dcba")},
    {"explicit to big endian", UID_ExplicitVRLittleEndian, UID_ExplicitVRBigEndian,
     S("\x28\0\x10\0US\4\0\2\1\4\3"
       "\xe0\x7f\x10\0OW\0\0\4\0\0\0"
       "abcd"),
     S("\0\x28\0\x10US\0\4\1\2\3\4"
       "\x7f\xe0\0\x10OW\0\0\0\0\0\4"
       "badc")},
    {"explicit to implicit", UID_ExplicitVRLittleEndian, UID_ImplicitVRLittleEndian, S(NAME),
     S("\x10\0\x10\0\4\0\0\0"
       "A^B ")},
    {"group lengths are left out", UID_ExplicitVRLittleEndian, UID_ExplicitVRLittleEndian,
     S("\x10\0\0\0UL\4\0\x0c\0\0\0" NAME), S(NAME)},
    {"defined lengths become undefined", UID_ImplicitVRLittleEndian, UID_ExplicitVRLittleEndian,
     S(TAG_SQ "\x14\0\0\0" ITEM_OF("\x0c") "\x10\0\x10\0\4\0\0\0"
                                           "A^B "),
     S(SQ_UNDEFINED ITEM_UNDEFINED NAME ITEM_END SQ_END)},
    {"an empty sequence", UID_ImplicitVRLittleEndian, UID_ExplicitVRLittleEndian, S(TAG_SQ "\0\0\0\0"),
     S(SQ_UNDEFINED SQ_END)},
    {"odd lengths become even", UID_ImplicitVRLittleEndian, UID_ExplicitVRLittleEndian,
     S("\x10\0\x10\0\3\0\0\0"
       "A^B"
       "\x08\0\x18\0\3\0\0\0"
       "1.2"
       "\xe0\x7f\x10\0\3\0\0\0"
       "abc"),
     S(NAME "\x08\0\x18\0UI\4\0"
            "1.2\0"
            "\xe0\x7f\x10\0OW\0\0\4\0\0\0"
            "abc\0")},
    {"half a word at the end", UID_ExplicitVRBigEndian, UID_ExplicitVRLittleEndian,
     S("\x7f\xe0\0\x10OW\0\0\0\0\0\5"
       "badce"),
     S("\xe0\x7f\x10\0OW\0\0\6\0\0\0"
       "abcde\0")},
};

static enum err recode(const char *from, const char *to, struct slice in, size_t step, struct buf *out) {
    struct dicom_recoder *r = dicom_recoder_new(std_ts_find(slice_str(from)), std_ts_find(slice_str(to)));
    assert_non_null(r);
    enum err e = OK;
    for (size_t at = 0; at < in.n && e == OK; at += step)
        e = dicom_recoder_feed(r, slice_sub(in, at, step), out, NULL);
    if (e == OK)
        e = dicom_recoder_finish(r, out, NULL);
    dicom_recoder_free(r);
    return e;
}

static void test_rows(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        for (size_t step = 1; step < 40; step++) {
            struct buf out = BUF_INIT(1 << 16);
            assert_int_equal(recode(rows[i].from, rows[i].to, slice_of(rows[i].in, rows[i].in_n), step, &out),
                             OK);
            if (!slice_eq(buf_slice(&out), slice_of(rows[i].out, rows[i].out_n)))
                fail_msg("%s, fed by %zu: %zu bytes", rows[i].name, step, out.n);
            buf_fini(&out);
        }
    }
}

// A value that passes in chunks, of every length around where a unit ends, however it is cut.
static void test_long_values(void **state) {
    (void)state;
    for (uint32_t n = 65536; n < 65536 + 10; n++) {
        struct buf in = BUF_INIT(1 << 17), want = BUF_INIT(1 << 17);
        buf_append(&in, "\x7f\xe0\0\x09OD\0\0", 8);
        buf_u32be(&in, n);
        buf_append(&want, "\xe0\x7f\x09\0OD\0\0", 8);
        buf_u32le(&want, n + (n & 1));
        for (uint32_t i = 0; i < n; i++) {
            buf_u8(&in, (uint8_t)(i * 7));
            buf_u8(&want, (uint8_t)((i / 8 < n / 8 ? (i | 7) - i % 8 : i) * 7));
        }
        if (n & 1)
            buf_u8(&want, 0);
        static const size_t steps[] = {1, 3, 7, 8, 12, 4093, 1 << 17};
        for (size_t s = 0; s < sizeof steps / sizeof steps[0]; s++) {
            struct buf out = BUF_INIT(1 << 17);
            assert_int_equal(
                recode(UID_ExplicitVRBigEndian, UID_ExplicitVRLittleEndian, buf_slice(&in), steps[s], &out),
                OK);
            assert_true(slice_eq(buf_slice(&out), buf_slice(&want)));
            buf_fini(&out);
        }
        buf_fini(&in);
        buf_fini(&want);
    }
}

static void test_deflated(void **state) {
    (void)state;
    uint8_t packed[200];
    z_stream z = {0};
    struct buf out = BUF_INIT(1 << 16);
    assert_int_equal(deflateInit2(&z, 9, Z_DEFLATED, -15, 9, Z_DEFAULT_STRATEGY), Z_OK);
    z.next_in = (const Bytef *)NAME NAME;
    z.avail_in = 24;
    z.next_out = packed;
    z.avail_out = sizeof packed;
    assert_int_equal(deflate(&z, Z_FINISH), Z_STREAM_END);
    size_t n = sizeof packed - z.avail_out;
    deflateEnd(&z);
    assert_int_equal(
        recode(UID_DeflatedExplicitVRLittleEndian, UID_ExplicitVRLittleEndian, slice_of(packed, n), 5, &out),
        OK);
    assert_true(slice_eq(buf_slice(&out), slice_of(S(NAME NAME))));
    buf_reset(&out);
    assert_int_equal(recode(UID_DeflatedExplicitVRLittleEndian, UID_ExplicitVRLittleEndian,
                            slice_of(packed, n - 2), 5, &out),
                     ERR_TRUNCATED);
    buf_fini(&out);
}

static void test_refused(void **state) {
    (void)state;
    struct buf out = BUF_INIT(1 << 16), small = BUF_INIT(11);
    static const struct {
        const char *from, *to;
        bool possible;
    } pairs[] = {
        {UID_ImplicitVRLittleEndian, UID_ExplicitVRLittleEndian, true},
        {UID_DeflatedExplicitVRLittleEndian, UID_ExplicitVRLittleEndian, true},
        {UID_ExplicitVRLittleEndian, UID_DeflatedExplicitVRLittleEndian, false},
        {UID_RLELossless, UID_ExplicitVRLittleEndian, false},
        {UID_ExplicitVRLittleEndian, UID_RLELossless, false},
    };
    for (size_t i = 0; i < sizeof pairs / sizeof pairs[0]; i++)
        assert_int_equal(
            dicom_recode_possible(std_ts_find(slice_str(pairs[i].from)), std_ts_find(slice_str(pairs[i].to))),
            pairs[i].possible);
    assert_int_equal(recode(UID_ExplicitVRLittleEndian, UID_ExplicitVRLittleEndian,
                            slice_of(S(PIXELS_UNDEFINED ITEM_OF("\0") SQ_END)), 100, &out),
                     ERR_UNSUPPORTED);
    assert_int_equal(
        recode(UID_ExplicitVRLittleEndian, UID_ExplicitVRLittleEndian, slice_of(S(NAME)), 100, &small),
        ERR_LIMIT);
    assert_int_equal(
        recode(UID_ExplicitVRLittleEndian, UID_ExplicitVRLittleEndian, slice_of(S(NAME "\x10")), 100, &out),
        ERR_TRUNCATED);
    buf_fini(&out);
    buf_fini(&small);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rows),
        cmocka_unit_test(test_long_values),
        cmocka_unit_test(test_deflated),
        cmocka_unit_test(test_refused),
    };
    return cmocka_run_group_tests_name("dicom/recode", tests, NULL, NULL);
}
