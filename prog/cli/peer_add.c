// galena peer add: a device gets a name, a proof of who it is, and rights.
#include "archive_dir.h"
#include "ca.h"
#include "cli.h"
#include "control.h"
#include "quote.h"

#include "base/cleanup.h"
#include "conf/peer.h"
#include "os/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

// "--plain A,B": each a network.
static bool take_networks(const char *text, struct conf_peer *p) {
    struct slice rest = slice_str(text);
    do {
        struct fault f = {0};
        struct slice one = slice_trim(slice_split(rest, ',', &rest), " ");
        if (p->plain_count >= CONF_CIDRS_MAX)
            return cli_fail("--plain: at most %d networks", CONF_CIDRS_MAX), false;
        struct conf_cidr *c = &p->plain[p->plain_count++];
        if (conf_cidr_parse(one, c, &f) != OK)
            return cli_fail("--plain %s: %s", text, f.detail), false;
        if (conf_cidr_is_too_wide(c))
            return cli_fail("--plain %s: the plain lane is for named addresses, not for every address "
                            "there is",
                            text),
                   false;
    } while (rest.p);
    return true;
}

static bool take_options(const struct cli_args *args, struct conf_peer *p) {
    const char *ae = cli_option(args, "ae"), *can = cli_option(args, "can");
    const char *address = cli_option(args, "address"), *plain = cli_option(args, "plain");
    struct fault f = {0};
    *p = (struct conf_peer){.can = CONF_CAN_STORE, .plain_can = CONF_CAN_STORE};
    if (!conf_name_valid(slice_str(args->positional[1])))
        return cli_fail("%s: a peer's name has letters, digits, '-', '_' and '.', at most %d",
                        args->positional[1], CONF_NAME_MAX),
               false;
    strcpy(p->name, args->positional[1]);
    if (!ae)
        return cli_fail("--ae is missing: the AE title the device calls itself"), false;
    if (!conf_ae_parse(slice_str(ae), p->ae_title))
        return cli_fail(
                   "--ae %s: an AE title has 1 to 16 characters, no backslash and no control characters",
                   ae),
               false;
    if (can && !conf_rights_parse(slice_str(can), &p->can))
        return cli_fail("--can %s: a list of store, query and retrieve, such as store,query", can),
               false;
    if (address && conf_addr_parse(slice_str(address), &p->address, &f) != OK)
        return cli_fail("--address %s: %s", address, f.detail), false;
    if (plain && !take_networks(plain, p))
        return false;
    const char *collections = cli_option(args, "collections");
    if (collections && !conf_collection_names_parse(slice_str(collections), p->collections))
        return cli_fail("--collections %s: names of collections, such as ward3,research", collections), false;
    // Rights on the plain lane are spelled out by --can for this one peer, or stay store alone. One that
    // has no certificate cannot receive over TLS either.
    bool plain_only = plain && !cli_option(args, "cert");
    if (plain_only) {
        p->plain_can = p->can;
        p->address_plain = conf_addr_is_set(&p->address);
    }
    return true;
}

// Read with the caller's own rights, before those of the archive's owner are taken.
static bool read_certificate(const char *path, struct ca_found *ret_found) {
    CLEANUP_FD int fd = open(path, O_RDONLY | O_CLOEXEC);
    CLEANUP(buf_fini) struct buf b = BUF_INIT(1 << 20);
    struct fault f = {0};
    if (fd < 0)
        return cli_fail("%s: %s", path, strerror(errno)), false;
    if (os_fd_read_all(fd, &b, &f) != OK || ca_read(buf_slice(&b), ret_found, &f) != OK)
        return cli_fail("%s: %s", path, f.detail), false;
    if (!ret_found->valid_now)
        return cli_fail("%s: this certificate is not valid today (it ends %s); get a new one", path,
                        ret_found->not_after),
               false;
    return true;
}

