#include "supervisor.h"

#include "os/clock.h"
#include "os/fd.h"
#include "os/listen.h"
#include "os/proc.h"
#include "os/sigfd.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    FDS_MAX = 16384, // as the archive's: it cannot have more than we may
    TICK_MS = 200,
    UNPROVEN_PER_SOURCE = 128,
    PENALTY_FIRST_MS = 1000,
    ARCHIVE_FINISHES_MS = 60000,
};

void apply_limits(struct supervisor *s) {
    const struct conf_limits *c = &s->conf.limits;
    struct penalty_limits l = {
        .per_source = c->per_source,
        .unproven_per_source = c->per_source < UNPROVEN_PER_SOURCE ? c->per_source : UNPROVEN_PER_SOURCE,
        .first_ms = PENALTY_FIRST_MS,
        .most_ms = c->penalty_s * 1000,
    };
    if (s->penalties)
        penalties_set_limits(s->penalties, &l);
    else
        s->penalties = penalties_new(&l);
}

static bool someone_serves(void) {
    CLEANUP_FD int fd = -1;
    return os_connect_unix("run/supervisor.sock", SOCK_STREAM, &fd, NULL) == OK;
}

// A server that was killed may still be ending: its archive process waits for the disk.
static bool lock_dir(int dir_fd) {
    enum { STEP_MS = 50, PATIENCE_MS = 15000 };
    for (int waited_ms = 0; flock(dir_fd, LOCK_EX | LOCK_NB) < 0; waited_ms += STEP_MS) {
        if (errno != EWOULDBLOCK || waited_ms >= PATIENCE_MS || someone_serves())
            return false;
        if (waited_ms == 0)
            os_log(OS_LOG_INFO, "waiting for the former server of this archive to end");
        poll(NULL, 0, STEP_MS);
    }
    return true;
}

static enum err enter_dir(struct supervisor *s, const char *dir, struct fault *f) {
    s->dir_fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    struct stat st;
    if (s->dir_fd < 0 || fchdir(s->dir_fd) < 0 || fstat(s->dir_fd, &st) < 0)
        return fault_set(f, ERR_CONFIG, "%.150s: %s", dir, strerror(errno));
    s->dir_owner = st.st_uid;
    if (geteuid() == 0 && st.st_uid != OS_UID_ARCHIVE)
        return fault_set(f, ERR_CONFIG, "as root, %.80s must belong to user %u: chown -R %u:%u %.80s", dir,
                         OS_UID_ARCHIVE, OS_UID_ARCHIVE, OS_UID_ARCHIVE, dir);
    if (!lock_dir(s->dir_fd))
        return fault_set(f, ERR_BUSY, "%.150s is being served already", dir);
    if (mkdir("run", 0700) < 0 && errno != EEXIST)
        return fault_errno(f, "run");
    if (geteuid() == 0 && fchownat(AT_FDCWD, "run", st.st_uid, st.st_gid, AT_SYMLINK_NOFOLLOW) < 0)
        return fault_errno(f, "run");
    return OK;
}

static enum err write_pid(struct fault *f) {
    unlink("run/pid");
    CLEANUP_FD int fd = open("run/pid", O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644);
    if (fd < 0)
        return fault_errno(f, "run/pid");
    dprintf(fd, "%d\n", (int)getpid());
    return OK;
}

static enum err set_up(struct supervisor *s, const char *dir, struct fault *f) {
    static const int signals[] = {SIGTERM, SIGINT, SIGHUP, SIGCHLD};
    enum err e = os_proc_harden(FDS_MAX, f);
    if (e == OK)
        e = enter_dir(s, dir, f);
    if (e == OK)
        e = conf_load(".", &s->conf, f);
    if (e != OK)
        return e;
    apply_limits(s);
    s->message = malloc(IPC_MAX_BYTES);
    s->epoll = epoll_create1(EPOLL_CLOEXEC);
    if (!s->message || !s->penalties || s->epoll < 0)
        return fault_set(f, ERR_NO_MEMORY, "start");
    int fd = -1;
    e = os_signal_open(signals, sizeof signals / sizeof *signals, &fd, f);
    if (e != OK)
        return e;
    e = watch_add(s, &s->signals, WATCH_SIGNALS, fd, NULL, f);
    return e == OK ? stderr_open(s, f) : e;
}

