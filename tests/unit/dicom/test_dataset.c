// Data sets in memory, and writing them: what is written reads back the same.
#include <stdio.h>
#include <string.h>

#include "dicom/writer.h"
#include "std/tag.h"
#include "trace.h"

#define S(lit) lit, sizeof(lit) - 1

static const enum dicom_syntax syntaxes[] = {DICOM_IMPLICIT_LE, DICOM_EXPLICIT_LE, DICOM_EXPLICIT_BE};

static struct dicom_dataset *sample(struct arena *a) {
    struct dicom_dataset *ds = dicom_dataset_new(a);
    // Not in order on purpose.
    assert_int_equal(dicom_dataset_put_str(ds, TAG_PatientName, VR_PN, "Doe^Jane"), OK);
    assert_int_equal(dicom_dataset_put_str(ds, TAG_PatientID, VR_LO, "odd"), OK);
    assert_int_equal(dicom_dataset_put_u16(ds, TAG_Rows, 0x1234), OK);
    assert_int_equal(dicom_dataset_put_u32(ds, 0x00091001, 0xDEADBEEF), OK);
    assert_int_equal(dicom_dataset_put_str(ds, 0x00090010, VR_LO, "GALENA TEST "), OK);
    assert_int_equal(dicom_dataset_put(ds, TAG_SpecificCharacterSet, VR_CS, slice_of(NULL, 0)), OK);
    struct dicom_dataset *item = dicom_dataset_add_item(ds, TAG_RequestAttributesSequence);
    assert_int_equal(dicom_dataset_put_str(item, TAG_ScheduledProcedureStepID, VR_SH, "S1"), OK);
    struct dicom_dataset *inner = dicom_dataset_add_item(item, TAG_ScheduledProtocolCodeSequence);
    assert_int_equal(dicom_dataset_put_str(inner, TAG_CodeValue, VR_SH, "C"), OK);
    assert_non_null(dicom_dataset_add_item(ds, TAG_RequestAttributesSequence)); // an empty item
    assert_int_equal(dicom_dataset_put_sequence(ds, TAG_ReferencedStudySequence), OK); // an empty sequence
    return ds;
}

static void check_sample(const struct dicom_dataset *ds) {
    uint16_t rows;
    uint32_t number;
    assert_int_equal(dicom_dataset_count(ds), 8);
    for (size_t i = 1; i < dicom_dataset_count(ds); i++)
        assert_true(dicom_dataset_at(ds, i - 1)->tag < dicom_dataset_at(ds, i)->tag);
    assert_null(dicom_dataset_at(ds, 8));
    assert_true(slice_eq_str(dicom_dataset_trimmed(ds, TAG_PatientName), "Doe^Jane"));
    assert_true(slice_eq_str(dicom_dataset_trimmed(ds, TAG_PatientID), "odd"));
    assert_true(dicom_dataset_u16(ds, TAG_Rows, &rows) && rows == 0x1234);
    assert_non_null(dicom_dataset_value(ds, TAG_SpecificCharacterSet).p); // there, but empty
    assert_int_equal(dicom_dataset_value(ds, TAG_SpecificCharacterSet).n, 0);
    assert_null(dicom_dataset_value(ds, TAG_StudyDate).p);
    assert_true(dicom_dataset_u32(ds, 0x00091001, &number) && number == 0xDEADBEEF);
    assert_true(slice_eq_str(dicom_dataset_creator(ds, 0x00091001), "GALENA TEST"));
    assert_int_equal(dicom_dataset_creator(ds, 0x00091101).n, 0);
    const struct dicom_element *sq = dicom_dataset_find(ds, TAG_RequestAttributesSequence);
    assert_int_equal(dicom_items_count(sq), 2);
    assert_int_equal(dicom_dataset_count(dicom_items_at(sq, 1)), 0);
    const struct dicom_element *codes = dicom_dataset_find(dicom_items_at(sq, 0),
                                                           TAG_ScheduledProtocolCodeSequence);
    assert_true(slice_eq_str(dicom_dataset_trimmed(dicom_items_at(codes, 0), TAG_CodeValue), "C"));
    sq = dicom_dataset_find(ds, TAG_ReferencedStudySequence);
    assert_true(sq->is_sequence && dicom_items_count(sq) == 0 && dicom_items_at(sq, 0) == NULL);
}

