// Starting the other programs, and keeping spare workers.
#include "supervisor.h"

#include "os/clock.h"
#include "os/fd.h"
#include "os/memfd.h"
#include "os/proc.h"
#include "os/template.h"
#include "trust.h"

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

enum {
    READY_WITHIN_MS = 20000,
    RETRY_MS = 1000,
};

enum err spawn_program(const char *program, const char *argument, struct os_proc_spec *spec, pid_t *ret_pid,
                       int *ret_ctl, struct fault *f) {
    char path[4096];
    int pair[2];
    enum err e = os_proc_sibling_path(program, path, sizeof path, f);
    if (e == OK)
        e = os_fd_pair_seqpacket(pair, f);
    if (e != OK)
        return e;
    CLEANUP_FD int ours = pair[0], theirs = pair[1];
    const char *argv[] = {program, argument, NULL};
    spec->path = path;
    spec->argv = argv;
    spec->fd[0] = theirs;
    spec->own_session = true;
    e = os_proc_spawn(spec, ret_pid, f);
    if (e == OK)
        *ret_ctl = os_fd_take(&ours);
    return e;
}

enum err spawn_archive(struct supervisor *s, struct fault *f) {
    // "." because the way to DIR may be closed to the archive's user; the working folder is DIR.
    // It also holds the folder, and with it our lock: no other server begins before it has ended, too.
    struct os_proc_spec spec = {.fd = {[1] = s->dir_fd}, .fd_count = 2};
    int ctl = -1;
    enum err e = spawn_program("galena-archive", ".", &spec, &s->archive_pid, &ctl, f);
    if (e != OK)
        return e;
    // A message that it cannot take now ends a connection, not the supervisor's patience.
    s->archive_ready = false;
    s->archive_started_ms = os_clock_ms();
    e = os_fd_set_nonblock(ctl, true, f);
    if (e != OK)
        os_fd_close(&ctl); // and it ends
    return e == OK ? watch_take(s, &s->archive, WATCH_ARCHIVE, ctl, NULL, f) : e;
}

enum err spawn_auth(struct supervisor *s, struct fault *f) {
    int channel[2], ctl = -1;
    CLEANUP(accounts_close) struct accounts known = ACCOUNTS_NONE;
    enum err e = accounts_read(s, false, &known, f);
    if (e == OK)
        e = os_fd_pair_seqpacket(channel, f);
    if (e != OK)
        return e;
    CLEANUP_FD int archives = channel[0], auths = channel[1];
    struct os_proc_spec spec = {.fd = {-1, auths, known.fd[0], known.fd[1], known.fd[2]},
                                .fd_count = 5,
                                .stderr_fd = s->stderr_fd};
    watch_close(s, &s->auth); // an old one ends with its channel
    e = spawn_program("galena-auth", NULL, &spec, &s->auth_pid, &ctl, f);
    if (e != OK)
        return e;
    e = os_template_await_ready(ctl, READY_WITHIN_MS, f);
    if (e != OK) {
        os_fd_close(&ctl);
        s->auth_pid = 0;
        return fault_set(f, e, "auth does not start");
    }
    e = watch_take(s, &s->auth, WATCH_AUTH, ctl, NULL, f);
    if (e != OK)
        return e; // it ends, and another is started
    e = ipc_send(s->archive.fd, IPC_AUTH_CHANNEL, &(struct ipc_auth_channel){0}, &archives, 1);
    if (e != OK)
        return fault_set(f, e, "the archive does not take the channel to auth");
    fetch_restart(s); // its channel went with the old auth
    return OK;
}

struct template_process *spawn_template_of(struct supervisor *s, enum os_role role) {
    return &s->templates[role == OS_ROLE_GATE ? 0 : role == OS_ROLE_DIMSE ? 1 : 2];
}

// A certificate and its key.
static enum err open_pair(const char *cert_path, const char *key_path, int ret_fds[2], struct fault *f) {
    CLEANUP_FD int cert = -1;
    enum err e = trust_open(cert_path, &cert, f);
    if (e == OK)
        e = trust_open(key_path, &ret_fds[1], f);
    if (e == OK)
        ret_fds[0] = os_fd_take(&cert);
    return e;
}

// The site's own for browsers, if it has put one there; else the one that DICOM peers see.
static enum err open_https_pair(int ret_fds[2], struct fault *f) {
    static const char cert[] = "tls/https.cert.pem", key[] = "tls/https.key.pem";
    if (faccessat(AT_FDCWD, cert, F_OK, AT_SYMLINK_NOFOLLOW) < 0
        && faccessat(AT_FDCWD, key, F_OK, AT_SYMLINK_NOFOLLOW) < 0)
        return open_pair("tls/server.cert.pem", "tls/server.key.pem", ret_fds, f);
    return open_pair(cert, key, ret_fds, f);
}

// The gate's template gets the certificates, their keys, and whom to trust (gate.h).
static enum err start_gate(struct os_proc_spec *spec, pid_t *ret_pid, int *ret_ctl, struct fault *f) {
    int fds[] = {-1, -1, -1, -1, -1};
    enum { N = sizeof fds / sizeof *fds };
    enum err e = open_pair("tls/server.cert.pem", "tls/server.key.pem", fds, f);
    if (e == OK)
        e = trust_collect(&fds[2], f);
    if (e == OK)
        e = open_https_pair(&fds[3], f);
    memcpy(&spec->fd[1], fds, sizeof fds);
    spec->fd_count = 1 + N;
    if (e == OK)
        e = spawn_program("galena-gate", NULL, spec, ret_pid, ret_ctl, f);
    for (unsigned i = 0; i < N; i++)
        os_fd_close(&fds[i]);
    return e;
}

