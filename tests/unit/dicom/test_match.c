// PS3.4 C.2.2.2: a key, a stored value, whether they match, or why the key is refused.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/glob.h"
#include "dicom/match.h"
#include "std/tag.h"

enum { EMPTY = 1, MULTI = 2 };

struct row {
    enum vr vr;
    const char *key, *value; // both UTF-8; the key is sent as ISO_IR 192
    bool expected;
    unsigned policy;
};

static const struct row rows[] = {
    // Universal (C.2.2.2.3)
    {VR_LO, "", "x", true, 0},
    {VR_LO, "", "", true, 0},
    {VR_LO, "  ", "x", true, 0},
    {VR_UI, "", "1.2.3", true, 0},
    {VR_DA, "", "not a date", true, 0},
    {VR_PN, "", "", true, 0},
    {VR_PN, "^^", "Doe^Jane", true, 0},
    {VR_LO, "*", "", true, 0},
    {VR_LO, "***", "x", true, 0},
    {VR_PN, "*", "", true, 0},
    {VR_PN, "*^*", "Doe", true, 0},
    {VR_SH, "\\\\", "x", true, 0},

    // Single value (C.2.2.2.1)
    {VR_LO, "PAT-1", "PAT-1", true, 0},
    {VR_LO, "PAT-1", "pat-1", false, 0},
    {VR_LO, "PAT-1 ", "PAT-1", true, 0},
    {VR_LO, "PAT-1", " PAT-1  ", true, 0},
    {VR_LO, "PAT-1", "PAT-10", false, 0},
    {VR_LO, "PAT-1", "", false, 0},
    {VR_LO, "PAT-1", "PAT-2\\PAT-1", true, 0},
    {VR_LO, "PAT-1", "PAT-2\\PAT-3", false, 0},
    {VR_CS, "CT", "CT", true, 0},
    {VR_CS, "CT", "ct", false, 0},
    {VR_CS, "ORIGINAL", "ORIGINAL\\PRIMARY", true, 0},
    {VR_AE, "STORE", " STORE ", true, 0},
    {VR_SH, "A%", "AB", false, 0},
    {VR_SH, "A%", "A%", true, 0},
    {VR_SH, "A_C", "ABC", false, 0},
    {VR_SH, "A_C", "A_C", true, 0},
    {VR_ST, "a\\b", "a\\b", true, 0},
    {VR_ST, "b", "a\\b", false, 0}, // one value: the backslash is a letter
    {VR_ST, " a", "a", false, 0},   // blanks in front count in ST
    {VR_LT, "a", "a   ", true, 0},
    {VR_UT, "a\\*", "a\\xyz", true, 0},
    {VR_UR, "http://x/?", "http://x/1", true, 0},
    {VR_LO, "'; DROP TABLE study; --", "'; DROP TABLE study; --", true, 0},
    {VR_LO, "'; DROP TABLE study; --", "x", false, 0},
    {VR_LO, "Müller", "Müller", true, 0},
    {VR_LO, "Mu\u0308ller", "M\u00FCller", true, 0}, // composed or not
    {VR_LO, "M\u00FCller", "Mu\u0308ller", true, 0},
    {VR_SH, "Mu\u0308*", "M\u00FCller", true, 0},
    {VR_SH, "M?ller", "Mu\u0308ller", true, 0}, // ? is one letter
    {VR_LT, "a\u0323\u0308", "a\u0308\u0323", true, 0},
    {VR_LO, "Mu\u0308ller", "Muller", false, 0},
    {VR_LO, "Müller", "Muller", false, 0}, // folding is for names only
    {VR_AS, "018M", "018M", true, 0},
    {VR_AS, "018M", "018Y", false, 0},

    // Numbers are compared as numbers
    {VR_IS, "5", "5", true, 0},
    {VR_IS, "5", "+05", true, 0},
    {VR_IS, "5", " 5 ", true, 0},
    {VR_IS, "5", "50", false, 0},
    {VR_IS, "-5", "5", false, 0},
    {VR_IS, "0", "-0", true, 0},
    {VR_DS, "1.5", "1.50", true, 0},
    {VR_DS, "1.5", "15e-1", true, 0},
    {VR_DS, "1.5", "1.5000001", false, 0},
    {VR_DS, "0.001", "1E-3", true, 0},
    {VR_DS, "1.5", "abc", false, 0},
    {VR_DS, "2", "1\\2\\3", true, 0},

    // List of UID (C.2.2.2.2)
    {VR_UI, "1.2.3", "1.2.3", true, 0},
    {VR_UI, "1.2.3", "1.2.3.4", false, 0},
    {VR_UI, "1.2.3\\1.2.4", "1.2.4", true, 0},
    {VR_UI, "1.2.3\\1.2.4", "1.2.5", false, 0},
    {VR_UI, "1.2.3\\", "1.2.3", true, 0},
    {VR_UI, "1.2.3\\1.2.4", "", false, 0},

    // Wildcards (C.2.2.2.4)
    {VR_LO, "PAT*", "PAT-1", true, 0},
    {VR_LO, "PAT*", "pat-1", false, 0},
    {VR_LO, "PAT*", "PAT", true, 0},
    {VR_LO, "*1", "PAT-1", true, 0},
    {VR_LO, "PAT-?", "PAT-1", true, 0},
    {VR_LO, "PAT-?", "PAT-", false, 0},
    {VR_LO, "PAT-?", "PAT-12", false, 0},
    {VR_LO, "?", "ä", true, 0},
    {VR_LO, "a*", "", false, 0},
    {VR_CS, "C?", "CT", true, 0},
    {VR_CS, "C?", "CT\\MR", true, 0},
    {VR_CS, "C*", "MR\\US", false, 0},
    {VR_SH, "*%*", "100%", true, 0},
    {VR_SH, "*%*", "100", false, 0},
    {VR_SH, "_*", "x", false, 0},
    {VR_SH, "\\\\x", "x", true, 0},
    {VR_AE, "S*", "STORE", true, 0},
    {VR_UC, "a*c", "abc", true, 0},
    {VR_LT, "*tumou?*", "a small tumour here", true, 0},
    {VR_LO, "?*?*?*?*?*b", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", false, 0},
    {VR_LO, "CT*\\MR*", "MRI", true, 0}, // several values without negotiation: any
    {VR_LO, "CT*\\MR*", "US", false, 0},

    // Names: folded, by groups
    {VR_PN, "Doe^Jane", "Doe^Jane", true, 0},
    {VR_PN, "DOE^jane", "Doe^Jane", true, 0},
    {VR_PN, "Doe^Jane^^", "Doe^Jane", true, 0},
    {VR_PN, "Doe^Jane", "Doe^Jane^^^", true, 0},
    {VR_PN, "Doe", "Doe^Jane", false, 0},
    {VR_PN, "Doe^Jane", "Doe^Jane^M", false, 0},
    {VR_PN, "Doe", "Doe^", true, 0},
    {VR_PN, " Doe ^ Jane ", "Doe^Jane", true, 0},
    {VR_PN, "Doe", "Roe", false, 0},
    {VR_PN, "Doe", "", false, 0},
    {VR_PN, "doe*", "Doe^Jane", true, 0},
    {VR_PN, "doe^*", "Doe^Jane", true, 0},
    {VR_PN, "doe^*", "Doe", true, 0},
    {VR_PN, "doe^*^*", "Doe^Jane", true, 0},
    {VR_PN, "doe^*", "Doering^Jane", false, 0},
    {VR_PN, "^*", "", false, 0},
    {VR_PN, "^*", "=山田", true, 0}, // no family name in the first group
    {VR_PN, "*^jane", "Doe^Jane", true, 0},
    {VR_PN, "*jane*", "Doe^Jane^M", true, 0},
    {VR_PN, "d?e^*", "Doe^Jane", true, 0},
    {VR_PN, "muller*", "Müller^Hans", true, 0},
    {VR_PN, "MÜLLER*", "muller^hans", true, 0},
    {VR_PN, "mueller*", "Müller^Hans", false, 0}, // documented: ü is u, not ue
    {VR_PN, "STRASSE", "Straße", true, 0},
    {VR_PN, "Sorensen", "Sørensen", true, 0},
    {VR_PN, "Lodz",
     "Łó"
     "dź",
     true, 0},
    {VR_PN, "Buc^Jerome", "Buc^Jérôme", true, 0},
    {VR_PN, "Yamada*", "Yamada^Tarou=山田^太郎", true, 0},
    {VR_PN, "山田*", "Yamada^Tarou=山田^太郎", true, 0},
    {VR_PN, "=山田*", "Yamada^Tarou=山田^太郎", true, 0},
    {VR_PN, "=yamada*", "Yamada^Tarou=山田^太郎", false, 0},
    {VR_PN, "yamada*=山*", "Yamada^Tarou=山田^太郎", true, 0},
    {VR_PN, "yamada^*=山田^*", "Yamada^Tarou=山田", true, 0},
    {VR_PN, "yamada*=川*", "Yamada^Tarou=山田^太郎", false, 0},
    {VR_PN, "yam*太*", "Yamada^Tarou=山田^太郎", false, 0},
    // hiragana finds katakana, half width finds full width
    {VR_PN, "やまだ*", "ﾔﾏﾀﾞ^ﾀﾛｳ", true, 0},
    {VR_PN, "か", "が", false, 0},     // か is not が
    {VR_PN, "Ｄｏｅ", "Doe", true, 0}, // full width letters
    {VR_PN, "＊", "Doe", false, 0},    // a full width asterisk is no wildcard
    {VR_PN, "Doe\\Roe", "Roe", true, 0},
    {VR_PN, "Doe", "Roe\\Doe", true, 0},
    {VR_PN, "%", "Doe", false, 0},

    // Dates (C.2.2.2.5)
    {VR_DA, "20240229", "20240229", true, 0},
    {VR_DA, "20240229", "2024.02.29", true, 0},
    {VR_DA, "2024.02.29", "20240229", true, 0},
    {VR_DA, "20240229", "20240228", false, 0},
    {VR_DA, "20240101-20240131", "20240101", true, 0},
    {VR_DA, "20240101-20240131", "20240131", true, 0},
    {VR_DA, "20240101-20240131", "20231231", false, 0},
    {VR_DA, "20240101-20240131", "20240201", false, 0},
    {VR_DA, "20240101 - 20240131", "20240115", true, 0},
    {VR_DA, "-20240131", "19991231", true, 0},
    {VR_DA, "-20240131", "20240131", true, 0},
    {VR_DA, "-20240131", "20240201", false, 0},
    {VR_DA, "20240101-", "20240101", true, 0},
    {VR_DA, "20240101-", "20231231", false, 0},
    {VR_DA, "20240131-20240101", "20240115", false, 0},
    {VR_DA, "-20240131", "", false, 0},
    {VR_DA, "20240101-", "20240230", false, 0}, // no date
    {VR_DA, "20240101\\20240103", "20240103", true, 0},
    {VR_DA, "20240101\\20240103", "20240102", false, 0},

    // Times
    {VR_TM, "1030", "103059.999999", true, 0},
    {VR_TM, "1030", "1031", false, 0},
    {VR_TM, "103000", "103000.5", true, 0},
    {VR_TM, "103000.5", "103000.55", true, 0},
    {VR_TM, "103000.50", "103000.51", false, 0},
    {VR_TM, "10:30:00", "103000", true, 0},
    {VR_TM, "10-12", "125959", true, 0},
    {VR_TM, "10-12", "13", false, 0},
    {VR_TM, "1030-1100", "1029", false, 0},
    {VR_TM, "-0830", "000000", true, 0},
    {VR_TM, "0830-", "235959.999", true, 0},
    {VR_TM, "0830-", "0829", false, 0},
    {VR_TM, "2200-0200", "2300", false, 0}, // not across midnight
    {VR_TM, "2200-0200", "0100", false, 0},
    {VR_TM, "235960", "235960", true, 0},

    // Date and time
    {VR_DT, "2024", "20240630120000", true, 0},
    {VR_DT, "202406", "20240630120000", true, 0},
    {VR_DT, "202406", "20240701", false, 0},
    {VR_DT, "2023-2024", "20241231235959.999999", true, 0},
    {VR_DT, "2023-2024", "20250101", false, 0},
    {VR_DT, "20240101120000+0100", "20240101110000+0000", true, 0},
    {VR_DT, "20240101120000+0100", "20240101120000+0000", false, 0},
    {VR_DT, "20240101-0500-20240102-0500", "20240101045959+0000", false, 0},
    {VR_DT, "20240101-0500-20240102-0500", "20240102120000+0000", true, 0},
    {VR_DT, "20240101-0500-20240102-0500", "20240103050000+0000", false, 0},
    {VR_DT, "-20240101", "20230101", true, 0},
    {VR_DT, "20240101-", "20230101", false, 0},

    // Empty value (C.2.2.2.7), negotiated or not
    {VR_LO, "\"\"", "", true, EMPTY},
    {VR_LO, "\"\"", "  ", true, EMPTY},
    {VR_LO, "\"\"", "x", false, EMPTY},
    {VR_LO, "\"\"", "\\", true, EMPTY},
    {VR_DA, "\"\"", "", true, EMPTY},
    {VR_DA, "\"\"", "20240101", false, EMPTY},
    {VR_UI, "\"\"", "", true, EMPTY},
    {VR_LO, "\"\"", "", false, 0},
    {VR_LO, "\"\"", "\"\"", true, 0},

    // Multiple values (C.2.2.2.8): without negotiation any, with it all
    {VR_CS, "CT\\PT", "CT", true, 0},
    {VR_CS, "CT\\PT", "US", false, 0},
    {VR_CS, "CT\\PT", "CT", false, MULTI},
    {VR_CS, "CT\\PT", "PT\\SR\\CT", true, MULTI},
    {VR_CS, "CT\\PT", "CT\\CT", false, MULTI},
    {VR_CS, "CT", "PT\\CT", true, MULTI},
    {VR_CS, "CT\\PT", "", false, MULTI},
    {VR_PN, "Doe\\Roe", "ROE\\DOE", true, MULTI},
    {VR_PN, "Doe\\Roe", "Doe", false, MULTI},
    {VR_UI, "1.2\\1.3", "1.2", true, MULTI}, // a list of UID stays one
    {VR_IS, "1\\2", "2", true, MULTI},       // not for this VR: any
};

// Keys that mean nothing for their VR.
static const struct {
    enum vr vr;
    const char *key;
    enum err expected;
    unsigned policy;
} bad[] = {
    {VR_UI, "*", ERR_UID, 0},
    {VR_UI, "1.2.*", ERR_UID, 0},
    {VR_UI, "1..2", ERR_UID, 0},
    {VR_UI, "../etc/passwd", ERR_UID, 0},
    {VR_UI, "1.2\\x", ERR_UID, 0},
    {VR_UI, "1.2.840.1234567890.1234567890.1234567890.1234567890.1234567890.12", ERR_UID, 0},
    {VR_UI, "\"\"", ERR_UID, 0},
    {VR_DA, "*", ERR_SYNTAX, 0},
    {VR_DA, "2024*", ERR_SYNTAX, 0},
    {VR_DA, "20240230", ERR_SYNTAX, 0},
    {VR_DA, "20241301", ERR_SYNTAX, 0},
    {VR_DA, "2024", ERR_SYNTAX, 0},
    {VR_DA, "-", ERR_SYNTAX, 0},
    {VR_DA, "20240101-20240102-20240103", ERR_SYNTAX, 0},
    {VR_DA, "20240101-x", ERR_SYNTAX, 0},
    {VR_DA, "\"\"", ERR_SYNTAX, 0},
    {VR_TM, "?", ERR_SYNTAX, 0},
    {VR_TM, "24", ERR_SYNTAX, 0},
    {VR_TM, "1", ERR_SYNTAX, 0},
    {VR_TM, "1060", ERR_SYNTAX, 0},
    {VR_TM, "103061", ERR_SYNTAX, 0},
    {VR_TM, "103000.", ERR_SYNTAX, 0},
    {VR_TM, "103000.1234567", ERR_SYNTAX, 0},
    {VR_TM, "1030+0100", ERR_SYNTAX, 0},
    {VR_DT, "20240101120000+1500", ERR_SYNTAX, 0},
    {VR_DT, "202", ERR_SYNTAX, 0},
    {VR_DT, "*", ERR_SYNTAX, 0},
    {VR_IS, "*", ERR_SYNTAX, 0},
    {VR_IS, "1-5", ERR_SYNTAX, 0},
    {VR_IS, "--1", ERR_SYNTAX, 0},
    {VR_DS, "1e", ERR_SYNTAX, 0},
    {VR_DS, "1e99999", ERR_SYNTAX, 0},
    {VR_DS, ".", ERR_SYNTAX, 0},
    {VR_DS, "?", ERR_SYNTAX, 0},
    {VR_AS, "18M", ERR_SYNTAX, 0},
    {VR_AS, "018m", ERR_SYNTAX, 0},
    {VR_AS, "*", ERR_SYNTAX, 0},
    {VR_CS, "CT\\M*", ERR_SYNTAX, MULTI},
    {VR_PN, "Doe*\\Roe", ERR_SYNTAX, MULTI},
    {VR_US, "1", ERR_SYNTAX, 0}, // one byte of two
    {VR_SQ, "x", ERR_UNSUPPORTED, 0},
    {VR_OB, "x", ERR_UNSUPPORTED, 0},
    {VR_OW, "xx", ERR_UNSUPPORTED, 0},
    {VR_UN, "x", ERR_UNSUPPORTED, 0},
};

static struct dicom_match_policy policy_of(unsigned bits) {
    struct dicom_match_policy p = DICOM_MATCH_POLICY_PLAIN;
    p.empty_value = bits & EMPTY;
    p.multiple_values = bits & MULTI;
    return p;
}

// A tag that may have several values, so that multiple value matching applies.
static const uint32_t TAG = 0x00080008;

// The index has the value normalised, worker and index must agree: operands on the normalised form.
static bool by_normal(const struct dicom_match *m, struct slice value) {
    struct buf b = BUF_INIT(100000);
    dicom_match_normalise(m->vr, value, DICOM_ZONE_UNKNOWN, &b);
    bool any = false, first = true;
    struct slice rest = buf_slice(&b);
    bool multi = std_vr_info(m->vr)->multi;
    while (rest.p || first) {
        first = false;
        struct slice one = rest;
        if (multi && rest.p)
            one = slice_split(rest, '\\', &rest);
        else
            rest.p = NULL;
        any |= dicom_match_normal(m, one);
    }
    buf_fini(&b);
    return any;
}

static void test_rows(void **state) {
    (void)state;
    struct arena a = ARENA_INIT(1 << 20);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const struct row *r = &rows[i];
        struct dicom_match_policy policy = policy_of(r->policy);
        struct dicom_match m;
        struct fault f = {OK, {0}};
        enum err e =
            dicom_match_parse(&m, TAG, r->vr, slice_str(r->key), &dicom_charset_utf8, &policy, &a, &f);
        if (e != OK)
            fail_msg("row %zu '%s': %s", i, r->key, f.detail);
        bool expected = r->expected;
        if (dicom_match_value(&m, slice_str(r->value), DICOM_ZONE_UNKNOWN) != expected)
            fail_msg("row %zu: %s '%s' on '%s' is not %d (%s)", i, std_vr_info(r->vr)->code, r->key, r->value,
                     expected, dicom_match_kind_name(m.kind));
        if (m.kind != DICOM_MATCH_ALL && m.kind != DICOM_MATCH_EMPTY &&
            by_normal(&m, slice_str(r->value)) != expected)
            fail_msg("row %zu: %s '%s' on '%s' normalised is not %d", i, std_vr_info(r->vr)->code, r->key,
                     r->value, expected);
        arena_reset(&a);
    }
    arena_fini(&a);
    print_message("%zu rows\n", sizeof rows / sizeof *rows);
}

