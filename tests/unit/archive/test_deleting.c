// Deleting, with the real store and index behind it: who may, what goes, and that a kill at any step leaves
// all or nothing once the archive has started again.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "archive/archive.h"
#include "archive/meta.h"
#include "archive/paths.h"
#include "blob/os.h"

// --- The rest of the archive, as far as it is needed ----------------------------------------------

static struct ipc_deleted answered;
static int answers;
static char last_log[1024];

void session_reply(struct archive *a, struct session *s, enum ipc_type type, const void *body, int fd) {
    (void)a;
    (void)s;
    (void)fd;
    assert_int_equal(type, IPC_DELETED);
    answered = *(const struct ipc_deleted *)body;
    answers++;
}

void session_log(struct archive *a, struct session *s, enum os_log_level level, const char *fmt, ...) {
    va_list ap;
    (void)a;
    (void)s;
    (void)level;
    va_start(ap, fmt);
    vsnprintf(last_log, sizeof last_log, fmt, ap);
    va_end(ap);
}

bool watch_add(struct archive *a, struct watch *w, enum watch_kind kind, int take_fd, struct session *s) {
    (void)a;
    *w = (struct watch){kind, take_fd, s};
    return true;
}

// --- An archive with objects in it ----------------------------------------------------------------

static char dir[64];
static struct archive a;
static struct session session;

static void open_archive(void) {
    struct fault f = {0};
    char path[4096];
    a = (struct archive){.dir = dir, .supervisor = {.fd = -1}, .auth = {.fd = -1}};
    a.pending_end = &a.pending;
    a.scratch = BUF_INIT(1 << 20);
    if (keyring_open(path_in(path, dir, "keys"), &f, &a.keyring) != OK ||
        store_open(path_in(path, dir, "store"), a.keyring, NULL, &f, &a.store) != OK ||
        replay_start(&a, &f) != OK)
        fail_msg("%s", f.detail);
    session = (struct session){.phase = IPC_PHASE_READY, .rights = IPC_RIGHT_DELETE, .peer = "user:boss"};
    a.sessions = &session;
    answers = 0;
}

static void close_archive(void) {
    jobs_end(&a);
    commit_index(&a, true);
    index_close(a.index);
    store_close(a.store);
    keyring_close(a.keyring);
    buf_fini(&a.scratch);
}

static struct blob_ref put(int study, int series, int n, const char *peer, uint8_t fill) {
    char uids[3][65];
    uint8_t body[3000];
    struct buf meta = BUF_INIT(4096);
    struct blob_ref ref;
    struct fault f = {0};
    memset(body, fill, sizeof body);
    snprintf(uids[0], 65, "1.2.%d", study);
    snprintf(uids[1], 65, "1.2.%d.%d", study, series);
    snprintf(uids[2], 65, "1.2.%d.%d.%d", study, series, n);
    struct meta m = {.received_ms = 1, .sop_class = SLICE_LIT("1.2.840.10008.5.1.4.1.1.2"),
                     .sop_instance = slice_str(uids[2]), .study = slice_str(uids[0]),
                     .series = slice_str(uids[1]), .transfer_syntax = SLICE_LIT("1.2.840.10008.1.2.1"),
                     .peer = slice_str(peer)};
    meta_put(&meta, &m);
    struct store_front front = {.meta = buf_slice(&meta), .summary = SLICE_LIT("summary")};
    if (store_put_whole(a.store, m.study, slice_of(body, sizeof body), &front, &f, &ref) != OK)
        fail_msg("%s", f.detail);
    enum stored outcome;
    assert_int_equal(store_sync(a.store, &f), OK);
    if (replay_index_object(&a, &ref, buf_slice(&meta), &outcome, &f) != OK)
        fail_msg("%s", f.detail);
    commit_index_later(&a);
    buf_fini(&meta);
    return ref;
}

enum { OBJECTS = 70 }; // of study 1: more than a step takes

