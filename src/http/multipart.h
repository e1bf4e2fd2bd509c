// multipart/related and its kin (RFC 2046 5.1, RFC 2387) as a stream: slices of any size in, parts out,
// nothing copied but headers; and the few bytes between the parts of one that we write.
//
// A delimiter is CRLF "--" boundary, blanks, CRLF. What only begins like one is data. Content-Length of a
// part is not believed: the delimiter decides (RFC 2046 5.1.1).
#ifndef HTTP_MULTIPART_H
#define HTTP_MULTIPART_H

#include "base/buf.h"
#include "base/err.h"
#include "http/http.h"

enum {
    MULTIPART_BOUNDARY_MAX = 128,   // RFC 2046 has 70; Orthanc sends 73, two UUIDs
    MULTIPART_PREAMBLE_MAX = 65536, // bytes before the first part: ignored
    MULTIPART_PADDING_MAX = 64,     // blanks after a boundary
    MULTIPART_FIELDS_MAX = 32,      // of a part
    MULTIPART_BOUNDARY_BYTES = 34,  // of the boundaries that we make
};

struct multipart_limits {
    size_t header_bytes; // of one part
    uint64_t parts;
};
extern const struct multipart_limits multipart_limits_default; // 16 KiB, ten million

enum multipart_kind {
    MULTIPART_MORE,     // the slice is used up
    MULTIPART_PART,     // a part begins; its fields, with names in lower case, until the next event
    MULTIPART_DATA,     // some of its body: valid as long as what was fed, or until the next event
    MULTIPART_PART_END,
    MULTIPART_END,      // the closing delimiter was there; what follows is ignored
    MULTIPART_ERROR,    // multipart_error() says which; nothing else comes
};

struct multipart_event {
    enum multipart_kind kind;
    struct slice data;
    const struct http_field *field;
    size_t field_count;
};

struct multipart;

// Not empty, not too long, no control characters, no blank at its end.
bool multipart_boundary_valid(struct slice boundary);
// NULL: the boundary is none, or out of memory.
struct multipart *multipart_new(struct slice boundary, const struct multipart_limits *limits);
void multipart_free(struct multipart *m);
// Takes what it can from *in. Call until it says MULTIPART_MORE.
enum multipart_kind multipart_next(struct multipart *m, struct slice *in, struct multipart_event *ret_event);
// The body has ended: ERR_TRUNCATED without a closing delimiter.
enum err multipart_finish(const struct multipart *m);
// ERR_SYNTAX: a malformed header. ERR_LIMIT. ERR_NO_MEMORY.
enum err multipart_error(const struct multipart *m);
struct slice multipart_field(const struct multipart_event *ev, const char *name); // p is NULL when absent

// Out. The boundary is made of 16 random bytes; that no part holds it is left to chance, which is enough.
void multipart_boundary(const uint8_t random[16], char ret_boundary[MULTIPART_BOUNDARY_BYTES + 1]);
// Appends what comes before a part; the body follows.
void multipart_write_part(struct buf *out, const char *boundary, bool first, const struct http_field *field,
                          size_t field_count);
void multipart_write_end(struct buf *out, const char *boundary, bool empty);
// A value for Content-Type: multipart/related; type="…"; boundary=…
enum { MULTIPART_TYPE_MAX = 128 + MULTIPART_BOUNDARY_BYTES };
void multipart_write_type(char ret_value[MULTIPART_TYPE_MAX], const char *type, const char *boundary);

#endif
