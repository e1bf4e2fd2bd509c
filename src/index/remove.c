// Finding single objects, the records kept beside others, and taking objects out again.
#include "index/internal.h"

// --- Finding ------------------------------------------------------------------------------------

static enum err get_id(struct index *ix, enum stmt_id id, struct slice uid, int64_t parent, struct fault *f,
                       int64_t *ret_id, struct index_ref *ret_ref) {
    struct uid_packed packed;
    sqlite3_stmt *s = NULL;
    if (!uid_pack(uid, &packed))
        return fault_set(f, ERR_NO_SUCH_OBJECT, "no such object");
    enum err e = index_statement(ix, id, f, &s);
    if (e != OK)
        return e;
    bind_blob(s, 1, uid_packed_slice(&packed));
    if (parent != NO_ID)
        sqlite3_bind_int64(s, 2, parent);
    int rc = sqlite3_step(s);
    if (rc == SQLITE_ROW) {
        *ret_id = sqlite3_column_int64(s, 0);
        if (ret_ref)
            *ret_ref = column_ref(s, 1);
    }
    sqlite3_reset(s);
    if (rc == SQLITE_DONE)
        return fault_set(f, ERR_NO_SUCH_OBJECT, "no such object");
    return rc == SQLITE_ROW ? OK : index_fail(ix, rc, "finding an object", f);
}

struct triple {
    int64_t study, series, instance;
    struct index_ref ref;
};

static enum err find_triple(struct index *ix, struct slice study, struct slice series, struct slice sop,
                            struct fault *f, struct triple *ret_triple) {
    struct triple t = {0};
    enum err e = get_id(ix, ST_STUDY_GET, study, NO_ID, f, &t.study, NULL);
    if (e == OK)
        e = get_id(ix, ST_SERIES_GET, series, t.study, f, &t.series, NULL);
    if (e == OK)
        e = get_id(ix, ST_INSTANCE_GET, sop, t.series, f, &t.instance, &t.ref);
    if (e == OK)
        *ret_triple = t;
    return e;
}

enum err index_find(struct index *ix, struct slice study, struct slice series, struct slice sop_instance,
                    struct fault *f, struct index_ref *ret_ref) {
    struct triple t;
    enum err e = study.n == 0 && series.n == 0
                     ? get_id(ix, ST_INSTANCE_BY_SOP, sop_instance, NO_ID, f, &t.instance, &t.ref)
                     : find_triple(ix, study, series, sop_instance, f, &t);
    if (e == OK)
        *ret_ref = t.ref;
    return e;
}

// --- Deleting -----------------------------------------------------------------------------------

static enum err run_on(struct index *ix, enum stmt_id id, int64_t first, int64_t second, struct fault *f,
                       int *ret_changes) {
    sqlite3_stmt *s = NULL;
    enum err e = index_statement(ix, id, f, &s);
    if (e != OK)
        return e;
    sqlite3_bind_int64(s, 1, first);
    if (second != NO_ID)
        sqlite3_bind_int64(s, 2, second);
    int rc = sqlite3_step(s);
    sqlite3_reset(s);
    if (ret_changes)
        *ret_changes = sqlite3_changes(ix->db);
    return rc == SQLITE_DONE ? OK : index_fail(ix, rc, "deleting", f);
}

static enum err find_beside(struct index *ix, int64_t instance, const struct index_ref *ref, struct fault *f,
                            int64_t *ret_id) {
    sqlite3_stmt *s = NULL;
    enum err e = index_statement(ix, ST_BESIDE_OF, f, &s);
    if (e != OK)
        return e;
    sqlite3_bind_int64(s, 1, instance);
    int64_t id = NO_ID;
    int rc;
    while ((rc = sqlite3_step(s)) == SQLITE_ROW) {
        struct index_ref r = column_ref(s, 1);
        if (!ref || (r.segment == ref->segment && r.offset == ref->offset)) {
            id = sqlite3_column_int64(s, 0);
            break;
        }
    }
    sqlite3_reset(s);
    *ret_id = id;
    return rc == SQLITE_ROW || rc == SQLITE_DONE ? OK : index_fail(ix, rc, "reading records beside", f);
}

static enum err drop_beside(struct index *ix, int64_t id, struct fault *f) {
    ix->totals.beside--;
    return run_on(ix, ST_BESIDE_DROP, id, NO_ID, f, NULL);
}

