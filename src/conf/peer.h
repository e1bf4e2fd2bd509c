// DIR/peers/NAME/peer.conf: a DICOM application, what proves that it is itself, what it may do.
//
// A peer is known by its certificate (TLS lane: SHA-256 of the DER, and the AE title it calls
// itself), or by its address and AE title (plain lane, named networks only). Rights are looked
// up here and decided in the archive process only.
//
// One broken peer.conf does not stop the others: that peer is left out (it may do nothing) and
// `problems` says why, one log line each.
#ifndef CONF_PEER_H
#define CONF_PEER_H

#include "conf/collection.h"

enum conf_right {
    CONF_CAN_STORE = 1,
    CONF_CAN_QUERY = 2,
    CONF_CAN_RETRIEVE = 4,
};

enum {
    CONF_PEERS_MAX = 4096,
    CONF_FINGERPRINT_BYTES = 32,
    CONF_FINGERPRINTS_MAX = 8,
    CONF_CIDRS_MAX = 32
};

struct conf_peer {
    char name[CONF_NAME_MAX + 1];
    char ae_title[CONF_AE_MAX + 1];
    unsigned can; // CONF_CAN_*: on the TLS lane
    // Rights on the plain lane: store alone unless `plain_can` in the file spells out more.
    unsigned plain_can;
    struct conf_addr address; // where C-MOVE sends to; not set = no destination
    bool address_plain;       // dial it without TLS (spelled out in the file: address_tls = false)
    uint8_t fingerprints[CONF_FINGERPRINTS_MAX][CONF_FINGERPRINT_BYTES];
    size_t fingerprint_count; // 0 = not on the TLS lane
    struct conf_cidr plain[CONF_CIDRS_MAX];
    size_t plain_count; // 0 = not on the plain lane
    char collections[CONF_COLLECTION_NAMES_MAX + 1]; // what it may see: "a,b"; "" = no limit
};

struct conf_peers {
    struct conf_peer *v;
    size_t n;
    char (*problems)[256];
    size_t problem_count;
};

enum err conf_peers_load(const char *dir, struct conf_peers *ret_peers, struct fault *f);
void conf_peers_fini(struct conf_peers *p);

// The peer of this certificate with this AE title. A certificate may serve several AE titles of
// one machine. Without `ae` (p == NULL): the first peer that has the certificate at all.
const struct conf_peer *conf_peers_by_certificate(const struct conf_peers *p,
                                                  const uint8_t fingerprint[CONF_FINGERPRINT_BYTES],
                                                  struct slice ae);
// The peer of the plain lane with this AE title at this address. Without `ae`: any peer there.
const struct conf_peer *conf_peers_by_address(const struct conf_peers *p, const struct sockaddr *from,
                                              struct slice ae);
// Another peer with this one's AE title on a lane of this one: nobody could tell them apart. NULL: none.
const struct conf_peer *conf_peers_rival(const struct conf_peers *all, const struct conf_peer *p);
// A C-MOVE destination: the peer with this AE title that has an address.
const struct conf_peer *conf_peers_destination(const struct conf_peers *p, struct slice ae);

enum err conf_peer_load(const char *dir, const char *name, struct conf_peer *ret_peer, struct fault *f);
enum err conf_peer_save(const char *peer_dir, const struct conf_peer *p,
                        struct fault *f); // peer_dir/peer.conf
// "store,query" → bits; false on an unknown or an empty word.
bool conf_rights_parse(struct slice text, unsigned *ret_rights);
void conf_rights_format(unsigned rights, char ret_text[32]); // "store,query,retrieve", "nothing"
bool conf_fingerprint_parse(struct slice hex,
                            uint8_t ret_fingerprint[CONF_FINGERPRINT_BYTES]); // colons allowed
void conf_fingerprint_format(const uint8_t fingerprint[CONF_FINGERPRINT_BYTES], char ret_hex[65]);

#endif
