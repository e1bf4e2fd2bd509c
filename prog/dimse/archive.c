// The typed channel to the archive. Without it a worker can do nothing: when it breaks, the
// worker aborts its association and ends.
#include "os/fd.h"
#include "worker.h"

#include <stdlib.h>

_Noreturn static void archive_gone(struct worker *w) {
    if (w->client.assoc) {
        ul_assoc_abort(w->client.assoc, ERR_BUSY, "the archive is not there", 0);
        (void)link_flush(&w->client);
    }
    exit(0);
}

void archive_tell(struct worker *w, enum ipc_type type, const void *body) {
    if (ipc_send(w->archive, type, body, NULL, 0) != OK)
        archive_gone(w);
}

struct ipc_msg archive_call(struct worker *w, enum ipc_type type, const void *body, enum ipc_type answer) {
    struct ipc_msg m;
    archive_tell(w, type, body);
    if (ipc_recv(w->archive, IPC_ARCHIVE_TO_DIMSE, 0, w->message, &m, NULL) != OK || m.type != answer)
        archive_gone(w);
    return m;
}

enum err archive_ring(struct worker *w, struct fault *f) {
    if (w->ring.p)
        return OK;
    struct ipc_msg m = archive_call(w, IPC_RING_GET, &(struct ipc_ring_get){0}, IPC_RING);
    w->ring_body = m.u.ring.body_bytes;
    w->ring_aux = m.u.ring.aux_bytes;
    enum err e = os_shm_adopt(ipc_msg_take_fd(&m, 0), w->ring_body + w->ring_aux, &w->ring, f);
    if (e == OK)
        os_shm_drop_fd(&w->ring);
    return e;
}
