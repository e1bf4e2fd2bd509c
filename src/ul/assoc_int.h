// Inside of the association engine, shared by assoc.c (states, timers, messages out) and assoc_in.c
// (bytes in). Nobody else includes it, but the tests of the state machine.
#ifndef UL_ASSOC_INT_H
#define UL_ASSOC_INT_H

#include "std/ul_fsm.h"
#include "ul/assoc.h"

enum { EVENT_SLOTS = 4, OUTPUT_BYTES_MAX = 8 * 1024 * 1024 };

enum input_step {
    IN_PDU_HEADER,
    IN_BODY,       // collecting a small PDU
    IN_PDV_HEADER,
    IN_COMMAND,    // inside a command fragment
    IN_DATA,       // inside a data set fragment
    IN_SKIP,       // a PDU that the state machine ignores
};

struct ul_assoc {
    enum ul_state state;
    bool acceptor;
    bool close;             // the transport is to be closed once the output is flushed
    bool eof, eof_seen;
    bool reply_wanted;      // a release reply that Sta10 has to hold back
    uint8_t aborts_sent;
    int64_t now_ms, born_ms, idle_from_ms;
    int64_t artim_at_ms;    // 0: stopped
    struct ul_timers timers;

    struct slice in;
    enum input_step step;
    uint8_t header[UL_PDU_HEADER_BYTES];
    unsigned header_have;
    uint8_t pdu_type;
    uint32_t pdu_left;      // of the PDU's body, still to come
    uint32_t pdv_left;      // of the fragment's bytes, still to come
    uint8_t pdv_context;
    bool pdv_last;
    struct buf body;        // of the PDU being collected

    struct buf command_raw; // fragments of the command being collected
    bool in_command;
    bool in_data;           // a data set is due or under way
    uint8_t message_context;
    struct dimse_command command;

    struct buf out;

    struct arena arena;
    struct buf rq_bytes, ac_bytes; // what rq and ac point into
    struct ul_associate rq, ac;
    bool has_rq, has_ac;
    struct ul_agreed agreed[UL_CONTEXTS_MAX];
    uint8_t agreed_count;
    uint8_t by_id[256];     // index into agreed + 1; 0: not accepted
    uint32_t peer_max_pdu, our_max_pdu; // of P-DATA-TF; ours: what we announced

    struct ul_assoc_event events[EVENT_SLOTS];
    unsigned event_first, event_count;
    struct ul_refusal refusal; // to send, or received
    struct fault fault;        // why we end it
    uint8_t provider_reason;   // for AA-8
};

void ul_assoc_event_put(struct ul_assoc *a, struct ul_assoc_event ev);
// Performs the table's action for the event and takes its next state.
void ul_assoc_step(struct ul_assoc *a, enum ul_event event);
// EVT_19 with the reason to send and the fault to report.
void ul_assoc_invalid(struct ul_assoc *a, uint8_t reason, const struct fault *f);
// Fills the table of contexts from rq and ac.
enum err ul_assoc_agree(struct ul_assoc *a, struct fault *f);
// Works through the input until there is an event or no more input.
void ul_assoc_input(struct ul_assoc *a);

#endif
