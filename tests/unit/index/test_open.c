// Opening, migrating, damage, kills and full disks: what a caller gets, and what is there afterwards.
#include "bed.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static const char *dir;

static int setup(void **state) {
    (void)state;
    dir = bed_folder();
    return 0;
}

static int teardown(void **state) {
    (void)state;
    bed_clean(dir);
    return 0;
}

static void fill(struct index *ix, int from, int to) {
    for (int i = from; i < to; i++) {
        struct bed_object b;
        bed_object_init(&b, i / 10, i % 3, i);
        b.o.ref.offset = (uint64_t)i;
        bed_put(&b, INDEX_ATTR_PatientName, "Wilhelmine^Koenig", "wilhelmine^koenig");
        bed_put(&b, INDEX_ATTR_PatientID, "patient-4711", NULL);
        bed_add(ix, &b);
    }
}

static enum err try_open(const uint8_t *key, const struct index_options *options) {
    struct index *ix = NULL;
    struct fault f = {0};
    enum err e = index_open(dir, key, options, &f, &ix);
    assert_true(e == OK || !ix);
    index_close(ix);
    return e;
}

static void what_was_committed_is_there_again(void **state) {
    (void)state;
    struct index *ix = bed_open(dir);
    fill(ix, 0, 500);
    bed_commit(ix);
    fill(ix, 500, 600);
    index_close(ix);
    ix = bed_open(dir);
    assert_int_equal(bed_status(ix).instances, 500);
    assert_int_equal(bed_status(ix).studies, 50);
    assert_int_equal(bed_status(ix).patients, 1);
    assert_true(bed_status(ix).file_bytes > 0);
    assert_int_equal(bed_status(ix).schema_version, schema_version);
    index_close(ix);
}

static void files_are_private(void **state) {
    (void)state;
    static const char *const files[] = {"index.db", "index.db-wal"};
    struct index *ix = bed_open(dir);
    struct stat st;
    char path[256];
    fill(ix, 0, 1);
    bed_commit(ix);
    for (int i = 0; i < 2; i++) {
        bed_path(dir, files[i], path);
        assert_int_equal(stat(path, &st), 0);
        assert_int_equal(st.st_mode & 0777, 0600);
    }
    index_close(ix);
}

static bool file_has(const char *name, const char *text) {
    char path[256];
    struct stat st;
    bed_path(dir, name, path);
    int fd = open(path, O_RDONLY);
    if (fd < 0)
        return false;
    assert_int_equal(fstat(fd, &st), 0);
    uint8_t *p = malloc((size_t)st.st_size + 1);
    assert_int_equal(read(fd, p, (size_t)st.st_size), st.st_size);
    bool has = memmem(p, (size_t)st.st_size, text, strlen(text)) != NULL;
    free(p);
    close(fd);
    return has;
}

static void nothing_of_a_patient_is_readable(void **state) {
    (void)state;
    static const char *const texts[] = {"Wilhelmine", "wilhelmine", "patient-4711", "PatientName", "1.2.840"};
    struct index *ix = bed_open(dir);
    for (int i = 0; i < 3; i++) {
        fill(ix, i * 300, i * 300 + 300);
        bed_commit(ix);
        for (size_t k = 0; k < sizeof texts / sizeof *texts; k++) {
            assert_false(file_has("index.db", texts[k]));
            assert_false(file_has("index.db-wal", texts[k]));
        }
    }
    index_close(ix);
    for (size_t k = 0; k < sizeof texts / sizeof *texts; k++)
        assert_false(file_has("index.db", texts[k]));
}

static void one_process_at_a_time(void **state) {
    (void)state;
    struct index *ix = bed_open(dir);
    fill(ix, 0, 1);
    bed_commit(ix);
    int status;
    pid_t child = fork();
    if (child == 0)
        _exit((int)try_open(bed_key, NULL));
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(WEXITSTATUS(status), ERR_BUSY);
    index_close(ix);
    assert_int_equal(try_open(bed_key, NULL), OK);
}

static void another_key_says_rebuild(void **state) {
    (void)state;
    const uint8_t other[INDEX_KEY_BYTES] = {9};
    struct fault f = {0};
    assert_int_equal(try_open(bed_key, NULL), OK);
    assert_int_equal(try_open(other, NULL), ERR_CORRUPT);
    assert_int_equal(index_remove(dir, &f), OK);
    assert_int_equal(index_remove(dir, &f), OK); // nothing there: fine
    assert_int_equal(try_open(other, NULL), OK);
}

