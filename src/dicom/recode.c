#include "dicom/recode.h"

#include <stdlib.h>

#include "dicom/reader.h"
#include "dicom/writer.h"
#include "std/tag.h"

#define ITEM 0xFFFEE000u
#define ITEM_END 0xFFFEE00Du
#define SEQUENCE_END 0xFFFEE0DDu

struct dicom_recoder {
    struct dicom_reader *reader;
    enum dicom_syntax to;
    struct buf *out; // of the call under way
    enum vr bulk_vr;      // of the long value passing by
    uint64_t bulk_length; // … its length
    uint64_t bulk_left;   // … and what is still to come of it
    bool swap;
    uint8_t carry[8]; // the beginning of a unit whose end is in the next chunk
    size_t carried;
};

static bool uncompressed(const struct std_ts *ts) {
    return ts->family == TS_FAMILY_NATIVE && !ts->encapsulated;
}

bool dicom_recode_possible(const struct std_ts *from, const struct std_ts *to) {
    return from && to && uncompressed(from) && uncompressed(to) && !to->deflated;
}

static enum dicom_syntax syntax_of(const struct std_ts *ts) {
    return !ts->explicit_vr ? DICOM_IMPLICIT_LE : ts->big_endian ? DICOM_EXPLICIT_BE : DICOM_EXPLICIT_LE;
}

static bool big(enum dicom_syntax s) {
    return s == DICOM_EXPLICIT_BE;
}

static void put_delimiter(struct dicom_recoder *r, uint32_t tag, uint32_t length) {
    if (big(r->to)) {
        buf_u16be(r->out, (uint16_t)(tag >> 16));
        buf_u16be(r->out, (uint16_t)tag);
        buf_u32be(r->out, length);
    } else {
        buf_u16le(r->out, (uint16_t)(tag >> 16));
        buf_u16le(r->out, (uint16_t)tag);
        buf_u32le(r->out, length);
    }
}

static void put_value(struct dicom_recoder *r, enum vr vr, struct slice value, bool swap) {
    uint8_t *at = buf_extend(r->out, value.n);
    if (!at || value.n == 0)
        return;
    memcpy(at, value.p, value.n);
    if (swap)
        dicom_swap(vr, at, value.n);
}

static void pad(struct dicom_recoder *r, enum vr vr, uint64_t length) {
    if (length & 1)
        buf_u8(r->out, std_vr_info(vr)->pad);
}

// Units that a chunk cuts in two are put together before they are swapped.
static void put_units(struct dicom_recoder *r, struct slice chunk) {
    size_t unit = r->swap ? std_vr_info(r->bulk_vr)->swap_bytes : 1;
    if (unit <= 1) {
        buf_append_slice(r->out, chunk);
        return;
    }
    while (chunk.n > 0 && r->carried > 0) {
        r->carry[r->carried++] = chunk.p[0];
        chunk = slice_sub(chunk, 1, chunk.n);
        if (r->carried == unit) {
            put_value(r, r->bulk_vr, slice_of(r->carry, unit), true);
            r->carried = 0;
        }
    }
    size_t whole = chunk.n - chunk.n % unit;
    put_value(r, r->bulk_vr, slice_sub(chunk, 0, whole), true);
    for (size_t i = whole; i < chunk.n; i++)
        r->carry[r->carried++] = chunk.p[i];
}

static void put_chunk(struct dicom_recoder *r, struct slice chunk) {
    put_units(r, chunk);
    r->bulk_left -= chunk.n;
    if (r->bulk_left > 0)
        return;
    buf_append(r->out, r->carry, r->carried); // what is no whole unit stays as it is
    r->carried = 0;
    pad(r, r->bulk_vr, r->bulk_length);
}

// Odd lengths, which some senders write, are made even (PS3.5 7.1.1).
static void put_header(struct dicom_recoder *r, uint32_t tag, enum vr vr, uint64_t length) {
    dicom_write_header(r->out, r->to, tag, vr, (uint32_t)(length + (length & 1)));
}

static void begin_bulk(struct dicom_recoder *r, const struct dicom_event *ev, enum vr vr, bool swap) {
    put_header(r, ev->tag, vr, ev->length);
    r->bulk_vr = vr;
    r->bulk_length = r->bulk_left = ev->length;
    r->swap = swap;
    r->carried = 0;
}

static enum err on_event(void *ctx, const struct dicom_event *ev, struct fault *f) {
    struct dicom_recoder *r = ctx;
    enum vr vr = ev->vr == VR_UNKNOWN ? VR_UN : ev->vr;
    bool swap = big(ev->syntax) != big(r->to);
    switch (ev->kind) {
    case DICOM_EV_ELEMENT:
        if (tag_is_group_length(ev->tag))
            break;
        put_header(r, ev->tag, vr, ev->value.n);
        put_value(r, vr, ev->value, swap);
        pad(r, vr, ev->value.n);
        break;
    case DICOM_EV_BULK:
        begin_bulk(r, ev, vr, swap);
        break;
    case DICOM_EV_CHUNK:
        put_chunk(r, ev->value);
        break;
    case DICOM_EV_SEQUENCE:
        dicom_write_header(r->out, r->to, ev->tag, VR_SQ, DICOM_LENGTH_UNDEFINED);
        break;
    case DICOM_EV_SEQUENCE_END:
        put_delimiter(r, SEQUENCE_END, 0);
        break;
    case DICOM_EV_ITEM:
        put_delimiter(r, ITEM, DICOM_LENGTH_UNDEFINED);
        break;
    case DICOM_EV_ITEM_END:
        put_delimiter(r, ITEM_END, 0);
        break;
    case DICOM_EV_ENCAPSULATED:
    case DICOM_EV_FRAGMENT:
    case DICOM_EV_ENCAPSULATED_END:
        return fault_set(f, ERR_UNSUPPORTED, "compressed pixel data in an uncompressed transfer syntax");
    case DICOM_EV_END:
        break;
    }
    return buf_check(r->out, f, "re-encoded data");
}

struct dicom_recoder *dicom_recoder_new(const struct std_ts *from, const struct std_ts *to) {
    struct dicom_reader_options o;
    struct dicom_recoder *r = calloc(1, sizeof *r);
    if (!r || !dicom_reader_options_for(from, &o)) {
        free(r);
        return NULL;
    }
    o.chunks = true;
    r->to = syntax_of(to);
    r->reader = dicom_reader_new(&o, on_event, r);
    if (r->reader)
        return r;
    free(r);
    return NULL;
}

void dicom_recoder_free(struct dicom_recoder *r) {
    if (r)
        dicom_reader_free(r->reader);
    free(r);
}

enum err dicom_recoder_feed(struct dicom_recoder *r, struct slice in, struct buf *out, struct fault *f) {
    r->out = out;
    return dicom_reader_feed(r->reader, in, f);
}

enum err dicom_recoder_finish(struct dicom_recoder *r, struct buf *out, struct fault *f) {
    r->out = out;
    return dicom_reader_finish(r->reader, f);
}
