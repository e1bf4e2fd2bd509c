// Paths below the archive's folder.
#ifndef ARCHIVE_PATHS_H
#define ARCHIVE_PATHS_H

#include <fcntl.h>
#include <stdio.h>

#include "base/err.h"

// Writes DIR/name into path (4096 bytes) and returns it; bug() when it is too long.
static inline const char *path_in(char path[4096], const char *dir, const char *name) {
    int n = snprintf(path, 4096, "%s/%s", dir, name);
    bug_unless(n > 0 && n < 4096);
    return path;
}

static inline int open_dir(const char *dir) {
    return open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

#endif
