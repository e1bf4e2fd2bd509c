// What the handlers need of identity.c besides web.h.
#ifndef WEB_IDENTITY_H
#define WEB_IDENTITY_H

#include "web.h"

// As request_identify(), but it answers nothing when it is nobody (it may answer 503).
bool request_is_known(struct request *rq);
// The request was made by a page of our own, not by another site's.
bool request_is_own_page(struct request *rq);
void request_release(struct request *rq); // the archive forgets who asked

#endif
