// How many entities match: for a page of a list that says how many more there are (PS3.18 8.3.4.4.1).
#include "archive.h"

static enum err count_all(struct archive *a, const struct index_query_spec *spec, uint64_t *ret_count,
                          struct fault *f) {
    struct index_query *q = NULL;
    enum index_step step = INDEX_ROW;
    uint64_t n = 0;
    enum err e = index_query_open(a->index, spec, f, &q);
    while (e == OK && step != INDEX_END) {
        e = index_query_step(q, f, &step);
        n += e == OK && step == INDEX_ROW;
    }
    index_query_close(q);
    *ret_count = n;
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
    struct ipc_counted answer = {0};
    answer.error = (uint16_t)count_all(a, &spec, &answer.count, &f);
    session_reply(a, s, IPC_COUNTED, &answer, -1);
}
