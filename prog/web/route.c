#include "route.h"

#include "identity.h"

#include "base/cleanup.h"
#include "http/target.h"
#include "ipc/ipc.h"

#define STUDIES "/dicomweb/studies"
#define STUDY STUDIES "/{}"
#define SERIES STUDY "/series/{}"
#define INSTANCE SERIES "/instances/{}"
#define ANYBODY ROUTE_PUBLIC, 0
#define SIGNED_IN ROUTE_SIGNED_IN, 0
#define WHO_MAY(right) ROUTE_RIGHTS, IPC_RIGHT_##right

// clang-format off
// More special rows come first.
const struct route route_table[] = {
    {"GET", STUDIES, qido_studies, WHO_MAY(QUERY), "PS3.18 10.6", "Search for studies"},
    {"GET", "/dicomweb/series", qido_series, WHO_MAY(QUERY), "PS3.18 10.6", "Search for series"},
    {"GET", "/dicomweb/instances", qido_instances, WHO_MAY(QUERY), "PS3.18 10.6", "Search for instances"},
    {"GET", STUDY "/series", qido_series, WHO_MAY(QUERY), "PS3.18 10.6", "Series of a study"},
    {"GET", STUDY "/instances", qido_instances, WHO_MAY(QUERY), "PS3.18 10.6", "Instances of a study"},
    {"GET", SERIES "/instances", qido_instances, WHO_MAY(QUERY), "PS3.18 10.6", "Instances of a series"},
    {"GET", STUDY "/metadata", wado_metadata, WHO_MAY(RETRIEVE), "PS3.18 10.4", "Metadata of a study"},
    {"GET", SERIES "/metadata", wado_metadata, WHO_MAY(RETRIEVE), "PS3.18 10.4", "Metadata of a series"},
    {"GET", INSTANCE "/metadata", wado_metadata, WHO_MAY(RETRIEVE), "PS3.18 10.4", "Metadata of an instance"},
    {"GET", STUDY, wado_study, WHO_MAY(RETRIEVE), "PS3.18 10.4", "A study"},
    {"GET", SERIES, wado_study, WHO_MAY(RETRIEVE), "PS3.18 10.4", "A series"},
    {"GET", INSTANCE, wado_instance, WHO_MAY(RETRIEVE), "PS3.18 10.4", "An instance"},
    {"GET", INSTANCE "/frames/{}", wado_frames, WHO_MAY(RETRIEVE), "PS3.18 10.4", "Frames"},
    {"GET", STUDY "/bulkdata", wado_bulk_all, WHO_MAY(RETRIEVE), "PS3.18 10.4", "Its bulk data"},
    {"GET", SERIES "/bulkdata", wado_bulk_all, WHO_MAY(RETRIEVE), "PS3.18 10.4", "Its bulk data"},
    {"GET", INSTANCE "/bulkdata", wado_bulk_all, WHO_MAY(RETRIEVE), "PS3.18 10.4", "Its bulk data"},
    {"GET", INSTANCE "/bulkdata/*", wado_bulkdata, WHO_MAY(RETRIEVE), "PS3.18 10.4", "Bulk data"},
    {"GET", INSTANCE "/pixeldata", wado_pixeldata, WHO_MAY(RETRIEVE), "PS3.18 10.4", "Pixel data"},
    {"GET", STUDY "/rendered", wado_rendered, WHO_MAY(RETRIEVE), "PS3.18 10.4", "Not yet: 501"},
    {"GET", STUDY "/thumbnail", wado_rendered, WHO_MAY(RETRIEVE), "PS3.18 10.4", "Not yet: 501"},
    {"GET", SERIES "/rendered", wado_rendered, WHO_MAY(RETRIEVE), "PS3.18 10.4", "Not yet: 501"},
    {"GET", SERIES "/thumbnail", wado_rendered, WHO_MAY(RETRIEVE), "PS3.18 10.4", "Not yet: 501"},
    {"GET", INSTANCE "/rendered", wado_rendered, WHO_MAY(RETRIEVE), "PS3.18 10.4", "Not yet: 501"},
    {"GET", INSTANCE "/thumbnail", wado_rendered, WHO_MAY(RETRIEVE), "PS3.18 10.4", "Not yet: 501"},
    {"GET", INSTANCE "/frames/{}/rendered", wado_rendered, WHO_MAY(RETRIEVE), "PS3.18 10.4", "Not yet: 501"},
    {"GET", INSTANCE "/frames/{}/thumbnail", wado_rendered, WHO_MAY(RETRIEVE), "PS3.18 10.4", "Not yet: 501"},
    {"GET", "/wado", wado_uri, WHO_MAY(RETRIEVE), "PS3.18 9", "WADO-URI"},
    {"POST", STUDIES, stow, WHO_MAY(STORE), "PS3.18 10.5", "Store instances"},
    {"POST", STUDY, stow, WHO_MAY(STORE), "PS3.18 10.5", "Store instances of one study"},
    {"DELETE", STUDY, delete_objects, SIGNED_IN, "", "Delete a study"},
    {"DELETE", SERIES, delete_objects, SIGNED_IN, "", "Delete a series"},
    {"DELETE", INSTANCE, delete_objects, SIGNED_IN, "", "Delete an instance"},
    {"OPTIONS", "/dicomweb/*", describe_capabilities, SIGNED_IN, "PS3.18 8.9", "Capabilities"},
    {"OPTIONS", "/dicomweb", describe_capabilities, SIGNED_IN, "PS3.18 8.9", "Capabilities"},
    {"GET", "/api/info", api_info, ANYBODY, "", "What archive this is"},
    {"GET", "/api/me", api_me, SIGNED_IN, "", "Who is signed in"},
    {"POST", "/api/sign-in", api_sign_in, ANYBODY, "", "Sign in"},
    {"POST", "/api/sign-out", api_sign_out, SIGNED_IN, "", "Sign out"},
    {"GET", "/api/oidc/start", api_oidc_start, ANYBODY, "", "Sign in with the provider"},
    {"GET", "/api/oidc/callback", api_oidc_callback, ANYBODY, "", "Back from the provider"},
    {"GET", "/api/tokens", api_tokens, SIGNED_IN, "", "One's own tokens"},
    {"POST", "/api/tokens", api_token_create, SIGNED_IN, "", "Create a token"},
    {"DELETE", "/api/tokens/{}", api_token_revoke, SIGNED_IN, "", "Revoke a token"},
    {"GET", "/api/sessions", api_sessions, SIGNED_IN, "", "One's own sessions"},
    {"DELETE", "/api/sessions/{}", api_session_revoke, SIGNED_IN, "", "End a session"},
    {"POST", "/api/password", api_password, SIGNED_IN, "", "Change the password"},
    {"POST", "/api/second-factor", api_second_factor, SIGNED_IN, "", "Begin with a second factor"},
    {"POST", "/api/second-factor/confirm", api_second_factor_confirm, SIGNED_IN, "", "Confirm it"},
    {"POST", "/api/second-factor/off", api_second_factor_off, SIGNED_IN, "", "Do without the second factor"},
    {"GET", "/api/admin/status", api_admin_status, WHO_MAY(ADMIN), "", "How the archive is"},
    {"GET", "/api/admin/peers", api_admin_peers, WHO_MAY(ADMIN), "", "Its peers"},
    {"GET", "/api/admin/users", api_admin_users, WHO_MAY(ADMIN), "", "Its users"},
    {"GET", "/api/admin/today", api_admin_today, WHO_MAY(ADMIN), "", "What came in today"},
    {"GET", "/openapi.json", describe_openapi, ANYBODY, "", "This description"},
    {"GET", "/viewer/*", site_viewer, ANYBODY, "", "The viewer"},
    {"GET", "/*", site_page, ANYBODY, "", "The site"},
};
// clang-format on
const size_t route_count = sizeof route_table / sizeof *route_table;

