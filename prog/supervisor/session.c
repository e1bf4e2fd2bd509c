// Connections: from accept to the end of both processes that serve them.
#include "supervisor.h"

#include "os/clock.h"
#include "os/fd.h"
#include "os/stream.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>

enum {
    // When one of a session's two processes has ended, the other follows by itself: the gate says farewell
    // (10 s at most), a worker finishes what it hands to the archive.
    LINGER_MS = 30000,
    MESSAGES_AT_ONCE = 512, // more than a socket holds: the last words of one that ended are all heard
    LINES_AT_ONCE = 100,    // a worker may log; then
    LINES_PER_S = 5,
    STRANGERS_LINES_AT_ONCE = 200, // all together, about connections that have not shown who they are
    STRANGERS_LINES_PER_S = 10,
};

static bool has_gate(enum ipc_lane lane) {
    return lane == IPC_LANE_TLS || lane == IPC_LANE_HTTPS;
}

// The ends of a session's channels, while they are being handed out.
struct channels {
    int stream; // what the worker speaks over, when a gate is before it
    int archive_worker, worker;
    int archive_gate, gate;
    int gate_plain;
    int shared; // memory of gate and worker, for the bytes of the stream
};

static void channels_close(struct channels *c) {
    int *all[] = {&c->stream, &c->archive_worker, &c->worker, &c->archive_gate, &c->gate, &c->gate_plain,
                  &c->shared};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        os_fd_close(all[i]);
}

static bool pair_up(enum err (*make)(int[2], struct fault *), int *ret_a, int *ret_b) {
    int pair[2];
    if (make(pair, NULL) != OK)
        return false;
    *ret_a = pair[0];
    *ret_b = pair[1];
    return true;
}

static bool pair_stream(struct channels *c) {
    return pair_up(os_fd_pair_stream, &c->gate_plain, &c->stream) &&
           os_shm_make("galena-stream", OS_STREAM_SHM_BYTES, &c->shared, NULL) == OK;
}

static void join_private_classes(const struct conf *c, char *dst, size_t cap) {
    size_t n = 0;
    dst[0] = '\0';
    for (size_t i = 0; i < c->private_sop_class_count && cap - n > sizeof c->private_sop_classes[0] + 1; i++)
        n += (size_t)snprintf(dst + n, cap - n, "%s%s", i ? "\n" : "", c->private_sop_classes[i]);
}

static void join_proxies(const struct conf_web *c, char dst[CONF_PROXIES_MAX * 64]) {
    char one[64];
    dst[0] = '\0';
    for (size_t i = 0, n = 0; i < c->proxy_count; i++) {
        conf_cidr_format(&c->proxies[i], one);
        n += (size_t)snprintf(dst + n, CONF_PROXIES_MAX * 64 - n, "%s%s", i ? "\n" : "", one);
    }
}

static void add_web_settings(const struct conf *c, const char *proxies, const char *provider,
                             struct ipc_connect *m) {
    m->artim_ms = c->web.http_header_s * 1000; // the gate's time for the handshake
    m->http_two = c->web.https_http2;
    m->name = slice_str(c->name);
    m->ae_title = slice_str(c->ae_title);
    m->url = slice_str(c->web.url);
    m->proxies = slice_str(proxies);
    m->header_ms = c->web.http_header_s * 1000;
    m->keep_alive_ms = c->web.http_idle_s * 1000;
    m->body_idle_ms = c->web.http_body_idle_s * 1000;
    m->upload_max = c->web.upload_max_bytes;
    m->provider = slice_str(provider);
}

