// The process that talks to the sign-in provider, as long as there is one. Without it nobody signs in that
// way, and all else goes on.
#include "supervisor.h"

#include "os/clock.h"
#include "os/fd.h"
#include "os/memfd.h"
#include "os/proc.h"
#include "os/template.h"
#include "trust.h"

enum { READY_WITHIN_MS = 10000, RETRY_MS = 2000 };

static enum err open_certificates(const struct supervisor *s, int *ret_fd, struct fault *f) {
    if (s->provider_ca_file[0])
        return trust_open(s->provider_ca_file, ret_fd, f);
    return os_memfd_of("certificates", slice_of("", 0), ret_fd, f);
}

static enum err start(struct supervisor *s, struct fault *f) {
    CLEANUP_FD int certificates = -1, ctl = -1;
    int channel[2];
    enum err e = open_certificates(s, &certificates, f);
    if (e == OK)
        e = os_fd_pair_seqpacket(channel, f);
    if (e != OK)
        return e;
    CLEANUP_FD int auths = channel[0], fetchs = channel[1];
    struct os_proc_spec spec = {.fd = {-1, fetchs, certificates}, .fd_count = 3, .stderr_fd = s->stderr_fd};
    e = spawn_program("galena-fetch", NULL, &spec, &s->fetch_pid, &ctl, f);
    if (e == OK)
        e = os_template_await_ready(ctl, READY_WITHIN_MS, f);
    if (e == OK)
        e = ipc_send(s->auth.fd, IPC_FETCH_CHANNEL, &(struct ipc_fetch_channel){0}, &auths, 1);
    if (e == OK)
        e = watch_take(s, &s->fetch, WATCH_FETCH, os_fd_take(&ctl), NULL, f);
    if (e != OK)
        s->fetch_pid = 0; // it ends with its channels
    return e;
}

void fetch_tick(struct supervisor *s, int64_t now_ms) {
    struct fault f = {0};
    if (!s->has_provider || s->fetch_pid != 0 || s->auth.fd < 0 || s->fetch_retry_at_ms > now_ms)
        return;
    if (start(s, &f) == OK)
        return;
    os_log_fault(OS_LOG_ERROR, "nobody can sign in with the provider: fetch does not start", &f);
    s->fetch_retry_at_ms = now_ms + RETRY_MS;
}

void fetch_restart(struct supervisor *s) {
    watch_close(s, &s->fetch); // and it ends
    s->fetch_pid = 0;
    s->fetch_retry_at_ms = 0;
    fetch_tick(s, os_clock_ms());
}

void fetch_gone(struct supervisor *s) {
    watch_close(s, &s->fetch);
    s->fetch_pid = 0;
    s->fetch_retry_at_ms = os_clock_ms() + RETRY_MS;
}

void fetch_on_message(struct supervisor *s) {
    struct ipc_msg m;
    struct fault f = {0};
    enum err e = ipc_recv_now(s->fetch.fd, IPC_FETCH_TO_SUPERVISOR, 0, s->message, &m, &f);
    if (e == OK)
        os_log_relay((enum os_log_level)m.u.fetch_log.level, "fetch", NULL, m.u.fetch_log.text);
    else if (e != ERR_BUSY)
        watch_close(s, &s->fetch); // reap() sees its end
}
