#include "index/query_internal.h"

#include <stdlib.h>

// Columns of every SELECT before those of attributes.
enum { COL_TOP_ID, COL_KEY, COL_SERIES_ID, COL_INSTANCE_ID, COL_REF };

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
        e = select_columns(q, spec, f);
    return e == OK ? plan_make(q, f) : e;
}

enum err index_query_open(struct index *ix, const struct index_query_spec *spec, struct fault *f,
                          struct index_query **ret_query) {
    if (ix->query_count >= INDEX_QUERIES_MAX)
        return fault_set(f, ERR_BUSY, "more than %d queries are open", INDEX_QUERIES_MAX);
    struct index_query *q = calloc(1, sizeof *q);
    if (!q)
        return fault_set(f, ERR_NO_MEMORY, "no memory for a query");
    q->ix = ix;
    q->arena = ARENA_INIT(QUERY_ARENA_MAX);
    q->place_key = BUF_INIT(2 * INDEX_VALUE_MAX_BYTES);
    q->prepared = SIZE_MAX;
    link_in(ix, q);
    enum err e = compile(q, spec, f);
    if (e != OK) {
        index_query_close(q);
        return e;
    }
    q->done = q->pass_count == 0;
    *ret_query = q;
    return OK;
}

void index_query_close(struct index_query *q) {
    if (!q)
        return;
    link_out(q->ix, q);
    sqlite3_finalize(q->statement);
    sqlite3_finalize(q->late_statement);
    buf_fini(&q->place_key);
    arena_fini(&q->arena);
    free(q);
}

const char *index_query_sql(const struct index_query *q) {
    return q->statement ? sqlite3_sql(q->statement) : "";
}

// --- A pass: starting, leaving at any row, finding the place again --------------------------------

static bool same_text(const struct pass *a, const struct pass *b) {
    return a->walk == b->walk && a->column == b->column;
}

static void bind_value(sqlite3_stmt *s, int at, struct slice v, bool is_blob) { // empty is not NULL here
    if (is_blob)
        sqlite3_bind_blob64(s, at, v.n ? (const void *)v.p : "", v.n, SQLITE_TRANSIENT);
    else
        sqlite3_bind_text64(s, at, v.n ? (const char *)v.p : "", v.n, SQLITE_TRANSIENT, SQLITE_UTF8);
}

// No text is greater than a blob.
static void bind_high(sqlite3_stmt *s, int at, const struct pass *p) {
    if (p->to_end)
        sqlite3_bind_zeroblob(s, at, 0);
    else
        bind_value(s, at, p->high, false);
}

static void bind(struct index_query *q, const struct pass *p) {
    sqlite3_stmt *s = q->statement;
    struct slice key = buf_slice(&q->place_key);
    switch (p->walk) {
    case WALK_EQUAL:
        bind_value(s, 1, p->low, p->is_blob);
        sqlite3_bind_int64(s, 2, q->has_place ? q->place[0] : 0);
        break;
    case WALK_RANGE:
        bind_value(s, 1, q->has_place ? key : p->low, false);
        bind_high(s, 2, p);
        break;
    case WALK_ALL:
        sqlite3_bind_int64(s, 1, q->has_place ? q->place[0] : 0);
        break;
    case WALK_NEWEST:
        bind_value(s, 1, p->low, false);
        bind_high(s, 2, p);
        if (q->has_place) {
            buf_u8(&q->place_key, 0); // up to the place, itself included
            bind_value(s, 2, buf_slice(&q->place_key), false);
            q->place_key.n--;
        }
        break;
    case WALK_UNDATED:
        sqlite3_bind_int64(s, 1, q->has_place ? q->place[0] : INT64_MAX);
        break;
    case WALK_EQUAL_NEWEST:
        bind_value(s, 1, p->low, p->is_blob);
        sqlite3_bind_int64(s, 2, (int64_t)q->pass_rows);
        break;
    }
}

static enum err start(struct index_query *q, struct fault *f) {
    const struct pass *p = &q->passes[q->pass_now];
    if (q->prepared == SIZE_MAX || !same_text(p, &q->passes[q->prepared])) {
        enum err e = select_prepare(q, p, f);
        if (e != OK)
            return e;
    }
    q->prepared = q->pass_now;
    bind(q, p);
    q->running = true;
    return OK;
}

