// Replacing a file so that a reader sees the old one or the new one, whole, whatever happens.
#include "conf/conf.h"

#include "base/cleanup.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

static void close_fd(int *fd) {
    if (*fd >= 0)
        close(*fd);
    *fd = -1;
}

static bool write_all(int fd, struct slice s) {
    while (s.n > 0) {
        ssize_t n = write(fd, s.p, s.n);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return false;
        s = slice_sub(s, (size_t)n, s.n);
    }
    return true;
}

enum err conf_write_file(const char *dir_path, const char *name, mode_t mode, struct slice content,
                         struct fault *f) {
    CLEANUP(close_fd) int dir = open(dir_path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (dir < 0)
        return fault_errno(f, dir_path);
    char temporary[NAME_MAX + 1];
    if ((size_t)snprintf(temporary, sizeof temporary, ".%s.new", name) >= sizeof temporary)
        return fault_set(f, ERR_CONFIG, "the name %.40s… is too long", name);
    // A leftover of an interrupted write is ours to remove; O_EXCL then refuses to follow a link.
    unlinkat(dir, temporary, 0);
    CLEANUP(close_fd)
    int fd = openat(dir, temporary, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, mode);
    if (fd < 0)
        return fault_errno(f, name);
    if (!write_all(fd, content) || fchmod(fd, mode) != 0 || fsync(fd) != 0 ||
        renameat(dir, temporary, dir, name) != 0 || fsync(dir) != 0) {
        enum err e = fault_errno(f, name);
        unlinkat(dir, temporary, 0);
        return e;
    }
    return OK;
}
