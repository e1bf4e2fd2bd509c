#include "identifier.h"

#include "base/uid.h"
#include "dicom/match.h"
#include "worker/indexed.h"
#include "std/tag.h"
#include "std/uid.h"

static const char *const level_names[] = {"PATIENT", "STUDY", "SERIES", "IMAGE"};

const char *identifier_level_name(enum query_level level) {
    return level_names[level];
}

// Which levels each model has: PS3.4 C.6.1.1, C.6.2.1, C.6.3.1 (retired).
static bool level_allowed(enum sop_model model, enum query_level level) {
    switch (model) {
    case SOP_MODEL_PATIENT_ROOT:
        return true;
    case SOP_MODEL_STUDY_ROOT:
        return level >= QUERY_LEVEL_STUDY;
    case SOP_MODEL_PATIENT_STUDY_ONLY:
        return level <= QUERY_LEVEL_STUDY;
    case SOP_MODEL_NONE:
    case SOP_MODEL_COMPOSITE:
    case SOP_MODEL_NONPATIENT:
    case SOP_MODEL_REPOSITORY:
        return false;
    }
    return false;
}

static bool find_level(struct identifier *id, enum sop_model model) {
    struct slice value = dicom_dataset_trimmed(id->keys, TAG_QueryRetrieveLevel);
    for (int i = QUERY_LEVEL_PATIENT; i <= QUERY_LEVEL_IMAGE; i++) {
        if (slice_eq_str(value, level_names[i]) && level_allowed(model, (enum query_level)i)) {
            id->level = (enum query_level)i;
            return true;
        }
    }
    return false;
}

static enum err parse(struct worker *w, struct slice bytes, const char *transfer, struct identifier *id,
                      struct fault *f) {
    (void)w;
    struct dicom_reader_options o;
    const struct std_ts *ts = std_ts_find(slice_str(transfer));
    if (!ts || !dicom_reader_options_for(ts, &o))
        return fault_set(f, ERR_UNSUPPORTED, "transfer syntax is not read here");
    o.value_max = DICOM_MATCH_MAX_KEY_BYTES;
    id->syntax = o.syntax;
    enum err e = dicom_dataset_parse(bytes, &o, &id->arena, f, &id->keys);
    if (e == OK)
        dicom_charset_init(&id->charset, dicom_dataset_value(id->keys, TAG_SpecificCharacterSet));
    return e;
}

bool identifier_receive(struct worker *w, const struct ul_assoc_event *rq, struct identifier *ret_id,
                        uint16_t *ret_status, struct fault *f) {
    *ret_id = (struct identifier){.arena = ARENA_INIT(IDENTIFIER_ARENA_BYTES)};
    const struct ul_agreed *agreed = ul_assoc_context(w->client.assoc, rq->context);
    struct buf bytes = BUF_INIT(IDENTIFIER_MAX_BYTES);
    enum err e = collect_data_set(w, &bytes);
    *ret_status = 0;
    if (e == ERR_PEER_GONE) {
        buf_fini(&bytes);
        return false;
    }
    const struct std_sop *sop = std_sop_find(slice_str(agreed->abstract));
    if (e != OK)
        (void)fault_set(f, e, "identifier longer than %d bytes", IDENTIFIER_MAX_BYTES);
    else if (!sop || strcmp(rq->command->affected_class, agreed->abstract) != 0)
        e = fault_set(f, ERR_UNSUPPORTED, "SOP class is not that of the presentation context");
    else
        e = parse(w, buf_slice(&bytes), agreed->transfer, ret_id, f);
    if (e == OK && !find_level(ret_id, (enum sop_model)sop->model))
        e = fault_set(f, ERR_MISMATCH, "Query/Retrieve Level missing or not of this model");
    if (e == OK)
        ret_id->root = sop->model == SOP_MODEL_STUDY_ROOT ? QUERY_ROOT_STUDY : QUERY_ROOT_PATIENT;
    buf_fini(&bytes);
    *ret_status = e == ERR_LIMIT ? DIMSE_OUT_OF_RESOURCES : err_dimse_status(e);
    return e == OK;
}

static const enum index_attr unique_of_level[] = {
    [QUERY_LEVEL_PATIENT] = INDEX_ATTR_PatientID,
    [QUERY_LEVEL_STUDY] = INDEX_ATTR_StudyInstanceUID,
    [QUERY_LEVEL_SERIES] = INDEX_ATTR_SeriesInstanceUID,
    [QUERY_LEVEL_IMAGE] = INDEX_ATTR_SOPInstanceUID,
};

// One or (UIDs only) several values, and no wildcards: PS3.4 C.4.2.1.4, C.4.3.1.3.
static enum err put_unique(struct identifier *id, enum query_level level, struct buf *conditions,
                           struct fault *f) {
    const struct index_attr_info *attr = &index_attr_table[unique_of_level[level]];
    const struct dicom_element *key = dicom_dataset_find(id->keys, attr->tag);
    struct dicom_match match = {.kind = DICOM_MATCH_UNIVERSAL};
    if (key) {
        enum err e = dicom_match_parse(&match, attr->tag, (enum vr)attr->vr, key->value, &id->charset,
                                       &DICOM_MATCH_POLICY_PLAIN, &id->arena, f);
        if (e != OK)
            return e;
    }
    if (match.kind == DICOM_MATCH_UNIVERSAL)
        return level == id->level
                   ? fault_set(f, ERR_MISMATCH, "the unique key of level %s is missing", level_names[level])
                   : OK;
    if (match.kind != DICOM_MATCH_SINGLE && (match.kind != DICOM_MATCH_LIST || attr->vr != VR_UI))
        return fault_set(f, ERR_MISMATCH, "the unique key of level %s must name what to retrieve",
                         level_names[level]);
    query_put(conditions, &(struct query_condition){.attribute = (uint16_t)unique_of_level[level],
                                                    .kind = match.count == 1 ? QUERY_SINGLE : QUERY_LIST,
                                                    .count = (uint16_t)match.count,
                                                    .operands = match.operands});
    return OK;
}

enum err identifier_unique_keys(struct identifier *id, struct buf *conditions, struct fault *f) {
    for (int level = id->root == QUERY_ROOT_STUDY ? QUERY_LEVEL_STUDY : QUERY_LEVEL_PATIENT;
         level <= (int)id->level; level++) {
        enum err e = put_unique(id, (enum query_level)level, conditions, f);
        if (e != OK)
            return e;
    }
    return buf_check(conditions, f, "too many UIDs");
}
