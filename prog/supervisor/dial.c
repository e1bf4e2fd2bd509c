// Connections to configured peers. The archive has checked that the peer is one; a child of its own
// resolves the name and connects, because look-ups take long and parse what a name server says.
#include "supervisor.h"

#include "os/fd.h"
#include "os/msg.h"
#include "os/proc.h"

#include <grp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { DIAL_MS = 15000, DIALERS_MAX = 64, REPORT_FD = 3 };

// What the child reports, with the connection when there is one.
struct dial_report {
    uint16_t error;
    char detail[192];
};

static bool confine_dialer(void) {
    uid_t uid = OS_UID_DIALER;
    if (geteuid() == 0
        && (setgroups(0, NULL) < 0 || setresgid(uid, uid, uid) < 0 || setresuid(uid, uid, uid) < 0))
        return false;
    return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 && prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) == 0
        && os_proc_die_with_parent(NULL) == OK;
}

static _Noreturn void run_dialer(int report, const char *host, const char *port) {
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    if (dup2(report, REPORT_FD) < 0 || syscall(SYS_close_range, REPORT_FD + 1, ~0U, 0) < 0
        || !confine_dialer())
        _exit(1);
    alarm(2 * DIAL_MS / 1000); // a look-up has no time-out of its own that we could set
    struct fault f = {0};
    int fd = -1;
    struct dial_report r = {.error = (uint16_t)os_dial_tcp(host, port, DIAL_MS, &fd, &f)};
    memcpy(r.detail, f.detail, sizeof r.detail);
    enum err e = os_msg_send(REPORT_FD, slice_of(&r, sizeof r), &fd, r.error == OK, NULL);
    _exit(e == OK ? 0 : 1);
}

static void answer(struct supervisor *s, uint64_t request, enum err error, const char *detail, const int *fds,
                   unsigned n) {
    struct ipc_dialed m = {.request = request, .error = (uint16_t)error, .detail = slice_str(detail)};
    if (s->archive.fd >= 0)
        (void)ipc_send(s->archive.fd, IPC_DIALED, &m, fds, n);
}

static unsigned dialer_count(const struct supervisor *s) {
    unsigned n = 0;
    for (const struct dialer *d = s->dialers; d; d = d->next)
        n++;
    return n;
}

static struct dialer *dialer_new(struct supervisor *s, const struct ipc_dial *m, const char *host) {
    int pair[2];
    if (dialer_count(s) >= DIALERS_MAX || os_fd_pair_seqpacket(pair, NULL) != OK)
        return NULL;
    CLEANUP_FD int ours = pair[0], theirs = pair[1];
    struct dialer *d = calloc(1, sizeof *d);
    char port[8];
    snprintf(port, sizeof port, "%u", m->port);
    pid_t pid = d ? fork() : -1;
    if (pid == 0)
        run_dialer(theirs, host, port);
    if (pid < 0) {
        free(d);
        return NULL;
    }
    *d = (struct dialer){.next = s->dialers, .pid = pid, .request = m->request, .tls = m->tls != 0};
    snprintf(d->target, sizeof d->target, "%.240s:%s", host, port);
    if (watch_take(s, &d->watch, WATCH_DIALER, os_fd_take(&ours), d, NULL) != OK) {
        free(d);
        return NULL;
    }
    s->dialers = d;
    return d;
}

void dial_start(struct supervisor *s, const struct ipc_dial *m) {
    char host[CONF_HOST_MAX + 1];
    if (!slice_to_cstr(m->host, host, sizeof host) || m->port == 0 || !dialer_new(s, m, host))
        answer(s, m->request, ERR_BUSY, "cannot dial now", NULL, 0);
}

static void dialer_free(struct supervisor *s, struct dialer *take_d) {
    for (struct dialer **at = &s->dialers; *at; at = &(*at)->next)
        if (*at == take_d) {
            *at = take_d->next;
            break;
        }
    watch_close(s, &take_d->watch);
    free(take_d);
}

static void hand_over(struct supervisor *s, const struct dialer *d, int take_fd) {
    CLEANUP_FD int fd = take_fd;
    if (!d->tls) {
        answer(s, d->request, OK, "", &fd, 1);
        return;
    }
    int fds[3];
    if (!session_outbound(s, os_fd_take(&fd), d->target, fds)) {
        answer(s, d->request, ERR_BUSY, "no gate for the connection", NULL, 0);
        return;
    }
    answer(s, d->request, OK, "", fds, 3);
    os_fd_close(&fds[0]);
    os_fd_close(&fds[1]);
    os_fd_close(&fds[2]);
}

void dial_on_event(struct supervisor *s, struct dialer *d) {
    struct dial_report r;
    CLEANUP(os_msg_fds_close) struct os_msg_fds fds = {.n = 0};
    size_t n = 0;
    enum err e = os_msg_recv_now(d->watch.fd, &r, sizeof r, 1, &n, &fds, NULL);
    if (e == ERR_BUSY)
        return;
    if (e != OK || n != sizeof r || (r.error == OK) != (fds.n == 1)) {
        answer(s, d->request, ERR_TIMEOUT, "the connection could not be made in time", NULL, 0);
    } else if (r.error != OK) {
        r.detail[sizeof r.detail - 1] = '\0';
        answer(s, d->request, r.error < ERR_COUNT_ ? (enum err)r.error : ERR_IO, r.detail, NULL, 0);
    } else {
        hand_over(s, d, os_msg_fds_take(&fds, 0));
    }
    dialer_free(s, d);
}
