// What a pass leaves out by the value of its index alone: SQLite asks before it looks for the row. And what
// is gathered that way to be sorted.
#include "index/query_internal.h"

#include <stdlib.h>

// --- Leaving out --------------------------------------------------------------------------------

void walk_begin(struct index_query *q) {
    q->work = q->keys = 0;
    q->tired = false;
    q->ix->walking = q;
}

static int compare_ids(const int64_t *a, const int64_t *b, size_t n) {
    for (size_t i = 0; i < n; i++)
        if (a[i] != b[i])
            return a[i] < b[i] ? -1 : 1;
    return 0;
}

// Is this row not beyond the place where the query was suspended? Ids: of the top table, of series, instance.
bool place_is_behind(const struct index_query *q, struct slice key, const int64_t *ids, size_t id_count) {
    const struct pass *p = &q->passes[q->pass_now];
    bool keyed = p->walk == WALK_RANGE || p->walk == WALK_NEWEST;
    if (!q->has_place || (keyed && !slice_eq(key, buf_slice(&q->place_key))))
        return false;
    if (p->walk == WALK_NEWEST || p->walk == WALK_UNDATED)
        return ids[0] >= q->place[0];
    return compare_ids(ids, q->place, id_count) <= 0;
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
static bool skips(struct index_query *q, struct slice key, int64_t id) {
    if (!q->exact || q->gathering || q->skipped >= q->offset || place_is_behind(q, key, &id, 1))
        return false;
    q->has_place = false;
    q->skipped++;
    return true;
}

static bool keeps(struct index_query *q, int64_t id, struct slice key) {
    const struct pass *p = &q->passes[q->pass_now];
    if (++q->keys > KEYS_PER_STEP || q->work > WORK_PER_STEP) {
        q->tired = true;
        return true;
    }
    return (!p->filter || key_holds(q, p->filter, key)) && !skips(q, key, id);
}

static void keep(sqlite3_context *context, int n, sqlite3_value **values) {
    (void)n;
    struct index *ix = sqlite3_user_data(context);
    bool blob = sqlite3_value_type(values[1]) == SQLITE_BLOB;
    const void *p = blob ? sqlite3_value_blob(values[1]) : (const void *)sqlite3_value_text(values[1]);
    struct slice key = slice_of(p, p ? (size_t)sqlite3_value_bytes(values[1]) : 0);
    sqlite3_result_int(context, keeps(ix->walking, sqlite3_value_int64(values[0]), key));
}

int walk_register(struct index *ix) {
    return sqlite3_create_function_v2(ix->db, "galena_keep", 2, SQLITE_UTF8 | SQLITE_DIRECTONLY, ix, keep,
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
            (struct gathered){date_number(column_slice(q->statement, FIXED_COLUMNS)),
                              sqlite3_column_int64(q->statement, 0)};
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
}

void gather_free(struct index_query *q) {
    q->ix->gathered_bytes -= q->gathered_cap * sizeof *q->gathered;
    free(q->gathered);
    q->gathered = NULL;
    q->gathered_count = q->gathered_cap = 0;
}
