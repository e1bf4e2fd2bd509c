// Answers. Every one carries the headers that keep a browser from being used against its user; what is a
// patient's is kept in no shared cache.
#include "web.h"

#include "base/hex.h"
#include "dicom/json.h"
#include "digest/digest.h"
#include "http/date.h"
#include "http/encoding.h"
#include "http/range.h"
#include "os/clock.h"
#include "route.h"

#include <stdio.h>
#include <stdlib.h>

enum {
    GZIP_MIN_BYTES = 1024,
    GZIP_ROOM_BYTES = 64 * 1024, // it asks for room by steps, however little there is
    GZIP_LEVEL = 1,              // metadata shrink to a tenth at any level; the first costs least
    ETAG_CHARS = 2 * 16 + 4,
    MESSAGE_MAX = 512,
};

// The site's own pages: nothing from elsewhere, no script but our files.
static const char policy[] =
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; "
    "font-src 'self'; connect-src 'self'; manifest-src 'self'; object-src 'none'; "
    "base-uri 'none'; form-action 'self'; frame-ancestors 'none'";

void answer_header(struct answer *a, const char *name, struct slice value) {
    bug_unless(a->extra_count < ANSWER_HEADERS_MAX);
    a->extra[a->extra_count++] = (struct http_field){slice_str(name), value};
}

#define FIELD(name, value)                                                                                   \
    {                                                                                                        \
        {(const uint8_t *)(name), sizeof(name) - 1}, {                                                       \
            (const uint8_t *)(value), sizeof(value) - 1                                                      \
        }                                                                                                    \
    }

// What every answer has, those included that the engine gives itself.
const struct http_field answer_standing_fields[] = {FIELD("x-content-type-options", "nosniff"),
                                                    FIELD("strict-transport-security", "max-age=31536000"),
                                                    FIELD("referrer-policy", "no-referrer"),
                                                    FIELD("cross-origin-opener-policy", "same-origin"),
                                                    FIELD("cross-origin-resource-policy", "same-origin"),
                                                    FIELD("x-frame-options", "DENY")};
const size_t answer_standing_count = sizeof answer_standing_fields / sizeof *answer_standing_fields;

static void put_standing_headers(struct answer *a) {
    for (size_t i = 0; i < answer_standing_count; i++)
        a->extra[a->extra_count++] = answer_standing_fields[i];
    if (!a->no_policy)
        answer_header(a, "content-security-policy", SLICE_LIT(policy));
    // private: no proxy keeps it; no-cache: a browser may keep what has an ETag but asks each time.
    answer_header(a, "cache-control",
                  a->cacheable ? SLICE_LIT("public, no-cache")
                  : a->etag    ? SLICE_LIT("private, no-cache")
                               : SLICE_LIT("no-store"));
}

static void give_up(struct request *rq, enum err why) {
    if (!rq->gone)
        http_stream_reset(rq->web->http, rq->stream, why);
    rq->gone = true;
}

bool answer_begin(struct request *rq, const struct answer *given) {
    if (rq->gone)
        return false;
    bug_unless(!rq->answered);
    struct answer a = *given;
    char date[HTTP_DATE_BYTES + 1];
    http_date_format(os_clock_wall_ms() / 1000, date);
    answer_header(&a, "date", slice_str(date));
    put_standing_headers(&a);
    if (a.type)
        answer_header(&a, "content-type", slice_str(a.type));
    if (a.etag)
        answer_header(&a, "etag", slice_str(a.etag));
    if (rq->by_accept)
        answer_header(&a, "vary", SLICE_LIT("accept"));
    struct http_response head = {.status = a.status,
                                 .field = a.extra,
                                 .field_count = a.extra_count,
                                 .length = a.length,
                                 .no_body = a.length == 0};
    rq->answered = true;
    enum err e = http_respond(rq->web->http, rq->stream, &head);
    if (e != OK)
        give_up(rq, e);
    else if (slice_eq_str(rq->http->method, "HEAD"))
        rq->gone = true; // the body is not read from the archive either: it may be a study of gigabytes
    return !rq->gone;
}

bool answer_wait(struct request *rq) {
    while (!rq->gone && http_body_pending(rq->web->http, rq->stream) > 0) {
        rq->waits_for_room = true;
        task_wait();
        rq->waits_for_room = false;
    }
    return !rq->gone;
}

bool answer_body_begin(struct request *rq, struct slice piece, bool last) {
    if (rq->gone)
        return false;
    if (piece.n == 0 && !last)
        return true;
    if (http_body_give(rq->web->http, rq->stream, piece, last) == OK)
        return true;
    answer_break(rq);
    return false;
}

bool answer_body(struct request *rq, struct slice piece, bool last) {
    return answer_body_begin(rq, piece, last) && answer_wait(rq);
}

void answer_break(struct request *rq) {
    give_up(rq, ERR_NO_MEMORY);
}

// A digest of the content: the same bytes, the same tag. A weak one, as it is the same with gzip and without
// (RFC 9110 8.8.1).
static void make_etag(struct slice body, char ret_etag[ETAG_CHARS + 1]) {
    uint8_t digest[DIGEST_SHA256_BYTES];
    digest_sha256(body, digest);
    char *p = stpcpy(ret_etag, "W/\"");
    strcpy(hex_encode(digest, 16, p), "\"");
}

// RFC 9110 13.2.1: of other methods nothing is selected that somebody could have already, or keep.
static bool reads(const struct request *rq) {
    return slice_eq_str(rq->http->method, "GET") || slice_eq_str(rq->http->method, "HEAD");
}

