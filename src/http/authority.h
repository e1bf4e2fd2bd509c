// uri-host [":" port] (RFC 9110 7.2), without user information. Which hosts there are is not judged here.
#ifndef HTTP_AUTHORITY_H
#define HTTP_AUTHORITY_H

#include "base/slice.h"

bool http_authority_valid(struct slice s);

#endif