// The web's template gets the pages.
static enum err start_web(struct os_proc_spec *spec, pid_t *ret_pid, int *ret_ctl, struct fault *f) {
    CLEANUP_FD int site = -1, viewer = -1;
    enum err e = pack_open(PACK_SITE, &site, f);
    if (e == OK)
        e = pack_open(PACK_VIEWER, &viewer, f);
    if (e != OK)
        return e;
    spec->fd[1] = site;
    spec->fd[2] = viewer;
    spec->fd_count = 3;
    return spawn_program("galena-web", NULL, spec, ret_pid, ret_ctl, f);
}

static enum err start_template(struct supervisor *s, enum os_role role, pid_t *ret_pid, int *ret_ctl,
                               struct fault *f) {
    struct os_proc_spec spec = {.fd_count = 1, .stderr_fd = s->stderr_fd};
    if (role == OS_ROLE_GATE)
        return start_gate(&spec, ret_pid, ret_ctl, f);
    if (role == OS_ROLE_WEB)
        return start_web(&spec, ret_pid, ret_ctl, f);
    return spawn_program("galena-dimse", NULL, &spec, ret_pid, ret_ctl, f);
}

enum err spawn_template(struct supervisor *s, enum os_role role, struct fault *f) {
    struct template_process *t = spawn_template_of(s, role);
    pid_t pid = 0;
    CLEANUP_FD int ctl = -1;
    enum err e = start_template(s, role, &pid, &ctl, f);
    if (e == OK) {
        e = os_template_await_ready(ctl, READY_WITHIN_MS, f);
        if (e == ERR_PEER_GONE)
            e = fault_set(f, ERR_CONFIG, "the %s does not start", os_role_name(role));
    }
    t->retry_at_ms = e == OK ? 0 : os_clock_ms() + RETRY_MS;
    if (e != OK)
        return e; // an older one goes on
    spawn_drop_spares(s, role);
    os_fd_close(&t->ctl); // it ends by itself
    t->role = role;
    t->pid = pid;
    t->ctl = os_fd_take(&ctl);
    return OK;
}

void spawn_drop_spares(struct supervisor *s, enum os_role role) {
    struct template_process *t = spawn_template_of(s, role);
    for (struct child *c = t->spares; c; c = c->next_spare) {
        c->dropped = true;
        watch_close(s, &c->ctl); // and it ends
    }
    t->spares = NULL;
    t->spare_count = 0;
}

static struct child *fork_child(struct supervisor *s, struct template_process *t) {
    int pair[2];
    struct fault f = {0};
    if (t->ctl < 0 || os_fd_pair_seqpacket(pair, &f) != OK)
        return NULL;
    CLEANUP_FD int ours = pair[0], theirs = pair[1];
    struct child *c = calloc(1, sizeof *c);
    pid_t pid = 0;
    if (!c || os_template_spawn(t->ctl, theirs, &pid, &f) != OK) {
        free(c);
        os_fd_close(&t->ctl);
        t->retry_at_ms = os_clock_ms() + RETRY_MS;
        return NULL;
    }
    *c = (struct child){.pid = pid, .role = t->role, .next = s->children, .at = &s->children};
    if (watch_take(s, &c->ctl, WATCH_CHILD, os_fd_take(&ours), c, &f) != OK) { // and it ends
        free(c);
        return NULL;
    }
    if (c->next)
        c->next->at = &c->next;
    s->children = c;
    return c;
}

void spawn_unspare(struct supervisor *s, struct child *c) {
    struct template_process *t = spawn_template_of(s, c->role);
    for (struct child **at = &t->spares; *at; at = &(*at)->next_spare)
        if (*at == c) {
            *at = c->next_spare;
            t->spare_count--;
            return;
        }
}

void spawn_forget_child(struct supervisor *s, struct child *take_c) {
    spawn_unspare(s, take_c);
    watch_close(s, &take_c->ctl);
    *take_c->at = take_c->next;
    if (take_c->next)
        take_c->next->at = take_c->at;
    free(take_c);
}

static void refill_one(struct supervisor *s, struct template_process *t) {
    int64_t now_ms = os_clock_ms();
    if (t->retry_at_ms > now_ms)
        return;
    struct fault f = {0};
    if (t->ctl < 0 && spawn_template(s, t->role, &f) != OK) {
        os_log_fault(OS_LOG_ERROR, "a template cannot be replaced", &f);
        return;
    }
    while (t->spare_count < s->conf.limits.spare_workers) {
        struct child *c = fork_child(s, t);
        if (!c)
            return;
        c->next_spare = t->spares;
        t->spares = c;
        t->spare_count++;
    }
}

void spawn_refill(struct supervisor *s) {
    for (unsigned i = 0; i < TEMPLATES; i++)
        if (s->templates[i].role != OS_ROLE_WEB || s->serves_web)
            refill_one(s, &s->templates[i]);
}

struct child *spawn_take(struct supervisor *s, enum os_role role) {
    struct template_process *t = spawn_template_of(s, role);
    struct child *c = t->spares;
    if (!c)
        return fork_child(s, t);
    t->spares = c->next_spare;
    t->spare_count--;
    c->next_spare = NULL;
    return c;
}
