// Scans and recovers damaged segments.
//
// The input is a list of edits to a good segment file of five records, because keys are random and no
// corpus could hold a record that authenticates:
//   byte 0: bit 0 recover instead of scan; bit 1 afterwards make every header's MAC right again, so that
//           what is behind that check is reached; bit 2 only headers and meta
//   then 5 bytes an edit: 3 of offset, what to do, a value
//
// Whatever the edits, nothing may be found but what was stored, byte for byte, and a recovered store
// must take new objects and give them back.
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "blob/segment.h"
#include "blob/store.h"
#include "digest/digest.h"
#include "fuzz.h"

enum { RECORDS = 5, BODY_MAX = 70000, FILE_MAX = 1 << 20, EDIT = 5 };

static char keys_dir[64], store_dir[64], segment_path[96];
static struct keyring *keyring;
static uint8_t mac_key[KEY_BYTES];
static uint8_t good[FILE_MAX], edited[FILE_MAX + 8192];
static size_t good_bytes;
static const size_t bodies[RECORDS] = {100, BODY_MAX, 0, 3000, 500};

static enum err nothing(void *arg, const struct store_found *found) {
    (void)arg;
    (void)found;
    return OK;
}

static struct store *open_store(bool read_only) {
    struct store *s = NULL;
    struct fault f = {0};
    struct store_options o = {.segment_bytes = 300000, .reserve_bytes = 1, .read_only = read_only};
    FUZZ_CHECK(store_open(store_dir, keyring, &o, &f, &s) == OK);
    return s;
}

// Body and summary of record i are made of its number.
static void put(struct store *s, unsigned i) {
    static uint8_t body[BODY_MAX], summary[300];
    uint8_t meta[1] = {(uint8_t)i};
    memset(body, (int)i + 1, sizeof body);
    memset(summary, (int)i + 1, sizeof summary);
    struct store_front front = {.meta = {meta, 1}, .summary = {summary, sizeof summary}};
    struct fault f = {0};
    struct blob_ref ref;
    if (i != 3) {
        FUZZ_CHECK(store_put_whole(s, SLICE_LIT("1.2.3"), slice_of(body, bodies[i]), &front, &f, &ref) == OK);
    } else {
        struct store_stream *w;
        FUZZ_CHECK(store_put_begin(s, SLICE_LIT("1.2.4"), &f, &w) == OK);
        FUZZ_CHECK(store_put_append(w, slice_of(body, bodies[i]), &f) == OK);
        FUZZ_CHECK(store_put_finish(w, &front, &f, &ref) == OK);
    }
    if (i == 2)
        FUZZ_CHECK(store_drop(s, &ref, &f) == OK);
}

static void clean_up(void) {
    char path[128];
    keyring_close(keyring);
    for (unsigned i = 0; i < 4; i++) {
        snprintf(path, sizeof path, "%s/seg-%08x.gs", store_dir, i);
        (void)unlink(path);
    }
    snprintf(path, sizeof path, "%s/root.key", keys_dir);
    (void)unlink(path);
    snprintf(path, sizeof path, "%s/studies.keys", keys_dir);
    (void)unlink(path);
    (void)rmdir(store_dir);
    (void)rmdir(keys_dir);
}

static void make_good(void) {
    static const char template[] = "galena-fuzz-XXXXXX";
    const char *tmp = access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp";
    struct fault f = {0};
    snprintf(keys_dir, sizeof keys_dir, "%s/%s", tmp, template);
    snprintf(store_dir, sizeof store_dir, "%s/%s", tmp, template);
    FUZZ_CHECK(mkdtemp(keys_dir) && mkdtemp(store_dir));
    snprintf(segment_path, sizeof segment_path, "%s/seg-00000001.gs", store_dir);
    FUZZ_CHECK(keyring_create(keys_dir, &f) == OK && keyring_open(keys_dir, &f, &keyring) == OK);
    keyring_derive(keyring, "galena/store/header", mac_key);
    atexit(clean_up);
    // One after the other, so that all land in the same segment, the streamed one too.
    for (unsigned i = 0; i < RECORDS; i++) {
        struct store *s = open_store(false);
        FUZZ_CHECK(store_recover(s, NULL, 0, nothing, NULL, &f) == OK);
        put(s, i);
        FUZZ_CHECK(store_sync(s, &f) == OK);
        store_close(s);
    }
    int fd = open(segment_path, O_RDONLY | O_CLOEXEC);
    ssize_t n = read(fd, good, sizeof good);
    close(fd);
    FUZZ_CHECK(n > BODY_MAX && n < FILE_MAX);
    good_bytes = (size_t)n;
}

