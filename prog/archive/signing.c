// Whose request is it? The worker hands over a credential; auth says whose it is; rights.c what that user
// may.
//
// What auth said is remembered for some seconds, by the credential's SHA-256, so that the many requests of
// one page cost one question. auth says when it is not true any more (AUTH_FORGET); a reload forgets
// everything.
#include "archive.h"

#include "digest/digest.h"
#include "os/clock.h"

enum { REMEMBER_MS = 10000, REMEMBERED_MAX = 4096, SIBLINGS_MS = 1000 };
enum { RECHECKS_AT_ONCE = 64 }; // auth's channel has room for others' questions besides

static const char has_expired[] = "its session or token has expired";

struct remembered {
    uint8_t digest[32], asked_kind, kind;
    bool used, second_factor;
    bool passive; // asked for what was no use of the session: the next use has to be told
    char user[CONF_NAME_MAX + 1], peer[PEER_TEXT_MAX + 1];
    uint32_t roles, rights;
    struct view *view;
    int64_t until_ms, expires_ms;
};

static struct remembered *place_of(struct archive *a, const uint8_t digest[32]) {
    uint32_t at;
    if (!a->remembered)
        a->remembered = calloc(REMEMBERED_MAX, sizeof *a->remembered);
    memcpy(&at, digest, sizeof at);
    return a->remembered ? &a->remembered[at % REMEMBERED_MAX] : NULL;
}

static void forget(struct remembered *r) {
    view_free(r->view);
    explicit_bzero(r, sizeof *r);
}

// A request that is under way, a long download perhaps: does its credential still hold, and for what?
static void recheck(struct archive *a, struct session *s) {
    struct ipc_auth_identify ask = {.request = ++a->next_request,
                                    .kind = s->who.kind == IPC_CREDENTIAL_SESSION ? IPC_SHOWN_COOKIE
                                                                                  : IPC_SHOWN_BEARER,
                                    .passive = s->who.passive,
                                    .digest = slice_of(s->who.digest, sizeof s->who.digest)};
    enum err e = a->auth.fd < 0 ? ERR_PEER_GONE : ipc_send(a->auth.fd, IPC_AUTH_IDENTIFY, &ask, NULL, 0);
    if (e == OK) {
        s->who.recheck = ask.request;
        s->who.stale_ms = 0;
    } else if (e == ERR_BUSY && os_clock_ms() - s->who.stale_ms < REMEMBER_MS) {
        a->recheck_more = true; // as soon as it reads
    } else {
        session_end(a, s, "whether it may go on cannot be found out");
    }
}

static void make_stale(struct session *s) {
    if (s->who.stale_ms == 0)
        s->who.stale_ms = os_clock_ms();
}

static bool can_be_rechecked(const struct session *s) {
    return s->who.kind == IPC_CREDENTIAL_SESSION || s->who.kind == IPC_CREDENTIAL_TOKEN;
}

void signing_recheck_more(struct archive *a) {
    unsigned open = 0;
    if (!a->recheck_more || a->auth.fd < 0)
        return;
    for (const struct session *s = a->sessions; s; s = s->next)
        open += s->who.recheck != 0;
    a->recheck_more = false;
    for (struct session *s = a->sessions, *next; s && !a->recheck_more; s = next) {
        next = s->next;
        if (s->who.stale_ms == 0 || s->who.recheck != 0 || s->who.ask != ASK_NOTHING || !can_be_rechecked(s))
            continue;
        if (s->who.signs_out) // it shall be able to say so; if it says anything else, it is asked about
            continue;
        if (open++ < RECHECKS_AT_ONCE)
            recheck(a, s);
        else
            a->recheck_more = true;
    }
}

static void forget_all_of(struct archive *a, struct slice user) {
    for (size_t i = 0; a->remembered && i < REMEMBERED_MAX; i++)
        if (a->remembered[i].used && (user.n == 0 || slice_eq_str(user, a->remembered[i].user)))
            forget(&a->remembered[i]);
}