static enum err start_programs(struct supervisor *s, struct fault *f) {
    enum err e = listen_open(s, f);
    if (e == OK)
        e = spawn_template(s, OS_ROLE_GATE, f);
    if (e == OK)
        e = spawn_template(s, OS_ROLE_DIMSE, f);
    if (e == OK && s->serves_web)
        e = spawn_template(s, OS_ROLE_WEB, f);
    if (e == OK)
        e = spawn_archive(s, f);
    if (e == OK)
        e = spawn_auth(s, f);
    return e == OK ? write_pid(f) : e;
}

// Every self-test has passed: templates and auth said so before, the archive just now.
void become_ready(struct supervisor *s) {
    if (s->draining)
        return;
    listen_watch(s, true);
    if (s->serving) {
        os_log(OS_LOG_INFO, "the archive is back");
        return;
    }
    struct fault f = {0};
    if (listen_open_local(s, &f) != OK || control_open(s, &f) != OK) {
        os_log_fault(OS_LOG_ERROR, "cannot serve", &f);
        drain(s);
        return;
    }
    spawn_refill(s);
    listen_watch(s, true);
    s->serving = true;
    for (unsigned i = 0; i < s->listener_count; i++)
        os_log(OS_LOG_INFO, "listening", OS_LOG_TEXT("on", s->listeners[i].address));
    if (write(STDERR_FILENO, "ready\n", 6) < 0)
        os_log(OS_LOG_WARN, "standard error cannot be written");
    notify("READY=1");
}

void drain(struct supervisor *s) {
    if (s->draining) { // asked twice: no more patience
        s->drain_until_ms = 0;
        return;
    }
    s->draining = true;
    s->drain_until_ms = os_clock_ms() + s->conf.limits.drain_s * 1000;
    notify("STOPPING=1");
    os_log(OS_LOG_INFO, "stopping", OS_LOG_NUM("connections", s->session_count));
    listen_close(s);
    watch_close(s, &s->control_listener);
    unlink("run/supervisor.sock");
    for (unsigned i = 0; i < TEMPLATES; i++)
        spawn_drop_spares(s, s->templates[i].role);
    session_drain_web(s);
}

static void on_signals(struct supervisor *s) {
    int signal;
    while ((signal = os_signal_next(s->signals.fd)) != 0)
        switch (signal) {
        case SIGCHLD:
            reap(s);
            break;
        case SIGHUP:
            reload(s);
            break;
        default:
            drain(s);
        }
}

static void handle(struct supervisor *s, const struct watch *w) {
    switch (w->kind) {
    case WATCH_SIGNALS:
        on_signals(s);
        break;
    case WATCH_LISTENER:
        listen_on_event(s, w->owner);
        break;
    case WATCH_ARCHIVE:
        archive_on_message(s);
        break;
    case WATCH_AUTH:
        auth_on_message(s);
        break;
    case WATCH_FETCH:
        fetch_on_message(s);
        break;
    case WATCH_CHILD:
        session_on_child_message(s, w->owner);
        break;
    case WATCH_DIALER:
        dial_on_event(s, w->owner);
        break;
    case WATCH_CONTROL_LISTENER:
        control_on_listener(s);
        break;
    case WATCH_CONTROL:
        control_on_event(s, w->owner);
        break;
    case WATCH_STDERR:
        stderr_on_event(s);
        break;
    }
}

static void restart_programs(struct supervisor *s, int64_t now_ms) {
    struct fault f = {0};
    if (s->archive_pid == 0 && s->archive_retry_at_ms <= now_ms) {
        if (!s->serving && s->archive_started_ms != 0) { // it never came up: no use in trying again
            os_log(OS_LOG_ERROR, "the archive does not start");
            s->archive_retry_at_ms = INT64_MAX;
            drain(s);
            return;
        }
        if (spawn_archive(s, &f) != OK || spawn_auth(s, &f) != OK)
            os_log_fault(OS_LOG_ERROR, "the archive cannot be restarted", &f);
    }
    if (s->auth_pid == 0 && s->archive.fd >= 0 && s->auth_retry_at_ms <= now_ms && spawn_auth(s, &f) != OK) {
        os_log_fault(OS_LOG_ERROR, "auth cannot be restarted", &f);
        s->auth_retry_at_ms = now_ms + 1000;
    }
}

