#include "blob/os.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

static int real_openat(int dir, const char *name, int flags, mode_t mode) {
    return openat(dir, name, flags, mode);
}

struct blob_os blob_os = {
    .openat = real_openat,
    .unlinkat = unlinkat,
    .pread = pread,
    .pwrite = pwrite,
    .fallocate = fallocate,
    .ftruncate = ftruncate,
    .fdatasync = fdatasync,
    .fsync = fsync,
    .fstatvfs = fstatvfs,
};

bool blob_os_write(int fd, const void *p, size_t n, uint64_t at) {
    const uint8_t *from = p;
    while (n) {
        ssize_t put = blob_os.pwrite(fd, from, n, (off_t)at);
        if (put < 0 && errno == EINTR)
            continue;
        if (put <= 0) {
            if (put == 0)
                errno = EIO;
            return false;
        }
        from += put;
        n -= (size_t)put;
        at += (uint64_t)put;
    }
    return true;
}

ssize_t blob_os_read(int fd, void *p, size_t n, uint64_t at) {
    uint8_t *to = p;
    size_t got = 0;
    while (got < n) {
        ssize_t r = blob_os.pread(fd, to + got, n - got, (off_t)(at + got));
        if (r < 0 && errno == EINTR)
            continue;
        if (r < 0)
            return -1;
        if (r == 0)
            break;
        got += (size_t)r;
    }
    return (ssize_t)got;
}

void blob_os_close(int fd) {
    int e = errno;
    if (fd >= 0)
        close(fd);
    errno = e;
}
