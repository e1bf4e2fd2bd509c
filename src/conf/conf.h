// DIR/galena.conf: how this archive is called, where it listens, what it puts up with.
//
// Plain data, read once at start and again on reload. Not a place for rights (conf/peer.h,
// conf/user.h) nor for keys (DIR/keys, DIR/tls). Every error names the file, the line and what
// to do about it. The files are written whole, synced and renamed into place.
#ifndef CONF_CONF_H
#define CONF_CONF_H

#include <sys/types.h>

#include "base/err.h"
#include "base/slice.h"
#include "base/uid.h"
#include "conf/addr.h"

enum {
    CONF_NAME_MAX = 64, // name of an archive, a peer, a user: bytes
    CONF_AE_MAX = 16,   // PS3.5 6.2, AE
    CONF_PRIVATE_CLASSES_MAX = 256,
    CONF_PROXIES_MAX = 32,
    CONF_URL_MAX = 300,
    CONF_FILE_MAX_BYTES = 64 * 1024,
};

struct conf_limits {
    uint32_t max_connections; // all lanes together
    uint32_t per_source;      // connections at once from one address
    uint32_t spare_workers;   // processes kept ready
    uint32_t penalty_s;       // the longest a source address waits after its workers crashed: 1, 2, 4 …
    uint32_t artim_s;         // PS3.8 9.1.5: from connect to a complete association request
    uint32_t idle_s;          // an association on which nothing happens
    uint32_t total_s;         // an association altogether; 0 = no limit
    uint32_t drain_s;         // SIGTERM: how long running associations may take to finish
    uint32_t max_pdu_bytes;   // what we announce to receive, PS3.8 D.1
};

// The web side. What an HTTP connection may take its time for, and how long a sign-in is good.
struct conf_web {
    char url[CONF_URL_MAX + 1]; // "https://pacs.example.org", without a path; "": what the browser asked for
    struct conf_cidr proxies[CONF_PROXIES_MAX]; // whose word about the client's address is believed
    size_t proxy_count;
    bool https_http2;
    uint32_t http_header_s;    // from connect, or a request's first byte, to the end of its header
    uint32_t http_idle_s;      // a connection without a request
    uint32_t http_body_idle_s; // a request body of which nothing comes, an answer of which nothing is taken
    uint64_t upload_max_bytes; // one request's body
    uint32_t session_idle_s, session_max_s;
};

struct conf {
    char name[CONF_NAME_MAX + 1];
    char ae_title[CONF_AE_MAX + 1];
    struct conf_addr dicom; // TLS
    struct conf_addr plain; // off unless set; never a public address
    struct conf_addr https; // the web side; off unless set
    uint32_t index_cache_mib; // memory for pages of the index
    uint64_t reserve_bytes; // free space on the store's file system below which C-STORE is refused
    bool accept_retired_sop_classes;
    bool prefer_archive_order;       // transfer syntaxes: false = the proposer's first that we support
    char (*private_sop_classes)[UID_MAX + 1]; // UIDs accepted as storage classes besides the standard's
    size_t private_sop_class_count;
    struct conf_limits limits;
    struct conf_web web;
};

void conf_init(struct conf *c); // the defaults; every value valid
void conf_fini(struct conf *c);
enum err conf_load(const char *dir, struct conf *ret_conf, struct fault *f); // ret_conf: conf_fini() it
enum err conf_save(const char *dir, const struct conf *c, struct fault *f);  // DIR/galena.conf, 0600

// An address to listen on: literal, "*" for all, "localhost" for 127.0.0.1; "" leaves it unset. With
// `plain` (no TLS) loopback and private addresses only.
enum err conf_listen_parse(struct slice text, bool plain, struct conf_addr *ret_addr, struct fault *f);

// What an archive may be called: 1 to CONF_NAME_MAX bytes of UTF-8 without control characters.
bool conf_title_valid(struct slice text);

// AE title rules of PS3.5 6.2: 1 to 16 characters, no backslash, no control characters, ASCII;
// leading and trailing blanks are not significant and are dropped. False when it breaks them.
bool conf_ae_parse(struct slice text, char ret_ae[CONF_AE_MAX + 1]);

// Names of peers and users become file names: letters, digits, '-', '_', '.', not beginning with '.'.
bool conf_name_valid(struct slice text);

// Writes DIR_PATH/name: temporary file, fsync, rename, fsync of the folder. Never follows a link.
enum err conf_write_file(const char *dir_path, const char *name, mode_t mode, struct slice content,
                         struct fault *f);

#endif
