#include "http/multipart.h"

#include <stdio.h>
#include <stdlib.h>

const struct multipart_limits multipart_limits_default = {.header_bytes = 16384, .parts = 10000000};

enum state { SCAN, TAIL, FLUSH, HEADER, CLOSING, DONE, FAILED };

struct multipart {
    struct multipart_limits limits;
    enum state state;
    enum err error;
    bool in_part;
    uint64_t parts;
    size_t preamble_bytes;
    char delimiter[4 + MULTIPART_BOUNDARY_MAX];
    size_t delimiter_bytes;
    // How much of the delimiter was the last we saw, and how much of that was never there: at the very
    // beginning and after a header the line break is thought.
    size_t matched, thought;
    uint8_t tail[MULTIPART_PADDING_MAX + 2]; // what came after a delimiter, until it is clear that it is one
    size_t tail_bytes;
    struct buf header;
    size_t line_from;
    struct http_field field[MULTIPART_FIELDS_MAX];
    size_t field_count;
};

bool multipart_boundary_valid(struct slice boundary) {
    if (boundary.n == 0 || boundary.n > MULTIPART_BOUNDARY_MAX || boundary.p[boundary.n - 1] == ' ')
        return false;
    for (size_t i = 0; i < boundary.n; i++)
        if (boundary.p[i] < 0x20 || boundary.p[i] >= 0x7F)
            return false;
    return true;
}

struct multipart *multipart_new(struct slice boundary, const struct multipart_limits *limits) {
    struct multipart *m = multipart_boundary_valid(boundary) ? calloc(1, sizeof *m) : NULL;
    if (!m)
        return NULL;
    m->limits = *limits;
    m->header = BUF_INIT(limits->header_bytes);
    memcpy(m->delimiter, "\r\n--", 4);
    memcpy(m->delimiter + 4, boundary.p, boundary.n);
    m->delimiter_bytes = 4 + boundary.n;
    m->matched = m->thought = 2;
    return m;
}

void multipart_free(struct multipart *m) {
    if (!m)
        return;
    buf_fini(&m->header);
    free(m);
}

enum err multipart_finish(const struct multipart *m) {
    if (m->error)
        return m->error;
    return m->state == DONE ? OK : ERR_TRUNCATED;
}

enum err multipart_error(const struct multipart *m) {
    return m->error;
}

static void skip(struct slice *in, size_t n) {
    *in = (struct slice){in->p + n, in->n - n};
}

static enum multipart_kind fail(struct multipart *m, enum err e) {
    m->error = e;
    m->state = FAILED;
    return MULTIPART_ERROR;
}

// Bytes that turned out to belong to no delimiter. MULTIPART_MORE: there is nothing to tell.
static enum multipart_kind data(struct multipart *m, const void *p, size_t n, struct multipart_event *ev) {
    if (n == 0)
        return MULTIPART_MORE;
    if (m->in_part) {
        ev->data = slice_of(p, n);
        return MULTIPART_DATA;
    }
    m->preamble_bytes += n;
    return m->preamble_bytes > MULTIPART_PREAMBLE_MAX ? fail(m, ERR_LIMIT) : MULTIPART_MORE;
}

// --- between parts

// CR is the first byte of a delimiter and no other: what did not go on like one cannot hold the beginning of
// another, and only the last CR of a slice can be one.
static size_t begun_at_end(const struct multipart *m, struct slice in) {
    size_t window = in.n < m->delimiter_bytes - 1 ? in.n : m->delimiter_bytes - 1;
    const uint8_t *cr = memrchr(in.p + in.n - window, '\r', window);
    if (!cr)
        return 0;
    size_t n = (size_t)(in.p + in.n - cr);
    return memcmp(cr, m->delimiter, n) == 0 ? n : 0;
}

static enum multipart_kind scan(struct multipart *m, struct slice *in, struct multipart_event *ev) {
    const uint8_t *p = in->p, *at = memmem(p, in->n, m->delimiter, m->delimiter_bytes);
    size_t n = at ? (size_t)(at - p) : in->n - begun_at_end(m, *in);
    m->matched = at ? m->delimiter_bytes : in->n - n;
    m->thought = 0;
    skip(in, n + m->matched);
    if (at) {
        m->state = TAIL;
        m->tail_bytes = 0;
    }
    return data(m, p, n, ev);
}

