#include "bed.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "blob/os.h"

// --- Folders -------------------------------------------------------------------------------------

void bed_make(struct bed *b, const struct store_options *options) {
    memset(b, 0, sizeof *b);
    const char *tmp = getenv("TMPDIR");
    snprintf(b->dir, sizeof b->dir, "%s/galena-blob-XXXXXX",
             tmp                             ? tmp
             : access("/dev/shm", W_OK) == 0 ? "/dev/shm"
                                             : "/tmp");
    assert_non_null(mkdtemp(b->dir));
    snprintf(b->keys, sizeof b->keys, "%s/keys", b->dir);
    snprintf(b->store_dir, sizeof b->store_dir, "%s/store", b->dir);
    assert_int_equal(mkdir(b->keys, 0700), 0);
    assert_int_equal(mkdir(b->store_dir, 0700), 0);
    b->options = options ? *options : (struct store_options){.segment_bytes = 8 << 20, .reserve_bytes = 1};
    BED_OK(keyring_create(b->keys, bf));
}

void bed_forget(struct bed *b) {
    b->n_objects = b->n_erased = b->n_no_key = b->n_dropped = b->n_damaged = b->n_torn = 0;
}

enum err bed_on_found(void *arg, const struct store_found *found) {
    struct bed *b = arg;
    struct thing t;
    switch (found->kind) {
    case STORE_OBJECT:
        assert_true(thing_from_meta(found->meta, &t));
        assert_int_equal(found->body_bytes, t.body);
        assert_true(b->n_objects < sizeof b->found / sizeof *b->found);
        b->found_id[b->n_objects] = t.id;
        b->found[b->n_objects++] = found->ref;
        break;
    case STORE_ERASED:
        b->n_erased++;
        break;
    case STORE_NO_KEY:
        b->n_no_key++;
        break;
    case STORE_DROPPED:
        b->n_dropped++;
        break;
    case STORE_DAMAGED:
        b->n_damaged++;
        break;
    case STORE_TORN:
        b->n_torn++;
        break;
    }
    return OK;
}

enum err bed_try_open(struct bed *b, const struct store_mark *marks, size_t n, struct fault *f) {
    bed_forget(b);
    enum err e = keyring_open(b->keys, f, &b->keyring);
    if (e != OK)
        return e;
    e = store_open(b->store_dir, b->keyring, &b->options, f, &b->store);
    if (e == OK)
        e = store_recover(b->store, marks, n, bed_on_found, b, f);
    if (e != OK)
        bed_close(b);
    return e;
}

void bed_open(struct bed *b) {
    BED_OK(bed_try_open(b, NULL, 0, bf));
}

void bed_close(struct bed *b) {
    store_close(b->store);
    keyring_close(b->keyring);
    b->store = NULL;
    b->keyring = NULL;
}

static int remove_one(const char *path, const struct stat *st, int kind, struct FTW *at) {
    (void)st;
    (void)kind;
    (void)at;
    return remove(path);
}

