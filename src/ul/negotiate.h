// What we agree to: PS3.8 9.3.3, PS3.7 D.3, PS3.4 B.3.1 (storage), C.5 (query/retrieve).
//
// Policy over decoded requests; it does no I/O and holds no state. The rights are the archive's to
// say: they come in as a mask and only decide which contexts are accepted. The archive checks
// every operation again.
#ifndef UL_NEGOTIATE_H
#define UL_NEGOTIATE_H

#include "ul/pdu.h"

enum ul_right {
    UL_MAY_ECHO = 1u << 0,
    UL_MAY_STORE = 1u << 1,
    UL_MAY_QUERY = 1u << 2,
    UL_MAY_RETRIEVE = 1u << 3,         // C-MOVE and C-GET
};

struct ul_policy {
    unsigned rights;                   // enum ul_right
    bool private_storage;              // accept classes the standard does not have as storage …
    const struct slice *private_classes; // … if listed here; with a count of 0: any
    size_t private_class_count;
    bool no_retired;                   // refuse retired storage classes
    bool prefer_uncompressed;          // storage: Explicit VR LE before the proposer's first
    bool identity_accepted;            // a user identity was checked: send the response if one is wanted
    uint32_t max_pdu;                  // announced; 0: UL_MAX_PDU_OURS
};

// Items of the extended negotiation of a query/retrieve class, PS3.4 C.5.1.1.
struct ul_query_options {
    bool relational, datetime, fuzzy, timezone, empty_value, multiple_value;
};
struct ul_query_options ul_query_options_decode(struct slice info);

// Fills an AC for `rq`: one result a context (1 a right is missing, 3 class, 4 transfer syntaxes),
// exactly one transfer syntax for an accepted one, roles, extended items, async window 1/1.
// Arrays and slices live in `arena` and in `rq`.
enum err ul_negotiate_accept(const struct ul_associate *rq, const struct ul_policy *policy,
                             struct arena *arena, struct ul_associate *ret_ac, struct fault *f);

// Checks of the request as a whole that need no rights: protocol version, application context, form
// of the titles. True: go on; false: *ret_why is the refusal the standard has for it.
bool ul_negotiate_precheck(const struct ul_associate *rq, struct ul_refusal *ret_why);

// Requestor: contexts to store these (class, transfer syntax) pairs: one for each, so that whoever takes the
// stored syntax gets the stored bytes, and one for each class with the little endian native syntaxes that are
// not among them (PS3.5 10.1 wants Implicit VR LE offered). Pairs beyond 128 contexts are left out;
// *ret_left_out counts them.
struct ul_pair {
    struct slice sop_class, transfer;
};
enum err ul_negotiate_propose(const struct ul_pair *pairs, size_t count, struct arena *arena,
                              struct ul_associate *rq, size_t *ret_left_out);
// One context, for C-ECHO, C-FIND, C-MOVE, C-GET: the uncompressed little endian syntaxes.
enum err ul_negotiate_propose_one(struct slice sop_class, struct arena *arena, struct ul_associate *rq);
// Titles, application context, implementation identity, maximum length.
void ul_associate_init(struct ul_associate *rq, const char *calling, const char *called);

extern const char ul_application_context[]; // 1.2.840.10008.3.1.1.1

#endif
