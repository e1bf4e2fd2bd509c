#include "conf/oidc.h"

#include "conf/file.h"
#include "conf/user.h"

#include <stdio.h>

static bool is_loopback(struct slice host) {
    return slice_eq_str(host, "127.0.0.1") || slice_eq_str(host, "[::1]") || slice_eq_str(host, "localhost");
}

static struct slice host_of(struct slice place) {
    size_t n = 0;
    bool bracket = place.n > 0 && place.p[0] == '[';
    while (n < place.n && place.p[n] != '/' && (bracket || place.p[n] != ':')) {
        bracket = bracket && place.p[n] != ']';
        n++;
    }
    return slice_sub(place, 0, n);
}

bool conf_oidc_url_valid(struct slice url) {
    bool https = url.n > 8 && memcmp(url.p, "https://", 8) == 0;
    bool http = url.n > 7 && memcmp(url.p, "http://", 7) == 0;
    if (url.n > CONF_OIDC_TEXT_MAX || (!https && !http))
        return false;
    struct slice place = slice_sub(url, https ? 8 : 7, url.n), host = host_of(place);
    for (size_t i = 0; i < place.n; i++)
        if (place.p[i] <= 0x20 || place.p[i] >= 0x7f || strchr("@?#\\\"<>", place.p[i]))
            return false;
    return host.n > 0 && (https || is_loopback(host));
}

static bool take_url(void *dst, const struct conf_option *o, struct slice value, struct fault *f) {
    if (conf_oidc_url_valid(value))
        return slice_to_cstr(value, (char *)dst + o->offset, CONF_OIDC_TEXT_MAX + 1);
    fault_set(f, ERR_CONFIG, "must be a URL such as \"https://login.example.org/realms/site\"");
    return false;
}

// Also of those that become part of a line: no control characters.
static bool take_text(void *dst, const struct conf_option *o, struct slice value, struct fault *f) {
    bool plain = value.n <= o->max;
    for (size_t i = 0; plain && i < value.n; i++)
        plain = value.p[i] >= 0x20 && value.p[i] != 0x7f;
    if (plain && slice_to_cstr(value, (char *)dst + o->offset, o->max + 1))
        return true;
    fault_set(f, ERR_CONFIG, "must be a text of at most %d bytes", (int)o->max);
    return false;
}

static bool take_file(void *dst, const struct conf_option *o, struct slice value, struct fault *f) {
    if (value.n == 0 || conf_name_valid(value))
        return slice_to_cstr(value, (char *)dst + o->offset, CONF_NAME_MAX + 1);
    fault_set(f, ERR_CONFIG, "must be the name of a file in the archive's folder, without a path");
    return false;
}

static bool take_algorithm(void *dst, const struct conf_option *o, struct slice value, struct fault *f) {
    static const char *const known[] = {"RS256", "RS384", "RS512", "PS256", "PS384",
                                        "PS512", "ES256", "ES384", "ES512"};
    struct conf_oidc *c = dst;
    (void)o;
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (slice_eq_str(value, known[i]) && c->algorithm_count < CONF_OIDC_ALGORITHMS_MAX)
            return slice_to_cstr(value, c->algorithms[c->algorithm_count++], sizeof c->algorithms[0]);
    fault_set(f, ERR_CONFIG, "must be of RS256, RS384, RS512, PS256, PS384, PS512, ES256, ES384, ES512");
    return false;
}

static bool take_role(void *dst, const struct conf_option *o, struct slice value, struct fault *f) {
    struct conf_oidc *c = dst;
    struct conf_oidc_role *r = &c->roles[c->role_count];
    bool plain = value.n > 0;
    for (size_t i = 0; i < value.n; i++)
        plain = plain && value.p[i] >= 0x20 && value.p[i] != 0x7f;
    if (plain && c->role_count < CONF_OIDC_ROLES_MAX && slice_to_cstr(value, r->value, sizeof r->value)) {
        c->role_count++;
        return conf_roles_parse(slice_str(o->name + strlen("role_")), &r->role);
    }
    fault_set(f, ERR_CONFIG,
              "must be values of the roles' claim: {\"pacs-readers\"}; all together at most %d",
              CONF_OIDC_ROLES_MAX);
    return false;
}

