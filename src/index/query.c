#include "index/query_internal.h"

#include <stdlib.h>

// --- Opening ------------------------------------------------------------------------------------

static void link_in(struct index *ix, struct index_query *q) {
    q->next = ix->queries;
    if (q->next)
        q->next->previous = q;
    ix->queries = q;
    ix->query_count++;
}

static void link_out(struct index *ix, struct index_query *q) {
    if (q->next)
        q->next->previous = q->previous;
    if (q->previous)
        q->previous->next = q->next;
    else
        ix->queries = q->next;
    ix->query_count--;
}

static enum err compile(struct index_query *q, const struct index_query_spec *spec, struct fault *f) {
    q->level = spec->level;
    q->order = spec->order;
    q->offset = spec->offset;
    q->limit = spec->limit;
    if (spec->level >= INDEX_LEVEL_COUNT_ || (spec->order == INDEX_ORDER_NEWEST &&
                                              spec->level != INDEX_STUDY))
        return fault_set(f, ERR_UNSUPPORTED, "a query has no such level or order");
    enum err e = conditions_compile(q, spec, f);
    if (e == OK)
        e = scopes_compile(q, spec, f);
    return e == OK ? select_columns(q, spec, f) : e;
}

static uint64_t total_of(const struct totals *t, enum index_level level) {
    const int64_t totals[] = {t->patients, t->studies, t->series, t->instances};
    return (uint64_t)totals[level];
}

// If the indexes alone tell, and not so many that others would have to wait.
static enum err count_at_once(struct index_query *q, struct fault *f) {
    uint64_t n;
    if ((!q->exact && !q->date_besides) || q->done)
        return OK;
    enum err e = plan_probe(q, QUICK_COUNT_MAX, true, f, &n);
    if (e != OK || n > QUICK_COUNT_MAX)
        return e;
    q->skipped = n;
    q->done = true;
    return OK;
}

static enum err plan(struct index_query *q, struct fault *f) {
    q->planned = true;
    if (q->counting && q->condition_count == 0 && q->scope_count == 0) {
        q->skipped = total_of(&q->ix->totals, q->level);
        q->done = true;
        return OK;
    }
    enum err e = plan_make(q, f);
    q->done = e == OK && q->pass_count == 0;
    if (e == OK && q->counting)
        e = count_at_once(q, f);
    return e == OK && !q->done ? rounds_try(q, f) : e;
}

// Names are read a part in each step; what needs none is planned at once.
static enum err plan_when_names_are_read(struct index_query *q, struct fault *f) {
    bool all = !plan_wants_names(q);
    enum err e = all ? OK : index_names_read(q->ix, f, &all);
    return e == OK && all ? plan(q, f) : e;
}

static enum err query_open(struct index *ix, const struct index_query_spec *spec, bool counting,
                           struct fault *f, struct index_query **ret_query) {
    if (ix->query_count >= INDEX_QUERIES_MAX)
        return fault_set(f, ERR_BUSY, "more than %d queries are open", INDEX_QUERIES_MAX);
    struct index_query *q = calloc(1, sizeof *q);
    if (!q)
        return fault_set(f, ERR_NO_MEMORY, "no memory for a query");
    q->ix = ix;
    q->arena = ARENA_INIT(QUERY_ARENA_MAX);
    q->place_key = q->place_date = BUF_INIT(2 * INDEX_VALUE_MAX_BYTES);
    q->prepared = SIZE_MAX;
    q->counting = counting;
    link_in(ix, q);
    enum err e = compile(q, spec, f);
    if (e == OK)
        e = plan_when_names_are_read(q, f);
    if (e != OK) {
        index_query_close(q);
        return e;
    }
    *ret_query = q;
    return OK;
}

enum err index_query_open(struct index *ix, const struct index_query_spec *spec, struct fault *f,
                          struct index_query **ret_query) {
    return query_open(ix, spec, false, f, ret_query);
}

