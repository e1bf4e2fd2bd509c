// Metadata and bulk data made into a data set (PS3.5 7.1, 7.5, A.4).
#include <stdio.h>
#include <string.h>

#include "dicom/assemble.h"
#include "dicom/writer.h"
#include "std/tag.h"
#include "trace.h"

#define S(lit) slice_of(lit, sizeof(lit) - 1)

// Bulk data: each number is one fragment's length, or the value's. What is sent counts up.
struct bulk {
    bool fragments;
    size_t count;
    size_t bytes[3];
};

static void send_bytes(struct buf *out, size_t n) {
    for (size_t i = 0; i < n; i++)
        buf_u8(out, (uint8_t)('a' + i % 26));
}

static void send_bulk(struct dicom_assembler *a, const struct bulk *b, struct buf *out) {
    struct slice s;
    if (!b->fragments) {
        assert_int_equal(dicom_assembler_value(a, b->bytes[0], NULL, &s), OK);
        buf_append_slice(out, s);
        send_bytes(out, b->bytes[0]);
        return;
    }
    assert_int_equal(dicom_assembler_fragments(a, NULL, &s), OK);
    buf_append_slice(out, s);
    for (size_t i = 0; i < b->count; i++) {
        assert_int_equal(dicom_assembler_fragment(a, b->bytes[i], NULL, &s), OK);
        buf_append_slice(out, s);
        send_bytes(out, b->bytes[i]);
    }
    assert_int_equal(dicom_assembler_fragments_end(a, NULL, &s), OK);
    buf_append_slice(out, s);
}

static void assemble(const struct dicom_dataset *ds, const struct bulk *bulk, struct buf *out) {
    struct dicom_assembler *a = dicom_assembler_new(ds);
    struct fault f = {0};
    struct dicom_piece p = {.kind = DICOM_PIECE_BYTES};
    while (p.kind != DICOM_PIECE_END) {
        assert_int_equal(dicom_assembler_next(a, &f, &p), OK);
        if (p.kind == DICOM_PIECE_BYTES)
            buf_append_slice(out, p.bytes);
        else if (p.kind == DICOM_PIECE_BULK)
            send_bulk(a, &bulk[p.bulk], out);
    }
    assert_int_equal(dicom_assembler_next(a, &f, &p), OK); // stays at the end
    assert_int_equal(p.kind, DICOM_PIECE_END);
    dicom_assembler_free(a);
    assert_true(buf_ok(out));
}

static void put_ref(struct dicom_dataset *ds, uint32_t tag, enum vr vr, uint64_t index) {
    assert_int_equal(dicom_dataset_put_ref(ds, tag, vr, (struct dicom_ref){.offset = index}), OK);
}

static void expect(const struct dicom_dataset *ds, const struct bulk *bulk, const char *name,
                   struct slice want) {
    struct buf out = BUF_INIT(1 << 20);
    assemble(ds, bulk, &out);
    if (!slice_eq(buf_slice(&out), want))
        fail_msg("%s: %zu bytes", name, out.n);
    buf_fini(&out);
}

static void test_values(void **state) {
    (void)state;
    struct arena a = ARENA_INIT(1 << 16);
    struct dicom_dataset *ds = dicom_dataset_new(&a);
    expect(ds, NULL, "empty", S(""));
    dicom_dataset_put_str(ds, TAG_PatientName, VR_PN, "A^B");
    put_ref(ds, TAG_PixelData, VR_OW, 0);
    expect(ds, (struct bulk[]){{.bytes = {4}}}, "even",
           S(NAME "\xe0\x7f\x10\0OW\0\0\4\0\0\0"
                  "abcd"));
    expect(ds, (struct bulk[]){{.bytes = {3}}}, "odd",
           S(NAME "\xe0\x7f\x10\0OW\0\0\4\0\0\0"
                  "abc\0"));
    expect(ds, (struct bulk[]){{.bytes = {0}}}, "none", S(NAME "\xe0\x7f\x10\0OW\0\0\0\0\0\0"));
    dicom_dataset_put_str(ds, 0xFFFCFFFC, VR_OB, "xy");
    expect(ds, (struct bulk[]){{.bytes = {1}}}, "in the middle",
           S(NAME "\xe0\x7f\x10\0OW\0\0\2\0\0\0"
                  "a\0"
                  "\xfc\xff\xfc\xff"
                  "OB\0\0\2\0\0\0"
                  "xy"));
    arena_fini(&a);
}

