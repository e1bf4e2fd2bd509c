// A connection as the archive sees it: what was proven, which phase it is in, and the messages of
// its worker and its gate. A message that the table does not allow now ends the session.
#include "archive.h"

#include <stdio.h>
#include <sys/epoll.h>

#include "os/fd.h"
#include "os/listen.h"

// What a worker or auth does not read must not stop the one loop that serves all the others.
static bool never_waits(enum watch_kind kind, int fd) {
    return (kind != WATCH_WORKER && kind != WATCH_AUTH) || os_fd_set_nonblock(fd, true, NULL) == OK;
}

// One that nobody watches would let the other side wait for ever: closed, so that it knows.
bool watch_add(struct archive *a, struct watch *w, enum watch_kind kind, int take_fd, struct session *s) {
    *w = (struct watch){kind, take_fd, s};
    struct epoll_event ev = {.events = EPOLLIN, .data.ptr = w};
    if (never_waits(kind, take_fd) && epoll_ctl(a->epoll, EPOLL_CTL_ADD, take_fd, &ev) == 0)
        return true;
    os_log(OS_LOG_ERROR, "cannot watch a channel");
    os_fd_close(&w->fd);
    return false;
}

void watch_close(struct archive *a, struct watch *w) {
    if (w->fd < 0)
        return;
    (void)epoll_ctl(a->epoll, EPOLL_CTL_DEL, w->fd, NULL);
    os_fd_close(&w->fd);
}

void session_log(struct archive *a, struct session *s, enum os_log_level level, const char *fmt, ...) {
    char text[1024];
    va_list ap;
    va_start(ap, fmt);
    struct slice line = slice_vformat(text, sizeof text, fmt, ap);
    va_end(ap);
    struct ipc_archive_log m = {.level = (uint8_t)level, .session = s ? s->id : 0, .text = line};
    if (a->supervisor.fd < 0 || ipc_send(a->supervisor.fd, IPC_ARCHIVE_LOG, &m, NULL, 0) != OK)
        os_log(level, text);
}

static void parse_source(struct session *s) {
    struct conf_addr address = {.port = 0};
    socklen_t n;
    if (strlen(s->source) >= sizeof address.host)
        return;
    strcpy(address.host, s->source);
    if (!conf_addr_to_sockaddr(&address, &s->proof.source, &n))
        s->proof.source.ss_family = AF_UNSPEC;
}

void session_new(struct archive *a, const struct ipc_session_new *m, int take_worker_fd, int take_gate_fd) {
    struct session *s = calloc(1, sizeof *s);
    if (!s || m->lane > IPC_LANE_HTTPS || !slice_to_cstr(m->source, s->source, sizeof s->source)) {
        free(s);
        os_fd_close(&take_worker_fd);
        os_fd_close(&take_gate_fd);
        return;
    }
    s->id = m->session;
    s->proof.lane = (enum ipc_lane)m->lane;
    parse_source(s);
    s->phase = IPC_PHASE_NEW;
    s->arena = ARENA_INIT(4 * 1024 * 1024);
    s->ring.fd = s->gate.fd = s->dialled_fd = s->dialled_shm_fd = s->dialled_gate.fd = -1;
    s->worker.fd = -1;
    bool watched = take_gate_fd < 0 || watch_add(a, &s->gate, WATCH_GATE, take_gate_fd, s);
    watched = watch_add(a, &s->worker, WATCH_WORKER, take_worker_fd, s) && watched;
    s->next = a->sessions;
    if (s->next)
        s->next->previous = s;
    a->sessions = s;
    if (!watched)
        session_end(a, s, "its channels cannot be watched");
}

void session_end(struct archive *a, struct session *s, const char *why) {
    if (s->ending)
        return;
    if (why)
        session_log(a, s, OS_LOG_WARN, "session ended: %s", why);
    s->ending = true;
    storing_forget(a, s);
    jobs_forget(a, s);
    finding_end(a, s);
    retrieving_end(a, s);
    dialling_end(a, s);
    watch_close(a, &s->worker);
    watch_close(a, &s->gate);
    ring_close(a, s);
    if (s->previous)
        s->previous->next = s->next;
    else
        a->sessions = s->next;
    if (s->next)
        s->next->previous = s->previous;
    s->next = a->ended;
    a->ended = s;
}