static int setup(void **state) {
    (void)state;
    char path[4096];
    strcpy(dir, "/tmp/galena-deleting-XXXXXX");
    assert_non_null(mkdtemp(dir));
    mkdir(path_in(path, dir, "store"), 0700);
    mkdir(path_in(path, dir, "keys"), 0700);
    assert_int_equal(keyring_create(path, NULL), OK);
    open_archive();
    for (int n = 0; n < OBJECTS; n++)
        put(1, n % 2, n, "user:eva", (uint8_t)n);
    put(1, 0, 0, "ct", 99); // kept beside
    put(2, 0, 0, "user:eva", 1);
    put(2, 0, 1, "user:bob", 1);
    put(3, 0, 0, "user:eva", 1);
    commit_index(&a, true);
    return 0;
}

static int teardown(void **state) {
    (void)state;
    char command[128];
    close_archive();
    snprintf(command, sizeof command, "rm -rf '%s'", dir);
    return system(command);
}

static uint64_t instances(void) {
    struct index_info info;
    assert_int_equal(index_status(a.index, NULL, &info), OK);
    return info.instances + info.beside;
}

static void ask(const char *study, const char *series, const char *sop) {
    struct ipc_delete_objects m = {slice_str(study), slice_str(series), slice_str(sop)};
    answers = 0;
    session.phase = IPC_PHASE_READY;
    deleting_on_delete(&a, &session, &m);
}

static void run_to_its_end(void) {
    for (int i = 0; i < 10000 && a.jobs; i++)
        jobs_run(&a);
    assert_null(a.jobs);
    assert_int_equal(answers, 1);
    assert_int_equal(session.phase, IPC_PHASE_READY);
}

static struct { uint64_t objects, erased, dropped, other; } found;

static enum err note_found(void *arg, const struct store_found *what) {
    (void)arg;
    found.objects += what->kind == STORE_OBJECT;
    found.erased += what->kind == STORE_ERASED;
    found.dropped += what->kind == STORE_DROPPED;
    found.other += what->kind == STORE_DAMAGED || what->kind == STORE_NO_KEY || what->kind == STORE_TORN;
    return OK;
}

// What a verify sees, and what a reindex would bring back: as many objects as the index knows.
static void check_store(void) {
    struct fault f = {0};
    memset(&found, 0, sizeof found);
    assert_int_equal(store_scan(a.store, 0, 0, STORE_SCAN_ALL, note_found, NULL, &f), OK);
    assert_int_equal(found.other, 0);
    assert_int_equal(found.objects, instances());
    if (index_check(a.index, &f) != OK)
        fail_msg("%s", f.detail);
}

// --- Tests --------------------------------------------------------------------------------------

static void who_may(void **state) {
    (void)state;
    static const struct {
        const char *name, *peer;
        uint32_t rights;
        const char *study, *series, *sop;
        enum err expected;
        int deleted;
    } rows[] = {
        {"a reader", "user:eva", IPC_RIGHT_QUERY | IPC_RIGHT_RETRIEVE, "1.2.3", "", "", ERR_DENIED, 0},
        {"a reader, nothing there", "user:eva", IPC_RIGHT_QUERY, "1.2.99", "", "", ERR_DENIED, 0},
        {"an application", "eva", IPC_RIGHT_STORE, "1.2.3", "", "", ERR_DENIED, 0},
        {"another's", "user:bob", IPC_RIGHT_STORE, "1.2.3", "", "", ERR_DENIED, 0},
        {"in part another's", "user:eva", IPC_RIGHT_STORE, "1.2.2", "", "", ERR_DENIED, 0},
        {"in part one's own", "user:bob", IPC_RIGHT_STORE, "1.2.2", "1.2.2.0", "", ERR_DENIED, 0},
        {"with another's beside it", "user:eva", IPC_RIGHT_STORE, "1.2.1", "1.2.1.0", "1.2.1.0.0", ERR_DENIED,
         0},
        {"a name that begins alike", "user:ev", IPC_RIGHT_STORE, "1.2.3", "", "", ERR_DENIED, 0},
        {"nothing there", "user:eva", IPC_RIGHT_STORE, "1.2.99", "", "", ERR_NO_SUCH_OBJECT, 0},
        {"no such series", "user:eva", IPC_RIGHT_STORE, "1.2.3", "1.2.2.0", "", ERR_NO_SUCH_OBJECT, 0},
        {"no such instance", "user:boss", IPC_RIGHT_DELETE, "1.2.3", "1.2.3.0", "1.2.2.0.0",
         ERR_NO_SUCH_OBJECT, 0},
        {"one's own of it", "user:bob", IPC_RIGHT_STORE, "1.2.2", "1.2.2.0", "1.2.2.0.1", OK, 1},
        {"now all one's own", "user:eva", IPC_RIGHT_STORE, "1.2.2", "", "", OK, 1},
        {"again", "user:eva", IPC_RIGHT_STORE, "1.2.2", "", "", ERR_NO_SUCH_OBJECT, 0},
        {"a series", "user:boss", IPC_RIGHT_DELETE, "1.2.1", "1.2.1.1", "", OK, OBJECTS / 2},
        {"an administrator", "user:boss", IPC_RIGHT_DELETE, "1.2.1", "", "", OK, OBJECTS / 2 + 1},
    };
    uint64_t left = instances();
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        strcpy(session.peer, rows[i].peer);
        session.rights = rows[i].rights;
        ask(rows[i].study, rows[i].series, rows[i].sop);
        run_to_its_end();
        left -= (uint64_t)rows[i].deleted;
        if (answered.error != rows[i].expected || answered.count != (uint64_t)rows[i].deleted ||
            instances() != left)
            fail_msg("%s: %s, %llu deleted", rows[i].name, err_name(answered.error),
                     (unsigned long long)answered.count);
        check_store();
        if (rows[i].expected == OK && strstr(last_log, "1.2."))
            fail_msg("%s: a UID in the log: %s", rows[i].name, last_log);
    }
}

