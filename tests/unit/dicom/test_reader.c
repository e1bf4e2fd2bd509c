// What the reader makes of data sets: good ones, odd ones, hostile ones; whole and cut at every byte.
#include <stdio.h>
#include <string.h>
#include <zlib.h>

#include "trace.h"

#define S(lit) lit, sizeof(lit) - 1

struct row {
    const char *name;
    enum dicom_syntax syntax;
    const char *bytes;
    size_t n;
    enum err expected;
    const char *has; // must be in the trace, or in the fault's detail when expected is not OK
};

static const struct row rows[] = {
    // Good
    {"empty data set", DICOM_EXPLICIT_LE, S(""), OK, "end 0 "},
    {"explicit, short header", DICOM_EXPLICIT_LE, S(NAME), OK,
     "element 0 00100010 PN 1 4 0 @0 @8 +0 415e4220"},
    {"explicit, long header", DICOM_EXPLICIT_LE, S("\x09\x00\x10\x10OB\0\0\x02\0\0\0\x01\x02"), OK,
     "element 0 00091010 OB 1 2 0 @0 @12 +0 0102"},
    {"implicit", DICOM_IMPLICIT_LE, S("\x10\x00\x10\x00\x04\0\0\0A^B "), OK,
     "element 0 00100010 PN 0 4 0 @0 @8 +0 415e4220"},
    {"big endian", DICOM_EXPLICIT_BE, S("\x00\x28\x00\x10US\x00\x02\x02\x00"), OK,
     "element 0 00280010 US 2 2 0 @0 @8 +0 0200"},
    {"big endian, long header", DICOM_EXPLICIT_BE, S("\x7f\xe0\x00\x10OW\0\0\x00\x00\x00\x02\x01\x02"), OK,
     "element 0 7fe00010 OW 2 2 0 @0 @12 +0 0102"},
    {"sequence, undefined", DICOM_EXPLICIT_LE, S(SQ_UNDEFINED ITEM_UNDEFINED NAME ITEM_END SQ_END), OK,
     "element 1 00100010 PN 1 4 0 @20 @28"},
    {"sequence, undefined: its total", DICOM_EXPLICIT_LE,
     S(SQ_UNDEFINED ITEM_UNDEFINED NAME ITEM_END SQ_END), OK,
     "sequence-end 0 00400275 SQ 1 4294967295 0 @0 @12 +28"},
    {"sequence, defined", DICOM_EXPLICIT_LE, S(TAG_SQ "SQ\0\0\x14\0\0\0" ITEM_OF("\x0c") NAME), OK,
     "sequence-end 0 00400275 SQ 1 20 0 @0 @12 +20"},
    {"defined sequence, undefined item", DICOM_EXPLICIT_LE,
     S(TAG_SQ "SQ\0\0\x1c\0\0\0" ITEM_UNDEFINED NAME ITEM_END NAME), OK, "item-end 1 00400275"},
    {"empty sequence, defined", DICOM_EXPLICIT_LE, S(TAG_SQ "SQ\0\0\0\0\0\0" NAME), OK,
     "sequence-end 0 00400275"},
    {"empty sequence, undefined", DICOM_EXPLICIT_LE, S(SQ_UNDEFINED SQ_END NAME), OK,
     "sequence-end 0 00400275"},
    {"empty items", DICOM_EXPLICIT_LE, S(SQ_UNDEFINED ITEM_OF("\0") ITEM_UNDEFINED ITEM_END SQ_END NAME),
     OK, "item 1 00400275 SQ 1 4294967295 1"},
    {"UN of undefined length is implicit inside", DICOM_EXPLICIT_LE,
     S("\x09\x00\x10\x10UN\0\0\xff\xff\xff\xff" ITEM_UNDEFINED
       "\x10\x00\x10\x00\x04\0\0\0A^B " ITEM_END SQ_END NAME),
     OK, "element 1 00100010 PN 0 4 0"},
    {"… also in big endian", DICOM_EXPLICIT_BE,
     S("\x00\x09\x10\x10UN\0\0\xff\xff\xff\xff" ITEM_UNDEFINED
       "\x10\x00\x10\x00\x04\0\0\0A^B " ITEM_END SQ_END "\x00\x28\x00\x10US\x00\x02\x02\x00"),
     OK, "element 0 00280010 US 2 2 0"},
    {"… unless its items are explicit all the same", DICOM_EXPLICIT_LE,
     S("\x09\x00\x10\x10UN\0\0\xff\xff\xff\xff" ITEM_UNDEFINED NAME ITEM_END ITEM_UNDEFINED
       "\x10\x00\x10\x00\x04\0\0\0A^B " ITEM_END SQ_END NAME),
     OK, "element 1 00100010 PN 1 4 0 @20 @28"},
    {"UN of defined length is bytes", DICOM_EXPLICIT_LE, S("\x10\x00\x10\x00UN\0\0\x04\0\0\0A^B "), OK,
     "element 0 00100010 UN 1 4 0 @0 @12 +0 415e4220"},
    {"encapsulated", DICOM_EXPLICIT_LE,
     S(PIXELS_UNDEFINED ITEM_OF("\x04") "\0\0\0\0" ITEM_OF("\x02") "\xff\xd8" SQ_END), OK,
     "fragment 0 7fe00010 OB 1 2 1 @24 @32 +0 \n"},
    {"encapsulated: its offset table", DICOM_EXPLICIT_LE,
     S(PIXELS_UNDEFINED ITEM_OF("\x04") "\0\0\0\0" ITEM_OF("\x02") "\xff\xd8" SQ_END), OK,
     "fragment 0 7fe00010 OB 1 4 0 @12 @20 +0 00000000"},
    {"encapsulated: its total", DICOM_EXPLICIT_LE,
     S(PIXELS_UNDEFINED ITEM_OF("\0") ITEM_OF("\x02") "\xff\xd8" SQ_END
                                                      "\xfc\xff\xfc\xffOB\0\0\x02\0\0\0\0\0"),
     OK, "encapsulated-end 0 7fe00010 OB 1 4294967295 0 @0 @12 +18"},
    {"US or SS by Pixel Representation", DICOM_IMPLICIT_LE,
     S("\x28\x00\x03\x01\x02\0\0\0\x01\0\x28\x00\x06\x01\x02\0\0\0\xff\xff"), OK, "00280106 SS"},
    {"… unsigned", DICOM_IMPLICIT_LE, S("\x28\x00\x03\x01\x02\0\0\0\0\0\x28\x00\x06\x01\x02\0\0\0\xff\xff"),
     OK, "00280106 US"},
    // Odd but taken
    {"VR in lower case", DICOM_EXPLICIT_LE, S("\x10\x00\x10\x00pn\x04\0A^B " NAME), OK,
     "element 0 00100010 PN 1 4"},
    {"VR ??", DICOM_EXPLICIT_LE, S("\x10\x00\x10\x00\?\?\x04\0A^B " NAME), OK, "element 0 00100010 ?? 1 4"},
    {"VR of two NULs", DICOM_EXPLICIT_LE, S(NAME "\x10\x00\x20\x00\0\0\x04\0A^B " NAME), OK,
     "element 0 00100020 ?? 1 4"},
    {"a VR of the future", DICOM_EXPLICIT_LE, S("\x10\x00\x10\x00ZZ\0\0\x04\0\0\0A^B " NAME), OK,
     "element 0 00100010 ?? 1 4 0 @0 @12"},
    {"… with a short header", DICOM_EXPLICIT_LE, S("\x10\x00\x10\x00ZZ\x04\0A^B " NAME), OK,
     "element 0 00100010 ?? 1 4 0 @0 @8"},
    {"an implicit header among explicit ones", DICOM_EXPLICIT_LE,
     S(NAME "\x10\x00\x20\x00\x04\0\0\0A^B " NAME), OK, "element 0 00100020 LO 0 4"},
    {"implicit all along though declared explicit", DICOM_EXPLICIT_LE,
     S("\x08\x00\x16\x00\x02\0\0\0"
       "1\0"
       "\x10\x00\x20\x00\x04\0\0\0A^B "),
     OK, "element 0 00100020 LO 0 4"},
    {"explicit though declared implicit", DICOM_IMPLICIT_LE, S(NAME NAME), OK,
     "element 0 00100010 PN 1 4 0 @12"},
    {"an implicit item among explicit ones", DICOM_EXPLICIT_LE,
     S(SQ_UNDEFINED ITEM_UNDEFINED
       "\x10\x00\x10\x00\x04\0\0\0A^B " ITEM_END ITEM_UNDEFINED NAME ITEM_END SQ_END NAME),
     OK, "element 1 00100010 PN 0 4"},
    {"an odd length", DICOM_EXPLICIT_LE, S("\x10\x00\x10\x00PN\x03\0A^B" NAME), OK,
     "element 0 00100010 PN 1 3"},
    {"descending tags", DICOM_EXPLICIT_LE,
     S(NAME "\x08\x00\x60\x00"
            "CS\x02\0CT"),
     OK, "00080060 CS"},
    {"group 0002 inside", DICOM_EXPLICIT_LE,
     S("\x02\x00\x10\x00UI\x02\0"
       "1\0" NAME),
     OK, "00020010 UI"},
    {"a group length that lies", DICOM_EXPLICIT_LE, S("\x10\x00\x00\x00UL\x04\0\xff\xff\0\0" NAME), OK,
     "00100010"},
    {"zeros after the end", DICOM_EXPLICIT_LE, S(NAME "\0\0\0\0\0\0\0\0\0\0\0"), OK, "end 0 "},
    {"three zeros after the end", DICOM_EXPLICIT_LE, S(NAME "\0\0\0"), OK, "end 0 "},
    {"delimiters at the top", DICOM_EXPLICIT_LE, S(NAME ITEM_END SQ_END NAME), OK, "@28 @36"},
    {"a delimiter too many in a defined sequence", DICOM_EXPLICIT_LE,
     S(TAG_SQ "SQ\0\0\x1c\0\0\0" ITEM_OF("\x0c") NAME SQ_END NAME), OK, "@40 @48"},
    {"a delimiter too many in a defined item", DICOM_EXPLICIT_LE,
     S(TAG_SQ "SQ\0\0\x1c\0\0\0" ITEM_OF("\x14") NAME ITEM_END NAME), OK, "@40 @48"},
    {"no item delimiter before the sequence's", DICOM_EXPLICIT_LE,
     S(SQ_UNDEFINED ITEM_UNDEFINED NAME SQ_END NAME), OK,
     "sequence-end 0 00400275 SQ 1 4294967295 0 @0 @12 +20"},
    // Refused
    {"ends in a header", DICOM_EXPLICIT_LE, S("\x10\x00\x10"), ERR_TRUNCATED, "byte 0"},
    {"ends in a long header", DICOM_EXPLICIT_LE, S("\x09\x00\x10\x10OB\0\0\x02\0\0"), ERR_TRUNCATED,
     "byte 0"},
    {"ends in a value", DICOM_EXPLICIT_LE, S("\x10\x00\x10\x00PN\x04\0A^"), ERR_TRUNCATED, "(0010,0010)"},
    {"ends in a long value", DICOM_EXPLICIT_LE, S("\xe0\x7f\x10\x00OW\0\0\xfe\xff\xff\xff\0\0"),
     ERR_TRUNCATED, "(7fe0,0010)"},
    {"ends in an item", DICOM_EXPLICIT_LE, S(SQ_UNDEFINED ITEM_UNDEFINED NAME), ERR_TRUNCATED,
     "(0040,0275)[0]"},
    {"ends in a sequence", DICOM_EXPLICIT_LE, S(SQ_UNDEFINED ITEM_UNDEFINED NAME ITEM_END), ERR_TRUNCATED,
     "(0040,0275)"},
    {"ends in a defined sequence", DICOM_EXPLICIT_LE, S(TAG_SQ "SQ\0\0\x28\0\0\0" ITEM_OF("\x0c") NAME),
     ERR_TRUNCATED, "(0040,0275)"},
    {"ends before the offset table", DICOM_EXPLICIT_LE, S(PIXELS_UNDEFINED), ERR_TRUNCATED, "(7fe0,0010)"},
    {"ends in a fragment", DICOM_EXPLICIT_LE, S(PIXELS_UNDEFINED ITEM_OF("\0") ITEM_OF("\x04") "\xff\xd8"),
     ERR_TRUNCATED, "(7fe0,0010)"},
    {"ends after a fragment", DICOM_EXPLICIT_LE,
     S(PIXELS_UNDEFINED ITEM_OF("\0") ITEM_OF("\x02") "\xff\xd8"), ERR_TRUNCATED, "(7fe0,0010)"},
    {"zeros inside a sequence", DICOM_EXPLICIT_LE, S(SQ_UNDEFINED "\0\0\0\0\0\0\0\0\0\0\0\0"), ERR_SYNTAX,
     "(0040,0275)"},
    {"something after the zeros", DICOM_EXPLICIT_LE, S(NAME "\0\0\0\0\0\0\0\0\0\0\0\x01"), ERR_SYNTAX,
     "zeros"},
    {"an element leaves its item", DICOM_EXPLICIT_LE,
     S(TAG_SQ "SQ\0\0\x14\0\0\0" ITEM_OF("\x0a") NAME "    "), ERR_SYNTAX, "(0040,0275)[0]"},
    {"an item leaves its sequence", DICOM_EXPLICIT_LE, S(TAG_SQ "SQ\0\0\x12\0\0\0" ITEM_OF("\x0c") NAME),
     ERR_SYNTAX, "(0040,0275)"},
    {"a sequence leaves its item", DICOM_EXPLICIT_LE,
     S(SQ_UNDEFINED ITEM_OF("\x0c") TAG_SQ "SQ\0\0\x08\0\0\0" ITEM_OF("\0") SQ_END), ERR_SYNTAX,
     "(0040,0275)[0]"},
    {"a header leaves its item", DICOM_EXPLICIT_LE, S(SQ_UNDEFINED ITEM_OF("\x06") NAME SQ_END), ERR_SYNTAX,
     "header"},
    {"an undefined sequence outlasts its item", DICOM_EXPLICIT_LE,
     S(SQ_UNDEFINED ITEM_OF("\x0c") SQ_UNDEFINED SQ_END SQ_END), ERR_SYNTAX, "header"},
    {"an element between items", DICOM_EXPLICIT_LE, S(SQ_UNDEFINED NAME SQ_END), ERR_SYNTAX, "no item"},
    {"an item at the top", DICOM_EXPLICIT_LE, S(ITEM_OF("\0") NAME), ERR_SYNTAX, "out of place"},
    {"an item in an item", DICOM_EXPLICIT_LE, S(SQ_UNDEFINED ITEM_UNDEFINED ITEM_UNDEFINED NAME),
     ERR_SYNTAX, "out of place"},
    {"a delimiter with a length", DICOM_EXPLICIT_LE, S("\xfe\xff\x0d\xe0\x02\0\0\0\0\0"), ERR_SYNTAX,
     "out of place"},
    {"undefined length of a name", DICOM_EXPLICIT_LE, S("\x10\x00\x10\x00UT\0\0\xff\xff\xff\xff" ITEM_END),
     ERR_SYNTAX, "undefined length"},
    {"a fragment of undefined length", DICOM_EXPLICIT_LE, S(PIXELS_UNDEFINED ITEM_OF("\0") ITEM_UNDEFINED),
     ERR_SYNTAX, "fragment"},
    {"an element among fragments", DICOM_EXPLICIT_LE, S(PIXELS_UNDEFINED ITEM_OF("\0") NAME), ERR_SYNTAX,
     "no item"},
};

