// galena peer add: a device gets a name, a proof of who it is, and rights.
#include "archive_dir.h"
#include "control.h"
#include "peer_common.h"
#include "quote.h"

#include "base/cleanup.h"
#include "os/fd.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static bool take_options(const struct cli_args *args, struct conf_peer *p) {
    bool plain_only = cli_option(args, "plain") && !cli_option(args, "cert");
    *p = (struct conf_peer){
        .can = CONF_CAN_STORE, .plain_can = CONF_CAN_STORE, .fingerprint_count = plain_only ? 0 : 1};
    if (!conf_name_valid(slice_str(args->positional[1])))
        return cli_fail("%s: a peer's name has letters, digits, '-', '_' and '.', at most %d",
                        args->positional[1], CONF_NAME_MAX),
               false;
    strcpy(p->name, args->positional[1]);
    if (!cli_option(args, "ae"))
        return cli_fail("--ae is missing: the AE title the device calls itself"), false;
    return peer_options_take(args, p);
}

static bool is_free(const struct conf_peer *p) {
    char path[CONF_NAME_MAX + 16];
    snprintf(path, sizeof path, "peers/%s", p->name);
    if (access(path, F_OK) == 0)
        return cli_fail("there is a peer %s already; galena peer set changes it", p->name), false;
    return peer_is_unmistakable(p);
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
    if (p->fingerprint_count == 0)
        return OK;
    enum err e = copy_authority(folder, f);
    if (e != OK)
        return e;
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
    CLEANUP(ca_found_fini) struct ca_found found = {0};
    struct cli_dir d;
    struct conf c;
    struct fault f = {0};
    const char *cert = cli_option(args, "cert");
    if (!take_options(args, &p) || (cert && !peer_certificate_read(cert, &found)))
        return CLI_USAGE;
    if (!cli_dir_enter(args->positional[0], &d) || !cli_collections_exist(p.collections) || !is_free(&p))
        return CLI_FAILED;
    if (conf_load(".", &c, &f) != OK)
        return cli_fail_fault("settings", &f);
    if (make_peer(&p, &found, &f) != OK)
        return cli_fail_fault("peer not added", &f);
    say_added(&p, &c, d.shown, !cert && p.fingerprint_count > 0);
    conf_fini(&c);
    return control_reload_and_say("this peer");
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
