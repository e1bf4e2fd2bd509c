#include "index/vfs_seal.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/rand.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    PAGE = VFS_SEAL_PAGE_BYTES,
    IV_BYTES = 16,
    TAG_BYTES = 16,
    PAGE_TEXT = PAGE - IV_BYTES - TAG_BYTES,
    WAL_HEADER = 32,                             // SQLite's, in clear
    FRAME_HEADER = 24,
    FRAME = FRAME_HEADER + PAGE,                 // as SQLite sees it
    SEALED_FRAME = IV_BYTES + FRAME + TAG_BYTES, // as it is on disk
    BATCH_FRAMES = 31, // gathered into one write; SQLite's Unix VFS takes less than 128 KiB at once
};

_Static_assert(BATCH_FRAMES * SEALED_FRAME < 128 * 1024, "fits one write of SQLite's Unix VFS");
_Static_assert(IV_BYTES + TAG_BYTES == VFS_SEAL_RESERVED_BYTES, "IV and tag fill the reserved bytes");

struct vfs_seal {
    sqlite3_vfs vfs;
    sqlite3_vfs *real;
    char name[40];
    EVP_CIPHER_CTX *seal, *open;
    uint64_t iv_random, iv_counter;
    struct seal_file *wal; // the one that is open, or NULL
    uint8_t page[PAGE];
    uint8_t frame[FRAME];
    uint8_t sealed[SEALED_FRAME];
};

// What of a frame was written and is not sealed yet. SQLite writes a frame's header and its page one
// after the other; when it rewrites one of them alone, the other comes from the file.
enum { HAVE_HEADER = 1, HAVE_PAGE = 2, HAVE_ALL = 3 };

struct wal {
    uint64_t frame; // number of the frame in the making
    unsigned have;
    uint8_t text[FRAME];
    uint64_t batch_first; // sealed frames that wait for their write
    unsigned batch_count;
    uint8_t batch[BATCH_FRAMES][SEALED_FRAME];
};

struct seal_file {
    sqlite3_file base;
    struct vfs_seal *v;
    struct wal *wal; // NULL: the database itself
    sqlite3_file *real;
};

// --- Sealing ------------------------------------------------------------------------------------

static void put_u64(uint8_t *p, uint64_t n) {
    for (unsigned i = 0; i < 8; i++)
        p[i] = (uint8_t)(n >> (8 * i));
}

static void next_iv(struct vfs_seal *v, uint8_t iv[IV_BYTES]) {
    if (++v->iv_counter == 0)
        v->iv_random++;
    put_u64(iv, v->iv_random);
    put_u64(iv + 8, v->iv_counter);
}

static void make_aad(const char kind[8], uint64_t number, uint8_t aad[16]) {
    memcpy(aad, kind, 8);
    put_u64(aad + 8, number);
}

static const char kind_page[8] = "page", kind_frame[8] = "frame";

static bool seal(struct vfs_seal *v, const char kind[8], uint64_t number, const uint8_t *text, int n,
                 uint8_t *dst, uint8_t iv[IV_BYTES], uint8_t tag[TAG_BYTES]) {
    uint8_t aad[16];
    int done, last;
    make_aad(kind, number, aad);
    next_iv(v, iv);
    return EVP_EncryptInit_ex(v->seal, NULL, NULL, NULL, iv) == 1 &&
           EVP_EncryptUpdate(v->seal, NULL, &done, aad, sizeof aad) == 1 &&
           EVP_EncryptUpdate(v->seal, dst, &done, text, n) == 1 &&
           EVP_EncryptFinal_ex(v->seal, dst + done, &last) == 1 &&
           EVP_CIPHER_CTX_ctrl(v->seal, EVP_CTRL_AEAD_GET_TAG, TAG_BYTES, tag) == 1;
}