static void check(const struct row *row, enum err e, const struct fault *f, const struct buf *out) {
    const char *in = e == OK ? (const char *)out->p : f->detail;
    if (e != row->expected || !in || !strstr(in, row->has))
        fail_msg("%s: %s, wanted %s with \"%s\" in: %s", row->name, err_name(e), err_name(row->expected),
                 row->has, in);
}

static void test_rows(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct dicom_reader_options o = {.syntax = rows[i].syntax};
        struct buf out = BUF_INIT(1 << 20);
        struct fault f = {0};
        enum err e = trace(&o, slice_of(rows[i].bytes, rows[i].n), &out, &f);
        buf_u8(&out, 0);
        check(&rows[i], e, &f, &out);
        buf_fini(&out);
    }
}

static void same(const char *name, size_t at, enum err a, enum err b, const struct buf *x,
                 const struct buf *y) {
    if (a != b || !slice_eq(buf_slice(x), buf_slice(y)))
        fail_msg("%s, cut at %zu: %s instead of %s\n%.*s---\n%.*s", name, at, err_name(b), err_name(a),
                 (int)y->n, (const char *)y->p, (int)x->n, (const char *)x->p);
}

// However the bytes arrive, the events are the same.
static void test_cut_anywhere(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct dicom_reader_options o = {.syntax = rows[i].syntax, .value_max = 3};
        struct slice bytes = slice_of(rows[i].bytes, rows[i].n);
        struct buf whole = BUF_INIT(1 << 20), cut = BUF_INIT(1 << 20);
        enum err e = trace(&o, bytes, &whole, NULL);
        for (size_t at = 0; at <= bytes.n; at++) {
            buf_reset(&cut);
            same(rows[i].name, at, e, trace_split(&o, bytes, at, bytes.n + 1, &cut, NULL), &whole, &cut);
            buf_reset(&cut);
            same(rows[i].name, at, e, trace_split(&o, bytes, at, 1, &cut, NULL), &whole, &cut);
        }
        buf_fini(&whole);
        buf_fini(&cut);
    }
}

