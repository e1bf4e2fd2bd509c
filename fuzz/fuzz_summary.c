// Summaries and frame tables, as web and dimse get them from the store: another worker made them, which may
// have been in hostile hands. What reads back can be written as JSON and as XML, and both are that.
// Input: u16 length of the frame table, the table, the summary.
#include "fuzz.h"

#include "base/json.h"
#include "base/rd.h"
#include "dicom/json.h"
#include "dicom/summary.h"
#include "dicom/xml_read.h"
#include "dicom/xml_write.h"
#include "std/tag.h"

enum { ARENA_MAX = 16 << 20, OUT_MAX = 16 << 20 };

static bool uri(void *ctx, const char *path, const struct dicom_element *e, struct buf *out) {
    (void)ctx;
    buf_printf(out, "https://x/%s?%llu", path, (unsigned long long)e->ref.length);
    return true;
}

static void write_it(const struct dicom_dataset *ds) {
    static const struct dicom_json_options o = {.uri = uri};
    struct arena a = ARENA_INIT(4 * ARENA_MAX);
    struct buf json = BUF_INIT(OUT_MAX), xml = BUF_INIT(OUT_MAX);
    struct dicom_model m;
    struct fault f = {0};
    if (dicom_json_write(ds, &o, &json, NULL) == OK) {
        struct json parsed;
        FUZZ_CHECK(json_scan(buf_slice(&json), 1 << 20, &f, &parsed) == OK);
        json_fini(&parsed);
    }
    if (dicom_xml_write(ds, &o, &xml, NULL) == OK) {
        enum err e = dicom_xml_read(buf_slice(&xml), &a, &f, &m);
        FUZZ_CHECK(e == OK || e == ERR_SYNTAX || e == ERR_LIMIT || e == ERR_DEPTH);
    }
    buf_fini(&json);
    buf_fini(&xml);
    arena_fini(&a);
}

static void check_same(struct slice summary, const struct dicom_dataset *ds) {
    static const uint32_t tags[] = {TAG_PatientName, TAG_PixelData, TAG_RequestAttributesSequence, TAG_Rows};
    for (size_t i = 0; i < sizeof tags / sizeof *tags; i++) {
        struct dicom_element one;
        const struct dicom_element *e = dicom_dataset_find(ds, tags[i]);
        if (dicom_summary_find(summary, tags[i], &one) && e && !e->is_sequence && !e->is_ref)
            FUZZ_CHECK(slice_eq(e->value, one.value));
    }
}

static void read_frames(struct slice table) {
    struct arena a = ARENA_INIT(ARENA_MAX);
    struct dicom_frames fr;
    struct dicom_ref ref;
    size_t first, count;
    if (dicom_frames_parse(table, &a, NULL, &fr) == OK) {
        for (uint32_t i = 0; i < 64; i++) {
            uint32_t frame = i < 60 ? i : UINT32_MAX - i;
            if (dicom_frames_native(&fr, frame, &ref))
                FUZZ_CHECK(ref.offset + ref.length >= ref.offset);
            if (dicom_frames_locate(&fr, frame, &first, &count))
                FUZZ_CHECK(first + count <= fr.fragment_count && dicom_frames_fragment(&fr, first, &ref));
        }
        FUZZ_CHECK(!dicom_frames_fragment(&fr, fr.fragment_count, &ref));
    }
    arena_fini(&a);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n) {
    if (dicom_charset_preload(NULL) != OK)
        return 0;
    struct rd r = rd_init(slice_of(data, n));
    uint16_t length = rd_u16le(&r);
    struct slice table = rd_bytes(&r, length), summary = rd_bytes(&r, rd_left(&r));
    if (!rd_ok(&r))
        return 0;
    read_frames(table);
    struct arena a = ARENA_INIT(ARENA_MAX);
    struct dicom_dataset *ds = NULL;
    if (dicom_summary_parse(summary, &a, NULL, &ds) == OK) {
        check_same(summary, ds);
        write_it(ds);
    }
    arena_fini(&a);
    return 0;
}
