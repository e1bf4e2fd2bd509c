// C-FIND, PS3.4 C.4.1: the identifier becomes a query of the index; rows become pending answers as
// they come; a C-CANCEL between them ends it.
#include "base/rd.h"
#include "dicom/writer.h"
#include "identifier.h"
#include "os/clock.h"
#include "std/tag.h"

enum { FLUSH_BYTES = 128 * 1024 };

struct find {
    struct worker *w;
    const struct ul_assoc_event *rq;
    struct find_plan plan;
    struct buf answer;
    uint64_t sent;
};

bool cancelled(struct worker *w, uint16_t message_id) {
    struct ul_assoc_event ev;
    while (link_peek(&w->client, &ev)) {
        if (ev.kind == UL_EV_COMMAND && ev.command->field == DIMSE_C_CANCEL_RQ &&
            ev.command->responded_to == message_id)
            return true;
        bool is_request = ev.kind == UL_EV_COMMAND && !dimse_is_response(ev.command) &&
                          ev.command->field != DIMSE_C_CANCEL_RQ;
        if (is_request) { // sent ahead: answered when this one is
            link_hold(&w->client, &ev);
            return false;
        }
        if (ev.kind == UL_EV_RELEASE_RQ) // it wants no more answers
            ul_assoc_release_reply(w->client.assoc, os_clock_ms());
        if (ev.kind == UL_EV_RELEASE_RQ || ev.kind == UL_EV_ABORTED || ev.kind == UL_EV_CLOSED)
            return true;
    }
    return false;
}

static enum err send_answer(struct find *q, struct fault *f) {
    struct ul_assoc *assoc = q->w->client.assoc;
    struct dimse_command rsp =
        dimse_response(q->rq->command, q->plan.unsupported ? DIMSE_PENDING_OPTIONAL_KEYS : DIMSE_PENDING);
    rsp.data_set_type = DIMSE_DATA_SET;
    enum err e = ul_assoc_send_command(assoc, q->rq->context, &rsp, f);
    if (e == OK)
        e = ul_assoc_send_data(assoc, q->rq->context, buf_slice(&q->answer), true, f);
    if (e == OK && ul_assoc_output(assoc).n >= FLUSH_BYTES && !link_flush(&q->w->client))
        e = ERR_PEER_GONE;
    q->sent++;
    return e;
}

// What every answer has besides the keys: PS3.4 C.4.1.1.3.2.
static enum err put_frame(const struct find *q, struct dicom_dataset *answer,
                          const struct dicom_charset *charset) {
    const char *called = ul_assoc_request(q->w->client.assoc)->called;
    enum err e = dicom_dataset_put_str(answer, TAG_QueryRetrieveLevel, VR_CS,
                                       identifier_level_name(q->plan.id->level));
    if (e == OK)
        e = dicom_dataset_put_str(answer, TAG_RetrieveAETitle, VR_AE, called);
    struct buf label = BUF_INIT(1024);
    dicom_charset_label(charset, &label);
    if (e == OK && label.n > 0)
        e = dicom_dataset_put(answer, TAG_SpecificCharacterSet, VR_CS, buf_slice(&label));
    buf_fini(&label);
    return e;
}

// The next row, to the answer's bytes; nothing when a key matched here says no.
static enum err build_answer(struct find *q, const struct slice *values, struct slice summary,
                             bool *ret_matches, struct fault *f) {
    struct dicom_dataset *answer = NULL;
    struct dicom_charset charset;
    buf_reset(&q->answer);
    enum err e = find_answer(&q->plan, values, summary, ret_matches, &answer, &charset, f);
    if (e != OK || !*ret_matches)
        return e;
    e = put_frame(q, answer, &charset);
    return e == OK ? dicom_dataset_write(answer, q->plan.id->syntax, &q->answer, f)
                   : fault_set(f, e, "an answer could not be built");
}

static enum err send_row(struct find *q, struct rd *rows, size_t *summary_at, struct fault *f) {
    struct slice values[INDEX_ATTR_COUNT_];
    for (size_t i = 0; i < q->plan.return_count; i++) {
        uint16_t n = rd_u16le(rows);
        values[i] = rd_bytes(rows, n);
    }
    uint32_t n = q->plan.summaries ? rd_u32le(rows) : 0;
    struct slice summary = channel_aux_slice(&q->w->archive, *summary_at, n);
    *summary_at += n;
    bool matches = false;
    enum err e = build_answer(q, values, summary, &matches, f);
    return e == OK && matches ? send_answer(q, f) : e;
}

