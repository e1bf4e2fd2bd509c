// Which index a query walks: the one that the most telling condition allows. Each of the others is tested
// on the rows. Costs are guesses of how many rows are left, good enough to choose by.
#include "index/query_internal.h"

#include "base/glob.h"

// The ways into the tables: attributes with an index, as in schema.c.
static const struct way {
    enum index_attr attr;
    enum index_level table; // that the index belongs to; patient's attributes are in study, too
    bool is_blob;
    unsigned equal_cost;    // of one value; none of several costs less
    bool dated;             // StudyDate comes next in the index of studies
    bool few;               // many studies have one value: each different one can be looked at
    bool whole;             // equality is not the index's: each of its values is looked at
} ways[] = {
    {INDEX_ATTR_SOPInstanceUID, INDEX_INSTANCE, true, 1, false, false, false},
    {INDEX_ATTR_SeriesInstanceUID, INDEX_SERIES, true, 2, false, false, false},
    {INDEX_ATTR_StudyInstanceUID, INDEX_STUDY, true, 3, false, false, false},
    {INDEX_ATTR_AccessionNumber, INDEX_STUDY, false, 4, false, false, false},
    {INDEX_ATTR_PatientID, INDEX_PATIENT, false, 5, true, false, false},
    {INDEX_ATTR_PatientName, INDEX_PATIENT, false, 6, true, false, false},
    {INDEX_ATTR_StudyDate, INDEX_STUDY, false, 30, false, false, false},
    {INDEX_ATTR_StudyMoment, INDEX_STUDY, false, 30, false, false, false},
    {INDEX_ATTR_PatientIdentityRemoved, INDEX_STUDY, false, 60, true, true, false},
    {INDEX_ATTR_StudyDescription, INDEX_STUDY, false, 70, true, true, false},
    {INDEX_ATTR_ReferringPhysicianName, INDEX_STUDY, false, 80, true, true, true}, // any of three groups
    {INDEX_ATTR_StudyStation, INDEX_STUDY, false, 85, true, true, false},
    {INDEX_ATTR_StudyInstitution, INDEX_STUDY, false, 90, true, true, false},
    {INDEX_ATTR_ModalitiesInStudy, INDEX_STUDY, false, 95, true, true, true}, // any of several values
};

enum {
    COST_ALL = 1000,
    COST_PREFIX = 20,
    COST_SHORT_PREFIX = 60,
    COST_DAYS = 30,
    COST_KEYS = 80,
    COST_RANGE = 100,
    COST_COMMON_PREFIX = 150,
    COST_OPEN_RANGE = 200,
    KEYS_PROBED = 2500 // this many have a prefix, and it is common
};

// The first group of a name that says something: the one that is walked.
static struct slice first_group(struct slice name) {
    struct slice rest = name, group = name;
    while (rest.p) {
        group = slice_split(rest, '=', &rest);
        if (group.n)
            break;
    }
    return group;
}

static size_t shortest_prefix(const struct condition *c) {
    size_t shortest = SIZE_MAX;
    for (size_t i = 0; i < c->count; i++) {
        struct slice p = c->operands[i];
        if (index_attr_table[c->attr].vr == VR_PN)
            p = first_group(p);
        size_t n = glob_prefix(p);
        shortest = n < shortest ? n : shortest;
    }
    return shortest;
}

// Empty values are in no index of texts.
static bool may_match_empty(const struct condition *c) {
    for (size_t i = 0; i < c->count; i++)
        if (slice_trim(c->operands[i], "*=").n == 0)
            return true;
    return false;
}

// The whole index is walked and each of its values looked at: less than reading the rows.
static bool takes_all_keys(const struct condition *c) {
    return c->kind == QUERY_FUZZY || shortest_prefix(c) == 0;
}

static unsigned prefix_cost(const struct condition *c) {
    size_t shortest = shortest_prefix(c);
    if (shortest == 0)
        return may_match_empty(c) ? COST_ALL : COST_KEYS;
    if (c->is_common)
        return COST_COMMON_PREFIX;
    return shortest < 3 ? COST_SHORT_PREFIX : COST_PREFIX;
}

