// Ranges and conditions (RFC 9110 13, 14): a single byte range, entity tags, and dates.
#ifndef HTTP_RANGE_H
#define HTTP_RANGE_H

#include "http/http.h"

enum range_kind {
    RANGE_ALL, // no range, or one that is to be ignored: other units, several, malformed (14.2)
    RANGE_PART,
    RANGE_NONE, // 416
};

// Range for something of `size` bytes.
enum range_kind range_parse(struct slice header, uint64_t size, uint64_t *ret_from, uint64_t *ret_bytes);

// Is `etag` (with its quotes, and W/ when it is weak) in a list, as in If-Match and If-None-Match? "*"
// holds all.
bool etag_listed(struct slice list, struct slice etag, bool weak);
// If-Range: may the range be used? modified_s: -1 when there is no such date.
bool if_range_holds(struct slice if_range, struct slice etag, int64_t modified_s);

#endif
