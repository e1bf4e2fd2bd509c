// Conditions: checked when the query is opened, tested on every row.
#include "index/query_internal.h"

#include "base/glob.h"

#include <stdlib.h>

// --- Compiling ----------------------------------------------------------------------------------

static bool is_uid(enum index_attr attr) {
    return index_attr_table[attr].kind == INDEX_KIND_UID;
}

static bool is_name(enum index_attr attr) {
    return index_attr_table[attr].vr == VR_PN;
}

static bool kind_possible(enum index_attr attr, enum query_kind kind, size_t count) {
    enum index_kind k = (enum index_kind)index_attr_table[attr].kind;
    bool ranges = k != INDEX_KIND_UID && k != INDEX_KIND_COMPUTED && k != INDEX_KIND_NUMBER;
    switch (kind) {
    case QUERY_SINGLE:
        return count == 1;
    case QUERY_LIST:
        return count >= 1;
    case QUERY_WILDCARD:
        return count >= 1 && k != INDEX_KIND_UID && k != INDEX_KIND_MOMENT;
    case QUERY_RANGE:
        return count >= 2 && count % 2 == 0 && ranges;
    case QUERY_EMPTY:
        return count == 0;
    case QUERY_FUZZY:
        return count == 1 && is_name(attr);
    case QUERY_KIND_COUNT_:
        break;
    }
    return false;
}

static bool computed_possible(enum index_attr attr) {
    return index_attr_table[attr].kind != INDEX_KIND_COMPUTED || attr == INDEX_ATTR_ModalitiesInStudy ||
           attr == INDEX_ATTR_SOPClassesInStudy;
}

static bool possible(enum index_level level, const struct query_condition *c) {
    return c->attribute < INDEX_ATTR_COUNT_ && c->kind < QUERY_KIND_COUNT_ &&
           index_attr_table[c->attribute].level <= level &&
           computed_possible((enum index_attr)c->attribute) &&
           kind_possible((enum index_attr)c->attribute, (enum query_kind)c->kind, c->count);
}

static int compare(const void *a, const void *b) {
    return slice_cmp(*(const struct slice *)a, *(const struct slice *)b);
}

static void sort_unique(struct condition *c) {
    size_t n = 0;
    qsort(c->operands, c->count, sizeof *c->operands, compare);
    for (size_t i = 0; i < c->count; i++)
        if (n == 0 || !slice_eq(c->operands[n - 1], c->operands[i]))
            c->operands[n++] = c->operands[i];
    c->count = n;
}

// SOP class and transfer syntax are numbers in the table; an unknown one matches nothing.
static enum err uid_operand(struct index_query *q, enum index_attr attr, struct slice uid, struct fault *f,
                            struct slice *ret_operand) {
    struct uid_packed packed = {.n = 0};
    if (attr == INDEX_ATTR_SOPClassUID || attr == INDEX_ATTR_AvailableTransferSyntaxUID) {
        int64_t id = NO_ID;
        enum err e = uid_number(q->ix, uid, false, f, &id);
        if (e != OK)
            return e;
        char text[24];
        sqlite3_snprintf(sizeof text, text, "%lld", (long long)id);
        return arena_dup(&q->arena, slice_str(text), ret_operand) ? OK : ERR_NO_MEMORY;
    }
    (void)uid_pack(uid, &packed); // one that is no UID: empty, which no object has
    return arena_dup(&q->arena, uid_packed_slice(&packed), ret_operand) ? OK : ERR_NO_MEMORY;
}

// Matching a pattern costs up to its length times the value's, on every row: that has a limit.
static enum err limit_patterns(struct index_query *q, struct condition *c, bool limited, struct fault *f) {
    bool is_pattern = c->kind == QUERY_WILDCARD || is_name(c->attr);
    for (size_t i = 0; is_pattern && i < c->count; i++)
        c->pattern_bytes += c->operands[i].n;
    if (!limited)
        return OK;
    q->pattern_bytes += c->pattern_bytes;
    return q->pattern_bytes <= INDEX_PATTERNS_MAX_BYTES
               ? OK
               : fault_set(f, ERR_LIMIT, "the patterns of a query have more than %d bytes",
                           INDEX_PATTERNS_MAX_BYTES);
}

static enum err compile_fuzzy(struct index_query *q, struct condition *c, struct fault *f) {
    c->fuzzy = arena_calloc(&q->arena, 1, sizeof *c->fuzzy);
    if (!c->fuzzy)
        return fault_set(f, ERR_NO_MEMORY, "no memory for a query");
    c->universal = !fuzzy_key_init(c->fuzzy, c->operands[0]);
    return OK;
}

static enum err compile(struct index_query *q, const struct query_condition *from, bool limited,
                        struct condition *c, struct fault *f) {
    enum err e = OK;
    *c = (struct condition){.attr = (enum index_attr)from->attribute,
                            .kind = (enum query_kind)from->kind,
                            .count = from->count};
    if (c->count == 0)
        return OK;
    c->operands = arena_calloc(&q->arena, c->count, sizeof *c->operands);
    if (!c->operands)
        return fault_set(f, ERR_NO_MEMORY, "no memory for a query");
    for (size_t i = 0; e == OK && i < c->count; i++) {
        struct slice o = from->operands[i];
        if (is_uid(c->attr))
            e = uid_operand(q, c->attr, o, f, &c->operands[i]);
        else
            e = arena_dup(&q->arena, o, &c->operands[i]) ? OK : ERR_NO_MEMORY;
    }
    if (e == OK && c->kind == QUERY_LIST)
        sort_unique(c);
    if (e != OK)
        return fault_set(f, e, "no memory for a query");
    if (c->kind == QUERY_FUZZY)
        e = compile_fuzzy(q, c, f);
    return e == OK ? limit_patterns(q, c, limited, f) : e;
}