static bool connect_child(struct supervisor *s, const struct session *session, struct child *c,
                          const int *fds, unsigned n) {
    char classes[CONF_PRIVATE_CLASSES_MAX * sizeof s->conf.private_sop_classes[0]];
    char proxies[CONF_PROXIES_MAX * 64];
    join_private_classes(&s->conf, classes, sizeof classes);
    join_proxies(&s->conf.web, proxies);
    struct ipc_connect m = {
        .session = session->id,
        .lane = (uint8_t)session->lane,
        .outbound = session->outbound,
        .source = slice_str(session->from),
        .artim_ms = s->conf.limits.artim_s * 1000,
        .idle_ms = s->conf.limits.idle_s * 1000,
        .total_ms = s->conf.limits.total_s * 1000,
        .max_pdu = s->conf.limits.max_pdu_bytes,
        .no_retired = !s->conf.accept_retired_sop_classes,
        .prefer_uncompressed = s->conf.prefer_archive_order,
        .private_classes = slice_str(classes),
    };
    if (session->lane == IPC_LANE_HTTPS)
        add_web_settings(&s->conf, proxies, s->provider_name, &m);
    return ipc_send(c->ctl.fd, IPC_CONNECT, &m, fds, n) == OK;
}

static struct session *session_new(struct supervisor *s, enum ipc_lane lane) {
    struct session *session = calloc(1, sizeof *session);
    if (!session)
        return NULL;
    *session = (struct session){
        .id = ++s->next_session, .lane = lane, .next = s->sessions, .at = &s->sessions};
    if (session->next)
        session->next->at = &session->next;
    s->sessions = session;
    s->session_count++;
    s->web_count += lane == IPC_LANE_HTTPS;
    s->web_unproven += lane == IPC_LANE_HTTPS;
    s->total_sessions++;
    return session;
}

static void session_free(struct supervisor *s, struct session *take_session) {
    bool web = take_session->lane == IPC_LANE_HTTPS;
    if (take_session->counted)
        penalty_leave(s->penalties, take_session->source, take_session->proven, os_clock_ms());
    *take_session->at = take_session->next;
    if (take_session->next)
        take_session->next->at = take_session->at;
    s->session_count--;
    s->web_count -= web;
    s->web_unproven -= web && !take_session->proven;
    free(take_session);
}

static struct child *take_child(struct supervisor *s, struct session *session, enum os_role role) {
    struct child *c = spawn_take(s, role);
    if (c)
        c->session = session;
    return c;
}

// Makes the channels and takes the processes; what was got stays in *c and the session.
static bool gather(struct supervisor *s, struct session *session, struct channels *c) {
    enum os_role role = session->lane == IPC_LANE_HTTPS ? OS_ROLE_WEB : OS_ROLE_DIMSE;
    session->worker = take_child(s, session, role);
    if (!session->worker || !pair_up(os_fd_pair_seqpacket, &c->archive_worker, &c->worker))
        return false;
    if (!has_gate(session->lane))
        return true;
    session->gate = take_child(s, session, OS_ROLE_GATE);
    if (!session->gate || !pair_stream(c))
        return false;
    // Browsers show no certificate: the gate before them has nothing to tell the archive, and no way to.
    return session->lane == IPC_LANE_HTTPS || pair_up(os_fd_pair_seqpacket, &c->archive_gate, &c->gate);
}

// The archive first: it must know the session before its worker or its gate says anything.
static bool hand_out(struct supervisor *s, struct session *session, int client, const struct channels *c) {
    struct ipc_session_new m = {
        .session = session->id, .lane = (uint8_t)session->lane, .source = slice_str(session->from)};
    int to_archive[] = {c->archive_worker, c->archive_gate};
    bool gated = has_gate(session->lane), tells = c->gate >= 0;
    int to_worker[] = {gated ? c->stream : client, c->worker, c->shared};
    int to_gate[] = {client, c->gate_plain, c->shared, c->gate};
    return ipc_send(s->archive.fd, IPC_SESSION_NEW, &m, to_archive, tells ? 2 : 1) == OK
        && connect_child(s, session, session->worker, to_worker, gated ? 3 : 2)
        && (!gated || connect_child(s, session, session->gate, to_gate, tells ? 4 : 3));
}

static const char *refusal(enum penalty_verdict v) {
    switch (v) {
    case PENALTY_TOO_MANY:
        return "this address has too many connections (per_source)";
    case PENALTY_TOO_MANY_UNPROVEN:
        return "this address has too many connections that have not shown who they are";
    case PENALTY_WAITS:
        return "this address waits after crashing a worker";
    case PENALTY_NO_MEMORY:
        return "not enough memory";
    case PENALTY_ADMIT:
        break;
    }
    return NULL;
}

