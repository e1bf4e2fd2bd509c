#include "retrieve.h"

static enum err locate(struct retrieval *r, struct identifier *id, struct fault *f) {
    struct worker *w = r->subops.w;
    struct buf conditions = BUF_INIT(QUERY_MAX_BYTES);
    enum err e = channel_ring(&w->archive, f);
    if (e == OK)
        e = identifier_unique_keys(id, &conditions, f);
    if (e == OK) {
        if (conditions.n > 0)
            memcpy(channel_aux(&w->archive), conditions.p, conditions.n);
        struct ipc_locate ask = {.root = (uint8_t)id->root,
                                 .level = (uint8_t)id->level,
                                 .conditions_bytes = (uint32_t)conditions.n,
                                 .first = r->command.field == DIMSE_C_GET_RQ, // C-MOVE dials before
                                 .max = channel_turn_bytes(&w->archive)};
        struct ipc_msg m = channel_call(&w->archive, IPC_LOCATE, &ask, IPC_LOCATED);
        e = (enum err)m.u.located.error;
        r->subops.remaining = m.u.located.count;
        r->subops.asked = ask.first && e == OK && r->subops.remaining > 0;
        buf_append_slice(&r->pairs, m.u.located.pairs);
        if (e != OK)
            (void)fault_set(f, e, "the archive could not look the objects up");
    }
    buf_fini(&conditions);
    return e;
}

bool retrieval_begin(struct retrieval *ret_r, struct worker *w, const struct ul_assoc_event *ev) {
    struct retrieval *r = ret_r;
    *r = (struct retrieval){.command = *ev->command, .rq = *ev, .pairs = BUF_INIT(65536)};
    r->rq.command = &r->command;
    r->subops = (struct subops){.w = w, .rq = &r->rq, .failed_uids = BUF_INIT(1 << 24)};
    struct identifier id;
    struct fault f = {0};
    uint16_t status = 0;
    bool there = identifier_receive(w, &r->rq, &id, &status, &f);
    enum err e = there ? locate(r, &id, &f) : ERR_MISMATCH;
    if (there && e != OK)
        status = err_dimse_status(e);
    if (status == DIMSE_OUT_OF_RESOURCES)
        status = DIMSE_OUT_OF_RESOURCES_MATCHES;
    identifier_free(&id);
    if (e == OK)
        return true;
    if (status != 0) {
        worker_log(w, OS_LOG_WARN, "%s of peer %s refused with %04X: %s", dimse_field_name(r->command.field),
                   w->peer, status, f.detail);
        (void)reply_status(w, &r->rq, status, f.detail);
    }
    subops_free(&r->subops);
    buf_fini(&r->pairs);
    return false;
}

void retrieval_end(struct retrieval *r) {
    struct worker *w = r->subops.w;
    subops_free(&r->subops);
    channel_tell(&w->archive, IPC_RETRIEVE_END, &(struct ipc_retrieve_end){0});
    buf_fini(&r->pairs);
}

void retrieval_refuse(struct retrieval *r, uint16_t status, const char *why) {
    (void)reply_status(r->subops.w, &r->rq, status, why);
}
