#include "view.h"

#include "base/compose.h"
#include "base/fold.h"
#include "base/glob.h"
#include "conf/user.h"

#include <stdio.h>
#include <stdlib.h>

enum { VIEW_ARENA_MAX = 4 << 20 };

static const struct {
    enum index_attr attr;
    bool name; // folded, as the index does; other text composed
} fields[CONF_COLLECTION_FIELDS] = {
    [CONF_BY_INSTITUTION] = {INDEX_ATTR_StudyInstitution, false},
    [CONF_BY_STATION] = {INDEX_ATTR_StudyStation, false},
    [CONF_BY_MODALITY] = {INDEX_ATTR_ModalitiesInStudy, false},
    [CONF_BY_REFERRING_PHYSICIAN] = {INDEX_ATTR_ReferringPhysicianName, true},
    [CONF_BY_PATIENT_ID] = {INDEX_ATTR_PatientID, false},
    [CONF_BY_ISSUER] = {INDEX_ATTR_IssuerOfPatientID, false},
    [CONF_BY_PATIENT_NAME] = {INDEX_ATTR_PatientName, true},
    [CONF_BY_ACCESSION] = {INDEX_ATTR_AccessionNumber, false},
    [CONF_BY_STUDY_DESCRIPTION] = {INDEX_ATTR_StudyDescription, false},
};

// --- Owning -------------------------------------------------------------------------------------

static const struct view nothing_left = {.refs = 1, .scopes = {{NULL, 0}}, .count = 1}; // without any memory

struct view *view_ref(struct view *v) {
    if (v && v != &nothing_left)
        v->refs++;
    return v;
}

void view_free(struct view *v) {
    if (!v || v == &nothing_left || --v->refs > 0)
        return;
    arena_fini(&v->arena);
    free(v);
}

struct view *view_nothing(void) {
    return (struct view *)(uintptr_t)&nothing_left;
}

bool view_is_nothing(const struct view *v) {
    return v == &nothing_left;
}

static struct view *view_new(void) {
    struct view *v = calloc(1, sizeof *v);
    if (!v)
        return NULL;
    v->refs = 1;
    v->arena = ARENA_INIT(VIEW_ARENA_MAX);
    return v;
}

// What could not be made is not everything.
static struct view *or_nothing(struct view *take_view, bool made) {
    if (take_view && made)
        return take_view;
    view_free(take_view);
    return view_nothing();
}

void view_limit(const struct view *v, struct index_query_spec *spec) {
    spec->scopes = v ? v->scopes : NULL;
    spec->scope_count = v ? v->count : 0;
}

// --- Joining ------------------------------------------------------------------------------------

static bool copy_operands(struct arena *a, const struct query_condition *from, struct query_condition *to) {
    struct slice *operands = arena_calloc(a, from->count + 1u, sizeof *operands);
    *to = *from;
    to->operands = operands;
    bool fine = operands != NULL;
    for (size_t i = 0; fine && i < from->count; i++)
        fine = arena_dup(a, from->operands[i], &operands[i]);
    return fine;
}

static bool copy_clause(struct arena *a, const struct index_clause *from, struct index_clause *to) {
    struct query_condition *c = arena_calloc(a, from->count + 1, sizeof *c);
    bool fine = c != NULL;
    for (size_t i = 0; fine && i < from->count; i++)
        fine = copy_operands(a, &from->conditions[i], &c[i]);
    *to = (struct index_clause){c, from->count};
    return fine;
}

static bool copy_scope(struct view *v, const struct index_scope *from) {
    if (v->count == VIEW_SCOPES_MAX)
        return false;
    struct index_clause *clauses = arena_calloc(&v->arena, from->count + 1, sizeof *clauses);
    bool fine = clauses != NULL;
    for (size_t i = 0; fine && i < from->count; i++)
        fine = copy_clause(&v->arena, &from->clauses[i], &clauses[i]);
    v->scopes[v->count++] = (struct index_scope){clauses, from->count};
    return fine;
}

struct view *view_join(struct view *take_a, struct view *take_b) {
    if (!take_a || !take_b)
        return take_a ? take_a : take_b;
    struct view *v = view_new();
    bool fine = v != NULL;
    for (size_t i = 0; fine && i < take_a->count; i++)
        fine = copy_scope(v, &take_a->scopes[i]);
    for (size_t i = 0; fine && i < take_b->count; i++)
        fine = copy_scope(v, &take_b->scopes[i]);
    view_free(take_a);
    view_free(take_b);
    return or_nothing(v, fine);
}

// --- Collections --------------------------------------------------------------------------------

