// Multipart bodies with the boundary "b": the events do not depend on how the bytes are cut, and data point
// into what was fed or are held by the parser.
#include "fuzz.h"

#include "http/multipart.h"

static enum err run(struct slice body, size_t step, struct buf *out) {
    static const struct multipart_limits limits = {.header_bytes = 256, .parts = 64};
    struct multipart *m = multipart_new(SLICE_LIT("b"), &limits);
    struct multipart_event ev = {.kind = MULTIPART_MORE};
    FUZZ_CHECK(m);
    bool in_part = false;
    while (body.n && ev.kind != MULTIPART_ERROR) {
        struct slice part = slice_sub(body, 0, step);
        uint8_t *exact = malloc(part.n);
        FUZZ_CHECK(exact);
        memcpy(exact, part.p, part.n);
        struct slice in = {exact, part.n};
        while (multipart_next(m, &in, &ev) != MULTIPART_MORE && ev.kind != MULTIPART_ERROR) {
            FUZZ_CHECK(in_part == (ev.kind == MULTIPART_DATA || ev.kind == MULTIPART_PART_END));
            in_part = ev.kind == MULTIPART_PART || ev.kind == MULTIPART_DATA;
            if (ev.kind != MULTIPART_DATA)
                buf_printf(out, "<%d>", ev.kind);
            for (size_t i = 0; i < ev.field_count; i++)
                buf_printf(out, "%.*s:%.*s,", SLICE_FMT(ev.field[i].name), SLICE_FMT(ev.field[i].value));
            buf_append_slice(out, ev.data);
        }
        free(exact);
        body = slice_sub(body, part.n, body.n);
    }
    enum err e = multipart_finish(m);
    multipart_free(m);
    return e;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n) {
    struct slice body = slice_of(data, n > 4096 ? 4096 : n);
    struct buf whole = BUF_INIT(1 << 20), cut = BUF_INIT(1 << 20);
    enum err e = run(body, SIZE_MAX, &whole);
    for (size_t step = 1; step <= 7; step += 2) {
        buf_reset(&cut);
        FUZZ_CHECK(run(body, step, &cut) == e);
        FUZZ_CHECK(slice_eq(buf_slice(&whole), buf_slice(&cut)));
    }
    buf_fini(&whole);
    buf_fini(&cut);
    return 0;
}
