// Dates in header fields: IMF-fixdate (RFC 9110 5.6.7), the only form that is still sent.
#ifndef HTTP_DATE_H
#define HTTP_DATE_H

#include "base/slice.h"

enum { HTTP_DATE_BYTES = 29 };

// Seconds since 1970; years 1970 to 9999 (what is outside is brought to the nearest that is in).
void http_date_format(int64_t unix_s, char ret_text[HTTP_DATE_BYTES + 1]);
bool http_date_parse(struct slice text, int64_t *ret_unix_s); // the day of the week must fit

#endif