static void test_refused(void **state) {
    (void)state;
    struct arena a = ARENA_INIT(1 << 20);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct dicom_match_policy policy = policy_of(bad[i].policy);
        struct dicom_match m = {.tag = 7};
        struct fault f = {OK, {0}};
        enum err e = dicom_match_parse(&m, TAG, bad[i].vr, slice_str(bad[i].key), &dicom_charset_utf8,
                                       &policy, &a, &f);
        if (e != bad[i].expected || f.code != e || m.tag != 7)
            fail_msg("row %zu '%s': %s instead of %s", i, bad[i].key, err_name(e), err_name(bad[i].expected));
        // Never what the key said: it may be a patient's name.
        if (strlen(bad[i].key) > 4 && strstr(f.detail, bad[i].key))
            fail_msg("row %zu: the detail tells the value", i);
    }
    arena_fini(&a);
}

static struct dicom_match parse_ok(struct arena *a, uint32_t tag, enum vr vr, struct slice key,
                                   const struct dicom_match_policy *policy) {
    struct dicom_match m;
    struct fault f = {OK, {0}};
    if (dicom_match_parse(&m, tag, vr, key, &dicom_charset_utf8, policy, a, &f) != OK)
        fail_msg("%s", f.detail);
    return m;
}

static void test_kinds(void **state) {
    (void)state;
    static const struct {
        enum vr vr;
        const char *key;
        unsigned policy;
        enum dicom_match_kind kind;
        size_t count;
        const char *first;
    } kinds[] = {
        {VR_LO, "", 0, DICOM_MATCH_UNIVERSAL, 0, ""},
        {VR_LO, "a\\*", 0, DICOM_MATCH_UNIVERSAL, 0, ""},
        {VR_LO, "a ", 0, DICOM_MATCH_SINGLE, 1, "a"},
        {VR_LO, "a\\b\\", 0, DICOM_MATCH_LIST, 2, "a"},
        {VR_LO, "a\\b*", 0, DICOM_MATCH_WILDCARD, 2, "a"},
        {VR_LO, "a\\b", MULTI, DICOM_MATCH_ALL, 2, "a"},
        {VR_LO, "\"\"", EMPTY, DICOM_MATCH_EMPTY, 0, ""},
        {VR_UI, "1.2\\1.3\\1.4", 0, DICOM_MATCH_LIST, 3, "1.2"},
        {VR_DA, "2024.01.31", 0, DICOM_MATCH_SINGLE, 1, "20240131"},
        {VR_DA, "20240131-", 0, DICOM_MATCH_RANGE, 2, "20240131"},
        {VR_DA, "20240131\\20240201", 0, DICOM_MATCH_LIST, 2, "20240131"},
        {VR_TM, "10", 0, DICOM_MATCH_RANGE, 2, "100000.000000"},
        {VR_DT, "2024", 0, DICOM_MATCH_RANGE, 2, "20240101000000.000000"},
        {VR_DT, "2024010112+0200", 0, DICOM_MATCH_RANGE, 2, "20240101100000.000000"},
        {VR_PN, "DOE^JÄNE^^", 0, DICOM_MATCH_SINGLE, 1, "doe^jane"},
        {VR_PN, "Doe^*", 0, DICOM_MATCH_WILDCARD, 2, "doe^*"},
        {VR_PN, "Doe^*=a^*", 0, DICOM_MATCH_WILDCARD, 4, "doe^*=a^*"},
        {VR_PN, "Doe*", 0, DICOM_MATCH_WILDCARD, 1, "doe*"},
        {VR_IS, "+007", 0, DICOM_MATCH_SINGLE, 1, "7"},
        {VR_DS, "-1.250e2", 0, DICOM_MATCH_SINGLE, 1, "-125"},
    };
    struct arena a = ARENA_INIT(1 << 20);
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        struct dicom_match_policy policy = policy_of(kinds[i].policy);
        struct dicom_match m = parse_ok(&a, TAG, kinds[i].vr, slice_str(kinds[i].key), &policy);
        if (m.kind != kinds[i].kind || m.count != kinds[i].count)
            fail_msg("row %zu: %s with %zu", i, dicom_match_kind_name(m.kind), m.count);
        if (m.count && !slice_eq_str(m.operands[0], kinds[i].first))
            fail_msg("row %zu: '%.*s'", i, SLICE_FMT(m.operands[0]));
    }
    // Patient ID has one value: no multiple value matching whatever was negotiated.
    struct dicom_match_policy policy = policy_of(MULTI);
    assert_int_equal(parse_ok(&a, TAG_PatientID, VR_LO, slice_str("a\\b"), &policy).kind, DICOM_MATCH_LIST);
    arena_fini(&a);
}

