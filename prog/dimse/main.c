// galena-dimse: the template of the DICOM workers, and one worker a connection.
#include <stdlib.h>

#include "base/cleanup.h"
#include "dicom/charset.h"
#include "os/clock.h"
#include "os/fd.h"
#include "os/proc.h"
#include "os/template.h"
#include "worker.h"
#include "worker/incoming.h"

enum { FDS_MAX = 64 };

static void split_private_classes(struct worker *w, struct slice text) {
    if (!slice_to_cstr(text, w->private_text, sizeof w->private_text))
        return;
    struct slice rest = slice_str(w->private_text);
    while (rest.p && w->private_class_count < sizeof w->private_classes / sizeof w->private_classes[0]) {
        struct slice one = slice_split(rest, '\n', &rest);
        if (one.n > 0)
            w->private_classes[w->private_class_count++] = one;
    }
}

static void archive_gone(void *owner) {
    struct worker *w = owner;
    if (w->client.assoc) {
        ul_assoc_abort(w->client.assoc, ERR_BUSY, "the archive is not there", 0);
        (void)link_flush(&w->client);
    }
    exit(0);
}

// Waits for the connection; false when there will be none.
static bool await_connect(struct worker *w, uint8_t *message, int *ret_fd, int *ret_shm_fd) {
    struct ipc_msg m;
    if (ipc_recv(w->ctl, IPC_SUPERVISOR_TO_CHILD, 0, message, &m, NULL) != OK ||
        m.fd_count > 3)
        return false;
    const struct ipc_connect *c = &m.u.connect;
    w->session = c->session;
    w->lane = (enum ipc_lane)c->lane;
    (void)slice_to_cstr(c->source, w->source, sizeof w->source);
    w->timers = (struct ul_timers){.artim_ms = c->artim_ms, .idle_ms = c->idle_ms, .total_ms = c->total_ms};
    w->max_pdu = c->max_pdu;
    w->no_retired = c->no_retired;
    w->prefer_uncompressed = c->prefer_uncompressed;
    split_private_classes(w, c->private_classes);
    *ret_fd = ipc_msg_take_fd(&m, 0);
    *ret_shm_fd = ipc_msg_take_fd(&m, 2);
    return channel_open(&w->archive, ipc_msg_take_fd(&m, 1), IPC_ARCHIVE_TO_DIMSE, archive_gone, w, NULL) ==
           OK;
}

static int work(int ctl) {
    static struct worker w;
    int fd = -1, shm_fd = -1;
    w.ctl = ctl;
    CLEANUP_FREE uint8_t *message = malloc(IPC_MAX_BYTES);
    if (!message || !await_connect(&w, message, &fd, &shm_fd))
        return 0;
    if (!link_open(&w.client, fd, shm_fd, ul_assoc_new_acceptor(&w.timers, os_clock_ms())))
        return 0;
    w.client.tcp = w.lane == IPC_LANE_PLAIN;
    worker_serve(&w);
    link_close(&w.client);
    return 0;
}

int main(void) {
    struct fault f = {0};
    int ctl = -1;
    os_log_init("dimse", NULL, NULL);
    enum err e = os_proc_harden(FDS_MAX, &f);
    if (e == OK)
        e = dicom_charset_preload(&f);
    if (e == OK)
        e = incoming_preload(&f);
    if (e == OK)
        e = os_sandbox_enter_template(OS_ROLE_DIMSE, &f);
    if (e == OK)
        e = os_template_serve(OS_ROLE_DIMSE, OS_TEMPLATE_CTL, &ctl, &f);
    if (e != OK) {
        os_log_fault(OS_LOG_ERROR, "the DICOM worker cannot start", &f);
        return 1;
    }
    return work(ctl);
}
