// Adding and deleting: what becomes of patients, studies, series, and of the same object twice.
#include "bed.h"

#include <stdio.h>

static const char *dir;
static struct index *ix;

static int setup(void **state) {
    (void)state;
    dir = bed_folder();
    ix = bed_open(dir);
    return 0;
}

static int teardown(void **state) {
    (void)state;
    struct fault f = {0};
    bed_commit(ix);
    if (index_check(ix, &f) != OK)
        fail_msg("%s", f.detail);
    index_close(ix);
    bed_clean(dir);
    return 0;
}

static const char *all(enum index_level level, enum index_attr attr) {
    return bed_find(ix, level, attr, attr, -1, NULL, NULL);
}

static void counts(uint64_t patients, uint64_t studies, uint64_t series, uint64_t instances,
                   uint64_t beside) {
    struct index_info info = bed_status(ix);
    assert_int_equal(info.patients, patients);
    assert_int_equal(info.studies, studies);
    assert_int_equal(info.series, series);
    assert_int_equal(info.instances, instances);
    assert_int_equal(info.beside, beside);
}

static enum index_outcome add(int study, int series, int sop, const char *patient, const char *digest,
                              struct index_ref *ret_ref) {
    struct bed_object b;
    bed_object_init(&b, study, series, sop);
    bed_put(&b, INDEX_ATTR_PatientID, patient, NULL);
    b.o.digest = slice_str(digest);
    if (ret_ref)
        *ret_ref = b.o.ref;
    return bed_add(ix, &b);
}

static void entities_are_counted(void **state) {
    (void)state;
    for (int study = 1; study <= 4; study++)
        for (int series = 1; series <= 3; series++)
            for (int sop = 1; sop <= 2; sop++)
                assert_int_equal(add(study, series, sop, study < 3 ? "A" : "B", "", NULL), INDEX_NEW);
    counts(2, 4, 12, 24, 0);
    assert_string_equal(all(INDEX_PATIENT, INDEX_ATTR_NumberOfPatientRelatedStudies), "2|2");
    assert_string_equal(all(INDEX_PATIENT, INDEX_ATTR_NumberOfPatientRelatedSeries), "6|6");
    assert_string_equal(all(INDEX_PATIENT, INDEX_ATTR_NumberOfPatientRelatedInstances), "12|12");
    assert_string_equal(all(INDEX_STUDY, INDEX_ATTR_NumberOfStudyRelatedSeries), "3|3|3|3");
    assert_string_equal(all(INDEX_STUDY, INDEX_ATTR_NumberOfStudyRelatedInstances), "6|6|6|6");
    assert_string_equal(all(INDEX_SERIES, INDEX_ATTR_NumberOfStudyRelatedInstances),
                        "6|6|6|6|6|6|6|6|6|6|6|6");
    assert_string_equal(all(INDEX_SERIES, INDEX_ATTR_NumberOfSeriesRelatedInstances),
                        "2|2|2|2|2|2|2|2|2|2|2|2");
}

// More series at once than are cached, in turns: the late counts must come right.
static void many_series_in_turns(void **state) {
    (void)state;
    for (int sop = 1; sop <= 5; sop++)
        for (int series = 1; series <= 3 * SERIES_CACHED; series++)
            add(series % 5, series, sop, "A", "", NULL);
    counts(1, 5, 3 * SERIES_CACHED, 15 * SERIES_CACHED, 0);
    assert_string_equal(all(INDEX_PATIENT, INDEX_ATTR_NumberOfPatientRelatedInstances), "240");
}

static void the_key_is_the_whole_triple(void **state) {
    (void)state;
    struct bed_object b;
    for (int i = 0; i < 4; i++) {
        bed_object_init(&b, 1 + i / 2, 1, 1);
        b.o.sop_instance = SLICE_LIT("1.9");
        b.o.series = i % 2 ? SLICE_LIT("1.7") : SLICE_LIT("1.8");
        assert_int_equal(bed_add(ix, &b), INDEX_NEW);
    }
    counts(1, 2, 4, 4, 0);
}

struct same {
    int calls;
    enum index_likeness answer;
    enum err fails;
};

static enum err same(void *arg, const struct index_ref *other, enum index_likeness *ret_likeness,
                     struct fault *f) {
    struct same *s = arg;
    (void)other;
    s->calls++;
    *ret_likeness = s->answer;
    return s->fails == OK ? OK : fault_set(f, s->fails, "cannot compare");
}