static void test_sample(void **state) {
    (void)state;
    struct arena a = ARENA_INIT(1 << 20);
    check_sample(sample(&a));
    arena_fini(&a);
}

static void test_written_reads_back(void **state) {
    (void)state;
    for (size_t i = 0; i < 3; i++) {
        struct arena a = ARENA_INIT(1 << 20);
        struct buf out = BUF_INIT(1 << 16);
        struct dicom_dataset *back = NULL;
        const struct dicom_reader_options o = {.syntax = syntaxes[i]};
        struct dicom_dataset *ds = sample(&a);
        // In implicit VR the dictionary does not know our private element.
        assert_int_equal(dicom_dataset_write(ds, syntaxes[i], &out, NULL), OK);
        assert_int_equal(out.n % 2, 0);
        assert_int_equal(dicom_dataset_parse(buf_slice(&out), &o, &a, NULL, &back), OK);
        check_sample(back);
        buf_fini(&out);
        arena_fini(&a);
    }
}

static void test_exact_bytes(void **state) {
    (void)state;
    static const struct {
        enum dicom_syntax syntax;
        const char *bytes;
        size_t n;
    } rows[] = {
        {DICOM_IMPLICIT_LE, S("\x10\x00\x20\x00\x02\0\0\0" "1 " "\x28\x00\x10\x00\x02\0\0\0\x02\x01")},
        {DICOM_EXPLICIT_LE, S("\x10\x00\x20\x00LO\x02\0" "1 " "\x28\x00\x10\x00US\x02\0\x02\x01")},
        {DICOM_EXPLICIT_BE, S("\x00\x10\x00\x20LO\0\x02" "1 " "\x00\x28\x00\x10US\0\x02\x01\x02")},
    };
    for (size_t i = 0; i < 3; i++) {
        struct arena a = ARENA_INIT(1 << 16);
        struct buf out = BUF_INIT(1000);
        struct dicom_dataset *ds = dicom_dataset_new(&a);
        assert_int_equal(dicom_dataset_put_str(ds, TAG_PatientID, VR_LO, "1"), OK);
        assert_int_equal(dicom_dataset_put_u16(ds, TAG_Rows, 0x0102), OK);
        assert_int_equal(dicom_dataset_write(ds, rows[i].syntax, &out, NULL), OK);
        assert_true(slice_eq(buf_slice(&out), slice_of(rows[i].bytes, rows[i].n)));
        buf_fini(&out);
        arena_fini(&a);
    }
}

static void test_values_too_long_for_their_vr(void **state) {
    (void)state;
    static const struct {
        size_t n;
        const char *code;
        size_t written;
    } rows[] = {{65533, "LO", 8 + 65534}, {65534, "LO", 8 + 65534}, {65535, "UN", 12 + 65536}};
    for (size_t i = 0; i < 3; i++) {
        struct buf out = BUF_INIT(1 << 20);
        char *text = calloc(1, rows[i].n);
        dicom_write_element(&out, DICOM_EXPLICIT_LE, TAG_PatientID, VR_LO, slice_of(text, rows[i].n));
        assert_int_equal(out.n, rows[i].written);
        assert_memory_equal(out.p + 4, rows[i].code, 2);
        free(text);
        buf_fini(&out);
    }
}

