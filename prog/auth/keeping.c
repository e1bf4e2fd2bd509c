// Changes that must be on disk before they are true.
#include "auth.h"

#include <stdio.h>

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

static void has_password(struct auth *a, const struct keeping *k) {
    struct user *u = users_find(&a->users, slice_str(k->name));
    if (!u || !users_set_hash(u, slice_str(k->text)))
        return;
    struct session *current = sessions_find(&a->sessions, slice_of(k->digest, DIGEST_SHA256_BYTES), 0);
    if (current)
        identify_stamp(u->hash, current->stamp);
    sessions_end_of_user(&a->sessions, u->name, current);
    os_log(OS_LOG_INFO, "new password; all other sessions of this user ended", OS_LOG_TEXT("user", k->name));
}

static void has_totp(struct auth *a, const struct keeping *k) {
    struct user *u = users_find(&a->users, slice_str(k->name));
    if (!u || !users_set_totp(u, slice_str(k->text)))
        return;
    if (k->totp_step != INT64_MIN)
        totp_used_note(&a->totp_used, u->name, k->totp_step);
    os_log(OS_LOG_INFO, k->text[0] ? "second factor on" : "second factor off", OS_LOG_TEXT("user", k->name));
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
}

static void done(struct auth *a, const struct keeping *k) {
    switch (k->what) {
    case IPC_KEEP_HASH:
        has_password(a, k);
        break;
    case IPC_KEEP_TOTP:
        has_totp(a, k);
        break;
    case IPC_KEEP_TOKEN:
        has_token(a, k);
        return;
    case IPC_KEEP_NO_TOKEN:
        has_no_token(a, k);
        break;
    }
    auth_forget(k->what == IPC_KEEP_NO_TOKEN ? k->text : k->name);
    auth_done(k->request, OK, "");
}

static void failed(const struct keeping *k, enum err error) {
    struct ipc_auth_token_created m = {.request = k->request, .error = (uint16_t)error};
    if (k->what == IPC_KEEP_TOKEN)
        auth_send(IPC_AUTH_TOKEN_CREATED, &m);
    else
        auth_done(k->request, error, "It could not be stored; nothing has changed.");
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
