// What C-GET and C-MOVE have in common: the identifier, and the archive's list of objects.
#ifndef DIMSE_RETRIEVE_H
#define DIMSE_RETRIEVE_H

#include "subops.h"

struct retrieval {
    struct dimse_command command; // copies: the request's own last only until the next event
    struct ul_assoc_event rq;
    struct buf pairs; // distinct "class NUL transfer syntax NUL" of the objects
    struct subops subops;
};

// False: refused (and answered), or the association ended.
bool retrieval_begin(struct retrieval *ret_r, struct worker *w, const struct ul_assoc_event *ev);
void retrieval_end(struct retrieval *r);
// Ends with a status instead of sub-operations.
void retrieval_refuse(struct retrieval *r, uint16_t status, const char *why);

#endif
