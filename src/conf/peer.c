#include "conf/peer.h"

#include "base/cleanup.h"
#include "base/hex.h"
#include "conf/file.h"
#include "conf/folder.h"

#include <stdio.h>

static const struct {
    const char *word;
    unsigned right;
} rights[] = {{"store", CONF_CAN_STORE}, {"query", CONF_CAN_QUERY}, {"retrieve", CONF_CAN_RETRIEVE}};

static unsigned right_of(struct slice word) {
    for (size_t i = 0; i < sizeof rights / sizeof *rights; i++)
        if (slice_eq_str(word, rights[i].word))
            return rights[i].right;
    return 0;
}

bool conf_rights_parse(struct slice text, unsigned *ret_rights) {
    unsigned found = 0;
    if (slice_eq_str(text, "nothing")) {
        *ret_rights = 0;
        return true;
    }
    struct slice rest = text;
    do {
        unsigned right = right_of(slice_trim(slice_split(rest, ',', &rest), " "));
        if (!right)
            return false;
        found |= right;
    } while (rest.p);
    *ret_rights = found;
    return true;
}

void conf_rights_format(unsigned wanted, char ret_text[32]) {
    size_t n = 0;
    for (size_t i = 0; i < sizeof rights / sizeof *rights; i++)
        if (wanted & rights[i].right)
            n += (size_t)snprintf(ret_text + n, 32 - n, "%s%s", n ? "," : "", rights[i].word);
    if (n == 0)
        strcpy(ret_text, "nothing");
}

bool conf_fingerprint_parse(struct slice hex, uint8_t ret_fingerprint[CONF_FINGERPRINT_BYTES]) {
    uint8_t out[CONF_FINGERPRINT_BYTES];
    size_t n = 0, i = 0;
    while (n < sizeof out && i + 1 < hex.n) {
        int high = hex_digit(hex.p[i]), low = hex_digit(hex.p[i + 1]);
        if (high < 0 || low < 0)
            return false;
        out[n++] = (uint8_t)(high << 4 | low);
        i += 2;
        if (n < sizeof out && i < hex.n && hex.p[i] == ':')
            i++;
    }
    if (n != sizeof out || i != hex.n)
        return false;
    memcpy(ret_fingerprint, out, sizeof out);
    return true;
}

void conf_fingerprint_format(const uint8_t fingerprint[CONF_FINGERPRINT_BYTES], char ret_hex[65]) {
    hex_encode(fingerprint, CONF_FINGERPRINT_BYTES, ret_hex);
}

static bool take_rights(void *dst, const struct conf_option *o, struct slice value, struct fault *f) {
    unsigned found;
    if (!conf_rights_parse(value, &found)) {
        fault_set(f, ERR_CONFIG, "must be a list of store, query and retrieve, such as \"store,query\"");
        return false;
    }
    memcpy((uint8_t *)dst + o->offset, &found, sizeof found);
    return true;
}

static bool take_address_tls(void *dst, const struct conf_option *o, struct slice value,
                             struct fault *f) {
    bool tls;
    struct conf_option at_zero = *o;
    at_zero.offset = 0;
    if (!conf_take_bool(&tls, &at_zero, value, f))
        return false;
    ((struct conf_peer *)dst)->address_plain = !tls;
    return true;
}

static bool take_fingerprint(void *dst, const struct conf_option *o, struct slice value,
                             struct fault *f) {
    struct conf_peer *p = dst;
    (void)o;
    if (p->fingerprint_count >= CONF_FINGERPRINTS_MAX) {
        fault_set(f, ERR_CONFIG, "at most %d certificates a peer", CONF_FINGERPRINTS_MAX);
        return false;
    }
    if (!conf_fingerprint_parse(value, p->fingerprints[p->fingerprint_count])) {
        fault_set(f, ERR_CONFIG, "must be the SHA-256 of the certificate: 64 hexadecimal digits");
        return false;
    }
    p->fingerprint_count++;
    return true;
}

static bool take_cidr(void *dst, const struct conf_option *o, struct slice value, struct fault *f) {
    struct conf_peer *p = dst;
    (void)o;
    if (p->plain_count >= CONF_CIDRS_MAX) {
        fault_set(f, ERR_CONFIG, "at most %d networks a peer", CONF_CIDRS_MAX);
        return false;
    }
    if (conf_cidr_parse(value, &p->plain[p->plain_count], f) != OK)
        return false;
    if (conf_cidr_is_too_wide(&p->plain[p->plain_count])) {
        fault_set(f, ERR_CONFIG,
                  "the plain lane is for named addresses, not for every address there is");
        return false;
    }
    p->plain_count++;
    return true;
}

