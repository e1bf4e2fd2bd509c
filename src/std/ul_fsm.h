// The state machine of the DICOM upper layer, PS3.8 Tables 9-1 to 9-10 (spec/ul_fsm.tsv).
// Only the table: the actions are performed by src/ul.
#ifndef STD_UL_FSM_H
#define STD_UL_FSM_H

#include <stdint.h>

enum ul_state {
    STA_1 = 1, // idle
    STA_2,     // transport connection open, awaiting A-ASSOCIATE-RQ PDU
    STA_3,     // awaiting local A-ASSOCIATE response primitive
    STA_4,     // awaiting transport connection opening to complete
    STA_5,     // awaiting A-ASSOCIATE-AC or -RJ PDU
    STA_6,     // association established, ready for data transfer
    STA_7,     // awaiting A-RELEASE-RP PDU
    STA_8,     // awaiting local A-RELEASE response primitive
    STA_9,     // release collision, requestor: awaiting A-RELEASE response primitive
    STA_10,    // release collision, acceptor: awaiting A-RELEASE-RP PDU
    STA_11,    // release collision, requestor: awaiting A-RELEASE-RP PDU
    STA_12,    // release collision, acceptor: awaiting A-RELEASE response primitive
    STA_13,    // awaiting transport connection close indication
    STA_COUNT_ = STA_13,
};

enum ul_event {
    EVT_1 = 1, // A-ASSOCIATE request (local user)
    EVT_2,     // transport connect confirmation
    EVT_3,     // A-ASSOCIATE-AC PDU received
    EVT_4,     // A-ASSOCIATE-RJ PDU received
    EVT_5,     // transport connection indication
    EVT_6,     // A-ASSOCIATE-RQ PDU received
    EVT_7,     // A-ASSOCIATE response (accept)
    EVT_8,     // A-ASSOCIATE response (reject)
    EVT_9,     // P-DATA request
    EVT_10,    // P-DATA-TF PDU received
    EVT_11,    // A-RELEASE request
    EVT_12,    // A-RELEASE-RQ PDU received
    EVT_13,    // A-RELEASE-RP PDU received
    EVT_14,    // A-RELEASE response
    EVT_15,    // A-ABORT request
    EVT_16,    // A-ABORT PDU received
    EVT_17,    // transport connection closed
    EVT_18,    // ARTIM timer expired
    EVT_19,    // unrecognised or invalid PDU received
    EVT_COUNT_ = EVT_19,
};

enum ul_action {
    UL_ACTION_NONE, // the standard leaves the cell empty: cannot happen, or our own mistake
    AE_1, AE_2, AE_3, AE_4, AE_5, AE_6, AE_7, AE_8,
    DT_1, DT_2,
    AR_1, AR_2, AR_3, AR_4, AR_5, AR_6, AR_7, AR_8, AR_9, AR_10,
    AA_1, AA_2, AA_3, AA_4, AA_5, AA_6, AA_7, AA_8,
    UL_ACTION_COUNT_
};

struct ul_step {
    uint8_t action;   // enum ul_action
    uint8_t next;     // enum ul_state; 0 with UL_ACTION_NONE
    uint8_t next_alt; // the other state the action may lead to (AE-6: 3 or 13; AR-8: 9 or 10), or 0
};

// The cell of the table. Out-of-range arguments give UL_ACTION_NONE.
struct ul_step std_ul_step(enum ul_state state, enum ul_event event);
const char *std_ul_state_text(enum ul_state state);    // never NULL
const char *std_ul_event_text(enum ul_event event);
const char *std_ul_action_name(enum ul_action action); // "AA-8"

#endif
