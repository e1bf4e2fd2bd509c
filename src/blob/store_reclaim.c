// The disk gets back what was dropped, step by step, each durable before the next:
//
//   the drop mark    a hole under a header that still says "live" would be damage
//   the run          with its neighbours that are dead already, whose headers may go then: small records
//                    would keep nearly all blocks otherwise (blob/segment.h)
//   the hole
//
// And of a closed segment that is one run from its first record to its end: the page of the next one says
// that it is gone, for otherwise it would be missing; then its file is removed. Its number is not given
// again, because the highest one stays. (What a power loss brings back of it is still one run: the next start
// removes it again.)
//
// None of this is needed for a deletion to hold: whatever fails here leaves dead bytes, and nothing else.
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>

#include "blob/store_int.h"

enum { HOPS_MAX = 1024 }; // from one dead record to the next, while others wait

void store_reclaim_note(struct store *s, struct segment *g, uint64_t offset, uint64_t bytes) {
    struct dead_list *l = &s->drops;
    if (!l->p)
        l->p = calloc(STORE_DROPS_MAX, sizeof *l->p);
    if (l->p && l->n < STORE_DROPS_MAX)
        l->p[l->n++] = (struct dead){g->number, {offset, offset + bytes}};
}

void store_reclaim_round(struct store *s, bool all) {
    s->drops.n_round = all ? s->drops.n : 0;
    s->runs.n_round = all ? s->runs.n : 0;
}

static void forget_round(struct dead_list *l) {
    l->n -= l->n_round;
    if (l->n)
        memmove(l->p, l->p + l->n_round, l->n * sizeof *l->p);
    l->n_round = 0;
}

// --- Runs ----------------------------------------------------------------------------------------

static bool writable(struct store *s, struct segment *g) {
    return g && !g->failed && !g->foreign && store_segment_fd(s, g, NULL) == OK;
}

// Where the dead record at `at` ends, or its run. 0: none is there.
static uint64_t dead_end(struct store *s, struct segment *g, uint64_t at) {
    uint8_t p[RECORD_HEADER + RUN_NOTE];
    struct record r;
    struct run run;
    if (at >= g->durable_end || blob_os_read(g->fd, p, sizeof p, at) != sizeof p ||
        !record_read(store_id_of(s, g), at, p, &r) || !r.dropped)
        return 0;
    bool noted = run_note_read(store_id_of(s, g), at + RECORD_HEADER, p + RECORD_HEADER, &run);
    uint64_t end = noted && run.from == at && run.to > at + r.bytes ? run.to : at + r.bytes;
    return end <= g->durable_end ? end : 0;
}

static uint64_t extend(struct store *s, struct segment *g, uint64_t to, uint64_t hops) {
    uint64_t end;
    for (; hops > 0 && (end = dead_end(s, g, to)) != 0; hops--)
        to = end;
    return to;
}

static uint64_t run_before(struct store *s, struct segment *g, uint64_t from) {
    uint8_t p[RUN_NOTE];
    struct run run;
    if (from < SEGMENT_PAGE + RUN_NOTE || blob_os_read(g->fd, p, sizeof p, from - RUN_NOTE) != sizeof p ||
        !run_note_read(store_id_of(s, g), from - RUN_NOTE, p, &run) || run.to != from)
        return from;
    return run.from;
}

static bool write_note(struct store *s, struct segment *g, uint64_t at, const struct run *run) {
    uint8_t p[RUN_NOTE];
    run_note_write(store_id_of(s, g), at, run, p);
    return blob_os_write(g->fd, p, sizeof p, at);
}

static void note_run(struct store *s, struct segment *g, const struct run *run) {
    struct dead_list *l = &s->runs;
    if (!l->p)
        l->p = calloc(STORE_DROPS_MAX, sizeof *l->p);
    if (!l->p || l->n == STORE_DROPS_MAX || !write_note(s, g, run->from + RECORD_HEADER, run) ||
        !write_note(s, g, run->to - RUN_NOTE, run))
        return;
    store_dirty(s, g);
    l->p[l->n++] = (struct dead){g->number, *run};
}