static unsigned range_cost(const struct condition *c) {
    struct slice low = c->operands[0], high = c->operands[1];
    if (low.n == 0 && high.n == 0)
        return COST_ALL;
    if (low.n == 0 || high.n == 0)
        return COST_OPEN_RANGE;
    bool one_month = slice_eq(slice_sub(low, 0, 6), slice_sub(high, 0, 6));
    return one_month ? COST_DAYS : COST_RANGE;
}

static bool has_empty_operand(const struct condition *c) {
    for (size_t i = 0; i < c->count; i++)
        if (c->operands[i].n == 0)
            return true;
    return false;
}

// Names are always compared as patterns (glob_match_name), whatever the kind says.
static bool has_pattern(const struct condition *c) {
    for (size_t i = 0; i < c->count; i++)
        if (glob_has_wildcard(c->operands[i]))
            return true;
    return false;
}

static unsigned whole_cost(const struct way *w, const struct condition *c) {
    bool texts = c->kind == QUERY_SINGLE || c->kind == QUERY_LIST || c->kind == QUERY_WILDCARD;
    bool possible = texts ? !may_match_empty(c) : c->kind == QUERY_FUZZY && !c->universal;
    return possible ? w->equal_cost : COST_ALL;
}

static unsigned cost_by_kind(const struct way *w, const struct condition *c) {
    bool is_name = index_attr_table[c->attr].vr == VR_PN;
    switch (c->kind) {
    case QUERY_SINGLE:
    case QUERY_LIST:
        if ((has_empty_operand(c) && !w->is_blob) || w->attr == INDEX_ATTR_StudyMoment ||
            (is_name && c->count > NAME_PASSES_MAX / 4))
            return COST_ALL;
        if (is_name && has_pattern(c))
            return prefix_cost(c);
        return w->equal_cost + (c->count > 1 ? 1 + (unsigned)(c->count / 64) : 0);
    case QUERY_WILDCARD:
        return w->is_blob || c->count > NAME_PASSES_MAX / 4 ? COST_ALL : prefix_cost(c);
    case QUERY_RANGE: // several ranges are tested on the rows; only dates come as ranges
        return c->count == 2 && (w->attr == INDEX_ATTR_StudyDate || w->attr == INDEX_ATTR_StudyMoment)
                   ? range_cost(c)
                   : COST_ALL;
    case QUERY_FUZZY:
        return c->universal ? COST_ALL : COST_KEYS;
    case QUERY_EMPTY:
    case QUERY_KIND_COUNT_:
        break;
    }
    return COST_ALL;
}

static unsigned cost(const struct way *w, const struct condition *c) {
    unsigned n = w->whole ? whole_cost(w, c) : cost_by_kind(w, c);
    return n < w->equal_cost ? w->equal_cost : n;
}

// *ret_rivals: how many conditions there are to choose from.
static struct condition *choose(const struct index_query *q, const struct way **ret_way, size_t *ret_rivals) {
    struct condition *best = NULL;
    unsigned best_cost = COST_ALL;
    *ret_rivals = 0;
    for (size_t i = 0; i < q->condition_count; i++)
        for (size_t j = 0; j < sizeof ways / sizeof *ways; j++) {
            struct condition *c = &q->conditions[i];
            bool other_table = ways[j].table != INDEX_PATIENT && q->level == INDEX_PATIENT;
            if (ways[j].attr != c->attr || (other_table && !at_patient_in_scope(q)))
                continue;
            unsigned n = cost(&ways[j], c);
            *ret_rivals += n < COST_ALL;
            if (n < best_cost) {
                best = c;
                best_cost = n;
                *ret_way = &ways[j];
            }
        }
    return best;
}

// --- Passes -------------------------------------------------------------------------------------

struct slice slice_concat(struct arena *a, struct slice x, struct slice y) {
    uint8_t *p = arena_alloc(a, x.n + y.n + 1);
    if (!p)
        return (struct slice){NULL, 0};
    if (x.n)
        memcpy(p, x.p, x.n);
    if (y.n)
        memcpy(p + x.n, y.p, y.n);
    return slice_of(p, x.n + y.n);
}

