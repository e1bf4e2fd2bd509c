#include "base/fold.h"

#include "base/compose.h"
#include "base/utf8.h"
#include "fold_gen.h"

enum { REPLACEMENT = 0xFFFD, VOICED = 0x3099, SEMI_VOICED = 0x309A, BREVE = 0x0306 };

_Static_assert((int)FOLD_MAX_GROWTH <= (int)FOLD_GROWTH_MAX, "base/fold.h promises less");

static const struct fold_row *fold_find(uint32_t c) {
    size_t lo = 0, hi = FOLD_ROWS;
    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;
        if (fold_rows[mid].last < c)
            lo = mid + 1;
        else
            hi = mid;
    }
    const struct fold_row *r = lo < FOLD_ROWS ? &fold_rows[lo] : NULL;
    if (!r || c < r->first || (r->step == 2 && (c - r->first) % 2 != 0))
        return NULL;
    return r;
}

// Hiragana and a voicing mark are one character (PS3.5 Annex H uses half-width katakana, where marks stand
// apart), and so are conjoining jamo (Unicode 3.12).
static bool is_kept_composed(uint32_t b) {
    return b == VOICED || b == SEMI_VOICED || (b >= 0x1161 && b <= 0x11C2);
}

// и and у with a breve are letters of their own: й, ў.
static uint32_t cyrillic_compose(uint32_t a, uint32_t mark) {
    if (mark != BREVE)
        return 0;
    return a == 0x0438 ? 0x0439 : a == 0x0443 ? 0x045E : 0;
}

static uint32_t compose(uint32_t a, uint32_t b) {
    return is_kept_composed(b) ? compose_two(a, b) : cyrillic_compose(a, b);
}

// What has been written last, so that a mark that follows can still join it.
struct folder {
    struct buf *out;
    uint32_t last;
    size_t last_at;
};

static void put(struct folder *f, uint32_t c) {
    uint32_t joined = f->last ? compose(f->last, c) : 0;
    if (joined && buf_ok(f->out)) {
        f->out->n = f->last_at;
        c = joined;
    }
    f->last = c;
    f->last_at = f->out->n;
    uint8_t utf8[4];
    buf_append(f->out, utf8, utf8_encode(c, utf8));
}

static void fold_one(struct folder *f, uint32_t c) {
    const struct fold_row *r = fold_find(c);
    if (!r || cyrillic_compose(f->last, c))
        put(f, c);
    else if (r->count == 1)
        put(f, fold_results[r->at] + (r->step ? c - r->first : 0));
    else
        for (size_t i = 0; i < r->count; i++)
            put(f, fold_results[r->at + i]);
}

// Nearly all of it. No mark joins an ASCII letter.
static size_t fold_ascii(struct folder *f, struct slice s) {
    size_t n = utf8_ascii(s);
    uint8_t *to = n ? buf_extend(f->out, n) : NULL;
    for (size_t i = 0; to && i < n; i++)
        to[i] = s.p[i] >= 'A' && s.p[i] <= 'Z' ? (uint8_t)(s.p[i] - 'A' + 'a') : s.p[i];
    if (n)
        f->last = 0;
    return n;
}

void fold_text(struct slice utf8, struct buf *out) {
    struct folder f = {out, 0, out->n};
    while (utf8.n > 0) {
        size_t ascii = fold_ascii(&f, utf8);
        utf8 = slice_sub(utf8, ascii, utf8.n);
        if (utf8.n == 0)
            return;
        uint32_t c = REPLACEMENT;
        size_t n = utf8_decode(utf8, &c);
        if (n == 0)
            n = 1;
        fold_one(&f, c);
        utf8 = slice_sub(utf8, n, utf8.n);
    }
}

// Appends one component: runs of blanks count as one, and those round it don't count.
static void component(struct slice s, struct buf *out) {
    size_t from = out->n, to = from;
    fold_text(slice_trim(s, " "), out);
    if (!buf_ok(out))
        return;
    for (size_t i = from; i < out->n; i++)
        if (out->p[i] != ' ' || (to > from && out->p[to - 1] != ' '))
            out->p[to++] = out->p[i];
    while (to > from && out->p[to - 1] == ' ')
        to--;
    out->n = to;
}

// Appends one group; returns where its last component that is not empty ends.
static size_t group(struct slice s, struct buf *out) {
    size_t end = out->n;
    bool first = true;
    do {
        if (!first)
            buf_u8(out, '^');
        first = false;
        size_t from = out->n;
        component(slice_split(s, '^', &s), out);
        if (out->n > from)
            end = out->n;
    } while (s.p);
    return end;
}

void fold_name(struct slice utf8, struct buf *out) {
    size_t end = out->n;
    for (int i = 0; i < FOLD_NAME_GROUPS; i++) {
        if (i > 0)
            buf_u8(out, '=');
        size_t from = out->n;
        size_t to = group(slice_split(utf8, '=', &utf8), out);
        if (!buf_ok(out))
            return;
        out->n = to;
        if (to > from)
            end = to;
        if (!utf8.p)
            break;
    }
    if (buf_ok(out))
        out->n = end;
}
