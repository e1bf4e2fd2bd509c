// DIMSE messages and their command elements (spec/dimse_cmd.tsv): PS3.7 chapters 9 and 10,
// Annex E. Which elements a message has, and whether it must have them.
#ifndef STD_COMMAND_H
#define STD_COMMAND_H

#include "base/slice.h"
#include "std/vr.h"

// Command Field (0000,0100), PS3.7 Table E.1-1.
enum dimse_field {
    DIMSE_C_STORE_RQ = 0x0001, DIMSE_C_STORE_RSP = 0x8001,
    DIMSE_C_GET_RQ = 0x0010, DIMSE_C_GET_RSP = 0x8010,
    DIMSE_C_FIND_RQ = 0x0020, DIMSE_C_FIND_RSP = 0x8020,
    DIMSE_C_MOVE_RQ = 0x0021, DIMSE_C_MOVE_RSP = 0x8021,
    DIMSE_C_ECHO_RQ = 0x0030, DIMSE_C_ECHO_RSP = 0x8030,
    DIMSE_N_EVENT_REPORT_RQ = 0x0100, DIMSE_N_EVENT_REPORT_RSP = 0x8100,
    DIMSE_N_GET_RQ = 0x0110, DIMSE_N_GET_RSP = 0x8110,
    DIMSE_N_SET_RQ = 0x0120, DIMSE_N_SET_RSP = 0x8120,
    DIMSE_N_ACTION_RQ = 0x0130, DIMSE_N_ACTION_RSP = 0x8130,
    DIMSE_N_CREATE_RQ = 0x0140, DIMSE_N_CREATE_RSP = 0x8140,
    DIMSE_N_DELETE_RQ = 0x0150, DIMSE_N_DELETE_RSP = 0x8150,
    DIMSE_C_CANCEL_RQ = 0x0FFF,
};

enum cmd_use {
    CMD_USE_NONE,        // does not belong into this message
    CMD_USE_MANDATORY,
    CMD_USE_CONDITIONAL, // or at the user's choice
};

struct std_command_info {
    uint16_t field;      // enum dimse_field
    const char *name;    // "C-STORE-RQ"
};

const struct std_command_info *std_command_find(uint16_t field); // NULL when it is no command
enum cmd_use std_command_use(uint16_t field, uint32_t tag);
// The mandatory elements of a message, ascending; 0 for an unknown one. *ret_tags lives for ever.
size_t std_command_mandatory(uint16_t field, const uint32_t **ret_tags);

#endif
