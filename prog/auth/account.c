// A user's own tokens, sessions, password and second factor. Who the user is, the archive has found out.
#include "auth.h"
#include "base/utf8.h"
#include "os/clock.h"

#include <time.h>

enum { LINES_MAX = 57344 };

static const char not_ours[] = "Your account is kept by the sign-in provider; change it there.";
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
        return not_ours;
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
                     wrong == not_ours ? ERR_DENIED
                     : wrong           ? ERR_MISMATCH
                                       : ERR_BUSY,
                     wrong ? wrong : busy);
        return;
    }
    make_token(k, m);
    keeping_ask(k);
}

// A session guesses at its own user's password in a slot of its own: whoever stole it gets no further, and
// its bearer is not kept from signing in.
static void queue_for(struct auth *a, struct job *job, struct slice user, struct slice digest,
                      struct slice password, struct slice source) {
    int64_t now_ms = os_clock_ms();
    job->who = throttle_who(&a->throttle, user, source, digest);
    job->lane = job->who.pair;
    job->device = true;
    job->due_ms = throttle_due_ms(&a->throttle, job->who, now_ms);
    bool fits = user.n <= sizeof job->user && password.n <= sizeof job->password &&
                digest.n == DIGEST_SHA256_BYTES && source.n <= sizeof job->source;
    if (!fits || job->due_ms > now_ms || !queue_has_room(&a->queue, job->lane, true, QUEUE_OF_LANE)) {
        auth_done(job->request, ERR_BUSY, "Too many wrong passwords. Wait a little.");
        return;
    }
    memcpy(job->user, user.p, job->user_n = user.n);
    memcpy(job->password, password.p, job->password_n = password.n);
    memcpy(job->source, source.p, job->source_n = source.n);
    memcpy(job->digest, digest.p, digest.n);
    throttle_book(&a->throttle, job->who, now_ms);
    queue_put(&a->queue, job);
}

void account_on_password(struct auth *a, const struct ipc_auth_password *m) {
    static struct job job;
    if (!users_find(&a->users, m->user)) {
        auth_done(m->request, ERR_DENIED, not_ours);
    } else if (m->fresh.n < CONF_PASSWORD_MIN || m->fresh.n > CONF_PASSWORD_MAX || !utf8_valid(m->fresh) ||
               memchr(m->fresh.p, 0, m->fresh.n) || slice_eq(m->fresh, m->old)) {
        auth_done(m->request, ERR_MISMATCH, "A new password has 12 to 256 bytes and is not the old one.");
    } else {
        job = (struct job){.kind = JOB_PASSWORD, .request = m->request, .fresh_n = m->fresh.n};
        memcpy(job.fresh, m->fresh.p, m->fresh.n);
        queue_for(a, &job, m->user, m->digest, m->old, m->source);
        explicit_bzero(&job, sizeof job);
    }
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

static void confirm_totp(struct auth *a, const struct ipc_auth_totp *m, struct session *s) {
    int64_t step;
    if (!s->has_enrolling || !totp_check(slice_of(s->enrolling, sizeof s->enrolling), m->code,
                                         os_clock_wall_ms(), INT64_MIN, &step)) {
        auth_done(m->request, ERR_DENIED, "The code is wrong. Is the clock of your telephone right?");
        return;
    }
    struct keeping *k = keeping_new(a, m->request, IPC_KEEP_TOTP, m->user);
    if (!k) {
        auth_done(m->request, ERR_BUSY, busy);
        return;
    }
    k->totp_step = step;
    base32_encode(slice_of(s->enrolling, sizeof s->enrolling), k->text);
    explicit_bzero(s->enrolling, sizeof s->enrolling);
    s->has_enrolling = false;
    keeping_ask(k);
}

static void refuse_totp(const struct ipc_auth_totp *m, enum err error, const char *detail) {
    struct ipc_auth_totp_secret secret = {.request = m->request, .error = (uint16_t)error};
    if (m->what == IPC_TOTP_STEP_BEGIN)
        auth_send(IPC_AUTH_TOTP_SECRET, &secret);
    else
        auth_done(m->request, error, detail);
}

void account_on_totp(struct auth *a, const struct ipc_auth_totp *m) {
    static struct job job;
    const struct user *u = users_find(&a->users, m->user);
    struct session *s = identify_session(a, m->digest);
    if (!u || !s || !slice_eq_str(m->user, s->user)) {
        refuse_totp(m, ERR_DENIED, not_ours);
    } else if (m->what != IPC_TOTP_STEP_OFF && u->totp.n > 0) {
        refuse_totp(m, ERR_MISMATCH, "There is a second factor already; turn it off first.");
    } else if (m->what == IPC_TOTP_STEP_BEGIN) {
        begin_totp(a, m->request, s);
    } else if (m->what == IPC_TOTP_STEP_CONFIRM) {
        confirm_totp(a, m, s);
    } else {
        job = (struct job){.kind = JOB_TOTP_OFF, .request = m->request};
        queue_for(a, &job, m->user, m->digest, m->password, m->source);
        explicit_bzero(&job, sizeof job);
    }
}

// The password was right.
void account_work_out(struct auth *a, struct job *job, struct user *user) {
    bool fresh = job->kind == JOB_PASSWORD;
    struct keeping *k = keeping_new(a, job->request, fresh ? IPC_KEEP_HASH : IPC_KEEP_TOTP, user->name);
    if (k)
        memcpy(k->digest, job->digest, sizeof k->digest);
    if (k && (!fresh || verify_make_hash(slice_of(job->fresh, job->fresh_n), k->text))) {
        keeping_ask(k);
        return;
    }
    if (k)
        k->used = false;
    auth_done(job->request, ERR_BUSY, busy);
}
