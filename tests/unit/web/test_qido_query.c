// The query of a URL as keys (PS3.18 8.3.4): what is taken, what is refused and why.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "../../../prog/web/qido_query.h"

#include "http/target.h"
#include "std/tag.h"

#include <stdio.h>

static enum err parse(enum query_level level, const char *query, struct request *rq, struct qido_query *q,
                      struct fault *f) {
    static struct http_request http;
    http = (struct http_request){.query = slice_str(query)};
    *rq = (struct request){.http = &http, .arena = ARENA_INIT(1 << 20)};
    return qido_query_parse(rq, level, q, f);
}

static void done(struct request *rq, struct qido_query *q) {
    identifier_free(&q->id);
    arena_fini(&rq->arena);
}

static void values_become_keys(void **state) {
    (void)state;
    static const struct {
        const char *name, *query;
        uint32_t tag;
        const char *value;
        size_t n;
    } rows[] = {
        {"keyword", "PatientName=Doe", TAG_PatientName, "Doe", 3},
        {"tag", "00100010=Doe", TAG_PatientName, "Doe", 3},
        {"tag in lower case", "0020000d=1.2", TAG_StudyInstanceUID, "1.2", 3},
        {"percent and plus", "PatientName=D%C3%B6e+x%2By", TAG_PatientName,
         "D\xC3\xB6"
         "e x+y",
         8},
        {"empty: universal", "PatientName=", TAG_PatientName, "", 0},
        {"UIDs take commas", "StudyInstanceUID=1.2,1.3", TAG_StudyInstanceUID, "1.2\\1.3", 7},
        {"nothing else does", "PatientID=a,b", TAG_PatientID, "a,b", 3},
        {"a range", "StudyDate=20240101-20240131", TAG_StudyDate, "20240101-20240131", 17},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct request rq;
        struct qido_query q;
        struct fault f = {0};
        if (parse(QUERY_LEVEL_STUDY, rows[i].query, &rq, &q, &f) != OK)
            fail_msg("%s: %s", rows[i].name, f.detail);
        struct slice value = dicom_dataset_value(q.id.keys, rows[i].tag);
        if (!slice_eq(value, slice_of(rows[i].value, rows[i].n)))
            fail_msg("%s: %.*s", rows[i].name, SLICE_FMT(value));
        done(&rq, &q);
    }
}

static void binary_numbers_are_binary(void **state) {
    (void)state;
    struct request rq;
    struct qido_query q;
    struct fault f = {0};
    assert_int_equal(parse(QUERY_LEVEL_IMAGE, "Rows=513", &rq, &q, &f), OK);
    assert_true(slice_eq(dicom_dataset_value(q.id.keys, TAG_Rows), slice_of("\x01\x02", 2)));
    done(&rq, &q);
}

static void sequences_are_walked_into(void **state) {
    (void)state;
    struct request rq;
    struct qido_query q;
    struct fault f = {0};
    assert_int_equal(parse(QUERY_LEVEL_SERIES,
                           "RequestAttributesSequence.RequestedProcedureID=P1&00400275.00400009=S1", &rq, &q,
                           &f),
                     OK);
    const struct dicom_element *e = dicom_dataset_find(q.id.keys, TAG_RequestAttributesSequence);
    assert_non_null(e);
    assert_int_equal(dicom_items_count(e), 1);
    assert_true(slice_eq_str(dicom_dataset_value(dicom_items_at(e, 0), TAG_RequestedProcedureID), "P1"));
    assert_true(slice_eq_str(dicom_dataset_value(dicom_items_at(e, 0), TAG_ScheduledProcedureStepID), "S1"));
    done(&rq, &q);
}

static void what_is_no_key(void **state) {
    (void)state;
    struct request rq;
    struct qido_query q;
    struct fault f = {0};
    assert_int_equal(parse(QUERY_LEVEL_STUDY,
                           "limit=10&offset=20&fuzzymatching=true&emptyvaluematching=true&count=true&"
                           "includefield=StudyDescription,00081080&includefield=all",
                           &rq, &q, &f),
                     OK);
    assert_true(q.limited && q.limit == 10 && q.offset == 20 && q.all && q.count);
    assert_true(q.options.fuzzy && q.options.empty_value && !q.options.multiple_value && q.options.datetime);
    assert_non_null(dicom_dataset_find(q.id.keys, TAG_StudyDescription));
    assert_non_null(dicom_dataset_find(q.id.keys, TAG_AdmittingDiagnosesDescription));
    done(&rq, &q);
}

