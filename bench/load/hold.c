// Many associations at once from one process, and the latency of a C-ECHO.
#include "load.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char verification[] = "1.2.840.10008.1.1";

static bool open_one(struct assoc *a, const struct options *o) {
    struct context ctx[] = {{.abstract = verification, .transfer = {"1.2.840.10008.1.2"}}};
    a->conn = conn_dial(o->host, o->port, o->timeout_s);
    if (!a->conn)
        return snprintf(a->refusal, sizeof a->refusal, "connect: %s", strerror(errno)), false;
    if (assoc_open(a, o->calling, o->called, ctx, 1))
        return true;
    conn_close(a->conn);
    return false;
}

static bool echo_one(struct assoc *a) {
    struct message m;
    return assoc_send(a, 1, C_ECHO_RQ, verification, NULL, NULL, NULL, 0) &&
           assoc_receive(a, &m) == RECEIVED_MESSAGE && m.status == 0;
}

// Opens the associations, says so, keeps them until its input ends, and tries each with an echo.
int hold_run(const struct options *o) {
    size_t n = (size_t)o->count, open = 0, echoed = 0, failures = 0;
    struct assoc *a = calloc(n, sizeof *a);
    char last[96] = "", byte;
    double began = now_s();
    for (size_t i = 0; a && i < n && failures < 3; i++) {
        if (open_one(&a[open], o))
            open++, failures = 0;
        else
            failures++, snprintf(last, sizeof last, "%s", a[open].refusal);
    }
    printf("{\"seconds\": %.6f, \"accepted\": %zu, \"refusal\": \"%s\"}\n", now_s() - began, open, last);
    fflush(stdout);
    while (read(0, &byte, 1) > 0)
        continue;
    for (size_t i = 0, silent = 0; i < open && silent < 3; i++) { // each silent one takes the whole timeout
        bool ok = echo_one(&a[i]);
        echoed += ok;
        silent = ok ? 0 : silent + 1;
    }
    printf("{\"alive\": %zu}\n", echoed);
    fflush(stdout);
    for (size_t i = 0; i < open; i++) {
        if (echoed == open)
            assoc_release(&a[i]);
        conn_close(a[i].conn);
    }
    free(a);
    return 0;
}

int ascending(const void *x, const void *y) {
    const double *a = x, *b = y;
    return (*a > *b) - (*a < *b);
}

int echo_run(const struct options *o) {
    size_t n = (size_t)o->count, done = 0, refused = 0;
    double *open = calloc(n, sizeof *open), *echo = calloc(n, sizeof *echo);
    for (size_t i = 0; open && echo && i < n && refused < 3; i++) {
        struct assoc a;
        double t0 = now_s();
        if (!open_one(&a, o)) {
            refused++;
            continue;
        }
        double t1 = now_s();
        bool ok = echo_one(&a);
        echo[done] = now_s() - t1;
        open[done] = t1 - t0;
        done += ok;
        assoc_release(&a);
        conn_close(a.conn);
    }
    if (done) {
        qsort(open, done, sizeof *open, ascending);
        qsort(echo, done, sizeof *echo, ascending);
        printf("{\"echoes\": %zu, \"open_ms\": %.3f, \"open_max_ms\": %.3f, \"echo_ms\": %.3f, "
               "\"echo_max_ms\": %.3f}\n", done, open[done / 2] * 1e3, open[done - 1] * 1e3,
               echo[done / 2] * 1e3, echo[done - 1] * 1e3);
    } else {
        printf("{\"echoes\": 0}\n");
    }
    free(open);
    free(echo);
    return 0;
}