static void nest(struct buf *b, unsigned depth, bool undefined, bool close) {
    for (unsigned i = 0; i < depth; i++) {
        uint32_t left = (depth - i - 1) * 20;
        buf_append(b, TAG_SQ "SQ\0\0", 8);
        buf_u32le(b, undefined ? UINT32_MAX : left + 8);
        buf_append(b, "\xfe\xff\x00\xe0", 4);
        buf_u32le(b, undefined ? UINT32_MAX : left);
    }
    for (unsigned i = 0; i < depth && undefined && close; i++)
        buf_append(b, ITEM_END SQ_END, 16);
}

static void test_depth(void **state) {
    (void)state;
    static const struct {
        unsigned depth;
        enum err expected;
    } depths[] = {{1, OK}, {63, OK}, {64, OK}, {65, ERR_DEPTH}, {1000000, ERR_DEPTH}};
    const struct dicom_reader_options o = {.syntax = DICOM_EXPLICIT_LE};
    for (size_t i = 0; i < sizeof depths / sizeof depths[0]; i++)
        for (int undefined = 0; undefined < 2; undefined++) {
            struct buf b = BUF_INIT(64 << 20), out = BUF_INIT(1 << 20);
            struct fault f = {0};
            nest(&b, depths[i].depth, undefined, true);
            assert_int_equal(trace(&o, buf_slice(&b), &out, &f), depths[i].expected);
            buf_fini(&b);
            buf_fini(&out);
        }
}

