// Adding an object. The common case, another instance of a series that is being received, costs one INSERT;
// the first one of a study, one for each of its rows.
#include "index/attributes.h"

enum { BESIDE_COMPARED_MAX = 8 };

// The object being added, checked.
struct addition {
    const struct index_object *o;
    struct uid_packed study, series, sop;
    struct attributes a;
    int64_t class_id, syntax_id;
};

// --- Counts that are written late ---------------------------------------------------------------

static enum err count(struct index *ix, enum stmt_id id, int64_t n, int64_t row, struct fault *f) {
    sqlite3_stmt *s = NULL;
    enum err e = index_statement(ix, id, f, &s);
    if (e != OK)
        return e;
    sqlite3_bind_int64(s, 1, n);
    sqlite3_bind_int64(s, 2, row);
    int rc = sqlite3_step(s);
    sqlite3_reset(s);
    return rc == SQLITE_DONE ? OK : index_fail(ix, rc, "counting", f);
}

static enum err entry_flush(struct index *ix, struct series_entry *c, struct fault *f) {
    if (c->series == NO_ID)
        return OK;
    enum err e = c->series_added ? count(ix, ST_SERIES_COUNT, c->series_added, c->series, f) : OK;
    if (e == OK && c->study_added)
        e = count(ix, ST_STUDY_COUNT, c->study_added, c->study, f);
    if (e == OK)
        c->series_added = c->study_added = 0;
    return e;
}

enum err series_flush(struct index *ix, struct fault *f) {
    if (!ix->counts_wait)
        return OK;
    enum err noted = arrivals_flush(ix, f);
    if (noted != OK)
        return noted;
    for (int i = 0; i < SERIES_CACHED; i++) {
        enum err e = entry_flush(ix, &ix->series[i], f);
        if (e != OK)
            return e;
    }
    ix->counts_wait = false;
    return OK;
}

static bool packed_eq(const struct uid_packed *a, const struct uid_packed *b) {
    return a->n == b->n && memcmp(a->p, b->p, a->n) == 0;
}

static struct series_entry *cached(struct index *ix, const struct addition *d) {
    for (int i = 0; i < SERIES_CACHED; i++) {
        struct series_entry *c = &ix->series[i];
        if (c->series != NO_ID && packed_eq(&c->series_uid, &d->series) &&
            packed_eq(&c->study_uid, &d->study)) {
            c->used = ++ix->clock;
            return c;
        }
    }
    return NULL;
}

static enum err free_entry(struct index *ix, struct fault *f, struct series_entry **ret_entry) {
    struct series_entry *oldest = &ix->series[0];
    for (int i = 1; i < SERIES_CACHED; i++)
        if (ix->series[i].used < oldest->used)
            oldest = &ix->series[i];
    enum err e = entry_flush(ix, oldest, f);
    if (e != OK)
        return e;
    memset(oldest, 0, sizeof *oldest);
    *ret_entry = oldest;
    return OK;
}

// --- Patient, study, series: found or made ------------------------------------------------------

// Who a patient is: ID and issuer; without an ID, name and birth date. Lengths keep the parts apart.
static void patient_key(const struct slice keys[4], struct buf *b) {
    const struct slice *part = keys[0].n ? keys : keys + 2;
    buf_u8(b, keys[0].n ? 1 : 0);
    buf_u16le(b, (uint16_t)part[0].n);
    buf_append_slice(b, part[0]);
    buf_append_slice(b, part[1]);
}

static enum err fill(struct index *ix, const struct addition *d, const char *table, int64_t row,
                     uint64_t attrs,
                     struct fault *f);

static enum err row_add(struct index *ix, sqlite3_stmt *s, const char *what, struct fault *f,
                        int64_t *ret_id) {
    int rc = sqlite3_step(s);
    sqlite3_reset(s);
    if (rc != SQLITE_DONE)
        return index_fail(ix, rc, what, f);
    *ret_id = sqlite3_last_insert_rowid(ix->db);
    return OK;
}

