// Signing in and out, and who one is: /api/info, /api/me, /api/sign-in, /api/sign-out, /api/oidc/….
#include "api.h"
#include "identity.h"
#include "route.h"
#include "web_names.h"

#include "dicom/json.h"

#include <stdio.h>

enum { DEVICE_DAYS = 180, OIDC_COOKIE_S = 600 };

// For anybody. Says whether what came along is good, too: a page that asks /api/me for that leaves a 401 in
// the console of a browser in which nobody has signed in.
void api_info(struct request *rq) {
    bool signed_in = request_is_known(rq);
    if (rq->answered)
        return;
    struct buf b = BUF_INIT(4096);
    buf_append_str(&b, "{\"name\":");
    dicom_json_string(&b, slice_str(rq->web->name));
    buf_append_str(&b, ",\"version\":\"" GALENA_VERSION "\",\"oidc\":");
    buf_append_str(&b, rq->web->oidc_name[0] ? "true,\"oidc_name\":" : "false,\"oidc_name\":");
    dicom_json_string(&b, slice_str(rq->web->oidc_name));
    buf_printf(&b, ",\"signed_in\":%s}\n", signed_in ? "true" : "false");
    answer_json(rq, 200, &b);
    buf_fini(&b);
}

void api_me(struct request *rq) {
    struct buf b = BUF_INIT(4096);
    buf_append_str(&b, "{\"user\":");
    dicom_json_string(&b, slice_str(rq->user));
    buf_append_str(&b, ",\"roles\":");
    api_put_words(&b, api_roles, api_role_count, rq->roles);
    buf_append_str(&b, ",\"rights\":");
    api_put_words(&b, api_rights, api_right_count, rq->rights);
    buf_printf(&b, ",\"expires_s\":%u,\"second_factor\":%s,\"archive\":{\"name\":", rq->expires_s,
               rq->second_factor ? "true" : "false");
    dicom_json_string(&b, slice_str(rq->web->name));
    buf_append_str(&b, ",\"ae_title\":");
    dicom_json_string(&b, slice_str(rq->web->ae_title));
    buf_append_str(&b, ",\"version\":\"" GALENA_VERSION "\"}}\n");
    answer_json(rq, 200, &b);
    buf_fini(&b);
}

// --- cookies: PS: HttpOnly, so that no script reads them; SameSite=Lax, so that links from elsewhere find
// one signed in

struct cookies { // of one answer: they need no memory, as who is signed in must get one
    char text[3][256];
    size_t n;
};

static void put_cookie(struct cookies *c, struct answer *a, const char *name, struct slice value,
                       uint32_t max_age_s) {
    char *text = c->text[c->n++];
    int n = snprintf(text, sizeof *c->text, "%s=%.*s; Path=/; Secure; HttpOnly; SameSite=Lax; Max-Age=%u",
                     name, SLICE_FMT(value), max_age_s);
    bug_unless(n > 0 && n < (int)sizeof *c->text);
    answer_header(a, "set-cookie", slice_str(text));
}

static void put_session(struct cookies *c, struct answer *a, const struct ipc_signed_in *m) {
    put_cookie(c, a, WEB_COOKIE_SESSION, m->session, m->expires_s);
    if (m->device.n > 0)
        put_cookie(c, a, WEB_COOKIE_DEVICE, m->device, DEVICE_DAYS * 86400);
}

static void come_back(struct request *rq, uint32_t wait_s) {
    char text[160], seconds[16];
    struct answer a = {.status = 429, .type = "application/json"};
    snprintf(seconds, sizeof seconds, "%u", wait_s);
    answer_header(&a, "retry-after", slice_str(seconds));
    snprintf(text, sizeof text,
             "{\"error\":\"wait\",\"wait_s\":%u,\"message\":\"Too many attempts. Wait.\"}\n", wait_s);
    answer_whole(rq, &a, slice_str(text));
}

