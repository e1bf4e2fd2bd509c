// The bytes of one object to import: a file, or a member of a ZIP while it is unpacked.
#ifndef CLI_FILE_SOURCE_H
#define CLI_FILE_SOURCE_H

#include "base/err.h"
#include "base/slice.h"
#include "dicom/part10.h"

#include <sys/types.h>

enum { SOURCE_HEAD_BYTES = 256 * 1024 };

struct source {
    // Up to n bytes; 0 at the end, -1 with f when it cannot go on.
    ssize_t (*read)(struct source *s, void *p, size_t n, struct fault *f);
    int fd;
    void *ctx;
};

// What must be known of an object before it can be sent.
struct object_head {
    struct dicom_meta meta;
    uint8_t *bytes; // the first bytes of the file, SOURCE_HEAD_BYTES of room
    size_t n;
    bool whole; // that was all
    char sop_class[UID_MAX + 1], sop_instance[UID_MAX + 1];
};

struct source source_of_fd(int fd); // from its beginning

// Reads the head and finds class and instance, in the File Meta Information or in the data set.
// ERR_SYNTAX: no DICOM file. bytes must be set by the caller.
enum err source_read_head(struct source *s, struct object_head *h, struct fault *f);

bool source_is_zip(const struct object_head *h); // by its first bytes; h->n is set also after an error

#endif
