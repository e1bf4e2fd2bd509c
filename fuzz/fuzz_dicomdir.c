// A directory of what export got: any object gives a directory that reads. Input: u16 length of a first
// object, its data set, a second one's.
#include "fuzz.h"

#include "base/rd.h"
#include "dicom/charset.h"
#include "dicom/dicomdir.h"
#include "dicom/part10.h"

enum { ARENA_MAX = 32 << 20 };

static void add(struct dicomdir *d, const struct dicomdir_file *file, struct slice object) {
    static const struct dicom_reader_options o = {.syntax = DICOM_EXPLICIT_LE, .value_max = 4096};
    struct arena a = ARENA_INIT(ARENA_MAX);
    struct dicom_builder b;
    FUZZ_CHECK(dicom_builder_init(&b, &a) == OK);
    // What cannot be read to its end has poorer records, as export has it (prog/cli/export_inner.c).
    (void)dicom_read(&o, object, dicom_builder_event, &b, NULL);
    FUZZ_CHECK(dicomdir_add(d, file, b.root, NULL) == OK);
    arena_fini(&a);
}

static void check(const struct dicomdir *d) {
    struct arena a = ARENA_INIT(ARENA_MAX);
    struct buf out = BUF_INIT(ARENA_MAX);
    struct dicom_meta meta;
    struct dicom_reader_options o;
    struct dicom_dataset *ds = NULL;
    struct fault f = {0};
    FUZZ_CHECK(dicomdir_encode(d, "1.2.3", &out, &f) == OK);
    FUZZ_CHECK(dicom_meta_parse(buf_slice(&out), true, &meta, &f) == OK);
    FUZZ_CHECK(dicom_meta_reader_options(&meta, &o, &f) == OK);
    struct slice body = slice_sub(buf_slice(&out), meta.data_set_offset, out.n);
    FUZZ_CHECK(dicom_dataset_parse(body, &o, &a, &f, &ds) == OK);
    buf_fini(&out);
    arena_fini(&a);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n) {
    struct rd r = rd_init(slice_of(data, n));
    uint16_t length = rd_u16le(&r);
    struct slice first = rd_bytes(&r, length), second = rd_bytes(&r, rd_left(&r));
    if (!rd_ok(&r) || dicom_charset_preload(NULL) != OK)
        return 0;
    struct dicomdir *d = dicomdir_new();
    FUZZ_CHECK(d != NULL);
    struct dicomdir_file file = {"DICOM\\S0000001\\I0000001", "1.2.840.10008.5.1.4.1.1.2", "1.2.3.4",
                                 "1.2.840.10008.1.2.1", 0};
    add(d, &file, first);
    file.file_id = "DICOM\\S0000002\\I0000001";
    file.series = length & 1;
    add(d, &file, second);
    check(d);
    dicomdir_free(d);
    return 0;
}
