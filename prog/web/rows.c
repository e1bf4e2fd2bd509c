#include "rows.h"

static void put_conditions(struct channel *archive, struct slice conditions) {
    if (conditions.n > 0)
        memcpy(channel_aux(archive), conditions.p, conditions.n);
}

static enum err take_batch(struct rows *r, const struct ipc_msg *m, struct fault *f) {
    const struct ipc_query_rows *got = &m->u.query_rows;
    r->done = got->done;
    r->open = !got->done;
    r->left = got->count;
    r->rd = rd_init(got->rows);
    r->summary_at = 0;
    if (got->error != OK)
        return fault_set(f, (enum err)got->error, "the archive could not answer");
    r->asked = !r->done;
    if (r->asked)
        channel_tell(r->archive, IPC_QUERY_MORE, &(struct ipc_query_more){0});
    return OK;
}

// The message that is received overwrites the rows of the one before.
static enum err next_batch(struct rows *r, struct fault *f) {
    struct ipc_msg m = channel_receive(r->archive, IPC_QUERY_ROWS);
    r->asked = false;
    r->in_body = !r->in_body;
    return take_batch(r, &m, f);
}

static struct slice summary_of(const struct rows *r, uint32_t n) {
    if (!r->in_body)
        return channel_aux_slice(r->archive, r->summary_at, n);
    bool there = r->summary_at <= r->archive->ring_body && n <= r->archive->ring_body - r->summary_at;
    return there ? slice_of(r->archive->ring.p + r->summary_at, n) : slice_of(NULL, 0);
}

enum err rows_open(struct rows *r, struct channel *archive, const struct rows_question *q, struct fault *f) {
    uint8_t returns[2 * INDEX_ATTR_COUNT_];
    *r = (struct rows){.archive = archive, .return_count = q->return_count, .summaries = q->summaries};
    enum err e = channel_ring(archive, f);
    if (e != OK)
        return e;
    for (size_t i = 0; i < q->return_count; i++) {
        returns[2 * i] = (uint8_t)q->returns[i];
        returns[2 * i + 1] = (uint8_t)(q->returns[i] >> 8);
    }
    put_conditions(archive, q->conditions);
    struct ipc_query ask = {.root = QUERY_ROOT_STUDY,
                            .level = (uint8_t)q->level,
                            .flags = q->summaries ? QUERY_FLAG_SUMMARY | QUERY_FLAG_BY_TURNS : 0,
                            .order = q->order,
                            .offset = q->offset,
                            .limit = q->limit,
                            .conditions_bytes = (uint32_t)q->conditions.n,
                            .returns = slice_of(returns, 2 * q->return_count)};
    struct ipc_msg m = channel_call(archive, IPC_QUERY, &ask, IPC_QUERY_ROWS);
    return take_batch(r, &m, f);
}

bool rows_next(struct rows *r, struct fault *f) {
    while (r->left == 0) {
        if (r->done)
            return false;
        if (next_batch(r, f) != OK)
            return false;
    }
    for (size_t i = 0; i < r->return_count; i++) {
        uint16_t n = rd_u16le(&r->rd);
        r->values[i] = rd_bytes(&r->rd, n);
    }
    uint32_t n = r->summaries ? rd_u32le(&r->rd) : 0;
    r->summary = summary_of(r, n);
    r->summary_at += n;
    r->left--;
    return true;
}

void rows_close(struct rows *r) {
    if (r->asked)
        r->open = !channel_receive(r->archive, IPC_QUERY_ROWS).u.query_rows.done;
    r->asked = false;
    if (r->open)
        channel_tell(r->archive, IPC_QUERY_END, &(struct ipc_query_end){0});
    r->open = false;
}

enum err rows_count(struct channel *archive, enum query_level level, struct slice conditions,
                    uint64_t *ret_count, struct fault *f) {
    enum err e = channel_ring(archive, f);
    if (e != OK)
        return e;
    put_conditions(archive, conditions);
    struct ipc_count ask = {.level = (uint8_t)level, .conditions_bytes = (uint32_t)conditions.n};
    struct ipc_msg m = channel_call(archive, IPC_COUNT, &ask, IPC_COUNTED);
    *ret_count = m.u.counted.count;
    return m.u.counted.error == OK ? OK
                                   : fault_set(f, (enum err)m.u.counted.error, "the archive could not count");
}