static void missing_folder_is_an_error(void **state) {
    (void)state;
    struct index *ix = NULL;
    struct fault f = {0};
    assert_int_equal(index_open("/nonexistent/folder", bed_key, NULL, &f, &ix), ERR_IO);
    assert_null(ix);
}

static void read_only_changes_nothing(void **state) {
    (void)state;
    struct index_options options = {.read_only = true};
    struct index *ix = NULL;
    struct fault f = {0};
    assert_int_not_equal(try_open(bed_key, &options), OK); // it is not made
    ix = bed_open(dir);
    fill(ix, 0, 10);
    bed_commit(ix);
    index_close(ix);
    assert_int_equal(index_open(dir, bed_key, &options, &f, &ix), OK);
    assert_int_equal(bed_status(ix).instances, 10);
    struct index_mark mark = {1, 2, 3, 4};
    assert_int_equal(index_set_mark(ix, &mark, &f), ERR_IO);
    index_close(ix);
}

// --- Damage -------------------------------------------------------------------------------------

static void flip(const char *path, off_t at) {
    int fd = open(path, O_RDWR);
    uint8_t byte;
    assert_int_equal(pread(fd, &byte, 1, at), 1);
    byte ^= 1;
    assert_int_equal(pwrite(fd, &byte, 1, at), 1);
    close(fd);
}

// Wherever a bit flips: opening, checking or asking says ERR_CORRUPT, and nothing else goes wrong.
static void damage_says_rebuild(void **state) {
    (void)state;
    char path[256];
    struct stat st;
    struct index *ix = bed_open(dir);
    fill(ix, 0, 400);
    bed_commit(ix);
    index_close(ix);
    bed_path(dir, "index.db", path);
    assert_int_equal(stat(path, &st), 0);
    assert_true(st.st_size > 20 * 4096);
    for (off_t at = 100; at < st.st_size; at += 4096) {
        struct fault f = {0};
        flip(path, at);
        enum err e = index_open(dir, bed_key, NULL, &f, &ix);
        if (e == OK) {
            e = index_check(ix, &f);
            index_close(ix);
        }
        if (e != ERR_CORRUPT)
            fail_msg("damage at %lld: %s", (long long)at, err_name(e));
        flip(path, at);
    }
    assert_int_equal(truncate(path, st.st_size - 4096), 0);
    struct fault f = {0};
    enum err e = index_open(dir, bed_key, NULL, &f, &ix);
    if (e == OK) {
        e = index_check(ix, &f);
        index_close(ix);
    }
    assert_int_equal(e, ERR_CORRUPT);
}

// Damage that shows only while it is open: the owner is told what to do.
static void damage_while_open_is_told_from_other_failures(void **state) {
    (void)state;
    char path[256];
    struct stat st;
    struct fault f = {0};
    struct bed_object b;
    enum index_outcome outcome;
    struct index *ix = bed_open(dir);
    fill(ix, 0, 400);
    bed_commit(ix);
    index_close(ix);
    bed_path(dir, "index.db", path);
    assert_int_equal(stat(path, &st), 0);
    struct index_options options = {.cache_bytes = 16 << 10};
    assert_int_equal(index_open(dir, bed_key, &options, &f, &ix), OK);
    bed_object_init(&b, 1, 1, 1);
    b.o.study = SLICE_LIT("no UID");
    assert_int_equal(bed_try_add(ix, &b, &outcome), ERR_UID);
    assert_int_equal(index_health(ix), INDEX_SOUND);
    for (off_t at = 4096 + 100; at < st.st_size; at += 4096)
        flip(path, at);
    enum err e = OK;
    for (int i = 0; i < 400 && e == OK; i++) {
        bed_object_init(&b, 1000 + i, 1, 1);
        e = bed_try_add(ix, &b, &outcome);
    }
    assert_int_equal(e, ERR_CORRUPT);
    assert_int_equal(index_health(ix), INDEX_DAMAGED);
    index_close(ix);
    assert_int_equal(index_remove(dir, &f), OK);
    ix = bed_open(dir);
    assert_int_equal(index_health(ix), INDEX_SOUND);
    index_close(ix);
}

