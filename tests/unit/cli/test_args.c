// clang-format off
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
// clang-format on

#include "../../../prog/cli/args.h"
#include "../../../prog/cli/quote.h"

#include <stdio.h>
#include <stdlib.h>

#define COUNT(t) (sizeof(t) / sizeof *(t))

static const struct cli_verb verb = {
    .name = "test",
    .positional = "DIR NAME",
    .options = {{"ae", "AE_TITLE", ""}, {"all", NULL, ""}, {"a", "X", ""}},
};
static const struct cli_verb many = {.name = "many", .positional = "DIR PATH…"};

struct args_case {
    const char *name;
    const char *words[8];
    int expected;
    const char *ae; // NULL: not given
    bool all;
    size_t positional;
};

static void parsed(void **state) {
    (void)state;
    static const struct args_case cases[] = {
        {"plain", {"d", "n"}, CLI_OK, NULL, false, 2},
        {"an option with a blank", {"d", "--ae", "X Y", "n"}, CLI_OK, "X Y", false, 2},
        {"an option with =", {"--ae=CT=1", "d", "n"}, CLI_OK, "CT=1", false, 2},
        {"an empty value", {"--ae=", "d", "n"}, CLI_OK, "", false, 2},
        {"a value that looks like an option", {"--ae", "--all", "d", "n"}, CLI_OK, "--all", false, 2},
        {"a switch", {"d", "n", "--all"}, CLI_OK, NULL, true, 2},
        {"after --", {"--", "--all", "n"}, CLI_OK, NULL, false, 2},
        {"a lone dash", {"-", "n"}, CLI_OK, NULL, false, 2},
        {"too few", {"d"}, CLI_USAGE, NULL, false, 0},
        {"none", {NULL}, CLI_USAGE, NULL, false, 0},
        {"too many", {"d", "n", "m"}, CLI_USAGE, NULL, false, 0},
        {"unknown", {"d", "n", "--bogus"}, CLI_USAGE, NULL, false, 0},
        {"a prefix of one", {"d", "n", "--al"}, CLI_USAGE, NULL, false, 0},
        {"longer than one", {"d", "n", "--aex", "y"}, CLI_USAGE, NULL, false, 0},
        {"a switch with a value", {"d", "n", "--all=1"}, CLI_USAGE, NULL, false, 0},
        {"no value", {"d", "n", "--ae"}, CLI_USAGE, NULL, false, 0},
        {"twice", {"d", "n", "--ae", "A", "--ae=B"}, CLI_USAGE, NULL, false, 0},
        {"a short one", {"d", "n", "-x"}, CLI_USAGE, NULL, false, 0},
    };
    static struct cli_args args;
    for (size_t i = 0; i < COUNT(cases); i++) {
        char *words[8];
        int n = 0;
        for (; n < 8 && cases[i].words[n]; n++)
            words[n] = strdup(cases[i].words[n]);
        int got = cli_args_parse(&verb, n, words, &args);
        if (got != cases[i].expected)
            print_message("%s\n", cases[i].name);
        assert_int_equal(got, cases[i].expected);
        if (got == CLI_OK) {
            assert_int_equal(args.n, cases[i].positional);
            assert_int_equal(cli_option(&args, "all") != NULL, cases[i].all);
            const char *ae = cli_option(&args, "ae");
            assert_int_equal(ae != NULL, cases[i].ae != NULL);
            if (ae)
                assert_string_equal(ae, cases[i].ae);
        }
        while (n > 0)
            free(words[--n]);
    }
}

static void as_many_as_there_are(void **state) {
    (void)state;
    static struct cli_args args;
    static char word[] = "w", *words[CLI_POSITIONAL_MAX + 1];
    for (size_t i = 0; i < COUNT(words); i++)
        words[i] = word;
    assert_int_equal(cli_args_parse(&many, 1, words, &args), CLI_USAGE);
    assert_int_equal(cli_args_parse(&many, 2, words, &args), CLI_OK);
    assert_int_equal(cli_args_parse(&many, CLI_POSITIONAL_MAX, words, &args), CLI_OK);
    assert_int_equal(args.n, CLI_POSITIONAL_MAX);
    assert_int_equal(cli_args_parse(&many, CLI_POSITIONAL_MAX + 1, words, &args), CLI_USAGE);
}

static void quoted(void **state) {
    (void)state;
    static const struct {
        const char *word, *quoted;
    } cases[] = {
        {"/srv/pacs_1.d", "/srv/pacs_1.d"},
        {"", "''"},
        {"a b", "'a b'"},
        {"$HOME", "'$HOME'"},
        {"it's", "'it'\\''s'"},
        {"a\nb", "'a\nb'"},
        {"*", "'*'"},
        {"~", "'~'"},
        {"Röntgen", "'Röntgen'"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        char out[64];
        cli_quote(cases[i].word, out, sizeof out);
        assert_string_equal(out, cases[i].quoted);
    }
    char small[16];
    cli_quote("'''''''''''''''''''''", small, sizeof small); // cut off, but ended
    assert_true(strlen(small) < sizeof small);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(parsed), cmocka_unit_test(as_many_as_there_are),
                                       cmocka_unit_test(quoted)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
