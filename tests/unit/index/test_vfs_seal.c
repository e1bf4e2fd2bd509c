// The sealing VFS: nothing readable on disk, the same answers as plain SQLite, damage noticed.
#include "bed.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

struct sealed {
    struct vfs_seal *vfs;
    sqlite3 *db;
};

static int sealed_open(const char *path, const uint8_t *key, struct sealed *s) {
    struct fault f = {0};
    assert_int_equal(vfs_seal_new(key, &f, &s->vfs), OK);
    return vfs_seal_open_db(s->vfs, path, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, &s->db);
}

static void sealed_close(struct sealed *s) {
    assert_int_equal(sqlite3_close(s->db), SQLITE_OK);
    vfs_seal_free(s->vfs);
}

static void run(sqlite3 *db, const char *sql) {
    char *message = NULL;
    int rc = sqlite3_exec(db, sql, NULL, NULL, &message);
    if (rc != SQLITE_OK)
        fail_msg("%d %s: %s", rc, message ? message : "", sql);
}

static int sum_row(void *arg, int n, char **values, char **names) {
    (void)names;
    uint64_t *sum = arg;
    for (int i = 0; i < n; i++)
        for (const char *p = values[i] ? values[i] : "NULL"; *p; p++)
            *sum = *sum * 31 + (uint8_t)*p;
    return 0;
}

static uint64_t sum_of(sqlite3 *db, const char *sql) {
    uint64_t sum = 7;
    assert_int_equal(sqlite3_exec(db, sql, sum_row, &sum, NULL), SQLITE_OK);
    return sum;
}

static struct buf file_read(const char *path) {
    struct buf b = BUF_INIT(64 << 20);
    FILE *file = fopen(path, "rb");
    uint8_t part[4096];
    size_t n;
    while (file && (n = fread(part, 1, sizeof part, file)) > 0)
        buf_append(&b, part, n);
    if (file)
        fclose(file);
    return b;
}

static bool file_has(const char *path, const char *text) {
    struct buf b = file_read(path);
    bool has = b.n && memmem(b.p, b.n, text, strlen(text)) != NULL;
    buf_fini(&b);
    return has;
}

static void nothing_is_readable(void **state) {
    (void)state;
    const char *dir = bed_folder();
    char path[256], wal[256];
    struct sealed s;
    bed_path(dir, "a.db", path);
    bed_path(dir, "a.db-wal", wal);
    assert_int_equal(sealed_open(path, bed_key, &s), SQLITE_OK);
    run(s.db, "CREATE TABLE person(name TEXT); INSERT INTO person VALUES('Wilhelmine^Koenig')");
    struct buf log = file_read(wal);
    assert_true(log.n > 4096); // committed: in the file, though the process may end now
    buf_fini(&log);
    assert_false(file_has(wal, "Wilhelmine"));
    assert_false(file_has(wal, "person"));
    run(s.db, "PRAGMA wal_checkpoint(TRUNCATE)");
    assert_false(file_has(path, "Wilhelmine"));
    assert_false(file_has(path, "person"));
    assert_false(file_has(path, "SQLite format"));
    sealed_close(&s);
    assert_int_not_equal(access(wal, F_OK), 0);
    bed_clean(dir);
}

static void other_key_opens_nothing(void **state) {
    (void)state;
    const char *dir = bed_folder();
    const uint8_t other[32] = {1};
    char path[256];
    struct sealed s;
    bed_path(dir, "a.db", path);
    assert_int_equal(sealed_open(path, bed_key, &s), SQLITE_OK);
    run(s.db, "CREATE TABLE t(a)");
    sealed_close(&s);
    assert_int_equal(sealed_open(path, other, &s), SQLITE_IOERR_DATA);
    sealed_close(&s);
    bed_clean(dir);
}

static void no_other_file_is_made(void **state) {
    (void)state;
    const char *dir = bed_folder();
    char path[256], journal[256], shm[256];
    struct sealed s;
    bed_path(dir, "a.db", path);
    bed_path(dir, "a.db-journal", journal);
    bed_path(dir, "a.db-shm", shm);
    assert_int_equal(sealed_open(path, bed_key, &s), SQLITE_OK);
    run(s.db, "CREATE TABLE t(a); INSERT INTO t VALUES(1)");
    assert_int_not_equal(access(journal, F_OK), 0);
    assert_int_not_equal(access(shm, F_OK), 0);
    // leaving WAL mode would need a journal on disk
    assert_int_equal(sqlite3_exec(s.db, "PRAGMA journal_mode=DELETE", NULL, NULL, NULL), SQLITE_CANTOPEN);
    assert_int_not_equal(access(journal, F_OK), 0);
    sealed_close(&s);
    bed_clean(dir);
}

