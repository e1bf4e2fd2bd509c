// A study or series as a ZIP of DICOM files with a DICOMDIR (PS3.18 10.4, application/zip; PS3.10), for a
// CD or a colleague: as a stream, so that nothing of it waits anywhere. Objects are bit for bit as they are
// stored.
//
// libarchive writes the container: stored, not compressed (images do not shrink much, and a doctor waits),
// ZIP64 where it must be.
#include "zip.h"

#include "retrieve.h"
#include "rows.h"
#include "uids.h"

#include "base/uid.h"
#include "dicom/dicomdir.h"
#include "dicom/part10.h"
#include "os/clock.h"

#include <archive.h>
#include <archive_entry.h>
#include <openssl/bn.h>
#include <stdio.h>
#include <sys/random.h>

enum { SERIES_MAX = 100000, DIRECTORY_MAX_BYTES = 256 * 1024 * 1024, SUMMARY_ARENA_BYTES = 32 * 1024 * 1024 };

struct zip {
    struct request *rq;
    struct archive *out;
    struct dicomdir *directory;
    char (*series)[UID_MAX + 1];
    size_t series_count;
    char study[UID_MAX + 1];
};

static la_ssize_t write_out(struct archive *out, void *ctx, const void *p, size_t n) {
    const struct zip *z = ctx;
    (void)out;
    return answer_body(z->rq, slice_of(p, n), false) ? (la_ssize_t)n : -1;
}

static enum err gone(struct fault *f) {
    return fault_set(f, ERR_PEER_GONE, "the client is gone");
}

static enum err begin_file(struct zip *z, const char *path, uint64_t bytes, struct fault *f) {
    struct archive_entry *entry = archive_entry_new();
    if (!entry)
        return fault_set(f, ERR_NO_MEMORY, "ZIP");
    archive_entry_set_pathname(entry, path);
    archive_entry_set_size(entry, (la_int64_t)bytes);
    archive_entry_set_filetype(entry, AE_IFREG);
    archive_entry_set_perm(entry, 0644);
    archive_entry_set_mtime(entry, os_clock_wall_ms() / 1000, 0);
    int e = archive_write_header(z->out, entry);
    archive_entry_free(entry);
    return e == ARCHIVE_OK ? OK : gone(f);
}

static enum err put_piece(void *ctx, struct slice piece, bool last, struct fault *f) {
    const struct zip *z = ctx;
    (void)last;
    return archive_write_data(z->out, piece.p, piece.n) == (la_ssize_t)piece.n ? OK : gone(f);
}

// --- one object

static enum err add_to_directory(struct zip *z, struct retrieval *from, const struct object *o,
                                 const char *file_id, unsigned series, struct fault *f) {
    struct arena arena = ARENA_INIT(SUMMARY_ARENA_BYTES);
    struct dicom_dataset *ds = NULL;
    struct slice summary;
    struct dicom_frames frames;
    struct dicomdir_file file = {file_id, o->sop_class, o->sop_instance, o->transfer, series};
    enum err e = retrieval_front(from, &arena, &summary, &frames, f);
    if (e == OK)
        e = dicom_summary_parse(summary, &arena, f, &ds);
    if (e == OK)
        e = dicomdir_add(z->directory, &file, ds, f);
    arena_fini(&arena);
    return e;
}

static enum err put_object(struct zip *z, struct retrieval *from, const struct object *o, unsigned series,
                           unsigned number, struct fault *f) {
    char path[64], file_id[64];
    struct buf head = BUF_INIT(DICOM_META_MAX_BYTES);
    snprintf(path, sizeof path, "DICOM/S%07u/I%07u", series + 1, number);
    snprintf(file_id, sizeof file_id, "DICOM\\S%07u\\I%07u", series + 1, number);
    enum err e = add_to_directory(z, from, o, file_id, series, f);
    dicom_meta_write(&head, slice_str(o->sop_class), slice_str(o->sop_instance), slice_str(o->transfer),
                     NULL);
    if (e == OK)
        e = buf_check(&head, f, "the head of an object");
    if (e == OK)
        e = begin_file(z, path, head.n + o->length, f);
    if (e == OK)
        e = put_piece(z, buf_slice(&head), false, f);
    if (e == OK)
        e = retrieval_read(from, 0, o->length, put_piece, z, f);
    buf_fini(&head);
    return e;
}

static enum err put_series(struct zip *z, unsigned series, struct fault *f) {
    struct retrieval from;
    struct object o;
    unsigned number = 0;
    struct slice names[] = {slice_str(z->study), slice_str(z->series[series])};
    unsigned with = RETRIEVAL_WITH_FRONT | RETRIEVAL_WITH_BODIES;
    enum err e = retrieval_open_named(&from, z->rq, names, 2, with, f);
    while (e == OK && retrieval_next(&from, &o))
        e = o.error == OK ? put_object(z, &from, &o, series, ++number, f)
                          : fault_set(f, o.error, "an object cannot be read");
    retrieval_close(&from);
    return e == ERR_NO_SUCH_OBJECT ? OK : e; // deleted meanwhile
}