static void test_pixels_in_deepest_item(void **state) {
    (void)state;
    const struct dicom_reader_options o = {.syntax = DICOM_EXPLICIT_LE};
    struct buf b = BUF_INIT(1 << 20), out = BUF_INIT(1 << 20);
    nest(&b, 64, true, false);
    buf_append(&b, S(PIXELS_UNDEFINED ITEM_OF("\0") SQ_END));
    for (int i = 0; i < 64; i++)
        buf_append(&b, ITEM_END SQ_END, 16);
    assert_int_equal(trace(&o, buf_slice(&b), &out, NULL), OK);
    buf_fini(&b);
    buf_fini(&out);
}

static void test_value_max(void **state) {
    (void)state;
    static const struct {
        size_t n;
        bool whole;
    } values[] = {{98, true}, {100, true}, {102, false}};
    const struct dicom_reader_options o = {.syntax = DICOM_EXPLICIT_LE, .value_max = 100};
    for (size_t i = 0; i < sizeof values / sizeof values[0]; i++) {
        struct buf b = BUF_INIT(1000), out = BUF_INIT(10000);
        buf_append(&b, "\x09\x00\x10\x10OB\0\0", 8);
        buf_u32le(&b, (uint32_t)values[i].n);
        memset(buf_extend(&b, values[i].n), 'x', values[i].n);
        buf_append(&b, S(NAME));
        assert_int_equal(trace_split(&o, buf_slice(&b), 17, 5, &out, NULL), OK);
        buf_u8(&out, 0);
        assert_int_equal(strncmp((char *)out.p, values[i].whole ? "element" : "bulk", 4), 0);
        assert_non_null(strstr((char *)out.p, "element 0 00100010"));
        buf_fini(&b);
        buf_fini(&out);
    }
}