static void read_place(const struct index_query *q, int64_t place[3]) {
    place[0] = sqlite3_column_int64(q->statement, COL_TOP_ID);
    place[1] = sqlite3_column_int64(q->statement, COL_SERIES_ID);
    place[2] = sqlite3_column_int64(q->statement, COL_INSTANCE_ID);
}

static void suspend(struct index_query *q) {
    if (!q->running)
        return;
    if (!q->has_place) { // else it has not reached its old place yet
        read_place(q, q->place);
        buf_reset(&q->place_key);
        buf_append_slice(&q->place_key, column_slice(q->statement, COL_KEY));
        q->has_place = true;
    }
    sqlite3_reset(q->statement);
    sqlite3_reset(q->late_statement);
    q->running = false;
}

void queries_suspend(struct index *ix) {
    for (struct index_query *q = ix->queries; q; q = q->next)
        suspend(q);
}

static int compare_ids(const int64_t *a, const int64_t *b, size_t n) {
    for (size_t i = 0; i < n; i++)
        if (a[i] != b[i])
            return a[i] < b[i] ? -1 : 1;
    return 0;
}

// Is the row the statement stands on not beyond the place where it was suspended?
static bool seen_before(const struct index_query *q) {
    const struct pass *p = &q->passes[q->pass_now];
    int64_t here[3];
    if (!q->has_place || p->walk == WALK_EQUAL_NEWEST)
        return false;
    read_place(q, here);
    bool keyed = p->walk == WALK_RANGE || p->walk == WALK_NEWEST;
    if (keyed && !slice_eq(column_slice(q->statement, COL_KEY), buf_slice(&q->place_key)))
        return false;
    if (p->walk == WALK_NEWEST || p->walk == WALK_UNDATED)
        return here[0] >= q->place[0];
    return compare_ids(here, q->place, 3) <= 0;
}

static bool in_earlier_pass(const struct index_query *q) {
    if (q->overlap_attr < 0 || q->pass_now == 0)
        return false;
    struct slice v = column_slice(q->statement, q->columns[q->overlap_attr]);
    for (size_t i = 0; i < q->pass_now; i++)
        if (pass_covers(&q->passes[i], v))
            return true;
    return false;
}

// --- Stepping -----------------------------------------------------------------------------------

static void next_pass(struct index_query *q) {
    sqlite3_reset(q->statement);
    q->running = q->has_place = false;
    q->pass_rows = 0;
    q->done = ++q->pass_now == q->pass_count;
}

static bool row_wanted(struct index_query *q) {
    if (seen_before(q))
        return false;
    q->has_place = false;
    q->pass_rows++;
    if (in_earlier_pass(q) || !conditions_hold(q))
        return false;
    if (q->skipped < q->offset) {
        q->skipped++;
        return false;
    }
    return true;
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
    return late_step(q, f);
}

enum err index_query_step(struct index_query *q, struct fault *f, enum index_step *ret_step) {
    enum err e = series_flush(q->ix, f);
    q->has_row = false;
    q->work = 0;
    sqlite3_reset(q->late_statement);
    for (unsigned rows = 0; e == OK && !q->done && (q->limit == 0 || q->returned < q->limit); rows++) {
        if (rows == ROWS_PER_STEP || q->work > WORK_PER_STEP) {
            *ret_step = INDEX_AGAIN;
            return OK;
        }
        if (!q->running)
            e = start(q, f);
        int rc = e == OK ? sqlite3_step(q->statement) : SQLITE_DONE;
        if (rc == SQLITE_ROW && row_wanted(q)) {
            *ret_step = INDEX_ROW;
            return row_take(q, f);
        }
        if (rc != SQLITE_ROW && rc != SQLITE_DONE) {
            sqlite3_reset(q->statement);
            q->running = false;
            q->done = true;
            e = index_fail(q->ix, rc, "walking a query", f);
        } else if (rc == SQLITE_DONE && e == OK) {
            next_pass(q);
        }
    }
    if (e != OK)
        return e;
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
    int column = q->columns[attr];
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
    int column = q->columns[attr];
    if (index_attr_table[attr].kind == INDEX_KIND_UID)
        return uid_value(q, i, attr);
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
    switch (q->level) {
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
