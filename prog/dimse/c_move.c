// C-MOVE, PS3.4 C.4.2: the objects go to a configured peer, on an association of our own.
#include "os/clock.h"
#include "os/fd.h"
#include "retrieve.h"

static size_t split_pairs(struct slice text, struct ul_pair *pairs, size_t cap) {
    size_t n = 0;
    while (text.n > 0 && n < cap) {
        pairs[n].sop_class = slice_split(text, 0, &text);
        if (!text.p)
            break;
        pairs[n++].transfer = slice_split(text, 0, &text);
        if (!text.p)
            break;
    }
    return n;
}

static enum err propose(struct retrieval *r, struct link *to, int take_fd, int take_shm_fd, struct fault *f) {
    enum { PAIRS_MAX = 512 };
    struct worker *w = r->subops.w;
    struct arena arena = ARENA_INIT(UL_ARENA_BYTES_MAX);
    struct ul_pair *pairs = arena_calloc(&arena, PAIRS_MAX, sizeof *pairs);
    struct ul_associate rq;
    size_t left_out = 0;
    ul_associate_init(&rq, ul_assoc_request(w->client.assoc)->called, r->command.move_destination);
    enum err e = pairs ? ul_negotiate_propose(pairs, split_pairs(buf_slice(&r->pairs), pairs, PAIRS_MAX),
                                              &arena, &rq, &left_out)
                       : ERR_NO_MEMORY;
    struct ul_assoc *assoc = e == OK ? ul_assoc_new_requestor(&w->timers, &rq, os_clock_ms(), f) : NULL;
    if (!assoc) {
        os_fd_close(&take_fd);
        os_fd_close(&take_shm_fd);
    }
    if (!assoc || !link_open(to, take_fd, take_shm_fd, assoc))
        e = fault_set(f, ERR_NO_MEMORY, "association to the destination");
    arena_fini(&arena);
    return e;
}

static enum err await_acceptance(struct link *to, struct fault *f) {
    struct ul_assoc_event ev;
    while (link_next(to, &ev)) {
        if (ev.kind == UL_EV_ASSOCIATED)
            return OK;
        if (ev.kind == UL_EV_REJECTED)
            return fault_set(f, ERR_DESTINATION, "the destination refused the association: %s",
                             ul_reject_text(ev.refusal));
    }
    return fault_set(f, ERR_DESTINATION, "the destination closed the connection");
}

static enum err connect_destination(struct retrieval *r, struct link *to, struct fault *f) {
    struct worker *w = r->subops.w;
    struct ipc_dial_peer ask = {.ae_title = slice_str(r->command.move_destination)};
    struct ipc_msg m = channel_call(&w->archive, IPC_DIAL_PEER, &ask, IPC_PEER_DIALED);
    if (m.u.peer_dialed.error != OK)
        return fault_set(f, (enum err)m.u.peer_dialed.error, "%.*s", SLICE_FMT(m.u.peer_dialed.detail));
    enum err e = propose(r, to, ipc_msg_take_fd(&m, 0), ipc_msg_take_fd(&m, 1), f);
    return e == OK ? await_acceptance(to, f) : e;
}

static void release(struct link *to) {
    struct ul_assoc_event ev;
    if (to->gone)
        return;
    if (!ul_assoc_established(to->assoc)) {
        ul_assoc_abort(to->assoc, ERR_PROTOCOL, "the destination broke off", os_clock_ms());
        (void)link_flush(to);
        return;
    }
    ul_assoc_release(to->assoc, os_clock_ms());
    while (link_next(to, &ev))
        ;
}

void c_move(struct worker *w, const struct ul_assoc_event *ev) {
    struct retrieval r;
    if (!retrieval_begin(&r, w, ev))
        return;
    struct link to = {.stream.fd = -1, .gone = true};
    struct fault f = {0};
    enum err e = connect_destination(&r, &to, &f);
    if (e == ERR_DESTINATION && to.assoc == NULL) {
        retrieval_refuse(&r, DIMSE_MOVE_DESTINATION_UNKNOWN, "move destination unknown");
    } else {
        if (e != OK)
            worker_log(w, OS_LOG_WARN, "C-MOVE to %s: %s", r.command.move_destination, f.detail);
        r.subops.to = &to;
        r.subops.broken = e != OK;
        r.subops.originator = w->calling;
        subops_run(&r.subops);
        subops_finish(&r.subops); // first: the client need not wait for the destination's manners
        if (e == OK)
            release(&to);
    }
    link_close(&to);
    retrieval_end(&r);
}
