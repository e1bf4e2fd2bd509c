// Keys of a query to kinds and operands. Applying them to values is in match_value.c.
#include "dicom/match.h"

#include "base/compose.h"
#include "base/fold.h"
#include "base/glob.h"
#include "base/uid.h"
#include "dicom/number.h"
#include "std/tag.h"

// A key under way.
struct parse {
    struct dicom_match *m;
    const struct dicom_match_policy *policy;
    struct arena *arena;
    struct fault *f;
    struct slice *operands;
    size_t count, cap;
    bool wildcard;  // an operand has wildcards
    bool universal; // an operand matches everything
    bool single;    // dates: none is a range
};

static enum err fail(struct parse *p, enum err e, const char *why) {
    return fault_set(p->f, e, "key (%04X,%04X) %s: %s", p->m->tag >> 16, p->m->tag & 0xFFFFu,
                     std_vr_info(p->m->vr)->code, why);
}

static enum err add(struct parse *p, struct slice operand) {
    if (p->count == DICOM_MATCH_MAX_OPERANDS)
        return fail(p, ERR_LIMIT, "too many values");
    if (operand.n > DICOM_MATCH_MAX_OPERAND_BYTES)
        return fail(p, ERR_LIMIT, "value too long");
    if (p->count == p->cap) {
        size_t cap = p->cap ? p->cap * 2 : 4;
        struct slice *grown = arena_calloc(p->arena, cap, sizeof *grown);
        if (!grown)
            return fail(p, ERR_NO_MEMORY, "too long");
        if (p->count)
            memcpy(grown, p->operands, p->count * sizeof *grown);
        p->operands = grown;
        p->cap = cap;
    }
    if (!arena_dup(p->arena, operand, &p->operands[p->count]))
        return fail(p, ERR_NO_MEMORY, "too long");
    p->count++;
    return OK;
}

static enum err add_range(struct parse *p, const char *low, const char *high) {
    enum err e = add(p, slice_str(low));
    return e != OK ? e : add(p, slice_str(high));
}

// --- by kind of VR ---

static enum err add_uid(struct parse *p, struct slice s) {
    struct slice uid = uid_trim(slice_trim(s, " "));
    return uid_tolerable(uid) ? add(p, uid) : fail(p, ERR_UID, "not a UID");
}

static enum err add_date(struct parse *p, struct slice s) {
    struct dicom_span span;
    if (!dicom_date_range(s, &span))
        return fail(p, ERR_SYNTAX, "not a date nor a range of dates");
    struct dicom_span one;
    p->single &= dicom_date_parse(s, &one);
    return add_range(p, span.low, span.high);
}

// From the query's time zone to the site's. What then crosses midnight is two ranges of a day.
static enum err add_shifted(struct parse *p, struct dicom_span *span, int minutes) {
    if (!span->low[0])
        memcpy(span->low, "000000.000000", DICOM_TIME_CHARS + 1);
    if (!span->high[0])
        memcpy(span->high, "235959.999999", DICOM_TIME_CHARS + 1);
    if (strcmp(span->low, span->high) > 0)
        return add_range(p, span->low, span->high);
    int low_day = dicom_time_shift(span->low, minutes), high_day = dicom_time_shift(span->high, minutes);
    if (low_day == high_day)
        return add_range(p, span->low, span->high);
    enum err e = add_range(p, span->low, "");
    return e != OK ? e : add_range(p, "", span->high);
}

static int shift_of(const struct dicom_match_policy *policy) {
    bool known = policy->zone_min != DICOM_ZONE_UNKNOWN && policy->site_zone_min != DICOM_ZONE_UNKNOWN;
    return known ? policy->site_zone_min - policy->zone_min : 0;
}

static enum err add_time(struct parse *p, struct slice s) {
    struct dicom_span span;
    if (!dicom_time_range(s, &span))
        return fail(p, ERR_SYNTAX, "not a time nor a range of times");
    int minutes = shift_of(p->policy);
    return minutes ? add_shifted(p, &span, minutes) : add_range(p, span.low, span.high);
}

// The zone of what does not say its own.
static int zone_of(const struct dicom_match_policy *policy) {
    return policy->zone_min != DICOM_ZONE_UNKNOWN ? policy->zone_min : policy->site_zone_min;
}

