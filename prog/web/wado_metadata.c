// Metadata of a study, a series, an instance: PS3.18 10.4.1.1.2. They come out of the summaries kept beside
// the objects; no pixel data is opened. What is bulk is a reference (Bulkdata URI, 10.4.1.1.5), never left
// out.
#include "models.h"
#include "route.h"
#include "rows.h"
#include "uids.h"

#include "dicom/summary.h"
#include "std/tag.h"

enum { RETURN_STUDY, RETURN_SERIES, RETURN_INSTANCE, RETURN_TRANSFER, RETURN_COUNT };

struct metadata {
    struct request *rq;
    struct models out;
    struct rows rows;
    struct arena arena; // of one data set
};

// <instance>/bulkdata/<path>: what wado_bulk.c serves.
static bool put_uri(void *ctx, const char *path, const struct dicom_element *e, struct buf *out) {
    const struct metadata *m = ctx;
    (void)e;
    buf_append_slice(out, request_origin(m->rq));
    buf_append_str(out, "/dicomweb/studies/");
    buf_append_slice(out, m->rows.values[RETURN_STUDY]);
    buf_append_str(out, "/series/");
    buf_append_slice(out, m->rows.values[RETURN_SERIES]);
    buf_append_str(out, "/instances/");
    buf_append_slice(out, m->rows.values[RETURN_INSTANCE]);
    buf_append_str(out, "/bulkdata/");
    buf_append_str(out, path);
    return true;
}

static enum err put_instance(struct metadata *m, struct fault *f) {
    struct dicom_dataset *ds = NULL;
    arena_reset(&m->arena);
    if (m->rows.summary.n == 0)
        return fault_set(f, ERR_IO, "the attributes of an instance cannot be read");
    enum err e = dicom_summary_parse(m->rows.summary, &m->arena, f, &ds);
    if (e == OK) // clients choose their decoder by it
        e = dicom_dataset_put(ds, TAG_AvailableTransferSyntaxUID, VR_UI, m->rows.values[RETURN_TRANSFER]);
    return e == OK ? models_put(&m->out, ds, f) : e;
}

static enum err run(struct metadata *m, struct fault *f) {
    static const uint16_t returns[] = {[RETURN_STUDY] = INDEX_ATTR_StudyInstanceUID,
                                       [RETURN_SERIES] = INDEX_ATTR_SeriesInstanceUID,
                                       [RETURN_INSTANCE] = INDEX_ATTR_SOPInstanceUID,
                                       [RETURN_TRANSFER] = INDEX_ATTR_AvailableTransferSyntaxUID};
    struct buf conditions = BUF_INIT(4096);
    enum err e = uids_conditions(m->rq, &conditions, f);
    struct rows_question question = {.level = QUERY_LEVEL_IMAGE,
                                     .conditions = buf_slice(&conditions),
                                     .returns = returns,
                                     .return_count = RETURN_COUNT,
                                     .summaries = true};
    if (e == OK)
        e = rows_open(&m->rows, &m->rq->archive, &question, f);
    while (e == OK && rows_next(&m->rows, f)) {
        e = put_instance(m, f);
        if (e == OK && !models_flush(&m->out))
            e = fault_set(f, ERR_PEER_GONE, "the client is gone");
    }
    rows_close(&m->rows);
    buf_fini(&conditions);
    return e == OK ? f->code : e;
}

void wado_metadata(struct request *rq) {
    struct metadata m = {.rq = rq, .arena = ARENA_INIT(64 * 1024 * 1024)};
    struct fault f = {0};
    struct answer a = {.status = 200};
    if (!models_choose(&m.out, rq, false))
        return;
    m.out.uri = put_uri;
    m.out.uri_ctx = &m;
    enum err e = run(&m, &f);
    if (e == OK && m.out.count == 0)
        answer_error(rq, 404, "not_found", "There is no such study, series or instance.");
    else if (e == OK)
        models_finish(&m.out, &a);
    else if (rq->answered)
        answer_break(rq);
    else if (e != ERR_PEER_GONE)
        answer_fault(rq, e, &f);
    models_free(&m.out);
    arena_fini(&m.arena);
}
