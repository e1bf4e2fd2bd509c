// Which handler serves which resource, and what it takes to be served: one table (route.c), from which the
// dispatch, the 405s, the capabilities (PS3.18 8.9) and the tests of access come.
#ifndef WEB_ROUTE_H
#define WEB_ROUTE_H

#include "web.h"

enum route_access {
    ROUTE_PUBLIC,    // nobody needs to be signed in (sign-in itself, the site's own files)
    ROUTE_SIGNED_IN, // anybody who is
    ROUTE_RIGHTS,    // who has all of `rights`
};

struct route {
    const char *method; // GET serves HEAD too
    const char *path;   // "/dicomweb/studies/{}/series": {} is one segment, a trailing * anything
    void (*serve)(struct request *rq);
    enum route_access access;
    uint32_t rights;     // enum ipc_right
    const char *section; // of PS3.18, "" for our own
    const char *summary; // for the capabilities
};

extern const struct route route_table[];
extern const size_t route_count;

// Serves the request: finds its row, checks access, runs the handler; answers 404, 405, 401, 403 itself.
void route_serve(struct request *rq);

// --- handlers: one file a resource, whose name begins theirs
void qido_studies(struct request *rq);
void qido_series(struct request *rq);
void qido_instances(struct request *rq);
void wado_metadata(struct request *rq);
void wado_study(struct request *rq);
void wado_instance(struct request *rq);
void wado_frames(struct request *rq);
void wado_bulkdata(struct request *rq);
void wado_bulk_all(struct request *rq);
void wado_pixeldata(struct request *rq);
void wado_rendered(struct request *rq);
void wado_uri(struct request *rq);
void stow(struct request *rq);
void delete_objects(struct request *rq);
void describe_capabilities(struct request *rq);
void api_info(struct request *rq);
void api_me(struct request *rq);
void api_sign_in(struct request *rq);
void api_sign_out(struct request *rq);
void api_oidc_start(struct request *rq);
void api_oidc_callback(struct request *rq);
void api_tokens(struct request *rq);
void api_token_create(struct request *rq);
void api_token_revoke(struct request *rq);
void api_sessions(struct request *rq);
void api_session_revoke(struct request *rq);
void api_password(struct request *rq);
void api_second_factor(struct request *rq);
void api_second_factor_confirm(struct request *rq);
void api_second_factor_off(struct request *rq);
void api_admin_status(struct request *rq);
void api_admin_peers(struct request *rq);
void api_admin_users(struct request *rq);
void api_admin_today(struct request *rq);
void describe_openapi(struct request *rq);
void site_viewer(struct request *rq);
void site_page(struct request *rq);

#endif
