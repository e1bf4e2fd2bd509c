// The store: append-only segments of sealed records. They are the truth; the index is derived.
//
//   DIR/store/seg-%08x.gs   page of 4096 bytes (magic, store id, number, epoch, state, MAC), then records.
//
// A record is one object, contiguous (blob/segment.h): clear header | meta | summary | frames | body,
// each range sealed on its own. The three small ranges stand before the body, not behind it, so that
// header and summary come with one read of a few KB, and a reindex makes one read an object. A streamed
// object leaves room for them and puts them behind the body only when they do not fit.
//
// Crash safety. A put is one write, header first; nothing in the file says that it is complete. It
// does not need to: recovery opens every chunk of every record past the index's mark, and what
// does not authenticate was not complete. An acknowledged record was followed by an fdatasync, which
// covers all records before it in that segment: so a torn record has only unacknowledged ones
// behind it. (A streamed object's header is written last, so that a crash in its midst shows zeros.)
// What a crash may leave is a complete record that nobody was told about: recovery reports it like
// any other. We rely on the disk not to damage bytes of a sector that it is not asked to change.
//
// Full disk: puts are refused below a reserve, a failed write leaves nothing visible, and each put
// looks again, so freed space heals it. Failed sync: the pages may be gone though the kernel now
// calls them clean, so it is never retried: everything unsynced in that segment is lost, the
// segment gets no more records, the next put starts another.
//
// Threads: everything on one thread, except store_sync_run(), which any one thread may run while the
// owner goes on putting and getting.
//
// It is not an index (it finds nothing by UID), knows no DICOM, and checks no rights.
#ifndef BLOB_STORE_H
#define BLOB_STORE_H

#include "base/buf.h"
#include "base/err.h"
#include "base/slice.h"
#include "blob/keyring.h"

struct store;

// Where an object is. Keep segment, offset, length in the index; front_bytes is a hint (0: unknown) that
// saves a second read for long summaries.
struct blob_ref {
    uint32_t segment;
    uint32_t front_bytes; // header, meta, summary
    uint64_t offset;
    uint64_t length;      // of the whole record on disk
};

struct store_options {
    uint64_t segment_bytes;  // target size; 0: 1 GiB. A larger object makes a larger segment.
    uint64_t reserve_bytes;  // kept free; 0: 64 MiB or 1 % of the disk, whichever is less
    uint64_t step_bytes;     // preallocation; 0: 1/256 of the disk, 1 to 64 MiB; none on tmpfs
    bool read_only;          // for verify beside a running archive: no lock, no puts, no recovery
};

enum {
    STORE_META_MAX = 64 * 1024,          // bytes of plaintext
    STORE_SUMMARY_MAX = 16 * 1024 * 1024,
    STORE_FRAMES_MAX = 64 * 1024 * 1024,
    STORE_WHOLE_MAX = 4 * 1024 * 1024,   // body of store_put_whole; beyond it stream
    STORE_DROPS_MAX = 1024,              // that syncs give back; of more, what has dropped neighbours later
};

// The folder must exist; an empty one is an empty store. `keyring` is borrowed and must outlive the store.
// ERR_BUSY: another process has it open for writing.
enum err store_open(const char *store_dir, struct keyring *keyring, const struct store_options *options,
                    struct fault *f, struct store **ret_store);
// Without a sync: what was not synced stays unacknowledged. End open gets and streams first.
void store_close(struct store *s);

// --- Recovery -----------------------------------------------------------------------------------

// How far the index knows a segment. Keep it in the same transaction as the rows it vouches for.
struct store_mark {
    uint32_t segment;
    uint64_t end;        // all records below are in the index (or were dropped)
    uint64_t objects;
    uint64_t dead_bytes;
};

enum store_found_kind {
    STORE_OBJECT,      // meta is set
    STORE_ERASED,      // its study's key was destroyed
    STORE_NO_KEY,      // its key slot is missing: never acknowledged, or studies.keys is too old
    STORE_DROPPED,     // store_drop() was here: a record, or several that are neighbours
    STORE_DAMAGED,     // ref is the damaged stretch (a record, or bytes between records)
    STORE_TORN,        // an incomplete record at the end of a segment: never acknowledged, or damaged
};

struct store_found {
    enum store_found_kind kind;
    struct blob_ref ref;
    uint64_t body_bytes;      // plaintext; 0 unless OBJECT
    bool has_header;          // of TORN: not one that is being streamed, whose header comes last
    struct slice meta;        // borrowed until the callback returns
};

// Return anything but OK to stop the scan with it. It may get objects, and drop them.
typedef enum err store_found_fn(void *arg, const struct store_found *found);

// Must come once, before the first put: looks at every segment past its mark (no mark: from its start),
// opens every chunk there, reports what it finds, syncs it, and cuts torn tails off. With no
// marks at all this is the reindex. Segments that were closed in good order (their header says so) are read
// header and meta only.
enum err store_recover(struct store *s, const struct store_mark *marks, size_t n_marks,
                       store_found_fn *found, void *arg, struct fault *f);

