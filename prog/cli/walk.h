// The files that import is given: as named, and everything below folders. Opens and lists, parses
// nothing.
#ifndef CLI_WALK_H
#define CLI_WALK_H

#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>

enum { WALK_FILES_MAX = 20 * 1000 * 1000 };

struct walk_file {
    char *path;   // for opening and for messages
    char *folder; // of a file that a DICOMDIR names: path is opened beneath this only; else NULL
    bool named;   // by the caller, not found in a folder
    bool bad;     // has ended a reader: not to be tried again
};

struct walk {
    int home; // paths are relative to this folder
    struct walk_file *v;
    size_t n, cap;
};

// Adds a file, or all files below a folder. Links in folders are not followed; a DICOMDIR among other
// files is passed over, since they are all taken anyway. False (after a message) when a folder cannot be
// read.
bool walk_add(struct walk *w, const char *path);
// A file that the DICOMDIR at `directory` names; ignores names that lead anywhere else.
bool walk_add_reference(struct walk *w, const char *directory, const char *name);
int walk_open(const struct walk *w, const struct walk_file *file); // -1 with errno
void walk_fini(struct walk *w);

#endif
