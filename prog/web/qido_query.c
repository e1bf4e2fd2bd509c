#include "qido_query.h"

#include "base/hex.h"
#include "base/uid.h"
#include "http/target.h"
#include "std/tag.h"
#include "worker/indexed.h"

#include <stdio.h>

// --- what comes back without being asked for: PS3.18 Tables 10.6.3-3, -4, -5

static const uint32_t study_fields[] = {TAG_StudyDate,
                                        TAG_StudyTime,
                                        TAG_AccessionNumber,
                                        TAG_InstanceAvailability,
                                        TAG_ModalitiesInStudy,
                                        TAG_ReferringPhysicianName,
                                        TAG_TimezoneOffsetFromUTC,
                                        TAG_RetrieveURL,
                                        TAG_PatientName,
                                        TAG_PatientID,
                                        TAG_PatientBirthDate,
                                        TAG_PatientSex,
                                        TAG_StudyInstanceUID,
                                        TAG_StudyID,
                                        TAG_NumberOfStudyRelatedSeries,
                                        TAG_NumberOfStudyRelatedInstances};
static const uint32_t series_fields[] = {TAG_Modality,
                                         TAG_TimezoneOffsetFromUTC,
                                         TAG_SeriesDescription,
                                         TAG_RetrieveURL,
                                         TAG_SeriesInstanceUID,
                                         TAG_SeriesNumber,
                                         TAG_NumberOfSeriesRelatedInstances,
                                         TAG_PerformedProcedureStepStartDate,
                                         TAG_PerformedProcedureStepStartTime,
                                         TAG_StudyInstanceUID,
                                         TAG_RequestAttributesSequence};
static const uint32_t instance_fields[] = {TAG_SOPClassUID,
                                           TAG_SOPInstanceUID,
                                           TAG_InstanceAvailability,
                                           TAG_TimezoneOffsetFromUTC,
                                           TAG_RetrieveURL,
                                           TAG_InstanceNumber,
                                           TAG_Rows,
                                           TAG_Columns,
                                           TAG_BitsAllocated,
                                           TAG_NumberOfFrames,
                                           TAG_SeriesInstanceUID,
                                           TAG_StudyInstanceUID,
                                           TAG_AvailableTransferSyntaxUID};

static enum err put_fields(struct dicom_dataset *keys, const uint32_t *fields, size_t n) {
    enum err e = OK;
    for (size_t i = 0; e == OK && i < n; i++) {
        enum vr vr = (enum vr)std_tag_find(fields[i])->vr[0];
        if (dicom_dataset_find(keys, fields[i]))
            continue;
        e = vr == VR_SQ ? dicom_dataset_put_sequence(keys, fields[i])
                        : dicom_dataset_put(keys, fields[i], vr, slice_of(NULL, 0));
    }
    return e;
}

// Attributes of the levels above come too, where the path does not name the entity: PS3.18 10.6.3.3.
static enum err put_default_fields(struct dicom_dataset *keys, enum query_level level, bool in_study,
                                   bool in_series) {
    enum err e = OK;
    if (level == QUERY_LEVEL_STUDY || !in_study)
        e = put_fields(keys, study_fields, sizeof study_fields / sizeof *study_fields);
    if (e == OK && (level == QUERY_LEVEL_SERIES || (level == QUERY_LEVEL_IMAGE && !in_series)))
        e = put_fields(keys, series_fields, sizeof series_fields / sizeof *series_fields);
    if (e == OK && level == QUERY_LEVEL_IMAGE)
        e = put_fields(keys, instance_fields, sizeof instance_fields / sizeof *instance_fields);
    return e;
}

// --- attributes as a URL names them: PS3.18 8.3.4.1.1, {attributeID}

static bool one_tag(struct slice s, uint32_t *ret_tag) {
    if (hex_u32(s, ret_tag))
        return std_tag_find(*ret_tag) != NULL || tag_is_private(*ret_tag);
    const struct std_tag *known = std_tag_by_keyword(s);
    if (known)
        *ret_tag = known->tag;
    return known != NULL;
}

struct path {
    uint32_t tags[QIDO_DEPTH_MAX];
    size_t n;
};

static bool parse_path(struct slice s, struct path *ret_path) {
    struct path p = {.n = 0};
    struct slice rest = s;
    while (rest.p) {
        struct slice part = slice_split(rest, '.', &rest);
        if (p.n == QIDO_DEPTH_MAX || !one_tag(part, &p.tags[p.n]))
            return false;
        p.n++;
    }
    *ret_path = p;
    return true;
}

// Of a private attribute nobody but its maker knows the VR: it is matched as text.
static enum vr vr_of(uint32_t tag) {
    const struct std_tag *known = std_tag_find(tag);
    return known ? (enum vr)known->vr[0] : VR_LO;
}

// --- values: the text of the URL as the element's raw value

