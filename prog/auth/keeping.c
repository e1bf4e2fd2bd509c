// Changes that must be on disk before they are true.
#include "auth.h"

#include <stdio.h>

static const char not_stored[] = "It could not be stored; nothing has changed.";

struct keeping *keeping_new(struct auth *a, uint64_t request, enum ipc_keep what, struct slice name) {
    for (struct keeping *k = a->keeping; k < a->keeping + KEEPING_MAX; k++) {
        if (k->used)
            continue;
        *k = (struct keeping){.used = true, .request = request, .what = what, .totp_step = INT64_MIN};
        (void)slice_to_cstr(name, k->name, sizeof k->name);
        return k;
    }
    return NULL;
}

void keeping_ask(struct keeping *k) {
    struct buf text = BUF_INIT(4096);
    if (k->what == IPC_KEEP_TOKEN)
        conf_token_line_put(&text, &k->token);
    else
        buf_append_str(&text, k->text);
    struct ipc_auth_store m = {.request = k->request,
                               .what = (uint8_t)k->what,
                               .name = slice_str(k->name),
                               .text = buf_slice(&text)};
    auth_send(IPC_AUTH_STORE, &m);
    if (text.p)
        explicit_bzero(text.p, text.n);
    buf_fini(&text);
}

static void answer_change(const struct keeping *k, enum err error, const char *detail) {
    struct ipc_auth_signed_in m = {
        .request = k->request, .error = (uint16_t)error, .detail = slice_str(detail)};
    auth_send(IPC_AUTH_SIGNED_IN, &m);
}

static bool use(const struct keeping *k, struct user *u) {
    struct slice text = slice_str(k->text);
    return k->what == IPC_KEEP_HASH ? users_set_hash(u, text) : users_set_totp(u, text);
}

static void log_change(const struct keeping *k) {
    const char *what = k->what == IPC_KEEP_HASH ? "new password; all other sessions of this user ended"
                       : k->text[0]             ? "second factor on; all other sessions of this user ended"
                                                : "second factor off; all other sessions of this user ended";
    os_log(OS_LOG_INFO, what, OS_LOG_TEXT("user", k->name));
}

// All sessions of the user end: somebody else may have one. Who asked goes on in a new one, if that session
// is one still.
static void has_changed(struct auth *a, const struct keeping *k) {
    char source[SESSION_SOURCE_MAX + 1] = "";
    const struct session *s = identify_session(a, slice_of(k->digest, DIGEST_SHA256_BYTES));
    bool goes_on = s != NULL;
    if (s)
        strcpy(source, s->source);
    struct user *u = users_find(&a->users, slice_str(k->name));
    if (!u || !use(k, u)) {
        answer_change(k, ERR_NO_MEMORY, "It is stored, but not in use yet. Try again.");
        return;
    }
    if (k->totp_step != INT64_MIN)
        totp_used_note(&a->totp_used, u->name, k->totp_step);
    sessions_end_of_user(&a->sessions, u->name);
    log_change(k);
    auth_forget(k->name);
    if (goes_on)
        sign_in_welcome(a, k->request, u, slice_str(source));
    else
        answer_change(k, OK, "");
}

static void has_token(struct auth *a, const struct keeping *k) {
    struct ipc_auth_token_created m = {.request = k->request};
    if (tokens_add(&a->tokens, &k->token)) {
        m.token = slice_str(k->secret);
        m.id = slice_str(k->token.id);
        os_log(OS_LOG_INFO, "new token", OS_LOG_TEXT("user", k->token.user), OS_LOG_TEXT("id", k->token.id));
    } else {
        m.error = ERR_NO_MEMORY;
    }
    auth_send(IPC_AUTH_TOKEN_CREATED, &m);
}

static void has_no_token(struct auth *a, const struct keeping *k) {
    struct token *t = tokens_by_id(&a->tokens, slice_str(k->text), slice_str(k->name));
    if (t)
        tokens_remove(&a->tokens, t);
    os_log(OS_LOG_INFO, "token revoked", OS_LOG_TEXT("user", k->text), OS_LOG_TEXT("id", k->name));
    auth_forget(k->text);
    auth_done(k->request, OK, "");
}

static void done(struct auth *a, const struct keeping *k) {
    switch (k->what) {
    case IPC_KEEP_HASH:
    case IPC_KEEP_TOTP:
        has_changed(a, k);
        break;
    case IPC_KEEP_TOKEN:
        has_token(a, k);
        break;
    case IPC_KEEP_NO_TOKEN:
        has_no_token(a, k);
        break;
    }
}

static void failed(const struct keeping *k, enum err error) {
    struct ipc_auth_token_created m = {.request = k->request, .error = (uint16_t)error};
    if (k->what == IPC_KEEP_TOKEN)
        auth_send(IPC_AUTH_TOKEN_CREATED, &m);
    else if (k->what == IPC_KEEP_NO_TOKEN)
        auth_done(k->request, error, not_stored);
    else
        answer_change(k, error, not_stored);
}

void keeping_on_stored(struct auth *a, const struct ipc_auth_stored *m) {
    for (struct keeping *k = a->keeping; k < a->keeping + KEEPING_MAX; k++) {
        if (!k->used || k->request != m->request)
            continue;
        if (m->error == OK)
            done(a, k);
        else
            failed(k, m->error < ERR_COUNT_ ? (enum err)m->error : ERR_IO);
        explicit_bzero(k, sizeof *k);
    }
}