// Does another request of this connection ask auth for something? What auth says is then, perhaps, the
// consequence of that: signing out or in again, a new password. The worker ends with the first of its
// requests that is ended, and that answer with it; so it goes out first.
static bool has_asking_sibling(const struct archive *a, const struct session *s) {
    for (const struct session *other = a->sessions; other; other = other->next)
        if (other != s && other->id == s->id && other->who.ask != ASK_NOTHING &&
            other->who.ask != ASK_IDENTITY)
            return true;
    return false;
}

void signing_forget(struct archive *a, struct slice user) {
    int64_t soon_ms = os_clock_ms() + SIBLINGS_MS;
    forget_all_of(a, user);
    for (struct session *s = a->sessions; s; s = s->next) {
        if (!can_be_rechecked(s) || (user.n > 0 && !slice_eq_str(user, s->user)))
            continue;
        if (user.n == 0 || !has_asking_sibling(a, s))
            make_stale(s);
        else if (s->who.check_ms > soon_ms)
            s->who.check_ms = soon_ms;
    }
    a->recheck_more = true;
    signing_recheck_more(a);
}

static bool is_asked(const struct session *s) {
    return s->who.recheck != 0 || s->who.stale_ms != 0;
}

static bool has_begun(const struct session *s) {
    return !s->who.late && (s->who.uploads || s->who.study[0] || s->phase == IPC_PHASE_QUERYING ||
                            s->phase == IPC_PHASE_RETRIEVING || s->phase == IPC_PHASE_STORING);
}

static void expire(struct archive *a, struct session *s) {
    s->who.expired = true;
    s->who.check_ms = INT64_MAX;
    if (!has_begun(s))
        session_end(a, s, has_expired);
}

// An honest worker begins each request with IDENTIFY. One that does not shall not have what its user once
// had for as long as its connection lasts. What a session or a token began before it expired goes on: an
// upload with all its objects, a retrieval of one study, which the ZIP makes series by series. Nothing else
// begins. Of a token of the provider nothing is kept that could be asked about.
void signing_on_message(struct archive *a, struct session *s, enum ipc_type type) {
    bool stores = type == IPC_STORE_BODY || type == IPC_STORE_COMMIT || type == IPC_STORE_ABORT;
    bool due = s->who.kind && (s->who.stale_ms || os_clock_ms() >= s->who.check_ms);
    s->who.uploads |= stores && !due;
    if (type == IPC_RELEASE)
        return;
    if (due && s->who.kind == IPC_CREDENTIAL_JWT) {
        expire(a, s);
    } else if (due && s->who.recheck == 0) {
        make_stale(s);
        recheck(a, s);
    }
    if (s->phase != IPC_PHASE_READY || type == IPC_LOCATE || (stores && s->who.uploads) || s->ending)
        return;
    s->who.late |= is_asked(s);
    if (s->who.expired)
        session_end(a, s, has_expired);
}

bool signing_may_retrieve(struct archive *a, struct session *s, struct slice study) {
    if (s->who.kind == 0 || (study.n > 0 && slice_eq_str(study, s->who.study)))
        return true;
    if (s->who.expired) {
        session_end(a, s, has_expired);
        return false;
    }
    s->who.late |= is_asked(s);
    (void)slice_to_cstr(study, s->who.study, sizeof s->who.study);
    return true;
}

static bool is_address(struct slice text) {
    struct conf_addr address = {.port = 0};
    struct sockaddr_storage parsed;
    socklen_t n;
    return text.n > 0 && slice_to_cstr(text, address.host, sizeof address.host) &&
           conf_addr_to_sockaddr(&address, &parsed, &n);
}

// A worker's word about the address counts only on a connection from a proxy that the administrator trusts.
struct slice signing_source(const struct archive *a, const struct session *s, struct slice client) {
    const struct sockaddr *from = (const struct sockaddr *)&s->proof.source;
    for (size_t i = 0; is_address(client) && i < a->conf.web.proxy_count; i++)
        if (conf_cidr_contains(&a->conf.web.proxies[i], from))
            return client;
    return slice_str(s->source);
}

// --- asking auth