static enum err patient_add(struct index *ix, const struct addition *d, struct slice key, struct fault *f,
                            int64_t *ret_id) {
    sqlite3_stmt *s = NULL;
    enum err e = index_statement(ix, ST_PATIENT_ADD, f, &s);
    if (e != OK)
        return e;
    bind_blob(s, 1, key);
    attributes_bind(&d->a, INDEX_PATIENT, s, 2);
    ix->totals.patients++;
    return row_add(ix, s, "adding a patient", f, ret_id);
}

static enum err patient_by_key(struct index *ix, const struct addition *d, struct slice key, struct fault *f,
                               int64_t *ret_id) {
    sqlite3_stmt *s = NULL;
    uint64_t empty = 0;
    enum err e = index_statement(ix, ST_PATIENT_GET, f, &s);
    if (e != OK)
        return e;
    bind_blob(s, 1, key);
    int rc = sqlite3_step(s);
    if (rc == SQLITE_ROW) {
        *ret_id = sqlite3_column_int64(s, 0);
        empty = (uint64_t)sqlite3_column_int64(s, 1);
    }
    sqlite3_reset(s);
    if (rc == SQLITE_DONE)
        return patient_add(ix, d, key, f, ret_id);
    if (rc != SQLITE_ROW)
        return index_fail(ix, rc, "finding a patient", f);
    return fill(ix, d, "patient", *ret_id, empty & d->a.present, f);
}

static enum err patient_get(struct index *ix, const struct addition *d, const struct slice keys[4],
                            struct fault *f,
                            int64_t *ret_id) {
    struct buf key = BUF_INIT(4 * INDEX_VALUE_MAX_BYTES);
    patient_key(keys, &key);
    enum err e = buf_ok(&key) ? patient_by_key(ix, d, buf_slice(&key), f, ret_id)
                              : fault_set(f, ERR_NO_MEMORY, "index: no memory for a patient");
    buf_fini(&key);
    return e;
}

static bool says_removed(const struct addition *d) {
    return slice_eq_str(d->a.matching[INDEX_ATTR_PatientIdentityRemoved], "YES");
}

// With what its first series and instance, which come at once, will have changed: it is written once.
static enum err study_add(struct index *ix, const struct addition *d, struct series_entry *c,
                          struct fault *f) {
    const struct slice *m = d->a.matching;
    const struct slice keys[4] = {m[INDEX_ATTR_PatientID], m[INDEX_ATTR_IssuerOfPatientID],
                                  m[INDEX_ATTR_PatientName], m[INDEX_ATTR_PatientBirthDate]};
    sqlite3_stmt *s = NULL;
    enum err e = patient_get(ix, d, keys, f, &c->patient);
    if (e == OK)
        e = index_statement(ix, ST_STUDY_ADD, f, &s);
    if (e != OK)
        return e;
    sqlite3_bind_int64(s, 1, c->patient);
    bind_blob(s, 2, uid_packed_slice(&d->study));
    sqlite3_bind_int64(s, 3, 1);
    sqlite3_bind_int64(s, 4, 1);
    bind_slice(s, 5, m[INDEX_ATTR_Modality]);
    attributes_bind(&d->a, INDEX_STUDY, s, 6);
    ix->totals.studies++;
    c->study_ahead = true;
    spellings_note(ix, m[INDEX_ATTR_PatientName]);
    c->empty |= attr_mask(INDEX_STUDY) & ~d->a.present;
    c->identity_removed = says_removed(d);
    return row_add(ix, s, "adding a study", f, &c->study);
}

