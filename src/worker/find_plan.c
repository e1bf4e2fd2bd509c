#include "worker/find.h"

#include "worker/indexed.h"
#include "std/tag.h"

// Attributes of the identifier that are no keys (PS3.4 C.4.1.1.3.1).
static bool is_control(const struct dicom_element *e) {
    uint32_t tag = e->tag;
    bool is_zone_of_query = tag == TAG_TimezoneOffsetFromUTC && e->value.n > 0;
    return tag == TAG_SpecificCharacterSet || tag == TAG_QueryRetrieveLevel || tag == TAG_RetrieveAETitle ||
           is_zone_of_query || tag == TAG_QueryRetrieveView || tag_is_group_length(tag) || tag_group(tag) < 8;
}

static int slot_for(struct find_plan *p, int attr) {
    for (size_t i = 0; i < p->return_count; i++)
        if (p->returns[i] == attr)
            return (int)i;
    p->returns[p->return_count] = (uint16_t)attr;
    return (int)p->return_count++;
}

static void put(struct find_plan *p, int attr, enum query_kind kind, const struct slice *operands,
                size_t count) {
    query_put(&p->conditions,
              &(struct query_condition){(uint16_t)attr, (uint8_t)kind, (uint16_t)count, operands});
}

// A name by its words (base/fuzzy.h); a key of nothing but wildcards matches all.
static void put_fuzzy(struct find_plan *p, int attr, struct slice operand) {
    if (slice_trim(operand, " ^=*?").n > 0)
        put(p, attr, QUERY_FUZZY, &operand, 1);
}

static void put_condition(struct find_plan *p, int attr, const struct dicom_match *m) {
    if (p->fuzzy && m->vr == VR_PN && m->count == 1) {
        put_fuzzy(p, attr, m->operands[0]);
        return;
    }
    switch (m->kind) {
    case DICOM_MATCH_UNIVERSAL:
        break;
    case DICOM_MATCH_SINGLE:
        put(p, attr, QUERY_SINGLE, m->operands, 1);
        break;
    case DICOM_MATCH_LIST:
        put(p, attr, QUERY_LIST, m->operands, m->count);
        break;
    case DICOM_MATCH_ALL:
        for (size_t i = 0; i < m->count; i++)
            put(p, attr, QUERY_SINGLE, &m->operands[i], 1);
        break;
    case DICOM_MATCH_WILDCARD:
        put(p, attr, QUERY_WILDCARD, m->operands, m->count);
        break;
    case DICOM_MATCH_RANGE:
        put(p, attr, QUERY_RANGE, m->operands, m->count);
        break;
    case DICOM_MATCH_EMPTY:
        put(p, attr, QUERY_EMPTY, NULL, 0);
        break;
    }
}

static enum err parse(struct find_plan *p, struct find_key *key, const struct dicom_element *e,
                      struct fault *f) {
    if (e->is_sequence || e->value.n == 0) {
        key->match = (struct dicom_match){.tag = e->tag, .vr = key->vr, .kind = DICOM_MATCH_UNIVERSAL};
        return OK;
    }
    return dicom_match_parse(&key->match, e->tag, key->vr, e->value, &p->id->charset, &p->policy,
                             &p->id->arena, f);
}

static enum err add_indexed(struct find_plan *p, struct find_key *key, int attr, struct fault *f) {
    key->vr = (enum vr)index_attr_table[attr].vr;
    enum err e = parse(p, key, key->asked, f);
    if (e != OK)
        return e;
    key->slot = slot_for(p, attr);
    if (!indexed_is_count(attr) && !p->combined[attr])
        put_condition(p, attr, &key->match);
    return OK;
}

static bool level_has(const struct find_plan *p, int attr) {
    return index_attr_table[attr].level <= (unsigned)p->id->level;
}

static enum err add_inner(struct find_plan *p, const struct dicom_dataset *item, uint32_t inner,
                          int *ret_slot, struct fault *f) {
    int attr = indexed_find(TAG_RequestAttributesSequence, inner);
    const struct dicom_element *asked = dicom_dataset_find(item, inner);
    if (!asked || attr < 0)
        return OK;
    if (!level_has(p, attr)) {
        p->unsupported = true;
        return OK;
    }
    struct find_key key = {.asked = asked, .vr = (enum vr)index_attr_table[attr].vr};
    enum err e = parse(p, &key, asked, f);
    if (e == OK) {
        *ret_slot = slot_for(p, attr);
        put_condition(p, attr, &key.match);
    }
    return e;
}

// Request Attributes Sequence: its two identifiers are in the index (PS3.18 Table 10.6.1-5).
static enum err add_request_attributes(struct find_plan *p, const struct dicom_element *e, struct fault *f) {
    const struct dicom_dataset *item = dicom_items_count(e) > 0 ? dicom_items_at(e, 0) : NULL;
    if (!item)
        return OK;
    enum err err = add_inner(p, item, TAG_ScheduledProcedureStepID, &p->step_slot, f);
    return err == OK ? add_inner(p, item, TAG_RequestedProcedureID, &p->procedure_slot, f) : err;
}