void index_query_close(struct index_query *q) {
    if (!q)
        return;
    link_out(q->ix, q);
    statement_give_back(q->ix, q->statement);
    statement_give_back(q->ix, q->late_statement);
    statement_give_back(q->ix, q->scope_statement);
    statement_give_back(q->ix, q->patient_statement);
    gather_free(q);
    rounds_free(q);
    buf_fini(&q->place_key);
    buf_fini(&q->place_date);
    arena_fini(&q->arena);
    free(q);
}

// --- Counting -----------------------------------------------------------------------------------

// A query all of whose rows are skipped.
enum err index_count_open(struct index *ix, const struct index_query_spec *spec, struct fault *f,
                          struct index_query **ret_query) {
    struct index_query_spec s = *spec;
    s.returns = NULL;
    s.return_count = s.limit = 0;
    s.order = INDEX_ORDER_ANY;
    s.offset = UINT64_MAX;
    return query_open(ix, &s, true, f, ret_query);
}

uint64_t index_count_result(const struct index_query *q) {
    return q->skipped;
}

const char *index_query_sql(const struct index_query *q) {
    return q->statement ? sqlite3_sql(q->statement) : "";
}

// --- A pass: starting, leaving at any row, finding the place again --------------------------------

static bool same_text(const struct pass *a, const struct pass *b) {
    return a->walk == b->walk && a->column == b->column && !a->filter == !b->filter;
}

// Empty is not NULL here. Without memory nothing would be bound, and nothing found.
static int bind_value(sqlite3_stmt *s, int at, struct slice v, bool is_blob) {
    if (is_blob)
        return sqlite3_bind_blob64(s, at, v.n ? (const void *)v.p : "", v.n, SQLITE_TRANSIENT);
    return sqlite3_bind_text64(s, at, v.n ? (const char *)v.p : "", v.n, SQLITE_TRANSIENT, SQLITE_UTF8);
}

// No text is greater than a blob.
static int bind_high(sqlite3_stmt *s, int at, const struct pass *p) {
    return p->to_end ? sqlite3_bind_zeroblob(s, at, 0) : bind_value(s, at, p->high, false);
}

static int bind(struct index_query *q, const struct pass *p) {
    sqlite3_stmt *s = q->statement;
    struct slice key = buf_slice(&q->place_key);
    int rc = SQLITE_OK;
    if (q->date_besides && p->dated)
        plan_bind_dates(q, s);
    switch (p->walk) {
    case WALK_EQUAL:
        rc = bind_value(s, 1, p->low, p->is_blob);
        if (!p->dated)
            sqlite3_bind_int64(s, 2, q->has_place ? q->place[0] : 0);
        break;
    case WALK_RANGE:
        rc = bind_value(s, 1, q->has_place ? key : p->low, false);
        rc = rc == SQLITE_OK ? bind_high(s, 2, p) : rc;
        break;
    case WALK_ALL:
        sqlite3_bind_int64(s, 1, q->has_place ? q->place[0] : 0);
        break;
    case WALK_NEWEST:
        rc = bind_value(s, 1, p->low, false);
        if (rc == SQLITE_OK && q->has_place) {
            buf_u8(&q->place_key, 0); // up to the place, itself included
            rc = bind_value(s, 2, buf_slice(&q->place_key), false);
            q->place_key.n--;
        } else if (rc == SQLITE_OK) {
            rc = bind_high(s, 2, p);
        }
        break;
    case WALK_UNDATED:
        sqlite3_bind_int64(s, 1, q->has_place ? q->place[0] : INT64_MAX);
        break;
    case WALK_SORTED:
        sqlite3_bind_int64(s, 1, q->gathered[q->gathered_at].id);
        break;
    }
    return rc;
}

