// A study or series as a ZIP, as the path names it.
#ifndef WEB_ZIP_H
#define WEB_ZIP_H

#include "web.h"

void zip_serve(struct request *rq);

#endif
