// Bulk data (PS3.18 10.4.1.1.5): the value of one element, where metadata have a BulkDataURI; and the pixel
// data of an instance (10.4.1.1.6).
#include "extract.h"
#include "instance.h"
#include "route.h"

#include "dicom/dataset.h"
#include "http/target.h"
#include "std/tag.h"

#include <stdio.h>

enum { PATH_BEGIN = 8 }; // segments before it: dicomweb/studies/{}/series/{}/instances/{}/bulkdata

static bool hex_tag(struct slice s, uint32_t *ret_tag) {
    uint32_t tag = 0;
    for (size_t i = 0; i < s.n; i++) {
        uint8_t c = s.p[i];
        if (c >= '0' && c <= '9')
            tag = tag << 4 | (uint32_t)(c - '0');
        else if (c >= 'A' && c <= 'F')
            tag = tag << 4 | (uint32_t)(c - 'A' + 10);
        else
            return false;
    }
    *ret_tag = tag;
    return s.n == 8;
}

// "00480105/1/00280010": tags, and between them numbers of items from 1 (dicom/json.h). NULL: there is
// nothing.
static const struct dicom_element *walk(const struct dicom_dataset *ds, const struct target *path) {
    const struct dicom_element *e = NULL;
    for (size_t i = PATH_BEGIN; i < path->count; i += 2) {
        uint32_t tag;
        uint64_t item;
        if (!hex_tag(path->segment[i], &tag) || !(e = dicom_dataset_find(ds, tag)))
            return NULL;
        if (i + 1 == path->count)
            return e;
        if (!slice_to_u64(path->segment[i + 1], UINT32_MAX, &item) || item == 0 ||
            item > dicom_items_count(e))
            return NULL;
        ds = dicom_items_at(e, (size_t)item - 1);
    }
    return NULL;
}

// --- a run of bytes, whole or in part

static void send_run(struct instance *x, struct dicom_ref run, enum vr vr) {
    char etag[64];
    struct fault f = {0};
    struct answer_part part;
    snprintf(etag, sizeof etag, "\"%016llx-%llx\"", (unsigned long long)x->object.tag,
             (unsigned long long)run.offset);
    struct answer a = {.status = 200, .type = "application/octet-stream", .etag = etag};
    if (answer_not_modified(x->rq, &a) || !answer_part_of(x->rq, &a, run.length, &part))
        return;
    if (answer_begin(x->rq, &a) && part.bytes > 0 &&
        extract_send_part(&x->from, &x->object, run, part.from, part.bytes, vr, true, &f) != OK)
        answer_break(x->rq);
}

static void send_run_as_part(struct instance *x, struct dicom_ref run, enum vr vr, const char *what) {
    struct fault f = {0};
    snprintf(x->type, sizeof x->type, "application/octet-stream");
    request_boundary(x->boundary);
    if (!instance_begin_multipart(x, -1))
        return;
    instance_put_part(x, what);
    if (!buf_ok(&x->head) || !answer_body_begin(x->rq, buf_slice(&x->head), false))
        return;
    enum err e = run.length ? extract_send(&x->from, &x->object, run, vr, false, &f) : OK;
    if (e != OK || instance_end_multipart(x, &f) != OK)
        answer_break(x->rq);
}

// --- pixel data

static enum err send_fragments(struct instance *x, struct fault *f) {
    enum err e = OK;
    for (uint32_t i = 0; e == OK && i < x->table.number_of_frames; i++) {
        char what[32];
        snprintf(what, sizeof what, "/frames/%u", i + 1);
        instance_put_part(x, what);
        if (!buf_ok(&x->head) || !answer_body_begin(x->rq, buf_slice(&x->head), false))
            return fault_set(f, ERR_PEER_GONE, "the client is gone");
        e = instance_send_frame(x, i, false, f);
    }
    return e == OK ? instance_end_multipart(x, f) : e;
}

// Forms that the client takes, most wanted first.
struct forms {
    struct accepted v[ACCEPTED_MAX];
    size_t n;
};

static void send_compressed(struct instance *x, const struct forms *forms) {
    struct fault f = {0};
    size_t i = 0;
    while (i < forms->n && (forms->v[i].offer != 0 || !instance_is_sent_as(x, &forms->v[i])))
        i++;
    bool known = true;
    for (uint32_t n = 0; known && n < x->table.number_of_frames; n++)
        known = instance_has_frame(x, n);
    if (i == forms->n) {
        answer_error(
            x->rq, 406, "transfer_syntax",
            "It is compressed: ask for multipart/related with transfer-syntax=*, a part for each frame.");
        return;
    }
    if (!known) {
        answer_error(x->rq, 404, "frames", "Where its frames begin cannot be told; retrieve the instance.");
        return;
    }
    instance_choose_type(x);
    request_boundary(x->boundary);
    if (instance_begin_multipart(x, -1) && send_fragments(x, &f) != OK)
        answer_break(x->rq);
}

static void send_value(struct instance *x, const struct forms *forms, struct dicom_ref run, enum vr vr,
                       const char *what) {
    size_t i = 0;
    while (i < forms->n && !accepted_takes(&forms->v[i], "application/octet-stream"))
        i++;
    if (i == forms->n)
        answer_error(x->rq, 406, "accept", "It is to be had as application/octet-stream.");
    else if (forms->v[i].offer == 1)
        send_run(x, run, vr);
    else
        send_run_as_part(x, run, vr, what);
}

static void send_pixels(struct instance *x, const struct forms *forms) {
    struct dicom_ref run = {x->table.offset, x->table.length};
    if (!x->table.present)
        answer_error(x->rq, 404, "not_found", "The instance has no pixel data.");
    else if (x->table.encapsulated)
        send_compressed(x, forms);
    else
        send_value(x, forms, run, (enum vr)x->table.pixel_vr, "/pixeldata");
}

// --- the resources

static const char *const offers[] = {"multipart/related; type=\"*\"", "application/octet-stream"};

static void send_element(struct instance *x, const struct forms *forms) {
    struct target path;
    struct dicom_dataset *ds = NULL;
    struct fault f = {0};
    const struct dicom_element *e = NULL;
    if (target_split(x->rq->http->path, &x->rq->arena, &path) == OK &&
        dicom_summary_parse(x->summary, &x->arena, &f, &ds) == OK)
        e = walk(ds, &path);
    if (!e || !e->is_ref)
        answer_error(x->rq, 404, "not_found", "The instance has no bulk data there.");
    else if (e->tag == x->table.pixel_tag && x->table.present && path.count == PATH_BEGIN + 1)
        send_pixels(x, forms);
    else
        send_value(x, forms, e->ref, (enum vr)e->vr, "/bulkdata");
}

static void serve(struct request *rq, unsigned with, void (*send)(struct instance *, const struct forms *)) {
    struct instance x;
    struct forms forms;
    struct fault f = {0};
    forms.n = request_accepts_some(rq, offers, 2, forms.v);
    if (forms.n == 0)
        return;
    enum err e = instance_open(&x, rq, with, &f);
    if (e == OK)
        send(&x, &forms);
    else
        answer_fault(rq, e, &f);
    instance_close(&x);
}

void wado_bulkdata(struct request *rq) {
    serve(rq, 0, send_element);
}

void wado_pixeldata(struct request *rq) {
    serve(rq, RETRIEVAL_WITH_BODY, send_pixels);
}

// Rendered resources and thumbnails: 10.4.1.1.4. There is nothing here that could draw them.
void wado_rendered(struct request *rq) {
    answer_error(rq, 501, "rendered",
                 "Images are not rendered yet. The viewer and the frames resource show them.");
}