static bool is_free(const struct conf_peer *p) {
    struct conf_peers all;
    struct fault f = {0};
    char path[CONF_NAME_MAX + 16];
    snprintf(path, sizeof path, "peers/%s", p->name);
    if (access(path, F_OK) == 0)
        return cli_fail("there is a peer %s already; remove it first, or choose another name", p->name),
               false;
    if (conf_peers_load(".", &all, &f) != OK)
        return cli_fail_fault("peers", &f), false;
    const char *taken = NULL;
    for (size_t i = 0; i < all.n; i++) {
        const struct conf_peer *o = &all.v[i];
        bool same_lane = (o->plain_count > 0 && p->plain_count > 0) ||
                         (o->fingerprint_count > 0 && p->plain_count == 0) ||
                         (conf_addr_is_set(&o->address) && conf_addr_is_set(&p->address));
        if (strcmp(o->ae_title, p->ae_title) == 0 && same_lane)
            taken = o->name;
    }
    if (taken)
        cli_fail("the AE title %s belongs to peer %s; AE titles are unique on a lane", p->ae_title,
                 taken);
    conf_peers_fini(&all);
    return !taken;
}

static enum err copy_authority(const char *folder, struct fault *f) {
    CLEANUP_FD int fd = open("tls/ca.pem", O_RDONLY | O_CLOEXEC);
    CLEANUP(buf_fini) struct buf b = BUF_INIT(1 << 20);
    if (fd < 0)
        return fault_errno(f, "tls/ca.pem");
    enum err e = os_fd_read_all(fd, &b, f);
    return e != OK ? e : conf_write_file(folder, "ca.pem", 0600, buf_slice(&b), f);
}

// Either takes the certificate found, or issues one; on the plain lane alone there is none.
static enum err put_proof(const char *folder, struct conf_peer *p, const struct ca_found *found,
                          struct fault *f) {
    if (!found->pem && p->plain_count > 0)
        return OK;
    enum err e = copy_authority(folder, f);
    if (e != OK)
        return e;
    p->fingerprint_count = 1;
    if (found->pem) {
        memcpy(p->fingerprints[0], found->fingerprint, CONF_FINGERPRINT_BYTES);
        return conf_write_file(folder, "cert.pem", 0600, slice_str(found->pem), f);
    }
    char names[CONF_HOST_MAX * 2 + 64] = "";
    ca_alt_name_add(names, sizeof names, p->name);
    if (conf_addr_is_set(&p->address))
        ca_alt_name_add(names, sizeof names, p->address.host);
    return ca_issue("tls",
                    &(struct ca_request){.common_name = p->ae_title,
                                         .alt_names = names,
                                         .out_dir = folder,
                                         .key_name = "key.pem",
                                         .cert_name = "cert.pem"},
                    p->fingerprints[0], f);
}

// Made under a name that nobody reads, then renamed: a running server sees all of it or nothing.
static enum err make_peer(struct conf_peer *p, const struct ca_found *found, struct fault *f) {
    char fresh[CONF_NAME_MAX + 32], final[CONF_NAME_MAX + 16];
    snprintf(fresh, sizeof fresh, "peers/.new-%s-%d", p->name, (int)getpid());
    snprintf(final, sizeof final, "peers/%s", p->name);
    if (mkdir(fresh, 0700) != 0)
        return fault_errno(f, fresh);
    enum err e = put_proof(fresh, p, found, f);
    if (e == OK)
        e = conf_peer_save(fresh, p, f);
    if (e == OK && rename(fresh, final) != 0)
        e = fault_errno(f, final);
    return e;
}

// Where the device finds us; a wildcard says nothing, so the machine's name stands in.
static void our_address(const struct conf_addr *a, char host[CONF_HOST_MAX + 1], unsigned *ret_port) {
    strcpy(host, a->host);
    *ret_port = a->port;
    if (strcmp(host, "0.0.0.0") == 0 || strcmp(host, "::") == 0)
        if (gethostname(host, CONF_HOST_MAX) != 0)
            strcpy(host, "HOST");
}

static void print_line(const char *tool, const struct conf_peer *p, const struct conf *c,
                       const char *folder, bool tls, const char *more) {
    char host[CONF_HOST_MAX + 1], quoted[PATH_MAX * 4 + 3], ae[80], our_ae[80];
    unsigned port;
    our_address(tls ? &c->dicom : &c->plain, host, &port);
    printf("  %s -v", tool);
    if (tls) {
        static const char *const parts[][2] = {{"+tls", "key.pem"}, {"", "cert.pem"}, {"+cf", "ca.pem"}};
        char path[PATH_MAX + 16];
        for (size_t i = 0; i < 3; i++) {
            snprintf(path, sizeof path, "%s/%s", folder, parts[i][1]);
            cli_quote(path, quoted, sizeof quoted);
            printf(" %s%s%s", parts[i][0], parts[i][0][0] ? " " : "", quoted);
        }
    }
    cli_quote(p->ae_title, ae, sizeof ae);
    cli_quote(c->ae_title, our_ae, sizeof our_ae);
    printf(" -aet %s -aec %s %s %u%s\n", ae, our_ae, host, port, more);
}

