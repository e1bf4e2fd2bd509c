// DIR/run/supervisor.sock: one word a connection ("status", "reload", "stop"), one answer in text.
#include "supervisor.h"

#include "os/clock.h"
#include "os/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

enum { CONTROLS_MAX = 16, PATIENCE_MS = 10000 };

static const char socket_path[] = "run/supervisor.sock";

enum err control_open(struct supervisor *s, struct fault *f) {
    int fd = -1;
    enum err e = os_listen_unix(socket_path, SOCK_STREAM, 0600, &fd, f);
    if (e != OK)
        return e;
    e = watch_take(s, &s->control_listener, WATCH_CONTROL_LISTENER, fd, NULL, f);
    if (e != OK)
        return e;
    if (geteuid() == 0 && fchownat(AT_FDCWD, socket_path, s->dir_owner, (gid_t)-1, AT_SYMLINK_NOFOLLOW) < 0)
        return fault_errno(f, socket_path);
    return OK;
}

static void control_free(struct supervisor *s, struct control *take_c) {
    for (struct control **at = &s->controls; *at; at = &(*at)->next)
        if (*at == take_c) {
            *at = take_c->next;
            break;
        }
    watch_close(s, &take_c->watch);
    free(take_c);
}

// An answer always fits the socket's buffer; whoever does not read it loses it.
static void finish(struct supervisor *s, struct control *take_c, struct slice text) {
    (void)send(take_c->watch.fd, text.p, text.n, MSG_NOSIGNAL | MSG_DONTWAIT);
    control_free(s, take_c);
}

void control_on_listener(struct supervisor *s) {
    CLEANUP_FD int fd = -1;
    struct os_addr from;
    struct os_cred cred;
    if (os_accept(s->control_listener.fd, true, &fd, &from, NULL) != OK
        || os_peer_cred(fd, &cred, NULL) != OK)
        return;
    if (cred.uid != 0 && cred.uid != s->dir_owner && cred.uid != geteuid())
        return;
    unsigned n = 0;
    for (struct control *c = s->controls; c; c = c->next)
        n++;
    struct control *c = n < CONTROLS_MAX ? calloc(1, sizeof *c) : NULL;
    if (!c)
        return;
    if (watch_take(s, &c->watch, WATCH_CONTROL, os_fd_take(&fd), c, NULL) != OK) {
        free(c);
        return;
    }
    c->next = s->controls;
    c->give_up_at_ms = os_clock_ms() + PATIENCE_MS;
    s->controls = c;
}

static void ask_stats(struct supervisor *s, struct control *c) {
    c->want = CONTROL_WANTS_STATS;
    watch_forget(s, &(struct watch){.fd = c->watch.fd}); // nothing more to read; the descriptor stays
    if (!s->archive_ready || ipc_send(s->archive.fd, IPC_STATS, &(struct ipc_stats){0}, NULL, 0) != OK)
        control_stats(s, SLICE_LIT("archive restarting\n"));
}

static void obey(struct supervisor *s, struct control *c) {
    struct slice word = slice_trim(slice_of(c->line, c->n), " \r\n");
    if (slice_eq_str(word, "status")) {
        ask_stats(s, c);
    } else if (slice_eq_str(word, "reload")) {
        c->want = CONTROL_WANTS_RELOAD;
        watch_forget(s, &(struct watch){.fd = c->watch.fd});
        reload(s);
    } else if (slice_eq_str(word, "stop")) {
        finish(s, c, SLICE_LIT("stopping\n"));
        drain(s);
    } else {
        finish(s, c, SLICE_LIT("unknown word\n"));
    }
}

void control_on_event(struct supervisor *s, struct control *c) {
    ssize_t n = read(c->watch.fd, c->line + c->n, sizeof c->line - c->n);
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (n <= 0) {
        control_free(s, c);
        return;
    }
    c->n += (size_t)n;
    if (memchr(c->line, '\n', c->n))
        obey(s, c);
    else if (c->n == sizeof c->line)
        control_free(s, c);
}

static void own_stats(const struct supervisor *s, struct buf *b) {
    static const char *const names[] = {[IPC_LANE_TLS] = "dicom",
                                        [IPC_LANE_PLAIN] = "plain",
                                        [IPC_LANE_LOCAL] = "local",
                                        [IPC_LANE_HTTPS] = "https"};
    buf_printf(b, "state %s\npid %d\nversion %s\nuptime_s %" PRId64 "\n",
               s->draining ? "stopping" : s->archive_ready ? "serving" : "restarting", (int)getpid(),
               GALENA_VERSION, (os_clock_ms() - s->started_ms) / 1000);
    for (unsigned i = 0; i < s->listener_count; i++)
        buf_printf(b, "%s %s\n",
                   names[s->listeners[i].lane], s->listeners[i].address);
    buf_printf(b, "connections %u\nconnections_web %u\nconnections_total %" PRIu64 "\ncrashes %" PRIu64 "\n",
               s->session_count, s->web_count, s->total_sessions, s->crashes);
}

// Answers all who wait for this.
static void answer_all(struct supervisor *s, enum control_want want, struct slice text) {
    for (struct control *c = s->controls, *next; c; c = next) {
        next = c->next;
        if (c->want == want)
            finish(s, c, text);
    }
}

void control_stats(struct supervisor *s, struct slice text) {
    struct buf b = BUF_INIT(16 * 1024);
    own_stats(s, &b);
    buf_append_slice(&b, text);
    answer_all(s, CONTROL_WANTS_STATS, buf_slice(&b));
    buf_fini(&b);
}

void control_reloaded(struct supervisor *s, struct slice text) {
    answer_all(s, CONTROL_WANTS_RELOAD, text);
}

void control_tick(struct supervisor *s, int64_t now_ms) {
    for (struct control *c = s->controls, *next; c; c = next) {
        next = c->next;
        if (c->give_up_at_ms <= now_ms)
            control_free(s, c);
    }
}
