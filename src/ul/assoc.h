// One DICOM association, either role, without I/O: bytes are fed in, events pulled out, bytes to
// send pulled out, and time is an argument. The state machine of PS3.8 9.2 (std/ul_fsm.h) decides
// every step; PDVs are put together into DIMSE messages (PS3.7 6.3.1, PS3.8 Annex E).
//
// Not here: sockets, policy (ul/negotiate.h), services.
//
// The loop of a caller:
//     ul_assoc_feed(a, bytes, now);                    bytes stay the caller's, untouched …
//     while (ul_assoc_next(a, &ev)) handle(&ev);       … until next() has returned false
//     write(fd, ul_assoc_output(a)); ul_assoc_sent(a, n);
//     if (ul_assoc_closed(a)) close(fd);               once the output is empty
//     poll(fd, until ul_assoc_deadline(a)); ul_assoc_tick(a, now);
//
// Data set bytes are never copied: UL_EV_DATA points into what was fed. A P-DATA PDU need not have
// arrived whole. The caller may stop pulling in the middle, and go on later with the same bytes
// (ul_assoc_unread() says how many are left).
#ifndef UL_ASSOC_H
#define UL_ASSOC_H

#include "ul/command.h"
#include "ul/pdu.h"

enum {
    UL_MAX_PDU_OURS = 131072,          // what we announce unless told otherwise: body of one P-DATA-TF
    UL_MAX_PDU_SEND = 131072,          // what we send at most, even to "no limit"
    UL_MAX_PDU_FLOOR = 128,            // a peer that allows less is told so: abort
};

struct ul_timers {                     // 0 = none
    int64_t artim_ms;                  // wait for A-ASSOCIATE-RQ, for its answer, for the close at the end
    int64_t idle_ms;                   // a whole PDU must arrive within this, or something be sent
    int64_t total_ms;                  // longest life of an association
};

enum ul_event_kind {
    UL_EV_NONE,
    UL_EV_ASSOCIATE_RQ,                // acceptor: answer with ul_assoc_accept() or ul_assoc_reject()
    UL_EV_ASSOCIATED,                  // requestor: the AC came; ev.associate
    UL_EV_REJECTED,                    // requestor: ev.refusal
    UL_EV_COMMAND,                     // ev.command, ev.context; a data set follows if it says so
    UL_EV_DATA,                        // ev.data (may be empty), ev.last
    UL_EV_RELEASE_RQ,                  // the peer wants to end: answered by ul_assoc_release_reply()
    UL_EV_RELEASED,                    // the end, in good order
    UL_EV_ABORTED,                     // the end; ev.refusal, ev.ours, ev.fault
    UL_EV_CLOSED,                      // the peer closed the transport without a word
};

struct ul_assoc_event {
    enum ul_event_kind kind;
    uint8_t context;                   // presentation context of COMMAND, DATA
    bool last;                         // DATA: the data set ends with these bytes
    bool ours;                         // ABORTED: we did it (ev.fault says why)
    struct slice data;
    const struct dimse_command *command;     // until the next UL_EV_COMMAND
    const struct ul_associate *associate;    // until the association is freed
    struct ul_refusal refusal;
    const struct fault *fault;               // the ends: what we found wrong; NULL: nothing
};

// A presentation context in use. UIDs are NUL-terminated and live as long as the association.
struct ul_agreed {
    uint8_t id;
    bool we_are_scu, we_are_scp;       // by role selection; default: requestor SCU, acceptor SCP
    const char *abstract, *transfer;
};

struct ul_assoc;

struct ul_assoc *ul_assoc_new_acceptor(const struct ul_timers *timers, int64_t now_ms);
// The A-ASSOCIATE-RQ is in the output at once. NULL: out of memory, or rq cannot be encoded.
struct ul_assoc *ul_assoc_new_requestor(const struct ul_timers *timers, const struct ul_associate *rq,
                                        int64_t now_ms, struct fault *f);