static enum err number_value(struct request *rq, enum vr vr, struct slice text, struct slice *ret_raw,
                             struct fault *f) {
    uint64_t v = 0;
    unsigned bytes = std_vr_info(vr)->value_bytes;
    bool whole = vr == VR_US || vr == VR_UL || vr == VR_UV;
    if (!whole || !slice_to_u64(text, bytes == 2 ? UINT16_MAX : bytes == 4 ? UINT32_MAX : UINT64_MAX, &v))
        return fault_set(f, ERR_SYNTAX, "a value is no whole number of its range");
    uint8_t *p = arena_alloc(&rq->arena, 8);
    if (!p)
        return fault_set(f, ERR_NO_MEMORY, "query");
    for (unsigned i = 0; i < bytes; i++)
        p[i] = (uint8_t)(v >> 8 * i);
    *ret_raw = slice_of(p, bytes);
    return OK;
}

// Lists of UIDs take commas, nothing else does: PS3.18 8.3.4.1.
static enum err uid_value(struct request *rq, struct slice text, struct slice *ret_raw, struct fault *f) {
    uint8_t *p = arena_alloc(&rq->arena, text.n + 1);
    if (!p)
        return fault_set(f, ERR_NO_MEMORY, "query");
    for (size_t i = 0; i < text.n; i++)
        p[i] = text.p[i] == ',' ? '\\' : text.p[i];
    *ret_raw = slice_of(p, text.n);
    return OK;
}

static enum err raw_value(struct request *rq, enum vr vr, struct slice text, struct slice *ret_raw,
                          struct fault *f) {
    *ret_raw = text;
    if (text.n == 0)
        return OK;
    switch ((enum vr_class)std_vr_info(vr)->class_) {
    case VR_CLASS_STRING:
        return vr == VR_UI ? uid_value(rq, text, ret_raw, f) : OK;
    case VR_CLASS_NUMBER:
        return number_value(rq, vr, text, ret_raw, f);
    case VR_CLASS_NONE:
    case VR_CLASS_BYTES:
    case VR_CLASS_SEQUENCE:
        break;
    }
    return fault_set(f, ERR_UNSUPPORTED, "an attribute of VR %s cannot be matched", std_vr_info(vr)->code);
}

// --- keys

static struct dicom_dataset *step_into(struct dicom_dataset *ds, uint32_t sequence) {
    const struct dicom_element *e = dicom_dataset_find(ds, sequence);
    if (e && dicom_items_count(e) > 0)
        return dicom_items_at(e, 0);
    return dicom_dataset_add_item(ds, sequence);
}

static enum err put_key(struct request *rq, struct dicom_dataset *keys, const struct path *path,
                        struct slice text, bool is_match, struct fault *f) {
    struct dicom_dataset *ds = keys;
    for (size_t i = 0; i + 1 < path->n && ds; i++) {
        if (vr_of(path->tags[i]) != VR_SQ)
            return fault_set(f, ERR_SYNTAX, "%08X is no sequence", path->tags[i]);
        ds = step_into(ds, path->tags[i]);
    }
    if (!ds)
        return fault_set(f, ERR_LIMIT, "too many keys");
    uint32_t tag = path->tags[path->n - 1];
    const struct dicom_element *there = dicom_dataset_find(ds, tag);
    if (there && (!is_match || there->value.n > 0))
        return is_match ? fault_set(f, ERR_SYNTAX, "%08X is there twice", tag) : OK;
    if (vr_of(tag) == VR_SQ)
        return text.n == 0 ? dicom_dataset_put_sequence(ds, tag)
                           : fault_set(f, ERR_SYNTAX, "%08X is a sequence: name an attribute in it", tag);
    struct slice raw;
    enum err e = raw_value(rq, vr_of(tag), text, &raw, f);
    return e == OK ? dicom_dataset_put(ds, tag, vr_of(tag), raw) : e;
}

static enum err include(struct request *rq, struct qido_query *q, struct slice list, struct fault *f) {
    enum err e = OK;
    struct slice rest = list;
    while (rest.p && e == OK) {
        struct slice name = slice_trim(slice_split(rest, ',', &rest), " ");
        struct path path;
        if (slice_eq_str(name, "all"))
            q->all = true;
        else if (parse_path(name, &path))
            e = put_key(rq, q->id.keys, &path, slice_of(NULL, 0), false, f);
        else
            e = fault_set(f, ERR_SYNTAX, "includefield names what is no attribute (keyword or 8 hex digits)");
    }
    return e;
}

static enum err flag(struct slice value, const char *name, bool *ret_flag, struct fault *f) {
    *ret_flag = slice_eq_str(value, "true");
    return *ret_flag || slice_eq_str(value, "false")
               ? OK
               : fault_set(f, ERR_SYNTAX, "%s must be true or false", name);
}

static enum err number(struct slice value, const char *name, uint64_t *ret_number, struct fault *f) {
    return slice_to_u64(value, UINT32_MAX, ret_number)
               ? OK
               : fault_set(f, ERR_SYNTAX, "%s must be a number", name);
}