static enum err add_compared(struct same *s, const char *digest, enum index_outcome *ret_outcome) {
    struct bed_object b;
    struct fault f = {0};
    bed_object_init(&b, 1, 1, 1);
    b.o.digest = slice_str(digest);
    return index_add(ix, &b.o, same, s, &f, ret_outcome);
}

static void same_again(void **state) {
    (void)state;
    struct index_ref first, second, found;
    struct fault f = {0};
    assert_int_equal(add(1, 1, 1, "A", "digest one", &first), INDEX_NEW);
    assert_int_equal(add(1, 1, 1, "A", "digest one", NULL), INDEX_IDENTICAL);
    assert_int_equal(add(1, 1, 1, "A", "digest two", &second), INDEX_BESIDE);
    assert_int_equal(add(1, 1, 1, "A", "digest two", NULL), INDEX_IDENTICAL);
    assert_int_equal(add(1, 1, 1, "A", "digest one", NULL), INDEX_IDENTICAL);
    assert_int_equal(add(1, 1, 1, "A", "digest 3", NULL), INDEX_BESIDE);
    counts(1, 1, 1, 1, 2);
    assert_int_equal(index_find(ix, SLICE_LIT("1.2.1"), SLICE_LIT("1.2.1.1"), SLICE_LIT("1.2.1.1.1"), &f,
                                &found), OK);
    assert_int_equal(found.offset, first.offset);
    assert_int_equal(found.front_bytes, 77);
}

static void same_record_again_is_known(void **state) {
    (void)state;
    struct bed_object b;
    for (int i = 0; i < 3; i++) { // no digests: it is told by its place
        bed_object_init(&b, 1, 1, 1);
        b.o.ref.offset = 4096;
        assert_int_equal(bed_add(ix, &b), i ? INDEX_KNOWN : INDEX_NEW);
    }
    bed_object_init(&b, 1, 1, 1);
    b.o.ref.offset = 8192;
    assert_int_equal(bed_add(ix, &b), INDEX_BESIDE);
    bed_object_init(&b, 1, 1, 1);
    b.o.ref.offset = 8192;
    assert_int_equal(bed_add(ix, &b), INDEX_KNOWN);
    counts(1, 1, 1, 1, 1);
}

static void the_caller_compares(void **state) {
    (void)state;
    struct same s = {0, INDEX_SAME, OK};
    enum index_outcome outcome;
    assert_int_equal(add_compared(&s, "", &outcome), OK);
    assert_int_equal(s.calls, 0);
    assert_int_equal(add_compared(&s, "", &outcome), OK);
    assert_int_equal(outcome, INDEX_IDENTICAL);
    assert_int_equal(s.calls, 1);
    s.answer = INDEX_DIFFERS;
    assert_int_equal(add_compared(&s, "", &outcome), OK);
    assert_int_equal(outcome, INDEX_BESIDE);
    assert_int_equal(s.calls, 2);
    s.fails = ERR_IO;
    assert_int_equal(add_compared(&s, "", &outcome), ERR_IO);
    counts(1, 1, 1, 1, 1);
    s.fails = OK;
    for (int i = 0; i < 30; i++) // hostile: the comparing has an end
        assert_int_equal(add_compared(&s, "", &outcome), OK);
    assert_true(s.calls < 30 * 10);
    counts(1, 1, 1, 1, 31);
}

static void served_at(uint64_t offset) {
    struct index_ref found;
    assert_int_equal(index_find(ix, SLICE_LIT("1.2.1"), SLICE_LIT("1.2.1.1"), SLICE_LIT("1.2.1.1.1"), NULL,
                                &found), OK);
    assert_int_equal(found.offset, offset);
}

