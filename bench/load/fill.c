// bench-fill DIR PACK… puts the objects of packs into an archive that nobody serves, as fast as one process
// can: the worker's reading of an object, the archive's store and index, without the network, one sync for
// thousands of objects. What it leaves is what the server would have left; bench/run fills with it.
//
// A line of JSON each STEP objects and at the end: objects, CPU microseconds of each on the average of the
// step (all; in the index; in its commits), bytes written for each (wchar of /proc/self/io).
#include "load.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "blob/store.h"
#include "index/index.h"
#include "meta.h"
#include "paths.h"
#include "worker/incoming.h"

enum { AREA_BYTES = 1 << 20, SYNC_EACH = 1000, COMMIT_EACH = 4000, STEP = 50000 };

static struct filling {
    struct keyring *keyring;
    struct store *store;
    struct index *index;
    uint64_t objects, refused;
    double index_s, commit_s, step_began_s;
    uint64_t step_written;
    enum err failed;
} fill;

static double cpu_s(void) {
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static uint64_t io_bytes(const char *field) {
    char line[64];
    uint64_t n = 0;
    FILE *f = fopen("/proc/self/io", "re");
    while (f && fgets(line, sizeof line, f))
        if (strncmp(line, field, strlen(field)) == 0)
            n = strtoull(line + strlen(field), NULL, 10);
    if (f)
        fclose(f);
    return n;
}

static void die(const char *what, enum err e, const struct fault *f) {
    fprintf(stderr, "bench-fill: %s: %s: %s\n", what, err_text(e), f->detail);
    exit(1);
}

// --- The archive's part -------------------------------------------------------------------------

static void commit(void) {
    struct fault f = {0};
    struct store_mark marks[32];
    size_t n;
    enum err e = store_sync(fill.store, &f);
    if (e != OK)
        die("syncing", e, &f);
    double began = cpu_s();
    while ((n = store_take_marks(fill.store, marks, 32)) > 0)
        for (size_t i = 0; i < n && e == OK; i++)
            e = index_set_mark(fill.index, &(struct index_mark){marks[i].segment, marks[i].end,
                                                                marks[i].objects, marks[i].dead_bytes}, &f);
    if (e == OK)
        e = index_commit(fill.index, &f);
    if (e != OK)
        die("committing", e, &f);
    fill.commit_s += cpu_s() - began;
}

static void tell_step(uint64_t n) {
    double now = cpu_s(), each = 1e6 / (double)n;
    struct index_info info = {0};
    struct fault f = {0};
    (void)index_status(fill.index, &f, &info);
    uint64_t written = io_bytes("wchar: ");
    printf("{\"objects\": %" PRIu64 ", \"cpu_us\": %.1f, \"index_us\": %.1f, \"commit_us\": %.1f, "
           "\"written\": %.0f, \"index_bytes\": %" PRIu64 "}\n", info.instances,
           (now - fill.step_began_s) * each, fill.index_s * each, fill.commit_s * each,
           (double)(written - fill.step_written) / (double)n, info.file_bytes);
    fflush(stdout);
    fill.index_s = fill.commit_s = 0;
    fill.step_began_s = now;
    fill.step_written = written;
}

static enum err put(const struct ipc_store_commit *m, const uint8_t *area, struct fault *f) {
    struct meta meta = {.received_ms = (uint64_t)time(NULL) * 1000, .sop_class = m->sop_class,
                        .sop_instance = m->sop_instance, .study = m->study, .series = m->series,
                        .transfer_syntax = m->transfer_syntax, .peer = slice_str("bench"),
                        .attributes = m->attributes};
    struct buf b = BUF_INIT(STORE_META_MAX);
    struct blob_ref ref;
    meta_put(&b, &meta);
    struct store_front front = {.meta = buf_slice(&b),
                                .summary = slice_of(area + AREA_BYTES, m->summary_bytes),
                                .frames = slice_of(area + AREA_BYTES + m->summary_bytes, m->frames_bytes)};
    enum err e = store_put_whole(fill.store, m->study, slice_of(area + m->ring_offset, m->length), &front, f,
                                 &ref);
    struct index_object o = {.study = m->study, .series = m->series, .sop_instance = m->sop_instance,
                             .sop_class = m->sop_class, .transfer_syntax = m->transfer_syntax,
                             .attributes = m->attributes, .received_ms = meta.received_ms, .peer = meta.peer,
                             .ref = {ref.segment, ref.front_bytes, ref.offset, ref.length}};
    enum index_outcome outcome;
    double began = cpu_s();
    if (e == OK)
        e = index_add(fill.index, &o, NULL, NULL, f, &outcome);
    fill.index_s += cpu_s() - began;
    buf_fini(&b);
    return e;
}

// --- In place of the worker's channel: its messages are taken here ------------------------------

static uint8_t area[2 * AREA_BYTES];

enum err channel_ring(struct channel *ch, struct fault *f) {
    (void)f;
    ch->ring.p = area;
    ch->ring_body = ch->ring_aux = AREA_BYTES;
    return OK;
}

void channel_tell(struct channel *ch, enum ipc_type type, const void *body) {
    struct fault f = {0};
    (void)ch;
    fill.failed = type == IPC_STORE_COMMIT ? put(body, area, &f) : ERR_LIMIT; // none of a pack is that large
    if (fill.failed != OK)
        die("an object", fill.failed, &f);
    if (++fill.objects % COMMIT_EACH == 0)
        commit();
    else if (fill.objects % SYNC_EACH == 0 && store_sync(fill.store, &f) != OK)
        die("syncing", ERR_IO, &f);
    if (fill.objects % STEP == 0)
        tell_step(STEP);
}

struct ipc_msg channel_receive(struct channel *ch, enum ipc_type answer) {
    (void)ch;
    return (struct ipc_msg){.type = answer};
}

struct ipc_msg channel_call(struct channel *ch, enum ipc_type type, const void *body, enum ipc_type answer) {
    channel_tell(ch, type, body);
    return channel_receive(ch, answer);
}

// --- Together -----------------------------------------------------------------------------------

static enum err on_found(void *arg, const struct store_found *found) {
    (void)arg;
    (void)found;
    return OK; // what a server left is indexed: it was stopped in good order
}

static enum err open_archive(const char *dir, struct fault *f) {
    char path[4096];
    uint8_t key[KEY_BYTES];
    struct index_mark *have = NULL;
    struct store_mark marks[4096];
    size_t n = 0;
    struct store_options options = {0};
    enum err e = keyring_open(path_in(path, dir, "keys"), f, &fill.keyring);
    path_in(path, dir, "store");
    (void)mkdir(path, 0700);
    if (e == OK)
        e = store_open(path, fill.keyring, &options, f, &fill.store);
    path_in(path, dir, "index");
    (void)mkdir(path, 0700);
    if (e == OK) {
        keyring_derive(fill.keyring, "galena/index/v1", key);
        e = index_open(path, key, NULL, f, &fill.index);
    }
    if (e == OK)
        e = index_get_marks(fill.index, f, &have, &n);
    for (size_t i = 0; e == OK && i < n && i < 4096; i++)
        marks[i] = (struct store_mark){have[i].segment, have[i].end, have[i].objects, have[i].dead_bytes};
    if (e == OK)
        e = store_recover(fill.store, marks, n, on_found, NULL, f);
    free(have);
    return e;
}

static enum err add_pack(const char *path, struct incoming_tools *tools, struct fault *f) {
    struct pack p;
    struct channel channel = {0};
    struct incoming in;
    enum err e = pack_open(path, &p) ? OK : fault_set(f, ERR_IO, "cannot read %s", path);
    for (size_t i = 0; e == OK && i < p.n; i++) {
        const struct object *x = &p.v[i];
        struct incoming_claim claim = {x->sop_class, x->instance, x->study};
        e = incoming_begin(&in, &channel, tools, &claim, "1.2.840.10008.1.2.1", f);
        if (e == OK)
            e = incoming_take(&in, slice_of(x->data, x->bytes), f);
        if (e == OK)
            e = incoming_commit(&in, f);
    }
    return e;
}

int main(int argc, char **argv) {
    struct fault f = {0};
    if (argc < 3)
        return fprintf(stderr, "usage: bench-fill DIR PACK…\n"), 2;
    struct incoming_tools *tools = incoming_tools_new();
    enum err e = tools ? open_archive(argv[1], &f) : ERR_NO_MEMORY;
    fill.step_began_s = cpu_s();
    for (int i = 2; e == OK && i < argc; i++)
        e = add_pack(argv[i], tools, &f);
    if (e != OK)
        die("filling", e, &f);
    commit();
    if (fill.objects % STEP)
        tell_step(fill.objects % STEP);
    index_close(fill.index);
    store_close(fill.store);
    keyring_close(fill.keyring);
    return 0;
}
