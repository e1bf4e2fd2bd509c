// Queries against a brute-force oracle on random data, in every way SQLite walks them; places kept over
// commits; hostile strings; plans.
#include "bed.h"

#include <stdio.h>

#include "base/fuzzy.h"
#include "base/glob.h"
#include "index/query_internal.h"

enum { STUDIES = 300, SERIES_OF = 3, SOPS_OF = 2 };

static const char *dir;
static struct index *ix;
static unsigned seed = 4711;

static unsigned rnd(unsigned n) {
    return (unsigned)rand_r(&seed) % n;
}

// --- Data: few different values, so that conditions hit --------------------------------------------

static const char *const names[] = {
    "", "doe^john", "doe^jane", "doe", "doe^", "do", "dof^x",
    "yamada^tarou=山田^太郎=やまだ^たろう", "yamada=山田", "=山田^花子",
    "a%b_c\\d", "'; drop table study;--", "\"quoted\"", "o'neill^s", "*", "müller", "z=doe^john",
};
static const char *const ids[] = {"", "1", "10", "100", "A%", "A_B", "A\\B", "ab", "AB", "'", "山"};
static const char *const dates[] = {"", "20231231", "20240101", "20240115", "20240201", "20250101",
                                    "20240229"};
static const char *const times[] = {"", "000000.000000", "080000.000000", "120000.500000", "235959.999999"};
static const char *const modalities[] = {"", "CT", "MR", "SR"};
static const char *const others[] = {"", "a", "a\\b", "b\\c\\a", "%", "a\\"};
static const char *const numbers[] = {"", "1", "2", "10", "-3", "1.5"};

#define PICK(array) array[rnd(sizeof(array) / sizeof *(array))]

// What the objects say, kept for the oracle.
static struct study {
    const char *name, *id, *date, *time, *accession, *other;
    struct series {
        const char *modality, *number;
    } series[SERIES_OF];
} studies[STUDIES];

static void put_text(struct bed_object *b, enum index_attr attr, const char *v) {
    if (*v)
        bed_put(b, attr, v, NULL);
}

static void study_add(int i) {
    struct study *s = &studies[i];
    for (int k = 0; k < SERIES_OF; k++)
        for (int n = 0; n < SOPS_OF; n++) {
            struct bed_object b;
            bed_object_init(&b, i, k, n);
            put_text(&b, INDEX_ATTR_PatientName, s->name);
            put_text(&b, INDEX_ATTR_PatientID, s->id);
            put_text(&b, INDEX_ATTR_OtherPatientIDs, s->other);
            put_text(&b, INDEX_ATTR_StudyDate, s->date);
            put_text(&b, INDEX_ATTR_StudyTime, s->time);
            put_text(&b, INDEX_ATTR_AccessionNumber, s->accession);
            put_text(&b, INDEX_ATTR_Modality, s->series[k].modality);
            put_text(&b, INDEX_ATTR_SeriesNumber, s->series[k].number);
            assert_int_equal(bed_add(ix, &b), INDEX_NEW);
        }
}

static int setup(void **state) {
    (void)state;
    dir = bed_folder();
    ix = bed_open(dir);
    for (int i = 0; i < STUDIES; i++) {
        studies[i] = (struct study){PICK(names), PICK(ids), PICK(dates), PICK(times), PICK(ids), PICK(others),
                                    {{0}}};
        for (int k = 0; k < SERIES_OF; k++)
            studies[i].series[k] = (struct series){PICK(modalities), PICK(numbers)};
        study_add(i);
    }
    bed_commit(ix);
    return 0;
}

static int teardown(void **state) {
    (void)state;
    index_close(ix);
    bed_clean(dir);
    return 0;
}

// --- The oracle ---------------------------------------------------------------------------------

static const char *value_of(int study, int series, enum index_attr attr, char scratch[65]) {
    const struct study *s = &studies[study];
    switch ((int)attr) {
    case INDEX_ATTR_PatientName:
        return s->name;
    case INDEX_ATTR_PatientID:
        return s->id;
    case INDEX_ATTR_OtherPatientIDs:
        return s->other;
    case INDEX_ATTR_StudyDate:
        return s->date;
    case INDEX_ATTR_AccessionNumber:
        return s->accession;
    case INDEX_ATTR_Modality:
        return s->series[series].modality;
    case INDEX_ATTR_SeriesNumber:
        return s->series[series].number;
    case INDEX_ATTR_StudyMoment:
        snprintf(scratch, 65, "%s%s", s->date, *s->date ? s->time : "");
        return scratch;
    case INDEX_ATTR_StudyInstanceUID:
        snprintf(scratch, 65, "1.2.%d", study);
        return scratch;
    default:
        fail();
        return NULL;
    }
}

static bool operand_matches(const struct query_condition *c, size_t i, struct slice v) {
    bool name = c->attribute == INDEX_ATTR_PatientName;
    switch ((enum query_kind)c->kind) {
    case QUERY_SINGLE:
    case QUERY_LIST:
        return name ? glob_match_name(c->operands[i], v) : slice_eq(c->operands[i], v);
    case QUERY_WILDCARD:
        return name ? glob_match_name(c->operands[i], v) : glob_match(c->operands[i], v);
    case QUERY_RANGE:
        return i % 2 == 0 && glob_in_range(c->operands[i], c->operands[i + 1], v);
    case QUERY_FUZZY: {
        struct fuzzy_key key;
        return !fuzzy_key_init(&key, c->operands[0]) || fuzzy_match(&key, v);
    }
    case QUERY_EMPTY:
    case QUERY_KIND_COUNT_:
        break;
    }
    return false;
}