static void refuse(struct request *rq, const struct ipc_signed_in *m) {
    char text[160];
    struct answer a = {.status = 401, .type = "application/json"};
    if (m->need_code) { // no failure, so no status of one: browsers write those into their console
        a.status = 202;
        snprintf(text, sizeof text,
                 "{\"need_code\":true,\"message\":\"The code of the second factor is needed.\"}\n");
    } else if (m->wait_s > 0) {
        come_back(rq, m->wait_s);
        return;
    } else if (m->error == ERR_DENIED) {
        snprintf(text, sizeof text,
                 "{\"error\":\"wrong\",\"message\":\"User name, password or code is wrong.\"}\n");
    } else {
        answer_error(rq, 503, "busy", "Signing in is not possible just now. Try again.");
        return;
    }
    answer_whole(rq, &a, slice_str(text));
}

// One that can be ours; else empty.
static struct slice cookie_of(struct request *rq, const char *name) {
    struct slice value = request_cookie(rq, name);
    return value.n <= 64 ? value : slice_of(NULL, 0);
}

static void sign_in(struct request *rq, struct api_body *body) {
    struct ipc_sign_in ask = {.user = api_text(rq, body, "user"),
                              .password = api_text(rq, body, "password"),
                              .code = api_text(rq, body, "code"),
                              .device = cookie_of(rq, WEB_COOKIE_DEVICE),
                              .session = cookie_of(rq, WEB_COOKIE_SESSION),
                              .client = request_client(rq)};
    if (body->no_memory || ask.user.n == 0 || ask.user.n > 64 || ask.password.n > 1024 || ask.code.n > 16) {
        api_refuse(rq, body, "user, password and, with a second factor, code are needed.");
        return;
    }
    struct ipc_msg m = channel_call(&rq->archive, IPC_SIGN_IN, &ask, IPC_SIGNED_IN);
    const struct ipc_signed_in *got = &m.u.signed_in;
    if (got->error != OK) {
        refuse(rq, got);
        return;
    }
    struct answer a = {.status = 200, .type = "application/json"};
    struct cookies cookies = {.n = 0};
    put_session(&cookies, &a, got);
    struct buf b = BUF_INIT(1024);
    buf_append_str(&b, "{\"user\":");
    dicom_json_string(&b, ask.user);
    buf_append_str(&b, "}\n");
    answer_text(rq, &a, &b);
    buf_fini(&b);
}

bool api_prove(struct request *rq, struct slice password, struct slice code) {
    struct ipc_prove ask = {.password = password, .code = code, .client = request_client(rq)};
    struct ipc_msg m = channel_call(&rq->archive, IPC_PROVE, &ask, IPC_SIGNED_IN);
    const struct ipc_signed_in *got = &m.u.signed_in;
    if (got->wait_s > 0)
        come_back(rq, got->wait_s);
    else if (got->error == ERR_DENIED && got->detail.n == 0)
        answer_error(rq, 403, "proof", got->need_code ? "The code of the second factor is needed."
                                                      : "The password or the code is wrong.");
    else if (got->error != OK)
        api_answer_error(rq, (enum err)got->error, got->detail);
    return got->error == OK;
}

void api_answer_changed(struct request *rq, enum ipc_type type, const void *body) {
    struct ipc_msg m = channel_call(&rq->archive, type, body, IPC_SIGNED_IN);
    const struct ipc_signed_in *got = &m.u.signed_in;
    if (got->error != OK) {
        api_answer_error(rq, (enum err)got->error, got->detail);
        return;
    }
    struct answer a = {.status = 204};
    struct cookies cookies = {.n = 0};
    if (got->session.n > 0)
        put_session(&cookies, &a, got);
    (void)answer_begin(rq, &a);
}

// Signing somebody in from another site's page would put that page's words under their name.
static bool from_own_page(struct request *rq) {
    if (request_is_own_page(rq))
        return true;
    answer_error(rq, 403, "cross_site", "Sign in on this archive's own page.");
    return false;
}

