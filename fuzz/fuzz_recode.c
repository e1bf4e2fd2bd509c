// A data set re-encoded while it streams by. The first byte chooses from which syntax to which and how it is
// cut: however, the same comes out, it reads in its new syntax, and says the same as without a detour.
#include "fuzz.h"

#include "dicom/charset.h"
#include "dicom/dataset.h"
#include "dicom/recode.h"

enum { ARENA_MAX = 64 << 20, OUT_MAX = 16 << 20 };

static const char *const from_uids[] = {UID_ImplicitVRLittleEndian, UID_ExplicitVRLittleEndian,
                                        UID_ExplicitVRBigEndian, UID_DeflatedExplicitVRLittleEndian};

static enum err recode(const struct std_ts *from, const struct std_ts *to, struct slice s, size_t step,
                       struct buf *out) {
    struct dicom_recoder *r = dicom_recoder_new(from, to);
    struct fault f = {0};
    enum err e = OK;
    FUZZ_CHECK(r != NULL);
    for (size_t at = 0; at < s.n && e == OK; at += step)
        e = dicom_recoder_feed(r, slice_sub(s, at, step), out, &f);
    if (e == OK)
        e = dicom_recoder_finish(r, out, &f);
    FUZZ_CHECK((e == OK) == (f.code == OK));
    dicom_recoder_free(r);
    return e;
}

static bool reads(struct slice s, const struct std_ts *ts) {
    struct arena a = ARENA_INIT(ARENA_MAX);
    struct dicom_dataset *ds = NULL;
    struct dicom_reader_options o;
    FUZZ_CHECK(dicom_reader_options_for(ts, &o));
    o.value_max = 1 << 20;
    bool ok = dicom_dataset_parse(s, &o, &a, NULL, &ds) == OK;
    arena_fini(&a);
    return ok;
}

// By a detour over an explicit syntax it becomes the same as without; in big endian but for the end of values
// that are no whole number of units, which stays as it is.
static void check_detour(const struct std_ts *from, const struct std_ts *over, struct slice in,
                         struct slice out) {
    const struct std_ts *last = std_ts_find(slice_str(UID_ExplicitVRLittleEndian));
    struct buf straight = BUF_INIT(OUT_MAX), detour = BUF_INIT(OUT_MAX);
    FUZZ_CHECK(recode(from, last, in, in.n + 1, &straight) == OK);
    FUZZ_CHECK(recode(over, last, out, out.n + 1, &detour) == OK);
    FUZZ_CHECK(straight.n == detour.n);
    FUZZ_CHECK(over->big_endian || slice_eq(buf_slice(&straight), buf_slice(&detour)));
    buf_fini(&straight);
    buf_fini(&detour);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n) {
    if (n == 0 || dicom_charset_preload(NULL) != OK)
        return 0;
    const struct std_ts *from = std_ts_find(slice_str(from_uids[data[0] & 3]));
    const struct std_ts *to = std_ts_find(slice_str(from_uids[(data[0] >> 2 & 3) % 3]));
    struct slice s = slice_of(data + 1, n - 1);
    FUZZ_CHECK(dicom_recode_possible(from, to));
    struct buf whole = BUF_INIT(OUT_MAX), cut = BUF_INIT(OUT_MAX);
    enum err e = recode(from, to, s, s.n ? s.n : 1, &whole);
    FUZZ_CHECK(recode(from, to, s, 1u + (data[0] >> 4), &cut) == e);
    FUZZ_CHECK(slice_eq(buf_slice(&whole), buf_slice(&cut)));
    if (e == OK && to->explicit_vr) { // in implicit VR the dictionary may contradict the VR that was sent
        FUZZ_CHECK(reads(buf_slice(&whole), to) || !reads(s, from));
        check_detour(from, to, s, buf_slice(&whole));
    }
    buf_fini(&whole);
    buf_fini(&cut);
    return 0;
}