static bool value_matches(const struct query_condition *c, struct slice v) {
    if (c->kind == QUERY_EMPTY)
        return v.n == 0;
    for (size_t i = 0; i < c->count; i++) {
        struct slice rest = v;
        bool multi = c->attribute == INDEX_ATTR_OtherPatientIDs && v.n;
        do {
            if (operand_matches(c, i, multi ? slice_split(rest, '\\', &rest) : v))
                return true;
        } while (multi && rest.p);
    }
    return false;
}

static bool modalities_match(const struct query_condition *c, int study) {
    bool any = false;
    for (int k = 0; k < SERIES_OF; k++) {
        const char *m = studies[study].series[k].modality;
        any = any || *m;
        if (*m && value_matches(c, slice_str(m)))
            return true;
    }
    return !any && value_matches(c, SLICE_LIT(""));
}

static bool expected(const struct index_query_spec *spec, int study, int series) {
    for (size_t i = 0; i < spec->condition_count; i++) {
        const struct query_condition *c = &spec->conditions[i];
        char scratch[65];
        if (c->attribute == INDEX_ATTR_ModalitiesInStudy
                ? !modalities_match(c, study)
                : !value_matches(c, slice_str(value_of(study, series, (enum index_attr)c->attribute,
                                                       scratch))))
            return false;
    }
    return true;
}

// --- Random conditions --------------------------------------------------------------------------

static const char *const name_patterns[] = {"doe*", "d*", "*", "*john", "do?", "山*", "やまだ*",
                                            "yamada=山田",
                                            "=山田*",
                                            "yamada*=*太郎", "*%*", "a%*", "*_c\\*", "'*", "doe^john", "?",
                                                "m*", "z*=doe*"};
static const char *const id_patterns[] = {"1*", "10*", "*0", "A%*", "A_*", "A\\*", "?", "*", "a*",
                                          "山*", "'*",
                                          "1"};

static struct slice operands[16];

static struct query_condition random_condition(enum index_level level) {
    static const struct {
        enum index_attr attr;
        enum index_level level;
    } attrs[] = {
        {INDEX_ATTR_PatientName, INDEX_PATIENT},   {INDEX_ATTR_PatientID, INDEX_PATIENT},
        {INDEX_ATTR_OtherPatientIDs, INDEX_PATIENT}, {INDEX_ATTR_StudyDate, INDEX_STUDY},
        {INDEX_ATTR_AccessionNumber, INDEX_STUDY}, {INDEX_ATTR_StudyMoment, INDEX_STUDY},
        {INDEX_ATTR_StudyInstanceUID, INDEX_STUDY}, {INDEX_ATTR_ModalitiesInStudy, INDEX_STUDY},
        {INDEX_ATTR_Modality, INDEX_SERIES},       {INDEX_ATTR_SeriesNumber, INDEX_SERIES},
    };
    static char uids[16][65];
    size_t n = level == INDEX_STUDY ? 8 : 10;
    enum index_attr attr = attrs[rnd((unsigned)n)].attr;
    struct query_condition c = {(uint16_t)attr, (uint8_t)(rnd(6) ? rnd(3) : QUERY_EMPTY), 1, operands};
    bool date = attr == INDEX_ATTR_StudyDate, moment = attr == INDEX_ATTR_StudyMoment;
    if (moment || (date && rnd(2)))
        c.kind = QUERY_RANGE;
    if (attr == INDEX_ATTR_StudyInstanceUID && c.kind == QUERY_WILDCARD)
        c.kind = QUERY_LIST;
    if (attr == INDEX_ATTR_PatientName && rnd(4) == 0)
        c.kind = QUERY_FUZZY;
    c.count = c.kind == QUERY_FUZZY    ? 1
              : c.kind == QUERY_EMPTY  ? 0
              : c.kind == QUERY_SINGLE ? 1
                                       : (uint16_t)(1 + rnd(4));
    if (c.kind == QUERY_RANGE)
        c.count = rnd(4) ? 2 : 4;
    for (int i = 0; i < c.count; i++) {
        const char *v = attr == INDEX_ATTR_PatientName ? c.kind == QUERY_WILDCARD ? PICK(name_patterns)
            : PICK(names)
                        : attr == INDEX_ATTR_OtherPatientIDs ? PICK(others)
                        : attr == INDEX_ATTR_Modality || attr == INDEX_ATTR_ModalitiesInStudy
                            ? PICK(modalities)
                        : attr == INDEX_ATTR_SeriesNumber ? PICK(numbers)
                        : date || moment ? PICK(dates)
                        : c.kind == QUERY_WILDCARD ? PICK(id_patterns) : PICK(ids);
        if (attr == INDEX_ATTR_StudyInstanceUID)
            snprintf(uids[i], sizeof uids[i], "1.2.%u", rnd(STUDIES + 20));
        else if (moment && *v)
            snprintf(uids[i], sizeof uids[i], "%s%s", v, rnd(2) ? "080000.000000" : "235959.999999");
        operands[i] = attr == INDEX_ATTR_StudyInstanceUID || (moment && *v) ? slice_str(uids[i])
            : slice_str(v);
        // a name without wildcards never has '*' as a worker sends it
        if (attr == INDEX_ATTR_PatientName && c.kind != QUERY_WILDCARD && slice_eq_str(operands[i], "*"))
            operands[i] = SLICE_LIT("doe");
    }
    return c;
}

