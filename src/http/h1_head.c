#include "http/h1_head.h"

#include <http_parser.h>
#include <strings.h>

struct head_parse {
    struct http_conn *c;
    struct http_stream *s;
    struct slice target, name, value;
    size_t fields;
    int status;
};

// --- the letter

static bool token_byte(uint8_t b) {
    return (b >= 'a' && b <= 'z') || (b >= 'A' && b <= 'Z') || (b >= '0' && b <= '9') ||
           (b != 0 && strchr("!#$%&'*+-.^_`|~", b));
}

static size_t token_bytes(struct slice s) {
    size_t n = 0;
    while (n < s.n && token_byte(s.p[n]))
        n++;
    return n;
}

static int version_ok(struct slice v) {
    if (v.n != 8 || memcmp(v.p, "HTTP/", 5) != 0 || v.p[6] != '.')
        return 400;
    if (v.p[5] < '0' || v.p[5] > '9' || v.p[7] < '0' || v.p[7] > '9')
        return 400;
    return v.p[5] == '1' && v.p[7] <= '1' ? 0 : 505;
}

// method SP request-target SP HTTP-version, single blanks.
static int check_request_line(const struct http_conn *c, struct slice line) {
    size_t method = token_bytes(line);
    if (method == 0 || method == line.n || line.p[method] != ' ')
        return 400;
    struct slice target = slice_sub(line, method + 1, line.n), version;
    target = slice_split(target, ' ', &version);
    if (!version.p || target.n == 0)
        return 400;
    if (target.n > c->limits.target_bytes)
        return 414;
    for (size_t i = 0; i < target.n; i++)
        if (target.p[i] <= 0x20 || target.p[i] >= 0x7F)
            return 400;
    return version_ok(version);
}

static int check_field_line(struct slice line) {
    size_t name = token_bytes(line);
    if (name == 0 || name == line.n || line.p[name] != ':')
        return 400; // folded lines, too: they begin with a blank
    for (size_t i = name + 1; i < line.n; i++)
        if ((line.p[i] < 0x20 && line.p[i] != '\t') || line.p[i] == 0x7F)
            return 400;
    return 0;
}

// `head` ends with an empty line; each of its lines was seen to end with CRLF.
static int check_lines(const struct http_conn *c, struct slice head, size_t *ret_fields) {
    struct slice rest = slice_sub(head, 0, head.n - 2), line = slice_split(rest, '\n', &rest);
    int status = check_request_line(c, slice_sub(line, 0, line.n - 1));
    size_t fields = 0;
    while (!status && rest.n) {
        line = slice_split(rest, '\n', &rest);
        if (++fields > c->limits.header_count)
            return 431;
        status = check_field_line(slice_sub(line, 0, line.n - 1));
    }
    *ret_fields = fields;
    return status;
}

// --- http-parser

static int on_url(http_parser *p, const char *at, size_t n) {
    struct head_parse *h = p->data;
    h->target = slice_of(h->target.p ? h->target.p : (const uint8_t *)at, h->target.n + n);
    return 0;
}

static void take_field(struct head_parse *h) {
    uint8_t name[256];
    if (!h->name.p || h->status)
        return;
    if (h->name.n > sizeof name) {
        h->status = 431;
        return;
    }
    for (size_t i = 0; i < h->name.n; i++) {
        uint8_t b = h->name.p[i];
        name[i] = b >= 'A' && b <= 'Z' ? b | 32 : b;
    }
    h->status = http_request_field(h->c, h->s, slice_of(name, h->name.n), slice_trim(h->value, " \t"));
    h->fields++;
    h->name = h->value = (struct slice){NULL, 0};
}

static int on_field(http_parser *p, const char *at, size_t n) {
    struct head_parse *h = p->data;
    if (h->value.p)
        take_field(h);
    h->name = slice_of(h->name.p ? h->name.p : (const uint8_t *)at, h->name.n + n);
    return 0;
}

static int on_value(http_parser *p, const char *at, size_t n) {
    struct head_parse *h = p->data;
    h->value = slice_of(h->value.p ? h->value.p : (const uint8_t *)at, h->value.n + n);
    return 0;
}

