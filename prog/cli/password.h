// Passwords: made, read, hashed. Checked by the auth process, never here.
#ifndef CLI_PASSWORD_H
#define CLI_PASSWORD_H

#include "base/err.h"
#include "conf/user.h"

// 25 characters of 32 (125 bits), in groups of five: "k7m2x-…", none of them easily confused.
enum err password_random(char ret_password[32], struct fault *f);
// One line from standard input; a terminal is asked without echo.
enum err password_read(char ret_password[CONF_PASSWORD_MAX + 1], struct fault *f);
// Argon2id, RFC 9106: 19 MiB, 2 passes, 1 lane, so that the small auth process can check it.
enum err password_hash(const char *password, char ret_hash[CONF_HASH_MAX + 1], struct fault *f);

#endif
