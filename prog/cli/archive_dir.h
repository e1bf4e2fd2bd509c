// The archive's folder: going there as the user who owns it.
#ifndef CLI_ARCHIVE_DIR_H
#define CLI_ARCHIVE_DIR_H

#include "base/err.h"

#include <limits.h>
#include <stdbool.h>
#include <sys/types.h>

struct cli_dir {
    char shown[PATH_MAX]; // absolute where possible: for messages and lines to paste
};

// Makes DIR the working folder, so that "." is the archive, also where the way to it is closed to its
// owner. Root takes the owner's user and group for good, so that whatever is created belongs to the
// archive and nothing in it can lead root astray; files named by the caller must be opened before. Says
// what is wrong.
bool cli_dir_enter(const char *dir, struct cli_dir *ret_dir);

// The same without giving up root.
bool cli_dir_visit(const char *dir, struct cli_dir *ret_dir);

// Sets user and group, all three of each; false and errno when that failed or root could be had back.
bool cli_become(uid_t uid, gid_t gid);

// No entries but "." and ".."; false also when it cannot be read.
bool cli_dir_is_empty(int dir_fd);

// mkdir, and no failure when it is there already.
enum err cli_make_dir(const char *path, mode_t mode, struct fault *f);

#endif