static int series_number_of(struct slice uid) { // the last component
    size_t at = uid.n;
    while (at > 0 && uid.p[at - 1] != '.')
        at--;
    return atoi((const char *)uid.p + at);
}

static int study_number_of(struct slice uid) {
    return atoi((const char *)uid.p + 4);
}

static unsigned char seen[STUDIES][SERIES_OF];

static void query_all(const struct index_query_spec *spec, bool commits) {
    struct index_query *q;
    struct fault f = {0};
    enum index_step step = INDEX_AGAIN;
    memset(seen, 0, sizeof seen);
    if (index_query_open(ix, spec, &f, &q) != OK)
        fail_msg("%s", f.detail);
    while (step != INDEX_END) {
        if (commits && rnd(3) == 0) { // a change, so that there is something to commit
            struct index_mark mark = {1, rnd(1000), 1, 1};
            assert_int_equal(index_set_mark(ix, &mark, &f), OK);
            bed_commit(ix);
        }
        assert_int_equal(index_query_step(q, &f, &step), OK);
        if (step != INDEX_ROW)
            continue;
        int study = study_number_of(index_query_value(q, 0));
        int series = spec->level == INDEX_STUDY ? 0 : series_number_of(index_query_value(q, 1));
        seen[study][series]++;
    }
    index_query_close(q);
}

static uint64_t count_all(const struct index_query_spec *spec) {
    struct index_query *q;
    struct fault f = {0};
    enum index_step step;
    assert_int_equal(index_count_open(ix, spec, &f, &q), OK);
    do {
        assert_int_equal(index_query_step(q, &f, &step), OK);
        assert_int_not_equal(step, INDEX_ROW);
    } while (step != INDEX_END);
    uint64_t n = index_count_result(q);
    index_query_close(q);
    return n;
}

static uint64_t sum_of_seen(void) {
    uint64_t n = 0;
    for (int i = 0; i < STUDIES; i++)
        for (int k = 0; k < SERIES_OF; k++)
            n += seen[i][k];
    return n;
}

static void against_the_oracle(bool commits, enum index_order order) {
    static const uint16_t returns[] = {INDEX_ATTR_StudyInstanceUID, INDEX_ATTR_SeriesInstanceUID};
    for (int round = 0; round < 600; round++) {
        enum index_level level = order == INDEX_ORDER_NEWEST || rnd(2) ? INDEX_STUDY : INDEX_SERIES;
        struct query_condition conditions[3];
        static struct slice kept[3][16];
        size_t n = 1 + rnd(3);
        for (size_t i = 0; i < n; i++) {
            conditions[i] = random_condition(level);
            memcpy(kept[i], operands, sizeof operands);
            conditions[i].operands = kept[i];
        }
        if (n > 1) // the texts of UIDs and moments are shared: one such condition only
            for (size_t i = 1; i < n; i++)
                if (conditions[i].attribute == INDEX_ATTR_StudyMoment ||
                    conditions[i].attribute == INDEX_ATTR_StudyInstanceUID)
                    n = i;
        if (conditions[0].attribute == INDEX_ATTR_StudyMoment ||
            conditions[0].attribute == INDEX_ATTR_StudyInstanceUID)
            n = 1;
        struct index_query_spec spec = {.level = level, .conditions = conditions, .condition_count = n,
                                        .returns = returns, .return_count = level == INDEX_STUDY ? 1 : 2,
                                        .order = order};
        if (rnd(8) == 0) { // names are read anew, or the index of names is walked
            spellings_free(ix);
            ix->too_many_spellings = rnd(2);
        }
        query_all(&spec, commits);
        for (ix->few_rows = 0; ix->few_rows <= FEW_ROWS; ix->few_rows += FEW_ROWS) // in rounds or not
            assert_int_equal(count_all(&spec), sum_of_seen());
        for (int i = 0; i < STUDIES; i++)
            for (int k = 0; k < (level == INDEX_STUDY ? 1 : SERIES_OF); k++)
                if (seen[i][k] != expected(&spec, i, k))
                    fail_msg("round %d: study %d series %d found %d times; attribute %u kind %u value '%.*s'",
                             round, i, k, seen[i][k], conditions[0].attribute, conditions[0].kind,
                             conditions[0].count ? (int)conditions[0].operands[0].n : 0,
                             conditions[0].count ? (const char *)conditions[0].operands[0].p : "");
    }
}

static void random_queries(void **state) {
    (void)state;
    against_the_oracle(false, INDEX_ORDER_ANY);
}

static void random_queries_over_commits(void **state) {
    (void)state;
    against_the_oracle(true, INDEX_ORDER_ANY);
}

static void random_queries_newest_first(void **state) {
    (void)state;
    against_the_oracle(true, INDEX_ORDER_NEWEST);
}

// --- What the oracle does not say -----------------------------------------------------------------

