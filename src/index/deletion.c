// Deletions written down before they are carried out.
#include "index/internal.h"

#include <stdlib.h>

struct index_deletion {
    struct index *ix;
    struct index_deletion *next, *previous;
    int64_t id, study_row;
    int64_t last_series, last_record; // where listing and walking are
    struct uid_packed study, series, sop; // n 0: not meant
    char study_text[UID_MAX + 1];
    bool whole, stale, ready;
    uint64_t count;
};

// --- Statements ---------------------------------------------------------------------------------

static enum err run_with(struct index *ix, enum stmt_id id, int64_t parameter, struct fault *f) {
    sqlite3_stmt *s = NULL;
    enum err e = index_begin(ix, f);
    if (e == OK)
        e = index_statement(ix, id, f, &s);
    if (e != OK)
        return e;
    if (sqlite3_bind_parameter_count(s) > 0)
        sqlite3_bind_int64(s, 1, parameter);
    int rc = sqlite3_step(s);
    sqlite3_reset(s);
    return rc == SQLITE_DONE ? OK : index_fail(ix, rc, "noting a deletion", f);
}

// --- Making one ---------------------------------------------------------------------------------

static struct index_deletion *make(struct index *ix, struct fault *f) {
    struct index_deletion *d = calloc(1, sizeof *d);
    if (!d) {
        fault_set(f, ERR_NO_MEMORY, "no memory for a deletion");
        return NULL;
    }
    d->ix = ix;
    d->next = ix->deletions;
    if (d->next)
        d->next->previous = d;
    ix->deletions = d;
    return d;
}

void index_deletion_close(struct index_deletion *d) {
    if (!d)
        return;
    if (d->next)
        d->next->previous = d->previous;
    if (d->previous)
        d->previous->next = d->next;
    else
        d->ix->deletions = d->next;
    free(d);
}

static bool take_uids(struct index_deletion *d, struct slice study, struct slice series, struct slice sop) {
    d->whole = series.n == 0 && sop.n == 0;
    return uid_pack(study, &d->study) && slice_to_cstr(study, d->study_text, sizeof d->study_text) &&
           (series.n == 0 || uid_pack(series, &d->series)) &&
           (sop.n == 0 || (series.n > 0 && uid_pack(sop, &d->sop)));
}

static enum err study_find(struct index_deletion *d, struct fault *f) {
    sqlite3_stmt *s = NULL;
    enum err e = index_statement(d->ix, ST_STUDY_GET, f, &s);
    if (e != OK)
        return e;
    bind_blob(s, 1, uid_packed_slice(&d->study));
    int rc = sqlite3_step(s);
    d->study_row = rc == SQLITE_ROW ? sqlite3_column_int64(s, 0) : NO_ID;
    sqlite3_reset(s);
    if (rc == SQLITE_DONE)
        return fault_set(f, ERR_NO_SUCH_OBJECT, "no such object");
    return rc == SQLITE_ROW ? OK : index_fail(d->ix, rc, "finding a study", f);
}

static int64_t last_open(const struct index *ix) {
    int64_t last = 0;
    for (const struct index_deletion *d = ix->deletions; d; d = d->next)
        last = d->id > last ? d->id : last;
    return last;
}

// Under a number that none has that is open, even if its list is gone: whoever carries that one out may be
// about to forget it once more, because it was not told that it had been.
static enum err write_down(struct index_deletion *d, struct fault *f) {
    sqlite3_stmt *s = NULL;
    enum err e = index_begin(d->ix, f);
    if (e == OK)
        e = index_statement(d->ix, ST_DELETION_ADD, f, &s);
    if (e != OK)
        return e;
    bind_blob(s, 1, uid_packed_slice(&d->study));
    sqlite3_bind_int(s, 2, d->whole);
    sqlite3_bind_int64(s, 3, last_open(d->ix));
    int rc = sqlite3_step(s);
    sqlite3_reset(s);
    d->id = sqlite3_last_insert_rowid(d->ix->db);
    return rc == SQLITE_DONE ? OK : index_fail(d->ix, rc, "noting a deletion", f);
}

enum err index_deletion_open(struct index *ix, struct slice study, struct slice series,
                             struct slice sop_instance, struct fault *f,
                             struct index_deletion **ret_deletion) {
    struct index_deletion *d = make(ix, f);
    if (!d)
        return ERR_NO_MEMORY;
    enum err e = take_uids(d, study, series, sop_instance)
                     ? study_find(d, f)
                     : fault_set(f, ERR_NO_SUCH_OBJECT, "no such object");
    if (e == OK)
        e = write_down(d, f);
    if (e != OK) {
        index_deletion_close(d);
        return e;
    }
    *ret_deletion = d;
    return OK;
}

