// DIR/users/NAME.conf: a person who signs in: roles, and the Argon2id hash of the password.
// Reads and writes the file; checking a password is the auth process's work.
#ifndef CONF_USER_H
#define CONF_USER_H

#include "conf/collection.h"

enum conf_role {
    CONF_ROLE_READER = 1,
    CONF_ROLE_RADIOGRAPHER = 2,
    CONF_ROLE_REFERRER = 4,
    CONF_ROLE_RESEARCHER = 8,
    CONF_ROLE_AUDITOR = 16,
    CONF_ROLE_ADMINISTRATOR = 32,
};

enum {
    CONF_USERS_MAX = 65536,
    CONF_HASH_MAX = 255,
    CONF_PHYSICIAN_MAX = 255,
    CONF_TOTP_MAX = 64,
    CONF_PASSWORD_MIN = 12, // bytes, of a new one
    CONF_PASSWORD_MAX = 256,
};

struct conf_user {
    char name[CONF_NAME_MAX + 1];
    unsigned roles;                   // CONF_ROLE_*
    char password[CONF_HASH_MAX + 1]; // "$argon2id$v=19$…"; "" = cannot sign in by password
    char totp[CONF_TOTP_MAX + 1];     // second factor (RFC 6238): its secret in base32; "" = none
    char collections[CONF_COLLECTION_NAMES_MAX + 1]; // "a,b"; "" = no limit
    char physician[CONF_PHYSICIAN_MAX + 1]; // of a referrer, as in Referring Physician's Name: "Smith^John"
};

struct conf_users {
    struct conf_user *v;
    size_t n;
    char (*problems)[256]; // as in conf/peer.h
    size_t problem_count;
};

enum err conf_users_load(const char *dir, struct conf_users *ret_users, struct fault *f);
void conf_users_fini(struct conf_users *u);

enum err conf_user_load(const char *dir, const char *name, struct conf_user *ret_user, struct fault *f);
enum err conf_user_save(const char *dir, const struct conf_user *u, struct fault *f);
bool conf_physician_parse(struct slice text, char ret_physician[CONF_PHYSICIAN_MAX + 1]); // no wildcards
bool conf_roles_parse(struct slice text, unsigned *ret_roles);                            // "reader,auditor"
void conf_roles_format(unsigned roles, char ret_text[96]);

#endif