// The first string after all that begin with `prefix`. UTF-8 has no byte FF, so the last one can grow.
static struct slice after_prefix(struct arena *a, struct slice prefix) {
    struct slice s = slice_concat(a, prefix, (struct slice){NULL, 0});
    uint8_t *p = (uint8_t *)(uintptr_t)s.p;
    if (p && s.n)
        p[s.n - 1]++;
    return s;
}

static struct slice after(struct arena *a, struct slice s) { // the very next string: one NUL longer
    return slice_concat(a, s, slice_of("", 1));
}

static bool pass_add(struct index_query *q, struct pass p) {
    if (q->pass_count >= PASSES_MAX + NAME_PASSES_MAX || (p.walk != WALK_ALL && p.walk != WALK_UNDATED &&
                                                          !p.low.p))
        return false;
    q->passes[q->pass_count++] = p;
    return true;
}

static bool range_add(struct index_query *q, const char *column, unsigned group, struct slice low,
                      struct slice high) {
    return high.p && pass_add(q, (struct pass){.walk = WALK_RANGE, .column = column, .group = group,
                                               .low = low,
                                               .high = high});
}

static const char *const name_columns[3] = {"PatientName", "PatientName2", "PatientName3"};

// Group `group` of the name is exactly v. The first one's column goes on with "=" and the others.
static bool name_equal(struct index_query *q, unsigned group, struct slice v) {
    struct pass p = {.walk = WALK_EQUAL, .column = name_columns[group], .group = group, .low = v};
    if (!pass_add(q, p))
        return false;
    if (group > 0)
        return true;
    struct slice low = slice_concat(&q->arena, v, SLICE_LIT("="));
    return low.p && range_add(q, name_columns[0], 0, low, after_prefix(&q->arena, low));
}

static bool name_passes_of(struct index_query *q, unsigned group, struct slice v) {
    struct slice prefix = slice_sub(v, 0, glob_prefix(v));
    if (prefix.n == v.n)
        return name_equal(q, group, v);
    return range_add(q, name_columns[group], group, prefix, after_prefix(&q->arena, prefix));
}

static bool all_keys_pass(struct index_query *q, const char *column) {
    return pass_add(
        q, (struct pass){.walk = WALK_RANGE, .column = column, .low = slice_of("", 0), .to_end = true});
}

// A key of one group looks into all three; one with several, into the first that says something. The first
// one's column has all groups.
static bool name_passes(struct index_query *q, const struct condition *c) {
    if (takes_all_keys(c))
        return all_keys_pass(q, name_columns[0]);
    for (size_t i = 0; i < c->count; i++) {
        struct slice v = c->operands[i], rest = v;
        bool one_group = !memchr(v.p, '=', v.n);
        for (unsigned group = 0; group < 3; group++) {
            struct slice g = one_group ? v : rest.p ? slice_split(rest, '=', &rest) : (struct slice){NULL, 0};
            if (g.n == 0)
                continue;
            if (!name_passes_of(q, group, g))
                return false;
            if (!one_group)
                break;
        }
    }
    return true;
}

static bool equal_passes(struct index_query *q, const struct way *w, const struct condition *c) {
    const char *column = attr_name(w->attr);
    for (size_t i = 0; i < c->count; i++)
        if (c->operands[i].n && !pass_add(q, (struct pass){.walk = WALK_EQUAL, .column = column,
                                                           .is_blob = w->is_blob, .low = c->operands[i]}))
            return false;
    return true;
}

static bool wildcard_passes(struct index_query *q, const char *column, const struct condition *c) {
    if (takes_all_keys(c))
        return all_keys_pass(q, column);
    for (size_t i = 0; i < c->count; i++) {
        struct slice prefix = slice_sub(c->operands[i], 0, glob_prefix(c->operands[i]));
        if (!range_add(q, column, 0, prefix, after_prefix(&q->arena, prefix)))
            return false;
    }
    return true;
}

// The dates between which a condition on date, or moment, holds.
static struct pass date_pass(struct index_query *q, const struct condition *c) {
    struct slice low = slice_sub(c->operands[0], 0, 8), high = slice_sub(c->operands[c->count - 1], 0, 8);
    struct pass p = {.walk = WALK_RANGE, .column = "StudyDate", .low = low.n ? low : slice_of("", 0)};
    p.to_end = high.n == 0;
    p.high = p.to_end ? p.high : after(&q->arena, high);
    return p;
}

