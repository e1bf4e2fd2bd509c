// galena token create, list, revoke.
#include "archive_dir.h"
#include "cli.h"
#include "control.h"

#include "base/base64url.h"
#include "base/hex.h"
#include "conf/token.h"
#include "conf/user.h"
#include "digest/digest.h"

#include <openssl/rand.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

enum { SECRET_BYTES = 32, TEXT_ROOM = 64, ID_BYTES = 8 };

static bool take_days(const char *text, uint64_t *ret_days) {
    *ret_days = CONF_TOKEN_DAYS;
    return !text || (slice_to_u64(slice_str(text), CONF_TOKEN_DAYS_MAX, ret_days) && *ret_days > 0);
}

static bool take_options(const struct cli_args *args, struct conf_token *t) {
    const char *can = cli_option(args, "can"), *collections = cli_option(args, "collections");
    const char *user = cli_option(args, "user");
    uint64_t days;
    if (!conf_title_valid(slice_str(args->positional[1])))
        return cli_fail("a token's name is 1 to %d bytes of text", CONF_NAME_MAX), false;
    if (!user || !conf_name_valid(slice_str(user)))
        return cli_fail("--user NAME: say whose token it is; galena user list shows the users"), false;
    if (!can || !conf_token_can_parse(slice_str(can), &t->can))
        return cli_fail("--can RIGHTS: a list of store, query, retrieve, delete, admin"), false;
    if (!take_days(cli_option(args, "days"), &days))
        return cli_fail("--days N: 1 to %d", CONF_TOKEN_DAYS_MAX), false;
    if (collections && !conf_collection_names_parse(slice_str(collections), t->collections))
        return cli_fail("--collections %s: names of collections, such as ward3,research", collections), false;
    strcpy(t->name, args->positional[1]);
    strcpy(t->user, user);
    t->created_s = time(NULL);
    t->expires_s = t->created_s + (int64_t)days * 86400;
    return true;
}

static bool make_secret(struct conf_token *t, char ret_text[TEXT_ROOM]) {
    uint8_t secret[SECRET_BYTES], id[ID_BYTES];
    if (RAND_bytes(secret, sizeof secret) != 1 || RAND_bytes(id, sizeof id) != 1)
        return false;
    size_t n = 4 + base64url_encode(slice_of(secret, sizeof secret), ret_text + 4);
    memcpy(ret_text, "gal_", 4);
    hex_encode(id, sizeof id, t->id);
    explicit_bzero(secret, sizeof secret);
    digest_sha256(slice_of(ret_text, n), t->digest);
    return true;
}

// Standard output has the token and nothing else, for scripts.
static int reload_and_say(void) {
    char answer[512];
    enum control_result r = control_ask("reload", answer, sizeof answer);
    if (r == CONTROL_OK && control_was_refused(answer))
        return cli_fail("the running server does not know this token: %.*s; then galena reload",
                        (int)strcspn(answer, "\n"), answer);
    return r == CONTROL_FAILED
               ? cli_fail("the running server did not answer; send it SIGHUP so that it knows this token")
               : CLI_OK;
}

static int create(struct conf_token *t) {
    char text[TEXT_ROOM];
    struct conf_user u;
    struct fault f = {0};
    if (conf_user_load(".", t->user, &u, &f) != OK)
        return cli_fail("--user %s: there is no such user; galena user list shows them", t->user);
    explicit_bzero(&u, sizeof u);
    if (!make_secret(t, text))
        return cli_fail("no random numbers");
    if (cli_make_dir("tokens", 0700, &f) != OK || conf_token_save(".", t, &f) != OK)
        return cli_fail_fault("token not made", &f);
    printf("%s\n", text);
    explicit_bzero(text, sizeof text);
    return reload_and_say();
}

static int run_create(const struct cli_args *args) {
    struct cli_dir d;
    struct conf_token t = {0};
    if (!take_options(args, &t))
        return CLI_USAGE;
    if (!cli_dir_enter(args->positional[0], &d) || !cli_collections_exist(t.collections))
        return CLI_FAILED;
    return create(&t);
}

static void print_token(const struct conf_token *t) {
    char can[CONF_TOKEN_CAN_MAX], expires[CONF_TIME_TEXT];
    conf_token_can_format(t->can, can);
    conf_time_format(t->expires_s, expires);
    printf("%-18s %-20s %-16s %-24s %s%s%s\n", t->id, t->name, t->user, can, expires,
           t->expires_s <= time(NULL) ? " (expired)" : "", t->collections[0] ? " " : "");
    if (t->collections[0])
        printf("%-18s only %s\n", "", t->collections);
}

static int run_list(const struct cli_args *args) {
    struct cli_dir d;
    struct conf_tokens all;
    struct fault f = {0};
    if (!cli_dir_enter(args->positional[0], &d))
        return CLI_FAILED;
    if (conf_tokens_load(".", &all, &f) != OK)
        return cli_fail_fault("tokens", &f);
    for (size_t i = 0; i < all.problem_count; i++)
        cli_fail("%s", all.problems[i]);
    printf("%-18s %-20s %-16s %-24s %s\n", "ID", "NAME", "USER", "MAY", "UNTIL");
    for (size_t i = 0; i < all.n; i++)
        print_token(&all.v[i]);
    int result = all.problem_count ? CLI_FAILED : CLI_OK;
    conf_tokens_fini(&all);
    return result;
}

static int run_revoke(const struct cli_args *args) {
    struct cli_dir d;
    struct fault f = {0};
    const char *id = args->positional[1];
    if (!cli_dir_enter(args->positional[0], &d))
        return CLI_FAILED;
    enum err e = conf_token_remove(".", id, &f);
    if (e == ERR_NO_SUCH_OBJECT)
        return cli_fail("there is no token %s; galena token list shows them, the ID first", id);
    if (e != OK)
        return cli_fail_fault("tokens", &f);
    printf("Revoked token %s.\n", id);
    return control_reload_and_say("that");
}

enum err cli_tokens_remove_of(const char *user, struct fault *f) {
    struct conf_tokens all;
    enum err e = conf_tokens_load(".", &all, f);
    if (e != OK)
        return e;
    for (size_t i = 0; e == OK && i < all.n; i++)
        if (strcmp(all.v[i].user, user) == 0)
            e = conf_token_remove(".", all.v[i].id, f);
    conf_tokens_fini(&all);
    return e;
}

const struct cli_verb verb_token_create = {
    "token create",
    "DIR NAME",
    "make a token for a program",
    "Prints the token, and nothing else, on standard output; it is kept nowhere. A program sends it as\n"
    "\"Authorization: Bearer TOKEN\". A token never may more than its user may at the time.",
    {{"user", "USER", "required: whose token it is"},
     {"can", "RIGHTS", "required: of store, query, retrieve, delete, admin"},
     {"days", "N", "how long it is good, at most 366 (90)"},
     {"collections", "NAMES", "only these parts of the archive: ward3,research (all its user sees)"}},
    run_create,
};
const struct cli_verb verb_token_list = {"token list", "DIR", "list the tokens", "", {{0}}, run_list};
const struct cli_verb verb_token_revoke = {"token revoke",
                                           "DIR ID",
                                           "make a token good for nothing",
                                           "The ID is the first column of galena token list.",
                                           {{0}},
                                           run_revoke};
