// The different names that patients have in studies, sorted, and their words: a fuzzy key is compared with
// each word once instead of with each study's name. Made when first asked for, by a walk over the index of
// names, some of them at a time; what comes later is added. A name that no study has any more stays: nothing
// is found under it. In an archive of very many names they are not kept, and the index is walked.
#include "index/query_internal.h"
#include "index/words.h"

#include <stdlib.h>

enum {
    NAMES_MAX = 1 << 19,
    TEXT_MAX_BYTES = 32 << 20,
    TAIL_MAX = 4096,
    LATE_MAX = 4096,
    READ_PER_STEP = 8192, // studies' names
};

struct name {
    struct slice text;
    uint32_t word_at, word_count; // its words, in words.numbers
};

struct spellings {
    struct arena text;
    struct name *v; // sorted, but for the tail
    size_t count, sorted, cap;
    struct words words;
    struct slice asked; // malloc'd: the last key, whose runs they are
    struct spelling_run *runs;
    size_t run_count;
    bool all_read;
    struct buf read_to; // the last name that was read
    struct slice late[LATE_MAX]; // came meanwhile
    size_t late_count;
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
    buf_fini(&s->read_to);
    words_fini(&s->words);
    free(s->v);
    free(s);
    ix->spellings = NULL;
}

static void give_up(struct index *ix) {
    spellings_free(ix);
    ix->too_many_spellings = true;
}

static bool append(struct spellings *s, struct slice text) {
    struct name *n;
    if (s->count == NAMES_MAX)
        return false;
    if (s->count == s->cap) {
        size_t more = s->cap ? 2 * s->cap : 1024;
        struct name *v = reallocarray(s->v, more, sizeof *v);
        if (!v)
            return false;
        s->v = v;
        s->cap = more;
    }
    n = &s->v[s->count];
    return arena_dup(&s->text, text, &n->text) &&
           words_add_name(&s->words, n->text, &n->word_at, &n->word_count) && ++s->count;
}

// --- Reading them, some at a time ----------------------------------------------------------------

static enum err begin(struct index *ix, struct fault *f) {
    ix->spellings = calloc(1, sizeof *ix->spellings);
    if (!ix->spellings)
        return fault_set(f, ERR_NO_MEMORY, "no memory for names");
    ix->spellings->text = ARENA_INIT(TEXT_MAX_BYTES);
    ix->spellings->read_to = BUF_INIT(2 * INDEX_VALUE_MAX_BYTES);
    return OK;
}

static bool take(struct spellings *s, struct slice name) {
    if (name.n == 0 || (s->count > 0 && slice_eq(name, s->v[s->count - 1].text)))
        return true;
    buf_reset(&s->read_to);
    buf_append_slice(&s->read_to, name);
    return buf_ok(&s->read_to) && append(s, name);
}

static bool take_late(struct spellings *s) {
    bool fine = true;
    s->all_read = true;
    s->sorted = s->count;
    for (size_t i = 0; fine && i < s->late_count; i++)
        fine = append(s, s->late[i]);
    return fine;
}

enum err index_names_read(struct index *ix, struct fault *f, bool *ret_all) {
    static const char sql[] = "SELECT PatientName FROM study WHERE PatientName>?1 ORDER BY PatientName";
    sqlite3_stmt *st = NULL;
    enum err e = ix->spellings || ix->too_many_spellings ? OK : begin(ix, f);
    struct spellings *s = ix->spellings;
    *ret_all = e == OK && (!s || s->all_read);
    if (e != OK || *ret_all)
        return e;
    int rc = statement_prepare(ix, sql, &st);
    if (rc == SQLITE_OK)
        rc = sqlite3_bind_text64(st, 1, s->read_to.n ? (const char *)s->read_to.p : "", s->read_to.n,
                                 SQLITE_TRANSIENT, SQLITE_UTF8);
    bool fine = true;
    for (size_t n = 0; fine && n < READ_PER_STEP && (rc == SQLITE_OK || rc == SQLITE_ROW); n++) {
        rc = sqlite3_step(st); // the next time goes on behind all studies of the last name
        fine = rc != SQLITE_ROW || take(s, column_slice(st, 0));
    }
    statement_give_back(ix, st);
    if (rc != SQLITE_OK && rc != SQLITE_ROW && rc != SQLITE_DONE)
        return index_fail(ix, rc, "reading names", f);
    if (!fine || (rc == SQLITE_DONE && !take_late(s)))
        give_up(ix);
    *ret_all = rc == SQLITE_DONE || !fine;
    return OK;
}

static int compare(const void *a, const void *b) {
    return slice_cmp(((const struct name *)a)->text, ((const struct name *)b)->text);
}

// What came since goes to its place.
static bool settle(struct spellings *s) {
    size_t n = 0, i = 0, k = s->sorted;
    if (s->sorted == s->count)
        return true;
    struct name *v = reallocarray(NULL, s->cap, sizeof *v);
    if (!v)
        return false;
    qsort(s->v + s->sorted, s->count - s->sorted, sizeof *s->v, compare);
    while (i < s->sorted || k < s->count) {
        bool first = k == s->count || (i < s->sorted && slice_cmp(s->v[i].text, s->v[k].text) <= 0);
        struct name next = first ? s->v[i++] : s->v[k++];
        if (n == 0 || !slice_eq(v[n - 1].text, next.text))
            v[n++] = next;
    }
    free(s->v);
    s->v = v;
    s->count = s->sorted = n;
    return true;
}

static bool come_late(struct spellings *s, struct slice name) {
    return s->late_count < LATE_MAX && arena_dup(&s->text, name, &s->late[s->late_count]) && ++s->late_count;
}

void spellings_note(struct index *ix, struct slice name) {
    struct spellings *s = ix->spellings;
    const struct name wanted = {.text = name};
    if (!s || name.n == 0 || (s->sorted && bsearch(&wanted, s->v, s->sorted, sizeof *s->v, compare)))
        return;
    forget_runs(s);
    bool fine = s->all_read ? append(s, name) : come_late(s, name);
    if (!fine || (s->count - s->sorted > TAIL_MAX && s->all_read && !settle(s)))
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

static bool name_matches(const struct spellings *s, const struct name *n, uint32_t wanted) {
    for (uint32_t i = 0; wanted && i < n->word_count; i++)
        wanted &= ~s->words.v[s->words.numbers[n->word_at + i]].matched;
    return wanted == 0;
}

// Runs of names that match, with none between that does not. False: too many.
static bool find_runs(struct spellings *s, const struct condition *c) {
    uint32_t wanted = fuzzy_words_of_key(c->fuzzy);
    bool before = false;
    for (size_t i = 0; i < s->words.count; i++)
        s->words.v[i].matched = fuzzy_match_word(c->fuzzy, s->words.v[i].text);
    for (size_t i = 0; i < s->count; i++) {
        bool matches = name_matches(s, &s->v[i], wanted);
        if (matches && !run_append(s, s->v[i].text, before))
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

void spellings_match(struct index *ix, const struct condition *c, const struct spelling_run **ret_runs,
                     size_t *ret_count, bool *ret_known) {
    struct spellings *s = ix->spellings;
    *ret_known = false;
    if (!s || !s->all_read || c->count != 1 || !settle(s))
        return;
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
}
