// Objects: studies, series, instances as DICOM files (PS3.18 10.4.1.1.1), whole or as parts of a multipart.
//
// What is compressed is sent as it is stored: there is no decoder yet. What is not is sent in the transfer
// syntax that was asked for, re-encoded on the way where it is stored in another; Implicit VR and big
// endian are never sent (8.7.3).
#include "accepts.h"
#include "retrieve.h"
#include "route.h"
#include "wado.h"
#include "zip.h"

#include "dicom/part10.h"
#include "dicom/recode.h"
#include "http/multipart.h"

#include <stdio.h>

enum { FORM_PARTS, FORM_SINGLE, FORM_ZIP };

struct objects {
    struct request *rq;
    struct retrieval from;
    char wanted[UID_MAX + 1]; // transfer syntax; "": Explicit VR Little Endian, "*": as stored
    char boundary[MULTIPART_BOUNDARY_BYTES + 1];
    struct buf head; // what comes before a body: part header, File Meta Information
    struct buf out;  // of re-encoding
    bool first;
    uint32_t left_out;
};

static const struct std_ts *explicit_le(void) {
    return std_ts_find(SLICE_LIT(UID_ExplicitVRLittleEndian));
}

// The syntax in which an object stored so is sent; NULL: it cannot be sent as wanted.
static const struct std_ts *syntax_for(const struct objects *o, struct slice stored) {
    const struct std_ts *from = std_ts_find(stored);
    if (!from)
        return strcmp(o->wanted, "*") == 0 ? explicit_le() : NULL;
    bool plain = dicom_recode_possible(from, explicit_le());
    if (strcmp(o->wanted, "*") == 0)
        return plain ? explicit_le() : from;
    if (o->wanted[0] == '\0') // 8.7.3.5.2: where only a lossy form exists, that form
        return plain ? explicit_le() : from->lossy ? from : NULL;
    const struct std_ts *to = std_ts_find(slice_str(o->wanted));
    if (!to || !to->explicit_vr || to->big_endian)
        return NULL;
    if (to == from)
        return to;
    return plain && dicom_recode_possible(from, to) ? to : NULL;
}

// --- one object

static void put_part10(struct objects *o, const struct object *object, const struct std_ts *ts) {
    dicom_meta_write(&o->head, slice_str(object->sop_class), slice_str(object->sop_instance),
                     slice_str(ts->uid), NULL);
}

struct recoding {
    struct objects *o;
    struct dicom_recoder *recoder;
    bool last; // of the answer
};

static enum err recode_piece(void *ctx, struct slice piece, bool last, struct fault *f) {
    struct recoding *r = ctx;
    buf_reset(&r->o->out);
    enum err e = dicom_recoder_feed(r->recoder, piece, &r->o->out, f);
    if (e == OK && last)
        e = dicom_recoder_finish(r->recoder, &r->o->out, f);
    if (e == OK && !buf_ok(&r->o->out))
        e = fault_set(f, ERR_NO_MEMORY, "re-encoding");
    if (e != OK || (r->o->out.n == 0 && !last))
        return e;
    return answer_body(r->o->rq, buf_slice(&r->o->out), last && r->last)
               ? OK
               : fault_set(f, ERR_PEER_GONE, "the client is gone");
}

static enum err send_recoded(struct objects *o, const struct object *object, const struct std_ts *to,
                             bool last, struct fault *f) {
    struct recoding r = {o, dicom_recoder_new(std_ts_find(slice_str(object->transfer)), to), last};
    if (!r.recoder)
        return fault_set(f, ERR_NO_MEMORY, "re-encoding");
    enum err e = retrieval_read(&o->from, 0, object->length, recode_piece, &r, f);
    dicom_recoder_free(r.recoder);
    return e;
}

// The head goes out with the first piece of the body.
static enum err send_object(struct objects *o, const struct object *object, const struct std_ts *ts,
                            bool last, struct fault *f) {
    if (!answer_body_begin(o->rq, buf_slice(&o->head), false))
        return fault_set(f, ERR_PEER_GONE, "the client is gone");
    if (strcmp(ts->uid, object->transfer) != 0)
        return send_recoded(o, object, ts, last, f);
    return retrieval_send(&o->from, 0, object->length, last, f);
}

// --- a multipart of them

