// A progress bar on a terminal; nothing where standard error is none.
#ifndef CLI_PROGRESS_H
#define CLI_PROGRESS_H

#include <stddef.h>

void progress_show(size_t done, size_t total, const char *unit); // at most ten times a second
void progress_clear(void); // before a line is printed, and at the end

#endif
