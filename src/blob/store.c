// Opening, closing, and the list of segments.
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "blob/store_int.h"

#define TMPFS_FS_MAGIC 0x01021994
enum { MIB = 1 << 20 };

// --- Segments ------------------------------------------------------------------------------------

// The index of the first segment with this number or a higher one.
static size_t lower_bound(const struct store *s, uint32_t number) {
    size_t lo = 0, hi = s->n_segments;
    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;
        if (s->segments[mid]->number < number)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo;
}

struct segment *store_segment(const struct store *s, uint32_t number) {
    size_t i = lower_bound(s, number);
    return i < s->n_segments && s->segments[i]->number == number ? s->segments[i] : NULL;
}

bool store_segment_gone(const struct store *s, uint32_t number) {
    size_t i = lower_bound(s, number);
    return i < s->n_segments && s->segments[i]->number != number && s->segments[i]->gone_from <= number;
}

struct segment *store_segment_add(struct store *s, uint32_t number) {
    if (s->n_segments == s->cap_segments) {
        size_t cap = s->cap_segments ? 2 * s->cap_segments : 64;
        struct segment **p = reallocarray(s->segments, cap, sizeof *p);
        if (!p)
            return NULL;
        s->segments = p;
        s->cap_segments = cap;
    }
    struct segment *g = calloc(1, sizeof *g);
    if (!g)
        return NULL;
    g->number = g->gone_from = g->gone_durable = number;
    g->fd = -1;
    size_t i = lower_bound(s, number);
    memmove(s->segments + i + 1, s->segments + i, (s->n_segments - i) * sizeof *s->segments);
    s->segments[i] = g;
    s->n_segments++;
    return g;
}

void store_segment_remove(struct store *s, struct segment *g) {
    size_t i = lower_bound(s, g->number);
    bug_unless(i < s->n_segments && s->segments[i] == g && g->pins == 0);
    store_segment_shut(s, g);
    memmove(s->segments + i, s->segments + i + 1, (s->n_segments - i - 1) * sizeof *s->segments);
    s->n_segments--;
    free(g);
}

void store_segment_name(uint32_t number, char ret[STORE_NAME]) {
    static const char digits[] = "0123456789abcdef";
    memcpy(ret, "seg-00000000.gs", STORE_NAME);
    for (int i = 0; i < 8; i++)
        ret[4 + i] = digits[number >> (28 - 4 * i) & 15];
}

static bool parse_name(const char *name, uint32_t *ret_number) {
    char want[STORE_NAME], *end;
    if (strlen(name) != STORE_NAME - 1)
        return false;
    unsigned long n = strtoul(name + 4, &end, 16);
    if (end != name + 12 || n > UINT32_MAX)
        return false;
    store_segment_name((uint32_t)n, want);
    *ret_number = (uint32_t)n;
    return strcmp(name, want) == 0;
}

static void unlink_used(struct store *s, struct segment *g) {
    *(g->older ? &g->older->newer : &s->oldest) = g->newer;
    *(g->newer ? &g->newer->older : &s->newest) = g->older;
}

static void link_newest(struct store *s, struct segment *g) {
    g->older = s->newest;
    g->newer = NULL;
    *(s->newest ? &s->newest->newer : &s->oldest) = g;
    s->newest = g;
}

void store_segment_shut(struct store *s, struct segment *g) {
    if (g->fd < 0)
        return;
    unlink_used(s, g);
    blob_os_close(g->fd);
    g->fd = -1;
    s->open_files--;
}

void store_segment_opened(struct store *s, struct segment *g, int take_fd) {
    g->fd = take_fd;
    s->open_files++;
    link_newest(s, g);
}

// Closes the descriptor that was not used for longest; one that has something to sync is kept, because
// an error of writing it back would be reported to nobody.
static void shut_oldest(struct store *s) {
    struct segment *g = s->oldest;
    while (g && (g->pins || g->dirty))
        g = g->newer;
    if (g)
        store_segment_shut(s, g);
}

enum err store_segment_fd(struct store *s, struct segment *g, struct fault *f) {
    if (g->fd >= 0) {
        unlink_used(s, g);
        link_newest(s, g);
        return OK;
    }
    if (s->open_files >= STORE_OPEN_FILES)
        shut_oldest(s);
    char name[STORE_NAME];
    store_segment_name(g->number, name);
    int mode = s->options.read_only ? O_RDONLY : O_RDWR;
    int fd = blob_os.openat(s->dir, name, mode | O_NOFOLLOW | O_CLOEXEC, 0);
    if (fd < 0)
        return fault_errno(f, name);
    store_segment_opened(s, g, fd);
    return OK;
}

struct segment_id *store_id_of(struct store *s, const struct segment *g) {
    s->id.number = g->number;
    return &s->id;
}

uint8_t *store_read_buf(struct store *s, size_t n) {
    if (n <= s->read_cap)
        return s->read_buf;
    free(s->read_buf);
    s->read_buf = malloc(n);
    s->read_cap = s->read_buf ? n : 0;
    return s->read_buf;
}

// A frame table of many MB must not keep its memory for ever.
void store_read_buf_trim(struct store *s) {
    if (s->read_cap <= MIB)
        return;
    free(s->read_buf);
    s->read_buf = NULL;
    s->read_cap = 0;
}

// --- Opening -------------------------------------------------------------------------------------