static void put_part_header(struct objects *o, const struct object *object, const struct std_ts *ts) {
    char type[160], location[512];
    snprintf(type, sizeof type, "application/dicom; transfer-syntax=%s", ts->uid);
    snprintf(location, sizeof location, "%.*s/dicomweb/studies/%s/series/%s/instances/%s",
             SLICE_FMT(request_origin(o->rq)), object->study, object->series, object->sop_instance);
    const struct http_field fields[] = {{SLICE_LIT("Content-Type"), slice_str(type)},
                                        {SLICE_LIT("Content-Location"), slice_str(location)}};
    buf_reset(&o->head);
    multipart_write_part(&o->head, o->boundary, o->first, fields, 2);
    o->first = false;
    put_part10(o, object, ts);
}

static enum err send_all(struct objects *o, struct fault *f) {
    struct object object;
    enum err e = OK;
    while (e == OK && retrieval_next(&o->from, &object)) {
        const struct std_ts *ts = syntax_for(o, slice_str(object.transfer));
        if (object.error != OK)
            return fault_set(f, object.error, "an object cannot be read");
        if (!ts)
            continue;
        put_part_header(o, &object, ts);
        e = buf_ok(&o->head) ? send_object(o, &object, ts, false, f)
                             : fault_set(f, ERR_NO_MEMORY, "the head of an object");
    }
    if (e != OK)
        return e;
    buf_reset(&o->head);
    multipart_write_end(&o->head, o->boundary, o->first);
    if (!buf_ok(&o->head))
        return fault_set(f, ERR_NO_MEMORY, "the end of an answer");
    return !answer_body(o->rq, buf_slice(&o->head), true)
               ? fault_set(f, ERR_PEER_GONE, "the client is gone")
               : OK;
}

// Of the distinct pairs of what will be sent: how many cannot be sent as wanted.
static void survey(const struct objects *o, size_t *ret_good, size_t *ret_bad) {
    struct slice rest = buf_slice(&o->from.pairs);
    *ret_good = *ret_bad = 0;
    while (rest.p && rest.n > 0) {
        (void)slice_split(rest, 0, &rest);
        struct slice transfer = rest.p ? slice_split(rest, 0, &rest) : rest;
        if (transfer.n > 0)
            ++*(syntax_for(o, transfer) ? ret_good : ret_bad);
    }
}

static void send_multipart(struct objects *o, size_t bad) {
    struct fault f = {0};
    char type[MULTIPART_TYPE_MAX];
    struct answer a = {.status = bad ? 206 : 200, .type = type, .length = -1};
    request_boundary(o->boundary);
    multipart_write_type(type, "application/dicom", o->boundary);
    if (bad)
        answer_header(
            &a, "warning",
            SLICE_LIT("299 Galena: \"Some objects are compressed and cannot be decompressed: ask for "
                      "transfer-syntax=*\""));
    o->first = true;
    if (answer_begin(o->rq, &a) && send_all(o, &f) != OK)
        answer_break(o->rq);
}

// --- one alone

// The file as it would be whole, or a part of it: a download is taken up again.
static void send_range(struct objects *o, const struct object *object, struct answer *a) {
    struct fault f = {0};
    uint64_t from = 0, n = o->head.n + object->length;
    struct answer_part part;
    if (!answer_part_of(o->rq, a, n, &part))
        return;
    from = part.from;
    n = part.bytes;
    struct slice head =
        slice_sub(buf_slice(&o->head), from < o->head.n ? (size_t)from : o->head.n, o->head.n);
    if (head.n > n)
        head.n = (size_t)n;
    uint64_t at = from > o->head.n ? from - o->head.n : 0, rest = n - head.n;
    if (!answer_begin(o->rq, a) || (head.n > 0 && !answer_body_begin(o->rq, head, rest == 0)))
        return;
    if (rest == 0 ? !answer_wait(o->rq) : retrieval_send(&o->from, at, rest, true, &f) != OK)
        answer_break(o->rq);
}

