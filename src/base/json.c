#include "base/json.h"

#include "base/hex.h"
#include "base/utf8.h"

struct scan {
    struct slice s; // the whole text
    size_t at;
    struct buf tokens;
    uint32_t open[JSON_DEPTH_MAX]; // the containers around
    unsigned depth;
    struct fault *f;
};

static enum err wrong(const struct scan *sc, const char *why) {
    return fault_set(sc->f, ERR_SYNTAX, "JSON, byte %zu: %s", sc->at, why);
}

static struct json_token *token_at(const struct scan *sc, uint32_t i) {
    return (struct json_token *)(void *)sc->tokens.p + i;
}

static enum err add(struct scan *sc, enum json_kind kind, size_t at, size_t n, bool escaped) {
    uint32_t i = (uint32_t)(sc->tokens.n / sizeof(struct json_token));
    struct json_token t = {(uint32_t)at, (uint32_t)n, i + 1, (uint8_t)kind, escaped};
    buf_append(&sc->tokens, &t, sizeof t);
    return buf_check(&sc->tokens, sc->f, "JSON of too many values");
}

// --- Scalars ------------------------------------------------------------------------------------

// The four digits after \u; -1 when they are none.
static int32_t unit_at(struct slice s, size_t at) {
    int32_t v = 0;
    if (s.n < 4 || at > s.n - 4)
        return -1;
    for (size_t i = 0; i < 4; i++) {
        int d = hex_digit(s.p[at + i]);
        if (d < 0)
            return -1;
        v = v << 4 | d;
    }
    return v;
}

// What \u at `at` stands for (surrogates: with the second one), and how long it is; 0: nothing we take.
static size_t unicode_escape(struct slice s, size_t at, uint32_t *ret_char) {
    int32_t a = unit_at(s, at + 2);
    if (a <= 0 || (a >= 0xDC00 && a <= 0xDFFF))
        return 0;
    *ret_char = (uint32_t)a;
    if (a < 0xD800 || a > 0xDFFF)
        return 6;
    int32_t b = at + 12 <= s.n && s.p[at + 6] == '\\' && s.p[at + 7] == 'u' ? unit_at(s, at + 8) : -1;
    if (b < 0xDC00 || b > 0xDFFF)
        return 0;
    *ret_char = 0x10000u + ((uint32_t)(a - 0xD800) << 10 | (uint32_t)(b - 0xDC00));
    return 12;
}

static size_t escape_bytes(struct slice s, size_t at) {
    uint32_t c;
    if (at + 1 >= s.n)
        return 0;
    if (s.p[at + 1] == 'u')
        return unicode_escape(s, at, &c);
    return memchr("\"\\/bfnrt", s.p[at + 1], 8) ? 2 : 0;
}

static enum err scan_string(struct scan *sc) {
    size_t from = ++sc->at;
    bool escaped = false;
    for (;;) {
        while (sc->at < sc->s.n && sc->s.p[sc->at] >= 0x20 && sc->s.p[sc->at] < 0x80 &&
               sc->s.p[sc->at] != '"' && sc->s.p[sc->at] != '\\')
            sc->at++;
        if (sc->at == sc->s.n)
            return wrong(sc, "a string does not end");
        uint32_t c;
        size_t n = 0;
        if (sc->s.p[sc->at] == '"')
            break;
        if (sc->s.p[sc->at] == '\\')
            n = escape_bytes(sc->s, sc->at), escaped = true;
        else if (sc->s.p[sc->at] >= 0x80)
            n = utf8_decode(slice_sub(sc->s, sc->at, 4), &c);
        if (n == 0)
            return wrong(sc, "a string holds what is no character, or a NUL");
        sc->at += n;
    }
    sc->at++;
    return add(sc, JSON_STRING, from, sc->at - 1 - from, escaped);
}

static size_t digits(const struct scan *sc, size_t at) {
    size_t n = 0;
    while (at + n < sc->s.n && sc->s.p[at + n] >= '0' && sc->s.p[at + n] <= '9')
        n++;
    return n;
}

static bool has(const struct scan *sc, size_t at, const char *one_of) {
    return at < sc->s.n && sc->s.p[at] != 0 && strchr(one_of, sc->s.p[at]) != NULL;
}

static enum err scan_number(struct scan *sc) {
    size_t from = sc->at, at = from + (has(sc, from, "-") ? 1 : 0);
    size_t n = digits(sc, at);
    if (n == 0 || (n > 1 && sc->s.p[at] == '0'))
        return wrong(sc, "no value");
    at += n;
    if (has(sc, at, ".")) {
        n = digits(sc, ++at);
        if (n == 0)
            return wrong(sc, "no digit after the point");
        at += n;
    }
    if (has(sc, at, "eE")) {
        at += has(sc, at + 1, "+-") ? 2 : 1;
        n = digits(sc, at);
        if (n == 0)
            return wrong(sc, "no digit in the exponent");
        at += n;
    }
    sc->at = at;
    return add(sc, JSON_NUMBER, from, at - from, false);
}

static enum err scan_word(struct scan *sc, const char *word, enum json_kind kind) {
    struct slice w = slice_str(word);
    if (!slice_eq(slice_sub(sc->s, sc->at, w.n), w))
        return wrong(sc, "no value");
    sc->at += w.n;
    return add(sc, kind, sc->at - w.n, w.n, false);
}

// --- Structure ----------------------------------------------------------------------------------

static uint8_t look(struct scan *sc) {
    while (has(sc, sc->at, " \t\r\n"))
        sc->at++;
    return sc->at < sc->s.n ? sc->s.p[sc->at] : 0;
}

