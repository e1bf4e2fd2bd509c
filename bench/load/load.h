// The load generator of the bench: a DICOM client (and, for C-MOVE, receiver) that costs as little as it can
// and does exactly the same to every server: PDUs are cut to what the server announced, an object's
// command and data set leave in as few writes as possible, TCP_NODELAY is on, what comes back is counted and
// thrown away.
//
// It shares no code with the server, so that a mistake of ours in the protocol is not made twice. It is no
// client for real use: it trusts the server it measures.
#ifndef LOAD_LOAD_H
#define LOAD_LOAD_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

// ---- net.c: TCP or TLS, one blocking connection -----------------------------------------------------------

struct conn;

// The folder holds key.pem, cert.pem and ca.pem, as `galena peer add` writes it. NULL: no TLS.
bool net_init(const char *tls_folder);
struct conn *conn_dial(const char *host, int port, int timeout_s); // NULL: errno
int net_listen(int port);
struct conn *conn_take_over(int accepted_fd); // NULL: the handshake failed
void conn_close(struct conn *c);
bool conn_write(struct conn *c, struct iovec *iov, size_t n); // all of it; iov is used up
// The next n bytes, where they lie until the following call; NULL: the connection ended.
const uint8_t *conn_take(struct conn *c, size_t n);

// ---- dul.c: PDUs and DIMSE messages -----------------------------------------------------------------------

enum { LOAD_PDU_MAX = 131072, LOAD_CONTEXTS_MAX = 16, LOAD_UID_MAX = 64 };

struct context {
    const char *abstract;
    const char *transfer[2]; // proposed; the second may be NULL
    bool be_scp;             // role selection: the server sends on this one
    bool accepted;           // filled by assoc_open()
};

struct assoc {
    struct conn *conn;
    uint32_t send_pdu_bytes; // what the server announced, at most LOAD_PDU_MAX
    uint16_t next_id;
    size_t pdu_left;         // bytes of the P-DATA PDU being read
    char refusal[96];        // why assoc_open() failed
};

struct message {
    uint8_t context;
    uint16_t command, id, status;
    bool has_data;
    char sop_class[LOAD_UID_MAX + 2], sop_instance[LOAD_UID_MAX + 2];
    uint64_t data_bytes;
    uint8_t head[4096]; // the beginning of the data set
    size_t head_bytes;
};

enum {
    C_STORE_RQ = 0x0001, C_GET_RQ = 0x0010, C_FIND_RQ = 0x0020, C_MOVE_RQ = 0x0021, C_ECHO_RQ = 0x0030,
    RESPONSE = 0x8000,
};

// Contexts get the ids 1, 3, 5 …
bool assoc_open(struct assoc *a, const char *calling, const char *called, struct context *ctx, size_t n);
bool assoc_answer(struct assoc *a); // acceptor: everything proposed is accepted
void assoc_release(struct assoc *a);
// Data may be NULL: a message without a data set. destination: of a C-MOVE.
bool assoc_send(struct assoc *a, uint8_t context, uint16_t command, const char *sop_class,
                const char *sop_instance, const char *destination, const uint8_t *data, size_t n);
bool assoc_respond(struct assoc *a, const struct message *request, uint16_t status);
enum received { RECEIVED_NOTHING, RECEIVED_MESSAGE, RECEIVED_RELEASE };
enum received assoc_receive(struct assoc *a, struct message *m);

// ---- pack.c: the objects to send --------------------------------------------------------------------------

struct object {
    char sop_class[LOAD_UID_MAX + 1], instance[LOAD_UID_MAX + 1];
    char study[LOAD_UID_MAX + 1], series[LOAD_UID_MAX + 1];
    const uint8_t *data;
    size_t bytes;
};

struct pack {
    struct object *v;
    size_t n;
    const char *classes[LOAD_CONTEXTS_MAX - 1];
    size_t class_count;
};

bool pack_open(const char *path, struct pack *ret_pack); // PATH and PATH.index

// ---- the kinds of load ------------------------------------------------------------------------------------

struct options {
    const char *host, *calling, *called, *destination, *tls, *pack;
    int port, listen_port, associations, count, timeout_s, limit_s; // limit_s: then no more is sent; 0: none
};

struct tally { // shared among the processes
    _Atomic uint64_t objects, bytes, failed, associations;
};

extern const char load_implicit_le[], load_find_class[];

bool assoc_open_to(struct assoc *a, const struct options *o, struct context *ctx, size_t n, struct tally *t);

struct identifier { // Implicit VR Little Endian
    uint8_t v[512];
    size_t n;
};

void identifier_add(struct identifier *id, uint16_t group, uint16_t element, const char *value);

typedef bool load_part(const struct options *o, const struct pack *p, size_t from, size_t to,
                       struct tally *t);
load_part store_part, get_part, move_part, find_part;
void move_listen(int listener, struct tally *t); // never returns
int hold_run(const struct options *o);
int echo_run(const struct options *o);
int ask_run(const struct options *o);
int ascending(const void *x, const void *y); // doubles, for qsort
double now_s(void);
bool time_is_up(const struct options *o);

#endif
