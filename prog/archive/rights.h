// Who may do what: the one policy function, for every road into the archive.
//
// What a role may do, and of which studies (collections narrow both peers and users further):
//   reader         query, retrieve; all
//   radiographer   store, query, retrieve; all
//   referrer       query, retrieve; those whose Referring Physician's Name is the user's
//   researcher     query, retrieve; those of which all objects say that the patient's identity was removed
//   auditor        nothing here
//   administrator  settings, and deleting; no images
// Several roles may what any of them may, and see what any of them sees. Whoever has proven to be a peer
// and a user may what both may, and sees what both see.
#ifndef ARCHIVE_RIGHTS_H
#define ARCHIVE_RIGHTS_H

#include "conf/collection.h"
#include "conf/peer.h"
#include "conf/user.h"
#include "ipc/ipc.h"
#include "view.h"

// What a connection has proven. Nothing here comes from a worker but the AE titles, which are
// only ever compared with what the proof allows.
struct proof {
    enum ipc_lane lane;
    bool has_certificate; // the gate has seen the handshake to its end
    uint8_t fingerprint[CONF_FINGERPRINT_BYTES];
    struct sockaddr_storage source; // plain lane: the address the supervisor accepted from
};

// A person who has signed in, or a program with a token of one: as auth says, never a worker.
struct signed_in {
    struct slice name;
    uint32_t roles;              // CONF_ROLE_*
    struct slice collections;    // "a,b"; empty: no limit
    struct slice physician;      // a referrer's name
    bool has_token;              // then these limit what the user may:
    uint32_t token_rights;       // enum ipc_right
    struct slice token_collections;
};

enum { PEER_TEXT_MAX = CONF_NAME_MAX + 5 }; // of a peer's name, or "user:" and a user's

struct verdict {
    bool accept;
    uint8_t result, source, reason; // of the A-ASSOCIATE-RJ otherwise (PS3.8 Table 9-21)
    uint32_t rights;                // enum ipc_right
    struct view *view;              // what may be seen, the caller's; NULL: everything, and when refused
    char peer[PEER_TEXT_MAX + 1];   // "" when nobody is known; what is stored keeps it
    char missing[CONF_NAME_MAX + 1]; // a collection it is limited to that is not there; for the log
    char advice[256];               // for the administrator: what happened and what to do
};

struct policy { // what is configured
    const struct conf *conf;
    const struct conf_peers *peers;
    const struct conf_collections *collections;
};

// May an application that calls itself `calling` and has proven `proof` associate, and with which rights?
struct verdict rights_of_association(const struct policy *policy, const struct proof *proof,
                                     struct slice calling, struct slice called);

// What a user may. Always accepted: who may nothing has no rights but to be known.
struct verdict rights_of_user(const struct policy *policy, const struct signed_in *user);

// An application that also names a user (PS3.7 D.3.3.7) may what both may. Consumes the view of both.
struct verdict rights_of_both(const struct verdict *take_peer, const struct verdict *take_user);

// The rights alone.
uint32_t rights_of_roles(uint32_t roles);

#endif
