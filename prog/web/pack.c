#include "pack.h"

#include "base/rd.h"
#include "os/fd.h"

#include <sys/mman.h>
#include <sys/stat.h>

enum { HEAD_BYTES = 16, ENTRY_BYTES = 80, VERSION = 1 };

static bool range(struct slice all, uint64_t offset, uint64_t n, struct slice *ret_part) {
    if (offset > all.n || n > all.n - offset)
        return false;
    *ret_part = slice_of(all.p + offset, (size_t)n);
    return true;
}

static bool entry(const struct pack *p, uint32_t i, struct pack_file *ret_file) {
    struct rd r = rd_init(slice_sub(p->bytes, HEAD_BYTES + (size_t)i * ENTRY_BYTES, ENTRY_BYTES));
    uint32_t path = rd_u32le(&r), path_n = rd_u32le(&r), type = rd_u32le(&r), type_n = rd_u32le(&r);
    uint64_t plain = rd_u64le(&r), plain_n = rd_u64le(&r), gzip = rd_u64le(&r), gzip_n = rd_u64le(&r);
    struct slice digest = rd_bytes(&r, 32);
    struct pack_file file = {.sha256 = digest.p};
    if (!rd_ok(&r) || !range(p->bytes, path, path_n, &file.path) ||
        !range(p->bytes, type, type_n, &file.type) || !range(p->bytes, plain, plain_n, &file.plain) ||
        !range(p->bytes, gzip, gzip_n, &file.gzip))
        return false;
    *ret_file = file;
    return true;
}

static enum err check(struct pack *p, struct fault *f) {
    struct rd r = rd_init(p->bytes);
    struct slice magic = rd_bytes(&r, 8);
    uint32_t version = rd_u32le(&r);
    p->count = rd_u32le(&r);
    if (!rd_ok(&r) || !slice_eq_str(magic, "GALENAPK") || version != VERSION ||
        p->count > rd_left(&r) / ENTRY_BYTES)
        return fault_set(f, ERR_CORRUPT, "not a pack of pages, or of another version");
    struct pack_file file;
    for (uint32_t i = 0; i < p->count; i++)
        if (!entry(p, i, &file))
            return fault_set(f, ERR_CORRUPT, "entry %u of a pack of pages", i);
    return OK;
}

enum err pack_map(int take_fd, struct pack *ret_pack, struct fault *f) {
    CLEANUP_FD int fd = take_fd;
    struct stat st;
    struct pack p = {.count = 0};
    if (fstat(fd, &st) < 0)
        return fault_errno(f, "pack");
    if (S_ISREG(st.st_mode) && st.st_size > 0) {
        void *at = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_SHARED, fd, 0);
        if (at == MAP_FAILED)
            return fault_errno(f, "mapping a pack");
        p.bytes = slice_of(at, (size_t)st.st_size);
        enum err e = check(&p, f);
        if (e != OK)
            return e;
    }
    *ret_pack = p;
    return OK;
}

bool pack_find(const struct pack *p, struct slice path, struct pack_file *ret_file) {
    uint32_t low = 0, high = p->count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        struct pack_file file;
        if (!entry(p, middle, &file))
            return false;
        int order = slice_cmp(path, file.path);
        if (order == 0) {
            *ret_file = file;
            return true;
        }
        if (order < 0)
            high = middle;
        else
            low = middle + 1;
    }
    return false;
}
