// Log lines go to the supervisor, which adds time, role and source.
#include <stdarg.h>
#include <stdio.h>

#include "worker.h"

void worker_log(struct worker *w, enum os_log_level level, const char *fmt, ...) {
    char text[1024];
    va_list ap;
    va_start(ap, fmt);
    int n = vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    if (n < 0)
        return;
    struct ipc_log m = {.level = (uint8_t)level,
                        .text = slice_of(text, (size_t)n < sizeof text ? (size_t)n : sizeof text - 1)};
    (void)ipc_send(w->ctl, IPC_LOG, &m, NULL, 0);
}
