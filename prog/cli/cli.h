// The `galena` command: one file a verb, one row a verb. From the rows come the dispatch, the
// checking of arguments, --help and the man pages.
//
// A verb returns the exit status: 0 done, 1 failed (and said why), 2 wrong usage, 3 not serving.
// What a verb says of errors goes to standard error, begins with "galena: " and ends with what to do.
#ifndef CLI_CLI_H
#define CLI_CLI_H

#include "base/err.h"
#include "base/slice.h"

enum { CLI_OK = 0, CLI_FAILED = 1, CLI_USAGE = 2, CLI_NOT_SERVING = 3 };
enum { CLI_OPTIONS_MAX = 12, CLI_POSITIONAL_MAX = 1024 };

struct cli_option {
    const char *name; // "ae": --ae VALUE or --ae=VALUE
    const char *arg;  // what its value is called: "AET"; NULL: a switch without a value
    const char *help;
};

struct cli_args;
struct cli_verb {
    const char *name;       // "dump", or two words: "peer add"
    const char *positional; // "DIR NAME"; the last may be "PATH…": one or more
    const char *summary;    // one line, no full stop
    const char *help;       // paragraphs, separated by empty lines
    struct cli_option options[CLI_OPTIONS_MAX];
    int (*run)(const struct cli_args *args);
};

struct cli_args {
    const struct cli_verb *verb;
    const char *positional[CLI_POSITIONAL_MAX];
    size_t n;
    const char *values[CLI_OPTIONS_MAX]; // of verb->options; a switch that was given: ""
};

const char *cli_option(const struct cli_args *args, const char *name); // NULL: not given
bool cli_any_option(const struct cli_args *args);

// Prints "galena: …" to standard error and returns CLI_FAILED.
int cli_fail(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
int cli_fail_fault(const char *what, const struct fault *f);

// Are they all there, in the archive's folder that was entered? Says which one is not.
bool cli_collections_exist(const char *names);

// Removes all tokens of a user, in the archive's folder that was entered.
enum err cli_tokens_remove_of(const char *user, struct fault *f);

// The rows, one exported by each verb's file.
extern const struct cli_verb verb_init, verb_serve, verb_status, verb_stop, verb_reload;
extern const struct cli_verb verb_peer_add, verb_peer_set, verb_peer_list, verb_peer_show, verb_peer_remove;
extern const struct cli_verb verb_user_add, verb_user_set, verb_user_list, verb_user_password,
    verb_user_second_factor, verb_user_remove;
extern const struct cli_verb verb_token_create, verb_token_list, verb_token_revoke;
extern const struct cli_verb verb_collection_add, verb_collection_list, verb_collection_show,
    verb_collection_remove;
extern const struct cli_verb verb_certificate_show, verb_certificate_renew;
extern const struct cli_verb verb_import, verb_export, verb_verify, verb_reindex, verb_dump,
    verb_version;

extern const struct cli_verb *const cli_verbs[]; // in the order of the help; NULL-terminated

const struct cli_verb *cli_verb_find(const char *first, const char *second, int *ret_words);
void cli_help_all(void);
void cli_help_verb(const struct cli_verb *v);
void cli_roff_all(void);
bool cli_roff_verb(const struct cli_verb *v);

#endif