static enum err start(struct index_query *q, struct fault *f) {
    const struct pass *p = &q->passes[q->pass_now];
    if (q->prepared == SIZE_MAX || !same_text(p, &q->passes[q->prepared])) {
        enum err e = select_prepare(q, p, f);
        if (e != OK)
            return e;
    }
    q->prepared = q->pass_now;
    int rc = bind(q, p);
    if (rc != SQLITE_OK)
        return index_fail(q->ix, rc, "binding a query", f);
    q->running = true;
    q->walked = 0;
    return OK;
}

static void suspend(struct index_query *q) {
    if (!q->running)
        return;
    const struct pass *p = &q->passes[q->pass_now];
    if (!q->has_place) // else it has not reached its old place yet
        place_take(q);
    q->again = p->walk == WALK_EQUAL && p->dated ? q->walked : 0;
    sqlite3_reset(q->statement);
    sqlite3_reset(q->late_statement);
    q->running = false;
}

void queries_suspend(struct index *ix) {
    for (struct index_query *q = ix->queries; q; q = q->next)
        suspend(q);
}

static bool in_earlier_pass(const struct index_query *q) {
    if (q->overlap_attr < 0 || q->pass_now == 0)
        return false;
    struct slice v = column_slice(q->statement, q->columns.at[q->overlap_attr]);
    for (size_t i = 0; i < q->pass_now; i++)
        if (pass_covers(&q->passes[i], v))
            return true;
    return false;
}

// --- Stepping -----------------------------------------------------------------------------------

// All there is to be sorted has been gathered. What is surely of the answer is skipped unread.
static void turn_to_gathered(struct index_query *q) {
    gather_sort(q);
    q->gathering = false;
    q->prepared = SIZE_MAX;
    q->passes[0] = (struct pass){.walk = WALK_SORTED};
    q->pass_count = 1;
    q->pass_now = 0;
    size_t left = q->gathered_count - q->gathered_at;
    if (q->exact) {
        size_t skipped = q->offset - q->skipped < left ? (size_t)(q->offset - q->skipped) : left;
        q->gathered_at += skipped;
        q->skipped += skipped;
    }
    q->done = q->gathered_at == q->gathered_count;
}

static void next_pass(struct index_query *q) {
    sqlite3_reset(q->statement);
    q->running = q->has_place = false;
    q->last_key.p = NULL;
    if (q->passes[q->pass_now].walk == WALK_SORTED)
        q->done = ++q->gathered_at == q->gathered_count;
    else if (++q->pass_now == q->pass_count && q->round_count > 0)
        rounds_next(q);
    else if (q->pass_now == q->pass_count && q->gathering)
        turn_to_gathered(q);
    else
        q->done = q->pass_now == q->pass_count;
}

static enum err admits(struct index_query *q, struct fault *f, bool *ret_admits) {
    return scope_admits(q, sqlite3_column_int64(q->statement, COL_STUDY_ID),
                        sqlite3_column_int64(q->statement, COL_PATIENT_ID), f, ret_admits);
}

static void stop(struct index_query *q) {
    sqlite3_reset(q->statement);
    q->running = false;
    q->done = true;
}

// A study that is asked for by its UID and not seen: its first row ends the query, which else would take the
// longer the more there is in it, and so tell that there is such a study.
static enum err end_unless_seen(struct index_query *q, struct fault *f) {
    bool seen = true;
    enum err e = OK;
    if (q->the_study && q->scope_count > 0 && q->level != INDEX_PATIENT &&
        conditions_hold(q, q->statement, q->the_study, 1))
        e = admits(q, f, &seen);
    if (!seen)
        stop(q);
    return e;
}

static enum err row_wanted(struct index_query *q, struct fault *f, bool *ret_wanted) {
    bool wanted = false;
    enum err e = OK;
    *ret_wanted = false;
    if (place_is_behind(q, q->statement))
        return OK;
    q->has_place = false;
    q->dates_seen++;
    e = end_unless_seen(q, f);
    if (e != OK || q->done)
        return e;
    if (!in_earlier_pass(q) && conditions_hold(q, q->statement, q->conditions, q->condition_count))
        e = admits(q, f, &wanted);
    if (e == OK && wanted && q->skipped < q->offset) {
        q->skipped++;
        wanted = false;
    }
    *ret_wanted = wanted;
    return e;
}