static void send_single(struct objects *o) {
    struct object object;
    struct fault f = {0};
    if (!retrieval_next(&o->from, &object) || object.error != OK) {
        answer_error(o->rq, 503, "read", "The object cannot be read just now.");
        return;
    }
    const struct std_ts *ts = syntax_for(o, slice_str(object.transfer));
    bool as_stored = strcmp(ts->uid, object.transfer) == 0;
    char type[160], etag[40], name[120];
    snprintf(type, sizeof type, "application/dicom; transfer-syntax=%s", ts->uid);
    snprintf(etag, sizeof etag, "\"%016llx%s\"", (unsigned long long)object.tag, as_stored ? "" : "-r");
    snprintf(name, sizeof name, "attachment; filename=\"%s.dcm\"", object.sop_instance);
    struct answer a = {.status = 200, .type = type, .etag = etag, .length = -1};
    answer_header(&a, "content-disposition", slice_str(name));
    if (answer_not_modified(o->rq, &a))
        return;
    buf_reset(&o->head);
    put_part10(o, &object, ts);
    if (!buf_ok(&o->head))
        answer_error(o->rq, 503, "memory", "There is not enough memory just now.");
    else if (as_stored)
        send_range(o, &object, &a);
    else if (answer_begin(o->rq, &a) && send_object(o, &object, ts, true, &f) != OK)
        answer_break(o->rq);
}

static const char any_syntax[UID_MAX + 1] = "*";

// The first of the wanted forms in which something of it can be sent; the last when there is none.
static const struct accepted *choose_form(struct objects *o, const struct accepted *forms, size_t count,
                                          size_t *ret_good, size_t *ret_bad) {
    const struct accepted *form = forms;
    for (size_t i = 0; i < count; i++) {
        form = &forms[i];
        if (form->offer == FORM_ZIP) { // as stored: it is always to be had
            *ret_good = 1;
            break;
        }
        // Who takes anything takes the compressed files, too: PS3.18 8.7.3.5.2 is about application/dicom.
        bool anything = form->type[0] == '\0' && form->transfer[0] == '\0';
        memcpy(o->wanted, anything ? any_syntax : form->transfer, sizeof o->wanted);
        survey(o, ret_good, ret_bad);
        if (*ret_good > 0)
            break;
    }
    return form;
}

// Bodies come along where they will be sent from their beginning to their end.
static unsigned comes_with(const struct request *rq, const struct accepted *forms) {
    if (forms[0].offer == FORM_ZIP || slice_eq_str(rq->http->method, "HEAD") ||
        request_header(rq, "range").p || request_header(rq, "if-none-match").p)
        return 0;
    return rq->parts[2].n > 0 ? RETRIEVAL_WITH_BODY : RETRIEVAL_WITH_BODIES;
}

static void serve(struct request *rq, const struct accepted *forms, size_t count) {
    struct objects o = {.rq = rq, .head = BUF_INIT(64 * 1024), .out = BUF_INIT(16 * 1024 * 1024)};
    struct fault f = {0};
    size_t good = 0, bad = 0;
    enum err e = retrieval_open(&o.from, rq, comes_with(rq, forms), &f);
    const struct accepted *form = choose_form(&o, forms, count, &good, &bad);
    if (e != OK)
        answer_fault(rq, e, &f);
    else if (good == 0)
        answer_error(rq, 406, "transfer_syntax",
                     "It cannot be had in that transfer syntax: transfer-syntax=* is as it was stored.");
    else if (form->offer == FORM_SINGLE)
        send_single(&o);
    else if (form->offer == FORM_PARTS)
        send_multipart(&o, bad);
    bool zip = e == OK && form->offer == FORM_ZIP;
    if (zip)
        retrieval_close(&o.from);
    else
        retrieval_fini(&o.from);
    buf_fini(&o.head);
    buf_fini(&o.out);
    if (zip)
        zip_serve(rq);
}

static const char parts[] = "multipart/related; type=\"application/dicom\"";

void wado_study(struct request *rq) {
    static const char *const offers[] = {parts, "application/zip"};
    struct accepted forms[ACCEPTED_MAX];
    size_t count = request_accepts_some(rq, offers, 2, forms);
    for (size_t i = 0; i < count; i++)
        if (forms[i].offer == 1)
            forms[i].offer = FORM_ZIP;
    if (count > 0)
        serve(rq, forms, count);
}

void wado_instance(struct request *rq) {
    static const char *const offers[] = {parts, "application/dicom"};
    struct accepted forms[ACCEPTED_MAX];
    size_t count = request_accepts_some(rq, offers, 2, forms);
    if (count > 0)
        serve(rq, forms, count);
}

void wado_single(struct request *rq, const char *wanted) {
    struct accepted form = {.offer = FORM_SINGLE};
    snprintf(form.transfer, sizeof form.transfer, "%s", wanted);
    serve(rq, &form, 1);
}