static void only_what_is_seen(void **state) {
    (void)state;
    struct view *nothing = view_nothing();
    session.view = nothing;
    ask("1.2.3", "", "");
    run_to_its_end();
    assert_int_equal(answered.error, ERR_NO_SUCH_OBJECT);
    session.view = NULL;
}

static bool has_key(const char *study) {
    uint32_t slot;
    return keyring_find(a.keyring, slice_str(study), &slot) == OK;
}

static void the_key_goes_with_the_last(void **state) {
    (void)state;
    ask("1.2.2", "1.2.2.0", "1.2.2.0.0");
    run_to_its_end();
    assert_true(has_key("1.2.2"));
    ask("1.2.2", "1.2.2.0", "1.2.2.0.1");
    run_to_its_end();
    assert_false(has_key("1.2.2"));
    struct blob_ref again = put(2, 0, 0, "user:eva", 1); // and it may come again
    assert_true(has_key("1.2.2"));
    struct buf b = BUF_INIT(4096);
    assert_int_equal(store_get_meta(a.store, &again, NULL, &b), OK);
    buf_fini(&b);
    check_store();
}

static void what_is_being_stored_is_waited_for(void **state) {
    (void)state;
    struct fault f = {0};
    assert_int_equal(store_put_begin(a.store, SLICE_LIT("1.2.3"), &f, &session.stream), OK);
    strcpy(session.stream_study, "1.2.3");
    ask("1.2.3", "", "");
    for (int i = 0; i < 50; i++)
        jobs_run(&a);
    assert_int_equal(answers, 0);
    assert_int_equal(jobs_timeout_ms(&a, -1), 5);
    assert_true(has_key("1.2.3"));
    store_put_abort(session.stream);
    session.stream = NULL;
    put(3, 0, 1, "ct", 1); // meanwhile another came
    run_to_its_end();
    assert_int_equal(answered.count, 2);
    assert_false(has_key("1.2.3"));
    check_store();
}

static void nobody_waits_any_more(void **state) {
    (void)state;
    uint64_t before = instances();
    ask("1.2.1", "", "");
    jobs_forget(&a, &session); // not ready: it is given up
    for (int i = 0; i < 1000 && a.jobs; i++)
        jobs_run(&a);
    assert_int_equal(instances(), before);
    ask("1.2.1", "", "");
    while (has_key("1.2.1"))
        jobs_run(&a);
    jobs_forget(&a, &session); // no way back: it is carried out
    for (int i = 0; i < 1000 && a.jobs; i++)
        jobs_run(&a);
    assert_int_equal(answers, 0);
    assert_int_equal(instances(), before - OBJECTS - 1);
    check_store();
}

static void others_get_their_turn(void **state) {
    (void)state;
    int turns = 0;
    ask("1.2.1", "", "");
    for (; a.jobs; turns++)
        jobs_run(&a);
    assert_true(turns > OBJECTS / 32);
    assert_int_equal(answered.count, OBJECTS + 1);
}

