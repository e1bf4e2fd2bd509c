// The pages of the web side: files made at build (tools/pack_site.py) or fetched (the viewer). They are bytes
// to us; the web's template maps them.
//
// Where they are: in a build tree beside the programs (build/site), else in the installed data folder. The
// viewer may also be named by the environment variable GALENA_VIEWER. What a pack holds runs in the browser
// of whoever signs in, so only files are taken that nobody else can have written: they belong to root, to us,
// or to whom this program belongs.
#include "supervisor.h"

#include "os/fd.h"
#include "os/proc.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static const char *const names[] = {[PACK_SITE] = "site.pack", [PACK_VIEWER] = "viewer.pack"};

static bool is_trusted(const struct stat *st) {
    struct stat self;
    bool ours = st->st_uid == 0 || st->st_uid == geteuid();
    if (!ours && stat("/proc/self/exe", &self) == 0)
        ours = st->st_uid == self.st_uid;
    return ours && (st->st_mode & (S_IWGRP | S_IWOTH)) == 0;
}

// ERR_NO_SUCH_OBJECT: there is no such file.
static enum err open_file(const char *path, int *ret_fd, struct fault *f) {
    CLEANUP_FD int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    struct stat st;
    if (fd < 0 && (errno == ENOENT || errno == ENOTDIR))
        return fault_set(f, ERR_NO_SUCH_OBJECT, "%.150s: there is no such file", path);
    if (fd < 0 || fstat(fd, &st) < 0)
        return fault_errno(f, path);
    if (!S_ISREG(st.st_mode) || !is_trusted(&st))
        return fault_set(f, ERR_CONFIG,
                         "%.100s must be a file of root or of who starts the server, not writable by others",
                         path);
    *ret_fd = os_fd_take(&fd);
    return OK;
}

static enum err open_ours(const char *name, int *ret_fd, struct fault *f) {
    char path[4096], beside[64];
    snprintf(beside, sizeof beside, "../site/%s", name);
    enum err e = os_proc_sibling_path(beside, path, sizeof path, f);
    if (e == OK)
        e = open_file(path, ret_fd, f);
    if (e != ERR_NO_SUCH_OBJECT)
        return e;
    snprintf(path, sizeof path, "%s/%s", GALENA_DATADIR, name);
    return open_file(path, ret_fd, f);
}

enum err pack_open(enum pack_kind kind, int *ret_fd, struct fault *f) {
    const char *named = kind == PACK_VIEWER ? getenv("GALENA_VIEWER") : NULL;
    if (named && named[0])
        return open_file(named, ret_fd, f);
    struct fault why = {0};
    enum err e = open_ours(names[kind], ret_fd, &why);
    if (e != OK && e != ERR_NO_SUCH_OBJECT)
        *f = why;
    if (e != ERR_NO_SUCH_OBJECT)
        return e;
    *ret_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
    return *ret_fd >= 0 ? OK : fault_errno(f, "/dev/null");
}
