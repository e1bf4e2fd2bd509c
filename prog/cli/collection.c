// galena collection add, list, show, remove.
#include "archive_dir.h"
#include "cli.h"
#include "control.h"

#include "base/cleanup.h"
#include "conf/collection.h"
#include "conf/peer.h"
#include "conf/user.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

bool cli_collections_exist(const char *names) {
    struct slice rest = slice_str(names);
    char path[CONF_NAME_MAX + 32];
    if (rest.n == 0)
        return true;
    while (rest.p) {
        struct slice name = slice_split(rest, ',', &rest);
        snprintf(path, sizeof path, "collections/%.*s.conf", SLICE_FMT(name));
        if (access(path, F_OK) != 0)
            return cli_fail("there is no collection %.*s; galena collection add makes one", SLICE_FMT(name)),
                   false;
    }
    return true;
}

// "referring_physician" is --referring-physician.
static const char *given(const struct cli_args *args, enum conf_collection_field field) {
    char option[64];
    snprintf(option, sizeof option, "%s", conf_collection_field_names[field]);
    for (char *c = option; *c; c++)
        *c = *c == '_' ? '-' : *c;
    return cli_option(args, option);
}

static bool take_condition(const struct cli_args *args, enum conf_collection_field field,
                           struct conf_collection *c) {
    const char *text = given(args, field);
    struct slice rest = text ? slice_str(text) : (struct slice){NULL, 0};
    while (rest.p) {
        struct fault f = {0};
        struct slice value = slice_split(rest, ';', &rest);
        if (conf_collection_add_value(c, field, value, &f) != OK)
            return cli_fail("--%s %s: %s", conf_collection_field_names[field], text, f.detail), false;
    }
    return true;
}

static bool take_options(const struct cli_args *args, struct conf_collection *c) {
    const char *description = cli_option(args, "description");
    if (!conf_name_valid(slice_str(args->positional[1])))
        return cli_fail("%s: a collection's name has letters, digits, '-', '_' and '.', at most %d",
                        args->positional[1], CONF_NAME_MAX),
               false;
    strcpy(c->name, args->positional[1]);
    if (description && !slice_to_cstr(slice_str(description), c->description, sizeof c->description))
        return cli_fail("--description: at most %d bytes", CONF_COLLECTION_DESCRIPTION_MAX), false;
    for (int i = 0; i < CONF_COLLECTION_FIELDS; i++)
        if (!take_condition(args, (enum conf_collection_field)i, c))
            return false;
    if (conf_collection_is_empty(c))
        return cli_fail(
                   "a collection without a condition would be everything: give one, such as --institution"),
               false;
    return true;
}

static int run_add(const struct cli_args *args) {
    CLEANUP(conf_collection_fini) struct conf_collection c = {0}, again = {0};
    struct cli_dir d;
    struct fault f = {0};
    char path[CONF_NAME_MAX + 32];
    if (!take_options(args, &c))
        return CLI_USAGE;
    if (!cli_dir_enter(args->positional[0], &d))
        return CLI_FAILED;
    snprintf(path, sizeof path, "collections/%s.conf", c.name);
    if (access(path, F_OK) == 0)
        return cli_fail("there is a collection %s already; edit %s/%s, or remove it first", c.name, d.shown,
                        path);
    if (cli_make_dir("collections", 0700, &f) != OK || conf_collection_save(".", &c, &f) != OK)
        return cli_fail_fault("collection not added", &f);
    if (conf_collection_load(".", c.name, &again, &f) != OK) // as the archive will read it
        return cli_fail_fault("collection", &f);
    printf("Added collection %s. Limit peers and users to it with --collections %s.\n", c.name, c.name);
    return control_reload_and_say("that");
}

static int run_list(const struct cli_args *args) {
    struct cli_dir d;
    struct conf_collections all;
    struct fault f = {0};
    if (!cli_dir_enter(args->positional[0], &d))
        return CLI_FAILED;
    if (conf_collections_load(".", &all, &f) != OK)
        return cli_fail_fault("collections", &f);
    for (size_t i = 0; i < all.problem_count; i++)
        cli_fail("%s", all.problems[i]);
    printf("%-24s %s\n", "NAME", "DESCRIPTION");
    for (size_t i = 0; i < all.n; i++)
        printf("%-24s %s\n", all.v[i].name, all.v[i].description);
    int result = all.problem_count ? CLI_FAILED : CLI_OK;
    conf_collections_fini(&all);
    return result;
}

