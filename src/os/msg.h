// Messages over an AF_UNIX SOCK_SEQPACKET socket, with up to four descriptors each.
//
// What it is not: it knows no message types; see src/ipc for those.
//
// A message that does not fit the buffer, or that carries more descriptors than allowed, is
// refused whole: whatever descriptors came with it are closed and ERR_PROTOCOL is returned.
// Received descriptors are close-on-exec and belong to the caller.
// ERR_BUSY and ERR_PEER_GONE are answers rather than faults: they leave *f as it is.
#ifndef OS_MSG_H
#define OS_MSG_H

#include "base/err.h"
#include "base/slice.h"

enum {
    OS_MSG_FDS_MAX = 4,
    OS_MSG_BYTES_MAX = 128 * 1024, // what a sender may put into one message
};

struct os_msg_fds {
    int fd[OS_MSG_FDS_MAX]; // -1 where unused
    unsigned n;
};

// Sends bytes (at least one) and n descriptors, which stay the caller's; none of them is -1.
// A socket set non-blocking: ERR_BUSY when its buffer is full. The other end closed: ERR_PEER_GONE.
enum err os_msg_send(int sock, struct slice bytes, const int *fds, unsigned n, struct fault *f);

// Sends head and body as one message, so that a caller need not join them first.
enum err os_msg_send2(int sock, struct slice head, struct slice body, const int *fds, unsigned n,
    struct fault *f);

// Receives one message into p (cap bytes). At most fds_max descriptors are taken (0 to 4); one
// more is ERR_PROTOCOL. Non-blocking socket and nothing there: ERR_BUSY. Closed: ERR_PEER_GONE.
enum err os_msg_recv(int sock, void *p, size_t cap, unsigned fds_max, size_t *ret_n,
    struct os_msg_fds *ret_fds, struct fault *f);

// The same, but never waits, whatever the socket's own flag: ERR_BUSY when nothing is there.
enum err os_msg_recv_now(int sock, void *p, size_t cap, unsigned fds_max, size_t *ret_n,
    struct os_msg_fds *ret_fds, struct fault *f);

void os_msg_fds_close(struct os_msg_fds *fds); // those still there; for CLEANUP too

// Takes descriptor i out of fds; -1 when there is none.
int os_msg_fds_take(struct os_msg_fds *fds, unsigned i);

#endif
