// Group commit.
#include <errno.h>
#include <stdlib.h>

#include "blob/store_int.h"

void store_dirty(struct store *s, struct segment *g) {
    if (g->dirty)
        return;
    g->dirty = true;
    g->next_dirty = s->dirty;
    s->dirty = g;
}

static bool take_dirty(struct sync_round *r, struct segment *g) {
    if (r->n == r->cap) {
        size_t cap = r->cap ? 2 * r->cap : 16;
        struct sync_item *p = reallocarray(r->items, cap, sizeof *p);
        if (!p)
            return false;
        r->items = p;
        r->cap = cap;
    }
    r->items[r->n++] = (struct sync_item){.segment = g, .fd = g->fd};
    g->dirty = false;
    g->round_end = g->end;
    g->gone_round = g->gone_from;
    g->unsynced_round = g->unsynced;
    g->unsynced = 0;
    g->pins++;
    r->dir |= g->dir_entry_new;
    return true;
}

bool store_sync_begin(struct store *s) {
    struct sync_round *r = &s->round;
    if (r->under_way || s->options.read_only)
        return false;
    r->n = 0;
    r->dir = false;
    r->keys_error = r->dir_error = 0;
    while (s->dirty && take_dirty(r, s->dirty)) // those that find no memory wait for the next round
        s->dirty = s->dirty->next_dirty;
    store_reclaim_round(s, !s->dirty);
    r->keys = keyring_sync_begin(s->keyring);
    r->under_way = r->keys || r->n > 0;
    return r->under_way;
}

// Keys first: a record whose key is lost is only a nuisance, but it needs explaining.
void store_sync_run(struct store *s) {
    struct sync_round *r = &s->round;
    bug_unless(r->under_way);
    if (r->keys && !keyring_sync_run(s->keyring))
        r->keys_error = errno;
    for (size_t i = 0; i < r->n; i++)
        r->items[i].error = blob_os.fdatasync(r->items[i].fd) == 0 ? 0 : errno;
    if (r->dir && blob_os.fsync(s->dir) != 0)
        r->dir_error = errno;
}

// Everything in it that is not yet durable is lost; it gets no more records.
static void fail(struct store *s, struct segment *g) {
    s->failed_syncs++;
    if (g->failed)
        return;
    g->failed = true;
    uint64_t lost = g->unsynced + g->unsynced_round;
    g->objects -= lost < g->objects ? lost : g->objects;
    g->end = g->durable_end > SEGMENT_PAGE ? g->durable_end : SEGMENT_PAGE;
    // So that a restart does not find what was refused. As far as the disk lets us: no retry.
    while (blob_os.ftruncate(g->fd, (off_t)g->end) != 0 && errno == EINTR)
        ;
    g->alloc_end = g->end;
}

// A full segment says so on its page, after all its records are durable: recovery then need not doubt them.
static void close_full(struct store *s, struct segment *g) {
    if (g->busy || g->failed || g->foreign || g->closed || g->end < s->options.segment_bytes ||
        g->durable_end != g->end)
        return;
    g->closed = true;
    if (!store_page_write(s, g)) {
        g->closed = false;
        return;
    }
    (void)store_space_cut(s, g, g->end);
    store_dirty(s, g);
    store_reclaim_look(s, g);
}

static void settle(struct store *s, const struct sync_item *item, bool ok) {
    struct segment *g = item->segment;
    g->pins--;
    if (!ok) {
        fail(s, g);
        return;
    }
    g->dir_entry_new = false;
    if (g->failed)
        return;
    g->mark_changed |= g->durable_end != g->round_end;
    g->durable_end = g->round_end;
    g->gone_durable = g->gone_round;
    close_full(s, g);
}

// The slots made since the last sync are burned: what was sealed with them cannot be opened any more.
static void fail_all_unsynced(struct store *s) {
    for (size_t i = 0; i < s->n_segments; i++) {
        struct segment *g = s->segments[i];
        if (g->end > g->durable_end && !g->failed && g->fd >= 0)
            fail(s, g);
    }
    store_streams_fail(s);
}

enum err store_sync_end(struct store *s, struct fault *f) {
    struct sync_round *r = &s->round;
    if (!r->under_way)
        return OK;
    r->under_way = false;
    int error = r->keys_error ? r->keys_error : r->dir_error;
    for (size_t i = 0; i < r->n; i++) {
        const struct sync_item *item = &r->items[i];
        bool ok = !r->keys_error && !item->error && !(item->segment->dir_entry_new && r->dir_error);
        if (item->error)
            error = item->error;
        settle(s, item, ok);
    }
    if (r->keys)
        keyring_sync_end(s->keyring, !r->keys_error);
    if (r->keys_error)
        fail_all_unsynced(s);
    store_reclaim(s);
    errno = error;
    return error ? fault_errno(f, "syncing the store") : OK;
}

enum err store_sync(struct store *s, struct fault *f) {
    if (!store_sync_begin(s))
        return s->round.under_way ? fault_set(f, ERR_BUSY, "a sync is under way") : OK;
    store_sync_run(s);
    return store_sync_end(s, f);
}

// A drop, its run, the hole; then, of the last one in a segment, the heir's page: each with a sync.
enum err store_sync_all(struct store *s, struct fault *f) {
    enum { ROUNDS = 5 };
    enum err e = store_sync(s, f);
    for (int i = 1; e == OK && s->dirty && i < ROUNDS; i++)
        e = store_sync(s, f);
    return e;
}

enum store_durability store_durability(const struct store *s, const struct blob_ref *ref) {
    const struct segment *g = store_segment(s, ref->segment);
    if (g && ref->offset + ref->length <= g->durable_end)
        return STORE_DURABLE;
    return g && !g->failed ? STORE_PENDING : STORE_LOST;
}