void api_sign_in(struct request *rq) {
    struct api_body body;
    if (from_own_page(rq) && request_open_channel(rq)) {
        if (api_body_read(rq, &body))
            sign_in(rq, &body);
        api_body_free(&body);
    }
}

void api_sign_out(struct request *rq) {
    struct ipc_msg m = channel_call(&rq->archive, IPC_SIGN_OUT, &(struct ipc_sign_out){0}, IPC_DONE);
    struct answer a = {.status = 204};
    if (m.u.done.error != OK) { // it goes on: who is told otherwise leaves it behind
        api_answer_error(rq, (enum err)m.u.done.error, m.u.done.detail);
        return;
    }
    struct cookies cookies = {.n = 0};
    put_cookie(&cookies, &a, WEB_COOKIE_SESSION, SLICE_LIT(""), 0);
    (void)answer_begin(rq, &a);
}

// --- OpenID Connect: authorization code flow (OIDC Core 3.1); all of it but the redirects is auth's

void api_oidc_start(struct request *rq) {
    struct slice back = request_parameter(rq, "return", 0);
    struct ipc_oidc_start ask = {.return_to = back.n <= 512 ? back : slice_of(NULL, 0),
                                 .client = request_client(rq)};
    if (!request_open_channel(rq))
        return;
    struct ipc_msg m = channel_call(&rq->archive, IPC_OIDC_START, &ask, IPC_OIDC_GO);
    const struct ipc_oidc_go *go = &m.u.oidc_go;
    if (go->error != OK) {
        answer_error(rq, 503, "oidc", "The sign-in provider cannot be reached, or none is set up.");
        return;
    }
    struct answer a = {.status = 303};
    struct cookies cookies = {.n = 0};
    put_cookie(&cookies, &a, WEB_COOKIE_OIDC, go->state, OIDC_COOKIE_S);
    answer_header(&a, "location", go->url);
    (void)answer_begin(rq, &a);
}

// Only a path of our own: "/…", and neither "//host" nor "/\host".
static bool is_own_path(struct slice path) {
    if (path.n == 0 || path.p[0] != '/' || (path.n > 1 && (path.p[1] == '/' || path.p[1] == '\\')))
        return false;
    for (size_t i = 0; i < path.n; i++)
        if (path.p[i] <= 0x20 || path.p[i] >= 0x7F || path.p[i] == '\\')
            return false;
    return true;
}

void api_oidc_callback(struct request *rq) {
    struct ipc_oidc_finish ask = {.cookie = request_cookie(rq, WEB_COOKIE_OIDC),
                                  .state = request_parameter(rq, "state", 0),
                                  .code = request_parameter(rq, "code", 0),
                                  .session = cookie_of(rq, WEB_COOKIE_SESSION),
                                  .client = request_client(rq)};
    if (ask.cookie.n == 0 || ask.cookie.n > 64 || ask.state.n > 64 || ask.code.n == 0 || ask.code.n > 2048) {
        answer_redirect(rq, SLICE_LIT("/?error=oidc"));
        return;
    }
    if (!request_open_channel(rq))
        return;
    struct ipc_msg m = channel_call(&rq->archive, IPC_OIDC_FINISH, &ask, IPC_SIGNED_IN);
    const struct ipc_signed_in *got = &m.u.signed_in;
    struct answer a = {.status = 303};
    struct cookies cookies = {.n = 0};
    put_cookie(&cookies, &a, WEB_COOKIE_OIDC, SLICE_LIT(""), 0);
    if (got->error == OK)
        put_session(&cookies, &a, got);
    answer_header(&a, "location",
                  got->error != OK              ? SLICE_LIT("/?error=oidc")
                  : is_own_path(got->return_to) ? got->return_to
                                                : SLICE_LIT("/"));
    (void)answer_begin(rq, &a);
}