void signing_refuse(struct archive *a, struct session *s, enum ask ask, enum err e, const char *detail) {
    struct slice why = slice_str(detail);
    uint16_t error = (uint16_t)e;
    switch (ask) {
    case ASK_IDENTITY:
        session_reply(a, s, IPC_IDENTITY, &(struct ipc_identity){.error = error, .detail = why}, -1);
        break;
    case ASK_SIGN_IN:
        session_reply(a, s, IPC_SIGNED_IN, &(struct ipc_signed_in){.error = error, .detail = why}, -1);
        break;
    case ASK_OIDC:
        session_reply(a, s, IPC_OIDC_GO, &(struct ipc_oidc_go){.error = error}, -1);
        break;
    case ASK_LINES:
        session_reply(a, s, IPC_LINES, &(struct ipc_lines){.error = error, .done = 1}, -1);
        break;
    case ASK_TOKEN:
        session_reply(a, s, IPC_TOKEN_CREATED, &(struct ipc_token_created){.error = error, .detail = why},
                      -1);
        break;
    case ASK_TOTP:
        session_reply(a, s, IPC_TOTP_SECRET, &(struct ipc_totp_secret){.error = error}, -1);
        break;
    case ASK_DONE:
    case ASK_NOTHING:
        session_reply(a, s, IPC_DONE, &(struct ipc_done){.error = error, .detail = why}, -1);
        break;
    }
}

// The session is back where it was when it asked. Which question it was.
static enum ask answered(struct session *s) {
    enum ask ask = s->who.ask;
    s->who.ask = ASK_NOTHING;
    s->who.proves = false;
    s->phase = s->who.kind ? IPC_PHASE_READY : IPC_PHASE_NEW;
    return ask;
}

// body: a message to auth whose first member is the request's number, which is s->request already.
void signing_ask(struct archive *a, struct session *s, enum ask ask, enum ipc_type type, const void *body) {
    s->who.ask = ask;
    s->phase = IPC_PHASE_ASKING;
    bool sent = a->auth.fd >= 0 && ipc_send(a->auth.fd, type, body, NULL, 0) == OK;
    ipc_forget_sent();
    if (sent)
        return;
    (void)answered(s);
    signing_refuse(a, s, ask, ERR_BUSY, "Signing in is not possible just now. Try again.");
}

// --- IDENTIFY

// Before it ends, because the question counts as use: else a long download would end its own session.
static int64_t check_at(const struct remembered *r) {
    int64_t now_ms = os_clock_ms(), half_ms = (r->expires_ms - now_ms) / 2;
    return r->kind == IPC_CREDENTIAL_JWT ? r->expires_ms : now_ms + (half_ms > 1000 ? half_ms : 1000);
}

static void become(struct archive *a, struct session *s, const struct remembered *r) {
    struct ipc_identity m = {.user = slice_str(r->user),
                             .roles = r->roles,
                             .rights = r->rights,
                             .expires_s = (uint32_t)((r->expires_ms - os_clock_ms()) / 1000),
                             .second_factor = r->second_factor};
    s->who.kind = r->kind;
    s->who.passive = s->who.asked_passive;
    s->who.check_ms = check_at(r);
    memcpy(s->who.digest, r->digest, sizeof s->who.digest);
    memcpy(s->user, r->user, sizeof s->user);
    memcpy(s->peer, r->peer, sizeof s->peer);
    s->rights = r->rights;
    session_set_view(s, view_ref(r->view));
    s->phase = IPC_PHASE_READY;
    session_reply(a, s, IPC_IDENTITY, &m, -1);
}

void signing_on_identify(struct archive *a, struct session *s, const struct ipc_identify *m) {
    uint8_t digest[DIGEST_SHA256_BYTES];
    int64_t now_ms = os_clock_ms();
    digest_sha256(m->credential, digest);
    s->who.asked_passive = m->passive != 0;
    const struct remembered *r = place_of(a, digest);
    bool known = r && r->used && r->asked_kind == m->kind && memcmp(r->digest, digest, sizeof digest) == 0;
    if (known && now_ms < r->until_ms && now_ms < r->expires_ms && (m->passive || !r->passive)) {
        become(a, s, r);
        return;
    }
    bool jwt =
        m->kind == IPC_SHOWN_BEARER && m->credential.n > 0 && memchr(m->credential.p, '.', m->credential.n);
    s->request = ++a->next_request;
    s->who.asked_kind = m->kind;
    memcpy(s->who.asked_digest, digest, sizeof digest);
    struct ipc_auth_identify ask = {.request = s->request,
                                    .kind = m->kind,
                                    .passive = s->who.asked_passive,
                                    .digest = slice_of(digest, sizeof digest),
                                    .jwt = jwt ? m->credential : slice_of(NULL, 0)};
    signing_ask(a, s, ASK_IDENTITY, IPC_AUTH_IDENTIFY, &ask);
}

