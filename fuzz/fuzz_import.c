// What import parses before anything is sent: heads of files, and ZIPs with all their members.
#include "../prog/cli/file_source.h"
#include "../prog/cli/zip_source.h"

#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void each_member(int fd, struct object_head *h) {
    struct zip *z = NULL;
    struct fault f = {0};
    enum err e = zip_open(fd, &z, &f);
    for (int members = 0; e == OK && members < 100; members++) {
        struct source s;
        const char *name;
        struct fault why = {0};
        e = zip_next(z, &s, &name, &f);
        if (e == OK)
            (void)source_read_head(&s, h, &why);
    }
    zip_close(z);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n) {
    static uint8_t head[SOURCE_HEAD_BYTES];
    struct object_head h = {.bytes = head};
    struct fault f = {0};
    int fd = memfd_create("fuzz", MFD_CLOEXEC);
    if (fd < 0 || write(fd, data, n) != (ssize_t)n)
        abort();
    struct source s = source_of_fd(fd);
    if (source_read_head(&s, &h, &f) != OK && source_is_zip(&h))
        each_member(fd, &h);
    close(fd);
    return 0;
}