// Browsers that nobody has signed in with may take half of what there is: equipment still gets in.
static bool too_many(const struct supervisor *s, enum ipc_lane lane) {
    uint32_t most = s->conf.limits.max_connections;
    return s->session_count >= most || (lane == IPC_LANE_HTTPS && s->web_unproven >= (most + 1) / 2);
}

static bool admit_any(const struct supervisor *s, enum ipc_lane lane) {
    static int64_t told_ms;
    if (!too_many(s, lane))
        return true;
    if (os_clock_ms() - told_ms > 10000) {
        os_log(OS_LOG_WARN, "connection refused: too many altogether (max_connections)");
        told_ms = os_clock_ms();
    }
    return false;
}

static bool admit(struct supervisor *s, const char *source) {
    const char *why = refusal(penalty_admit(s->penalties, source, os_clock_ms()));
    if (why && penalty_is_news(s->penalties, source))
        os_log(OS_LOG_WARN, "connections refused", OS_LOG_TEXT("from", source), OS_LOG_TEXT("why", why));
    return !why;
}

static void give_up(struct supervisor *s, struct session *session) {
    os_log(OS_LOG_ERROR, "a connection cannot be served now", OS_LOG_TEXT("from", session->from));
    if (!session->gate && !session->worker)
        session_free(s, session);
    else
        session_kill(s, session, SIGKILL); // and reap() frees it
}

// The local lane is the administrator's own; behind a trusted proxy there is everybody.
static bool is_counted(const struct supervisor *s, enum ipc_lane lane, const struct os_addr *from) {
    for (size_t i = 0; lane == IPC_LANE_HTTPS && i < s->conf.web.proxy_count; i++)
        if (conf_cidr_contains(&s->conf.web.proxies[i], (const struct sockaddr *)&from->sa))
            return false;
    return lane != IPC_LANE_LOCAL;
}

void session_start(struct supervisor *s, enum ipc_lane lane, int take_fd, const struct os_addr *from) {
    CLEANUP_FD int client = take_fd;
    char source[OS_ADDR_TEXT];
    os_addr_source(from, source);
    bool counted = is_counted(s, lane, from);
    if (lane != IPC_LANE_LOCAL && (!admit_any(s, lane) || (counted && !admit(s, source))))
        return;
    struct session *session = session_new(s, lane);
    if (!session) {
        if (counted)
            penalty_leave(s->penalties, source, false, os_clock_ms());
        return;
    }
    os_addr_host_text(from, session->from);
    memcpy(session->source, source, sizeof source);
    session->counted = counted;
    CLEANUP(channels_close) struct channels c = {-1, -1, -1, -1, -1, -1, -1};
    if (!gather(s, session, &c) || !hand_out(s, session, client, &c))
        give_up(s, session);
}

// A gate in client mode before a connection we made. ret_fds: the plain stream, the gate's channel, the
// memory it shares with the worker.
bool session_outbound(struct supervisor *s, int take_fd, const char *target, int ret_fds[3]) {
    CLEANUP_FD int client = take_fd;
    struct session *session = session_new(s, IPC_LANE_TLS);
    if (!session)
        return false;
    session->outbound = true;
    snprintf(session->from, sizeof session->from, "%.*s", (int)sizeof session->from - 1, target);
    CLEANUP(channels_close) struct channels c = {-1, -1, -1, -1, -1, -1, -1};
    session->gate = take_child(s, session, OS_ROLE_GATE);
    bool good = session->gate && pair_up(os_fd_pair_seqpacket, &c.archive_gate, &c.gate)
        && pair_stream(&c)
        && connect_child(s, session, session->gate,
                         (const int[]){client, c.gate_plain, c.shared, c.gate}, 4);
    if (!good) {
        give_up(s, session);
        return false;
    }
    ret_fds[0] = os_fd_take(&c.stream);
    ret_fds[1] = os_fd_take(&c.archive_gate);
    ret_fds[2] = os_fd_take(&c.shared);
    return true;
}

