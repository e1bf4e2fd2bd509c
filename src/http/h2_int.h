// What the two halves of HTTP/2 share: nghttp2's session, and how patient we still are with the client.
#ifndef HTTP_H2_INT_H
#define HTTP_H2_INT_H

#include "http/conn_int.h"

#include <nghttp2/nghttp2.h>

// Frames that cost the client nothing and us something are paid for from a credit that time fills up.
enum {
    H2_CREDIT_MAX = 2000,
    H2_CREDIT_PER_S = 500,
    H2_COST_CHEAP = 1,   // PRIORITY, WINDOW_UPDATE (DATA that we send earns H2_EARNED); unknown ones are free
    H2_COST_PING = 4,
    H2_COST_EMPTY = 4,   // DATA without bytes
    H2_COST_CONTINUATION = 5,
    H2_COST_REFUSED = 4,
    H2_COST_RESET = 10,  // a request that was begun in vain
    H2_COST_SETTINGS = 20,
    H2_EARNED = 2,
};

struct http_h2 {
    nghttp2_session *session;
    int64_t credit, credit_ms;
    bool flood;
    bool failed; // nghttp2 said goodbye because of an error
};

bool h2_pay(struct http_conn *c, int64_t cost); // false: the credit is used up
// Says goodbye, with this error code, and ends the connection.
void h2_end(struct http_conn *c, uint32_t code, enum err why, const char *detail);
// Gives an answer without body in the handler's place, and forgets the stream.
void h2_refuse(struct http_conn *c, struct http_stream *s, int status);
void h2_forget(struct http_conn *c, struct http_stream *s);

int h2_on_send_data(nghttp2_session *session, nghttp2_frame *frame, const uint8_t *head, size_t n,
                    nghttp2_data_source *source, void *user);
int h2_on_frame_sent(nghttp2_session *session, const nghttp2_frame *frame, void *user);

#endif
