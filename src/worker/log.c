#include "worker/log.h"

#include "ipc/ipc.h"

void log_send(int ctl, enum os_log_level level, const char *fmt, va_list ap) {
    char text[1024];
    struct ipc_log m = {.level = (uint8_t)level, .text = slice_vformat(text, sizeof text, fmt, ap)};
    (void)ipc_send(ctl, IPC_LOG, &m, NULL, 0);
}