// 4 GB less two bytes of pixels: skipped by count, with not a byte of them fed.
static void test_4gb_skipped(void **state) {
    (void)state;
    const struct dicom_reader_options o = {.syntax = DICOM_EXPLICIT_LE};
    struct buf out = BUF_INIT(10000);
    struct dicom_reader *r = dicom_reader_new(&o, trace_event, &out);
    assert_int_equal(dicom_reader_feed(r, slice_of(S("\xe0\x7f\x10\x00OW\0\0\xfe\xff\xff\xff\0\0")), NULL),
                     OK);
    assert_int_equal(dicom_reader_skippable(r), 0xFFFFFFFCu);
    dicom_reader_skip(r, 0xFFFFFFFCu);
    assert_int_equal(dicom_reader_feed(r, slice_of(S("\xfc\xff\xfc\xffOB\0\0\0\0\0\0")), NULL), OK);
    assert_int_equal(dicom_reader_finish(r, NULL), OK);
    buf_u8(&out, 0);
    assert_non_null(strstr((char *)out.p, "element 0 fffcfffc OB 1 0 0 @4294967306"));
    dicom_reader_free(r);
    buf_fini(&out);
}

static void deflate_into(struct buf *out, struct slice s) {
    z_stream z = {0};
    assert_int_equal(deflateInit2(&z, 9, Z_DEFLATED, -MAX_WBITS, 9, Z_DEFAULT_STRATEGY), Z_OK);
    z.next_in = (Bytef *)(uintptr_t)s.p;
    z.avail_in = (uInt)s.n;
    size_t max = deflateBound(&z, s.n);
    z.next_out = buf_extend(out, max);
    z.avail_out = (uInt)max;
    assert_int_equal(deflate(&z, Z_FINISH), Z_STREAM_END);
    out->n -= z.avail_out;
    deflateEnd(&z);
}