static void what_cannot_be_read_makes_way(void **state) {
    (void)state;
    struct same s = {0, INDEX_UNREADABLE, OK};
    struct index_ref first, second, third;
    enum index_outcome outcome;
    struct bed_object b;
    struct fault f = {0};
    add(1, 1, 1, "A", "", &first);
    bed_object_init(&b, 1, 1, 1);
    b.o.sop_class = SLICE_LIT("1.2.840.10008.5.1.4.1.1.4");
    second = b.o.ref;
    assert_int_equal(index_add(ix, &b.o, same, &s, &f, &outcome), OK);
    assert_int_equal(outcome, INDEX_INSTEAD);
    served_at(second.offset);
    assert_int_equal(index_add(ix, &b.o, same, &s, &f, &outcome), OK); // a replay
    assert_int_equal(outcome, INDEX_KNOWN);
    counts(1, 1, 1, 1, 1);
    s.answer = INDEX_SAME;
    assert_int_equal(add_compared(&s, "", &outcome), OK);
    assert_int_equal(outcome, INDEX_IDENTICAL);
    served_at(second.offset);
    s.answer = INDEX_UNREADABLE;
    bed_object_init(&b, 1, 1, 1);
    third = b.o.ref;
    assert_int_equal(index_add(ix, &b.o, same, &s, &f, &outcome), OK);
    assert_int_equal(outcome, INDEX_INSTEAD);
    served_at(third.offset);
    counts(1, 1, 1, 1, 2);
    assert_int_equal(index_delete(ix, b.o.study, b.o.series, b.o.sop_instance, &first, &f), OK);
    assert_int_equal(index_delete(ix, b.o.study, b.o.series, b.o.sop_instance, &third, &f), OK);
    served_at(second.offset);
    counts(1, 1, 1, 1, 0);
}

static void first_value_wins_and_gaps_are_filled(void **state) {
    (void)state;
    struct bed_object b;
    bed_object_init(&b, 1, 1, 1);
    bed_put(&b, INDEX_ATTR_PatientID, "A", NULL);
    bed_put(&b, INDEX_ATTR_StudyDescription, "first", NULL);
    bed_add(ix, &b);
    bed_object_init(&b, 1, 2, 1);
    bed_put(&b, INDEX_ATTR_PatientName, "Doe^Jane=X=Y", "doe^jane=x=y");
    bed_put(&b, INDEX_ATTR_PatientID, "A", NULL);
    bed_put(&b, INDEX_ATTR_StudyDate, "20240102", NULL);
    bed_put(&b, INDEX_ATTR_StudyDescription, "second", NULL);
    bed_put(&b, INDEX_ATTR_Modality, "MR", NULL);
    bed_add(ix, &b);
    bed_object_init(&b, 1, 1, 2);
    bed_put(&b, INDEX_ATTR_StudyDate, "20250102", NULL);
    bed_put(&b, INDEX_ATTR_Modality, "CT", NULL);
    bed_add(ix, &b);
    assert_string_equal(all(INDEX_STUDY, INDEX_ATTR_StudyDescription), "first");
    assert_string_equal(all(INDEX_STUDY, INDEX_ATTR_StudyDate), "20240102");
    assert_string_equal(all(INDEX_STUDY, INDEX_ATTR_PatientName), "Doe^Jane=X=Y");
    assert_string_equal(all(INDEX_PATIENT, INDEX_ATTR_PatientName), "Doe^Jane=X=Y");
    assert_string_equal(all(INDEX_SERIES, INDEX_ATTR_Modality), "CT|MR");
    assert_string_equal(all(INDEX_STUDY, INDEX_ATTR_ModalitiesInStudy), "CT\\MR");
    assert_string_equal(bed_find(ix, INDEX_STUDY, INDEX_ATTR_PatientID, INDEX_ATTR_PatientName,
                                 QUERY_WILDCARD, "x*", NULL),
                        "A");
}

static void patients_are_id_and_issuer(void **state) {
    (void)state;
    static const struct {
        const char *name, *id, *issuer, *born;
    } rows[] = {
        {"a", "1", "X", NULL},        {"b", "1", "Y", NULL},       {"c", "1", NULL, NULL},
            {"d", "1", "X", NULL},
        {"e", NULL, NULL, "19700101"}, {"e", NULL, NULL, "19710101"}, {"f", NULL, NULL, NULL},
            {"e", NULL, NULL, "19700101"},
        {"g", "1X", NULL, NULL},
    };
    for (int i = 0; i < (int)(sizeof rows / sizeof *rows); i++) {
        struct bed_object b;
        bed_object_init(&b, i + 1, 1, 1);
        bed_put(&b, INDEX_ATTR_PatientName, rows[i].name, NULL);
        if (rows[i].id)
            bed_put(&b, INDEX_ATTR_PatientID, rows[i].id, NULL);
        if (rows[i].issuer)
            bed_put(&b, INDEX_ATTR_IssuerOfPatientID, rows[i].issuer, NULL);
        if (rows[i].born)
            bed_put(&b, INDEX_ATTR_PatientBirthDate, rows[i].born, NULL);
        bed_add(ix, &b);
    }
    assert_string_equal(all(INDEX_PATIENT, INDEX_ATTR_PatientName), "a|b|c|e|e|f|g");
    assert_string_equal(all(INDEX_PATIENT, INDEX_ATTR_NumberOfPatientRelatedStudies), "2|1|1|2|1|1|1");
    // a study shows the name it came with, not that of the patient whose ID it has
    assert_string_equal(all(INDEX_STUDY, INDEX_ATTR_PatientName), "a|b|c|d|e|e|f|e|g");
}

