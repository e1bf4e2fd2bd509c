// One's own account: tokens, sessions, password, second factor.
#include "api.h"
#include "route.h"

#include "dicom/json.h"

enum { TOKEN_DAYS_DEFAULT = 90, TOKEN_DAYS_MAX = 366 };

#define COLUMNS(c) (c), sizeof(c) / sizeof *(c)

void api_tokens(struct request *rq) {
    static const struct api_column columns[] = {
        {"id", API_TEXT},      {"name", API_TEXT},    {"rights", API_WORDS_COMMA},
        {"created", API_TEXT}, {"expires", API_TEXT}, {"last_used", API_TEXT}};
    api_answer_lines(rq, IPC_TOKENS, &(struct ipc_tokens){0}, NULL, COLUMNS(columns));
}

// The members of the body that prove that it is the session's bearer who asks. `code` NULL: there is no
// second factor yet.
static bool prove(struct request *rq, struct api_body *body, const char *password, const char *code) {
    struct slice word = api_text(rq, body, password);
    struct slice digits = code ? api_text(rq, body, code) : slice_of(NULL, 0);
    if (!body->no_memory && word.n > 0 && word.n <= 1024 && digits.n <= 16)
        return api_prove(rq, word, digits);
    api_refuse(rq, body, "%s is needed and, with a second factor, code.", password);
    return false;
}

static void create_token(struct request *rq, struct api_body *body) {
    uint64_t days = TOKEN_DAYS_DEFAULT;
    struct ipc_token_create ask = {.name = api_text(rq, body, "name")};
    bool good = ask.name.n > 0 && ask.name.n <= 64 &&
                api_words(body, "rights", api_rights, api_right_count, &ask.rights) && ask.rights != 0;
    if (json_member(&body->json, 0, "days") != 0)
        good = good && api_number(body, "days", TOKEN_DAYS_MAX, &days) && days > 0;
    if (!good) {
        api_refuse(rq, body, "A token needs a name, a list of rights and 1 to %d days.", TOKEN_DAYS_MAX);
        return;
    }
    ask.days = (uint32_t)days;
    if (!prove(rq, body, "password", "code"))
        return;
    struct ipc_msg m = channel_call(&rq->archive, IPC_TOKEN_CREATE, &ask, IPC_TOKEN_CREATED);
    const struct ipc_token_created *got = &m.u.token_created;
    if (got->error != OK) {
        api_answer_error(rq, (enum err)got->error, got->detail);
        return;
    }
    struct buf b = BUF_INIT(2048);
    buf_append_str(&b, "{\"id\":");
    dicom_json_string(&b, got->id);
    buf_append_str(&b, ",\"token\":");
    dicom_json_string(&b, got->token);
    buf_append_str(&b, "}\n");
    answer_json(rq, 201, &b);
    explicit_bzero(b.p, b.n);
    buf_fini(&b);
}

static void with_body(struct request *rq, void (*serve)(struct request *rq, struct api_body *body)) {
    struct api_body body;
    if (api_body_read(rq, &body))
        serve(rq, &body);
    api_body_free(&body);
}

void api_token_create(struct request *rq) {
    with_body(rq, create_token);
}

void api_token_revoke(struct request *rq) {
    struct slice id = rq->parts[0];
    if (id.n > 64)
        answer_error(rq, 404, "not_found", "There is no such token.");
    else
        api_answer_done(rq, IPC_TOKEN_REVOKE, &(struct ipc_token_revoke){.id = id});
}

void api_sessions(struct request *rq) {
    static const struct api_column columns[] = {{"id", API_TEXT},
                                                {"created", API_TEXT},
                                                {"last_seen", API_TEXT},
                                                {"client", API_TEXT},
                                                {"current", API_BOOL}};
    api_answer_lines(rq, IPC_SESSIONS, &(struct ipc_sessions){0}, NULL, COLUMNS(columns));
}

void api_session_revoke(struct request *rq) {
    struct slice id = rq->parts[0];
    if (id.n > 64)
        answer_error(rq, 404, "not_found", "There is no such session.");
    else
        api_answer_done(rq, IPC_SESSION_REVOKE, &(struct ipc_session_revoke){.id = id});
}

static void change_password(struct request *rq, struct api_body *body) {
    struct ipc_password_change ask = {.fresh = api_text(rq, body, "new")};
    if (body->no_memory || ask.fresh.n > 1024 || ask.fresh.n == 0)
        api_refuse(rq, body, "old and new are needed, each of at most 1024 bytes.");
    else if (prove(rq, body, "old", "code"))
        api_answer_changed(rq, IPC_PASSWORD_CHANGE, &ask);
}

void api_password(struct request *rq) {
    with_body(rq, change_password);
}

void api_second_factor(struct request *rq) {
    struct ipc_msg m =
        channel_call(&rq->archive, IPC_TOTP_BEGIN, &(struct ipc_totp_begin){0}, IPC_TOTP_SECRET);
    const struct ipc_totp_secret *got = &m.u.totp_secret;
    if (got->error != OK) {
        api_answer_error(rq, (enum err)got->error,
                         got->error == ERR_MISMATCH
                             ? SLICE_LIT("There is a second factor already; turn it off first.")
                             : SLICE_LIT(""));
        return;
    }
    struct buf b = BUF_INIT(4096);
    buf_append_str(&b, "{\"secret\":");
    dicom_json_string(&b, got->secret);
    buf_append_str(&b, ",\"uri\":");
    dicom_json_string(&b, got->uri);
    buf_append_str(&b, "}\n");
    answer_json(rq, 201, &b);
    explicit_bzero(b.p, b.n);
    buf_fini(&b);
}

static void confirm(struct request *rq, struct api_body *body) {
    struct ipc_totp_confirm ask = {.code = api_text(rq, body, "code")};
    if (body->no_memory || ask.code.n == 0 || ask.code.n > 16)
        api_refuse(rq, body, "code is needed.");
    else if (prove(rq, body, "password", NULL))
        api_answer_changed(rq, IPC_TOTP_CONFIRM, &ask);
}

void api_second_factor_confirm(struct request *rq) {
    with_body(rq, confirm);
}

static void turn_off(struct request *rq, struct api_body *body) {
    if (prove(rq, body, "password", "code"))
        api_answer_changed(rq, IPC_TOTP_OFF, &(struct ipc_totp_off){0});
}

void api_second_factor_off(struct request *rq) {
    with_body(rq, turn_off);
}