// Not before the round of events is over: an event later in the same round may still point here.
void sessions_bury(struct archive *a) {
    while (a->ended) {
        struct session *s = a->ended;
        a->ended = s->next;
        arena_fini(&s->arena);
        view_free(s->view);
        free(s);
    }
}

void session_reply(struct archive *a, struct session *s, enum ipc_type type, const void *body, int fd) {
    session_reply_fds(a, s, type, body, &fd, fd >= 0 ? 1 : 0);
}

void session_reply_fds(struct archive *a, struct session *s, enum ipc_type type, const void *body,
                       const int *fds, unsigned n) {
    if (s->ending)
        return;
    enum err e = ipc_send(s->worker.fd, type, body, fds, n);
    if (e == ERR_PEER_GONE)
        session_end(a, s, NULL);
    else if (e != OK)
        session_end(a, s, "its worker does not take answers");
}

void session_set_view(struct session *s, struct view *take_view) {
    view_free(s->view);
    s->view = take_view;
}

struct session *session_by_request(struct archive *a, uint64_t request, uint32_t phase) {
    for (struct session *s = a->sessions; s; s = s->next)
        if (s->phase == phase && s->request == request)
            return s;
    return NULL;
}

static void ring_get(struct archive *a, struct session *s) {
    struct fault f = {0};
    if (ring_make(a, s, &f) != OK) {
        session_end(a, s, f.detail);
        return;
    }
    struct ipc_ring m = {.body_bytes = RING_BODY_BYTES, .aux_bytes = RING_AUX_BYTES};
    session_reply(a, s, IPC_RING, &m, s->ring.fd);
}

// Every message a worker may send, once: who handles it. The table spec/ipc.tsv has said already
// that the phase is right.
static void dispatch(struct archive *a, struct session *s, struct ipc_msg *m) {
    switch ((int)m->type) {
    case IPC_ASSOCIATE:
        associate_on_request(a, s, &m->u.associate);
        break;
    case IPC_RING_GET:
        ring_get(a, s);
        break;
    case IPC_STORE_BODY:
        storing_on_body(a, s, &m->u.store_body);
        break;
    case IPC_STORE_COMMIT:
        storing_on_commit(a, s, &m->u.store_commit);
        break;
    case IPC_STORE_ABORT:
        storing_on_abort(a, s);
        break;
    case IPC_QUERY:
        finding_on_query(a, s, &m->u.query);
        break;
    case IPC_QUERY_MORE:
        finding_on_more(a, s);
        break;
    case IPC_QUERY_END:
        finding_end(a, s);
        break;
    case IPC_LOCATE:
        retrieving_on_locate(a, s, &m->u.locate);
        break;
    case IPC_OBJECT_NEXT:
        retrieving_on_next(a, s, &m->u.object_next);
        break;
    case IPC_OBJECT_READ:
        retrieving_on_read(a, s, &m->u.object_read);
        break;
    case IPC_RETRIEVE_END:
        retrieving_end(a, s);
        break;
    case IPC_DELETE_OBJECTS:
        deleting_on_delete(a, s, &m->u.delete_objects);
        break;
    case IPC_ADMIN:
        admin_on_admin(a, s, &m->u.admin);
        break;
    case IPC_COUNT:
        counting_on_count(a, s, &m->u.count);
        break;
    case IPC_CHANNEL_NEW:
        channels_on_new(a, s);
        break;
    case IPC_IDENTIFY:
        signing_on_identify(a, s, &m->u.identify);
        break;
    case IPC_RELEASE:
        signing_on_release(a, s);
        break;
    case IPC_SIGN_IN:
        signing_on_sign_in(a, s, &m->u.sign_in);
        break;
    case IPC_SIGN_OUT:
        signing_on_sign_out(a, s);
        break;
    case IPC_OIDC_START:
        signing_on_oidc_start(a, s, &m->u.oidc_start);
        break;
    case IPC_OIDC_FINISH:
        signing_on_oidc_finish(a, s, &m->u.oidc_finish);
        break;
    case IPC_TOKENS:
        account_on_list(a, s, IPC_ACCOUNT_TOKENS);
        break;
    case IPC_TOKEN_CREATE:
        account_on_token(a, s, &m->u.token_create);
        break;
    case IPC_TOKEN_REVOKE:
        account_on_end(a, s, IPC_ACCOUNT_TOKENS, m->u.token_revoke.id);
        break;
    case IPC_SESSIONS:
        account_on_list(a, s, IPC_ACCOUNT_SESSIONS);
        break;
    case IPC_SESSION_REVOKE:
        account_on_end(a, s, IPC_ACCOUNT_SESSIONS, m->u.session_revoke.id);
        break;
    case IPC_PROVE:
        account_on_prove(a, s, &m->u.prove);
        break;
    case IPC_PASSWORD_CHANGE:
        account_on_password(a, s, &m->u.password_change);
        break;
    case IPC_TOTP_BEGIN:
        account_on_totp(a, s, IPC_TOTP_STEP_BEGIN, slice_of(NULL, 0));
        break;
    case IPC_TOTP_CONFIRM:
        account_on_totp(a, s, IPC_TOTP_STEP_CONFIRM, m->u.totp_confirm.code);
        break;
    case IPC_TOTP_OFF:
        account_on_totp(a, s, IPC_TOTP_STEP_OFF, slice_of(NULL, 0));
        break;
    case IPC_DIAL_PEER:
        dialling_on_request(a, s, &m->u.dial_peer);
        break;
    default:
        session_end(a, s, "a message no worker may send");
    }
}

