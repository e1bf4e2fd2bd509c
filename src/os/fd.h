// File descriptors: closing at the end of a scope, whole reads and writes, flags.
//
// Every descriptor made here is close-on-exec. Functions that return a descriptor return it
// through ret_fd; the caller owns it.
#ifndef OS_FD_H
#define OS_FD_H

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/err.h"
#include "base/slice.h"

#include <sys/types.h>

// Closes *fd unless it is negative, sets it to -1, keeps errno.
void os_fd_close(int *fd);
#define CLEANUP_FD CLEANUP(os_fd_close) // CLEANUP_FD int fd = -1;

// Hands the descriptor on and leaves -1 behind: *ret_fd = os_fd_take(&fd);
static inline int os_fd_take(int *fd) {
    int taken = *fd;
    *fd = -1;
    return taken;
}

enum err os_fd_set_nonblock(int fd, bool on, struct fault *f);

// All n bytes or an error; a blocking descriptor is assumed. End of file before n: ERR_TRUNCATED.
enum err os_fd_read_full(int fd, void *p, size_t n, struct fault *f);
enum err os_fd_write_full(int fd, const void *p, size_t n, struct fault *f); // EPIPE: ERR_PEER_GONE

// Appends the rest of the file to b; more than b->max holds: ERR_LIMIT.
enum err os_fd_read_all(int fd, struct buf *b, struct fault *f);

enum err os_fd_pair_stream(int ret_pair[2], struct fault *f);    // AF_UNIX SOCK_STREAM, both ends
enum err os_fd_pair_seqpacket(int ret_pair[2], struct fault *f); // AF_UNIX SOCK_SEQPACKET

#endif
