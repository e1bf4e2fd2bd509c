// How a query's operand is compared with a stored value, once both are normalised UTF-8. The
// worker (which parsed the query) and the index (which links no DICOM parser) share it, so that
// both give the same answer. What the operands mean is PS3.4 C.2.2.2; how values are normalised
// is dicom/match.h.
//
// Nothing here allocates, recurses or backtracks without bound: the cost is at most
// length of pattern x length of value.
#ifndef BASE_GLOB_H
#define BASE_GLOB_H

#include "base/slice.h"

// '*' matches any run of characters, the empty one included; '?' exactly one character (a code
// point; a byte that is not valid UTF-8 counts as one). Everything else, '%', '_' and '\'
// included, stands for itself.
bool glob_match(struct slice pattern, struct slice value);
bool glob_has_wildcard(struct slice pattern);
bool glob_is_universal(struct slice pattern); // one or more '*' and nothing else

// How many bytes come before the first wildcard: what an index can seek to.
size_t glob_prefix(struct slice pattern);

// The same for folded person names (PS3.5 6.2.1): up to three groups separated by '='. A pattern
// without '=' matches when any one group of the value matches it; with '=', each of its groups
// that is not empty must match the value's group in the same place.
// Without wildcards in the pattern this is equality.
bool glob_match_name(struct slice pattern, struct slice value);

// low <= value <= high, bytewise; an empty bound is open. An empty value is in no range.
bool glob_in_range(struct slice low, struct slice high, struct slice value);

#endif