static void test_deflated(void **state) {
    (void)state;
    static const struct {
        const char *name;
        size_t cut, add;
        enum err expected;
    } cases[] = {{"whole", 0, 0, OK}, {"padded", 0, 1, OK}, {"trailing bytes", 0, 9, OK},
                 {"cut off by one", 1, 0, ERR_TRUNCATED}, {"cut off to nothing", SIZE_MAX, 0, ERR_TRUNCATED}};
    struct slice plain = slice_of(S(SQ_UNDEFINED ITEM_UNDEFINED NAME ITEM_END SQ_END));
    const struct dicom_reader_options deflated = {.deflated = true}, not = {.syntax = DICOM_EXPLICIT_LE};
    struct buf want = BUF_INIT(10000), z = BUF_INIT(10000), out = BUF_INIT(10000);
    assert_int_equal(trace(&not, plain, &want, NULL), OK);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        buf_reset(&z);
        deflate_into(&z, plain);
        z.n -= cases[i].cut < z.n ? cases[i].cut : z.n;
        memset(buf_extend(&z, cases[i].add), 0x55, cases[i].add);
        for (size_t step = 1; step < z.n + 2; step++) {
            buf_reset(&out);
            assert_int_equal(trace_split(&deflated, buf_slice(&z), step, step, &out, NULL),
                             cases[i].expected);
            assert_true(cases[i].expected != OK || slice_eq(buf_slice(&want), buf_slice(&out)));
        }
    }
    assert_int_equal(trace(&deflated, slice_of(S("\xff\xff\xff\xff")), &out, NULL), ERR_INFLATE);
    buf_fini(&want);
    buf_fini(&z);
    buf_fini(&out);
}

