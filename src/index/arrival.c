// What came in, by hour, peer and modality. Counted in memory and written with the other late counts.
#include "index/internal.h"

enum { HOUR_MS = 3600 * 1000 };

static void take_text(char *dst, size_t cap, struct slice s) {
    size_t n = s.n < cap ? s.n : cap - 1;
    while (n < s.n && n > 0 && (s.p[n] & 0xc0) == 0x80) // not in the midst of a character
        n--;
    memcpy(dst, n ? (const void *)s.p : "", n);
    dst[n] = '\0';
}

static enum err write_one(struct index *ix, const struct arrival_entry *a, struct fault *f) {
    sqlite3_stmt *s = NULL;
    enum err e = index_statement(ix, ST_ARRIVAL_ADD, f, &s);
    if (e != OK)
        return e;
    sqlite3_bind_int64(s, 1, a->hour);
    sqlite3_bind_text(s, 2, a->peer, -1, SQLITE_STATIC);
    sqlite3_bind_text(s, 3, a->modality, -1, SQLITE_STATIC);
    sqlite3_bind_int64(s, 4, a->studies);
    sqlite3_bind_int64(s, 5, a->instances);
    int rc = sqlite3_step(s);
    sqlite3_reset(s);
    return rc == SQLITE_DONE ? OK : index_fail(ix, rc, "noting what came in", f);
}

enum err arrivals_flush(struct index *ix, struct fault *f) {
    for (int i = 0; i < ARRIVALS_CACHED; i++) {
        struct arrival_entry *a = &ix->arrivals[i];
        enum err e = a->instances ? write_one(ix, a, f) : OK;
        if (e != OK)
            return e;
        a->instances = 0;
    }
    return OK;
}

// The first of each hour takes those that are too old.
static enum err forget_old(struct index *ix, int64_t hour, struct fault *f) {
    sqlite3_stmt *s = NULL;
    if (hour <= ix->newest_hour)
        return OK;
    enum err e = index_statement(ix, ST_ARRIVALS_DROP, f, &s);
    if (e != OK)
        return e;
    sqlite3_bind_int64(s, 1, hour - INDEX_ARRIVALS_HOURS);
    int rc = sqlite3_step(s);
    sqlite3_reset(s);
    ix->newest_hour = hour;
    return rc == SQLITE_DONE ? OK : index_fail(ix, rc, "forgetting what came in", f);
}

static struct arrival_entry *find(struct index *ix, const struct arrival_entry *wanted) {
    struct arrival_entry *empty = NULL;
    for (int i = 0; i < ARRIVALS_CACHED; i++) {
        struct arrival_entry *a = &ix->arrivals[i];
        if (a->instances == 0)
            empty = a;
        else if (a->hour == wanted->hour && strcmp(a->peer, wanted->peer) == 0 &&
                 strcmp(a->modality, wanted->modality) == 0)
            return a;
    }
    return empty;
}

static struct arrival_entry entry_of(const struct index_object *o, struct slice modality) {
    struct arrival_entry a = {.hour = (int64_t)(o->received_ms / HOUR_MS)};
    take_text(a.peer, sizeof a.peer, o->peer);
    take_text(a.modality, sizeof a.modality, modality);
    return a;
}

enum err arrival_note(struct index *ix, const struct index_object *o, struct slice modality, bool new_study,
                      struct fault *f) {
    struct arrival_entry wanted = entry_of(o, modality);
    if (o->received_ms == 0)
        return OK;
    enum err e = forget_old(ix, wanted.hour, f);
    struct arrival_entry *a = e == OK ? find(ix, &wanted) : NULL;
    if (e == OK && !a) {
        e = arrivals_flush(ix, f);
        a = &ix->arrivals[0];
    }
    if (e != OK)
        return e;
    if (a->instances == 0)
        *a = wanted;
    a->studies += new_study;
    a->instances++;
    ix->counts_wait = true;
    return OK;
}

enum err index_each_arrival(struct index *ix, uint64_t from_hour, index_arrival_fn *fn, void *arg,
                            struct fault *f) {
    sqlite3_stmt *s = NULL;
    int rc = SQLITE_DONE;
    enum err e = from_hour > INT64_MAX ? ERR_LIMIT : series_flush(ix, f);
    if (e == OK)
        e = index_statement(ix, ST_ARRIVALS, f, &s);
    if (e != OK)
        return e;
    sqlite3_bind_int64(s, 1, (int64_t)from_hour);
    while (e == OK && (rc = sqlite3_step(s)) == SQLITE_ROW) {
        struct index_arrival a = {.hour = (uint64_t)sqlite3_column_int64(s, 0),
                                  .peer = column_slice(s, 1),
                                  .modality = column_slice(s, 2),
                                  .studies = (uint64_t)sqlite3_column_int64(s, 3),
                                  .instances = (uint64_t)sqlite3_column_int64(s, 4)};
        e = fn(arg, &a);
    }
    sqlite3_reset(s);
    if (e != OK)
        return e;
    return rc == SQLITE_ROW || rc == SQLITE_DONE ? OK : index_fail(ix, rc, "reading what came in", f);
}
