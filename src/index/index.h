// The index: which objects there are, by what queries ask for, and where they lie in the store.
//
// It is derived: the segments are the truth, and whenever the index is damaged (ERR_CORRUPT) or lost,
// index_remove() and a replay of the segments make it again. It is not a place for anything else.
//
// SQLite in DIR/index/index.db and index.db-wal, every page sealed (index/vfs_seal.h): nothing of a
// patient is readable in the files. No other file is ever made.
//
// One thread, one process (the file is locked). A transaction begins by itself with the first change
// and lasts until index_commit(), which the owner calls on a timer; queries see changes at once. A
// mark for each segment, saved in the same transaction, says from where to replay after a crash.
//
// What it keeps of each level: of patient, study and series the first value seen that is not empty;
// later, different ones are not kept (each object's own are in its summary). But that a patient's identity
// was removed is true of a study only while all of its objects say so. A patient is Patient ID and issuer;
// without an ID, name and birth date. A study has its own copy of the patient's attributes (as its first
// object says), so that a wrong Patient ID never shows another patient's name.
//
// Objects are known by the triple study, series, SOP instance. The same SOP Instance UID in two
// series is two objects. See index_add() for the same triple twice.
//
// Values are UTF-8 and are kept as given; the matching forms are the worker's (dicom/match.h), compared by
// base/glob.h. No DICOM is parsed here.
#ifndef INDEX_INDEX_H
#define INDEX_INDEX_H

#include "base/err.h"
#include "base/slice.h"
#include "base/uid.h"
#include "ipc/query.h"
#include "std/index_attr.h"

enum {
    INDEX_KEY_BYTES = 32,
    INDEX_DIGEST_MAX = 32,
    INDEX_PEER_MAX = 80,     // longer ones are cut
    INDEX_MODALITY_MAX = 16, // likewise
    INDEX_ARRIVALS_HOURS = 40 * 24, // how long it is known what came in
    INDEX_RETURNS_MAX = 128,
    INDEX_QUERIES_MAX = 4096,            // open at once
    INDEX_PATTERNS_MAX_BYTES = 16 << 10, // names and wildcards of a query together
    INDEX_SCOPE_CONDITIONS_MAX = 4096,   // of all scopes of a query
};

struct index;

struct index_options {
    uint32_t cache_bytes;      // of pages; 0: 48 MiB
    uint32_t wal_limit_bytes;  // checkpointed when larger; 0: 32 MiB
    bool read_only;            // for a look beside nobody: no changes, no migration
    // Called before an older schema is brought up to date, which takes some ten seconds a million studies.
    void (*migrating)(void *arg, int from, int to);
    void *arg;
};

// Opens or creates the index in an existing folder and brings an older schema up to date (in one
// transaction; ERR_UNSUPPORTED for a newer one). ERR_CORRUPT: damaged, or sealed with another key:
// index_remove() and replay everything. ERR_BUSY: another process has it open. options may be NULL.
enum err index_open(const char *index_dir, const uint8_t key[INDEX_KEY_BYTES],
                    const struct index_options *options, struct fault *f, struct index **ret_index);
void index_close(struct index *ix); // rolls back what is not committed; end queries first. NULL is fine.
enum err index_remove(const char *index_dir, struct fault *f); // deletes its files

// --- Changes ------------------------------------------------------------------------------------

// Where an object lies (the same fields as blob/store.h, which the index does not know).
struct index_ref {
    uint32_t segment;
    uint32_t front_bytes;
    uint64_t offset;
    uint64_t length;
};

struct index_object {
    struct slice study, series, sop_instance, sop_class, transfer_syntax; // UIDs: digits and dots, 1 to 64
    struct slice attributes; // as std/index_attr.h says; refused as a whole if malformed
    struct slice digest;     // of the content, 0 to 32 bytes; empty: unknown
    struct index_ref ref;
    uint64_t received_ms;    // since 1970; 0: not counted among the arrivals
    struct slice peer;       // who stored it
};

// Would index_add() take it? ERR_SYNTAX or ERR_UID with what is wrong. To be asked before the object is put
// into the store: one that is there and cannot be indexed helps nobody.
enum err index_object_check(const struct index_object *o, struct fault *f);

enum index_outcome {
    INDEX_NEW,
    INDEX_KNOWN,     // this very record is indexed already (a replay): nothing changed
    INDEX_IDENTICAL, // the same content is there already: nothing changed, the new record may be dropped
    INDEX_BESIDE,    // other content under the same UIDs: the first stays served, this one is on record
    INDEX_INSTEAD,   // the first can't be read any more, or is being deleted: this is served, that on record
};