static int compare(const void *x, const void *y) {
    const struct dead *a = x, *b = y;
    if (a->segment != b->segment)
        return a->segment < b->segment ? -1 : 1;
    return a->run.from < b->run.from ? -1 : a->run.from > b->run.from;
}

static void make_runs(struct store *s) {
    struct dead_list *l = &s->drops;
    if (l->n_round == 0)
        return;
    qsort(l->p, l->n_round, sizeof *l->p, compare);
    for (size_t i = 0; i < l->n_round;) {
        uint32_t number = l->p[i].segment;
        struct run run = l->p[i].run;
        struct segment *g = store_segment(s, number);
        if (writable(s, g)) {
            uint64_t to = extend(s, g, run.from, HOPS_MAX); // it may begin a run already
            run = (struct run){run_before(s, g, run.from), to > run.to ? to : run.to};
            if (to > l->p[i].run.from)
                note_run(s, g, &run);
        }
        while (i < l->n_round && l->p[i].segment == number && l->p[i].run.from < run.to)
            i++;
    }
    forget_round(l);
}

// --- Holes ---------------------------------------------------------------------------------------

// The first header stays, and the notes. Parts of blocks become zeros, so that no header stands in the midst.
static void punch_runs(struct store *s) {
    for (size_t i = 0; i < s->runs.n_round; i++) {
        const struct run *run = &s->runs.p[i].run;
        struct segment *g = store_segment(s, s->runs.p[i].segment);
        uint64_t from = run->from + RECORD_HEADER + RUN_NOTE, to = run->to - RUN_NOTE;
        if (!writable(s, g))
            continue;
        if (from < to)
            (void)blob_os.fallocate(g->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, (off_t)from,
                                    (off_t)(to - from));
        g->dead = g->dead || (g->closed && run->from == SEGMENT_PAGE && run->to == g->end);
    }
    forget_round(&s->runs);
}

// --- Segments ------------------------------------------------------------------------------------

void store_reclaim_look(struct store *s, struct segment *g) {
    if (g->closed && writable(s, g))
        g->dead = g->end > SEGMENT_PAGE && extend(s, g, SEGMENT_PAGE, UINT64_MAX) == g->end;
}

static bool may_go(const struct segment *g) {
    return g->dead && !g->failed && !g->busy && !g->dirty && g->pins == 0;
}

// What goes below the i-th segment, without a gap in between: what is missing must stay missing.
static uint32_t gone_below(const struct store *s, size_t i) {
    uint32_t from = s->segments[i]->gone_from;
    while (i-- > 0 && may_go(s->segments[i]) && from <= s->segments[i]->number + 1)
        if (s->segments[i]->gone_from < from) // else it is back, after we had said it
            from = s->segments[i]->gone_from;
    return from;
}

static void tell_heir(struct store *s, struct segment *heir, uint32_t gone_from) {
    if (gone_from >= heir->gone_durable || !writable(s, heir))
        return;
    uint32_t before = heir->gone_from;
    heir->gone_from = gone_from;
    if (gone_from < before && !store_page_write(s, heir))
        heir->gone_from = before;
    else
        store_dirty(s, heir);
}

static void remove_segment(struct store *s, struct segment *g) {
    char name[STORE_NAME];
    store_segment_name(g->number, name);
    if (blob_os.unlinkat(s->dir, name, 0) != 0 && errno != ENOENT) {
        g->dead = false; // the next start tries again
        return;
    }
    if (s->current == g)
        s->current = NULL;
    store_segment_remove(s, g);
}

static void remove_dead(struct store *s) {
    uint32_t gone_from = UINT32_MAX; // what the heir says of those below it
    for (size_t i = s->n_segments; i-- > 0;) {
        struct segment *g = s->segments[i];
        if (!may_go(g)) {
            if (i > 0 && may_go(s->segments[i - 1]))
                tell_heir(s, g, gone_below(s, i));
            gone_from = g->gone_durable;
        } else if (g->number >= gone_from) {
            remove_segment(s, g);
        }
    }
}

void store_reclaim(struct store *s) {
    punch_runs(s);
    make_runs(s);
    remove_dead(s);
}
