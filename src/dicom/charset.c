// What (0008,0005) means, and decoding. Encoding is in charset_encode.c, the tables are in
// charset_table.c.
#include "dicom/charset.h"

#include "base/utf8.h"
#include "dicom/charset_table.h"
#include "std/charset.h"

enum { ESC = 0x1B, REPLACEMENT = 0xFFFD, NO_TERM = 0xFF, KEY_MAX = 24 };

// NO_TERM is the empty value, which stands for ISO_IR 6.
const struct dicom_charset dicom_charset_ascii = {
    .g0 = CHARSET_ASCII, .term_count = 1, .terms = {NO_TERM}, .sets = {CHARSET_ASCII}, .set_count = 1};
// Row 0 of terms is not looked at: dicom_charset_label() knows ISO_IR 192 by itself.
const struct dicom_charset dicom_charset_utf8 = {.alone = CHARSET_UTF8, .g0 = CHARSET_ASCII};

enum err dicom_charset_preload(struct fault *f) {
    return charset_tables_load(f);
}

// --- terms ---

// Letters and digits only, upper case: what is left of a term when spelling doesn't count. False when that
// is too long.
static bool term_key(struct slice s, char ret_key[KEY_MAX]) {
    size_t n = 0;
    for (size_t i = 0; i < s.n; i++) {
        uint8_t c = s.p[i];
        if (c >= 'a' && c <= 'z')
            c = (uint8_t)(c - 'a' + 'A');
        if ((c < 'A' || c > 'Z') && (c < '0' || c > '9'))
            continue;
        if (n == KEY_MAX - 1)
            return false;
        ret_key[n++] = (char)c;
    }
    ret_key[n] = 0;
    return true;
}

// Names seen in files that are no defined terms.
static const struct {
    const char *key, *term;
} aliases[] = {
    {"UTF8", "ISO_IR 192"},
    {"ISO2022IR192", "ISO_IR 192"},
    {"UNICODE", "ISO_IR 192"},
    {"UNICODEUTF8", "ISO_IR 192"},
    {"LATIN1", "ISO_IR 100"},
    {"ISO88591", "ISO_IR 100"},
    {"WINDOWS1252", "ISO_IR 100"},
    {"CP1252", "ISO_IR 100"},
    {"ISO88592", "ISO_IR 101"},
    {"LATIN2", "ISO_IR 101"},
    {"ISO88593", "ISO_IR 109"},
    {"ISO88594", "ISO_IR 110"},
    {"ISO88595", "ISO_IR 144"},
    {"ISO88596", "ISO_IR 127"},
    {"ISO88597", "ISO_IR 126"},
    {"ISO88598", "ISO_IR 138"},
    {"ISO88599", "ISO_IR 148"},
    {"LATIN5", "ISO_IR 148"},
    {"ISO885915", "ISO_IR 203"},
    {"LATIN9", "ISO_IR 203"},
    {"TIS620", "ISO_IR 166"},
    {"ISOIR14", "ISO_IR 13"},
    {"ISO2022IR14", "ISO 2022 IR 13"},
    {"JISX0201", "ISO_IR 13"},
    {"ISOIR87", "ISO 2022 IR 87"},
    {"ISO2022JP", "ISO 2022 IR 87"},
    {"ISOIR159", "ISO 2022 IR 159"},
    {"ISOIR149", "ISO 2022 IR 149"},
    {"EUCKR", "ISO 2022 IR 149"},
    {"KSX1001", "ISO 2022 IR 149"},
    {"ISOIR58", "ISO 2022 IR 58"},
    {"GB2312", "GBK"},
    {"EUCCN", "GBK"},
    {"ISO2022GBK", "GBK"},
    {"ISO2022GB18030", "GB18030"},
    {"ISOIRGB18030", "GB18030"},
    {"ASCII", "ISO_IR 6"},
    {"USASCII", "ISO_IR 6"},
    {"ISO646", "ISO_IR 6"},
    {"NONE", "ISO_IR 6"},
};

