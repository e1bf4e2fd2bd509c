// Sequence matching, PS3.4 C.2.2.2.6. Data sets are written as text: "TAG=value;" for an element, "TAG{…}{…}"
// for a sequence with its items.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "dicom/match_sq.h"
#include "std/tag.h"

// One letter a tag, to keep the table readable.
static const struct {
    char letter;
    uint32_t tag;
    enum vr vr;
} names[] = {
    {'S', TAG_RequestAttributesSequence, VR_SQ},
    {'P', TAG_ScheduledProtocolCodeSequence, VR_SQ},
    {'i', TAG_ScheduledProcedureStepID, VR_SH},
    {'r', TAG_RequestedProcedureID, VR_SH},
    {'n', TAG_PatientName, VR_PN},
    {'c', TAG_CodeValue, VR_SH},
    {'d', TAG_ScheduledProcedureStepStartDate, VR_DA},
    {'x', TAG_SpecificCharacterSet, VR_CS},
    {'u', TAG_ReferencedSOPInstanceUID, VR_UI},
    {'o', TAG_RedPaletteColorLookupTableData, VR_OW},
};

static uint32_t tag_of(char letter, enum vr *ret_vr) {
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (names[i].letter == letter) {
            *ret_vr = names[i].vr;
            return names[i].tag;
        }
    fail_msg("no tag %c", letter);
    return 0;
}

// Returns where it stopped: at '}' or at the end.
static const char *build(struct dicom_dataset *top, const char *s) {
    struct {
        struct dicom_dataset *ds;
        uint32_t tag; // of the sequence that this is an item of
    } stack[DICOM_DEPTH_MAX + 2] = {{top, 0}};
    size_t depth = 0;
    while (*s) {
        enum vr vr = VR_UN;
        if (*s == '}') {
            uint32_t tag = stack[depth].tag;
            depth--;
            if (*++s == '{') { // another item
                s++;
                struct dicom_dataset *parent = stack[depth].ds;
                depth++;
                stack[depth].ds = dicom_dataset_add_item(parent, tag);
                stack[depth].tag = tag;
            }
            continue;
        }
        uint32_t tag = tag_of(*s++, &vr);
        if (*s == '{') {
            s++;
            struct dicom_dataset *item = dicom_dataset_add_item(stack[depth].ds, tag);
            assert_non_null(item);
            depth++;
            stack[depth].ds = item;
            stack[depth].tag = tag;
        } else if (vr == VR_SQ) {
            dicom_dataset_put_sequence(stack[depth].ds, tag);
            s++; // ';'
        } else {
            const char *end = strchr(s, ';');
            assert_true(*s == '=' && end);
            dicom_dataset_put(stack[depth].ds, tag, vr, slice_of(s + 1, (size_t)(end - s - 1)));
            s = end + 1;
        }
    }
    return s;
}

