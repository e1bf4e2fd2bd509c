#include "blob/keyring.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/crypto.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/uid.h"
#include "blob/keyring_file.h"
#include "blob/os.h"
#include "digest/digest.h"

enum {
    CACHE = 512,          // unwrapped keys, direct-mapped by slot number
    GROW_SLOTS = 1024,    // the file grows by zeros, so that a later slot needs no new extent
    LOAD_BYTES = 1 << 20, // a read at load
    AHEAD = 16,           // slots
};

struct cached {
    bool used;
    uint32_t slot;
    uint8_t id[KEYS_ID];
    uint8_t kek[KEY_BYTES];
};

struct keyring {
    int dir, fd;
    bool read_only;
    struct sealer *sealer;
    struct key_header header;
    uint8_t root[KEY_BYTES], id_key[KEY_BYTES];
    struct key_table table;
    struct cached cache[CACHE];
    uint32_t next;         // the first slot never used
    uint32_t file_slots;   // room in the file
    uint32_t durable_next; // slots below are synced
    uint32_t round_next;   // … and will be, when this round succeeds
    bool dirty, in_round;
};

static const char root_name[] = "root.key", keys_name[] = "studies.keys";

static void fd_close(int *fd) {
    blob_os_close(*fd);
}

static uint64_t slot_at(uint32_t slot) {
    return KEYS_SLOTS_AT + (uint64_t)slot * KEYS_SLOT;
}

// --- Making --------------------------------------------------------------------------------------

static enum err write_new(int dir, const char *name, const void *p, size_t n, struct fault *f) {
    CLEANUP(fd_close)
    int fd = blob_os.openat(dir, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd < 0 && errno == EEXIST)
        return fault_set(f, ERR_MISMATCH, "%s is there already", name);
    if (fd < 0 || !blob_os_write(fd, p, n, 0) || blob_os.fsync(fd) != 0)
        return fault_errno(f, name);
    return OK;
}

enum err keyring_create(const char *keys_dir, struct fault *f) {
    CLEANUP(fd_close) int dir = blob_os.openat(AT_FDCWD, keys_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0);
    if (dir < 0)
        return fault_errno(f, keys_dir);
    struct sealer *s = sealer_new();
    if (!s)
        return fault_set(f, ERR_NO_MEMORY, "libcrypto gives no AES-256-GCM");
    uint8_t root[KEY_BYTES], pages[KEYS_SLOTS_AT];
    struct key_header h = {.n_epochs = 1};
    seal_random(root, sizeof root);
    seal_random(h.store_id, sizeof h.store_id);
    seal_random(h.epochs[0], SEAL_KEY);
    key_header_write(s, root, &h, pages);
    memcpy(pages + KEYS_PAGE, pages, KEYS_PAGE);
    enum err e = write_new(dir, root_name, root, sizeof root, f);
    if (e == OK)
        e = write_new(dir, keys_name, pages, sizeof pages, f);
    if (e == OK && blob_os.fsync(dir) != 0)
        e = fault_errno(f, "sync of the keys folder");
    OPENSSL_cleanse(root, sizeof root);
    OPENSSL_cleanse(&h, sizeof h);
    sealer_free(s);
    return e;
}

// --- Opening -------------------------------------------------------------------------------------

static enum err read_root(struct keyring *k, struct fault *f) {
    CLEANUP(fd_close) int fd = blob_os.openat(k->dir, root_name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC, 0);
    struct stat st;
    if (fd < 0 || fstat(fd, &st) != 0)
        return fault_set(f, ERR_CONFIG, "%s: %s", root_name, strerror(errno));
    if (!S_ISREG(st.st_mode) || (st.st_mode & 077) != 0)
        return fault_set(f, ERR_CONFIG, "%s can be read by others: it must have mode 0600", root_name);
    uint8_t bytes[KEY_BYTES + 1];
    ssize_t n = blob_os_read(fd, bytes, sizeof bytes, 0);
    if (n < 0)
        return fault_errno(f, root_name);
    memcpy(k->root, bytes, KEY_BYTES);
    OPENSSL_cleanse(bytes, sizeof bytes);
    return n == KEY_BYTES ? OK : fault_set(f, ERR_CONFIG, "%s must hold %d bytes", root_name, KEY_BYTES);
}

