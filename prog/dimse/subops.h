// The C-STORE sub-operations of C-GET and C-MOVE (PS3.4 C.4.2, C.4.3): counts, what failed, and
// the objects themselves on whatever association carries them.
#ifndef DIMSE_SUBOPS_H
#define DIMSE_SUBOPS_H

#include "identifier.h"
#include "worker.h"

struct subops {
    struct worker *w;
    const struct ul_assoc_event *rq; // the C-GET or C-MOVE request
    struct link *to;        // where the C-STORE requests go: the same association, or the destination's
    const char *originator; // C-MOVE: Move Originator AE title; NULL for C-GET
    uint32_t remaining, completed, failed, warning;
    struct buf failed_uids; // SOP instance UIDs, separated by '\'
    uint16_t next_message_id;
    bool cancelled;
    bool broken;         // `to` is gone: what remains failed
    bool asked;          // for the next object: the answer is on its way
    const char *failure; // why the first one failed, for the log
};

// Sends all located objects. Pending answers go out between them.
void subops_run(struct subops *s);
// The final answer, with Failed SOP Instance UID List where there is one (C.4.2.1.4.2).
void subops_finish(struct subops *s);
void subops_free(struct subops *s);

#endif
