// STOW-RS, PS3.18 10.5: instances come as parts of a multipart, or one alone.
#include "route.h"
#include "stow_models.h"
#include "stow_parts.h"

#include "http/media.h"
#include "http/multipart.h"

// Where the parts of a multipart go. An error is that of the whole request.
struct sink {
    void *ctx;
    enum err (*part)(void *ctx, const struct multipart_event *ev, struct fault *f);
    enum err (*data)(void *ctx, struct slice bytes, struct fault *f);
    enum err (*part_end)(void *ctx, struct fault *f);
    void (*over)(void *ctx); // the rest of what was begun will not come
};

static enum err pass_on(const struct sink *to, const struct multipart_event *ev, struct fault *f) {
    switch (ev->kind) {
    case MULTIPART_PART:
        return to->part(to->ctx, ev, f);
    case MULTIPART_DATA:
        return to->data(to->ctx, ev->data, f);
    case MULTIPART_PART_END:
        return to->part_end(to->ctx, f);
    case MULTIPART_ERROR:
    case MULTIPART_MORE:
    case MULTIPART_END:
        break;
    }
    return OK;
}

// One part after the other, as the body arrives.
static enum err take_parts(struct request *rq, struct multipart *m, const struct sink *to, struct fault *f) {
    struct multipart_event ev;
    enum err e = OK;
    for (struct slice in = request_body(rq); in.n > 0 && e == OK; in = request_body(rq)) {
        enum multipart_kind kind;
        while (e == OK && (kind = multipart_next(m, &in, &ev)) != MULTIPART_MORE && kind != MULTIPART_END)
            e = kind == MULTIPART_ERROR
                    ? fault_set(f, multipart_error(m), "a part of the multipart is malformed")
                    : pass_on(to, &ev, f);
    }
    to->over(to->ctx);
    return e == OK && multipart_finish(m) != OK ? fault_set(f, ERR_TRUNCATED, "the multipart has no end") : e;
}

// --- DICOM objects, a part each

struct files {
    struct stow *s;
    struct stow_part part;
    bool inside;
};

static enum err file_begins(void *ctx, const struct multipart_event *ev, struct fault *f) {
    struct files *x = ctx;
    (void)ev, (void)f;
    stow_part_begin(&x->part, x->s);
    x->inside = true;
    return OK;
}

static enum err file_goes_on(void *ctx, struct slice bytes, struct fault *f) {
    struct files *x = ctx;
    (void)f;
    stow_part_take(&x->part, bytes);
    return OK;
}

static enum err file_ends(void *ctx, struct fault *f) {
    struct files *x = ctx;
    (void)f;
    stow_part_end(&x->part);
    stow_part_free(&x->part);
    x->inside = false;
    return OK;
}

static void files_are_over(void *ctx) {
    struct files *x = ctx;
    if (!x->inside)
        return;
    stow_part_abort(&x->part);
    stow_part_free(&x->part);
}

static enum err take_files(struct stow *s, struct multipart *m, struct fault *f) {
    struct files x = {.s = s};
    struct sink to = {&x, file_begins, file_goes_on, file_ends, files_are_over};
    return take_parts(s->rq, m, &to, f);
}

static enum err take_single(struct stow *s) {
    struct stow_part part;
    stow_part_begin(&part, s);
    for (struct slice in = request_body(s->rq); in.n > 0; in = request_body(s->rq))
        stow_part_take(&part, in);
    if (s->rq->gone || s->rq->body_too_long)
        stow_part_abort(&part);
    else
        stow_part_end(&part);
    stow_part_free(&part);
    return OK;
}

// --- metadata, and bulk data

static enum err model_part(void *ctx, const struct multipart_event *ev, struct fault *f) {
    return stow_models_part(ctx, ev, f);
}

static enum err model_data(void *ctx, struct slice bytes, struct fault *f) {
    return stow_models_data(ctx, bytes, f);
}

static enum err model_part_end(void *ctx, struct fault *f) {
    return stow_models_part_end(ctx, f);
}

static void models_are_over(void *ctx) {
    stow_models_end(ctx);
}

static enum err take_models(struct stow *s, struct multipart *m, bool xml, struct fault *f) {
    struct stow_models *models = stow_models_new(s, xml);
    if (!models)
        return fault_set(f, ERR_NO_MEMORY, "metadata");
    struct sink to = {models, model_part, model_data, model_part_end, models_are_over};
    enum err e = take_parts(s->rq, m, &to, f);
    stow_models_free(models);
    return e;
}

// --- the whole

static const struct {
    const char *type; // of a multipart's parts
    bool models, xml;
} forms[] = {{"application/dicom", false, false},
             {"application/dicom+json", true, false},
             {"application/dicom+xml", true, true}};

// Which form; -1: one object alone; -2: none that is taken. RFC 2387 wants a type; who leaves it out sends
// files.
static int form_of(const struct media_type *type) {
    struct slice parts = media_parameter(type, "type");
    if (media_is(type, "application/dicom"))
        return -1;
    for (int i = 0; media_is(type, "multipart/related") && i < 3; i++)
        if (!parts.p || media_slice_is(parts, forms[i].type))
            return i;
    return -2;
}

static enum err take_body(struct stow *s, const struct media_type *type, int form, struct fault *f) {
    if (form < 0)
        return take_single(s);
    struct slice boundary = media_parameter(type, "boundary");
    if (!multipart_boundary_valid(boundary))
        return fault_set(f, ERR_SYNTAX, "the multipart names no boundary");
    struct multipart *m = multipart_new(boundary, &multipart_limits_default);
    if (!m)
        return fault_set(f, ERR_NO_MEMORY, "the multipart");
    enum err e = forms[form].models ? take_models(s, m, forms[form].xml, f) : take_files(s, m, f);
    multipart_free(m);
    return e;
}

static void finish(struct stow *s, enum err e, const struct fault *f, struct models *out) {
    struct request *rq = s->rq;
    if (rq->gone)
        return;
    if (e != OK && s->stored > 0) // what came after is missing: success would hide it
        stow_failed(s, SLICE_LIT(""), SLICE_LIT(""), e);
    if (rq->body_too_long)
        answer_error(rq, 413, "too_long", "More than the limit for one request: send less at a time.");
    else if (e != OK && s->stored + s->failed == 0)
        answer_fault(rq, e == ERR_TRUNCATED ? ERR_SYNTAX : e, f);
    else if (s->stored + s->failed == 0)
        answer_error(rq, 400, "empty", "The request holds no instance.");
    else
        stow_answer(s, out);
}

void stow(struct request *rq) {
    struct media_type type;
    struct stow s;
    struct models out;
    struct fault f = {0};
    struct slice header = request_header(rq, "content-type");
    int form = header.p && media_parse(header, &type) ? form_of(&type) : -2;
    if (form == -2) {
        answer_error(
            rq, 415, "content_type",
            "Instances come as multipart/related; type=\"application/dicom\" (or application/dicom+json, "
            "application/dicom+xml with bulk data), or one as application/dicom.");
        return;
    }
    if (!models_choose(&out, rq, true))
        return;
    enum err e = stow_begin(&s, rq, &f);
    if (e != OK)
        answer_fault(rq, e, &f);
    else
        e = take_body(&s, &type, form, &f);
    stow_settle(&s);
    if (!rq->answered)
        finish(&s, e, &f, &out);
    stow_free(&s);
    models_free(&out);
}
