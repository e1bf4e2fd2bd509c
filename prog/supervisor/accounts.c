// What auth has to know of the archive's folder: it can open no file itself.
#include "supervisor.h"

#include "conf/token.h"
#include "conf/user.h"
#include "os/fd.h"
#include "os/memfd.h"

enum { RECORDS_MAX_BYTES = 64 * 1024 * 1024 };

static void log_problems(char (*problems)[256], size_t n) {
    for (size_t i = 0; i < n; i++)
        os_log(OS_LOG_WARN, problems[i]);
}

// Hands the text on as a memory file and wipes it here.
static enum err seal(const char *name, struct buf *take_text, int *ret_fd, struct fault *f) {
    enum err e = buf_ok(take_text) ? os_memfd_of(name, buf_slice(take_text), ret_fd, f)
                                   : fault_set(f, ERR_LIMIT, "too many %s", name);
    if (take_text->p)
        explicit_bzero(take_text->p, take_text->cap);
    buf_fini(take_text);
    return e;
}

static enum err read_users(int *ret_fd, struct fault *f) {
    struct conf_users users;
    enum err e = conf_users_load(".", &users, f);
    if (e != OK)
        return e;
    struct buf b = BUF_INIT(RECORDS_MAX_BYTES);
    log_problems(users.problems, users.problem_count);
    for (size_t i = 0; i < users.n; i++) {
        const struct conf_user *u = &users.v[i];
        buf_printf(&b, "%s\t%u\t%s\t%s\t%s\t%s\n", u->name, u->roles, u->password, u->totp, u->collections,
                   u->physician);
    }
    e = seal("users", &b, ret_fd, f);
    explicit_bzero(users.v, users.n * sizeof *users.v);
    conf_users_fini(&users);
    return e;
}

static enum err read_tokens(int *ret_fd, struct fault *f) {
    struct conf_tokens tokens;
    enum err e = conf_tokens_load(".", &tokens, f);
    if (e != OK)
        return e;
    struct buf b = BUF_INIT(RECORDS_MAX_BYTES);
    log_problems(tokens.problems, tokens.problem_count);
    for (size_t i = 0; i < tokens.n; i++)
        conf_token_line_put(&b, &tokens.v[i]);
    e = seal("tokens", &b, ret_fd, f);
    conf_tokens_fini(&tokens);
    return e;
}

static enum err read_settings(const struct conf *c, int *ret_fd, struct fault *f) {
    struct buf b = BUF_INIT(RECORDS_MAX_BYTES);
    buf_printf(&b, "session_idle_s\t%u\nsession_max_s\t%u\narchive_name\t%s\nurl\t%s\n",
               c->web.session_idle_s, c->web.session_max_s, c->name, c->web.url);
    return seal("settings", &b, ret_fd, f);
}

enum err accounts_read(struct supervisor *s, struct accounts *ret_accounts, struct fault *f) {
    CLEANUP(accounts_close) struct accounts a = ACCOUNTS_NONE;
    enum err e = read_users(&a.fd[0], f);
    if (e == OK)
        e = read_tokens(&a.fd[1], f);
    if (e == OK)
        e = read_settings(&s->conf, &a.fd[2], f);
    if (e != OK)
        return e;
    *ret_accounts = a;
    a = ACCOUNTS_NONE;
    return OK;
}

void accounts_close(struct accounts *a) {
    for (unsigned i = 0; i < sizeof a->fd / sizeof *a->fd; i++)
        os_fd_close(&a->fd[i]);
}

enum err accounts_reload(struct supervisor *s, struct fault *f) {
    CLEANUP(accounts_close) struct accounts a = ACCOUNTS_NONE;
    enum err e = accounts_read(s, &a, f);
    if (e != OK || s->auth.fd < 0) // without it: it gets them when it starts
        return e;
    return ipc_send(s->auth.fd, IPC_USERS, &(struct ipc_users){0}, a.fd, 3);
}