static bool unseal(struct vfs_seal *v, const char kind[8], uint64_t number, const uint8_t *sealed, int n,
                   uint8_t *dst, const uint8_t iv[IV_BYTES], const uint8_t tag[TAG_BYTES]) {
    uint8_t aad[16], expected[TAG_BYTES];
    int done, last;
    make_aad(kind, number, aad);
    memcpy(expected, tag, TAG_BYTES);
    return EVP_DecryptInit_ex(v->open, NULL, NULL, NULL, iv) == 1 &&
           EVP_DecryptUpdate(v->open, NULL, &done, aad, sizeof aad) == 1 &&
           EVP_DecryptUpdate(v->open, dst, &done, sealed, n) == 1 &&
           EVP_CIPHER_CTX_ctrl(v->open, EVP_CTRL_AEAD_SET_TAG, TAG_BYTES, expected) == 1 &&
           EVP_DecryptFinal_ex(v->open, dst + done, &last) == 1;
}

// --- The database file --------------------------------------------------------------------------

static int real_read(struct seal_file *s, void *p, int n, sqlite3_int64 at) {
    return s->real->pMethods->xRead(s->real, p, n, at);
}

static int real_write(struct seal_file *s, const void *p, int n, sqlite3_int64 at) {
    return s->real->pMethods->xWrite(s->real, p, n, at);
}

// A read behind the end of the file is SQLite's business, a page cut in half is damage.
static int short_read(struct seal_file *s, sqlite3_int64 at) {
    sqlite3_int64 size;
    int rc = s->real->pMethods->xFileSize(s->real, &size);
    if (rc != SQLITE_OK)
        return rc;
    return at >= size ? SQLITE_IOERR_SHORT_READ : SQLITE_IOERR_DATA;
}

static int page_read(struct seal_file *s, sqlite3_int64 number, uint8_t dst[PAGE]) {
    sqlite3_int64 at = number * PAGE;
    int rc = real_read(s, dst, PAGE, at);
    if (rc == SQLITE_IOERR_SHORT_READ)
        return short_read(s, at);
    if (rc != SQLITE_OK)
        return rc;
    const uint8_t *iv = dst + PAGE_TEXT, *tag = iv + IV_BYTES;
    if (!unseal(s->v, kind_page, (uint64_t)number, dst, PAGE_TEXT, dst, iv, tag))
        return SQLITE_IOERR_DATA;
    memset(dst + PAGE_TEXT, 0, PAGE - PAGE_TEXT);
    return SQLITE_OK;
}

// SQLite reads whole pages, and pieces of the first one when it opens the file.
static int db_read(struct seal_file *s, uint8_t *dst, int n, sqlite3_int64 at) {
    sqlite3_int64 number = at / PAGE, from = at % PAGE;
    int rc = SQLITE_IOERR_READ;
    if (from == 0 && n == PAGE) {
        rc = page_read(s, number, dst);
    } else if (n >= 0 && from + n <= PAGE) {
        rc = page_read(s, number, s->v->page);
        if (rc == SQLITE_OK)
            memcpy(dst, s->v->page + from, (size_t)n);
    }
    if (rc != SQLITE_OK)
        memset(dst, 0, (size_t)n);
    return rc;
}

static int db_write(struct seal_file *s, const uint8_t *src, int n, sqlite3_int64 at) {
    uint8_t *page = s->v->page;
    if (n != PAGE || at % PAGE != 0)
        return SQLITE_IOERR_WRITE;
    uint8_t *iv = page + PAGE_TEXT, *tag = iv + IV_BYTES;
    if (!seal(s->v, kind_page, (uint64_t)(at / PAGE), src, PAGE_TEXT, page, iv, tag))
        return SQLITE_IOERR_WRITE;
    return real_write(s, page, PAGE, at);
}

// --- The write-ahead log ------------------------------------------------------------------------

static sqlite3_int64 frame_at(uint64_t frame) {
    return (sqlite3_int64)(WAL_HEADER + frame * SEALED_FRAME);
}