static void an_id_that_comes_later_moves_the_study(void **state) {
    (void)state;
    struct bed_object b;
    bed_object_init(&b, 1, 1, 1);
    bed_put(&b, INDEX_ATTR_PatientName, "Doe", "doe");
    bed_add(ix, &b);
    add(2, 1, 1, "A", "", NULL);
    counts(2, 2, 2, 2, 0);
    add(1, 1, 2, "A", "", NULL);
    counts(1, 2, 2, 3, 0);
    assert_string_equal(all(INDEX_PATIENT, INDEX_ATTR_NumberOfPatientRelatedInstances), "3");
    assert_string_equal(bed_find(ix, INDEX_STUDY, INDEX_ATTR_StudyInstanceUID, INDEX_ATTR_PatientID,
                                 QUERY_SINGLE, "A", NULL),
                        "1.2.1|1.2.2");
}

static void malformed_objects_change_nothing(void **state) {
    (void)state;
    static const char long_uid[] = "1.23456789012345678901234567890123456789012345678901234567890123456";
    struct bed_object b;
    enum index_outcome outcome = INDEX_BESIDE;
    for (int i = 0; i < 5; i++)
        for (int k = 0; k < 3; k++) {
            bed_object_init(&b, 1, 1, 1);
            struct slice *uids[5] = {&b.o.study, &b.o.series, &b.o.sop_instance, &b.o.sop_class,
                                     &b.o.transfer_syntax};
            *uids[i] = slice_str(k == 0 ? "" : k == 1 ? "1.x" : long_uid);
            assert_int_equal(index_object_check(&b.o, NULL), ERR_UID);
            assert_int_equal(bed_try_add(ix, &b, &outcome), ERR_UID);
        }
    bed_object_init(&b, 1, 1, 1);
    bed_put(&b, INDEX_ATTR_PatientID, "", NULL);
    assert_int_equal(bed_try_add(ix, &b, &outcome), ERR_SYNTAX);
    bed_object_init(&b, 1, 1, 1);
    b.o.digest = slice_of("0123456789012345678901234567890123456789", INDEX_DIGEST_MAX + 1);
    assert_int_equal(bed_try_add(ix, &b, &outcome), ERR_SYNTAX);
    bed_object_init(&b, 1, 1, 1);
    b.o.ref.offset = UINT64_MAX;
    assert_int_equal(bed_try_add(ix, &b, &outcome), ERR_SYNTAX);
    bed_object_init(&b, 1, 1, 1);
    assert_int_equal(index_object_check(&b.o, NULL), OK);
    assert_int_equal(outcome, INDEX_BESIDE);
    assert_false(ix->in_transaction);
    counts(0, 0, 0, 0, 0);
}

static void places_are_kept_whole(void **state) {
    (void)state;
    struct bed_object b;
    struct index_ref ref;
    struct fault f = {0};
    bed_object_init(&b, 1, 1, 1);
    b.o.ref = (struct index_ref){UINT32_MAX, UINT32_MAX - 1, INT64_MAX, INT64_MAX - 1};
    bed_add(ix, &b);
    assert_int_equal(index_find(ix, SLICE_LIT(""), SLICE_LIT(""), SLICE_LIT("1.2.1.1.1"), &f, &ref), OK);
    assert_true(ref.segment == UINT32_MAX && ref.front_bytes == UINT32_MAX - 1);
    assert_true(ref.offset == INT64_MAX && ref.length == INT64_MAX - 1);
    assert_int_equal(index_find(ix, SLICE_LIT("1"), SLICE_LIT("1"), SLICE_LIT("1.2.1.1.1"), &f, &ref),
                     ERR_NO_SUCH_OBJECT);
}

