// One-time passwords by time (RFC 6238 with HMAC-SHA-1, 6 digits, 30 s, as every authenticator app has it).
// Takes the time as an argument; that a code is good once only is the caller's to remember (struct
// totp_used).
#ifndef AUTH_TOTP_H
#define AUTH_TOTP_H

#include "base/slice.h"

enum {
    TOTP_SECRET_BYTES = 20,
    TOTP_SECRET_CHARS = 32, // in base32 (RFC 4648 6)
    TOTP_STEP_S = 30,
    TOTP_DIGITS = 6,
    TOTP_WINDOW = 1, // steps that a clock may be off, each way
    TOTP_URI_MAX = 512,
};

void base32_encode(struct slice bytes, char *dst); // whole groups of 5 bytes only; dst: 8 / 5 * n + 1
bool base32_decode(struct slice text, uint8_t *dst, size_t cap, size_t *ret_n);

uint32_t totp_code(const uint8_t *secret, size_t n, int64_t step);
// Is it the code of a step near now, newer than `after`? Blanks in it do not count.
bool totp_check(struct slice secret, struct slice code, int64_t wall_ms, int64_t after, int64_t *ret_step);
// otpauth://totp/ISSUER:USER?secret=…, for a QR code.
bool totp_uri(const char *secret_text, struct slice issuer, struct slice user,
              char ret_uri[TOTP_URI_MAX + 1]);

// The last step whose code was used, for each user who signed in lately. Lost with the process: for the 90
// seconds that a code may live, one that was seen by somebody could be used once more.
enum { TOTP_USED_MAX = 4096 };
struct totp_used {
    struct {
        uint8_t user[32]; // digest of the name
        int64_t step;
    } v[TOTP_USED_MAX];
};
int64_t totp_used_last(const struct totp_used *used, struct slice user); // INT64_MIN: none
void totp_used_note(struct totp_used *used, struct slice user, int64_t step);

#endif
