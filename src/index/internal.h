// What the files of the index share; nobody else includes it (but its tests).
#ifndef INDEX_INTERNAL_H
#define INDEX_INTERNAL_H

#include "base/arena.h"
#include "base/buf.h"
#include "index/index.h"
#include "index/schema.h"
#include "index/uid_pack.h"
#include "index/vfs_seal.h"

_Static_assert(INDEX_ATTR_COUNT_ <= 64, "an attribute is a bit of a 64-bit mask");

enum { SERIES_CACHED = 16, UIDS_CACHED = 1024, ARRIVALS_CACHED = 8, STATEMENTS_REUSABLE = 16, NO_ID = 0 };

// Statements that are prepared once. S(name, SQL)
enum stmt_id {
    ST_BEGIN, ST_COMMIT, ST_ROLLBACK, ST_SAVEPOINT, ST_RELEASE, ST_ROLLBACK_TO,
    ST_UID_BY_TEXT, ST_UID_BY_ID, ST_UID_ADD,
    ST_PATIENT_GET, ST_PATIENT_ADD, ST_STUDY_GET, ST_STUDY_ADD, ST_SERIES_GET, ST_SERIES_ADD, ST_INSTANCE_ADD,
    ST_STUDY_SERIES_ADDED, ST_STUDY_COUNT, ST_SERIES_COUNT, ST_CLASS_ADD,
    ST_INSTANCE_GET, ST_INSTANCE_BY_SOP, ST_BESIDE_OF, ST_BESIDE_ADD,
    ST_MARK_SET, ST_MARKS, ST_TOTAL_GET, ST_TOTAL_SET,
    ST_STUDY_KEYS, ST_STUDY_RELINK, ST_PATIENT_DROP,
    ST_INSTANCE_DROP, ST_BESIDE_DROP, ST_BESIDE_KEEP,
    ST_INSTANCE_PROMOTE, ST_INSTANCE_REPLACE, ST_SERIES_DROP, ST_STUDY_DROP, ST_CLASSES_DROP,
    ST_CLASS_DROP, ST_CLASS_OF_INSTANCE,
    ST_DELETION_ADD, ST_DELETION_READY, ST_DELETION_NEXT_READY, ST_DELETION_DROP, ST_DELETIONS_UNREADY_DROP,
    ST_DELETION_RECORDS_DROP, ST_DELETION_RECORDS_UNREADY_DROP, ST_DELETION_SERIES, ST_DELETION_LIST,
    ST_DELETION_LIST_BESIDE, ST_DELETION_RECORD, ST_DELETION_HAS,
    ST_STUDY_IDENTIFIED, ST_ARRIVAL_ADD, ST_ARRIVALS, ST_ARRIVALS_DROP,
    ST_REF_OF_SERIES, ST_REF_OF_STUDY, ST_REF_OF_PATIENT,
    ST_COUNT_
};

// A series that objects were added to lately, with what is not written yet.
struct series_entry {
    struct uid_packed study_uid, series_uid;
    int64_t patient, study, series; // series NO_ID: unused
    uint64_t empty;                 // attributes of study and series that have no value yet
    int64_t class_seen;             // the last SOP class noted for the study
    bool identity_removed;          // as all objects of the study have said so far
    int64_t series_added, study_added; // instances not yet in their counts
    bool series_ahead, study_ahead; // its row was written just now, and counts this object's instance already
    uint64_t used;                  // for least recently used
};

// What came in during one hour from one peer, not written yet.
struct arrival_entry {
    int64_t hour;
    char peer[INDEX_PEER_MAX + 1], modality[INDEX_MODALITY_MAX + 1];
    int64_t studies, instances; // instances 0: unused
};

struct totals {
    int64_t patients, studies, series, instances, beside;
};

struct index {
    sqlite3 *db;
    struct vfs_seal *vfs;
    char *path;
    bool in_transaction, read_only;
    bool lost; // the transaction was rolled back behind our back: no more changes
    bool damaged;
    uint32_t wal_limit_frames;
    int wal_frames;
    sqlite3_stmt *statements[ST_COUNT_];
    sqlite3_stmt *reusable[STATEMENTS_REUSABLE]; // of queries that are over
    size_t reusable_count;
    struct series_entry series[SERIES_CACHED];
    struct arrival_entry arrivals[ARRIVALS_CACHED];
    int64_t newest_hour; // that anything arrived in, since it was opened
    uint64_t clock;
    bool counts_wait; // an entry has `added`
    char (*uids)[UID_MAX + 1]; // text of table uid by id, "" when not known
    int64_t uids_known; // ids up to this may be in uids
    struct totals totals;
    bool totals_dirty;
    struct index_query *queries;
    size_t query_count;
    struct index_query *walking; // the one SQLite is stepping for
    size_t gathered_bytes;       // by all queries
    uint64_t try_rows, few_rows; // see query_internal.h
    struct spellings *spellings; // NULL: not asked for yet, or too many
    bool too_many_spellings;
    struct index_deletion *deletions;
};

// index.c
enum err index_statement(struct index *ix, enum stmt_id id, struct fault *f, sqlite3_stmt **ret_statement);
enum err index_run(struct index *ix, enum stmt_id id, struct fault *f); // without parameters, to its end
enum err index_fail(struct index *ix, int rc, const char *what, struct fault *f);
enum err index_begin(struct index *ix, struct fault *f);
void index_forget(struct index *ix); // caches, after a rollback
const char *index_statement_sql(enum stmt_id id, struct buf *b);

// A few words less for binding.
void bind_slice(sqlite3_stmt *s, int at, struct slice v); // text; empty is NULL
void bind_blob(sqlite3_stmt *s, int at, struct slice v);
struct slice column_slice(sqlite3_stmt *s, int at);
struct index_ref column_ref(sqlite3_stmt *s, int at); // segment, front_bytes, offset, length
void bind_ref(sqlite3_stmt *s, int at, const struct index_ref *r);

// reuse.c: statements by their text, prepared or used before
int statement_prepare(struct index *ix, const char *sql, sqlite3_stmt **ret_statement); // SQLite's code
void statement_give_back(struct index *ix, sqlite3_stmt *take_statement);               // NULL: nothing
void statements_finalize(struct index *ix);

// names.c: the table uid
enum err uid_number(struct index *ix, struct slice uid, bool add, struct fault *f, int64_t *ret_id); // NO_ID
struct slice uid_text(struct index *ix, int64_t id); // empty when there is none

// sql.c: texts made from the table of attributes

bool attr_stored(enum index_attr attr, enum index_level level); // has columns in the table of this level
const char *attr_name(enum index_attr attr);
uint64_t attr_mask(enum index_level level);

// add.c
enum err series_flush(struct index *ix, struct fault *f); // counts of all cached series

// deletion.c
void deletions_note(struct index *ix, const struct uid_packed *study); // something was added to it
// Is this record of the study among those that will surely go?
enum err deletions_have(struct index *ix, const struct uid_packed *study, const struct index_ref *ref,
                        struct fault *f, bool *ret_have);

// arrival.c
struct attributes;
enum err arrival_note(struct index *ix, const struct index_object *o, struct slice modality, bool new_study,
                      struct fault *f);
enum err arrivals_flush(struct index *ix, struct fault *f);

// spellings.c
void spellings_note(struct index *ix, struct slice folded_name); // a study has this name
void spellings_free(struct index *ix);

// query.c
void queries_suspend(struct index *ix); // ends their reads; they find their place again
int walk_register(struct index *ix); // the SQL function with which passes leave rows out; SQLite's code
const char *index_query_sql(const struct index_query *q); // of the current pass, for tests

#endif
