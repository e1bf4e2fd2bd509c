// Counting the studies for which several conditions hold, when the index of each tells: a round walks the
// indexes of one condition and notes the ids it meets; what was met in all rounds counts. It takes less than
// reading the rows of the condition that tells most, when many have to be read and the others are of the same
// order.
#include "index/query_internal.h"

#include <stdlib.h>

enum { BITS = 64, KEYS_FACTOR = 16 }; // so many keys are walked over while one row is read

static enum err greatest_id(struct index *ix, struct fault *f, uint64_t *ret_id) {
    sqlite3_stmt *s = NULL;
    int rc = statement_prepare(ix, "SELECT max(id)FROM study", &s);
    if (rc == SQLITE_OK)
        rc = sqlite3_step(s);
    if (rc == SQLITE_ROW)
        *ret_id = (uint64_t)sqlite3_column_int64(s, 0);
    statement_give_back(ix, s);
    return rc == SQLITE_ROW ? OK : index_fail(ix, rc, "counting", f);
}

static bool append(struct index_query *q, struct pass_list *list, const struct pass *passes, size_t n) {
    struct pass *v = arena_calloc(&q->arena, list->count + n + 1, sizeof *v);
    if (!v)
        return false;
    if (list->count)
        memcpy(v, list->v, list->count * sizeof *v);
    if (n)
        memcpy(v + list->count, passes, n * sizeof *v);
    *list = (struct pass_list){v, list->count + n};
    return true;
}

// One more round: one of the conditions holds. *ret_told stays true if their indexes tell.
static enum err add_round(struct index_query *q, const struct condition *const *conditions, size_t n,
                          struct fault *f, bool *ret_told) {
    struct pass_list list = {NULL, 0};
    enum err e = OK;
    bool fine = true;
    *ret_told = *ret_told && q->round_count < ROUNDS_MAX;
    for (size_t i = 0; e == OK && fine && *ret_told && i < n; i++) {
        e = plan_passes_of(q, conditions[i], f, ret_told);
        fine = e != OK || !*ret_told || append(q, &list, q->passes, q->pass_count);
    }
    if (e == OK && fine && *ret_told)
        q->rounds[q->round_count++] = list;
    return fine ? e : fault_set(f, ERR_NO_MEMORY, "no memory for a query");
}

static enum err add_scope(struct index_query *q, const struct scope *s, struct fault *f, bool *ret_told) {
    const struct condition *of_clauses[INDEX_SCOPE_CONDITIONS_MAX];
    if (s->count == 1) // is among the conditions
        return OK;
    for (size_t i = 0; i < s->count; i++) {
        *ret_told = *ret_told && s->clauses[i].n == 1;
        of_clauses[i] = s->clauses[i].v;
    }
    return add_round(q, of_clauses, s->count, f, ret_told);
}

static enum err add_all(struct index_query *q, struct fault *f, bool *ret_told) {
    enum err e = OK;
    *ret_told = true;
    for (size_t i = 0; e == OK && *ret_told && i < q->condition_count; i++) {
        const struct condition *c = &q->conditions[i];
        e = add_round(q, &c, 1, f, ret_told);
    }
    for (size_t i = 0; e == OK && *ret_told && i < q->scope_count; i++)
        e = add_scope(q, &q->scopes[i], f, ret_told);
    return e;
}

// Keys of all rounds; more than `most` if they are more or not known.
static enum err keys_of_rounds(struct index_query *q, uint64_t most, struct fault *f, uint64_t *ret_keys) {
    uint64_t keys = 0, n = 0;
    enum err e = OK;
    for (size_t i = 0; e == OK && keys <= most && i < q->round_count; i++, keys += n) {
        q->passes = q->rounds[i].v;
        q->pass_count = q->rounds[i].count;
        e = plan_probe(q, most - keys, false, f, &n);
    }
    *ret_keys = keys;
    return e;
}

static enum err make_sets(struct index_query *q, struct fault *f, bool *ret_room) {
    uint64_t id = 0;
    enum err e = greatest_id(q->ix, f, &id);
    size_t words = (size_t)(id / BITS) + 1, bytes = 2 * words * sizeof *q->met;
    *ret_room = e == OK && q->ix->gathered_bytes + bytes <= GATHERED_ALL_MAX_BYTES;
    if (!*ret_room)
        return e;
    q->met_before = calloc(words, sizeof *q->met_before);
    q->met = calloc(words, sizeof *q->met);
    q->met_words = words;
    q->ix->gathered_bytes += bytes;
    return q->met && q->met_before ? OK : fault_set(f, ERR_NO_MEMORY, "no memory for a query");
}

static void begin_round(struct index_query *q) {
    q->passes = q->rounds[q->round_now].v;
    q->pass_count = q->rounds[q->round_now].count;
    q->pass_now = 0;
    q->prepared = SIZE_MAX;
}

static enum err choose(struct index_query *q, uint64_t rows, struct fault *f, bool *ret_chosen) {
    bool chosen;
    uint64_t keys = 0, most = rows < ROUNDS_KEYS_MAX / KEYS_FACTOR ? rows * KEYS_FACTOR : ROUNDS_KEYS_MAX;
    enum err e = add_all(q, f, &chosen);
    if (e == OK && chosen)
        e = keys_of_rounds(q, most, f, &keys);
    chosen = chosen && keys <= most;
    if (e == OK && chosen)
        e = make_sets(q, f, &chosen);
    *ret_chosen = e == OK && chosen;
    return e;
}

enum err rounds_try(struct index_query *q, struct fault *f) {
    struct pass *passes = q->passes;
    size_t pass_count = q->pass_count;
    uint64_t rows = 0;
    bool chosen = false;
    if (!q->counting || q->exact || q->date_besides || q->level != INDEX_STUDY || q->top != INDEX_STUDY)
        return OK;
    enum err e = plan_probe(q, ROUNDS_KEYS_MAX, false, f, &rows);
    if (e == OK && rows > q->ix->few_rows)
        e = choose(q, rows, f, &chosen);
    if (chosen) {
        q->gathering = true;
        begin_round(q);
        q->done = q->pass_count == 0;
    } else {
        q->round_count = 0;
        q->passes = passes;
        q->pass_count = pass_count;
    }
    return e;
}

void rounds_note(struct index_query *q, int64_t study) {
    uint64_t at = (uint64_t)study / BITS, bit = UINT64_C(1) << ((uint64_t)study % BITS);
    if (at < q->met_words && (q->round_now == 0 || q->met_before[at] & bit)) // else it came meanwhile
        q->met[at] |= bit;
}

void rounds_next(struct index_query *q) {
    uint64_t *met = q->met;
    if (++q->round_now < q->round_count && q->rounds[q->round_now].count > 0) {
        q->met = q->met_before;
        q->met_before = met;
        memset(q->met, 0, q->met_words * sizeof *q->met);
        begin_round(q);
        return;
    }
    for (size_t i = 0; q->round_now == q->round_count && i < q->met_words; i++)
        q->skipped += (uint64_t)__builtin_popcountll(met[i]);
    q->done = true;
}

void rounds_free(struct index_query *q) {
    q->ix->gathered_bytes -= 2 * q->met_words * sizeof *q->met;
    free(q->met);
    free(q->met_before);
}
