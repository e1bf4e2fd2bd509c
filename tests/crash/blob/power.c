// Simulated power loss. Everything the store asks of the disk is recorded; then the power "fails" after
// some call, and a disk is built as it might have been found: what was synced is there; of the rest
// each sector of 512 bytes is old or new at random, files may have any of their unsynced lengths,
// and names not synced with their folder may be missing. The store must open, hold all that was
// acknowledged, show nothing incomplete, and go on working.
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "bed.h"
#include "blob/os.h"

enum { LOG_MAX = 20000, FILES_MAX = 200, FDS = 1024, MADE_MAX = 1000, SECTOR = 512, MARKS_MAX = 64 };

enum what {
    WRITE,
    LENGTH,     // by truncation or preallocation: `at` is the new length
    SYNC,       // of one file
    SYNC_NAMES, // of the folders
    CREATE,
    UNLINK,
    ACKNOWLEDGE, // made[at]
    ERASED,      // study of made[at]
    DROPPED,     // made[at]
    INDEX,       // marks[at]: what the index committed
};

struct entry {
    enum what what;
    int file;
    uint64_t at;
    size_t n;
    uint8_t *data;
};

static struct entry journal[LOG_MAX];
static unsigned n_log;
static char names[FILES_MAX][32];
static int n_files, file_of_fd[FDS];
static struct blob_os real;

static struct made {
    struct thing t;
    struct blob_ref ref;
    unsigned state; // while running: 1 waits for a sync, 2 acknowledged, 3 refused or dropped
} made[MADE_MAX];
static unsigned n_made;
static struct {
    struct store_mark m[MARKS_MAX];
    size_t n;
} marks[200];
static unsigned n_marks;

static struct bed b, after;

// --- Recording -----------------------------------------------------------------------------------

static void record(enum what what, int file, uint64_t at, const void *data, size_t n) {
    assert_true(n_log < LOG_MAX);
    journal[n_log] = (struct entry){what, file, at, n, NULL};
    if (n) {
        journal[n_log].data = malloc(n);
        memcpy(journal[n_log].data, data, n);
    }
    n_log++;
}

static int file_named(const char *name) {
    if (strncmp(name, "seg-", 4) != 0 && strcmp(name, "studies.keys") != 0)
        return -1;
    for (int i = n_files; i-- > 0;) {
        if (strcmp(names[i], name) == 0)
            return i;
    }
    assert_true(n_files < FILES_MAX);
    snprintf(names[n_files], sizeof names[0], "%s", name);
    return n_files++;
}

static int rec_openat(int dir, const char *name, int flags, mode_t mode) {
    int fd = real.openat(dir, name, flags, mode);
    if (fd < 0)
        return fd;
    assert_true(fd < FDS);
    file_of_fd[fd] = file_named(name);
    if (flags & O_CREAT)
        record(CREATE, file_of_fd[fd], 0, NULL, 0);
    return fd;
}

static int rec_unlinkat(int dir, const char *name, int flags) {
    record(UNLINK, file_named(name), 0, NULL, 0);
    return real.unlinkat(dir, name, flags);
}

static ssize_t rec_pwrite(int fd, const void *p, size_t n, off_t at) {
    ssize_t put = real.pwrite(fd, p, n, at);
    if (put > 0)
        record(WRITE, file_of_fd[fd], (uint64_t)at, p, (size_t)put);
    return put;
}

static int rec_fallocate(int fd, int mode, off_t at, off_t n) {
    int e = real.fallocate(fd, mode, at, n);
    if (e == 0 && mode) { // a hole: zeros
        void *zeros = calloc(1, (size_t)n);
        record(WRITE, file_of_fd[fd], (uint64_t)at, zeros, (size_t)n);
        free(zeros);
    } else if (e == 0)
        record(LENGTH, file_of_fd[fd], (uint64_t)(at + n), NULL, 0);
    return e;
}

static int rec_ftruncate(int fd, off_t n) {
    int e = real.ftruncate(fd, n);
    if (e == 0)
        record(LENGTH, file_of_fd[fd], (uint64_t)n, NULL, 0);
    return e;
}

