// Kills the writer at random moments, over and over in the same store: everything it was told is durable is
// there afterwards, and nothing else is visible but whole objects.
//
// The dead writer's memory survives in the kernel, so this does not test syncing (power.c does), but
// real timing: half-finished writes, streams, preallocation, new segments and key slots.
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bed.h"

enum { MAX = 200000, GROUP = 4 };

struct shared { // written by the child as it goes, read by the parent after its death
    uint32_t n_begun; // ids below may be in the store
    uint32_t n_acknowledged;
    struct {
        uint32_t id;
        struct blob_ref ref;
    } acknowledged[MAX];
};

static struct bed b;
static struct shared *shared;
static uint8_t seen[MAX]; // by the last recovery

static struct thing thing_of(uint32_t id) {
    uint32_t r = id * 2654435761u >> 16;
    size_t body = id % 11 == 0 ? 100000 + r * 8u : id % 3 ? 500 + r % 8000 : r;
    return (struct thing){id, body, 50 + r % 3000, id % 7 ? 0 : 600};
}

// --- The writer ----------------------------------------------------------------------------------

static sem_t start, done;

static void *syncer(void *arg) {
    for (;;) {
        sem_wait(&start);
        store_sync_run(arg);
        sem_post(&done);
    }
    return NULL;
}

static void acknowledge(const uint32_t *ids, const struct blob_ref *refs, unsigned n) {
    for (unsigned i = 0; i < n; i++) {
        if (store_durability(b.store, &refs[i]) != STORE_DURABLE)
            abort();
        shared->acknowledged[shared->n_acknowledged].id = ids[i];
        shared->acknowledged[shared->n_acknowledged].ref = refs[i];
        __atomic_store_n(&shared->n_acknowledged, shared->n_acknowledged + 1, __ATOMIC_RELEASE);
    }
}

static void put_group(uint32_t *ids, struct blob_ref *refs) {
    for (unsigned i = 0; i < GROUP; i++) {
        ids[i] = shared->n_begun;
        __atomic_store_n(&shared->n_begun, ids[i] + 1, __ATOMIC_RELEASE);
        struct thing t = thing_of(ids[i]);
        struct fault f = {0};
        enum err e =
            ids[i] % 11 == 0 ? thing_stream(&b, &t, 65536, &f, &refs[i]) : thing_put(&b, &t, &f, &refs[i]);
        if (e != OK)
            abort();
    }
}

static enum err ignore(void *arg, const struct store_found *found) {
    (void)arg;
    (void)found;
    return OK;
}

static void writer(void) {
    pthread_t t;
    struct fault f = {0};
    uint32_t ids[2][GROUP];
    struct blob_ref refs[2][GROUP];
    if (keyring_open(b.keys, &f, &b.keyring) != OK ||
        store_open(b.store_dir, b.keyring, &b.options, &f, &b.store) != OK ||
        store_recover(b.store, NULL, 0, ignore, NULL, &f) != OK)
        abort();
    sem_init(&start, 0, 0);
    sem_init(&done, 0, 0);
    pthread_create(&t, NULL, syncer, b.store);
    put_group(ids[0], refs[0]);
    for (unsigned round = 0; shared->n_begun < MAX - 2 * GROUP; round ^= 1) {
        if (!store_sync_begin(b.store))
            abort();
        sem_post(&start);
        put_group(ids[!round], refs[!round]); // while the disk works
        sem_wait(&done);
        if (store_sync_end(b.store, &f) != OK)
            abort();
        acknowledge(ids[round], refs[round], GROUP);
    }
}

// --- The judge -----------------------------------------------------------------------------------

static enum err on_found(void *arg, const struct store_found *found) {
    (void)arg;
    struct thing t, want;
    assert_int_not_equal(found->kind, STORE_DAMAGED);
    assert_int_not_equal(found->kind, STORE_NO_KEY);
    if (found->kind != STORE_OBJECT)
        return OK;
    assert_true(thing_from_meta(found->meta, &t));
    assert_true(t.id < shared->n_begun);
    want = thing_of(t.id);
    assert_true(t.body == want.body && t.summary == want.summary && t.frames == want.frames);
    assert_int_equal(seen[t.id]++, 0);
    return thing_check(&b, &t, &found->ref);
}

static void judge(void) {
    struct fault f = {0};
    memset(seen, 0, sizeof seen);
    BED_OK(keyring_open(b.keys, bf, &b.keyring));
    BED_OK(store_open(b.store_dir, b.keyring, &b.options, bf, &b.store));
    enum err e = store_recover(b.store, NULL, 0, on_found, NULL, &f);
    if (e != OK)
        fail_msg("recovery: %s %s", err_name(e), f.detail);
    for (uint32_t i = 0; i < shared->n_acknowledged; i++) {
        struct thing t = thing_of(shared->acknowledged[i].id);
        if (!seen[t.id])
            fail_msg("object %u was acknowledged and is lost", t.id);
        assert_int_equal(thing_check(&b, &t, &shared->acknowledged[i].ref), OK);
    }
    bed_close(&b);
}

static void test_kill(void **state) {
    (void)state;
    const char *rounds = getenv("CRASH_ROUNDS");
    bed_make(&b, &(struct store_options){.segment_bytes = 2 << 20, .reserve_bytes = 1});
    shared = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    assert_ptr_not_equal(shared, MAP_FAILED);
    srand((unsigned)getpid());
    for (long i = rounds ? atol(rounds) : 25; i > 0; i--) {
        int status;
        pid_t pid = fork();
        assert_true(pid >= 0);
        if (pid == 0) {
            writer();
            _exit(0);
        }
        usleep((useconds_t)(1000 + rand() % 60000));
        kill(pid, SIGKILL);
        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
        judge();
    }
    print_message("%u objects begun, %u acknowledged, all of these there\n", shared->n_begun,
                  shared->n_acknowledged);
    assert_true(shared->n_acknowledged > 0);
    munmap(shared, sizeof *shared);
    bed_remove(&b);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_kill)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