static void random_change(unsigned *seed, char *sql, size_t n) {
    unsigned r = (unsigned)rand_r(seed), row = r / 4 % 500;
    if (r % 4 == 0)
        snprintf(sql, n, "DELETE FROM t WHERE a=%u", row);
    else if (r % 4 == 1)
        snprintf(sql, n, "UPDATE t SET b=b||'+' WHERE a BETWEEN %u AND %u", row, row + 20);
    else
        snprintf(sql, n, "INSERT OR REPLACE INTO t VALUES(%u, hex(zeroblob(%u)))", row, r / 2000 % 900);
}

// The same random work on a sealed database with a tiny cache (so that pages spill into the WAL in the
// middle of a transaction, and are rewritten there) and on a plain one.
static void does_what_plain_sqlite_does(void **state) {
    (void)state;
    const char *dir = bed_folder();
    char path[256], sql[200];
    struct sealed s;
    sqlite3 *plain;
    unsigned seed = 12345;
    bed_path(dir, "a.db", path);
    assert_int_equal(sqlite3_open(":memory:", &plain), SQLITE_OK);
    assert_int_equal(sealed_open(path, bed_key, &s), SQLITE_OK);
    sqlite3 *both[2] = {s.db, plain};
    for (int i = 0; i < 2; i++)
        run(both[i],
            "PRAGMA cache_size=10; CREATE TABLE t(a INTEGER PRIMARY KEY, b TEXT); CREATE INDEX i ON t(b)");
    for (int round = 0; round < 24; round++) {
        const char *begin = round % 3 ? "BEGIN" : "SAVEPOINT x";
        const char *end = round % 5 == 4 ? round % 3 ? "ROLLBACK" : "ROLLBACK TO x; RELEASE x"
                                         : round % 3 ? "COMMIT" : "RELEASE x";
        for (int i = 0; i < 2; i++)
            run(both[i], begin);
        for (int k = 0; k < 40; k++) {
            random_change(&seed, sql, sizeof sql);
            for (int i = 0; i < 2; i++)
                run(both[i], sql);
        }
        for (int i = 0; i < 2; i++)
            run(both[i], end);
        if (round % 7 == 6)
            run(s.db, "PRAGMA wal_checkpoint(PASSIVE)");
        if (round % 10 == 9) {
            sealed_close(&s);
            assert_int_equal(sealed_open(path, bed_key, &s), SQLITE_OK);
            both[0] = s.db;
            run(s.db, "PRAGMA cache_size=10");
        }
        assert_true(sum_of(both[0], "SELECT * FROM t ORDER BY a") == sum_of(both[1],
                                                                            "SELECT * FROM t ORDER BY a"));
    }
    assert_true(sum_of(s.db, "PRAGMA integrity_check") == sum_of(plain, "PRAGMA integrity_check"));
    sealed_close(&s);
    sqlite3_close(plain);
    bed_clean(dir);
}

