#include "oidc.h"

#include "base/base64url.h"
#include "jwt.h"
#include "oidc_state.h"
#include "os/clock.h"
#include "os/fd.h"
#include "provider.h"

#include <stdio.h>
#include <stdlib.h>

enum {
    TASKS_MAX = 256,
    TASKS_OF_SOURCE = 4,
    BEARERS_MAX = 192,
    KEYLESS_MAX = 64, // of them, signed with a key that we do not know: anybody can make such
    TASK_LIFE_MS = 20000,
    RETURNS_MAX = 1024,
    RETURN_MAX = 512,
    BODY_MAX = 256 * 1024,
    NAME_ROOM = 59, // "oidc:" and this many bytes
};

enum task_kind { TASK_START, TASK_FINISH, TASK_BEARER };

// A question of the archive that waits for the provider.
struct task {
    bool used;
    enum task_kind kind;
    uint64_t request,
        fetch; // fetch: of its own that is under way; 0: waits for settings or keys, or for nothing
    uint64_t source;
    int64_t give_up_at_ms;
    bool asked_keys; // for its sake
    char from[SESSION_SOURCE_MAX + 1];
    char state[OIDC_STATE_CHARS + 1];
    char code[2049];
    uint8_t replaces[DIGEST_SHA256_BYTES]; // the session that ends with this sign-in; zeros: none
    struct buf jwt; // the bearer token, or the ID token
};

struct oidc {
    uint8_t key[32];
    int fd;
    struct provider provider;
    struct task task[TASKS_MAX];
    uint64_t next_fetch, provider_fetch; // the one for settings or keys
    struct buf body;                     // of the answer whose parts are coming
    struct {
        char state[OIDC_STATE_CHARS + 1], path[RETURN_MAX + 1];
    } returns[RETURNS_MAX];
    unsigned next_return;
    uint8_t *message;
};

bool oidc_init(struct auth *a) {
    a->oidc = calloc(1, sizeof *a->oidc);
    if (!a->oidc || !(a->oidc->message = malloc(IPC_MAX_BYTES)))
        return false;
    a->oidc->fd = -1;
    a->oidc->body = BUF_INIT(BODY_MAX);
    secrets_random(a->oidc->key, sizeof a->oidc->key);
    return true;
}

static void task_end(struct task *t) {
    if (t->jwt.p)
        explicit_bzero(t->jwt.p, t->jwt.n);
    buf_fini(&t->jwt);
    explicit_bzero(t, sizeof *t);
}

// --- answers

static void refuse(struct task *t, enum err e, const char *why) {
    struct ipc_auth_oidc_go go = {.request = t->request, .error = (uint16_t)e};
    struct ipc_auth_identity identity = {
        .request = t->request, .error = (uint16_t)e, .detail = slice_str(why)};
    if (t->kind != TASK_BEARER)
        os_log(OS_LOG_WARN, "sign-in with the provider failed", OS_LOG_TEXT("why", why),
               OS_LOG_TEXT("from", t->from));
    if (t->kind == TASK_START)
        auth_send(IPC_AUTH_OIDC_GO, &go);
    else if (t->kind == TASK_FINISH)
        sign_in_refuse(t->request, e, false, 0);
    else
        auth_send(IPC_AUTH_IDENTITY, &identity);
    task_end(t);
}

static void put_parameter(struct buf *b, const char *name, struct slice value) {
    if (b->n > 0 && b->p[b->n - 1] != '?')
        buf_u8(b, '&');
    buf_printf(b, "%s=", name);
    oidc_put_escaped(b, value);
}

static void put_redirect(struct buf *b, const struct settings *s) {
    char url[SETTING_MAX + 32];
    snprintf(url, sizeof url, "%s/api/oidc/callback", s->url);
    put_parameter(b, "redirect_uri", slice_str(url));
}

static void put_challenge(struct buf *b, const struct oidc *o, const char *state) {
    char text[SECRET_CHARS + 1], challenge[SECRET_CHARS + 1];
    uint8_t digest[DIGEST_SHA256_BYTES];
    oidc_state_derive(o->key, slice_str(state), "nonce", text);
    put_parameter(b, "nonce", slice_str(text));
    oidc_state_derive(o->key, slice_str(state), "verifier", text);
    digest_sha256(slice_str(text), digest);
    base64url_encode(slice_of(digest, sizeof digest), challenge);
    put_parameter(b, "code_challenge", slice_str(challenge));
    put_parameter(b, "code_challenge_method", SLICE_LIT("S256"));
    explicit_bzero(text, sizeof text);
}