// A process of its own opens the archive, deletes for so many turns and is killed.
static void delete_and_be_killed(const char *series, int turns, bool commits) {
    pid_t child = fork();
    int status;
    assert_true(child >= 0);
    if (child == 0) {
        open_archive();
        ask("1.2.1", series, "");
        for (int i = 0; i < turns && a.jobs; i++) {
            jobs_run(&a);
            if (commits)
                commit_index(&a, true);
        }
        kill(getpid(), SIGKILL);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
}

static void a_kill_leaves_all_or_nothing(void **state) {
    enum { TURNS = 14 }; // more than either takes
    for (int whole = 0; whole <= 1; whole++)
        for (int commits = 0; commits <= 1; commits++) {
            bool gone = false;
            for (int turn = 0; turn <= TURNS; turn++) {
                uint64_t before = instances(), part = whole ? OBJECTS + 1 : OBJECTS / 2;
                close_archive();
                delete_and_be_killed(whole ? "" : "1.2.1.1", turn, commits);
                open_archive(); // carries out what was begun
                uint64_t left = instances();
                if (left != before && left != before - part)
                    fail_msg("whole %d, commits %d, turn %d: %d of %d left", whole, commits, turn, (int)left,
                             (int)before);
                assert_true(!gone || left != before); // once begun, it is carried out
                gone = left != before;
                check_store();
                assert_int_equal(has_key("1.2.1"), !(gone && whole));
                teardown(state);
                setup(state);
            }
            assert_true(gone);
        }
}

static void write_down(const char *study) { // as of one that is interrupted then
    struct index_deletion *d = NULL;
    struct fault f = {0};
    bool all = false;
    struct slice all_of = slice_str("");
    assert_int_equal(index_deletion_open(a.index, slice_str(study), all_of, all_of, &f, &d), OK);
    while (!all)
        assert_int_equal(index_deletion_list(d, &f, &all), OK);
    assert_int_equal(index_deletion_ready(d, &f), OK);
    index_deletion_close(d);
}

static ssize_t write_fails(int fd, const void *p, size_t n, off_t at) {
    (void)fd;
    (void)p;
    (void)n;
    (void)at;
    errno = EIO;
    return -1;
}

// The study's key still is: were we to serve, what is stored into it now would go with it at the next start.
static void no_start_while_a_key_cannot_be_destroyed(void **state) {
    (void)state;
    struct fault f = {0};
    char path[4096];
    write_down("1.2.3");
    write_down("1.2.1");
    assert_int_equal(commit_index_durably(&a, &f), OK);
    close_archive();
    struct blob_os real = blob_os;
    blob_os.pwrite = write_fails;
    a = (struct archive){.dir = dir, .supervisor = {.fd = -1}, .auth = {.fd = -1}};
    a.pending_end = &a.pending;
    a.scratch = BUF_INIT(1 << 20);
    assert_int_equal(keyring_open(path_in(path, dir, "keys"), &f, &a.keyring), OK);
    assert_int_equal(store_open(path_in(path, dir, "store"), a.keyring, NULL, &f, &a.store), OK);
    assert_int_equal(replay_start(&a, &f), ERR_IO);
    assert_non_null(strstr(last_log, "a deletion that was interrupted could not be carried out"));
    blob_os = real;
    close_archive();
    open_archive();
    assert_null(a.jobs);
    assert_int_equal(instances(), 2); // of study 2
    check_store();
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(who_may, setup, teardown),
        cmocka_unit_test_setup_teardown(only_what_is_seen, setup, teardown),
        cmocka_unit_test_setup_teardown(the_key_goes_with_the_last, setup, teardown),
        cmocka_unit_test_setup_teardown(what_is_being_stored_is_waited_for, setup, teardown),
        cmocka_unit_test_setup_teardown(nobody_waits_any_more, setup, teardown),
        cmocka_unit_test_setup_teardown(others_get_their_turn, setup, teardown),
        cmocka_unit_test_setup_teardown(a_kill_leaves_all_or_nothing, setup, teardown),
        cmocka_unit_test_setup_teardown(no_start_while_a_key_cannot_be_destroyed, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
