#include "dicom/charset_table.h"

#include <iconv.h>
#include <stdlib.h>

#include "std/charset.h"

struct table {
    uint32_t *chars; // by place; 0: none
    uint16_t *order; // places that have a character, in the order of their characters
    size_t places, used;
};

struct set {
    uint8_t iso_ir, g, bytes;
    struct table table;
};

enum { SETS_MAX = 24 };

static struct set sets[SETS_MAX];
static size_t set_count;
static struct table gb, gbk, gb4; // gbk: only to know what GBK lacks
static bool loaded;

// What is being converted from, as iconv wants it: the bytes of one character, and those round it.
struct source {
    iconv_t cd;
    const char *before, *after;
};

// One character to its code point; 0 when it is not exactly one, or one that text may not hold.
static uint32_t convert(const struct source *s, const uint8_t *bytes, size_t n) {
    char in[32];
    size_t before = strlen(s->before), after = strlen(s->after);
    bug_unless(before + n + after <= sizeof in);
    memcpy(in, s->before, before);
    memcpy(in + before, bytes, n);
    memcpy(in + before + n, s->after, after);
    uint8_t out[16];
    char *from = in, *to = (char *)out;
    size_t in_left = before + n + after, out_left = sizeof out;
    iconv(s->cd, NULL, NULL, NULL, NULL);
    if (iconv(s->cd, &from, &in_left, &to, &out_left) != 0 || in_left > 0)
        return 0;
    if (iconv(s->cd, NULL, NULL, &to, &out_left) != 0 || sizeof out - out_left != 4)
        return 0;
    return (uint32_t)out[0] | (uint32_t)out[1] << 8 | (uint32_t)out[2] << 16 | (uint32_t)out[3] << 24;
}

static int by_char(const void *a, const void *b, void *ctx) {
    const uint32_t *chars = ctx;
    uint32_t x = chars[*(const uint16_t *)a], y = chars[*(const uint16_t *)b];
    return (x > y) - (x < y);
}

typedef size_t bytes_fn(size_t place, uint8_t g, uint8_t out[4]);

static enum err table_load(struct table *t, size_t places, const struct source *s, bytes_fn *bytes, uint8_t g,
                           struct fault *f) {
    t->chars = calloc(places, sizeof *t->chars);
    t->order = calloc(places, sizeof *t->order);
    t->places = places;
    t->used = 0;
    if (!t->chars || !t->order)
        return fault_set(f, ERR_NO_MEMORY, "character set tables");
    for (size_t i = 0; i < places; i++) {
        uint8_t b[4];
        size_t n = bytes(i, g, b);
        uint32_t c = n ? convert(s, b, n) : 0;
        // JIS X 0208 has a backslash that some take for the ASCII one: it must never look like a separator.
        if (n > 1 && c < 0x80)
            c = c == '\\' ? 0xFF3C : 0;
        t->chars[i] = c;
        if (c)
            t->order[t->used++] = (uint16_t)i;
    }
    qsort_r(t->order, t->used, sizeof *t->order, by_char, t->chars);
    return OK;
}

static void table_free(struct table *t) {
    free(t->chars);
    free(t->order);
    *t = (struct table){NULL, NULL, 0, 0};
}

static size_t single_bytes(size_t place, uint8_t g, uint8_t out[4]) {
    out[0] = (uint8_t)(place + 0x20 + (g ? 0x80 : 0));
    return g == 0 && (place == 0 || place == 95) ? 0 : 1; // SPACE and DEL belong to no set of 94
}

static size_t double_bytes(size_t place, uint8_t g, uint8_t out[4]) {
    out[0] = (uint8_t)(place / 94 + 0x21 + (g ? 0x80 : 0));
    out[1] = (uint8_t)(place % 94 + 0x21 + (g ? 0x80 : 0));
    return 2;
}

static size_t gb_bytes(size_t place, uint8_t g, uint8_t out[4]) {
    (void)g;
    size_t low = place % 190;
    out[0] = (uint8_t)(place / 190 + 0x81);
    out[1] = (uint8_t)(low + (low < 63 ? 0x40 : 0x41));
    return 2;
}

static size_t gb4_bytes(size_t place, uint8_t g, uint8_t out[4]) {
    (void)g;
    out[0] = (uint8_t)(place / 12600 + 0x81);
    out[1] = (uint8_t)(place / 1260 % 10 + 0x30);
    out[2] = (uint8_t)(place / 10 % 126 + 0x81);
    out[3] = (uint8_t)(place % 10 + 0x30);
    return 4;
}

static enum err load_named(struct table *t, size_t places, const char *name, const char *before,
                           const char *after, bytes_fn *bytes, uint8_t g, struct fault *f) {
    struct source s = {iconv_open("UCS-4LE", name), before, after};
    if (s.cd == (iconv_t)-1)
        return fault_set(f, ERR_IO, "the C library can't convert from %s (package libc-bin incomplete?)",
                         name);
    enum err e = table_load(t, places, &s, bytes, g, f);
    iconv_close(s.cd);
    return e;
}

