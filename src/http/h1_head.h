// The head of an HTTP/1 request: checked to the letter first (RFC 9112 3, 5: CRLF only, no folding, no blanks
// before ':', no control characters), then read by http-parser, whose leniency cannot matter any more.
#ifndef HTTP_H1_HEAD_H
#define HTTP_H1_HEAD_H

#include "http/conn_int.h"

struct h1_head {
    bool keep_alive;
    bool chunked;
};

// Fills s->req and says how the body is framed. Returns 0, or the status to refuse it with.
int h1_head_parse(struct http_conn *c, struct http_stream *s, struct slice head, struct h1_head *ret_head);

#endif