// Either copy of the page will do: a bad sector must not cost the whole archive.
static enum err read_header(struct keyring *k, struct fault *f) {
    uint8_t page[KEYS_PAGE];
    for (unsigned copy = 0; copy < 2; copy++) {
        ssize_t n = blob_os_read(k->fd, page, sizeof page, copy * KEYS_PAGE);
        if (n == KEYS_PAGE && key_header_read(k->sealer, k->root, page, &k->header))
            return OK;
    }
    return fault_set(f, ERR_CORRUPT, "%s does not belong to this root.key, or is damaged", keys_name);
}

static void load_slot(struct keyring *k, uint32_t slot, const uint8_t *p) {
    struct key_slot s;
    bool sound = key_slot_read(p, &s);
    if (sound && s.state == KEY_SLOT_FREE)
        return;
    if (sound && s.state == KEY_SLOT_LIVE)
        key_table_put(&k->table, s.id, slot);
    k->next = slot + 1;
}

static enum err load_slots(struct keyring *k, struct fault *f) {
    struct stat st;
    if (fstat(k->fd, &st) != 0)
        return fault_errno(f, keys_name);
    uint64_t n_slots = st.st_size > KEYS_SLOTS_AT ? ((uint64_t)st.st_size - KEYS_SLOTS_AT) / KEYS_SLOT : 0;
    CLEANUP_FREE uint8_t *batch = malloc(LOAD_BYTES);
    if (n_slots > KEY_SLOTS_MAX)
        return fault_set(f, ERR_LIMIT, "%s is too long", keys_name);
    if (!batch || !key_table_init(&k->table, n_slots))
        return fault_set(f, ERR_NO_MEMORY, "the table of study keys");
    posix_fadvise(k->fd, 0, 0, POSIX_FADV_SEQUENTIAL);
    for (uint32_t slot = 0; slot < n_slots;) {
        ssize_t got = blob_os_read(k->fd, batch, LOAD_BYTES, slot_at(slot));
        if (got < KEYS_SLOT)
            return got < 0 ? fault_errno(f, keys_name) : fault_set(f, ERR_IO, "%s became shorter", keys_name);
        uint32_t n = (uint32_t)got / KEYS_SLOT;
        for (uint32_t i = 0; i < n && slot < n_slots; i++, slot++) {
            if (i + AHEAD < n) // the table is larger than the caches: without this every slot waits for it
                key_table_prefetch(&k->table, batch + (size_t)(i + AHEAD) * KEYS_SLOT + KEYS_SLOT_ID);
            load_slot(k, slot, batch + (size_t)i * KEYS_SLOT);
        }
    }
    posix_fadvise(k->fd, 0, 0, POSIX_FADV_RANDOM);
    k->file_slots = (uint32_t)n_slots;
    k->durable_next = k->next;
    return OK;
}

static enum err open_files(struct keyring *k, const char *keys_dir, struct fault *f) {
    k->dir = blob_os.openat(AT_FDCWD, keys_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0);
    if (k->dir < 0)
        return fault_errno(f, keys_dir);
    enum err e = read_root(k, f);
    if (e != OK)
        return e;
    k->fd = blob_os.openat(k->dir, keys_name, (k->read_only ? O_RDONLY : O_RDWR) | O_NOFOLLOW | O_CLOEXEC, 0);
    if (k->fd < 0)
        return fault_errno(f, keys_name);
    if (!k->read_only && flock(k->fd, LOCK_EX | LOCK_NB) != 0)
        return fault_set(f, ERR_BUSY, "%s is in use by another process", keys_name);
    return OK;
}

static enum err open_keyring(const char *keys_dir, bool read_only, struct fault *f,
                             struct keyring **ret_keyring) {
    struct keyring *k = calloc(1, sizeof *k);
    if (!k)
        return fault_set(f, ERR_NO_MEMORY, "key ring");
    k->dir = k->fd = -1;
    k->read_only = read_only;
    k->sealer = sealer_new();
    enum err e = k->sealer ? OK : fault_set(f, ERR_NO_MEMORY, "libcrypto gives no AES-256-GCM");
    if (e == OK)
        e = open_files(k, keys_dir, f);
    if (e == OK)
        e = read_header(k, f);
    if (e == OK)
        e = load_slots(k, f);
    if (e != OK) {
        keyring_close(k);
        return e;
    }
    keyring_derive(k, "galena/keys/study id", k->id_key);
    // After a crash of the program alone the slots may be in memory only: make sure before anyone relies
    // on them.
    if (!read_only && blob_os.fdatasync(k->fd) != 0) {
        e = fault_errno(f, keys_name);
        keyring_close(k);
        return e;
    }
    *ret_keyring = k;
    return OK;
}