static void wrong_counts_are_noticed(void **state) {
    (void)state;
    struct fault f = {0};
    struct index *ix = bed_open(dir);
    fill(ix, 0, 10);
    bed_commit(ix);
    assert_int_equal(index_check(ix, &f), OK);
    assert_int_equal(sqlite3_exec(ix->db, "UPDATE study SET instance_count=99", NULL, NULL, NULL), SQLITE_OK);
    assert_int_equal(index_check(ix, &f), ERR_CORRUPT);
    index_close(ix);
}

// --- Marks --------------------------------------------------------------------------------------

static void marks_come_back_in_order(void **state) {
    (void)state;
    static const struct index_mark marks[] = {{7, 1, 2, 3}, {1, UINT64_MAX >> 1, 5, 6},
                                              {UINT32_MAX, 0, 0, 0}};
    struct index_mark *got = NULL;
    struct fault f = {0};
    size_t n = 99;
    struct index *ix = bed_open(dir);
    assert_int_equal(index_get_marks(ix, &f, &got, &n), OK);
    assert_int_equal(n, 0);
    free(got);
    for (int i = 0; i < 3; i++)
        assert_int_equal(index_set_mark(ix, &marks[i], &f), OK);
    bed_commit(ix);
    assert_int_equal(index_set_mark(ix, &(struct index_mark){7, 100, 2, 3}, &f), OK);
    index_close(ix); // the last one was not committed
    ix = bed_open(dir);
    assert_int_equal(index_get_marks(ix, &f, &got, &n), OK);
    assert_int_equal(n, 3);
    assert_int_equal(got[0].segment, 1);
    assert_true(got[0].end == UINT64_MAX >> 1);
    assert_int_equal(got[1].segment, 7);
    assert_int_equal(got[1].end, 1);
    assert_int_equal(got[2].segment, UINT32_MAX);
    free(got);
    for (uint32_t i = 0; i < 200; i++)
        assert_int_equal(index_set_mark(ix, &(struct index_mark){i, 1, 1, 1}, &f), OK);
    assert_int_equal(index_get_marks(ix, &f, &got, &n), OK);
    assert_int_equal(n, 201);
    free(got);
    index_close(ix);
}

// --- Kills --------------------------------------------------------------------------------------

// Adds and commits for ever; writes one byte for each commit that returned.
static void child_adds(int pipe_end) {
    struct index *ix = bed_open(dir);
    struct fault f = {0};
    struct index_mark *marks = NULL;
    size_t n = 0;
    index_get_marks(ix, &f, &marks, &n);
    int at = n ? (int)marks[0].objects : 0;
    free(marks);
    for (;;) {
        fill(ix, at, at + 37);
        at += 37;
        struct index_mark mark = {1, (uint64_t)at, (uint64_t)at, 0};
        if (index_set_mark(ix, &mark, &f) != OK || index_commit(ix, &f) != OK || write(pipe_end, "c", 1) != 1)
            _exit(1);
    }
}

static uint64_t mark_and_instances_agree(void) {
    struct index *ix = bed_open(dir);
    struct index_mark *marks = NULL;
    struct fault f = {0};
    size_t n = 0;
    assert_int_equal(index_check(ix, &f), OK);
    assert_int_equal(index_get_marks(ix, &f, &marks, &n), OK);
    uint64_t objects = n ? marks[0].objects : 0;
    assert_int_equal(bed_status(ix).instances, objects);
    free(marks);
    index_close(ix);
    return objects;
}

static void kills_keep_marks_and_rows_together(void **state) {
    (void)state;
    uint64_t known = 0;
    for (int round = 0; round < 15; round++) {
        int ends[2], status;
        char c[4096];
        assert_int_equal(pipe(ends), 0);
        pid_t child = fork();
        if (child == 0)
            child_adds(ends[1]);
        close(ends[1]);
        usleep((useconds_t)(2000 + 7919 * round % 60000));
        kill(child, SIGKILL);
        assert_int_equal(waitpid(child, &status, 0), child);
        for (ssize_t got; (got = read(ends[0], c, sizeof c)) > 0;)
            known += 37 * (uint64_t)got;
        close(ends[0]);
        uint64_t there = mark_and_instances_agree();
        assert_true(there >= known); // all commits that returned
        known = there;
    }
    assert_true(known > 0);
}

