// galena-auth: one process, started by the supervisor with its own socket (3), the archive's channel (4),
// and the records of users (5), tokens (6) and settings (7).
#include "auth.h"

#include "oidc.h"
#include "os/clock.h"
#include "os/fd.h"
#include "os/proc.h"
#include "os/sandbox.h"
#include "os/template.h"

#include <jansson.h>
#include <malloc.h>
#include <poll.h>
#include <stdlib.h>
#include <unistd.h>

enum { CTL_FD = OS_TEMPLATE_CTL, ARCHIVE_FD = 4, USERS_FD = 5, TOKENS_FD = 6, SETTINGS_FD = 7 };
enum {
    FDS_MAX = 32,
    QUESTIONS_AT_ONCE = 256, // before a password has its turn
};

static void log_to_supervisor(void *ctx, enum os_log_level level, struct slice text) {
    (void)ctx;
    struct ipc_auth_log m = {.level = (uint8_t)level, .text = text};
    (void)ipc_send(CTL_FD, IPC_AUTH_LOG, &m, NULL, 0);
}

void auth_send(enum ipc_type type, const void *body) {
    enum err e = ipc_send(ARCHIVE_FD, type, body, NULL, 0);
    ipc_forget_sent();
    if (e == ERR_PEER_GONE)
        _exit(0);
    bug_unless(e != ERR_LIMIT); // a field too long is ours to prevent; the socket waits
    if (e != OK) { // the archive would wait for ever
        os_log(OS_LOG_ERROR, "an answer cannot be sent, auth ends", OS_LOG_TEXT("error", err_text(e)));
        _exit(1);
    }
}

void auth_done(uint64_t request, enum err error, const char *detail) {
    struct ipc_auth_done m = {.request = request, .error = (uint16_t)error, .detail = slice_str(detail)};
    auth_send(IPC_AUTH_DONE, &m);
}

void auth_forget(const char *user) {
    struct ipc_auth_forget m = {.user = slice_str(user)};
    auth_send(IPC_AUTH_FORGET, &m);
}

static void dispatch(struct auth *a, const struct ipc_msg *m) {
    switch ((int)m->type) {
    case IPC_AUTH_IDENTIFY:
        identify_on_question(a, &m->u.auth_identify);
        break;
    case IPC_AUTH_CHECK:
        sign_in_on_check(a, &m->u.auth_check);
        break;
    case IPC_AUTH_SIGN_IN:
        sign_in_on_request(a, &m->u.auth_sign_in);
        break;
    case IPC_AUTH_SIGN_OUT:
        sign_in_on_out(a, &m->u.auth_sign_out);
        break;
    case IPC_AUTH_OIDC_START:
        oidc_on_start(a, &m->u.auth_oidc_start);
        break;
    case IPC_AUTH_OIDC_FINISH:
        oidc_on_finish(a, &m->u.auth_oidc_finish);
        break;
    case IPC_AUTH_LIST:
        account_on_list(a, &m->u.auth_list);
        break;
    case IPC_AUTH_END:
        account_on_end(a, &m->u.auth_end);
        break;
    case IPC_AUTH_TOKEN_CREATE:
        account_on_token(a, &m->u.auth_token_create);
        break;
    case IPC_AUTH_PROVE:
        sign_in_on_proof(a, &m->u.auth_prove);
        break;
    case IPC_AUTH_PASSWORD:
        account_on_password(a, &m->u.auth_password);
        break;
    case IPC_AUTH_TOTP:
        account_on_totp(a, &m->u.auth_totp);
        break;
    case IPC_AUTH_STORED:
        keeping_on_stored(a, &m->u.auth_stored);
        break;
    default:
        break;
    }
}

// All that is there, up to a bound: what is quickly answered must not wait behind passwords.
static void on_archive(struct auth *a) {
    for (int i = 0; i < QUESTIONS_AT_ONCE; i++) {
        struct ipc_msg m;
        struct fault f = {0};
        enum err e = ipc_recv_now(ARCHIVE_FD, IPC_ARCHIVE_TO_AUTH, 0, a->message, &m, &f);
        if (e == ERR_PEER_GONE)
            _exit(0);
        if (e == OK) {
            dispatch(a, &m);
            explicit_bzero(a->message, IPC_MAX_BYTES);
        }
        if (e == ERR_BUSY)
            return;
    }
}

