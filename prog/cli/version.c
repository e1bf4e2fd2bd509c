// galena version.
#include "cli.h"

#include <stdio.h>

static int run_version(const struct cli_args *args) {
    (void)args;
    printf("galena %s\n", GALENA_VERSION);
    return CLI_OK;
}

const struct cli_verb verb_version = {"version", "",    "say which version this is",
                                      "",        {{0}}, run_version};