static void test_text_is_padded_with_blanks(void **state) {
    (void)state;
    struct arena a = ARENA_INIT(1 << 16);
    struct dicom_dataset *ds = dicom_dataset_new(&a);
    put_ref(ds, 0x00110010, VR_UT, 0);
    put_ref(ds, 0x00110011, VR_LT, 1);
    expect(ds, (struct bulk[]){{.bytes = {1}}, {.bytes = {1}}}, "UT, LT",
           S("\x11\0\x10\0UT\0\0\2\0\0\0"
             "a "
             "\x11\0\x11\0LT\2\0"
             "a "));
    arena_fini(&a);
}

static void test_fragments(void **state) {
    (void)state;
    struct arena a = ARENA_INIT(1 << 16);
    struct dicom_dataset *ds = dicom_dataset_new(&a);
    put_ref(ds, TAG_PixelData, VR_OW, 0);
    expect(ds, (struct bulk[]){{true, 0, {0}}}, "none", S(PIXELS_UNDEFINED ITEM_OF("\0") SQ_END));
    expect(ds, (struct bulk[]){{true, 1, {2}}}, "one",
           S(PIXELS_UNDEFINED ITEM_OF("\0") ITEM_OF("\2") "ab" SQ_END));
    expect(ds, (struct bulk[]){{true, 3, {3, 0, 1}}}, "three",
           S(PIXELS_UNDEFINED ITEM_OF("\0") ITEM_OF("\4") "abc\0" ITEM_OF("\0") ITEM_OF("\2") "a\0" SQ_END));
    arena_fini(&a);
}

static void test_sequences(void **state) {
    (void)state;
    struct arena a = ARENA_INIT(1 << 16);
    struct dicom_dataset *ds = dicom_dataset_new(&a);
    dicom_dataset_put_sequence(ds, 0x00400270);
    dicom_dataset_add_item(ds, 0x00400275);
    struct dicom_dataset *item = dicom_dataset_add_item(ds, 0x00400275);
    put_ref(item, 0x00110010, VR_OB, 1);
    put_ref(ds, 0x00400280, VR_OB, 0);
    expect(ds, (struct bulk[]){{.bytes = {2}}, {.bytes = {1}}}, "items",
           S("\x40\0\x70\x02SQ\0\0\0\0\0\0" SQ_UNDEFINED ITEM_UNDEFINED ITEM_END ITEM_UNDEFINED
             "\x11\0\x10\0OB\0\0\2\0\0\0"
             "a\0" ITEM_END SQ_END "\x40\0\x80\2OB\0\0\2\0\0\0"
             "ab"));
    arena_fini(&a);
}

// Values of lengths around those where they are no longer copied, or pieces end.
static void test_long_values(void **state) {
    (void)state;
    static const size_t lengths[] = {4095, 4096, 4097, 16383, 16384, 16385, 65533, 65534, 65535, 100001};
    struct arena a = ARENA_INIT(8 << 20);
    struct dicom_dataset *ds = dicom_dataset_new(&a);
    struct buf bytes = BUF_INIT(1 << 20), out = BUF_INIT(8 << 20), want = BUF_INIT(8 << 20);
    send_bytes(&bytes, 100001);
    for (uint32_t i = 0; i < sizeof lengths / sizeof lengths[0]; i++) {
        struct slice v = slice_sub(buf_slice(&bytes), 0, lengths[i]);
        dicom_dataset_put(ds, 0x00110010 + 2 * i, VR_LT, v);
        dicom_dataset_put(ds, 0x00110011 + 2 * i, VR_OB, v);
    }
    for (uint32_t i = 0; i < 10000; i++)
        dicom_dataset_put_u16(ds, 0x00120000 + i, (uint16_t)i);
    assemble(ds, NULL, &out);
    assert_int_equal(dicom_dataset_write(ds, DICOM_EXPLICIT_LE, &want, NULL), OK);
    assert_true(slice_eq(buf_slice(&out), buf_slice(&want)));
    buf_fini(&bytes);
    buf_fini(&out);
    buf_fini(&want);
    arena_fini(&a);
}

