#include "index/index.h"

#include "base/cleanup.h"
#include "index/query_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum {
    CACHE_BYTES = 48 << 20,
    WAL_LIMIT_BYTES = 32 << 20, // a page changed again before it is checkpointed is written to its place once
    SQL_MAX_BYTES = 64 << 10,
    FILE_PATH_MAX = 4096,
};

static const char file_name[] = "index.db";

// --- Statements ---------------------------------------------------------------------------------

void bind_slice(sqlite3_stmt *s, int at, struct slice v) {
    if (v.n)
        sqlite3_bind_text64(s, at, (const char *)v.p, v.n, SQLITE_STATIC, SQLITE_UTF8);
    else
        sqlite3_bind_null(s, at);
}

void bind_blob(sqlite3_stmt *s, int at, struct slice v) {
    if (v.n)
        sqlite3_bind_blob64(s, at, v.p, v.n, SQLITE_STATIC);
    else
        sqlite3_bind_null(s, at);
}

struct slice column_slice(sqlite3_stmt *s, int at) {
    const void *p = sqlite3_column_type(s, at) == SQLITE_BLOB ? sqlite3_column_blob(s, at)
                                                              : (const void *)sqlite3_column_text(s, at);
    return slice_of(p, p ? (size_t)sqlite3_column_bytes(s, at) : 0);
}

struct index_ref column_ref(sqlite3_stmt *s, int at) {
    return (struct index_ref){.segment = (uint32_t)sqlite3_column_int64(s, at),
                              .front_bytes = (uint32_t)sqlite3_column_int64(s, at + 1),
                              .offset = (uint64_t)sqlite3_column_int64(s, at + 2),
                              .length = (uint64_t)sqlite3_column_int64(s, at + 3)};
}

void bind_ref(sqlite3_stmt *s, int at, const struct index_ref *r) {
    sqlite3_bind_int64(s, at, r->segment);
    sqlite3_bind_int64(s, at + 1, r->front_bytes);
    sqlite3_bind_int64(s, at + 2, (int64_t)r->offset);
    sqlite3_bind_int64(s, at + 3, (int64_t)r->length);
}

// After a failure SQLite may have rolled back by itself: what was added since the last commit is gone.
enum err index_fail(struct index *ix, int rc, const char *what, struct fault *f) {
    if (ix->in_transaction && sqlite3_get_autocommit(ix->db)) {
        ix->lost = true;
        index_forget(ix);
    }
    if (schema_error(rc) == ERR_CORRUPT)
        ix->damaged = true;
    return schema_fault(f, rc, what);
}

enum err index_statement(struct index *ix, enum stmt_id id, struct fault *f, sqlite3_stmt **ret_statement) {
    if (!ix->statements[id]) {
        struct buf b = BUF_INIT(SQL_MAX_BYTES);
        const char *sql = index_statement_sql(id, &b);
        int rc = sql ? sqlite3_prepare_v3(ix->db, sql, -1, SQLITE_PREPARE_PERSISTENT, &ix->statements[id],
                                          NULL)
                     : SQLITE_NOMEM;
        buf_fini(&b);
        if (rc != SQLITE_OK)
            return index_fail(ix, rc, "preparing a statement", f);
    }
    *ret_statement = ix->statements[id];
    return OK;
}

enum err index_run(struct index *ix, enum stmt_id id, struct fault *f) {
    sqlite3_stmt *s = NULL;
    enum err e = index_statement(ix, id, f, &s);
    if (e != OK)
        return e;
    int rc = sqlite3_step(s);
    sqlite3_reset(s);
    return rc == SQLITE_DONE || rc == SQLITE_ROW ? OK : index_fail(ix, rc, "a transaction", f);
}

// --- Opening ------------------------------------------------------------------------------------

static enum err path_of(const char *dir, const char *suffix, struct fault *f, char **ret_path) {
    struct buf b = BUF_INIT(FILE_PATH_MAX);
    buf_printf(&b, "%s/%s%s", dir, file_name, suffix);
    buf_u8(&b, 0);
    if (!buf_ok(&b)) {
        buf_fini(&b);
        return fault_set(f, ERR_LIMIT, "index: its path is too long");
    }
    *ret_path = (char *)b.p;
    return OK;
}

static enum err totals_load(struct index *ix, struct fault *f) {
    sqlite3_stmt *s = NULL;
    enum err e = index_statement(ix, ST_TOTAL_GET, f, &s);
    if (e != OK)
        return e;
    int rc = sqlite3_step(s);
    if (rc == SQLITE_ROW)
        ix->totals = (struct totals){sqlite3_column_int64(s, 0), sqlite3_column_int64(s, 1),
                                     sqlite3_column_int64(s, 2), sqlite3_column_int64(s, 3),
                                     sqlite3_column_int64(s, 4)};
    sqlite3_reset(s);
    ix->totals_dirty = false;
    return rc == SQLITE_ROW ? OK : index_fail(ix, rc == SQLITE_DONE ? SQLITE_CORRUPT : rc, "reading totals",
                                              f);
}

