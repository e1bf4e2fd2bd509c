#include "conf/user.h"

#include "base/cleanup.h"
#include "base/utf8.h"
#include "conf/file.h"
#include "conf/folder.h"

#include <stdio.h>

static const struct {
    const char *word;
    unsigned role;
} roles[] = {
    {"reader", CONF_ROLE_READER},     {"radiographer", CONF_ROLE_RADIOGRAPHER},
    {"referrer", CONF_ROLE_REFERRER}, {"researcher", CONF_ROLE_RESEARCHER},
    {"auditor", CONF_ROLE_AUDITOR},   {"administrator", CONF_ROLE_ADMINISTRATOR},
};

static unsigned role_of(struct slice word) {
    for (size_t i = 0; i < sizeof roles / sizeof *roles; i++)
        if (slice_eq_str(word, roles[i].word))
            return roles[i].role;
    return 0;
}

bool conf_roles_parse(struct slice text, unsigned *ret_roles) {
    unsigned found = 0;
    struct slice rest = text;
    do {
        unsigned role = role_of(slice_trim(slice_split(rest, ',', &rest), " "));
        if (!role)
            return false;
        found |= role;
    } while (rest.p);
    *ret_roles = found;
    return true;
}

void conf_roles_format(unsigned wanted, char ret_text[96]) {
    size_t n = 0;
    ret_text[0] = '\0';
    for (size_t i = 0; i < sizeof roles / sizeof *roles; i++)
        if (wanted & roles[i].role)
            n += (size_t)snprintf(ret_text + n, 96 - n, "%s%s", n ? "," : "", roles[i].word);
}

static bool take_roles(void *dst, const struct conf_option *o, struct slice value, struct fault *f) {
    (void)o;
    if (conf_roles_parse(value, &((struct conf_user *)dst)->roles))
        return true;
    fault_set(f, ERR_CONFIG,
              "must be a list of reader, radiographer, referrer, researcher, auditor, administrator");
    return false;
}

static bool take_password(void *dst, const struct conf_option *o, struct slice value, struct fault *f) {
    (void)o;
    struct conf_user *u = dst;
    bool hash = value.n > 10 && memcmp(value.p, "$argon2id$", 10) == 0;
    if ((value.n == 0 || hash) && slice_to_cstr(value, u->password, sizeof u->password))
        return true;
    fault_set(f, ERR_CONFIG, "must be an Argon2id hash, not the password; set it with galena user password");
    return false;
}

static bool take_totp(void *dst, const struct conf_option *o, struct slice value, struct fault *f) {
    (void)o;
    bool base32 = value.n % 8 == 0 && (value.n == 0 || value.n >= 16);
    for (size_t i = 0; i < value.n; i++)
        base32 = base32 && value.p[i] && strchr("ABCDEFGHIJKLMNOPQRSTUVWXYZ234567", value.p[i]);
    if (base32 && slice_to_cstr(value, ((struct conf_user *)dst)->totp, CONF_TOTP_MAX + 1))
        return true;
    fault_set(f, ERR_CONFIG,
              "must be a secret in base32, or empty; galena user second-factor --off empties it");
    return false;
}

static bool take_physician(void *dst, const struct conf_option *o, struct slice value, struct fault *f) {
    (void)o;
    if (conf_physician_parse(value, ((struct conf_user *)dst)->physician))
        return true;
    fault_set(f, ERR_CONFIG, "must be a name such as \"Smith^John\", without wildcards");
    return false;
}

bool conf_physician_parse(struct slice text, char ret_physician[CONF_PHYSICIAN_MAX + 1]) {
    bool plain = utf8_valid(text);
    for (size_t i = 0; i < text.n; i++)
        plain = plain && text.p[i] >= 0x20 && text.p[i] != 0x7f && !strchr("*?\\", text.p[i]);
    return plain && slice_to_cstr(slice_trim(text, " ^="), ret_physician, CONF_PHYSICIAN_MAX + 1);
}

