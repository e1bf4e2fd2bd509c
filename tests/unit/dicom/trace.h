// Events of a reader as text, one line each, so that tests compare what was read.
#ifndef TEST_DICOM_TRACE_H
#define TEST_DICOM_TRACE_H

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/buf.h"
#include "dicom/reader.h"

// Pieces of explicit little endian data sets.
#define TAG_SQ "\x40\x00\x75\x02" // (0040,0275)
#define SQ_UNDEFINED TAG_SQ "SQ\0\0\xff\xff\xff\xff"
#define ITEM_UNDEFINED "\xfe\xff\x00\xe0\xff\xff\xff\xff"
#define ITEM_OF(n) "\xfe\xff\x00\xe0" n "\0\0\0"
#define ITEM_END "\xfe\xff\x0d\xe0\0\0\0\0"
#define SQ_END "\xfe\xff\xdd\xe0\0\0\0\0"
#define NAME "\x10\x00\x10\x00PN\x04\0A^B " // 12 bytes
#define PIXELS_UNDEFINED "\xe0\x7f\x10\x00OB\0\0\xff\xff\xff\xff"

static inline enum err trace_event(void *ctx, const struct dicom_event *ev, struct fault *f) {
    static const char *const kind[] = {"element", "bulk", "sequence", "sequence-end", "item", "item-end",
                                       "encapsulated", "fragment", "encapsulated-end", "chunk", "end"};
    struct buf *out = ctx;
    if (ev->kind == DICOM_EV_CHUNK)
        return OK; // how a value is cut into chunks depends on how it was fed
    buf_printf(out, "%s %u %08x %s %d %u %u @%llu @%llu +%llu ", kind[ev->kind], ev->depth, ev->tag,
               std_vr_info(ev->vr)->code, ev->syntax, ev->length, ev->item, (unsigned long long)ev->header_at,
               (unsigned long long)ev->offset, (unsigned long long)ev->total);
    for (size_t i = 0; i < ev->value.n; i++)
        buf_printf(out, "%02x", ev->value.p[i]);
    buf_u8(out, '\n');
    return buf_ok(out) ? OK : fault_set(f, ERR_LIMIT, "trace");
}

// Feeds `bytes` in pieces of `step` bytes, the first one of `first`.
static inline enum err trace_split(const struct dicom_reader_options *o, struct slice bytes, size_t first,
                                   size_t step, struct buf *out, struct fault *f) {
    struct dicom_reader *r = dicom_reader_new(o, trace_event, out);
    assert_non_null(r);
    enum err e = OK;
    for (size_t at = 0, n = first; at < bytes.n && e == OK; at += n, n = step)
        e = dicom_reader_feed(r, slice_sub(bytes, at, n), f);
    if (e == OK)
        e = dicom_reader_finish(r, f);
    dicom_reader_free(r);
    return e;
}

static inline enum err trace(const struct dicom_reader_options *o, struct slice bytes, struct buf *out,
                             struct fault *f) {
    return trace_split(o, bytes, bytes.n, bytes.n, out, f);
}

#endif
