// Memory shared by two processes: a memfd whose size can never change, so that neither side
// can make the other fault (SIGBUS) by shrinking it.
//
// What lies in it may change under the reader's eyes at any time: copy a value out before
// checking it, and never trust a length read from it twice.
#ifndef OS_MEMFD_H
#define OS_MEMFD_H

#include "base/err.h"
#include "base/slice.h"

struct os_shm {
    uint8_t *p; // NULL: none
    size_t n;
    int fd; // -1: none (os_shm_drop_fd)
};

#define OS_SHM_NONE ((struct os_shm){NULL, 0, -1})

// Creates, sizes and seals (F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL), for others to map …
enum err os_shm_make(const char *name, size_t bytes, int *ret_fd, struct fault *f);
// … and maps read-write.
enum err os_shm_create(const char *name, size_t bytes, struct os_shm *ret_shm, struct fault *f);

// Maps a descriptor that came from another process, after checking that it is a memfd with those seals
// and exactly the expected size: else ERR_PROTOCOL. Consumes take_fd, also on failure.
enum err os_shm_adopt(int take_fd, size_t expected_bytes, struct os_shm *ret_shm, struct fault *f);

void os_shm_drop_fd(struct os_shm *s); // closes the descriptor, keeps the mapping
void os_shm_close(struct os_shm *s);   // unmaps and closes; for CLEANUP too

// A read-only copy of bytes as a fully sealed memfd at offset 0: for handing files' contents on.
enum err os_memfd_of(const char *name, struct slice bytes, int *ret_fd, struct fault *f);

#endif