// A pass for each different value for which the condition holds. When there are too many, one for all.
static enum err distinct_passes(struct index_query *q, const struct way *w, const struct condition *c,
                                struct fault *f) {
    char sql[128];
    sqlite3_stmt *s = NULL;
    const char *column = attr_name(w->attr);
    size_t from = q->pass_count;
    struct slice value = slice_of("", 0);
    sqlite3_snprintf(sizeof sql, sql, "SELECT min(%s)FROM study WHERE %s>?1", column, column);
    int rc = statement_prepare(q->ix, sql, &s);
    bool end = rc != SQLITE_OK, fine = true;
    for (unsigned n = 0; !end && fine; n++) {
        bind_slice(s, 1, value);
        if (value.n == 0)
            sqlite3_bind_text(s, 1, "", 0, SQLITE_STATIC);
        rc = sqlite3_step(s);
        end = rc != SQLITE_ROW || sqlite3_column_type(s, 0) == SQLITE_NULL;
        if (!end && (n == DISTINCT_MAX || q->pass_count - from == DISTINCT_PASSES_MAX)) {
            q->pass_count = from;
            fine = all_keys_pass(q, column);
            end = true;
        } else if (!end) {
            value = slice_concat(&q->arena, column_slice(s, 0), (struct slice){NULL, 0});
            fine = value.p && (!condition_matches(c, value) ||
                               pass_add(q, (struct pass){.walk = WALK_EQUAL, .column = column, .low = value,
                                                         .told = true}));
        }
        sqlite3_reset(s);
    }
    statement_give_back(q->ix, s);
    if (rc != SQLITE_OK && rc != SQLITE_ROW && rc != SQLITE_DONE)
        return index_fail(q->ix, rc, "looking at an index", f);
    return fine ? OK : fault_set(f, ERR_NO_MEMORY, "no memory for a query");
}

// A pass for each run of names that match. *ret_done: there are some, or surely none.
static enum err spelling_passes(struct index_query *q, const struct condition *c, struct fault *f,
                                bool *ret_done) {
    const struct spelling_run *runs = NULL;
    size_t n = 0;
    spellings_match(q->ix, c, &runs, &n, ret_done);
    if (!*ret_done)
        return OK;
    q->passes = arena_calloc(&q->arena, n + 2, sizeof *q->passes);
    bool fine = q->passes != NULL;
    for (size_t i = 0; fine && i < n; i++) { // copied: names may be added while it runs
        struct slice low = slice_concat(&q->arena, runs[i].first, (struct slice){NULL, 0});
        struct slice high = after(&q->arena, runs[i].last);
        fine = low.p && high.p && pass_add(q, (struct pass){.walk = WALK_RANGE, .column = name_columns[0],
                                                            .low = low, .high = high, .told = true});
    }
    return fine ? OK : fault_set(f, ERR_NO_MEMORY, "no memory for a query");
}

static bool by_value(const struct way *w, const struct condition *c) { // each different one is looked at
    bool texts = c->kind == QUERY_WILDCARD || c->kind == QUERY_FUZZY;
    return w->few && (w->whole || (texts && takes_all_keys(c)));
}

static bool condition_passes(struct index_query *q, const struct way *w, const struct condition *c) {
    if (w->attr == INDEX_ATTR_PatientName)
        return name_passes(q, c);
    if (c->kind == QUERY_WILDCARD)
        return wildcard_passes(q, attr_name(w->attr), c);
    if (c->kind == QUERY_RANGE) {
        struct pass p = date_pass(q, c);
        return (p.to_end || p.high.p) && pass_add(q, p);
    }
    return equal_passes(q, w, c);
}

// --- What the values of an index tell alone ------------------------------------------------------

static bool one_group_each(const struct condition *c) {
    for (size_t i = 0; i < c->count; i++)
        if (memchr(c->operands[i].p, '=', c->operands[i].n))
            return false;
    return true;
}

static bool key_tells(const struct pass *p, const struct condition *c) {
    return p->column && !p->is_blob && c->attr != INDEX_ATTR_StudyMoment &&
           (p->group == 0 || one_group_each(c));
}