// --- A full disk --------------------------------------------------------------------------------

static void limit_files(rlim_t bytes) {
    struct rlimit l;
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &l), 0);
    l.rlim_cur = bytes;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &l), 0);
}

static enum err add_one(struct index *ix, int i) {
    struct bed_object b;
    enum index_outcome outcome;
    bed_object_init(&b, i, 1, 1);
    return bed_try_add(ix, &b, &outcome);
}

static void full_disk_loses_only_what_was_not_committed(void **state) {
    (void)state;
    struct index_options options = {.cache_bytes = 64 << 10};
    struct index *ix;
    struct fault f = {0};
    enum err e = OK;
    signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(index_open(dir, bed_key, &options, &f, &ix), OK);
    int i = 0;
    for (; i < 100; i++)
        assert_int_equal(add_one(ix, i), OK);
    bed_commit(ix);
    limit_files(600 << 10);
    for (; i < 100000 && e == OK; i++)
        e = add_one(ix, i);
    assert_true(e == ERR_IO || e == ERR_NO_SPACE);
    e = index_commit(ix, &f);
    limit_files(RLIM_INFINITY);
    if (e != OK) { // lost: it says so until it is opened again
        f = (struct fault){0};
        assert_int_not_equal(add_one(ix, i), OK);
        assert_int_not_equal(index_commit(ix, &f), OK);
        assert_int_equal(index_health(ix), INDEX_LOST);
    }
    index_close(ix);
    ix = bed_open(dir);
    f = (struct fault){0};
    assert_int_equal(index_check(ix, &f), OK);
    assert_true(bed_status(ix).instances >= 100);
    if (e != OK)
        assert_int_equal(bed_status(ix).instances, 100);
    assert_int_equal(add_one(ix, 200000), OK);
    bed_commit(ix);
    index_close(ix);
}

// --- Migrations ---------------------------------------------------------------------------------

static const char *const steps[] = {
    "CREATE TABLE a(x); INSERT INTO a VALUES(1)",
    "ALTER TABLE a ADD COLUMN y; UPDATE a SET y=x+1",
    "CREATE TABLE b AS SELECT y FROM a; INSERT INTO nowhere VALUES(1)",
};

static int number(sqlite3 *db, const char *sql) {
    sqlite3_stmt *s = NULL;
    int n = -1;
    if (sqlite3_prepare_v2(db, sql, -1, &s, NULL) == SQLITE_OK && sqlite3_step(s) == SQLITE_ROW)
        n = sqlite3_column_int(s, 0);
    sqlite3_finalize(s);
    return n;
}

static void migrations_are_whole_or_nothing(void **state) {
    (void)state;
    sqlite3 *db;
    struct fault f = {0};
    int from = 99;
    assert_int_equal(sqlite3_open(":memory:", &db), SQLITE_OK);
    assert_int_equal(schema_migrate(db, steps, 1, true, &f, &from), OK); // tried only
    assert_int_equal(from, 0);
    assert_int_equal(number(db, "SELECT count(*) FROM sqlite_master"), 0);
    assert_int_equal(schema_migrate(db, steps, 1, false, &f, &from), OK);
    assert_int_equal(number(db, "PRAGMA user_version"), 1);
    assert_int_equal(schema_migrate(db, steps, 3, false, &f, &from), ERR_CORRUPT); // the third fails
    assert_int_equal(from, 1);
    assert_int_equal(number(db, "PRAGMA user_version"), 1);
    assert_int_equal(number(db, "SELECT y FROM a"), -1);
    f = (struct fault){0};
    assert_int_equal(schema_migrate(db, steps, 2, false, &f, &from), OK);
    assert_int_equal(number(db, "SELECT y FROM a"), 2);
    assert_int_equal(schema_migrate(db, steps, 2, false, &f, &from), OK); // nothing to do
    assert_int_equal(from, 2);
    assert_int_equal(schema_migrate(db, steps, 1, false, &f, &from), ERR_UNSUPPORTED); // newer than we know
    sqlite3_close(db);
}

