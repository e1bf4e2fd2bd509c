// What somebody may see: tested on the study that a row belongs to, by a statement of its own, because its
// conditions have nothing to do with what the query asks for.
#include "index/query_internal.h"

enum { COL_ID, COL_SERIES_COUNT, COL_INSTANCE_COUNT };

bool at_patient_in_scope(const struct index_query *q) {
    return q->level == INDEX_PATIENT && q->scope_count > 0;
}

// --- Compiling ----------------------------------------------------------------------------------

static enum err compile_clause(struct index_query *q, const struct index_clause *from, size_t *total,
                               struct conditions *c, struct fault *f) {
    *total += from->count;
    if (from->count > INDEX_SCOPE_CONDITIONS_MAX || *total > INDEX_SCOPE_CONDITIONS_MAX)
        return fault_set(f, ERR_LIMIT, "scopes have more than %d conditions", INDEX_SCOPE_CONDITIONS_MAX);
    c->v = arena_calloc(&q->arena, from->count + 1, sizeof *c->v);
    if (!c->v)
        return fault_set(f, ERR_NO_MEMORY, "no memory for a query");
    c->n = from->count;
    enum err e = conditions_of(q, INDEX_STUDY, from->conditions, from->count, false, c->v, f);
    for (size_t i = 0; e == OK && i < c->n; i++)
        condition_columns(&q->scope_columns, &c->v[i]);
    return e;
}

// What a scope of one clause says is one more condition of the query: it may be the one to walk by.
static void add_conditions(struct index_query *q, const struct scope *s) {
    q->scopes_are_conditions = q->scopes_are_conditions && s->count == 1;
    for (size_t i = 0; s->count == 1 && i < s->clauses[0].n; i++)
        q->conditions[q->condition_count++] = s->clauses[0].v[i];
}

static bool is_list(const struct query_condition *c) {
    return c->kind == QUERY_SINGLE || c->kind == QUERY_LIST;
}

// Clauses of one condition each, all about the same attribute in the same way: collections by institution.
static bool are_alike(const struct index_scope *s, size_t *ret_operands) {
    size_t n = 0;
    for (size_t i = 0; i < s->count; i++) {
        const struct query_condition *c = s->clauses[i].conditions, *first = s->clauses[0].conditions;
        if (s->clauses[i].count != 1 || c->attribute != first->attribute ||
            !(is_list(c) ? is_list(first) : c->kind == QUERY_WILDCARD && first->kind == QUERY_WILDCARD))
            return false;
        n += c->count;
    }
    *ret_operands = n;
    return s->count > 1 && n <= UINT16_MAX;
}

// They are one clause, whose condition has the operands of all. False: no memory.
static bool merge_alike(struct arena *a, const struct index_scope *s, size_t operands,
                        struct index_clause *ret_clause) {
    struct query_condition *c = arena_calloc(a, 1, sizeof *c);
    struct slice *v = arena_calloc(a, operands + 1, sizeof *v);
    const struct query_condition *first = s->clauses[0].conditions;
    if (!c || !v)
        return false;
    size_t n = 0;
    for (size_t i = 0; i < s->count; i++)
        for (size_t k = 0; k < s->clauses[i].conditions->count; k++)
            v[n++] = s->clauses[i].conditions->operands[k];
    uint8_t kind = is_list(first) ? QUERY_LIST : QUERY_WILDCARD;
    *c = (struct query_condition){first->attribute, kind, (uint16_t)n, v};
    *ret_clause = (struct index_clause){c, 1};
    return true;
}

static enum err compile_scope(struct index_query *q, const struct index_scope *given, size_t *total,
                              struct scope *s, struct fault *f) {
    struct index_clause merged;
    const struct index_scope one = {&merged, 1}, *from = given;
    size_t operands;
    if (given->count > INDEX_SCOPE_CONDITIONS_MAX)
        return fault_set(f, ERR_LIMIT, "a scope has more than %d clauses", INDEX_SCOPE_CONDITIONS_MAX);
    if (are_alike(given, &operands)) {
        if (!merge_alike(&q->arena, given, operands, &merged))
            return fault_set(f, ERR_NO_MEMORY, "no memory for a query");
        from = &one;
    }
    s->clauses = arena_calloc(&q->arena, from->count + 1, sizeof *s->clauses);
    if (!s->clauses)
        return fault_set(f, ERR_NO_MEMORY, "no memory for a query");
    s->count = from->count;
    for (size_t i = 0; i < from->count; i++) {
        enum err e = compile_clause(q, &from->clauses[i], total, &s->clauses[i], f);
        if (e != OK)
            return e;
    }
    add_conditions(q, s);
    return OK;
}

enum err scopes_compile(struct index_query *q, const struct index_query_spec *spec, struct fault *f) {
    size_t total = 0;
    q->scope_columns.count = COL_INSTANCE_COUNT + 1;
    memset(q->scope_columns.at, -1, sizeof q->scope_columns.at);
    q->scopes = arena_calloc(&q->arena, spec->scope_count + 1, sizeof *q->scopes);
    if (!q->scopes)
        return fault_set(f, ERR_NO_MEMORY, "no memory for a query");
    q->scope_count = spec->scope_count;
    q->scopes_are_conditions = true;
    for (size_t i = 0; i < spec->scope_count; i++) {
        enum err e = compile_scope(q, &spec->scopes[i], &total, &q->scopes[i], f);
        if (e != OK)
            return e;
    }
    return OK;
}