// Logical size of a WAL of so many bytes on disk, and back. Half a frame counts as none.
static sqlite3_int64 wal_logical(sqlite3_int64 size) {
    return size < WAL_HEADER ? size : WAL_HEADER + (size - WAL_HEADER) / SEALED_FRAME * FRAME;
}

static sqlite3_int64 wal_physical(sqlite3_int64 size) {
    return size < WAL_HEADER ? size : WAL_HEADER + (size - WAL_HEADER) / FRAME * SEALED_FRAME;
}

static bool in_batch(const struct wal *w, uint64_t frame) {
    return frame >= w->batch_first && frame - w->batch_first < w->batch_count;
}

// On failure the batch stays and is tried again with the next write; meanwhile reads are served from it.
static int batch_flush(struct seal_file *s) {
    struct wal *w = s->wal;
    if (w->batch_count == 0)
        return SQLITE_OK;
    int rc = real_write(s, w->batch, (int)(w->batch_count * SEALED_FRAME), frame_at(w->batch_first));
    if (rc == SQLITE_OK)
        w->batch_count = 0;
    return rc;
}

static int frame_seal(struct seal_file *s, uint64_t frame, const uint8_t text[FRAME]) {
    struct wal *w = s->wal;
    if (!in_batch(w, frame)) {
        if (w->batch_count == BATCH_FRAMES || frame != w->batch_first + w->batch_count) {
            int rc = batch_flush(s);
            if (rc != SQLITE_OK)
                return rc;
        }
        if (w->batch_count == 0)
            w->batch_first = frame;
        w->batch_count++;
    }
    uint8_t *dst = w->batch[frame - w->batch_first];
    return seal(s->v, kind_frame, frame, text, FRAME, dst + IV_BYTES, dst, dst + IV_BYTES + FRAME)
               ? SQLITE_OK
               : SQLITE_IOERR_WRITE;
}

static int frame_open(struct seal_file *s, uint64_t frame, uint8_t ret_text[FRAME]) {
    const uint8_t *sealed = s->v->sealed;
    if (in_batch(s->wal, frame)) {
        sealed = s->wal->batch[frame - s->wal->batch_first];
    } else {
        int rc = real_read(s, s->v->sealed, SEALED_FRAME, frame_at(frame));
        if (rc != SQLITE_OK)
            return rc;
    }
    const uint8_t *iv = sealed, *tag = sealed + IV_BYTES + FRAME;
    return unseal(s->v, kind_frame, frame, sealed + IV_BYTES, FRAME, ret_text, iv, tag) ? SQLITE_OK
                                                                                       : SQLITE_IOERR_DATA;
}

// Completes the frame in the making from the file, if need be, and seals it.
static int frame_settle(struct seal_file *s) {
    struct wal *w = s->wal;
    if (w->have == 0)
        return SQLITE_OK;
    if (w->have != HAVE_ALL) {
        uint8_t *old = s->v->frame;
        int rc = frame_open(s, w->frame, old);
        if (rc == SQLITE_IOERR_SHORT_READ)
            memset(old, 0, FRAME);
        else if (rc != SQLITE_OK)
            return rc;
        if (w->have & HAVE_HEADER)
            memcpy(w->text + FRAME_HEADER, old + FRAME_HEADER, PAGE);
        else
            memcpy(w->text, old, FRAME_HEADER);
    }
    int rc = frame_seal(s, w->frame, w->text);
    if (rc == SQLITE_OK)
        w->have = 0;
    else
        w->have = HAVE_ALL;
    return rc;
}

static int wal_flush(struct seal_file *s) {
    int rc = frame_settle(s);
    return rc == SQLITE_OK ? batch_flush(s) : rc;
}

