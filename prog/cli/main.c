// The table of verbs, and finding the one that was asked for.
#include "cli.h"

#include "args.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

const struct cli_verb *const cli_verbs[] = {
    &verb_init, &verb_serve, &verb_status, &verb_reload, &verb_stop,
    &verb_peer_add, &verb_peer_set, &verb_peer_list, &verb_peer_show, &verb_peer_remove,
    &verb_user_add, &verb_user_set, &verb_user_list, &verb_user_password, &verb_user_second_factor,
    &verb_user_remove,
    &verb_token_create, &verb_token_list, &verb_token_revoke,
    &verb_collection_add, &verb_collection_list, &verb_collection_show, &verb_collection_remove,
    &verb_certificate_show, &verb_certificate_renew,
    &verb_import, &verb_export, &verb_verify, &verb_reindex, &verb_dump, &verb_version,
    NULL,
};

const struct cli_verb *cli_verb_find(const char *first, const char *second, int *ret_words) {
    for (size_t i = 0; cli_verbs[i]; i++) {
        const char *name = cli_verbs[i]->name;
        const char *blank = strchr(name, ' ');
        size_t n = blank ? (size_t)(blank - name) : strlen(name);
        if (strlen(first) != n || memcmp(first, name, n) != 0)
            continue;
        if (blank && (!second || strcmp(second, blank + 1) != 0))
            continue;
        *ret_words = blank ? 2 : 1;
        return cli_verbs[i];
    }
    return NULL;
}

int cli_fail(const char *fmt, ...) {
    va_list ap;
    va_start(ap, fmt);
    fputs("galena: ", stderr);
    vfprintf(stderr, fmt, ap);
    fputc('\n', stderr);
    va_end(ap);
    return CLI_FAILED;
}

int cli_fail_fault(const char *what, const struct fault *f) {
    return cli_fail("%s: %s", what, f->detail[0] ? f->detail : err_text(f->code));
}

// "galena peer" alone, or with a second word that does not exist: lists the rows that begin so.
static int unknown(const char *first) {
    bool family = false;
    for (size_t i = 0; cli_verbs[i]; i++) {
        const char *blank = strchr(cli_verbs[i]->name, ' ');
        if (!blank || strncmp(cli_verbs[i]->name, first, (size_t)(blank - cli_verbs[i]->name)) != 0)
            continue;
        fprintf(stderr, "%s galena %s\n", family ? "  or:" : "galena: say what:", cli_verbs[i]->name);
        family = true;
    }
    if (!family)
        fprintf(stderr, "galena: there is no verb %s; galena --help lists them\n", first);
    return CLI_USAGE;
}

static bool asks_help(int argc, char *const *argv) {
    for (int i = 0; i < argc && strcmp(argv[i], "--") != 0; i++)
        if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0)
            return true;
    return false;
}

// Used by the build: galena roff [VERB] writes a man page.
static int roff(int argc, char *const *argv) {
    int words;
    if (argc == 0) {
        cli_roff_all();
        return CLI_OK;
    }
    const struct cli_verb *v = cli_verb_find(argv[0], argc > 1 ? argv[1] : NULL, &words);
    return v && cli_roff_verb(v) ? CLI_OK : CLI_USAGE;
}

int main(int argc, char **argv) {
    if (argc < 2 || strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0 ||
        strcmp(argv[1], "help") == 0) {
        cli_help_all();
        return argc < 2 ? CLI_USAGE : CLI_OK;
    }
    if (strcmp(argv[1], "roff") == 0)
        return roff(argc - 2, argv + 2);
    const char *first = strcmp(argv[1], "--version") == 0 ? "version" : argv[1];
    int words;
    const struct cli_verb *v = cli_verb_find(first, argc > 2 ? argv[2] : NULL, &words);
    if (!v)
        return unknown(first);
    if (asks_help(argc - 1 - words, argv + 1 + words)) {
        cli_help_verb(v);
        return CLI_OK;
    }
    static struct cli_args args;
    int e = cli_args_parse(v, argc - 1 - words, argv + 1 + words, &args);
    return e == CLI_OK ? v->run(&args) : e;
}