static void test_limits(void **state) {
    (void)state;
    static const struct {
        uint64_t bytes;
        enum err expected;
    } rows[] = {{0xFFFFFFFC, OK},
                {0xFFFFFFFD, OK},
                {0xFFFFFFFE, OK},
                {0xFFFFFFFF, ERR_LIMIT},
                {UINT64_MAX, ERR_LIMIT}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct arena a = ARENA_INIT(1 << 16);
        struct dicom_dataset *ds = dicom_dataset_new(&a);
        struct dicom_piece p;
        struct slice s;
        put_ref(ds, TAG_PixelData, VR_OB, 7);
        struct dicom_assembler *as = dicom_assembler_new(ds);
        assert_int_equal(dicom_assembler_next(as, NULL, &p), OK);
        assert_int_equal(p.kind, DICOM_PIECE_BULK);
        assert_int_equal(p.bulk, 7);
        assert_int_equal(p.tag, TAG_PixelData);
        assert_int_equal(p.vr, VR_OB);
        assert_int_equal(dicom_assembler_value(as, rows[i].bytes, NULL, &s), rows[i].expected);
        dicom_assembler_free(as);
        as = dicom_assembler_new(ds);
        assert_int_equal(dicom_assembler_next(as, NULL, &p), OK);
        assert_int_equal(dicom_assembler_fragments(as, NULL, &s), OK);
        assert_int_equal(dicom_assembler_fragment(as, rows[i].bytes, NULL, &s), rows[i].expected);
        dicom_assembler_free(as);
        arena_fini(&a);
    }
}

static void test_depth(void **state) {
    (void)state;
    for (size_t depth = DICOM_DEPTH_MAX - 1; depth <= DICOM_DEPTH_MAX + 1; depth++) {
        struct arena a = ARENA_INIT(1 << 20);
        struct dicom_dataset *ds = dicom_dataset_new(&a), *top = ds;
        struct dicom_piece p;
        for (size_t i = 0; i < depth; i++)
            ds = dicom_dataset_add_item(ds, 0x00400275);
        struct dicom_assembler *as = dicom_assembler_new(top);
        assert_int_equal(dicom_assembler_next(as, NULL, &p), depth > DICOM_DEPTH_MAX ? ERR_DEPTH : OK);
        dicom_assembler_free(as);
        arena_fini(&a);
    }
}

static void test_fragments_of_pixels_only(void **state) {
    (void)state;
    struct arena a = ARENA_INIT(1 << 16);
    struct dicom_dataset *ds = dicom_dataset_new(&a);
    struct dicom_piece p;
    struct slice s;
    put_ref(ds, 0x00110010, VR_OB, 0);
    struct dicom_assembler *as = dicom_assembler_new(ds);
    assert_int_equal(dicom_assembler_next(as, NULL, &p), OK);
    assert_int_equal(dicom_assembler_fragments(as, NULL, &s), ERR_SYNTAX);
    dicom_assembler_free(as);
    arena_fini(&a);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_values),      cmocka_unit_test(test_text_is_padded_with_blanks),
        cmocka_unit_test(test_fragments),   cmocka_unit_test(test_sequences),
        cmocka_unit_test(test_long_values), cmocka_unit_test(test_limits),
        cmocka_unit_test(test_depth),       cmocka_unit_test(test_fragments_of_pixels_only),
    };
    return cmocka_run_group_tests_name("dicom/assemble", tests, NULL, NULL);
}
