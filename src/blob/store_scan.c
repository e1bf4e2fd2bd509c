// Walking the records of a segment, over damage as well.
#include <errno.h>
#include <unistd.h>

#include "blob/store_int.h"

enum look {
    LOOK_RECORD,  // good, or of a known reason unreadable
    LOOK_BAD,     // a header that is ours, contents that are not what was written
    LOOK_NOTHING, // no header here
};

static struct blob_ref ref_of(const struct scan *sc, uint64_t offset, uint64_t length) {
    return (struct blob_ref){.segment = sc->g->number, .offset = offset, .length = length};
}

// A failed read is damage like any other, but nothing may be cut off because of it.
static size_t read_some(struct scan *sc, uint8_t *p, size_t n, uint64_t at) {
    if (at >= sc->to)
        return 0;
    if (n > sc->to - at)
        n = (size_t)(sc->to - at);
    ssize_t got = blob_os_read(sc->g->fd, p, n, at);
    if (got < 0)
        sc->read_failed = true;
    return got < 0 ? 0 : (size_t)got;
}

static bool zero(const uint8_t *p, size_t n) {
    return n == 0 || (p[0] == 0 && memcmp(p, p + 1, n - 1) == 0);
}

static bool has_header(struct scan *sc, uint64_t offset) { // or what is left of one
    uint8_t p[RECORD_HEADER];
    size_t n = read_some(sc, p, sizeof p, offset);
    return !zero(p, n);
}

static enum err tell(struct scan *sc, enum store_found_kind kind, uint64_t offset, uint64_t length) {
    struct store_found found = {.kind = kind, .ref = ref_of(sc, offset, length)};
    found.has_header = kind == STORE_TORN && has_header(sc, offset);
    return length ? sc->found(sc->arg, &found) : OK;
}

// --- One record ----------------------------------------------------------------------------------

static bool check_range(struct scan *sc, uint64_t at, const struct record *r, const struct seal_keys *k,
                        enum seal_range range, struct slice start, struct buf *b) {
    struct fault mine = {0};
    enum err e = store_record_range(sc->s, sc->g, at, r, k, range, start, &mine, b);
    sc->read_failed |= err_of_machine(e);
    return e == OK;
}

static bool check_rest(struct scan *sc, uint64_t at, const struct record *r, const struct seal_keys *k) {
    struct buf b = BUF_INIT(STORE_FRAMES_MAX);
    struct fault mine = {0};
    bool ok = check_range(sc, at, r, k, SEAL_SUMMARY, (struct slice){0}, &b);
    buf_reset(&b);
    ok = ok && check_range(sc, at, r, k, SEAL_FRAMES, (struct slice){0}, &b);
    buf_fini(&b);
    enum err e = ok ? store_body_check(sc->s, sc->g, at, r, k, &mine) : ERR_CORRUPT;
    sc->read_failed |= err_of_machine(e);
    return e == OK;
}

static enum err tell_object(struct scan *sc, uint64_t at, const struct record *r, const struct buf *meta) {
    struct store_found found = {
        .kind = STORE_OBJECT,
        .ref = ref_of(sc, at, r->bytes),
        .body_bytes = r->plain[SEAL_BODY],
        .meta = buf_slice(meta),
    };
    found.ref.front_bytes = (uint32_t)record_front_bytes(r);
    return sc->found(sc->arg, &found);
}