static int rec_fdatasync(int fd) {
    record(SYNC, file_of_fd[fd], 0, NULL, 0);
    return 0;
}

static int rec_fsync(int fd) {
    record(file_of_fd[fd] < 0 ? SYNC_NAMES : SYNC, file_of_fd[fd], 0, NULL, 0);
    return 0;
}

static void recording(bool on) {
    if (!on) {
        blob_os = real;
        return;
    }
    blob_os.openat = rec_openat;
    blob_os.unlinkat = rec_unlinkat;
    blob_os.pwrite = rec_pwrite;
    blob_os.fallocate = rec_fallocate;
    blob_os.ftruncate = rec_ftruncate;
    blob_os.fdatasync = rec_fdatasync;
    blob_os.fsync = rec_fsync;
}

static void forget_log(void) {
    for (unsigned i = 0; i < n_log; i++)
        free(journal[i].data);
    n_log = n_made = n_marks = 0;
    n_files = 0;
}

// --- The work that is interrupted ----------------------------------------------------------------

static uint32_t next_id;

static void put(void) {
    struct fault f = {0};
    struct made *m = &made[n_made];
    assert_true(n_made < MADE_MAX);
    uint32_t id = next_id++;
    m->t =
        (struct thing){id, (size_t)rand() % (id % 6 ? 3000 : 90000), (size_t)rand() % 900, id % 9 ? 0 : 300};
    enum err e = rand() % 5 ? thing_put(&b, &m->t, &f, &m->ref) : thing_stream(&b, &m->t, 65536, &f, &m->ref);
    assert_int_equal(e, OK);
    m->state = 1;
    n_made++;
}

// Puts go on while the disk works, as they do in the archive.
static void sync_and_acknowledge(void) {
    if (!store_sync_begin(b.store))
        return;
    for (int i = rand() % 3; i > 0; i--)
        put();
    store_sync_run(b.store);
    for (int i = rand() % 3; i > 0; i--)
        put();
    BED_OK(store_sync_end(b.store, bf));
    for (unsigned i = 0; i < n_made; i++) {
        if (made[i].state == 1 && store_durability(b.store, &made[i].ref) == STORE_DURABLE) {
            made[i].state = 2;
            record(ACKNOWLEDGE, -1, i, NULL, 0);
        }
    }
}

static void commit_index(void) {
    // marks are cumulative: the index keeps the last one of each segment
    if (n_marks)
        marks[n_marks] = marks[n_marks - 1];
    else
        marks[0].n = 0;
    struct store_mark m[MARKS_MAX];
    size_t n = store_take_marks(b.store, m, MARKS_MAX);
    for (size_t i = 0; i < n; i++) {
        size_t j = 0;
        while (j < marks[n_marks].n && marks[n_marks].m[j].segment != m[i].segment)
            j++;
        assert_true(j < MARKS_MAX);
        marks[n_marks].m[j] = m[i];
        marks[n_marks].n += j == marks[n_marks].n;
    }
    record(INDEX, -1, n_marks++, NULL, 0);
}

static void abort_a_stream(void) {
    static const uint8_t bytes[70000];
    struct store_stream *w;
    BED_OK(store_put_begin(b.store, SLICE_LIT("1.2.3"), bf, &w));
    BED_OK(store_put_append(w, slice_of(bytes, (size_t)rand() % sizeof bytes), bf));
    store_put_abort(w);
}

static void erase_a_study(void) {
    char uid[64];
    unsigned i = (unsigned)rand() % (n_made + 1);
    struct fault f = {0};
    if (i < n_made && keyring_erase(b.keyring, thing_study(made[i].t.id, uid), &f) == OK)
        record(ERASED, -1, i, NULL, 0);
}

