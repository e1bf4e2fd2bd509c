// galena import: the outer half. Finds and opens files, connects, counts and prints; see halves.h.
#include "archive_dir.h"
#include "cli.h"
#include "halves.h"
#include "import_inner.h"
#include "local.h"
#include "progress.h"
#include "walk.h"

#include "conf/conf.h"
#include "os/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct import {
    struct walk files;
    struct import_inner inner;
    int channel;
    pid_t pid;
    size_t next, done;             // files handed over, files dealt with
    size_t batch_first, batch_end; // those of the batch
    size_t at;                     // the one the inner half works on
    bool storing;                  // and not just looking at
    size_t counts[OUTCOME_COUNT_];
    bool give_up;
};

static void say_file(const struct import *im, size_t index, const char *what, const char *why) {
    const struct walk_file *f = &im->files.v[index];
    progress_clear();
    fprintf(stderr, "%s: %s%s%s%s%s\n", what, f->folder ? f->folder : "", f->folder ? "/" : "", f->path,
            why[0] ? ": " : "", why);
}

static void count(struct import *im, size_t index, enum outcome o, const char *why) {
    static const char *const words[] = {"stored with a warning", "refused", "passed over", "unreadable"};
    im->counts[o]++;
    bool stored_without_a_word = o == OUTCOME_STORED && !strstr(why, "(B0");
    if (!stored_without_a_word && o != OUTCOME_NOT_DICOM)
        say_file(im, index, words[o], why);
}

static bool start_inner(struct import *im) {
    struct fault f = {0};
    if (halves_fork(import_inner_run, &im->inner, &im->channel, &im->pid, &f) == OK)
        return true;
    return cli_fail_fault("import", &f), false;
}

// Hands over the next files that can be opened; false when there are none left.
static bool send_batch(struct import *im) {
    im->batch_first = im->next;
    size_t sent = 0;
    while (im->next < im->files.n && sent < IMPORT_BATCH) {
        size_t i = im->next++;
        if (im->files.v[i].bad)
            continue;
        CLEANUP_FD int fd = walk_open(&im->files, &im->files.v[i]);
        struct order o = {.kind = ORDER_FILE, .index = (uint32_t)i, .named = im->files.v[i].named};
        if (fd < 0)
            count(im, i, OUTCOME_UNREADABLE, errno == EINVAL ? "is not a file" : strerror(errno));
        else if (order_send(im->channel, &o, fd, NULL) == OK)
            sent++;
    }
    im->batch_end = im->next;
    im->at = im->batch_first;
    im->storing = false;
    if (sent > 0) // if it is dead, its silence will tell
        (void)order_send(im->channel, &(struct order){.kind = ORDER_GO}, -1, NULL);
    return sent > 0;
}

static void answer_connect(struct import *im) {
    CLEANUP_FD int fd = local_connect();
    if (fd < 0 && !im->give_up) {
        progress_clear();
        cli_fail("the server is gone; start it again, then import again: what is stored stays stored");
        im->give_up = true;
    }
    (void)order_send(im->channel, &(struct order){.kind = ORDER_ANSWER}, fd, NULL);
}

static bool in_batch(const struct import *im, const struct report *r) {
    return r->index >= im->batch_first && r->index < im->batch_end;
}

// One report; false when the batch is done.
static bool take_report(struct import *im, const struct report *r) {
    switch ((enum report_kind)r->kind) {
    case REPORT_AT:
        if (in_batch(im, r))
            im->at = r->index;
        im->storing = r->series != 0;
        progress_show(im->at, im->files.n, "files");
        return true;
    case REPORT_RESULT:
        if (in_batch(im, r) && !im->give_up)
            count(im, r->index, (enum outcome)r->outcome, r->text);
        return true;
    case REPORT_REFERENCE:
        if (in_batch(im, r))
            return walk_add_reference(&im->files, im->files.v[r->index].path, r->text);
        return true;
    case REPORT_CONNECT:
        answer_connect(im);
        return true;
    case REPORT_DONE:
        return false;
    case REPORT_FAILED:
        cli_fail("%s", r->text);
        im->give_up = true;
        return false;
    case REPORT_CREATE:
        break;
    }
    return false;
}

// The inner half died: what it was at is to blame, and the rest of the batch is tried again without it.
static bool replace_inner(struct import *im) {
    halves_end(&im->channel, im->pid);
    count(im, im->at, OUTCOME_UNREADABLE,
          "reading it ended the reader; it is damaged, or made to do that");
    im->files.v[im->at].bad = true;
    im->next = im->storing ? im->at + 1 : im->batch_first;
    return start_inner(im);
}

static void run(struct import *im) {
    while (!im->give_up && im->next < im->files.n) {
        if (!send_batch(im))
            continue; // none of these could be opened
        struct report r;
        enum err e;
        while ((e = report_recv(im->channel, &r, NULL)) == OK && take_report(im, &r))
            continue;
        if (e != OK && !replace_inner(im))
            break;
    }
    progress_clear();
}

static int summary(const struct import *im) {
    printf("Stored %zu", im->counts[OUTCOME_STORED]);
    if (im->counts[OUTCOME_REFUSED])
        printf(", refused %zu", im->counts[OUTCOME_REFUSED]);
    if (im->counts[OUTCOME_UNREADABLE])
        printf(", unreadable %zu", im->counts[OUTCOME_UNREADABLE]);
    if (im->counts[OUTCOME_NOT_DICOM])
        printf(", not DICOM %zu", im->counts[OUTCOME_NOT_DICOM]);
    printf(". What the archive had already counts as stored.\n");
    bool good = im->counts[OUTCOME_REFUSED] + im->counts[OUTCOME_UNREADABLE] == 0 && !im->give_up;
    return good && im->counts[OUTCOME_STORED] > 0 ? CLI_OK : CLI_FAILED;
}

static int run_import(const struct cli_args *args) {
    struct import im = {.channel = -1};
    struct cli_dir d;
    struct conf c;
    struct fault f = {0};
    // Paths are the caller's: relative to where it is, opened with its rights. Root stays root for that.
    im.files.home = open(".", O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (im.files.home < 0 || !cli_dir_visit(args->positional[0], &d))
        return CLI_FAILED;
    if (conf_load(".", &c, &f) != OK)
        return cli_fail_fault("settings", &f);
    if (!local_is_served(d.shown))
        return CLI_FAILED;
    for (size_t i = 1; i < args->n; i++)
        if (!walk_add(&im.files, args->positional[i]))
            return CLI_FAILED;
    im.inner.called = c.ae_title;
    if (!start_inner(&im))
        return CLI_FAILED;
    run(&im);
    (void)order_send(im.channel, &(struct order){.kind = ORDER_END}, -1, NULL);
    halves_end(&im.channel, im.pid);
    int result = summary(&im);
    walk_fini(&im.files);
    conf_fini(&c);
    return result;
}

const struct cli_verb verb_import = {
    "import",
    "DIR PATH…",
    "store files, folders, DICOMDIRs, ZIPs",
    "Takes the same way into the archive as the network: what is stored is durable, and what would be "
    "refused there is refused\nhere. A PATH is a DICOM file, a folder (everything below it), a DICOMDIR "
    "(the "
    "files it names) or a ZIP.\n\n"
    "The archive must be being served. Files that are no DICOM files are passed over in folders, and an "
    "error "
    "when named.\n\n"
    "Exit status 0 when all was stored.",
    {{0}},
    run_import,
};