enum err keyring_open(const char *keys_dir, struct fault *f, struct keyring **ret_keyring) {
    return open_keyring(keys_dir, false, f, ret_keyring);
}

enum err keyring_open_read_only(const char *keys_dir, struct fault *f, struct keyring **ret_keyring) {
    return open_keyring(keys_dir, true, f, ret_keyring);
}

void keyring_close(struct keyring *k) {
    if (!k)
        return;
    blob_os_close(k->fd);
    blob_os_close(k->dir);
    sealer_free(k->sealer);
    key_table_fini(&k->table);
    OPENSSL_cleanse(k, sizeof *k);
    free(k);
}

const uint8_t *keyring_store_id(const struct keyring *k) {
    return k->header.store_id;
}

void keyring_derive(struct keyring *k, const char *label, uint8_t ret_key[KEY_BYTES]) {
    uint8_t info[128];
    size_t n = strlen(label);
    bug_unless(n + 1 + STORE_ID_BYTES <= sizeof info);
    memcpy(info, label, n + 1);
    memcpy(info + n + 1, k->header.store_id, STORE_ID_BYTES);
    seal_expand(k->root, slice_of(info, n + 1 + STORE_ID_BYTES), ret_key, KEY_BYTES);
}

// --- Slots ---------------------------------------------------------------------------------------

static enum err study_id(struct keyring *k, struct slice study_uid, uint8_t ret_id[KEYS_ID]) {
    if (study_uid.n == 0 || study_uid.n > UID_MAX)
        return ERR_UID;
    uint8_t mac[SEAL_MAC];
    digest_hmac_sha256(slice_of(k->id_key, SEAL_KEY), study_uid, mac);
    memcpy(ret_id, mac, KEYS_ID);
    return OK;
}

// Bound to number and study, so that slots cannot be exchanged in the file.
static void wrap_key(struct keyring *k, uint16_t epoch, uint32_t slot, const uint8_t id[KEYS_ID],
                     uint8_t ret_key[SEAL_KEY]) {
    static const char label[] = "galena/keys/slot";
    uint8_t info[sizeof label + 4 + KEYS_ID];
    memcpy(info, label, sizeof label);
    for (int i = 0; i < 4; i++)
        info[sizeof label + (size_t)i] = (uint8_t)(slot >> 8 * i);
    memcpy(info + sizeof label + 4, id, KEYS_ID);
    seal_expand(k->header.epochs[epoch], slice_of(info, sizeof info), ret_key, SEAL_KEY);
}

static struct cached *cache_of(struct keyring *k, uint32_t slot) {
    struct cached *c = &k->cache[slot % CACHE];
    return c->used && c->slot == slot ? c : NULL;
}

static void cache_drop(struct keyring *k, uint32_t slot) {
    struct cached *c = cache_of(k, slot);
    if (c)
        OPENSSL_cleanse(c, sizeof *c);
}

static void cache_put(struct keyring *k, uint32_t slot, const uint8_t id[KEYS_ID],
                      const uint8_t kek[KEY_BYTES]) {
    struct cached *c = &k->cache[slot % CACHE];
    c->used = true;
    c->slot = slot;
    memcpy(c->id, id, KEYS_ID);
    memcpy(c->kek, kek, KEY_BYTES);
}

static enum err read_slot(struct keyring *k, uint32_t slot, struct fault *f, struct key_slot *ret) {
    uint8_t p[KEYS_SLOT];
    ssize_t n = slot < KEY_SLOTS_MAX ? blob_os_read(k->fd, p, sizeof p, slot_at(slot)) : 0;
    if (n < 0)
        return fault_errno(f, keys_name);
    if (n < KEYS_SLOT)
        return fault_set(f, ERR_CORRUPT, "key slot %u does not exist", slot);
    if (!key_slot_read(p, ret))
        return fault_set(f, ERR_CORRUPT, "key slot %u is damaged", slot);
    return OK;
}