static const char *alias_of(const char *key) {
    for (size_t i = 0; i < sizeof aliases / sizeof *aliases; i++)
        if (strcmp(aliases[i].key, key) == 0)
            return aliases[i].term;
    return NULL;
}

// The index of a term in std/charset.h, however it is spelt; false when it is not understood.
static bool term_find(struct slice term, size_t *ret_index, uint8_t *notes) {
    char key[KEY_MAX], other[KEY_MAX];
    const struct std_charset *row;
    for (size_t i = 0; (row = std_charset_at(i)) != NULL; i++) {
        if (slice_eq_str(term, row->term)) {
            *ret_index = i;
            return true;
        }
    }
    if (!term_key(term, key))
        return false;
    const char *alias = alias_of(key);
    if (alias && !term_key(slice_str(alias), key))
        return false;
    for (size_t i = 0; (row = std_charset_at(i)) != NULL; i++) {
        if (!term_key(slice_str(row->term), other) || strcmp(key, other) != 0)
            continue;
        *notes |= DICOM_CHARSET_MISSPELT;
        *ret_index = i;
        return true;
    }
    return false;
}

static bool declared(const struct dicom_charset *cs, uint8_t set) {
    for (size_t i = 0; i < cs->set_count; i++)
        if (cs->sets[i] == set)
            return true;
    return false;
}

static void declare(struct dicom_charset *cs, uint16_t set) {
    if (set != CHARSET_NONE && !declared(cs, (uint8_t)set))
        cs->sets[cs->set_count++] = (uint8_t)set;
}

static uint8_t alone_of(const char *term) {
    if (strcmp(term, "GBK") == 0)
        return CHARSET_GBK;
    return strcmp(term, "GB18030") == 0 ? CHARSET_GB18030 : CHARSET_UTF8;
}

// A value that is understood. Sets of several bytes without code extensions stand alone (PS3.3 C.12.1.1.2):
// after an empty first value they are taken all the same, after another they are ignored.
static void add_term(struct dicom_charset *cs, size_t index, const struct std_charset *row) {
    if (row->kind == CHARSET_ALONE) {
        if (cs->term_count > 1 || (cs->term_count == 1 && cs->terms[0] != NO_TERM)) {
            cs->notes |= DICOM_CHARSET_UNKNOWN;
            return;
        }
        cs->notes = (uint8_t)(cs->notes | (cs->term_count ? DICOM_CHARSET_MISSPELT : 0));
        cs->alone = alone_of(row->term);
    }
    bool ascii = row->g0_iso_ir == CHARSET_ASCII && row->g1_iso_ir == CHARSET_NONE;
    bool first = cs->term_count == 0;
    cs->terms[cs->term_count++] = ascii && first ? NO_TERM : (uint8_t)index;
    cs->extended |= row->kind == CHARSET_EXT_SINGLE || row->kind == CHARSET_EXT_MULTI;
    if (first && row->kind != CHARSET_EXT_MULTI && row->g0_iso_ir)
        cs->g0 = (uint8_t)row->g0_iso_ir;
    if (first)
        cs->g1 = (uint8_t)row->g1_iso_ir;
    // Without G0 of its own, or with one of two bytes, a first value leaves ASCII there.
    declare(cs, first ? cs->g0 : CHARSET_NONE);
    declare(cs, row->g0_iso_ir);
    declare(cs, row->g1_iso_ir);
}

static void add_value(struct dicom_charset *cs, struct slice value) {
    size_t index = 0;
    if (value.n == 0 && cs->term_count == 0) {
        cs->terms[cs->term_count++] = NO_TERM;
        declare(cs, CHARSET_ASCII);
    } else if (value.n > 0 && cs->alone == CHARSET_ISO2022 && term_find(value, &index, &cs->notes)) {
        add_term(cs, index, std_charset_at(index));
    } else if (value.n > 0) {
        cs->notes |= DICOM_CHARSET_UNKNOWN;
    }
}