static void show_condition(const struct conf_collection *c, enum conf_collection_field field) {
    for (size_t i = 0; i < c->by[field].n; i++)
        printf("%-21s%s\n", i ? "  or" : conf_collection_field_names[field], c->by[field].v[i]);
}

static int run_show(const struct cli_args *args) {
    struct cli_dir d;
    CLEANUP(conf_collection_fini) struct conf_collection c = {0};
    struct fault f = {0};
    if (!cli_dir_enter(args->positional[0], &d))
        return CLI_FAILED;
    if (conf_collection_load(".", args->positional[1], &c, &f) != OK)
        return cli_fail("%s", f.code == ERR_NO_SUCH_OBJECT
                                  ? "there is no such collection; galena collection list shows them"
                                  : f.detail);
    printf("%-21s%s\n%-21s%s\n", "name", c.name, "description", c.description);
    for (int i = 0; i < CONF_COLLECTION_FIELDS; i++)
        show_condition(&c, (enum conf_collection_field)i);
    printf("%-21s%s/collections/%s.conf\n", "file", d.shown, c.name);
    return CLI_OK;
}

static bool names_it(const char *names, const char *name) {
    struct slice rest = slice_str(names);
    while (rest.p)
        if (slice_eq_str(slice_split(rest, ',', &rest), name))
            return true;
    return false;
}

// Whoever is limited to it would see nothing of it any more: that is said, not prevented.
static void warn_of_those_limited(const char *name) {
    struct conf_peers peers = {0};
    struct conf_users users = {0};
    struct fault f = {0};
    (void)conf_peers_load(".", &peers, &f);
    (void)conf_users_load(".", &users, &f);
    for (size_t i = 0; i < peers.n; i++)
        if (names_it(peers.v[i].collections, name))
            cli_fail("peer %s is limited to it", peers.v[i].name);
    for (size_t i = 0; i < users.n; i++)
        if (names_it(users.v[i].collections, name))
            cli_fail("user %s is limited to it", users.v[i].name);
    conf_peers_fini(&peers);
    conf_users_fini(&users);
}

static int run_remove(const struct cli_args *args) {
    struct cli_dir d;
    const char *name = args->positional[1];
    char path[CONF_NAME_MAX + 32];
    if (!conf_name_valid(slice_str(name)))
        return cli_fail("%s: there is no such collection; galena collection list shows them", name);
    if (!cli_dir_enter(args->positional[0], &d))
        return CLI_FAILED;
    snprintf(path, sizeof path, "collections/%s.conf", name);
    if (unlink(path) != 0)
        return cli_fail("%s: %s; galena collection list shows the collections", name, strerror(errno));
    printf("Removed collection %s. Its studies stay.\n", name);
    warn_of_those_limited(name);
    return control_reload_and_say("that");
}

const struct cli_verb verb_collection_add = {
    "collection add",
    "DIR NAME",
    "name a part of the archive",
    "A collection is the studies for which each condition given here holds. Peers, users and tokens that "
    "are\n"
    "limited to collections see the studies of these, and nothing else exists for them.\n\n"
    "Each option takes one value or several, separated by ';', of which one must match. '*' stands for any\n"
    "characters, '?' for one. Upper and lower case count, but not in names of persons.\n\n"
    "Institution and station are those of the first series of a study that has any, modality that of any\n"
    "series. Storing is not limited by collections: whatever a device may store, it may store.",
    {{"description", "TEXT", "what it is, for people"},
     {"institution", "VALUES", "Institution Name: \"Ward 3*;Ward 4\""},
     {"station", "VALUES", "Station Name"},
     {"modality", "VALUES", "Modality: \"CT;MR\""},
     {"referring-physician", "VALUES", "Referring Physician's Name: \"Smith^*\""},
     {"patient-id", "VALUES", "Patient ID"},
     {"issuer", "VALUES", "Issuer of Patient ID"},
     {"patient-name", "VALUES", "Patient's Name"},
     {"accession", "VALUES", "Accession Number"},
     {"study-description", "VALUES", "Study Description"}},
    run_add,
};
const struct cli_verb verb_collection_list = {"collection list", "DIR", "list the collections", "",
                                              {{0}},             run_list};
const struct cli_verb verb_collection_show = {
    "collection show", "DIR NAME", "show the conditions of a collection", "", {{0}}, run_show};
const struct cli_verb verb_collection_remove = {
    "collection remove",
    "DIR NAME",
    "remove a collection",
    "Its studies stay. Whoever is limited to it alone sees nothing from then on.",
    {{0}},
    run_remove,
};
