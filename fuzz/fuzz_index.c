// What a worker may hand the index: an object's attributes, and the conditions of a query. An object is
// added whole or not at all, and a query finds the same rows by whatever index it chose as by looking at all.
// Input: u8 level and order, u16 length, so many bytes of attributes; the rest are conditions.
#include "fuzz.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/rd.h"
#include "index/query_internal.h"

static char folder[] = "/tmp/galena-fuzz-index-XXXXXX";
static struct index *ix;

static void clean_up(void) {
    index_close(ix);
    FUZZ_CHECK(index_remove(folder, NULL) == OK);
    FUZZ_CHECK(rmdir(folder) == 0);
}

static enum err add(int number, struct slice attributes) {
    char study[32], sop[40];
    snprintf(study, sizeof study, "1.2.%d", number);
    snprintf(sop, sizeof sop, "%s.1", study);
    struct index_object o = {.study = slice_str(study),
                             .series = SLICE_LIT("1.2.3"),
                             .sop_instance = slice_str(sop),
                             .sop_class = SLICE_LIT("1.2.840.10008.5.1.4.1.1.2"),
                             .transfer_syntax = SLICE_LIT("1.2.840.10008.1.2.1"),
                             .attributes = attributes,
                             .ref = {.segment = 1, .offset = (uint64_t)number}};
    enum index_outcome outcome;
    struct fault f = {OK, ""};
    return index_add(ix, &o, NULL, NULL, &f, &outcome);
}

static void put(struct buf *b, enum index_attr attr, const char *value) {
    buf_u16le(b, INDEX_ATTR_MATCHING(attr));
    buf_u16le(b, (uint16_t)strlen(value));
    buf_append_str(b, value);
}

static void prepare(void) {
    static const char *const names[] = {"doe^john", "doe^jane=x=y", "doe", "=x", "roe^r", "a%b"};
    static const uint8_t key[INDEX_KEY_BYTES] = {1};
    struct fault f = {OK, ""};
    FUZZ_CHECK(mkdtemp(folder) != NULL);
    FUZZ_CHECK(index_open(folder, key, NULL, &f, &ix) == OK);
    for (int i = 0; i < 24; i++) {
        struct buf b = BUF_INIT(4096);
        put(&b, INDEX_ATTR_PatientName, names[i % 6]);
        put(&b, INDEX_ATTR_PatientID, i % 2 ? "1" : "10");
        put(&b, INDEX_ATTR_StudyDate, i % 3 ? "20240101" : "20240215");
        put(&b, INDEX_ATTR_AccessionNumber, i % 5 ? "A1" : "A2");
        put(&b, INDEX_ATTR_Modality, i % 4 ? "CT" : "MR");
        FUZZ_CHECK(add(i, buf_slice(&b)) == OK);
        buf_fini(&b);
    }
    FUZZ_CHECK(index_commit(ix, &f) == OK);
    atexit(clean_up);
}

// Number of rows, or -1 when the query is refused.
static int rows(const struct index_query_spec *spec, bool look_at_all) {
    static struct pass all = {.walk = WALK_ALL};
    struct index_query *q;
    struct fault f = {OK, ""};
    enum index_step step = INDEX_AGAIN;
    int n = 0;
    if (index_query_open(ix, spec, &f, &q) != OK)
        return -1;
    if (look_at_all) {
        q->passes = &all;
        q->pass_count = 1;
        q->overlap_attr = -1;
        q->exact = q->gathering = false;
        q->top = spec->level == INDEX_PATIENT ? INDEX_PATIENT : INDEX_STUDY;
        q->done = false;
    }
    while (step != INDEX_END) {
        FUZZ_CHECK(index_query_step(q, &f, &step) == OK);
        n += step == INDEX_ROW;
    }
    index_query_close(q);
    return n;
}

static int count(const struct index_query_spec *spec) {
    struct index_query *q;
    enum index_step step = INDEX_AGAIN;
    if (index_count_open(ix, spec, NULL, &q) != OK)
        return -1;
    while (step != INDEX_END)
        FUZZ_CHECK(index_query_step(q, NULL, &step) == OK && step != INDEX_ROW);
    int n = (int)index_count_result(q);
    index_query_close(q);
    return n;
}

// Conditions on studies show the same studies when they are what somebody may see; two equal choices are one.
static void query_in_scope(const struct index_query_spec *asked, int expected) {
    struct index_clause clauses[2] = {{asked->conditions, asked->condition_count},
                                      {asked->conditions, asked->condition_count}};
    for (size_t n = 1; n <= 2 && asked->level == INDEX_STUDY; n++) {
        struct index_scope scope = {clauses, n};
        struct index_query_spec spec = {.level = INDEX_STUDY, .order = asked->order, .scopes = &scope,
                                        .scope_count = 1};
        FUZZ_CHECK(rows(&spec, false) == expected || expected < 0);
    }
}

static void query(struct slice encoded, uint8_t choice) {
    struct arena a = ARENA_INIT(4 << 20);
    struct index_query_spec spec = {.level = (enum index_level)(choice % 4)};
    struct query_condition *conditions;
    if (query_get_all(encoded, &a, &conditions, &spec.condition_count, NULL) == OK) {
        spec.conditions = conditions;
        spec.order = choice & 4 && spec.level == INDEX_STUDY ? INDEX_ORDER_NEWEST : INDEX_ORDER_ANY;
        int by_index = rows(&spec, false);
        FUZZ_CHECK(count(&spec) == by_index);
        query_in_scope(&spec, by_index);
        spec.order = INDEX_ORDER_ANY;
        FUZZ_CHECK(by_index == rows(&spec, true));
    }
    arena_fini(&a);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n) {
    struct fault f = {OK, ""};
    struct rd r = rd_init(slice_of(data, n));
    if (!ix)
        prepare();
    uint8_t choice = rd_u8(&r);
    uint16_t length = rd_u16le(&r);
    struct slice attributes = rd_bytes(&r, length);
    if (!rd_ok(&r))
        return 0;
    enum err e = add(1000, attributes);
    FUZZ_CHECK(e == OK || e == ERR_SYNTAX);
    query(rd_bytes(&r, rd_left(&r)), choice);
    FUZZ_CHECK(index_rollback(ix, &f) == OK);
    return 0;
}
