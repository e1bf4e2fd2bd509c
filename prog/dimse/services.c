// The services, a row each (PS3.7 9.3 has the messages), and what they share.
#include "worker.h"

static const struct service {
    uint16_t field;
    uint32_t right;
    bool data_set; // one must follow
    void (*serve)(struct worker *w, const struct ul_assoc_event *ev);
} services[] = {
    {DIMSE_C_ECHO_RQ, IPC_RIGHT_ECHO, false, c_echo},    {DIMSE_C_STORE_RQ, IPC_RIGHT_STORE, true, c_store},
    {DIMSE_C_FIND_RQ, IPC_RIGHT_QUERY, true, c_find},    {DIMSE_C_GET_RQ, IPC_RIGHT_RETRIEVE, true, c_get},
    {DIMSE_C_MOVE_RQ, IPC_RIGHT_RETRIEVE, true, c_move},
};

bool reply(struct worker *w, uint8_t context, const struct dimse_command *rsp) {
    struct fault f = {0};
    return ul_assoc_send_command(w->client.assoc, context, rsp, &f) == OK && link_flush(&w->client);
}

bool reply_status(struct worker *w, const struct ul_assoc_event *ev, uint16_t status, const char *comment) {
    struct dimse_command rsp = dimse_response(ev->command, status);
    if (comment && *comment)
        dimse_command_set_comment(&rsp, comment);
    return reply(w, ev->context, &rsp);
}

bool drain_data_set(struct worker *w) {
    struct ul_assoc_event ev;
    while (link_next(&w->client, &ev)) {
        if (ev.kind != UL_EV_DATA)
            return false;
        if (ev.last)
            return true;
    }
    return false;
}

enum err collect_data_set(struct worker *w, struct buf *ret_bytes) {
    struct ul_assoc_event ev;
    while (link_next(&w->client, &ev)) {
        if (ev.kind != UL_EV_DATA)
            return ERR_PEER_GONE;
        buf_append_slice(ret_bytes, ev.data);
        if (ev.last)
            return buf_error(ret_bytes);
    }
    return ERR_PEER_GONE;
}

static void refuse(struct worker *w, const struct ul_assoc_event *ev, uint16_t status, const char *comment) {
    struct ul_assoc_event copy = *ev;
    struct dimse_command command = *ev->command;
    copy.command = &command;
    if (dimse_has_data_set(&command) && !drain_data_set(w))
        return;
    (void)reply_status(w, &copy, status, comment);
}

void serve_command(struct worker *w, const struct ul_assoc_event *ev) {
    if (dimse_is_response(ev->command) || ev->command->field == DIMSE_C_CANCEL_RQ) {
        // A late cancel is no error (PS3.7 9.3.2.3.1); an answer nobody asked for is passed over.
        if (dimse_has_data_set(ev->command))
            (void)drain_data_set(w);
        return;
    }
    for (size_t i = 0; i < sizeof services / sizeof services[0]; i++) {
        const struct service *s = &services[i];
        if (s->field != ev->command->field)
            continue;
        if (!(w->rights & s->right)) {
            worker_log(w, OS_LOG_WARN, "%s refused: peer %s may not: galena peer add … --can gives rights",
                       dimse_field_name(ev->command->field), w->peer);
            refuse(w, ev, DIMSE_NOT_AUTHORISED, "not authorised");
        } else if (s->data_set != dimse_has_data_set(ev->command)) {
            refuse(w, ev, DIMSE_MISTYPED_ARGUMENT,
                   s->data_set ? "no data set follows" : "no data set belongs here");
        } else {
            s->serve(w, ev);
        }
        return;
    }
    worker_log(w, OS_LOG_WARN, "%s is no service of this archive", dimse_field_name(ev->command->field));
    refuse(w, ev, DIMSE_UNRECOGNIZED_OPERATION, "unrecognized operation");
}
