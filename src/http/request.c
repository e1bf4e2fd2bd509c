// What HTTP/1 and HTTP/2 requests have in common once they are taken apart.
#include "http/conn_int.h"

#include <strings.h>

enum { FIELD_OVERHEAD = 32 }; // RFC 9113 10.5.1: what a field counts for besides its bytes

struct slice http_header(const struct http_request *r, const char *name) {
    for (size_t i = 0; i < r->field_count; i++)
        if (slice_eq_str(r->field[i].name, name))
            return r->field[i].value;
    return (struct slice){NULL, 0};
}

int http_request_field(struct http_conn *c, struct http_stream *s, struct slice name, struct slice value) {
    s->header_bytes += name.n + value.n + FIELD_OVERHEAD;
    if (s->header_bytes > c->limits.header_bytes || s->req.field_count >= c->limits.header_count)
        return 431;
    struct http_field *field = &s->field[s->req.field_count];
    if (!arena_dup(&s->arena, name, &field->name) || !arena_dup(&s->arena, value, &field->value))
        return 431;
    s->req.field_count++;
    return 0;
}

static bool host_byte(uint8_t b) {
    return (b >= 'a' && b <= 'z') || (b >= 'A' && b <= 'Z') || (b >= '0' && b <= '9') ||
           (b != 0 && strchr("-._~%!$&'()*+,;=:[]", b));
}

bool http_authority_valid(struct slice s) {
    if (s.n == 0 || s.n > 255 + 6)
        return false;
    for (size_t i = 0; i < s.n; i++)
        if (!host_byte(s.p[i]))
            return false;
    size_t at = s.n;
    while (at && s.p[at - 1] >= '0' && s.p[at - 1] <= '9')
        at--;
    size_t host = at && s.p[at - 1] == ':' ? at - 1 : s.n; // without the port
    if (host == 0)
        return false;
    if (s.p[0] == '[')
        return s.p[host - 1] == ']' && !memchr(s.p + 1, '[', host - 1) && !memchr(s.p + 1, ']', host - 2);
    return !memchr(s.p, ':', host) && !memchr(s.p, '[', host) && !memchr(s.p, ']', host);
}

int http_request_target(struct http_conn *c, struct http_stream *s, struct slice target) {
    if (target.n > c->limits.target_bytes)
        return 414;
    for (size_t i = 0; i < target.n; i++)
        if (target.p[i] <= 0x20 || target.p[i] >= 0x7F || target.p[i] == '#')
            return 400;
    bool star = slice_eq_str(target, "*");
    if (target.n == 0 || (target.p[0] != '/' && !star))
        return 400;
    struct slice copy;
    if (!arena_dup(&s->arena, target, &copy))
        return 414;
    s->req.path = slice_split(copy, '?', &s->req.query);
    return 0;
}