static enum err add_datetime(struct parse *p, struct slice s) {
    struct dicom_span span;
    if (!dicom_datetime_range(s, zone_of(p->policy), &span))
        return fail(p, ERR_SYNTAX, "not a date and time nor a range of them");
    return add_range(p, span.low, span.high);
}

static enum err add_number(struct parse *p, struct slice s) {
    uint8_t text[128];
    struct buf b = BUF_ON(text); // never longer: 64 digits, point, exponent
    if (!dicom_number_normalise(s, &b) || !buf_ok(&b))
        return fail(p, ERR_SYNTAX, "not a number");
    return add(p, buf_slice(&b));
}

static enum err add_age(struct parse *p, struct slice s) {
    bool ok = s.n == 4 && strchr("DWMY", s.p[3]) && s.p[3];
    for (size_t i = 0; ok && i < 3; i++)
        ok = s.p[i] >= '0' && s.p[i] <= '9';
    return ok ? add(p, s) : fail(p, ERR_SYNTAX, "not an age");
}

static enum err add_pattern(struct parse *p, struct slice s) {
    p->wildcard |= glob_has_wildcard(s);
    p->universal |= glob_is_universal(s);
    return add(p, s);
}

static enum err add_text(struct parse *p, struct slice s) {
    struct buf composed = BUF_INIT(DICOM_MATCH_MAX_OPERAND_BYTES);
    if (s.n > DICOM_MATCH_MAX_OPERAND_BYTES)
        return fail(p, ERR_LIMIT, "value too long");
    compose_text(s, &composed);
    enum err e = buf_ok(&composed) ? add_pattern(p, buf_slice(&composed))
                                   : fail(p, buf_error(&composed), "value too long");
    buf_fini(&composed);
    return e;
}

// "doe^*" shall find "doe" too, whose given name is empty: a pattern that ends so is tried without its
// end as well, in each group. `tails` has a bit for each group that keeps its "^*".
static void put_tails(struct slice name, unsigned tails, struct buf *out) {
    for (unsigned g = 0; name.p; g++) {
        struct slice group = slice_split(name, '=', &name);
        bool tail = false;
        while (group.n >= 2 && memcmp(group.p + group.n - 2, "^*", 2) == 0) {
            group.n -= 2;
            tail = true;
        }
        if (g > 0)
            buf_u8(out, '=');
        buf_append_slice(out, group);
        if (tail && (tails & 1u << g))
            buf_append_str(out, "^*");
    }
}

static bool already(const struct parse *p, size_t from, struct slice operand) {
    for (size_t i = from; i < p->count; i++)
        if (slice_eq(p->operands[i], operand))
            return true;
    return false;
}

static enum err add_name_variants(struct parse *p, struct slice folded) {
    struct buf variant = BUF_INIT(2 * DICOM_MATCH_MAX_OPERAND_BYTES);
    size_t from = p->count;
    enum err e = OK;
    for (unsigned tails = 1u << FOLD_NAME_GROUPS; e == OK && tails-- > 0;) {
        buf_reset(&variant);
        put_tails(folded, tails, &variant);
        if (!buf_ok(&variant))
            e = fail(p, ERR_NO_MEMORY, "too long");
        else if (!already(p, from, buf_slice(&variant)))
            e = add_pattern(p, buf_slice(&variant));
    }
    buf_fini(&variant);
    return e;
}

static enum err add_name(struct parse *p, struct slice s) {
    if (s.n > DICOM_MATCH_MAX_OPERAND_BYTES)
        return fail(p, ERR_LIMIT, "value too long");
    struct buf folded = BUF_INIT(DICOM_MATCH_MAX_OPERAND_BYTES);
    fold_name(s, &folded);
    enum err e = buf_ok(&folded) ? OK : fail(p, buf_error(&folded), "value too long");
    struct slice name = buf_slice(&folded);
    if (e == OK && glob_has_wildcard(name))
        e = add_name_variants(p, name);
    else if (e == OK && name.n > 0) // "^^" says nothing
        e = add(p, name);
    buf_fini(&folded);
    return e;
}