static enum err add_sequence(struct find_plan *p, struct find_key *key, struct fault *f) {
    struct dicom_match_sq *sq;
    enum err e = dicom_match_sq_parse(key->asked, &p->id->charset, &p->policy, &p->id->arena, f, &sq);
    if (e == OK && !dicom_match_sq_is_universal(sq)) {
        key->sq = sq;
        key->here = true;
    }
    return e;
}

// What the archive says of an entity itself: no object is read for it. All it has can be had at once
// (PS3.4 C.4.1.1.3.2, PS3.18 Table 10.6.3-3); the address is a matter of who answers (prog/web/qido.c).
static const char *own_word(uint32_t tag) {
    return tag == TAG_InstanceAvailability ? "ONLINE" : tag == TAG_RetrieveURL ? "" : NULL;
}

static enum err add_key(struct find_plan *p, const struct dicom_element *e, struct fault *f) {
    const struct std_tag *known = std_tag_find(e->tag);
    int attr = e->is_sequence ? -1 : indexed_find(0, e->tag);
    if ((!known && !tag_is_private(e->tag)) || (attr >= 0 && !level_has(p, attr))) {
        p->unsupported = true;
        return OK;
    }
    struct find_key *key = &p->keys[p->count++];
    *key = (struct find_key){.asked = e, .vr = (enum vr)e->vr, .slot = -1, .own = own_word(e->tag)};
    if (attr >= 0)
        return add_indexed(p, key, attr, f);
    if (!key->own)
        p->summaries = true;
    if (e->is_sequence)
        return e->tag == TAG_RequestAttributesSequence ? add_request_attributes(p, e, f)
                                                       : add_sequence(p, key, f);
    enum err err = parse(p, key, e, f);
    key->here = err == OK && key->match.kind != DICOM_MATCH_UNIVERSAL;
    return err;
}

// Combined matching of dates and times, where it was negotiated: PS3.4 C.2.2.2.5.2, C.5.1.1.
static void combine_moments(struct find_plan *p) {
    static const struct {
        uint8_t date, time, moment;
    } pairs[] = {
        {INDEX_ATTR_PatientBirthDate, INDEX_ATTR_PatientBirthTime, INDEX_ATTR_PatientBirthMoment},
        {INDEX_ATTR_StudyDate, INDEX_ATTR_StudyTime, INDEX_ATTR_StudyMoment},
        {INDEX_ATTR_SeriesDate, INDEX_ATTR_SeriesTime, INDEX_ATTR_SeriesMoment},
        {INDEX_ATTR_PerformedProcedureStepStartDate, INDEX_ATTR_PerformedProcedureStepStartTime,
         INDEX_ATTR_PerformedProcedureStepStartMoment},
        {INDEX_ATTR_ContentDate, INDEX_ATTR_ContentTime, INDEX_ATTR_ContentMoment},
    };
    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
        const struct dicom_element *date =
            dicom_dataset_find(p->id->keys, index_attr_table[pairs[i].date].tag);
        const struct dicom_element *time =
            dicom_dataset_find(p->id->keys, index_attr_table[pairs[i].time].tag);
        struct dicom_match m;
        if (!date || !time || !level_has(p, pairs[i].moment) ||
            !dicom_match_combine(date->value, time->value, &p->policy, &p->id->arena, &m))
            continue;
        put_condition(p, pairs[i].moment, &m);
        p->combined[pairs[i].date] = p->combined[pairs[i].time] = true;
    }
}

void identifier_free(struct identifier *id) {
    arena_fini(&id->arena);
}

enum err find_plan_make(struct find_plan *p, struct identifier *id, const struct find_options *options,
                        struct fault *f) {
    *p = (struct find_plan){.id = id,
                            .step_slot = -1,
                            .procedure_slot = -1,
                            .conditions = BUF_INIT(QUERY_MAX_BYTES),
                            .policy = DICOM_MATCH_POLICY_PLAIN,
                            .row = ARENA_INIT(16 * 1024 * 1024)};
    p->fuzzy = options->fuzzy;
    p->policy.empty_value = options->empty_value;
    p->policy.multiple_values = options->multiple_value;
    int zone;
    if (dicom_zone_parse(dicom_dataset_trimmed(id->keys, TAG_TimezoneOffsetFromUTC), &zone))
        p->policy.zone_min = zone;
    size_t n = dicom_dataset_count(id->keys);
    if (n > FIND_KEYS_MAX)
        return fault_set(f, ERR_LIMIT, "%zu keys", n);
    p->keys = arena_calloc(&id->arena, n ? n : 1, sizeof *p->keys);
    if (!p->keys)
        return fault_set(f, ERR_NO_MEMORY, "%zu keys", n);
    if (options->datetime)
        combine_moments(p);
    for (size_t i = 0; i < n; i++) {
        const struct dicom_element *e = dicom_dataset_at(id->keys, i);
        enum err err = is_control(e) ? OK : add_key(p, e, f);
        if (err != OK)
            return err;
    }
    return buf_check(&p->conditions, f, "keys too long");
}

void find_plan_free(struct find_plan *p) {
    buf_fini(&p->conditions);
    arena_fini(&p->row);
}