// A text that begins with something, and nothing else is asked; of a name, also one that is something. Then
// whatever the pass walks over fits.
static bool is_prefix_only(const struct condition *c) {
    bool is_name = index_attr_table[c->attr].vr == VR_PN;
    bool texts = c->kind == QUERY_WILDCARD || (is_name && (c->kind == QUERY_SINGLE || c->kind == QUERY_LIST));
    for (size_t i = 0; texts && i < c->count; i++) {
        struct slice v = c->operands[i];
        size_t n = glob_prefix(v);
        texts = n > 0 && ((is_name && n == v.n) || (n + 1 == v.n && v.p[n] == '*'));
    }
    return texts && one_group_each(c);
}

static bool set_filters(struct index_query *q, const struct condition *c, size_t from) { // all of them?
    bool all = true, prefixes = is_prefix_only(c);
    for (size_t i = from; i < q->pass_count; i++) {
        struct pass *p = &q->passes[i];
        bool needless = p->told || (prefixes && !p->to_end) ||
                        (p->walk == WALK_EQUAL && index_attr_table[c->attr].vr != VR_PN);
        if (!needless && key_tells(p, c))
            p->filter = c;
        all = all && (needless || p->filter);
    }
    return all;
}

// Are all rows that the passes let through rows of the answer? `c` is what they were made for.
static bool is_exact(struct index_query *q, const struct condition *c) {
    bool told = !c || set_filters(q, c, 0);
    bool scopes_told = q->scope_count == 0 || (q->scopes_are_conditions && q->level == INDEX_STUDY);
    return told && scopes_told && q->level == q->top && q->condition_count == (c ? 1 : 0);
}

// --- The order "newest first" -------------------------------------------------------------------

static bool is_date_range(const struct condition *c) {
    bool is_date = c->attr == INDEX_ATTR_StudyDate || c->attr == INDEX_ATTR_StudyMoment;
    return (is_date && c->kind == QUERY_RANGE && c->count == 2) ||
           (c->attr == INDEX_ATTR_StudyDate && c->kind == QUERY_SINGLE && c->operands[0].n > 0);
}

static const struct condition *date_range(const struct index_query *q) {
    for (size_t i = 0; i < q->condition_count; i++)
        if (is_date_range(&q->conditions[i]))
            return &q->conditions[i];
    return NULL;
}

static bool newest_passes(struct index_query *q) {
    const struct condition *c = date_range(q);
    struct pass p = c ? date_pass(q, c)
                      : (struct pass){.column = "StudyDate", .low = slice_of("", 0), .to_end = true};
    p.walk = WALK_NEWEST;
    q->pass_count = 0;
    q->top = INDEX_STUDY;
    q->overlap_attr = -1;
    q->gathering = false;
    bool fine =
        pass_add(q, p) && (c || pass_add(q, (struct pass){.walk = WALK_UNDATED, .column = "StudyDate"}));
    q->exact = is_exact(q, c);
    return fine;
}

enum err plan_by_date(struct index_query *q, struct fault *f) {
    return newest_passes(q) ? OK : fault_set(f, ERR_NO_MEMORY, "no memory for a query");
}

// --- Together -----------------------------------------------------------------------------------

bool pass_covers(const struct pass *p, struct slice value) {
    struct slice v = value;
    if (p->group > 0) {
        struct slice rest = value;
        for (unsigned i = 0; i <= p->group; i++)
            v = rest.p ? slice_split(rest, '=', &rest) : (struct slice){NULL, 0};
    }
    if (p->walk == WALK_EQUAL)
        return slice_eq(v, p->low);
    return v.n > 0 && slice_cmp(v, p->low) >= 0 && (p->to_end || slice_cmp(v, p->high) < 0);
}

static bool ranges_meet(const struct pass *a, const struct pass *b) {
    return (b->to_end || slice_cmp(a->low, b->high) < 0) && (a->to_end || slice_cmp(b->low, a->high) < 0);
}