// The passes change under the statement.
static void begin_anew(struct index_query *q) {
    sqlite3_reset(q->statement);
    q->running = q->has_place = false;
    q->last_key.p = NULL;
    q->pass_now = 0;
    q->prepared = SIZE_MAX;
}

// It was hoped to find enough by date soon. What has been found stays.
static enum err stop_trying(struct index_query *q, struct fault *f) {
    uint64_t wanted = q->offset + q->limit, found = q->skipped + q->returned;
    if (found * 4 >= wanted) { // nearly
        q->dates_left *= 4;
        return OK;
    }
    suspend(q);
    gather_floor(q);
    begin_anew(q);
    return plan_anew(q, f);
}

static enum err row_gather(struct index_query *q, struct fault *f) {
    bool too_many = false;
    struct slice key = column_slice(q->statement, COL_KEY);
    const struct pass *p = &q->passes[q->pass_now];
    if (place_is_behind(q, q->statement))
        return OK;
    q->has_place = false;
    if (q->tired && p->filter && !condition_matches(p->filter, key))
        return OK;
    if (q->round_count > 0) {
        rounds_note(q, sqlite3_column_int64(q->statement, COL_TOP_ID));
        return OK;
    }
    enum err e = gather_row(q, f, &too_many);
    if (e != OK || !too_many)
        return e;
    gather_free(q);
    begin_anew(q);
    e = plan_by_date(q, f);
    if (e == OK && q->has_floor)
        place_at_floor(q);
    return e;
}

static enum err late_step(struct index_query *q, struct fault *f) {
    if (q->late_count == 0)
        return OK;
    enum err e = q->late_statement ? OK : select_prepare_late(q, f);
    if (e != OK)
        return e;
    sqlite3_bind_int64(q->late_statement, 1, q->place[0]);
    int rc = sqlite3_step(q->late_statement);
    return rc == SQLITE_ROW ? OK : index_fail(q->ix, rc == SQLITE_DONE ? SQLITE_CORRUPT : rc,
                                              "computing a row", f);
}

static enum err row_take(struct index_query *q, struct fault *f) {
    read_place(q, q->place);
    if (q->level == INDEX_INSTANCE)
        q->ref = column_ref(q->statement, COL_REF);
    q->returned++;
    q->has_row = true;
    enum err e = scope_sums(q, q->place[4], f);
    return e == OK ? late_step(q, f) : e;
}

// One row of the walk, or the end of a pass.
static enum err walk_on(struct index_query *q, struct fault *f, bool *ret_wanted) {
    enum err e = q->dates_left > 0 && q->dates_seen >= q->dates_left ? stop_trying(q, f) : OK;
    *ret_wanted = false;
    if (e == OK && !q->done && !q->running)
        e = start(q, f);
    if (e != OK || q->done)
        return e;
    int rc = sqlite3_step(q->statement);
    if (rc == SQLITE_ROW)
        return q->gathering ? row_gather(q, f) : row_wanted(q, f, ret_wanted);
    if (rc == SQLITE_DONE) {
        next_pass(q);
        return OK;
    }
    stop(q);
    return index_fail(q->ix, rc, "walking a query", f);
}

static bool is_over(const struct index_query *q) { // or has not begun
    return !q->planned || q->done || (q->limit > 0 && q->returned >= q->limit);
}