static void tick(struct supervisor *s) {
    int64_t now_ms = os_clock_ms();
    session_tick(s, now_ms);
    control_tick(s, now_ms);
    if (s->draining) {
        if (s->sessions && s->drain_until_ms <= now_ms) {
            os_log(OS_LOG_WARN, "connections cut off", OS_LOG_NUM("connections", s->session_count));
            session_kill_all(s, SIGTERM);
            s->drain_until_ms = INT64_MAX;
        }
        return;
    }
    restart_programs(s, now_ms);
    fetch_tick(s, now_ms);
    if (s->listen_again_at_ms != 0 && s->listen_again_at_ms <= now_ms && s->archive_ready) {
        s->listen_again_at_ms = 0;
        listen_watch(s, true);
    }
    if (s->serving)
        spawn_refill(s);
}

static void turn(struct supervisor *s) {
    struct epoll_event event; // one at a time: see supervisor.h
    int n = epoll_wait(s->epoll, &event, 1, TICK_MS);
    if (n == 1)
        handle(s, event.data.ptr);
    static int64_t ticked_ms;
    if (os_clock_ms() - ticked_ms >= TICK_MS) {
        ticked_ms = os_clock_ms();
        tick(s);
    } else if (s->serving && !s->draining) {
        spawn_refill(s);
    }
}

// The archive ends in good order when its channel closes: all is synced and indexed then.
static void finish_archive(struct supervisor *s) {
    int64_t deadline_ms = os_clock_ms() + ARCHIVE_FINISHES_MS;
    if (s->archive.fd >= 0)
        shutdown(s->archive.fd, SHUT_WR);
    watch_close(s, &s->auth);
    while (s->archive_pid != 0 && os_clock_ms() < deadline_ms)
        turn(s);
    if (s->archive_pid != 0) {
        os_log(OS_LOG_ERROR, "the archive does not end; it is killed");
        kill(s->archive_pid, SIGKILL);
    }
}

// What reads galena.conf (libconfuse) ends the program when it has no memory; so may others. Nothing is
// served yet, so that this is said like any other reason why there is no start.
static void on_abort(int signal) {
    static const char text[] = "galena: cannot start: the program was aborted; is there not enough memory?\n";
    (void)signal;
    (void)!write(STDERR_FILENO, text, sizeof text - 1);
    _exit(1);
}

#ifdef GALENA_SANITIZED
// The leak check at exit traces us, which a hardened process does not allow.
int __lsan_is_turned_off(void);
int __lsan_is_turned_off(void) {
    return 1;
}
#endif

int main(int argc, char **argv) {
    static struct supervisor s = {
        .epoll = -1, .dir_fd = -1, .signals = {.fd = -1}, .archive = {.fd = -1}, .auth = {.fd = -1},
        .fetch = {.fd = -1},
        .stderr_lines = {.fd = -1}, .control_listener = {.fd = -1}, .stderr_fd = -1,
        .templates = {{.role = OS_ROLE_GATE, .ctl = -1}, {.role = OS_ROLE_DIMSE, .ctl = -1},
                      {.role = OS_ROLE_WEB, .ctl = -1}},
    };
    struct fault f = {0};
    os_log_init("supervisor", NULL, NULL);
    if (argc != 2) {
        fprintf(stderr, "usage: galena-supervisor DIR (galena serve DIR starts it)\n");
        return 2;
    }
    signal(SIGABRT, on_abort);
    enum err e = set_up(&s, argv[1], &f);
    if (e == OK)
        e = start_programs(&s, &f);
    if (e != OK) {
        // What the program that did not start has said about it; that another is ready is no news any more.
        s.draining = true;
        if (s.stderr_lines.fd >= 0)
            stderr_on_event(&s);
        for (int i = 0; i < 10 && s.archive.fd >= 0; i++)
            archive_on_message(&s);
        os_log_fault(OS_LOG_ERROR, "cannot start", &f);
        return 1;
    }
    signal(SIGABRT, SIG_DFL);
    s.started_ms = os_clock_ms();
    while (!s.draining || s.sessions)
        turn(&s);
    finish_archive(&s);
    unlink("run/pid");
    return s.serving ? 0 : 1;
}
