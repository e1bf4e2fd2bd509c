// DIR/oidc.conf: the provider with which people sign in (OpenID Connect Core 1.0), if the site has one. The
// file's being there turns it on.
//
// Roles come from a claim of the provider's: what is not named here gives none. Its users need no file of
// ours.
#ifndef CONF_OIDC_H
#define CONF_OIDC_H

#include "base/buf.h"
#include "conf/conf.h"

enum {
    CONF_OIDC_TEXT_MAX = 255,
    CONF_OIDC_ROLES_MAX = 64, // values of the roles' claim, all roles together
    CONF_OIDC_VALUE_MAX = 128,
    CONF_OIDC_ALGORITHMS_MAX = 9,
    CONF_OIDC_CLAIM_MAX = 64,
};

struct conf_oidc_role {
    unsigned role; // CONF_ROLE_*
    char value[CONF_OIDC_VALUE_MAX + 1];
};

struct conf_oidc {
    char name[CONF_NAME_MAX + 1]; // on the button
    char issuer[CONF_OIDC_TEXT_MAX + 1], client_id[CONF_OIDC_TEXT_MAX + 1];
    char client_secret_file[CONF_NAME_MAX + 1]; // in DIR; "" = a public client (PKCE alone)
    char ca_file[CONF_NAME_MAX + 1];            // in DIR; "" = the system's certificates
    char audience[CONF_OIDC_TEXT_MAX + 1];      // of programs' bearer tokens; "" = none are taken
    char scopes[CONF_OIDC_TEXT_MAX + 1];
    char user_claim[CONF_OIDC_CLAIM_MAX + 1], roles_claim[CONF_OIDC_CLAIM_MAX + 1];
    char physician_claim[CONF_OIDC_CLAIM_MAX + 1];
    char algorithms[CONF_OIDC_ALGORITHMS_MAX][8];
    size_t algorithm_count;
    struct conf_oidc_role roles[CONF_OIDC_ROLES_MAX];
    size_t role_count;
};

// ERR_NO_SUCH_OBJECT: there is no such file, and no provider.
enum err conf_oidc_load(const char *dir, struct conf_oidc *ret_oidc, struct fault *f);

// As it travels to auth: lines "name TAB value" (prog/auth/settings.h).
void conf_oidc_lines_put(struct buf *b, const struct conf_oidc *o, struct slice client_secret);

// https, or http to a loopback address; a host, printable, no user name, no query, no fragment.
bool conf_oidc_url_valid(struct slice url);

#endif
