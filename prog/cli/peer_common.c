#include "peer_common.h"

#include "base/cleanup.h"
#include "os/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

// "--plain A,B": each a network.
static bool take_networks(const char *text, struct conf_peer *p) {
    struct slice rest = slice_str(text);
    p->plain_count = 0;
    if (rest.n == 0)
        return true;
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

bool peer_load(const struct cli_args *args, struct cli_dir *ret_dir, struct conf_peer *ret_peer) {
    struct fault f = {0};
    if (!cli_dir_enter(args->positional[0], ret_dir))
        return false;
    if (conf_peer_load(".", args->positional[1], ret_peer, &f) == OK)
        return true;
    cli_fail("%s", f.code == ERR_NO_SUCH_OBJECT ? "there is no such peer; galena peer list shows them"
                                                : f.detail);
    return false;
}

static bool take_address(const char *text, struct conf_peer *p) {
    struct fault f = {0};
    struct conf_addr a = {0};
    if (text[0] && conf_addr_parse(slice_str(text), &a, &f) != OK)
        return cli_fail("--address %s: %s", text, f.detail), false;
    p->address = a;
    p->address_plain = false;
    return true;
}

static bool take_collections(const char *text, struct conf_peer *p) {
    p->collections[0] = '\0';
    if (text[0] && !conf_collection_names_parse(slice_str(text), p->collections))
        return cli_fail("--collections %s: names of collections, such as ward3,research", text), false;
    return true;
}

bool peer_options_take(const struct cli_args *args, struct conf_peer *p) {
    const char *ae = cli_option(args, "ae"), *can = cli_option(args, "can");
    const char *address = cli_option(args, "address"), *plain = cli_option(args, "plain");
    const char *collections = cli_option(args, "collections");
    if (ae && !conf_ae_parse(slice_str(ae), p->ae_title))
        return cli_fail(
                   "--ae %s: an AE title has 1 to 16 characters, no backslash and no control characters",
                   ae),
               false;
    if (can && !conf_rights_parse(slice_str(can), p->fingerprint_count ? &p->can : &p->plain_can))
        return cli_fail("--can %s: a list of store, query and retrieve, such as store,query", can), false;
    if ((address && !take_address(address, p)) || (plain && !take_networks(plain, p)) ||
        (collections && !take_collections(collections, p)))
        return false;
    if (p->fingerprint_count == 0) // one that has no certificate cannot receive over TLS either
        p->address_plain = conf_addr_is_set(&p->address);
    return true;
}

bool peer_certificate_read(const char *path, struct ca_found *ret_found) {
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

bool peer_is_unmistakable(const struct conf_peer *p) {
    struct conf_peers all;
    struct fault f = {0};
    if (conf_peers_load(".", &all, &f) != OK)
        return cli_fail_fault("peers", &f), false;
    const struct conf_peer *rival = conf_peers_rival(&all, p);
    if (rival)
        cli_fail("the AE title %s belongs to peer %s; AE titles are unique on a lane", p->ae_title,
                 rival->name);
    conf_peers_fini(&all);
    return !rival;
}
