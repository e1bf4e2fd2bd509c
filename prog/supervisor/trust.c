#include "trust.h"

#include "os/fd.h"
#include "os/memfd.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

enum { ONE_MAX_BYTES = 256 * 1024, ALL_MAX_BYTES = 16 * 1024 * 1024 };

enum err trust_open(const char *path, int *ret_fd, struct fault *f) {
    // Not through a link, not waiting for a named pipe: the folder is another user's when we are root.
    CLEANUP_FD int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    struct stat st;
    if (fd < 0)
        return fault_set(f, ERR_CONFIG, "%.100s: %s", path, strerror(errno));
    if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) || st.st_size > ONE_MAX_BYTES)
        return fault_set(f, ERR_CONFIG, "%.100s is not a file of at most %d bytes", path, ONE_MAX_BYTES);
    *ret_fd = os_fd_take(&fd);
    return OK;
}

static enum err append_file(struct buf *b, const char *path, struct fault *f) {
    CLEANUP_FD int fd = -1;
    enum err e = trust_open(path, &fd, f);
    if (e == OK)
        e = os_fd_read_all(fd, b, f);
    if (e == OK)
        buf_append_str(b, "\n");
    return e;
}

// A peer without a certificate is one of the plain lane; a broken one is no reason to stop.
static void append_peers(struct buf *b) {
    DIR *d = opendir("peers");
    struct dirent *entry;
    while (d && (entry = readdir(d))) {
        char path[512];
        if (entry->d_name[0] == '.')
            continue;
        snprintf(path, sizeof path, "peers/%s/cert.pem", entry->d_name);
        (void)append_file(b, path, NULL);
    }
    if (d)
        closedir(d);
}

enum err trust_collect(int *ret_fd, struct fault *f) {
    CLEANUP(buf_fini) struct buf b = BUF_INIT(ALL_MAX_BYTES);
    enum err e = append_file(&b, "tls/ca.pem", f);
    if (e != OK)
        return e;
    append_peers(&b);
    if (!buf_ok(&b))
        return fault_set(f, ERR_LIMIT, "the peers' certificates have more than %d bytes", ALL_MAX_BYTES);
    return os_memfd_of("trust", buf_slice(&b), ret_fd, f);
}
