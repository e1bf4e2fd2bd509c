// QIDO-RS, PS3.18 10.6: searches for studies, series and instances.
//
// A page that fits is one answer with an ETag, gzip and all; a longer one is sent as its rows come, and
// what there is besides is not counted for it: it has no limit, or one beyond what anybody pages with.
#include "models.h"
#include "qido_query.h"
#include "route.h"
#include "rows.h"

#include "dicom/json.h"
#include "std/tag.h"

#include <stdio.h>

enum { ORDER_NEWEST = 1 };

struct search {
    struct request *rq;
    struct qido_query query;
    struct find_plan plan;
    struct rows rows;
    struct models out; // the answer's body, in JSON or XML
    uint64_t seen;     // rows that match
    uint64_t sent;
    uint64_t total; // known once counted
    bool counted;
    char warning[192], total_text[24];
};

// Keys that the index cannot decide are matched here: then paging is done here as well.
static bool decides_here(const struct search *s) {
    for (size_t i = 0; i < s->plan.count; i++)
        if (s->plan.keys[i].here)
            return true;
    return false;
}

static enum err open_rows(struct search *s, struct fault *f) {
    bool here = decides_here(s);
    if (s->query.limited && s->query.limit == 0 && !here) { // to the archive it would mean all
        s->rows = (struct rows){.done = true};
        return OK;
    }
    struct rows_question question = {.level = s->query.id.level,
                                     .conditions = buf_slice(&s->plan.conditions),
                                     .returns = s->plan.returns,
                                     .return_count = s->plan.return_count,
                                     .summaries = s->plan.summaries,
                                     .offset = here ? 0 : s->query.offset,
                                     .limit = here || !s->query.limited ? 0 : s->query.limit};
    if (s->query.id.level == QUERY_LEVEL_STUDY)
        question.order = ORDER_NEWEST;
    return rows_open(&s->rows, &s->rq->archive, &question, f);
}

// --- one answer

static struct slice value_of(const struct dicom_dataset *ds, uint32_t tag) {
    return dicom_dataset_trimmed(ds, tag);
}

// 10.6.3.3: where the entity can be retrieved. Its UIDs are among the default fields.
static enum err put_url(struct search *s, struct dicom_dataset *ds) {
    static const struct {
        const char *segment;
        uint32_t tag;
    } levels[] = {{"/dicomweb/studies/", TAG_StudyInstanceUID},
                  {"/series/", TAG_SeriesInstanceUID},
                  {"/instances/", TAG_SOPInstanceUID}};
    struct buf url = BUF_INIT(1024);
    buf_append_slice(&url, request_origin(s->rq));
    for (unsigned i = 0; i <= (unsigned)s->query.id.level - QUERY_LEVEL_STUDY; i++) {
        buf_append_str(&url, levels[i].segment);
        buf_append_slice(&url, value_of(ds, levels[i].tag));
    }
    enum err e = dicom_dataset_put(ds, TAG_RetrieveURL, VR_UR, buf_slice(&url));
    buf_fini(&url);
    return e;
}

// includefield=all of an instance: what its summary has besides.
static enum err put_all(struct dicom_dataset *ds, struct dicom_dataset *object) {
    enum err e = OK;
    for (size_t i = 0; e == OK && i < dicom_dataset_count(object); i++) {
        const struct dicom_element *el = dicom_dataset_at(object, i);
        if (!el->is_ref && !dicom_dataset_find(ds, el->tag) && !tag_is_group_length(el->tag))
            e = dicom_dataset_put_copy(ds, el);
    }
    return e;
}

static enum err put_row(struct search *s, struct fault *f) {
    struct dicom_dataset *ds = NULL;
    struct dicom_charset charset;
    bool matches = false;
    enum err e = find_answer(&s->plan, s->rows.values, s->rows.summary, &matches, &ds, &charset, f);
    if (e != OK || !matches)
        return e;
    s->seen++;
    bool here = decides_here(s);
    if (here && (s->seen <= s->query.offset || (s->query.limited && s->sent == s->query.limit)))
        return OK;
    e = put_url(s, ds);
    if (e == OK)
        e = dicom_dataset_put_str(ds, TAG_InstanceAvailability, VR_CS, "ONLINE");
    if (e == OK && s->query.all && s->plan.object)
        e = put_all(ds, s->plan.object);
    if (e == OK)
        e = models_put(&s->out, ds, f);
    s->sent += e == OK;
    return e;
}

// --- the whole

static const char service[] = "Galena";

static void note_remaining(struct search *s, struct answer *a) {
    uint64_t upto = s->query.offset + s->sent;
    if (s->counted && s->total > upto) {
        snprintf(s->warning, sizeof s->warning,
                 "299 %s: \"There are %llu additional results that can be requested\"", service,
                 (unsigned long long)(s->total - upto));
        answer_header(a, "warning", slice_str(s->warning));
    }
    if (s->counted && s->query.count) {
        snprintf(s->total_text, sizeof s->total_text, "%llu", (unsigned long long)s->total);
        answer_header(a, "x-total-count", slice_str(s->total_text));
    }
}

// Counting is a query of its own, on the same channel: only when this one is over.
static enum err count(struct search *s, struct fault *f) {
    bool full_page = s->query.limited && s->sent == s->query.limit;
    if (!s->query.count && !full_page)
        return OK;
    s->counted = true;
    if (decides_here(s)) {
        s->total = s->seen;
        return OK;
    }
    return rows_count(&s->rq->archive, s->query.id.level, buf_slice(&s->plan.conditions), &s->total, f);
}

static void answer(struct search *s) {
    struct answer a = {.status = 200};
    if (!s->rq->answered)
        note_remaining(s, &a);
    if (!s->rq->answered && s->sent == 0) { // 10.6.3.2
        a.status = 204;
        (void)answer_begin(s->rq, &a);
        return;
    }
    models_finish(&s->out, &a);
}

static enum err run(struct search *s, struct fault *f) {
    enum err e = open_rows(s, f);
    while (e == OK && rows_next(&s->rows, f)) {
        e = put_row(s, f);
        if (e == OK && !models_flush(&s->out))
            e = fault_set(f, ERR_PEER_GONE, "the client is gone");
    }
    rows_close(&s->rows);
    if (e == OK)
        e = f->code;
    if (e == OK && !s->rq->answered)
        e = count(s, f);
    return e;
}

static void search(struct request *rq, enum query_level level) {
    struct search s = {.rq = rq};
    struct fault f = {0};
    if (!models_choose(&s.out, rq, false))
        return;
    enum err e = qido_query_parse(rq, level, &s.query, &f);
    bool planned = e == OK;
    if (planned)
        e = find_plan_make(&s.plan, &s.query.id, &s.query.options, &f);
    if (e == OK && s.query.all)
        s.plan.summaries = true;
    if (e == OK)
        e = run(&s, &f);
    if (e == OK)
        answer(&s);
    else if (rq->answered)
        answer_break(rq);
    else if (e != ERR_PEER_GONE)
        answer_fault(rq, e == ERR_UNSUPPORTED || e == ERR_UID ? ERR_SYNTAX : e, &f);
    if (planned)
        find_plan_free(&s.plan);
    models_free(&s.out);
    identifier_free(&s.query.id);
}

void qido_studies(struct request *rq) {
    search(rq, QUERY_LEVEL_STUDY);
}

void qido_series(struct request *rq) {
    search(rq, QUERY_LEVEL_SERIES);
}

void qido_instances(struct request *rq) {
    search(rq, QUERY_LEVEL_IMAGE);
}
