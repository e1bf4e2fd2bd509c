// The framing of a request's body in HTTP/1.1 (RFC 9112 6, 7): a length, or chunks. Strict: CRLF only, no
// blanks; extensions and trailers are read, within limits, and forgotten.
#ifndef HTTP_H1_BODY_H
#define HTTP_H1_BODY_H

#include "base/slice.h"

enum {
    H1_CHUNK_EXTENSION_MAX = 1024, // of all chunks together, and again for each 1024 chunks
    H1_TRAILER_BYTES_MAX = 8192,
    H1_CHUNK_DIGITS_MAX = 15,
};

enum h1_body_state {
    H1_BODY_NONE,
    H1_BODY_LENGTH,
    H1_BODY_SIZE, // of a chunk
    H1_BODY_EXTENSION,
    H1_BODY_SIZE_LF,
    H1_BODY_CHUNK,
    H1_BODY_CHUNK_CR,
    H1_BODY_CHUNK_LF,
    H1_BODY_TRAILER_START,
    H1_BODY_TRAILER,
    H1_BODY_TRAILER_LF,
    H1_BODY_LAST_LF,
    H1_BODY_BAD,
};

struct h1_body {
    enum h1_body_state state;
    uint64_t left; // of the body or chunk
    unsigned digits;
    size_t extension_bytes, trailer_bytes;
    uint64_t chunks;
};

void h1_body_init_length(struct h1_body *b, uint64_t n);
void h1_body_init_chunked(struct h1_body *b);
// The next run of body bytes in *in, which moves on past it. Empty: more is needed, or it is done or bad.
struct slice h1_body_take(struct h1_body *b, struct slice *in);
static inline bool h1_body_done(const struct h1_body *b) {
    return b->state == H1_BODY_NONE;
}
static inline bool h1_body_bad(const struct h1_body *b) {
    return b->state == H1_BODY_BAD;
}

#endif
