// What is kept beside an object: summary, picked values, frame table.
#include <stdio.h>
#include <string.h>

#include "dicom/summary.h"
#include "dicom/writer.h"
#include "std/tag.h"
#include "trace.h"

#define S(lit) lit, sizeof(lit) - 1

static const struct dicom_pick picks[] = {
    {{TAG_PatientID}},
    {{TAG_RequestAttributesSequence, TAG_ScheduledProcedureStepID}},
    {{TAG_Rows}},
    {{TAG_StudyDate}},
    {{TAG_RequestAttributesSequence, TAG_ScheduledProtocolCodeSequence, TAG_CodeValue}},
};
enum { PICKS = sizeof picks / sizeof picks[0] };

static struct dicom_summary *summarize(struct slice s, const struct dicom_reader_options *o, size_t max) {
    struct dicom_summary *sum = dicom_summary_new(picks, PICKS, max);
    assert_int_equal(dicom_read(o, s, dicom_summary_event, sum, NULL), OK);
    return sum;
}

static struct dicom_summary *summarize_le(struct slice s, size_t max) {
    return summarize(s, &(struct dicom_reader_options){.syntax = DICOM_EXPLICIT_LE}, max);
}

static void put_sample(struct buf *b, enum dicom_syntax s) {
    struct arena a = ARENA_INIT(1 << 16);
    struct dicom_dataset *ds = dicom_dataset_new(&a), *item;
    dicom_dataset_put_str(ds, TAG_PatientID, VR_LO, "P1");
    for (int i = 0; i < 3; i++) {
        item = dicom_dataset_add_item(ds, TAG_RequestAttributesSequence);
        dicom_dataset_put_str(item, TAG_ScheduledProcedureStepID, VR_SH, i == 0 ? "S1" : i == 1 ? "S2X" : "");
        dicom_dataset_put_str(item, TAG_PatientID, VR_LO, "nobody's");
        dicom_dataset_put_str(dicom_dataset_add_item(item, TAG_ScheduledProtocolCodeSequence),
                              TAG_CodeValue, VR_SH, "C");
    }
    dicom_dataset_put_u16(ds, TAG_Rows, 0x0102);
    dicom_dataset_put(ds, TAG_PixelData, VR_OW, slice_str("0123"));
    assert_int_equal(dicom_dataset_write(ds, s, b, NULL), OK);
    arena_fini(&a);
}

static void test_picks(void **state) {
    (void)state;
    for (int syntax = DICOM_IMPLICIT_LE; syntax <= DICOM_EXPLICIT_BE; syntax++) {
        struct buf b = BUF_INIT(1 << 16);
        put_sample(&b, syntax);
        struct dicom_summary *s = summarize(buf_slice(&b), &(struct dicom_reader_options){.syntax = syntax},
                                            0);
        assert_true(slice_eq_str(dicom_summary_picked(s, 0)->value, "P1"));
        assert_int_equal(dicom_summary_picked(s, 0)->vr, VR_LO);
        assert_true(slice_eq_str(dicom_summary_picked(s, 1)->value, "S1\\S2X \\"));
        assert_true(
            slice_eq(dicom_summary_picked(s, 2)->value, slice_of(S("\x02\x01")))); // little endian always
        assert_false(dicom_summary_picked(s, 3)->present);
        assert_true(slice_eq_str(dicom_summary_picked(s, 4)->value, "C \\C \\C "));
        dicom_summary_free(s);
        buf_fini(&b);
    }
}

