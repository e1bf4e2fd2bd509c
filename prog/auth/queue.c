#include "queue.h"

#include <stdlib.h>

bool queue_init(struct queue *q) {
    q->v = calloc(QUEUE_MAX, sizeof *q->v);
    return q->v != NULL;
}

bool queue_has_room(const struct queue *q, uint64_t lane, bool device, size_t of_lane) {
    size_t n = 0;
    for (size_t i = 0; i < q->n; i++)
        n += q->v[i].lane == lane;
    return n < of_lane && q->n < (device ? QUEUE_MAX : QUEUE_MAX - QUEUE_KEPT);
}

void queue_put(struct queue *q, const struct job *job) {
    q->v[q->n] = *job;
    q->v[q->n++].order = ++q->order;
}

static bool is_before(const struct queue *q, const struct job *a, const struct job *b) {
    if (a->device != b->device)
        return a->device != q->device_last;
    uint64_t served_a = q->served[a->lane % QUEUE_LANES], served_b = q->served[b->lane % QUEUE_LANES];
    return served_a != served_b ? served_a < served_b : a->order < b->order;
}

bool queue_take(struct queue *q, int64_t now_ms, struct job *ret_job, int64_t *ret_next_ms) {
    struct job *best = NULL;
    int64_t next_ms = INT64_MAX;
    for (struct job *j = q->v; j < q->v + q->n; j++) {
        if (j->due_ms > now_ms)
            next_ms = j->due_ms < next_ms ? j->due_ms : next_ms;
        else if (!best || is_before(q, j, best))
            best = j;
    }
    *ret_next_ms = next_ms;
    if (!best)
        return false;
    q->device_last = best->device;
    q->served[best->lane % QUEUE_LANES] = ++q->turns;
    *ret_job = *best;
    struct job *last = &q->v[--q->n];
    *best = *last;
    explicit_bzero(last, sizeof *last);
    return true;
}
