// From the command line to struct cli_args, checked against the verb's row.
#include "args.h"

#include <stdio.h>
#include <string.h>

static const char ellipsis[] = "…";

void cli_positional_bounds(const char *positional, size_t *ret_min, size_t *ret_max) {
    size_t words = 0;
    for (const char *p = positional; *p;) {
        words++;
        p += strcspn(p, " ");
        p += strspn(p, " ");
    }
    *ret_min = words;
    *ret_max = strstr(positional, ellipsis) ? CLI_POSITIONAL_MAX : words;
}

static int usage(const struct cli_verb *v, const char *what, const char *word) {
    fprintf(stderr, "galena: %s%s; try galena %s --help\n", what, word, v->name);
    return CLI_USAGE;
}

static int option_find(const struct cli_verb *v, const char *word, size_t n) {
    for (int i = 0; i < CLI_OPTIONS_MAX && v->options[i].name; i++)
        if (strlen(v->options[i].name) == n && memcmp(v->options[i].name, word, n) == 0)
            return i;
    return -1;
}

// Takes --name, --name=value or --name value at argv[*at]; moves *at to the last word used.
static int take_option(struct cli_args *a, int argc, char *const *argv, int *at) {
    const char *word = argv[*at] + 2;
    const char *equals = strchr(word, '=');
    int i = option_find(a->verb, word, equals ? (size_t)(equals - word) : strlen(word));
    if (i < 0)
        return usage(a->verb, "there is no option ", argv[*at]);
    if (a->values[i])
        return usage(a->verb, "given twice: ", argv[*at]);
    if (!a->verb->options[i].arg) {
        if (equals)
            return usage(a->verb, "takes no value: ", argv[*at]);
        a->values[i] = "";
    } else if (equals) {
        a->values[i] = equals + 1;
    } else if (*at + 1 < argc) {
        a->values[i] = argv[++*at];
    } else {
        return usage(a->verb, "needs a value: ", argv[*at]);
    }
    return CLI_OK;
}

int cli_args_parse(const struct cli_verb *v, int argc, char *const *argv, struct cli_args *ret_args) {
    *ret_args = (struct cli_args){.verb = v};
    size_t min, max;
    bool options = true;
    cli_positional_bounds(v->positional, &min, &max);
    for (int i = 0; i < argc; i++) {
        if (options && strcmp(argv[i], "--") == 0) {
            options = false;
        } else if (options && strncmp(argv[i], "--", 2) == 0) {
            int e = take_option(ret_args, argc, argv, &i);
            if (e != CLI_OK)
                return e;
        } else if (options && argv[i][0] == '-' && argv[i][1]) {
            return usage(v, "there is no option ", argv[i]);
        } else if (ret_args->n >= max) {
            return usage(v, "too much: ", argv[i]);
        } else {
            ret_args->positional[ret_args->n++] = argv[i];
        }
    }
    if (ret_args->n < min)
        return usage(v, "missing, expected ", v->positional[0] ? v->positional : "nothing");
    return CLI_OK;
}

const char *cli_option(const struct cli_args *args, const char *name) {
    int i = option_find(args->verb, name, strlen(name));
    bug_unless(i >= 0);
    return args->values[i];
}

bool cli_any_option(const struct cli_args *args) {
    for (size_t i = 0; i < CLI_OPTIONS_MAX; i++)
        if (args->values[i])
            return true;
    return false;
}