static void test_deflated_limits(void **state) {
    (void)state;
    // 1 MB of zeros as a value deflates to about 1 KB: a ratio of 1000.
    static const struct {
        struct dicom_reader_options o;
        enum err expected;
    } cases[] = {
        {{.deflated = true}, OK},
        {{.deflated = true, .inflate_max_bytes = 1000012}, OK},
        {{.deflated = true, .inflate_max_bytes = 1000011}, ERR_LIMIT},
        {{.deflated = true, .inflate_free_bytes = 500000, .inflate_ratio_max = 100}, ERR_LIMIT},
        {{.deflated = true, .inflate_free_bytes = 500000, .inflate_ratio_max = 1100}, OK},
    };
    struct buf b = BUF_INIT(2 << 20), z = BUF_INIT(2 << 20);
    buf_append(&b, "\xe0\x7f\x10\x00OW\0\0\x40\x42\x0f\0", 12);
    memset(buf_extend(&b, 1000000), 0, 1000000);
    deflate_into(&z, buf_slice(&b));
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct buf out = BUF_INIT(10000);
        assert_int_equal(trace(&cases[i].o, buf_slice(&z), &out, NULL), cases[i].expected);
        buf_fini(&out);
    }
    buf_fini(&b);
    buf_fini(&z);
}

static enum err count_chunks(void *ctx, const struct dicom_event *ev, struct fault *f) {
    (void)f;
    struct buf *out = ctx;
    if (ev->kind == DICOM_EV_CHUNK)
        buf_append_slice(out, ev->value);
    return OK;
}

static void test_chunks(void **state) {
    (void)state;
    const struct dicom_reader_options o = {.syntax = DICOM_EXPLICIT_LE, .chunks = true, .value_max = 2};
    struct slice s = slice_of(S("\x09\x00\x10\x10OB\0\0\x06\0\0\0abcdef" PIXELS_UNDEFINED ITEM_OF("\0")
                                ITEM_OF("\x04") "ghij" ITEM_OF("\x02") "kl" SQ_END));
    struct buf out = BUF_INIT(100);
    assert_int_equal(dicom_read(&o, s, count_chunks, &out, NULL), OK);
    assert_true(slice_eq_str(buf_slice(&out), "abcdefghijkl"));
    buf_fini(&out);
}

