// Metadata in JSON and invented bulk data made an object, as STOW-RS does. The first byte chooses how much
// bulk and in what; what comes out is a data set.
#include "fuzz.h"

#include "dicom/assemble.h"
#include "dicom/charset.h"
#include "dicom/json_read.h"

enum { ARENA_MAX = 16 << 20, OUT_MAX = 16 << 20 };

static void put_bytes(struct buf *out, size_t n) {
    for (size_t i = 0; i < n; i++)
        buf_u8(out, (uint8_t)i);
}

static enum err bulk_value(struct dicom_assembler *as, size_t bytes, struct buf *out) {
    struct slice head;
    enum err e = dicom_assembler_value(as, bytes, NULL, &head);
    if (e == OK) {
        buf_append_slice(out, head);
        put_bytes(out, bytes);
    }
    return e;
}

static enum err bulk_fragments(struct dicom_assembler *as, size_t bytes, struct buf *out) {
    struct slice head;
    enum err e = dicom_assembler_fragments(as, NULL, &head);
    if (e != OK)
        return e;
    buf_append_slice(out, head);
    for (size_t i = 0; i < bytes % 4; i++) {
        FUZZ_CHECK(dicom_assembler_fragment(as, bytes, NULL, &head) == OK);
        buf_append_slice(out, head);
        put_bytes(out, bytes);
    }
    FUZZ_CHECK(dicom_assembler_fragments_end(as, NULL, &head) == OK);
    buf_append_slice(out, head);
    return OK;
}

static enum err assemble(const struct dicom_model *m, uint8_t choice, struct buf *out) {
    struct dicom_assembler *as = dicom_assembler_new(m->ds);
    struct dicom_piece p = {.kind = DICOM_PIECE_BYTES};
    enum err e = OK;
    FUZZ_CHECK(as != NULL);
    while (p.kind != DICOM_PIECE_END && (e = dicom_assembler_next(as, NULL, &p)) == OK) {
        if (p.kind == DICOM_PIECE_BYTES)
            buf_append_slice(out, p.bytes);
        if (p.kind != DICOM_PIECE_BULK)
            continue;
        FUZZ_CHECK(p.bulk < m->bulk_count && m->bulk[p.bulk].tag == p.tag);
        bool pixels = p.tag == 0x7FE00010 && p.depth == 0;
        e = choice & 1 && pixels ? bulk_fragments(as, choice >> 1, out) : bulk_value(as, choice >> 1, out);
        if (e != OK)
            break;
    }
    dicom_assembler_free(as);
    return e;
}

static void an_object(const struct dicom_model *m, uint8_t choice) {
    static const struct dicom_reader_options explicit = {.syntax = DICOM_EXPLICIT_LE, .value_max = 1 << 20};
    struct arena a = ARENA_INIT(ARENA_MAX);
    struct buf out = BUF_INIT(OUT_MAX);
    struct dicom_dataset *ds = NULL;
    if (assemble(m, choice, &out) == OK) {
        FUZZ_CHECK(buf_ok(&out));
        FUZZ_CHECK(dicom_dataset_parse(buf_slice(&out), &explicit, &a, NULL, &ds) == OK);
    }
    buf_fini(&out);
    arena_fini(&a);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n) {
    struct dicom_json_reader r;
    if (n == 0 || dicom_charset_preload(NULL) != OK)
        return 0;
    if (dicom_json_reader_init(&r, slice_of(data + 1, n - 1), NULL) != OK)
        return 0;
    while (dicom_json_reader_more(&r)) {
        struct arena a = ARENA_INIT(ARENA_MAX);
        struct dicom_model m;
        if (dicom_json_read(&r, &a, NULL, &m) == OK)
            an_object(&m, data[0]);
        arena_fini(&a);
    }
    dicom_json_reader_fini(&r);
    return 0;
}
