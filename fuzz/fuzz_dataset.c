// Data sets. The first byte chooses the syntax and how the rest is cut into slices. Whatever the bytes
// are: cut or whole the reader tells the same events; the summary reads back; JSON and text can be made;
// and what parses as a data set is written in each syntax and reads back the same.
#include "fuzz.h"

#include "dicom/json.h"
#include "dicom/summary.h"
#include "dicom/text.h"
#include "dicom/writer.h"
#include "std/tag.h"

enum { ARENA_MAX = 64 << 20, OUT_MAX = 64 << 20, VALUE_MAX = 200, SUMMARY_MAX = 8192 };

struct tally {
    uint64_t hash;
    unsigned depth;
    struct dicom_summary *summary;
};

static void mix(struct tally *t, uint64_t v) {
    t->hash = (t->hash ^ v) * 0x100000001B3u;
}

static enum err on_event(void *ctx, const struct dicom_event *ev, struct fault *f) {
    struct tally *t = ctx;
    if (ev->kind == DICOM_EV_CHUNK)
        return OK;
    FUZZ_CHECK(ev->depth <= DICOM_DEPTH_MAX);
    FUZZ_CHECK(ev->value.n <= VALUE_MAX);
    uint64_t seen[] = {ev->kind, ev->vr, ev->tag, ev->length, ev->item, ev->depth, ev->syntax, ev->header_at,
                       ev->offset, ev->total, ev->value.n};
    for (size_t i = 0; i < sizeof seen / sizeof seen[0]; i++)
        mix(t, seen[i]);
    for (size_t i = 0; i < ev->value.n; i++)
        mix(t, ev->value.p[i]);
    return t->summary ? dicom_summary_event(t->summary, ev, f) : OK;
}

static enum err read_cut(struct slice s, const struct dicom_reader_options *o, size_t step, struct tally *t) {
    struct fault f = {0};
    struct dicom_reader *r = dicom_reader_new(o, on_event, t);
    enum err e = OK;
    for (size_t at = 0; at < s.n && e == OK; at += step)
        e = dicom_reader_feed(r, slice_sub(s, at, step), &f);
    if (e == OK)
        e = dicom_reader_finish(r, &f);
    FUZZ_CHECK((e == OK) == (f.code == OK));
    dicom_reader_free(r);
    return e;
}

static void check_frames(const struct dicom_frames *f) {
    struct buf b = BUF_INIT(OUT_MAX);
    struct arena a = ARENA_INIT(ARENA_MAX);
    struct dicom_frames back;
    struct dicom_ref ref;
    size_t first, count;
    dicom_frames_write(f, &b);
    FUZZ_CHECK(dicom_frames_parse(buf_slice(&b), &a, NULL, &back) == OK);
    for (uint32_t i = 0; i < 4; i++) {
        FUZZ_CHECK(!dicom_frames_native(&back, i, &ref) || ref.offset + ref.length <= f->offset + f->length);
        FUZZ_CHECK(!dicom_frames_locate(&back, i, &first, &count) || first + count <= f->fragment_count);
    }
    arena_fini(&a);
    buf_fini(&b);
}

static void check_summary(struct dicom_summary *s) {
    struct arena a = ARENA_INIT(ARENA_MAX);
    struct buf json = BUF_INIT(OUT_MAX);
    struct dicom_dataset *ds = NULL;
    FUZZ_CHECK(dicom_summary_bytes(s).n <= SUMMARY_MAX);
    FUZZ_CHECK(dicom_summary_parse(dicom_summary_bytes(s), &a, NULL, &ds) == OK);
    FUZZ_CHECK(dicom_json_write(ds, NULL, &json, NULL) == OK);
    check_frames(dicom_summary_frames(s));
    buf_fini(&json);
    arena_fini(&a);
}

// Written and read again it is the same, and what is written always reads. Explicit only: in implicit VR
// what is not in the dictionary becomes UN, and bytes of UN and SQ can't be told apart.
static void check_write(const struct dicom_dataset *ds, enum dicom_syntax syntax) {
    struct arena a = ARENA_INIT(ARENA_MAX);
    struct buf one = BUF_INIT(OUT_MAX), two = BUF_INIT(OUT_MAX);
    struct dicom_dataset *back = NULL;
    const struct dicom_reader_options o = {.syntax = syntax};
    if (dicom_dataset_write(ds, syntax, &one, NULL) == OK && syntax != DICOM_IMPLICIT_LE) {
        FUZZ_CHECK(dicom_dataset_parse(buf_slice(&one), &o, &a, NULL, &back) == OK);
        FUZZ_CHECK(dicom_dataset_write(back, syntax, &two, NULL) == OK);
        FUZZ_CHECK(slice_eq(buf_slice(&one), buf_slice(&two)));
    }
    arena_fini(&a);
    buf_fini(&one);
    buf_fini(&two);
}

static void check_text(struct slice s, const struct dicom_reader_options *o) {
    struct buf out = BUF_INIT(OUT_MAX);
    struct dicom_text t;
    dicom_text_init(&t, &out, 20);
    (void)dicom_read(o, s, dicom_text_event, &t, NULL);
    for (size_t i = 0; i < out.n; i++)
        FUZZ_CHECK(out.p[i] == '\n' || out.p[i] >= 0x20);
    buf_fini(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n) {
    if (n == 0 || dicom_charset_preload(NULL) != OK)
        return 0;
    struct slice s = slice_of(data + 1, n - 1);
    const struct dicom_reader_options o = {.syntax = (enum dicom_syntax)(data[0] % 4 % 3),
                                           .deflated = data[0] % 4 == 3,
                                           .value_max = VALUE_MAX,
                                           .inflate_max_bytes = 1 << 20};
    static const struct dicom_pick picks[] = {{{TAG_PatientID}},
                                              {{TAG_RequestAttributesSequence, TAG_PatientID}}};
    struct tally whole = {.summary = dicom_summary_new(picks, 2, SUMMARY_MAX)}, cut = {0}, bytes = {0};
    enum err e = read_cut(s, &o, s.n ? s.n : 1, &whole);
    FUZZ_CHECK(read_cut(s, &o, 1 + (data[0] >> 2), &cut) == e && cut.hash == whole.hash);
    FUZZ_CHECK(read_cut(s, &o, 1, &bytes) == e && bytes.hash == whole.hash);
    if (e == OK)
        check_summary(whole.summary);
    dicom_summary_free(whole.summary);
    struct arena a = ARENA_INIT(ARENA_MAX);
    struct dicom_dataset *ds = NULL;
    if (dicom_dataset_parse(s, &o, &a, NULL, &ds) == OK)
        for (int syntax = DICOM_IMPLICIT_LE; syntax <= DICOM_EXPLICIT_BE; syntax++)
            check_write(ds, (enum dicom_syntax)syntax);
    arena_fini(&a);
    check_text(s, &o);
    return 0;
}