struct session *session_by_id(struct supervisor *s, uint64_t id) {
    struct session *session = s->sessions;
    while (session && session->id != id)
        session = session->next;
    return session;
}

void session_child_gone(struct supervisor *s, struct child *take_c) {
    struct session *session = take_c->session;
    if (take_c->ctl.fd >= 0)
        session_on_child_message(s, take_c); // its last words
    spawn_forget_child(s, take_c);
    if (!session)
        return;
    if (session->gate == take_c)
        session->gate = NULL;
    else
        session->worker = NULL;
    if (!session->gate && !session->worker)
        session_free(s, session);
    else if (session->kill_at_ms == 0)
        session->kill_at_ms = os_clock_ms() + LINGER_MS;
}

void session_kill(struct supervisor *s, struct session *session, int signal) {
    (void)s;
    if (session->gate)
        kill(session->gate->pid, signal);
    if (session->worker)
        kill(session->worker->pid, signal);
}

void session_kill_all(struct supervisor *s, int signal) {
    for (struct session *session = s->sessions; session; session = session->next)
        session_kill(s, session, signal);
}

void session_drain_web(struct supervisor *s) {
    for (struct session *session = s->sessions; session; session = session->next)
        if (session->lane == IPC_LANE_HTTPS && session->worker && session->worker->ctl.fd >= 0)
            (void)ipc_send(session->worker->ctl.fd, IPC_DRAIN, &(struct ipc_drain){0}, NULL, 0);
}

void session_tick(struct supervisor *s, int64_t now_ms) {
    for (struct session *session = s->sessions; session; session = session->next)
        if (session->kill_at_ms != 0 && session->kill_at_ms <= now_ms)
            session_kill(s, session, SIGKILL);
}

// Neither a worker in hostile hands nor a scanner may fill the disk with log lines.
static bool take_line(struct line_budget *b, unsigned at_once, unsigned per_s) {
    int64_t now_ms = os_clock_ms(), gained = (now_ms - b->filled_ms) / 1000 * per_s;
    if (gained > 0) {
        b->lines = gained >= (int64_t)at_once - b->lines ? at_once : b->lines + (unsigned)gained;
        b->filled_ms = now_ms;
    }
    return b->lines > 0 && b->lines-- > 0;
}

static bool allow_line(struct supervisor *s, struct child *c) {
    if (!take_line(&c->budget, LINES_AT_ONCE, LINES_PER_S))
        return false;
    if (!c->session || c->session->proven)
        return true;
    if (!take_line(&s->strangers, STRANGERS_LINES_AT_ONCE, STRANGERS_LINES_PER_S)) {
        s->lines_left_out++;
        return false;
    }
    if (s->lines_left_out > 0)
        os_log(OS_LOG_WARN, "lines about strangers left out", OS_LOG_NUM("lines", s->lines_left_out));
    s->lines_left_out = 0;
    return true;
}

static void log_line(struct supervisor *s, struct child *c, const struct ipc_log *m) {
    char who[160] = "";
    const struct session *session = c->session;
    if (session && session->peer[0])
        snprintf(who, sizeof who, "%s %s", session->from, session->peer);
    else if (session)
        snprintf(who, sizeof who, "%s", session->from);
    if (allow_line(s, c))
        os_log_relay((enum os_log_level)m->level, os_role_name(c->role), who, m->text);
}

// LOG is all a child may say; after anything else, or the end, it is not listened to any more.
// So many at a time, so that one that never stops does not keep us from the others.
void session_on_child_message(struct supervisor *s, struct child *c) {
    for (unsigned n = 0; n < MESSAGES_AT_ONCE; n++) {
        struct ipc_msg m;
        struct fault f = {0};
        enum err e = ipc_recv_now(c->ctl.fd, IPC_CHILD_TO_SUPERVISOR, 0, s->message, &m, &f);
        if (e == ERR_BUSY)
            return;
        if (e != OK) {
            if (e != ERR_PEER_GONE)
                kill(c->pid, SIGKILL);
            spawn_unspare(s, c);
            watch_close(s, &c->ctl);
            return;
        }
        log_line(s, c, &m.u.log);
    }
}
