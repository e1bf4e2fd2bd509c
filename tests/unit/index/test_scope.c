// What somebody may see, and pages: random scopes against a brute-force oracle, at every level; patients
// made of the studies that are seen; pages that join whatever is asked, in either order.
#include "bed.h"

#include <stdio.h>

#include "base/glob.h"
#include "index/query_internal.h"

enum { STUDIES = 240, PATIENTS = 30, SERIES_OF = 2, SOPS_OF = 2 };

static const char *dir;
static struct index *ix;
static unsigned seed = 815;

static unsigned rnd(unsigned n) {
    return (unsigned)rand_r(&seed) % n;
}

static const char *const names[] = {"doe^john", "doe^jane", "meyer", "maier^anna", "schmidt", "schmitt^k"};
static const char *const wards[] = {"", "Ward 3", "Ward 3b", "Ward 4", "Other"};
static const char *const doctors[] = {"", "house^g", "smith^john", "smith^johanna"};
static const char *const removed[] = {"", "YES", "NO"};
static const char *const modalities[] = {"CT", "MR", "US"};
static const char *const dates[] = {"", "20240101", "20240102", "20240203", "20250101"};

#define PICK(array) array[rnd(sizeof(array) / sizeof *(array))]

static struct study {
    char id[16];
    const char *name, *ward, *doctor, *removed, *date, *modality[SERIES_OF];
} studies[STUDIES];

static void put_text(struct bed_object *b, enum index_attr attr, const char *v) {
    if (*v)
        bed_put(b, attr, v, NULL);
}

static void study_add(int i) {
    const struct study *s = &studies[i];
    for (int n = 0; n < SERIES_OF * SOPS_OF; n++) {
        struct bed_object b;
        bed_object_init(&b, i, n / SOPS_OF, n % SOPS_OF);
        put_text(&b, INDEX_ATTR_PatientName, s->name);
        put_text(&b, INDEX_ATTR_PatientID, s->id);
        put_text(&b, INDEX_ATTR_StudyDate, s->date);
        put_text(&b, INDEX_ATTR_ReferringPhysicianName, s->doctor);
        put_text(&b, INDEX_ATTR_Modality, s->modality[n / SOPS_OF]);
        put_text(&b, INDEX_ATTR_InstitutionName, s->ward);
        put_text(&b, INDEX_ATTR_PatientIdentityRemoved, s->removed);
        assert_int_equal(bed_add(ix, &b), INDEX_NEW);
    }
}

