// Start-up: what happened since the index last looked, and where each segment ends.
#include <errno.h>
#include <unistd.h>

#include "blob/store_int.h"

struct recovery {
    struct store *s;
    struct segment *g;
    store_found_fn *found;
    void *arg;
};

// Counts on the way to the caller.
static enum err count(void *arg, const struct store_found *found) {
    struct recovery *r = arg;
    switch (found->kind) {
    case STORE_OBJECT:
        r->g->objects++;
        break;
    case STORE_ERASED:
    case STORE_NO_KEY:
    case STORE_DROPPED:
    case STORE_DAMAGED:
        r->g->dead_bytes += found->ref.length;
        break;
    case STORE_TORN:
        break;
    }
    return r->found(r->arg, found);
}

// Both lists are in order, as a rule: then each look-up finds its mark where the last one stopped.
static const struct store_mark *mark_of(const struct store_mark *marks, size_t n, size_t *cursor,
                                        uint32_t segment) {
    for (size_t i = 0; i < n; i++) {
        const struct store_mark *m = &marks[(*cursor + i) % n];
        if (m->segment == segment) {
            *cursor = (*cursor + i + 1) % n;
            return m;
        }
    }
    return NULL;
}

static enum err tell_missing(struct recovery *r, uint32_t segment, uint64_t from, uint64_t to) {
    struct store_found found = {
        .kind = STORE_DAMAGED,
        .ref = {.segment = segment, .offset = from, .length = to - from},
    };
    return r->found(r->arg, &found);
}

static bool sync_now(const struct segment *g) {
    return blob_os.fdatasync(g->fd) == 0;
}

// A file whose making the power cut off: no page, no records.
static bool never_used(struct segment *g, const struct scan *sc) {
    uint8_t page[SEGMENT_PAGE] = {0};
    ssize_t n = blob_os_read(g->fd, page, sizeof page, 0);
    if (n < 0 || sc->n_found || !sc->rest_zero || sc->read_failed)
        return false;
    for (size_t i = 0; i < sizeof page; i++) {
        if (page[i])
            return false;
    }
    return true;
}

static enum err remove_unused(struct store *s, struct segment *g, struct fault *f) {
    char name[STORE_NAME];
    store_segment_name(g->number, name);
    store_segment_remove(s, g);
    return blob_os.unlinkat(s->dir, name, 0) == 0 || errno == ENOENT ? OK : fault_errno(f, name);
}

// The end is known now: what lies behind goes, so that the next crash is not mistaken for this one.
static enum err settle_end(struct store *s, struct segment *g, const struct scan *sc, struct fault *f) {
    g->end = g->durable_end = sc->end;
    if (sc->read_failed) // perhaps there is more than the disk gave us just now: leave it alone
        g->failed = true;
    if (g->failed || g->foreign || sc->rest_zero)
        return OK;
    if (!store_space_cut(s, g, g->end) || !sync_now(g))
        return fault_errno(f, "cutting off a torn record");
    return OK;
}

static enum err scan_from(struct recovery *r, uint64_t from, struct fault *f, struct scan *ret_scan) {
    struct segment *g = r->g;
    *ret_scan = (struct scan){
        .s = r->s,
        .g = g,
        .to = g->end,
        .level = g->closed ? STORE_SCAN_META : STORE_SCAN_ALL,
        .lenient = !g->closed,
        .found = count,
        .arg = r,
        .f = f,
    };
    // After a crash of the program alone the records may still be in memory only, and the index must
    // not know what a power loss could take away.
    if (from < g->end && !sync_now(g))
        return fault_errno(f, "syncing a segment before reading it");
    return store_scan_segment(ret_scan, from);
}

static enum err recover_segment(struct recovery *r, const struct store_mark *mark, struct fault *f,
                                bool *ret_removed) {
    struct segment *g = r->g;
    struct scan sc;
    *ret_removed = false;
    enum err e = store_segment_look(r->s, g, f);
    if (e != OK)
        return e;
    uint64_t from = SEGMENT_PAGE;
    if (mark && mark->end % RECORD_ALIGN == 0 && mark->end >= SEGMENT_PAGE) {
        from = mark->end;
        g->objects = mark->objects;
        g->dead_bytes = mark->dead_bytes;
    }
    if (from > g->end && mark) { // shorter than the index knows: its places must not be given to others
        g->failed = true;
        e = tell_missing(r, g->number, g->end, from);
        from = g->end;
    }
    if (e == OK)
        e = scan_from(r, from, f, &sc);
    if (e != OK)
        return e;
    if (g->foreign && !mark && never_used(g, &sc)) { // but no gap in the numbers: it would be a loss
        *ret_removed = g == r->s->segments[r->s->n_segments - 1];
        return *ret_removed ? remove_unused(r->s, g, f) : OK;
    }
    e = settle_end(r->s, g, &sc, f);
    g->mark_changed |= !mark || mark->end != g->durable_end || mark->objects != g->objects;
    if (e == OK)
        store_reclaim_look(r->s, g);
    if ((g->closed || g->failed || g->foreign) && !g->dirty)
        store_segment_shut(r->s, g);
    return e;
}

// Segments that the index knows and the disk has no more. Their numbers are not given to others.
static enum err missing_segments(struct recovery *r, const struct store_mark *marks, size_t n) {
    for (size_t i = 0; i < n; i++) {
        if (marks[i].segment > r->s->number_taken)
            r->s->number_taken = marks[i].segment;
        if (store_segment(r->s, marks[i].segment) || store_segment_gone(r->s, marks[i].segment) ||
            marks[i].end <= SEGMENT_PAGE)
            continue;
        enum err e = tell_missing(r, marks[i].segment, SEGMENT_PAGE, marks[i].end);
        if (e != OK)
            return e;
    }
    return OK;
}

enum err store_recover(struct store *s, const struct store_mark *marks, size_t n_marks,
                       store_found_fn *found, void *arg, struct fault *f) {
    bug_unless(!s->recovered && !s->options.read_only);
    struct recovery r = {.s = s, .found = found, .arg = arg};
    // A program that died may have left names that are in memory only; what is appended below relies on them.
    if (s->n_segments && blob_os.fsync(s->dir) != 0)
        return fault_errno(f, "syncing the store's folder");
    enum err e = OK;
    size_t cursor = 0;
    for (size_t i = 0; e == OK && i < s->n_segments;) {
        bool removed;
        r.g = s->segments[i];
        e = recover_segment(&r, mark_of(marks, n_marks, &cursor, r.g->number), f, &removed);
        i += !removed;
    }
    if (e == OK)
        e = missing_segments(&r, marks, n_marks);
    if (e != OK)
        return e;
    s->recovered = true;
    store_reclaim(s);
    return store_sync_all(s, f);
}