static void test_binary(void **state) {
    (void)state;
    struct arena a = ARENA_INIT(1 << 20);
    struct dicom_match_policy policy = DICOM_MATCH_POLICY_PLAIN;
    static const uint8_t half[4] = {0, 0, 0, 0x3F}, half_d[8] = {0, 0, 0, 0, 0, 0, 0xE0, 0x3F};
    static const struct {
        enum vr vr;
        struct slice key, value;
        const char *operand;
        bool expected;
    } kinds[] = {
        {VR_US, {(const uint8_t *)"\x00\x02", 2}, {(const uint8_t *)"\x00\x02", 2}, "512", true},
        {VR_US, {(const uint8_t *)"\x00\x02", 2}, {(const uint8_t *)"\x02\x00", 2}, "512", false},
        {VR_US, {(const uint8_t *)"\x00\x02", 2}, {(const uint8_t *)"\x01\x00\x00\x02", 4}, "512", true},
        {VR_US, {(const uint8_t *)"\x00\x02", 2}, {(const uint8_t *)"\x00", 1}, "512", false},
        {VR_SS, {(const uint8_t *)"\xFF\xFF", 2}, {(const uint8_t *)"\xFF\xFF", 2}, "-1", true},
        {VR_SL,
         {(const uint8_t *)"\xFE\xFF\xFF\xFF", 4},
         {(const uint8_t *)"\xFE\xFF\xFF\xFF", 4},
         "-2",
         true},
        {VR_UL, {(const uint8_t *)"\xFF\xFF\xFF\xFF", 4}, {NULL, 0}, "4294967295", false},
        {VR_AT,
         {(const uint8_t *)"\x10\x00\x20\x00", 4},
         {(const uint8_t *)"\x10\x00\x20\x00", 4},
         "00100020",
         true},
        {VR_FL, {half, 4}, {half, 4}, "0.5", true},
        {VR_FD, {half_d, 8}, {half_d, 8}, "0.5", true},
    };
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        struct dicom_match m = parse_ok(&a, TAG, kinds[i].vr, kinds[i].key, &policy);
        if (m.count != 1 || !slice_eq_str(m.operands[0], kinds[i].operand))
            fail_msg("row %zu: operand", i);
        if (dicom_match_value(&m, kinds[i].value, DICOM_ZONE_UNKNOWN) != kinds[i].expected)
            fail_msg("row %zu: match", i);
    }
    arena_fini(&a);
}