// The summary is the same whatever the object's syntax, but for where the pixels are.
static void test_summary_reads_back(void **state) {
    (void)state;
    for (int syntax = DICOM_IMPLICIT_LE; syntax <= DICOM_EXPLICIT_BE; syntax++) {
        struct buf b = BUF_INIT(1 << 16);
        struct arena a = ARENA_INIT(1 << 16);
        struct dicom_dataset *ds = NULL;
        put_sample(&b, syntax);
        struct dicom_summary *s = summarize(buf_slice(&b), &(struct dicom_reader_options){.syntax = syntax},
                                            0);
        assert_int_equal(dicom_summary_parse(dicom_summary_bytes(s), &a, NULL, &ds), OK);
        assert_int_equal(dicom_dataset_count(ds), 4);
        assert_true(slice_eq_str(dicom_dataset_trimmed(ds, TAG_PatientID), "P1"));
        const struct dicom_element *sq = dicom_dataset_find(ds, TAG_RequestAttributesSequence);
        assert_int_equal(dicom_items_count(sq), 3);
        assert_true(slice_eq_str(dicom_dataset_trimmed(dicom_items_at(sq, 1), TAG_ScheduledProcedureStepID),
                                 "S2X"));
        const struct dicom_element *p = dicom_dataset_find(ds, TAG_PixelData);
        assert_true(p->is_ref && p->vr == VR_OW && p->ref.length == 4 && p->ref.offset == b.n - 4);
        struct dicom_element e;
        assert_true(dicom_summary_find(dicom_summary_bytes(s), TAG_Rows, &e));
        assert_true(slice_eq(e.value, slice_of(S("\x02\x01"))));
        assert_true(dicom_summary_find(dicom_summary_bytes(s), TAG_PixelData, &e) && e.is_ref &&
                    e.vr == VR_OW);
        assert_false(dicom_summary_find(dicom_summary_bytes(s), TAG_StudyDate, &e));
        dicom_summary_free(s);
        arena_fini(&a);
        buf_fini(&b);
    }
}

static void test_what_is_bulk(void **state) {
    (void)state;
    static const struct {
        enum vr vr;
        size_t n;
        bool is_ref;
    } rows[] = {
        {VR_OB, 1024, false}, {VR_OB, 1026, true},  {VR_UN, 1024, false}, {VR_UN, 1026, true},
        {VR_UT, 1026, true},  {VR_OW, 1026, true},  {VR_LT, 1026, false}, {VR_DS, 65534, false},
        {VR_LO, 4000, false}, {VR_UL, 4000, false},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct buf b = BUF_INIT(1 << 20);
        char *text = calloc(1, rows[i].n);
        dicom_write_element(&b, DICOM_EXPLICIT_LE, 0x00091010, rows[i].vr, slice_of(text, rows[i].n));
        struct dicom_summary *s = summarize_le(buf_slice(&b), 0);
        struct dicom_element e;
        assert_true(dicom_summary_find(dicom_summary_bytes(s), 0x00091010, &e));
        assert_int_equal(e.is_ref, rows[i].is_ref);
        assert_int_equal(e.vr, rows[i].vr);
        assert_int_equal(e.is_ref ? e.ref.length : e.value.n, rows[i].n);
        dicom_summary_free(s);
        free(text);
        buf_fini(&b);
    }
}

static void test_long_text_in_implicit_vr_is_a_reference(void **state) {
    (void)state;
    struct buf b = BUF_INIT(1 << 20);
    buf_append(&b, "\x06\x30\x50\x00", 4); // (3006,0050) Contour Data, DS
    buf_u32le(&b, 65536);
    memset(buf_extend(&b, 65536), '1', 65536);
    struct dicom_summary *s = summarize(buf_slice(&b),
                                        &(struct dicom_reader_options){.syntax = DICOM_IMPLICIT_LE}, 0);
    struct dicom_element e;
    assert_true(dicom_summary_find(dicom_summary_bytes(s), TAG_ContourData, &e));
    assert_true(e.is_ref && e.vr == VR_DS && e.ref.length == 65536 && e.ref.offset == 8);
    dicom_summary_free(s);
    buf_fini(&b);
}

// Group lengths and padding are left out, an odd VR becomes UN, an odd length even.
static void test_what_changes(void **state) {
    (void)state;
    struct slice s = slice_of(S("\x08\x00\x00\x00UL\x04\0\0\0\0\0"
                                "\x10\x00\x10\x00PN\x03\0A^B"
                                "\x10\x00\x20\x00ZZ\x02\0xy"
                                "\xfc\xff\xfc\xffOB\0\0\x02\0\0\0\0\0"));
    struct dicom_summary *sum = summarize_le(s, 0);
    static const char want[] = "\x10\x00\x10\x00PN\x04\0A^B \x10\x00\x20\x00UN\0\0\x02\0\0\0xy";
    assert_true(slice_eq(dicom_summary_bytes(sum), slice_of(S(want))));
    dicom_summary_free(sum);
}