static int wal_read(struct seal_file *s, uint8_t *dst, int n, sqlite3_int64 at) {
    memset(dst, 0, (size_t)n);
    if (at < WAL_HEADER)
        return at + n <= WAL_HEADER ? real_read(s, dst, n, at) : SQLITE_IOERR_READ;
    uint64_t frame = (uint64_t)(at - WAL_HEADER) / FRAME, from = (uint64_t)(at - WAL_HEADER) % FRAME;
    if (from + (uint64_t)n > FRAME)
        return SQLITE_IOERR_READ;
    int rc = frame_settle(s);
    if (rc == SQLITE_OK)
        rc = frame_open(s, frame, s->v->frame);
    if (rc == SQLITE_OK)
        memcpy(dst, s->v->frame + from, (size_t)n);
    else if (rc == SQLITE_IOERR_DATA && n == FRAME)
        return SQLITE_OK; // recovery takes zeros for the end of the log
    return rc;
}

// A piece of a frame that is neither its header nor its page.
static int wal_patch(struct seal_file *s, uint64_t frame, uint64_t from, const uint8_t *src, int n) {
    uint8_t *text = s->v->frame;
    int rc = frame_settle(s);
    if (rc == SQLITE_OK)
        rc = frame_open(s, frame, text);
    if (rc == SQLITE_IOERR_SHORT_READ)
        memset(text, 0, FRAME);
    else if (rc != SQLITE_OK)
        return rc;
    memcpy(text + from, src, (size_t)n);
    return frame_seal(s, frame, text);
}

static int wal_write(struct seal_file *s, const uint8_t *src, int n, sqlite3_int64 at) {
    struct wal *w = s->wal;
    if (at < WAL_HEADER) {
        int rc = at + n <= WAL_HEADER ? wal_flush(s) : SQLITE_IOERR_WRITE;
        return rc == SQLITE_OK ? real_write(s, src, n, at) : rc;
    }
    uint64_t frame = (uint64_t)(at - WAL_HEADER) / FRAME, from = (uint64_t)(at - WAL_HEADER) % FRAME;
    if (from + (uint64_t)n > FRAME)
        return SQLITE_IOERR_WRITE;
    bool header = from == 0 && n == FRAME_HEADER, page = from == FRAME_HEADER && n == PAGE;
    if (!header && !page)
        return wal_patch(s, frame, from, src, n);
    if (w->have != 0 && w->frame != frame) {
        int rc = frame_settle(s);
        if (rc != SQLITE_OK)
            return rc;
    }
    w->frame = frame;
    w->have |= header ? HAVE_HEADER : HAVE_PAGE;
    memcpy(w->text + from, src, (size_t)n);
    return w->have == HAVE_ALL ? frame_settle(s) : SQLITE_OK;
}

// --- Methods of a file --------------------------------------------------------------------------

static struct seal_file *file_of(sqlite3_file *f) {
    return (struct seal_file *)(void *)f;
}

static int x_close(sqlite3_file *f) {
    struct seal_file *s = file_of(f);
    int flushed = s->wal ? wal_flush(s) : SQLITE_OK;
    if (s->wal) {
        OPENSSL_clear_free(s->wal, sizeof *s->wal);
        s->wal = NULL;
        s->v->wal = NULL;
    }
    int rc = s->real->pMethods->xClose(s->real);
    return rc == SQLITE_OK ? flushed : rc;
}

static int x_read(sqlite3_file *f, void *dst, int n, sqlite3_int64 at) {
    struct seal_file *s = file_of(f);
    return s->wal ? wal_read(s, dst, n, at) : db_read(s, dst, n, at);
}

static int x_write(sqlite3_file *f, const void *src, int n, sqlite3_int64 at) {
    struct seal_file *s = file_of(f);
    return s->wal ? wal_write(s, src, n, at) : db_write(s, src, n, at);
}

static int x_truncate(sqlite3_file *f, sqlite3_int64 size) {
    struct seal_file *s = file_of(f);
    if (s->wal) {
        int rc = wal_flush(s);
        if (rc != SQLITE_OK)
            return rc;
        size = wal_physical(size);
    }
    return s->real->pMethods->xTruncate(s->real, size);
}

