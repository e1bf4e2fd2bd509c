// DIR/tokens/ID.conf: a token with which a program signs in as a user: what it may do at most, until when.
// Only its SHA-256 is kept. A token never may more than its user may at the time (prog/archive/rights.c).
//
// A token is "gal_" and 43 characters of URL-safe base64 (256 random bits).
#ifndef CONF_TOKEN_H
#define CONF_TOKEN_H

#include "base/buf.h"
#include "conf/collection.h"

enum {
    CONF_TOKENS_MAX = 65536,
    CONF_TOKENS_OF_USER_MAX = 64,
    CONF_TOKEN_ID_MAX = 32,
    CONF_TOKEN_DIGEST_BYTES = 32,
    CONF_TOKEN_DAYS = 90, // unless said otherwise
    CONF_TOKEN_DAYS_MAX = 366,
    CONF_TOKEN_CAN_MAX = 64,
    CONF_TIME_TEXT = 24, // "2026-11-25T21:05:09Z"
};

enum conf_token_right {
    CONF_TOKEN_STORE = 1,
    CONF_TOKEN_QUERY = 2,
    CONF_TOKEN_RETRIEVE = 4,
    CONF_TOKEN_DELETE = 8,
    CONF_TOKEN_ADMIN = 16,
};

struct conf_token {
    char id[CONF_TOKEN_ID_MAX + 1]; // the file's name
    char name[CONF_NAME_MAX + 1];   // what it is for: text
    char user[CONF_NAME_MAX + 1];
    uint8_t digest[CONF_TOKEN_DIGEST_BYTES];         // SHA-256 of the token's text
    unsigned can;                                    // CONF_TOKEN_*
    int64_t created_s, expires_s;                    // since 1970
    char collections[CONF_COLLECTION_NAMES_MAX + 1]; // "a,b": only these; "" = all its user's
};

struct conf_tokens {
    struct conf_token *v;
    size_t n;
    char (*problems)[256]; // as in conf/peer.h
    size_t problem_count;
};

enum err conf_tokens_load(const char *dir, struct conf_tokens *ret_tokens, struct fault *f);
void conf_tokens_fini(struct conf_tokens *t);
enum err conf_token_load(const char *dir, const char *id, struct conf_token *ret_token, struct fault *f);
enum err conf_token_save(const char *dir, const struct conf_token *t, struct fault *f);
enum err conf_token_remove(const char *dir, const char *id, struct fault *f); // ERR_NO_SUCH_OBJECT

bool conf_token_can_parse(struct slice text, unsigned *ret_can); // "query,retrieve"
void conf_token_can_format(unsigned can, char ret_text[CONF_TOKEN_CAN_MAX]);
void conf_time_format(int64_t s, char ret_text[CONF_TIME_TEXT]);

// --- token_line.c: a token as a line of text, as it travels between processes. All of it is checked again.
// id TAB name TAB user TAB digest in hexadecimal TAB can TAB created TAB expires TAB collections LF
void conf_token_line_put(struct buf *b, const struct conf_token *t);
bool conf_token_line_parse(struct slice line, struct conf_token *ret_token); // without the LF

#endif
