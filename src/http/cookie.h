// One cookie of a Cookie field (RFC 6265 5.4). Names are compared to the letter.
#ifndef HTTP_COOKIE_H
#define HTTP_COOKIE_H

#include "base/slice.h"

// False, too, when the name comes twice: which of them is ours cannot be told.
bool cookie_get(struct slice header, const char *name, struct slice *ret_value);

#endif
