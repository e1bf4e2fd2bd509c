// galena-auth: says whether a pass code is a user's. It holds the hashes and nothing else; what a
// user may do is decided in the archive.
#ifndef AUTH_AUTH_H
#define AUTH_AUTH_H

#include "base/buf.h"
#include "base/err.h"
#include "base/slice.h"

// --- users.c: the records the supervisor hands over, lines "name TAB roles TAB hash"
enum { USERS_MAX_BYTES = 32 * 1024 * 1024 };

struct user {
    struct slice name, hash;
    uint32_t roles;
};

struct users {
    struct buf text;
    struct user *v; // sorted by name; slices point into text
    size_t n;
};

// Replaces *users when all of the text is good; else leaves it as it is. Consumes take_fd.
enum err users_load(struct users *users, int take_fd, struct fault *f);
void users_fini(struct users *users);
const struct user *users_find(const struct users *users, struct slice name);

// --- throttle.c: after wrong pass codes a user's next answer comes later; nobody is ever locked out
enum {
    THROTTLE_SLOTS = 4096,
    THROTTLE_FIRST_MS = 500, // doubles with each failure …
    THROTTLE_MOST_MS = 15000, // … up to this
    THROTTLE_FORGET_MS = 900000, // since the last failure
};

struct throttle {
    uint64_t key; // random, so that nobody can choose a name that shares another's slot
    struct {
        int64_t last_failure_ms, free_at_ms;
        unsigned failures;
    } slot[THROTTLE_SLOTS];
};

// When the answer to a check of this name that came now may be worked out.
int64_t throttle_due_ms(struct throttle *t, struct slice name, int64_t now_ms);
void throttle_note(struct throttle *t, struct slice name, bool valid, int64_t now_ms);

// --- verify.c
// A hash that no pass code fits, so that an unknown user takes as long as a known one.
enum err verify_init(struct fault *f);
bool verify_passcode(const struct user *user, struct slice passcode); // user NULL: false, as slowly

#endif
