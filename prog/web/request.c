// What came with a request: its body, headers, parameters, and from where.
#include "web.h"

#include "base/err.h"
#include "http/forwarded.h"
#include "http/target.h"
#include "http/cookie.h"

#include <stdio.h>

static void give_back(struct request *rq) {
    if (rq->body.n > 0)
        http_body_consumed(rq->web->http, rq->stream, rq->body.n);
    rq->body_bytes += rq->body.n;
    rq->body = slice_of(NULL, 0);
}

struct slice request_body(struct request *rq) {
    give_back(rq);
    http_body_want(rq->web->http, rq->stream);
    while (rq->body.n == 0 && !rq->body_ended && !rq->gone) {
        rq->waits_for_body = true;
        task_wait();
        rq->waits_for_body = false;
    }
    rq->body_too_long = rq->body_bytes + rq->body.n > rq->web->upload_max_bytes;
    return rq->gone || rq->body_too_long ? slice_of(NULL, 0) : rq->body;
}

enum err request_body_whole(struct request *rq, size_t max, struct slice *ret_body, struct fault *f) {
    struct buf b = BUF_INIT(max);
    struct slice piece;
    while (buf_ok(&b) && (piece = request_body(rq)).n > 0) // what is too long is not read to its end
        buf_append_slice(&b, piece);
    enum err e = rq->gone ? fault_set(f, ERR_PEER_GONE, "the client broke off")
                          : buf_check(&b, f, "the body has more than %zu bytes", max);
    if (e == OK && !arena_dup(&rq->arena, buf_slice(&b), ret_body))
        e = fault_set(f, ERR_NO_MEMORY, "body");
    buf_fini(&b);
    return e;
}

struct slice request_header(const struct request *rq, const char *name) {
    return http_header(rq->http, name);
}

struct slice request_parameter(struct request *rq, const char *name, size_t n) {
    struct query q = query_init(rq->http->query);
    struct slice key, value;
    while (query_next(&q, &rq->arena, &key, &value))
        if (slice_eq_str(key, name) && n-- == 0)
            return value.p ? value : SLICE_LIT("");
    return slice_of(NULL, 0);
}

struct slice request_origin(struct request *rq) {
    if (rq->web->origin[0])
        return slice_str(rq->web->origin);
    int n = snprintf(rq->origin, sizeof rq->origin, "https://%.*s", SLICE_FMT(rq->http->authority));
    bug_unless(n > 0 && n < (int)sizeof rq->origin); // its length is checked: http/authority.h
    return slice_str(rq->origin);
}

// What a proxy says of its client is handed on as it is: the archive believes it only where the connection
// comes from a proxy that the administrator trusts.
struct slice request_client(struct request *rq) {
    struct forwarded said;
    struct slice address = {NULL, 0};
    if (forwarded_read(rq->http, &said) && said.address[0] &&
        arena_dup(&rq->arena, slice_str(said.address), &address))
        return address;
    return slice_str(rq->web->source);
}

struct slice request_cookie(struct request *rq, const char *name) {
    struct slice value;
    return cookie_get(request_header(rq, "cookie"), name, &value) ? value : slice_of(NULL, 0);
}

struct incoming_tools *request_tools(struct request *rq) {
    if (!rq->tools)
        rq->tools = incoming_tools_new();
    return rq->tools;
}
