// The index: what queries and retrievals need to know of every object, derived from the records of
// the store and built again from them at will. SQLite with sealed pages (index/vfs_seal.h).
//
// It parses no DICOM and checks no rights: attributes come as UTF-8 (std/index_attr.h), conditions as
// ipc/query.h has them. One thread. Writes are one long transaction that index_commit() ends now and
// then; queries see what is not yet committed. Nothing here waits for the disk but index_commit().
#ifndef INDEX_INDEX_H
#define INDEX_INDEX_H

#include "base/err.h"
#include "base/slice.h"
#include "ipc/query.h"
#include "std/index_attr.h"

struct index;

enum { INDEX_KEY_BYTES = 32 };

// Opens or makes DIR/index.db, migrates it. ERR_CORRUPT: damaged, or the wrong key: delete the folder's files
// and build again from the store. ERR_BUSY: another process has it.
enum err index_open(const char *index_dir, const uint8_t key[INDEX_KEY_BYTES], struct index **ret_index,
                    struct fault *f);
void index_close(struct index *x); // commits first
enum err index_commit(struct index *x, struct fault *f);
enum err index_destroy(const char *index_dir, struct fault *f); // removes its files

// Where the object lies; the store's business, kept as it is.
struct index_ref {
    uint32_t segment, front_bytes;
    uint64_t offset, length;
};

// How far the records of a segment are indexed (blob/store.h, struct store_mark); part of the same transaction.
struct index_mark {
    uint32_t segment;
    uint64_t end, objects, dead_bytes;
};
enum err index_set_mark(struct index *x, const struct index_mark *m, struct fault *f);
// All marks, ascending; free() the array.
enum err index_marks(struct index *x, struct index_mark **ret_marks, size_t *ret_count, struct fault *f);

struct index_put {
    struct slice study, series, sop_instance, sop_class, transfer_syntax;
    struct slice attributes; // list as in std/index_attr.h
    struct index_ref ref;
    uint64_t received_ms;
};

// Objects we have under these UIDs: the one that is served first, then those kept beside it.
enum err index_find(struct index *x, struct slice study, struct slice series, struct slice sop_instance,
                    struct index_ref *ret_refs, size_t cap, size_t *ret_count, struct fault *f);
// Adds an object. When the UIDs are taken already it is kept beside (*ret_beside true) and not served.
// The first object's values of patient, study and series stay; what they left empty is filled in.
enum err index_add(struct index *x, const struct index_put *p, bool *ret_beside, struct fault *f);

// --- Queries. Conditions of levels at or above the query's level; at STUDY level of QUERY_ROOT_STUDY the patient's
// attributes count as the study's. ModalitiesInStudy matches when any series does.
struct index_query;
enum err index_query_begin(struct index *x, enum query_root root, enum query_level level,
                           const struct query_condition *conditions, size_t count,
                           const uint16_t *returns, size_t return_count, struct index_query **ret_query,
                           struct fault *f);
struct index_row {
    struct slice values[INDEX_ATTR_COUNT_]; // in the order of `returns`; until the next step
    struct index_ref ref;                   // of a representative object, for its summary
};
enum err index_query_step(struct index_query *q, struct index_row *ret_row, bool *ret_done, struct fault *f);
void index_query_end(struct index_query *q);

// --- Retrieval: objects that match conditions (UIDs, patient ID), in a stable order.
struct index_locate;
// *ret_count: how many. `pairs` gets the distinct "class NUL transfer syntax NUL".
enum err index_locate_begin(struct index *x, const struct query_condition *conditions, size_t count,
                            struct buf *pairs, uint64_t *ret_count, struct index_locate **ret_locate,
                            struct fault *f);
struct index_object {
    char sop_class[65], sop_instance[65], transfer_syntax[65];
    struct index_ref ref;
};
enum err index_locate_step(struct index_locate *l, struct index_object *ret_object, bool *ret_done, struct fault *f);
void index_locate_end(struct index_locate *l);

struct index_info {
    uint64_t patients, studies, series, instances, beside;
    uint64_t file_bytes;
};
enum err index_status(struct index *x, struct index_info *ret_info, struct fault *f);

#endif
