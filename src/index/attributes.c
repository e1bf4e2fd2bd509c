#include "index/attributes.h"

#include "base/compose.h"
#include "base/rd.h"
#include "base/utf8.h"

// Copies that the study keeps of what its series say.
static const struct {
    enum index_attr copy, of;
} copies[] = {
    {INDEX_ATTR_StudyInstitution, INDEX_ATTR_InstitutionName},
    {INDEX_ATTR_StudyStation, INDEX_ATTR_StationName},
};

static bool may_be_given(enum index_attr attr) {
    return index_attr_table[attr].tag != 0 &&
           attr_stored(attr, (enum index_level)index_attr_table[attr].level);
}

static bool value_valid(struct slice v) {
    return v.n > 0 && v.n <= INDEX_VALUE_MAX_BYTES && utf8_valid(v);
}

static void take(struct attributes *a, unsigned number, struct slice v) {
    unsigned attr = number / 2;
    if (number % 2 == 0)
        a->value[attr] = v;
    a->matching[attr] = v;
    if (a->value[attr].n == 0)
        a->value[attr] = v;
    a->present |= 1ULL << attr;
}

static void add_copies(struct attributes *a) {
    for (size_t i = 0; i < sizeof copies / sizeof *copies; i++) {
        enum index_attr copy = copies[i].copy, of = copies[i].of;
        if (!(a->present >> of & 1))
            continue;
        a->value[copy] = a->value[of];
        a->matching[copy] = a->matching[of];
        a->present |= 1ULL << copy;
    }
}

static bool is_ascii(struct slice s) {
    uint8_t high = 0;
    for (size_t i = 0; i < s.n; i++)
        high |= s.p[i];
    return high < 0x80;
}

static void compose(struct attributes *a, enum index_attr attr) {
    struct slice v = a->value[attr];
    struct buf b = BUF_INIT(sizeof a->composed - a->composed_n);
    compose_text(v, &b);
    if (buf_ok(&b) && !slice_eq(buf_slice(&b), v)) {
        uint8_t *p = a->composed + a->composed_n;
        memcpy(p, b.p, b.n);
        a->matching[attr] = slice_of(p, b.n);
        a->composed_n += b.n;
    }
    buf_fini(&b);
}

static void compose_texts(struct attributes *a) {
    for (int i = 0; i < INDEX_ATTR_COUNT_; i++) {
        enum vr vr = (enum vr)index_attr_table[i].vr; // names are folded
        if ((a->present >> i & 1) && (vr == VR_LO || vr == VR_SH) && a->matching[i].p == a->value[i].p &&
            !is_ascii(a->value[i]))
            compose(a, (enum index_attr)i);
    }
}

enum err attributes_parse(struct slice bytes, struct attributes *ret_attributes, struct fault *f) {
    struct attributes a = {0};
    struct rd r = rd_init(bytes);
    int last = -1;
    while (rd_ok(&r) && rd_left(&r) > 0) {
        uint16_t number = rd_u16le(&r);
        uint16_t n = rd_u16le(&r);
        struct slice v = rd_bytes(&r, n);
        if (!rd_ok(&r) || (int)number <= last || !value_valid(v))
            return fault_set(f, ERR_SYNTAX, "indexed attribute %u is malformed", number / 2);
        last = number;
        if (number >= 2 * INDEX_ATTR_COUNT_)
            continue;
        if (!may_be_given((enum index_attr)(number / 2)))
            return fault_set(f, ERR_SYNTAX, "indexed attribute %u is not the object's to say", number / 2);
        take(&a, number, v);
    }
    if (!rd_ok(&r))
        return fault_set(f, ERR_SYNTAX, "indexed attributes are cut short");
    *ret_attributes = a;
    compose_texts(ret_attributes);
    add_copies(ret_attributes);
    return OK;
}

struct slice name_group(struct slice folded, unsigned group) {
    struct slice rest = folded, g = folded;
    for (unsigned i = 0; i <= group; i++) {
        if (!rest.p)
            return (struct slice){NULL, 0};
        g = slice_split(rest, '=', &rest);
    }
    return g;
}

// The decimal text of an integer, as SQLite would print it again.
static bool is_integer(struct slice v, int64_t *ret_value) {
    bool negative = v.n > 1 && v.p[0] == '-';
    struct slice digits = negative ? slice_sub(v, 1, v.n) : v;
    uint64_t n;
    if (!slice_to_u64(digits, INT64_MAX, &n) || (digits.p[0] == '0' && (digits.n > 1 || negative)))
        return false;
    *ret_value = negative ? -(int64_t)n : (int64_t)n;
    return true;
}

void attribute_bind(const struct attributes *a, enum index_attr attr, sqlite3_stmt *s, int at) {
    struct slice none = {NULL, 0};
    bool differs = !slice_eq(a->value[attr], a->matching[attr]);
    int64_t n;
    if (index_attr_table[attr].kind == INDEX_KIND_NUMBER && is_integer(a->matching[attr], &n))
        sqlite3_bind_int64(s, at, n);
    else
        bind_slice(s, at, a->matching[attr]);
    bind_slice(s, at + 1, differs ? a->value[attr] : none);
}

void attributes_bind(const struct attributes *a, enum index_level level, sqlite3_stmt *s, int at) {
    for (int i = 0; i < INDEX_ATTR_COUNT_; i++) {
        if (!attr_stored((enum index_attr)i, level))
            continue;
        attribute_bind(a, (enum index_attr)i, s, at);
        at += 2;
        if (i == INDEX_ATTR_PatientName) {
            bind_slice(s, at++, name_group(a->matching[i], 1));
            bind_slice(s, at++, name_group(a->matching[i], 2));
        }
    }
}
