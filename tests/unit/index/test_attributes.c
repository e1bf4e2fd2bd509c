// The encoded attributes of an object, and UIDs in half the room.
#include "bed.h"

#include <stdio.h>

#include "index/attributes.h"

struct row {
    const char *name;
    const char *bytes;
    size_t n;
    enum err expected;
};

#define BYTES(s) s, sizeof(s) - 1

// Numbers: PatientName is 0 and 1, PatientID 2 and 3, StudyInstanceUID 14, ModalitiesInStudy 80.
static const struct row rows[] = {
    {"none", BYTES(""), OK},
    {"one", BYTES("\x00\x00\x03\x00" "A^B"), OK},
    {"value and matching form", BYTES("\x00\x00\x01\x00" "A" "\x01\x00\x01\x00" "a"), OK},
    {"matching form alone", BYTES("\x01\x00\x01\x00" "a"), OK},
    {"of a newer program", BYTES("\xf0\x0f\x01\x00" "?"), OK},
    {"a blank", BYTES("\x02\x00\x01\x00" " "), OK},
    {"empty value", BYTES("\x02\x00\x00\x00"), ERR_SYNTAX},
    {"number cut", BYTES("\x02"), ERR_SYNTAX},
    {"length cut", BYTES("\x02\x00\x01"), ERR_SYNTAX},
    {"value cut", BYTES("\x02\x00\x02\x00" "a"), ERR_SYNTAX},
    {"length of 65535", BYTES("\x02\x00\xff\xff" "a"), ERR_SYNTAX},
    {"twice", BYTES("\x02\x00\x01\x00" "a" "\x02\x00\x01\x00" "a"), ERR_SYNTAX},
    {"descending", BYTES("\x02\x00\x01\x00" "a" "\x00\x00\x01\x00" "a"), ERR_SYNTAX},
    {"no UTF-8", BYTES("\x02\x00\x02\x00" "\xc3("), ERR_SYNTAX},
    {"surrogate", BYTES("\x02\x00\x03\x00" "\xed\xa0\x80"), ERR_SYNTAX},
    {"a UID row", BYTES("\x0e\x00\x01\x00" "1"), ERR_SYNTAX},
    {"a computed row", BYTES("\x50\x00\x01\x00" "1"), ERR_SYNTAX},
    {"whether identity was removed", BYTES("\x6a\x00\x03\x00" "YES"), OK},
    {"the index's own copy", BYTES("\x6c\x00\x01\x00" "1"), ERR_SYNTAX},
};

static void table(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct attributes a;
        struct fault f = {0};
        enum err e = attributes_parse(slice_of(rows[i].bytes, rows[i].n), &a, &f);
        if (e != rows[i].expected)
            fail_msg("%s: %s", rows[i].name, err_name(e));
    }
}

static void forms_stand_in_for_each_other(void **state) {
    (void)state;
    struct attributes a;
    struct fault f = {0};
    assert_int_equal(attributes_parse(slice_of(BYTES("\x00\x00\x01\x00" "A" "\x03\x00\x01\x00" "b")), &a, &f),
                     OK);
    assert_true(slice_eq_str(a.matching[INDEX_ATTR_PatientName], "A"));
    assert_true(slice_eq_str(a.value[INDEX_ATTR_PatientID], "b"));
    assert_true(a.present == 3);
}

// As the records of older programs have it, and those of today.
static void text_is_compared_composed(void **state) {
    (void)state;
    struct attributes a;
    struct fault f = {0};
    static const char bytes[] = "\x00\x00\x03\x00" "a\xcc\x88" // a name: folded, or not at all
                                "\x02\x00\x03\x00" "a\xcc\x88"
                                "\x04\x00\x03\x00" "a\xcc\x88" "\x05\x00\x01\x00" "x";
    assert_int_equal(attributes_parse(slice_of(BYTES(bytes)), &a, &f), OK);
    assert_true(slice_eq_str(a.matching[INDEX_ATTR_PatientName], "a\xcc\x88"));
    assert_true(slice_eq_str(a.matching[INDEX_ATTR_PatientID], "\xc3\xa4"));
    assert_true(slice_eq_str(a.value[INDEX_ATTR_PatientID], "a\xcc\x88"));
    assert_true(slice_eq_str(a.matching[INDEX_ATTR_IssuerOfPatientID], "x"));
}

// More than there is room for: the rest is compared as it is.
static void composed_up_to_a_limit(void **state) {
    (void)state;
    static const enum index_attr texts[] = {INDEX_ATTR_PatientID, INDEX_ATTR_IssuerOfPatientID,
                                            INDEX_ATTR_OtherPatientIDs};
    struct buf b = BUF_INIT(16384);
    struct attributes a;
    struct fault f = {0};
    for (size_t i = 0; i < 3; i++) {
        buf_u16le(&b, INDEX_ATTR_VALUE(texts[i]));
        buf_u16le(&b, 1200);
        for (int n = 0; n < 400; n++)
            buf_append(&b, "a\xcc\x88", 3);
    }
    assert_int_equal(attributes_parse(buf_slice(&b), &a, &f), OK);
    for (size_t i = 0; i < 3; i++)
        assert_int_equal(a.matching[texts[i]].n, i < 2 ? 800 : 1200);
    buf_fini(&b);
}

