// The latency of a search: for single studies, there or not, one after the other on one association.
#include "load.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool ask_one(struct assoc *a, const struct object *x, const char *more, double *ret_s,
                    size_t *ret_answers) {
    struct identifier id = {.n = 0};
    struct message m;
    char study[LOAD_UID_MAX + 8];
    size_t answers = 0;
    snprintf(study, sizeof study, "%s%s", x->study, more);
    identifier_add(&id, 0x0008, 0x0020, "");
    identifier_add(&id, 0x0008, 0x0052, "STUDY");
    identifier_add(&id, 0x0010, 0x0010, "");
    identifier_add(&id, 0x0010, 0x0020, "");
    identifier_add(&id, 0x0020, 0x000d, study);
    double began = now_s();
    if (!assoc_send(a, 1, C_FIND_RQ, load_find_class, NULL, NULL, id.v, id.n))
        return false;
    do {
        if (assoc_receive(a, &m) != RECEIVED_MESSAGE)
            return false;
        answers += (m.status & 0xff00) == 0xff00;
    } while ((m.status & 0xff00) == 0xff00);
    *ret_s = now_s() - began;
    *ret_answers = answers;
    return m.status == 0;
}

static void say(const char *name, double *seconds, size_t n, const char *after) {
    qsort(seconds, n, sizeof *seconds, ascending);
    printf("\"%s_p50_ms\": %.4f, \"%s_p99_ms\": %.4f%s", name, seconds[n / 2] * 1e3, name,
           seconds[n * 99 / 100] * 1e3, after);
}

// Studies spread evenly over the pack; then as many that nobody has.
int ask_run(const struct options *o) {
    struct context ctx[] = {{.abstract = load_find_class, .transfer = {load_implicit_le}}};
    struct tally t = {0};
    struct assoc a;
    struct pack p;
    size_t n = (size_t)o->count, answers, found = 0;
    double *there = calloc(n, sizeof *there), *not_there = calloc(n, sizeof *not_there);
    if (!there || !not_there || !o->pack || !pack_open(o->pack, &p) || !assoc_open_to(&a, o, ctx, 1, &t))
        return 1;
    for (size_t i = 0; i < n; i++) {
        const struct object *x = &p.v[i * p.n / n];
        if (!ask_one(&a, x, "", &there[i], &answers))
            return fprintf(stderr, "bench-load: the search for a study failed\n"), 1;
        found += answers;
        if (!ask_one(&a, x, ".9", &not_there[i], &answers))
            return fprintf(stderr, "bench-load: the search for no study failed\n"), 1;
    }
    assoc_release(&a);
    conn_close(a.conn);
    printf("{\"asked\": %zu, \"found\": %zu, ", n, found);
    say("hit", there, n, ", ");
    say("miss", not_there, n, "}\n");
    free(there);
    free(not_there);
    return 0;
}
