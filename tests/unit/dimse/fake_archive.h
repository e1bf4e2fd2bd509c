// An archive for the worker's tests: a process that takes what is stored into shared memory, and hands
// out objects and rows made up on the spot.
#ifndef TESTS_DIMSE_FAKE_ARCHIVE_H
#define TESTS_DIMSE_FAKE_ARCHIVE_H

#include "ipc/ipc.h"

enum { FAKE_BODY_MAX = 8 * 1024 * 1024, FAKE_OBJECTS_MAX = 16 };

struct fake_archive { // in memory shared with the test
    // what the test wants
    unsigned reject_reason;   // of A-ASSOCIATE-RJ; 0: accept
    uint32_t rights;
    enum err body_error, commit_error, object_error;
    unsigned objects;         // of a retrieval
    size_t object_bytes;      // of each
    unsigned unreadable;      // 1-based number of an object that cannot be read
    unsigned rows;            // of a query
    // what it saw
    unsigned commits, aborts, bodies, ends;
    char sop_instance[65], study[65], transfer[65];
    size_t body_n;            // of the object being stored, or stored last
    uint8_t body[FAKE_BODY_MAX];
};

struct fake_archive *fake_archive_new(void); // shared memory, all rights, no trouble
// Serves the worker at the other end of `fd` until it goes away. For a process of its own.
void fake_archive_run(struct fake_archive *a, int fd);
// In test_worker.c: the storage SCP that C-MOVE reaches as DEST.
void fake_destination_run(int fd);
// Byte i of made-up object number k.
uint8_t fake_object_byte(unsigned k, size_t i);

#endif