static enum err list_segments(struct store *s, struct fault *f) {
    int fd = blob_os.openat(s->dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0);
    DIR *d = fd >= 0 ? fdopendir(fd) : NULL;
    if (!d) {
        blob_os_close(fd);
        return fault_errno(f, "the store's folder");
    }
    enum err e = OK;
    const struct dirent *entry;
    while (e == OK && (errno = 0, entry = readdir(d))) {
        uint32_t number;
        if (parse_name(entry->d_name, &number) && !store_segment_add(s, number))
            e = fault_set(f, ERR_NO_MEMORY, "list of segments");
    }
    if (e == OK && errno)
        e = fault_errno(f, "the store's folder");
    closedir(d);
    return e;
}

// The file's size, and what its page says. Nothing is known of its records yet.
enum err store_segment_look(struct store *s, struct segment *g, struct fault *f) {
    uint8_t page[SEGMENT_PAGE];
    struct segment_page p = {0};
    struct stat st;
    enum err e = store_segment_fd(s, g, f);
    if (e != OK)
        return e;
    ssize_t n = blob_os_read(g->fd, page, sizeof page, 0);
    if (n < 0 || fstat(g->fd, &st) != 0)
        return fault_errno(f, "segment");
    g->foreign = n < SEGMENT_PAGE || !segment_page_read(store_id_of(s, g), page, &p);
    g->alloc_end = (uint64_t)st.st_size;
    g->closed = !g->foreign && p.closed && p.end >= SEGMENT_PAGE && p.end <= g->alloc_end;
    g->end = g->closed ? p.end : g->alloc_end;
    g->gone_from = g->foreign ? g->number : p.gone_from; // on the disk for sure only when synced
    return OK;
}

static void set_defaults(struct store *s) {
    struct statfs fs;
    uint64_t total = 0;
    if (fstatfs(s->dir, &fs) == 0) {
        total = (uint64_t)fs.f_blocks * (uint64_t)fs.f_bsize;
        s->no_prealloc = fs.f_type == TMPFS_FS_MAGIC; // nothing to gain there, and it zeroes the pages
    }
    struct store_options *o = &s->options;
    if (!o->segment_bytes)
        o->segment_bytes = (uint64_t)1024 * MIB;
    if (!o->reserve_bytes)
        o->reserve_bytes = total / 100 < 64 * MIB ? total / 100 : 64 * MIB;
    if (!o->step_bytes) {
        uint64_t step = total / 256 / MIB * MIB;
        o->step_bytes = step < MIB ? MIB : step > 64 * MIB ? 64 * MIB : step;
    }
}

enum err store_open(const char *store_dir, struct keyring *keyring, const struct store_options *options,
                    struct fault *f, struct store **ret_store) {
    struct store *s = calloc(1, sizeof *s);
    if (!s)
        return fault_set(f, ERR_NO_MEMORY, "store");
    s->keyring = keyring;
    if (options)
        s->options = *options;
    s->sealer = sealer_new();
    s->dir = blob_os.openat(AT_FDCWD, store_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0);
    enum err e = OK;
    if (!s->sealer)
        e = fault_set(f, ERR_NO_MEMORY, "libcrypto gives no AES-256-GCM");
    else if (s->dir < 0)
        e = fault_errno(f, store_dir);
    else if (!s->options.read_only && flock(s->dir, LOCK_EX | LOCK_NB) != 0)
        e = fault_set(f, ERR_BUSY, "the store is in use by another process");
    else
        e = list_segments(s, f);
    if (e != OK) {
        store_close(s);
        return e;
    }
    set_defaults(s);
    memcpy(s->id.store_id, keyring_store_id(keyring), STORE_ID_BYTES);
    keyring_derive(keyring, "galena/store/header", s->id.mac_key);
    *ret_store = s;
    return OK;
}

void store_close(struct store *s) {
    if (!s)
        return;
    bug_unless(!s->round.under_way);
    for (size_t i = 0; i < s->n_segments; i++) {
        struct segment *g = s->segments[i];
        bug_unless(g->pins == 0); // an object or a stream is still open
        if (s->recovered && g->fd >= 0 && !g->closed && !g->failed && !g->foreign)
            (void)store_space_cut(s, g, g->end);
        blob_os_close(g->fd);
        free(g);
    }
    free(s->segments);
    free(s->round.items);
    free(s->drops.p);
    free(s->runs.p);
    free(s->read_buf);
    blob_os_close(s->dir);
    sealer_free(s->sealer);
    OPENSSL_cleanse(s, sizeof *s);
    free(s);
}

// --- Status --------------------------------------------------------------------------------------

size_t store_take_marks(struct store *s, struct store_mark *ret_marks, size_t cap) {
    size_t n = 0;
    for (size_t i = 0; i < s->n_segments && n < cap; i++) {
        struct segment *g = s->segments[i];
        if (!g->mark_changed)
            continue;
        g->mark_changed = false;
        ret_marks[n++] = (struct store_mark){g->number, g->durable_end, g->objects, g->dead_bytes};
    }
    return n;
}

enum err store_status(struct store *s, struct fault *f, struct store_info *ret_info) {
    uint64_t free_bytes;
    if (!store_space_free(s, &free_bytes))
        return fault_errno(f, "the store's disk");
    struct store_info info = {
        .segments = s->n_segments,
        .free_bytes = free_bytes,
        .reserve_bytes = s->options.reserve_bytes,
        .full = free_bytes < s->options.reserve_bytes + MIB,
        .failed_syncs = s->failed_syncs,
    };
    for (size_t i = 0; i < s->n_segments; i++) {
        info.objects += s->segments[i]->objects;
        info.dead_bytes += s->segments[i]->dead_bytes;
        info.used_bytes += s->segments[i]->end > SEGMENT_PAGE ? s->segments[i]->end - SEGMENT_PAGE : 0;
    }
    *ret_info = info;
    return OK;
}
