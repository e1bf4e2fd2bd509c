#include "zip_source.h"

#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

enum { BLOCK_BYTES = 64 * 1024 };

struct zip {
    struct archive *a;
    int fd;
    uint64_t file_bytes, unpacked_bytes, member_bytes;
    unsigned members;
    char name[256];
    uint8_t block[BLOCK_BYTES];
};

static la_ssize_t on_read(struct archive *a, void *ctx, const void **ret_block) {
    struct zip *z = ctx;
    (void)a;
    *ret_block = z->block;
    for (;;) {
        ssize_t n = read(z->fd, z->block, sizeof z->block);
        if (n >= 0 || errno != EINTR)
            return n;
    }
}

static la_int64_t on_seek(struct archive *a, void *ctx, la_int64_t offset, int whence) {
    const struct zip *z = ctx;
    off_t at = lseek(z->fd, offset, whence);
    (void)a;
    return at < 0 ? ARCHIVE_FATAL : at;
}

static la_int64_t on_skip(struct archive *a, void *ctx, la_int64_t n) {
    const struct zip *z = ctx;
    off_t from = lseek(z->fd, 0, SEEK_CUR);
    off_t end = lseek(z->fd, 0, SEEK_END);
    (void)a;
    if (from < 0 || end < from)
        return 0;
    la_int64_t skipped = n < end - from ? n : end - from;
    return lseek(z->fd, from + skipped, SEEK_SET) < 0 ? 0 : skipped;
}

static enum err zip_fault(const struct zip *z, struct fault *f) {
    const char *why = archive_error_string(z->a);
    return fault_set(f, ERR_SYNTAX, "the ZIP is damaged: %.120s", why ? why : "for an unknown reason");
}

enum err zip_open(int fd, struct zip **ret_zip, struct fault *f) {
    struct zip *z = calloc(1, sizeof *z);
    if (!z || !(z->a = archive_read_new())) {
        free(z);
        return fault_set(f, ERR_NO_MEMORY, "not enough memory");
    }
    z->fd = fd;
    off_t end = lseek(fd, 0, SEEK_END);
    z->file_bytes = end > 0 ? (uint64_t)end : 0;
    lseek(fd, 0, SEEK_SET);
    archive_read_support_format_zip(z->a);
    archive_read_set_read_callback(z->a, on_read);
    archive_read_set_seek_callback(z->a, on_seek);
    archive_read_set_skip_callback(z->a, on_skip);
    archive_read_set_callback_data(z->a, z);
    if (archive_read_open1(z->a) != ARCHIVE_OK) {
        enum err e = zip_fault(z, f);
        zip_close(z);
        return e;
    }
    *ret_zip = z;
    return OK;
}

void zip_close(struct zip *z) {
    if (!z)
        return;
    archive_read_free(z->a);
    free(z);
}

static bool within_limits(const struct zip *z, struct fault *f) {
    if (z->member_bytes > ZIP_MEMBER_MAX_BYTES)
        return fault_set(f, ERR_LIMIT, "this member of the ZIP is too long"), false;
    if (z->unpacked_bytes > ZIP_FREE_BYTES && z->unpacked_bytes / ZIP_RATIO_MAX > z->file_bytes)
        return fault_set(f, ERR_LIMIT, "the ZIP unpacks to more than %d times its size", ZIP_RATIO_MAX),
               false;
    return true;
}

static ssize_t read_member(struct source *s, void *p, size_t n, struct fault *f) {
    struct zip *z = s->ctx;
    la_ssize_t got = archive_read_data(z->a, p, n);
    if (got < 0) {
        zip_fault(z, f);
        return -1;
    }
    z->member_bytes += (uint64_t)got;
    z->unpacked_bytes += (uint64_t)got;
    return within_limits(z, f) ? (ssize_t)got : -1;
}

enum err zip_next(struct zip *z, struct source *ret_source, const char **ret_name, struct fault *f) {
    struct archive_entry *entry;
    do {
        int result = archive_read_next_header(z->a, &entry);
        if (result == ARCHIVE_EOF)
            return ERR_NO_SUCH_OBJECT;
        if (result != ARCHIVE_OK && result != ARCHIVE_WARN)
            return zip_fault(z, f);
        if (++z->members > ZIP_MEMBERS_MAX)
            return fault_set(f, ERR_LIMIT, "the ZIP has more than %d members", ZIP_MEMBERS_MAX);
    } while (archive_entry_filetype(entry) != AE_IFREG);
    const char *name = archive_entry_pathname(entry);
    size_t n = name ? strnlen(name, sizeof z->name - 1) : 0;
    if (n > 0)
        memcpy(z->name, name, n);
    z->name[n] = '\0';
    z->member_bytes = 0;
    *ret_source = (struct source){.read = read_member, .fd = -1, .ctx = z};
    *ret_name = z->name;
    return OK;
}