// Is the content of the object being added that of `other`? Called only when the triple is known and
// the digests don't tell. NULL instead: differing unless the digests say equal.
enum index_likeness { INDEX_DIFFERS, INDEX_SAME, INDEX_UNREADABLE };
typedef enum err index_same_fn(void *arg, const struct index_ref *other, enum index_likeness *ret_likeness,
                               struct fault *f);

// ERR_SYNTAX, ERR_UID: the caller's object is malformed. ERR_CORRUPT: rebuild. On these and when `same` fails
// nothing of this object has changed. When the disk or memory fails, the transaction may be lost: then this
// and every later change fails until the index is closed, opened and what lies beyond the marks is added
// again.
enum err index_add(struct index *ix, const struct index_object *o, index_same_fn *same, void *arg,
                   struct fault *f, enum index_outcome *ret_outcome);

// Takes a record (served or beside) out again; counts follow, empty series, studies and patients go.
// If a served one has another beside it, that one is served from now on. ERR_NO_SUCH_OBJECT.
enum err index_delete(struct index *ix, struct slice study, struct slice series, struct slice sop_instance,
                      const struct index_ref *ref, struct fault *f);

// A deletion: the records that shall go, written down so that a crash in its midst is no half of one. In this
// order: _open, _list until done (and again while _is_stale: something was added meanwhile), _ready and
// index_commit_durable(); from then on it is carried out to its end, after a crash by whoever resumes it.
// Then _next and index_delete() for each, _finish, index_commit_durable(). A deletion that was not ready is
// forgotten.
struct index_deletion;
// Of a study, a series of it, or an instance of that (what is not meant is empty). ERR_NO_SUCH_OBJECT.
enum err index_deletion_open(struct index *ix, struct slice study, struct slice series,
                             struct slice sop_instance, struct fault *f,
                             struct index_deletion **ret_deletion);
enum err index_deletion_list(struct index_deletion *d, struct fault *f, bool *ret_done); // a series each time
bool index_deletion_is_stale(const struct index_deletion *d);
enum err index_deletion_relist(struct index_deletion *d, struct fault *f); // from the beginning
enum err index_deletion_ready(struct index_deletion *d, struct fault *f);
enum err index_deletion_finish(struct index_deletion *d,
                               struct fault *f);     // also: gives it up before it is ready
void index_deletion_close(
    struct index_deletion *d); // forgets nothing; before the index is closed; NULL is fine

struct index_deletion_record {
    char study[UID_MAX + 1], series[UID_MAX + 1], sop_instance[UID_MAX + 1];
    struct index_ref ref; // served, or kept beside
};
// The records one after the other; *ret_end after the last.
enum err index_deletion_next(struct index_deletion *d, struct fault *f,
                             struct index_deletion_record *ret_record, bool *ret_end);
void index_deletion_rewind(struct index_deletion *d);
bool index_deletion_is_whole(const struct index_deletion *d); // of a whole study
const char *index_deletion_study(const struct index_deletion *d);
uint64_t index_deletion_count(const struct index_deletion *d); // records listed; of a resumed one 0

// The next deletion that was ready when the index was closed, behind those that are open; NULL: none.
enum err index_deletion_resume(struct index *ix, struct fault *f, struct index_deletion **ret_deletion);

// How far the index knows a segment. The mark of one that is gone stays: the store gives no number twice.
struct index_mark {
    uint32_t segment;
    uint64_t end;
    uint64_t objects;
    uint64_t dead_bytes;
};
enum err index_set_mark(struct index *ix, const struct index_mark *mark, struct fault *f);
// All marks, ascending; *ret_marks is malloc'd, the caller's.
enum err index_get_marks(struct index *ix, struct fault *f, struct index_mark **ret_marks, size_t *ret_count);

enum err index_commit(struct index *ix, struct fault *f);   // nothing to commit: OK
enum err index_commit_durable(struct index *ix, struct fault *f); // the same, and it survives a power loss
enum err index_rollback(struct index *ix, struct fault *f);

// Can the owner go on with it? Worth asking after any failure: errors of one object or query leave it sound.
enum index_health {
    INDEX_SOUND,
    INDEX_LOST,    // close, open, and add again what lies beyond the marks
    INDEX_DAMAGED, // close, index_remove(), open, and add everything again
};
enum index_health index_health(const struct index *ix);

// --- Queries ------------------------------------------------------------------------------------

