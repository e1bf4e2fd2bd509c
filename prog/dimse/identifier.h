// The identifier of C-FIND, C-GET, C-MOVE (PS3.4 C.4.1.1.3, C.4.2.1.4, C.4.3.1.3): a data set that
// names a level and keys.
#ifndef DIMSE_IDENTIFIER_H
#define DIMSE_IDENTIFIER_H

#include "worker.h"
#include "worker/find.h"

enum { IDENTIFIER_ARENA_BYTES = 8 * 1024 * 1024 };

// Receives it and checks class, level and model. On failure *ret_status says what to answer and f why;
// status 0 means that the association ended instead. identifier_free() in any case.
bool identifier_receive(struct worker *w, const struct ul_assoc_event *rq, struct identifier *ret_id,
                        uint16_t *ret_status, struct fault *f);

const char *identifier_level_name(enum query_level level); // "STUDY"

// The unique keys down to the level, as conditions (C-GET, C-MOVE): the level's own must be there.
enum err identifier_unique_keys(struct identifier *id, struct buf *conditions, struct fault *f);

#endif