// The marks that changed since the last call, up to `cap`; call until it returns 0. Only durable
// records count: first index everything that store_sync_end() made durable, then take the marks.
size_t store_take_marks(struct store *s, struct store_mark *ret_marks, size_t cap);

enum store_scan_level {
    STORE_SCAN_META, // headers and meta
    STORE_SCAN_ALL,  // every byte authenticated
};
// Reads a segment from `offset` (0: its start) without changing anything; from_segment up to the last.
enum err store_scan(struct store *s, uint32_t from_segment, uint64_t from_offset, enum store_scan_level level,
                    store_found_fn *found, void *arg, struct fault *f);

// The number of the next segment after this one whose file is gone though the store did not remove it, as far
// as there is a later one; 0: none. Numbers begin with 1. Before the store is recovered: after a scan of all.
uint32_t store_missing(const struct store *s, uint32_t after);

// --- Putting ------------------------------------------------------------------------------------

struct store_front { // opaque here; each sealed and readable on its own
    struct slice meta, summary, frames;
};

// One object, whole. `body` may be memory that another process is changing: it is read once.
// ERR_NO_SPACE, ERR_IO: nothing of it is visible, and the store is usable.
enum err store_put_whole(struct store *s, struct slice study_uid, struct slice body,
                         const struct store_front *front, struct fault *f, struct blob_ref *ret_ref);

// A large one in pieces (of any size; multiples of 64 KiB save a copy). It has its segment for itself until
// _finish or _abort, which both consume the stream. After a failed _append only _abort makes sense.
struct store_stream;
enum err store_put_begin(struct store *s, struct slice study_uid, struct fault *f,
                         struct store_stream **ret_stream);
enum err store_put_append(struct store_stream *w, struct slice piece, struct fault *f);
enum err store_put_finish(struct store_stream *take_stream, const struct store_front *front, struct fault *f,
                          struct blob_ref *ret_ref); // a failure aborts
void store_put_abort(struct store_stream *take_stream);

// Makes a record invisible to recovery and scans (deleted, a duplicate, refused after all) and counts its
// bytes as dead; its key need not exist any more. Durable with the next sync; the syncs after it give the
// disk its blocks back, and remove a full segment in which nothing is left. Not a secure erase: that is
// keyring_erase().
enum err store_drop(struct store *s, const struct blob_ref *ref, struct fault *f);

// --- Syncing: group commit ----------------------------------------------------------------------
//
//   if (store_sync_begin(s)) {       owner: everything put so far belongs to this round
//       store_sync_run(s);           any thread: fdatasync, nothing else; the owner goes on meanwhile
//       store_sync_end(s, &f);       owner, after run returned: settles the round
//   }
//   switch (store_durability(s, &ref)) …
//
// One round at a time. A put during a round belongs to the next.

bool store_sync_begin(struct store *s); // false: nothing to sync, or a round is under way
void store_sync_run(struct store *s);
// An error: at least one segment failed. Without a round under way it does nothing.
enum err store_sync_end(struct store *s, struct fault *f);
enum err store_sync(struct store *s, struct fault *f); // all three
enum err store_sync_all(struct store *s, struct fault *f); // until what was dropped is given back, too

enum store_durability {
    STORE_PENDING, // its round has not ended
    STORE_DURABLE, // acknowledge it
    STORE_LOST,    // its sync failed: refuse it (the record was dropped, as far as the disk let us)
};
enum store_durability store_durability(const struct store *s, const struct blob_ref *ref);

// --- Getting ------------------------------------------------------------------------------------

struct store_object;
// ERR_NO_SUCH_OBJECT: erased, or no such segment. ERR_CORRUPT: damaged.
enum err store_get_open(struct store *s, const struct blob_ref *ref, struct fault *f,
                        struct store_object **ret_object);
uint64_t store_get_body_bytes(const struct store_object *o);
// n bytes of the body from `offset` to dst (may be shared memory: plaintext is decrypted straight into it).
// Fastest in multiples of 64 KiB. ERR_LIMIT past the end. On ERR_CORRUPT dst holds rubbish.
enum err store_get_read(struct store_object *o, uint64_t offset, uint8_t *dst, size_t n, struct fault *f);
void store_get_close(struct store_object *o);

// Appends to `b` (mind its maximum: ERR_LIMIT).
enum err store_get_meta(struct store *s, const struct blob_ref *ref, struct fault *f, struct buf *b);
enum err store_get_summary(struct store *s, const struct blob_ref *ref, struct fault *f, struct buf *b);
enum err store_get_frames(struct store *s, const struct blob_ref *ref, struct fault *f, struct buf *b);

// --- Status -------------------------------------------------------------------------------------

struct store_info {
    uint64_t segments, objects;      // objects as of the marks given to recover, and since
    uint64_t used_bytes, dead_bytes; // of records
    uint64_t free_bytes, reserve_bytes;
    bool full;                       // a put of 1 MiB would be refused now
    uint64_t failed_syncs;
};
enum err store_status(struct store *s, struct fault *f, struct store_info *ret_info);

#endif