static void go(struct auth *a, struct task *t) {
    const struct settings *s = &a->settings;
    struct buf b = BUF_INIT(2048);
    buf_append_str(&b, a->oidc->provider.authorization);
    buf_append_str(&b, strchr(a->oidc->provider.authorization, '?') ? "&" : "?");
    buf_append_str(&b, "response_type=code");
    put_parameter(&b, "client_id", slice_str(s->client_id));
    put_redirect(&b, s);
    put_parameter(&b, "scope", slice_str(s->scopes));
    put_parameter(&b, "state", slice_str(t->state));
    put_challenge(&b, a->oidc, t->state);
    struct ipc_auth_oidc_go m = {.request = t->request, .url = buf_slice(&b), .state = slice_str(t->state)};
    if (buf_ok(&b))
        auth_send(IPC_AUTH_OIDC_GO, &m);
    else
        refuse(t, ERR_LIMIT, "the provider's address is too long");
    buf_fini(&b);
    task_end(t);
}

// --- what the claims say

static bool claim_text(const struct jwt_claims *c, const char *path, struct buf *out) {
    size_t i = path[0] ? jwt_claim(c, path) : 0;
    if (!i || c->json.token[i].kind != JSON_STRING)
        return false;
    json_string(&c->json, i, out);
    return buf_ok(out);
}

static bool is_printable(struct slice text) {
    for (size_t i = 0; i < text.n; i++)
        if (text.p[i] < 0x20 || text.p[i] == 0x7f)
            return false;
    return text.n > 0;
}

// "oidc:NAME": no local user's name has a colon, so it can be nobody's.
static bool take_name(const struct jwt_claims *c, const struct settings *s,
                      char ret_user[SESSION_USER_MAX + 1]) {
    struct buf name = BUF_INIT(NAME_ROOM);
    bool good = claim_text(c, s->user_claim, &name) && is_printable(buf_slice(&name));
    if (good)
        snprintf(ret_user, SESSION_USER_MAX + 1, "oidc:%.*s", SLICE_FMT(buf_slice(&name)));
    buf_fini(&name);
    return good;
}

static uint32_t roles_of_value(const struct jwt_claims *c, size_t i, const struct settings *s) {
    uint32_t roles = 0;
    for (size_t r = 0; r < s->role_count; r++)
        if (json_is(&c->json, i, s->roles[r].value))
            roles |= s->roles[r].roles;
    return roles;
}

static uint32_t take_roles(const struct jwt_claims *c, const struct settings *s) {
    size_t at = s->roles_claim[0] ? jwt_claim(c, s->roles_claim) : 0;
    uint32_t roles = 0;
    if (at && c->json.token[at].kind == JSON_STRING)
        return roles_of_value(c, at, s);
    if (!at || c->json.token[at].kind != JSON_ARRAY)
        return 0;
    for (size_t i = at + 1; i < c->json.token[at].next; i = c->json.token[i].next)
        roles |= roles_of_value(c, i, s);
    return roles;
}

static void take_physician(const struct jwt_claims *c, const struct settings *s,
                           char ret_physician[SESSION_PHYSICIAN_MAX + 1]) {
    struct buf text = BUF_INIT(SESSION_PHYSICIAN_MAX);
    ret_physician[0] = '\0';
    bool good = claim_text(c, s->physician_claim, &text) && is_printable(buf_slice(&text));
    for (size_t i = 0; i < text.n; i++) // no wildcards, as in conf/user.h
        good = good && !strchr("*?\\", text.p[i]);
    if (good)
        (void)slice_to_cstr(buf_slice(&text), ret_physician, SESSION_PHYSICIAN_MAX + 1);
    buf_fini(&text);
}

// False: refused, and why was said.
static bool take_person(struct auth *a, struct task *t, const struct jwt_claims *c,
                        struct session *ret_spec) {
    struct session spec = {.provider = true};
    if (!take_name(c, &a->settings, spec.user)) {
        refuse(t, ERR_DENIED, "the claim with the user's name (user_claim) is missing or too long");
        return false;
    }
    spec.roles = take_roles(c, &a->settings);
    if (spec.roles == 0) {
        refuse(t, ERR_DENIED,
               "the provider gives this user no role that oidc.conf knows (roles_claim, role_…)");
        return false;
    }
    take_physician(c, &a->settings, spec.physician);
    strcpy(spec.source, t->from);
    *ret_spec = spec;
    return true;
}

