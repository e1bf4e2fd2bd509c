// What the parts of the store share. Internal to it.
#ifndef BLOB_STORE_INT_H
#define BLOB_STORE_INT_H

#include <openssl/crypto.h>
#include <string.h>

#include "blob/os.h"
#include "blob/segment.h"
#include "blob/store.h"

enum {
    STORE_OPEN_FILES = 256,           // segments with a descriptor kept for reading
    STORE_SCRATCH = 8 * SEAL_STRIDE,  // sealed bytes gathered for one write: most objects in one
    STREAM_FRONT = 16 * 1024,         // where a streamed body starts: room for header and front
    STORE_READ_AHEAD = 8 * 1024,      // first read of a front whose length is not known
};

struct segment {
    uint32_t number;
    int fd;                 // -1: not open
    unsigned pins;          // gets, streams and the sync round that use fd
    struct segment *older, *newer; // among those with a descriptor, by last use
    uint64_t end;           // behind the last complete record
    uint64_t alloc_end;     // the file's size: preallocated up to here
    uint64_t zero_end;      // zeros are written up to here, see store_space_zero_ahead()
    uint64_t durable_end;   // synced up to here
    uint64_t round_end;     // … and will be, when this round succeeds
    uint64_t objects, dead_bytes;
    uint64_t unsynced, unsynced_round; // objects among them
    uint32_t gone_from;     // as its page says (blob/segment.h)
    uint32_t gone_round, gone_durable; // … when this round began; for sure on the disk
    struct segment *next_dirty;
    bool closed;            // full, synced, and its page says so
    bool failed;            // a sync failed: gets no more records
    bool foreign;           // its page does not authenticate: never written to
    bool busy;              // a stream has it
    bool dead;              // closed, and nothing is left in it
    bool dirty;             // something to sync
    bool dir_entry_new;     // its name may not be durable yet
    bool mark_changed;
};

struct sync_item {
    struct segment *segment;
    int fd;
    int error; // errno of the sync: all that the thread which runs it writes
};

struct sync_round {
    struct sync_item *items;
    size_t n, cap;
    bool under_way, keys, dir;
    int keys_error, dir_error;
};

struct dead {
    uint32_t segment;
    struct run run;
};

// What the sync after the next one, or the one after that, gives back.
struct dead_list {
    struct dead *p; // room for STORE_DROPS_MAX
    size_t n, n_round;
};

struct store {
    int dir;
    struct keyring *keyring;
    struct sealer *sealer;
    struct store_options options;
    struct segment_id id; // number is filled in for each use
    struct segment **segments; // by number
    size_t n_segments, cap_segments;
    uint32_t number_taken; // no new segment gets this number or a lower one
    unsigned open_files;
    struct segment *dirty;   // those with something to sync
    struct segment *current; // where whole objects go
    struct store_stream *streams; // all under way
    struct segment *oldest, *newest; // with a descriptor
    bool recovered, no_prealloc;
    struct sync_round round;
    uint64_t failed_syncs;
    struct dead_list drops; // records: made runs of when that is durable
    struct dead_list runs;  // with their notes: made holes of when those are durable
    uint8_t *read_buf; // for fronts and scans
    size_t read_cap;
    uint8_t scratch[STORE_SCRATCH + 2 * RECORD_ALIGN];
};

enum { STORE_NAME = sizeof "seg-00000000.gs" };

// --- store.c
struct segment *store_segment(const struct store *s, uint32_t number); // or NULL
bool store_segment_gone(const struct store *s, uint32_t number); // removed, and rightly
struct segment *store_segment_add(struct store *s, uint32_t number);   // NULL: no memory
void store_segment_remove(struct store *s, struct segment *g);         // from the list, not from the disk
void store_segment_name(uint32_t number, char ret[STORE_NAME]);
enum err store_segment_fd(struct store *s, struct segment *g, struct fault *f); // opens it when need be
void store_segment_opened(struct store *s, struct segment *g, int take_fd);
void store_segment_shut(struct store *s, struct segment *g);
enum err store_segment_look(struct store *s, struct segment *g, struct fault *f); // its page and size
struct segment_id *store_id_of(struct store *s, const struct segment *g); // valid until the next call
uint8_t *store_read_buf(struct store *s, size_t n);                       // NULL: no memory
void store_read_buf_trim(struct store *s);

// --- store_space.c
bool store_space_free(struct store *s, uint64_t *ret_bytes);
// A segment that takes more records, its descriptor open; for a stream one of its own.
enum err store_space_find(struct store *s, bool exclusive, struct fault *f, struct segment **ret);
// Makes sure that the file can be written up to `upto` without going below the reserve.
enum err store_space_room(struct store *s, struct segment *g, uint64_t upto, struct fault *f);
// Before a record of so many bytes: many small ones are synced faster where something was written before.
void store_space_zero_ahead(const struct store *s, struct segment *g, uint64_t bytes);
bool store_space_cut(struct store *s, struct segment *g, uint64_t end); // gives back what lies behind
bool store_page_write(struct store *s, struct segment *g);              // anew, as its members say

// --- store_sync.c
void store_dirty(struct store *s, struct segment *g); // it has something to sync

// --- store_reclaim.c
void store_reclaim_note(struct store *s, struct segment *g, uint64_t offset, uint64_t bytes); // was dropped
void store_reclaim_round(struct store *s, bool all); // a round begins; with `all` dirty segments in it?
void store_reclaim(struct store *s);                 // it has ended
// Reads where its first records end; nothing is left in a closed segment: it can be removed.
void store_reclaim_look(struct store *s, struct segment *g);

// --- store_scan.c
enum { SCAN_WINDOW = 8 * 1024 }; // a read at each record: header and, mostly, meta

struct scan {
    struct store *s;
    struct segment *g;
    uint64_t to;               // look no further
    enum store_scan_level level;
    bool lenient;              // what is incomplete at the end was never acknowledged
    store_found_fn *found;
    void *arg;
    struct fault *f;
    uint64_t end;              // result: behind the last record
    bool rest_zero;            // result: nothing but zeros from there on
    bool read_failed;          // result: the disk did not give all bytes
    uint64_t n_found;          // result: records of any kind but damaged
};
enum err store_scan_segment(struct scan *sc, uint64_t from);
// A record that has no header any more: because it was dropped, and its neighbours with it?
bool store_scan_is_in_run(struct store *s, struct segment *g, uint64_t at);

// --- store_put.c
void store_streams_fail(struct store *s); // keys were lost: no stream under way may finish

// --- store_get.c
// The keys of a record just read. ERR_NO_SUCH_OBJECT: erased. ERR_CORRUPT: its slot is damaged or missing.
// ERR_MISMATCH (not in the fault): they do not belong to this record.
enum err store_record_keys(struct store *s, struct segment *g, uint64_t offset, struct record *r,
                           struct fault *f, struct seal_keys *ret_keys);
// Appends a range of it to b. `start`: what was read of the record from its header on.
enum err store_record_range(struct store *s, struct segment *g, uint64_t offset, const struct record *r,
                            const struct seal_keys *k, enum seal_range range, struct slice start,
                            struct fault *f, struct buf *b);
// Opens all of the body and throws it away.
enum err store_body_check(struct store *s, struct segment *g, uint64_t offset, const struct record *r,
                          const struct seal_keys *k, struct fault *f);

#endif
