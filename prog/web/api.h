// What the files of the site's own interface (/api/…) share: small JSON bodies in, JSON out of the
// archive's lines.
#ifndef WEB_API_H
#define WEB_API_H

#include "base/json.h"
#include "web.h"

enum { API_BODY_MAX = 16 * 1024 };

struct api_body {
    struct json json;
    struct buf text; // of the last value asked for
    bool no_memory;  // a value is missing only for that
};

// Reads and scans the body of the request: an object. False: the answer (400, 413) is out. api_body_free()
// in any case; it wipes what was read, for there are passwords in it.
bool api_body_read(struct request *rq, struct api_body *ret_body);
void api_body_free(struct api_body *b);
// A member's text; empty when it is absent or no string. In the request's arena.
struct slice api_text(struct request *rq, struct api_body *b, const char *name);
// What was asked for is missing or wrong: 400, if it is not memory that is (503).
void api_refuse(struct request *rq, const struct api_body *b, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
bool api_number(struct api_body *b, const char *name, uint64_t max, uint64_t *ret_number);
// Bits of a list of words: {"query", IPC_RIGHT_QUERY}. False: a word is unknown.
struct api_word {
    const char *word;
    uint32_t bit;
};
bool api_words(struct api_body *b, const char *name, const struct api_word *words, size_t count,
               uint32_t *ret_bits);
void api_put_words(struct buf *out, const struct api_word *words, size_t count, uint32_t bits); // ["a","b"]
extern const struct api_word api_rights[], api_roles[];
extern const size_t api_right_count, api_role_count;

// How a column of the archive's lines becomes a member.
enum api_kind { API_TEXT, API_NUMBER, API_BOOL, API_WORDS_COMMA };
struct api_column {
    const char *name;
    enum api_kind kind;
};
// Asks (type, body), collects LINES and answers with an array of objects; or the error. `more` is called
// before each further question with the number of lines so far, to put it into the body; NULL: all come at
// once.
void api_answer_lines(struct request *rq, enum ipc_type type, void *body,
                      void (*more)(void *body, uint32_t from), const struct api_column *columns,
                      size_t count);
// Asks, and answers 204 or the error of DONE.
void api_answer_done(struct request *rq, enum ipc_type type, const void *body);
void api_answer_error(struct request *rq, enum err e, struct slice detail);

// --- api_session.c
// For what a session alone may not do: are the password and, with a second factor, the code right? Good for
// one such thing of this request. False: the answer is out.
bool api_prove(struct request *rq, struct slice password, struct slice code);
// 204, with cookies for the session that goes on after a change of the account.
void api_answer_changed(struct request *rq, enum ipc_type type, const void *body);

#endif