static enum err look_inside(struct scan *sc, uint64_t at, struct record *r, struct slice start,
                            enum look *ret_look) {
    struct seal_keys k;
    struct fault mine = {0};
    enum err e = store_record_keys(sc->s, sc->g, at, r, &mine, &k);
    if (e == ERR_NO_SUCH_OBJECT || e == ERR_CORRUPT) {
        *ret_look = LOOK_RECORD;
        if (e == ERR_CORRUPT && !sc->s->recovered)
            keyring_pass_over(sc->s->keyring, r->slot);
        return tell(sc, e == ERR_CORRUPT ? STORE_NO_KEY : STORE_ERASED, at, r->bytes);
    }
    sc->read_failed |= err_of_machine(e);
    *ret_look = LOOK_BAD;
    if (e != OK)
        return OK;
    struct buf meta = BUF_INIT(STORE_META_MAX);
    bool ok = check_range(sc, at, r, &k, SEAL_META, start, &meta) &&
              (sc->level == STORE_SCAN_META || check_rest(sc, at, r, &k));
    if (ok) {
        *ret_look = LOOK_RECORD;
        e = tell_object(sc, at, r, &meta);
    }
    buf_fini(&meta);
    seal_keys_wipe(&k);
    return e;
}

// Neighbours that were dropped as well, and what is left of them, belong to it.
static uint64_t dropped_bytes(struct scan *sc, uint64_t at, const struct record *r, struct slice start) {
    struct run run;
    bool noted = start.n >= RECORD_HEADER + RUN_NOTE &&
                 run_note_read(store_id_of(sc->s, sc->g), at + RECORD_HEADER, start.p + RECORD_HEADER, &run);
    return noted && run.from == at && run.to >= at + r->bytes && run.to <= sc->to ? run.to - at : r->bytes;
}

// What stands at `at`; tells of it when it is a record. *ret_bytes: its length unless NOTHING.
static enum err look_at(struct scan *sc, uint64_t at, enum look *ret_look, uint64_t *ret_bytes) {
    uint8_t window[SCAN_WINDOW];
    struct record r;
    size_t n = read_some(sc, window, sizeof window, at);
    if (n == 0)
        n = read_some(sc, window, RECORD_HEADER, at); // the bad sector may be further on
    *ret_look = LOOK_NOTHING;
    if (n < RECORD_HEADER || !record_read(store_id_of(sc->s, sc->g), at, window, &r))
        return OK;
    *ret_bytes = r.bytes;
    if (r.bytes > sc->to - at) { // cut short
        *ret_bytes = sc->to - at;
        *ret_look = LOOK_BAD;
        return OK;
    }
    if (r.dropped) {
        *ret_look = LOOK_RECORD;
        *ret_bytes = dropped_bytes(sc, at, &r, slice_of(window, n));
        return tell(sc, STORE_DROPPED, at, *ret_bytes);
    }
    return look_inside(sc, at, &r, slice_of(window, n), ret_look);
}

// --- Between records -----------------------------------------------------------------------------

// The next place at or behind `at` that holds bytes at all, as far as the file system can tell.
static uint64_t skip_hole(const struct scan *sc, uint64_t at) {
    off_t data = lseek(sc->g->fd, (off_t)at, SEEK_DATA);
    if (data < 0)
        return errno == ENXIO ? sc->to : at;
    return (uint64_t)data <= at ? at : (uint64_t)data / RECORD_ALIGN * RECORD_ALIGN;
}

static bool header_at(struct scan *sc, const uint8_t *p, size_t n, uint64_t at, struct record *ret) {
    uint8_t whole[RECORD_HEADER];
    if (p[0] != 'G') // of all magics: most places are ruled out without a second look
        return false;
    if (n < RECORD_HEADER) {
        if (read_some(sc, whole, sizeof whole, at) < sizeof whole)
            return false;
        p = whole;
    }
    return record_read(store_id_of(sc->s, sc->g), at, p, ret);
}

struct next {
    enum {
        NEXT_NOTHING,
        NEXT_HEADER,
        NEXT_RUN_END, // of a run in which we began to look
    } what;
    uint64_t at; // `to` when there is nothing
    bool zero;   // nothing but zeros stands before it
};