static void print_lines(const struct conf_peer *p, const struct conf *c, const char *folder, bool tls) {
    unsigned can = tls ? p->can : p->plain_can;
    print_line("echoscu", p, c, folder, tls, "");
    if (can & CONF_CAN_STORE)
        print_line("storescu", p, c, folder, tls, " FILE.dcm");
    if (can & CONF_CAN_QUERY)
        print_line("findscu", p, c, folder, tls,
                   " -S -k QueryRetrieveLevel=STUDY -k PatientName -k StudyInstanceUID");
}

static void say_added(const struct conf_peer *p, const struct conf *c, const char *dir, bool issued) {
    char folder[PATH_MAX + CONF_NAME_MAX + 16], can[32];
    snprintf(folder, sizeof folder, "%s/peers/%s", dir, p->name);
    conf_rights_format(p->fingerprint_count ? p->can : p->plain_can, can);
    printf("Peer %s, AE title %s, may: %s.\n", p->name, p->ae_title, can);
    if (issued)
        printf("Give the device key.pem, cert.pem and ca.pem from %s.\nWhoever has key.pem is this "
               "device.\n",
               folder);
    if (p->plain_count && (p->plain_can & (CONF_CAN_QUERY | CONF_CAN_RETRIEVE)))
        printf("WARNING: anyone who can send from its address can pretend to be %s and read patients' "
               "data.\n",
               p->ae_title);
    if (p->plain_count && !conf_addr_is_set(&c->plain))
        printf("The plain lane is off: set plain in %s/galena.conf.\n", dir);
    bool tls = issued && conf_addr_is_set(&c->dicom),
         plain = p->plain_count && conf_addr_is_set(&c->plain);
    if (tls || plain)
        printf("\nTo try it with DCMTK:\n\n");
    if (tls)
        print_lines(p, c, folder, true);
    if (plain)
        print_lines(p, c, folder, false);
    if (tls || plain)
        printf("\n");
}

static int run_peer_add(const struct cli_args *args) {
    struct conf_peer p;
    struct ca_found found = {0};
    struct cli_dir d;
    struct conf c;
    struct fault f = {0};
    const char *cert = cli_option(args, "cert");
    if (!take_options(args, &p) || (cert && !read_certificate(cert, &found)))
        return CLI_USAGE;
    if (!cli_dir_enter(args->positional[0], &d) || !cli_collections_exist(p.collections) || !is_free(&p))
        return CLI_FAILED;
    if (conf_load(".", &c, &f) != OK)
        return cli_fail_fault("settings", &f);
    if (make_peer(&p, &found, &f) != OK)
        return cli_fail_fault("peer not added", &f);
    say_added(&p, &c, d.shown, !cert && p.fingerprint_count > 0);
    control_reload_and_say("this peer");
    conf_fini(&c);
    free(found.pem);
    return CLI_OK;
}

const struct cli_verb verb_peer_add = {
    "peer add",
    "DIR NAME",
    "let a device in",
    "A device proves who it is by a certificate, and calls itself by the AE title that belongs to it. "
    "Without --cert the\n"
    "archive's own authority issues one: key.pem, cert.pem and ca.pem in DIR/peers/NAME.\n\n"
    "With --plain, a device that cannot do TLS is heard from the named networks. Anyone at such an "
    "address can\n"
    "pretend to be it, so it may store and nothing else unless --can spells out more.\n\n"
    "A running server knows the peer at once.",
    {{"ae", "AE_TITLE", "required: what the device calls itself"},
     {"can", "RIGHTS", "of store, query, retrieve: store,query (store)"},
     {"address", "HOST:PORT", "where C-MOVE may send images to this peer"},
     {"collections", "NAMES", "the parts of the archive it may see: ward3,research (all of it)"},
     {"plain", "CIDR", "networks from which it comes without TLS: 10.1.2.3 or 10.1.2.0/24,…"},
     {"cert", "FILE", "the certificate it has already, PEM or DER"}},
    run_peer_add,
};