static enum err study_get(struct index *ix, const struct addition *d, struct series_entry *c,
                          struct fault *f) {
    sqlite3_stmt *s = NULL;
    enum err e = index_statement(ix, ST_STUDY_GET, f, &s);
    if (e != OK)
        return e;
    bind_blob(s, 1, uid_packed_slice(&d->study));
    int rc = sqlite3_step(s);
    if (rc == SQLITE_ROW) {
        c->study = sqlite3_column_int64(s, 0);
        c->patient = sqlite3_column_int64(s, 1);
        c->identity_removed = sqlite3_column_int(s, 2) == 1;
        c->empty |= (uint64_t)sqlite3_column_int64(s, 3);
    }
    sqlite3_reset(s);
    if (rc == SQLITE_DONE)
        return study_add(ix, d, c, f);
    return rc == SQLITE_ROW ? OK : index_fail(ix, rc, "finding a study", f);
}

static enum err series_add(struct index *ix, const struct addition *d, struct series_entry *c,
                           struct fault *f) {
    sqlite3_stmt *s = NULL;
    enum err e = index_statement(ix, ST_SERIES_ADD, f, &s);
    if (e != OK)
        return e;
    sqlite3_bind_int64(s, 1, c->study);
    bind_blob(s, 2, uid_packed_slice(&d->series));
    sqlite3_bind_int64(s, 3, 1);
    attributes_bind(&d->a, INDEX_SERIES, s, 4);
    e = row_add(ix, s, "adding a series", f, &c->series);
    if (e == OK && !c->study_ahead)
        e = count(ix, ST_STUDY_SERIES_ADDED, 1, c->study, f);
    c->series_ahead = true;
    ix->totals.series++;
    c->empty |= attr_mask(INDEX_SERIES) & ~d->a.present;
    return e;
}

static enum err series_get(struct index *ix, const struct addition *d, struct series_entry *c,
                           struct fault *f) {
    sqlite3_stmt *s = NULL;
    enum err e = index_statement(ix, ST_SERIES_GET, f, &s);
    if (e != OK)
        return e;
    bind_blob(s, 1, uid_packed_slice(&d->series));
    sqlite3_bind_int64(s, 2, c->study);
    int rc = sqlite3_step(s);
    if (rc == SQLITE_ROW) {
        c->series = sqlite3_column_int64(s, 0);
        c->empty |= (uint64_t)sqlite3_column_int64(s, 1);
    }
    sqlite3_reset(s);
    if (rc == SQLITE_DONE)
        return series_add(ix, d, c, f);
    return rc == SQLITE_ROW ? OK : index_fail(ix, rc, "finding a series", f);
}

// --- Filling in what earlier objects left empty -------------------------------------------------

static enum err fill_one(struct index *ix, const struct addition *d, const char *table, int64_t row,
                         enum index_attr attr, struct fault *f) {
    bool groups = attr == INDEX_ATTR_PatientName;
    const char *name = attr_name(attr);
    char sql[256];
    sqlite3_stmt *s = NULL;
    sqlite3_snprintf(sizeof sql, sql, "UPDATE %s SET %s=?1,%s_=?2%s WHERE id=?3 AND %s IS NULL", table, name,
                     name,
                     groups ? ",PatientName2=?4,PatientName3=?5" : "", name);
    int rc = sqlite3_prepare_v2(ix->db, sql, -1, &s, NULL);
    if (rc == SQLITE_OK) {
        attribute_bind(&d->a, attr, s, 1);
        sqlite3_bind_int64(s, 3, row);
        if (groups) {
            bind_slice(s, 4, name_group(d->a.matching[attr], 1));
            bind_slice(s, 5, name_group(d->a.matching[attr], 2));
        }
        rc = sqlite3_step(s);
    }
    sqlite3_finalize(s);
    return rc == SQLITE_DONE ? OK : index_fail(ix, rc, "filling in an attribute", f);
}

static enum err fill(struct index *ix, const struct addition *d, const char *table, int64_t row,
                     uint64_t attrs,
                     struct fault *f) {
    for (int i = 0; i < INDEX_ATTR_COUNT_; i++) {
        enum err e = attrs >> i & 1 ? fill_one(ix, d, table, row, (enum index_attr)i, f) : OK;
        if (e != OK)
            return e;
    }
    return OK;
}

