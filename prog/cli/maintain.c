// galena verify and reindex: the archive process does the work, in modes of its own.
#include "archive_dir.h"
#include "cli.h"
#include "program.h"

static int run_archive(const struct cli_args *args, char *mode) {
    char path[4096], here[] = ".";
    struct cli_dir d;
    int fd = cli_program_open("galena-archive", path, sizeof path);
    if (fd < 0 || !cli_dir_enter(args->positional[0], &d))
        return CLI_FAILED;
    return cli_program_exec(fd, path, (char *[]){path, mode, here, NULL});
}

static int run_verify(const struct cli_args *args) {
    char mode[] = "--verify";
    return run_archive(args, mode);
}

static int run_reindex(const struct cli_args *args) {
    char mode[] = "--reindex";
    return run_archive(args, mode);
}

const struct cli_verb verb_verify = {
    "verify",
    "DIR",
    "check every stored object",
    "Reads all objects and opens their seals, chunk by chunk, and all studies' keys. Changes nothing, "
    "and may run beside the server.\n\n"
    "Exit status 1 when anything is damaged.",
    {{0}},
    run_verify,
};
const struct cli_verb verb_reindex = {
    "reindex",
    "DIR",
    "rebuild the index from the stored objects",
    "The index is derived: it can be lost and is made again from the store. The server must not be "
    "running.",
    {{0}},
    run_reindex,
};