static void test_zones(void **state) {
    (void)state;
    struct arena a = ARENA_INIT(1 << 20);
    // A query from UTC-5 to a site at UTC+1: its 10:00 is 16:00 here.
    struct dicom_match_policy policy = {false, false, -5 * 60, 60};
    struct dicom_match m = parse_ok(&a, TAG_StudyTime, VR_TM, slice_str("1000-1100"), &policy);
    assert_int_equal(m.count, 2);
    assert_true(dicom_match_value(&m, slice_str("160000"), DICOM_ZONE_UNKNOWN));
    assert_true(dicom_match_value(&m, slice_str("170059"), DICOM_ZONE_UNKNOWN));
    assert_false(dicom_match_value(&m, slice_str("1030"), DICOM_ZONE_UNKNOWN));
    // 17:00 to 20:00 there is 23:00 to 02:00 here: two ranges.
    m = parse_ok(&a, TAG_StudyTime, VR_TM, slice_str("1700-1959"), &policy);
    assert_int_equal(m.count, 4);
    assert_true(dicom_match_value(&m, slice_str("2330"), DICOM_ZONE_UNKNOWN));
    assert_true(dicom_match_value(&m, slice_str("0130"), DICOM_ZONE_UNKNOWN));
    assert_false(dicom_match_value(&m, slice_str("0200"), DICOM_ZONE_UNKNOWN));
    assert_false(dicom_match_value(&m, slice_str("2259"), DICOM_ZONE_UNKNOWN));
    // Until noon there: from 06:00 to 18:00 here.
    m = parse_ok(&a, TAG_StudyTime, VR_TM, slice_str("-1200"), &policy);
    assert_true(dicom_match_value(&m, slice_str("0600"), DICOM_ZONE_UNKNOWN));
    assert_false(dicom_match_value(&m, slice_str("0559"), DICOM_ZONE_UNKNOWN));
    assert_false(dicom_match_value(&m, slice_str("1801"), DICOM_ZONE_UNKNOWN));
    // An inverted range stays one.
    m = parse_ok(&a, TAG_StudyTime, VR_TM, slice_str("1200-1100"), &policy);
    assert_false(dicom_match_value(&m, slice_str("1730"), DICOM_ZONE_UNKNOWN));
    // The site's zone alone, or the query's alone, shifts nothing.
    policy.site_zone_min = DICOM_ZONE_UNKNOWN;
    m = parse_ok(&a, TAG_StudyTime, VR_TM, slice_str("1000"), &policy);
    assert_true(dicom_match_value(&m, slice_str("100030"), DICOM_ZONE_UNKNOWN));
    // DT without an offset is in the query's zone; the stored one in its object's.
    m = parse_ok(&a, TAG_AcquisitionDateTime, VR_DT, slice_str("2024010110"), &policy);
    assert_true(dicom_match_value(&m, slice_str("20240101160000"), 60));
    assert_false(dicom_match_value(&m, slice_str("20240101100000"), 60));
    assert_true(dicom_match_value(&m, slice_str("20240101100000-0500"), 60));
    arena_fini(&a);
}