static enum err refuse(void *ctx, const struct dicom_event *ev, struct fault *f) {
    (void)ctx;
    return ev->tag == 0x00100010 ? fault_set(f, ERR_DENIED, "no names") : OK;
}

static void test_handler_refuses(void **state) {
    (void)state;
    const struct dicom_reader_options o = {.syntax = DICOM_EXPLICIT_LE};
    struct fault f = {0};
    struct dicom_reader *r = dicom_reader_new(&o, refuse, NULL);
    assert_int_equal(dicom_reader_feed(r, slice_of(S(NAME NAME)), &f), ERR_DENIED);
    assert_string_equal(f.detail, "no names");
    assert_int_equal(dicom_reader_feed(r, slice_of(S(NAME)), NULL), ERR_DENIED); // for good
    assert_int_equal(dicom_reader_finish(r, NULL), ERR_DENIED);
    // A reset makes it new.
    assert_int_equal(dicom_reader_reset(r, &o, NULL), OK);
    assert_int_equal(dicom_reader_feed(r, slice_of(S("\x08\x00\x60\x00" "CS\x02\0CT")), NULL), OK);
    assert_int_equal(dicom_reader_finish(r, NULL), OK);
    dicom_reader_free(r);
}

static void test_oddities(void **state) {
    (void)state;
    const struct dicom_reader_options o = {.syntax = DICOM_EXPLICIT_LE};
    struct buf out = BUF_INIT(10000);
    struct dicom_reader *r = dicom_reader_new(&o, trace_event, &out);
    struct slice s = slice_of(
        S("\x10\x00\x10\x00PN\x03\0A^B" NAME "\x02\x00\x10\x00\?\?\x00\0" ITEM_END "\0\0"));
    assert_int_equal(dicom_reader_feed(r, s, NULL), OK);
    assert_int_equal(dicom_reader_finish(r, NULL), OK);
    const struct dicom_oddities *odd = dicom_reader_oddities(r);
    assert_int_equal(odd->out_of_order, 2);
    assert_int_equal(odd->odd_lengths, 1);
    assert_int_equal(odd->unknown_vrs, 1);
    assert_int_equal(odd->stray_delimiters, 1);
    assert_int_equal(odd->trailing_bytes, 2);
    assert_true(odd->group_0002);
    dicom_reader_free(r);
    buf_fini(&out);
}

// Ten million empty items: time and memory stay within what was fed.
static void test_many_empty_items(void **state) {
    (void)state;
    const struct dicom_reader_options o = {.syntax = DICOM_EXPLICIT_LE};
    struct buf some = BUF_INIT(1 << 20);
    struct dicom_reader *r = dicom_reader_new(&o, refuse, NULL);
    for (int i = 0; i < 10000; i++)
        buf_append(&some, ITEM_OF("\0"), 8);
    assert_int_equal(dicom_reader_feed(r, slice_of(S(SQ_UNDEFINED)), NULL), OK);
    for (int i = 0; i < 1000; i++)
        assert_int_equal(dicom_reader_feed(r, buf_slice(&some), NULL), OK);
    assert_int_equal(dicom_reader_feed(r, slice_of(S(SQ_END)), NULL), OK);
    assert_int_equal(dicom_reader_finish(r, NULL), OK);
    dicom_reader_free(r);
    buf_fini(&some);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rows),           cmocka_unit_test(test_cut_anywhere),
        cmocka_unit_test(test_depth),          cmocka_unit_test(test_pixels_in_deepest_item),
        cmocka_unit_test(test_value_max),      cmocka_unit_test(test_4gb_skipped),
        cmocka_unit_test(test_deflated),       cmocka_unit_test(test_deflated_limits),
        cmocka_unit_test(test_chunks),         cmocka_unit_test(test_handler_refuses),
        cmocka_unit_test(test_oddities),       cmocka_unit_test(test_many_empty_items),
    };
    return cmocka_run_group_tests_name("dicom/reader", tests, NULL, NULL);
}
