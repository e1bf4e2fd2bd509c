// Signals as something to poll: blocked, and read from a signalfd.
#ifndef OS_SIGFD_H
#define OS_SIGFD_H

#include "base/err.h"

// Blocks the signals and returns a non-blocking descriptor that becomes readable on one of them.
enum err os_signal_open(const int *signals, unsigned n, int *ret_fd, struct fault *f);
int os_signal_next(int fd); // the next pending signal's number, 0 when there is none

#endif
