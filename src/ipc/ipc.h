// Typed messages between Galena's processes, over SOCK_SEQPACKET pairs. The table is
// spec/ipc.tsv; a message is a struct ipc_NAME and its tag IPC_NAME.
//
// On the wire: u16 type, then the fields in order, little endian; slices are a u32 length and
// their bytes. A message is refused whole when its type does not belong to the link, its phase is
// wrong, a field breaks its rule (UID grammar, UTF-8, maximum), bytes are left over, or the
// number of descriptors differs. Whoever receives a refused message ends the sender's session.
#ifndef IPC_IPC_H
#define IPC_IPC_H

#include "base/buf.h"
#include "base/err.h"
#include "ipc_gen.h"

enum {
    IPC_MAX_BYTES = 65536, // of one message
    IPC_MAX_FDS = 4,
};

enum ipc_lane { IPC_LANE_TLS, IPC_LANE_PLAIN, IPC_LANE_LOCAL, IPC_LANE_HTTPS };

// What a request shows: IDENTIFY.kind, AUTH_IDENTIFY.kind.
enum ipc_shown { IPC_SHOWN_COOKIE = 1, IPC_SHOWN_BEARER = 2 };
// Whose credential that is: AUTH_IDENTITY.kind. JWT: the sign-in provider's token.
enum ipc_credential {
    IPC_CREDENTIAL_NONE,
    IPC_CREDENTIAL_SESSION,
    IPC_CREDENTIAL_TOKEN,
    IPC_CREDENTIAL_JWT,
};
enum ipc_account_of { IPC_ACCOUNT_TOKENS, IPC_ACCOUNT_SESSIONS }; // AUTH_LIST.what, AUTH_END.what
enum ipc_totp_step { IPC_TOTP_STEP_BEGIN, IPC_TOTP_STEP_CONFIRM, IPC_TOTP_STEP_OFF }; // AUTH_TOTP.what
enum ipc_keep { IPC_KEEP_HASH, IPC_KEEP_TOTP, IPC_KEEP_TOKEN, IPC_KEEP_NO_TOKEN };    // AUTH_STORE.what

// Rights of an association, as in ASSOCIATE_RESULT.rights.
enum ipc_right {
    IPC_RIGHT_ECHO = 1,
    IPC_RIGHT_STORE = 2,
    IPC_RIGHT_QUERY = 4,
    IPC_RIGHT_RETRIEVE = 8,
    IPC_RIGHT_DELETE = 16, // anything; without it one's own uploads only
    IPC_RIGHT_ADMIN = 32,  // settings, peers, users; no images
};

struct ipc_msg {
    enum ipc_type type;
    union ipc_body u; // slices point into the receive buffer
    int fds[IPC_MAX_FDS];
    unsigned fd_count;
};

const char *ipc_name(enum ipc_type type);

// Encodes `body` (a struct ipc_NAME) after what is in b. ERR_LIMIT when a field is too long for
// its rule, which is the caller's to prevent.
enum err ipc_encode(struct buf *b, enum ipc_type type, const void *body);

// Decodes one whole message that came over `link` while the session was in `phase` (one of
// enum ipc_phase; 0 skips the phase check, for ends that keep none). Checks everything named
// above but the descriptors. The fault's detail names message and field, never the content.
enum err ipc_decode(struct slice bytes, enum ipc_link link, uint32_t phase, struct ipc_msg *ret_msg,
                    struct fault *f);

// Sends one message; blocks if the socket does. fds stay the caller's. ERR_PEER_GONE when the
// other end is closed; ERR_BUSY when a non-blocking socket is full.
enum err ipc_send(int fd, enum ipc_type type, const void *body, const int *fds, unsigned fd_count);

// Wipes what is left of the last message sent: after one that held a secret.
void ipc_forget_sent(void);

// Receives one message into `buffer` (IPC_MAX_BYTES) and decodes it. ERR_PEER_GONE at the end;
// ERR_BUSY when nothing is there on a non-blocking socket; ERR_PROTOCOL when it is refused.
// Descriptors in ret_msg->fds are the caller's to close (ipc_msg_close_fds); none on failure.
enum err ipc_recv(int fd, enum ipc_link link, uint32_t phase, uint8_t *buffer, struct ipc_msg *ret_msg,
                  struct fault *f);
// The same, but never waits, whatever the socket's own flag.
enum err ipc_recv_now(int fd, enum ipc_link link, uint32_t phase, uint8_t *buffer, struct ipc_msg *ret_msg,
                      struct fault *f);
int ipc_msg_take_fd(struct ipc_msg *m, unsigned i); // the caller owns it now; -1 when there is none
void ipc_msg_close_fds(struct ipc_msg *m);

#endif
