#include "http/media.h"

#include <strings.h>

static bool token_byte(uint8_t b) {
    return (b >= 'a' && b <= 'z') || (b >= 'A' && b <= 'Z') || (b >= '0' && b <= '9') ||
           (b != 0 && strchr("!#$%&'*+-.^_`|~", b));
}

static bool bare_byte(uint8_t b) { // what may stand in a value without quotes
    return b > 0x20 && b < 0x7F && !strchr("\",;\\", b);
}

static void skip_blanks(struct slice *s) {
    while (s->n && (s->p[0] == ' ' || s->p[0] == '\t'))
        *s = (struct slice){s->p + 1, s->n - 1};
}

static struct slice take(struct slice *s, size_t n) {
    struct slice taken = {s->p, n};
    *s = (struct slice){s->p + n, s->n - n};
    return taken;
}

static struct slice take_while(struct slice *s, bool (*ok)(uint8_t)) {
    size_t n = 0;
    while (n < s->n && ok(s->p[n]))
        n++;
    return take(s, n);
}

static bool take_byte(struct slice *s, uint8_t b) {
    if (s->n == 0 || s->p[0] != b)
        return false;
    (void)take(s, 1);
    return true;
}

static bool take_value(struct slice *s, struct slice *ret_value) {
    if (!take_byte(s, '"')) {
        *ret_value = take_while(s, bare_byte);
        return ret_value->n > 0;
    }
    const uint8_t *end = s->n ? memchr(s->p, '"', s->n) : NULL;
    if (!end)
        return false;
    *ret_value = take(s, (size_t)(end - s->p));
    for (size_t i = 0; i < ret_value->n; i++)
        if (ret_value->p[i] == '\\' || ret_value->p[i] < 0x20 || ret_value->p[i] == 0x7F)
            return false;
    return take_byte(s, '"');
}

bool media_slice_is(struct slice s, const char *lower) {
    return s.n == strlen(lower) && (s.n == 0 || strncasecmp((const char *)s.p, lower, s.n) == 0);
}

// qvalue, RFC 9110 12.4.2.
static bool quality(struct slice s, unsigned *ret_q) {
    if (s.n == 0 || s.n > 5 || (s.p[0] != '0' && s.p[0] != '1') || (s.n > 1 && s.p[1] != '.'))
        return false;
    unsigned q = (s.p[0] - '0') * 1000u, unit = 100;
    for (size_t i = 2; i < s.n; i++, unit /= 10) {
        if (s.p[i] < '0' || s.p[i] > '9')
            return false;
        q += (s.p[i] - '0') * unit;
    }
    *ret_q = q;
    return q <= 1000;
}

static bool take_parameter(struct slice *s, struct media_type *m, unsigned *q) {
    struct media_parameter p = {take_while(s, token_byte), {NULL, 0}};
    if (p.name.n == 0)
        return s->n == 0 || s->p[0] == ';'; // "a/b;" and "a/b;;c=d"
    if (!take_byte(s, '=') || !take_value(s, &p.value))
        return false;
    if (media_slice_is(p.name, "q"))
        return quality(p.value, q);
    if (m->count == MEDIA_PARAMETERS_MAX)
        return false;
    for (size_t i = 0; i < m->count; i++) // twice: which one would be meant?
        if (m->parameter[i].name.n == p.name.n &&
            strncasecmp((const char *)m->parameter[i].name.p, (const char *)p.name.p, p.name.n) == 0)
            return false;
    m->parameter[m->count++] = p;
    return true;
}

static bool media_range(struct slice s, struct media_type *m, unsigned *q) {
    *m = (struct media_type){.count = 0};
    skip_blanks(&s);
    m->type = take_while(&s, token_byte);
    if (m->type.n == 0 || !take_byte(&s, '/'))
        return false;
    m->subtype = take_while(&s, token_byte);
    if (m->subtype.n == 0)
        return false;
    for (;;) {
        skip_blanks(&s);
        if (s.n == 0)
            return true;
        if (!take_byte(&s, ';'))
            return false;
        skip_blanks(&s);
        if (!take_parameter(&s, m, q))
            return false;
    }
}

static bool wildcard(struct slice s) {
    return s.n == 1 && s.p[0] == '*';
}

bool media_parse(struct slice text, struct media_type *ret_media) {
    struct media_type m;
    unsigned q;
    if (!media_range(text, &m, &q) || memchr(m.type.p, '*', m.type.n) ||
        memchr(m.subtype.p, '*', m.subtype.n))
        return false;
    *ret_media = m;
    return true;
}

bool media_is(const struct media_type *m, const char *name) {
    const char *slash = strchr(name, '/');
    size_t n = slash ? (size_t)(slash - name) : 0;
    return slash && m->type.n == n && strncasecmp((const char *)m->type.p, name, n) == 0 &&
           media_slice_is(m->subtype, slash + 1);
}

struct slice media_parameter(const struct media_type *m, const char *name) {
    for (size_t i = 0; i < m->count; i++)
        if (media_slice_is(m->parameter[i].name, name))
            return m->parameter[i].value;
    return (struct slice){NULL, 0};
}

// --- lists

static struct slice next_entry(struct slice *rest) {
    bool quoted = false;
    size_t n = 0;
    for (; n < rest->n && (quoted || rest->p[n] != ','); n++)
        quoted ^= rest->p[n] == '"';
    struct slice entry = take(rest, n);
    (void)take_byte(rest, ',');
    return entry;
}

// 0 for what names a type, 1 for "image/*", 2 for "*/*".
static int vagueness(const struct media_type *m) {
    return wildcard(m->type) ? 2 : wildcard(m->subtype);
}

static bool before(const struct accept_range *a, const struct accept_range *b) {
    if (a->q != b->q)
        return a->q > b->q;
    return vagueness(&a->media) < vagueness(&b->media);
}

static void insert(struct accept *a, const struct accept_range *r) {
    size_t i = a->count++;
    for (; i > 0 && before(r, &a->range[i - 1]); i--)
        a->range[i] = a->range[i - 1];
    a->range[i] = *r;
}

void accept_parse(struct slice text, struct accept *ret_accept) {
    ret_accept->count = 0;
    while (text.n && ret_accept->count < ACCEPT_MAX) {
        struct accept_range r = {.q = 1000};
        struct slice entry = next_entry(&text);
        if (!media_range(entry, &r.media, &r.q))
            continue;
        if (wildcard(r.media.type) && !wildcard(r.media.subtype))
            continue;
        insert(ret_accept, &r);
    }
}

bool accept_holds(const struct accept_range *r, const char *name) {
    struct media_type any = r->media;
    if (wildcard(any.type))
        return true;
    const char *slash = strchr(name, '/');
    if (slash && wildcard(any.subtype))
        any.subtype = slice_str(slash + 1);
    return media_is(&any, name);
}

unsigned accept_quality(const struct accept *a, const char *name) {
    int best = 3;
    unsigned q = 0;
    for (size_t i = 0; i < a->count; i++) {
        int v = vagueness(&a->range[i].media);
        if (v >= best || !accept_holds(&a->range[i], name))
            continue;
        best = v;
        q = a->range[i].q;
    }
    return q;
}