static enum err drop(int study, int series, int sop, const struct index_ref *ref) {
    struct bed_object b;
    struct fault f = {0};
    bed_object_init(&b, study, series, sop);
    return index_delete(ix, b.o.study, b.o.series, b.o.sop_instance, ref, &f);
}

static void deleting_goes_up_to_the_patient(void **state) {
    (void)state;
    struct index_ref r[4], none = {9, 9, 9, 9};
    add(1, 1, 1, "A", "", &r[0]);
    add(1, 1, 2, "A", "", &r[1]);
    add(1, 2, 1, "A", "", &r[2]);
    add(2, 1, 1, "B", "", &r[3]);
    assert_int_equal(drop(1, 1, 1, &none), ERR_NO_SUCH_OBJECT);
    assert_int_equal(drop(1, 1, 9, &r[0]), ERR_NO_SUCH_OBJECT);
    assert_int_equal(drop(1, 1, 1, &r[0]), OK);
    assert_int_equal(drop(1, 1, 1, &r[0]), ERR_NO_SUCH_OBJECT);
    counts(2, 2, 3, 3, 0);
    assert_int_equal(drop(1, 1, 2, &r[1]), OK);
    counts(2, 2, 2, 2, 0);
    assert_string_equal(all(INDEX_STUDY, INDEX_ATTR_NumberOfStudyRelatedSeries), "1|1");
    assert_int_equal(drop(1, 2, 1, &r[2]), OK);
    counts(1, 1, 1, 1, 0);
    assert_int_equal(drop(2, 1, 1, &r[3]), OK);
    counts(0, 0, 0, 0, 0);
    assert_string_equal(all(INDEX_PATIENT, INDEX_ATTR_PatientID), "");
    add(1, 1, 1, "A", "", NULL);
    counts(1, 1, 1, 1, 0);
}

static void the_one_beside_takes_the_place(void **state) {
    (void)state;
    struct index_ref first, second, third, found;
    struct fault f = {0};
    add(1, 1, 1, "A", "1", &first);
    add(1, 1, 1, "A", "2", &second);
    add(1, 1, 1, "A", "3", &third);
    assert_int_equal(drop(1, 1, 1, &first), OK);
    assert_int_equal(index_find(ix, SLICE_LIT(""), SLICE_LIT(""), SLICE_LIT("1.2.1.1.1"), &f, &found), OK);
    assert_int_equal(found.offset, second.offset);
    counts(1, 1, 1, 1, 1);
    assert_int_equal(add(1, 1, 1, "A", "2", NULL), INDEX_IDENTICAL);
    assert_int_equal(drop(1, 1, 1, &third), OK);
    counts(1, 1, 1, 1, 0);
}

static void rollback_forgets(void **state) {
    (void)state;
    struct fault f = {0};
    add(1, 1, 1, "A", "", NULL);
    bed_commit(ix);
    assert_false(ix->in_transaction);
    add(1, 1, 2, "A", "", NULL);
    add(2, 1, 1, "B", "", NULL);
    assert_true(ix->in_transaction);
    assert_int_equal(index_rollback(ix, &f), OK);
    counts(1, 1, 1, 1, 0);
    add(1, 1, 2, "A", "", NULL);
    assert_string_equal(all(INDEX_STUDY, INDEX_ATTR_NumberOfStudyRelatedInstances), "2");
}

// Of a study that is de-identified only in part nobody may believe that it is.
static void identity_is_removed_while_all_say_so(void **state) {
    (void)state;
    static const struct {
        const char *said[4]; // by its objects, in this order; NULL: nothing
        const char *expected;
    } rows[] = {
        {{"YES", "YES", "YES", "YES"}, "YES"}, {{"YES", "YES", "NO", "YES"}, "NO"},
        {{"YES", NULL, "YES", "YES"}, ""},     {{NULL, "YES", "YES", "YES"}, ""},
        {{"NO", "YES", "YES", "YES"}, "NO"},   {{"YES", "YES", "YES", NULL}, ""},
    };
    for (int i = 0; i < (int)(sizeof rows / sizeof *rows); i++)
        for (int series_of = 1; series_of <= 4; series_of++) { // in one series, or in several
            int study = 100 * i + series_of;
            for (int n = 0; n < 4; n++) {
                struct bed_object b;
                bed_object_init(&b, study, n % series_of, n);
                if (rows[i].said[n])
                    bed_put(&b, INDEX_ATTR_PatientIdentityRemoved, rows[i].said[n], NULL);
                bed_add(ix, &b);
            }
            char uid[65];
            snprintf(uid, sizeof uid, "1.2.%d", study);
            assert_string_equal(bed_find(ix, INDEX_STUDY, INDEX_ATTR_PatientIdentityRemoved,
                                         INDEX_ATTR_StudyInstanceUID, QUERY_SINGLE, uid, NULL),
                                rows[i].expected);
        }
}