static size_t edit(size_t n, size_t at, uint8_t what, uint8_t value) {
    size_t run = (size_t)value * 16;
    at %= n + 1;
    switch (what % 6) {
    case 0:
        edited[at] ^= value;
        return n;
    case 1:
        edited[at] = value;
        return n;
    case 2: // zeros, as after a power loss
        memset(edited + at, 0, run);
        return n;
    case 3: // a block elsewhere
        if (at + run <= n)
            memmove(edited + (at & ~(size_t)63) / 2, edited + at, run);
        return n;
    case 4: // longer
        memset(edited + n, value, 64);
        return n + 64 < FILE_MAX ? n + 64 : n;
    default: // cut off
        return at;
    }
}

static void mend_macs(size_t n) {
    for (size_t at = SEGMENT_PAGE; at + RECORD_HEADER <= n; at += RECORD_ALIGN) {
        uint8_t *p = edited + at, in[108 + 12] = {0}, mac[SEAL_MAC];
        if (memcmp(p, "GREC", 4) != 0 && memcmp(p, "GDED", 4) != 0)
            continue;
        memcpy(in, p + 4, 108);
        in[108] = 1; // the segment's number
        for (int i = 0; i < 8; i++)
            in[112 + i] = (uint8_t)((uint64_t)at >> 8 * i);
        digest_hmac_sha256(slice_of(mac_key, SEAL_KEY), slice_of(in, sizeof in), mac);
        memcpy(p + 112, mac, RECORD_MAC);
    }
}

struct check {
    struct store *s;
    bool all;
};

// What is found was stored: every byte of it.
static enum err on_found(void *arg, const struct store_found *found) {
    static uint8_t body[BODY_MAX];
    struct check *c = arg;
    struct fault f = {0};
    struct store_object *o;
    if (found->kind != STORE_OBJECT)
        return OK;
    FUZZ_CHECK(found->meta.n == 1 && found->meta.p[0] < RECORDS);
    unsigned i = found->meta.p[0];
    enum err e = store_get_open(c->s, &found->ref, &f, &o);
    FUZZ_CHECK(e == OK || !c->all);
    if (e != OK)
        return OK;
    uint64_t n = store_get_body_bytes(o);
    e = n == bodies[i] ? store_get_read(o, 0, body, n, &f) : ERR_CORRUPT;
    FUZZ_CHECK(e == OK || !c->all);
    for (uint64_t at = 0; e == OK && at < n; at++)
        FUZZ_CHECK(body[at] == i + 1);
    store_get_close(o);
    return OK;
}

static void recover(void) {
    struct fault f = {0};
    struct check c = {open_store(false), true};
    FUZZ_CHECK(store_recover(c.s, NULL, 0, on_found, &c, &f) == OK);
    put(c.s, 4);
    put(c.s, 3);
    FUZZ_CHECK(store_sync(c.s, &f) == OK);
    FUZZ_CHECK(store_scan(c.s, 0, 0, STORE_SCAN_ALL, on_found, &c, &f) == OK);
    store_close(c.s);
}

static void scan(bool only_meta) {
    struct fault f = {0};
    struct check c = {open_store(true), !only_meta};
    enum store_scan_level level = only_meta ? STORE_SCAN_META : STORE_SCAN_ALL;
    FUZZ_CHECK(store_scan(c.s, 0, 0, level, on_found, &c, &f) == OK);
    store_close(c.s);
}

static void write_edited(size_t n) {
    char path[128];
    for (unsigned i = 2; i < 4; i++) {
        snprintf(path, sizeof path, "%s/seg-%08x.gs", store_dir, i);
        (void)unlink(path);
    }
    int fd = open(segment_path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    FUZZ_CHECK(fd >= 0 && write(fd, edited, n) == (ssize_t)n);
    close(fd);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n) {
    if (!good_bytes)
        make_good();
    memcpy(edited, good, good_bytes);
    size_t bytes = good_bytes;
    for (size_t i = 1; n >= EDIT && i <= n - EDIT; i += EDIT)
        bytes = edit(bytes, (size_t)data[i] << 16 | (size_t)data[i + 1] << 8 | data[i + 2], data[i + 3],
                     data[i + 4]);
    uint8_t flags = n ? data[0] : 0;
    if (flags & 2)
        mend_macs(bytes);
    write_edited(bytes);
    if (flags & 1)
        recover();
    else
        scan(flags & 4);
    return 0;
}