static struct slice return_of(const struct oidc *o, const char *state) {
    for (size_t i = 0; i < RETURNS_MAX; i++)
        if (strcmp(o->returns[i].state, state) == 0)
            return slice_str(o->returns[i].path);
    return SLICE_LIT("/");
}

static void welcome(struct auth *a, struct task *t, const struct jwt_claims *c) {
    struct session spec;
    char secret[SECRET_CHARS + 1];
    if (!take_person(a, t, c, &spec))
        return;
    sign_in_replace(a, slice_of(t->replaces, sizeof t->replaces));
    sessions_new(&a->sessions, &spec, os_clock_ms(), os_clock_wall_ms(), secret);
    struct ipc_auth_signed_in m = {.request = t->request,
                                   .expires_s = a->settings.session_max_s,
                                   .session = slice_str(secret),
                                   .return_to = return_of(a->oidc, t->state)};
    auth_send(IPC_AUTH_SIGNED_IN, &m);
    explicit_bzero(secret, sizeof secret);
    os_log(OS_LOG_INFO, "signed in", OS_LOG_TEXT("user", spec.user), OS_LOG_TEXT("from", spec.source));
    task_end(t);
}

static void vouch(struct auth *a, struct task *t, const struct jwt_claims *c) {
    struct session who;
    if (!take_person(a, t, c, &who))
        return;
    int64_t left_s = c->expires_s - os_clock_wall_ms() / 1000;
    struct ipc_auth_identity m = {.request = t->request,
                                  .kind = IPC_CREDENTIAL_JWT,
                                  .user = slice_str(who.user),
                                  .roles = who.roles,
                                  .rights = UINT32_MAX,
                                  .expires_s = left_s < 1       ? 1
                                               : left_s > 86400 ? 86400
                                                                : (uint32_t)left_s,
                                  .physician = slice_str(who.physician)};
    auth_send(IPC_AUTH_IDENTITY, &m);
    task_end(t);
}

// --- asking fetch

static bool ask(struct oidc *o, uint64_t fetch, const char *url, struct slice authorization,
                struct slice body) {
    struct ipc_auth_fetch m = {
        .request = fetch, .url = slice_str(url), .authorization = authorization, .body = body};
    bool sent = o->fd >= 0 && ipc_send(o->fd, IPC_AUTH_FETCH, &m, NULL, 0) == OK;
    ipc_forget_sent();
    return sent;
}

static void ask_provider(struct auth *a, enum provider_need need, int64_t now_ms) {
    struct oidc *o = a->oidc;
    char url[PROVIDER_URL_MAX + 1];
    if (o->provider_fetch != 0 || need == PROVIDER_NEEDS_NOTHING)
        return;
    o->provider_fetch = ++o->next_fetch;
    o->provider.fetching = need;
    if (need == PROVIDER_NEEDS_KEYS)
        o->provider.keys_asked_ms = now_ms;
    if (provider_url(&o->provider, &a->settings, need, url) &&
        ask(o, o->provider_fetch, url, slice_of(NULL, 0), slice_of(NULL, 0)))
        return;
    o->provider_fetch = 0;
    o->provider.failed_ms = now_ms;
}

// RFC 6749 2.3.1: user and password are form-encoded before they become base64.
static void put_basic(struct buf *b, const struct settings *s) {
    static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    struct buf pair = BUF_INIT(2048);
    oidc_put_escaped(&pair, slice_str(s->client_id));
    buf_u8(&pair, ':');
    oidc_put_escaped(&pair, slice_str(s->client_secret));
    buf_append_str(b, "Basic ");
    for (size_t i = 0; i < pair.n; i += 3) {
        size_t n = pair.n - i < 3 ? pair.n - i : 3;
        uint32_t group = (uint32_t)pair.p[i] << 16 | (n > 1 ? (uint32_t)pair.p[i + 1] << 8 : 0) |
                         (n > 2 ? pair.p[i + 2] : 0);
        for (size_t k = 0; k < 4; k++)
            buf_u8(b, (uint8_t)(k <= n ? alphabet[group >> (18 - 6 * k) & 63] : '='));
    }
    if (pair.p)
        explicit_bzero(pair.p, pair.n);
    buf_fini(&pair);
}