static enum err totals_save(struct index *ix, struct fault *f) {
    sqlite3_stmt *s = NULL;
    if (!ix->totals_dirty)
        return OK;
    enum err e = index_statement(ix, ST_TOTAL_SET, f, &s);
    if (e != OK)
        return e;
    const struct totals *t = &ix->totals;
    const int64_t values[] = {t->patients, t->studies, t->series, t->instances, t->beside};
    for (int i = 0; i < 5; i++)
        sqlite3_bind_int64(s, i + 1, values[i]);
    int rc = sqlite3_step(s);
    sqlite3_reset(s);
    if (rc != SQLITE_DONE)
        return index_fail(ix, rc, "saving totals", f);
    ix->totals_dirty = false;
    return OK;
}

static int on_wal(void *arg, sqlite3 *db, const char *name, int frames) {
    (void)db;
    (void)name;
    struct index *ix = arg;
    ix->wal_frames = frames;
    return SQLITE_OK;
}

static int configure(struct index *ix, const struct index_options *options) {
    char sql[160];
    uint32_t cache = options && options->cache_bytes ? options->cache_bytes : CACHE_BYTES;
    uint32_t wal = options && options->wal_limit_bytes ? options->wal_limit_bytes : WAL_LIMIT_BYTES;
    ix->wal_limit_frames = wal / VFS_SEAL_PAGE_BYTES;
    snprintf(sql, sizeof sql,
             "PRAGMA cache_size=-%u; PRAGMA wal_autocheckpoint=0; PRAGMA journal_size_limit=%llu",
             cache / 1024, 4ULL * wal);
    int rc = sqlite3_exec(ix->db, sql, NULL, NULL, NULL);
    sqlite3_wal_hook(ix->db, on_wal, ix);
    return rc;
}

// SQLite would make it readable for all; its log takes the database's mode.
static enum err make_private(const char *path, struct fault *f) {
    int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0)
        return errno == EEXIST ? OK : fault_errno(f, "index: making its file");
    close(fd);
    return OK;
}

static enum err open_db(struct index *ix, const uint8_t *key, const struct index_options *options,
                        struct fault *f) {
    int flags = SQLITE_OPEN_READWRITE | (ix->read_only ? 0 : SQLITE_OPEN_CREATE);
    enum err e = vfs_seal_new(key, f, &ix->vfs);
    if (e == OK && !ix->read_only)
        e = make_private(ix->path, f);
    if (e != OK)
        return e;
    int rc = vfs_seal_open_db(ix->vfs, ix->path, flags, &ix->db);
    if (rc == SQLITE_OK)
        rc = configure(ix, options);
    if (rc == SQLITE_OK)
        rc = walk_register(ix);
    return rc == SQLITE_OK ? OK : schema_fault(f, rc, "opening it");
}

static enum err index_alloc(const char *dir, const struct index_options *options, struct fault *f,
                            struct index **ret_index) {
    struct index *ix = calloc(1, sizeof *ix);
    if (ix)
        ix->uids = calloc(UIDS_CACHED, sizeof *ix->uids);
    if (!ix || !ix->uids) {
        free(ix);
        return fault_set(f, ERR_NO_MEMORY, "index: no memory to open it");
    }
    ix->read_only = options && options->read_only;
    ix->try_rows = TRY_ROWS;
    ix->few_rows = FEW_ROWS;
    enum err e = path_of(dir, "", f, &ix->path);
    if (e != OK) {
        index_close(ix);
        return e;
    }
    *ret_index = ix;
    return OK;
}

static void tell_migration(struct index *ix, const struct index_options *options) {
    int from = 0, to = (int)schema_version;
    if (options && options->migrating && !ix->read_only &&
        schema_get_version(ix->db, &from) == SQLITE_OK && from > 0 && from < to)
        options->migrating(options->arg, from, to);
}

enum err index_open(const char *index_dir, const uint8_t key[INDEX_KEY_BYTES],
                    const struct index_options *options,
                    struct fault *f, struct index **ret_index) {
    struct index *ix;
    int from;
    enum err e = index_alloc(index_dir, options, f, &ix);
    if (e != OK)
        return e;
    e = open_db(ix, key, options, f);
    if (e == OK)
        tell_migration(ix, options);
    if (e == OK)
        e = schema_migrate(ix->db, schema_steps, schema_version, ix->read_only, f, &from);
    if (e == OK && ix->read_only && (size_t)from != schema_version)
        e = fault_set(f, ERR_UNSUPPORTED, "index: its version is %d, and it may not be changed", from);
    if (e == OK)
        e = totals_load(ix, f);
    if (e != OK) {
        index_close(ix);
        return e;
    }
    *ret_index = ix;
    return OK;
}

