// galena export: the outer half. Makes folders and files, connects, counts and prints; see halves.h.
#include "archive_dir.h"
#include "cli.h"
#include "export_inner.h"
#include "halves.h"
#include "local.h"
#include "progress.h"

#include "base/uid.h"
#include "conf/conf.h"
#include "os/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { NUMBER_MAX = 9999999 }; // what 8 characters of a file ID have room for

// Makes OUT, or takes it when it is an empty folder: nothing is ever overwritten.
static int make_out(const char *path) {
    if (mkdir(path, 0777) != 0 && errno != EEXIST)
        return cli_fail("%s: %s", path, strerror(errno)), -1;
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd >= 0 && cli_dir_is_empty(fd))
        return fd;
    cli_fail(fd < 0 ? "%s: cannot be opened" : "%s is not an empty folder; name a new one", path);
    os_fd_close(&fd);
    return -1;
}

// Names are made from numbers here, so that nothing in an object can choose one. PS3.10 8.5: 8
// characters.
static int create_file(int out, const struct report *r) {
    char path[64];
    if (r->series == 0)
        return openat(out, "DICOMDIR", O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    if (r->series > NUMBER_MAX || r->index > NUMBER_MAX)
        return -1;
    snprintf(path, sizeof path, "DICOM/S%07u", r->series);
    if (mkdirat(out, "DICOM", 0777) != 0 && errno != EEXIST)
        return -1;
    if (mkdirat(out, path, 0777) != 0 && errno != EEXIST)
        return -1;
    snprintf(path, sizeof path, "DICOM/S%07u/I%07u", r->series, r->index);
    return openat(out, path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
}

static void answer(int channel, int take_fd) {
    (void)order_send(channel, &(struct order){.kind = ORDER_ANSWER}, take_fd, NULL);
    os_fd_close(&take_fd);
}

// Serves the inner half until it is done; true when it succeeded.
static bool serve_inner(int channel, int out, size_t *ret_files) {
    struct report r;
    size_t total = 0, made = 0;
    while (report_recv(channel, &r, NULL) == OK) {
        if (r.kind == REPORT_AT) {
            total = r.index;
        } else if (r.kind == REPORT_CONNECT) {
            answer(channel, local_connect());
        } else if (r.kind == REPORT_CREATE) {
            int fd = create_file(out, &r);
            if (fd < 0)
                cli_fail("making a file: %s", strerror(errno));
            answer(channel, fd);
            progress_show(r.series ? ++made : made, total, "objects");
        } else if (r.kind == REPORT_DONE) {
            *ret_files = r.index;
            progress_clear();
            return true;
        } else {
            progress_clear();
            cli_fail("%s", r.text);
            return false;
        }
    }
    progress_clear();
    cli_fail("reading the objects ended the reader; nothing says that the export is complete");
    return false;
}

static int run_export(const struct cli_args *args) {
    struct cli_dir d;
    struct conf c;
    struct fault f = {0};
    const char *study = cli_option(args, "study"), *path = args->positional[1];
    if (!study || !uid_valid(slice_str(study))) {
        cli_fail("--study UID is missing, or is no UID");
        return CLI_USAGE;
    }
    CLEANUP_FD int home = open(".", O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (home < 0 || !cli_dir_visit(args->positional[0], &d))
        return CLI_FAILED;
    if (conf_load(".", &c, &f) != OK)
        return cli_fail_fault("settings", &f);
    CLEANUP_FD int dir = open(".", O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (!local_is_served(d.shown) || dir < 0 || fchdir(home) != 0)
        return CLI_FAILED;
    CLEANUP_FD int out = make_out(path);
    if (out < 0 || fchdir(dir) != 0)
        return CLI_FAILED;
    struct export_inner inner = {.called = c.ae_title, .study = study};
    int channel = -1;
    pid_t pid;
    size_t files = 0;
    if (halves_fork(export_inner_run, &inner, &channel, &pid, &f) != OK)
        return cli_fail_fault("export", &f);
    bool good = serve_inner(channel, out, &files);
    halves_end(&channel, pid);
    conf_fini(&c);
    if (!good && files == 0 && fchdir(home) == 0)
        (void)rmdir(path); // where nothing was written, nothing stays
    if (good && syncfs(out) != 0)
        return cli_fail("%s: %s", path, strerror(errno));
    if (good)
        printf("Exported %zu objects to %s, with a DICOMDIR.\n", files, path);
    return good ? CLI_OK : CLI_FAILED;
}

const struct cli_verb verb_export = {
    "export",
    "DIR OUT",
    "write a study as DICOM files with a DICOMDIR",
    "Makes the folder OUT with the study's objects as they were received, as DICOM files under names "
    "that fit\n"
    "a CD (PS3.10 8), and a DICOMDIR that lists them. OUT must be new or empty.\n\n"
    "The archive must be being served.",
    {{"study", "UID", "required: the Study Instance UID"}},
    run_export,
};
