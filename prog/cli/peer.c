// galena peer list, show, remove.
#include "archive_dir.h"
#include "control.h"
#include "peer_common.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static bool load(const struct cli_args *args, struct cli_dir *d, struct conf_peers *all) {
    struct fault f = {0};
    if (!cli_dir_enter(args->positional[0], d))
        return false;
    if (conf_peers_load(".", all, &f) != OK)
        return cli_fail_fault("peers", &f), false;
    for (size_t i = 0; i < all->problem_count; i++)
        cli_fail("%s", all->problems[i]);
    return true;
}

static void lane_of(const struct conf_peer *p, char dst[128]) {
    char cidr[64] = "";
    if (p->plain_count)
        conf_cidr_format(&p->plain[0], cidr);
    snprintf(dst, 128, "%s%s%s%s%s", p->fingerprint_count ? "TLS" : "",
             p->fingerprint_count && p->plain_count ? " and " : "", p->plain_count ? "plain from " : "",
             cidr, p->plain_count > 1 ? ",…" : "");
}

static int run_list(const struct cli_args *args) {
    struct cli_dir d;
    struct conf_peers all;
    if (!load(args, &d, &all))
        return CLI_FAILED;
    if (all.n == 0 && all.problem_count == 0)
        printf("No peers: nobody can connect. Add one with galena peer add.\n");
    else
        printf("%-20s %-16s %-20s %-28s %s\n", "NAME", "AE TITLE", "MAY", "LANE", "C-MOVE TO");
    for (size_t i = 0; i < all.n; i++) {
        const struct conf_peer *p = &all.v[i];
        char can[32], lane[128], address[CONF_ADDR_TEXT_MAX] = "-";
        conf_rights_format(p->fingerprint_count ? p->can : p->plain_can, can);
        lane_of(p, lane);
        if (conf_addr_is_set(&p->address))
            conf_addr_format(&p->address, address);
        printf("%-20s %-16s %-20s %-28s %s\n", p->name, p->ae_title, can, lane, address);
    }
    int result = all.problem_count ? CLI_FAILED : CLI_OK;
    conf_peers_fini(&all);
    return result;
}

static int run_show(const struct cli_args *args) {
    struct cli_dir d;
    struct conf_peer p;
    if (!peer_load(args, &d, &p))
        return CLI_FAILED;
    char text[CONF_ADDR_TEXT_MAX];
    printf("name         %s\nAE title     %s\n", p.name, p.ae_title);
    conf_rights_format(p.can, text);
    printf("may          %s%s\n", p.fingerprint_count ? text : "nothing", " (TLS)");
    for (size_t i = 0; i < p.fingerprint_count; i++) {
        conf_fingerprint_format(p.fingerprints[i], text);
        printf("certificate  %s (SHA-256)\n", text);
    }
    for (size_t i = 0; i < p.plain_count; i++) {
        conf_cidr_format(&p.plain[i], text);
        printf("plain from   %s\n", text);
    }
    conf_rights_format(p.plain_can, text);
    if (p.plain_count)
        printf("may          %s (plain)\n", text);
    if (conf_addr_is_set(&p.address)) {
        conf_addr_format(&p.address, text);
        printf("C-MOVE to    %s%s\n", text, p.address_plain ? " (without TLS)" : "");
    }
    if (p.collections[0])
        printf("sees only    %s\n", p.collections);
    printf("files        %s/peers/%s\n", d.shown, p.name);
    return CLI_OK;
}

static bool remove_folder(const char *path) {
    DIR *dir = opendir(path);
    const struct dirent *entry;
    while (dir && (entry = readdir(dir)))
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
            unlinkat(dirfd(dir), entry->d_name, 0);
    if (dir)
        closedir(dir);
    return rmdir(path) == 0;
}

static int run_remove(const struct cli_args *args) {
    struct cli_dir d;
    const char *name = args->positional[1];
    char path[CONF_NAME_MAX + 16], gone[CONF_NAME_MAX + 48];
    if (!conf_name_valid(slice_str(name)))
        return cli_fail("%s: there is no such peer; galena peer list shows them", name);
    if (!cli_dir_enter(args->positional[0], &d))
        return CLI_FAILED;
    snprintf(path, sizeof path, "peers/%s", name);
    snprintf(gone, sizeof gone, "peers/.gone-%s-%d", name, (int)getpid());
    if (rename(path, gone) != 0)
        return cli_fail("%s: %s; galena peer list shows the peers", name, strerror(errno));
    if (!remove_folder(gone))
        cli_fail("%s/%s: %s; remove it by hand", d.shown, gone, strerror(errno));
    printf("Removed peer %s. Images it stored stay.\n", name);
    return control_reload_and_say("that");
}

const struct cli_verb verb_peer_list = {
    "peer list", "DIR", "list the devices and their rights", "", {{0}}, run_list,
};
const struct cli_verb verb_peer_show = {
    "peer show", "DIR NAME", "show all about one device", "", {{0}}, run_show,
};
const struct cli_verb verb_peer_remove = {
    "peer remove",
    "DIR NAME",
    "shut a device out",
    "Removes the peer with its key and certificates. A running server knows at once, and ends associations "
    "of its that\n"
    "are open. Images that the device stored stay.",
    {{0}},
    run_remove,
};