// --- the directory

// A UID made of a random UUID: PS3.5 B.2.
static bool new_uid(char ret_uid[UID_MAX + 1]) {
    uint8_t random[16];
    if (getrandom(random, sizeof random, 0) != sizeof random)
        return false;
    random[6] = (uint8_t)((random[6] & 0x0F) | 0x40);
    random[8] = (uint8_t)((random[8] & 0x3F) | 0x80);
    BIGNUM *number = BN_bin2bn(random, sizeof random, NULL);
    char *digits = number ? BN_bn2dec(number) : NULL;
    if (digits)
        snprintf(ret_uid, UID_MAX + 1, "2.25.%s", digits);
    OPENSSL_free(digits);
    BN_free(number);
    return digits != NULL;
}

static enum err put_directory(struct zip *z, struct fault *f) {
    char uid[UID_MAX + 1];
    struct buf out = BUF_INIT(DIRECTORY_MAX_BYTES);
    enum err e = new_uid(uid) ? dicomdir_encode(z->directory, uid, &out, f) : ERR_NO_MEMORY;
    if (e == OK)
        e = begin_file(z, "DICOMDIR", out.n, f);
    if (e == OK)
        e = put_piece(z, buf_slice(&out), true, f);
    buf_fini(&out);
    return e;
}

// --- the whole

static enum err list_series(struct zip *z, struct fault *f) {
    static const uint16_t returns[] = {INDEX_ATTR_SeriesInstanceUID, INDEX_ATTR_StudyInstanceUID};
    struct buf conditions = BUF_INIT(4096);
    struct rows rows = {0};
    enum err e = uids_conditions(z->rq, &conditions, f);
    struct rows_question question = {.level = QUERY_LEVEL_SERIES,
                                     .conditions = buf_slice(&conditions),
                                     .returns = returns,
                                     .return_count = 2};
    if (e == OK)
        e = rows_open(&rows, &z->rq->archive, &question, f);
    while (e == OK && rows_next(&rows, f)) {
        if (z->series_count == SERIES_MAX)
            e = fault_set(f, ERR_LIMIT, "more than %d series", SERIES_MAX);
        else if (!slice_to_cstr(rows.values[0], z->series[z->series_count++], UID_MAX + 1) ||
                 !slice_to_cstr(rows.values[1], z->study, sizeof z->study))
            e = fault_set(f, ERR_CORRUPT, "a UID");
    }
    rows_close(&rows);
    buf_fini(&conditions);
    if (e == OK)
        e = f->code;
    return e == OK && z->series_count == 0
               ? fault_set(f, ERR_NO_SUCH_OBJECT, "there is no such study or series")
               : e;
}

static bool open_container(struct zip *z) {
    z->out = archive_write_new();
    return z->out && archive_write_set_format_zip(z->out) == ARCHIVE_OK &&
           archive_write_zip_set_compression_store(z->out) == ARCHIVE_OK &&
           archive_write_set_bytes_per_block(z->out, 0) == ARCHIVE_OK &&
           archive_write_open(z->out, z, NULL, write_out, NULL) == ARCHIVE_OK;
}

static enum err put_all(struct zip *z, struct fault *f) {
    enum err e = open_container(z) ? OK : fault_set(f, ERR_NO_MEMORY, "ZIP");
    for (unsigned i = 0; e == OK && i < z->series_count; i++)
        e = put_series(z, i, f);
    if (e == OK)
        e = put_directory(z, f);
    if (e == OK && archive_write_close(z->out) != ARCHIVE_OK)
        e = gone(f);
    return e == OK && !answer_body(z->rq, slice_of(NULL, 0), true) ? gone(f) : e;
}

static void answer(struct zip *z) {
    char name[160];
    struct fault f = {0};
    struct answer a = {.status = 200, .type = "application/zip", .length = -1};
    snprintf(name, sizeof name, "attachment; filename=\"%s.zip\"", z->study);
    answer_header(&a, "content-disposition", slice_str(name));
    if (!answer_begin(z->rq, &a))
        return;
    enum err e = put_all(z, &f);
    if (e != OK && e != ERR_PEER_GONE)
        web_log(z->rq->web, OS_LOG_ERROR, "a ZIP could not be finished: %s: %s", err_text(e), f.detail);
    if (e != OK)
        answer_break(z->rq);
}

void zip_serve(struct request *rq) {
    struct zip z = {.rq = rq, .directory = dicomdir_new(), .series = calloc(SERIES_MAX, sizeof *z.series)};
    struct fault f = {0};
    enum err e = z.directory && z.series ? list_series(&z, &f) : fault_set(&f, ERR_NO_MEMORY, "ZIP");
    if (e == OK)
        answer(&z);
    else
        answer_fault(rq, e, &f);
    if (z.out)
        archive_write_free(z.out);
    dicomdir_free(z.directory);
    free(z.series);
}
