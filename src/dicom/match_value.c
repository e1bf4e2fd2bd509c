// Stored values: the form they are compared in, and comparing. Parsing keys is in match.c.
#include <inttypes.h>
#include <stdio.h>

#include "base/compose.h"
#include "base/fold.h"
#include "base/glob.h"
#include "base/uid.h"
#include "base/utf8.h"
#include "dicom/match.h"
#include "dicom/number.h"

enum { NAME_MAX_BYTES = 64 * 1024 }; // of one folded name; longer ones match nothing

static uint64_t little_endian(struct slice s) {
    uint64_t v = 0;
    for (size_t i = s.n; i-- > 0;)
        v = v << 8 | s.p[i];
    return v;
}

static bool put_float(double v, int digits, struct buf *out) {
    char text[48];
    snprintf(text, sizeof text, "%.*g", digits, v);
    return dicom_number_normalise(slice_str(text), out); // not for infinities and NaN
}

// A binary number, little endian, in decimal; AT in hexadecimal.
static bool put_binary(enum vr vr, struct slice s, struct buf *out) {
    uint64_t v = little_endian(s);
    float f;
    double d;
    switch ((int)vr) {
    case VR_AT:
        buf_printf(out, "%04X%04X", (unsigned)(v & 0xFFFF), (unsigned)(v >> 16 & 0xFFFF));
        return true;
    case VR_FL:
        memcpy(&f, &(uint32_t){(uint32_t)v}, sizeof f);
        return put_float((double)f, 9, out);
    case VR_FD:
        memcpy(&d, &v, sizeof d);
        return put_float(d, 17, out);
    case VR_SS:
        buf_printf(out, "%" PRId16, (int16_t)v);
        return true;
    case VR_SL:
        buf_printf(out, "%" PRId32, (int32_t)v);
        return true;
    case VR_SV:
        buf_printf(out, "%" PRId64, (int64_t)v);
        return true;
    default:
        buf_printf(out, "%" PRIu64, v);
        return true;
    }
}

// One value, blanks removed, not empty.
static bool put_one(enum vr vr, struct slice s, int zone_min, struct buf *out) {
    struct dicom_span span;
    bool ok = true;
    switch ((int)vr) {
    case VR_DA:
        ok = dicom_date_parse(s, &span);
        break;
    case VR_TM:
        ok = dicom_time_parse(s, &span);
        break;
    case VR_DT:
        ok = dicom_datetime_parse(s, zone_min, &span);
        break;
    case VR_IS:
    case VR_DS:
        return dicom_number_normalise(s, out);
    case VR_PN:
        fold_name(s, out);
        return true;
    case VR_UI:
        buf_append_slice(out, uid_trim(s));
        return true;
    default:
        compose_text(s, out);
        return true;
    }
    if (ok)
        buf_append_str(out, span.low);
    return ok;
}

// The values of an element, one after the other.
struct values {
    enum vr vr;
    struct slice rest;
    size_t width; // of binary numbers, else 0
    bool multi, both;
};

static struct values values_of(enum vr vr, struct slice value) {
    const struct std_vr *info = std_vr_info(vr);
    struct values v = {vr, value, 0, info->multi, info->trim == VR_TRIM_BOTH};
    if (info->class_ == VR_CLASS_NUMBER)
        v.width = info->value_bytes;
    else
        while (v.rest.n > 0 && v.rest.p[v.rest.n - 1] == 0)
            v.rest.n--;
    if (v.rest.n == 0)
        v.rest.p = NULL;
    return v;
}

static bool values_next(struct values *v, struct slice *ret_value) {
    if (!v->rest.p || (v->width && v->rest.n < v->width))
        return false;
    if (v->width) {
        *ret_value = slice_sub(v->rest, 0, v->width);
        v->rest = slice_sub(v->rest, v->width, v->rest.n);
        return true;
    }
    struct slice one = v->rest;
    if (v->multi)
        one = slice_split(v->rest, '\\', &v->rest);
    else
        v->rest.p = NULL;
    *ret_value = v->both ? slice_trim(one, " ") : slice_trim_right(one, " ");
    return true;
}