static void test_combined(void **state) {
    (void)state;
    static const struct {
        const char *date, *time;
        bool combined;
        const char *inside, *outside; // normalised date and time
    } kinds[] = {
        // The standard's own example: from 5 July 10:00 until 7 July 18:00.
        {"20060705-20060707", "1000-1800", true, "20060706033000.000000", "20060705095959.000000"},
        {"20060705-20060707", "1000-1800", true, "20060707180059.999999", "20060707180100.000000"},
        {"20060705-", "1000-", true, "20260101000000.000000", "20060705095959.999999"},
        {"-20060705", "-1000", true, "20060705100059.000000", "20060705100100.000000"},
        {"20060705-20060707", "1000", false, NULL, NULL},
        {"20060705", "1000-1800", false, NULL, NULL},
        {"20060705-20060707", "1000-", false, NULL, NULL},
        {"20060705-20060707", "", false, NULL, NULL},
        {"", "1000-1800", false, NULL, NULL},
        {"20060705-x", "1000-1800", false, NULL, NULL},
    };
    struct arena a = ARENA_INIT(1 << 20);
    struct dicom_match_policy policy = DICOM_MATCH_POLICY_PLAIN;
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        struct dicom_match m;
        bool combined =
            dicom_match_combine(slice_str(kinds[i].date), slice_str(kinds[i].time), &policy, &a, &m);
        if (combined != kinds[i].combined)
            fail_msg("row %zu", i);
        if (combined && (!dicom_match_normal(&m, slice_str(kinds[i].inside)) ||
                         dicom_match_normal(&m, slice_str(kinds[i].outside))))
            fail_msg("row %zu: moments", i);
    }
    policy = (struct dicom_match_policy){false, false, 0, 120};
    struct dicom_match m;
    assert_true(dicom_match_combine(slice_str("20231231-20240101"), slice_str("2300-2300"), &policy, &a, &m));
    assert_string_equal((const char *)m.operands[0].p, "20240101010000.000000");
    arena_fini(&a);
}

