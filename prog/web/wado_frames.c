// Frames of an instance: PS3.18 10.4.1.1.3. A frame is one read.
#include "instance.h"
#include "route.h"

#include "http/multipart.h"

#include <stdio.h>

enum { FRAMES_AT_ONCE_MAX = 10000 };

// "1,3,2": PS3.18 Table 10.4.1-1, {frames}. They count from 1.
static bool parse_list(struct slice list, uint32_t *numbers, size_t *ret_count) {
    size_t n = 0;
    struct slice rest = list;
    while (rest.p) {
        uint64_t number;
        if (n == FRAMES_AT_ONCE_MAX || !slice_to_u64(slice_split(rest, ',', &rest), UINT32_MAX, &number) ||
            number == 0)
            return false;
        numbers[n++] = (uint32_t)number - 1;
    }
    *ret_count = n;
    return true;
}

static void put_frame_header(struct instance *x, uint32_t frame) {
    char what[32];
    snprintf(what, sizeof what, "/frames/%u", frame + 1);
    instance_put_part(x, what);
}

// Of the whole answer, so that it needs no chunks; -1: some frame is in fragments.
static int64_t length_of(struct instance *x, const uint32_t *numbers, size_t count) {
    uint64_t n = 0;
    struct dicom_ref ref;
    for (size_t i = 0; i < count; i++) {
        if (!dicom_frames_native(&x->table, numbers[i], &ref))
            return -1;
        put_frame_header(x, numbers[i]);
        if (!buf_ok(&x->head))
            return -1;
        n += x->head.n + ref.length;
    }
    buf_reset(&x->head);
    multipart_write_end(&x->head, x->boundary, false);
    n += x->head.n;
    x->first = true;
    return (int64_t)n;
}

static enum err send_frames(struct instance *x, const uint32_t *numbers, size_t count, struct fault *f) {
    enum err e = OK;
    for (size_t i = 0; e == OK && i < count; i++) {
        put_frame_header(x, numbers[i]);
        if (!buf_ok(&x->head))
            return fault_set(f, ERR_NO_MEMORY, "the head of a frame");
        if (!answer_body_begin(x->rq, buf_slice(&x->head), false))
            return fault_set(f, ERR_PEER_GONE, "the client is gone");
        e = instance_send_frame(x, numbers[i], false, f);
    }
    return e == OK ? instance_end_multipart(x, f) : e;
}

static void answer_frames(struct instance *x, const uint32_t *numbers, size_t count, bool single) {
    struct fault f = {0};
    instance_choose_type(x);
    if (single) {
        struct dicom_ref ref = {0, 0};
        struct answer a = {.status = 200, .type = x->type, .length = -1};
        if (dicom_frames_native(&x->table, numbers[0], &ref))
            a.length = (int64_t)ref.length;
        if (answer_begin(x->rq, &a) && instance_send_frame(x, numbers[0], true, &f) != OK)
            answer_break(x->rq);
        return;
    }
    request_boundary(x->boundary);
    if (instance_begin_multipart(x, length_of(x, numbers, count)) && send_frames(x, numbers, count, &f) != OK)
        answer_break(x->rq);
}

static bool all_exist(const struct instance *x, const uint32_t *numbers, size_t count) {
    for (size_t i = 0; i < count; i++)
        if (!instance_has_frame(x, numbers[i]))
            return false;
    return true;
}

// The first of the wanted forms that it can be sent in; NULL: none.
static const struct accepted *form_for(const struct instance *x, const struct accepted *forms, size_t count) {
    for (size_t i = 0; i < count; i++)
        if (instance_is_sent_as(x, &forms[i]))
            return &forms[i];
    return NULL;
}

void wado_frames(struct request *rq) {
    struct instance x;
    struct fault f = {0};
    size_t count = 0;
    const struct accepted *form = NULL;
    static const char *const offers[] = {"multipart/related; type=\"*\"", "application/octet-stream"};
    struct accepted forms[ACCEPTED_MAX];
    size_t form_count = request_accepts_some(rq, offers, 2, forms);
    if (form_count == 0)
        return;
    // Most objects have this frame only: then its bytes are at hand.
    unsigned with = slice_eq_str(rq->parts[3], "1") ? RETRIEVAL_WITH_BODY : 0;
    enum err e = instance_open(&x, rq, with, &f);
    uint32_t *numbers = arena_calloc(&x.arena, FRAMES_AT_ONCE_MAX, sizeof *numbers);
    if (e != OK)
        answer_fault(rq, e, &f);
    else if (!numbers)
        answer_fault(rq, ERR_NO_MEMORY, &f);
    else if (!parse_list(rq->parts[3], numbers, &count) || (forms[0].offer == 1 && count != 1))
        answer_error(rq, 400, "frames", "Frames are a list of numbers from 1 on, such as 1,2,5.");
    else if (!all_exist(&x, numbers, count))
        answer_error(rq, 404, "not_found", "There is no such frame.");
    else if (!(form = form_for(&x, forms, form_count)))
        answer_error(rq, 406, "transfer_syntax",
                     "It cannot be had in that transfer syntax: transfer-syntax=* is as it was stored.");
    else
        answer_frames(&x, numbers, count, form->offer == 1 && count == 1);
    instance_close(&x);
}
