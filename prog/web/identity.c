// Whose request it is. The worker hands the credential over as it came and believes what the archive
// answers; it keeps neither.
#include "identity.h"

#include "base/cleanup.h"
#include "http/cookie.h"
#include "ipc/ipc.h"
#include "web_names.h"

#include <stdlib.h>
#include <strings.h>

static void archive_gone(void *owner) {
    (void)owner;
    exit(0); // the connection ends with us: nothing can be served without the archive
}

static void wait_for_archive(void *owner, int fd) {
    request_wait_fd(owner, fd);
}

bool request_open_channel(struct request *rq) {
    if (rq->archive.message)
        return true;
    struct ipc_msg m =
        channel_call(&rq->web->control, IPC_CHANNEL_NEW, &(struct ipc_channel_new){0}, IPC_CHANNEL);
    enum err e = (enum err)m.u.channel.error;
    int fd = ipc_msg_take_fd(&m, 0);
    if (e == OK && fd >= 0)
        e = channel_open(&rq->archive, fd, IPC_ARCHIVE_TO_WEB, archive_gone, rq, NULL);
    if (e == OK && rq->archive.message) {
        rq->archive.wait = wait_for_archive;
        return true;
    }
    answer_error(rq, 503, "busy", "The archive is too busy just now. Try again.");
    return false;
}

// The scheme's name does not depend on case: RFC 9110 11.1.
static bool bearer_of(struct slice header, struct slice *ret_token) {
    struct slice rest, scheme = slice_split(slice_trim(header, " "), ' ', &rest);
    if (!rest.p || scheme.n != 6 || strncasecmp((const char *)scheme.p, "Bearer", 6) != 0)
        return false;
    *ret_token = slice_trim(rest, " ");
    return ret_token->n > 0;
}

static void refuse_unknown(struct request *rq) {
    struct answer a = {.status = 401, .type = "application/json"};
    answer_header(&a, "www-authenticate", SLICE_LIT("Bearer realm=\"Galena\""));
    answer_whole(rq, &a,
                 SLICE_LIT("{\"error\":\"sign_in\",\"message\":\"Sign in, or send a valid token.\"}"));
}

static bool is_safe(const struct request *rq) {
    struct slice method = rq->http->method;
    return slice_eq_str(method, "GET") || slice_eq_str(method, "HEAD") || slice_eq_str(method, "OPTIONS");
}

bool request_is_own_page(struct request *rq) {
    struct slice site = request_header(rq, "sec-fetch-site"), origin = request_header(rq, "origin");
    if (origin.p)
        return slice_eq(origin, request_origin(rq));
    return site.p && slice_eq_str(site, "same-origin");
}

// What another site's page makes a browser send comes with our cookie: such a request must show that a page
// of ours made it. A bearer token no page sends by itself.
static bool may_change(struct request *rq) {
    if (!rq->by_cookie || is_safe(rq) || request_is_own_page(rq))
        return true;
    answer_error(rq, 403, "cross_site", "This request came from another site's page.");
    return false;
}

static bool credential_of(struct request *rq, uint8_t *ret_kind, struct slice *ret_credential) {
    struct slice authorization = request_header(rq, "authorization");
    if (authorization.p) {
        *ret_kind = IPC_SHOWN_BEARER;
        return bearer_of(authorization, ret_credential);
    }
    *ret_kind = IPC_SHOWN_COOKIE;
    return cookie_get(request_header(rq, "cookie"), WEB_COOKIE_SESSION, ret_credential) &&
           ret_credential->n > 0;
}

static bool ask(struct request *rq, uint8_t kind, struct slice credential) {
    struct ipc_identify question = {.kind = kind,
                                    .passive = request_header(rq, "galena-passive").n > 0,
                                    .credential = credential,
                                    .client = request_client(rq)};
    struct ipc_msg m = channel_call(&rq->archive, IPC_IDENTIFY, &question, IPC_IDENTITY);
    const struct ipc_identity *who = &m.u.identity;
    if (err_http_status((enum err)who->error) >= 500)
        answer_error(rq, 503, "busy", "Who you are cannot be found out just now. Try again.");
    if (who->error != OK)
        return false;
    (void)slice_to_cstr(who->user, rq->user, sizeof rq->user);
    rq->roles = who->roles;
    rq->rights = who->rights;
    rq->expires_s = who->expires_s;
    rq->second_factor = who->second_factor;
    rq->by_cookie = kind == IPC_SHOWN_COOKIE;
    return true;
}

bool request_is_known(struct request *rq) {
    uint8_t kind;
    struct slice credential;
    if (!credential_of(rq, &kind, &credential) || credential.n > 8192)
        return false;
    return request_open_channel(rq) && ask(rq, kind, credential);
}

bool request_identify(struct request *rq, uint32_t needs) {
    if (!request_is_known(rq)) {
        if (!rq->answered)
            refuse_unknown(rq);
        return false;
    }
    if (!may_change(rq))
        return false;
    if ((rq->rights & needs) == needs)
        return true;
    answer_error(rq, 403, "forbidden",
                 "You are signed in, but may not do this. Ask the administrator for the right.");
    return false;
}

void request_release(struct request *rq) {
    if (rq->user[0])
        channel_tell(&rq->archive, IPC_RELEASE, &(struct ipc_release){0});
    rq->user[0] = '\0';
    rq->rights = rq->roles = 0;
}
