// The entity a path names, /studies/{}/series/{}/instances/{}, as conditions for the archive.
#ifndef WEB_UIDS_H
#define WEB_UIDS_H

#include "web.h"

// ERR_NO_SUCH_OBJECT: a segment is no UID; nothing has it.
enum err uids_conditions(struct request *rq, struct buf *conditions, struct fault *f);
// The same for UIDs from study down; those that are absent (p is NULL) and what follows are left out.
enum err uids_conditions_named(const struct slice *uids, size_t count, struct buf *conditions,
                               struct fault *f);

#endif
