// galena user add, set, list, password, second-factor, remove.
#include "archive_dir.h"
#include "cli.h"
#include "control.h"
#include "password.h"

#include "conf/user.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

// From standard input with --stdin, else made up and printed once.
static enum err set_password(const struct cli_args *args, struct conf_user *u, char made[32],
                             struct fault *f) {
    char given[CONF_PASSWORD_MAX + 1];
    bool read = cli_option(args, "stdin") != NULL;
    made[0] = '\0';
    enum err e = read ? password_read(given, f) : password_random(made, f);
    if (e == OK)
        e = password_hash(read ? given : made, u->password, f);
    explicit_bzero(given, sizeof given);
    return e;
}

static int save(const struct cli_args *args, struct conf_user *u, const char *what) {
    struct fault f = {0};
    char made[32];
    if (set_password(args, u, made, &f) != OK || conf_user_save(".", u, &f) != OK)
        return cli_fail_fault("password not set", &f);
    printf("%s %s.\n", what, u->name);
    if (made[0])
        printf("\n  password  %s\n\nThis password is shown once.\n", made);
    explicit_bzero(made, sizeof made);
    return control_reload_and_say("that");
}

// --role, --collections, --physician, as far as they are given; an empty value takes away a limit.
static bool take_options(const struct cli_args *args, struct conf_user *u) {
    const char *roles = cli_option(args, "role");
    const char *collections = cli_option(args, "collections"), *physician = cli_option(args, "physician");
    if (roles && !conf_roles_parse(slice_str(roles), &u->roles))
        return cli_fail(
                   "--role %s: a list of reader, radiographer, referrer, researcher, auditor, administrator",
                   roles),
               false;
    if (collections)
        u->collections[0] = '\0';
    if (collections && collections[0] &&
        !conf_collection_names_parse(slice_str(collections), u->collections))
        return cli_fail("--collections %s: names of collections, such as ward3,research", collections), false;
    if (physician)
        u->physician[0] = '\0';
    if (physician && physician[0] && !conf_physician_parse(slice_str(physician), u->physician))
        return cli_fail("--physician %s: a name such as \"Smith^John\", without wildcards", physician), false;
    return true;
}

static bool sees_something(const struct conf_user *u) {
    if ((u->roles & CONF_ROLE_REFERRER) && !u->physician[0])
        fprintf(stderr, "galena: without --physician a referrer sees nothing.\n");
    return cli_collections_exist(u->collections);
}

static int run_add(const struct cli_args *args) {
    struct cli_dir d;
    struct conf_user u = {.roles = CONF_ROLE_READER};
    const char *name = args->positional[1];
    char path[CONF_NAME_MAX + 16];
    if (!conf_name_valid(slice_str(name)))
        return cli_fail("%s: a user's name has letters, digits, '-', '_' and '.', at most %d", name,
                        CONF_NAME_MAX);
    if (!take_options(args, &u))
        return CLI_USAGE;
    if (!cli_dir_enter(args->positional[0], &d) || !sees_something(&u))
        return CLI_FAILED;
    strcpy(u.name, name);
    snprintf(path, sizeof path, "users/%s.conf", name);
    if (access(path, F_OK) == 0)
        return cli_fail("there is a user %s already; galena user password sets a new password", name);
    struct fault f = {0};
    if (cli_tokens_remove_of(name, &f) != OK) // of a user of this name whose file was removed by hand
        return cli_fail_fault("tokens", &f);
    return save(args, &u, "Added user");
}

// Goes into the archive's folder, and reads the user there.
static bool load(const struct cli_args *args, struct conf_user *ret_user) {
    struct cli_dir d;
    struct fault f = {0};
    if (!cli_dir_enter(args->positional[0], &d))
        return false;
    if (conf_user_load(".", args->positional[1], ret_user, &f) != OK)
        return cli_fail("%s", f.code == ERR_NO_SUCH_OBJECT
                                  ? "there is no such user; galena user list shows them"
                                  : f.detail),
               false;
    return true;
}

static int run_set(const struct cli_args *args) {
    struct conf_user u;
    struct fault f = {0};
    if (!cli_any_option(args))
        return cli_fail("say what changes; galena user set --help lists it"), CLI_USAGE;
    if (!load(args, &u))
        return CLI_FAILED;
    bool good = take_options(args, &u);
    enum err e = good && sees_something(&u) ? conf_user_save(".", &u, &f) : ERR_CONFIG;
    explicit_bzero(&u, sizeof u);
    if (!good)
        return CLI_USAGE;
    if (e != OK)
        return f.code ? cli_fail_fault("user not changed", &f) : CLI_FAILED;
    printf("Changed user %s.\n", args->positional[1]);
    return control_reload_and_say("that");
}

