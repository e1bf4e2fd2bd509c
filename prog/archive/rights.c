#include "rights.h"

#include <stdio.h>

enum { PERMANENT = 1, BY_USER = 1, REASON_NONE = 1, REASON_CALLING = 3, REASON_CALLED = 7 };

static uint32_t rights_from_conf(unsigned can) {
    return IPC_RIGHT_ECHO | (can & CONF_CAN_STORE ? IPC_RIGHT_STORE : 0) |
           (can & CONF_CAN_QUERY ? IPC_RIGHT_QUERY : 0) | (can & CONF_CAN_RETRIEVE ? IPC_RIGHT_RETRIEVE : 0);
}

static struct verdict refuse(uint8_t reason) {
    return (struct verdict){.result = PERMANENT, .source = BY_USER, .reason = reason};
}

static struct verdict accept_peer(const struct conf_peer *peer, unsigned can) {
    struct verdict v = {.accept = true, .rights = rights_from_conf(can)};
    snprintf(v.peer, sizeof v.peer, "%s", peer->name);
    return v;
}

static struct verdict of_certificate(const struct conf_peers *peers, const struct proof *proof,
                                     struct slice calling) {
    if (!proof->has_certificate) {
        struct verdict v = refuse(REASON_NONE);
        snprintf(v.advice, sizeof v.advice, "no certificate was proven on this connection");
        return v;
    }
    const struct conf_peer *peer = conf_peers_by_certificate(peers, proof->fingerprint, calling);
    if (peer)
        return accept_peer(peer, peer->can);
    struct verdict v = refuse(REASON_CALLING);
    peer = conf_peers_by_certificate(peers, proof->fingerprint, slice_of(NULL, 0));
    if (peer) {
        snprintf(v.peer, sizeof v.peer, "%s", peer->name);
        snprintf(v.advice, sizeof v.advice,
                 "the certificate of peer %s belongs to AE title %s, but the association calls itself %.*s: "
                 "set the AE title on the device, or add a peer with that title",
                 peer->name, peer->ae_title, SLICE_FMT(calling));
        return v;
    }
    char hex[2 * CONF_FINGERPRINT_BYTES + 1];
    conf_fingerprint_format(proof->fingerprint, hex);
    snprintf(
        v.advice, sizeof v.advice,
        "no peer has the certificate with SHA-256 %.16s…: add it with galena peer add --ae %.*s --cert FILE",
        hex, SLICE_FMT(calling));
    return v;
}

static struct verdict of_address(const struct conf_peers *peers, const struct proof *proof,
                                 struct slice calling) {
    const struct sockaddr *from = (const struct sockaddr *)&proof->source;
    const struct conf_peer *peer = conf_peers_by_address(peers, from, calling);
    if (peer)
        return accept_peer(peer, peer->plain_can);
    struct verdict v = refuse(REASON_CALLING);
    peer = conf_peers_by_address(peers, from, slice_of(NULL, 0));
    if (peer) {
        snprintf(v.peer, sizeof v.peer, "%s", peer->name);
        snprintf(v.advice, sizeof v.advice, "the peer at this address is %s with AE title %s, not %.*s",
                 peer->name, peer->ae_title, SLICE_FMT(calling));
    } else {
        snprintf(v.advice, sizeof v.advice,
                 "no peer of the plain lane has this address: if it must, galena peer add --ae %.*s --plain "
                 "ADDRESS",
                 SLICE_FMT(calling));
    }
    return v;
}

struct verdict rights_of_association(const struct conf *conf, const struct conf_peers *peers,
                                     const struct proof *proof, struct slice calling, struct slice called) {
    if (proof->lane == IPC_LANE_LOCAL) {
        struct verdict v = {.accept = true,
                            .rights = IPC_RIGHT_ECHO | IPC_RIGHT_STORE | IPC_RIGHT_QUERY | IPC_RIGHT_RETRIEVE,
                            .peer = "local administrator"};
        return v;
    }
    struct verdict v = proof->lane == IPC_LANE_TLS ? of_certificate(peers, proof, calling)
                                                   : of_address(peers, proof, calling);
    if (v.accept && !slice_eq_str(called, conf->ae_title)) {
        struct verdict wrong = refuse(REASON_CALLED);
        memcpy(wrong.peer, v.peer, sizeof wrong.peer);
        snprintf(wrong.advice, sizeof wrong.advice,
                 "it called AE title %.*s, but this archive is %s: correct it on the device",
                 SLICE_FMT(called), conf->ae_title);
        return wrong;
    }
    return v;
}

uint32_t rights_of_roles(uint32_t roles) {
    uint32_t rights = IPC_RIGHT_ECHO;
    if (roles & CONF_ROLE_READER)
        rights |= IPC_RIGHT_QUERY | IPC_RIGHT_RETRIEVE;
    if (roles & CONF_ROLE_RADIOGRAPHER)
        rights |= IPC_RIGHT_STORE | IPC_RIGHT_QUERY | IPC_RIGHT_RETRIEVE;
    return rights;
}
