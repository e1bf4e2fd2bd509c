// The archive's own certification authority: DIR/tls/ca.key.pem, ca.pem, and the certificates it
// issues to the server and to peers (PS3.15 B.12: TLS with authentication of both sides).
//
// Keys are EC P-256. Certificates are for one purpose each: the authority signs, the others
// prove who they are, as TLS client and as TLS server (a peer is dialled for C-MOVE).
#ifndef CLI_CA_H
#define CLI_CA_H

#include "base/err.h"
#include "base/slice.h"
#include "conf/peer.h"

enum {
    CA_YEARS = 25,
    CA_LEAF_YEARS = 10,
    CA_WEB_DAYS = 820, // Safari and iOS take a certificate of at most 825, whoever issued it
    CA_NAMES_MAX = 2048,
};

// Makes the authority's key and certificate in tls_dir.
enum err ca_create(const char *tls_dir, const char *archive_name, struct fault *f);

struct ca_request {
    const char *common_name;
    const char *alt_names; // "DNS:localhost,IP:127.0.0.1"
    const char *out_dir;   // where the files go
    const char *key_name, *cert_name;
    bool web; // for browsers alone: they take it for a server, and for CA_WEB_DAYS
};
// Makes a certificate, signed by the authority in tls_dir, for the key that is there or a new one: one file
// alone is replaced, so that key and certificate belong together at every moment.
enum err ca_issue(const char *tls_dir, const struct ca_request *r,
                  uint8_t ret_fingerprint[CONF_FINGERPRINT_BYTES], struct fault *f);

// The first certificate of a PEM or DER file: its fingerprint, and itself as PEM.
struct ca_found {
    uint8_t fingerprint[CONF_FINGERPRINT_BYTES];
    char *pem;
    char subject[128];
    char not_after[32];
    char names[CA_NAMES_MAX]; // alternative names, as ca_issue() takes them
    int days_left;            // rounded down: negative when it has ended
    bool valid_now;
};
enum err ca_read(struct slice file, struct ca_found *ret_found, struct fault *f);
void ca_found_fini(struct ca_found *found);
bool ca_has_issued(const char *tls_dir, const struct ca_found *found); // false also when it cannot be asked

// Appends "IP:host" or "DNS:host" to a list of alternative names unless it is there already.
void ca_alt_name_add(char *list, size_t cap, const char *host);

#endif