// What collections are made by does not change with a series that comes later.
// Series 1 is filled in by its second object; series 3 has one that series 1 has as well.
static void the_study_keeps_its_modalities(void **state) {
    (void)state;
    static const struct {
        int series, sop;
        const char *modality, *then;
    } rows[] = {{1, 1, NULL, ""},         {1, 2, "MR", "MR"},       {2, 1, "CT", "CT\\MR"},
                {3, 1, "MR", "CT\\MR"}, {4, 1, "M", "CT\\M\\MR"}, {5, 1, NULL, "CT\\M\\MR"}};
    static const char *const without[] = {"CT\\M\\MR", "CT\\M\\MR", "M\\MR", "M", "", ""};
    struct bed_object b[6];
    for (int i = 0; i < 6; i++) {
        bed_object_init(&b[i], 1, rows[i].series, rows[i].sop);
        if (rows[i].modality)
            bed_put(&b[i], INDEX_ATTR_Modality, rows[i].modality, NULL);
        bed_add(ix, &b[i]);
        assert_string_equal(all(INDEX_STUDY, INDEX_ATTR_ModalitiesInStudy), rows[i].then);
    }
    for (int i = 0; i < 6; i++) {
        assert_int_equal(drop(1, rows[i].series, rows[i].sop, &b[i].o.ref), OK);
        assert_string_equal(all(INDEX_STUDY, INDEX_ATTR_ModalitiesInStudy), without[i]);
    }
}

static void the_study_keeps_the_first_institution(void **state) {
    (void)state;
    static const char *const names[] = {NULL, "Ward 3", "Ward 4"};
    for (int n = 0; n < 3; n++) {
        struct bed_object b;
        bed_object_init(&b, 7, n, n);
        if (names[n])
            bed_put(&b, INDEX_ATTR_InstitutionName, names[n], NULL);
        if (names[n])
            bed_put(&b, INDEX_ATTR_StationName, names[n], NULL);
        bed_add(ix, &b);
    }
    assert_string_equal(all(INDEX_STUDY, INDEX_ATTR_StudyInstitution), "Ward 3");
    assert_string_equal(all(INDEX_STUDY, INDEX_ATTR_StudyStation), "Ward 3");
    assert_string_equal(all(INDEX_SERIES, INDEX_ATTR_InstitutionName), "Ward 3|Ward 4");
}

static enum err arrival_text(void *arg, const struct index_arrival *a) {
    char *text = arg;
    size_t n = strlen(text);
    snprintf(text + n, 1024 - n, "%llu %.*s %.*s %llu %llu|", (unsigned long long)a->hour, SLICE_FMT(a->peer),
             SLICE_FMT(a->modality), (unsigned long long)a->studies, (unsigned long long)a->instances);
    return OK;
}

static const char *arrivals(uint64_t from) {
    static char text[1024];
    struct fault f = {0};
    text[0] = '\0';
    assert_int_equal(index_each_arrival(ix, from, arrival_text, text, &f), OK);
    return text;
}

static void arrive(uint64_t hour, const char *peer, const char *modality, int study, int sop) {
    struct bed_object b;
    bed_object_init(&b, study, 1, sop);
    if (*modality)
        bed_put(&b, INDEX_ATTR_Modality, modality, NULL);
    b.o.received_ms = hour * 3600 * 1000 + 17;
    b.o.peer = slice_str(peer);
    bed_add(ix, &b);
}