static void remember(struct archive *a, struct session *s, const struct ipc_auth_identity *m,
                     struct remembered *ret_r) {
    struct policy policy = policy_of(a);
    struct signed_in user = {.name = m->user,
                             .roles = m->roles,
                             .collections = m->collections,
                             .physician = m->physician,
                             .has_token = m->kind == IPC_CREDENTIAL_TOKEN,
                             .token_rights = m->rights,
                             .token_collections = m->token_collections};
    struct verdict v = rights_of_user(&policy, &user);
    int64_t now_ms = os_clock_ms();
    *ret_r = (struct remembered){.used = true,
                                 .asked_kind = s->who.asked_kind,
                                 .kind = m->kind,
                                 .second_factor = m->second_factor,
                                 .passive = s->who.asked_passive,
                                 .roles = m->roles,
                                 .rights = v.rights,
                                 .view = v.view,
                                 .until_ms = now_ms + REMEMBER_MS,
                                 .expires_ms = now_ms + (int64_t)m->expires_s * 1000};
    memcpy(ret_r->digest, s->who.asked_digest, sizeof ret_r->digest);
    (void)slice_to_cstr(m->user, ret_r->user, sizeof ret_r->user);
    memcpy(ret_r->peer, v.peer, sizeof ret_r->peer);
    if (v.missing[0])
        session_log(a, s, OS_LOG_WARN,
                    "%s is limited to collection %s, which is not there: it sees nothing of it", v.peer,
                    v.missing);
}

static bool is_somebody(const struct ipc_auth_identity *m) {
    return m->error == OK && m->kind >= IPC_CREDENTIAL_SESSION && m->kind <= IPC_CREDENTIAL_JWT &&
           m->user.n > 0 && m->user.n <= CONF_NAME_MAX;
}

static void on_identity(struct archive *a, struct session *s, const struct ipc_auth_identity *m) {
    struct remembered r;
    if (!is_somebody(m) || m->expired) {
        char detail[193] = "";
        (void)slice_to_cstr(m->detail, detail, sizeof detail);
        signing_refuse(a, s, ASK_IDENTITY,
                       m->error < ERR_COUNT_ && m->error != OK ? (enum err)m->error : ERR_DENIED, detail);
        return;
    }
    remember(a, s, m, &r);
    if (view_is_nothing(r.view)) {
        signing_refuse(a, s, ASK_IDENTITY, ERR_NO_MEMORY, "");
        return;
    }
    struct ipc_session_proven proven = {.session = s->id, .peer = slice_str(r.peer)};
    (void)ipc_send(a->supervisor.fd, IPC_SESSION_PROVEN, &proven, NULL, 0);
    become(a, s, &r);
    struct remembered *place = place_of(a, r.digest);
    if (!place) {
        view_free(r.view);
        return;
    }
    forget(place);
    *place = r;
}

// The answer to recheck(): nothing is gained by it, only lost.
static bool on_rechecked(struct archive *a, const struct ipc_auth_identity *m) {
    struct session *s = a->sessions;
    while (s && (s->who.recheck == 0 || s->who.recheck != m->request))
        s = s->next;
    if (!s)
        return false;
    s->who.recheck = 0;
    if (!is_somebody(m) || !slice_eq_str(m->user, s->user)) {
        session_end(a, s, "its session or token is not good any more");
        return true;
    }
    struct remembered r;
    remember(a, s, m, &r);
    s->rights &= r.rights;
    s->who.check_ms = check_at(&r);
    session_set_view(s, r.view);
    if (m->expired)
        expire(a, s);
    s->who.late = false;
    return true;
}

