// UID grammar, PS3.5 9.1: components of digits, no leading zero unless the component is "0",
// separated by single dots, at most 64 characters.
#ifndef BASE_UID_H
#define BASE_UID_H

#include "base/slice.h"

enum { UID_MAX = 64 };

bool uid_valid(struct slice s);
// What real senders get wrong and archives must still take: leading zeros in a component.
// Still no path, no empty component, at most 64 characters.
bool uid_tolerable(struct slice s);
struct slice uid_trim(struct slice s); // without the trailing NUL (or blank) that pads it to even length

#endif