void index_close(struct index *ix) {
    if (!ix)
        return;
    bug_unless(!ix->queries && !ix->deletions);
    for (int i = 0; i < ST_COUNT_; i++)
        sqlite3_finalize(ix->statements[i]);
    statements_finalize(ix);
    if (ix->db && !sqlite3_get_autocommit(ix->db))
        (void)sqlite3_exec(ix->db, "ROLLBACK", NULL, NULL, NULL);
    bug_unless(sqlite3_close(ix->db) == SQLITE_OK);
    vfs_seal_free(ix->vfs);
    spellings_free(ix);
    free(ix->path);
    free(ix->uids);
    free(ix);
}

enum err index_remove(const char *index_dir, struct fault *f) {
    static const char *const suffixes[] = {"", "-wal", "-shm", "-journal"};
    for (size_t i = 0; i < sizeof suffixes / sizeof *suffixes; i++) {
        char *path;
        enum err e = path_of(index_dir, suffixes[i], f, &path);
        if (e != OK)
            return e;
        int rc = unlink(path);
        free(path);
        if (rc != 0 && errno != ENOENT)
            return fault_errno(f, "index: deleting its files");
    }
    return OK;
}

// --- Transactions -------------------------------------------------------------------------------

void index_forget(struct index *ix) {
    memset(ix->series, 0, sizeof ix->series);
    memset(ix->arrivals, 0, sizeof ix->arrivals);
    memset(ix->uids, 0, UIDS_CACHED * sizeof *ix->uids);
    ix->uids_known = 0;
    ix->counts_wait = false;
}

enum err index_begin(struct index *ix, struct fault *f) {
    if (ix->lost)
        return fault_set(f, ERR_IO,
                         "index: an earlier failure lost the transaction; it must be opened again");
    if (ix->read_only)
        return fault_set(f, ERR_IO, "index: opened for reading only");
    if (ix->in_transaction)
        return OK;
    enum err e = index_run(ix, ST_BEGIN, f);
    ix->in_transaction = e == OK;
    return e;
}

enum index_health index_health(const struct index *ix) {
    return ix->damaged ? INDEX_DAMAGED : ix->lost ? INDEX_LOST : INDEX_SOUND;
}

// A checkpoint that fails harms nothing: the log is longer until the next one.
static void checkpoint(struct index *ix) {
    if (ix->wal_frames < 0 || (uint32_t)ix->wal_frames < ix->wal_limit_frames)
        return;
    if (sqlite3_wal_checkpoint_v2(ix->db, NULL, SQLITE_CHECKPOINT_PASSIVE, NULL, NULL) == SQLITE_OK)
        ix->wal_frames = 0;
}

enum err index_commit(struct index *ix, struct fault *f) {
    if (!ix->in_transaction)
        return OK;
    if (ix->lost)
        return index_begin(ix, f);
    queries_suspend(ix);
    enum err e = series_flush(ix, f);
    if (e == OK)
        e = totals_save(ix, f);
    if (e == OK)
        e = index_run(ix, ST_COMMIT, f);
    if (e != OK) {
        ix->lost = true;
        return e;
    }
    ix->in_transaction = false;
    checkpoint(ix);
    return OK;
}

// Not every commit is synced: what a power loss takes is replayed. The level cannot be changed in a
// transaction, so the sync comes with a second one, of a row that is there for that: the log is synced whole.
enum err index_commit_durable(struct index *ix, struct fault *f) {
    enum err e = index_commit(ix, f);
    if (e != OK)
        return e;
    queries_suspend(ix);
    int rc = sqlite3_exec(ix->db, "PRAGMA synchronous=FULL", NULL, NULL, NULL);
    if (rc == SQLITE_OK)
        rc = sqlite3_exec(ix->db, "UPDATE tick SET n=n+1", NULL, NULL, NULL);
    (void)sqlite3_exec(ix->db, "PRAGMA synchronous=NORMAL", NULL, NULL, NULL);
    return rc == SQLITE_OK ? OK : index_fail(ix, rc, "syncing it", f);
}

enum err index_rollback(struct index *ix, struct fault *f) {
    if (!ix->in_transaction)
        return OK;
    queries_suspend(ix);
    index_forget(ix);
    if (!sqlite3_get_autocommit(ix->db)) {
        enum err e = index_run(ix, ST_ROLLBACK, f);
        if (e != OK)
            return e;
    }
    ix->in_transaction = false;
    ix->lost = false;
    return totals_load(ix, f);
}

// --- Marks --------------------------------------------------------------------------------------