static void drop_one(void) {
    unsigned i = (unsigned)rand() % (n_made + 1);
    struct fault f = {0};
    for (int n = 0; n < 20 && i < n_made && made[i].t.body < 30000; n++)
        i = (unsigned)rand() % (n_made + 1); // rather a large one, whose blocks are given back
    if (i < n_made && made[i].state == 2) {
        record(DROPPED, -1, i, NULL, 0); // from now on it may be gone
        (void)store_drop(b.store, &made[i].ref, &f);
    }
}

// As a deletion does: neighbours become one run, and whole segments go.
static void drop_many(void) {
    struct fault f = {0};
    unsigned i = (unsigned)rand() % (n_made + 1), n = (unsigned)rand() % 40;
    for (; i < n_made && n > 0; i++, n--) {
        if (made[i].state != 2)
            continue;
        record(DROPPED, -1, i, NULL, 0);
        (void)store_drop(b.store, &made[i].ref, &f);
    }
    BED_OK(store_sync_all(b.store, bf));
}

static void work(unsigned steps) {
    while (steps--) {
        int what = rand() % 28;
        if (what < 14)
            put();
        else if (what < 20)
            sync_and_acknowledge();
        else if (what == 20)
            commit_index();
        else if (what == 21)
            abort_a_stream();
        else if (what == 22)
            erase_a_study();
        else if (what < 26)
            drop_one();
        else
            drop_many();
    }
}

// --- The disk that is found ----------------------------------------------------------------------

struct found_file {
    uint8_t *p;
    uint64_t n, cap;
};

static void set_length(struct found_file *o, uint64_t n) {
    if (n > o->cap) {
        o->p = realloc(o->p, n * 2);
        o->cap = n * 2;
    }
    if (n > o->n)
        memset(o->p + o->n, 0, n - o->n);
    o->n = n;
}

static void apply_write(struct found_file *o, const struct entry *e, unsigned percent, uint64_t limit) {
    for (uint64_t at = e->at; at < e->at + e->n;) {
        uint64_t sector_end = (at / SECTOR + 1) * SECTOR;
        uint64_t to = sector_end < e->at + e->n ? sector_end : e->at + e->n;
        if ((unsigned)rand() % 100 < percent && to <= limit) {
            if (to > o->n)
                set_length(o, to);
            memcpy(o->p + at, e->data + (at - e->at), to - at);
        }
        at = to;
    }
}

static void apply(struct found_file *o, const struct entry *e, bool durable, unsigned percent) {
    if (e->what == LENGTH) {
        if (durable || (unsigned)rand() % 100 < percent)
            set_length(o, e->at);
    } else if (e->what == WRITE) {
        // without the new length, what lies behind the old one is lost
        bool longer = durable || (unsigned)rand() % 100 < percent;
        apply_write(o, e, durable ? 100 : percent, longer ? UINT64_MAX : o->n);
    }
}

static void save(const char *dir, const char *name, const struct found_file *o) {
    char path[700];
    snprintf(path, sizeof path, "%s/%.31s", dir, name);
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    assert_true(fd >= 0);
    assert_true(o->n == 0 || pwrite(fd, o->p, o->n, 0) == (ssize_t)o->n);
    close(fd);
}

// Is the name there? Sure when its folder was synced since; at random otherwise.
static bool exists(int file, unsigned crash) {
    bool there = false, sure = true;
    for (unsigned i = 0; i < crash; i++) {
        if (journal[i].what == SYNC_NAMES)
            sure = true;
        else if (journal[i].file == file && (journal[i].what == CREATE || journal[i].what == UNLINK)) {
            there = journal[i].what == CREATE;
            sure = false;
        }
    }
    return sure ? there : rand() % 2;
}

static void build_file(int file, unsigned crash, unsigned percent, struct found_file *o) {
    unsigned synced = 0;
    for (unsigned i = 0; i < crash; i++) {
        if (journal[i].what == SYNC && journal[i].file == file)
            synced = i;
    }
    for (unsigned i = 0; i < crash; i++) {
        if (journal[i].file == file)
            apply(o, &journal[i], i < synced, percent);
    }
}

static struct found_file first_keys; // studies.keys as it was when recording began