static void put_code(struct buf *b, const struct auth *a, const struct task *t) {
    char verifier[SECRET_CHARS + 1];
    oidc_state_derive(a->oidc->key, slice_str(t->state), "verifier", verifier);
    put_parameter(b, "grant_type", SLICE_LIT("authorization_code"));
    put_parameter(b, "code", slice_str(t->code));
    put_redirect(b, &a->settings);
    put_parameter(b, "client_id", slice_str(a->settings.client_id));
    put_parameter(b, "code_verifier", slice_str(verifier));
    if (a->settings.client_secret[0] && a->oidc->provider.secret_in_body)
        put_parameter(b, "client_secret", slice_str(a->settings.client_secret));
    explicit_bzero(verifier, sizeof verifier);
}

static void redeem(struct auth *a, struct task *t) {
    struct buf body = BUF_INIT(8192), authorization = BUF_INIT(2048);
    put_code(&body, a, t);
    if (a->settings.client_secret[0] && !a->oidc->provider.secret_in_body)
        put_basic(&authorization, &a->settings);
    t->fetch = ++a->oidc->next_fetch;
    bool sent = buf_ok(&body) && buf_ok(&authorization) &&
                ask(a->oidc, t->fetch, a->oidc->provider.token, buf_slice(&authorization), buf_slice(&body));
    explicit_bzero(t->code, sizeof t->code);
    if (body.p)
        explicit_bzero(body.p, body.n);
    if (authorization.p)
        explicit_bzero(authorization.p, authorization.n);
    buf_fini(&body);
    buf_fini(&authorization);
    if (!sent)
        refuse(t, ERR_BUSY, "the provider cannot be asked just now");
}

// --- the steps of a task

// Perhaps the provider has a new key. True: it is being asked, and the task waits for that.
static bool waits_for_keys(struct auth *a, struct task *t) {
    int64_t now_ms = os_clock_ms();
    unsigned waiting = 0;
    for (const struct task *other = a->oidc->task; other < a->oidc->task + TASKS_MAX; other++)
        waiting += other->used && other->asked_keys && other->kind == TASK_BEARER;
    bool may_wait = t->kind != TASK_BEARER || waiting < KEYLESS_MAX;
    if (t->asked_keys || !may_wait ||
        (a->oidc->provider_fetch == 0 && !provider_may_ask_keys(&a->oidc->provider, now_ms)))
        return false;
    t->asked_keys = true;
    ask_provider(a, PROVIDER_NEEDS_KEYS, now_ms);
    return a->oidc->provider_fetch != 0;
}

static void check_token(struct auth *a, struct task *t) {
    char nonce[SECRET_CHARS + 1] = "";
    const struct settings *s = &a->settings;
    bool bearer = t->kind == TASK_BEARER;
    struct jwt_claims claims;
    struct fault f = {0};
    oidc_state_derive(a->oidc->key, slice_str(t->state), "nonce", nonce);
    struct jwt_rules rules = {.algorithms = s->algorithms,
                              .algorithm_count = s->algorithm_count,
                              .issuer = s->issuer,
                              .audience = bearer ? s->audience : s->client_id,
                              .client_id = bearer ? NULL : s->client_id,
                              .nonce = nonce,
                              .now_s = os_clock_wall_ms() / 1000};
    enum err e = jwt_check(&a->oidc->provider.jwks, buf_slice(&t->jwt), &rules, &f, &claims);
    if (e == ERR_NO_SUCH_OBJECT && waits_for_keys(a, t))
        return;
    if (e != OK) {
        refuse(t, ERR_DENIED, f.detail);
        return;
    }
    if (bearer)
        vouch(a, t, &claims);
    else
        welcome(a, t, &claims);
    jwt_claims_fini(&claims);
}

// Goes on with a task that waits for no answer of its own.
static void step(struct auth *a, struct task *t) {
    struct oidc *o = a->oidc;
    int64_t now_ms = os_clock_ms();
    ask_provider(a, provider_needs(&o->provider, now_ms), now_ms);
    if (o->provider_fetch != 0 && (!provider_is_usable(&o->provider, now_ms) || t->asked_keys))
        return;
    if (!provider_is_usable(&o->provider, now_ms))
        refuse(t, ERR_BUSY, "the sign-in provider cannot be reached");
    else if (t->kind == TASK_START)
        go(a, t);
    else if (t->kind == TASK_FINISH && t->jwt.n == 0)
        redeem(a, t);
    else
        check_token(a, t);
}