enum err index_set_mark(struct index *ix, const struct index_mark *mark, struct fault *f) {
    sqlite3_stmt *s = NULL;
    enum err e = index_begin(ix, f);
    if (e == OK)
        e = index_statement(ix, ST_MARK_SET, f, &s);
    if (e != OK)
        return e;
    sqlite3_bind_int64(s, 1, mark->segment);
    sqlite3_bind_int64(s, 2, (int64_t)mark->end);
    sqlite3_bind_int64(s, 3, (int64_t)mark->objects);
    sqlite3_bind_int64(s, 4, (int64_t)mark->dead_bytes);
    int rc = sqlite3_step(s);
    sqlite3_reset(s);
    return rc == SQLITE_DONE ? OK : index_fail(ix, rc, "saving a mark", f);
}

static enum err mark_append(struct index_mark **marks, size_t *count, size_t *cap, sqlite3_stmt *s,
                            struct fault *f) {
    if (*count == *cap) {
        size_t more = *cap ? 2 * *cap : 64;
        struct index_mark *p = reallocarray(*marks, more, sizeof **marks);
        if (!p)
            return fault_set(f, ERR_NO_MEMORY, "index: no memory for marks");
        *marks = p;
        *cap = more;
    }
    (*marks)[(*count)++] = (struct index_mark){.segment = (uint32_t)sqlite3_column_int64(s, 0),
                                               .end = (uint64_t)sqlite3_column_int64(s, 1),
                                               .objects = (uint64_t)sqlite3_column_int64(s, 2),
                                               .dead_bytes = (uint64_t)sqlite3_column_int64(s, 3)};
    return OK;
}

enum err index_get_marks(struct index *ix, struct fault *f, struct index_mark **ret_marks,
                         size_t *ret_count) {
    CLEANUP_FREE struct index_mark *marks = NULL;
    size_t count = 0, cap = 0;
    sqlite3_stmt *s = NULL;
    enum err e = index_statement(ix, ST_MARKS, f, &s);
    int rc = SQLITE_DONE;
    while (e == OK && (rc = sqlite3_step(s)) == SQLITE_ROW)
        e = mark_append(&marks, &count, &cap, s, f);
    if (e == OK && rc != SQLITE_DONE)
        e = index_fail(ix, rc, "reading marks", f);
    sqlite3_reset(s);
    if (e != OK)
        return e;
    *ret_marks = TAKE(marks);
    *ret_count = count;
    return OK;
}

// --- Status -------------------------------------------------------------------------------------

enum err index_status(struct index *ix, struct fault *f, struct index_info *ret_info) {
    const struct totals *t = &ix->totals;
    struct index_info info = {.patients = (uint64_t)t->patients,
                              .studies = (uint64_t)t->studies,
                              .series = (uint64_t)t->series,
                              .instances = (uint64_t)t->instances,
                              .beside = (uint64_t)t->beside,
                              .wal_bytes = (uint64_t)ix->wal_frames * VFS_SEAL_PAGE_BYTES,
                              .schema_version = (int)schema_version};
    sqlite3_file *file = NULL;
    sqlite3_int64 size = 0;
    int rc = sqlite3_file_control(ix->db, "main", SQLITE_FCNTL_FILE_POINTER, &file);
    if (rc == SQLITE_OK && file && file->pMethods)
        rc = file->pMethods->xFileSize(file, &size);
    if (rc != SQLITE_OK)
        return index_fail(ix, rc, "asking for its size", f);
    info.file_bytes = (uint64_t)size;
    *ret_info = info;
    return OK;
}

static int check_row(void *arg, int n, char **values, char **names) {
    (void)names;
    *(bool *)arg = n == 1 && values[0] && strcmp(values[0], "ok") == 0;
    return 0;
}

enum err index_check(struct index *ix, struct fault *f) {
    static const char counts[] =
        "SELECT CASE WHEN i=(SELECT ifnull(sum(instance_count),0)FROM series)"
        "AND i=(SELECT ifnull(sum(instance_count),0)FROM study)"
        "AND n=(SELECT ifnull(sum(series_count),0)FROM study)THEN 'ok'ELSE''END "
        "FROM(SELECT(SELECT count(*)FROM instance)AS i,(SELECT count(*)FROM series)AS n)";
    bool sound = false, counted = false;
    enum err e = series_flush(ix, f);
    if (e != OK)
        return e;
    int rc = sqlite3_exec(ix->db, "PRAGMA integrity_check(1)", check_row, &sound, NULL);
    if (rc == SQLITE_OK)
        rc = sqlite3_exec(ix->db, counts, check_row, &counted, NULL);
    if (rc != SQLITE_OK)
        return index_fail(ix, rc, "checking it", f);
    const char *what = sound ? "counts are wrong" : "structure is damaged";
    ix->damaged = ix->damaged || !sound || !counted;
    return sound && counted ? OK : fault_set(f, ERR_CORRUPT, "index: its %s", what);
}