static struct index_query *open_query(enum index_level level, struct query_condition *c, size_t n,
                                      const uint16_t *returns, size_t return_count, uint64_t offset,
                                          uint64_t limit,
                                      enum index_order order) {
    struct index_query_spec spec = {level, c, n, returns, return_count, offset, limit, order, NULL, 0};
    struct index_query *q = NULL;
    struct fault f = {0};
    if (index_query_open(ix, &spec, &f, &q) != OK)
        fail_msg("%s", f.detail);
    return q;
}

static enum index_step step_to_row(struct index_query *q) {
    enum index_step step;
    struct fault f = {0};
    do
        assert_int_equal(index_query_step(q, &f, &step), OK);
    while (step == INDEX_AGAIN);
    return step;
}

static void pages_join_without_a_seam(void **state) {
    (void)state;
    const uint16_t returns[] = {INDEX_ATTR_SOPInstanceUID};
    char all[2000][65], uid[65];
    size_t total = 0;
    struct index_query *q = open_query(INDEX_INSTANCE, NULL, 0, returns, 1, 0, 0, INDEX_ORDER_ANY);
    while (step_to_row(q) == INDEX_ROW)
        assert_true(slice_to_cstr(index_query_value(q, 0), all[total++], 65));
    index_query_close(q);
    assert_int_equal(total, STUDIES * SERIES_OF * SOPS_OF);
    for (size_t from = 0; from <= total; from += 97) {
        q = open_query(INDEX_INSTANCE, NULL, 0, returns, 1, from, 97, INDEX_ORDER_ANY);
        size_t n = 0;
        for (; step_to_row(q) == INDEX_ROW; n++) {
            assert_true(slice_to_cstr(index_query_value(q, 0), uid, sizeof uid));
            assert_string_equal(uid, all[from + n]);
        }
        assert_int_equal(n, total - from < 97 ? total - from : 97);
        index_query_close(q);
    }
}

// The studies of a page, newest first, as numbers; some commits in between.
static size_t page_of(const struct index_query_spec *spec, bool commits, int ret_studies[STUDIES]) {
    struct index_query *q;
    struct fault f = {0};
    enum index_step step = INDEX_AGAIN;
    size_t n = 0;
    assert_int_equal(index_query_open(ix, spec, &f, &q), OK);
    while (step != INDEX_END) {
        if (commits && rnd(4) == 0) {
            struct index_mark mark = {1, rnd(1000), 1, 1};
            assert_int_equal(index_set_mark(ix, &mark, &f), OK);
            bed_commit(ix);
        }
        assert_int_equal(index_query_step(q, &f, &step), OK);
        if (step == INDEX_ROW) {
            assert_true(n < STUDIES);
            ret_studies[n++] = study_number_of(index_query_value(q, 0));
        }
    }
    index_query_close(q);
    return n;
}

// By date at once, by date until that has lasted too long, or sorted: the list is the same, its pages join.
static void the_newest_are_the_same_by_any_way(void **state) {
    (void)state;
    static const uint16_t returns[] = {INDEX_ATTR_StudyInstanceUID};
    int all[STUDIES], page[STUDIES];
    for (int round = 0; round < 600; round++) {
        struct query_condition conditions[2] = {random_condition(INDEX_STUDY)};
        static struct slice kept[16];
        memcpy(kept, operands, sizeof operands);
        conditions[0].operands = kept;
        struct index_query_spec spec = {.level = INDEX_STUDY, .conditions = conditions, .condition_count = 1,
                                        .returns = returns, .return_count = 1, .order = INDEX_ORDER_NEWEST};
        ix->try_rows = TRY_ROWS;
        size_t total = page_of(&spec, false, all), at = 0;
        spec.limit = 1 + rnd(40);
        for (spec.offset = 0; spec.offset <= total; spec.offset += spec.limit) {
            ix->try_rows = 1 + rnd(3) * rnd(60);
            size_t n = page_of(&spec, true, page);
            for (size_t i = 0; i < n; i++)
                if (at + i >= total || page[i] != all[at + i])
                    fail_msg("round %d, row %zu of %zu: attribute %u kind %u", round, at + i, total,
                             conditions[0].attribute, conditions[0].kind);
            at += n;
        }
        assert_int_equal(at, total);
    }
    ix->try_rows = TRY_ROWS;
}

static void newest_come_first(void **state) {
    (void)state;
    const uint16_t returns[] = {INDEX_ATTR_StudyDate};
    char last[65] = "99999999", date[65];
    int n = 0;
    struct index_query *q = open_query(INDEX_STUDY, NULL, 0, returns, 1, 0, 0, INDEX_ORDER_NEWEST);
    for (; step_to_row(q) == INDEX_ROW; n++) {
        assert_true(slice_to_cstr(index_query_value(q, 0), date, sizeof date));
        assert_true(strcmp(date, last) <= 0);
        memcpy(last, date, sizeof last);
    }
    assert_int_equal(n, STUDIES);
    index_query_close(q);
}