void ul_assoc_free(struct ul_assoc *a);

// Input. feed() only when the former bytes are used up (ul_assoc_unread() == 0).
void ul_assoc_feed(struct ul_assoc *a, struct slice bytes, int64_t now_ms);
size_t ul_assoc_unread(const struct ul_assoc *a);
// So many bytes from here on are sure to be data set bytes: they may be read straight to where they shall
// lie, and fed from there.
size_t ul_assoc_data_due(const struct ul_assoc *a);
void ul_assoc_eof(struct ul_assoc *a, int64_t now_ms);  // the peer closed the transport
bool ul_assoc_next(struct ul_assoc *a, struct ul_assoc_event *ret_event); // false: feed me
void ul_assoc_tick(struct ul_assoc *a, int64_t now_ms); // expires timers; then pull events
int64_t ul_assoc_deadline(const struct ul_assoc *a);    // INT64_MAX: none

// Output.
struct slice ul_assoc_output(const struct ul_assoc *a);
bool ul_assoc_output_ok(const struct ul_assoc *a); // false: for want of memory something is missing in it
void ul_assoc_sent(struct ul_assoc *a, size_t n, int64_t now_ms);
bool ul_assoc_closed(const struct ul_assoc *a);         // flush the output, then close the transport
bool ul_assoc_established(const struct ul_assoc *a);    // Sta6: messages may be sent

// Acceptor's answers to UL_EV_ASSOCIATE_RQ. `ac` as ul_negotiate_accept() makes it.
enum err ul_assoc_accept(struct ul_assoc *a, const struct ul_associate *ac, int64_t now_ms, struct fault *f);
void ul_assoc_reject(struct ul_assoc *a, struct ul_refusal why, int64_t now_ms);

void ul_assoc_release(struct ul_assoc *a, int64_t now_ms);        // we want to end
void ul_assoc_release_reply(struct ul_assoc *a, int64_t now_ms);  // to UL_EV_RELEASE_RQ
// A-ABORT by the service user, for a reason that the log is to have.
void ul_assoc_abort(struct ul_assoc *a, enum err code, const char *why, int64_t now_ms);

const struct ul_agreed *ul_assoc_context(const struct ul_assoc *a, uint8_t id); // NULL: not accepted
// Finds an accepted context: `transfer` NULL = any. NULL when there is none.
const struct ul_agreed *ul_assoc_find(const struct ul_assoc *a, const char *abstract, const char *transfer);
// All accepted contexts: start with id 0 (returns the first), then pass the last one's id.
const struct ul_agreed *ul_assoc_context_after(const struct ul_assoc *a, uint8_t id);
const struct ul_associate *ul_assoc_request(const struct ul_assoc *a);  // NULL before it is known
// The agreed value of an extended negotiation item for this class; empty when there is none.
struct slice ul_assoc_extended(const struct ul_assoc *a, const char *sop_class);

// Messages out. The command goes into the output buffer as one P-DATA PDU (or more, if the peer's
// maximum is small); so do identifiers with ul_assoc_send_data(), which copies.
// ERR_PROTOCOL: not established, or the context is not accepted.
enum err ul_assoc_send_command(struct ul_assoc *a, uint8_t context, const struct dimse_command *c,
                               struct fault *f);
enum err ul_assoc_send_data(struct ul_assoc *a, uint8_t context, struct slice data, bool last,
                            struct fault *f);

// Bulk without copying: for each piece of at most ul_assoc_pdv_max() bytes write, after the output is
// flushed, the 12 header bytes and the piece with one writev(). An empty last piece is allowed.
size_t ul_assoc_pdv_max(const struct ul_assoc *a);
void ul_assoc_pdv_header(const struct ul_assoc *a, uint8_t context, size_t body_bytes, bool last,
                         uint8_t ret_header[UL_PDU_HEADER_BYTES + UL_PDV_HEADER_BYTES]);

#endif