void dicom_charset_init(struct dicom_charset *cs, struct slice value) {
    *cs = (struct dicom_charset){.g0 = CHARSET_ASCII};
    struct slice rest = value;
    for (size_t i = 0; rest.p && i < DICOM_CHARSET_MAX_TERMS; i++) {
        struct slice one = slice_split(rest, '\\', &rest);
        while (one.n > 0 && (one.p[one.n - 1] == 0 || one.p[one.n - 1] == ' '))
            one.n--;
        add_value(cs, slice_trim(one, " "));
    }
    if (rest.p)
        cs->notes |= DICOM_CHARSET_UNKNOWN;
    if (cs->term_count == 0)
        add_value(cs, (struct slice){NULL, 0});
    cs->extended |= cs->term_count > 1;
}

// With code extensions ISO_IR 100 is spelt ISO 2022 IR 100.
static void label_term(const struct dicom_charset *cs, const char *term, struct buf *out) {
    bool plain = strncmp(term, "ISO_IR ", 7) == 0;
    if (plain && cs->extended)
        buf_append_str(out, "ISO 2022 IR ");
    buf_append_str(out, plain && cs->extended ? term + 7 : term);
}

void dicom_charset_label(const struct dicom_charset *cs, struct buf *out) {
    if (cs->alone != CHARSET_ISO2022) {
        static const char *const names[] = {"", "ISO_IR 192", "GB18030", "GBK"};
        buf_append_str(out, names[cs->alone]);
        return;
    }
    for (size_t i = 0; i < cs->term_count; i++) {
        if (i > 0)
            buf_u8(out, '\\');
        if (cs->terms[i] != NO_TERM)
            label_term(cs, std_charset_at(cs->terms[i])->term, out);
    }
}

// --- decoding ---

// One value under way. Everything that reads bytes goes through next(), so that splitting and decoding
// agree on what is a separator.
struct scan {
    const struct dicom_charset *cs;
    struct slice in;
    bool values, name; // '\' separates values; '^' and '=' delimit
    bool utf8;         // what stands in no set is valid UTF-8
    bool looked;       // … that has been found out
    uint8_t g0, g1;
    unsigned notes;
};

struct found {
    uint32_t c;
    bool separator; // a '\' between values
    bool nothing;   // an escape sequence: no character
};

static const struct found UNREADABLE = {REPLACEMENT, false, false};

static struct slice without_padding(struct slice raw) {
    while (raw.n > 0 && raw.p[raw.n - 1] == 0)
        raw.n--;
    return raw;
}

static struct scan scan_of(const struct dicom_charset *cs, enum vr vr, struct slice raw) {
    const struct std_vr *info = std_vr_info(vr);
    if (!info->charset)
        cs = &dicom_charset_ascii;
    return (struct scan){
        .cs = cs, .in = raw, .values = info->multi, .name = vr == VR_PN, .g0 = cs->g0, .g1 = cs->g1};
}

static struct found take(struct scan *s, size_t n, uint32_t c) {
    s->in = slice_sub(s->in, n, s->in.n);
    if (c == 0) {
        s->notes |= DICOM_CHARSET_REPLACED;
        return UNREADABLE;
    }
    return (struct found){c, false, false};
}

// PS3.5 6.1.2.5.3: the first value's sets are active again.
static void reset_sets(struct scan *s) {
    s->g0 = s->cs->g0;
    s->g1 = s->cs->g1;
}

