// The system calls that can fail under the store, in one table, so that the tests can make each of
// them fail, count them, or record them for a simulated power loss. Only tests write to it.
#ifndef BLOB_OS_H
#define BLOB_OS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/statvfs.h>
#include <sys/types.h>

struct blob_os {
    int (*openat)(int dir, const char *name, int flags, mode_t mode);
    int (*unlinkat)(int dir, const char *name, int flags);
    ssize_t (*pread)(int fd, void *p, size_t n, off_t at);
    ssize_t (*pwrite)(int fd, const void *p, size_t n, off_t at);
    int (*fallocate)(int fd, int mode, off_t at, off_t n);
    int (*ftruncate)(int fd, off_t n);
    int (*fdatasync)(int fd);
    int (*fsync)(int fd);
    int (*fstatvfs)(int fd, struct statvfs *ret);
};
extern struct blob_os blob_os;

// All n bytes or false with errno; EINTR is tried again. A write that stops short is ENOSPC or EIO.
bool blob_os_write(int fd, const void *p, size_t n, uint64_t at);
// Up to n bytes: fewer at the end of the file. -1 with errno.
ssize_t blob_os_read(int fd, void *p, size_t n, uint64_t at);
void blob_os_close(int fd); // keeps errno

#endif