// An index of the first version, with one study of two series in it.
static void make_version_1(void) {
    struct vfs_seal *vfs;
    struct fault f = {0};
    char path[256];
    sqlite3 *db;
    int from;
    bed_path(dir, "index.db", path);
    assert_int_equal(vfs_seal_new(bed_key, &f, &vfs), OK);
    assert_int_equal(vfs_seal_open_db(vfs, path, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, &db), SQLITE_OK);
    assert_int_equal(schema_migrate(db, schema_steps, 1, false, &f, &from), OK);
    assert_int_equal(
        sqlite3_exec(db,
                     "INSERT INTO patient(id,key,PatientID)VALUES(1,x'01','p');"
                     "INSERT INTO study(id,patient,StudyInstanceUID,series_count,instance_count,"
                     "StudyDescription,AccessionNumber,AccessionNumber_)"
                     "VALUES(5,1,x'12',2,0,'Scha\u0308del','as it was made','As it came');"
                     "INSERT INTO series(id,study,SeriesInstanceUID,instance_count,InstitutionName,"
                     "InstitutionName_,StationName,Modality)VALUES(7,5,x'1a',0,NULL,NULL,'ST','MR'),"
                     "(8,5,x'1b',0,'ward 3','Ward 3','ST2','CT')",
                     NULL, NULL, NULL),
        SQLITE_OK);
    assert_int_equal(sqlite3_close(db), SQLITE_OK);
    vfs_seal_free(vfs);
}

static void on_migrating(void *arg, int from, int to) {
    assert_int_equal(from, 1);
    assert_int_equal(to, schema_version);
    ++*(int *)arg;
}

static void the_first_version_is_brought_up_to_date(void **state) {
    (void)state;
    int told = 0;
    struct index_options options = {.migrating = on_migrating, .arg = &told};
    make_version_1();
    struct fault f = {0};
    struct index *ix;
    for (int i = 0; i < 2; i++) { // the second time there is nothing to tell
        assert_int_equal(index_open(dir, bed_key, &options, &f, &ix), OK);
        assert_int_equal(told, 1);
        if (i == 0)
            index_close(ix);
    }
    static const struct {
        enum index_attr attr;
        const char *expected;
    } rows[] = {{INDEX_ATTR_StudyInstitution, "Ward 3"},
                {INDEX_ATTR_StudyStation, "ST"},
                {INDEX_ATTR_ModalitiesInStudy, "CT\\MR"},
                {INDEX_ATTR_StudyDescription, "Scha\u0308del"},
                {INDEX_ATTR_AccessionNumber, "As it came"},
                {INDEX_ATTR_PatientIdentityRemoved, ""}};
    assert_string_equal(bed_find(ix, INDEX_STUDY, INDEX_ATTR_StudyDescription, INDEX_ATTR_StudyDescription,
                                 QUERY_SINGLE, "Sch\u00e4del", NULL),
                        "Scha\u0308del");
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        assert_string_equal(bed_find(ix, INDEX_STUDY, rows[i].attr, rows[i].attr, -1, NULL, NULL),
                            rows[i].expected);
    fill(ix, 0, 30);
    bed_commit(ix);
    assert_int_equal(bed_status(ix).schema_version, schema_version);
    index_close(ix);
}

static void a_later_version_is_left_alone(void **state) {
    (void)state;
    struct index *ix = bed_open(dir);
    assert_int_equal(sqlite3_exec(ix->db, "PRAGMA user_version=1000", NULL, NULL, NULL), SQLITE_OK);
    index_close(ix);
    assert_int_equal(try_open(bed_key, NULL), ERR_UNSUPPORTED);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(what_was_committed_is_there_again),
        TEST(files_are_private),
        TEST(nothing_of_a_patient_is_readable),
        TEST(one_process_at_a_time),
        TEST(another_key_says_rebuild),
        TEST(missing_folder_is_an_error),
        TEST(read_only_changes_nothing),
        TEST(damage_says_rebuild),
        TEST(damage_while_open_is_told_from_other_failures),
        TEST(wrong_counts_are_noticed),
        TEST(marks_come_back_in_order),
        TEST(kills_keep_marks_and_rows_together),
        TEST(full_disk_loses_only_what_was_not_committed),
        TEST(migrations_are_whole_or_nothing),
        TEST(the_first_version_is_brought_up_to_date),
        TEST(a_later_version_is_left_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
