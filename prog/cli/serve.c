// galena serve, status, reload, stop.
#include "archive_dir.h"
#include "certificate.h"
#include "cli.h"
#include "control.h"
#include "program.h"

#include "conf/conf.h"

#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

// The files in the archive's folder belong to its user, and this process stays root, if it is: hence another.
static void keep_certificate_fresh(void) {
    struct cli_dir d;
    pid_t pid = fork();
    if (pid == 0) {
        if (cli_dir_enter(".", &d))
            certificate_keep_fresh();
        _exit(0);
    }
    if (pid > 0)
        waitpid(pid, NULL, 0);
}

static int run_serve(const struct cli_args *args) {
    char path[4096], before[PATH_MAX];
    struct cli_dir d;
    struct conf c;
    struct fault f = {0};
    if (!getcwd(before, sizeof before))
        strcpy(before, "/");
    if (!cli_dir_visit(args->positional[0], &d))
        return CLI_FAILED;
    if (conf_load(".", &c, &f) != OK) // better said here than by a process that has just been started
        return cli_fail_fault("settings", &f);
    conf_fini(&c);
    keep_certificate_fresh();
    int fd = cli_program_open("galena-supervisor", path, sizeof path);
    if (fd < 0 || chdir(before) != 0)
        return CLI_FAILED;
    return cli_program_exec(fd, path, (char *[]){path, d.shown, NULL});
}

static int ask(const struct cli_dir *d, const char *word, char *answer, size_t cap) {
    switch (control_ask(word, answer, cap)) {
    case CONTROL_OK:
        return CLI_OK;
    case CONTROL_NOT_RUNNING:
        printf("%s is not being served; start it with galena serve %s\n", d->shown, d->shown);
        return CLI_NOT_SERVING;
    case CONTROL_FAILED:
        break;
    }
    cli_fail("the server of %s does not answer", d->shown);
    return CLI_NOT_SERVING;
}

static int run_status(const struct cli_args *args) {
    char answer[4096];
    struct cli_dir d;
    if (!cli_dir_enter(args->positional[0], &d))
        return CLI_FAILED;
    int e = ask(&d, "status", answer, sizeof answer);
    if (e != CLI_OK)
        return e;
    fputs(answer, stdout);
    certificate_say_days();
    return strncmp(answer, "state serving\n", 14) == 0 ? CLI_OK : CLI_NOT_SERVING;
}

static int run_reload(const struct cli_args *args) {
    char answer[4096];
    struct cli_dir d;
    if (!cli_dir_enter(args->positional[0], &d))
        return CLI_FAILED;
    certificate_keep_fresh();
    int e = ask(&d, "reload", answer, sizeof answer);
    if (e != CLI_OK)
        return e;
    fputs(answer, stdout);
    return control_was_refused(answer) ? CLI_FAILED : CLI_OK;
}

static int run_stop(const struct cli_args *args) {
    char answer[4096];
    struct cli_dir d;
    if (!cli_dir_enter(args->positional[0], &d))
        return CLI_FAILED;
    int e = ask(&d, "stop", answer, sizeof answer);
    if (e == CLI_OK)
        fputs(answer, stdout);
    return e;
}

const struct cli_verb verb_serve = {
    "serve",
    "DIR",
    "run the archive, in the foreground",
    "Says \"ready\" on standard error, and to systemd, once it takes connections. SIGTERM lets running "
    "associations and requests finish;\n"
    "SIGHUP reads settings, certificates, peers and users again.\n\n"
    "Started as root, each process runs as a user of its own; started as anyone else, its sandbox alone "
    "confines it.\n\n"
    "The environment variable GALENA_VIEWER names the viewer's pack, if it is not where it was installed.",
    {{0}},
    run_serve,
};
const struct cli_verb verb_status = {
    "status",
    "DIR",
    "say whether it is being served",
    "Exit status 0 when it is, 3 when it is not.",
    {{0}},
    run_status,
};
const struct cli_verb verb_reload = {
    "reload",
    "DIR",
    "make the server read its settings again",
    "Like SIGHUP. Listening addresses are read at start only.\n\n"
    "Exit status 1 when something is wrong with them, and the server goes on with those it had.",
    {{0}},
    run_reload,
};
const struct cli_verb verb_stop = {
    "stop", "DIR",    "stop the server", "Like SIGTERM: running associations may finish first.",
    {{0}},  run_stop,
};