// The study's patient attributes have changed: it may belong to another patient now.
static enum err relink(struct index *ix, const struct addition *d, struct series_entry *c, struct fault *f) {
    sqlite3_stmt *s = NULL;
    int64_t patient = NO_ID;
    enum err e = index_statement(ix, ST_STUDY_KEYS, f, &s);
    if (e != OK)
        return e;
    sqlite3_bind_int64(s, 1, c->study);
    int rc = sqlite3_step(s);
    if (rc == SQLITE_ROW) {
        const struct slice keys[4] = {column_slice(s, 0), column_slice(s, 1), column_slice(s, 2),
                                      column_slice(s, 3)};
        e = patient_get(ix, d, keys, f, &patient);
        c->patient = sqlite3_column_int64(s, 4);
    }
    sqlite3_reset(s);
    if (rc != SQLITE_ROW)
        return index_fail(ix, rc == SQLITE_DONE ? SQLITE_CORRUPT : rc, "reading a study", f);
    if (e != OK || patient == c->patient)
        return e;
    e = count(ix, ST_STUDY_RELINK, patient, c->study, f);
    if (e == OK)
        e = index_statement(ix, ST_PATIENT_DROP, f, &s);
    if (e != OK)
        return e;
    sqlite3_bind_int64(s, 1, c->patient);
    rc = sqlite3_step(s);
    sqlite3_reset(s);
    ix->totals.patients -= sqlite3_changes(ix->db);
    c->patient = patient;
    return rc == SQLITE_DONE ? OK : index_fail(ix, rc, "dropping a patient", f);
}

static enum err fill_in(struct index *ix, const struct addition *d, struct series_entry *c, struct fault *f) {
    const uint64_t keys = 1ULL << INDEX_ATTR_PatientID | 1ULL << INDEX_ATTR_IssuerOfPatientID |
                          1ULL << INDEX_ATTR_PatientName | 1ULL << INDEX_ATTR_PatientBirthDate;
    uint64_t wanted = c->empty & d->a.present & ~(1ULL << INDEX_ATTR_PatientIdentityRemoved);
    if (wanted == 0)
        return OK;
    if (wanted & 1ULL << INDEX_ATTR_PatientName)
        spellings_note(ix, d->a.matching[INDEX_ATTR_PatientName]);
    enum err e = fill(ix, d, "study", c->study, wanted & attr_mask(INDEX_STUDY), f);
    if (e == OK)
        e = fill(ix, d, "series", c->series, wanted & attr_mask(INDEX_SERIES), f);
    if (e == OK && wanted & attr_mask(INDEX_PATIENT) & ~keys)
        e = fill(ix, d, "patient", c->patient, wanted & attr_mask(INDEX_PATIENT) & ~keys, f);
    if (e == OK && wanted & keys)
        e = relink(ix, d, c, f);
    c->empty &= ~wanted;
    return e;
}

// One object that does not say so, and the study is no longer one of removed identity; it never becomes one.
static enum err identity_note(struct index *ix, const struct addition *d, struct series_entry *c,
                              struct fault *f) {
    sqlite3_stmt *s = NULL;
    if (!c->identity_removed || says_removed(d))
        return OK;
    enum err e = index_statement(ix, ST_STUDY_IDENTIFIED, f, &s);
    if (e != OK)
        return e;
    bind_slice(s, 1, d->a.matching[INDEX_ATTR_PatientIdentityRemoved]);
    sqlite3_bind_int64(s, 2, c->study);
    int rc = sqlite3_step(s);
    sqlite3_reset(s);
    c->identity_removed = false;
    return rc == SQLITE_DONE ? OK : index_fail(ix, rc, "noting an identity", f);
}

// --- The instance -------------------------------------------------------------------------------