// Either order is the same each time as long as nothing is added, so that pages join.
enum index_order {
    INDEX_ORDER_ANY,    // as they come, nothing is sorted
    INDEX_ORDER_NEWEST, // study level only: Study Date descending, then later stored first
};

// What somebody may see: the studies for which all conditions of at least one clause hold. The conditions are
// about attributes of study and patient, whatever the level of the query. No clause: nothing at all. A clause
// without conditions: everything.
struct index_clause {
    const struct query_condition *conditions;
    size_t count;
};
struct index_scope {
    const struct index_clause *clauses;
    size_t count;
};

struct index_query_spec {
    enum index_level level;                    // one row for each entity of this level
    const struct query_condition *conditions;  // of this level or above; all must hold
    size_t condition_count;
    const uint16_t *returns;                   // enum index_attr, of this level or above
    size_t return_count;
    uint64_t offset, limit;                    // limit 0: all
    enum index_order order;
    const struct index_scope *scopes;          // a study must be in each of them; none: everything is seen
    size_t scope_count;
};

// Conditions (PS3.4 C.2.2.2): operands are matching forms. SINGLE and LIST: equal to the value (PN: to one of
// its groups, glob_match_name). WILDCARD: one operand matches. RANGE: pairs of low and high, inclusive; one
// pair matches. EMPTY: no value. Attributes of kind MULTI match when one of the values does. UIDs take
// SINGLE, LIST and EMPTY only. FUZZY is for PN (base/fuzzy.h). Of the COMPUTED ones ModalitiesInStudy and
// SOPClassesInStudy can be matched (when any series, any instance does). ERR_UNSUPPORTED: a condition or
// return that is not possible at this level.
//
// With a scope, a query at patient level has the patients of the studies in it, as the first of these says,
// and whatever counts a patient's studies, series or instances counts those in it.
//
// The spec is copied. The query must be closed before the index.
struct index_query;
enum err index_query_open(struct index *ix, const struct index_query_spec *spec, struct fault *f,
                          struct index_query **ret_query);
void index_query_close(struct index_query *q); // NULL is fine

enum index_step {
    INDEX_ROW,
    INDEX_AGAIN, // looked at many entities without a match: let others run, then step again
    INDEX_END,
};
enum err index_query_step(struct index_query *q, struct fault *f, enum index_step *ret_step);

// Fuzzy names are compared with the different names there are, which are read when first needed; who reads
// them before, a part in each call, spares the first query that. *ret_all: there are no more, or too many.
enum err index_names_read(struct index *ix, struct fault *f, bool *ret_all);

// Counts instead: rows of neither limit nor offset. Step it as any other until INDEX_END (there are no
// rows), then ask; the counts of everything are known and cost nothing. Close it with index_query_close().
enum err index_count_open(struct index *ix, const struct index_query_spec *spec, struct fault *f,
                          struct index_query **ret_query);
uint64_t index_count_result(const struct index_query *q);

// Of the current row, valid until the next step, commit or change. `i` counts the spec's returns; empty when
// there is no value. UIDs and numbers are text.
struct slice index_query_value(const struct index_query *q, size_t i);
// Where the current row's instance is; at higher levels: the first stored instance of it.
enum err index_query_ref(struct index_query *q, struct fault *f, struct index_ref *ret_ref);

// --- Single objects -----------------------------------------------------------------------------

// ERR_NO_SUCH_OBJECT. Empty study and series: any object with this SOP Instance UID (storage commitment).
enum err index_find(struct index *ix, struct slice study, struct slice series, struct slice sop_instance,
                    struct fault *f, struct index_ref *ret_ref);

// What came in: new objects, by hour (since 1970, UTC), peer and modality; `studies` counts those that this
// hour began with it. In this order. Returning anything but OK stops with it. Older ones are forgotten in
// time.
struct index_arrival {
    uint64_t hour;
    struct slice peer, modality;
    uint64_t studies, instances;
};
typedef enum err index_arrival_fn(void *arg, const struct index_arrival *a);
enum err index_each_arrival(struct index *ix, uint64_t from_hour, index_arrival_fn *fn, void *arg,
                            struct fault *f);

struct index_info {
    uint64_t patients, studies, series, instances, beside;
    uint64_t file_bytes, wal_bytes;
    int schema_version;
};
enum err index_status(struct index *ix, struct fault *f, struct index_info *ret_info);

// Reads and authenticates everything and checks the structure: for `galena verify`. ERR_CORRUPT.
enum err index_check(struct index *ix, struct fault *f);

#endif