static const struct {
    const char *key, *stored;
    bool expected;
} rows[] = {
    // Universal
    {"S;", "", true},
    {"S;", "S{i=1;}", true},
    {"S{}", "", true},
    {"S{i=;r=;}", "", true},
    {"S{i=*;}", "", true},
    {"S{P{c=;}}", "", true},
    {"S{x=ISO_IR 100;}", "", true}, // the character set is no key
    // One item, all its keys
    {"S{i=1;}", "S{i=1;}", true},
    {"S{i=1;}", "S{i=2;}", false},
    {"S{i=1;}", "S{i=2;}{i=1;}", true},
    {"S{i=1;r=2;}", "S{i=1;r=2;}", true},
    {"S{i=1;r=2;}", "S{i=1;r=3;}{i=3;r=2;}", false}, // not half here, half there
    {"S{i=1;r=2;}", "S{i=1;r=3;}{i=1;r=2;}", true},
    {"S{i=1;r=;}", "S{i=1;}", true},
    {"S{i=1;}", "", false},
    {"S{i=1;}", "S;", false},
    {"S{i=1;}", "S{}", false},
    {"S{i=1;}", "i=1;", false},
    {"S{i=1*;}", "S{i=12;}", true},
    {"S{d=20240101-20240131;}", "S{d=20240115;}", true},
    {"S{d=20240101-20240131;}", "S{d=20240215;}", false},
    {"S{u=1.2\\1.3;}", "S{u=1.3;}", true},
    {"S{n=doe*;}", "S{n=DOE^J;}", true},
    // Nested
    {"S{P{c=A;}}", "S{P{c=A;}}", true},
    {"S{P{c=A;}}", "S{P{c=B;}}", false},
    {"S{P{c=A;}}", "S{P{c=B;}{c=A;}}", true},
    {"S{P{c=A;}}", "S{P{c=B;}}{P{c=A;}}", true},
    {"S{P{c=A;}}", "S{i=1;}", false},
    {"S{P{c=A;}}", "S{P;}", false},
    {"S{P{c=A;}i=1;}", "S{P{c=A;}i=2;}{P{c=B;}i=1;}", false},
    {"S{P{c=A;}i=1;}", "S{P{c=A;}i=2;}{P{c=A;}i=1;}", true},
    {"S{i=1;P{c=A;}}", "S{i=1;P{c=B;}}{i=1;P{c=B;}{c=A;}}", true},
    {"S{P{S{i=1;}c=A;}}", "S{P{S{i=2;}c=A;}{S{i=1;}c=A;}}", true},
    {"S{P{S{i=1;}c=A;}}", "S{P{S{i=1;}c=B;}{S{i=2;}c=A;}}", false},
    // The item's own character set, else the one round it (ISO_IR 100)
    {"S{n=Jérôme;}", "S{n=J\351r\364me;}", true},
    {"S{n=Διονυσιος;}", "S{x=ISO_IR 126;n=\304\351\357\355\365\363\351\357\362;}", true},
    {"S{n=Διονυσιος;}", "S{n=\304\351\357\355\365\363\351\357\362;}", false},
    {"S{P{n=Διονυσιος;}}", "S{x=ISO_IR 126;P{n=\304\351\357\355\365\363\351\357\362;}}", true},
    {"S{n=Jérôme;}", "S{x=ISO_IR 126;n=x;}{n=J\351r\364me;}", true}, // ends with the item
};

static struct dicom_dataset *dataset(struct arena *a, const char *text) {
    struct dicom_dataset *ds = dicom_dataset_new(a);
    assert_non_null(ds);
    build(ds, text);
    return ds;
}

static void test_rows(void **state) {
    (void)state;
    struct dicom_match_policy policy = DICOM_MATCH_POLICY_PLAIN;
    struct dicom_charset latin1;
    dicom_charset_init(&latin1, slice_str("ISO_IR 100"));
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct arena a = ARENA_INIT(1 << 20);
        const struct dicom_element *key =
            dicom_dataset_find(dataset(&a, rows[i].key), TAG_RequestAttributesSequence);
        const struct dicom_element *stored =
            dicom_dataset_find(dataset(&a, rows[i].stored), TAG_RequestAttributesSequence);
        struct dicom_match_sq *sq;
        struct fault f = {OK, {0}};
        if (dicom_match_sq_parse(key, &dicom_charset_utf8, &policy, &a, &f, &sq) != OK)
            fail_msg("row %zu '%s': %s", i, rows[i].key, f.detail);
        if (dicom_match_sq(sq, stored, &latin1, DICOM_ZONE_UNKNOWN) != rows[i].expected)
            fail_msg("row %zu: '%s' on '%s' is not %d", i, rows[i].key, rows[i].stored, rows[i].expected);
        // It matches when, and only when, one of its items does.
        bool any = dicom_match_sq_is_universal(sq);
        for (size_t j = 0; stored && j < dicom_items_count(stored); j++)
            any |= dicom_match_sq_item(sq, dicom_items_at(stored, j), &latin1, DICOM_ZONE_UNKNOWN);
        if (any != rows[i].expected)
            fail_msg("row %zu: '%s' on '%s' item by item", i, rows[i].key, rows[i].stored);
        arena_fini(&a);
    }
}

