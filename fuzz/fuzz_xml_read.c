// Metadata as STOW-RS receives it, in XML. What is read can be written and read again, and then is the same.
#include "model.h"

#include "dicom/xml_read.h"
#include "dicom/xml_write.h"

static void write_model(struct dicom_model *m, struct buf *out) {
    const struct dicom_json_options o = {.uri = model_uri_of, .uri_ctx = m};
    FUZZ_CHECK(dicom_xml_write(m->ds, &o, out, NULL) == OK);
}

static void check_again(struct dicom_model *m) {
    struct arena a = ARENA_INIT(8 << 20);
    struct buf first = BUF_INIT(16 << 20), second = BUF_INIT(16 << 20);
    struct dicom_model again;
    write_model(m, &first);
    // A creator that reserves two blocks: its attributes look as if they came twice.
    if (dicom_xml_read(buf_slice(&first), &a, NULL, &again) == OK) {
        write_model(&again, &second);
        FUZZ_CHECK(slice_eq(buf_slice(&first), buf_slice(&second)));
    }
    buf_fini(&first);
    buf_fini(&second);
    arena_fini(&a);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n) {
    struct arena a = ARENA_INIT(4 << 20);
    struct fault f = {OK, {0}};
    struct dicom_model m;
    FUZZ_CHECK(dicom_charset_preload(NULL) == OK);
    enum err e = dicom_xml_read(slice_of(data, n), &a, &f, &m);
    FUZZ_CHECK(e == f.code);
    if (e == OK)
        check_again(&m);
    arena_fini(&a);
    return 0;
}