static void big_sequence(struct buf *b, size_t items) {
    buf_append(b, S(NAME SQ_UNDEFINED));
    for (size_t i = 0; i < items; i++)
        buf_append(b, S(ITEM_UNDEFINED NAME ITEM_END));
    buf_append(b, S(SQ_END "\xe0\x7f\x10\x00OW\0\0\x02\0\0\0\0\0"));
}

// A sequence for which there is no room becomes one reference; what follows is still there.
static void test_sequence_without_room(void **state) {
    (void)state;
    static const struct {
        size_t items;
        bool is_ref;
    } rows[] = {{10, false}, {799, false}, {800, false}, {801, true}, {100000, true}}; // of 20 bytes each
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct buf b = BUF_INIT(16 << 20);
        big_sequence(&b, rows[i].items);
        struct dicom_summary *s = summarize_le(buf_slice(&b), 24 + 800 * 20 + 4096);
        struct dicom_element e;
        assert_true(dicom_summary_find(dicom_summary_bytes(s), TAG_RequestAttributesSequence, &e));
        assert_true(e.is_ref == rows[i].is_ref && e.vr == VR_SQ);
        if (e.is_ref)
            assert_true(e.ref.offset == 24 && e.ref.length == rows[i].items * 28);
        assert_true(dicom_summary_find(dicom_summary_bytes(s), TAG_PatientName, &e));
        assert_true(dicom_summary_find(dicom_summary_bytes(s), TAG_PixelData, &e));
        assert_false(dicom_summary_incomplete(s));
        dicom_summary_free(s);
        buf_fini(&b);
    }
}

static void test_even_references_without_room(void **state) {
    (void)state;
    struct buf b = BUF_INIT(16 << 20);
    for (uint32_t i = 0; i < 10000; i++)
        dicom_write_element(&b, DICOM_EXPLICIT_LE, 0x00091000 + i, VR_LO, slice_str("0123456789"));
    struct dicom_summary *s = summarize_le(buf_slice(&b), 20000);
    assert_true(dicom_summary_incomplete(s));
    assert_true(dicom_summary_bytes(s).n <= 20000);
    // The object itself is no worse for it, and the next one starts afresh.
    dicom_summary_reset(s);
    assert_false(dicom_summary_incomplete(s));
    assert_int_equal(dicom_summary_bytes(s).n, 0);
    dicom_summary_free(s);
    buf_fini(&b);
}

static void test_picked_value_limits(void **state) {
    (void)state;
    static const struct {
        size_t n, picked;
    } rows[] = {{DICOM_PICK_VALUE_MAX - 2, DICOM_PICK_VALUE_MAX - 2},
                {DICOM_PICK_VALUE_MAX, DICOM_PICK_VALUE_MAX},
                {DICOM_PICK_VALUE_MAX + 2, 0}};
    for (size_t i = 0; i < 3; i++) {
        struct buf b = BUF_INIT(1 << 20);
        char *text = calloc(1, rows[i].n);
        dicom_write_element(&b, DICOM_EXPLICIT_LE, TAG_PatientID, VR_LO, slice_of(text, rows[i].n));
        dicom_write_element(&b, DICOM_EXPLICIT_LE, TAG_PatientID, VR_LO, slice_str("second"));
        struct dicom_summary *s = summarize_le(buf_slice(&b), 0);
        assert_true(dicom_summary_picked(s, 0)->present);
        assert_int_equal(dicom_summary_picked(s, 0)->value.n, rows[i].picked);
        dicom_summary_free(s);
        free(text);
        buf_fini(&b);
    }
}

// --- Frames -------------------------------------------------------------------------------------

