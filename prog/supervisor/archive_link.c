// What the archive and auth say, and what happens when the archive is gone.
#include "supervisor.h"

#include "os/clock.h"

#include <signal.h>
#include <stdio.h>
#include <unistd.h>

enum { BACKOFF_FIRST_MS = 200, BACKOFF_MOST_MS = 30000, STABLE_MS = 60000 };

static void on_proven(struct supervisor *s, const struct ipc_session_proven *m) {
    struct session *session = session_by_id(s, m->session);
    if (!session || session->proven)
        return;
    session->proven = true;
    if (session->lane != IPC_LANE_HTTPS || session->counted) // through a proxy come many
        (void)slice_to_cstr(m->peer, session->peer, sizeof session->peer);
    if (session->lane == IPC_LANE_HTTPS)
        s->web_unproven--;
    if (session->counted)
        penalty_proven(s->penalties, session->source);
}

static void on_log(struct supervisor *s, const struct ipc_archive_log *m) {
    char who[160] = "";
    const struct session *session = m->session ? session_by_id(s, m->session) : NULL;
    if (session)
        snprintf(who, sizeof who, "%s%s%s", session->from, session->peer[0] ? " " : "", session->peer);
    os_log_relay((enum os_log_level)m->level, "archive", who, m->text);
}

static void on_reloaded(struct supervisor *s, const struct ipc_reloaded *m) {
    char text[700];
    if (m->error == OK)
        snprintf(text, sizeof text, "reloaded\n");
    else
        snprintf(text, sizeof text, "the old settings stay: %.*s\n", SLICE_FMT(m->detail));
    os_log(m->error == OK ? OS_LOG_INFO : OS_LOG_ERROR, m->error == OK ? "reloaded" : "the old settings stay",
           OS_LOG_SLICE("detail", m->detail));
    control_reloaded(s, slice_str(text));
}

static void dispatch(struct supervisor *s, struct ipc_msg *m) {
    switch ((int)m->type) {
    case IPC_ARCHIVE_READY:
        s->archive_ready = true;
        become_ready(s);
        break;
    case IPC_SESSION_PROVEN:
        on_proven(s, &m->u.session_proven);
        break;
    case IPC_DIAL:
        dial_start(s, &m->u.dial);
        break;
    case IPC_RELOADED:
        on_reloaded(s, &m->u.reloaded);
        break;
    case IPC_ACCOUNTS_STALE: {
        struct fault f = {0};
        if (accounts_reload(s, &f) != OK)
            os_log_fault(OS_LOG_ERROR, "the old users stay", &f);
        break;
    }
    case IPC_STATS_REPLY:
        control_stats(s, m->u.stats_reply.text);
        break;
    case IPC_ARCHIVE_LOG:
        on_log(s, &m->u.archive_log);
        break;
    default:
        break;
    }
}

void archive_on_message(struct supervisor *s) {
    struct ipc_msg m;
    struct fault f = {0};
    enum err e = ipc_recv_now(s->archive.fd, IPC_ARCHIVE_TO_SUPERVISOR, 0, s->message, &m, &f);
    if (e == ERR_BUSY)
        return;
    if (e == OK) {
        dispatch(s, &m);
        return;
    }
    if (e != ERR_PEER_GONE)
        os_log_fault(OS_LOG_ERROR, "the archive breaks the protocol", &f);
    watch_close(s, &s->archive); // reap() sees its end
    if (s->archive_pid > 0 && e != ERR_PEER_GONE)
        kill(s->archive_pid, SIGKILL);
}

void auth_on_message(struct supervisor *s) {
    struct ipc_msg m;
    struct fault f = {0};
    enum err e = ipc_recv_now(s->auth.fd, IPC_AUTH_TO_SUPERVISOR, 0, s->message, &m, &f);
    if (e == OK)
        os_log_relay((enum os_log_level)m.u.auth_log.level, "auth", NULL, m.u.auth_log.text);
    else if (e != ERR_BUSY)
        watch_close(s, &s->auth);
}

// Without the archive no session can go on: nothing is acknowledged that it has not taken.
void archive_is_gone(struct supervisor *s) {
    int64_t now_ms = os_clock_ms();
    watch_close(s, &s->archive);
    s->archive_ready = false;
    session_kill_all(s, SIGTERM);
    control_stats(s, SLICE_LIT("archive restarting\n"));
    control_reloaded(s, SLICE_LIT("the archive is not running\n"));
    listen_watch(s, false); // who connects now waits in the listen queue
    bool stable = now_ms - s->archive_started_ms > STABLE_MS;
    if (stable || s->archive_backoff_ms == 0)
        s->archive_backoff_ms = BACKOFF_FIRST_MS;
    s->archive_retry_at_ms = now_ms + s->archive_backoff_ms;
    s->archive_backoff_ms *= 2;
    if (s->archive_backoff_ms > BACKOFF_MOST_MS)
        s->archive_backoff_ms = BACKOFF_MOST_MS;
}
