// Metadata as STOW-RS receives it, in JSON. What is read can be written and read again, and then is the same.
#include "model.h"

#include "dicom/json.h"
#include "dicom/json_read.h"

static void write_model(struct dicom_model *m, struct buf *out) {
    const struct dicom_json_options o = {.uri = model_uri_of, .uri_ctx = m};
    FUZZ_CHECK(dicom_json_write(m->ds, &o, out, NULL) == OK);
}

static void check_again(struct dicom_model *m) {
    struct arena a = ARENA_INIT(8 << 20);
    struct buf first = BUF_INIT(16 << 20), second = BUF_INIT(16 << 20);
    struct dicom_json_reader r;
    struct dicom_model again;
    write_model(m, &first);
    FUZZ_CHECK(dicom_json_reader_init(&r, buf_slice(&first), NULL) == OK);
    // An IS that is none was a string, and may look like too large a number now.
    if (dicom_json_read(&r, &a, NULL, &again) == OK) {
        write_model(&again, &second);
        FUZZ_CHECK(slice_eq(buf_slice(&first), buf_slice(&second)));
    }
    dicom_json_reader_fini(&r);
    buf_fini(&first);
    buf_fini(&second);
    arena_fini(&a);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n) {
    struct dicom_json_reader r;
    FUZZ_CHECK(dicom_charset_preload(NULL) == OK);
    if (dicom_json_reader_init(&r, slice_of(data, n), NULL) != OK)
        return 0;
    size_t count = 0;
    for (; dicom_json_reader_more(&r); count++) {
        struct arena a = ARENA_INIT(4 << 20);
        struct fault f = {OK, {0}};
        struct dicom_model m;
        enum err e = dicom_json_read(&r, &a, &f, &m);
        FUZZ_CHECK(e == f.code);
        if (e == OK)
            check_again(&m);
        arena_fini(&a);
    }
    FUZZ_CHECK(count == dicom_json_reader_count(&r));
    dicom_json_reader_fini(&r);
    return 0;
}
