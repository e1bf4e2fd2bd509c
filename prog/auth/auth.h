// galena-auth: says who somebody is: passwords, second factor, sessions, tokens, and what the sign-in
// provider vouches for. It has no files and no network: the supervisor hands it what is on disk, the
// archive keeps what changes, and a process of its own asks the provider (prog/fetch). What a user may do
// is decided in the archive.
//
// One event loop. Passwords wait their turn in a queue (queue.h); everything else is answered at once, or
// when the archive has stored it (keeping.c), or when the provider has answered (oidc.h).
#ifndef AUTH_AUTH_H
#define AUTH_AUTH_H

#include "conf/user.h"
#include "ipc/ipc.h"
#include "os/log.h"
#include "queue.h"
#include "sessions.h"
#include "settings.h"
#include "throttle.h"
#include "tokens.h"
#include "totp.h"
#include "users.h"

enum { KEEPING_MAX = 64 };

// A change that waits for the archive to have it on disk. Only then it is one.
struct keeping {
    bool used;
    uint64_t request;
    enum ipc_keep what;
    char name[CONF_NAME_MAX + 1]; // of the user, or the token's id
    char text[CONF_HASH_MAX + 1];
    uint8_t digest[DIGEST_SHA256_BYTES]; // of the session that has another secret after it
    int64_t totp_step;
    struct conf_token token;
    char secret[SECRET_CHARS + 5];
};

struct oidc;

struct auth {
    struct users users;
    struct tokens tokens;
    struct settings settings;
    struct throttle throttle;
    struct queue queue;
    struct sessions sessions;
    struct totp_used totp_used;
    struct keeping keeping[KEEPING_MAX];
    struct oidc *oidc;
    uint8_t *message;
};

// --- main.c
void auth_send(enum ipc_type type, const void *body); // to the archive
void auth_done(uint64_t request, enum err error, const char *detail);
void auth_forget(const char *user);

// --- identify.c
void identify_on_question(struct auth *a, const struct ipc_auth_identify *m);
// What a session remembers of what its user proved then.
void identify_stamp(const struct user *u, uint8_t ret_stamp[DIGEST_SHA256_BYTES]);
struct session *identify_session(struct auth *a, struct slice digest); // still good, of a user that still is

// --- sign_in.c
void sign_in_on_check(struct auth *a, const struct ipc_auth_check *m);
void sign_in_on_request(struct auth *a, const struct ipc_auth_sign_in *m);
void sign_in_on_proof(struct auth *a, const struct ipc_auth_prove *m);
void sign_in_on_out(struct auth *a, const struct ipc_auth_sign_out *m);
void sign_in_work_out(struct auth *a, struct job *job); // the password's turn has come
void sign_in_refuse(uint64_t request, enum err error, bool need_code, int64_t wait_ms);
// The session with this SHA-256, if there is one, gives way to another of its browser (OWASP ASVS 5.0 7.2.4).
void sign_in_replace(struct auth *a, struct slice digest);
// A session for this user, as good as one just signed in; the answer to the request.
void sign_in_welcome(struct auth *a, uint64_t request, const struct user *u, struct slice source);

// --- account.c
extern const char account_not_ours[]; // to users of the sign-in provider
void account_on_list(struct auth *a, const struct ipc_auth_list *m);
void account_on_end(struct auth *a, const struct ipc_auth_end *m);
void account_on_token(struct auth *a, const struct ipc_auth_token_create *m);
void account_on_password(struct auth *a, const struct ipc_auth_password *m);
void account_on_totp(struct auth *a, const struct ipc_auth_totp *m);

// --- keeping.c
struct keeping *keeping_new(struct auth *a, uint64_t request, enum ipc_keep what,
                            struct slice name); // NULL: no room
void keeping_ask(struct keeping *k);
void keeping_on_stored(struct auth *a, const struct ipc_auth_stored *m);

// --- verify.c
// A hash that no pass code fits, so that an unknown user takes as long as a known one.
enum err verify_init(struct fault *f);
struct slice verify_nobodys_hash(void);
enum verdict { VERIFY_NO, VERIFY_YES, VERIFY_NO_MEMORY };
enum verdict verify_passcode(const struct user *user, struct slice passcode); // user NULL: no, as slowly
bool verify_make_hash(struct slice password, char ret_hash[CONF_HASH_MAX + 1]);

#endif
