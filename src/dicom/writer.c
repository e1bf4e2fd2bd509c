#include "dicom/writer.h"

#include "dicom/header.h"

enum { SHORT_MAX = 65534 };

static void put_u16(struct buf *out, enum dicom_syntax s, uint16_t v) {
    if (s == DICOM_EXPLICIT_BE)
        buf_u16be(out, v);
    else
        buf_u16le(out, v);
}

static void put_u32(struct buf *out, enum dicom_syntax s, uint32_t v) {
    if (s == DICOM_EXPLICIT_BE)
        buf_u32be(out, v);
    else
        buf_u32le(out, v);
}

static void put_tag(struct buf *out, enum dicom_syntax s, uint32_t tag) {
    put_u16(out, s, (uint16_t)(tag >> 16));
    put_u16(out, s, (uint16_t)tag);
}

void dicom_write_header(struct buf *out, enum dicom_syntax s, uint32_t tag, enum vr vr, uint32_t length) {
    put_tag(out, s, tag);
    if (s == DICOM_IMPLICIT_LE) {
        put_u32(out, s, length);
        return;
    }
    if (vr == VR_UNKNOWN || (!std_vr_info(vr)->long_header && length > SHORT_MAX))
        vr = VR_UN;
    buf_append(out, std_vr_info(vr)->code, 2);
    if (std_vr_info(vr)->long_header) {
        buf_u16le(out, 0);
        put_u32(out, s, length);
    } else {
        put_u16(out, s, (uint16_t)length);
    }
}

void dicom_write_element(struct buf *out, enum dicom_syntax s, uint32_t tag, enum vr vr, struct slice value) {
    if (value.n >= DICOM_LENGTH_UNDEFINED - 1) {
        buf_fail(out, ERR_LIMIT);
        return;
    }
    dicom_write_header(out, s, tag, vr, (uint32_t)(value.n + (value.n & 1)));
    size_t at = out->n;
    buf_append_slice(out, value);
    if (s == DICOM_EXPLICIT_BE && buf_ok(out))
        dicom_swap(vr, out->p + at, value.n);
    if (value.n & 1)
        buf_u8(out, std_vr_info(vr)->pad);
}

void dicom_write_str(struct buf *out, enum dicom_syntax s, uint32_t tag, enum vr vr, const char *value) {
    dicom_write_element(out, s, tag, vr, slice_str(value));
}

void dicom_write_u16(struct buf *out, enum dicom_syntax s, uint32_t tag, uint16_t v) {
    dicom_write_header(out, s, tag, VR_US, 2);
    put_u16(out, s, v);
}

void dicom_write_u32(struct buf *out, enum dicom_syntax s, uint32_t tag, uint32_t v) {
    dicom_write_header(out, s, tag, VR_UL, 4);
    put_u32(out, s, v);
}

// A sequence being written: lengths are filled in when it ends.
struct frame {
    const struct dicom_dataset *ds;
    size_t next;                        // element to write
    const struct dicom_element *parent; // the sequence this item is in, and which item it is
    size_t item;
    size_t sequence_at, item_at;        // where the lengths go
};

static void patch_length(struct buf *out, enum dicom_syntax s, size_t at) {
    if (!buf_ok(out))
        return;
    size_t n = out->n - at - 4;
    if (n >= DICOM_LENGTH_UNDEFINED) {
        buf_fail(out, ERR_LIMIT);
        return;
    }
    size_t end = out->n;
    out->n = at; // the four bytes are there: this only overwrites them
    put_u32(out, s, (uint32_t)n);
    out->n = end;
}

static size_t begin_item(struct buf *out, enum dicom_syntax s) {
    put_tag(out, s, TAG_Item);
    put_u32(out, s, 0);
    return out->n - 4;
}

// Goes down into a sequence that has items. False: it has none, and is written.
static bool enter(struct buf *out, enum dicom_syntax s, const struct dicom_element *e, struct frame *child) {
    dicom_write_header(out, s, e->tag, VR_SQ, 0);
    if (dicom_items_count(e) == 0)
        return false;
    *child = (struct frame){.ds = dicom_items_at(e, 0), .parent = e, .sequence_at = out->n - 4};
    child->item_at = begin_item(out, s);
    return true;
}

// The item is written: on to the next one. False: that was the last.
static bool next_item(struct buf *out, enum dicom_syntax s, struct frame *fr) {
    patch_length(out, s, fr->item_at);
    if (++fr->item >= dicom_items_count(fr->parent)) {
        patch_length(out, s, fr->sequence_at);
        return false;
    }
    fr->ds = dicom_items_at(fr->parent, fr->item);
    fr->next = 0;
    fr->item_at = begin_item(out, s);
    return true;
}

enum err dicom_dataset_write(const struct dicom_dataset *ds, enum dicom_syntax s, struct buf *out,
                             struct fault *f) {
    struct frame stack[DICOM_DEPTH_MAX + 1] = {{.ds = ds}};
    size_t depth = 0;
    for (;;) {
        struct frame *top = &stack[depth];
        const struct dicom_element *e = dicom_dataset_at(top->ds, top->next++);
        if (!buf_ok(out))
            return fault_set(f, ERR_LIMIT, "encoded data set longer than %zu bytes", out->max);
        if (!e && depth == 0)
            return OK;
        if (!e) {
            if (!next_item(out, s, top))
                depth--;
        } else if (e->is_ref) {
            return fault_set(f, ERR_UNSUPPORTED, "a reference can't be encoded");
        } else if (!e->is_sequence) {
            dicom_write_element(out, s, e->tag, e->vr, e->value);
        } else if (depth == DICOM_DEPTH_MAX) {
            return fault_set(f, ERR_DEPTH, "data set to encode");
        } else if (enter(out, s, e, &stack[depth + 1])) {
            depth++;
        }
    }
}
