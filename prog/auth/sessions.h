// Who is signed in. A session is known by the SHA-256 of its secret; the secret itself is only in its
// browser's cookie. All are forgotten when this process ends: people sign in again.
//
// What a user may do is not kept here but read at each use; only of a user whom the sign-in provider has
// vouched for (oidc.h) the roles come with the session.
#ifndef AUTH_SESSIONS_H
#define AUTH_SESSIONS_H

#include "secrets.h"
#include "totp.h"

enum {
    SESSIONS_MAX = 16384,
    SESSIONS_OF_USER_MAX = 32, // one more ends the one that was not used for the longest time
    SESSIONS_BUCKETS = 4096,
    SESSION_USER_MAX = 64,
    SESSION_SOURCE_MAX = 80,
    SESSION_PHYSICIAN_MAX = 255,
};

struct session {
    struct session *next; // in its bucket
    bool used, expired;
    uint8_t digest[DIGEST_SHA256_BYTES];
    char id[ID_CHARS + 1];
    char user[SESSION_USER_MAX + 1];
    char source[SESSION_SOURCE_MAX + 1];
    uint8_t stamp[DIGEST_SHA256_BYTES]; // of what its user proved: another password or factor ends it
    bool provider; // the sign-in provider vouched for the user: roles and physician are its word
    uint32_t roles;
    char physician[SESSION_PHYSICIAN_MAX + 1];
    int64_t created_ms, seen_ms;           // monotonic
    int64_t wall_created_ms, wall_seen_ms; // for people
    uint8_t enrolling[TOTP_SECRET_BYTES];  // a second factor that is not confirmed yet
    bool has_enrolling;
};

struct sessions {
    struct session *v; // SESSIONS_MAX
    struct session *bucket[SESSIONS_BUCKETS];
    int64_t idle_ms, most_ms;
};

bool sessions_init(struct sessions *t);
// Makes one for `spec` (user, source, stamp, …) and the secret for its cookie.
struct session *sessions_new(struct sessions *t, const struct session *spec, int64_t now_ms, int64_t wall_ms,
                             char ret_secret[SECRET_CHARS + 1]);
// NULL: there is none (any more). Does not count as use.
struct session *sessions_find(struct sessions *t, struct slice digest, int64_t now_ms);
// Also one that has ended by itself: nobody has ended it, so what it began may end. Until its place is taken.
struct session *sessions_find_expired(struct sessions *t, struct slice digest);
void sessions_touch(struct session *s, int64_t now_ms, int64_t wall_ms);
int64_t sessions_left_ms(const struct sessions *t, const struct session *s, int64_t now_ms);
void sessions_end(struct sessions *t, struct session *s);
struct session *sessions_by_id(struct sessions *t, struct slice user, struct slice id);
void sessions_end_of_user(struct sessions *t, struct slice user);

#endif
