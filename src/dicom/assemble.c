#include "dicom/assemble.h"

#include <stdlib.h>

#include "dicom/writer.h"
#include "std/tag.h"

enum {
    PIECE_BYTES = 16 * 1024, // small values are collected up to here
    BORROW_BYTES = 4 * 1024, // longer ones are handed out where they lie
};
#define LONGEST (DICOM_LENGTH_UNDEFINED - 1)

enum state {
    ELEMENTS, // between elements
    VALUE,    // a header has been handed out, its value is next
    BULK,     // the caller is to say how long it is
    FRAGMENTS,
};

// A data set being written, and the sequence whose item it is.
struct frame {
    const struct dicom_dataset *ds;
    size_t next;
    const struct dicom_element *parent;
    size_t item;
};

struct dicom_assembler {
    enum state state;
    struct buf out;
    const struct dicom_element *element; // VALUE, BULK, FRAGMENTS
    bool odd;                            // what was sent last is to be padded
    size_t depth;
    struct frame stack[DICOM_DEPTH_MAX + 1];
};

struct dicom_assembler *dicom_assembler_new(const struct dicom_dataset *ds) {
    struct dicom_assembler *a = calloc(1, sizeof *a);
    if (!a)
        return NULL;
    a->out = BUF_INIT(2 * PIECE_BYTES);
    a->stack[0].ds = ds;
    return a;
}

void dicom_assembler_free(struct dicom_assembler *a) {
    if (a)
        buf_fini(&a->out);
    free(a);
}

static void put_item_tag(struct buf *out, uint32_t tag, uint32_t length) {
    buf_u16le(out, (uint16_t)(tag >> 16));
    buf_u16le(out, (uint16_t)tag);
    buf_u32le(out, length);
}

// --- Elements -----------------------------------------------------------------------------------

static void begin_item(struct dicom_assembler *a) {
    struct frame *fr = &a->stack[a->depth];
    fr->ds = dicom_items_at(fr->parent, fr->item);
    fr->next = 0;
    put_item_tag(&a->out, TAG_Item, DICOM_LENGTH_UNDEFINED);
}

static enum err begin_sequence(struct dicom_assembler *a, const struct dicom_element *e, struct fault *f) {
    if (dicom_items_count(e) == 0) {
        dicom_write_header(&a->out, DICOM_EXPLICIT_LE, e->tag, VR_SQ, 0);
        return OK;
    }
    if (a->depth == DICOM_DEPTH_MAX)
        return fault_set(f, ERR_DEPTH, "data set to encode");
    dicom_write_header(&a->out, DICOM_EXPLICIT_LE, e->tag, VR_SQ, DICOM_LENGTH_UNDEFINED);
    a->stack[++a->depth] = (struct frame){.parent = e};
    begin_item(a);
    return OK;
}

static void end_item(struct dicom_assembler *a) {
    struct frame *fr = &a->stack[a->depth];
    put_item_tag(&a->out, TAG_ItemDelimitationItem, 0);
    if (++fr->item < dicom_items_count(fr->parent)) {
        begin_item(a);
        return;
    }
    put_item_tag(&a->out, TAG_SequenceDelimitationItem, 0);
    a->depth--;
}

static enum err put_value(struct dicom_assembler *a, const struct dicom_element *e, struct fault *f) {
    if (e->value.n > LONGEST)
        return fault_set(f, ERR_LIMIT, "a value of 4 GB");
    if (e->value.n <= BORROW_BYTES) {
        dicom_write_element(&a->out, DICOM_EXPLICIT_LE, e->tag, e->vr, e->value);
        return OK;
    }
    dicom_write_header(&a->out, DICOM_EXPLICIT_LE, e->tag, e->vr, (uint32_t)(e->value.n + (e->value.n & 1)));
    a->element = e;
    a->state = VALUE;
    return OK;
}

// One element, or the end of an item. *ret_done: that was the last.
static enum err step(struct dicom_assembler *a, struct fault *f, bool *ret_done) {
    struct frame *fr = &a->stack[a->depth];
    const struct dicom_element *e = dicom_dataset_at(fr->ds, fr->next);
    *ret_done = !e && a->depth == 0;
    if (*ret_done)
        return OK;
    if (!e) {
        end_item(a);
        return OK;
    }
    fr->next++;
    if (e->is_ref) {
        a->element = e;
        a->state = BULK;
        return OK;
    }
    return e->is_sequence ? begin_sequence(a, e, f) : put_value(a, e, f);
}

