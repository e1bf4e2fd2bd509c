#include "models.h"

#include "accepts.h"

#include "dicom/xml_write.h"

#include <stdio.h>
#include <sys/random.h>

enum { BODY_MAX_BYTES = 64 * 1024 * 1024 };

void request_boundary(char ret_boundary[MULTIPART_BOUNDARY_BYTES + 1]) {
    uint8_t random[16];
    bug_unless(getrandom(random, sizeof random, 0) == sizeof random);
    multipart_boundary(random, ret_boundary);
}

bool models_choose(struct models *m, struct request *rq, bool single) {
    *m = (struct models){.rq = rq, .single = single, .body = BUF_INIT(BODY_MAX_BYTES)};
    const char *const offers[] = {"application/dicom+json", "application/json",
                                  single ? "application/dicom+xml"
                                         : "multipart/related; type=\"application/dicom+xml\""};
    struct accepted accepted;
    if (!request_accepts(rq, offers, 3, &accepted))
        return false;
    m->xml = accepted.offer == 2;
    snprintf(m->type, sizeof m->type, "%s", offers[accepted.offer]);
    if (m->xml && !single) {
        request_boundary(m->boundary);
        snprintf(m->type, sizeof m->type, "multipart/related; type=\"application/dicom+xml\"; boundary=%s",
                 m->boundary);
    }
    return true;
}

void models_free(struct models *m) {
    buf_fini(&m->body);
}

static enum err put_xml(struct models *m, const struct dicom_dataset *ds, struct fault *f) {
    struct dicom_json_options o = {.uri = m->uri, .uri_ctx = m->uri_ctx};
    if (!m->single)
        buf_printf(&m->body, "%s--%s\r\nContent-Type: application/dicom+xml\r\n\r\n", m->count ? "\r\n" : "",
                   m->boundary);
    return dicom_xml_write(ds, &o, &m->body, f);
}

static enum err put_json(struct models *m, const struct dicom_dataset *ds, struct fault *f) {
    struct dicom_json_options o = {.uri = m->uri, .uri_ctx = m->uri_ctx};
    if (!m->single)
        buf_append_str(&m->body, m->count ? "," : "[");
    return dicom_json_write(ds, &o, &m->body, f);
}

enum err models_put(struct models *m, const struct dicom_dataset *ds, struct fault *f) {
    enum err e = m->xml ? put_xml(m, ds, f) : put_json(m, ds, f);
    m->count++;
    return e == OK ? buf_check(&m->body, f, "an answer is too long") : e;
}

bool models_flush(struct models *m) {
    if (m->body.n < MODELS_PAGE_BYTES)
        return true;
    if (!m->rq->answered) {
        struct answer a = {.status = 200, .type = m->type, .length = -1};
        if (!answer_begin(m->rq, &a))
            return false;
    }
    bool there = answer_body(m->rq, buf_slice(&m->body), false);
    buf_reset(&m->body);
    return there;
}

static void end(struct models *m) {
    if (m->xml && !m->single)
        buf_printf(&m->body, "\r\n--%s--\r\n", m->boundary);
    else if (!m->xml && !m->single)
        buf_append_str(&m->body, m->count ? "]" : "[]");
}

void models_finish(struct models *m, struct answer *a) {
    end(m);
    a->type = m->type;
    if (m->rq->answered)
        (void)answer_body(m->rq, buf_slice(&m->body), true);
    else
        answer_whole(m->rq, a, buf_slice(&m->body));
}