// May a row be met in two passes? Those for different values of a column don't overlap; those for groups of
// names may, and those for patterns where their beginnings do.
static bool passes_overlap(const struct index_query *q, const struct way *w, const struct condition *c) {
    if (q->pass_count > 0 && q->passes[0].told)
        return false;
    if (w->attr == INDEX_ATTR_PatientName)
        return q->pass_count > 1;
    for (size_t i = 0; c->kind == QUERY_WILDCARD && i < q->pass_count; i++)
        for (size_t j = 0; j < i; j++)
            if (ranges_meet(&q->passes[i], &q->passes[j]))
                return true;
    return false;
}

// From, and up to: no text is greater than a blob.
void plan_bind_dates(struct index_query *q, sqlite3_stmt *s) {
    struct pass p = date_pass(q, q->date_besides);
    sqlite3_bind_text64(s, 4, p.low.n ? (const char *)p.low.p : "", p.low.n, SQLITE_STATIC, SQLITE_UTF8);
    if (p.to_end || !p.high.p)
        sqlite3_bind_zeroblob(s, 5, 0);
    else
        bind_slice(s, 5, p.high);
}

// How many keys a pass has, counted up to `most`.
static enum err probe(struct index_query *q, const struct pass *p, uint64_t most, struct fault *f,
                      uint64_t *ret_count) {
    char sql[320];
    sqlite3_stmt *s = NULL;
    const char *table = q->top == INDEX_PATIENT ? "patient" : "study";
    const char *low = p->low.n ? (const char *)p->low.p : ""; // empty is not NULL here
    bool ranged = p->walk == WALK_RANGE && !p->to_end;
    sqlite3_snprintf(sizeof sql, sql, "SELECT count(*)FROM(SELECT 1 FROM %s WHERE %s%s?1%s%s%s%s LIMIT ?3)",
                     table, p->column, p->walk == WALK_EQUAL ? "=" : ">=", ranged ? " AND " : "",
                     ranged ? p->column : "", ranged ? "<?2" : "",
                     q->date_besides ? " AND StudyDate>=?4 AND StudyDate<?5" : "");
    int rc = statement_prepare(q->ix, sql, &s);
    if (rc == SQLITE_OK && q->date_besides)
        plan_bind_dates(q, s);
    if (rc == SQLITE_OK) {
        sqlite3_bind_text64(s, 1, low, p->low.n, SQLITE_STATIC, SQLITE_UTF8);
        if (ranged)
            bind_slice(s, 2, p->high);
        sqlite3_bind_int64(s, 3, (int64_t)most);
        rc = sqlite3_step(s);
    }
    *ret_count = rc == SQLITE_ROW ? (uint64_t)sqlite3_column_int64(s, 0) : 0;
    statement_give_back(q->ix, s);
    return rc == SQLITE_ROW ? OK : index_fail(q->ix, rc, "probing an index", f);
}

static bool can_probe(const struct pass *p) {
    return p->column && !p->is_blob && (p->walk == WALK_EQUAL || p->walk == WALK_RANGE);
}

enum err plan_probe(struct index_query *q, uint64_t most, bool rows, struct fault *f, uint64_t *ret_count) {
    uint64_t n = 0, more = 0;
    enum err e = OK;
    for (size_t i = 0; e == OK && n <= most && i < q->pass_count; i++, n += more) {
        const struct pass *p = &q->passes[i];
        more = p->is_blob && !rows ? 1 : most + 1;
        if (can_probe(p) && !(p->filter && (rows || p->to_end)))
            e = probe(q, p, most + 1 - n, f, &more);
    }
    if (e == OK)
        *ret_count = n;
    return e;
}

// A key of one group looks into all three, and most names have one only.
static enum err drop_empty_passes(struct index_query *q, struct fault *f) {
    size_t kept = 0;
    uint64_t some = 1;
    enum err e = OK;
    for (size_t i = 0; e == OK && i < q->pass_count; i++) {
        struct pass *p = &q->passes[i];
        some = 1;
        if (can_probe(p) && !p->to_end)
            e = probe(q, p, 1, f, &some);
        if (some > 0)
            q->passes[kept++] = *p;
    }
    if (e == OK)
        q->pass_count = kept;
    return e;
}

