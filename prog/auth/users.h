// The people who sign in with a password, as the supervisor hands them over: lines
// "name TAB roles TAB hash TAB secret of the second factor TAB collections TAB physician".
#ifndef AUTH_USERS_H
#define AUTH_USERS_H

#include "base/buf.h"
#include "base/err.h"
#include "base/slice.h"

enum { USERS_MAX_BYTES = 64 * 1024 * 1024 };

struct user {
    struct slice name, hash, totp, collections, physician;
    uint32_t roles;
    char *own_hash, *own_totp; // what was changed since
};

struct users {
    struct buf text;
    struct user *v; // sorted by name; slices point into text
    size_t n;
};

// Replaces *users when all of the text is good; else leaves it as it is. Consumes take_fd.
enum err users_load(struct users *users, int take_fd, struct fault *f);
void users_fini(struct users *users);
struct user *users_find(const struct users *users, struct slice name);
bool users_set_hash(struct user *u, struct slice hash); // false: no memory
bool users_set_totp(struct user *u, struct slice totp);

#endif