// Designates a set, or passes over an escape sequence that is for none (ISO/IEC 2022: ESC, any number
// of 20–2F, one of 30–7E).
static struct found escape(struct scan *s) {
    const struct std_code_element *el = std_code_element_at(s->in);
    if (el) {
        s->in = slice_sub(s->in, el->escape.n, s->in.n);
        *(el->g == 0 ? &s->g0 : &s->g1) = (uint8_t)el->iso_ir;
        if (el->iso_ir != CHARSET_ASCII && !declared(s->cs, (uint8_t)el->iso_ir))
            s->notes |= DICOM_CHARSET_UNDECLARED;
        return (struct found){0, false, true};
    }
    size_t n = 1;
    while (n < s->in.n && n < 4 && s->in.p[n] >= 0x20 && s->in.p[n] <= 0x2F)
        n++;
    bool whole = n > 1 && n < s->in.n && s->in.p[n] >= 0x30 && s->in.p[n] <= 0x7E;
    return take(s, whole ? n + 1 : 1, 0);
}

static struct found ascii(struct scan *s, uint8_t b) {
    struct found r = take(s, 1, b);
    bool delimiter = (s->values && b == '\\') || (s->name && (b == '^' || b == '='));
    r.separator = s->values && b == '\\';
    if (delimiter || (b < 0x20 && b != 0))
        reset_sets(s);
    return r;
}

// Two bytes of a set of two bytes; `high` is 0x80 in G1. A byte that does not fit is left: it may be a
// separator.
static struct found two_bytes(struct scan *s, uint8_t set, uint8_t high) {
    uint8_t a = s->in.p[0] ^ high, b = s->in.n > 1 ? s->in.p[1] ^ high : 0;
    if (a < 0x21 || a > 0x7E || b < 0x21 || b > 0x7E)
        return take(s, 1, 0);
    return take(s, 2, charset_set_char(set, (size_t)(a - 0x21) * 94 + (b - 0x21u)));
}

// 00–7F
static struct found low_byte(struct scan *s, uint8_t b) {
    if (b == ESC)
        return escape(s);
    if (b <= 0x20 || b == 0x7F || s->g0 == CHARSET_ASCII)
        return ascii(s, b);
    if (charset_set_bytes(s->g0) == 2)
        return two_bytes(s, s->g0, 0);
    if (b == '\\' && s->values)
        return ascii(s, b);
    uint32_t c = charset_set_char(s->g0, b - 0x20u);
    return c == b ? ascii(s, b) : take(s, 1, c);
}

// Windows-1252, 80–9F: what is written in them under the name of Latin 1.
static const uint16_t cp1252[32] = {
    0x20AC, 0,      0x201A, 0x0192, 0x201E, 0x2026, 0x2020, 0x2021, 0x02C6, 0x2030, 0x0160,
    0x2039, 0x0152, 0,      0x017D, 0,      0,      0x2018, 0x2019, 0x201C, 0x201D, 0x2022,
    0x2013, 0x2014, 0x02DC, 0x2122, 0x0161, 0x203A, 0x0153, 0,      0x017E, 0x0178,
};

// A byte above 7F where no set is declared for it: senders that forget (0008,0005) write UTF-8 or Latin 1.
static struct found guess(struct scan *s, uint8_t b) {
    if (!s->looked) {
        s->looked = true;
        s->utf8 = utf8_valid(s->in);
    }
    s->notes |= DICOM_CHARSET_GUESSED;
    uint32_t c = 0;
    size_t n = s->utf8 ? utf8_decode(s->in, &c) : 0;
    if (n > 0)
        return take(s, n, c);
    return take(s, 1, b >= 0xA0 ? b : cp1252[b - 0x80]);
}

// Korean and Chinese senders designate their set once and not again after each delimiter.
static uint8_t only_declared_g1(const struct dicom_charset *cs) {
    uint8_t only = CHARSET_NONE;
    for (size_t i = 0; i < cs->set_count; i++) {
        if (charset_set_g(cs->sets[i]) != 1)
            continue;
        if (only != CHARSET_NONE)
            return CHARSET_NONE;
        only = cs->sets[i];
    }
    return only;
}