static enum err instance_add(struct index *ix, const struct addition *d, const struct series_entry *c,
                             struct fault *f,
                             bool *ret_added) {
    sqlite3_stmt *s = NULL;
    enum err e = index_statement(ix, ST_INSTANCE_ADD, f, &s);
    if (e != OK)
        return e;
    sqlite3_bind_int64(s, 1, c->series);
    bind_blob(s, 2, uid_packed_slice(&d->sop));
    sqlite3_bind_int64(s, 3, d->class_id);
    sqlite3_bind_int64(s, 4, d->syntax_id);
    bind_ref(s, 5, &d->o->ref);
    bind_blob(s, 9, d->o->digest);
    attributes_bind(&d->a, INDEX_INSTANCE, s, 10);
    int rc = sqlite3_step(s);
    sqlite3_reset(s);
    *ret_added = sqlite3_changes(ix->db) > 0;
    return rc == SQLITE_DONE ? OK : index_fail(ix, rc, "adding an instance", f);
}

static enum err class_note(struct index *ix, const struct addition *d, struct series_entry *c,
                           struct fault *f) {
    if (c->class_seen == d->class_id)
        return OK;
    c->class_seen = d->class_id;
    return count(ix, ST_CLASS_ADD, c->study, d->class_id, f);
}

static enum err compare(struct index *ix, const struct addition *d, const struct index_ref *ref,
                        struct slice digest, index_same_fn *same, void *arg, struct fault *f,
                        enum index_outcome *ret_outcome) {
    static const enum index_outcome outcomes[] = {
        [INDEX_DIFFERS] = INDEX_BESIDE, [INDEX_SAME] = INDEX_IDENTICAL, [INDEX_UNREADABLE] = INDEX_INSTEAD};
    enum index_likeness likeness = INDEX_DIFFERS;
    bool goes = false;
    if (ref->segment == d->o->ref.segment && ref->offset == d->o->ref.offset) {
        *ret_outcome = INDEX_KNOWN;
        return OK;
    }
    enum err e = deletions_have(ix, &d->study, ref, f, &goes);
    if (goes) // what is acknowledged now must not go with it
        likeness = INDEX_UNREADABLE;
    else if (digest.n && digest.n == d->o->digest.n)
        likeness = slice_eq(digest, d->o->digest) ? INDEX_SAME : INDEX_DIFFERS;
    else if (e == OK && same)
        e = same(arg, ref, &likeness, f);
    *ret_outcome = outcomes[likeness];
    return e;
}

static enum err served(struct index *ix, const struct addition *d, const struct series_entry *c,
                       index_same_fn *same,
                       void *arg, struct fault *f, int64_t *ret_instance, enum index_outcome *ret_outcome) {
    sqlite3_stmt *s = NULL;
    enum err e = index_statement(ix, ST_INSTANCE_GET, f, &s);
    if (e != OK)
        return e;
    bind_blob(s, 1, uid_packed_slice(&d->sop));
    sqlite3_bind_int64(s, 2, c->series);
    int rc = sqlite3_step(s);
    if (rc == SQLITE_ROW) {
        struct index_ref ref = column_ref(s, 1);
        *ret_instance = sqlite3_column_int64(s, 0);
        e = compare(ix, d, &ref, column_slice(s, 5), same, arg, f, ret_outcome);
    }
    sqlite3_reset(s);
    return rc == SQLITE_ROW ? e : index_fail(ix, rc == SQLITE_DONE ? SQLITE_CORRUPT : rc,
                                             "reading an instance", f);
}