bool dicom_match_normalise(enum vr vr, struct slice value, int zone_min, struct buf *out) {
    struct values values = values_of(vr, value);
    struct slice one;
    bool ok = true;
    for (bool first = true; values_next(&values, &one); first = false) {
        if (!first)
            buf_u8(out, '\\');
        if (values.width)
            ok &= put_binary(vr, one, out);
        else if (one.n > 0)
            ok &= put_one(vr, one, zone_min, out);
    }
    return ok;
}

static bool any_equal(const struct dicom_match *m, struct slice normal) {
    for (size_t i = 0; i < m->count; i++)
        if (m->vr == VR_PN ? glob_match_name(m->operands[i], normal) : slice_eq(m->operands[i], normal))
            return true;
    return false;
}

static bool any_pattern(const struct dicom_match *m, struct slice normal) {
    for (size_t i = 0; i < m->count; i++)
        if (m->vr == VR_PN ? glob_match_name(m->operands[i], normal) : glob_match(m->operands[i], normal))
            return true;
    return false;
}

static bool any_range(const struct dicom_match *m, struct slice normal) {
    for (size_t i = 0; i + 1 < m->count; i += 2)
        if (glob_in_range(m->operands[i], m->operands[i + 1], normal))
            return true;
    return false;
}

bool dicom_match_normal(const struct dicom_match *m, struct slice normal) {
    switch (m->kind) {
    case DICOM_MATCH_UNIVERSAL:
        return true;
    case DICOM_MATCH_EMPTY:
        return normal.n == 0;
    case DICOM_MATCH_SINGLE:
    case DICOM_MATCH_LIST:
        return normal.n > 0 && any_equal(m, normal);
    case DICOM_MATCH_ALL:
        return normal.n > 0 && m->count == 1 && any_equal(m, normal);
    case DICOM_MATCH_WILDCARD:
        return normal.n > 0 && any_pattern(m, normal);
    case DICOM_MATCH_RANGE:
        return any_range(m, normal);
    default:
        bug("no such kind of match");
    }
}

// What composing could change; a text longer than a name may be is compared as it is.
static bool may_be_composed(const struct values *values, struct slice one) {
    bool fits = one.n <= NAME_MAX_BYTES / COMPOSE_GROWTH_MAX;
    return fits && std_vr_info(values->vr)->charset && utf8_ascii(one) < one.n;
}

// What a value is compared as; text that needs no change is not copied.
static struct slice normal_of(const struct values *values, struct slice one, int zone_min,
                              struct buf *scratch) {
    buf_reset(scratch);
    if (values->width)
        put_binary(values->vr, one, scratch);
    else if (values->vr == VR_PN || values->vr == VR_DA || values->vr == VR_TM || values->vr == VR_DT ||
             values->vr == VR_IS || values->vr == VR_DS || values->vr == VR_UI ||
             may_be_composed(values, one))
        put_one(values->vr, one, zone_min, scratch);
    else
        return one;
    return buf_ok(scratch) ? buf_slice(scratch) : (struct slice){NULL, 0};
}

static bool is_empty(enum vr vr, struct slice value) {
    struct values values = values_of(vr, value);
    struct slice one;
    while (values_next(&values, &one))
        if (one.n > 0)
            return false;
    return true;
}

static bool any_value(const struct dicom_match *m, struct slice value, int zone_min, struct buf *scratch) {
    struct values values = values_of(m->vr, value);
    struct slice one;
    while (values_next(&values, &one))
        if (one.n > 0 && dicom_match_normal(m, normal_of(&values, one, zone_min, scratch)))
            return true;
    return false;
}

static bool all_values(const struct dicom_match *m, struct slice value, int zone_min, struct buf *scratch) {
    for (size_t i = 0; i < m->count; i++) {
        struct dicom_match each = {m->tag, m->vr, DICOM_MATCH_SINGLE, 1, &m->operands[i]};
        if (!any_value(&each, value, zone_min, scratch))
            return false;
    }
    return true;
}

bool dicom_match_value(const struct dicom_match *m, struct slice value, int zone_min) {
    if (m->kind == DICOM_MATCH_UNIVERSAL)
        return true;
    if (m->kind == DICOM_MATCH_EMPTY)
        return is_empty(m->vr, value);
    struct buf scratch = BUF_INIT(NAME_MAX_BYTES);
    bool ok = m->kind == DICOM_MATCH_ALL ? all_values(m, value, zone_min, &scratch)
                                         : any_value(m, value, zone_min, &scratch);
    buf_fini(&scratch);
    return ok;
}
