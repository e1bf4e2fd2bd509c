// One's own account: only by a session, so by somebody who has signed in. A token, which lies in some
// program's settings, can neither make others nor change its user's password.
//
// Nor can a session by itself, which lies in some browser that was left open: what would outlast it takes
// the password besides, and a code where there is a second factor (PROVE).
#include "archive.h"

#include <errno.h>
#include <sys/stat.h>

#include "conf/token.h"
#include "os/clock.h"

enum { STALE_WITHIN_MS = 10000 };

// Or says why not.
static bool may(struct archive *a, struct session *s, enum ask ask) {
    if (s->who.kind == IPC_CREDENTIAL_SESSION) {
        s->request = ++a->next_request;
        return true;
    }
    signing_refuse(a, s, ask, ERR_DENIED, "A token cannot do this; sign in.");
    return false;
}

static bool may_change(struct archive *a, struct session *s, enum ask ask) {
    bool proven = s->who.proven;
    s->who.proven = false;
    if (!may(a, s, ask))
        return false;
    if (!proven)
        signing_refuse(a, s, ask, ERR_DENIED, "This takes the password.");
    return proven;
}

static struct slice digest_of(const struct session *s) {
    return slice_of(s->who.digest, sizeof s->who.digest);
}

void account_on_list(struct archive *a, struct session *s, enum ipc_account_of what) {
    if (!may(a, s, ASK_LINES))
        return;
    struct ipc_auth_list ask = {
        .request = s->request, .what = (uint8_t)what, .user = slice_str(s->user), .digest = digest_of(s)};
    signing_ask(a, s, ASK_LINES, IPC_AUTH_LIST, &ask);
}

void account_on_end(struct archive *a, struct session *s, enum ipc_account_of what, struct slice id) {
    if (!may(a, s, ASK_DONE))
        return;
    struct ipc_auth_end ask = {
        .request = s->request, .what = (uint8_t)what, .user = slice_str(s->user), .id = id};
    signing_ask(a, s, ASK_DONE, IPC_AUTH_END, &ask);
}

void account_on_token(struct archive *a, struct session *s, const struct ipc_token_create *m) {
    if (!may_change(a, s, ASK_TOKEN))
        return;
    if (m->rights & ~s->rights) {
        signing_refuse(a, s, ASK_TOKEN, ERR_DENIED,
                       "A token cannot be allowed what you may not do yourself.");
        return;
    }
    struct ipc_auth_token_create ask = {.request = s->request,
                                        .user = slice_str(s->user),
                                        .name = m->name,
                                        .rights = m->rights,
                                        .days = m->days};
    signing_ask(a, s, ASK_TOKEN, IPC_AUTH_TOKEN_CREATE, &ask);
}

void account_on_prove(struct archive *a, struct session *s, const struct ipc_prove *m) {
    s->who.proven = false;
    if (!may(a, s, ASK_SIGN_IN))
        return;
    s->who.proves = true;
    struct ipc_auth_prove ask = {.request = s->request,
                                 .user = slice_str(s->user),
                                 .digest = digest_of(s),
                                 .password = m->password,
                                 .code = m->code,
                                 .source = signing_source(a, s, m->client)};
    signing_ask(a, s, ASK_SIGN_IN, IPC_AUTH_PROVE, &ask);
}

void account_on_password(struct archive *a, struct session *s, const struct ipc_password_change *m) {
    if (!may_change(a, s, ASK_SIGN_IN))
        return;
    struct ipc_auth_password ask = {.request = s->request,
                                    .user = slice_str(s->user),
                                    .digest = digest_of(s),
                                    .fresh = m->fresh};
    signing_ask(a, s, ASK_SIGN_IN, IPC_AUTH_PASSWORD, &ask);
}