static struct task *task_new(struct auth *a, enum task_kind kind, uint64_t request, struct slice source) {
    uint64_t from = throttle_source(&a->throttle, source);
    struct task *found = NULL;
    unsigned same = 0;
    for (struct task *t = a->oidc->task; t < a->oidc->task + TASKS_MAX; t++) {
        same += t->used && t->kind == kind && t->source == from;
        if (!t->used && !found)
            found = t;
    }
    if (!found || same >= (kind == TASK_BEARER ? BEARERS_MAX : TASKS_OF_SOURCE))
        return NULL;
    *found = (struct task){.used = true,
                           .kind = kind,
                           .request = request,
                           .source = from,
                           .give_up_at_ms = os_clock_ms() + TASK_LIFE_MS,
                           .jwt = BUF_INIT(JWT_MAX)};
    (void)slice_to_cstr(source, found->from, sizeof found->from);
    return found;
}

void oidc_on_bearer(struct auth *a, uint64_t request, struct slice jwt) {
    struct ipc_auth_identity no = {.request = request, .error = ERR_DENIED};
    bool wanted = a->settings.issuer[0] && a->settings.audience[0];
    struct task *t = wanted ? task_new(a, TASK_BEARER, request, slice_of(NULL, 0)) : NULL;
    if (!t) {
        no.error = wanted ? ERR_BUSY : ERR_DENIED;
        auth_send(IPC_AUTH_IDENTITY, &no);
        return;
    }
    buf_append_slice(&t->jwt, jwt);
    step(a, t);
}

static bool is_own_path(struct slice path) {
    if (path.n == 0 || path.p[0] != '/' || (path.n > 1 && path.p[1] == '/'))
        return false;
    for (size_t i = 0; i < path.n; i++)
        if (path.p[i] <= 0x20 || path.p[i] >= 0x7f || path.p[i] == '\\')
            return false;
    return true;
}

static void remember_return(struct oidc *o, const char *state, struct slice path) {
    if (!is_own_path(path) || path.n == 1)
        return;
    unsigned i = o->next_return++ % RETURNS_MAX;
    strcpy(o->returns[i].state, state);
    (void)slice_to_cstr(path, o->returns[i].path, sizeof o->returns[i].path);
}

void oidc_on_start(struct auth *a, const struct ipc_auth_oidc_start *m) {
    bool wanted = a->settings.issuer[0] && a->settings.url[0];
    struct task *t = wanted ? task_new(a, TASK_START, m->request, m->source) : NULL;
    if (!t) {
        struct ipc_auth_oidc_go no = {.request = m->request, .error = wanted ? ERR_BUSY : ERR_UNSUPPORTED};
        auth_send(IPC_AUTH_OIDC_GO, &no);
        return;
    }
    oidc_state_make(a->oidc->key, os_clock_wall_ms() / 1000, t->state);
    remember_return(a->oidc, t->state, m->return_to);
    step(a, t);
}

void oidc_on_finish(struct auth *a, const struct ipc_auth_oidc_finish *m) {
    bool wanted = a->settings.issuer[0] && a->settings.url[0];
    bool good = wanted && secrets_equal(m->cookie, m->state) &&
                oidc_state_check(a->oidc->key, m->state, os_clock_wall_ms() / 1000);
    struct task *t = good ? task_new(a, TASK_FINISH, m->request, m->source) : NULL;
    if (!t) {
        sign_in_refuse(m->request, good ? ERR_BUSY : ERR_DENIED, false, 0);
        return;
    }
    (void)slice_to_cstr(m->state, t->state, sizeof t->state);
    if (m->replaces.n == sizeof t->replaces)
        memcpy(t->replaces, m->replaces.p, sizeof t->replaces);
    if (slice_to_cstr(m->code, t->code, sizeof t->code) && t->code[0])
        step(a, t);
    else
        refuse(t, ERR_DENIED, "the provider sent no code");
}

// --- what fetch says

