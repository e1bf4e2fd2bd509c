// STOW-RS, PS3.18 10.5: instances come as parts of a multipart, or one alone.
#include "route.h"
#include "stow_parts.h"

#include "http/media.h"
#include "http/multipart.h"

// One part after the other, as the body arrives; false: the multipart is broken (f), or ended too early.
static enum err take_parts(struct stow *s, struct multipart *m, struct fault *f) {
    struct stow_part part;
    struct multipart_event ev;
    bool inside = false;
    enum err e = OK;
    for (struct slice in = request_body(s->rq); in.n > 0 && e == OK; in = request_body(s->rq)) {
        enum multipart_kind kind = MULTIPART_DATA;
        while (e == OK && (kind = multipart_next(m, &in, &ev)) != MULTIPART_MORE) {
            if (kind == MULTIPART_ERROR) {
                e = fault_set(f, multipart_error(m), "a part of the multipart is malformed");
            } else if (kind == MULTIPART_PART) {
                stow_part_begin(&part, s);
                inside = true;
            } else if (kind == MULTIPART_DATA) {
                stow_part_take(&part, ev.data);
            } else if (kind == MULTIPART_PART_END) {
                stow_part_end(&part);
                stow_part_free(&part);
                inside = false;
            } else if (kind == MULTIPART_END) {
                break;
            }
        }
    }
    if (inside) { // the rest of it will not come
        stow_part_abort(&part);
        stow_part_free(&part);
    }
    return e == OK && multipart_finish(m) != OK ? fault_set(f, ERR_TRUNCATED, "the multipart has no end") : e;
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

static enum err take_body(struct stow *s, const struct media_type *type, struct fault *f) {
    if (media_is(type, "application/dicom"))
        return take_single(s);
    struct multipart *m = multipart_new(media_parameter(type, "boundary"), &multipart_limits_default);
    if (!m)
        return fault_set(f, ERR_SYNTAX, "the multipart names no boundary");
    enum err e = take_parts(s, m, f);
    multipart_free(m);
    return e;
}

static bool is_taken(const struct media_type *type) {
    struct slice parts = media_parameter(type, "type");
    return media_is(type, "application/dicom") ||
           (media_is(type, "multipart/related") && media_slice_is(parts, "application/dicom"));
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
    if (!header.p || !media_parse(header, &type) || !is_taken(&type)) {
        answer_error(
            rq, 415, "content_type",
            "Instances come as multipart/related; type=\"application/dicom\", or one as application/dicom.");
        return;
    }
    if (!models_choose(&out, rq, true))
        return;
    enum err e = stow_begin(&s, rq, &f);
    if (e != OK)
        answer_fault(rq, e, &f);
    else
        e = take_body(&s, &type, &f);
    stow_settle(&s);
    if (!rq->answered)
        finish(&s, e, &f, &out);
    stow_free(&s);
    models_free(&out);
}