// --- Listing ------------------------------------------------------------------------------------

static enum err list_with(struct index_deletion *d, enum stmt_id id, int64_t series_row, struct slice series,
                          struct fault *f) {
    sqlite3_stmt *s = NULL;
    enum err e = index_statement(d->ix, id, f, &s);
    if (e != OK)
        return e;
    sqlite3_bind_int64(s, 1, d->id);
    bind_blob(s, 2, series);
    sqlite3_bind_int64(s, 3, series_row);
    bind_blob(s, 4, uid_packed_slice(&d->sop));
    int rc = sqlite3_step(s);
    sqlite3_reset(s);
    d->count += (uint64_t)sqlite3_changes64(d->ix->db);
    return rc == SQLITE_DONE ? OK : index_fail(d->ix, rc, "listing a deletion", f);
}

static enum err list_series(struct index_deletion *d, struct slice series, struct fault *f) {
    struct uid_packed uid = {.n = (uint8_t)series.n}; // out of the statement's memory
    bug_unless(series.n <= UID_PACKED_MAX);
    memcpy(uid.p, series.p, series.n);
    if (d->series.n && !slice_eq(uid_packed_slice(&uid), uid_packed_slice(&d->series)))
        return OK;
    enum err e = list_with(d, ST_DELETION_LIST, d->last_series, uid_packed_slice(&uid), f);
    return e == OK ? list_with(d, ST_DELETION_LIST_BESIDE, d->last_series, uid_packed_slice(&uid), f) : e;
}

enum err index_deletion_list(struct index_deletion *d, struct fault *f, bool *ret_done) {
    sqlite3_stmt *s = NULL;
    enum err e = index_begin(d->ix, f);
    if (e == OK)
        e = series_flush(d->ix, f);
    if (e == OK)
        e = index_statement(d->ix, ST_DELETION_SERIES, f, &s);
    if (e != OK)
        return e;
    sqlite3_bind_int64(s, 1, d->study_row);
    sqlite3_bind_int64(s, 2, d->last_series);
    int rc = sqlite3_step(s);
    if (rc == SQLITE_ROW) {
        d->last_series = sqlite3_column_int64(s, 0);
        e = list_series(d, column_slice(s, 1), f);
    }
    sqlite3_reset(s);
    if (rc != SQLITE_ROW && rc != SQLITE_DONE)
        return index_fail(d->ix, rc, "listing a deletion", f);
    if (e == OK && rc == SQLITE_DONE && d->count == 0)
        return fault_set(f, ERR_NO_SUCH_OBJECT, "no such object");
    *ret_done = rc == SQLITE_DONE;
    return e;
}

void deletions_note(struct index *ix, const struct uid_packed *study) {
    for (struct index_deletion *d = ix->deletions; d; d = d->next)
        if (d->study.n == study->n && memcmp(d->study.p, study->p, study->n) == 0)
            d->stale = true;
}

bool index_deletion_is_stale(const struct index_deletion *d) {
    return d->stale;
}

enum err index_deletion_relist(struct index_deletion *d, struct fault *f) {
    enum err e = run_with(d->ix, ST_DELETION_RECORDS_DROP, d->id, f);
    d->count = 0;
    d->last_series = d->last_record = NO_ID;
    d->stale = false;
    return e == OK ? study_find(d, f) : e;
}

// --- Carrying it out ----------------------------------------------------------------------------

enum err index_deletion_ready(struct index_deletion *d, struct fault *f) {
    enum err e = run_with(d->ix, ST_DELETION_READY, d->id, f);
    if (e == OK && sqlite3_changes64(d->ix->db) != 1)
        e = fault_set(f, ERR_IO, "index: the list of a deletion is lost");
    d->ready = e == OK;
    return e;
}

static enum err has_record(struct index_deletion *d, const struct index_ref *ref, struct fault *f,
                           bool *ret_has) {
    sqlite3_stmt *s = NULL;
    enum err e = index_statement(d->ix, ST_DELETION_HAS, f, &s);
    if (e != OK)
        return e;
    sqlite3_bind_int64(s, 1, d->id);
    sqlite3_bind_int64(s, 2, ref->segment);
    sqlite3_bind_int64(s, 3, (int64_t)ref->offset);
    int rc = sqlite3_step(s);
    sqlite3_reset(s);
    *ret_has = rc == SQLITE_ROW;
    return rc == SQLITE_ROW || rc == SQLITE_DONE ? OK : index_fail(d->ix, rc, "reading a deletion", f);
}

