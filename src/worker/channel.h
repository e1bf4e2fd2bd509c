// The typed channel from a protocol worker to the archive, and the memory both share for bodies: all that a
// worker has to reach what it serves. It is a conversation: the worker asks, the archive answers.
//
// One conversation at a time on one channel. The answer's slices lie in the channel's message and are valid
// until the next receive. Without the archive a worker can do nothing: when the channel breaks or an answer
// has another type, `gone` is called and must not return.
#ifndef WORKER_CHANNEL_H
#define WORKER_CHANNEL_H

#include "ipc/ipc.h"
#include "os/memfd.h"

struct channel {
    int fd;
    enum ipc_link answers; // IPC_ARCHIVE_TO_DIMSE, IPC_ARCHIVE_TO_WEB
    uint8_t *message;      // IPC_MAX_BYTES
    struct os_shm ring;    // body area, then auxiliary area; p is NULL before channel_ring()
    size_t ring_body, ring_aux;
    void *owner;
    void (*gone)(void *owner); // does not return
    // An answer of this type may come between others, for something asked before: it goes here. NULL: none
    // may.
    enum ipc_type aside_type;
    void (*aside)(void *ctx, const struct ipc_msg *m);
    void *aside_ctx;
    // Waits until an answer may be there, while others get their turn; NULL: receiving itself waits.
    void (*wait)(void *owner, int fd);
};

// Makes an unconnected channel one: fd is consumed, the message allocated. ERR_NO_MEMORY.
enum err channel_open(struct channel *ch, int take_fd, enum ipc_link answers, void (*gone)(void *owner),
                      void *owner, struct fault *f);

void channel_tell(struct channel *ch, enum ipc_type type, const void *body);
struct ipc_msg channel_receive(struct channel *ch, enum ipc_type answer);
struct ipc_msg channel_call(struct channel *ch, enum ipc_type type, const void *body, enum ipc_type answer);

enum err channel_ring(struct channel *ch, struct fault *f); // gets the shared memory, once
// What goes through the body area at once where the two sides take turns: half of it, so that one is filled
// while the other is emptied. 0 before channel_ring().
static inline uint32_t channel_turn_bytes(const struct channel *ch) {
    return (uint32_t)(ch->ring_body / 2);
}
static inline uint8_t *channel_aux(const struct channel *ch) {
    return ch->ring.p + ch->ring_body;
}
// What the archive has put into the auxiliary area; empty when that cannot be.
static inline struct slice channel_aux_slice(const struct channel *ch, size_t at, size_t n) {
    return at <= ch->ring_aux && n <= ch->ring_aux - at ? slice_of(channel_aux(ch) + at, n)
                                                        : slice_of(NULL, 0);
}

#endif