#define AT(member) offsetof(struct conf_oidc, member)
static const struct conf_option options[] = {
    {"name", take_text, AT(name), 0, 64, "On the button: Sign in with …", false, false},
    {"issuer", take_url, AT(issuer), 0, 255, "The provider, exactly as it calls itself.", false, true},
    {"client_id", take_text, AT(client_id), 0, 255, "What the provider calls this archive.", false, true},
    {"client_secret_file", take_file, AT(client_secret_file), 0, 0,
     "A file in the archive's folder with the client's secret; empty: a public client.", false, false},
    {"ca_file", take_file, AT(ca_file), 0, 0,
     "A file in the archive's folder with the certificates the provider is known by; empty: the system's.",
     false, false},
    {"audience", take_text, AT(audience), 0, 255,
     "The provider's tokens for programs must be for this audience; empty: none are taken.", false, false},
    {"scopes", take_text, AT(scopes), 0, 255, "What is asked for: openid profile unless set.", false, false},
    {"user_claim", take_text, AT(user_claim), 0, 64,
     "The user's name: preferred_username unless set; sub and email are others.", false, false},
    {"roles_claim", take_text, AT(roles_claim), 0, 64,
     "The user's groups: roles unless set; dots lead into objects (realm_access.roles).", false,
     false},
    {"physician_claim", take_text, AT(physician_claim), 0, 64,
     "The claim with a referrer's name as in Referring Physician's Name (Smith^John).", false, false},
    {"algorithms", take_algorithm, 0, 0, 0, "Signatures taken: RS256, PS256, ES256 unless set.", true,
     false},
    {"role_reader", take_role, 0, 0, 0, "Who has one of these groups is a reader; and so on.", true,
     false},
    {"role_radiographer", take_role, 0, 0, 0, "", true, false},
    {"role_referrer", take_role, 0, 0, 0, "", true, false},
    {"role_researcher", take_role, 0, 0, 0, "", true, false},
    {"role_auditor", take_role, 0, 0, 0, "", true, false},
    {"role_administrator", take_role, 0, 0, 0, "", true, false},
};

static void set_defaults(struct conf_oidc *o) {
    static const char *const algorithms[] = {"RS256", "PS256", "ES256"};
    for (size_t i = 0; o->algorithm_count == 0 && i < sizeof algorithms / sizeof *algorithms; i++)
        strcpy(o->algorithms[i], algorithms[i]);
    if (o->algorithm_count == 0)
        o->algorithm_count = sizeof algorithms / sizeof *algorithms;
}

enum err conf_oidc_load(const char *dir, struct conf_oidc *ret_oidc, struct fault *f) {
    char path[4096];
    struct conf_oidc o = {.name = "the provider",
                          .scopes = "openid profile",
                          .user_claim = "preferred_username",
                          .roles_claim = "roles"};
    if ((size_t)snprintf(path, sizeof path, "%s/oidc.conf", dir) >= sizeof path)
        return fault_set(f, ERR_CONFIG, "the archive's path is too long");
    enum err e = conf_file_parse(path, "oidc.conf", options, sizeof options / sizeof *options, &o, f);
    if (e != OK)
        return e;
    set_defaults(&o);
    *ret_oidc = o;
    return OK;
}

static void put_line(struct buf *b, const char *name, const char *value) {
    if (value[0])
        buf_printf(b, "%s\t%s\n", name, value);
}

void conf_oidc_lines_put(struct buf *b, const struct conf_oidc *o, struct slice client_secret) {
    put_line(b, "issuer", o->issuer);
    put_line(b, "client_id", o->client_id);
    put_line(b, "audience", o->audience);
    put_line(b, "scopes", o->scopes);
    put_line(b, "user_claim", o->user_claim);
    put_line(b, "roles_claim", o->roles_claim);
    put_line(b, "physician_claim", o->physician_claim);
    for (size_t i = 0; i < o->algorithm_count; i++)
        put_line(b, "algorithm", o->algorithms[i]);
    for (size_t i = 0; i < o->role_count; i++)
        buf_printf(b, "role\t%u\t%s\n", o->roles[i].role, o->roles[i].value);
    if (client_secret.n > 0)
        buf_printf(b, "client_secret\t%.*s\n", SLICE_FMT(client_secret));
}