// Is it one of those already kept beside? Only the first few are compared in content. Where it is to be
// served, it is a new record all the same.
static enum err beside(struct index *ix, const struct addition *d, int64_t instance, index_same_fn *same,
                       void *arg,
                       struct fault *f, enum index_outcome *ret_outcome) {
    sqlite3_stmt *s = NULL;
    int rc = SQLITE_DONE;
    enum err e = index_statement(ix, ST_BESIDE_OF, f, &s);
    if (e != OK)
        return e;
    sqlite3_bind_int64(s, 1, instance);
    enum index_outcome outcome = INDEX_BESIDE;
    for (int i = 0; e == OK && outcome != INDEX_IDENTICAL && outcome != INDEX_KNOWN &&
                    (rc = sqlite3_step(s)) == SQLITE_ROW; i++) {
        struct index_ref ref = column_ref(s, 1);
        e = compare(ix, d, &ref, column_slice(s, 5), i < BESIDE_COMPARED_MAX ? same : NULL, arg, f, &outcome);
    }
    if (outcome == INDEX_KNOWN || (outcome == INDEX_IDENTICAL && *ret_outcome == INDEX_BESIDE))
        *ret_outcome = outcome;
    sqlite3_reset(s);
    return rc == SQLITE_DONE || rc == SQLITE_ROW ? e : index_fail(ix, rc, "reading a record beside", f);
}

static enum err beside_add(struct index *ix, const struct addition *d, int64_t instance, struct fault *f) {
    sqlite3_stmt *s = NULL;
    int64_t id;
    enum err e = index_statement(ix, ST_BESIDE_ADD, f, &s);
    if (e != OK)
        return e;
    sqlite3_bind_int64(s, 1, instance);
    sqlite3_bind_int64(s, 2, d->class_id);
    sqlite3_bind_int64(s, 3, d->syntax_id);
    bind_ref(s, 4, &d->o->ref);
    bind_blob(s, 8, d->o->digest);
    ix->totals.beside++;
    return row_add(ix, s, "adding a record beside", f, &id);
}

// The record that was served is kept beside; the attributes stay those of the first.
static enum err serve_instead(struct index *ix, const struct addition *d, const struct series_entry *c,
                              int64_t instance, struct fault *f) {
    sqlite3_stmt *s = NULL;
    enum err e = index_statement(ix, ST_BESIDE_KEEP, f, &s);
    if (e != OK)
        return e;
    int64_t id;
    sqlite3_bind_int64(s, 1, instance);
    ix->totals.beside++;
    e = row_add(ix, s, "adding a record beside", f, &id);
    if (e == OK)
        e = index_statement(ix, ST_INSTANCE_REPLACE, f, &s);
    if (e != OK)
        return e;
    sqlite3_bind_int64(s, 1, d->class_id);
    sqlite3_bind_int64(s, 2, d->syntax_id);
    bind_ref(s, 3, &d->o->ref);
    bind_blob(s, 7, d->o->digest);
    sqlite3_bind_int64(s, 8, instance);
    int rc = sqlite3_step(s);
    sqlite3_reset(s);
    if (rc != SQLITE_DONE)
        return index_fail(ix, rc, "replacing a record", f);
    return count(ix, ST_CLASS_ADD, c->study, d->class_id, f);
}

static enum err same_again(struct index *ix, const struct addition *d, const struct series_entry *c,
                           index_same_fn *same, void *arg, struct fault *f, enum index_outcome *ret_outcome) {
    int64_t instance = NO_ID;
    enum err e = served(ix, d, c, same, arg, f, &instance, ret_outcome);
    if (e == OK && (*ret_outcome == INDEX_BESIDE || *ret_outcome == INDEX_INSTEAD))
        e = beside(ix, d, instance, same, arg, f, ret_outcome);
    if (e == OK && *ret_outcome == INDEX_BESIDE)
        e = beside_add(ix, d, instance, f);
    if (e == OK && *ret_outcome == INDEX_INSTEAD)
        e = serve_instead(ix, d, c, instance, f);
    return e;
}

// --- All of it ----------------------------------------------------------------------------------