static void test_limits(void **state) {
    (void)state;
    struct dicom_match_policy policy = DICOM_MATCH_POLICY_PLAIN;
    struct dicom_match m;
    struct arena a = ARENA_INIT(8 << 20);
    // One operand: at and over.
    char *text = malloc(DICOM_MATCH_MAX_KEY_BYTES + 2);
    memset(text, 'a', DICOM_MATCH_MAX_KEY_BYTES + 1);
    const struct dicom_charset *cs = &dicom_charset_utf8;
    assert_int_equal(dicom_match_parse(&m, TAG, VR_LO, slice_of(text, 4096), cs, &policy, &a, NULL), OK);
    assert_int_equal(dicom_match_parse(&m, TAG, VR_LO, slice_of(text, 4097), cs, &policy, &a, NULL),
                     ERR_LIMIT);
    assert_int_equal(dicom_match_parse(&m, TAG, VR_PN, slice_of(text, 4096), cs, &policy, &a, NULL), OK);
    assert_int_equal(dicom_match_parse(&m, TAG, VR_PN, slice_of(text, 4097), cs, &policy, &a, NULL),
                     ERR_LIMIT);
    assert_int_equal(dicom_match_parse(&m, TAG, VR_LO, slice_of(text, DICOM_MATCH_MAX_KEY_BYTES + 1), cs,
                                       &policy, &a, NULL),
                     ERR_LIMIT);
    // 10,000 UIDs are served, more than the maximum are not.
    for (size_t i = 0; i < DICOM_MATCH_MAX_OPERANDS + 1; i++)
        memcpy(text + 4 * i, "1.2\\", 4);
    assert_int_equal(dicom_match_parse(&m, TAG, VR_UI, slice_of(text, 4 * DICOM_MATCH_MAX_OPERANDS), cs,
                                       &policy, &a, NULL),
                     OK);
    assert_int_equal(m.count, DICOM_MATCH_MAX_OPERANDS);
    assert_int_equal(dicom_match_parse(&m, TAG, VR_UI, slice_of(text, 4 * DICOM_MATCH_MAX_OPERANDS + 4), cs,
                                       &policy, &a, NULL),
                     ERR_LIMIT);
    arena_fini(&a);
    // The caller's cap is an error, not a crash.
    struct arena small = ARENA_INIT(1000);
    assert_int_equal(dicom_match_parse(&m, TAG, VR_UI, slice_of(text, 40000), cs, &policy, &small, NULL),
                     ERR_NO_MEMORY);
    arena_fini(&small);
    free(text);
}