static enum multipart_kind go_on_matching(struct multipart *m, struct slice *in, struct multipart_event *ev) {
    while (in->n && m->matched < m->delimiter_bytes && in->p[0] == (uint8_t)m->delimiter[m->matched]) {
        m->matched++;
        skip(in, 1);
    }
    if (m->matched == m->delimiter_bytes) {
        m->state = TAIL;
        m->tail_bytes = 0;
        return MULTIPART_MORE;
    }
    if (in->n == 0)
        return MULTIPART_MORE;
    size_t n = m->matched - m->thought, from = m->thought;
    m->matched = m->thought = 0;
    return data(m, m->delimiter + from, n, ev);
}

static enum multipart_kind boundary_seen(struct multipart *m, bool closing) {
    bool ends = m->in_part;
    m->in_part = false;
    m->matched = m->thought = 0;
    m->line_from = 0;
    buf_reset(&m->header);
    m->state = closing ? CLOSING : HEADER;
    return ends ? MULTIPART_PART_END : MULTIPART_MORE;
}

static bool tail_goes_on(const struct multipart *m, uint8_t b) {
    uint8_t last = m->tail_bytes ? m->tail[m->tail_bytes - 1] : 0;
    if (last == '\r' || last == '-')
        return b == (last == '\r' ? '\n' : '-');
    if (b == ' ' || b == '\t')
        return m->tail_bytes < MULTIPART_PADDING_MAX;
    return b == '\r' || (b == '-' && m->tail_bytes == 0);
}

static enum multipart_kind tail(struct multipart *m, struct slice *in, struct multipart_event *ev) {
    while (in->n) {
        uint8_t b = in->p[0];
        if (!tail_goes_on(m, b)) {
            size_t from = m->thought;
            m->state = FLUSH;
            m->thought = 0;
            m->matched = 0;
            return data(m, m->delimiter + from, m->delimiter_bytes - from, ev);
        }
        skip(in, 1);
        m->tail[m->tail_bytes++] = b;
        if (b == '\n')
            return boundary_seen(m, false);
        if (b == '-' && m->tail_bytes == 2)
            return boundary_seen(m, true);
    }
    return MULTIPART_MORE;
}

static enum multipart_kind flush(struct multipart *m, struct multipart_event *ev) {
    m->state = SCAN;
    size_t n = m->tail_bytes;
    m->tail_bytes = 0;
    return data(m, m->tail, n, ev);
}

// --- headers of parts

static bool name_ok(uint8_t *p, size_t n) {
    for (size_t i = 0; i < n; i++) {
        if (p[i] <= 0x20 || p[i] >= 0x7F || memchr("()<>@,;:\\\"/[]?={}", p[i], 17))
            return false;
        if (p[i] >= 'A' && p[i] <= 'Z')
            p[i] |= 32;
    }
    return n > 0;
}

static bool value_ok(struct slice s) {
    for (size_t i = 0; i < s.n; i++)
        if ((s.p[i] < 0x20 && s.p[i] != '\t') || s.p[i] == 0x7F)
            return false;
    return true;
}

static enum err take_field(struct multipart *m, uint8_t *p, size_t n) {
    uint8_t *colon = memchr(p, ':', n);
    if (!colon || !name_ok(p, (size_t)(colon - p)))
        return ERR_SYNTAX;
    struct http_field f = {slice_of(p, (size_t)(colon - p)),
                           slice_trim(slice_of(colon + 1, n - (size_t)(colon - p) - 1), " \t")};
    if (!value_ok(f.value))
        return ERR_SYNTAX;
    for (size_t i = 0; i < m->field_count; i++)
        if (slice_eq(m->field[i].name, f.name))
            return ERR_SYNTAX;
    if (m->field_count == MULTIPART_FIELDS_MAX)
        return ERR_LIMIT;
    m->field[m->field_count++] = f;
    return OK;
}

// Every line ends with CRLF; one that begins with a blank goes on with the one before (RFC 5322 2.2.3).
static enum err take_fields(struct multipart *m) {
    uint8_t *p = m->header.p;
    size_t from = 0, n = m->header.n - 2; // without the empty line
    m->field_count = 0;
    for (size_t i = 0; i < n; i++) {
        if (p[i] != '\n')
            continue;
        if (i + 1 < n && (p[i + 1] == ' ' || p[i + 1] == '\t')) {
            p[i] = p[i - 1] = ' ';
            continue;
        }
        enum err e = take_field(m, p + from, i - 1 - from);
        if (e != OK)
            return e;
        from = i + 1;
    }
    return OK;
}