#define AT(member) offsetof(struct conf_peer, member)

static const struct conf_option options[] = {
    {"ae_title", conf_take_ae, AT(ae_title), 0, 0, "The AE title it calls itself.", false, true},
    {"can", take_rights, AT(can), 0, 0, "What it may do once it has proven itself by certificate.",
     false, true},
    {"fingerprint", take_fingerprint, 0, 0, 0,
     "SHA-256 of its certificate; a second one while it is renewed.", true, false},
    {"plain", take_cidr, 0, 0, 0, "Networks from which it may come without TLS.", true, false},
    {"plain_can", take_rights, AT(plain_can), 0, 0,
     "What it may do without TLS. Anyone at its address can pretend to be it: store is meant to be all.",
     false, false},
    {"address", conf_take_addr, AT(address), 0, 0, "Where C-MOVE sends its images.", false, false},
    {"address_tls", take_address_tls, 0, 0, 0, "no: they go there readable by everyone on the way.",
     false, false},
    {"collections", conf_take_collections, AT(collections), 0, 0,
     "It sees only these parts of the archive; empty: all of it.", false, false},
};
enum { OPTION_COUNT = sizeof options / sizeof *options };

enum err conf_peer_load(const char *dir, const char *name, struct conf_peer *ret_peer, struct fault *f) {
    char path[4096], shown[CONF_NAME_MAX + 32];
    struct conf_peer p = {.plain_can = CONF_CAN_STORE};
    if (!conf_name_valid(slice_str(name)))
        return fault_set(f, ERR_CONFIG,
                         "a peer's name has letters, digits, '-', '_' and '.', at most %d",
                         CONF_NAME_MAX);
    strcpy(p.name, name);
    snprintf(shown, sizeof shown, "peers/%s/peer.conf", name);
    if ((size_t)snprintf(path, sizeof path, "%s/%s", dir, shown) >= sizeof path)
        return fault_set(f, ERR_CONFIG, "the archive's path is too long");
    enum err e = conf_file_parse(path, shown, options, OPTION_COUNT, &p, f);
    if (e != OK)
        return e;
    if (p.fingerprint_count == 0 && p.plain_count == 0)
        return fault_set(f, ERR_CONFIG,
                         "%s: neither fingerprint nor plain is set; the peer could never connect",
                         shown);
    *ret_peer = p;
    return OK;
}

static void put_list(struct buf *b, const char *name, const struct conf_peer *p) {
    bool cidrs = strcmp(name, "plain") == 0;
    size_t n = cidrs ? p->plain_count : p->fingerprint_count;
    char text[65];
    buf_printf(b, "%s = {", name);
    for (size_t i = 0; i < n; i++) {
        if (cidrs)
            conf_cidr_format(&p->plain[i], text);
        else
            conf_fingerprint_format(p->fingerprints[i], text);
        buf_printf(b, "%s\"%s\"", i ? ", " : "", text);
    }
    buf_append_str(b, "}\n");
}

static void put_option(struct buf *b, const struct conf_peer *p, const struct conf_option *o) {
    char text[CONF_ADDR_TEXT_MAX];
    if (o->list) {
        put_list(b, o->name, p);
    } else if (o->take == take_rights) {
        unsigned found;
        memcpy(&found, (const uint8_t *)p + o->offset, sizeof found);
        conf_rights_format(found, text);
        conf_put_text(b, o->name, text);
    } else if (o->take == conf_take_addr) {
        conf_addr_format(&p->address, text);
        conf_put_text(b, o->name, text);
    } else if (o->take == take_address_tls) {
        buf_printf(b, "%s = %s\n", o->name, p->address_plain ? "no" : "yes");
    } else if (o->take == conf_take_collections) {
        conf_put_text(b, o->name, p->collections);
    } else {
        conf_put_text(b, o->name, p->ae_title);
    }
}

// Rows that say nothing about this peer are left out of its file.
static bool applies(const struct conf_peer *p, const struct conf_option *o) {
    if (o->take == take_fingerprint)
        return p->fingerprint_count > 0;
    if (o->take == take_cidr || o->offset == AT(plain_can))
        return p->plain_count > 0;
    if (o->take == conf_take_addr || o->take == take_address_tls)
        return conf_addr_is_set(&p->address);
    if (o->take == conf_take_collections)
        return p->collections[0] != '\0';
    return true;
}

