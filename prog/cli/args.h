// Internal to the command line: words to struct cli_args.
#ifndef CLI_ARGS_H
#define CLI_ARGS_H

#include "cli.h"

void cli_positional_bounds(const char *positional, size_t *ret_min, size_t *ret_max);
// CLI_OK, or CLI_USAGE after saying what is wrong.
int cli_args_parse(const struct cli_verb *v, int argc, char *const *argv, struct cli_args *ret_args);

#endif
