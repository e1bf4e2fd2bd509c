// Words for a shell, so that printed lines can be pasted.
#ifndef CLI_QUOTE_H
#define CLI_QUOTE_H

#include <stddef.h>

// The word as it is when it is harmless, else in single quotes; cut off when it does not fit.
void cli_quote(const char *word, char *ret_quoted, size_t cap);

#endif