void signing_on_release(struct archive *a, struct session *s) {
    storing_forget(a, s);
    finding_end(a, s);
    retrieving_end(a, s);
    session_set_view(s, NULL);
    s->rights = 0;
    s->user[0] = s->peer[0] = '\0';
    explicit_bzero(&s->who, sizeof s->who);
    s->phase = IPC_PHASE_NEW;
}

// --- signing in and out

static struct slice shown(struct slice secret, uint8_t ret_digest[DIGEST_SHA256_BYTES]) {
    digest_sha256(secret, ret_digest);
    return slice_of(ret_digest, secret.n > 0 ? DIGEST_SHA256_BYTES : 0);
}

void signing_on_sign_in(struct archive *a, struct session *s, const struct ipc_sign_in *m) {
    uint8_t digest[DIGEST_SHA256_BYTES];
    s->request = ++a->next_request;
    struct ipc_auth_sign_in ask = {.request = s->request,
                                   .user = m->user,
                                   .password = m->password,
                                   .code = m->code,
                                   .device = m->device,
                                   .replaces = shown(m->session, digest),
                                   .source = signing_source(a, s, m->client)};
    signing_ask(a, s, ASK_SIGN_IN, IPC_AUTH_SIGN_IN, &ask);
}

static void its_session_ends(struct session *s) {
    s->rights = 0;
    session_set_view(s, view_nothing());
    s->who.signs_out = true;
}

void signing_on_sign_out(struct archive *a, struct session *s) {
    if (s->who.kind != IPC_CREDENTIAL_SESSION) {
        signing_refuse(a, s, ASK_DONE, ERR_DENIED, "Only who has signed in can sign out.");
        return;
    }
    s->request = ++a->next_request;
    its_session_ends(s);
    struct ipc_auth_sign_out ask = {.request = s->request,
                                    .digest = slice_of(s->who.digest, sizeof s->who.digest)};
    signing_ask(a, s, ASK_DONE, IPC_AUTH_SIGN_OUT, &ask);
}

void signing_on_oidc_start(struct archive *a, struct session *s, const struct ipc_oidc_start *m) {
    s->request = ++a->next_request;
    struct ipc_auth_oidc_start ask = {
        .request = s->request, .return_to = m->return_to, .source = signing_source(a, s, m->client)};
    signing_ask(a, s, ASK_OIDC, IPC_AUTH_OIDC_START, &ask);
}

void signing_on_oidc_finish(struct archive *a, struct session *s, const struct ipc_oidc_finish *m) {
    uint8_t digest[DIGEST_SHA256_BYTES];
    s->request = ++a->next_request;
    struct ipc_auth_oidc_finish ask = {.request = s->request,
                                       .cookie = m->cookie,
                                       .state = m->state,
                                       .code = m->code,
                                       .replaces = shown(m->session, digest),
                                       .source = signing_source(a, s, m->client)};
    signing_ask(a, s, ASK_SIGN_IN, IPC_AUTH_OIDC_FINISH, &ask);
}

// --- auth's answers

// Of a request that is somebody's: a proof, or a change of its user's account, which ended all sessions.
static void on_signed_in(struct archive *a, struct session *s, const struct ipc_auth_signed_in *in,
                         bool proves) {
    struct ipc_signed_in out = {in->error,   in->need_code, in->wait_s,    in->expires_s,
                                in->session, in->device,    in->return_to, in->detail};
    if (in->error == OK && proves)
        s->who.proven = true;
    else if (in->error == OK && s->who.kind)
        its_session_ends(s);
    session_reply(a, s, IPC_SIGNED_IN, &out, -1);
}