// Takes in what the gate has said, if it has: it speaks before it relays the first byte, so its
// word is there whenever the worker's first is.
void session_on_gate(struct archive *a, struct session *s) {
    struct ipc_msg m;
    struct fault f = {0};
    enum err e = ipc_recv_now(s->gate.fd, IPC_GATE_TO_ARCHIVE, 0, a->buffer, &m, &f);
    if (e == ERR_BUSY)
        return;
    if (e == OK && !s->proof.has_certificate && m.u.proven.fingerprint.n == CONF_FINGERPRINT_BYTES) {
        memcpy(s->proof.fingerprint, m.u.proven.fingerprint.p, CONF_FINGERPRINT_BYTES);
        s->proof.has_certificate = true;
    } else if (e != ERR_PEER_GONE) {
        session_end(a, s, "its gate broke the protocol");
        return;
    }
    watch_close(a, &s->gate); // it has no more to say, ever
}

static bool holds_secret(enum ipc_type type) {
    return type == IPC_ASSOCIATE || type == IPC_IDENTIFY || type == IPC_SIGN_IN || type == IPC_OIDC_FINISH ||
           type == IPC_PROVE || type == IPC_PASSWORD_CHANGE || type == IPC_TOTP_CONFIRM;
}

void session_on_worker(struct archive *a, struct session *s) {
    if (s->phase == IPC_PHASE_NEW && s->gate.fd >= 0)
        session_on_gate(a, s);
    if (s->ending)
        return;
    struct ipc_msg m;
    struct fault f = {0};
    enum ipc_link link = s->proof.lane == IPC_LANE_HTTPS ? IPC_WEB_TO_ARCHIVE : IPC_DIMSE_TO_ARCHIVE;
    enum err e = ipc_recv_now(s->worker.fd, link, s->phase, a->buffer, &m, &f);
    if (e == ERR_BUSY)
        return;
    if (e != OK) {
        session_end(a, s, e == ERR_PEER_GONE ? NULL : f.detail);
        return;
    }
    signing_on_message(a, s, m.type);
    if (!s->ending)
        dispatch(a, s, &m);
    ipc_msg_close_fds(&m);
    if (holds_secret(m.type))
        explicit_bzero(a->buffer, IPC_MAX_BYTES);
}