static void test_refused(void **state) {
    (void)state;
    static const struct {
        const char *key;
        enum err expected;
    } bad[] = {
        {"S{i=1;}{i=2;}", ERR_SYNTAX}, {"S{}{}", ERR_SYNTAX},       {"S{P{c=1;}{c=2;}}", ERR_SYNTAX},
        {"S{d=2024*;}", ERR_SYNTAX},   {"S{P{u=1.2.*;}}", ERR_UID}, {"S{o=xx;}", ERR_UNSUPPORTED},
    };
    struct dicom_match_policy policy = DICOM_MATCH_POLICY_PLAIN;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct arena a = ARENA_INIT(1 << 20);
        const struct dicom_element *key =
            dicom_dataset_find(dataset(&a, bad[i].key), TAG_RequestAttributesSequence);
        struct dicom_match_sq *sq = NULL;
        struct fault f = {OK, {0}};
        enum err e = dicom_match_sq_parse(key, &dicom_charset_utf8, &policy, &a, &f, &sq);
        if (e != bad[i].expected || f.code != e || sq)
            fail_msg("row %zu '%s': %s", i, bad[i].key, err_name(e));
        arena_fini(&a);
    }
}

// As deep as the reader lets them be, and as many keys as are taken.
static void test_limits(void **state) {
    (void)state;
    struct dicom_match_policy policy = DICOM_MATCH_POLICY_PLAIN;
    char text[4 * DICOM_DEPTH_MAX + 8] = "";
    for (int i = 0; i < DICOM_DEPTH_MAX; i++)
        strcat(text, "S{");
    strcat(text, "i=1;");
    for (int i = 0; i < DICOM_DEPTH_MAX; i++)
        strcat(text, "}");
    struct arena a = ARENA_INIT(4 << 20);
    const struct dicom_element *key = dicom_dataset_find(dataset(&a, text), TAG_RequestAttributesSequence);
    struct dicom_match_sq *sq;
    assert_int_equal(dicom_match_sq_parse(key, &dicom_charset_utf8, &policy, &a, NULL, &sq), OK);
    assert_true(dicom_match_sq(sq, key, &dicom_charset_utf8, DICOM_ZONE_UNKNOWN));

    for (int over = 0; over < 2; over++) {
        struct dicom_dataset *ds = dicom_dataset_new(&a);
        struct dicom_dataset *item = dicom_dataset_add_item(ds, TAG_RequestAttributesSequence);
        for (uint32_t i = 0; i < DICOM_MATCH_SQ_MAX_KEYS - 1 + (uint32_t)over; i++)
            assert_int_equal(dicom_dataset_put(item, 0x00111001 + i, VR_LO, slice_str("x")), OK);
        key = dicom_dataset_find(ds, TAG_RequestAttributesSequence);
        assert_int_equal(dicom_match_sq_parse(key, &dicom_charset_utf8, &policy, &a, NULL, &sq),
                         over ? ERR_LIMIT : OK);
    }
    arena_fini(&a);
    struct arena small = ARENA_INIT(600);
    struct dicom_dataset *ds = dicom_dataset_new(&small);
    struct dicom_dataset *item = ds ? dicom_dataset_add_item(ds, TAG_RequestAttributesSequence) : NULL;
    if (item && dicom_dataset_put(item, TAG_ScheduledProcedureStepID, VR_SH, slice_str("x")) == OK) {
        key = dicom_dataset_find(ds, TAG_RequestAttributesSequence);
        assert_int_equal(dicom_match_sq_parse(key, &dicom_charset_utf8, &policy, &small, NULL, &sq),
                         ERR_NO_MEMORY);
    }
    arena_fini(&small);
}

static int preload(void **state) {
    (void)state;
    return dicom_charset_preload(NULL) == OK ? 0 : -1;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rows),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_limits),
    };
    return cmocka_run_group_tests(tests, preload, NULL);
}