static void build_disk(unsigned crash) {
    static const unsigned chances[] = {0, 20, 50, 80, 100};
    unsigned percent = chances[rand() % 5];
    for (int file = 0; file < n_files; file++) {
        struct found_file o = {0};
        bool keys = names[file][0] != 's' || names[file][1] != 'e';
        if (keys) {
            set_length(&o, first_keys.n);
            memcpy(o.p, first_keys.p, first_keys.n);
        }
        if (keys || exists(file, crash)) {
            build_file(file, crash, percent, &o);
            save(keys ? after.keys : after.store_dir, names[file], &o);
        }
        free(o.p);
    }
}

// --- What must hold ------------------------------------------------------------------------------

static bool erased(unsigned from, unsigned crash, uint32_t study) {
    for (unsigned i = from; i < crash; i++) {
        if (journal[i].what == ERASED && made[journal[i].at].t.id / 8 == study)
            return true;
    }
    return false;
}

static bool dropped_before(unsigned crash, unsigned which) {
    for (unsigned i = 0; i < crash; i++) {
        if (journal[i].what == DROPPED && journal[i].at == which)
            return true;
    }
    return false;
}

// An erasure that was under way when the power failed may have happened.
static bool being_erased(unsigned crash, uint32_t study) {
    for (unsigned i = crash; i < n_log && i < crash + 8; i++) {
        if (journal[i].what == ERASED && made[journal[i].at].t.id / 8 == study)
            return true;
    }
    return false;
}

// Objects found must be of those put before, and are then checked byte for byte.
static void check_found(void) {
    for (unsigned i = 0; i < after.n_objects; i++) {
        const struct made *m = NULL;
        for (unsigned j = 0; j < n_made; j++) {
            if (made[j].t.id == after.found_id[i])
                m = &made[j];
        }
        assert_non_null(m);
        assert_int_equal(thing_check(&after, &m->t, &after.found[i]), OK);
    }
}

static void check_acknowledged(unsigned crash) {
    for (unsigned i = 0; i < crash; i++) {
        if (journal[i].what != ACKNOWLEDGE)
            continue;
        unsigned which = (unsigned)journal[i].at;
        const struct made *m = &made[which];
        enum err e = thing_check(&after, &m->t, &m->ref);
        if (erased(i, crash, m->t.id / 8))
            assert_int_equal(e, ERR_NO_SUCH_OBJECT);
        else if (erased(0, i, m->t.id / 8)) // put before or after the erasure, acknowledged after it
            assert_true(e == ERR_NO_SUCH_OBJECT || e == OK);
        else if (dropped_before(crash, which) || being_erased(crash, m->t.id / 8))
            assert_true(e == ERR_NO_SUCH_OBJECT || e == OK);
        else if (e != OK)
            fail_msg("object %u, segment %u at %llu, acknowledged before call %u of %u, is lost: %s", m->t.id,
                     m->ref.segment, (unsigned long long)m->ref.offset, crash, n_log, err_name(e));
    }
}

// For sure: its folder was synced once it was made.
static bool was_there(uint32_t segment, unsigned crash) {
    char name[32];
    bool made_before = false;
    snprintf(name, sizeof name, "seg-%08x.gs", segment);
    int file = file_named(name);
    for (unsigned i = 0; i < crash; i++) {
        made_before |= journal[i].what == CREATE && journal[i].file == file;
        if (journal[i].what == SYNC_NAMES && made_before)
            return true;
    }
    return false;
}

static void open_after(const struct store_mark *m, size_t n, unsigned crash) {
    struct fault f = {0};
    enum err e = bed_try_open(&after, m, n, &f);
    if (e != OK)
        fail_msg("does not open after the power loss: %s: %s", err_name(e), f.detail);
    for (uint32_t missing = 0; (missing = store_missing(after.store, missing)) != 0;)
        if (was_there(missing, crash))
            fail_msg("segment %u is missing", missing);
}

