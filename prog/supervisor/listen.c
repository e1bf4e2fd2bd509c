#include "supervisor.h"

#include "os/clock.h"
#include "os/fd.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    ACCEPTS_AT_ONCE = 16,
    OUT_OF_FDS_PAUSE_MS = 1000,
};

static enum err open_tcp(struct supervisor *s, enum ipc_lane lane, const char *setting,
                         const struct conf_addr *address, struct fault *f) {
    if (!conf_addr_is_set(address))
        return OK;
    struct listener *l = &s->listeners[s->listener_count];
    struct os_addr a;
    if (!conf_addr_to_sockaddr(address, &a.sa, &a.n))
        return fault_set(f, ERR_CONFIG, "listening needs a numeric address, not %.80s", address->host);
    struct fault why = {0};
    enum err e = os_listen_tcp(&a, &l->fd, &why);
    if (e != OK)
        return fault_set(f, e, "%s in galena.conf: %.150s", setting, why.detail);
    l->lane = lane;
    l->watch.fd = -1;
    struct conf_addr bound = *address;
    bound.port = os_listen_port(l->fd);
    conf_addr_format(&bound, l->address);
    s->listener_count++;
    return OK;
}

enum err listen_open(struct supervisor *s, struct fault *f) {
    enum err e = open_tcp(s, IPC_LANE_TLS, "dicom", &s->conf.dicom, f);
    if (e == OK)
        e = open_tcp(s, IPC_LANE_PLAIN, "plain", &s->conf.plain, f);
    if (e == OK)
        e = open_tcp(s, IPC_LANE_HTTPS, "https", &s->conf.https, f);
    s->serves_web = conf_addr_is_set(&s->conf.https);
    return e;
}

// The administrator's own lane: the file's mode lets nobody else connect, and is_administrator()
// looks at the credentials too.
enum err listen_open_local(struct supervisor *s, struct fault *f) {
    static const char path[] = "run/dicom.sock";
    struct listener *l = &s->listeners[s->listener_count];
    enum err e = os_listen_unix(path, SOCK_STREAM, 0600, &l->fd, f);
    if (e != OK)
        return e;
    if (geteuid() == 0 && fchownat(AT_FDCWD, path, s->dir_owner, (gid_t)-1, AT_SYMLINK_NOFOLLOW) < 0)
        return fault_errno(f, path);
    l->lane = IPC_LANE_LOCAL;
    l->watch.fd = -1;
    snprintf(l->address, sizeof l->address, "%s", path);
    s->listener_count++;
    return OK;
}

void listen_watch(struct supervisor *s, bool on) {
    for (unsigned i = 0; i < s->listener_count; i++) {
        struct listener *l = &s->listeners[i];
        if (on && l->watch.fd < 0 && watch_add(s, &l->watch, WATCH_LISTENER, l->fd, l, NULL) != OK)
            s->listen_again_at_ms = os_clock_ms() + OUT_OF_FDS_PAUSE_MS;
        else if (!on)
            watch_forget(s, &l->watch);
    }
}

void listen_close(struct supervisor *s) {
    listen_watch(s, false);
    for (unsigned i = 0; i < s->listener_count; i++) {
        if (s->listeners[i].lane == IPC_LANE_LOCAL)
            unlink(s->listeners[i].address);
        os_fd_close(&s->listeners[i].fd);
    }
    s->listener_count = 0;
}

static bool is_administrator(const struct supervisor *s, int fd) {
    struct os_cred cred;
    return os_peer_cred(fd, &cred, NULL) == OK
        && (cred.uid == 0 || cred.uid == s->dir_owner || cred.uid == geteuid());
}

static void out_of_fds(struct supervisor *s, const struct fault *f) {
    os_log_fault(OS_LOG_ERROR, "no new connections for a second", f);
    listen_watch(s, false);
    s->listen_again_at_ms = os_clock_ms() + OUT_OF_FDS_PAUSE_MS;
}

void listen_on_event(struct supervisor *s, struct listener *l) {
    for (unsigned i = 0; i < ACCEPTS_AT_ONCE; i++) {
        CLEANUP_FD int fd = -1;
        struct os_addr from;
        struct fault f = {0};
        enum err e = os_accept(l->fd, false, &fd, &from, &f);
        if (e == ERR_BUSY)
            return;
        if (e != OK) {
            out_of_fds(s, &f);
            return;
        }
        if (l->lane == IPC_LANE_LOCAL && !is_administrator(s, fd)) {
            os_log(OS_LOG_WARN, "another user tried the local lane");
            continue;
        }
        session_start(s, l->lane, os_fd_take(&fd), &from);
    }
}
