// What a pass leaves out by the value of its index alone: SQLite asks before it looks for the row. And what
// is gathered that way to be sorted.
#include "index/query_internal.h"

#include <stdlib.h>

// --- Leaving out --------------------------------------------------------------------------------

void walk_begin(struct index_query *q) {
    q->work = q->keys = q->behind = 0;
    q->again = q->running ? 0 : q->again;
    q->tired = false;
    q->ix->walking = q;
}

static int compare_ids(const int64_t *a, const int64_t *b, size_t n) {
    for (size_t i = 0; i < n; i++)
        if (a[i] != b[i])
            return a[i] < b[i] ? -1 : 1;
    return 0;
}

void read_place(const struct index_query *q, int64_t place[5]) {
    place[0] = sqlite3_column_int64(q->statement, COL_TOP_ID);
    place[1] = sqlite3_column_int64(q->statement, COL_SERIES_ID);
    place[2] = sqlite3_column_int64(q->statement, COL_INSTANCE_ID);
    place[3] = sqlite3_column_int64(q->statement, COL_STUDY_ID);
    place[4] = sqlite3_column_int64(q->statement, COL_PATIENT_ID);
}

void place_take(struct index_query *q) {
    read_place(q, q->place);
    buf_reset(&q->place_key);
    buf_append_slice(&q->place_key, column_slice(q->statement, COL_KEY));
    buf_reset(&q->place_date);
    buf_append_slice(&q->place_date, column_slice(q->statement, COL_DATE));
    q->has_place = true;
}

// Is the row not beyond the place where the query was suspended?
static bool is_behind(const struct index_query *q, sqlite3_stmt *s) {
    const struct pass *p = &q->passes[q->pass_now];
    bool keyed = p->walk == WALK_RANGE || p->walk == WALK_NEWEST;
    int64_t ids[5];
    if (!q->has_place || (keyed && !slice_eq(column_slice(s, COL_KEY), buf_slice(&q->place_key))))
        return false;
    read_place(q, ids);
    if (p->walk == WALK_NEWEST || p->walk == WALK_UNDATED)
        return ids[0] >= q->place[0];
    int by_date = p->dated ? slice_cmp(column_slice(s, COL_DATE), buf_slice(&q->place_date)) : 0;
    return by_date < 0 || (by_date == 0 && compare_ids(ids, q->place, 3) <= 0);
}

bool place_is_behind(struct index_query *q, sqlite3_stmt *s) {
    bool behind = is_behind(q, s);
    q->behind += behind;
    return behind;
}

// Equal names stand together in an index: each is looked at once.
static bool key_holds(struct index_query *q, const struct condition *c, struct slice key) {
    if (q->last_key.p && slice_eq(q->last_key, key))
        return q->last_key_holds;
    q->work += c->pattern_bytes * (key.n < 8 ? 8 : key.n) / 8;
    q->last_key_holds = condition_matches(c, key);
    bool fits = key.n <= sizeof q->last_text;
    if (fits && key.n)
        memcpy(q->last_text, key.p, key.n);
    q->last_key = fits ? slice_of(q->last_text, key.n) : (struct slice){NULL, 0};
    return q->last_key_holds;
}

// Skipped for the offset without being read, when this row is surely one of the answer.
static bool skips(struct index_query *q) {
    if (!q->exact || q->gathering || q->skipped >= q->offset || q->has_place)
        return false;
    q->skipped++;
    return true;
}

// `id` counts in rounds only.
static bool keeps(struct index_query *q, struct slice key, int64_t id) {
    const struct pass *p = &q->passes[q->pass_now];
    bool again = q->has_place && p->walk == WALK_RANGE && slice_eq(key, buf_slice(&q->place_key));
    q->walked++;
    q->keys += !again;
    if (q->keys > KEYS_PER_STEP + q->again || q->work > WORK_PER_STEP) {
        q->tired = true;
        return true;
    }
    if (p->filter && !key_holds(q, p->filter, key))
        return false;
    if (q->round_count == 0)
        return !skips(q);
    rounds_note(q, id);
    return false;
}