static int x_sync(sqlite3_file *f, int flags) {
    struct seal_file *s = file_of(f);
    int rc = s->wal ? wal_flush(s) : SQLITE_OK;
    return rc == SQLITE_OK ? s->real->pMethods->xSync(s->real, flags) : rc;
}

static int x_file_size(sqlite3_file *f, sqlite3_int64 *ret_size) {
    struct seal_file *s = file_of(f);
    int rc = s->wal ? wal_flush(s) : SQLITE_OK;
    if (rc == SQLITE_OK)
        rc = s->real->pMethods->xFileSize(s->real, ret_size);
    if (rc == SQLITE_OK && s->wal)
        *ret_size = wal_logical(*ret_size);
    return rc;
}

static int x_lock(sqlite3_file *f, int level) {
    struct seal_file *s = file_of(f);
    return s->real->pMethods->xLock(s->real, level);
}

static int x_unlock(sqlite3_file *f, int level) {
    struct seal_file *s = file_of(f);
    return s->real->pMethods->xUnlock(s->real, level);
}

static int x_check_reserved_lock(sqlite3_file *f, int *ret_reserved) {
    struct seal_file *s = file_of(f);
    return s->real->pMethods->xCheckReservedLock(s->real, ret_reserved);
}

static int x_file_control(sqlite3_file *f, int op, void *arg) {
    struct seal_file *s = file_of(f);
    switch (op) {
    case SQLITE_FCNTL_COMMIT_PHASETWO: // so that what was committed survives the end of the process
        if (s->v->wal)
            (void)wal_flush(s->v->wal); // kept and tried again when it fails
        return SQLITE_OK;
    case SQLITE_FCNTL_SIZE_HINT:
    case SQLITE_FCNTL_CHUNK_SIZE:
    case SQLITE_FCNTL_MMAP_SIZE:
        return SQLITE_NOTFOUND;
    default:
        return s->real->pMethods->xFileControl(s->real, op, arg);
    }
}

static int x_sector_size(sqlite3_file *f) {
    struct seal_file *s = file_of(f);
    return s->real->pMethods->xSectorSize(s->real);
}

// Nothing written through us is atomic but for what is said here.
static int x_device_characteristics(sqlite3_file *f) {
    struct seal_file *s = file_of(f);
    return s->real->pMethods->xDeviceCharacteristics(s->real) & SQLITE_IOCAP_POWERSAFE_OVERWRITE;
}

// Version 1: neither shared memory nor mmap exists.
static const sqlite3_io_methods methods = {
    .iVersion = 1,
    .xClose = x_close,
    .xRead = x_read,
    .xWrite = x_write,
    .xTruncate = x_truncate,
    .xSync = x_sync,
    .xFileSize = x_file_size,
    .xLock = x_lock,
    .xUnlock = x_unlock,
    .xCheckReservedLock = x_check_reserved_lock,
    .xFileControl = x_file_control,
    .xSectorSize = x_sector_size,
    .xDeviceCharacteristics = x_device_characteristics,
};

// --- Methods of the VFS -------------------------------------------------------------------------

static struct vfs_seal *vfs_of(sqlite3_vfs *v) {
    return v->pAppData;
}

static int x_open(sqlite3_vfs *vfs, const char *name, sqlite3_file *f, int flags, int *ret_flags) {
    struct vfs_seal *v = vfs_of(vfs);
    struct seal_file *s = file_of(f);
    memset(s, 0, sizeof *s);
    bool is_wal = (flags & SQLITE_OPEN_WAL) != 0;
    if (!name || (!is_wal && !(flags & SQLITE_OPEN_MAIN_DB)) || (is_wal && v->wal))
        return SQLITE_CANTOPEN;
    s->v = v;
    s->real = (sqlite3_file *)(void *)(s + 1);
    int rc = v->real->xOpen(v->real, name, s->real, flags, ret_flags);
    if (rc == SQLITE_OK && is_wal) {
        s->wal = OPENSSL_zalloc(sizeof *s->wal);
        v->wal = s;
        rc = s->wal ? SQLITE_OK : SQLITE_NOMEM;
    }
    if (rc != SQLITE_OK) {
        if (s->real->pMethods)
            s->real->pMethods->xClose(s->real);
        v->wal = is_wal ? NULL : v->wal;
        return rc;
    }
    s->base.pMethods = &methods;
    return SQLITE_OK;
}

