// A user's own tokens, sessions, password and second factor. Who the user is, the archive has found out.
#include "auth.h"
#include "base/utf8.h"
#include "os/clock.h"

#include <time.h>

enum { LINES_MAX = 57344 };

const char account_not_ours[] = "Your account is kept by the sign-in provider; change it there.";
static const char busy[] = "Too busy just now. Try again.";

static void put_text(struct buf *b, int64_t s) {
    char text[CONF_TIME_TEXT];
    time_t t = (time_t)s;
    struct tm tm;
    if (s > 0 && gmtime_r(&t, &tm) && strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &tm) > 0)
        buf_append_str(b, text);
}

static void put_can(struct buf *b, unsigned can) {
    static const char *const words[] = {"store", "query", "retrieve", "delete", "admin"};
    bool some = false;
    for (unsigned i = 0; i < sizeof words / sizeof *words; i++)
        if (can & 1u << i) {
            buf_printf(b, "%s%s", some ? "," : "", words[i]);
            some = true;
        }
}

static void put_token(struct buf *b, const struct token *t) {
    buf_printf(b, "%s\t%s\t", t->c.id, t->c.name);
    put_can(b, t->c.can);
    buf_u8(b, '\t');
    put_text(b, t->c.created_s);
    buf_u8(b, '\t');
    put_text(b, t->c.expires_s);
    buf_u8(b, '\t');
    put_text(b, t->used_s);
    buf_u8(b, '\n');
}

static void put_session(struct buf *b, const struct session *s, bool current) {
    buf_printf(b, "%s\t", s->id);
    put_text(b, s->wall_created_ms / 1000);
    buf_u8(b, '\t');
    put_text(b, s->wall_seen_ms / 1000);
    buf_printf(b, "\t%s\t%s\n", s->source, current ? "1" : "");
}

// Whole lines, as many as fit: a user who has more of them made them on the command line.
static void put_lines(struct auth *a, const struct ipc_auth_list *m, struct buf *b) {
    enum { ROOM = 512 };
    for (size_t i = 0; m->what == IPC_ACCOUNT_TOKENS && i < a->tokens.n && b->n < LINES_MAX - ROOM; i++)
        if (slice_eq_str(m->user, a->tokens.v[i].c.user))
            put_token(b, &a->tokens.v[i]);
    for (size_t i = 0; m->what == IPC_ACCOUNT_SESSIONS && i < SESSIONS_MAX && b->n < LINES_MAX - ROOM; i++) {
        const struct session *s = &a->sessions.v[i];
        if (s->used && slice_eq_str(m->user, s->user) && sessions_left_ms(&a->sessions, s, os_clock_ms()) > 0)
            put_session(b, s, slice_eq(m->digest, slice_of(s->digest, DIGEST_SHA256_BYTES)));
    }
}

void account_on_list(struct auth *a, const struct ipc_auth_list *m) {
    struct buf b = BUF_INIT(LINES_MAX);
    put_lines(a, m, &b);
    struct ipc_auth_lines answer = {.request = m->request, .text = buf_slice(&b)};
    auth_send(IPC_AUTH_LINES, &answer);
    buf_fini(&b);
}

static void end_session(struct auth *a, const struct ipc_auth_end *m) {
    struct session *s = sessions_by_id(&a->sessions, m->user, m->id);
    if (!s) {
        auth_done(m->request, ERR_NO_SUCH_OBJECT, "There is no such session.");
        return;
    }
    auth_forget(s->user);
    sessions_end(&a->sessions, s);
    auth_done(m->request, OK, "");
}

void account_on_end(struct auth *a, const struct ipc_auth_end *m) {
    if (m->what == IPC_ACCOUNT_SESSIONS) {
        end_session(a, m);
        return;
    }
    const struct token *t = tokens_by_id(&a->tokens, m->user, m->id);
    struct keeping *k = t ? keeping_new(a, m->request, IPC_KEEP_NO_TOKEN, m->id) : NULL;
    if (!k) {
        auth_done(m->request, t ? ERR_BUSY : ERR_NO_SUCH_OBJECT, t ? busy : "There is no such token.");
        return;
    }
    (void)slice_to_cstr(m->user, k->text, sizeof k->text);
    keeping_ask(k);
}

static void refuse_token(uint64_t request, enum err error, const char *detail) {
    struct ipc_auth_token_created m = {
        .request = request, .error = (uint16_t)error, .detail = slice_str(detail)};
    auth_send(IPC_AUTH_TOKEN_CREATED, &m);
}

static const char *wrong_with_token(const struct auth *a, const struct ipc_auth_token_create *m) {
    if (!users_find(&a->users, m->user))
        return account_not_ours;
    if (!conf_title_valid(m->name))
        return "A token needs a name of 1 to 64 bytes.";
    if (tokens_can(m->rights) == 0)
        return "A token needs something that it may do.";
    if (m->days < 1 || m->days > CONF_TOKEN_DAYS_MAX)
        return "A token is good for 1 to 366 days.";
    if (tokens_of_user(&a->tokens, m->user) >= CONF_TOKENS_OF_USER_MAX)
        return "You have 64 tokens already; revoke one.";
    return NULL;
}

static void make_token(struct keeping *k, const struct ipc_auth_token_create *m) {
    struct conf_token *t = &k->token;
    secrets_make_id(t->id);
    (void)slice_to_cstr(slice_str(t->id), k->name, sizeof k->name);
    (void)slice_to_cstr(m->name, t->name, sizeof t->name);
    (void)slice_to_cstr(m->user, t->user, sizeof t->user);
    t->can = tokens_can(m->rights);
    t->created_s = os_clock_wall_ms() / 1000;
    t->expires_s = t->created_s + (int64_t)m->days * 86400;
    memcpy(k->secret, "gal_", 4);
    secrets_make(k->secret + 4, t->digest);
    digest_sha256(slice_str(k->secret), t->digest);
}

