// Whose credential is it? Asked for every request, so that a right that was taken away is gone at the next
// one.
//
// Looked up by SHA-256 of 256 random bits: how long that takes says nothing that would help to find one.
#include "auth.h"
#include "oidc.h"
#include "os/clock.h"

void identify_stamp(const struct user *u, uint8_t ret_stamp[DIGEST_SHA256_BYTES]) {
    digest_hmac_sha256(u->hash, u->totp, ret_stamp);
}

// A session of a user who was removed, or got another password or second factor since, is none.
static bool is_current(const struct auth *a, const struct session *s) {
    uint8_t stamp[DIGEST_SHA256_BYTES];
    if (s->provider)
        return a->settings.issuer[0] != '\0';
    const struct user *u = users_find(&a->users, slice_str(s->user));
    if (!u || u->hash.n == 0)
        return false;
    identify_stamp(u, stamp);
    return memcmp(stamp, s->stamp, sizeof stamp) == 0;
}

struct session *identify_session(struct auth *a, struct slice digest) {
    struct session *s = sessions_find(&a->sessions, digest, os_clock_ms());
    if (s && !is_current(a, s)) {
        sessions_end(&a->sessions, s);
        return NULL;
    }
    return s;
}

static void by_session(struct auth *a, struct slice digest, bool passive, struct ipc_auth_identity *m) {
    struct session *s = identify_session(a, digest);
    bool expired = s == NULL;
    if (expired)
        s = sessions_find_expired(&a->sessions, digest);
    if (!s || !is_current(a, s))
        return;
    int64_t now_ms = os_clock_ms();
    if (!passive && !expired)
        sessions_touch(s, now_ms, os_clock_wall_ms());
    m->error = OK;
    m->kind = IPC_CREDENTIAL_SESSION;
    m->user = slice_str(s->user);
    m->rights = UINT32_MAX;
    m->expired = expired;
    m->expires_s = expired ? 0 : (uint32_t)(sessions_left_ms(&a->sessions, s, now_ms) / 1000);
    m->roles = s->roles;
    m->physician = slice_str(s->physician);
    const struct user *u = s->provider ? NULL : users_find(&a->users, slice_str(s->user));
    if (!u)
        return;
    m->roles = u->roles;
    m->physician = u->physician;
    m->collections = u->collections;
    m->second_factor = u->totp.n > 0;
}

static void by_token(struct auth *a, struct slice digest, struct ipc_auth_identity *m) {
    int64_t now_s = os_clock_wall_ms() / 1000;
    struct token *t = tokens_find(&a->tokens, digest);
    const struct user *u = t ? users_find(&a->users, slice_str(t->c.user)) : NULL;
    if (!u)
        return;
    if (t->c.expires_s > now_s)
        t->used_s = now_s;
    m->error = OK;
    m->kind = IPC_CREDENTIAL_TOKEN;
    m->user = u->name;
    m->roles = u->roles;
    m->physician = u->physician;
    m->rights = tokens_rights(t->c.can);
    m->collections = u->collections;
    m->token_collections = slice_str(t->c.collections);
    int64_t left_s = t->c.expires_s - now_s;
    m->expired = left_s <= 0;
    m->expires_s = left_s <= 0 ? 0 : left_s < UINT32_MAX ? (uint32_t)left_s : UINT32_MAX;
}

void identify_on_question(struct auth *a, const struct ipc_auth_identify *m) {
    struct ipc_auth_identity answer = {.request = m->request, .error = ERR_DENIED};
    if (m->kind == IPC_SHOWN_BEARER && m->jwt.n > 0) {
        oidc_on_bearer(a, m->request, m->jwt);
        return;
    }
    if (m->kind == IPC_SHOWN_COOKIE)
        by_session(a, m->digest, m->passive != 0, &answer);
    else if (m->kind == IPC_SHOWN_BEARER)
        by_token(a, m->digest, &answer);
    auth_send(IPC_AUTH_IDENTITY, &answer);
}
