// Who may do what: the one policy function, for every road into the archive.
#ifndef ARCHIVE_RIGHTS_H
#define ARCHIVE_RIGHTS_H

#include "conf/peer.h"
#include "conf/user.h"
#include "ipc/ipc.h"

// What a connection has proven. Nothing here comes from a worker but the AE titles, which are
// only ever compared with what the proof allows.
struct proof {
    enum ipc_lane lane;
    bool has_certificate; // the gate has seen the handshake to its end
    uint8_t fingerprint[CONF_FINGERPRINT_BYTES];
    struct sockaddr_storage source; // plain lane: the address the supervisor accepted from
};

struct verdict {
    bool accept;
    uint8_t result, source, reason; // of the A-ASSOCIATE-RJ otherwise (PS3.8 Table 9-21)
    uint32_t rights;                // enum ipc_right
    char peer[CONF_NAME_MAX + 1];   // "" when nobody is known
    char advice[256];               // for the administrator: what happened and what to do
};

// May an application that calls itself `calling` and has proven `proof` associate, and with which rights?
struct verdict rights_of_association(const struct conf *conf, const struct conf_peers *peers,
                                     const struct proof *proof, struct slice calling, struct slice called);

// Rights of a user who has signed in: an association has only what both peer and user may.
uint32_t rights_of_roles(uint32_t roles);

#endif
