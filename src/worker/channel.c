#include "worker/channel.h"

#include "os/fd.h"

#include <stdlib.h>

enum err channel_open(struct channel *ch, int take_fd, enum ipc_link answers, void (*gone)(void *owner),
                      void *owner, struct fault *f) {
    *ch = (struct channel){
        .fd = take_fd, .answers = answers, .ring = OS_SHM_NONE, .gone = gone, .owner = owner};
    ch->message = malloc(IPC_MAX_BYTES);
    if (ch->message)
        return OK;
    os_fd_close(&ch->fd);
    return fault_set(f, ERR_NO_MEMORY, "channel");
}

_Noreturn static void gone(struct channel *ch) {
    ch->gone(ch->owner);
    abort();
}

void channel_tell(struct channel *ch, enum ipc_type type, const void *body) {
    if (ipc_send(ch->fd, type, body, NULL, 0) != OK)
        gone(ch);
}

static struct ipc_msg receive(struct channel *ch) {
    struct ipc_msg m;
    if (ch->wait)
        ch->wait(ch->owner, ch->fd);
    if (ipc_recv(ch->fd, ch->answers, 0, ch->message, &m, NULL) != OK)
        gone(ch);
    return m;
}

struct ipc_msg channel_receive(struct channel *ch, enum ipc_type answer) {
    for (;;) {
        struct ipc_msg m = receive(ch);
        if (m.type == answer)
            return m;
        if (!ch->aside || m.type != ch->aside_type)
            gone(ch);
        ch->aside(ch->aside_ctx, &m);
    }
}

struct ipc_msg channel_call(struct channel *ch, enum ipc_type type, const void *body, enum ipc_type answer) {
    channel_tell(ch, type, body);
    return channel_receive(ch, answer);
}

enum err channel_ring(struct channel *ch, struct fault *f) {
    if (ch->ring.p)
        return OK;
    struct ipc_msg m = channel_call(ch, IPC_RING_GET, &(struct ipc_ring_get){0}, IPC_RING);
    ch->ring_body = m.u.ring.body_bytes;
    ch->ring_aux = m.u.ring.aux_bytes;
    enum err e = os_shm_adopt(ipc_msg_take_fd(&m, 0), ch->ring_body + ch->ring_aux, &ch->ring, f);
    if (e == OK)
        os_shm_drop_fd(&ch->ring);
    return e;
}
