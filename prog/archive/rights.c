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

static struct verdict accept_peer(const struct policy *policy, const struct conf_peer *peer, unsigned can) {
    struct verdict v = {.accept = true, .rights = rights_from_conf(can)};
    snprintf(v.peer, sizeof v.peer, "%s", peer->name);
    v.view = view_of_collections(policy->collections, slice_str(peer->collections), v.missing);
    return v;
}

static struct verdict of_certificate(const struct policy *policy, const struct proof *proof,
                                     struct slice calling) {
    const struct conf_peers *peers = policy->peers;
    if (!proof->has_certificate) {
        struct verdict v = refuse(REASON_NONE);
        snprintf(v.advice, sizeof v.advice, "no certificate was proven on this connection");
        return v;
    }
    const struct conf_peer *peer = conf_peers_by_certificate(peers, proof->fingerprint, calling);
    if (peer)
        return accept_peer(policy, peer, peer->can);
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

static struct verdict of_address(const struct policy *policy, const struct proof *proof,
                                 struct slice calling) {
    const struct conf_peers *peers = policy->peers;
    const struct sockaddr *from = (const struct sockaddr *)&proof->source;
    const struct conf_peer *peer = conf_peers_by_address(peers, from, calling);
    if (peer)
        return accept_peer(policy, peer, peer->plain_can);
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

struct verdict rights_of_association(const struct policy *policy, const struct proof *proof,
                                     struct slice calling, struct slice called) {
    const struct conf *conf = policy->conf;
    if (proof->lane == IPC_LANE_LOCAL) {
        struct verdict v = {.accept = true,
                            .rights = IPC_RIGHT_ECHO | IPC_RIGHT_STORE | IPC_RIGHT_QUERY | IPC_RIGHT_RETRIEVE,
                            .peer = "local administrator"};
        return v;
    }
    if (proof->lane != IPC_LANE_TLS && proof->lane != IPC_LANE_PLAIN) {
        struct verdict v = refuse(REASON_NONE);
        snprintf(v.advice, sizeof v.advice, "an association on a lane that has none");
        return v;
    }
    struct verdict v = proof->lane == IPC_LANE_TLS ? of_certificate(policy, proof, calling)
                                                   : of_address(policy, proof, calling);
    if (v.accept && !slice_eq_str(called, conf->ae_title)) {
        struct verdict wrong = refuse(REASON_CALLED);
        view_free(v.view);
        memcpy(wrong.peer, v.peer, sizeof wrong.peer);
        snprintf(wrong.advice, sizeof wrong.advice,
                 "it called AE title %.*s, but this archive is %s: correct it on the device",
                 SLICE_FMT(called), conf->ae_title);
        return wrong;
    }
    return v;
}

// --- Users --------------------------------------------------------------------------------------

// One row a role: what it may, and whether it sees all studies.
static const struct {
    uint32_t role, rights;
    bool sees_all;
} roles_table[] = {
    {CONF_ROLE_READER, IPC_RIGHT_QUERY | IPC_RIGHT_RETRIEVE, true},
    {CONF_ROLE_RADIOGRAPHER, IPC_RIGHT_STORE | IPC_RIGHT_QUERY | IPC_RIGHT_RETRIEVE, true},
    {CONF_ROLE_REFERRER, IPC_RIGHT_QUERY | IPC_RIGHT_RETRIEVE, false},
    {CONF_ROLE_RESEARCHER, IPC_RIGHT_QUERY | IPC_RIGHT_RETRIEVE, false},
    {CONF_ROLE_AUDITOR, 0, false},
    {CONF_ROLE_ADMINISTRATOR, IPC_RIGHT_DELETE | IPC_RIGHT_ADMIN, false},
};
enum { ROLE_COUNT = sizeof roles_table / sizeof *roles_table };

uint32_t rights_of_roles(uint32_t roles) {
    uint32_t rights = IPC_RIGHT_ECHO;
    for (size_t i = 0; i < ROLE_COUNT; i++)
        if (roles & roles_table[i].role)
            rights |= roles_table[i].rights;
    return rights;
}

// What an administrator deletes is not limited by what it may see as a referrer or researcher besides; but
// it may not look beyond that, and one view serves both. So it is limited, unless it has no such role.
static struct view *view_of_roles(const struct signed_in *user) {
    for (size_t i = 0; i < ROLE_COUNT; i++)
        if (user->roles & roles_table[i].role && roles_table[i].sees_all)
            return NULL;
    bool referrer = user->roles & CONF_ROLE_REFERRER, researcher = user->roles & CONF_ROLE_RESEARCHER;
    if (!referrer && !researcher && user->roles & CONF_ROLE_ADMINISTRATOR)
        return NULL;
    return view_of_studies(referrer ? user->physician : slice_of(NULL, 0), researcher);
}

struct verdict rights_of_user(const struct policy *policy, const struct signed_in *user) {
    struct verdict v = {.accept = true, .rights = rights_of_roles(user->roles)};
    char missing[CONF_NAME_MAX + 1];
    bug_unless(user->name.n <= CONF_NAME_MAX);
    snprintf(v.peer, sizeof v.peer, "user:%.*s", SLICE_FMT(user->name));
    v.view = view_join(view_of_roles(user),
                       view_of_collections(policy->collections, user->collections, v.missing));
    if (!user->has_token)
        return v;
    v.rights &= user->token_rights | IPC_RIGHT_ECHO;
    v.view = view_join(v.view, view_of_collections(policy->collections, user->token_collections, missing));
    if (!v.missing[0])
        memcpy(v.missing, missing, sizeof v.missing);
    return v;
}

struct verdict rights_of_both(const struct verdict *take_peer, const struct verdict *take_user) {
    struct verdict v = *take_peer;
    v.accept = take_peer->accept && take_user->accept;
    v.rights = take_peer->rights & take_user->rights;
    v.view = view_join(take_peer->view, take_user->view);
    if (!v.missing[0])
        memcpy(v.missing, take_user->missing, sizeof v.missing);
    return v;
}