// A prefix says much or nothing: all of a hospital's numbers may begin alike.
static enum err find_common(struct index_query *q, struct condition *c, struct fault *f) {
    uint64_t n = 0, more;
    enum err e = OK;
    for (size_t i = 0; e == OK && n < KEYS_PROBED && i < q->pass_count; i++, n += more) {
        const struct pass *p = &q->passes[i];
        more = 0;
        if (p->walk == WALK_RANGE && !p->to_end)
            e = probe(q, p, KEYS_PROBED - n, f, &more);
    }
    c->is_common = n >= KEYS_PROBED;
    return e;
}

static bool is_by_prefix(const struct condition *c) {
    return c->kind == QUERY_WILDCARD || index_attr_table[c->attr].vr == VR_PN;
}

// The newest of many are found by date before the others are gathered. How many there are the index tells,
// or nothing does: then by date is tried first.
static enum err choose_order(struct index_query *q, struct fault *f) {
    uint64_t wanted = q->offset + q->limit, studies = (uint64_t)q->ix->totals.studies, n = 0;
    q->gathering = true;
    if (q->limit == 0 || q->limit >= q->ix->try_rows || q->offset >= q->ix->try_rows || q->no_trying)
        return OK;
    uint64_t many = wanted * studies / q->ix->try_rows; // of so many, enough are found soon
    enum err e = plan_probe(q, many, false, f, &n);
    if (e != OK || n <= many)
        return e;
    q->dates_left = 2 * q->ix->try_rows;
    q->dates_seen = 0;
    return plan_by_date(q, f);
}

enum err plan_anew(struct index_query *q, struct fault *f) {
    q->no_trying = true;
    q->dates_left = 0;
    q->pass_count = 0;
    enum err e = plan_make(q, f);
    q->done = e == OK && q->pass_count == 0;
    return e;
}

// Two conditions, of which one is about Study Date and the index of the other has the date.
static const struct condition *date_besides(struct index_query *q, const struct way *w,
                                            const struct condition *c) {
    bool two = q->condition_count == 2 && q->level == INDEX_STUDY && w->dated;
    if (!two || (q->scope_count > 0 && !q->scopes_are_conditions))
        return NULL;
    const struct condition *other = &q->conditions[c == q->conditions ? 1 : 0];
    bool is_date = other->attr == INDEX_ATTR_StudyDate && is_date_range(other);
    return is_date && set_filters(q, c, 0) ? other : NULL;
}

static size_t passes_at_most(const struct way *w, const struct condition *c) {
    size_t each = w->attr == INDEX_ATTR_PatientName ? 4 : 1; // passes an operand may need
    return c->count * each + (by_value(w, c) ? DISTINCT_PASSES_MAX : 0);
}

static enum err make_passes(struct index_query *q, const struct way *w, const struct condition *c,
                            struct fault *f) {
    enum err e = OK;
    bool fine = true, done = false;
    if (c && w->attr == INDEX_ATTR_PatientName && c->kind == QUERY_FUZZY && q->top == INDEX_STUDY)
        e = spelling_passes(q, c, f, &done);
    if (e == OK && !done && c && by_value(w, c))
        e = distinct_passes(q, w, c, f);
    else if (e == OK && !done)
        fine = c ? condition_passes(q, w, c) : pass_add(q, (struct pass){.walk = WALK_ALL});
    for (size_t i = 0; c && i < q->pass_count; i++)
        q->passes[i].dated = w->dated && q->top == INDEX_STUDY;
    if (e == OK && fine && !done && c && w->attr == INDEX_ATTR_PatientName && q->pass_count > 1)
        e = drop_empty_passes(q, f);
    return fine ? e : fault_set(f, ERR_NO_MEMORY, "no memory for a query");
}

// The way of the condition by which a clause is walked, if that tells all of it.
static const struct way *way_of(const struct conditions *clause) {
    bool one = clause->n == 1 && clause->v[0].kind != QUERY_FUZZY;
    for (size_t i = 0; one && i < sizeof ways / sizeof *ways; i++)
        if (ways[i].attr == clause->v[0].attr && ways[i].dated && cost(&ways[i], &clause->v[0]) < COST_ALL)
            return &ways[i];
    return NULL;
}

static const struct way *cheapest_way(const struct condition *c) { // over studies
    const struct way *best = NULL;
    unsigned best_cost = COST_ALL;
    for (size_t i = 0; i < sizeof ways / sizeof *ways; i++)
        if (ways[i].attr == c->attr && ways[i].table <= INDEX_STUDY && cost(&ways[i], c) < best_cost) {
            best = &ways[i];
            best_cost = cost(best, c);
        }
    return best;
}