static enum err patient_of(struct index *ix, int64_t study, struct fault *f, int64_t *ret_patient) {
    sqlite3_stmt *s = NULL;
    enum err e = index_statement(ix, ST_STUDY_KEYS, f, &s);
    if (e != OK)
        return e;
    sqlite3_bind_int64(s, 1, study);
    int rc = sqlite3_step(s);
    *ret_patient = rc == SQLITE_ROW ? sqlite3_column_int64(s, 4) : NO_ID;
    sqlite3_reset(s);
    return rc == SQLITE_ROW ? OK : index_fail(ix, rc == SQLITE_DONE ? SQLITE_CORRUPT : rc, "reading a study",
                                              f);
}

// What has become empty goes, from the series up to the patient.
static enum err drop_empty(struct index *ix, const struct triple *t, int64_t patient, struct fault *f) {
    int series = 0, studies = 0, patients = 0;
    enum err e = run_on(ix, ST_SERIES_DROP, t->series, NO_ID, f, &series);
    if (e == OK && series)
        e = run_on(ix, ST_STUDY_SERIES_ADDED, -1, t->study, f, NULL);
    if (e == OK && series)
        e = run_on(ix, ST_STUDY_DROP, t->study, NO_ID, f, &studies);
    if (e == OK)
        e = run_on(ix, studies ? ST_CLASSES_DROP : ST_CLASS_DROP, t->study, NO_ID, f, NULL);
    if (e == OK && studies)
        e = run_on(ix, ST_PATIENT_DROP, patient, NO_ID, f, &patients);
    ix->totals.series -= series;
    ix->totals.studies -= studies;
    ix->totals.patients -= patients;
    return e;
}

static enum err drop_instance(struct index *ix, const struct triple *t, struct fault *f) {
    int64_t patient = NO_ID;
    enum err e = patient_of(ix, t->study, f, &patient);
    if (e == OK)
        e = run_on(ix, ST_INSTANCE_DROP, t->instance, NO_ID, f, NULL);
    if (e == OK)
        e = run_on(ix, ST_SERIES_COUNT, -1, t->series, f, NULL);
    if (e == OK)
        e = run_on(ix, ST_STUDY_COUNT, -1, t->study, f, NULL);
    if (e == OK)
        e = drop_empty(ix, t, patient, f);
    ix->totals.instances--;
    return e;
}

// The attributes stay those of the first: the next reindex takes the other's.
static enum err promote(struct index *ix, const struct triple *t, int64_t beside, struct fault *f) {
    enum err e = run_on(ix, ST_INSTANCE_PROMOTE, beside, t->instance, f, NULL);
    if (e == OK)
        e = drop_beside(ix, beside, f);
    if (e == OK)
        e = run_on(ix, ST_CLASS_OF_INSTANCE, t->study, t->instance, f, NULL);
    return e == OK ? run_on(ix, ST_CLASS_DROP, t->study, NO_ID, f, NULL) : e;
}

static enum err delete_record(struct index *ix, const struct triple *t, const struct index_ref *ref,
                              struct fault *f) {
    bool is_served = t->ref.segment == ref->segment && t->ref.offset == ref->offset;
    int64_t beside = NO_ID;
    enum err e = find_beside(ix, t->instance, is_served ? NULL : ref, f, &beside);
    if (e != OK)
        return e;
    if (is_served)
        return beside == NO_ID ? drop_instance(ix, t, f) : promote(ix, t, beside, f);
    return beside == NO_ID ? fault_set(f, ERR_NO_SUCH_OBJECT, "no such record") : drop_beside(ix, beside, f);
}

enum err index_delete(struct index *ix, struct slice study, struct slice series, struct slice sop_instance,
                      const struct index_ref *ref, struct fault *f) {
    struct totals before = ix->totals;
    struct triple t;
    enum err e = find_triple(ix, study, series, sop_instance, f, &t);
    if (e == OK)
        e = index_begin(ix, f);
    if (e == OK)
        e = series_flush(ix, f);
    if (e == OK)
        e = index_run(ix, ST_SAVEPOINT, f);
    if (e != OK)
        return e;
    e = delete_record(ix, &t, ref, f);
    if (e != OK) {
        ix->totals = before;
        if (!ix->lost)
            (void)index_run(ix, ST_ROLLBACK_TO, NULL);
    }
    if (!ix->lost)
        (void)index_run(ix, ST_RELEASE, NULL);
    index_forget(ix);
    ix->totals_dirty = true;
    return e;
}
