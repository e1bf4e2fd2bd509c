// The names that fuzzy queries are compared with are read at the start, a part in each turn: else the first
// such query would wait for it.
#include "archive.h"

#include <stdlib.h>

#include "job.h"

// What fails is tried again by the query that needs them, which has somebody to tell.
static enum job_progress step(struct archive *a, struct job *j) {
    bool all = false;
    (void)j;
    return index_names_read(a->index, NULL, &all) == OK && !all ? JOB_AGAIN : JOB_DONE;
}

static void end(struct archive *a, struct job *j) {
    (void)a;
    free(j);
}

void naming_start(struct archive *a) {
    struct job *j = calloc(1, sizeof *j);
    if (!j)
        return;
    j->step = step;
    j->end = end;
    job_add(a, j);
}