static void scans_let_others_run(void **state) {
    (void)state;
    struct slice operand = SLICE_LIT("*no such name*");
    struct query_condition c = {INDEX_ATTR_SeriesDescription, QUERY_WILDCARD, 1, &operand};
    struct index_query *q = open_query(INDEX_INSTANCE, &c, 1, NULL, 0, 0, 0, INDEX_ORDER_ANY);
    struct fault f = {0};
    enum index_step step = INDEX_AGAIN;
    int yields = 0;
    for (; step == INDEX_AGAIN; yields++)
        assert_int_equal(index_query_step(q, &f, &step), OK);
    assert_int_equal(yields - 1, STUDIES * SERIES_OF * SOPS_OF / ROWS_PER_STEP);
    index_query_close(q);
}

// Added while a query is under way; found by the next one at once, committed or not.
static void uncommitted_objects_are_found(void **state) {
    (void)state;
    struct bed_object b;
    struct fault f = {0};
    bed_object_init(&b, 90001, 1, 1);
    bed_put(&b, INDEX_ATTR_AccessionNumber, "fresh", NULL);
    bed_add(ix, &b);
    assert_string_equal(bed_find(ix, INDEX_STUDY, INDEX_ATTR_NumberOfStudyRelatedInstances,
                                 INDEX_ATTR_AccessionNumber,
                                 QUERY_SINGLE, "fresh", NULL),
                        "1");
    assert_int_equal(index_rollback(ix, &f), OK);
    assert_string_equal(bed_find(ix, INDEX_STUDY, INDEX_ATTR_StudyID, INDEX_ATTR_AccessionNumber,
                                 QUERY_SINGLE,
                                 "fresh", NULL),
                        "");
}

static void rows_know_an_object_of_theirs(void **state) {
    (void)state;
    for (int level = INDEX_PATIENT; level <= INDEX_INSTANCE; level++) {
        struct index_query *q = open_query((enum index_level)level, NULL, 0, NULL, 0, 0, 0, INDEX_ORDER_ANY);
        struct index_ref ref = {0};
        struct fault f = {0};
        assert_int_equal(index_query_ref(q, &f, &ref), ERR_NO_SUCH_OBJECT);
        f = (struct fault){0};
        assert_int_equal(step_to_row(q), INDEX_ROW);
        assert_int_equal(index_query_ref(q, &f, &ref), OK);
        assert_int_equal(ref.segment, 3);
        assert_int_equal(ref.front_bytes, 77);
        index_query_close(q);
    }
}

