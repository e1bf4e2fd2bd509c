// Text in any character set: a first line with (0008,0005), a second with the VR, then the value.
#include "fuzz.h"

#include "base/fold.h"
#include "base/utf8.h"
#include "dicom/charset.h"

static void check_split(const struct dicom_charset *cs, enum vr vr, struct slice raw, struct slice utf8) {
    size_t values = 0, separators = 0;
    struct slice rest = raw;
    while (rest.p) {
        dicom_charset_split(cs, vr, rest, &rest);
        values++;
    }
    for (size_t i = 0; i < utf8.n && std_vr_info(vr)->multi; i++)
        separators += utf8.p[i] == '\\';
    FUZZ_CHECK(raw.p == NULL || values == separators + 1);
}

// What was read without doubt can be written, if not always in the same bytes, and says the same.
static void check_back(const struct dicom_charset *cs, enum vr vr, struct slice utf8) {
    struct buf there = BUF_INIT(16 * utf8.n + 64), back = BUF_INIT(4 * utf8.n + 64);
    if (dicom_charset_encode(cs, vr, utf8, &there)) {
        (void)dicom_charset_decode(cs, vr, buf_slice(&there), &back);
        FUZZ_CHECK(buf_ok(&back) && slice_eq(buf_slice(&back), utf8));
    } else {
        FUZZ_CHECK(there.n == 0);
    }
    buf_fini(&there);
    buf_fini(&back);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n) {
    FUZZ_CHECK(dicom_charset_preload(NULL) == OK);
    struct slice rest = slice_of(data, n);
    struct slice value = slice_split(rest, '\n', &rest);
    struct slice vr_code = rest.p ? slice_split(rest, '\n', &rest) : rest;
    enum vr vr = vr_code.n == 2 ? std_vr_from_code(vr_code.p[0], vr_code.p[1]) : VR_LO;
    struct slice raw = rest.p ? rest : slice_of("", 0);
    while (raw.n > 0 && raw.p[raw.n - 1] == 0) // padding; decoding drops it
        raw.n--;

    struct dicom_charset cs;
    dicom_charset_init(&cs, value);
    struct buf utf8 = BUF_INIT(3 * raw.n), folded = BUF_INIT(12 * raw.n + 16);
    unsigned notes = dicom_charset_decode(&cs, vr, raw, &utf8);
    FUZZ_CHECK(buf_ok(&utf8) && utf8_valid(buf_slice(&utf8)));
    check_split(&cs, vr, raw, buf_slice(&utf8));
    if (notes == 0)
        check_back(&cs, vr, buf_slice(&utf8));
    fold_name(buf_slice(&utf8), &folded);
    FUZZ_CHECK(buf_ok(&folded) && utf8_valid(buf_slice(&folded)));
    struct buf label = BUF_INIT(1024);
    dicom_charset_label(&cs, &label);
    struct dicom_charset again;
    dicom_charset_init(&again, buf_slice(&label));
    FUZZ_CHECK(buf_ok(&label) && again.notes == 0 && again.alone == cs.alone && again.g1 == cs.g1);
    buf_fini(&label);
    buf_fini(&folded);
    buf_fini(&utf8);
    return 0;
}