enum err plan_passes_of(struct index_query *q, const struct condition *c, struct fault *f, bool *ret_told) {
    const struct way *w = cheapest_way(c);
    *ret_told = false;
    if (!w)
        return OK;
    q->pass_count = 0;
    q->passes = arena_calloc(&q->arena, passes_at_most(w, c) + 2, sizeof *q->passes);
    if (!q->passes)
        return fault_set(f, ERR_NO_MEMORY, "no memory for a query");
    enum err e = make_passes(q, w, c, f);
    *ret_told = e == OK && set_filters(q, c, 0);
    return e;
}

// Counting what is seen by one of several clauses: each is walked by its own index, and what was met twice
// counts once. *ret_done: it is so.
static enum err union_passes(struct index_query *q, struct fault *f, bool *ret_done) {
    const struct scope *s = q->scopes;
    bool counting = q->offset == UINT64_MAX;
    size_t most = 0;
    enum err e = OK;
    *ret_done = false;
    if (!counting || q->level != INDEX_STUDY || q->condition_count > 0 || q->scope_count != 1)
        return OK;
    for (size_t i = 0; i < s->count; i++) {
        const struct way *w = way_of(&s->clauses[i]);
        if (!w)
            return OK;
        most += passes_at_most(w, s->clauses[i].v);
    }
    q->passes = arena_calloc(&q->arena, most + 1, sizeof *q->passes);
    if (!q->passes)
        return fault_set(f, ERR_NO_MEMORY, "no memory for a query");
    bool told = true;
    for (size_t i = 0; e == OK && i < s->count; i++) {
        size_t from = q->pass_count;
        e = make_passes(q, way_of(&s->clauses[i]), s->clauses[i].v, f);
        told = told && set_filters(q, s->clauses[i].v, from);
    }
    if (!told)
        q->pass_count = 0;
    *ret_done = q->exact = q->gathering = told;
    return e;
}

bool plan_wants_names(const struct index_query *q) {
    const struct way *w = NULL;
    size_t rivals;
    const struct condition *c = choose(q, &w, &rivals);
    bool of_studies = q->level != INDEX_PATIENT || at_patient_in_scope(q);
    return c && of_studies && w->attr == INDEX_ATTR_PatientName && c->kind == QUERY_FUZZY;
}

enum err plan_make(struct index_query *q, struct fault *f) {
    const struct way *w = NULL;
    size_t rivals;
    bool done;
    struct condition *c = choose(q, &w, &rivals);
    q->top = INDEX_STUDY;
    q->overlap_attr = -1;
    enum err e = c ? OK : union_passes(q, f, &done);
    if (e != OK || (!c && done))
        return e;
    q->passes = arena_calloc(&q->arena, (c ? passes_at_most(w, c) : 0) + 2, sizeof *q->passes);
    if (!q->passes)
        return fault_set(f, ERR_NO_MEMORY, "no memory for a query");
    enum index_level lowest =
        q->level == INDEX_PATIENT && !at_patient_in_scope(q) ? INDEX_PATIENT : INDEX_STUDY;
    q->top = c && w->table > lowest ? w->table : lowest;
    e = make_passes(q, w, c, f);
    if (e == OK && c && rivals > 1 && !w->whole && is_by_prefix(c) && !c->is_common) {
        e = find_common(q, c, f);
        q->pass_count = c->is_common ? 0 : q->pass_count;
        if (e != OK || c->is_common)
            return e != OK ? e : plan_make(q, f); // no more often than there are conditions
    }
    if (e != OK)
        return e;
    bool overlap = c && passes_overlap(q, w, c);
    q->overlap_attr = overlap ? (int)c->attr : -1;
    q->exact = is_exact(q, c) && (!overlap || q->order == INDEX_ORDER_NEWEST);
    q->date_besides = c && !q->exact && !overlap ? date_besides(q, w, c) : NULL;
    if (q->order != INDEX_ORDER_NEWEST)
        return OK;
    return c && !is_date_range(c) ? choose_order(q, f) : plan_by_date(q, f);
}
