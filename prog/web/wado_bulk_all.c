// All bulk data of a study, a series, an instance (PS3.18 10.4.1.1.5): a multipart with a part for each
// value that metadata only refer to.
#include "extract.h"
#include "instance.h"
#include "route.h"

#include "dicom/dataset.h"

#include <stdio.h>

enum { PATH_MAX_BYTES = 512 };

// A walk through a data set, its sequences included, with a stack of its own.
struct place {
    const struct dicom_dataset *ds;
    const struct dicom_element *sequence; // that is being gone through
    size_t at, item;                      // of the next element; of the next item of `sequence`
    size_t path_n;                        // of the path to this data set
};

struct walk {
    struct place stack[DICOM_DEPTH_MAX + 1];
    unsigned depth;
    char path[PATH_MAX_BYTES]; // "00480105/1/": to the data set at hand
};

// Deeper than any path we make, it is cut: such a value has no URI either.
static void extend(struct walk *w, size_t n, uint32_t tag, size_t item) {
    int more = snprintf(w->path + n, sizeof w->path - n, "%08X/%zu/", tag, item);
    if (more < 0 || (size_t)more >= sizeof w->path - n)
        w->path[n] = '\0';
}

// Into the next item of the sequence at hand; false: there is none.
static bool enter(struct walk *w) {
    struct place *p = &w->stack[w->depth];
    if (!p->sequence || w->depth == DICOM_DEPTH_MAX || p->item == dicom_items_count(p->sequence)) {
        p->sequence = NULL;
        return false;
    }
    extend(w, p->path_n, p->sequence->tag, p->item + 1);
    const struct dicom_dataset *item = dicom_items_at(p->sequence, p->item++);
    w->stack[++w->depth] = (struct place){.ds = item, .path_n = strlen(w->path)};
    return true;
}

// The next reference; NULL: that was all.
static const struct dicom_element *next_reference(struct walk *w) {
    for (;;) {
        struct place *p = &w->stack[w->depth];
        if (enter(w))
            continue;
        const struct dicom_element *e = dicom_dataset_at(p->ds, p->at++);
        if (!e && w->depth == 0)
            return NULL;
        if (!e) {
            w->depth--;
            w->path[w->stack[w->depth].path_n] = '\0';
        } else if (e->is_ref) {
            return e;
        } else if (e->is_sequence) {
            p->sequence = e;
            p->item = 0;
        }
    }
}

static enum err send_value(struct instance *x, const struct walk *w, const struct dicom_element *e,
                           struct fault *f) {
    char what[PATH_MAX_BYTES + 32];
    snprintf(what, sizeof what, "/bulkdata/%.*s%08X", (int)w->stack[w->depth].path_n, w->path, e->tag);
    snprintf(x->type, sizeof x->type, "application/octet-stream");
    instance_put_part(x, what);
    if (!buf_ok(&x->head) || !answer_body_begin(x->rq, buf_slice(&x->head), false))
        return fault_set(f, ERR_PEER_GONE, "the client is gone");
    return e->ref.length ? extract_send(&x->from, &x->object, e->ref, (enum vr)e->vr, false, f) : OK;
}

// Compressed pixel data are frames: they have a resource of their own.
static bool is_compressed(const struct instance *x, const struct walk *w, const struct dicom_element *e) {
    return w->depth == 0 && x->table.encapsulated && e->tag == x->table.pixel_tag;
}

static enum err send_instance(struct instance *x, struct fault *f) {
    struct dicom_dataset *ds = NULL;
    struct walk w = {.depth = 0};
    enum err e = dicom_summary_parse(x->summary, &x->arena, f, &ds);
    const struct dicom_element *element;
    w.stack[0].ds = ds;
    while (e == OK && (element = next_reference(&w)))
        if (!is_compressed(x, &w, element))
            e = send_value(x, &w, element, f);
    return e;
}

static void send_all(struct instance *x) {
    struct fault f = {0};
    enum err e;
    snprintf(x->type, sizeof x->type, "application/octet-stream");
    request_boundary(x->boundary);
    if (!instance_begin_multipart(x, -1))
        return;
    do
        e = send_instance(x, &f);
    while (e == OK && instance_next(x, &f));
    if (f.code != OK || instance_end_multipart(x, &f) != OK)
        answer_break(x->rq);
}

void wado_bulk_all(struct request *rq) {
    static const char *const offers[] = {"multipart/related; type=\"application/octet-stream\""};
    struct instance x;
    struct accepted accepted;
    struct fault f = {0};
    if (!request_accepts(rq, offers, 1, &accepted))
        return;
    enum err e = instance_open(&x, rq, 0, &f);
    if (e == OK)
        send_all(&x);
    else
        answer_fault(rq, e, &f);
    instance_close(&x);
}
