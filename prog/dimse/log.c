#include "worker.h"

#include "worker/log.h"

void worker_log(struct worker *w, enum os_log_level level, const char *fmt, ...) {
    va_list ap;
    va_start(ap, fmt);
    log_send(w->ctl, level, fmt, ap);
    va_end(ap);
}