// Does the path, cut into segments, follow the row's pattern? `parts` gets what stands where {} is.
static bool follows(const char *pattern, const struct target *path, struct slice parts[ROUTE_PARTS_MAX]) {
    struct slice rest = slice_str(pattern + 1);
    size_t n = 0;
    for (size_t i = 0; rest.p; i++) {
        struct slice segment = slice_split(rest, '/', &rest);
        if (slice_eq_str(segment, "*"))
            return true;
        if (i >= path->count)
            return false;
        if (slice_eq_str(segment, "{}")) {
            if (path->segment[i].n == 0 || n == ROUTE_PARTS_MAX)
                return false;
            parts[n++] = path->segment[i];
        } else if (!slice_eq(segment, path->segment[i])) {
            return false;
        }
        if (!rest.p)
            return i + 1 == path->count;
    }
    return false;
}

static bool method_fits(const struct route *r, struct slice method) {
    return slice_eq_str(method, r->method) || (slice_eq_str(method, "HEAD") && strcmp(r->method, "GET") == 0);
}

// The row for the request; NULL: none. Others at the same path go into `allow`.
static const struct route *find(struct request *rq, const struct target *path, struct buf *allow) {
    for (size_t i = 0; i < route_count; i++) {
        const struct route *r = &route_table[i];
        if (!follows(r->path, path, rq->parts))
            continue;
        if (method_fits(r, rq->http->method))
            return r;
        if (strcmp(r->path, "/*") != 0 || allow->n == 0)
            buf_printf(allow, "%s%s%s", allow->n ? ", " : "", r->method,
                       strcmp(r->method, "GET") == 0 ? ", HEAD" : "");
    }
    return NULL;
}

