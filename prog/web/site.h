// The packs of the site and the viewer, mapped in the template.
#ifndef WEB_SITE_H
#define WEB_SITE_H

#include "base/err.h"

enum err site_load(int take_site_fd, int take_viewer_fd, struct fault *f);

#endif