static void what_is_refused(void **state) {
    (void)state;
    char many[6000] = "", one[32];
    for (int i = 0; i < QUERY_PAIRS_MAX + 1; i++) {
        snprintf(one, sizeof one, "%sincludefield=all", i ? "&" : "");
        strcat(many, one);
    }
    const struct {
        const char *name;
        enum query_level level;
        const char *query;
        enum err expected;
    } rows[] = {
        {"no attribute", QUERY_LEVEL_STUDY, "PatientsName=Doe", ERR_SYNTAX},
        {"seven digits", QUERY_LEVEL_STUDY, "0010001=Doe", ERR_SYNTAX},
        {"a tag nobody knows", QUERY_LEVEL_STUDY, "00100011=x", ERR_SYNTAX},
        {"twice", QUERY_LEVEL_STUDY, "PatientID=a&00100020=b", ERR_SYNTAX},
        {"a level below", QUERY_LEVEL_STUDY, "Modality=CT", ERR_SYNTAX},
        {"its own level", QUERY_LEVEL_SERIES, "Modality=CT", OK},
        {"a sequence itself", QUERY_LEVEL_SERIES, "RequestAttributesSequence=x", ERR_SYNTAX},
        {"into what is none", QUERY_LEVEL_STUDY, "PatientName.PatientID=x", ERR_SYNTAX},
        {"five deep", QUERY_LEVEL_STUDY, "00400275.00400275.00400275.00400275.00400009=x", ERR_SYNTAX},
        {"bytes", QUERY_LEVEL_IMAGE, "7FE00010=x", ERR_UNSUPPORTED},
        {"no number", QUERY_LEVEL_IMAGE, "Rows=x", ERR_SYNTAX},
        {"a number too large", QUERY_LEVEL_IMAGE, "Rows=65536", ERR_SYNTAX},
        {"the largest", QUERY_LEVEL_IMAGE, "Rows=65535", OK},
        {"limit", QUERY_LEVEL_STUDY, "limit=-1", ERR_SYNTAX},
        {"offset", QUERY_LEVEL_STUDY, "offset=1e3", ERR_SYNTAX},
        {"fuzzymatching", QUERY_LEVEL_STUDY, "fuzzymatching=1", ERR_SYNTAX},
        {"includefield", QUERY_LEVEL_STUDY, "includefield=StudyDescription,foo", ERR_SYNTAX},
        {"private without its creator", QUERY_LEVEL_IMAGE, "00091001=x", ERR_SYNTAX},
        {"too many", QUERY_LEVEL_STUDY, many, ERR_LIMIT},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct request rq;
        struct qido_query q;
        struct fault f = {0};
        enum err e = parse(rows[i].level, rows[i].query, &rq, &q, &f);
        if (e != rows[i].expected)
            fail_msg("%s: %s (%s)", rows[i].name, err_name(e), f.detail);
        done(&rq, &q);
    }
}

// Summaries lie in the objects: what index and archive know must not open one.
static void when_objects_are_read(void **state) {
    (void)state;
    static const struct {
        const char *name;
        enum query_level level;
        unsigned uids; // in the path
        const char *query;
        bool summaries;
    } rows[] = {
        {"studies", QUERY_LEVEL_STUDY, 0, "PatientID=x", false},
        {"instances of a series", QUERY_LEVEL_IMAGE, 2, "", false},
        {"with what the index has besides", QUERY_LEVEL_IMAGE, 2, "includefield=Modality,ContentDate", false},
        {"matching what the archive says", QUERY_LEVEL_IMAGE, 2, "InstanceAvailability=ONLINE", false},
        {"with what only objects have", QUERY_LEVEL_IMAGE, 2, "includefield=SliceThickness", true},
        {"matching what only objects have", QUERY_LEVEL_STUDY, 0, "InstitutionAddress=x", true},
        {"a sequence, which series have", QUERY_LEVEL_SERIES, 1, "", true},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct http_request http = {.query = slice_str(rows[i].query)};
        struct request rq = {.http = &http, .arena = ARENA_INIT(1 << 20)};
        struct qido_query q;
        struct find_plan plan;
        struct fault f = {0};
        for (unsigned n = 0; n < rows[i].uids; n++)
            rq.parts[n] = SLICE_LIT("1.2");
        assert_int_equal(qido_query_parse(&rq, rows[i].level, &q, &f), OK);
        assert_int_equal(find_plan_make(&plan, &q.id, &q.options, &f), OK);
        if (plan.summaries != rows[i].summaries)
            fail_msg("%s: objects are %sread", rows[i].name, plan.summaries ? "" : "not ");
        find_plan_free(&plan);
        done(&rq, &q);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values_become_keys),        cmocka_unit_test(binary_numbers_are_binary),
        cmocka_unit_test(sequences_are_walked_into), cmocka_unit_test(what_is_no_key),
        cmocka_unit_test(what_is_refused),           cmocka_unit_test(when_objects_are_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
