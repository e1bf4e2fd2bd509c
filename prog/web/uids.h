// The entity a path names, /studies/{}/series/{}/instances/{}, as conditions for the archive.
#ifndef WEB_UIDS_H
#define WEB_UIDS_H

#include "web.h"

// ERR_NO_SUCH_OBJECT: a segment is no UID; nothing has it.
enum err uids_conditions(struct request *rq, struct buf *conditions, struct fault *f);

#endif
