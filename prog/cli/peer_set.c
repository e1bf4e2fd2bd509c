// galena peer set: a device's rights, names and certificates change; what is not named stays.
#include "archive_dir.h"
#include "control.h"
#include "peer_common.h"

#include "base/cleanup.h"
#include "os/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { CERTIFICATES_MAX_BYTES = 1 << 20 };

static size_t place_of(const struct conf_peer *p, const uint8_t fingerprint[CONF_FINGERPRINT_BYTES]) {
    size_t i = 0;
    while (i < p->fingerprint_count && memcmp(p->fingerprints[i], fingerprint, CONF_FINGERPRINT_BYTES) != 0)
        i++;
    return i;
}

// Beside those it has, so that the device may change over in its own time.
static bool add_certificate(struct conf_peer *p, const struct ca_found *found) {
    size_t at = place_of(p, found->fingerprint);
    if (at == CONF_FINGERPRINTS_MAX)
        return cli_fail("it has %d certificates already; forget one first: --forget SHA256",
                        CONF_FINGERPRINTS_MAX),
               false;
    memcpy(p->fingerprints[at], found->fingerprint, CONF_FINGERPRINT_BYTES);
    p->fingerprint_count += at == p->fingerprint_count;
    return true;
}

static bool forget_certificate(struct conf_peer *p, const char *text) {
    uint8_t fingerprint[CONF_FINGERPRINT_BYTES];
    if (!conf_fingerprint_parse(slice_str(text), fingerprint))
        return cli_fail("--forget %s: the SHA-256 of a certificate, as galena peer show has it", text),
               false;
    size_t at = place_of(p, fingerprint);
    if (at == p->fingerprint_count)
        return cli_fail("--forget %s: it has no such certificate; galena peer show lists them", text), false;
    p->fingerprint_count--;
    memmove(p->fingerprints[at], p->fingerprints[at + 1],
            (p->fingerprint_count - at) * CONF_FINGERPRINT_BYTES);
    return true;
}

// The gate lets in nobody whose certificate is in none of these files. What is forgotten may stay in it: the
// archive asks for the fingerprint.
static enum err append_certificate(const char *folder, const struct ca_found *found, struct fault *f) {
    CLEANUP(buf_fini) struct buf b = BUF_INIT(CERTIFICATES_MAX_BYTES);
    char path[CONF_NAME_MAX + 32];
    snprintf(path, sizeof path, "%s/cert.pem", folder);
    CLEANUP_FD int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 && errno != ENOENT) // one of the plain lane alone has none
        return fault_errno(f, path);
    enum err e = fd < 0 ? OK : os_fd_read_all(fd, &b, f);
    if (e != OK)
        return e;
    if (b.n && b.p[b.n - 1] != '\n')
        buf_append_str(&b, "\n");
    buf_append_str(&b, found->pem);
    if (!buf_ok(&b))
        return fault_set(f, buf_error(&b), "%s", path);
    return conf_write_file(folder, "cert.pem", 0600, buf_slice(&b), f);
}

static bool change(const struct cli_args *args, const struct ca_found *found, struct conf_peer *p) {
    const char *forget = cli_option(args, "forget");
    if ((found->pem && !add_certificate(p, found)) || (forget && !forget_certificate(p, forget)) ||
        !peer_options_take(args, p))
        return false;
    if (p->fingerprint_count == 0 && p->plain_count == 0)
        return cli_fail("then %s could never connect; galena peer remove shuts it out", p->name), false;
    return true;
}

static int run_peer_set(const struct cli_args *args) {
    struct cli_dir d;
    struct conf_peer p;
    struct fault f = {0};
    CLEANUP(ca_found_fini) struct ca_found found = {0};
    const char *cert = cli_option(args, "cert");
    char folder[CONF_NAME_MAX + 16];
    if (!cli_any_option(args))
        return cli_fail("say what changes; galena peer set --help lists it"), CLI_USAGE;
    if (cert && !peer_certificate_read(cert, &found))
        return CLI_USAGE;
    if (!peer_load(args, &d, &p))
        return CLI_FAILED;
    if (!change(args, &found, &p))
        return CLI_USAGE;
    if (!cli_collections_exist(p.collections) || !peer_is_unmistakable(&p))
        return CLI_FAILED;
    snprintf(folder, sizeof folder, "peers/%s", p.name);
    if ((found.pem && append_certificate(folder, &found, &f) != OK) || conf_peer_save(folder, &p, &f) != OK)
        return cli_fail_fault("peer not changed", &f);
    printf("Changed peer %s; galena peer show shows it.\n", p.name);
    return control_reload_and_say("that");
}

const struct cli_verb verb_peer_set = {
    "peer set",
    "DIR NAME",
    "change what a device may do, or its certificate",
    "What is not named stays as it is. A running server knows at once: associations that are open lose "
    "what is taken\n"
    "away with their next request, and gain nothing.\n\n"
    "A renewed certificate counts beside those that the device has, until they are forgotten.",
    {{"ae", "AE_TITLE", "what the device calls itself"},
     {"can", "RIGHTS", "of store, query, retrieve: store,query"},
     {"address", "HOST:PORT", "where C-MOVE may send images to this peer; \"\": nowhere"},
     {"collections", "NAMES", "the parts of the archive it may see: ward3,research; \"\": all of it"},
     {"plain", "CIDR", "networks from which it comes without TLS: 10.1.2.3 or 10.1.2.0/24,…; \"\": none"},
     {"cert", "FILE", "one more certificate, PEM or DER"},
     {"forget", "SHA256", "the fingerprint of a certificate that counts no more"}},
    run_peer_set,
};
