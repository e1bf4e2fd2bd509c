// C-FIND as the archive sees it: typed conditions in, rows out, some at a time.
#include "archive.h"

#include "base/rd.h"

enum {
    ROWS_BYTES = 57344 - 8192,
    ROWS_AT_ONCE = 200,
    SUMMARIES_AT_ONCE = 64, // so that the worker has something to do while the next come
    SUMMARY_ROOM = 256 * 1024
};
_Static_assert(RING_BODY_BYTES == RING_AUX_BYTES, "summaries have the same room in both");

static bool may_query(struct archive *a, struct session *s) {
    if (s->rights & IPC_RIGHT_QUERY)
        return true;
    session_end(a, s, "its worker queries without the right to");
    return false;
}

static void failed(struct archive *a, struct session *s, enum err e, const char *detail) {
    session_log(a, s, OS_LOG_ERROR, "a query of peer %s failed: %s: %s", s->peer, err_text(e), detail);
    finding_end(a, s);
    struct ipc_query_rows m = {.error = (uint16_t)e, .done = 1};
    session_reply(a, s, IPC_QUERY_ROWS, &m, -1);
}

// The conditions lie in memory that the worker can change: copied first, then read.
enum err conditions_take(struct archive *a, struct session *s, uint32_t bytes,
                         struct query_condition **ret_conditions, size_t *ret_count, struct fault *f) {
    const uint8_t *ring = ring_map(a, s);
    if (!ring || bytes > QUERY_MAX_BYTES)
        return fault_set(f, ERR_PROTOCOL, "conditions without memory for them");
    buf_reset(&a->scratch);
    buf_append(&a->scratch, ring + RING_BODY_BYTES, bytes);
    arena_reset(&s->arena);
    return query_get_all(buf_slice(&a->scratch), &s->arena, ret_conditions, ret_count, f);
}

static bool returns_valid(struct slice bytes, uint16_t returns[INDEX_ATTR_COUNT_], size_t *ret_count) {
    struct rd r = rd_init(bytes);
    size_t n = 0;
    while (rd_ok(&r) && rd_left(&r) > 0) {
        uint16_t attr = rd_u16le(&r);
        if (attr >= INDEX_ATTR_COUNT_ || n == INDEX_ATTR_COUNT_)
            return false;
        returns[n++] = attr;
    }
    *ret_count = n;
    return rd_ok(&r);
}

void finding_on_query(struct archive *a, struct session *s, const struct ipc_query *m) {
    if (!may_query(a, s))
        return;
    struct fault f = {0};
    struct query_condition *conditions;
    size_t count;
    bool shape = m->root <= QUERY_ROOT_STUDY && m->level <= QUERY_LEVEL_IMAGE &&
                 m->order <= INDEX_ORDER_NEWEST && returns_valid(m->returns, s->returns, &s->return_count);
    if (!shape || conditions_take(a, s, m->conditions_bytes, &conditions, &count, &f) != OK) {
        session_end(a, s, "its worker sent a query that is none");
        return;
    }
    a->queries++;
    s->query_flags = m->flags;
    s->query_in_body = false;
    s->phase = IPC_PHASE_QUERYING;
    struct index_query_spec spec = {.level = (enum index_level)m->level,
                                    .conditions = conditions,
                                    .condition_count = count,
                                    .returns = s->returns,
                                    .return_count = s->return_count,
                                    .offset = m->offset,
                                    .limit = m->limit,
                                    .order = (enum index_order)m->order};
    view_limit(s->view, &spec);
    enum err e = index_query_open(a->index, &spec, &f, &s->query);
    if (e != OK)
        failed(a, s, e, f.detail);
    else
        finding_on_more(a, s);
}

static void put_row(struct buf *rows, const struct index_query *q, size_t count) {
    for (size_t i = 0; i < count; i++) {
        struct slice value = index_query_value(q, i);
        if (value.n > UINT16_MAX)
            value.n = 0;
        buf_u16le(rows, (uint16_t)value.n);
        buf_append_slice(rows, value);
    }
}

// The summary of the row's representative object goes to the auxiliary (or body) area, behind those of the
// rows before it; one that has no room there (or can't be read: its study was erased) is left out, and the
// row goes without. A row is only begun while SUMMARY_ROOM is left, so that what has no room is longer than
// that.
static enum err put_summary(struct archive *a, struct session *s, size_t *at, struct fault *f) {
    struct index_ref ref;
    struct fault without = {0};
    uint8_t *ring = ring_map(a, s);
    uint32_t n = 0;
    enum err e = index_query_ref(s->query, &without, &ref);
    if (e == OK && ring) {
        struct blob_ref blob = blob_ref_of(&ref);
        buf_reset(&a->summary);
        e = store_get_summary(a->store, &blob, &without, &a->summary);
    }
    if (e == ERR_NO_MEMORY) // which is there the next time; what cannot be read would end all searches
        return fault_set(f, e, "%s", without.detail);
    if (e == OK && ring && a->summary.n > 0 && a->summary.n <= RING_AUX_BYTES - *at) {
        memcpy(ring + (s->query_in_body ? 0 : RING_BODY_BYTES) + *at, a->summary.p, a->summary.n);
        n = (uint32_t)a->summary.n;
    }
    buf_u32le(&a->scratch, n);
    *at += n;
    return OK;
}

void finding_on_more(struct archive *a, struct session *s) {
    if (!s->query) {
        session_end(a, s, "its worker asks for rows of no query");
        return;
    }
    bool summaries = s->query_flags & QUERY_FLAG_SUMMARY;
    struct ipc_query_rows m = {0};
    struct fault f = {0};
    enum index_step step = INDEX_ROW;
    buf_reset(&a->scratch);
    size_t summary_bytes = 0;
    while (m.count < (summaries ? SUMMARIES_AT_ONCE : ROWS_AT_ONCE) && a->scratch.n < ROWS_BYTES &&
           summary_bytes <= RING_AUX_BYTES - SUMMARY_ROOM) {
        size_t before = a->scratch.n;
        enum err e = index_query_step(s->query, &f, &step);
        if (e != OK) {
            failed(a, s, e, f.detail);
            return;
        }
        if (step != INDEX_ROW) // after INDEX_AGAIN others get their turn: the worker asks again
            break;
        put_row(&a->scratch, s->query, s->return_count);
        if (a->scratch.n - before > 57344 - ROWS_BYTES) { // no honest row is that long
            failed(a, s, ERR_LIMIT, "a row is too long");
            return;
        }
        if (summaries)
            e = put_summary(a, s, &summary_bytes, &f);
        if (e == OK)
            e = buf_check(&a->scratch, &f, "rows");
        if (e != OK) {
            failed(a, s, e, f.detail);
            return;
        }
        m.count++;
    }
    s->query_in_body = s->query_flags & QUERY_FLAG_BY_TURNS && !s->query_in_body;
    m.done = step == INDEX_END;
    m.rows = buf_slice(&a->scratch);
    if (m.done)
        finding_end(a, s);
    session_reply(a, s, IPC_QUERY_ROWS, &m, -1);
}

void finding_end(struct archive *a, struct session *s) {
    (void)a;
    if (s->query)
        index_query_close(TAKE(s->query));
    if (s->phase == IPC_PHASE_QUERYING)
        s->phase = IPC_PHASE_READY;
}
