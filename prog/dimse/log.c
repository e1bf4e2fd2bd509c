// Log lines go to the supervisor, which adds time, role and source.
#include "worker.h"

void worker_log(struct worker *w, enum os_log_level level, const char *fmt, ...) {
    char text[1024];
    va_list ap;
    va_start(ap, fmt);
    struct slice line = slice_vformat(text, sizeof text, fmt, ap);
    va_end(ap);
    struct ipc_log m = {.level = (uint8_t)level, .text = line};
    (void)ipc_send(w->ctl, IPC_LOG, &m, NULL, 0);
}
