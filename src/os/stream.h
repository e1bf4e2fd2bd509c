// A stream of bytes each way between a gate and its worker. The bytes lie in memory that both share, a
// ring for each way; the socket between them only wakes who waits, and says by its end that the other is
// gone. Compared with sending the bytes through the socket it spares both a copy in the kernel, and most
// of the calls. Without shared memory (the plain lane: the socket is TCP) they go through the socket.
//
// The other side may be in hostile hands: of what it writes into the shared memory only two counters are
// believed, each read once and checked against our own. It can make the stream end (EPROTO), or
// carry rubbish, which it may say anyway. Whoever reads a ring must read each byte once: it copies before it
// looks (os_stream_recv), or hands the place to something that does (os_stream_peek).
#ifndef OS_STREAM_H
#define OS_STREAM_H

#include "os/memfd.h"

#include <poll.h>
#include <sys/types.h>
#include <sys/uio.h>

enum {
    // Powers of two. An image of half a megabyte goes out in one; what comes in waits for the worker, and is
    // the cheaper the fewer bytes it goes round in.
    OS_STREAM_TO_GATE_BYTES = 1024 * 1024,
    OS_STREAM_TO_WORKER_BYTES = 512 * 1024,
    OS_STREAM_SHM_BYTES = 4096 + OS_STREAM_TO_GATE_BYTES + OS_STREAM_TO_WORKER_BYTES,
};

enum os_stream_side { OS_STREAM_GATE, OS_STREAM_WORKER };

struct os_stream_way {
    struct os_stream_marks *marks; // shared
    uint8_t *ring;                 // shared
    uint32_t bytes;                // of the ring
    uint32_t at;                   // bytes we have put or taken so far, modulo 2^32
};

struct os_stream {
    int fd;
    struct os_shm shm; // p is NULL: none, the bytes go through fd
    struct os_stream_way in, out;
    bool gone;   // the other side is
    bool broken; // it lied about its counters
    bool used;   // bytes went out since os_stream_rest()
};

// take_fd, and take_shm_fd unless it is -1, are consumed, also on failure. ERR_PROTOCOL: no such memory.
enum err os_stream_open(struct os_stream *s, int take_fd, int take_shm_fd, enum os_stream_side side,
                        struct fault *f);
void os_stream_close(struct os_stream *s);

// Like recvmsg and sendmsg, never waiting: the bytes that went, 0 at the end (recv), or -1 with errno:
// EAGAIN, EPIPE, EPROTO and what sockets say.
ssize_t os_stream_recv(struct os_stream *s, const struct iovec *v, int n);
ssize_t os_stream_send(struct os_stream *s, const struct iovec *v, int n);
void os_stream_end(struct os_stream *s); // nothing more will be sent: the other side reads the end

// Before waiting for something to read, or for room for much: true when there is no need to. Else *ret_p is
// what to poll, and os_stream_polled() says what came of it, before anything else is done with the stream.
bool os_stream_wait(struct os_stream *s, bool to_read, bool to_send, struct pollfd *ret_p);
void os_stream_polled(struct os_stream *s, short revents);
bool os_stream_readable(struct os_stream *s, short revents); // bytes or the end, as far as is known

// The rings themselves, for the gate: there must be shared memory.
struct slice os_stream_peek(struct os_stream *s); // what can be read at one place; it may change meanwhile
void os_stream_taken(struct os_stream *s, size_t n);
bool os_stream_is_over(struct os_stream *s);                  // all was taken, and no more comes
uint8_t *os_stream_room(struct os_stream *s, size_t *ret_n); // where so many bytes can be put
void os_stream_put(struct os_stream *s, size_t n);
size_t os_stream_free(struct os_stream *s); // room altogether

// Nothing is going on: gives back the memory of what was sent and taken.
void os_stream_rest(struct os_stream *s);

#endif