static enum err send_rows(struct find *q, const struct ipc_query_rows *m, struct fault *f) {
    struct rd rows = rd_init(m->rows);
    size_t summary_at = 0;
    enum err e = OK;
    for (unsigned i = 0; e == OK && i < m->count; i++)
        e = send_row(q, &rows, &summary_at, f);
    return e;
}

static struct ipc_query question(struct find *q, uint8_t returns[2 * INDEX_ATTR_COUNT_]) {
    for (size_t i = 0; i < q->plan.return_count; i++) {
        returns[2 * i] = (uint8_t)q->plan.returns[i];
        returns[2 * i + 1] = (uint8_t)(q->plan.returns[i] >> 8);
    }
    if (q->plan.conditions.n > 0)
        memcpy(channel_aux(&q->w->archive), q->plan.conditions.p, q->plan.conditions.n);
    return (struct ipc_query){.root = (uint8_t)q->plan.id->root,
                              .level = (uint8_t)q->plan.id->level,
                              .flags = q->plan.summaries ? QUERY_FLAG_SUMMARY : 0,
                              .conditions_bytes = (uint32_t)q->plan.conditions.n,
                              .returns = slice_of(returns, 2 * q->plan.return_count)};
}

// Status of the end: 0000, FE00 or an error. ERR_PEER_GONE: nobody is there to hear it.
static enum err run(struct find *q, struct fault *f) {
    uint8_t returns[2 * INDEX_ATTR_COUNT_];
    struct ipc_query ask = question(q, returns);
    struct ipc_msg m = channel_call(&q->w->archive, IPC_QUERY, &ask, IPC_QUERY_ROWS);
    for (;;) {
        const struct ipc_query_rows rows = m.u.query_rows;
        if (rows.error != OK)
            return fault_set(f, (enum err)rows.error, "the archive could not answer");
        enum err e = send_rows(q, &rows, f);
        bool stop = e != OK || cancelled(q->w, q->rq->command->message_id);
        if (stop && !rows.done)
            channel_tell(&q->w->archive, IPC_QUERY_END, &(struct ipc_query_end){0});
        if (e != OK || stop)
            return e != OK ? e : rows.done ? OK : ERR_CANCELLED;
        if (rows.done)
            return OK;
        m = channel_call(&q->w->archive, IPC_QUERY_MORE, &(struct ipc_query_more){0}, IPC_QUERY_ROWS);
    }
}

static uint16_t status_of(enum err e) {
    return e == ERR_MISMATCH || e == ERR_UNSUPPORTED ? DIMSE_DATA_SET_MISMATCH : err_dimse_status(e);
}

void c_find(struct worker *w, const struct ul_assoc_event *ev) {
    struct dimse_command command = *ev->command;
    struct ul_assoc_event rq = *ev;
    rq.command = &command;
    struct identifier id;
    struct fault f = {0};
    uint16_t status;
    if (!identifier_receive(w, &rq, &id, &status, &f)) {
        if (status != 0) {
            worker_log(w, OS_LOG_WARN, "C-FIND of peer %s refused with %04X: %s", w->peer, status, f.detail);
            (void)reply_status(w, &rq, status, f.detail);
        }
        identifier_free(&id);
        return;
    }
    struct find q = {.w = w, .rq = &rq, .answer = BUF_INIT(16 * 1024 * 1024)};
    struct ul_query_options agreed =
        ul_query_options_decode(ul_assoc_extended(w->client.assoc, command.affected_class));
    struct find_options options = {.empty_value = agreed.empty_value,
                                   .multiple_value = agreed.multiple_value,
                                   .datetime = agreed.datetime};
    enum err e = channel_ring(&w->archive, &f);
    if (e == OK)
        e = find_plan_make(&q.plan, &id, &options, &f);
    if (e == OK)
        e = run(&q, &f);
    w->queries++;
    if (e != ERR_PEER_GONE) {
        if (e != OK && e != ERR_CANCELLED)
            worker_log(w, OS_LOG_WARN, "C-FIND of peer %s failed: %s: %s", w->peer, err_text(e), f.detail);
        (void)reply_status(w, &rq, status_of(e), f.detail);
    }
    find_plan_free(&q.plan);
    buf_fini(&q.answer);
    identifier_free(&id);
}