static int run_password(const struct cli_args *args) {
    struct conf_user u;
    return load(args, &u) ? save(args, &u, "New password for") : CLI_FAILED;
}

static int run_list(const struct cli_args *args) {
    struct cli_dir d;
    struct conf_users all;
    struct fault f = {0};
    if (!cli_dir_enter(args->positional[0], &d))
        return CLI_FAILED;
    if (conf_users_load(".", &all, &f) != OK)
        return cli_fail_fault("users", &f);
    for (size_t i = 0; i < all.problem_count; i++)
        cli_fail("%s", all.problems[i]);
    printf("%-24s %-40s %s\n", "NAME", "ROLES", "SECOND FACTOR");
    for (size_t i = 0; i < all.n; i++) {
        char roles[96];
        conf_roles_format(all.v[i].roles, roles);
        printf("%-24s %-40s %s\n", all.v[i].name, roles, all.v[i].totp[0] ? "yes" : "no");
    }
    int result = all.problem_count ? CLI_FAILED : CLI_OK;
    conf_users_fini(&all);
    return result;
}

static int run_remove(const struct cli_args *args) {
    struct cli_dir d;
    const char *name = args->positional[1];
    char path[CONF_NAME_MAX + 16];
    if (!conf_name_valid(slice_str(name)))
        return cli_fail("%s: there is no such user; galena user list shows them", name);
    if (!cli_dir_enter(args->positional[0], &d))
        return CLI_FAILED;
    snprintf(path, sizeof path, "users/%s.conf", name);
    if (unlink(path) != 0)
        return cli_fail("%s: %s; galena user list shows the users", name, strerror(errno));
    struct fault f = {0};
    if (cli_tokens_remove_of(name, &f) != OK)
        return cli_fail_fault("the user is removed, but not all tokens", &f);
    printf("Removed user %s.\n", name);
    return control_reload_and_say("that");
}

static int run_second_factor(const struct cli_args *args) {
    struct conf_user u;
    struct fault f = {0};
    if (!cli_option(args, "off"))
        return cli_fail("say --off; a user turns it on alone, on the web side"), CLI_USAGE;
    if (!load(args, &u))
        return CLI_FAILED;
    explicit_bzero(u.totp, sizeof u.totp);
    enum err e = conf_user_save(".", &u, &f);
    explicit_bzero(&u, sizeof u);
    if (e != OK)
        return cli_fail_fault("users", &f);
    printf("User %s signs in with the password alone.\n", args->positional[1]);
    return control_reload_and_say("that");
}

const struct cli_verb verb_user_add = {
    "user add",
    "DIR NAME",
    "add a person",
    "Makes a random password and prints it once. It is for signing in on the web side.",
    {{"role", "ROLES", "of reader, radiographer, referrer, researcher, auditor, administrator (reader)"},
     {"collections", "NAMES", "the parts of the archive this person may see: ward3,research (all of it)"},
     {"physician", "NAME", "a referrer's name as in Referring Physician's Name: \"Smith^John\""},
     {"stdin", NULL, "read the password from standard input instead, at least 12 characters"}},
    run_add,
};
const struct cli_verb verb_user_set = {
    "user set",
    "DIR NAME",
    "change what a person may do and see",
    "What is not named stays as it is, the password too. A running server knows at once, and holds sessions "
    "that are\n"
    "open to it with their next request.",
    {{"role", "ROLES", "of reader, radiographer, referrer, researcher, auditor, administrator"},
     {"collections", "NAMES",
      "the parts of the archive this person may see: ward3,research; \"\": all of it"},
     {"physician", "NAME", "a referrer's name as in Referring Physician's Name: \"Smith^John\""}},
    run_set,
};
const struct cli_verb verb_user_list = {"user list", "DIR", "list the people and their roles",
                                        "",          {{0}}, run_list};
const struct cli_verb verb_user_password = {
    "user password",
    "DIR NAME",
    "set a new password",
    "Makes a random password and prints it once.",
    {{"stdin", NULL, "read the password from standard input instead, at least 12 characters"}},
    run_password,
};
const struct cli_verb verb_user_second_factor = {
    "user second-factor",
    "DIR NAME",
    "turn a person's second factor off",
    "For a lost telephone. Who you are speaking with is yours to make sure of.",
    {{"off", NULL, "required: no code is asked for any more, until this person sets one up again"}},
    run_second_factor,
};
const struct cli_verb verb_user_remove = {"user remove", "DIR NAME", "remove a person", "",
                                          {{0}},         run_remove};
