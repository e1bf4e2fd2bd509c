// The layout of a segment file, parsed and written without I/O. All numbers are little-endian.
//
//   page of 4096 bytes: magic, store id, number, state (open, closed), end when closed, which numbers
//                       before it are gone, MAC — all in the first sector, so that changing it cannot tear
//   records, each at a multiple of 64 bytes; zeros behind the last one (preallocated) or the file's end
//
// A record:
//     0  u32  magic: "GREC", or "GDED" when dropped (the one field outside the MAC)
//     4  u8   version 1
//     5  u8×3 zero
//     8  u64  bytes of the whole record, padding included
//    16  u64  plaintext bytes of the body
//    24  u32  of meta     28  u32  of summary     32  u32  of frames
//    36  u32  key slot
//    40  24   salt
//    64  32   key commitment
//    96  u64  front: where meta, summary, frames stand, from the record's start
//   104  u64  body: likewise
//   112  16   MAC over bytes 4 to 111, segment number and offset
// Front and body lie in either order, front first unless a streamed object had no room for it.
//
// A run: neighbouring records that were all dropped, and of which only the first header need be there. A note
// says so, behind that header and again as the last of the run's bytes, so that it is found from both sides.
// At a multiple of 64, it lies in one sector: what stood there before, or the note. A note:
//     0  u32  magic: "GRUN"     4  u32  zero
//     8  u64  where the run begins, in the file     16  u64  where it ends     24  zeros
//    48  16   MAC over bytes 0 to 47, segment number and offset of the note
//
// In clear are only sizes and the key slot. The header's MAC makes a scan hop over records whose
// keys are erased, and finds the next record behind damage. Keys are bound to store, segment, offset
// and slot: a record moved elsewhere does not open.
#ifndef BLOB_SEGMENT_H
#define BLOB_SEGMENT_H

#include "base/slice.h"
#include "blob/keyring.h"
#include "blob/seal.h"

enum {
    SEGMENT_PAGE = 4096,
    RECORD_HEADER = 128,
    RECORD_ALIGN = 64,
    RECORD_MAC = 16,
    RUN_NOTE = 64,
};
#define SEGMENT_BYTES_MAX ((uint64_t)1 << 46)

struct segment_id { // where a record or page claims to be
    uint8_t store_id[STORE_ID_BYTES];
    uint8_t mac_key[SEAL_KEY];
    uint32_t number;
};

struct segment_page {
    bool closed;
    uint64_t end; // when closed
    // From this to its own number, excluded, segments were removed: all in them had been dropped.
    uint32_t gone_from;
};
void segment_page_write(const struct segment_id *id, const struct segment_page *p,
                        uint8_t ret[SEGMENT_PAGE]);
bool segment_page_read(const struct segment_id *id, const uint8_t p[SEGMENT_PAGE],
                       struct segment_page *ret);

struct record {
    bool dropped;
    uint64_t bytes;               // the whole record
    uint64_t plain[SEAL_RANGES_]; // plaintext bytes of each range
    uint64_t front_at, body_at;
    uint32_t slot;
    uint8_t salt[SEAL_SALT];
    uint8_t commitment[SEAL_COMMITMENT];
};

// With sizes (and body_at, for a streamed object; else 0) given, fills in front_at, body_at and bytes.
// False when a size is out of bounds.
bool record_lay_out(struct record *r);
uint64_t record_range_at(const struct record *r, enum seal_range range); // from the record's start
// From the record's start to the end of the summary; 0: they stand behind the body.
uint64_t record_front_bytes(const struct record *r);

void record_write(const struct segment_id *id, uint64_t offset, const struct record *r,
                  uint8_t ret[RECORD_HEADER]);
// False: not a record header of this store, segment and offset.
bool record_read(const struct segment_id *id, uint64_t offset,
                 const uint8_t p[RECORD_HEADER], struct record *ret);
void record_drop_mark(uint8_t ret[4]); // what to write at a record's start to drop it

struct run {
    uint64_t from, to;
};
// Its notes stand at run.from + RECORD_HEADER and run.to - RUN_NOTE; no record is too short for one.
void run_note_write(const struct segment_id *id, uint64_t at, const struct run *run, uint8_t ret[RUN_NOTE]);
// False: no note of this store, segment and offset.
bool run_note_read(const struct segment_id *id, uint64_t at, const uint8_t p[RUN_NOTE], struct run *ret);

// Sets r->commitment too when `sealing`; else false when it does not match (another key or place).
bool record_keys(const struct segment_id *id, uint64_t offset, struct record *r,
                 bool sealing, const uint8_t kek[KEY_BYTES], struct seal_keys *ret_keys);

#endif