static void test_normalise(void **state) {
    (void)state;
    static const struct {
        enum vr vr;
        const char *value, *expected;
        bool valid;
    } kinds[] = {
        {VR_PN, "Yamada^Tarou^^=山田^", "yamada^tarou=山田", true},
        {VR_DA, "2024.01.31", "20240131", true},
        {VR_DA, "20240230", "", false},
        {VR_DA, "20240101\\x\\20240102", "20240101\\\\20240102", false},
        {VR_TM, "1030", "103000.000000", true},
        {VR_TM, "10:30:15", "103015.000000", true},
        {VR_TM, "noon", "", false},
        {VR_DT, "20240101120000+0100", "20240101110000.000000", true},
        {VR_DT, "x", "", false},
        {VR_IS, " 007 ", "7", true},
        {VR_IS, "seven", "", false},
        {VR_DS, "1.50\\2e0", "1.5\\2", true},
        {VR_CS, " CT \\MR ", "CT\\MR", true},
        {VR_LO, "", "", true},
        {VR_LT, "  a\\b  ", "  a\\b", true},
    };
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        struct buf b = BUF_INIT(1000);
        bool valid = dicom_match_normalise(kinds[i].vr, slice_str(kinds[i].value), DICOM_ZONE_UNKNOWN, &b);
        if (valid != kinds[i].valid || !slice_eq_str(buf_slice(&b), kinds[i].expected))
            fail_msg("row %zu: '%.*s'", i, SLICE_FMT(buf_slice(&b)));
        buf_fini(&b);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rows),   cmocka_unit_test(test_refused),   cmocka_unit_test(test_kinds),
        cmocka_unit_test(test_binary), cmocka_unit_test(test_zones),     cmocka_unit_test(test_combined),
        cmocka_unit_test(test_limits), cmocka_unit_test(test_normalise),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