#define FRAMES_3 "\x28\x00\x08\x00IS\x02\0" "3 "
#define FRAGMENT(n, bytes) ITEM_OF(n) bytes
static const struct {
    const char *name, *bytes;
    size_t n;
    int first[3], count[3]; // per frame; -1: can't be said
} frame_rows[] = {
    {"one fragment a frame",
     S(FRAMES_3 PIXELS_UNDEFINED ITEM_OF("\0") FRAGMENT("\2", "ab") FRAGMENT("\2", "cd")
           FRAGMENT("\4", "efgh") SQ_END),
     {0, 1, 2},
     {1, 1, 1}},
    {"by the offset table",
     S(FRAMES_3 PIXELS_UNDEFINED ITEM_OF("\x0c") "\0\0\0\0\x14\0\0\0\x1e\0\0\0" FRAGMENT("\2", "ab")
           FRAGMENT("\2", "cd") FRAGMENT("\2", "ef") FRAGMENT("\2", "gh") SQ_END),
     {0, 2, 3},
     {2, 1, 1}},
    {"no offset table, fragments not one a frame",
     S(FRAMES_3 PIXELS_UNDEFINED ITEM_OF("\0") FRAGMENT("\2", "ab") SQ_END),
     {-1, -1, -1},
     {0, 0, 0}},
    {"an offset table that points into a fragment",
     S(FRAMES_3 PIXELS_UNDEFINED ITEM_OF("\x0c") "\0\0\0\0\x13\0\0\0\x1e\0\0\0" FRAGMENT("\2", "ab")
           FRAGMENT("\2", "cd") FRAGMENT("\2", "ef") FRAGMENT("\2", "gh") SQ_END),
     {-1, -1, 3},
     {0, 0, 1}},
    {"an offset table that goes backwards",
     S(FRAMES_3 PIXELS_UNDEFINED ITEM_OF("\x0c") "\x14\0\0\0\0\0\0\0\xff\xff\xff\xff" FRAGMENT("\2", "ab")
           FRAGMENT("\2", "cd") FRAGMENT("\2", "ef") FRAGMENT("\2", "gh") SQ_END),
     {-1, -1, -1},
     {0, 0, 0}},
    {"an offset table of the wrong length",
     S(FRAMES_3 PIXELS_UNDEFINED ITEM_OF("\x08") "\0\0\0\0\x14\0\0\0" FRAGMENT("\2", "ab")
           FRAGMENT("\2", "cd") SQ_END),
     {-1, -1, -1},
     {0, 0, 0}},
};

static void test_encapsulated_frames(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof frame_rows / sizeof frame_rows[0]; i++) {
        struct dicom_summary *s = summarize_le(slice_of(frame_rows[i].bytes, frame_rows[i].n), 0);
        struct buf stored = BUF_INIT(1 << 16);
        struct arena a = ARENA_INIT(1 << 16);
        struct dicom_frames f;
        dicom_frames_write(dicom_summary_frames(s), &stored);
        assert_int_equal(dicom_frames_parse(buf_slice(&stored), &a, NULL, &f), OK);
        assert_true(f.present && f.encapsulated && f.number_of_frames == 3);
        for (uint32_t k = 0; k < 3; k++) {
            size_t first = 99, count = 99;
            bool ok = dicom_frames_locate(&f, k, &first, &count);
            if (ok != (frame_rows[i].first[k] >= 0) || (ok && ((int)first != frame_rows[i].first[k] ||
                                                                (int)count != frame_rows[i].count[k])))
                fail_msg("%s: frame %u: %d, %zu, %zu", frame_rows[i].name, k, ok, first, count);
        }
        assert_false(dicom_frames_locate(&f, 3, &(size_t){0}, &(size_t){0}));
        for (size_t k = 0; k < f.fragment_count; k++) { // every fragment is where the table says
            struct dicom_ref ref;
            assert_true(dicom_frames_fragment(&f, k, &ref));
            assert_int_equal(frame_rows[i].bytes[ref.offset], 'a' + 2 * (int)k);
        }
        dicom_summary_free(s);
        arena_fini(&a);
        buf_fini(&stored);
    }
}