static const struct conf_option options[] = {
    {"roles", take_roles, 0, 0, 0, "What this person may do.", false, true},
    {"password", take_password, 0, 0, 0, "Argon2id hash; set by galena user password.", false, false},
    {"collections", conf_take_collections, offsetof(struct conf_user, collections), 0, 0,
     "Only these parts of the archive; empty: all of it.", false, false},
    {"physician", take_physician, 0, 0, 0,
     "A referrer sees the studies with this Referring Physician's Name.", false, false},
    {"totp", take_totp, 0, 0, 0, "Secret of the second factor; set up by this person on the web side.", false,
     false},
};
enum { OPTION_COUNT = sizeof options / sizeof *options };

enum err conf_user_load(const char *dir, const char *name, struct conf_user *ret_user, struct fault *f) {
    char path[4096], shown[CONF_NAME_MAX + 32];
    struct conf_user u = {0};
    if (!conf_name_valid(slice_str(name)))
        return fault_set(f, ERR_CONFIG, "a user's name has letters, digits, '-', '_' and '.', at most %d",
                         CONF_NAME_MAX);
    strcpy(u.name, name);
    snprintf(shown, sizeof shown, "users/%s.conf", name);
    if ((size_t)snprintf(path, sizeof path, "%s/%s", dir, shown) >= sizeof path)
        return fault_set(f, ERR_CONFIG, "the archive's path is too long");
    enum err e = conf_file_parse(path, shown, options, OPTION_COUNT, &u, f);
    if (e != OK)
        return e;
    *ret_user = u;
    return OK;
}

enum err conf_user_save(const char *dir, const struct conf_user *u, struct fault *f) {
    char path[4096], file[CONF_NAME_MAX + 16], text[96];
    CLEANUP(buf_fini) struct buf b = BUF_INIT(CONF_FILE_MAX_BYTES);
    conf_put_comment(&b, options[0].comment);
    conf_roles_format(u->roles, text);
    conf_put_text(&b, options[0].name, text);
    conf_put_comment(&b, options[1].comment);
    conf_put_text(&b, options[1].name, u->password);
    if (u->collections[0]) {
        conf_put_comment(&b, options[2].comment);
        conf_put_text(&b, options[2].name, u->collections);
    }
    if (u->physician[0]) {
        conf_put_comment(&b, options[3].comment);
        conf_put_text(&b, options[3].name, u->physician);
    }
    if (u->totp[0]) {
        conf_put_comment(&b, options[4].comment);
        conf_put_text(&b, options[4].name, u->totp);
    }
    snprintf(file, sizeof file, "%s.conf", u->name);
    if (!buf_ok(&b) || (size_t)snprintf(path, sizeof path, "%s/users", dir) >= sizeof path)
        return fault_set(f, ERR_CONFIG, "users/%s: the path is too long", file);
    return conf_write_file(path, file, 0600, buf_slice(&b), f);
}

enum err conf_users_load(const char *dir, struct conf_users *ret_users, struct fault *f) {
    char path[4096];
    struct conf_names names = {0};
    if ((size_t)snprintf(path, sizeof path, "%s/users", dir) >= sizeof path)
        return fault_set(f, ERR_CONFIG, "the archive's path is too long");
    enum err e = conf_folder_list(path, ".conf", CONF_USERS_MAX, &names, f);
    if (e != OK)
        return e;
    struct conf_users all = {.v = calloc(names.n + 1, sizeof *all.v)};
    for (size_t i = 0; e == OK && all.v && i < names.n; i++) {
        struct fault why = {0};
        if (conf_user_load(dir, names.v[i], &all.v[all.n], &why) == OK)
            all.n++;
        else
            e = conf_leave_out(&why, &all.problems, &all.problem_count, f);
    }
    free(names.v);
    if (!all.v)
        return fault_set(f, ERR_NO_MEMORY, "not enough memory for the users");
    if (e != OK) {
        conf_users_fini(&all);
        return e;
    }
    *ret_users = all;
    return OK;
}

void conf_users_fini(struct conf_users *u) {
    if (u->v) // hashes, and secrets of second factors
        explicit_bzero(u->v, u->n * sizeof *u->v);
    free(u->v);
    free(u->problems);
    *u = (struct conf_users){0};
}