enum err keyring_kek(struct keyring *k, uint32_t slot, struct fault *f, uint8_t ret_kek[KEY_BYTES]) {
    struct cached *c = cache_of(k, slot);
    if (c) {
        memcpy(ret_kek, c->kek, KEY_BYTES);
        return OK;
    }
    struct key_slot s;
    enum err e = read_slot(k, slot, f, &s);
    if (e != OK)
        return e;
    if (s.state == KEY_SLOT_ERASED)
        return fault_set(f, ERR_NO_SUCH_OBJECT, "the key in slot %u was erased", slot);
    if (s.state != KEY_SLOT_LIVE)
        return fault_set(f, ERR_CORRUPT, "key slot %u was never written", slot);
    uint8_t wrap[SEAL_KEY], kek[KEY_BYTES];
    if (s.epoch < k->header.n_epochs)
        wrap_key(k, s.epoch, slot, s.id, wrap);
    if (s.epoch >= k->header.n_epochs || !seal_unwrap(k->sealer, wrap, s.wrapped, kek))
        return fault_set(f, ERR_CORRUPT, "key slot %u does not authenticate", slot);
    cache_put(k, slot, s.id, kek);
    memcpy(ret_kek, kek, KEY_BYTES);
    OPENSSL_cleanse(kek, sizeof kek);
    OPENSSL_cleanse(wrap, sizeof wrap);
    return OK;
}

// What cannot be read is not "none": a second key for the study would survive its erasure.
static enum err find(struct keyring *k, const uint8_t id[KEYS_ID], struct fault *f, uint32_t *ret_slot) {
    uint32_t at = 0, slot;
    while (key_table_next(&k->table, id, &at, &slot)) {
        struct cached *c = cache_of(k, slot);
        struct key_slot s = {0};
        struct fault mine = {0};
        enum err e = c ? OK : read_slot(k, slot, &mine, &s);
        if (err_of_machine(e))
            return fault_set(f, e, "%s", mine.detail);
        if (c ? memcmp(c->id, id, KEYS_ID) == 0
              : s.state == KEY_SLOT_LIVE && memcmp(s.id, id, KEYS_ID) == 0) {
            *ret_slot = slot;
            return OK;
        }
    }
    return ERR_NO_SUCH_OBJECT;
}

enum err keyring_find(struct keyring *k, struct slice study_uid, uint32_t *ret_slot) {
    uint8_t id[KEYS_ID];
    enum err e = study_id(k, study_uid, id);
    return e != OK ? e : find(k, id, NULL, ret_slot);
}

static enum err grow(struct keyring *k, struct fault *f) {
    if (k->next < k->file_slots)
        return OK;
    if (k->next >= KEY_SLOTS_MAX - GROW_SLOTS)
        return fault_set(f, ERR_LIMIT, "no key slot is left");
    static const uint8_t zeros[GROW_SLOTS * KEYS_SLOT];
    if (!blob_os_write(k->fd, zeros, sizeof zeros, slot_at(k->next)))
        return fault_errno(f, keys_name);
    k->file_slots = k->next + GROW_SLOTS;
    k->dirty = true;
    return OK;
}

static enum err add(struct keyring *k, const uint8_t id[KEYS_ID], struct fault *f, uint32_t *ret_slot) {
    if (k->read_only)
        return fault_set(f, ERR_DENIED, "the key ring is open for reading only");
    enum err e = grow(k, f);
    if (e != OK)
        return e;
    if (!key_table_room(&k->table))
        return fault_set(f, ERR_NO_MEMORY, "the table of study keys");
    uint32_t slot = k->next;
    uint8_t kek[KEY_BYTES], wrap[SEAL_KEY], p[KEYS_SLOT];
    struct key_slot s = {.state = KEY_SLOT_LIVE, .epoch = (uint16_t)(k->header.n_epochs - 1)};
    memcpy(s.id, id, KEYS_ID);
    seal_random(kek, sizeof kek);
    wrap_key(k, s.epoch, slot, id, wrap);
    seal_wrap(k->sealer, wrap, kek, s.wrapped);
    key_slot_write(&s, p);
    if (blob_os_write(k->fd, p, sizeof p, slot_at(slot))) {
        key_table_put(&k->table, id, slot);
        cache_put(k, slot, id, kek);
        k->next++;
        k->dirty = true;
        *ret_slot = slot;
    } else {
        e = fault_errno(f, keys_name);
    }
    OPENSSL_cleanse(kek, sizeof kek);
    OPENSSL_cleanse(wrap, sizeof wrap);
    return e;
}

enum err keyring_need(struct keyring *k, struct slice study_uid, struct fault *f, uint32_t *ret_slot) {
    uint8_t id[KEYS_ID];
    enum err e = study_id(k, study_uid, id);
    if (e != OK)
        return fault_set(f, e, "a study UID of %zu bytes", study_uid.n);
    e = find(k, id, f, ret_slot);
    return e == ERR_NO_SUCH_OBJECT ? add(k, id, f, ret_slot) : e;
}