// One place of those behind `start`; true: it decides. A dropped record's header does not: it may be left in
// a run that is becoming a hole.
static bool look_for_next(struct scan *sc, const uint8_t *p, size_t n, uint64_t at, uint64_t start,
                          struct next *next) {
    struct run run;
    struct record r;
    if (p[0] == 'G' && n >= RUN_NOTE && run_note_read(store_id_of(sc->s, sc->g), at, p, &run) &&
        run.from <= start && start < run.to && run.to <= sc->to) {
        next->what = NEXT_RUN_END;
        next->at = run.to;
        return true;
    }
    if (!header_at(sc, p, n, at, &r))
        return false;
    if (next->what == NEXT_NOTHING) {
        next->what = NEXT_HEADER;
        next->at = at;
    }
    return !r.dropped;
}

static bool look_through(struct scan *sc, const uint8_t *block, size_t n, uint64_t at, uint64_t start,
                         struct next *next) {
    bool was_nothing = next->what == NEXT_NOTHING, decided = false;
    if (zero(block, n))
        return false;
    for (size_t i = 0; i + 4 <= n && !decided; i += RECORD_ALIGN)
        decided = at + i > start && look_for_next(sc, block + i, n - i, at + i, start, next);
    if (was_nothing)
        next->zero = next->zero && next->what == NEXT_HEADER && zero(block, (size_t)(next->at - at));
    return decided;
}

static struct next find_next(struct scan *sc, uint64_t start) {
    enum { BLOCK = 64 * 1024, SMALL = 4096 };
    uint8_t *block = sc->s->scratch;
    uint64_t at = start;
    struct next next = {NEXT_NOTHING, sc->to, true};
    for (size_t want = BLOCK; at < sc->to;) {
        at = skip_hole(sc, at);
        size_t n = read_some(sc, block, want, at);
        if (n == 0 && want == BLOCK && at < sc->to) {
            want = SMALL; // around a bad sector
            continue;
        }
        if (n == 0) {
            next.zero = next.zero && next.what != NEXT_NOTHING;
            at += SMALL;
            continue;
        }
        want = BLOCK;
        if (look_through(sc, block, n, at, start, &next))
            break;
        at += (n + RECORD_ALIGN - 1) / RECORD_ALIGN * RECORD_ALIGN;
    }
    return next;
}

bool store_scan_is_in_run(struct store *s, struct segment *g, uint64_t at) {
    struct scan sc = {.s = s, .g = g, .to = g->end};
    return find_next(&sc, at).what == NEXT_RUN_END;
}

// --- The segment ---------------------------------------------------------------------------------

// A record that does not open. What it is shows only when it is known whether another follows.
struct suspect {
    uint64_t at, bytes;
};

// Beside a running archive it may have been in the making, or about to be dropped. It is neither once
// something follows it: a second look tells. And it may have become part of a run.
static enum err look_again(struct scan *sc, struct suspect *bad) {
    enum look look = LOOK_BAD;
    uint64_t bytes;
    if (!sc->s->options.read_only || bad->bytes == 0)
        return OK;
    enum err e = look_at(sc, bad->at, &look, &bytes);
    if (look == LOOK_RECORD || (look == LOOK_NOTHING && find_next(sc, bad->at).what == NEXT_RUN_END))
        bad->bytes = 0;
    return e;
}

static enum err tell_suspect(struct scan *sc, struct suspect *bad, bool last) {
    enum err e = look_again(sc, bad);
    if (e == OK)
        e = tell(sc, last && sc->lenient ? STORE_TORN : STORE_DAMAGED, bad->at, bad->bytes);
    bad->bytes = 0;
    return e;
}

static bool has_come(struct scan *sc, uint64_t at) { // beside a running archive: since it was looked at
    uint8_t p[RECORD_HEADER];
    struct record r;
    return sc->s->options.read_only && read_some(sc, p, sizeof p, at) == sizeof p &&
           header_at(sc, p, sizeof p, at, &r);
}

static enum err pass_run(struct scan *sc, struct suspect *bad, uint64_t *at, uint64_t end) {
    enum err e = tell_suspect(sc, bad, false);
    if (e == OK)
        e = tell(sc, STORE_DROPPED, *at, end - *at);
    sc->end = *at = end;
    sc->rest_zero = true;
    sc->n_found++;
    return e;
}

