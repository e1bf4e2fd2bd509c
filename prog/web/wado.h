// What the two ways to an instance share.
#ifndef WEB_WADO_H
#define WEB_WADO_H

#include "web.h"

// Sends the one instance that rq->parts name, as application/dicom in this transfer syntax ("" and "*" as in
// wado_objects.c).
void wado_single(struct request *rq, const char *wanted);

#endif