void keyring_pass_over(struct keyring *k, uint32_t slot) {
    if (slot < KEY_SLOTS_MAX && slot >= k->next)
        k->next = slot + 1;
}

// --- Erasing -------------------------------------------------------------------------------------

static bool write_erased(struct keyring *k, int fd, uint32_t slot) {
    uint8_t p[KEYS_SLOT];
    key_slot_write(&(struct key_slot){.state = KEY_SLOT_ERASED}, p);
    cache_drop(k, slot);
    return blob_os_write(fd, p, sizeof p, slot_at(slot));
}

// All its slots: a failed sync can have left one behind that nothing uses any more.
static enum err erase_slots(struct keyring *k, int fd, const uint8_t id[KEYS_ID], struct fault *f) {
    uint32_t slot, n = 0;
    enum err e;
    for (; (e = find(k, id, f, &slot)) == OK; n++) {
        if (!write_erased(k, fd, slot))
            return fault_errno(f, keys_name);
        key_table_remove(&k->table, id, slot);
    }
    if (e != ERR_NO_SUCH_OBJECT)
        return e;
    return n ? OK : fault_set(f, e, "the study has no key");
}

enum err keyring_erase(struct keyring *k, struct slice study_uid, struct fault *f) {
    uint8_t id[KEYS_ID];
    enum err e = study_id(k, study_uid, id);
    if (e != OK)
        return fault_set(f, e, "a study UID of %zu bytes", study_uid.n);
    if (k->read_only)
        return fault_set(f, ERR_DENIED, "the key ring is open for reading only");
    // A descriptor of its own: a sync under way on another thread must not lose its error to ours.
    CLEANUP(fd_close) int fd = blob_os.openat(k->dir, keys_name, O_RDWR | O_NOFOLLOW | O_CLOEXEC, 0);
    if (fd < 0)
        return fault_errno(f, keys_name);
    e = erase_slots(k, fd, id, f);
    if (e == OK && blob_os.fdatasync(fd) != 0)
        e = fault_errno(f, keys_name);
    return e;
}

// --- Syncing -------------------------------------------------------------------------------------

bool keyring_sync_begin(struct keyring *k) {
    if (!k->dirty || k->in_round)
        return false;
    k->dirty = false;
    k->in_round = true;
    k->round_next = k->next;
    return true;
}

bool keyring_sync_run(struct keyring *k) {
    return blob_os.fdatasync(k->fd) == 0;
}

// The pages may be lost though the kernel calls them clean, so slots that were in them cannot be
// trusted any more: nothing acknowledged uses them. Their pages become dirty again with this.
static void burn(struct keyring *k, uint32_t from, uint32_t to) {
    for (uint32_t slot = from; slot < to; slot++) {
        struct key_slot s;
        if (read_slot(k, slot, NULL, &s) == OK && s.state == KEY_SLOT_LIVE)
            key_table_remove(&k->table, s.id, slot);
        (void)write_erased(k, k->fd, slot);
        k->dirty = true;
    }
}

void keyring_sync_end(struct keyring *k, bool ok) {
    bug_unless(k->in_round);
    k->in_round = false;
    if (ok) {
        k->durable_next = k->round_next;
        return;
    }
    k->dirty = true;
    burn(k, k->durable_next, k->next);
    k->durable_next = k->next;
    if (k->file_slots > k->next)
        k->file_slots = k->next; // the zeros there may be lost as well: write them anew
}

// --- Verifying -----------------------------------------------------------------------------------

enum err keyring_verify(struct keyring *k, struct fault *f, uint64_t *ret_damaged) {
    uint64_t damaged = 0;
    for (uint32_t slot = 0; slot < k->next; slot++) {
        uint8_t kek[KEY_BYTES];
        struct key_slot s = {0};
        struct fault mine = {0};
        cache_drop(k, slot); // look at the file
        enum err e = read_slot(k, slot, &mine, &s);
        if (e == OK && s.state == KEY_SLOT_LIVE)
            e = keyring_kek(k, slot, &mine, kek);
        OPENSSL_cleanse(kek, sizeof kek);
        if (err_of_machine(e))
            return fault_set(f, e, "%s", mine.detail);
        damaged += e == ERR_CORRUPT;
    }
    *ret_damaged = damaged;
    return OK;
}
