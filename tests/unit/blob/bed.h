// A store in a temporary folder, objects whose contents follow from their number, and a disk that fails
// on demand. Shared by the unit and the crash tests.
#ifndef TESTS_BLOB_BED_H
#define TESTS_BLOB_BED_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
// after these:
#include <cmocka.h>

#include "blob/store.h"

struct bed {
    char dir[256], keys[300], store_dir[300];
    struct store_options options;
    struct keyring *keyring;
    struct store *store;
    // what the last recovery or scan found
    unsigned n_objects, n_erased, n_no_key, n_dropped, n_damaged, n_torn;
    struct blob_ref found[4096]; // of objects
    uint32_t found_id[4096];     // from their meta
};

#define BED_OK(call)                                                                     \
    do {                                                                                 \
        struct fault bed_fault_ = {0};                                                   \
        struct fault *bf = &bed_fault_;                                                 \
        (void)bf;                                                                        \
        enum err bed_err_ = (call);                                                      \
        if (bed_err_ != OK)                                                              \
            fail_msg("%s: %s: %s", #call, err_name(bed_err_), bed_fault_.detail);        \
    } while (0)

void bed_make(struct bed *b, const struct store_options *options); // folders and keys, nothing open
void bed_open(struct bed *b);                                      // with recovery from nothing
enum err bed_try_open(struct bed *b, const struct store_mark *marks, size_t n, struct fault *f);
void bed_close(struct bed *b);
void bed_remove(struct bed *b); // closes, and deletes the folders
void bed_path(const struct bed *b, uint32_t segment, char ret[400]);
enum err bed_on_found(void *arg, const struct store_found *found); // for store_scan, with the bed as arg
void bed_forget(struct bed *b);                                    // zeroes the counts

// Object number `id`: 'body' bytes, its study "1.2.<id / 8>".
struct thing {
    uint32_t id;
    size_t body, summary, frames;
};
struct slice thing_study(uint32_t id, char buf[64]);
void thing_fill(const struct thing *t, int part, uint64_t from, uint8_t *p, size_t n);
enum err thing_put(struct bed *b, const struct thing *t, struct fault *f, struct blob_ref *ret);
enum err thing_stream(struct bed *b, const struct thing *t, size_t piece, struct fault *f,
                      struct blob_ref *ret);
// Gets everything and compares it. OK, or the error of the first part that could not be had; differing bytes
// fail the test.
enum err thing_check(struct bed *b, const struct thing *t, const struct blob_ref *ref);
// For an object found by recovery: its meta holds its thing.
bool thing_from_meta(struct slice meta, struct thing *ret);

// The failing disk. Each count is the number of calls that still succeed; -1: always.
struct disk {
    int pwrite, fdatasync, fsync, fallocate, ftruncate, openat, unlinkat, pread, fstatvfs;
    int error;        // errno of the failure
    bool once;        // only one call fails
    bool half_write;  // a failing write writes half before
    long calls;       // of all kinds since disk_use
    int64_t free_bytes; // what fstatvfs says, and what writes and fallocate find; -1: the truth
};
extern struct disk disk;
void disk_use(void);   // puts the failing disk in
void disk_reset(void); // all succeed; the real one again

#endif
