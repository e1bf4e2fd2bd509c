// galena dump: a DICOM file as text or JSON. Files of any size: values that are long are passed over,
// never read.
#include "cli.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "dicom/json.h"
#include "dicom/part10.h"
#include "dicom/summary.h"
#include "dicom/text.h"

enum {
    CHUNK_BYTES = 64 * 1024,
    SKIP_MIN = 2 * CHUNK_BYTES, // shorter runs are read rather than seeked over
    TEXT_MAX = 64 << 20,
    SUMMARY_MAX = 256 << 20, // attributes of one file in JSON; beyond, whole sequences become references
};

// One file on its way through the reader.
struct dump {
    const char *name;
    int fd;
    struct dicom_meta meta;
    struct dicom_reader *reader;
    struct dicom_text text;
    struct dicom_summary *summary;
    struct buf out;
    uint8_t chunk[CHUNK_BYTES];
};

static bool flush(struct dump *d) {
    size_t n = d->out.n;
    bool ok = n == 0 || fwrite(d->out.p, 1, n, stdout) == n;
    buf_reset(&d->out);
    return ok;
}

static ssize_t read_chunk(int fd, uint8_t *p, size_t n) {
    ssize_t got;
    do
        got = read(fd, p, n);
    while (got < 0 && errno == EINTR);
    return got;
}

// The file's head, grown until the data set begins.
static enum err read_head(struct dump *d, struct buf *head, struct fault *f) {
    enum err e = ERR_TRUNCATED;
    bool complete = false;
    while (e == ERR_TRUNCATED && !complete) {
        ssize_t n = read_chunk(d->fd, d->chunk, sizeof d->chunk);
        if (n < 0)
            return fault_errno(f, "read");
        complete = n == 0;
        buf_append(head, d->chunk, (size_t)n);
        if (!buf_ok(head))
            return fault_set(f, ERR_LIMIT, "the head of the file");
        e = dicom_meta_parse(buf_slice(head), complete, &d->meta, f);
    }
    return e;
}

static enum err skip(struct dump *d, struct fault *f) {
    uint64_t n = dicom_reader_skippable(d->reader);
    if (n < SKIP_MIN)
        return OK;
    off_t here = lseek(d->fd, 0, SEEK_CUR), end = lseek(d->fd, 0, SEEK_END);
    if (here < 0 || end < 0)
        return OK; // a pipe: read it all
    if (n > (uint64_t)(end - here))
        n = (uint64_t)(end - here);
    if (lseek(d->fd, here + (off_t)n, SEEK_SET) < 0)
        return fault_errno(f, "seek");
    dicom_reader_skip(d->reader, n);
    return OK;
}

static enum err read_data_set(struct dump *d, struct slice first, struct fault *f) {
    enum err e = dicom_reader_feed(d->reader, first, f);
    while (e == OK) {
        if (!flush(d))
            return fault_errno(f, "write");
        e = skip(d, f);
        ssize_t n = e == OK ? read_chunk(d->fd, d->chunk, sizeof d->chunk) : 0;
        if (n < 0)
            return fault_errno(f, "read");
        if (n == 0)
            break;
        e = dicom_reader_feed(d->reader, slice_of(d->chunk, (size_t)n), f);
    }
    return e == OK ? dicom_reader_finish(d->reader, f) : e;
}

// Where a long value is: in the file, or in the inflated data set of a deflated one.
static bool put_uri(void *ctx, const char *path, const struct dicom_element *e, struct buf *out) {
    (void)path;
    const struct dump *d = ctx;
    buf_printf(out, "#offset=%llu&length=%llu",
               (unsigned long long)(d->meta.data_set_offset + e->ref.offset),
               (unsigned long long)e->ref.length);
    return true;
}

static enum err print_json(struct dump *d, struct fault *f) {
    struct arena a = ARENA_INIT((size_t)8 * SUMMARY_MAX);
    struct dicom_dataset *ds = NULL;
    struct dicom_json_options o = {.indent = true, .uri = put_uri, .uri_ctx = d};
    struct buf json = BUF_INIT((size_t)8 * SUMMARY_MAX);
    enum err e = dicom_summary_parse(dicom_summary_bytes(d->summary), &a, f, &ds);
    if (e == OK)
        e = dicom_json_write(ds, &o, &json, f);
    if (e == OK && (fwrite(json.p, 1, json.n, stdout) != json.n || putchar('\n') == EOF))
        e = fault_errno(f, "write");
    buf_fini(&json);
    arena_fini(&a);
    return e;
}