static bool single(struct slice name) {
    static const char *const names[] = {"host",
                                        "content-length",
                                        "content-type",
                                        "content-encoding",
                                        "content-location",
                                        "authorization",
                                        "origin",
                                        "range",
                                        "if-range",
                                        "if-modified-since",
                                        "if-unmodified-since",
                                        "referer",
                                        "user-agent",
                                        "sec-fetch-site",
                                        "sec-fetch-mode",
                                        "sec-fetch-dest",
                                        "slug",
                                        "x-forwarded-proto",
                                        "x-forwarded-host",
                                        "date",
                                        "max-forwards",
                                        "proxy-authorization"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (slice_eq_str(name, names[i]))
            return true;
    return false;
}

// The values of field i and of all that have its name after it become one.
static int join(struct http_stream *s, size_t i) {
    struct http_field *field = s->field;
    const char *glue = slice_eq_str(field[i].name, "cookie") ? "; " : ", ";
    size_t n = field[i].value.n;
    for (size_t k = i + 1; k < s->req.field_count; k++)
        if (slice_eq(field[k].name, field[i].name))
            n += 2 + field[k].value.n;
    uint8_t *joined = arena_alloc(&s->arena, n + 1);
    if (!joined)
        return 431;
    size_t at = field[i].value.n, left = i + 1;
    if (at)
        memcpy(joined, field[i].value.p, at);
    for (size_t k = i + 1; k < s->req.field_count; k++) {
        if (!slice_eq(field[k].name, field[i].name)) {
            field[left++] = field[k];
            continue;
        }
        memcpy(joined + at, glue, 2);
        if (field[k].value.n)
            memcpy(joined + at + 2, field[k].value.p, field[k].value.n);
        at += 2 + field[k].value.n;
    }
    field[i].value = slice_of(joined, n);
    s->req.field_count = left;
    return 0;
}

static int join_all(struct http_stream *s) {
    for (size_t i = 0; i < s->req.field_count; i++)
        for (size_t k = i + 1; k < s->req.field_count; k++) {
            if (!slice_eq(s->field[k].name, s->field[i].name))
                continue;
            if (single(s->field[i].name))
                return 400;
            int status = join(s, i);
            if (status)
                return status;
            break;
        }
    return 0;
}

static int authority(struct http_stream *s) {
    struct slice host = http_header(&s->req, "host");
    struct slice *a = &s->req.authority;
    if (a->n == 0 && host.p == NULL)
        return s->req.version == HTTP_1_0 ? 0 : 400;
    if (a->n == 0)
        *a = host;
    else if (host.p && (host.n != a->n || strncasecmp((const char *)host.p, (const char *)a->p, a->n) != 0))
        return 400; // two servers on the way could take it for two
    return http_authority_valid(*a) ? 0 : 400;
}

static int content_length(struct http_stream *s) {
    struct slice text = http_header(&s->req, "content-length");
    uint64_t n;
    if (!text.p)
        return 0;
    if (text.n > 18 || !slice_to_u64(text, INT64_MAX, &n))
        return 400;
    s->req.content_length = (int64_t)n;
    return 0;
}

int http_request_finish(struct http_stream *s) {
    int status = join_all(s);
    if (!status)
        status = authority(s);
    if (!status)
        status = content_length(s);
    if (!status && slice_eq_str(s->req.path, "*") && !slice_eq_str(s->req.method, "OPTIONS"))
        status = 400;
    if (status)
        return status;
    struct slice expect = http_header(&s->req, "expect");
    if (expect.p) {
        if (expect.n != 12 || strncasecmp((const char *)expect.p, "100-continue", 12) != 0)
            return 417;
        s->expects = s->req.version != HTTP_1_0;
    }
    return 0;
}

const char *http_reason(int status) {
    static const struct {
        int status;
        const char *text;
    } reasons[] = {{100, "Continue"},
                   {200, "OK"},
                   {201, "Created"},
                   {202, "Accepted"},
                   {204, "No Content"},
                   {206, "Partial Content"},
                   {301, "Moved Permanently"},
                   {302, "Found"},
                   {303, "See Other"},
                   {304, "Not Modified"},
                   {307, "Temporary Redirect"},
                   {308, "Permanent Redirect"},
                   {400, "Bad Request"},
                   {401, "Unauthorized"},
                   {403, "Forbidden"},
                   {404, "Not Found"},
                   {405, "Method Not Allowed"},
                   {406, "Not Acceptable"},
                   {408, "Request Timeout"},
                   {409, "Conflict"},
                   {410, "Gone"},
                   {411, "Length Required"},
                   {412, "Precondition Failed"},
                   {413, "Content Too Large"},
                   {414, "URI Too Long"},
                   {415, "Unsupported Media Type"},
                   {416, "Range Not Satisfiable"},
                   {417, "Expectation Failed"},
                   {421, "Misdirected Request"},
                   {422, "Unprocessable Content"},
                   {429, "Too Many Requests"},
                   {431, "Request Header Fields Too Large"},
                   {500, "Internal Server Error"},
                   {501, "Not Implemented"},
                   {503, "Service Unavailable"},
                   {505, "HTTP Version Not Supported"},
                   {507, "Insufficient Storage"}};
    for (size_t i = 0; i < sizeof reasons / sizeof *reasons; i++)
        if (reasons[i].status == status)
            return reasons[i].text;
    return "Status";
}