// A study cannot be found by what only its series have (PS3.18 8.3.4.1), nor anything by how much is in it
// (PS3.4 C.3.4): leaving the key out would find them all.
static enum err check_match(const struct path *path, struct slice value, enum query_level level,
                            struct fault *f) {
    uint32_t tag = path->tags[path->n - 1];
    int attr = path->n == 1 ? indexed_find(0, tag) : path->n == 2 ? indexed_find(path->tags[0], tag) : -1;
    if (attr >= 0 && index_attr_table[attr].level > (unsigned)level)
        return fault_set(f, ERR_SYNTAX, "%08X belongs to a level below the one searched", tag);
    if (attr >= 0 && indexed_is_count(attr) && value.n > 0)
        return fault_set(f, ERR_SYNTAX, "%08X is counted, and cannot be matched", tag);
    return OK;
}

// One parameter. The names that are no attribute: PS3.18 Table 8.3.4-1.
static enum err take(struct request *rq, struct qido_query *q, struct slice name, struct slice value,
                     struct fault *f) {
    struct path path;
    if (slice_eq_str(name, "includefield"))
        return include(rq, q, value, f);
    if (slice_eq_str(name, "limit")) {
        q->limited = true;
        return number(value, "limit", &q->limit, f);
    }
    if (slice_eq_str(name, "offset"))
        return number(value, "offset", &q->offset, f);
    if (slice_eq_str(name, "fuzzymatching"))
        return flag(value, "fuzzymatching", &q->options.fuzzy, f);
    if (slice_eq_str(name, "emptyvaluematching"))
        return flag(value, "emptyvaluematching", &q->options.empty_value, f);
    if (slice_eq_str(name, "multiplevaluematching"))
        return flag(value, "multiplevaluematching", &q->options.multiple_value, f);
    if (slice_eq_str(name, "count"))
        return flag(value, "count", &q->count, f);
    if (slice_eq_str(name, "accept") || slice_eq_str(name, "charset") || slice_eq_str(name, "access_token"))
        return OK;
    if (parse_path(name, &path)) {
        enum err e = check_match(&path, value, q->id.level, f);
        return e == OK ? put_key(rq, q->id.keys, &path, value, true, f) : e;
    }
    return fault_set(f, ERR_SYNTAX,
                     "a parameter is neither one of QIDO-RS nor an attribute (keyword or 8 hex digits)");
}

static enum err take_query(struct request *rq, struct qido_query *q, struct fault *f) {
    struct query pairs = query_init(rq->http->query);
    struct slice name, value;
    enum err e = OK;
    while (e == OK && query_next(&pairs, &rq->arena, &name, &value))
        e = take(rq, q, name, value, f);
    return e == OK && pairs.error != OK ? fault_set(f, pairs.error, "the query of the URL") : e;
}

// A private attribute means something only together with its creator: PS3.5 7.8.1.
static enum err check_creators(const struct dicom_dataset *keys, struct fault *f) {
    for (size_t i = 0; i < dicom_dataset_count(keys); i++) {
        uint32_t tag = dicom_dataset_at(keys, i)->tag;
        if (!tag_is_private(tag) || tag_is_private_creator(tag))
            continue;
        const struct dicom_element *creator =
            dicom_dataset_find(keys, (tag & 0xFFFF0000u) | (uint32_t)(tag_element(tag) >> 8));
        if (!creator || creator->value.n == 0)
            return fault_set(f, ERR_SYNTAX, "private attribute %08X needs its creator as another key", tag);
    }
    return OK;
}

// The entities that the path names.
static enum err take_path(struct request *rq, struct qido_query *q, struct fault *f) {
    static const uint32_t tags[] = {TAG_StudyInstanceUID, TAG_SeriesInstanceUID};
    enum err e = OK;
    for (size_t i = 0; e == OK && i < 2 && rq->parts[i].p; i++) {
        if (!uid_tolerable(rq->parts[i]))
            return fault_set(f, ERR_NO_SUCH_OBJECT, "the path names a UID that is none");
        e = dicom_dataset_put(q->id.keys, tags[i], VR_UI, rq->parts[i]);
    }
    return e;
}

enum err qido_query_parse(struct request *rq, enum query_level level, struct qido_query *ret_query,
                          struct fault *f) {
    struct qido_query *q = ret_query;
    *q = (struct qido_query){.id = {.arena = ARENA_INIT(8 * 1024 * 1024),
                                    .charset = dicom_charset_utf8,
                                    .root = QUERY_ROOT_STUDY,
                                    .level = level},
                             .options = {.datetime = true}};
    q->id.keys = dicom_dataset_new(&q->id.arena);
    if (!q->id.keys)
        return fault_set(f, ERR_NO_MEMORY, "query");
    enum err e = take_path(rq, q, f);
    if (e == OK)
        e = take_query(rq, q, f);
    if (e == OK)
        e = check_creators(q->id.keys, f);
    if (e == OK)
        e = put_default_fields(q->id.keys, level, rq->parts[0].p != NULL, rq->parts[1].p != NULL);
    return e;
}
