// How many entities match: for a page of a list that says how many more there are (PS3.18 8.3.4.4.1).
#include "archive.h"

struct counting {
    struct job job;
    struct index_query *query;
};

static void answer(struct archive *a, struct session *s, enum err e, uint64_t count, const struct fault *f) {
    struct ipc_counted m = {.error = (uint16_t)e, .count = e == OK ? count : 0};
    if (e != OK)
        session_log(a, s, OS_LOG_ERROR, "a count for %s failed: %s: %s", s->peer, err_text(e), f->detail);
    session_reply(a, s, IPC_COUNTED, &m, -1);
}

static enum job_progress step(struct archive *a, struct job *j) {
    struct counting *c = (struct counting *)j;
    struct fault f = {0};
    enum index_step step = INDEX_END;
    if (!j->session) // nobody waits for it any more
        return JOB_DONE;
    enum err e = index_query_step(c->query, &f, &step);
    if (e == OK && step != INDEX_END)
        return JOB_AGAIN;
    job_leave(j);
    answer(a, j->session, e, index_count_result(c->query), &f);
    return JOB_DONE;
}

static void end(struct archive *a, struct job *j) {
    (void)a;
    index_query_close(((struct counting *)j)->query);
    free(j);
}

static enum err start(struct archive *a, struct session *s, const struct index_query_spec *spec,
                      struct fault *f) {
    struct counting *c = calloc(1, sizeof *c);
    if (!c)
        return fault_set(f, ERR_NO_MEMORY, "counting");
    c->job.step = step;
    c->job.end = end;
    enum err e = index_count_open(a->index, spec, f, &c->query);
    if (e == OK)
        job_start(a, s, &c->job);
    else
        free(c);
    return e;
}

void counting_on_count(struct archive *a, struct session *s, const struct ipc_count *m) {
    struct fault f = {0};
    struct query_condition *conditions;
    size_t count;
    if (!(s->rights & IPC_RIGHT_QUERY)) {
        session_end(a, s, "its worker counts without the right to");
        return;
    }
    if (m->level > QUERY_LEVEL_IMAGE ||
        conditions_take(a, s, m->conditions_bytes, &conditions, &count, &f) != OK) {
        session_end(a, s, "its worker sent a query that is none");
        return;
    }
    struct index_query_spec spec = {
        .level = (enum index_level)m->level, .conditions = conditions, .condition_count = count};
    view_limit(s->view, &spec);
    enum err e = start(a, s, &spec, &f);
    if (e != OK)
        answer(a, s, e, 0, &f);
}