static void keep(sqlite3_context *context, int n, sqlite3_value **values) {
    struct index *ix = sqlite3_user_data(context);
    bool blob = sqlite3_value_type(values[0]) == SQLITE_BLOB;
    const void *p = blob ? sqlite3_value_blob(values[0]) : (const void *)sqlite3_value_text(values[0]);
    struct slice key = slice_of(p, p ? (size_t)sqlite3_value_bytes(values[0]) : 0);
    sqlite3_result_int(context, keeps(ix->walking, key, n > 1 ? sqlite3_value_int64(values[1]) : NO_ID));
}

int walk_register(struct index *ix) {
    return sqlite3_create_function_v2(ix->db, "galena_keep", -1, SQLITE_UTF8 | SQLITE_DIRECTONLY, ix, keep,
                                      NULL, NULL, NULL);
}

// --- Gathering ----------------------------------------------------------------------------------

static enum err grow(struct index_query *q, struct fault *f, bool *ret_too_many) {
    size_t more = q->gathered_cap ? 2 * q->gathered_cap : 256;
    size_t bytes = (more - q->gathered_cap) * sizeof *q->gathered;
    *ret_too_many = more > GATHERED_MAX || q->ix->gathered_bytes + bytes > GATHERED_ALL_MAX_BYTES;
    if (*ret_too_many)
        return OK;
    struct gathered *p = reallocarray(q->gathered, more, sizeof *p);
    if (!p)
        return fault_set(f, ERR_NO_MEMORY, "no memory for a query");
    q->gathered = p;
    q->gathered_cap = more;
    q->ix->gathered_bytes += bytes;
    return OK;
}

static uint64_t date_number(struct slice date) {
    uint64_t n = 0;
    for (size_t i = 0; i < 8; i++)
        n = n << 8 | (i < date.n ? date.p[i] : 0);
    return n;
}

enum err gather_row(struct index_query *q, struct fault *f, bool *ret_too_many) {
    *ret_too_many = false;
    enum err e = q->gathered_count == q->gathered_cap ? grow(q, f, ret_too_many) : OK;
    if (e == OK && !*ret_too_many)
        q->gathered[q->gathered_count++] =
            (struct gathered){date_number(column_slice(q->statement, COL_DATE)),
                              sqlite3_column_int64(q->statement, COL_TOP_ID)};
    return e;
}

static int newest_first(const void *a, const void *b) {
    const struct gathered *x = a, *y = b;
    if (x->date != y->date)
        return x->date > y->date ? -1 : 1;
    return x->id > y->id ? -1 : x->id < y->id;
}

// A row may have been met in several passes.
void gather_sort(struct index_query *q) {
    size_t n = 0;
    if (q->gathered_count)
        qsort(q->gathered, q->gathered_count, sizeof *q->gathered, newest_first);
    for (size_t i = 0; i < q->gathered_count; i++)
        if (n == 0 || q->gathered[n - 1].id != q->gathered[i].id)
            q->gathered[n++] = q->gathered[i];
    q->gathered_count = n;
    q->gathered_at = 0;
    while (q->has_floor && q->gathered_at < n &&
           newest_first(&q->gathered[q->gathered_at], &q->floor) <= 0)
        q->gathered_at++;
}

// By date, the key is the date; the undated, which come last, have none.
void gather_floor(struct index_query *q) {
    bool before_undated = !q->has_place && q->pass_now > 0;
    q->has_floor = q->has_place || before_undated;
    q->floor = before_undated ? (struct gathered){0, INT64_MAX}
                              : (struct gathered){date_number(buf_slice(&q->place_key)), q->place[0]};
}

void place_at_floor(struct index_query *q) {
    uint8_t text[8];
    size_t n = 0;
    for (int shift = 56; shift >= 0 && (q->floor.date >> shift & 0xff) != 0; shift -= 8)
        text[n++] = (uint8_t)(q->floor.date >> shift & 0xff);
    buf_reset(&q->place_key);
    buf_append(&q->place_key, text, n);
    q->place[0] = q->floor.id;
    q->has_place = true;
    q->pass_now = n == 0 && q->pass_count > 1 ? 1 : 0;
}

void gather_free(struct index_query *q) {
    q->ix->gathered_bytes -= q->gathered_cap * sizeof *q->gathered;
    free(q->gathered);
    q->gathered = NULL;
    q->gathered_count = q->gathered_cap = 0;
}