static enum err open_container(struct scan *sc, enum json_kind kind) {
    if (sc->depth == JSON_DEPTH_MAX)
        return fault_set(sc->f, ERR_DEPTH, "JSON, byte %zu", sc->at);
    sc->open[sc->depth++] = (uint32_t)(sc->tokens.n / sizeof(struct json_token));
    return add(sc, kind, sc->at++, 0, false);
}

static void close_container(struct scan *sc) {
    token_at(sc, sc->open[--sc->depth])->next = (uint32_t)(sc->tokens.n / sizeof(struct json_token));
    sc->at++;
}

static enum err scan_key(struct scan *sc) {
    if (look(sc) != '"')
        return wrong(sc, "a key is expected");
    enum err e = scan_string(sc);
    if (e == OK && look(sc) != ':')
        return wrong(sc, "':' is expected");
    sc->at++;
    return e;
}

// A scalar, or the beginning of a container. *ret_empty: it has ended already.
static enum err scan_value(struct scan *sc, bool *ret_whole) {
    uint8_t c = look(sc);
    *ret_whole = true;
    switch (c) {
    case '"':
        return scan_string(sc);
    case 't':
        return scan_word(sc, "true", JSON_TRUE);
    case 'f':
        return scan_word(sc, "false", JSON_FALSE);
    case 'n':
        return scan_word(sc, "null", JSON_NULL);
    case '{':
    case '[':
        break;
    default:
        return scan_number(sc);
    }
    enum err e = open_container(sc, c == '{' ? JSON_OBJECT : JSON_ARRAY);
    *ret_whole = e == OK && look(sc) == (c == '{' ? '}' : ']');
    if (*ret_whole)
        close_container(sc);
    return e == OK && !*ret_whole && c == '{' ? scan_key(sc) : e;
}

// After a value: closes what ends here. *ret_more: another value follows.
static enum err scan_after(struct scan *sc, bool *ret_more) {
    *ret_more = false;
    while (sc->depth > 0) {
        struct json_token *parent = token_at(sc, sc->open[sc->depth - 1]);
        bool object = parent->kind == JSON_OBJECT;
        uint8_t c = look(sc);
        parent->n++;
        if (c == ',') {
            sc->at++;
            *ret_more = true;
            return object ? scan_key(sc) : OK;
        }
        if (c != (object ? '}' : ']'))
            return wrong(sc, "',' or the end of an array or object is expected");
        close_container(sc);
    }
    (void)look(sc);
    return sc->at == sc->s.n ? OK : wrong(sc, "something follows the value");
}

static enum err scan_all(struct scan *sc) {
    enum err e = OK;
    for (bool more = true; more && e == OK;) {
        bool whole;
        e = scan_value(sc, &whole);
        if (e == OK && whole)
            e = scan_after(sc, &more);
    }
    return e;
}

enum err json_scan(struct slice text, size_t max_tokens, struct fault *f, struct json *ret_json) {
    if (text.n > JSON_TEXT_MAX)
        return fault_set(f, ERR_LIMIT, "JSON longer than %d bytes", JSON_TEXT_MAX);
    if (max_tokens > UINT32_MAX)
        max_tokens = UINT32_MAX;
    struct scan sc = {.s = text, .tokens = BUF_INIT(max_tokens * sizeof(struct json_token)), .f = f};
    enum err e = scan_all(&sc);
    if (e != OK) {
        buf_fini(&sc.tokens);
        return e;
    }
    *ret_json = (struct json){text, token_at(&sc, 0), sc.tokens.n / sizeof(struct json_token)};
    return OK;
}

void json_fini(struct json *j) {
    struct buf b = {.p = (uint8_t *)(uintptr_t)j->token};
    buf_fini(&b);
    *j = (struct json){.text = {NULL, 0}};
}

// --- Looking ------------------------------------------------------------------------------------

struct slice json_raw(const struct json *j, size_t i) {
    return slice_sub(j->text, j->token[i].at, j->token[i].n);
}

static void put_escape(struct slice s, size_t at, size_t n, struct buf *out) {
    static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
    uint8_t utf8[4];
    uint32_t c = 0;
    if (n > 2) {
        (void)unicode_escape(s, at, &c);
        buf_append(out, utf8, utf8_encode(c, utf8));
        return;
    }
    const char *p = strchr(from, s.p[at + 1]);
    bug_unless(p && *p);
    buf_u8(out, (uint8_t)to[p - from]);
}

void json_string(const struct json *j, size_t i, struct buf *out) {
    struct slice s = json_raw(j, i);
    bug_unless(j->token[i].kind == JSON_STRING);
    size_t at = 0;
    while (at < s.n) {
        const uint8_t *back = j->token[i].escaped ? memchr(s.p + at, '\\', s.n - at) : NULL;
        size_t plain = back ? (size_t)(back - s.p) - at : s.n - at;
        buf_append(out, s.p + at, plain);
        at += plain;
        if (at == s.n)
            return;
        size_t n = escape_bytes(s, at);
        put_escape(s, at, n, out);
        at += n;
    }
}

bool json_is(const struct json *j, size_t i, const char *ascii) {
    if (j->token[i].kind != JSON_STRING)
        return false;
    if (!j->token[i].escaped)
        return slice_eq_str(json_raw(j, i), ascii);
    size_t n = strlen(ascii);
    struct buf b = BUF_INIT(n);
    json_string(j, i, &b);
    bool same = buf_ok(&b) && slice_eq_str(buf_slice(&b), ascii);
    buf_fini(&b);
    return same;
}

size_t json_member(const struct json *j, size_t i, const char *ascii) {
    size_t found = 0;
    if (j->token[i].kind != JSON_OBJECT)
        return 0;
    for (size_t k = i + 1; k < j->token[i].next; k = j->token[k + 1].next) {
        if (!json_is(j, k, ascii))
            continue;
        if (found)
            return 0;
        found = k + 1;
    }
    return found;
}