// To begin changes nothing: the secret is good once it is confirmed.
void account_on_totp(struct archive *a, struct session *s, enum ipc_totp_step step, struct slice code) {
    bool begins = step == IPC_TOTP_STEP_BEGIN;
    enum ask answer = begins ? ASK_TOTP : ASK_SIGN_IN;
    if (begins ? !may(a, s, answer) : !may_change(a, s, answer))
        return;
    struct ipc_auth_totp ask = {.request = s->request,
                                .what = (uint8_t)step,
                                .user = slice_str(s->user),
                                .digest = digest_of(s),
                                .code = code};
    signing_ask(a, s, answer, IPC_AUTH_TOTP, &ask);
}

// --- on disk, for auth, which has no files

static enum err store_user(struct archive *a, const char *name, const struct ipc_auth_store *m,
                           struct fault *f) {
    struct conf_user u;
    enum err e = conf_user_load(a->dir, name, &u, f);
    if (e != OK)
        return e;
    bool fits = m->what == IPC_KEEP_HASH ? slice_to_cstr(m->text, u.password, sizeof u.password)
                                         : slice_to_cstr(m->text, u.totp, sizeof u.totp);
    e = fits ? conf_user_save(a->dir, &u, f) : ERR_LIMIT;
    explicit_bzero(&u, sizeof u);
    return e;
}

static enum err store_token(struct archive *a, const struct ipc_auth_store *m, struct fault *f) {
    struct conf_token t;
    char path[4096];
    if (!conf_token_line_parse(slice_trim_right(m->text, "\n"), &t))
        return fault_set(f, ERR_PROTOCOL, "a token's record is malformed");
    int n = snprintf(path, sizeof path, "%s/tokens", a->dir);
    if (n < 0 || (size_t)n >= sizeof path || (mkdir(path, 0700) < 0 && errno != EEXIST))
        return fault_errno(f, "tokens");
    return conf_token_save(a->dir, &t, f);
}

static enum err store(struct archive *a, const struct ipc_auth_store *m, struct fault *f) {
    char name[CONF_NAME_MAX + 1];
    if (!conf_name_valid(m->name) || !slice_to_cstr(m->name, name, sizeof name))
        return fault_set(f, ERR_PROTOCOL, "a name that is none");
    switch (m->what) {
    case IPC_KEEP_HASH:
    case IPC_KEEP_TOTP:
        return store_user(a, name, m, f);
    case IPC_KEEP_TOKEN:
        return store_token(a, m, f);
    case IPC_KEEP_NO_TOKEN: {
        enum err e = conf_token_remove(a->dir, name, f);
        return e == ERR_NO_SUCH_OBJECT ? OK : e; // somebody else has removed it
    }
    default:
        return ERR_UNSUPPORTED;
    }
}

void account_on_store(struct archive *a, const struct ipc_auth_store *m) {
    struct fault f = {0};
    if (a->kept_count == KEPT_MAX) { // auth waits for each of so many
        session_log(a, NULL, OS_LOG_ERROR, "auth has more kept than it may");
        return;
    }
    enum err e = store(a, m, &f);
    if (e != OK)
        session_log(a, NULL, OS_LOG_ERROR, "an account cannot be changed: %s",
                    f.detail[0] ? f.detail : err_text(e));
    a->accounts_changed_ms = os_clock_ms();
    a->kept[a->kept_count++] = (struct ipc_auth_stored){.request = m->request, .error = (uint16_t)e};
    account_tell_auth(a);
}

// It must hear of each: a token that is no more on disk would be good for it still.
void account_tell_auth(struct archive *a) {
    size_t n = 0;
    while (n < a->kept_count && ipc_send(a->auth.fd, IPC_AUTH_STORED, &a->kept[n], NULL, 0) == OK)
        n++;
    a->kept_count -= n;
    memmove(a->kept, a->kept + n, a->kept_count * sizeof *a->kept);
}

// The supervisor has read users and tokens before it told us to reload: perhaps just before we changed them.
void account_on_reload(struct archive *a) {
    if (a->accounts_changed_ms == 0 || os_clock_ms() - a->accounts_changed_ms > STALE_WITHIN_MS)
        return;
    a->accounts_changed_ms = 0;
    (void)ipc_send(a->supervisor.fd, IPC_ACCOUNTS_STALE, &(struct ipc_accounts_stale){0}, NULL, 0);
}