static void test_writer_limits(void **state) {
    (void)state;
    struct arena a = ARENA_INIT(1 << 20);
    struct dicom_dataset *ds = sample(&a), *deep = dicom_dataset_new(&a), *at = deep;
    struct buf whole = BUF_INIT(1 << 16);
    assert_int_equal(dicom_dataset_write(ds, DICOM_EXPLICIT_LE, &whole, NULL), OK);
    struct buf exact = BUF_INIT(whole.n), less = BUF_INIT(whole.n - 1);
    assert_int_equal(dicom_dataset_write(ds, DICOM_EXPLICIT_LE, &exact, NULL), OK);
    assert_int_equal(dicom_dataset_write(ds, DICOM_EXPLICIT_LE, &less, NULL), ERR_LIMIT);
    assert_int_equal(dicom_dataset_put_ref(ds, TAG_PixelData, VR_OW, (struct dicom_ref){0, 9}), OK);
    buf_reset(&whole);
    assert_int_equal(dicom_dataset_write(ds, DICOM_EXPLICIT_LE, &whole, NULL), ERR_UNSUPPORTED);
    for (int i = 0; i < DICOM_DEPTH_MAX; i++)
        at = dicom_dataset_add_item(at, TAG_RequestAttributesSequence);
    buf_reset(&whole);
    assert_int_equal(dicom_dataset_write(deep, DICOM_EXPLICIT_LE, &whole, NULL), OK);
    assert_non_null(dicom_dataset_add_item(at, TAG_RequestAttributesSequence));
    assert_int_equal(dicom_dataset_write(deep, DICOM_EXPLICIT_LE, &whole, NULL), ERR_DEPTH);
    buf_fini(&whole);
    buf_fini(&exact);
    buf_fini(&less);
    arena_fini(&a);
}

static void test_put_replaces_and_remove_removes(void **state) {
    (void)state;
    struct arena a = ARENA_INIT(1 << 16);
    struct dicom_dataset *ds = sample(&a);
    assert_int_equal(dicom_dataset_put_str(ds, TAG_PatientName, VR_PN, "X"), OK);
    assert_int_equal(dicom_dataset_count(ds), 8);
    assert_true(slice_eq_str(dicom_dataset_trimmed(ds, TAG_PatientName), "X"));
    dicom_dataset_remove(ds, TAG_PatientName);
    dicom_dataset_remove(ds, TAG_StudyDate); // not there
    assert_int_equal(dicom_dataset_count(ds), 7);
    assert_null(dicom_dataset_find(ds, TAG_PatientName));
    arena_fini(&a);
}

static void test_copy_is_deep(void **state) {
    (void)state;
    struct arena a = ARENA_INIT(1 << 16), b = ARENA_INIT(1 << 16);
    struct dicom_dataset *from = sample(&a), *to = dicom_dataset_new(&b);
    for (size_t i = 0; i < dicom_dataset_count(from); i++)
        assert_int_equal(dicom_dataset_put_copy(to, dicom_dataset_at(from, i)), OK);
    arena_fini(&a);
    check_sample(to);
    arena_fini(&b);
}

static void test_first_of_a_tag_counts(void **state) {
    (void)state;
    struct arena a = ARENA_INIT(1 << 16);
    const struct dicom_reader_options o = {.syntax = DICOM_EXPLICIT_LE};
    struct dicom_dataset *ds = NULL;
    struct slice s = slice_of(S("\x10\x00\x20\x00LO\x02\0" "1 " "\x10\x00\x20\x00LO\x02\0" "2 "
                                SQ_UNDEFINED ITEM_UNDEFINED "\x10\x00\x20\x00LO\x02\0" "3 " ITEM_END SQ_END
                                SQ_UNDEFINED ITEM_UNDEFINED NAME ITEM_END ITEM_OF("\0") SQ_END));
    assert_int_equal(dicom_dataset_parse(s, &o, &a, NULL, &ds), OK);
    assert_int_equal(dicom_dataset_count(ds), 2);
    assert_true(slice_eq_str(dicom_dataset_trimmed(ds, TAG_PatientID), "1"));
    const struct dicom_element *sq = dicom_dataset_find(ds, TAG_RequestAttributesSequence);
    assert_int_equal(dicom_items_count(sq), 1);
    assert_true(slice_eq_str(dicom_dataset_trimmed(dicom_items_at(sq, 0), TAG_PatientID), "3"));
    assert_int_equal(dicom_dataset_count(dicom_items_at(sq, 0)), 1);
    arena_fini(&a);
}

