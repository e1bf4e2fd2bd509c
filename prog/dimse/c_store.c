// C-STORE, PS3.4 Annex B: the data set goes byte for byte into the ring as it arrives, past the
// reader that picks out what the index needs; the answer comes when the archive says it is durable.
#include "worker/incoming.h"
#include "worker.h"

// Status and comment for what went wrong (PS3.4 B.2.3): A7xx asks the sender to try again, and
// nothing else does; A900 and Cxxx say that trying again is no use.
static void refuse(struct worker *w, const struct ul_assoc_event *rq, enum err code, const char *detail) {
    uint16_t status = err_dimse_status(code);
    worker_log(w, OS_LOG_WARN, "C-STORE of peer %s refused with %04X: %s: %s", w->peer, status,
               err_text(code), detail);
    (void)reply_status(w, rq, status, detail);
}

static enum err check_command(struct worker *w, const struct ul_assoc_event *rq,
                              const struct ul_agreed *agreed, struct fault *f) {
    (void)w;
    if (!agreed->we_are_scp)
        return fault_set(f, ERR_DENIED, "this context is not for storing here");
    if (strcmp(rq->command->affected_class, agreed->abstract) != 0)
        return fault_set(f, ERR_UNSUPPORTED, "SOP class is not that of the presentation context");
    if (!rq->command->affected_instance[0])
        return fault_set(f, ERR_UID, "the request's SOP Instance UID is no UID");
    return OK;
}

void c_store(struct worker *w, const struct ul_assoc_event *ev) {
    struct dimse_command command = *ev->command;
    struct ul_assoc_event rq = *ev;
    rq.command = &command;
    const struct ul_agreed *agreed = ul_assoc_context(w->client.assoc, rq.context);
    struct fault f = {0};
    enum err e = check_command(w, &rq, agreed, &f);
    struct incoming in = {.archive = &w->archive};
    struct incoming_claim claim = {.sop_class = command.affected_class,
                                   .sop_instance = command.affected_instance};
    if (e == OK)
        e = incoming_begin(&in, &w->archive, incoming_tools_preloaded(), &claim, agreed->transfer, &f);
    bool begun = e == OK;
    struct ul_assoc_event part = {.kind = UL_EV_NONE};
    do { // to the end of the data set whatever happens: the association goes on
        if (e == OK)
            e = incoming_space(&in, &w->client.into, &w->client.into_room, &f);
        bool there = link_next(&w->client, &part) && part.kind == UL_EV_DATA;
        w->client.into = NULL;
        if (!there) {
            if (begun)
                incoming_abort(&in);
            return;
        }
        if (e == OK)
            e = incoming_take(&in, part.data, &f);
    } while (!part.last);
    if (e == OK)
        e = incoming_commit(&in, &f);
    else if (begun)
        incoming_abort(&in);
    if (e != OK) {
        refuse(w, &rq, e, f.detail);
        return;
    }
    w->stored++;
    (void)reply_status(w, &rq, DIMSE_SUCCESS, NULL);
}