static int on_head_end(http_parser *p) {
    take_field(p->data);
    return 2; // no body is to be read here: h1_body.c does
}

static int run_parser(struct head_parse *h, struct slice head, http_parser *p) {
    http_parser_settings settings;
    http_parser_settings_init(&settings);
    settings.on_url = on_url;
    settings.on_header_field = on_field;
    settings.on_header_value = on_value;
    settings.on_headers_complete = on_head_end;
    http_parser_init(p, HTTP_REQUEST);
    p->data = h;
    size_t n = http_parser_execute(p, &settings, (const char *)head.p, head.n);
    if (HTTP_PARSER_ERRNO(p) == HPE_INVALID_METHOD)
        return 501;
    if (HTTP_PARSER_ERRNO(p) != HPE_OK)
        return 400;
    return h->status ? h->status : n == head.n && h->target.p ? 0 : 400;
}

// --- what it means

static bool prefixed(struct slice s, const char *prefix) {
    size_t n = strlen(prefix);
    return s.n >= n && strncasecmp((const char *)s.p, prefix, n) == 0;
}

// RFC 9112 3.2: origin-form, "*", or absolute-form (whose authority then must be that of Host).
static int take_target(struct head_parse *h) {
    struct slice t = h->target;
    size_t scheme = prefixed(t, "https://") ? 8 : prefixed(t, "http://") ? 7 : 0;
    if (scheme == 0)
        return http_request_target(h->c, h->s, t);
    if (!http_header(&h->s->req, "host").p)
        return 400;
    t = slice_sub(t, scheme, t.n);
    size_t n = 0;
    while (n < t.n && t.p[n] != '/' && t.p[n] != '?' && t.p[n] != '#')
        n++;
    if (n == 0 || !arena_dup(&h->s->arena, slice_sub(t, 0, n), &h->s->req.authority))
        return 400;
    struct slice rest = slice_sub(t, n, t.n);
    return http_request_target(h->c, h->s, rest.n ? rest : SLICE_LIT("/"));
}

// RFC 9110 7.6.1.
static bool connection_has(const struct http_request *r, const char *option) {
    struct slice rest = http_header(r, "connection");
    while (rest.p) {
        struct slice part = slice_trim(slice_split(rest, ',', &rest), " \t");
        if (part.n == strlen(option) && strncasecmp((const char *)part.p, option, part.n) == 0)
            return true;
    }
    return false;
}

// RFC 9112 6.1, 6.3. What two servers could read differently is refused.
static int take_framing(struct http_stream *s, struct h1_head *head) {
    struct slice te = http_header(&s->req, "transfer-encoding");
    head->chunked = te.p != NULL;
    if (te.p) {
        if (s->req.version == HTTP_1_0 || s->req.content_length >= 0)
            return 400;
        if (te.n != 7 || strncasecmp((const char *)te.p, "chunked", 7) != 0)
            return 501;
    }
    s->req.has_body = te.p || s->req.content_length > 0;
    s->in_done = !s->req.has_body;
    return 0;
}

int h1_head_parse(struct http_conn *c, struct http_stream *s, struct slice head, struct h1_head *ret_head) {
    struct head_parse h = {.c = c, .s = s};
    size_t fields = 0;
    int status = check_lines(c, head, &fields);
    if (status)
        return status;
    http_parser p;
    status = run_parser(&h, head, &p);
    if (status)
        return status;
    if (h.fields != fields)
        return 400;
    s->req.version = p.http_minor ? HTTP_1_1 : HTTP_1_0;
    if (p.method == HTTP_CONNECT)
        return 501;
    if (!arena_dup(&s->arena, slice_str(http_method_str((enum http_method)p.method)), &s->req.method))
        return 431;
    status = take_target(&h);
    if (!status)
        status = http_request_finish(s);
    if (!status)
        status = take_framing(s, ret_head);
    ret_head->keep_alive = s->req.version == HTTP_1_1 ? !connection_has(&s->req, "close")
                                                      : connection_has(&s->req, "keep-alive");
    return status;
}
