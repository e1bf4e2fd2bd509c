#include "archive_dir.h"

#include "cli.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

bool cli_become(uid_t uid, gid_t gid) {
    if (setgroups(0, NULL) != 0 || setresgid(gid, gid, gid) != 0 || setresuid(uid, uid, uid) != 0)
        return false;
    return uid == 0 || setuid(0) != 0;
}

static bool go(const char *dir, struct cli_dir *d, struct stat *ret_st) {
    if (!realpath(dir, d->shown))
        return cli_fail("%s: %s; make an archive with galena init %s", dir, strerror(errno), dir), false;
    int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0 || fstat(fd, ret_st) != 0 || fchdir(fd) != 0) {
        cli_fail("%s: %s; run this as root or as the archive's owner", d->shown, strerror(errno));
        if (fd >= 0)
            close(fd);
        return false;
    }
    close(fd);
    if (faccessat(AT_FDCWD, "galena.conf", F_OK, AT_SYMLINK_NOFOLLOW) != 0)
        return cli_fail("%s is not an archive (no galena.conf); make one with galena init", d->shown),
               false;
    return true;
}

bool cli_dir_visit(const char *dir, struct cli_dir *ret_dir) {
    struct stat st;
    return go(dir, ret_dir, &st);
}

bool cli_dir_enter(const char *dir, struct cli_dir *ret_dir) {
    struct stat st;
    if (!go(dir, ret_dir, &st))
        return false;
    umask(077);
    if (geteuid() == 0 && st.st_uid != 0 && !cli_become(st.st_uid, st.st_gid))
        return cli_fail("cannot become the archive's owner %u: %s", (unsigned)st.st_uid,
                        strerror(errno)),
               false;
    if (geteuid() != st.st_uid)
        return cli_fail("%s belongs to another user (%u); run this as root or as that user",
                        ret_dir->shown, (unsigned)st.st_uid),
               false;
    return true;
}

bool cli_dir_is_empty(int dir_fd) {
    DIR *d = fdopendir(dup(dir_fd));
    const struct dirent *entry;
    bool empty = d != NULL;
    while (d && (entry = readdir(d)))
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
            empty = false;
    if (d)
        closedir(d);
    return empty;
}

enum err cli_make_dir(const char *path, mode_t mode, struct fault *f) {
    return mkdir(path, mode) == 0 || errno == EEXIST ? OK : fault_errno(f, path);
}