bool answer_not_modified(struct request *rq, struct answer *a) {
    struct slice known = request_header(rq, "if-none-match");
    if (!reads(rq) || !known.p || !a->etag || !etag_listed(known, slice_str(a->etag), true))
        return false;
    a->status = 304;
    a->type = NULL;
    a->length = 0;
    (void)answer_begin(rq, a);
    return true;
}

// Text shrinks; images are left alone.
static bool shrinks(const struct request *rq, const struct answer *a, struct slice body) {
    bool is_text = a->type && (strstr(a->type, "json") || strstr(a->type, "xml") || strstr(a->type, "text/"));
    return is_text && body.n >= GZIP_MIN_BYTES && gzip_wanted(request_header(rq, "accept-encoding"));
}

static void compress(struct answer *a, struct slice *body, struct buf *out) {
    if (gzip_whole(GZIP_LEVEL, *body, out) != OK)
        return;
    answer_header(a, "content-encoding", SLICE_LIT("gzip"));
    *body = buf_slice(out);
}

void answer_whole(struct request *rq, struct answer *a, struct slice body) {
    char etag[ETAG_CHARS + 1];
    if (a->status == 200 && !a->etag && reads(rq)) {
        make_etag(body, etag);
        a->etag = etag;
    }
    if (a->status == 200 && answer_not_modified(rq, a))
        return;
    struct buf smaller = BUF_INIT(body.n + GZIP_ROOM_BYTES);
    bool text = shrinks(rq, a, body);
    if (text) {
        answer_header(a, "vary", SLICE_LIT("accept-encoding"));
        compress(a, &body, &smaller);
    }
    a->length = (int64_t)body.n;
    if (answer_begin(rq, a))
        (void)answer_body(rq, body, true);
    buf_fini(&smaller);
}

static void refuse_range(struct request *rq, uint64_t size) {
    char text[80];
    struct answer a = {.status = 416, .type = "application/json"};
    snprintf(text, sizeof text, "bytes */%llu", (unsigned long long)size);
    answer_header(&a, "content-range", slice_str(text));
    answer_whole(
        rq, &a,
        SLICE_LIT("{\"error\":\"range\",\"message\":\"The range lies outside of what there is.\"}\n"));
}

bool answer_part_of(struct request *rq, struct answer *a, uint64_t size, struct answer_part *ret_part) {
    *ret_part = (struct answer_part){.bytes = size};
    struct slice range = request_header(rq, "range");
    struct answer_part part = {.from = 0};
    enum range_kind kind = RANGE_ALL;
    answer_header(a, "accept-ranges", SLICE_LIT("bytes"));
    bool get = slice_eq_str(rq->http->method, "GET"); // RFC 9110 14.2: of GET alone
    if (get && range.p && if_range_holds(request_header(rq, "if-range"), slice_str(a->etag), -1))
        kind = range_parse(range, size, &part.from, &part.bytes);
    if (kind == RANGE_NONE) {
        refuse_range(rq, size);
        return false;
    }
    if (kind == RANGE_PART) {
        *ret_part = part;
        snprintf(ret_part->content_range, sizeof ret_part->content_range, "bytes %llu-%llu/%llu",
                 (unsigned long long)part.from, (unsigned long long)(part.from + part.bytes - 1),
                 (unsigned long long)size);
        answer_header(a, "content-range", slice_str(ret_part->content_range));
        a->status = 206;
    }
    a->length = (int64_t)ret_part->bytes;
    return true;
}

void answer_text(struct request *rq, struct answer *a, const struct buf *body) {
    struct fault f = {0};
    enum err e = buf_check(body, &f, "an answer");
    if (e == OK)
        answer_whole(rq, a, buf_slice(body));
    else
        answer_fault(rq, e, &f);
}

void answer_json(struct request *rq, int status, const struct buf *json) {
    struct answer a = {.status = status, .type = "application/json"};
    answer_text(rq, &a, json);
}

void answer_empty(struct request *rq, int status) {
    struct answer a = {.status = status};
    (void)answer_begin(rq, &a);
}

static void put_error(struct request *rq, struct answer *a, const char *code, const char *message) {
    struct buf b = BUF_INIT(4 * MESSAGE_MAX);
    buf_append_str(&b, "{\"error\":");
    dicom_json_string(&b, slice_str(code));
    buf_append_str(&b, ",\"message\":");
    dicom_json_string(&b, slice_str(message));
    buf_append_str(&b, "}\n");
    answer_whole(rq, a, buf_slice(&b));
    buf_fini(&b);
}

void answer_error(struct request *rq, int status, const char *code, const char *fmt, ...) {
    char message[MESSAGE_MAX];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(message, sizeof message, fmt, ap);
    va_end(ap);
    struct answer a = {.status = status, .type = "application/json"};
    if (status == 503 || status == 429)
        answer_header(&a, "retry-after", SLICE_LIT("2"));
    put_error(rq, &a, code, message);
}

void answer_fault(struct request *rq, enum err e, const struct fault *f) {
    const char *detail = f && f->detail[0] ? f->detail : "";
    answer_error(rq, (int)err_http_status(e), err_name(e), "%s%s%s", err_text(e), detail[0] ? ": " : "",
                 detail);
}

void answer_redirect(struct request *rq, struct slice location) {
    struct answer a = {.status = 303};
    answer_header(&a, "location", location);
    (void)answer_begin(rq, &a);
}