static void values_come_as_they_were_given(void **state) {
    (void)state;
    struct bed_object b;
    struct fault f = {0};
    bed_object_init(&b, 90002, 7, 1);
    b.o.sop_class = SLICE_LIT("1.2.840.10008.5.1.4.1.1.4");
    bed_put(&b, INDEX_ATTR_PatientName, "Unique^JANE", "unique^jane");
    bed_put(&b, INDEX_ATTR_StudyTime, "0830", "083000.000000");
    bed_put(&b, INDEX_ATTR_AccessionNumber, "as given", NULL);
    bed_put(&b, INDEX_ATTR_InstanceNumber, "007", "7");
    bed_put(&b, INDEX_ATTR_Rows, "65535", NULL);
    bed_add(ix, &b);
    static const struct {
        enum index_attr attr;
        const char *expected;
    } rows[] = {
        {INDEX_ATTR_PatientName, "Unique^JANE"},     {INDEX_ATTR_StudyTime, "0830"},
        {INDEX_ATTR_InstanceNumber, "007"},       {INDEX_ATTR_Rows, "65535"},
        {INDEX_ATTR_Columns, ""},                 {INDEX_ATTR_StudyInstanceUID, "1.2.90002"},
        {INDEX_ATTR_SeriesInstanceUID, "1.2.90002.7"}, {INDEX_ATTR_SOPInstanceUID, "1.2.90002.7.1"},
        {INDEX_ATTR_SOPClassUID, "1.2.840.10008.5.1.4.1.1.4"},
            {INDEX_ATTR_SOPClassesInStudy, "1.2.840.10008.5.1.4.1.1.4"},
        {INDEX_ATTR_AvailableTransferSyntaxUID, "1.2.840.10008.1.2.1"}, {INDEX_ATTR_ModalitiesInStudy, ""},
        {INDEX_ATTR_NumberOfPatientRelatedStudies, "1"}, {INDEX_ATTR_PatientID, ""},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        assert_string_equal(bed_find(ix, INDEX_INSTANCE, rows[i].attr, INDEX_ATTR_AccessionNumber,
                                     QUERY_SINGLE,
                                     "as given", NULL),
                            rows[i].expected);
    assert_string_equal(bed_find(ix, INDEX_INSTANCE, INDEX_ATTR_Rows, INDEX_ATTR_InstanceNumber, QUERY_SINGLE,
                                 "7", NULL),
                        "65535");
    assert_string_equal(bed_find(ix, INDEX_STUDY, INDEX_ATTR_StudyID, INDEX_ATTR_SOPClassesInStudy,
                                 QUERY_SINGLE,
                                 "1.2.840.10008.5.1.4.1.1.4", NULL),
                        "");
    assert_int_equal(index_rollback(ix, &f), OK);
}

static void long_lists_of_uids(void **state) {
    (void)state;
    enum { N = QUERY_MAX_OPERANDS };
    static char text[N][24];
    static struct slice list[N];
    for (int i = 0; i < N; i++) {
        snprintf(text[i], sizeof text[i], "1.2.%d.%d.%d", i % 400, i / 400 % 3, i / 1200 % 2);
        list[i] = slice_str(text[i]);
    }
    struct query_condition c = {INDEX_ATTR_SOPInstanceUID, QUERY_LIST, N, list};
    struct index_query *q = open_query(INDEX_INSTANCE, &c, 1, NULL, 0, 0, 0, INDEX_ORDER_ANY);
    int n = 0;
    while (step_to_row(q) == INDEX_ROW)
        n++;
    assert_int_equal(n, STUDIES * SERIES_OF * SOPS_OF);
    index_query_close(q);
}

struct refusal {
    const char *name;
    enum index_level level;
    uint16_t attr;
    uint8_t kind;
    uint16_t count;
    uint16_t returned;
};

static void impossible_queries_are_refused(void **state) {
    (void)state;
    static const struct refusal rows[] = {
        {"condition below the level", INDEX_STUDY, INDEX_ATTR_Modality, QUERY_SINGLE, 1,
         INDEX_ATTR_StudyDate},
        {"return below the level", INDEX_STUDY, INDEX_ATTR_StudyDate, QUERY_SINGLE, 1, INDEX_ATTR_Modality},
        {"unknown condition", INDEX_STUDY, INDEX_ATTR_COUNT_, QUERY_SINGLE, 1, INDEX_ATTR_StudyDate},
        {"unknown return", INDEX_STUDY, INDEX_ATTR_StudyDate, QUERY_SINGLE, 1, INDEX_ATTR_COUNT_},
        {"unknown kind", INDEX_STUDY, INDEX_ATTR_StudyDate, QUERY_KIND_COUNT_, 1, INDEX_ATTR_StudyDate},
        {"moment returned", INDEX_STUDY, INDEX_ATTR_StudyDate, QUERY_SINGLE, 1, INDEX_ATTR_StudyMoment},
        {"single without a value", INDEX_STUDY, INDEX_ATTR_StudyDate, QUERY_SINGLE, 0, INDEX_ATTR_StudyDate},
        {"single with two", INDEX_STUDY, INDEX_ATTR_StudyDate, QUERY_SINGLE, 2, INDEX_ATTR_StudyDate},
        {"empty with one", INDEX_STUDY, INDEX_ATTR_StudyDate, QUERY_EMPTY, 1, INDEX_ATTR_StudyDate},
        {"half a range", INDEX_STUDY, INDEX_ATTR_StudyDate, QUERY_RANGE, 1, INDEX_ATTR_StudyDate},
        {"range of UIDs", INDEX_STUDY, INDEX_ATTR_StudyInstanceUID, QUERY_RANGE, 2, INDEX_ATTR_StudyDate},
        {"wildcard in UIDs", INDEX_STUDY, INDEX_ATTR_StudyInstanceUID, QUERY_WILDCARD, 1,
         INDEX_ATTR_StudyDate},
        {"fuzzy identifiers", INDEX_STUDY, INDEX_ATTR_PatientID, QUERY_FUZZY, 1, INDEX_ATTR_StudyDate},
        {"fuzzy with two", INDEX_STUDY, INDEX_ATTR_PatientName, QUERY_FUZZY, 2, INDEX_ATTR_StudyDate},
        {"counts", INDEX_STUDY, INDEX_ATTR_NumberOfStudyRelatedSeries, QUERY_SINGLE, 1, INDEX_ATTR_StudyDate},
        {"no level", INDEX_LEVEL_COUNT_, INDEX_ATTR_StudyDate, QUERY_SINGLE, 1, INDEX_ATTR_StudyDate},
    };
    struct slice two[2] = {SLICE_LIT("1"), SLICE_LIT("2")};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const struct refusal *r = &rows[i];
        struct query_condition c = {r->attr, r->kind, r->count, two};
        struct index_query_spec spec = {r->level, &c, 1, &r->returned, 1, 0, 0, INDEX_ORDER_ANY, NULL, 0};
        struct index_query *q = NULL;
        struct fault f = {0};
        if (index_query_open(ix, &spec, &f, &q) != ERR_UNSUPPORTED)
            fail_msg("%s", r->name);
        assert_null(q);
    }
    struct index_query_spec newest = {.level = INDEX_SERIES, .order = INDEX_ORDER_NEWEST};
    struct index_query *q = NULL;
    struct fault f = {0};
    assert_int_equal(index_query_open(ix, &newest, &f, &q), ERR_UNSUPPORTED);
}