static int setup(void **state) {
    (void)state;
    dir = bed_folder();
    ix = bed_open(dir);
    for (int i = 0; i < STUDIES; i++) {
        studies[i] = (struct study){"", PICK(names), PICK(wards), PICK(doctors), PICK(removed), PICK(dates),
                                    {PICK(modalities), PICK(modalities)}};
        snprintf(studies[i].id, sizeof studies[i].id, "P%u", rnd(PATIENTS));
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

static const char *value_of(const struct study *s, uint16_t attr) {
    switch ((int)attr) {
    case INDEX_ATTR_PatientName:
        return s->name;
    case INDEX_ATTR_PatientID:
        return s->id;
    case INDEX_ATTR_StudyInstitution:
        return s->ward;
    case INDEX_ATTR_ReferringPhysicianName:
        return s->doctor;
    case INDEX_ATTR_PatientIdentityRemoved:
        return s->removed;
    case INDEX_ATTR_StudyDate:
        return s->date;
    default:
        fail();
        return NULL;
    }
}

static bool one_holds(const struct query_condition *c, const char *value) {
    for (size_t i = 0; i < c->count; i++)
        if (c->attribute == INDEX_ATTR_PatientName || c->attribute == INDEX_ATTR_ReferringPhysicianName
                ? glob_match_name(c->operands[i], slice_str(value))
            : c->kind == QUERY_WILDCARD ? glob_match(c->operands[i], slice_str(value))
                                        : slice_eq_str(c->operands[i], value))
            return true;
    return false;
}

static bool holds(const struct query_condition *c, const struct study *s) {
    if (c->attribute != INDEX_ATTR_ModalitiesInStudy)
        return one_holds(c, value_of(s, c->attribute));
    for (int k = 0; k < SERIES_OF; k++)
        if (one_holds(c, s->modality[k]))
            return true;
    return false;
}

static bool all_hold(const struct query_condition *c, size_t n, const struct study *s) {
    for (size_t i = 0; i < n; i++)
        if (!holds(&c[i], s))
            return false;
    return true;
}

static bool is_seen(const struct index_query_spec *spec, const struct study *s) {
    for (size_t i = 0; i < spec->scope_count; i++) {
        const struct index_scope *scope = &spec->scopes[i];
        bool any = false;
        for (size_t k = 0; k < scope->count; k++)
            any = any || all_hold(scope->clauses[k].conditions, scope->clauses[k].count, s);
        if (!any)
            return false;
    }
    return true;
}

// --- Random specs -------------------------------------------------------------------------------

enum { SCOPES = 2, CLAUSES = 3, CONDITIONS = 2, MADE = SCOPES * CLAUSES * CONDITIONS + CONDITIONS };

static struct {
    struct slice operands[MADE][2];
    struct query_condition conditions[MADE];
    struct index_clause clauses[SCOPES][CLAUSES];
    struct index_scope scopes[SCOPES];
    size_t used;
} made;

static struct query_condition random_condition(bool of_patient) {
    static const struct {
        uint16_t attr;
        uint8_t kind;
        const char *value[2];
    } rows[] = {
        {INDEX_ATTR_PatientID, QUERY_LIST, {"P1", "P7"}},
        {INDEX_ATTR_PatientID, QUERY_WILDCARD, {"P1*", "*2"}},
        {INDEX_ATTR_PatientName, QUERY_WILDCARD, {"doe*", "*i*"}},
        {INDEX_ATTR_PatientName, QUERY_SINGLE, {"meyer"}},
        {INDEX_ATTR_StudyInstitution, QUERY_WILDCARD, {"Ward 3*"}},
        {INDEX_ATTR_StudyInstitution, QUERY_WILDCARD, {"Ward ?", "Other"}},
        {INDEX_ATTR_ReferringPhysicianName, QUERY_SINGLE, {"smith^john"}},
        {INDEX_ATTR_ReferringPhysicianName, QUERY_WILDCARD, {"smith*", "house*"}},
        {INDEX_ATTR_PatientIdentityRemoved, QUERY_SINGLE, {"YES"}},
        {INDEX_ATTR_ModalitiesInStudy, QUERY_LIST, {"CT", "US"}},
        {INDEX_ATTR_StudyDate, QUERY_SINGLE, {"20240102"}},
    };
    size_t row = rnd(of_patient ? 4 : sizeof rows / sizeof *rows), n = made.used++;
    uint16_t count = rows[row].value[1] ? 2 : 1;
    for (int i = 0; i < count; i++)
        made.operands[n][i] = slice_str(rows[row].value[i]);
    return (struct query_condition){rows[row].attr, rows[row].kind, count, made.operands[n]};
}

// Several collections by the same thing.
static size_t alike_clauses(struct index_scope *s, size_t at) {
    static const char *const some[] = {"Ward 3", "Ward 4", "Other", "Ward 3b", "none"};
    uint8_t kind = rnd(2) ? QUERY_WILDCARD : QUERY_LIST;
    for (size_t k = 0; k < s->count; k++, at++) {
        size_t n = made.used++;
        made.operands[n][0] = slice_str(PICK(some));
        made.operands[n][1] = slice_str(kind == QUERY_WILDCARD && rnd(2) ? "*3*" : PICK(some));
        uint16_t count = (uint16_t)(1 + rnd(2));
        made.conditions[at] =
            (struct query_condition){INDEX_ATTR_StudyInstitution, kind, count, made.operands[n]};
        if (count == 1 && kind == QUERY_LIST && rnd(2))
            made.conditions[at].kind = QUERY_SINGLE;
        ((struct index_clause *)(uintptr_t)s->clauses)[k] = (struct index_clause){&made.conditions[at], 1};
    }
    return at;
}

static void random_spec(enum index_level level, struct index_query_spec *spec) {
    made.used = 0;
    spec->level = level;
    spec->scopes = made.scopes;
    spec->scope_count = rnd(SCOPES + 1);
    size_t at = 0;
    for (size_t i = 0; i < spec->scope_count; i++) {
        made.scopes[i] = (struct index_scope){made.clauses[i], rnd(10) ? 1 + rnd(CLAUSES) : 0};
        if (rnd(3) == 0) {
            at = alike_clauses(&made.scopes[i], at);
            continue;
        }
        for (size_t k = 0; k < made.scopes[i].count; k++) {
            made.clauses[i][k] =
                (struct index_clause){&made.conditions[at], rnd(10) ? 1 + rnd(CONDITIONS) : 0};
            for (size_t c = 0; c < made.clauses[i][k].count; c++)
                made.conditions[at++] = random_condition(false);
        }
    }
    spec->conditions = &made.conditions[at];
    spec->condition_count = rnd(CONDITIONS + 1);
    for (size_t c = 0; c < spec->condition_count; c++)
        made.conditions[at++] = random_condition(level == INDEX_PATIENT);
}

static void disturb(void) { // a change to commit, so that walks are suspended
    struct index_mark mark = {1, rnd(1000), 1, 1};
    struct fault f = {0};
    assert_int_equal(index_set_mark(ix, &mark, &f), OK);
    bed_commit(ix);
}

// Runs it; each row's first value to `take`.
static size_t run(const struct index_query_spec *spec, bool commits,
                  void (*take)(const struct index_query *q, size_t row)) {
    struct index_query *q;
    struct fault f = {0};
    enum index_step step = INDEX_AGAIN;
    size_t n = 0;
    if (index_query_open(ix, spec, &f, &q) != OK)
        fail_msg("%s", f.detail);
    while (step != INDEX_END) {
        if (commits && rnd(4) == 0)
            disturb();
        assert_int_equal(index_query_step(q, &f, &step), OK);
        if (step == INDEX_ROW && take)
            take(q, n);
        n += step == INDEX_ROW;
    }
    index_query_close(q);
    return n;
}

static uint64_t count_of(const struct index_query_spec *spec) {
    struct index_query *q;
    struct fault f = {0};
    enum index_step step = INDEX_AGAIN;
    assert_int_equal(index_count_open(ix, spec, &f, &q), OK);
    while (step != INDEX_END)
        assert_int_equal(index_query_step(q, &f, &step), OK);
    uint64_t n = index_count_result(q);
    index_query_close(q);
    return n;
}

// --- Studies, series, instances -----------------------------------------------------------------

static int found[STUDIES];

static void note_study(const struct index_query *q, size_t row) {
    (void)row;
    found[atoi((const char *)index_query_value(q, 0).p + 4)]++;
}

static void only_what_is_in_scope(void **state) {
    (void)state;
    static const uint16_t returns[] = {INDEX_ATTR_StudyInstanceUID};
    static const int rows_of[] = {0, 1, SERIES_OF, SERIES_OF * SOPS_OF};
    for (int round = 0; round < 900; round++) {
        enum index_level level = (enum index_level)(INDEX_STUDY + rnd(3));
        struct index_query_spec spec = {.returns = returns, .return_count = 1};
        random_spec(level, &spec);
        spec.order = level == INDEX_STUDY && rnd(2) ? INDEX_ORDER_NEWEST : INDEX_ORDER_ANY;
        memset(found, 0, sizeof found);
        size_t n = run(&spec, rnd(2), note_study);
        for (ix->few_rows = 0; ix->few_rows <= FEW_ROWS; ix->few_rows += FEW_ROWS) // in rounds or not
            assert_int_equal(count_of(&spec), n);
        for (int i = 0; i < STUDIES; i++) {
            bool expected = all_hold(spec.conditions, spec.condition_count, &studies[i]) &&
                            is_seen(&spec, &studies[i]);
            if (found[i] != (expected ? rows_of[level] : 0))
                fail_msg("round %d, level %d: study %d has %d rows", round, (int)level, i, found[i]);
        }
    }
}

// --- Patients -----------------------------------------------------------------------------------

static struct patient_row {
    char id[16], name[65], sums[3][24];
} patients[STUDIES];

static void note_patient(const struct index_query *q, size_t row) {
    struct patient_row *p = &patients[row];
    assert_true(slice_to_cstr(index_query_value(q, 0), p->id, sizeof p->id));
    assert_true(slice_to_cstr(index_query_value(q, 1), p->name, sizeof p->name));
    for (size_t i = 0; i < 3; i++)
        assert_true(slice_to_cstr(index_query_value(q, 2 + i), p->sums[i], 24));
}

// As the first study says that is seen: a name in another's study is not for these eyes.
static void check_patient(const struct index_query_spec *spec, const char *id, size_t rows) {
    int first = -1, n = 0;
    for (int i = 0; i < STUDIES; i++)
        if (strcmp(studies[i].id, id) == 0 && is_seen(spec, &studies[i])) {
            first = first < 0 ? i : first;
            n++;
        }
    bool expected = first >= 0 && all_hold(spec->conditions, spec->condition_count, &studies[first]);
    const struct patient_row *p = NULL;
    for (size_t i = 0; i < rows; i++)
        if (strcmp(patients[i].id, id) == 0) {
            assert_null(p); // once only
            p = &patients[i];
        }
    assert_int_equal(p != NULL, expected);
    if (!p)
        return;
    assert_string_equal(p->name, studies[first].name);
    assert_int_equal(atoi(p->sums[0]), n);
    assert_int_equal(atoi(p->sums[1]), n * SERIES_OF);
    assert_int_equal(atoi(p->sums[2]), n * SERIES_OF * SOPS_OF);
}

static void patients_are_what_is_seen_of_them(void **state) {
    (void)state;
    static const uint16_t returns[] = {INDEX_ATTR_PatientID, INDEX_ATTR_PatientName,
                                       INDEX_ATTR_NumberOfPatientRelatedStudies,
                                       INDEX_ATTR_NumberOfPatientRelatedSeries,
                                       INDEX_ATTR_NumberOfPatientRelatedInstances};
    for (int round = 0; round < 400; round++) {
        struct index_query_spec spec = {.returns = returns, .return_count = 5};
        do
            random_spec(INDEX_PATIENT, &spec);
        while (spec.scope_count == 0);
        size_t rows = run(&spec, rnd(2), note_patient);
        assert_int_equal(count_of(&spec), rows);
        for (int i = 0; i < PATIENTS; i++) {
            char id[16];
            snprintf(id, sizeof id, "P%d", i);
            check_patient(&spec, id, rows);
        }
    }
}

static void sums_at_lower_levels_are_of_the_scope(void **state) {
    (void)state;
    struct slice ward = SLICE_LIT("Ward 4");
    struct query_condition in_ward = {INDEX_ATTR_StudyInstitution, QUERY_SINGLE, 1, &ward};
    struct index_clause clause = {&in_ward, 1};
    struct index_scope scope = {&clause, 1};
    static const uint16_t returns[] = {INDEX_ATTR_PatientID, INDEX_ATTR_PatientName,
                                       INDEX_ATTR_NumberOfPatientRelatedStudies,
                                       INDEX_ATTR_NumberOfPatientRelatedSeries,
                                       INDEX_ATTR_NumberOfPatientRelatedInstances};
    struct index_query_spec spec = {.level = INDEX_STUDY, .returns = returns, .return_count = 5,
                                    .scopes = &scope, .scope_count = 1};
    size_t rows = run(&spec, false, note_patient);
    assert_true(rows > 10);
    for (size_t row = 0; row < rows; row++) {
        int n = 0;
        for (int i = 0; i < STUDIES; i++)
            n += strcmp(studies[i].id, patients[row].id) == 0 && strcmp(studies[i].ward, "Ward 4") == 0;
        assert_int_equal(atoi(patients[row].sums[0]), n);
        assert_int_equal(atoi(patients[row].sums[2]), n * SERIES_OF * SOPS_OF);
    }
}

// --- Pages --------------------------------------------------------------------------------------

static char all[STUDIES * SERIES_OF * SOPS_OF][65], page[STUDIES * SERIES_OF * SOPS_OF][65];

static void note_all(const struct index_query *q, size_t row) {
    assert_true(slice_to_cstr(index_query_value(q, 0), all[row], 65));
}

static void note_page(const struct index_query *q, size_t row) {
    assert_true(slice_to_cstr(index_query_value(q, 0), page[row], 65));
}

static void pages_join(void **state) {
    (void)state;
    static const uint16_t uid_of[] = {INDEX_ATTR_PatientID, INDEX_ATTR_StudyInstanceUID,
                                      INDEX_ATTR_SeriesInstanceUID, INDEX_ATTR_SOPInstanceUID};
    for (int round = 0; round < 300; round++) {
        enum index_level level = (enum index_level)rnd(4);
        struct index_query_spec spec = {.returns = &uid_of[level], .return_count = 1};
        random_spec(level, &spec);
        if (rnd(2))
            spec.scope_count = 0;
        spec.order = level == INDEX_STUDY && rnd(3) ? INDEX_ORDER_NEWEST : INDEX_ORDER_ANY;
        size_t total = run(&spec, false, note_all);
        spec.limit = 1 + rnd(40);
        for (spec.offset = 0; spec.offset <= total + spec.limit; spec.offset += spec.limit) {
            size_t left = spec.offset < total ? total - spec.offset : 0;
            size_t n = run(&spec, rnd(2), note_page);
            assert_int_equal(n, left < spec.limit ? left : spec.limit);
            for (size_t i = 0; i < n; i++)
                assert_string_equal(page[i], all[spec.offset + i]);
        }
    }
}

// --- Refused ------------------------------------------------------------------------------------

static void impossible_scopes_are_refused(void **state) {
    (void)state;
    static const struct {
        const char *name;
        uint16_t attr;
        uint8_t kind;
        enum err expected;
    } rows[] = {
        {"of a study", INDEX_ATTR_StudyInstitution, QUERY_SINGLE, OK},
        {"of a series", INDEX_ATTR_InstitutionName, QUERY_SINGLE, ERR_UNSUPPORTED},
        {"of an instance", INDEX_ATTR_SOPInstanceUID, QUERY_SINGLE, ERR_UNSUPPORTED},
        {"a count", INDEX_ATTR_NumberOfStudyRelatedSeries, QUERY_SINGLE, ERR_UNSUPPORTED},
        {"no attribute", INDEX_ATTR_COUNT_, QUERY_SINGLE, ERR_UNSUPPORTED},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        for (int level = INDEX_PATIENT; level <= INDEX_INSTANCE; level++) {
            struct slice operand = SLICE_LIT("1");
            struct query_condition c = {rows[i].attr, rows[i].kind, 1, &operand};
            struct index_clause clause = {&c, 1};
            struct index_scope scope = {&clause, 1};
            struct index_query_spec spec = {
                .level = (enum index_level)level, .scopes = &scope, .scope_count = 1};
            struct index_query *q = NULL;
            struct fault f = {0};
            if (index_query_open(ix, &spec, &f, &q) != rows[i].expected)
                fail_msg("%s at level %d", rows[i].name, level);
            index_query_close(q);
        }
}

static void scopes_have_a_limit(void **state) {
    (void)state;
    static struct query_condition c[INDEX_SCOPE_CONDITIONS_MAX + 1];
    struct slice yes = SLICE_LIT("YES");
    for (size_t i = 0; i < INDEX_SCOPE_CONDITIONS_MAX + 1; i++)
        c[i] = (struct query_condition){INDEX_ATTR_PatientIdentityRemoved, QUERY_SINGLE, 1, &yes};
    for (int over = 0; over <= 1; over++)
        for (size_t first = 0; first <= 1000; first += 1000) { // in one clause, or in two
            struct index_clause clauses[2] = {{c, first},
                                              {c, INDEX_SCOPE_CONDITIONS_MAX - first + (size_t)over}};
            struct index_scope scope = {clauses, 2};
            struct index_query_spec spec = {.level = INDEX_STUDY, .scopes = &scope, .scope_count = 1};
            struct index_query *q = NULL;
            struct fault f = {0};
            assert_int_equal(index_query_open(ix, &spec, &f, &q), over ? ERR_LIMIT : OK);
            index_query_close(q);
        }
}

// Last: the others know nothing of this study.
static void a_study_that_is_not_seen_takes_no_longer_than_none(void **state) {
    (void)state;
    enum { MANY = 2 * ROWS_PER_STEP };
    for (int n = 0; n < MANY; n++) {
        struct bed_object b;
        bed_object_init(&b, STUDIES, 0, n);
        put_text(&b, INDEX_ATTR_PatientID, "PX");
        put_text(&b, INDEX_ATTR_InstitutionName, "Hall");
        assert_int_equal(bed_add(ix, &b), INDEX_NEW);
    }
    struct bed_object b;
    bed_object_init(&b, STUDIES, 0, 0);
    struct slice uid = slice_str(b.study), hall = SLICE_LIT("Hall"), ward = SLICE_LIT("Ward 4"),
                 yes = SLICE_LIT("YES");
    struct query_condition asked = {INDEX_ATTR_StudyInstanceUID, QUERY_SINGLE, 1, &uid};
    struct query_condition in_hall = {INDEX_ATTR_StudyInstitution, QUERY_SINGLE, 1, &hall};
    struct query_condition in_ward = {INDEX_ATTR_StudyInstitution, QUERY_SINGLE, 1, &ward};
    struct query_condition made_safe = {INDEX_ATTR_PatientIdentityRemoved, QUERY_SINGLE, 1, &yes};
    struct index_clause outside[] = {{&in_ward, 1}, {&made_safe, 1}};
    struct index_clause inside[] = {{&made_safe, 1}, {&in_hall, 1}};
    for (size_t clauses = 1; clauses <= 2; clauses++)
        for (int is_in = 0; is_in <= 1; is_in++) {
            struct index_scope scope = {is_in ? inside + 2 - clauses : outside, clauses};
            struct index_query_spec spec = {.level = INDEX_INSTANCE, .conditions = &asked,
                                            .condition_count = 1, .scopes = &scope, .scope_count = 1};
            struct index_query *q = NULL;
            struct fault f = {0};
            enum index_step step = INDEX_AGAIN;
            assert_int_equal(index_query_open(ix, &spec, &f, &q), OK);
            assert_int_equal(index_query_step(q, &f, &step), OK);
            assert_int_equal(step, is_in ? INDEX_ROW : INDEX_END);
            index_query_close(q);
            assert_int_equal(run(&spec, false, NULL), is_in ? MANY : 0);
        }
}

static void too_many_to_gather_come_by_date(void **state) {
    (void)state;
    struct slice prefix = SLICE_LIT("*e*");
    struct query_condition c = {INDEX_ATTR_PatientName, QUERY_WILDCARD, 1, &prefix};
    static const uint16_t returns[] = {INDEX_ATTR_StudyInstanceUID};
    struct index_query_spec spec = {.level = INDEX_STUDY, .conditions = &c, .condition_count = 1,
                                    .returns = returns, .return_count = 1, .order = INDEX_ORDER_NEWEST};
    size_t total = run(&spec, false, note_all);
    size_t before = ix->gathered_bytes;
    assert_int_equal(before, 0);
    ix->gathered_bytes = GATHERED_ALL_MAX_BYTES; // others have taken all there is
    assert_int_equal(run(&spec, true, note_page), total);
    ix->gathered_bytes = before;
    for (size_t i = 0; i < total; i++)
        assert_string_equal(page[i], all[i]);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(only_what_is_in_scope),
        cmocka_unit_test(patients_are_what_is_seen_of_them),
        cmocka_unit_test(sums_at_lower_levels_are_of_the_scope),
        cmocka_unit_test(pages_join),
        cmocka_unit_test(impossible_scopes_are_refused),
        cmocka_unit_test(scopes_have_a_limit),
        cmocka_unit_test(too_many_to_gather_come_by_date),
        cmocka_unit_test(a_study_that_is_not_seen_takes_no_longer_than_none),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