// A process that is killed leaves its WAL behind: all commits are there, nothing of what was not committed.
static void killed_process_loses_no_commit(void **state) {
    (void)state;
    const char *dir = bed_folder();
    char path[256];
    struct sealed s;
    bed_path(dir, "a.db", path);
    pid_t child = fork();
    if (child == 0) {
        struct fault f = {0};
        if (vfs_seal_new(bed_key, &f, &s.vfs) != OK ||
            vfs_seal_open_db(s.vfs, path, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, &s.db) != SQLITE_OK)
            _exit(1);
        sqlite3_exec(s.db, "CREATE TABLE t(a)", NULL, NULL, NULL);
        for (int i = 0; i < 50; i++)
            sqlite3_exec(s.db, "INSERT INTO t VALUES(1)", NULL, NULL, NULL);
        sqlite3_exec(s.db, "PRAGMA cache_size=5; BEGIN; INSERT INTO t SELECT hex(zeroblob(3000)) FROM t",
                     NULL, NULL,
                     NULL);
        _exit(0);
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    assert_int_equal(sealed_open(path, bed_key, &s), SQLITE_OK);
    assert_true(sum_of(s.db, "SELECT count(*) FROM t") == sum_of(s.db, "SELECT 50"));
    sealed_close(&s);
    bed_clean(dir);
}

static void flip(const char *path, off_t at) {
    int fd = open(path, O_RDWR);
    uint8_t byte;
    assert_int_equal(pread(fd, &byte, 1, at), 1);
    byte ^= 0x10;
    assert_int_equal(pwrite(fd, &byte, 1, at), 1);
    close(fd);
}

// Any flipped bit of the database is an error or, in a page nobody reads, nothing: never another value.
static void flipped_bits_are_noticed(void **state) {
    (void)state;
    const char *dir = bed_folder();
    char path[256];
    struct sealed s;
    struct stat st;
    bed_path(dir, "a.db", path);
    assert_int_equal(sealed_open(path, bed_key, &s), SQLITE_OK);
    run(s.db, "CREATE TABLE t(a); INSERT INTO t VALUES('one')");
    for (int i = 0; i < 9; i++)
        run(s.db, "INSERT INTO t SELECT a || hex(randomblob(9)) FROM t");
    sealed_close(&s);
    assert_int_equal(stat(path, &st), 0);
    for (off_t at = 5; at < st.st_size; at += 4099) {
        flip(path, at);
        int rc = sealed_open(path, bed_key, &s);
        if (rc == SQLITE_OK)
            rc = sqlite3_exec(s.db, "SELECT * FROM t", NULL, NULL, NULL);
        assert_int_equal(rc, SQLITE_IOERR_DATA);
        sealed_close(&s);
        flip(path, at);
    }
    bed_clean(dir);
}

// Pages exchanged with each other, each sealed in good order, are noticed by their number.
static void moved_pages_are_noticed(void **state) {
    (void)state;
    const char *dir = bed_folder();
    char path[256];
    uint8_t page[4096];
    struct sealed s;
    bed_path(dir, "a.db", path);
    assert_int_equal(sealed_open(path, bed_key, &s), SQLITE_OK);
    run(s.db, "CREATE TABLE t(a); INSERT INTO t VALUES('x'); CREATE TABLE u(a); INSERT INTO u VALUES('y')");
    sealed_close(&s);
    int fd = open(path, O_RDWR);
    assert_int_equal(pread(fd, page, 4096, 4096), 4096);
    assert_int_equal(pwrite(fd, page, 4096, 8192), 4096);
    close(fd);
    assert_int_equal(sealed_open(path, bed_key, &s), SQLITE_OK);
    assert_int_equal(sqlite3_exec(s.db, "SELECT * FROM u", NULL, NULL, NULL), SQLITE_IOERR_DATA);
    sealed_close(&s);
    bed_clean(dir);
}

// A frame of the log that was cut or damaged ends the log: what was committed before it is there.
static void damaged_log_ends_at_the_damage(void **state) {
    (void)state;
    const char *dir = bed_folder();
    char path[256], wal[256], copy[256], copy_wal[256];
    struct sealed s;
    bed_path(dir, "a.db", path);
    bed_path(dir, "a.db-wal", wal);
    bed_path(dir, "b.db", copy);
    bed_path(dir, "b.db-wal", copy_wal);
    assert_int_equal(sealed_open(path, bed_key, &s), SQLITE_OK);
    run(s.db, "CREATE TABLE t(a)");
    for (int i = 0; i < 20; i++)
        run(s.db, "INSERT INTO t VALUES(1)");
    struct buf db = file_read(path), log = file_read(wal);
    sealed_close(&s);
    for (size_t cut = 0; cut <= log.n; cut += 3001) {
        FILE *file = fopen(copy, "wb");
        fwrite(db.p, 1, db.n, file);
        fclose(file);
        file = fopen(copy_wal, "wb");
        fwrite(log.p, 1, cut % 2 ? cut : log.n, file);
        fclose(file);
        if (cut % 2 == 0)
            flip(copy_wal, cut < log.n ? (off_t)cut : (off_t)log.n - 1);
        assert_int_equal(sealed_open(copy, bed_key, &s), SQLITE_OK);
        assert_true(sum_of(s.db, "PRAGMA integrity_check") == sum_of(s.db, "SELECT 'ok'"));
        sealed_close(&s);
        unlink(copy);
        unlink(copy_wal);
    }
    buf_fini(&db);
    buf_fini(&log);
    bed_clean(dir);
}

static void sealed_twice_never_looks_the_same(void **state) {
    (void)state;
    const char *dir = bed_folder();
    char path[256];
    struct sealed s;
    struct buf before, after;
    bed_path(dir, "a.db", path);
    assert_int_equal(sealed_open(path, bed_key, &s), SQLITE_OK);
    run(s.db, "CREATE TABLE t(a); INSERT INTO t VALUES(1); PRAGMA wal_checkpoint(TRUNCATE)");
    before = file_read(path);
    run(s.db,
        "UPDATE t SET a=2; PRAGMA wal_checkpoint(TRUNCATE);"
        "UPDATE t SET a=1; PRAGMA wal_checkpoint(TRUNCATE)");
    after = file_read(path);
    assert_int_equal(before.n, after.n);
    assert_memory_not_equal(before.p + 4096, after.p + 4096, 4064);
    assert_memory_not_equal(before.p + 8192 - 32, after.p + 8192 - 32, 16);
    buf_fini(&before);
    buf_fini(&after);
    sealed_close(&s);
    bed_clean(dir);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_is_readable),
        cmocka_unit_test(other_key_opens_nothing),
        cmocka_unit_test(no_other_file_is_made),
        cmocka_unit_test(does_what_plain_sqlite_does),
        cmocka_unit_test(killed_process_loses_no_commit),
        cmocka_unit_test(flipped_bits_are_noticed),
        cmocka_unit_test(moved_pages_are_noticed),
        cmocka_unit_test(damaged_log_ends_at_the_damage),
        cmocka_unit_test(sealed_twice_never_looks_the_same),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