enum err conf_peer_save(const char *peer_dir, const struct conf_peer *p, struct fault *f) {
    CLEANUP(buf_fini) struct buf b = BUF_INIT(CONF_FILE_MAX_BYTES);
    for (size_t i = 0; i < OPTION_COUNT; i++) {
        if (!applies(p, &options[i]))
            continue;
        conf_put_comment(&b, options[i].comment);
        put_option(&b, p, &options[i]);
    }
    if (!buf_ok(&b))
        return fault_set(f, ERR_NO_MEMORY, "peer.conf: not enough memory");
    return conf_write_file(peer_dir, "peer.conf", 0600, buf_slice(&b), f);
}

const struct conf_peer *conf_peers_rival(const struct conf_peers *all, const struct conf_peer *p) {
    for (size_t i = 0; i < all->n; i++) {
        const struct conf_peer *other = &all->v[i];
        if (strcmp(other->ae_title, p->ae_title) != 0 || strcmp(other->name, p->name) == 0)
            continue;
        if ((other->fingerprint_count && p->fingerprint_count) ||
            (other->plain_count && p->plain_count) ||
            (conf_addr_is_set(&other->address) && conf_addr_is_set(&p->address)))
            return other;
    }
    return NULL;
}

static enum err load_one(const char *dir, const char *name, struct conf_peers *all, struct fault *f) {
    struct fault why = {0};
    struct conf_peer p;
    if (conf_peer_load(dir, name, &p, &why) != OK)
        return conf_leave_out(&why, &all->problems, &all->problem_count, f);
    // Whoever comes second is left out: which of two would win must not depend on their order.
    const struct conf_peer *other = conf_peers_rival(all, &p);
    if (other) {
        (void)fault_set(&why, ERR_CONFIG,
                        "peers/%s/peer.conf: peer %s has the same AE title on the same lane; "
                        "remove one of them",
                        name, other->name);
        return conf_leave_out(&why, &all->problems, &all->problem_count, f);
    }
    all->v[all->n++] = p;
    return OK;
}

enum err conf_peers_load(const char *dir, struct conf_peers *ret_peers, struct fault *f) {
    char path[4096];
    struct conf_names names = {0};
    if ((size_t)snprintf(path, sizeof path, "%s/peers", dir) >= sizeof path)
        return fault_set(f, ERR_CONFIG, "the archive's path is too long");
    enum err e = conf_folder_list(path, "", CONF_PEERS_MAX, &names, f);
    if (e != OK)
        return e;
    struct conf_peers all = {.v = calloc(names.n + 1, sizeof *all.v)};
    for (size_t i = 0; e == OK && all.v && i < names.n; i++)
        e = load_one(dir, names.v[i], &all, f);
    free(names.v);
    if (!all.v)
        return fault_set(f, ERR_NO_MEMORY, "not enough memory for the peers");
    if (e != OK) {
        conf_peers_fini(&all);
        return e;
    }
    *ret_peers = all;
    return OK;
}

void conf_peers_fini(struct conf_peers *p) {
    free(p->v);
    free(p->problems);
    *p = (struct conf_peers){0};
}

static bool has_fingerprint(const struct conf_peer *p, const uint8_t *fingerprint) {
    for (size_t i = 0; i < p->fingerprint_count; i++)
        if (memcmp(p->fingerprints[i], fingerprint, CONF_FINGERPRINT_BYTES) == 0)
            return true;
    return false;
}

static bool is_called(const struct conf_peer *p, struct slice ae) {
    return !ae.p || slice_eq_str(slice_trim(ae, " "), p->ae_title);
}

const struct conf_peer *conf_peers_by_certificate(const struct conf_peers *p,
                                                  const uint8_t fingerprint[CONF_FINGERPRINT_BYTES],
                                                  struct slice ae) {
    for (size_t i = 0; i < p->n; i++)
        if (is_called(&p->v[i], ae) && has_fingerprint(&p->v[i], fingerprint))
            return &p->v[i];
    return NULL;
}

const struct conf_peer *conf_peers_by_address(const struct conf_peers *p, const struct sockaddr *from,
                                              struct slice ae) {
    for (size_t i = 0; i < p->n; i++)
        for (size_t k = 0; is_called(&p->v[i], ae) && k < p->v[i].plain_count; k++)
            if (conf_cidr_contains(&p->v[i].plain[k], from))
                return &p->v[i];
    return NULL;
}

const struct conf_peer *conf_peers_destination(const struct conf_peers *p, struct slice ae) {
    for (size_t i = 0; i < p->n; i++)
        if (conf_addr_is_set(&p->v[i].address) && is_called(&p->v[i], ae))
            return &p->v[i];
    return NULL;
}