static int x_delete(sqlite3_vfs *vfs, const char *name, int sync_dir) {
    struct vfs_seal *v = vfs_of(vfs);
    return v->real->xDelete(v->real, name, sync_dir);
}

// A journal beside our database is nobody's of ours: it must not be played back.
static int x_access(sqlite3_vfs *vfs, const char *name, int flags, int *ret_is) {
    static const char journal[] = "-journal";
    struct vfs_seal *v = vfs_of(vfs);
    size_t n = strlen(name), j = sizeof journal - 1;
    if (n >= j && memcmp(name + n - j, journal, j) == 0) {
        *ret_is = 0;
        return SQLITE_OK;
    }
    return v->real->xAccess(v->real, name, flags, ret_is);
}

// A relative path stays one: the folders above the archive's own need not be readable for us.
static int x_full_pathname(sqlite3_vfs *vfs, const char *name, int n, char *dst) {
    (void)vfs;
    int got = snprintf(dst, (size_t)n, "%s", name);
    return got < 0 || got >= n ? SQLITE_CANTOPEN : SQLITE_OK;
}

static int x_randomness(sqlite3_vfs *vfs, int n, char *dst) {
    (void)vfs;
    return RAND_bytes((unsigned char *)dst, n) == 1 ? n : 0;
}

static int x_sleep(sqlite3_vfs *vfs, int us) {
    struct vfs_seal *v = vfs_of(vfs);
    return v->real->xSleep(v->real, us);
}

static int x_current_time(sqlite3_vfs *vfs, double *ret_day) {
    struct vfs_seal *v = vfs_of(vfs);
    return v->real->xCurrentTime(v->real, ret_day);
}

static int x_get_last_error(sqlite3_vfs *vfs, int n, char *dst) {
    struct vfs_seal *v = vfs_of(vfs);
    return v->real->xGetLastError(v->real, n, dst);
}

static void vfs_methods(struct vfs_seal *v) {
    v->vfs = (sqlite3_vfs){
        .iVersion = 1,
        .szOsFile = (int)sizeof(struct seal_file) + v->real->szOsFile,
        .mxPathname = v->real->mxPathname,
        .zName = v->name,
        .pAppData = v,
        .xOpen = x_open,
        .xDelete = x_delete,
        .xAccess = x_access,
        .xFullPathname = x_full_pathname,
        .xRandomness = x_randomness,
        .xSleep = x_sleep,
        .xCurrentTime = x_current_time,
        .xGetLastError = x_get_last_error,
    };
}

static bool ciphers_init(struct vfs_seal *v, const uint8_t key[VFS_SEAL_KEY_BYTES]) {
    v->seal = EVP_CIPHER_CTX_new();
    v->open = EVP_CIPHER_CTX_new();
    return v->seal && v->open && EVP_EncryptInit_ex(v->seal, EVP_aes_256_gcm(), NULL, NULL, NULL) == 1 &&
           EVP_CIPHER_CTX_ctrl(v->seal, EVP_CTRL_AEAD_SET_IVLEN, IV_BYTES, NULL) == 1 &&
           EVP_EncryptInit_ex(v->seal, NULL, NULL, key, NULL) == 1 &&
           EVP_DecryptInit_ex(v->open, EVP_aes_256_gcm(), NULL, NULL, NULL) == 1 &&
           EVP_CIPHER_CTX_ctrl(v->open, EVP_CTRL_AEAD_SET_IVLEN, IV_BYTES, NULL) == 1 &&
           EVP_DecryptInit_ex(v->open, NULL, NULL, key, NULL) == 1 &&
           RAND_bytes((uint8_t *)&v->iv_random, sizeof v->iv_random) == 1 &&
           RAND_bytes((uint8_t *)&v->iv_counter, sizeof v->iv_counter) == 1;
}