// Rows that are studies have all that scopes ask for, and need not be looked up once more. Where a patient's
// studies are added up, each is read by a statement of scope.c, with columns of its own.
void scope_columns_choose(struct index_query *q) {
    q->scopes_in_row = q->level == INDEX_STUDY && !q->wants_sums;
    for (size_t i = 0; q->scopes_in_row && i < q->scope_count; i++)
        for (size_t j = 0; j < q->scopes[i].count; j++)
            for (size_t k = 0; k < q->scopes[i].clauses[j].n; k++)
                condition_columns(&q->columns, &q->scopes[i].clauses[j].v[k]);
}

// --- Testing ------------------------------------------------------------------------------------

static bool one_clause_holds(struct index_query *q, sqlite3_stmt *study, const struct scope *s) {
    for (size_t i = 0; i < s->count; i++)
        if (conditions_hold(q, study, s->clauses[i].v, s->clauses[i].n))
            return true;
    return false;
}

static bool is_seen(struct index_query *q, sqlite3_stmt *study) { // the statement stands on it
    for (size_t i = 0; i < q->scope_count; i++)
        if (!one_clause_holds(q, study, &q->scopes[i]))
            return false;
    return true;
}

void scope_forget(struct index_query *q) {
    q->scope_study = q->scope_patient = NO_ID;
    sqlite3_reset(q->scope_statement);
    sqlite3_reset(q->patient_statement);
}

static enum err study_is_seen(struct index_query *q, int64_t study, struct fault *f, bool *ret_seen) {
    if (q->scopes_in_row) {
        *ret_seen = is_seen(q, q->statement);
        return OK;
    }
    enum err e = q->scope_statement ? OK : select_prepare_scope(q, "id=?1", f, &q->scope_statement);
    if (e != OK)
        return e;
    if (q->scope_study != study) {
        sqlite3_bind_int64(q->scope_statement, 1, study);
        int rc = sqlite3_step(q->scope_statement);
        q->scope_holds = rc == SQLITE_ROW && is_seen(q, q->scope_statement);
        sqlite3_reset(q->scope_statement);
        if (rc != SQLITE_ROW)
            return index_fail(q->ix, rc == SQLITE_DONE ? SQLITE_CORRUPT : rc, "reading a study", f);
        q->scope_study = study;
    }
    *ret_seen = q->scope_holds;
    return OK;
}

// Goes through the studies of a patient that are seen: only to the first one, or all, to add them up.
static enum err walk_patient(struct index_query *q, int64_t patient, bool all, struct fault *f,
                             int64_t *ret_first, int64_t ret_sums[3]) {
    int rc;
    enum err e = q->patient_statement
                     ? OK
                     : select_prepare_scope(q, "patient=?1 ORDER BY id", f, &q->patient_statement);
    if (e != OK)
        return e;
    sqlite3_stmt *s = q->patient_statement;
    sqlite3_bind_int64(s, 1, patient);
    *ret_first = NO_ID;
    while ((rc = sqlite3_step(s)) == SQLITE_ROW && (all || *ret_first == NO_ID)) {
        if (!is_seen(q, s))
            continue;
        if (*ret_first == NO_ID)
            *ret_first = sqlite3_column_int64(s, COL_ID);
        ret_sums[0]++;
        ret_sums[1] += sqlite3_column_int64(s, COL_SERIES_COUNT);
        ret_sums[2] += sqlite3_column_int64(s, COL_INSTANCE_COUNT);
    }
    sqlite3_reset(s);
    return rc == SQLITE_ROW || rc == SQLITE_DONE ? OK
                                                 : index_fail(q->ix, rc, "reading a patient's studies", f);
}

// A patient is the first of its studies that is seen; the others are not rows of their own.
static enum err stands_for_patient(struct index_query *q, int64_t study, int64_t patient, struct fault *f,
                                   bool *ret_first) {
    int64_t sums[3] = {0};
    if (q->scope_patient != patient) {
        enum err e = walk_patient(q, patient, false, f, &q->first_study, sums);
        if (e != OK)
            return e;
        q->scope_patient = patient;
    }
    *ret_first = q->first_study == study;
    return OK;
}

enum err scope_admits(struct index_query *q, int64_t study, int64_t patient, struct fault *f,
                      bool *ret_admits) {
    bool admits = true;
    enum err e = q->scope_count ? study_is_seen(q, study, f, &admits) : OK;
    if (e == OK && admits && at_patient_in_scope(q))
        e = stands_for_patient(q, study, patient, f, &admits);
    *ret_admits = admits;
    return e;
}

enum err scope_sums(struct index_query *q, int64_t patient, struct fault *f) {
    int64_t first, sums[3] = {0};
    if (!q->wants_sums)
        return OK;
    enum err e = walk_patient(q, patient, true, f, &first, sums);
    for (int i = 0; i < 3; i++)
        sqlite3_snprintf(sizeof q->sums[i], q->sums[i], "%lld", (long long)sums[i]);
    return e;
}
