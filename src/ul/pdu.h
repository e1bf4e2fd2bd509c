// The protocol data units of the DICOM upper layer, PS3.8 9.3, and the user-information items of
// PS3.7 Annex D.3: bytes to structures and back.
//
// It does no I/O and knows no state: ul/assoc.h does. It checks form (lengths, identifiers, counts),
// not policy: whether a title, a class or a user is welcome is ul/negotiate.h's and the caller's.
//
// Ownership: a decoded ul_associate borrows its slices from the PDU body; its arrays live in the
// caller's arena. Encoding appends a whole PDU, header included, to a buf.
#ifndef UL_PDU_H
#define UL_PDU_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"

enum {
    UL_PDU_HEADER_BYTES = 6,
    UL_PDV_HEADER_BYTES = 6,           // length, context, message control header
    UL_AE_MAX = 16,
    UL_CONTEXTS_MAX = 128,             // odd identifiers 1 to 255
    UL_TRANSFERS_MAX = 128,            // a context; the standard has about 60
    UL_ITEMS_MAX = 256,                // role, extended and common extended items, each kind
    UL_RELATED_MAX = 64,               // related general SOP classes of one common extended item
    UL_ASSOCIATE_BYTES_MAX = 512 * 1024, // body of A-ASSOCIATE-RQ/AC
    UL_ARENA_BYTES_MAX = 1024 * 1024,  // what decoding one may take
};

enum ul_pdu_type {
    UL_PDU_ASSOCIATE_RQ = 1,
    UL_PDU_ASSOCIATE_AC = 2,
    UL_PDU_ASSOCIATE_RJ = 3,
    UL_PDU_P_DATA_TF = 4,
    UL_PDU_RELEASE_RQ = 5,
    UL_PDU_RELEASE_RP = 6,
    UL_PDU_ABORT = 7,
};

// Result of one presentation context, Table 9-18.
enum ul_context_result {
    UL_CONTEXT_ACCEPTED = 0,
    UL_CONTEXT_USER_REJECTION = 1,
    UL_CONTEXT_NO_REASON = 2,
    UL_CONTEXT_ABSTRACT_UNSUPPORTED = 3,
    UL_CONTEXT_TRANSFERS_UNSUPPORTED = 4,
};

struct ul_context {
    uint8_t id;
    uint8_t result;                    // AC only: enum ul_context_result
    struct slice abstract;             // RQ; the acceptor's engine copies it over to the AC
    struct slice *transfers;           // RQ: proposed; AC: one when accepted
    size_t transfer_count;
};

struct ul_role {                       // D.3.3.4; in the RQ: proposed, in the AC: agreed
    struct slice sop_class;
    bool scu, scp;
};

struct ul_extended {                   // D.3.3.5
    struct slice sop_class, info;
};

struct ul_common_extended {            // D.3.3.6
    struct slice sop_class, service_class;
    struct slice *related;
    size_t related_count;
};

enum ul_identity_type { // D.3.3.7
    UL_IDENTITY_NONE = 0,
    UL_IDENTITY_USERNAME = 1,
    UL_IDENTITY_USERNAME_PASSCODE = 2,
    UL_IDENTITY_KERBEROS = 3,
    UL_IDENTITY_SAML = 4,
    UL_IDENTITY_JWT = 5,
};

struct ul_identity {                   // secrets: never logged
    uint8_t type;                      // 0: no item
    bool want_response;
    struct slice primary, secondary;
};

struct ul_associate {                  // A-ASSOCIATE-RQ and -AC
    uint16_t version;                  // bit 0: version 1
    char called[UL_AE_MAX + 1];        // trimmed; "" when it is no AE title (policy rejects it)
    char calling[UL_AE_MAX + 1];
    struct slice application_context;
    struct ul_context *contexts;
    size_t context_count;
    bool has_max_pdu;
    uint32_t max_pdu;                  // as sent: 0 = no limit
    struct slice implementation_class, implementation_version;
    bool has_async;
    uint16_t async_invoked, async_performed; // 0 = unlimited
    struct ul_role *roles;
    size_t role_count;
    struct ul_extended *extended;
    size_t extended_count;
    struct ul_common_extended *common;
    size_t common_count;
    struct ul_identity identity;       // RQ
    bool has_identity_response;        // AC
    struct slice identity_response;
};

// A-ASSOCIATE-RJ: result, source, reason (Table 9-21); A-ABORT: source, reason (Table 9-26).
struct ul_refusal {
    uint8_t result, source, reason;
};
enum {
    UL_REJECT_PERMANENT = 1,
    UL_REJECT_TRANSIENT = 2,
    UL_REJECT_BY_USER = 1,
    UL_REJECT_BY_ACSE = 2,
    UL_REJECT_BY_PRESENTATION = 3,
    UL_REJECT_USER_NO_REASON = 1,      // source 1
    UL_REJECT_APPLICATION_CONTEXT = 2,
    UL_REJECT_CALLING_AE = 3,
    UL_REJECT_CALLED_AE = 7,
    UL_REJECT_ACSE_NO_REASON = 1,      // source 2
    UL_REJECT_PROTOCOL_VERSION = 2,
    UL_REJECT_CONGESTION = 1,          // source 3
    UL_REJECT_LOCAL_LIMIT = 2,
    UL_ABORT_BY_USER = 0,
    UL_ABORT_BY_PROVIDER = 2,
    UL_ABORT_NO_REASON = 0,
    UL_ABORT_UNRECOGNIZED_PDU = 1,
    UL_ABORT_UNEXPECTED_PDU = 2,
    UL_ABORT_UNRECOGNIZED_PARAMETER = 4,
    UL_ABORT_UNEXPECTED_PARAMETER = 5,
    UL_ABORT_INVALID_PARAMETER = 6,
};

// The standard's words for a reject or an abort, for log lines.
const char *ul_reject_text(struct ul_refusal r);
const char *ul_abort_text(struct ul_refusal r);

// A title, PS3.5 6.2 AE: 1 to 16 characters of the default repertoire, no backslash, no control
// characters, not all blanks; the blanks around it do not count. False leaves ret_title empty.
bool ul_ae_parse(struct slice raw, char ret_title[UL_AE_MAX + 1]);

struct ul_pdu_header {
    uint8_t type;
    uint32_t length;                   // of the body
};
struct ul_pdu_header ul_pdu_header_decode(const uint8_t raw[UL_PDU_HEADER_BYTES]);

// `type` is UL_PDU_ASSOCIATE_RQ or _AC, `body` what follows the 6-byte header.
enum err ul_associate_decode(enum ul_pdu_type type, struct slice body, struct arena *arena,
                             struct ul_associate *ret_associate, struct fault *f);
// RJ and ABORT bodies (4 bytes).
enum err ul_refusal_decode(struct slice body, struct ul_refusal *ret_refusal, struct fault *f);

enum err ul_associate_encode(enum ul_pdu_type type, const struct ul_associate *a, struct buf *out,
                             struct fault *f);
void ul_reject_encode(struct ul_refusal r, struct buf *out);
void ul_abort_encode(struct ul_refusal r, struct buf *out);
void ul_release_encode(enum ul_pdu_type type, struct buf *out);
// The 12 bytes that come before `body_bytes` of one PDV alone in its P-DATA-TF PDU.
void ul_pdv_header_encode(uint8_t context, bool command, bool last, uint32_t body_bytes,
                          uint8_t ret_header[UL_PDU_HEADER_BYTES + UL_PDV_HEADER_BYTES]);

#endif