enum err conditions_of(struct index_query *q, enum index_level level, const struct query_condition *from,
                       size_t count, bool limited, struct condition *ret_conditions, struct fault *f) {
    for (size_t i = 0; i < count; i++) {
        if (!possible(level, &from[i]))
            return fault_set(f, ERR_UNSUPPORTED,
                             "condition %zu (attribute %u, kind %u) is not possible at level %d", i,
                             from[i].attribute, from[i].kind, (int)level);
        enum err e = compile(q, &from[i], limited, &ret_conditions[i], f);
        if (e != OK)
            return e;
    }
    return OK;
}

enum err conditions_compile(struct index_query *q, const struct index_query_spec *spec, struct fault *f) {
    if (spec->condition_count > QUERY_MAX_CONDITIONS)
        return fault_set(f, ERR_LIMIT, "a query has more than %d conditions", QUERY_MAX_CONDITIONS);
    size_t room = spec->condition_count;
    for (size_t i = 0; i < spec->scope_count; i++) // see scope.c
        if (spec->scopes[i].count == 1 && spec->scopes[i].clauses[0].count <= INDEX_SCOPE_CONDITIONS_MAX)
            room += spec->scopes[i].clauses[0].count;
        else
            room++; // its clauses may become one
    q->conditions = arena_calloc(&q->arena, room + 1, sizeof *q->conditions);
    if (!q->conditions)
        return fault_set(f, ERR_NO_MEMORY, "no memory for a query");
    q->condition_count = spec->condition_count;
    for (size_t i = 0; i < spec->condition_count; i++) {
        const struct query_condition *c = &spec->conditions[i];
        if (c->attribute == INDEX_ATTR_StudyInstanceUID && c->count == 1 &&
            (c->kind == QUERY_SINGLE || c->kind == QUERY_LIST))
            q->the_study = &q->conditions[i];
    }
    return conditions_of(q, spec->level, spec->conditions, spec->condition_count, true, q->conditions, f);
}

// --- Testing ------------------------------------------------------------------------------------

static bool in_list(const struct condition *c, struct slice value) {
    return bsearch(&value, c->operands, c->count, sizeof *c->operands, compare) != NULL;
}

static bool any_glob(const struct condition *c, struct slice value) {
    for (size_t i = 0; i < c->count; i++)
        if (is_name(c->attr) ? glob_match_name(c->operands[i], value) : glob_match(c->operands[i], value))
            return true;
    return false;
}

static bool any_range(const struct condition *c, struct slice value) {
    for (size_t i = 0; i + 1 < c->count; i += 2)
        if (glob_in_range(c->operands[i], c->operands[i + 1], value))
            return true;
    return false;
}

static bool one_matches(const struct condition *c, struct slice value) {
    switch (c->kind) {
    case QUERY_SINGLE:
        return is_name(c->attr) ? any_glob(c, value) : slice_eq(c->operands[0], value);
    case QUERY_LIST:
        return is_name(c->attr) ? any_glob(c, value) : in_list(c, value);
    case QUERY_WILDCARD:
        return any_glob(c, value);
    case QUERY_RANGE:
        return any_range(c, value);
    case QUERY_EMPTY:
        return value.n == 0;
    case QUERY_FUZZY:
        return c->universal || fuzzy_match(c->fuzzy, value);
    case QUERY_KIND_COUNT_:
        break;
    }
    return false;
}

bool condition_matches(const struct condition *c, struct slice value) {
    uint8_t kind = index_attr_table[c->attr].kind;
    bool several = kind == INDEX_KIND_MULTI || kind == INDEX_KIND_COMPUTED;
    if (!several || value.n == 0 || c->kind == QUERY_EMPTY)
        return one_matches(c, value);
    struct slice rest = value;
    while (rest.p)
        if (one_matches(c, slice_split(rest, '\\', &rest)))
            return true;
    return false;
}

// Date and time of a row as one moment; a row without a date has none.
static bool moment_matches(sqlite3_stmt *s, const struct condition *c) {
    uint8_t moment[64];
    struct slice date = column_slice(s, c->column);
    struct slice time = column_slice(s, c->time_column);
    if (date.n == 0 || date.n + time.n > sizeof moment)
        return condition_matches(c, (struct slice){NULL, 0});
    memcpy(moment, date.p, date.n);
    if (time.n)
        memcpy(moment + date.n, time.p, time.n);
    return condition_matches(c, slice_of(moment, date.n + time.n));
}

bool conditions_hold(struct index_query *q, sqlite3_stmt *s, const struct condition *conditions,
                     size_t count) {
    for (size_t i = 0; i < count; i++) {
        const struct condition *c = &conditions[i];
        q->work += c->pattern_bytes * INDEX_VALUE_MAX_BYTES / 64; // most values are short
        bool holds = index_attr_table[c->attr].kind == INDEX_KIND_MOMENT
                         ? moment_matches(s, c)
                         : condition_matches(c, column_slice(s, c->column));
        if (!holds)
            return false;
    }
    return true;
}