// One value of a key, not empty, blanks removed.
static enum err add_value(struct parse *p, struct slice s) {
    // clang-format off
    switch ((int)p->m->vr) {
    case VR_UI: return add_uid(p, s);
    case VR_DA: return add_date(p, s);
    case VR_TM: return add_time(p, s);
    case VR_DT: return add_datetime(p, s);
    case VR_IS:
    case VR_DS: return add_number(p, s);
    case VR_AS: return add_age(p, s);
    case VR_PN: return add_name(p, s);
    default: break;
    }
    // clang-format on
    return std_vr_info(p->m->vr)->wildcard ? add_text(p, s) : fail(p, ERR_UNSUPPORTED, "can't be matched");
}

// --- the key as a whole ---

// PS3.4 C.2.2.2.8: these VRs, and more than one value defined.
static bool takes_multiple(const struct dicom_match *m) {
    static const enum vr vrs[] = {VR_AE, VR_AS, VR_AT, VR_CS, VR_LO, VR_PN, VR_SH, VR_UC};
    const struct std_tag *t = std_tag_find(m->tag);
    if (t && t->vm_max == 1)
        return false;
    for (size_t i = 0; i < sizeof vrs / sizeof *vrs; i++)
        if (m->vr == vrs[i])
            return true;
    return false;
}

// Lone dates are no ranges: low and high are the same.
static void dates_to_list(struct dicom_match *m, struct slice *operands) {
    m->count /= 2;
    for (size_t i = 0; i < m->count; i++)
        operands[i] = operands[2 * i];
    m->kind = m->count > 1 ? DICOM_MATCH_LIST : DICOM_MATCH_SINGLE;
}

static enum err finish(struct parse *p, size_t values) {
    struct dicom_match *m = p->m;
    bool all = p->policy->multiple_values && values > 1 && takes_multiple(m);
    if (all && p->wildcard)
        return fail(p, ERR_SYNTAX, "wildcards among multiple values (PS3.4 C.2.2.2.8)");
    if (p->count == 0 || p->universal)
        return OK; // universal
    bool range = std_vr_info(m->vr)->range;
    m->operands = p->operands;
    m->count = p->count;
    if (range && m->vr == VR_DA && p->single)
        dates_to_list(m, p->operands);
    else if (range)
        m->kind = DICOM_MATCH_RANGE;
    else if (p->wildcard)
        m->kind = DICOM_MATCH_WILDCARD;
    else if (p->count > 1)
        m->kind = all ? DICOM_MATCH_ALL : DICOM_MATCH_LIST;
    else
        m->kind = DICOM_MATCH_SINGLE;
    return OK;
}

static enum err parse_text(struct parse *p, struct slice utf8) {
    const struct std_vr *info = std_vr_info(p->m->vr);
    struct slice rest = slice_trim_right(utf8, " ");
    if (info->trim == VR_TRIM_BOTH)
        rest = slice_trim(rest, " ");
    if (p->policy->empty_value && slice_eq_str(rest, "\"\"")) {
        p->m->kind = DICOM_MATCH_EMPTY;
        return OK;
    }
    size_t values = 0;
    while (rest.p && rest.n > 0) {
        struct slice one = rest;
        if (info->multi)
            one = slice_split(rest, '\\', &rest);
        else
            rest.p = NULL;
        one = info->trim == VR_TRIM_BOTH ? slice_trim(one, " ") : slice_trim_right(one, " ");
        enum err e = one.n > 0 ? add_value(p, one) : OK;
        if (e != OK)
            return e;
        values += one.n > 0;
    }
    return finish(p, values);
}

static enum err parse_string(struct parse *p, struct slice raw, const struct dicom_charset *cs) {
    struct buf utf8 = BUF_INIT(3 * (size_t)DICOM_MATCH_MAX_KEY_BYTES);
    dicom_charset_decode(cs, p->m->vr, raw, &utf8);
    enum err e = buf_ok(&utf8) ? parse_text(p, buf_slice(&utf8)) : fail(p, ERR_NO_MEMORY, "too long");
    buf_fini(&utf8);
    return e;
}