static void go_on_working(unsigned crash) {
    struct thing t = {0, 0, 10, 0};
    struct blob_ref refs[5];
    for (uint32_t i = 0; i < 5; i++) {
        t.id = 100000 + i;
        t.body = 7000 * i;
        BED_OK(i % 2 ? thing_stream(&after, &t, 5000, bf, &refs[i]) : thing_put(&after, &t, bf, &refs[i]));
    }
    BED_OK(store_sync(after.store, bf));
    unsigned before = after.n_objects;
    bed_close(&after);
    open_after(NULL, 0, crash);
    assert_true(after.n_objects >= before + 5);
    for (uint32_t i = 0; i < 5; i++) {
        t.id = 100000 + i;
        t.body = 7000 * i;
        BED_OK(thing_check(&after, &t, &refs[i]));
    }
    check_acknowledged(crash);
}

static void crash_at(unsigned crash) {
    char command[1200];
    after = b;
    after.store = NULL;
    after.keyring = NULL;
    snprintf(after.dir, sizeof after.dir, "%.200s-after", b.dir);
    snprintf(after.keys, sizeof after.keys, "%.200s/keys", after.dir);
    snprintf(after.store_dir, sizeof after.store_dir, "%.200s/store", after.dir);
    mkdir(after.dir, 0700);
    mkdir(after.keys, 0700);
    mkdir(after.store_dir, 0700);
    snprintf(command, sizeof command, "cp %s/root.key %s/", b.keys, after.keys);
    assert_int_equal(system(command), 0);
    build_disk(crash);
    unsigned known = UINT32_MAX; // of the marks
    for (unsigned i = 0; i < crash; i++) {
        if (journal[i].what == INDEX)
            known = (unsigned)journal[i].at;
    }
    if (known == UINT32_MAX || rand() % 2)
        open_after(NULL, 0, crash);
    else
        open_after(marks[known].m, marks[known].n, crash);
    check_found();
    check_acknowledged(crash);
    go_on_working(crash);
    bed_remove(&after);
}

// --- ---------------------------------------------------------------------------------------------

static void keep_first_keys(void) {
    char path[400];
    struct stat st;
    snprintf(path, sizeof path, "%s/studies.keys", b.keys);
    int fd = open(path, O_RDONLY);
    assert_int_equal(fstat(fd, &st), 0);
    first_keys.n = 0;
    set_length(&first_keys, (uint64_t)st.st_size);
    assert_int_equal(pread(fd, first_keys.p, first_keys.n, 0), st.st_size);
    close(fd);
}

static void one_history(unsigned seed, unsigned crashes) {
    static const uint64_t segment_bytes[] = {300000, 60000};
    srand(seed);
    bed_make(&b, &(struct store_options){
                     .segment_bytes = segment_bytes[seed % 2], .reserve_bytes = 1, .step_bytes = 100000});
    keep_first_keys();
    real = blob_os;
    recording(true);
    bed_open(&b);
    work(40);
    bed_close(&b); // in good order, once
    BED_OK(bed_try_open(&b, marks[n_marks ? n_marks - 1 : 0].m, n_marks ? marks[n_marks - 1].n : 0, bf));
    for (unsigned i = 0; i < n_made; i++) // complete but never acknowledged: found, and so be it
        made[i].state = made[i].state == 1 ? 3 : made[i].state;
    work(40);
    sync_and_acknowledge();
    recording(false);
    bed_close(&b);
    for (unsigned i = 0; i < crashes; i++)
        crash_at((unsigned)rand() % (n_log + 1));
    crash_at(n_log);
    bed_remove(&b);
    forget_log();
}

static void test_power_loss(void **state) {
    (void)state;
    const char *histories = getenv("CRASH_ROUNDS"), *seed = getenv("CRASH_SEED");
    unsigned first = seed ? (unsigned)atol(seed) : 1;
    for (unsigned i = 0; i < (histories ? (unsigned)atol(histories) : 8); i++) {
        print_message("history %u\n", first + i);
        one_history(first + i, 40);
    }
    free(first_keys.p);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_power_loss)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