static void use_settings(struct auth *a) {
    a->sessions.idle_ms = (int64_t)a->settings.session_idle_s * 1000;
    a->sessions.most_ms = (int64_t)a->settings.session_max_s * 1000;
}

static enum err load(struct auth *a, int take_users, int take_tokens, int take_settings, struct fault *f) {
    struct settings before = a->settings;
    enum err e = settings_load(&a->settings, take_settings, f);
    enum err tokens = tokens_load(&a->tokens, take_tokens, f), users = users_load(&a->users, take_users, f);
    use_settings(a);
    if (memcmp(&before, &a->settings, sizeof before) != 0)
        oidc_settings_changed(a);
    explicit_bzero(&before, sizeof before);
    return e != OK ? e : tokens != OK ? tokens : users;
}

static void on_supervisor(struct auth *a) {
    struct ipc_msg m;
    struct fault f = {0};
    enum err e = ipc_recv_now(CTL_FD, IPC_SUPERVISOR_TO_AUTH, 0, a->message, &m, &f);
    if (e == ERR_PEER_GONE)
        _exit(0);
    if (e == OK && m.type == IPC_USERS) {
        int users = ipc_msg_take_fd(&m, 0), tokens = ipc_msg_take_fd(&m, 1),
            settings = ipc_msg_take_fd(&m, 2);
        e = load(a, users, tokens, settings, &f);
        auth_forget(""); // anyone's rights may be others now
    } else if (e == OK && m.type == IPC_FETCH_CHANNEL) {
        oidc_use_channel(a, ipc_msg_take_fd(&m, 0));
    }
    if (e == OK)
        ipc_msg_close_fds(&m);
    else if (e != ERR_BUSY)
        os_log_fault(OS_LOG_ERROR, "the old users stay", &f);
}

// One password, if its time has come; returns when to look again.
static int64_t work_off(struct auth *a) {
    static struct job job;
    int64_t next_ms;
    if (queue_take(&a->queue, os_clock_ms(), &job, &next_ms)) {
        sign_in_work_out(a, &job);
        explicit_bzero(&job, sizeof job);
        next_ms = 0;
    }
    return next_ms;
}

static int wait_ms(int64_t until_ms) {
    int64_t left_ms = until_ms - os_clock_ms();
    return until_ms == INT64_MAX ? -1 : left_ms < 0 ? 0 : left_ms > INT32_MAX ? INT32_MAX : (int)left_ms;
}

static _Noreturn void loop(struct auth *a) {
    for (;;) {
        int64_t password_ms = work_off(a), provider_ms = oidc_tick(a, os_clock_ms());
        struct pollfd p[3] = {{.fd = CTL_FD, .events = POLLIN},
                              {.fd = ARCHIVE_FD, .events = POLLIN},
                              {.fd = oidc_channel(a), .events = POLLIN}};
        if (poll(p, 3, wait_ms(password_ms < provider_ms ? password_ms : provider_ms)) <= 0)
            continue;
        if (p[2].revents)
            oidc_on_fetched(a);
        if (p[0].revents) // before the archive: what that says now may rest on it
            on_supervisor(a);
        if (p[1].revents)
            on_archive(a);
    }
}

// The library's hash tables: later it could not read a seed.
static void seed_json(void) {
    size_t seed;
    secrets_random(&seed, sizeof seed);
    json_object_seed(seed | 1);
}

static enum err start(struct auth *a, struct fault *f) {
    mallopt(M_MMAP_THRESHOLD, 1024 * 1024); // Argon2's 19 MiB go back to the system each time
    secrets_warm_up();
    a->message = malloc(IPC_MAX_BYTES);
    if (!a->message || !queue_init(&a->queue) || !sessions_init(&a->sessions) || !oidc_init(a))
        return fault_set(f, ERR_NO_MEMORY, "start");
    secrets_random(a->throttle.key, sizeof a->throttle.key);
    seed_json();
    enum err e = os_proc_harden(FDS_MAX, f);
    if (e == OK)
        e = verify_init(f);
    if (e == OK)
        e = load(a, USERS_FD, TOKENS_FD, SETTINGS_FD, f);
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