// The bytes of binary numbers; their decimal form is the operand (match_value.c makes it).
static enum err parse_numbers(struct parse *p, struct slice raw) {
    size_t width = std_vr_info(p->m->vr)->value_bytes, values = raw.n / width;
    if (p->policy->empty_value && raw.n == 2 && memcmp(raw.p, "\"\"", 2) == 0 && width > 2) {
        p->m->kind = DICOM_MATCH_EMPTY;
        return OK;
    }
    if (raw.n % width != 0)
        return fail(p, ERR_SYNTAX, "odd number of bytes");
    for (size_t i = 0; i < values; i++) {
        uint8_t text[64];
        struct buf b = BUF_ON(text);
        dicom_match_normalise(p->m->vr, slice_sub(raw, i * width, width), DICOM_ZONE_UNKNOWN, &b);
        enum err e = add(p, buf_slice(&b));
        if (e != OK)
            return e;
    }
    return finish(p, values);
}

static bool only_padding(struct slice raw) {
    for (size_t i = 0; i < raw.n; i++)
        if (raw.p[i] != 0 && raw.p[i] != ' ')
            return false;
    return true;
}

enum err dicom_match_parse(struct dicom_match *ret_match, uint32_t tag, enum vr vr, struct slice raw,
                           const struct dicom_charset *cs, const struct dicom_match_policy *policy,
                           struct arena *a, struct fault *f) {
    struct dicom_match m = {.tag = tag, .vr = vr, .kind = DICOM_MATCH_UNIVERSAL};
    struct parse p = {.m = &m, .policy = policy, .arena = a, .f = f, .single = true};
    enum vr_class class_ = std_vr_info(vr)->class_;
    enum err e = OK;
    if (raw.n > DICOM_MATCH_MAX_KEY_BYTES)
        e = fail(&p, ERR_LIMIT, "too long");
    else if (class_ == VR_CLASS_STRING)
        e = only_padding(raw) ? OK : parse_string(&p, raw, cs);
    else if (class_ == VR_CLASS_NUMBER)
        e = parse_numbers(&p, raw);
    else if (raw.n > 0)
        e = fail(&p, ERR_UNSUPPORTED, "can't be matched");
    if (e == OK)
        *ret_match = m;
    return e;
}

// A range of dates and one of times, as one: low with low, high with high.
static bool join(char dst[DICOM_DATETIME_CHARS + 1], const char *date, const char *time,
                 const struct dicom_match_policy *policy) {
    dst[0] = 0;
    if (!date[0])
        return true;
    memcpy(dst, date, DICOM_DATE_CHARS);
    memcpy(dst + DICOM_DATE_CHARS, time, DICOM_TIME_CHARS + 1);
    return dicom_datetime_shift(dst, shift_of(policy));
}

static struct slice key_text(struct slice raw) {
    while (raw.n > 0 && (raw.p[raw.n - 1] == 0 || raw.p[raw.n - 1] == ' '))
        raw.n--;
    return slice_trim(raw, " ");
}

bool dicom_match_combine(struct slice date_key, struct slice time_key,
                         const struct dicom_match_policy *policy, struct arena *a,
                         struct dicom_match *ret_match) {
    struct dicom_span date, time, one, both;
    struct slice d = key_text(date_key), t = key_text(time_key);
    if (!dicom_date_range(d, &date) || !dicom_time_range(t, &time) || dicom_date_parse(d, &one) ||
        dicom_time_parse(t, &one))
        return false;
    if (!date.low[0] != !time.low[0] || !date.high[0] != !time.high[0])
        return false;
    if (!join(both.low, date.low, time.low, policy) || !join(both.high, date.high, time.high, policy))
        return false;
    struct slice *operands = arena_calloc(a, 2, sizeof *operands);
    if (!operands || !arena_dup(a, slice_str(both.low), &operands[0]) ||
        !arena_dup(a, slice_str(both.high), &operands[1]))
        return false;
    *ret_match =
        (struct dicom_match){.vr = VR_DT, .kind = DICOM_MATCH_RANGE, .count = 2, .operands = operands};
    return true;
}

const char *dicom_match_kind_name(enum dicom_match_kind kind) {
    static const char *const names[] = {"universal", "single", "list", "all", "wildcard", "range", "empty"};
    return (size_t)kind < sizeof names / sizeof *names ? names[kind] : "?";
}
