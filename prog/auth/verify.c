#include "auth.h"

#include <argon2.h>
#include <stdio.h>
#include <sys/random.h>

// The same cost as galena user password gives (prog/cli/password.c): RFC 9106 and OWASP's minimum.
enum { PASSES = 2, MEMORY_KIB = 19 * 1024, LANES = 1, SALT_BYTES = 16, HASH_BYTES = 32 };

static char nobodys_hash[256];

enum err verify_init(struct fault *f) {
    uint8_t salt[SALT_BYTES], secret[32];
    if (getrandom(salt, sizeof salt, 0) != sizeof salt ||
        getrandom(secret, sizeof secret, 0) != sizeof secret)
        return fault_errno(f, "getrandom");
    int e = argon2id_hash_encoded(PASSES, MEMORY_KIB, LANES, secret, sizeof secret, salt, sizeof salt,
                                  HASH_BYTES, nobodys_hash, sizeof nobodys_hash);
    explicit_bzero(secret, sizeof secret);
    return e == ARGON2_OK ? OK : fault_set(f, ERR_NO_MEMORY, "Argon2id: %s", argon2_error_message(e));
}

struct slice verify_nobodys_hash(void) {
    return slice_str(nobodys_hash);
}

bool verify_make_hash(struct slice password, char ret_hash[CONF_HASH_MAX + 1]) {
    uint8_t salt[SALT_BYTES];
    return getrandom(salt, sizeof salt, 0) == sizeof salt &&
           argon2id_hash_encoded(PASSES, MEMORY_KIB, LANES, password.p, password.n, salt, sizeof salt,
                                 HASH_BYTES, ret_hash, CONF_HASH_MAX + 1) == ARGON2_OK;
}

enum verdict verify_passcode(const struct user *user, struct slice passcode) {
    char hash[256];
    bool has_hash = user && user->hash.n > 0 && slice_to_cstr(user->hash, hash, sizeof hash);
    int e = argon2id_verify(has_hash ? hash : nobodys_hash, passcode.p, passcode.n);
    if (e == ARGON2_MEMORY_ALLOCATION_ERROR)
        return VERIFY_NO_MEMORY;
    return has_hash && e == ARGON2_OK ? VERIFY_YES : VERIFY_NO;
}
