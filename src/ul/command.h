// DIMSE command sets, PS3.7 Annex E: always Implicit VR Little Endian, group 0000 only.
//
// A decoded command is a plain structure that may be copied; it borrows nothing. It knows the form of
// each message (which elements must be there), not the services.
#ifndef UL_COMMAND_H
#define UL_COMMAND_H

#include "base/buf.h"
#include "base/err.h"
#include "base/uid.h"
#include "std/command.h"
#include "ul/pdu.h"

enum {
    DIMSE_COMMAND_BYTES_MAX = 64 * 1024,
    DIMSE_COMMENT_MAX = 64,            // LO
    DIMSE_TAGS_MAX = 32,               // offending elements, attribute identifiers
    DIMSE_NO_DATA_SET = 0x0101,
    DIMSE_DATA_SET = 0x0001,           // what we write when there is one; any other value means the same
};

enum { DIMSE_RSP = 0x8000 };           // the bit that makes a response of a request

enum { // PS3.7 9.1.1.1.4
    DIMSE_PRIORITY_MEDIUM = 0,
    DIMSE_PRIORITY_HIGH = 1,
    DIMSE_PRIORITY_LOW = 2,
};

enum { // statuses used here, PS3.7 Annex C, PS3.4 B.2.3, C.4.1.1.4, C.4.2.1.5
    DIMSE_SUCCESS = 0x0000,
    DIMSE_PENDING = 0xFF00,
    DIMSE_PENDING_OPTIONAL_KEYS = 0xFF01, // some optional keys were not supported
    DIMSE_CANCEL = 0xFE00,
    DIMSE_OUT_OF_RESOURCES = 0xA700,
    DIMSE_OUT_OF_RESOURCES_MATCHES = 0xA701,
    DIMSE_OUT_OF_RESOURCES_SUBOPS = 0xA702,
    DIMSE_MOVE_DESTINATION_UNKNOWN = 0xA801,
    DIMSE_DATA_SET_MISMATCH = 0xA900,
    DIMSE_WARNING_SUBOPS = 0xB000,
    DIMSE_CANNOT_UNDERSTAND = 0xC000,
    DIMSE_NO_SUCH_INSTANCE = 0x0112,
    DIMSE_SOP_CLASS_NOT_SUPPORTED = 0x0122,
    DIMSE_NOT_AUTHORISED = 0x0124,
    DIMSE_DUPLICATE_INVOCATION = 0x0210,
    DIMSE_UNRECOGNIZED_OPERATION = 0x0211,
    DIMSE_MISTYPED_ARGUMENT = 0x0212,
};

// Which members of a dimse_command are there.
enum dimse_has {
    DIMSE_HAS_AFFECTED_CLASS = 1u << 0,
    DIMSE_HAS_REQUESTED_CLASS = 1u << 1,
    DIMSE_HAS_MESSAGE_ID = 1u << 2,
    DIMSE_HAS_RESPONDED_TO = 1u << 3,
    DIMSE_HAS_MOVE_DESTINATION = 1u << 4,
    DIMSE_HAS_PRIORITY = 1u << 5,
    DIMSE_HAS_STATUS = 1u << 6,
    DIMSE_HAS_OFFENDING = 1u << 7,
    DIMSE_HAS_COMMENT = 1u << 8,
    DIMSE_HAS_ERROR_ID = 1u << 9,
    DIMSE_HAS_AFFECTED_INSTANCE = 1u << 10,
    DIMSE_HAS_REQUESTED_INSTANCE = 1u << 11,
    DIMSE_HAS_EVENT_TYPE = 1u << 12,
    DIMSE_HAS_ATTRIBUTES = 1u << 13,
    DIMSE_HAS_ACTION_TYPE = 1u << 14,
    DIMSE_HAS_REMAINING = 1u << 15,
    DIMSE_HAS_COMPLETED = 1u << 16,
    DIMSE_HAS_FAILED = 1u << 17,
    DIMSE_HAS_WARNING = 1u << 18,
    DIMSE_HAS_ORIGINATOR_AE = 1u << 19,
    DIMSE_HAS_ORIGINATOR_ID = 1u << 20,
    DIMSE_HAS_FIELD = 1u << 21,        // set by decoding; encoding writes field and data_set_type always
    DIMSE_HAS_DATA_SET_TYPE = 1u << 22,
    DIMSE_HAS_COUNTS = 15u << 15,      // the four sub-operation counts
};

struct dimse_tags {
    uint16_t count;
    uint32_t tag[DIMSE_TAGS_MAX];      // group << 16 | element
};

struct dimse_command {
    uint32_t has;                      // enum dimse_has bits
    uint16_t field;                    // enum dimse_field, or what the peer made up
    uint16_t message_id, responded_to; // responded_to also of C-CANCEL-RQ
    uint16_t priority, data_set_type, status, error_id, event_type, action_type;
    uint16_t remaining, completed, failed, warning;
    uint16_t originator_id;
    char affected_class[UID_MAX + 1], requested_class[UID_MAX + 1];
    char affected_instance[UID_MAX + 1], requested_instance[UID_MAX + 1]; // there but empty: was no UID
    char move_destination[UL_AE_MAX + 1], originator_ae[UL_AE_MAX + 1];
    char comment[DIMSE_COMMENT_MAX + 1];
    struct dimse_tags offending, attributes;
};

static inline bool dimse_has_data_set(const struct dimse_command *c) {
    return c->data_set_type != DIMSE_NO_DATA_SET;
}
static inline bool dimse_is_response(const struct dimse_command *c) {
    return (c->field & DIMSE_RSP) != 0;
}

// Errors: ERR_TRUNCATED (an element overruns), ERR_SYNTAX (other group, duplicate, wrong length, no
// UID of a class, no AE title), ERR_LIMIT (too large), ERR_PROTOCOL (an element the message requires is
// missing, or a data set where it may have none). An unknown command field is no error: the caller answers
// 0211. Unknown elements of group 0000 are passed over.
enum err dimse_command_decode(struct slice raw, struct dimse_command *ret_command, struct fault *f);

// Appends the command set with its group length. What is not marked in `has` is left out.
void dimse_command_encode(const struct dimse_command *c, struct buf *out);

// The response to a request: field, responded_to, affected class and instance as the request has them.
struct dimse_command dimse_response(const struct dimse_command *request, uint16_t status);
void dimse_command_set_uid(struct dimse_command *c, enum dimse_has which, struct slice uid);
void dimse_command_set_comment(struct dimse_command *c, const char *text); // cut to 64 characters
const char *dimse_field_name(uint16_t field); // "C-STORE-RQ", or "unknown"

#endif