// File Meta Information is always explicit little endian (PS3.10 7.1).
static void print_meta(struct dump *d, struct slice head) {
    const struct dicom_meta *m = &d->meta;
    const struct dicom_reader_options o = {.syntax = DICOM_EXPLICIT_LE};
    size_t n = (size_t)(m->data_set_offset - m->meta_offset);
    printf("# %s: transfer syntax %s%s, data set at %llu\n", d->name, m->transfer_syntax,
           m->guessed ? " (guessed)" : "", (unsigned long long)m->data_set_offset);
    (void)dicom_read(&o, slice_sub(head, (size_t)m->meta_offset, n), dicom_text_event, &d->text, NULL);
}

static enum err prepare(struct dump *d, bool json, struct slice head, struct fault *f) {
    struct dicom_reader_options o;
    enum err e = dicom_meta_reader_options(&d->meta, &o, f);
    if (e != OK)
        return e;
    if (json)
        d->summary = dicom_summary_new(NULL, 0, SUMMARY_MAX);
    else
        dicom_text_init(&d->text, &d->out, 0);
    if (!json)
        print_meta(d, head);
    if (!json || d->summary)
        d->reader = dicom_reader_new(&o, json ? dicom_summary_event : dicom_text_event,
                                     json ? (void *)d->summary : (void *)&d->text);
    return d->reader ? OK : fault_set(f, ERR_NO_MEMORY, "for a reader");
}

static enum err dump_fd(struct dump *d, bool json, struct fault *f) {
    struct buf head = BUF_INIT(2 * (DICOM_META_MAX_BYTES + CHUNK_BYTES));
    enum err e = read_head(d, &head, f);
    if (e == OK)
        e = prepare(d, json, buf_slice(&head), f);
    if (e == OK) {
        struct slice all = buf_slice(&head);
        e = read_data_set(d, slice_sub(all, (size_t)d->meta.data_set_offset, all.n), f);
    }
    buf_fini(&head);
    (void)flush(d); // what was understood before an error is of use
    return e == OK && json ? print_json(d, f) : e;
}

static int dump_file(const char *name, bool json) {
    struct fault f = {0};
    struct dump *d = calloc(1, sizeof *d);
    if (!d)
        return cli_fail("not enough memory");
    d->name = name;
    d->out = BUF_INIT(TEXT_MAX);
    d->fd = strcmp(name, "-") == 0 ? dup(STDIN_FILENO) : open(name, O_RDONLY | O_CLOEXEC);
    enum err e = d->fd < 0 ? fault_errno(&f, "open") : dump_fd(d, json, &f);
    if (d->fd >= 0)
        close(d->fd);
    dicom_reader_free(d->reader);
    dicom_summary_free(d->summary);
    buf_fini(&d->out);
    free(d);
    return e == OK ? CLI_OK : cli_fail_fault(name, &f);
}

static int run_dump(const struct cli_args *args) {
    struct fault f = {0};
    if (dicom_charset_preload(&f) != OK)
        return cli_fail_fault("character sets", &f);
    int status = CLI_OK;
    for (size_t i = 0; i < args->n; i++)
        if (dump_file(args->positional[i], cli_option(args, "json") != NULL) != CLI_OK)
            status = CLI_FAILED;
    return fflush(stdout) == 0 ? status : cli_fail("can't write the output: %s", strerror(errno));
}

const struct cli_verb verb_dump = {
    "dump",
    "FILE…",
    "show DICOM files as text or JSON",
    "Shows all attributes. Long values and pixels are named by offset and length only, so that files of "
    "any\n"
    "size can be shown. Text is in UTF-8; what could harm a terminal is escaped. FILE may be - for "
    "standard\n"
    "input.",
    {{"json", NULL, "the DICOM JSON model (PS3.18 Annex F)"}},
    run_dump,
};
