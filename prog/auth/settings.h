// What auth needs of galena.conf and oidc.conf, as the supervisor hands it over: lines "name TAB value". A
// name may come several times where a list is meant.
#ifndef AUTH_SETTINGS_H
#define AUTH_SETTINGS_H

#include "base/err.h"
#include "base/slice.h"

enum {
    SETTING_MAX = 512,
    SETTING_ALGORITHMS_MAX = 9,
    SETTING_ROLES_MAX = 64,
};

struct settings_role { // who has `value` in the roles' claim has `roles`
    char value[129];
    uint32_t roles;
};

struct settings {
    uint32_t session_idle_s, session_max_s;
    char archive_name[SETTING_MAX + 1], url[SETTING_MAX + 1];
    // of the sign-in provider; issuer "": there is none
    char issuer[SETTING_MAX + 1], client_id[SETTING_MAX + 1], client_secret[SETTING_MAX + 1];
    char audience[SETTING_MAX + 1]; // of bearer tokens; "": none are taken
    char scopes[SETTING_MAX + 1];
    char user_claim[65], roles_claim[65], physician_claim[65];
    char algorithms[SETTING_ALGORITHMS_MAX][8];
    size_t algorithm_count;
    struct settings_role roles[SETTING_ROLES_MAX];
    size_t role_count;
};

// Replaces *settings when all of the text is good. Consumes take_fd.
enum err settings_load(struct settings *settings, int take_fd, struct fault *f);
enum err settings_parse(struct settings *ret_settings, struct slice text, struct fault *f);

#endif