static void limits(void **state) {
    (void)state;
    struct slice one = SLICE_LIT("1");
    static struct query_condition c[QUERY_MAX_CONDITIONS + 1];
    static uint16_t returns[INDEX_RETURNS_MAX + 1];
    for (size_t i = 0; i < QUERY_MAX_CONDITIONS + 1; i++)
        c[i] = (struct query_condition){INDEX_ATTR_PatientID, QUERY_SINGLE, 1, &one};
    for (int over = 0; over <= 2; over++) {
        struct index_query_spec spec = {.level = INDEX_STUDY, .conditions = c, .returns = returns,
                                        .condition_count = QUERY_MAX_CONDITIONS + (over == 1),
                                        .return_count = INDEX_RETURNS_MAX + (over == 2)};
        struct index_query *q = NULL;
        struct fault f = {0};
        assert_int_equal(index_query_open(ix, &spec, &f, &q), over ? ERR_LIMIT : OK);
        index_query_close(q);
    }
    static char pattern[INDEX_PATTERNS_MAX_BYTES + 1];
    memset(pattern, '*', sizeof pattern);
    for (int over = 0; over <= 1; over++) {
        struct slice long_one = slice_of(pattern, INDEX_PATTERNS_MAX_BYTES + (size_t)over);
        struct query_condition wild = {INDEX_ATTR_PatientID, QUERY_WILDCARD, 1, &long_one};
        struct index_query_spec spec = {.level = INDEX_STUDY, .conditions = &wild, .condition_count = 1};
        struct index_query *q = NULL;
        struct fault f = {0};
        assert_int_equal(index_query_open(ix, &spec, &f, &q), over ? ERR_LIMIT : OK);
        index_query_close(q);
    }
    static struct index_query *open[INDEX_QUERIES_MAX];
    struct index_query_spec spec = {.level = INDEX_STUDY};
    struct index_query *q;
    struct fault f = {0};
    for (int i = 0; i < INDEX_QUERIES_MAX; i++)
        assert_int_equal(index_query_open(ix, &spec, &f, &open[i]), OK);
    assert_int_equal(index_query_open(ix, &spec, &f, &q), ERR_BUSY);
    for (int i = 0; i < INDEX_QUERIES_MAX; i++)
        index_query_close(open[i]);
}

// --- Plans --------------------------------------------------------------------------------------

static void plan_of(struct index_query *q, char plan[2048]) {
    char sql[8192];
    sqlite3_stmt *s;
    size_t n = 0;
    snprintf(sql, sizeof sql, "EXPLAIN QUERY PLAN %s", index_query_sql(q));
    assert_int_equal(sqlite3_prepare_v2(ix->db, sql, -1, &s, NULL), SQLITE_OK);
    plan[0] = '\0';
    while (sqlite3_step(s) == SQLITE_ROW)
        n += (size_t)snprintf(plan + n, 2048 - n, "%s; ", (const char *)sqlite3_column_text(s, 3));
    sqlite3_finalize(s);
    char *covering = strstr(plan, "COVERING ");
    if (covering) // just as good
        memmove(covering, covering + 9, strlen(covering + 9) + 1);
}

struct plan {
    enum index_level level;
    enum index_attr attr;
    enum query_kind kind;
    const char *first, *second;
    enum index_order order;
    const char *expected; // of the plan's first line
};