void account_on_token(struct auth *a, const struct ipc_auth_token_create *m) {
    const char *wrong = wrong_with_token(a, m);
    struct keeping *k = wrong ? NULL : keeping_new(a, m->request, IPC_KEEP_TOKEN, slice_of(NULL, 0));
    if (!k) {
        refuse_token(m->request,
                     wrong == account_not_ours ? ERR_DENIED
                     : wrong           ? ERR_MISMATCH
                                       : ERR_BUSY,
                     wrong ? wrong : busy);
        return;
    }
    make_token(k, m);
    keeping_ask(k);
}

static void refuse_change(uint64_t request, enum err error, const char *detail) {
    struct ipc_auth_signed_in m = {.request = request, .error = (uint16_t)error, .detail = slice_str(detail)};
    auth_send(IPC_AUTH_SIGNED_IN, &m);
}

// The user with a password of ours, and the session that asks.
static struct user *asks(struct auth *a, struct slice name, struct slice digest,
                         struct session **ret_session) {
    struct user *u = users_find(&a->users, name);
    struct session *s = identify_session(a, digest);
    *ret_session = s;
    return s && slice_eq_str(name, s->user) ? u : NULL;
}

static void keep(struct keeping *k, struct slice digest) {
    memcpy(k->digest, digest.p, sizeof k->digest);
    keeping_ask(k);
}

void account_on_password(struct auth *a, const struct ipc_auth_password *m) {
    struct session *s;
    const struct user *u = asks(a, m->user, m->digest, &s);
    if (!u) {
        refuse_change(m->request, ERR_DENIED, account_not_ours);
        return;
    }
    if (m->fresh.n < CONF_PASSWORD_MIN || m->fresh.n > CONF_PASSWORD_MAX || !utf8_valid(m->fresh) ||
        memchr(m->fresh.p, 0, m->fresh.n) || verify_passcode(u, m->fresh) == VERIFY_YES) {
        refuse_change(m->request, ERR_MISMATCH, "A new password has 12 to 256 bytes and is not the old one.");
        return;
    }
    struct keeping *k = keeping_new(a, m->request, IPC_KEEP_HASH, m->user);
    if (k && verify_make_hash(m->fresh, k->text)) {
        keep(k, m->digest);
        return;
    }
    if (k)
        k->used = false;
    refuse_change(m->request, ERR_BUSY, busy);
}

static void begin_totp(const struct auth *a, uint64_t request, struct session *s) {
    char text[TOTP_SECRET_CHARS + 1], uri[TOTP_URI_MAX + 1];
    struct ipc_auth_totp_secret m = {.request = request, .error = ERR_LIMIT};
    secrets_random(s->enrolling, sizeof s->enrolling);
    base32_encode(slice_of(s->enrolling, sizeof s->enrolling), text);
    s->has_enrolling = totp_uri(text, slice_str(a->settings.archive_name), slice_str(s->user), uri);
    if (s->has_enrolling) {
        m.error = OK;
        m.secret = slice_str(text);
        m.uri = slice_str(uri);
    }
    auth_send(IPC_AUTH_TOTP_SECRET, &m);
    explicit_bzero(text, sizeof text);
    explicit_bzero(uri, sizeof uri);
}

// It is wiped once it is on its way to the disk.
static void confirm_totp(struct auth *a, const struct ipc_auth_totp *m, struct session *s) {
    int64_t step;
    if (!s->has_enrolling || !totp_check(slice_of(s->enrolling, sizeof s->enrolling), m->code,
                                         os_clock_wall_ms(), INT64_MIN, &step)) {
        refuse_change(m->request, ERR_DENIED, "The code is wrong. Is the clock of your telephone right?");
        return;
    }
    struct keeping *k = keeping_new(a, m->request, IPC_KEEP_TOTP, m->user);
    if (!k) {
        refuse_change(m->request, ERR_BUSY, busy);
        return;
    }
    k->totp_step = step;
    base32_encode(slice_of(s->enrolling, sizeof s->enrolling), k->text);
    explicit_bzero(s->enrolling, sizeof s->enrolling);
    s->has_enrolling = false;
    keep(k, m->digest);
}

static void end_totp(struct auth *a, const struct ipc_auth_totp *m, const struct user *u) {
    struct keeping *k = u->totp.n > 0 ? keeping_new(a, m->request, IPC_KEEP_TOTP, m->user) : NULL;
    if (k)
        keep(k, m->digest);
    else if (u->totp.n > 0)
        refuse_change(m->request, ERR_BUSY, busy);
    else
        refuse_change(m->request, ERR_MISMATCH, "There is no second factor.");
}

static void refuse_totp(const struct ipc_auth_totp *m, enum err error, const char *detail) {
    struct ipc_auth_totp_secret secret = {.request = m->request, .error = (uint16_t)error};
    if (m->what == IPC_TOTP_STEP_BEGIN)
        auth_send(IPC_AUTH_TOTP_SECRET, &secret);
    else
        refuse_change(m->request, error, detail);
}

void account_on_totp(struct auth *a, const struct ipc_auth_totp *m) {
    struct session *s;
    const struct user *u = asks(a, m->user, m->digest, &s);
    if (!u)
        refuse_totp(m, ERR_DENIED, account_not_ours);
    else if (m->what == IPC_TOTP_STEP_OFF)
        end_totp(a, m, u);
    else if (u->totp.n > 0)
        refuse_totp(m, ERR_MISMATCH, "There is a second factor already; turn it off first.");
    else if (m->what == IPC_TOTP_STEP_BEGIN)
        begin_totp(a, m->request, s);
    else
        confirm_totp(a, m, s);
}