static enum err load_element(const struct std_code_element *el, struct fault *f) {
    bug_unless(set_count < SETS_MAX && el->iso_ir < 256);
    struct set *s = &sets[set_count++];
    *s = (struct set){(uint8_t)el->iso_ir, el->g, el->char_bytes, {NULL, NULL, 0, 0}};
    bool single = el->char_bytes == 1;
    return load_named(&s->table, single ? SINGLE_PLACES : DOUBLE_PLACES, el->iconv, el->iconv_pre,
                      el->iconv_post, single ? single_bytes : double_bytes, el->g, f);
}

// The elements that the defined terms speak of, each once.
static enum err load_elements(struct fault *f) {
    const struct std_charset *term;
    for (size_t i = 0; (term = std_charset_at(i)) != NULL; i++) {
        const uint16_t named[2] = {term->g0_iso_ir, term->g1_iso_ir};
        for (size_t j = 0; j < 2; j++) {
            bool known = named[j] == 0;
            for (size_t k = 0; k < set_count && !known; k++)
                known = sets[k].iso_ir == named[j];
            const struct std_code_element *el = known ? NULL : std_code_element_find(named[j]);
            if (el && load_element(el, f) != OK)
                return f ? f->code : ERR_IO;
        }
    }
    return OK;
}

static void unload(void) {
    for (size_t i = 0; i < set_count; i++)
        table_free(&sets[i].table);
    set_count = 0;
    table_free(&gb);
    table_free(&gbk);
    table_free(&gb4);
}

enum err charset_tables_load(struct fault *f) {
    if (loaded)
        return OK;
    struct fault own = {OK, {0}};
    f = f ? f : &own;
    enum err e = load_elements(f);
    if (e == OK)
        e = load_named(&gb, GB_PLACES, "GB18030", "", "", gb_bytes, 0, f);
    if (e == OK)
        e = load_named(&gbk, GB_PLACES, "GBK", "", "", gb_bytes, 0, f);
    if (e == OK)
        e = load_named(&gb4, GB4_PLACES, "GB18030", "", "", gb4_bytes, 0, f);
    loaded = e == OK;
    if (!loaded)
        unload();
    return e;
}

static const struct set *set_find(uint8_t iso_ir) {
    bug_unless(loaded); // dicom_charset_preload() comes first
    for (size_t i = 0; i < set_count; i++)
        if (sets[i].iso_ir == iso_ir)
            return &sets[i];
    bug("no such character set");
}

unsigned charset_set_bytes(uint8_t iso_ir) {
    return set_find(iso_ir)->bytes;
}

unsigned charset_set_g(uint8_t iso_ir) {
    return set_find(iso_ir)->g;
}

static uint32_t table_char(const struct table *t, size_t place) {
    bug_unless(loaded);
    return place < t->places ? t->chars[place] : 0;
}

static bool table_place(const struct table *t, uint32_t c, size_t *ret_place) {
    bug_unless(loaded);
    size_t lo = 0, hi = t->used;
    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;
        if (t->chars[t->order[mid]] < c)
            lo = mid + 1;
        else
            hi = mid;
    }
    if (lo == t->used || t->chars[t->order[lo]] != c)
        return false;
    *ret_place = t->order[lo];
    return true;
}

uint32_t charset_set_char(uint8_t iso_ir, size_t place) {
    return table_char(&set_find(iso_ir)->table, place);
}

bool charset_set_place(uint8_t iso_ir, uint32_t c, size_t *ret_place) {
    return table_place(&set_find(iso_ir)->table, c, ret_place);
}

uint32_t charset_gb_char(size_t place) {
    return table_char(&gb, place);
}

uint32_t charset_gb4_char(size_t place) {
    if (place >= GB4_SUPPLEMENTARY && place - GB4_SUPPLEMENTARY < 0x100000)
        return 0x10000 + (uint32_t)(place - GB4_SUPPLEMENTARY);
    return table_char(&gb4, place);
}

bool charset_gb_place(bool only_gbk, uint32_t c, size_t *ret_place) {
    // What is written must be read back the same by those who read it as GB18030.
    size_t place;
    if (!table_place(only_gbk ? &gbk : &gb, c, &place) || gb.chars[place] != c)
        return false;
    *ret_place = place;
    return true;
}

bool charset_gb4_place(uint32_t c, size_t *ret_place) {
    if (c >= 0x10000 && c <= 0x10FFFF) {
        *ret_place = GB4_SUPPLEMENTARY + (c - 0x10000);
        return true;
    }
    return table_place(&gb4, c, ret_place);
}
