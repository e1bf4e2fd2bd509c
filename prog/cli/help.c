// Help and man pages, both from the rows of the verbs.
#include "cli.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

// "peer add DIR NAME --ae AET [--can RIGHTS]": an option whose help begins with "required" stands bare.
static void print_usage(const struct cli_verb *v) {
    printf("galena %s%s%s", v->name, v->positional[0] ? " " : "", v->positional);
    for (int i = 0; i < CLI_OPTIONS_MAX && v->options[i].name; i++) {
        const struct cli_option *o = &v->options[i];
        bool required = strncmp(o->help, "required", 8) == 0;
        printf(" %s--%s%s%s%s", required ? "" : "[", o->name, o->arg ? " " : "", o->arg ? o->arg : "",
               required ? "" : "]");
    }
    printf("\n");
}

void cli_help_verb(const struct cli_verb *v) {
    print_usage(v);
    printf("\n%c%s.\n", toupper((unsigned char)v->summary[0]), v->summary + 1);
    if (v->help[0])
        printf("\n%s\n", v->help);
    if (v->options[0].name)
        printf("\n");
    for (int i = 0; i < CLI_OPTIONS_MAX && v->options[i].name; i++) {
        const struct cli_option *o = &v->options[i];
        char left[64];
        snprintf(left, sizeof left, "--%s%s%s", o->name, o->arg ? " " : "", o->arg ? o->arg : "");
        printf("  %-24s %s\n", left, o->help);
    }
}

void cli_help_all(void) {
    printf("Galena, an archive for medical images (DICOM)\n\n");
    for (size_t i = 0; cli_verbs[i]; i++) {
        const struct cli_verb *v = cli_verbs[i];
        char left[64];
        snprintf(left, sizeof left, "%s %s", v->name, v->positional);
        // "…" takes three bytes and one column.
        int pad = strstr(v->positional, "…") ? 30 : 28;
        printf("  galena %-*s %s\n", pad, left, v->summary);
    }
    printf("\ngalena VERB --help says more; so does man galena-VERB. Begin with galena init DIR.\n");
}

// roff: a line that begins with . or ' would be a request, and \ begins an escape.
static void roff_text(const char *text) {
    bool line_start = true;
    for (const char *c = text; *c; c++) {
        if (line_start && (*c == '.' || *c == '\''))
            fputs("\\&", stdout);
        if (c[0] == '\n' && c[1] == '\n') {
            fputs("\n.PP\n", stdout);
            c++;
            line_start = true;
            continue;
        }
        if (*c == '\\')
            fputs("\\e", stdout);
        else if (*c == '-')
            fputs("\\-", stdout);
        else
            putchar(*c);
        line_start = *c == '\n';
    }
    putchar('\n');
}

// "peer add" has the page galena-peer-add(1).
static void page_name(const struct cli_verb *v, char dst[64]) {
    snprintf(dst, 64, "galena-%s", v->name);
    for (char *c = dst; *c; c++)
        if (*c == ' ')
            *c = '-';
}

bool cli_roff_verb(const struct cli_verb *v) {
    char page[64];
    page_name(v, page);
    printf(".TH \"%s\" 1 \"\" \"Galena %s\" \"Galena\"\n.SH NAME\n%s \\- ", page, GALENA_VERSION, page);
    roff_text(v->summary);
    printf(".SH SYNOPSIS\n");
    print_usage(v);
    printf(".SH DESCRIPTION\n");
    roff_text(v->help[0] ? v->help : v->summary);
    if (v->options[0].name)
        printf(".SH OPTIONS\n");
    for (int i = 0; i < CLI_OPTIONS_MAX && v->options[i].name; i++) {
        const struct cli_option *o = &v->options[i];
        printf(".TP\n\\fB\\-\\-%s\\fR%s%s\n", o->name, o->arg ? " " : "", o->arg ? o->arg : "");
        roff_text(o->help);
    }
    printf(".SH EXIT STATUS\n0 done, 1 failed, 2 wrong usage, 3 the archive is not being served.\n"
           ".SH SEE ALSO\n.BR galena (1)\n");
    return !ferror(stdout);
}

void cli_roff_all(void) {
    printf(".TH galena 1 \"\" \"Galena %s\" \"Galena\"\n.SH NAME\ngalena \\- an archive for medical "
           "images (DICOM)\n"
           ".SH SYNOPSIS\n.B galena\nVERB [ARGUMENT]...\n.SH VERBS\n",
           GALENA_VERSION);
    for (size_t i = 0; cli_verbs[i]; i++) {
        char page[64];
        page_name(cli_verbs[i], page);
        printf(".TP\n\\fB%s\\fR %s\n", cli_verbs[i]->name, cli_verbs[i]->positional);
        roff_text(cli_verbs[i]->summary);
    }
    printf(
        ".SH SEE ALSO\n.BR galena\\-init (1),\n.BR galena\\-serve (1),\n.BR galena\\-peer\\-add (1)\n");
}
