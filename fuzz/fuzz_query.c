// Queries as they come: the query string of a URL (QIDO-RS), or an identifier (C-FIND); then an object's
// summary, from which an answer is made. The conditions are ones the archive takes; the answer can be sent.
// Input: u8 what (bit 0: a data set), u8 level, u16 length, so many bytes of keys; the summary.
#include "fuzz.h"

#include "../prog/web/qido_query.h"

#include "base/rd.h"
#include "dicom/json.h"
#include "dicom/writer.h"
#include "std/tag.h"

enum { ARENA_MAX = 16 << 20, OUT_MAX = 16 << 20 };

static void answer(struct find_plan *p, struct slice summary) {
    static const char *const stored[] = {"", "1", "20240101", "Doe^John", "CT\\MR", "1.2.3"};
    struct slice values[INDEX_ATTR_COUNT_];
    struct dicom_dataset *ds = NULL;
    struct dicom_charset charset;
    bool matches = false;
    for (size_t i = 0; i < INDEX_ATTR_COUNT_; i++)
        values[i] = slice_str(stored[i % (sizeof stored / sizeof *stored)]);
    if (find_answer(p, values, summary, &matches, &ds, &charset, NULL) != OK || !matches)
        return;
    struct buf json = BUF_INIT(OUT_MAX), bytes = BUF_INIT(OUT_MAX);
    FUZZ_CHECK(dicom_json_write(ds, NULL, &json, NULL) == OK);
    (void)dicom_dataset_write(ds, DICOM_EXPLICIT_LE, &bytes, NULL); // a reference in it can't be
    buf_fini(&json);
    buf_fini(&bytes);
}

static void plan(struct identifier *id, const struct find_options *options, struct slice summary) {
    struct find_plan p;
    struct fault f = {0};
    struct arena a = ARENA_INIT(ARENA_MAX);
    struct query_condition *conditions;
    size_t count;
    if (find_plan_make(&p, id, options, &f) == OK) {
        FUZZ_CHECK(query_get_all(buf_slice(&p.conditions), &a, &conditions, &count, NULL) == OK ||
                   p.count > QUERY_MAX_CONDITIONS);
        FUZZ_CHECK(p.return_count <= INDEX_ATTR_COUNT_);
        answer(&p, summary);
    }
    find_plan_free(&p);
    arena_fini(&a);
}

static void by_url(enum query_level level, struct slice query, struct slice summary) {
    struct http_request http = {.query = query};
    struct request rq = {.http = &http, .arena = ARENA_INIT(ARENA_MAX)};
    struct qido_query q;
    struct fault f = {0};
    enum err e = qido_query_parse(&rq, level, &q, &f);
    FUZZ_CHECK((e == OK) == (f.code == OK));
    if (e == OK)
        plan(&q.id, &q.options, summary);
    identifier_free(&q.id);
    arena_fini(&rq.arena);
}

static void by_identifier(enum query_level level, uint8_t bits, struct slice keys, struct slice summary) {
    struct identifier id = {.arena = ARENA_INIT(8 << 20), .level = level};
    struct find_options options = {bits & 2, bits & 4, bits & 8, bits & 16};
    struct dicom_reader_options o = {.syntax = bits & 32 ? DICOM_IMPLICIT_LE : DICOM_EXPLICIT_LE,
                                     .value_max = DICOM_MATCH_MAX_KEY_BYTES};
    id.root = level == QUERY_LEVEL_PATIENT ? QUERY_ROOT_PATIENT : QUERY_ROOT_STUDY;
    if (dicom_dataset_parse(keys, &o, &id.arena, NULL, &id.keys) == OK) {
        dicom_charset_init(&id.charset, dicom_dataset_value(id.keys, TAG_SpecificCharacterSet));
        plan(&id, &options, summary);
    }
    identifier_free(&id);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n) {
    struct rd r = rd_init(slice_of(data, n));
    uint8_t bits = rd_u8(&r);
    enum query_level level = (enum query_level)(rd_u8(&r) % 4);
    uint16_t length = rd_u16le(&r);
    struct slice keys = rd_bytes(&r, length), summary = rd_bytes(&r, rd_left(&r));
    if (!rd_ok(&r) || dicom_charset_preload(NULL) != OK)
        return 0;
    if (bits & 1)
        by_identifier(level, bits, keys, summary);
    else
        by_url(level == QUERY_LEVEL_PATIENT ? QUERY_LEVEL_STUDY : level, keys, summary);
    return 0;
}