static bool operand_of(struct arena *a, const char *value, bool name, struct slice *ret_operand) {
    struct buf alike = BUF_INIT(FOLD_GROWTH_MAX * (CONF_COLLECTION_VALUE_MAX + CONF_PHYSICIAN_MAX));
    if (name)
        fold_name(slice_str(value), &alike);
    else
        compose_text(slice_str(value), &alike);
    bool fine = buf_ok(&alike) && arena_dup(a, buf_slice(&alike), ret_operand);
    buf_fini(&alike);
    return fine;
}

static bool condition_of(struct arena *a, enum conf_collection_field field,
                         const struct conf_collection_values *values, struct query_condition *c) {
    struct slice *operands = arena_calloc(a, values->n, sizeof *operands);
    bool fine = operands != NULL, patterns = false;
    for (size_t i = 0; fine && i < values->n; i++) {
        fine = operand_of(a, values->v[i], fields[field].name, &operands[i]);
        patterns = patterns || (fine && glob_has_wildcard(operands[i]));
    }
    *c = (struct query_condition){(uint16_t)fields[field].attr, patterns ? QUERY_WILDCARD : QUERY_LIST,
                                  (uint16_t)values->n, operands};
    return fine;
}

static bool clause_of(struct arena *a, const struct conf_collection *collection,
                      struct index_clause *clause) {
    struct query_condition *c = arena_calloc(a, CONF_COLLECTION_FIELDS, sizeof *c);
    bool fine = c != NULL;
    size_t n = 0;
    for (int i = 0; fine && i < CONF_COLLECTION_FIELDS; i++)
        if (collection->by[i].n)
            fine = condition_of(a, (enum conf_collection_field)i, &collection->by[i], &c[n++]);
    *clause = (struct index_clause){c, n};
    return fine && n > 0; // without a condition it would be everything
}

static size_t names_in(struct slice names) {
    size_t n = 1;
    for (size_t i = 0; i < names.n; i++)
        n += names.p[i] == ',';
    return n;
}

static bool put_collections(struct view *v, const struct conf_collections *all, struct slice names,
                            char missing[CONF_NAME_MAX + 1]) {
    struct index_clause *clauses = arena_calloc(&v->arena, names_in(names), sizeof *clauses);
    bool fine = clauses != NULL;
    size_t n = 0;
    while (fine && names.p) {
        struct slice name = slice_trim(slice_split(names, ',', &names), " ");
        const struct conf_collection *c = conf_collections_by_name(all, name);
        if (c)
            fine = clause_of(&v->arena, c, &clauses[n++]);
        else if (!missing[0])
            snprintf(missing, CONF_NAME_MAX + 1, "%.*s", SLICE_FMT(slice_sub(name, 0, CONF_NAME_MAX)));
    }
    v->scopes[v->count++] = (struct index_scope){clauses, n};
    return fine;
}

struct view *view_of_collections(const struct conf_collections *all, struct slice names,
                                 char ret_missing[CONF_NAME_MAX + 1]) {
    ret_missing[0] = '\0';
    if (names.n == 0)
        return NULL;
    struct view *v = view_new();
    return or_nothing(v, v && put_collections(v, all, names, ret_missing));
}

// --- Roles --------------------------------------------------------------------------------------

static bool put_single(struct arena *a, enum index_attr attr, struct slice operand,
                       struct index_clause *clause) {
    struct query_condition *c = arena_calloc(a, 1, sizeof *c);
    struct slice *copy = arena_calloc(a, 1, sizeof *copy);
    if (!c || !copy || !arena_dup(a, operand, copy))
        return false;
    *c = (struct query_condition){(uint16_t)attr, QUERY_SINGLE, 1, copy};
    *clause = (struct index_clause){c, 1};
    return true;
}

static bool put_studies(struct view *v, struct slice physician, bool removed) {
    struct index_clause *clauses = arena_calloc(&v->arena, 2, sizeof *clauses);
    struct buf folded = BUF_INIT(FOLD_GROWTH_MAX * (CONF_PHYSICIAN_MAX + 1));
    bool fine = clauses != NULL;
    size_t n = 0;
    fold_name(physician, &folded);
    fine = fine && buf_ok(&folded);
    // A name that is none would match where none is given; a pattern, others' names.
    if (fine && folded.n && !glob_has_wildcard(buf_slice(&folded)))
        fine = put_single(&v->arena, INDEX_ATTR_ReferringPhysicianName, buf_slice(&folded), &clauses[n++]);
    if (fine && removed)
        fine = put_single(&v->arena, INDEX_ATTR_PatientIdentityRemoved, SLICE_LIT("YES"), &clauses[n++]);
    buf_fini(&folded);
    v->scopes[v->count++] = (struct index_scope){clauses, n};
    return fine;
}

struct view *view_of_studies(struct slice physician, bool removed) {
    struct view *v = view_new();
    return or_nothing(v, v && put_studies(v, physician, removed));
}