static void pad(struct dicom_assembler *a) {
    if (a->odd)
        buf_u8(&a->out, std_vr_info(a->element->vr)->pad);
    a->odd = false;
}

static enum err check(const struct dicom_assembler *a, struct fault *f) {
    return buf_ok(&a->out) ? OK : fault_set(f, ERR_NO_MEMORY, "to encode a data set");
}

static struct dicom_piece piece_of(struct dicom_assembler *a) {
    if (a->out.n > 0)
        return (struct dicom_piece){.kind = DICOM_PIECE_BYTES, .bytes = buf_slice(&a->out)};
    if (a->state != BULK)
        return (struct dicom_piece){.kind = DICOM_PIECE_END};
    return (struct dicom_piece){.kind = DICOM_PIECE_BULK,
                                .bulk = a->element->ref.offset,
                                .tag = a->element->tag,
                                .vr = (enum vr)a->element->vr,
                                .depth = (unsigned)a->depth};
}

enum err dicom_assembler_next(struct dicom_assembler *a, struct fault *f, struct dicom_piece *ret_piece) {
    bug_unless(a->state != FRAGMENTS);
    buf_reset(&a->out);
    if (a->state == VALUE) {
        a->state = ELEMENTS;
        a->odd = a->element->value.n & 1;
        *ret_piece = (struct dicom_piece){.kind = DICOM_PIECE_BYTES, .bytes = a->element->value};
        return OK;
    }
    pad(a);
    enum err e = OK;
    for (bool done = false; !done && e == OK && a->state == ELEMENTS && a->out.n < PIECE_BYTES;)
        e = step(a, f, &done);
    if (e == OK)
        e = check(a, f);
    if (e == OK)
        *ret_piece = piece_of(a);
    return e;
}

// --- Bulk data ----------------------------------------------------------------------------------

enum err dicom_assembler_value(struct dicom_assembler *a, uint64_t bytes, struct fault *f,
                               struct slice *ret_header) {
    bug_unless(a->state == BULK);
    if (bytes > LONGEST)
        return fault_set(f, ERR_LIMIT, "bulk data of 4 GB");
    buf_reset(&a->out);
    dicom_write_header(&a->out, DICOM_EXPLICIT_LE, a->element->tag, a->element->vr,
                       (uint32_t)(bytes + (bytes & 1)));
    a->odd = bytes & 1;
    a->state = ELEMENTS;
    *ret_header = buf_slice(&a->out);
    return check(a, f);
}

enum err dicom_assembler_fragments(struct dicom_assembler *a, struct fault *f, struct slice *ret_header) {
    bug_unless(a->state == BULK);
    if (a->element->tag != TAG_PixelData)
        return fault_set(f, ERR_SYNTAX, "fragments of what is no pixel data");
    buf_reset(&a->out);
    dicom_write_header(&a->out, DICOM_EXPLICIT_LE, a->element->tag, VR_OB, DICOM_LENGTH_UNDEFINED);
    put_item_tag(&a->out, TAG_Item, 0); // the Basic Offset Table
    a->state = FRAGMENTS;
    *ret_header = buf_slice(&a->out);
    return check(a, f);
}

static void pad_fragment(struct dicom_assembler *a) {
    if (a->odd)
        buf_u8(&a->out, 0);
    a->odd = false;
}

enum err dicom_assembler_fragment(struct dicom_assembler *a, uint64_t bytes, struct fault *f,
                                  struct slice *ret_header) {
    bug_unless(a->state == FRAGMENTS);
    if (bytes > LONGEST)
        return fault_set(f, ERR_LIMIT, "a fragment of 4 GB");
    buf_reset(&a->out);
    pad_fragment(a);
    put_item_tag(&a->out, TAG_Item, (uint32_t)(bytes + (bytes & 1)));
    a->odd = bytes & 1;
    *ret_header = buf_slice(&a->out);
    return check(a, f);
}

enum err dicom_assembler_fragments_end(struct dicom_assembler *a, struct fault *f, struct slice *ret_end) {
    bug_unless(a->state == FRAGMENTS);
    buf_reset(&a->out);
    pad_fragment(a);
    put_item_tag(&a->out, TAG_SequenceDelimitationItem, 0);
    a->state = ELEMENTS;
    *ret_end = buf_slice(&a->out);
    return check(a, f);
}