static const struct plan plans[] = {
    {INDEX_STUDY, INDEX_ATTR_StudyInstanceUID, QUERY_SINGLE, "1.2", NULL, 0,
     "SEARCH study USING INDEX study_uid (Stu"},
    {INDEX_STUDY, INDEX_ATTR_AccessionNumber, QUERY_SINGLE, "1", NULL, 0,
     "SEARCH study USING INDEX study_accession (A"},
    {INDEX_STUDY, INDEX_ATTR_PatientID, QUERY_SINGLE, "1", NULL, 0,
     "SEARCH study USING INDEX study_patient_id (Pat"},
    {INDEX_STUDY, INDEX_ATTR_PatientID, QUERY_WILDCARD, "1*", NULL, 0,
     "SEARCH study USING INDEX study_patient_id"},
    {INDEX_STUDY, INDEX_ATTR_PatientName, QUERY_SINGLE, "doe", NULL, 0,
     "SEARCH study USING INDEX study_name (Pat"},
    {INDEX_STUDY, INDEX_ATTR_PatientName, QUERY_WILDCARD, "d*", NULL, 0,
     "SEARCH study USING INDEX study_name (Pat"},
    {INDEX_STUDY, INDEX_ATTR_PatientName, QUERY_WILDCARD, "=山*", NULL, 0,
     "SEARCH study USING INDEX study_name2 (P"},
    {INDEX_STUDY, INDEX_ATTR_PatientName, QUERY_WILDCARD, "*e*", NULL, 0,
     "SEARCH study USING INDEX study_name (P"},
    {INDEX_STUDY, INDEX_ATTR_PatientName, QUERY_FUZZY, "doe", NULL, 0,
     "SEARCH study USING INDEX study_name (P"},
    {INDEX_STUDY, INDEX_ATTR_PatientName, QUERY_WILDCARD, "**", NULL, 0,
     "SEARCH study USING INTEGER PRIMARY KEY"},
    // Nobody has such a value, and the index tells.
    {INDEX_STUDY, INDEX_ATTR_ReferringPhysicianName, QUERY_FUZZY, "doe", NULL, 0, ""},
    {INDEX_STUDY, INDEX_ATTR_ReferringPhysicianName, QUERY_SINGLE, "doe", NULL, 0, ""},
    {INDEX_STUDY, INDEX_ATTR_StudyDescription, QUERY_WILDCARD, "*e*", NULL, 0, ""},
    {INDEX_STUDY, INDEX_ATTR_PatientName, QUERY_WILDCARD, "nobody*", NULL, 0, ""},
    {INDEX_STUDY, INDEX_ATTR_StudyInstitution, QUERY_SINGLE, "ward", NULL, 0,
     "SEARCH study USING INDEX study_institution (S"},
    {INDEX_STUDY, INDEX_ATTR_StudyStation, QUERY_WILDCARD, "ct*", NULL, 0,
     "SEARCH study USING INDEX study_station (S"},
    {INDEX_STUDY, INDEX_ATTR_ModalitiesInStudy, QUERY_SINGLE, "CT", NULL, 0,
     "SEARCH study USING INDEX study_modalities (M"},
    {INDEX_SERIES, INDEX_ATTR_ModalitiesInStudy, QUERY_LIST, "CT", "MR", 0,
     "SEARCH study USING INDEX study_modalities (M"},
    {INDEX_STUDY, INDEX_ATTR_ModalitiesInStudy, QUERY_WILDCARD, "*", NULL, 0,
     "SEARCH study USING INTEGER PRIMARY KEY"},
    {INDEX_STUDY, INDEX_ATTR_StudyDate, QUERY_SINGLE, "20240101", NULL, 0,
     "SEARCH study USING INDEX study_date (S"},
    {INDEX_STUDY, INDEX_ATTR_StudyDate, QUERY_RANGE, "20240101", "20240131", 0,
     "SEARCH study USING INDEX study_date"},
    {INDEX_STUDY, INDEX_ATTR_StudyDate, QUERY_RANGE, "", "20250131", 0,
     "SEARCH study USING INDEX study_date"},
    {INDEX_STUDY, INDEX_ATTR_StudyDate, QUERY_RANGE, "20240101", "", INDEX_ORDER_NEWEST,
     "SEARCH study USING INDEX study_date"},
    {INDEX_STUDY, INDEX_ATTR_PatientName, QUERY_WILDCARD, "*", NULL, INDEX_ORDER_NEWEST,
     "SEARCH study USING INDEX study_date"},
    {INDEX_STUDY, INDEX_ATTR_StudyMoment, QUERY_RANGE, "20240101080000.000000", "20240102", 0,
     "SEARCH study USING INDEX study_date"},
    {INDEX_PATIENT, INDEX_ATTR_PatientID, QUERY_SINGLE, "1", NULL, 0,
     "SEARCH patient USING INDEX patient_id (Pat"},
    {INDEX_PATIENT, INDEX_ATTR_PatientName, QUERY_WILDCARD, "d*", NULL, 0,
     "SEARCH patient USING INDEX patient_name"},
    {INDEX_SERIES, INDEX_ATTR_SeriesInstanceUID, QUERY_SINGLE, "1.2.1.1", NULL, 0,
     "SEARCH series USING INDEX series_u"},
    {INDEX_SERIES, INDEX_ATTR_StudyInstanceUID, QUERY_SINGLE, "1.2.1", NULL, 0,
     "SEARCH study USING INDEX study_uid"},
    {INDEX_INSTANCE, INDEX_ATTR_SOPInstanceUID, QUERY_SINGLE, "1.2.1.1.1", NULL, 0,
     "SEARCH instance USING INDEX instance_uid (SOP"},
    {INDEX_INSTANCE, INDEX_ATTR_StudyInstanceUID, QUERY_SINGLE, "1.2.1", NULL, 0,
     "SEARCH study USING INDEX study_uid"},
};

static void plans_use_their_index(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof plans / sizeof *plans; i++) {
        const struct plan *p = &plans[i];
        struct slice two[2] = {slice_str(p->first), slice_str(p->second ? p->second : "")};
        struct query_condition c = {(uint16_t)p->attr, (uint8_t)p->kind, p->second ? 2 : 1, two};
        const uint16_t returns[] = {INDEX_ATTR_PatientName};
        struct index_query *q = open_query(p->level, &c, 1, returns, 1, 0, 0, p->order);
        char plan[2048];
        struct fault f = {0};
        enum index_step step;
        if (!*p->expected) {
            assert_int_equal(q->pass_count, 0);
            index_query_close(q);
            continue;
        }
        q->limit = 1; // stay in the first pass where it finds something
        q->pass_count = 1;
        assert_int_equal(index_query_step(q, &f, &step), OK);
        plan_of(q, plan);
        if (strncmp(plan, p->expected, strlen(p->expected)) != 0)
            fail_msg("plan %zu: %s (%s)", i, plan, index_query_sql(q));
        bool one_row = p->attr == INDEX_ATTR_SeriesInstanceUID || p->attr == INDEX_ATTR_SOPInstanceUID;
        if (!one_row && strstr(plan, "B-TREE")) // nothing is sorted
            fail_msg("plan %zu: %s", i, plan);
        assert_null(strstr(plan, "SCAN"));
        index_query_close(q);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(random_queries),
        cmocka_unit_test(random_queries_over_commits),
        cmocka_unit_test(random_queries_newest_first),
        cmocka_unit_test(pages_join_without_a_seam),
        cmocka_unit_test(the_newest_are_the_same_by_any_way),
        cmocka_unit_test(newest_come_first),
        cmocka_unit_test(scans_let_others_run),
        cmocka_unit_test(uncommitted_objects_are_found),
        cmocka_unit_test(rows_know_an_object_of_theirs),
        cmocka_unit_test(values_come_as_they_were_given),
        cmocka_unit_test(long_lists_of_uids),
        cmocka_unit_test(impossible_queries_are_refused),
        cmocka_unit_test(limits),
        cmocka_unit_test(plans_use_their_index),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