static void refuse_method(struct request *rq, struct buf *allow) {
    struct answer a = {.status = 405, .type = "application/json"};
    answer_header(&a, "allow", buf_slice(allow));
    answer_whole(rq, &a,
                 SLICE_LIT("{\"error\":\"method\",\"message\":\"This resource has no such method.\"}\n"));
}

static void serve_row(struct request *rq, const struct route *r) {
    rq->route = r;
    if (r->access == ROUTE_PUBLIC || request_identify(rq, r->access == ROUTE_RIGHTS ? r->rights : 0))
        r->serve(rq);
    request_release(rq);
}

// What somebody compressed is not decompressed: a little of it may be a lot.
static bool is_plain(struct request *rq) {
    struct slice encoding = request_header(rq, "content-encoding");
    if (!encoding.p || slice_eq_str(encoding, "identity"))
        return true;
    struct answer a = {.status = 415, .type = "application/json"};
    answer_header(&a, "accept-encoding", SLICE_LIT("identity")); // RFC 9110 12.5.3
    answer_whole(rq, &a,
                 SLICE_LIT("{\"error\":\"content_encoding\",\"message\":\"Send it as it is, without a "
                           "Content-Encoding.\"}\n"));
    return false;
}

void route_serve(struct request *rq) {
    struct target path;
    CLEANUP(buf_fini) struct buf allow = BUF_INIT(256);
    if (!is_plain(rq))
        return;
    enum err e = target_split(rq->http->path, &rq->arena, &path);
    if (e == ERR_NO_MEMORY)
        answer_fault(rq, e, NULL);
    else if (e != OK)
        answer_error(rq, 400, "path", "The path of the URL is none: see RFC 3986.");
    if (e != OK)
        return;
    const struct route *r = find(rq, &path, &allow);
    if (r)
        serve_row(rq, r);
    else if (allow.n > 0)
        refuse_method(rq, &allow);
    else
        answer_error(rq, 404, "not_found", "There is nothing here.");
}