static enum err check(const struct index_object *o, struct addition *d, struct fault *f) {
    struct uid_packed ignored;
    if (!uid_pack(o->study, &d->study) || !uid_pack(o->series, &d->series) ||
        !uid_pack(o->sop_instance, &d->sop) ||
        !uid_pack(o->sop_class, &ignored) || !uid_pack(o->transfer_syntax, &ignored))
        return fault_set(f, ERR_UID, "a UID of the object to index is none");
    if (o->digest.n > INDEX_DIGEST_MAX || o->ref.offset > INT64_MAX || o->ref.length > INT64_MAX)
        return fault_set(f, ERR_SYNTAX, "the object to index has an impossible place or digest");
    d->o = o;
    return attributes_parse(o->attributes, &d->a, f);
}

enum err index_object_check(const struct index_object *o, struct fault *f) {
    struct addition d = {0};
    return check(o, &d, f);
}

static enum err entry_load(struct index *ix, const struct addition *d, struct fault *f,
                           struct series_entry **ret_entry) {
    struct series_entry *c;
    enum err e = free_entry(ix, f, &c);
    if (e != OK)
        return e;
    e = study_get(ix, d, c, f);
    if (e == OK)
        e = series_get(ix, d, c, f);
    if (e != OK) {
        memset(c, 0, sizeof *c);
        return e;
    }
    c->study_uid = d->study;
    c->series_uid = d->series;
    c->used = ++ix->clock;
    *ret_entry = c;
    return OK;
}

static enum err add(struct index *ix, struct addition *d, index_same_fn *same, void *arg, struct fault *f,
                    enum index_outcome *ret_outcome) {
    bool added = false;
    int64_t studies = ix->totals.studies;
    struct series_entry *c = cached(ix, d);
    enum err e = uid_number(ix, d->o->sop_class, true, f, &d->class_id);
    if (e == OK)
        e = uid_number(ix, d->o->transfer_syntax, true, f, &d->syntax_id);
    if (e == OK && !c)
        e = entry_load(ix, d, f, &c);
    if (e == OK)
        e = instance_add(ix, d, c, f, &added);
    if (e != OK || !added)
        return e == OK ? same_again(ix, d, c, same, arg, f, ret_outcome) : e;
    bool new_study = ix->totals.studies > studies;
    e = class_note(ix, d, c, f);
    if (e == OK)
        e = identity_note(ix, d, c, f);
    if (e == OK)
        e = fill_in(ix, d, c, f);
    if (e == OK)
        e = arrival_note(ix, d->o, d->a.matching[INDEX_ATTR_Modality], new_study, f);
    if (e != OK)
        return e;
    c->series_added += !c->series_ahead;
    c->study_added += !c->study_ahead;
    c->series_ahead = c->study_ahead = false;
    ix->counts_wait = true;
    ix->totals.instances++;
    *ret_outcome = INDEX_NEW;
    return OK;
}

// Half an object must not stay. That is rare (memory or disk failed), so nothing is kept ready for it: what
// the whole transaction has added is added again from the marks.
static void give_up(struct index *ix) {
    ix->lost = true;
    index_forget(ix);
}

enum err index_add(struct index *ix, const struct index_object *o, index_same_fn *same, void *arg,
                   struct fault *f, enum index_outcome *ret_outcome) {
    struct addition d = {0};
    struct totals before = ix->totals;
    enum index_outcome outcome = INDEX_NEW;
    enum err e = check(o, &d, f);
    if (e == OK)
        e = index_begin(ix, f);
    int64_t changes = sqlite3_total_changes64(ix->db);
    if (e == OK)
        e = add(ix, &d, same, arg, f, &outcome);
    if (e != OK) {
        ix->totals = before;
        if (sqlite3_total_changes64(ix->db) != changes)
            give_up(ix);
        return e;
    }
    ix->totals_dirty = true;
    if (outcome == INDEX_NEW || outcome == INDEX_BESIDE || outcome == INDEX_INSTEAD)
        deletions_note(ix, &d.study);
    *ret_outcome = outcome;
    return OK;
}