enum err vfs_seal_new(const uint8_t key[VFS_SEAL_KEY_BYTES], struct fault *f, struct vfs_seal **ret_vfs) {
    struct vfs_seal *v = OPENSSL_zalloc(sizeof *v);
    if (!v)
        return fault_set(f, ERR_NO_MEMORY, "index: no memory to open it");
    v->real = sqlite3_vfs_find(NULL);
    snprintf(v->name, sizeof v->name, "galena-%p", (void *)v);
    if (!v->real || !ciphers_init(v, key)) {
        vfs_seal_free(v);
        return fault_set(f, ERR_NO_MEMORY, "index: no cipher or file system");
    }
    vfs_methods(v);
    if (sqlite3_vfs_register(&v->vfs, 0) != SQLITE_OK) {
        vfs_seal_free(v);
        return fault_set(f, ERR_NO_MEMORY, "index: cannot register its file system");
    }
    *ret_vfs = v;
    return OK;
}

void vfs_seal_free(struct vfs_seal *v) {
    if (!v)
        return;
    if (v->vfs.zName)
        sqlite3_vfs_unregister(&v->vfs);
    EVP_CIPHER_CTX_free(v->seal); // wipes the key
    EVP_CIPHER_CTX_free(v->open);
    OPENSSL_clear_free(v, sizeof *v);
}

// --- A connection -------------------------------------------------------------------------------

static int is_wal_callback(void *arg, int n, char **values, char **names) {
    (void)names;
    *(bool *)arg = n == 1 && values[0] && strcmp(values[0], "wal") == 0;
    return 0;
}

// A new database gets its WAL mode in a first write of its own, whose journal is kept in memory.
static int enter_wal(sqlite3 *db) {
    bool is_wal = false;
    int rc = sqlite3_exec(db, "PRAGMA journal_mode", is_wal_callback, &is_wal, NULL);
    if (rc != SQLITE_OK || is_wal)
        return rc;
    static const char enter[] = "PRAGMA journal_mode=MEMORY; PRAGMA journal_mode=WAL";
    rc = sqlite3_exec(db, enter, is_wal_callback, &is_wal, NULL);
    return rc == SQLITE_OK && !is_wal ? SQLITE_CANTOPEN : rc;
}

int vfs_seal_open_db(struct vfs_seal *v, const char *path, int flags, sqlite3 **ret_db) {
    static const char setup[] = "PRAGMA page_size=4096; PRAGMA locking_mode=EXCLUSIVE;"
                                "PRAGMA temp_store=MEMORY; PRAGMA mmap_size=0;"
                                "PRAGMA cell_size_check=ON; PRAGMA trusted_schema=OFF";
    int reserved = VFS_SEAL_RESERVED_BYTES;
    flags |= SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE;
    int rc = sqlite3_open_v2(path, ret_db, flags, v->name);
    if (rc == SQLITE_OK)
        rc = sqlite3_file_control(*ret_db, "main", SQLITE_FCNTL_RESERVE_BYTES, &reserved);
    if (rc == SQLITE_OK)
        rc = sqlite3_exec(*ret_db, setup, NULL, NULL, NULL);
    if (rc == SQLITE_OK)
        rc = enter_wal(*ret_db);
    if (rc == SQLITE_OK)
        rc = sqlite3_exec(*ret_db, "PRAGMA synchronous=NORMAL; PRAGMA secure_delete=OFF", NULL, NULL, NULL);
    return rc;
}