static enum multipart_kind part_begins(struct multipart *m, struct multipart_event *ev) {
    enum err e = ++m->parts > m->limits.parts ? ERR_LIMIT : take_fields(m);
    if (e != OK)
        return fail(m, e);
    m->in_part = true;
    m->state = SCAN;
    m->matched = m->thought = 2; // a part without a body ends where its header does
    ev->field = m->field;
    ev->field_count = m->field_count;
    return MULTIPART_PART;
}

static enum multipart_kind header(struct multipart *m, struct slice *in, struct multipart_event *ev) {
    while (in->n) {
        const uint8_t *lf = memchr(in->p, '\n', in->n);
        size_t n = lf ? (size_t)(lf - in->p) + 1 : in->n;
        if (n > m->header.max - m->header.n)
            return fail(m, ERR_LIMIT);
        buf_append(&m->header, in->p, n);
        if (!buf_ok(&m->header))
            return fail(m, ERR_NO_MEMORY);
        skip(in, n);
        if (!lf)
            break;
        size_t line = m->header.n - m->line_from;
        if (line < 2 || m->header.p[m->header.n - 2] != '\r')
            return fail(m, ERR_SYNTAX);
        if (line == 2)
            return part_begins(m, ev);
        m->line_from = m->header.n;
    }
    return MULTIPART_MORE;
}

// --- all of it

static enum multipart_kind step(struct multipart *m, struct slice *in, struct multipart_event *ev) {
    switch (m->state) {
    case SCAN:
        return m->matched ? go_on_matching(m, in, ev) : scan(m, in, ev);
    case TAIL:
        return tail(m, in, ev);
    case FLUSH:
        return flush(m, ev);
    case HEADER:
        return header(m, in, ev);
    case CLOSING:
        m->state = DONE;
        return MULTIPART_END;
    case DONE:
        skip(in, in->n);
        return MULTIPART_MORE;
    case FAILED:
        break;
    }
    return MULTIPART_ERROR;
}

enum multipart_kind multipart_next(struct multipart *m, struct slice *in, struct multipart_event *ret_event) {
    *ret_event = (struct multipart_event){.kind = MULTIPART_MORE};
    while (ret_event->kind == MULTIPART_MORE && (in->n || m->state == CLOSING || m->state == FAILED))
        ret_event->kind = step(m, in, ret_event);
    return ret_event->kind;
}

struct slice multipart_field(const struct multipart_event *ev, const char *name) {
    for (size_t i = 0; i < ev->field_count; i++)
        if (slice_eq_str(ev->field[i].name, name))
            return ev->field[i].value;
    return (struct slice){NULL, 0};
}

// --- out

void multipart_boundary(const uint8_t random[16], char ret_boundary[MULTIPART_BOUNDARY_BYTES + 1]) {
    static const char hex[] = "0123456789abcdef";
    memcpy(ret_boundary, "g-", 2);
    for (size_t i = 0; i < 16; i++) {
        ret_boundary[2 + 2 * i] = hex[random[i] >> 4];
        ret_boundary[3 + 2 * i] = hex[random[i] & 15];
    }
    ret_boundary[MULTIPART_BOUNDARY_BYTES] = 0;
}

void multipart_write_part(struct buf *out, const char *boundary, bool first, const struct http_field *field,
                          size_t field_count) {
    buf_printf(out, "%s--%s\r\n", first ? "" : "\r\n", boundary);
    for (size_t i = 0; i < field_count; i++)
        buf_printf(out, "%.*s: %.*s\r\n", SLICE_FMT(field[i].name), SLICE_FMT(field[i].value));
    buf_append_str(out, "\r\n");
}

void multipart_write_end(struct buf *out, const char *boundary, bool empty) {
    buf_printf(out, "%s--%s--\r\n", empty ? "" : "\r\n", boundary);
}

void multipart_write_type(char ret_value[MULTIPART_TYPE_MAX], const char *type, const char *boundary) {
    int n = snprintf(ret_value, MULTIPART_TYPE_MAX, "multipart/related; type=\"%s\"; boundary=%s", type,
                     boundary);
    bug_unless(n > 0 && n < MULTIPART_TYPE_MAX);
}
