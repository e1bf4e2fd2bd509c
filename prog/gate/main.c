// galena-gate: the template of the TLS gates, and one gate a connection.
#include "gate.h"

#include "ipc/ipc.h"
#include "os/clock.h"
#include "os/fd.h"
#include "os/log.h"
#include "os/proc.h"
#include "os/template.h"

#include <stdlib.h>

enum { FDS_MAX = 64 };

static void log_to_supervisor(void *ctx, enum os_log_level level, struct slice text) {
    int *ctl = ctx;
    struct ipc_log m = {.level = (uint8_t)level, .text = text};
    (void)ipc_send(*ctl, IPC_LOG, &m, NULL, 0);
}

// Waits for the connection; false when there will be none.
static bool await_connect(int ctl, struct gate *g) {
    uint8_t *message = malloc(IPC_MAX_BYTES);
    struct ipc_msg m;
    bool good = message && ipc_recv(ctl, IPC_SUPERVISOR_TO_CHILD, 0, message, &m, NULL) == OK;
    if (good) {
        g->client = ipc_msg_take_fd(&m, 0);
        int plain = ipc_msg_take_fd(&m, 1), shm = ipc_msg_take_fd(&m, 2);
        g->archive = ipc_msg_take_fd(&m, 3);
        good = shm >= 0 && os_stream_open(&g->plain, plain, shm, OS_STREAM_GATE, NULL) == OK;
        g->outbound = m.u.connect.outbound != 0;
        g->web = m.u.connect.lane == IPC_LANE_HTTPS;
        g->http2 = m.u.connect.http_two != 0;
        g->handshake_deadline_ms = os_clock_ms() + m.u.connect.artim_ms;
    }
    free(message);
    return good && (g->archive < 0) == g->web;
}

static int work(int ctl) {
    static struct gate g;
    struct fault f = {0};
    os_log_init("gate", log_to_supervisor, &ctl);
    if (!await_connect(ctl, &g))
        return 0;
    enum err e = os_fd_set_nonblock(g.client, true, &f);
    if (e == OK)
        e = gate_tls_open(&g, &f);
    if (e != OK) {
        os_log_fault(OS_LOG_ERROR, "the gate cannot work", &f);
        return 1;
    }
    if ((g.outbound || gate_is_tls(&g)) && gate_handshake(&g))
        gate_relay(&g);
    return 0;
}

int main(void) {
    struct fault f = {0};
    int ctl = -1;
    os_log_init("gate", NULL, NULL);
    enum err e = os_proc_harden(FDS_MAX, &f);
    if (e == OK)
        e = gate_tls_load(&f);
    if (e == OK)
        e = os_sandbox_enter_template(OS_ROLE_GATE, &f);
    if (e == OK)
        e = os_template_serve(OS_ROLE_GATE, OS_TEMPLATE_CTL, &ctl, &f);
    if (e != OK) {
        os_log_fault(OS_LOG_ERROR, "the gate cannot start", &f);
        return 1;
    }
    return work(ctl);
}
