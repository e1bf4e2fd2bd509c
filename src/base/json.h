// JSON (RFC 8259) in: a text is checked once, as a whole, and becomes a flat list of tokens, which then can
// be walked in any order without recursion. No tree, no numbers: those stay text, so that no digit is lost.
//
// Strict: no comments, no trailing commas, no byte order mark, UTF-8 only, no lone surrogates. Stricter than
// the RFC in one thing: no string holds a NUL, not even as \u0000. Nothing we read needs one, and what is a
// C string or a value of DICOM later would end there.
// Keys that come twice are the reader's business; json_member() does not find them.
#ifndef BASE_JSON_H
#define BASE_JSON_H

#include "base/buf.h"
#include "base/err.h"

enum {
    JSON_DEPTH_MAX = 256,
    JSON_TEXT_MAX = 1 << 30, // whatever the caller allows
};

enum json_kind { JSON_NULL, JSON_FALSE, JSON_TRUE, JSON_NUMBER, JSON_STRING, JSON_ARRAY, JSON_OBJECT };

struct json_token {
    uint32_t at;   // in the text; of a string without its quotes
    uint32_t n;    // bytes; of an array or object: how many values or members
    uint32_t next; // index of the token that follows this value and all it holds
    uint8_t kind;  // enum json_kind
    bool escaped;  // a string with '\' in it
};

// Token 0 is the value. What an array holds follows it; in an object keys (strings) and values alternate.
struct json {
    struct slice text; // borrowed
    const struct json_token *token;
    size_t count;
};

// ERR_SYNTAX with the offset; ERR_DEPTH; ERR_LIMIT: the text, or more than max_tokens (16 bytes each).
enum err json_scan(struct slice text, size_t max_tokens, struct fault *f, struct json *ret_json);
void json_fini(struct json *j);

struct slice json_raw(const struct json *j, size_t i); // of a number, or of a string as it is written
void json_string(const struct json *j, size_t i, struct buf *out); // appends a string's text; see buf_ok()
bool json_is(const struct json *j, size_t i, const char *ascii);   // a string, and this one
// The value of a member of an object; 0: `i` is no object, there is no such member, or there are two.
size_t json_member(const struct json *j, size_t i, const char *ascii);

#endif