static void what_came_in_is_counted(void **state) {
    (void)state;
    struct fault f = {0};
    for (int i = 0; i < 5; i++)
        arrive(1000, "ct", "CT", i / 2, i);
    assert_string_equal(arrivals(0), "1000 ct CT 3 5|");
    arrive(1000, "ct", "CT", 0, 0); // there already: other content
    arrive(1000, "mr", "", 9, 1);
    arrive(1001, "ct", "CT", 0, 77);
    bed_commit(ix);
    assert_string_equal(arrivals(0), "1000 ct CT 3 5|1000 mr  1 1|1001 ct CT 0 1|");
    assert_string_equal(arrivals(1001), "1001 ct CT 0 1|");
    arrive(1001, "ct", "CT", 0, 78);
    assert_int_equal(index_rollback(ix, &f), OK);
    assert_string_equal(arrivals(1001), "1001 ct CT 0 1|");
    for (int i = 0; i < 3 * ARRIVALS_CACHED; i++) { // more peers at once than are kept in memory
        char peer[8];
        snprintf(peer, sizeof peer, "p%02d", i % (2 * ARRIVALS_CACHED));
        arrive(1002, peer, "CT", 1, 100 + i);
    }
    assert_non_null(strstr(arrivals(1002), "1002 p00 CT 0 2|"));
    assert_non_null(strstr(arrivals(1002), "1002 p15 CT 0 1|"));
    arrive(1000 + INDEX_ARRIVALS_HOURS + 1, "late", "CT", 1, 200);
    assert_int_equal(strncmp(arrivals(0), "1001 ct", 7), 0);
}

static void no_memory(sqlite3_context *context, int n, sqlite3_value **values) {
    (void)n;
    (void)values;
    sqlite3_result_error_nomem(context);
}

static void half_an_object_does_not_stay(void **state) {
    (void)state;
    struct bed_object b;
    enum index_outcome outcome;
    struct fault f = {0};
    int flags = SQLITE_UTF8 | SQLITE_INNOCUOUS, rc;
    assert_int_equal(add(1, 1, 1, "A", "", NULL), INDEX_NEW);
    bed_commit(ix);
    assert_int_equal(add(1, 1, 2, "A", "", NULL), INDEX_NEW);
    rc = sqlite3_create_function_v2(ix->db, "no_memory", 0, flags, NULL, no_memory, NULL, NULL, NULL);
    assert_int_equal(rc, SQLITE_OK);
    assert_int_equal(sqlite3_exec(ix->db, "CREATE TEMP TRIGGER fails BEFORE INSERT ON instance BEGIN "
                                          "SELECT no_memory(); END", NULL, NULL, NULL), SQLITE_OK);
    bed_object_init(&b, 2, 1, 1); // patient, study and series are written when it fails
    assert_int_equal(bed_try_add(ix, &b, &outcome), ERR_NO_MEMORY);
    assert_int_equal(index_health(ix), INDEX_LOST);
    assert_int_not_equal(bed_try_add(ix, &b, &outcome), OK);
    assert_int_equal(sqlite3_exec(ix->db, "DROP TRIGGER fails", NULL, NULL, NULL), SQLITE_OK);
    assert_int_equal(index_rollback(ix, &f), OK); // to the last commit
    counts(1, 1, 1, 1, 0);
    assert_int_equal(add(1, 1, 2, "A", "", NULL), INDEX_NEW);
    assert_int_equal(add(2, 1, 1, "A", "", NULL), INDEX_NEW);
    assert_int_equal(add(1, 2, 1, "A", "", NULL), INDEX_NEW);
    assert_string_equal(all(INDEX_STUDY, INDEX_ATTR_NumberOfStudyRelatedInstances), "3|1");
    assert_string_equal(all(INDEX_STUDY, INDEX_ATTR_NumberOfStudyRelatedSeries), "2|1");
    assert_string_equal(all(INDEX_SERIES, INDEX_ATTR_NumberOfSeriesRelatedInstances), "2|1|1");
    assert_int_equal(index_check(ix, &f), OK);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(entities_are_counted),
        TEST(many_series_in_turns),
        TEST(the_key_is_the_whole_triple),
        TEST(same_again),
        TEST(same_record_again_is_known),
        TEST(the_caller_compares),
        TEST(what_cannot_be_read_makes_way),
        TEST(first_value_wins_and_gaps_are_filled),
        TEST(patients_are_id_and_issuer),
        TEST(an_id_that_comes_later_moves_the_study),
        TEST(malformed_objects_change_nothing),
        TEST(places_are_kept_whole),
        TEST(deleting_goes_up_to_the_patient),
        TEST(the_one_beside_takes_the_place),
        TEST(rollback_forgets),
        TEST(half_an_object_does_not_stay),
        TEST(identity_is_removed_while_all_say_so),
        TEST(the_study_keeps_its_modalities),
        TEST(the_study_keeps_the_first_institution),
        TEST(what_came_in_is_counted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
