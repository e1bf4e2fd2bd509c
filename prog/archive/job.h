// Work that takes longer than a turn: done in steps, each time the loop comes round, so that others get
// theirs. A session that waits for one is in phase "working" and may send nothing meanwhile.
#ifndef ARCHIVE_JOB_H
#define ARCHIVE_JOB_H

#include <stdbool.h>

struct archive;
struct session;

enum job_progress {
    JOB_AGAIN, // there is more to do
    JOB_WAITS, // for something else: look again in a moment
    JOB_RESTS, // it has failed for now: look again in a second
    JOB_DONE,  // and answered
};

// Embedded first in the work's own struct.
struct job {
    struct job *next;
    struct session *session; // NULL: it ended meanwhile
    enum job_progress (*step)(struct archive *a, struct job *j);
    void (*end)(struct archive *a, struct job *j); // frees it, done or not
    enum job_progress last;
};

void job_start(struct archive *a, struct session *s, struct job *take_job);
void job_add(struct archive *a, struct job *take_job); // nobody waits for it
void job_leave(struct job *j);                           // its session may go on: before it is answered
void jobs_run(struct archive *a);                        // one step of each
void jobs_forget(struct archive *a, struct session *s);  // the session ends; its work may go on
void jobs_end(struct archive *a);                        // all, undone
bool jobs_wait(const struct archive *a);                 // does one, for something else?
int jobs_timeout_ms(const struct archive *a,
                    int other); // how long the loop may wait; other: for all else, or -1

#endif
