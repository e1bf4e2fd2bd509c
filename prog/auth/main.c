// galena-auth: one process, started by the supervisor with its own socket (3), the archive's
// channel (4) and the users' records (5).
#include "auth.h"

#include "ipc/ipc.h"
#include "os/clock.h"
#include "os/fd.h"
#include "os/log.h"
#include "os/proc.h"
#include "os/template.h"

#include <malloc.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/random.h>
#include <unistd.h>

enum { CTL_FD = OS_TEMPLATE_CTL, ARCHIVE_FD = 4, USERS_FD = 5 };
enum {
    FDS_MAX = 32,
    WAITING_MAX = 1024, // checks put off; one more is answered no
    NAME_MAX_BYTES = 256,
    PASSCODE_MAX_BYTES = 1024,
};

struct check {
    int64_t due_ms;
    uint64_t request;
    size_t name_n, passcode_n;
    uint8_t name[NAME_MAX_BYTES], passcode[PASSCODE_MAX_BYTES];
};

struct auth {
    struct users users;
    struct throttle throttle;
    struct check *waiting; // WAITING_MAX, unordered
    size_t waiting_count;
    uint8_t *message;
};

static void log_to_supervisor(void *ctx, enum os_log_level level, struct slice text) {
    (void)ctx;
    struct ipc_auth_log m = {.level = (uint8_t)level, .text = text};
    (void)ipc_send(CTL_FD, IPC_AUTH_LOG, &m, NULL, 0);
}

static void answer(uint64_t request, bool valid, uint32_t roles) {
    struct ipc_auth_result m = {.request = request, .valid = valid, .roles = valid ? roles : 0};
    if (ipc_send(ARCHIVE_FD, IPC_AUTH_RESULT, &m, NULL, 0) == ERR_PEER_GONE)
        _exit(0);
}

static void work_out(struct auth *a, const struct check *c) {
    struct slice name = slice_of(c->name, c->name_n);
    const struct user *user = users_find(&a->users, name);
    bool valid = verify_passcode(user, slice_of(c->passcode, c->passcode_n));
    throttle_note(&a->throttle, name, valid, os_clock_ms());
    if (!valid)
        os_log(OS_LOG_WARN, "wrong pass code or unknown user", OS_LOG_SLICE("user", name));
    answer(c->request, valid, user ? user->roles : 0);
}

static void on_check(struct auth *a, const struct ipc_auth_check *m) {
    if (a->waiting_count == WAITING_MAX || m->user.n > NAME_MAX_BYTES || m->passcode.n > PASSCODE_MAX_BYTES) {
        answer(m->request, false, 0);
        return;
    }
    struct check *c = &a->waiting[a->waiting_count++];
    *c = (struct check){.request = m->request, .name_n = m->user.n, .passcode_n = m->passcode.n};
    c->due_ms = throttle_due_ms(&a->throttle, m->user, os_clock_ms());
    memcpy(c->name, m->user.p, m->user.n);
    memcpy(c->passcode, m->passcode.p, m->passcode.n);
}

static void on_archive(struct auth *a) {
    struct ipc_msg m;
    struct fault f = {0};
    enum err e = ipc_recv_now(ARCHIVE_FD, IPC_ARCHIVE_TO_AUTH, 0, a->message, &m, &f);
    if (e == ERR_PEER_GONE)
        _exit(0);
    if (e != OK)
        return;
    if (m.type == IPC_AUTH_CHECK) {
        on_check(a, &m.u.auth_check);
        explicit_bzero(a->message, IPC_MAX_BYTES);
    }
    ipc_msg_close_fds(&m); // AUTH_RELOAD: the users come from the supervisor
}

static void on_supervisor(struct auth *a) {
    struct ipc_msg m;
    struct fault f = {0};
    enum err e = ipc_recv_now(CTL_FD, IPC_SUPERVISOR_TO_AUTH, 0, a->message, &m, &f);
    if (e == ERR_PEER_GONE)
        _exit(0);
    if (e == OK)
        e = users_load(&a->users, ipc_msg_take_fd(&m, 0), &f);
    if (e != OK && e != ERR_BUSY)
        os_log_fault(OS_LOG_ERROR, "the old users stay", &f);
}

static int64_t work_off(struct auth *a) {
    int64_t next_ms = INT64_MAX;
    for (size_t i = 0; i < a->waiting_count;) {
        struct check *c = &a->waiting[i];
        if (c->due_ms > os_clock_ms()) {
            next_ms = c->due_ms < next_ms ? c->due_ms : next_ms;
            i++;
            continue;
        }
        work_out(a, c);
        struct check *last = &a->waiting[--a->waiting_count];
        *c = *last;
        explicit_bzero(last, sizeof *last);
    }
    return next_ms;
}

static _Noreturn void loop(struct auth *a) {
    for (;;) {
        int64_t next_ms = work_off(a), left_ms = next_ms - os_clock_ms();
        struct pollfd p[2] = {{.fd = CTL_FD, .events = POLLIN}, {.fd = ARCHIVE_FD, .events = POLLIN}};
        if (poll(p, 2, next_ms == INT64_MAX ? -1 : left_ms > 0 ? (int)left_ms : 0) <= 0)
            continue;
        if (p[0].revents)
            on_supervisor(a);
        if (p[1].revents)
            on_archive(a);
    }
}

static enum err start(struct auth *a, struct fault *f) {
    mallopt(M_MMAP_THRESHOLD, 1024 * 1024); // Argon2's 19 MiB go back to the system each time
    a->waiting = calloc(WAITING_MAX, sizeof *a->waiting);
    a->message = malloc(IPC_MAX_BYTES);
    if (!a->waiting || !a->message)
        return fault_set(f, ERR_NO_MEMORY, "start");
    if (getrandom(&a->throttle.key, sizeof a->throttle.key, 0) != sizeof a->throttle.key)
        return fault_errno(f, "getrandom");
    enum err e = os_proc_harden(FDS_MAX, f);
    if (e == OK)
        e = verify_init(f);
    if (e == OK)
        e = users_load(&a->users, USERS_FD, f);
    if (e == OK)
        e = os_sandbox_enter(OS_ROLE_AUTH, -1, f);
    if (e == OK)
        e = os_sandbox_selftest(OS_ROLE_AUTH, f);
    return e == OK ? os_template_say_ready(CTL_FD, f) : e;
}

int main(void) {
    static struct auth a;
    struct fault f = {0};
    os_log_init("auth", NULL, NULL);
    if (start(&a, &f) != OK) {
        os_log_fault(OS_LOG_ERROR, "auth cannot start", &f);
        return 1;
    }
    os_log_init("auth", log_to_supervisor, NULL);
    loop(&a);
}