static void test_native_frames(void **state) {
    (void)state;
    static const struct {
        uint16_t rows, columns, samples, bits;
        const char *frames;
        bool ok[3];
    } cases[] = {
        {2, 2, 1, 16, "3", {true, true, true}}, {2, 2, 3, 8, "2", {true, true, false}},
        {2, 2, 1, 16, "4", {true, true, true}},  // one more than there is
        {65535, 65535, 65535, 65528, "2", {false, false, false}},
        {0, 2, 1, 16, "3", {false, false, false}}, {2, 2, 1, 16, "-3", {true, false, false}},
        {2, 2, 1, 16, "4294967296", {true, false, false}}, {3, 1, 1, 1, "2", {false, false, false}},
        {8, 1, 1, 1, "2", {true, true, false}},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct buf b = BUF_INIT(1000);
        const enum dicom_syntax s = DICOM_EXPLICIT_LE;
        dicom_write_u16(&b, s, TAG_SamplesPerPixel, cases[i].samples);
        dicom_write_str(&b, s, TAG_NumberOfFrames, VR_IS, cases[i].frames);
        dicom_write_u16(&b, s, TAG_Rows, cases[i].rows);
        dicom_write_u16(&b, s, TAG_Columns, cases[i].columns);
        dicom_write_u16(&b, s, TAG_BitsAllocated, cases[i].bits);
        dicom_write_element(&b, s, TAG_PixelData, VR_OW, slice_str("0123456789abcdefghijklmn"));
        struct dicom_summary *sum = summarize_le(buf_slice(&b), 0);
        for (uint32_t k = 0; k < 3; k++) {
            struct dicom_ref ref = {0, 0};
            bool ok = dicom_frames_native(dicom_summary_frames(sum), k, &ref);
            assert_int_equal(ok, cases[i].ok[k]);
            assert_true(!ok || ref.offset + ref.length <= b.n);
        }
        dicom_summary_free(sum);
        buf_fini(&b);
    }
}

// YBR_FULL_422 stores two samples a pixel, though Samples per Pixel says three.
static void test_native_frames_of_halved_chroma(void **state) {
    (void)state;
    struct buf b = BUF_INIT(1000);
    const enum dicom_syntax s = DICOM_EXPLICIT_LE;
    dicom_write_u16(&b, s, TAG_SamplesPerPixel, 3);
    dicom_write_str(&b, s, TAG_PhotometricInterpretation, VR_CS, "YBR_FULL_422");
    dicom_write_str(&b, s, TAG_NumberOfFrames, VR_IS, "2");
    dicom_write_u16(&b, s, TAG_Rows, 2);
    dicom_write_u16(&b, s, TAG_Columns, 2);
    dicom_write_u16(&b, s, TAG_BitsAllocated, 8);
    dicom_write_element(&b, s, TAG_PixelData, VR_OB, slice_str("0123456789abcdef"));
    struct dicom_summary *sum = summarize_le(buf_slice(&b), 0);
    struct dicom_ref ref;
    assert_true(dicom_frames_native(dicom_summary_frames(sum), 1, &ref));
    assert_true(ref.length == 8 && b.p[ref.offset] == '8');
    dicom_summary_free(sum);
    buf_fini(&b);
}

static void test_damaged_tables(void **state) {
    (void)state;
    struct dicom_summary *s = summarize_le(slice_of(frame_rows[1].bytes, frame_rows[1].n), 0);
    struct buf b = BUF_INIT(1 << 16);
    dicom_frames_write(dicom_summary_frames(s), &b);
    for (size_t n = 1; n < b.n; n++) {
        struct arena a = ARENA_INIT(1 << 16);
        struct dicom_frames f;
        assert_int_equal(dicom_frames_parse(slice_of(b.p, n), &a, NULL, &f), ERR_CORRUPT);
        arena_fini(&a);
    }
    struct slice sum = dicom_summary_bytes(s);
    for (size_t n = 1; n < sum.n; n++) {
        struct arena a = ARENA_INIT(1 << 16);
        struct dicom_dataset *ds = NULL;
        enum err e = dicom_summary_parse(slice_sub(sum, 0, n), &a, NULL, &ds);
        assert_true(e == ERR_CORRUPT || (e == OK && n == 10)); // after the first element of 10 bytes
        arena_fini(&a);
    }
    dicom_summary_free(s);
    buf_fini(&b);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_picks),
        cmocka_unit_test(test_summary_reads_back),
        cmocka_unit_test(test_what_is_bulk),
        cmocka_unit_test(test_long_text_in_implicit_vr_is_a_reference),
        cmocka_unit_test(test_what_changes),
        cmocka_unit_test(test_sequence_without_room),
        cmocka_unit_test(test_even_references_without_room),
        cmocka_unit_test(test_picked_value_limits),
        cmocka_unit_test(test_encapsulated_frames),
        cmocka_unit_test(test_native_frames),
        cmocka_unit_test(test_native_frames_of_halved_chroma),
        cmocka_unit_test(test_damaged_tables),
    };
    return cmocka_run_group_tests_name("dicom/summary", tests, NULL, NULL);
}
