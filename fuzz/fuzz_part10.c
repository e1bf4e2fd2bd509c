// Heads of files: what a part of the file says is what the whole says, or "more"; the data set begins
// inside the file; UIDs are UIDs.
#include "fuzz.h"

#include "dicom/part10.h"

static void check_meta(const struct dicom_meta *m, size_t n) {
    struct dicom_reader_options o;
    FUZZ_CHECK(m->data_set_offset <= n);
    FUZZ_CHECK(uid_tolerable(slice_str(m->transfer_syntax)));
    FUZZ_CHECK(m->sop_class[0] == 0 || uid_tolerable(slice_str(m->sop_class)));
    FUZZ_CHECK(m->sop_instance[0] == 0 || uid_tolerable(slice_str(m->sop_instance)));
    enum err e = dicom_meta_reader_options(m, &o, NULL);
    FUZZ_CHECK(e == OK || e == ERR_UNSUPPORTED);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n) {
    struct dicom_meta whole = {0}, part = {0};
    struct fault f = {0};
    enum err e = dicom_meta_parse(slice_of(data, n), true, &whole, &f);
    FUZZ_CHECK((e == OK) == (f.code == OK));
    if (e == OK)
        check_meta(&whole, n);
    for (size_t i = 0; i < n && i < 512; i++) {
        enum err early = dicom_meta_parse(slice_of(data, i), false, &part, NULL);
        FUZZ_CHECK(early == ERR_TRUNCATED || early == e);
        FUZZ_CHECK(early != OK || memcmp(&part, &whole, sizeof part) == 0);
    }
    return 0;
}