// The provider's answer to a code: OpenID Connect Core 3.1.3.3.
static void on_token_answer(struct auth *a, struct task *t, unsigned status, struct slice body) {
    struct json j;
    struct fault f = {0};
    t->fetch = 0;
    if (status != 200 || json_scan(body, 4096, &f, &j) != OK) {
        refuse(t, ERR_DENIED, "the provider did not take the code");
        return;
    }
    size_t i = json_member(&j, 0, "id_token");
    if (i && j.token[i].kind == JSON_STRING)
        json_string(&j, i, &t->jwt);
    json_fini(&j);
    if (buf_ok(&t->jwt) && t->jwt.n > 0)
        step(a, t);
    else
        refuse(t, ERR_DENIED, "the provider sent no ID token that could be taken");
}

static void wake_all(struct auth *a) {
    for (struct task *t = a->oidc->task; t < a->oidc->task + TASKS_MAX; t++)
        if (t->used && t->fetch == 0)
            step(a, t);
}

static void on_answer(struct auth *a, uint64_t fetch, unsigned status, struct slice body) {
    struct oidc *o = a->oidc;
    struct fault f = {0};
    if (fetch != 0 && fetch == o->provider_fetch) {
        o->provider_fetch = 0;
        if (provider_take(&o->provider, &a->settings, o->provider.fetching, status, body, os_clock_ms(),
                          &f) != OK)
            os_log_fault(OS_LOG_WARN, "the sign-in provider cannot be used", &f);
        wake_all(a);
        return;
    }
    for (struct task *t = o->task; t < o->task + TASKS_MAX; t++)
        if (t->used && t->fetch != 0 && t->fetch == fetch) {
            on_token_answer(a, t, status, body);
            return;
        }
}

static void on_gone(struct auth *a) {
    struct oidc *o = a->oidc;
    os_fd_close(&o->fd);
    buf_reset(&o->body);
    if (o->provider_fetch != 0)
        on_answer(a, o->provider_fetch, 0, slice_of(NULL, 0));
    for (struct task *t = o->task; t < o->task + TASKS_MAX; t++)
        if (t->used && t->fetch != 0)
            refuse(t, ERR_BUSY, "the provider cannot be asked just now");
}

void oidc_on_fetched(struct auth *a) {
    struct oidc *o = a->oidc;
    struct ipc_msg m;
    struct fault f = {0};
    enum err e = ipc_recv_now(o->fd, IPC_FETCH_TO_AUTH, 0, o->message, &m, &f);
    if (e == ERR_BUSY)
        return;
    if (e != OK) {
        on_gone(a);
        return;
    }
    // The parts of an answer come one after the other, those of others not between them.
    buf_append_slice(&o->body, m.u.fetched.body);
    if (!m.u.fetched.last)
        return;
    bool whole = buf_ok(&o->body) && m.u.fetched.error == OK;
    on_answer(a, m.u.fetched.request, whole ? m.u.fetched.status : 0, buf_slice(&o->body));
    if (o->body.p)
        explicit_bzero(o->body.p, o->body.n);
    buf_reset(&o->body);
    explicit_bzero(o->message, IPC_MAX_BYTES);
}

void oidc_use_channel(struct auth *a, int take_fd) {
    if (a->oidc->fd >= 0)
        on_gone(a);
    a->oidc->fd = take_fd;
    a->oidc->provider.failed_ms = 0;
    (void)os_fd_set_nonblock(take_fd, true, NULL);
}

int oidc_channel(const struct auth *a) {
    return a->oidc->fd;
}

void oidc_settings_changed(struct auth *a) {
    provider_forget(&a->oidc->provider);
    a->oidc->provider_fetch = 0;
    // What it vouched for, and what we made of it, may not be so any more.
    for (struct session *s = a->sessions.v; s < a->sessions.v + SESSIONS_MAX; s++)
        if (s->used && s->provider)
            sessions_end(&a->sessions, s);
}

int64_t oidc_tick(struct auth *a, int64_t now_ms) {
    int64_t next_ms = INT64_MAX;
    for (struct task *t = a->oidc->task; t < a->oidc->task + TASKS_MAX; t++) {
        if (t->used && t->give_up_at_ms <= now_ms)
            refuse(t, ERR_BUSY, "the provider took too long");
        else if (t->used && t->give_up_at_ms < next_ms)
            next_ms = t->give_up_at_ms;
    }
    return next_ms;
}
