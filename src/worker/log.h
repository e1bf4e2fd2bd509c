// A worker's lines for the log go to the supervisor, which adds time, role and source.
#ifndef WORKER_LOG_H
#define WORKER_LOG_H

#include "os/log.h"

#include <stdarg.h>

// ctl: the socket to the supervisor. What does not fit into 1023 bytes is cut off.
void log_send(int ctl, enum os_log_level level, const char *fmt, va_list ap)
    __attribute__((format(printf, 3, 0)));

#endif
