// The different names that patients have in studies, sorted: a fuzzy key is compared with each of them once
// instead of with each study's. Made when first asked for, by a walk over the index of names; what comes
// later is added. A name that no study has any more stays: nothing is found under it. In an archive of very
// many names they are not kept, and the index is walked.
#include "index/query_internal.h"

#include <stdlib.h>

enum { NAMES_MAX = 1 << 19, TEXT_MAX_BYTES = 32 << 20, TAIL_MAX = 4096 };

struct spellings {
    struct arena text;
    struct slice *v; // sorted, but for the tail
    size_t count, sorted, cap;
    struct slice asked; // malloc'd: the last key, whose runs they are
    struct spelling_run *runs;
    size_t run_count;
};

static void forget_runs(struct spellings *s) {
    free((void *)(uintptr_t)s->asked.p);
    free(s->runs);
    s->asked = (struct slice){NULL, 0};
    s->runs = NULL;
    s->run_count = 0;
}

void spellings_free(struct index *ix) {
    struct spellings *s = ix->spellings;
    if (!s)
        return;
    forget_runs(s);
    arena_fini(&s->text);
    free(s->v);
    free(s);
    ix->spellings = NULL;
}

static void give_up(struct index *ix) {
    spellings_free(ix);
    ix->too_many_spellings = true;
}

static bool append(struct spellings *s, struct slice name) {
    if (s->count == NAMES_MAX)
        return false;
    if (s->count == s->cap) {
        size_t more = s->cap ? 2 * s->cap : 1024;
        struct slice *v = reallocarray(s->v, more, sizeof *v);
        if (!v)
            return false;
        s->v = v;
        s->cap = more;
    }
    return arena_dup(&s->text, name, &s->v[s->count]) && ++s->count;
}

static enum err read_all(struct index *ix, struct spellings *s, struct fault *f, bool *ret_all) {
    static const char sql[] =
        "SELECT PatientName FROM study WHERE PatientName IS NOT NULL ORDER BY PatientName";
    sqlite3_stmt *st = NULL;
    int rc = statement_prepare(ix, sql, &st);
    bool all = true;
    while (rc == SQLITE_OK || (all && rc == SQLITE_ROW)) {
        rc = sqlite3_step(st);
        struct slice name = rc == SQLITE_ROW ? column_slice(st, 0) : (struct slice){NULL, 0};
        if (name.n && (s->count == 0 || !slice_eq(name, s->v[s->count - 1])))
            all = append(s, name);
    }
    statement_give_back(ix, st);
    s->sorted = s->count;
    *ret_all = all;
    return !all || rc == SQLITE_DONE ? OK : index_fail(ix, rc, "reading names", f);
}

static enum err make(struct index *ix, struct fault *f) {
    bool all = false;
    ix->spellings = calloc(1, sizeof *ix->spellings);
    if (!ix->spellings)
        return fault_set(f, ERR_NO_MEMORY, "no memory for names");
    ix->spellings->text = ARENA_INIT(TEXT_MAX_BYTES);
    enum err e = read_all(ix, ix->spellings, f, &all);
    if (e != OK)
        spellings_free(ix);
    else if (!all)
        give_up(ix);
    return e;
}

static int compare(const void *a, const void *b) {
    return slice_cmp(*(const struct slice *)a, *(const struct slice *)b);
}

// What came since goes to its place.
static bool settle(struct spellings *s) {
    size_t n = 0, i = 0, k = s->sorted;
    if (s->sorted == s->count)
        return true;
    struct slice *v = reallocarray(NULL, s->cap, sizeof *v);
    if (!v)
        return false;
    qsort(s->v + s->sorted, s->count - s->sorted, sizeof *s->v, compare);
    while (i < s->sorted || k < s->count) {
        bool first = k == s->count || (i < s->sorted && slice_cmp(s->v[i], s->v[k]) <= 0);
        struct slice next = first ? s->v[i++] : s->v[k++];
        if (n == 0 || !slice_eq(v[n - 1], next))
            v[n++] = next;
    }
    free(s->v);
    s->v = v;
    s->count = s->sorted = n;
    return true;
}

void spellings_note(struct index *ix, struct slice name) {
    struct spellings *s = ix->spellings;
    if (!s || name.n == 0 || (s->sorted && bsearch(&name, s->v, s->sorted, sizeof *s->v, compare)))
        return;
    forget_runs(s);
    if (!append(s, name) || (s->count - s->sorted > TAIL_MAX && !settle(s)))
        give_up(ix);
}

static bool run_append(struct spellings *s, struct slice name, bool goes_on) {
    if (goes_on) {
        s->runs[s->run_count - 1].last = name;
        return true;
    }
    if (s->run_count == SPELLING_RUNS_MAX)
        return false;
    if ((s->run_count & (s->run_count - 1)) == 0) { // at powers of two
        size_t more = s->run_count ? 2 * s->run_count : 1;
        struct spelling_run *runs = reallocarray(s->runs, more, sizeof *runs);
        if (!runs)
            return false;
        s->runs = runs;
    }
    s->runs[s->run_count++] = (struct spelling_run){name, name};
    return true;
}

// Runs of names that match, with none between that does not. False: too many.
static bool find_runs(struct spellings *s, const struct condition *c) {
    bool before = false;
    for (size_t i = 0; i < s->count; i++) {
        bool matches = condition_matches(c, s->v[i]);
        if (matches && !run_append(s, s->v[i], before))
            return false;
        before = matches;
    }
    uint8_t *key = malloc(c->operands[0].n + 1);
    if (key) {
        memcpy(key, c->operands[0].p, c->operands[0].n);
        s->asked = slice_of(key, c->operands[0].n);
    }
    return true;
}

enum err spellings_match(struct index *ix, const struct condition *c, struct fault *f,
                         const struct spelling_run **ret_runs, size_t *ret_count, bool *ret_known) {
    enum err e = ix->spellings || ix->too_many_spellings ? OK : make(ix, f);
    struct spellings *s = ix->spellings;
    *ret_known = false;
    if (e != OK || !s || c->count != 1 || !settle(s))
        return e;
    bool again = s->asked.p && slice_eq(s->asked, c->operands[0]);
    if (!again)
        forget_runs(s);
    if (again || find_runs(s, c)) {
        *ret_runs = s->runs;
        *ret_count = s->run_count;
        *ret_known = true;
    } else {
        forget_runs(s);
    }
    return OK;
}