void bed_remove(struct bed *b) {
    bed_close(b);
    nftw(b->dir, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

void bed_path(const struct bed *b, uint32_t segment, char ret[400]) {
    snprintf(ret, 400, "%s/seg-%08x.gs", b->store_dir, segment);
}

// --- Things --------------------------------------------------------------------------------------

struct slice thing_study(uint32_t id, char buf[64]) {
    snprintf(buf, 64, "1.2.%u", id / 8);
    return slice_str(buf);
}

void thing_fill(const struct thing *t, int part, uint64_t from, uint8_t *p, size_t n) {
    uint64_t seed = (uint64_t)t->id * 0x9e3779b97f4a7c15u + (unsigned)part;
    for (size_t i = 0; i < n; i++) {
        uint64_t x = seed ^ (from + i) >> 3;
        x *= 0xff51afd7ed558ccdu;
        p[i] = (uint8_t)(x >> (8 * ((from + i) & 7)));
    }
}

enum { PART_BODY, PART_SUMMARY, PART_FRAMES };

static struct slice part_of(const struct thing *t, int part, size_t n) {
    uint8_t *p = malloc(n + 1);
    assert_non_null(p);
    thing_fill(t, part, 0, p, n);
    return slice_of(p, n);
}

static void part_free(struct slice s) {
    free((void *)(uintptr_t)s.p);
}

enum { META_BYTES = 37 + (int)sizeof(struct thing) };

// The thing itself, then some bytes that follow from it.
static struct slice meta_of(const struct thing *t, uint8_t p[META_BYTES]) {
    memcpy(p, t, sizeof *t);
    thing_fill(t, 9, 0, p + sizeof *t, META_BYTES - sizeof *t);
    return slice_of(p, META_BYTES);
}

bool thing_from_meta(struct slice meta, struct thing *ret) {
    uint8_t want[META_BYTES];
    if (meta.n != META_BYTES)
        return false;
    memcpy(ret, meta.p, sizeof *ret);
    return slice_eq(meta, meta_of(ret, want));
}

enum err thing_put(struct bed *b, const struct thing *t, struct fault *f, struct blob_ref *ret) {
    char study[64];
    uint8_t meta[META_BYTES];
    struct slice body = part_of(t, PART_BODY, t->body);
    struct store_front front = {
        .meta = meta_of(t, meta),
        .summary = part_of(t, PART_SUMMARY, t->summary),
        .frames = part_of(t, PART_FRAMES, t->frames),
    };
    enum err e = store_put_whole(b->store, thing_study(t->id, study), body, &front, f, ret);
    part_free(body);
    part_free(front.summary);
    part_free(front.frames);
    return e;
}

enum err thing_stream(struct bed *b, const struct thing *t, size_t piece, struct fault *f,
                      struct blob_ref *ret) {
    char study[64];
    uint8_t meta[META_BYTES];
    struct store_stream *w;
    enum err e = store_put_begin(b->store, thing_study(t->id, study), f, &w);
    if (e != OK)
        return e;
    struct slice body = part_of(t, PART_BODY, t->body);
    for (size_t at = 0; e == OK && at < body.n; at += piece)
        e = store_put_append(w, slice_sub(body, at, piece), f);
    part_free(body);
    if (e != OK) {
        store_put_abort(w);
        return e;
    }
    struct store_front front = {
        .meta = meta_of(t, meta),
        .summary = part_of(t, PART_SUMMARY, t->summary),
        .frames = part_of(t, PART_FRAMES, t->frames),
    };
    e = store_put_finish(w, &front, f, ret);
    part_free(front.summary);
    part_free(front.frames);
    return e;
}

static void check_buf(const struct buf *b, const struct thing *t, int part, size_t n) {
    struct slice want = part_of(t, part, n);
    assert_int_equal(b->n, n);
    if (n)
        assert_memory_equal(b->p, want.p, n);
    part_free(want);
}

static enum err check_front(struct bed *b, const struct thing *t, const struct blob_ref *ref) {
    struct buf got = BUF_INIT(STORE_FRAMES_MAX);
    struct fault f = {0};
    struct thing same;
    enum err e = store_get_meta(b->store, ref, &f, &got);
    if (e == OK) {
        assert_true(thing_from_meta(buf_slice(&got), &same));
        assert_int_equal(same.id, t->id);
        buf_reset(&got);
        e = store_get_summary(b->store, ref, &f, &got);
    }
    if (e == OK) {
        check_buf(&got, t, PART_SUMMARY, t->summary);
        buf_reset(&got);
        e = store_get_frames(b->store, ref, &f, &got);
    }
    if (e == OK)
        check_buf(&got, t, PART_FRAMES, t->frames);
    buf_fini(&got);
    return e;
}

enum err thing_check(struct bed *b, const struct thing *t, const struct blob_ref *ref) {
    struct fault f = {0};
    struct store_object *o;
    enum err e = check_front(b, t, ref);
    if (e == OK)
        e = store_get_open(b->store, ref, &f, &o);
    if (e != OK)
        return e;
    assert_int_equal(store_get_body_bytes(o), t->body);
    struct buf got = BUF_INIT(SIZE_MAX);
    uint8_t none[1], *p = t->body ? buf_extend(&got, t->body) : none;
    assert_non_null(p);
    e = store_get_read(o, 0, p, t->body, &f);
    if (e == OK)
        check_buf(&got, t, PART_BODY, t->body);
    buf_fini(&got);
    store_get_close(o);
    return e;
}

// --- The failing disk ----------------------------------------------------------------------------

struct disk disk;
static struct blob_os real;

static bool fails(int *left) {
    disk.calls++;
    if (*left < 0)
        return false;
    if (*left > 0) {
        --*left;
        return false;
    }
    if (disk.once)
        *left = -1;
    errno = disk.error;
    return true;
}

// Counts what a write adds to a file's length.
static bool fits(int fd, size_t n, off_t at) {
    struct stat st;
    if (disk.free_bytes < 0 || fstat(fd, &st) != 0 || at + (off_t)n <= st.st_size)
        return true;
    int64_t more = at + (off_t)n - st.st_size;
    if (more > disk.free_bytes) {
        errno = ENOSPC;
        return false;
    }
    disk.free_bytes -= more;
    return true;
}

static ssize_t disk_pwrite(int fd, const void *p, size_t n, off_t at) {
    if (!fits(fd, n, at))
        return -1;
    if (fails(&disk.pwrite)) {
        int e = errno;
        if (disk.half_write && n > 1) {
            disk.half_write = false;
            disk.pwrite = 0; // the rest of it fails
            return real.pwrite(fd, p, n / 2, at);
        }
        errno = e;
        return -1;
    }
    return real.pwrite(fd, p, n, at);
}

static int disk_fdatasync(int fd) {
    (void)fd; // no power loss here: success costs nothing
    return fails(&disk.fdatasync) ? -1 : 0;
}

static int disk_fsync(int fd) {
    (void)fd;
    return fails(&disk.fsync) ? -1 : 0;
}

static int disk_fallocate(int fd, int mode, off_t at, off_t n) {
    if (disk.free_bytes >= 0 && mode == 0) {
        if (n > disk.free_bytes) {
            errno = ENOSPC;
            return -1;
        }
        disk.free_bytes -= n;
    }
    return fails(&disk.fallocate) ? -1 : real.fallocate(fd, mode, at, n);
}

static int disk_ftruncate(int fd, off_t n) {
    return fails(&disk.ftruncate) ? -1 : real.ftruncate(fd, n);
}

static int disk_openat(int dir, const char *name, int flags, mode_t mode) {
    return fails(&disk.openat) ? -1 : real.openat(dir, name, flags, mode);
}

static int disk_unlinkat(int dir, const char *name, int flags) {
    return fails(&disk.unlinkat) ? -1 : real.unlinkat(dir, name, flags);
}

static ssize_t disk_pread(int fd, void *p, size_t n, off_t at) {
    return fails(&disk.pread) ? -1 : real.pread(fd, p, n, at);
}

static int disk_fstatvfs(int fd, struct statvfs *ret) {
    if (fails(&disk.fstatvfs))
        return -1;
    int e = real.fstatvfs(fd, ret);
    if (e == 0 && disk.free_bytes >= 0)
        ret->f_bavail = (fsblkcnt_t)disk.free_bytes / ret->f_frsize;
    return e;
}

static void disk_quiet(void) {
    disk = (struct disk){-1, -1, -1, -1, -1, -1, -1, -1, -1, EIO, false, false, 0, -1};
}

void disk_use(void) {
    if (!real.openat)
        real = blob_os;
    disk_quiet();
    blob_os = (struct blob_os){
        .openat = disk_openat,
        .unlinkat = disk_unlinkat,
        .pread = disk_pread,
        .pwrite = disk_pwrite,
        .fallocate = disk_fallocate,
        .ftruncate = disk_ftruncate,
        .fdatasync = disk_fdatasync,
        .fsync = disk_fsync,
        .fstatvfs = disk_fstatvfs,
    };
}

void disk_reset(void) {
    disk_quiet();
    if (real.openat)
        blob_os = real;
}
