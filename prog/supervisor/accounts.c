// What auth has to know of the archive's folder: it can open no file itself.
#include "supervisor.h"

#include "conf/oidc.h"
#include "conf/token.h"
#include "conf/user.h"
#include "os/fd.h"
#include "os/memfd.h"
#include "trust.h"

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

static enum err read_secret(const char *name, struct buf *ret_secret, struct fault *f) {
    CLEANUP_FD int fd = -1;
    if (!name[0])
        return OK;
    enum err e = trust_open(name, &fd, f);
    return e == OK ? os_fd_read_all(fd, ret_secret, f) : e;
}

// oidc.conf, if it is there.
static enum err put_provider(struct supervisor *s, struct buf *b, struct fault *f) {
    static struct conf_oidc o;
    struct buf secret = BUF_INIT(CONF_OIDC_TEXT_MAX);
    struct fault why = {0};
    s->has_provider = false;
    s->provider_name[0] = '\0';
    enum err e = conf_oidc_load(".", &o, &why);
    if (e == ERR_NO_SUCH_OBJECT)
        return OK;
    if (e != OK)
        return fault_set(f, e, "%s", why.detail);
    e = read_secret(o.client_secret_file, &secret, f);
    if (e == OK) {
        conf_oidc_lines_put(b, &o, slice_trim(buf_slice(&secret), " \t\r\n"));
        s->has_provider = true;
        strcpy(s->provider_name, o.name);
        strcpy(s->provider_ca_file, o.ca_file);
    }
    if (e == OK && !s->conf.web.url[0])
        os_log(OS_LOG_WARN,
               "oidc.conf is there, but https_url is not set: nobody can sign in with the provider");
    if (secret.p)
        explicit_bzero(secret.p, secret.n);
    buf_fini(&secret);
    return e;
}

// strict: what is wrong with oidc.conf is an error; else there is no provider, and all else goes on.
static enum err read_settings(struct supervisor *s, bool strict, int *ret_fd, struct fault *f) {
    const struct conf *c = &s->conf;
    struct buf b = BUF_INIT(RECORDS_MAX_BYTES);
    buf_printf(&b, "session_idle_s\t%u\nsession_max_s\t%u\narchive_name\t%s\nurl\t%s\n",
               c->web.session_idle_s, c->web.session_max_s, c->name, c->web.url);
    struct fault why = {0};
    enum err e = put_provider(s, &b, &why);
    if (e != OK && strict) {
        buf_fini(&b);
        return fault_set(f, e, "%s", why.detail);
    }
    if (e != OK)
        os_log_fault(OS_LOG_ERROR, "nobody can sign in with the provider", &why);
    return seal("settings", &b, ret_fd, f);
}

enum err accounts_read(struct supervisor *s, bool strict, struct accounts *ret_accounts, struct fault *f) {
    CLEANUP(accounts_close) struct accounts a = ACCOUNTS_NONE;
    enum err e = read_users(&a.fd[0], f);
    if (e == OK)
        e = read_tokens(&a.fd[1], f);
    if (e == OK)
        e = read_settings(s, strict, &a.fd[2], f);
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
    enum err e = accounts_read(s, true, &a, f);
    if (e != OK || s->auth.fd < 0) // without it: it gets them when it starts
        return e;
    e = ipc_send(s->auth.fd, IPC_USERS, &(struct ipc_users){0}, a.fd, 3);
    fetch_restart(s); // its certificates may be others
    return e;
}