// No header at `at`: goes on to the next one, telling of what lies between. It may be the midst of a run, if
// the mark from which we look is an old one.
static enum err pass_gap(struct scan *sc, struct suspect *bad, uint64_t *at) {
    struct next next = find_next(sc, *at);
    if (next.what == NEXT_RUN_END)
        return pass_run(sc, bad, at, next.at);
    bool last = next.what == NEXT_NOTHING;
    enum err e = tell_suspect(sc, bad, last);
    if (e != OK || (!last && has_come(sc, *at)))
        return e;
    if (last) {
        sc->rest_zero = next.zero && sc->end == *at;
        if (e == OK && !(next.zero && sc->lenient))
            e = tell(sc, sc->lenient ? STORE_TORN : STORE_DAMAGED, *at, sc->to - *at);
    } else if (e == OK) {
        e = tell(sc, next.zero && sc->lenient ? STORE_TORN : STORE_DAMAGED, *at, next.at - *at);
    }
    *at = next.at;
    return e;
}

enum err store_scan_segment(struct scan *sc, uint64_t from) {
    struct suspect bad = {0};
    enum err e = OK;
    sc->end = from;
    sc->rest_zero = true;
    for (uint64_t at = from; e == OK && at < sc->to;) {
        enum look look;
        uint64_t bytes = 0;
        e = look_at(sc, at, &look, &bytes);
        if (e != OK)
            break;
        if (look == LOOK_NOTHING) {
            e = pass_gap(sc, &bad, &at);
            continue;
        }
        e = tell_suspect(sc, &bad, false);
        at += bytes;
        if (look == LOOK_BAD) {
            bad = (struct suspect){at - bytes, bytes};
            sc->rest_zero = false;
        } else {
            sc->end = at;
            sc->rest_zero = true;
            sc->n_found++;
        }
    }
    return e == OK ? tell_suspect(sc, &bad, true) : e;
}

uint32_t store_missing(const struct store *s, uint32_t after) {
    uint32_t number = after;
    for (size_t i = 0; i < s->n_segments; i++) {
        const struct segment *g = s->segments[i];
        if (g->number <= number)
            continue;
        if (number + 1 < g->gone_from)
            return number + 1;
        number = g->number;
    }
    return 0;
}

// Beside a running archive it may have been removed since they were listed: store_missing() tells whether
// rightly.
static enum err look_if_there(struct store *s, struct segment *g, struct fault *f, bool *ret_there) {
    struct fault mine = {0};
    errno = 0;
    enum err e = store_segment_look(s, g, &mine);
    *ret_there = e == OK || !s->options.read_only || errno != ENOENT;
    return e == OK || !*ret_there ? OK : fault_set(f, e, "%s", mine.detail);
}

enum err store_scan(struct store *s, uint32_t from_segment, uint64_t from_offset, enum store_scan_level level,
                    store_found_fn *found, void *arg, struct fault *f) {
    enum err e = OK;
    for (size_t i = 0; e == OK && i < s->n_segments;) {
        struct segment *g = s->segments[i];
        bool there = true;
        if (g->number >= from_segment)
            e = s->recovered ? store_segment_fd(s, g, f) : look_if_there(s, g, f, &there);
        if (there)
            i++;
        else
            store_segment_remove(s, g);
        if (e != OK || !there || g->number < from_segment)
            continue;
        struct scan sc = {.s = s, .g = g, .to = g->end, .level = level, .found = found, .arg = arg, .f = f,
                          .lenient = !s->recovered && !g->closed};
        uint64_t from = g->number == from_segment ? from_offset : 0;
        e = store_scan_segment(&sc, from < SEGMENT_PAGE ? SEGMENT_PAGE : from / RECORD_ALIGN * RECORD_ALIGN);
    }
    return e;
}
