#include "base/compose.h"

#include <stdlib.h>

#include "base/utf8.h"
#include "compose_gen.h"

enum { REPLACEMENT = 0xFFFD };
// Hangul syllables, reckoned from leading consonants, vowels and trailing consonants (Unicode 3.12).
enum { SYLLABLE = 0xAC00, LEADING = 0x1100, VOWEL = 0x1161, TRAILING = 0x11A7 };
enum { LEADINGS = 19, VOWELS = 21, TRAILINGS = 28, SYLLABLES = LEADINGS * VOWELS * TRAILINGS };

static int compare_parts(const void *key, const void *row) {
    uint32_t a = *(const uint32_t *)key, b = ((const struct compose_parts *)row)->c;
    return a < b ? -1 : a > b;
}

static const struct compose_parts *parts_of(uint32_t c) {
    if (c < compose_parts[0].c)
        return NULL;
    return bsearch(&c, compose_parts, COMPOSE_PARTS, sizeof compose_parts[0], compare_parts);
}

static int compare_pair(const void *key, const void *row) {
    const struct compose_pair *a = key, *b = row;
    if (a->first != b->first)
        return a->first < b->first ? -1 : 1;
    return a->second < b->second ? -1 : a->second > b->second;
}

static int compare_class(const void *key, const void *row) {
    uint32_t c = *(const uint32_t *)key;
    const struct compose_class *r = row;
    return c < r->first ? -1 : c > r->last;
}

// Canonical combining class; 0: a character of its own.
static uint8_t class_of(uint32_t c) {
    if (c < compose_classes[0].first)
        return 0;
    const struct compose_class *r =
        bsearch(&c, compose_classes, COMPOSE_CLASSES, sizeof compose_classes[0], compare_class);
    return r ? r->mark : 0;
}

uint32_t compose_two(uint32_t first, uint32_t second) {
    if (first - LEADING < LEADINGS && second - VOWEL < VOWELS)
        return SYLLABLE + ((first - LEADING) * VOWELS + (second - VOWEL)) * TRAILINGS;
    bool is_open = first - SYLLABLE < SYLLABLES && (first - SYLLABLE) % TRAILINGS == 0;
    if (is_open && second > TRAILING && second - TRAILING < TRAILINGS)
        return first + (second - TRAILING);
    struct compose_pair key = {first, second, 0};
    const struct compose_pair *r =
        bsearch(&key, compose_pairs, COMPOSE_PAIRS, sizeof compose_pairs[0], compare_pair);
    return r ? r->c : 0;
}

// A character and the marks on it.
struct run {
    struct buf *out;
    size_t n;
    uint32_t c[COMPOSE_RUN_MAX];
    uint8_t mark[COMPOSE_RUN_MAX]; // classes; ascending but for the first
};

// Each mark joins the first character if none of its own class or a higher one stands between.
static void join_marks(struct run *r) {
    size_t kept = 1;
    for (size_t i = 1; i < r->n; i++) {
        bool blocked = r->mark[0] != 0 || (kept > 1 && r->mark[kept - 1] >= r->mark[i]);
        uint32_t c = blocked ? 0 : compose_two(r->c[0], r->c[i]);
        if (c) {
            r->c[0] = c;
            continue;
        }
        r->c[kept] = r->c[i];
        r->mark[kept++] = r->mark[i];
    }
    r->n = r->n ? kept : 0;
}

static void put_out(struct run *r) {
    join_marks(r);
    for (size_t i = 0; i < r->n; i++) {
        uint8_t utf8[4];
        buf_append(r->out, utf8, utf8_encode(r->c[i], utf8));
    }
    r->n = 0;
}

static void put(struct run *r, uint32_t c) {
    uint8_t mark = class_of(c);
    size_t i = r->n;
    if (mark == 0) {
        join_marks(r);
        uint32_t joined = r->n == 1 && r->mark[0] == 0 ? compose_two(r->c[0], c) : 0;
        if (joined) {
            r->c[0] = joined;
            return;
        }
        put_out(r);
        i = 0;
    } else if (r->n == COMPOSE_RUN_MAX) {
        put_out(r);
        i = 0;
    }
    for (; i > 0 && mark > 0 && r->mark[i - 1] > mark; i--) {
        r->c[i] = r->c[i - 1];
        r->mark[i] = r->mark[i - 1];
    }
    r->c[i] = c;
    r->mark[i] = mark;
    r->n++;
}

// Parts may have parts, but only the first, and not often.
static void take_apart(struct run *r, uint32_t c) {
    uint32_t later[8];
    size_t n = 0;
    const struct compose_parts *p;
    while (n < sizeof later / sizeof *later && (p = parts_of(c)) != NULL) {
        if (p->second)
            later[n++] = p->second;
        c = p->first;
    }
    put(r, c);
    while (n > 0)
        put(r, later[--n]);
}

void compose_text(struct slice utf8, struct buf *out) {
    struct run r = {.out = out, .n = 0};
    while (utf8.n > 0) {
        size_t ascii = utf8_ascii(utf8), n = ascii;
        if (ascii > 1) { // the last may have marks
            put_out(&r);
            n = ascii == utf8.n ? ascii : ascii - 1;
            buf_append_slice(out, slice_sub(utf8, 0, n));
        } else {
            uint32_t c = REPLACEMENT;
            n = utf8_decode(utf8, &c);
            take_apart(&r, n > 0 ? c : REPLACEMENT);
        }
        utf8 = slice_sub(utf8, n > 0 ? n : 1, utf8.n);
    }
    put_out(&r);
}