static void pass_on(struct archive *a, struct session *s, const struct ipc_msg *m, bool proves) {
    switch ((int)m->type) {
    case IPC_AUTH_IDENTITY:
        on_identity(a, s, &m->u.auth_identity);
        break;
    case IPC_AUTH_SIGNED_IN:
        on_signed_in(a, s, &m->u.auth_signed_in, proves);
        break;
    case IPC_AUTH_OIDC_GO: {
        struct ipc_oidc_go out = {m->u.auth_oidc_go.error, m->u.auth_oidc_go.url, m->u.auth_oidc_go.state};
        session_reply(a, s, IPC_OIDC_GO, &out, -1);
        break;
    }
    case IPC_AUTH_LINES: {
        struct ipc_lines out = {m->u.auth_lines.error, 1, m->u.auth_lines.text};
        session_reply(a, s, IPC_LINES, &out, -1);
        break;
    }
    case IPC_AUTH_TOKEN_CREATED: {
        const struct ipc_auth_token_created *in = &m->u.auth_token_created;
        struct ipc_token_created out = {in->error, in->token, in->id, in->detail};
        session_reply(a, s, IPC_TOKEN_CREATED, &out, -1);
        break;
    }
    case IPC_AUTH_TOTP_SECRET: {
        const struct ipc_auth_totp_secret *in = &m->u.auth_totp_secret;
        struct ipc_totp_secret out = {in->error, in->secret, in->uri};
        session_reply(a, s, IPC_TOTP_SECRET, &out, -1);
        break;
    }
    default: {
        struct ipc_done out = {m->u.auth_done.error, m->u.auth_done.detail};
        session_reply(a, s, IPC_DONE, &out, -1);
    }
    }
}

static enum ask ask_of(enum ipc_type type) {
    switch ((int)type) {
    case IPC_AUTH_IDENTITY:
        return ASK_IDENTITY;
    case IPC_AUTH_SIGNED_IN:
        return ASK_SIGN_IN;
    case IPC_AUTH_OIDC_GO:
        return ASK_OIDC;
    case IPC_AUTH_LINES:
        return ASK_LINES;
    case IPC_AUTH_TOKEN_CREATED:
        return ASK_TOKEN;
    case IPC_AUTH_TOTP_SECRET:
        return ASK_TOTP;
    case IPC_AUTH_DONE:
        return ASK_DONE;
    default:
        return ASK_NOTHING;
    }
}

// Each of these messages begins with the request's number.
static uint64_t request_of(const struct ipc_msg *m) {
    return m->u.auth_done.request;
}
_Static_assert(offsetof(struct ipc_auth_identity, request) == offsetof(struct ipc_auth_done, request), "");
_Static_assert(offsetof(struct ipc_auth_signed_in, request) == offsetof(struct ipc_auth_done, request), "");
_Static_assert(offsetof(struct ipc_auth_oidc_go, request) == offsetof(struct ipc_auth_done, request), "");
_Static_assert(offsetof(struct ipc_auth_lines, request) == offsetof(struct ipc_auth_done, request), "");
_Static_assert(offsetof(struct ipc_auth_token_created, request) == offsetof(struct ipc_auth_done, request),
               "");
_Static_assert(offsetof(struct ipc_auth_totp_secret, request) == offsetof(struct ipc_auth_done, request), "");

bool signing_on_auth(struct archive *a, const struct ipc_msg *m) {
    enum ask ask = ask_of(m->type);
    if (m->type == IPC_AUTH_FORGET)
        signing_forget(a, m->u.auth_forget.user);
    else if (m->type == IPC_AUTH_STORE)
        account_on_store(a, &m->u.auth_store);
    else if (ask == ASK_NOTHING)
        return false;
    if (m->type == IPC_AUTH_IDENTITY && on_rechecked(a, &m->u.auth_identity))
        return true;
    struct session *s = ask ? session_by_request(a, request_of(m), IPC_PHASE_ASKING) : NULL;
    if (s && s->who.ask == ask) {
        bool proves = s->who.proves;
        (void)answered(s);
        pass_on(a, s, m, proves);
        ipc_forget_sent();
    }
    return true;
}

void signing_on_auth_gone(struct archive *a) {
    forget_all_of(a, slice_of(NULL, 0)); // all sessions ended with it; requests under way go on
    for (struct session *s = a->sessions, *next; s; s = next) {
        next = s->next;
        if (s->who.recheck != 0) // that question will not be answered any more
            make_stale(s);
        s->who.recheck = 0;
        if (s->phase == IPC_PHASE_ASKING && s->who.ask != ASK_NOTHING)
            signing_refuse(a, s, answered(s), ERR_BUSY, "Signing in is not possible just now. Try again.");
    }
}
