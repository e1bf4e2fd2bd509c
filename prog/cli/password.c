#include "password.h"

#include <argon2.h>
#include <errno.h>
#include <openssl/rand.h>
#include <stdio.h>
#include <termios.h>
#include <unistd.h>

enum { MEMORY_KIB = 19 * 1024, PASSES = 2, LANES = 1, SALT_BYTES = 16, HASH_BYTES = 32 };

enum err password_random(char ret_password[32], struct fault *f) {
    static const char letters[] = "abcdefghijkmnpqrstuvwxyz23456789"; // no l, o, 0, 1
    uint8_t random[25];
    if (RAND_bytes(random, sizeof random) != 1)
        return fault_set(f, ERR_IO, "no random numbers");
    size_t n = 0;
    for (size_t i = 0; i < sizeof random; i++) {
        if (i > 0 && i % 5 == 0)
            ret_password[n++] = '-';
        ret_password[n++] = letters[random[i] % 32];
    }
    ret_password[n] = '\0';
    return OK;
}

static bool set_echo(bool on) {
    struct termios t;
    if (tcgetattr(STDIN_FILENO, &t) != 0)
        return false;
    t.c_lflag = on ? t.c_lflag | ECHO : t.c_lflag & ~(tcflag_t)ECHO;
    return tcsetattr(STDIN_FILENO, TCSAFLUSH, &t) == 0;
}

enum err password_read(char ret_password[CONF_PASSWORD_MAX + 1], struct fault *f) {
    char line[CONF_PASSWORD_MAX + 3];
    bool terminal = isatty(STDIN_FILENO);
    if (terminal) {
        fputs("Password: ", stderr);
        set_echo(false);
    }
    const char *got = fgets(line, sizeof line, stdin);
    if (terminal) {
        set_echo(true);
        fputc('\n', stderr);
    }
    size_t n = got ? strcspn(line, "\r\n") : 0;
    if (n < CONF_PASSWORD_MIN || n > CONF_PASSWORD_MAX)
        return fault_set(f, ERR_LIMIT, "a password has %d to %d bytes", CONF_PASSWORD_MIN, CONF_PASSWORD_MAX);
    memcpy(ret_password, line, n);
    ret_password[n] = '\0';
    explicit_bzero(line, sizeof line);
    return OK;
}

enum err password_hash(const char *password, char ret_hash[CONF_HASH_MAX + 1], struct fault *f) {
    uint8_t salt[SALT_BYTES];
    if (RAND_bytes(salt, sizeof salt) != 1)
        return fault_set(f, ERR_IO, "no random numbers");
    int e = argon2id_hash_encoded(PASSES, MEMORY_KIB, LANES, password, strlen(password), salt,
                                  sizeof salt, HASH_BYTES, ret_hash, CONF_HASH_MAX + 1);
    return e == ARGON2_OK
               ? OK
               : fault_set(f, ERR_NO_MEMORY, "hashing the password: %s", argon2_error_message(e));
}