// 80–FF
static struct found high_byte(struct scan *s, uint8_t b) {
    if (s->g1 == CHARSET_NONE && s->cs->extended) {
        s->g1 = only_declared_g1(s->cs);
        s->notes |= s->g1 != CHARSET_NONE ? DICOM_CHARSET_GUESSED : 0u;
    }
    if (s->g1 == CHARSET_NONE)
        return guess(s, b);
    if (charset_set_bytes(s->g1) == 2)
        return two_bytes(s, s->g1, 0x80);
    if (b >= 0xA0)
        return take(s, 1, charset_set_char(s->g1, b - 0xA0u));
    if (s->g1 == CHARSET_LATIN1 && cp1252[b - 0x80]) {
        s->notes |= DICOM_CHARSET_GUESSED;
        return take(s, 1, cp1252[b - 0x80]);
    }
    return take(s, 1, 0);
}

// GB18030, of which GBK is the part with two bytes.
static struct found gb(struct scan *s, uint8_t a) {
    const uint8_t *p = s->in.p;
    uint8_t b = s->in.n > 1 ? p[1] : 0;
    if (a == 0x80 || a == 0xFF)
        return take(s, 1, 0);
    if (b >= 0x40 && b <= 0xFE && b != 0x7F)
        return take(s, 2, charset_gb_char((size_t)(a - 0x81) * 190 + (size_t)(b - (b < 0x7F ? 0x40 : 0x41))));
    if (s->in.n < 4 || b < 0x30 || b > 0x39 || p[2] < 0x81 || p[2] == 0xFF || p[3] < 0x30 || p[3] > 0x39)
        return take(s, 1, 0);
    size_t place = (((size_t)(a - 0x81) * 10 + (b - 0x30u)) * 126 + (p[2] - 0x81u)) * 10 + (p[3] - 0x30u);
    return take(s, 4, charset_gb4_char(place));
}

static struct found next(struct scan *s) {
    uint8_t b = s->in.p[0];
    if (b == 0)
        return take(s, 1, 0);
    if (s->cs->alone == CHARSET_ISO2022)
        return b < 0x80 ? low_byte(s, b) : high_byte(s, b);
    if (b == ESC)
        return take(s, 1, 0);
    if (b < 0x80)
        return ascii(s, b);
    if (s->cs->alone != CHARSET_UTF8)
        return gb(s, b);
    uint32_t c = 0;
    size_t n = utf8_decode(s->in, &c);
    return take(s, n ? n : 1, n ? c : 0);
}

// Nearly all values: nothing to convert.
static bool is_plain(const struct scan *s) {
    if (s->g0 != CHARSET_ASCII)
        return false;
    uint8_t all = 0;
    for (size_t i = 0; i < s->in.n; i++) {
        all |= s->in.p[i];
        if (s->in.p[i] == ESC || s->in.p[i] == 0)
            return false;
    }
    return all < 0x80;
}

unsigned dicom_charset_decode(const struct dicom_charset *cs, enum vr vr, struct slice raw, struct buf *out) {
    struct scan s = scan_of(cs, vr, without_padding(raw));
    if (is_plain(&s)) {
        buf_append_slice(out, s.in);
        return 0;
    }
    while (s.in.n > 0 && buf_ok(out)) {
        struct found r = next(&s);
        uint8_t utf8[4];
        if (!r.nothing)
            buf_append(out, utf8, utf8_encode(r.c, utf8));
    }
    return s.notes;
}

struct slice dicom_charset_split(const struct dicom_charset *cs, enum vr vr, struct slice raw,
                                 struct slice *ret_rest) {
    struct scan s = scan_of(cs, vr, raw);
    while (s.in.n > 0) {
        size_t at = raw.n - s.in.n;
        if (next(&s).separator) {
            *ret_rest = s.in;
            return slice_sub(raw, 0, at);
        }
    }
    *ret_rest = (struct slice){NULL, 0};
    return raw;
}