enum err index_query_step(struct index_query *q, struct fault *f, enum index_step *ret_step) {
    enum err e = series_flush(q->ix, f);
    bool wanted = false;
    q->has_row = false;
    walk_begin(q);
    scope_forget(q);
    sqlite3_reset(q->late_statement);
    if (e == OK && !q->planned)
        e = plan_when_names_are_read(q, f);
    for (uint64_t rows = 0; e == OK && !is_over(q); rows++) {
        if (q->tired || rows == ROWS_PER_STEP + q->behind || q->work > WORK_PER_STEP) {
            *ret_step = INDEX_AGAIN;
            return OK;
        }
        e = walk_on(q, f, &wanted);
        if (e == OK && wanted) {
            *ret_step = INDEX_ROW;
            return row_take(q, f);
        }
    }
    if (e != OK)
        return e;
    if (!q->planned) {
        *ret_step = INDEX_AGAIN;
        return OK;
    }
    if (q->running) // the limit is reached: nothing more will be read
        sqlite3_reset(q->statement);
    q->running = false;
    q->done = true;
    *ret_step = INDEX_END;
    return OK;
}

// --- The current row ----------------------------------------------------------------------------

static struct slice uid_value(const struct index_query *q, size_t i, enum index_attr attr) {
    char *text = q->uid_texts[i];
    int column = q->columns.at[attr];
    if (attr == INDEX_ATTR_SOPClassUID || attr == INDEX_ATTR_AvailableTransferSyntaxUID) {
        struct slice uid = uid_text(q->ix, sqlite3_column_int64(q->statement, column));
        if (!slice_to_cstr(uid, text, sizeof q->uid_texts[i]))
            text[0] = '\0';
        return slice_str(text);
    }
    return slice_of(text, uid_unpack(column_slice(q->statement, column), text));
}

struct slice index_query_value(const struct index_query *q, size_t i) {
    struct slice none = {NULL, 0};
    if (!q->has_row || !q->running || i >= q->return_count)
        return none;
    enum index_attr attr = (enum index_attr)q->returns[i];
    int column = q->columns.at[attr], sum = attr - INDEX_ATTR_NumberOfPatientRelatedStudies;
    if (index_attr_table[attr].kind == INDEX_KIND_UID)
        return uid_value(q, i, attr);
    if (q->wants_sums && sum >= 0 && sum < 3)
        return slice_str(q->sums[sum]);
    if (q->late[attr] >= 0)
        return column_slice(q->late_statement, q->late[attr]);
    bool own = index_attr_table[attr].kind != INDEX_KIND_COMPUTED &&
               sqlite3_column_type(q->statement, column + 1) != SQLITE_NULL;
    return column_slice(q->statement, own ? column + 1 : column);
}

static enum err first_ref(struct index *ix, enum stmt_id id, int64_t row, struct fault *f,
                          struct index_ref *ret_ref) {
    sqlite3_stmt *s = NULL;
    enum err e = index_statement(ix, id, f, &s);
    if (e != OK)
        return e;
    sqlite3_bind_int64(s, 1, row);
    int rc = sqlite3_step(s);
    if (rc == SQLITE_ROW)
        *ret_ref = column_ref(s, 0);
    sqlite3_reset(s);
    if (rc == SQLITE_DONE)
        return fault_set(f, ERR_NO_SUCH_OBJECT, "the entity has no instance any more");
    return rc == SQLITE_ROW ? OK : index_fail(ix, rc, "finding an instance", f);
}

enum err index_query_ref(struct index_query *q, struct fault *f, struct index_ref *ret_ref) {
    if (!q->has_row)
        return fault_set(f, ERR_NO_SUCH_OBJECT, "the query stands on no row");
    switch (at_patient_in_scope(q) ? INDEX_STUDY : q->level) {
    case INDEX_PATIENT:
        return first_ref(q->ix, ST_REF_OF_PATIENT, q->place[0], f, ret_ref);
    case INDEX_STUDY:
        return first_ref(q->ix, ST_REF_OF_STUDY, q->place[0], f, ret_ref);
    case INDEX_SERIES:
        return first_ref(q->ix, ST_REF_OF_SERIES, q->place[1], f, ret_ref);
    case INDEX_INSTANCE:
    case INDEX_LEVEL_COUNT_:
        break;
    }
    *ret_ref = q->ref;
    return OK;
}