enum err deletions_have(struct index *ix, const struct uid_packed *study, const struct index_ref *ref,
                        struct fault *f, bool *ret_have) {
    enum err e = OK;
    *ret_have = false;
    for (struct index_deletion *d = ix->deletions; e == OK && d && !*ret_have; d = d->next)
        if (d->ready && d->study.n == study->n && memcmp(d->study.p, study->p, study->n) == 0)
            e = has_record(d, ref, f, ret_have);
    return e;
}

enum err index_deletion_finish(struct index_deletion *d, struct fault *f) {
    enum err e = run_with(d->ix, ST_DELETION_RECORDS_DROP, d->id, f);
    return e == OK ? run_with(d->ix, ST_DELETION_DROP, d->id, f) : e;
}

void index_deletion_rewind(struct index_deletion *d) {
    d->last_record = NO_ID;
}

static void take_record(const struct index_deletion *d, sqlite3_stmt *s, struct index_deletion_record *r) {
    memcpy(r->study, d->study_text, sizeof r->study);
    r->series[uid_unpack(column_slice(s, 1), r->series)] = '\0';
    r->sop_instance[uid_unpack(column_slice(s, 2), r->sop_instance)] = '\0';
    r->ref = column_ref(s, 3);
}

enum err index_deletion_next(struct index_deletion *d, struct fault *f,
                             struct index_deletion_record *ret_record, bool *ret_end) {
    sqlite3_stmt *s = NULL;
    enum err e = index_statement(d->ix, ST_DELETION_RECORD, f, &s);
    if (e != OK)
        return e;
    sqlite3_bind_int64(s, 1, d->id);
    sqlite3_bind_int64(s, 2, d->last_record);
    int rc = sqlite3_step(s);
    if (rc == SQLITE_ROW) {
        take_record(d, s, ret_record);
        d->last_record = sqlite3_column_int64(s, 0);
    }
    sqlite3_reset(s);
    *ret_end = rc == SQLITE_DONE;
    return rc == SQLITE_ROW || rc == SQLITE_DONE ? OK : index_fail(d->ix, rc, "reading a deletion", f);
}

bool index_deletion_is_whole(const struct index_deletion *d) {
    return d->whole;
}

const char *index_deletion_study(const struct index_deletion *d) {
    return d->study_text;
}

uint64_t index_deletion_count(const struct index_deletion *d) {
    return d->count;
}

// --- After a crash ------------------------------------------------------------------------------

// Behind those that are being carried out.
static enum err next_ready(struct index_deletion *d, struct fault *f, bool *ret_found) {
    sqlite3_stmt *s = NULL;
    enum err e = index_statement(d->ix, ST_DELETION_NEXT_READY, f, &s);
    if (e != OK)
        return e;
    sqlite3_bind_int64(s, 1, last_open(d->ix));
    int rc = sqlite3_step(s);
    if (rc == SQLITE_ROW) {
        d->id = sqlite3_column_int64(s, 0);
        d->study_text[uid_unpack(column_slice(s, 1), d->study_text)] = '\0';
        d->whole = sqlite3_column_int(s, 2);
        d->ready = true;
        (void)uid_pack(slice_str(d->study_text), &d->study);
    }
    sqlite3_reset(s);
    *ret_found = rc == SQLITE_ROW;
    return rc == SQLITE_ROW || rc == SQLITE_DONE ? OK : index_fail(d->ix, rc, "reading a deletion", f);
}

enum err index_deletion_resume(struct index *ix, struct fault *f, struct index_deletion **ret_deletion) {
    bool found = false;
    struct index_deletion *d = make(ix, f);
    if (!d)
        return ERR_NO_MEMORY;
    enum err e = run_with(ix, ST_DELETION_RECORDS_UNREADY_DROP, 0, f);
    if (e == OK)
        e = run_with(ix, ST_DELETIONS_UNREADY_DROP, 0, f);
    if (e == OK)
        e = next_ready(d, f, &found);
    if (e != OK || !found) {
        index_deletion_close(d);
        d = NULL;
    }
    if (e == OK)
        *ret_deletion = d;
    return e;
}