static void length_limit(void **state) {
    (void)state;
    struct buf b = BUF_INIT(8192);
    struct attributes a;
    for (size_t n = INDEX_VALUE_MAX_BYTES - 1; n <= INDEX_VALUE_MAX_BYTES + 1; n++) {
        struct fault f = {0};
        buf_reset(&b);
        buf_u16le(&b, INDEX_ATTR_VALUE(INDEX_ATTR_PatientID));
        buf_u16le(&b, (uint16_t)n);
        memset(buf_extend(&b, n), 'x', n);
        assert_int_equal(attributes_parse(buf_slice(&b), &a, &f), n <= INDEX_VALUE_MAX_BYTES ? OK
                         : ERR_SYNTAX);
    }
    buf_fini(&b);
}

static void groups_of_names(void **state) {
    (void)state;
    static const struct {
        const char *name, *group[3];
    } names[] = {
        {"a=b=c", {"a", "b", "c"}}, {"a", {"a", "", ""}}, {"=b", {"", "b", ""}}, {"a==c", {"a", "", "c"}},
        {"", {"", "", ""}},
    };
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        for (unsigned g = 0; g < 3; g++)
            assert_true(slice_eq_str(name_group(slice_str(names[i].name), g), names[i].group[g]));
}

static void uids_pack_and_unpack(void **state) {
    (void)state;
    static const char *const good[] = {"1", "1.2", "1.2.840.10008.1.2.1", "0.0", "00.1", "..",
                                       "1234567890123456789012345678901234567890123456789012345678901234",
                                       "123456789012345678901234567890123456789012345678901234567890123"};
    static const char *const bad[] = {"", "a", "1.2 ", "1,2", "-1",
                                      "12345678901234567890123456789012345678901234567890123456789012345"};
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        struct uid_packed u;
        char text[65];
        assert_true(uid_pack(slice_str(good[i]), &u));
        assert_int_equal(uid_unpack(uid_packed_slice(&u), text), strlen(good[i]));
        assert_string_equal(text, good[i]);
    }
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct uid_packed u = {.n = 99};
        assert_false(uid_pack(slice_str(bad[i]), &u));
        assert_int_equal(u.n, 99);
    }
    char text[65];
    assert_int_equal(uid_unpack(slice_of("\xff", 1), text), 0);
    assert_int_equal(uid_unpack(slice_of("\x1f\x11", 2), text), 0);
    assert_int_equal(uid_unpack(slice_of("123456789012345678901234567890123", 33), text), 0);
}

// Every attribute an object may have has its columns, and no statement is without a text.
static void schema_has_all_columns(void **state) {
    (void)state;
    const char *dir = bed_folder();
    struct index *ix = bed_open(dir);
    struct fault f = {0};
    for (int i = 0; i < ST_COUNT_; i++) {
        sqlite3_stmt *s;
        if (index_statement(ix, (enum stmt_id)i, &f, &s) != OK)
            fail_msg("statement %d: %s", i, sqlite3_errmsg(ix->db));
    }
    index_close(ix);
    bed_clean(dir);
}

// Numbers are in the store: they must never change. Append here when the table grows.
static void numbers_are_forever(void **state) {
    (void)state;
    assert_int_equal(INDEX_ATTR_PatientName, 0);
    assert_int_equal(INDEX_ATTR_OtherPatientIDs, 6);
    assert_int_equal(INDEX_ATTR_StudyInstanceUID, 7);
    assert_int_equal(INDEX_ATTR_TimezoneOffsetFromUTC, 15);
    assert_int_equal(INDEX_ATTR_SeriesInstanceUID, 16);
    assert_int_equal(INDEX_ATTR_StationName, 29);
    assert_int_equal(INDEX_ATTR_SOPInstanceUID, 30);
    assert_int_equal(INDEX_ATTR_ContentTime, 39);
    assert_int_equal(INDEX_ATTR_ContentMoment, 52);
    assert_int_equal(INDEX_ATTR_PatientIdentityRemoved, 53);
    assert_int_equal(INDEX_ATTR_StudyStation, 55);
    assert_int_equal(INDEX_ATTR_COUNT_, 56);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(table),
        cmocka_unit_test(forms_stand_in_for_each_other),
        cmocka_unit_test(length_limit),
        cmocka_unit_test(text_is_compared_composed),
        cmocka_unit_test(composed_up_to_a_limit),
        cmocka_unit_test(groups_of_names),
        cmocka_unit_test(uids_pack_and_unpack),
        cmocka_unit_test(schema_has_all_columns),
        cmocka_unit_test(numbers_are_forever),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