static void test_arena_full(void **state) {
    (void)state;
    const struct dicom_reader_options o = {.syntax = DICOM_EXPLICIT_LE};
    struct slice s = slice_of(S(SQ_UNDEFINED ITEM_UNDEFINED NAME ITEM_END ITEM_OF("\0") SQ_END NAME));
    enum err e = ERR_LIMIT;
    size_t max = 0;
    for (; e != OK && max < 100000; max += 8) {
        struct arena a = ARENA_INIT(max);
        struct dicom_dataset *ds = NULL;
        e = dicom_dataset_parse(s, &o, &a, NULL, &ds);
        assert_true(e == OK || e == ERR_LIMIT || (e == ERR_NO_MEMORY && max < 64));
        assert_true((e == OK) == (ds != NULL));
        arena_fini(&a);
    }
    assert_int_equal(e, OK);
}

static void test_long_values_are_references(void **state) {
    (void)state;
    struct arena a = ARENA_INIT(1 << 16);
    const struct dicom_reader_options o = {.syntax = DICOM_EXPLICIT_LE, .value_max = 4};
    struct dicom_dataset *ds = NULL;
    struct slice s = slice_of(
        S("\x09\x00\x10\x10OB\0\0\x06\0\0\0abcdef" PIXELS_UNDEFINED ITEM_OF("\0") SQ_END));
    assert_int_equal(dicom_dataset_parse(s, &o, &a, NULL, &ds), OK);
    const struct dicom_element *e = dicom_dataset_find(ds, 0x00091010),
                               *p = dicom_dataset_find(ds, TAG_PixelData);
    assert_true(e->is_ref && e->ref.offset == 12 && e->ref.length == 6);
    assert_true(p->is_ref && p->ref.offset == 30 && p->ref.length == 8);
    arena_fini(&a);
}

static void test_numbers(void **state) {
    (void)state;
    static const struct {
        enum vr vr;
        const char *value;
        size_t n;
        bool ok;
        int64_t expected;
    } rows[] = {
        {VR_IS, S("12 "), true, 12},       {VR_IS, S(" -7\\9"), true, -7},
        {VR_IS, S("+5"), true, 5},         {VR_IS, S(""), false, 0},
        {VR_IS, S("1.5"), false, 0},       {VR_IS, S("--1"), false, 0},
        {VR_IS, S("99999999999999999999"), false, 0},
        {VR_US, S("\xff\xff"), true, 65535}, {VR_SS, S("\xff\xff"), true, -1},
        {VR_UL, S("\xff\xff\xff\xff"), true, 4294967295}, {VR_SL, S("\xff\xff\xff\xff"), true, -1},
        {VR_US, S("\xff"), false, 0},      {VR_UV, S("\xff\xff\xff\xff\xff\xff\xff\xff"), false, 0},
        {VR_SV, S("\xff\xff\xff\xff\xff\xff\xff\xff"), true, -1},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct arena a = ARENA_INIT(1 << 16);
        struct dicom_dataset *ds = dicom_dataset_new(&a);
        int64_t v = 42;
        assert_int_equal(
            dicom_dataset_put(ds, TAG_NumberOfFrames, rows[i].vr, slice_of(rows[i].value, rows[i].n)), OK);
        assert_int_equal(dicom_dataset_int(ds, TAG_NumberOfFrames, &v), rows[i].ok);
        assert_int_equal(v, rows[i].ok ? rows[i].expected : 42);
        assert_false(dicom_dataset_int(ds, TAG_InstanceNumber, &v));
        arena_fini(&a);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sample),
        cmocka_unit_test(test_written_reads_back),
        cmocka_unit_test(test_exact_bytes),
        cmocka_unit_test(test_values_too_long_for_their_vr),
        cmocka_unit_test(test_writer_limits),
        cmocka_unit_test(test_put_replaces_and_remove_removes),
        cmocka_unit_test(test_copy_is_deep),
        cmocka_unit_test(test_first_of_a_tag_counts),
        cmocka_unit_test(test_arena_full),
        cmocka_unit_test(test_long_values_are_references),
        cmocka_unit_test(test_numbers),
    };
    return cmocka_run_group_tests_name("dicom/dataset", tests, NULL, NULL);
}
