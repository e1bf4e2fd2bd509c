#include "job.h"

#include "archive.h"

enum { LOOK_AGAIN_MS = 5, RESTED_MS = 1000 };

void job_add(struct archive *a, struct job *take_job) {
    take_job->next = a->jobs;
    a->jobs = take_job;
}

void job_start(struct archive *a, struct session *s, struct job *take_job) {
    take_job->session = s;
    job_add(a, take_job);
    s->phase = IPC_PHASE_WORKING;
}

void job_leave(struct job *j) {
    if (j->session)
        j->session->phase = IPC_PHASE_READY;
}

void jobs_run(struct archive *a) {
    for (struct job **at = &a->jobs; *at;) {
        struct job *j = *at;
        j->last = j->step(a, j);
        if (j->last != JOB_DONE) {
            at = &j->next;
            continue;
        }
        *at = j->next;
        j->end(a, j);
    }
}

bool jobs_wait(const struct archive *a) {
    for (const struct job *j = a->jobs; j; j = j->next)
        if (j->last == JOB_WAITS)
            return true;
    return false;
}

void jobs_forget(struct archive *a, struct session *s) {
    for (struct job *j = a->jobs; j; j = j->next)
        if (j->session == s)
            j->session = NULL;
}

void jobs_end(struct archive *a) {
    while (a->jobs) {
        struct job *j = a->jobs;
        a->jobs = j->next;
        j->end(a, j);
    }
}

int jobs_timeout_ms(const struct archive *a, int other) {
    int wait = other;
    for (const struct job *j = a->jobs; j; j = j->next) {
        int mine = j->last == JOB_RESTS ? RESTED_MS : j->last == JOB_WAITS ? LOOK_AGAIN_MS : 0;
        if (wait < 0 || mine < wait)
            wait = mine;
    }
    return wait;
}
