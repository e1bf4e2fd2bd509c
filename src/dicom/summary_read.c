// Summaries read back. They are ours: explicit little endian with defined lengths only (dicom/summary.h),
// so that nothing needs copying; still every length is checked.
#include "base/rd.h"
#include "dicom/header.h"
#include "dicom/summary.h"

static uint32_t u32(const uint8_t *p) {
    return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

static uint16_t u16(const uint8_t *p) {
    return (uint16_t)(p[0] | p[1] << 8);
}

// A reference: the value is where the bytes are.
static bool read_ref(struct dicom_element *e) {
    struct rd v = rd_init(e->value);
    e->ref.offset = rd_u64le(&v);
    e->ref.length = rd_u64le(&v);
    e->value = slice_of(NULL, 0);
    return rd_done(&v);
}

// One element at the reader's position; its value (for a sequence its items) is passed over. Metadata of a
// series are some ten thousand of them, so this looks at the bytes itself.
static bool read_element(struct rd *r, struct dicom_element *ret_element) {
    const uint8_t *p = r->p;
    if (rd_left(r) < HEADER_MIN)
        return false;
    bool is_ref = p[4] == 'B' && p[5] == 'R';
    enum vr vr = is_ref ? std_vr_from_code(p[6], p[7]) : std_vr_from_code(p[4], p[5]);
    uint32_t length = u16(p + 6);
    size_t head = HEADER_MIN;
    if (is_ref || std_vr_info(vr)->long_header) {
        head = HEADER_MAX;
        if (rd_left(r) < head)
            return false;
        length = u32(p + 8);
    }
    if (vr == VR_UNKNOWN || length > rd_left(r) - head)
        return false;
    r->p += head + length;
    *ret_element = (struct dicom_element){.tag = (uint32_t)u16(p) << 16 | u16(p + 2),
                                          .vr = (uint16_t)vr,
                                          .is_ref = is_ref,
                                          .is_sequence = vr == VR_SQ && !is_ref,
                                          .value = slice_of(p + head, length)};
    return !is_ref || read_ref(ret_element);
}

bool dicom_summary_find(struct slice summary, uint32_t tag, struct dicom_element *ret_element) {
    struct rd r = rd_init(summary);
    while (rd_left(&r) > 0) {
        struct dicom_element e;
        if (!read_element(&r, &e))
            return false;
        if (e.tag == tag) {
            *ret_element = e;
            return true;
        }
    }
    return false;
}

// A sequence being read: its remaining items, and the remaining elements of the current one.
struct frame {
    struct rd items, elements;
    struct dicom_dataset *parent, *item;
    uint32_t tag;
};

static bool next_item(struct frame *fr) {
    uint16_t group = rd_u16le(&fr->items);
    uint32_t tag = (uint32_t)group << 16 | rd_u16le(&fr->items);
    fr->elements = rd_sub(&fr->items, rd_u32le(&fr->items));
    return tag == TAG_Item && rd_ok(&fr->items);
}

static enum err put(struct dicom_dataset *ds, const struct dicom_element *e) {
    if (dicom_dataset_find(ds, e->tag))
        return OK; // the first counts
    if (e->is_ref)
        return dicom_dataset_put_ref(ds, e->tag, e->vr, e->ref);
    if (e->is_sequence)
        return dicom_dataset_put_sequence(ds, e->tag);
    return dicom_dataset_put_borrowed(ds, e->tag, e->vr, e->value);
}

static enum err step(struct frame *stack, size_t *depth) {
    struct frame *fr = &stack[*depth];
    if (rd_left(&fr->elements) == 0) {
        if (rd_left(&fr->items) == 0) {
            --*depth;
            return OK;
        }
        if (!next_item(fr))
            return ERR_CORRUPT;
        fr->item = dicom_dataset_add_item(fr->parent, fr->tag);
        return fr->item ? OK : ERR_LIMIT;
    }
    struct dicom_element e;
    if (!read_element(&fr->elements, &e))
        return ERR_CORRUPT;
    bool is_new = !dicom_dataset_find(fr->item, e.tag);
    if (put(fr->item, &e) != OK)
        return ERR_LIMIT;
    if (!e.is_sequence || e.value.n == 0 || !is_new)
        return OK;
    if (*depth > DICOM_DEPTH_MAX)
        return ERR_CORRUPT;
    stack[++*depth] = (struct frame){.items = rd_init(e.value), .parent = fr->item, .tag = e.tag};
    return OK;
}

enum err dicom_summary_parse(struct slice summary, struct arena *a, struct fault *f,
                             struct dicom_dataset **ret_ds) {
    struct dicom_dataset *ds = dicom_dataset_new(a);
    if (!ds)
        return fault_set(f, ERR_LIMIT, "summary too large");
    // The bottom frame is the data set itself: no items, its elements.
    struct frame stack[DICOM_DEPTH_MAX + 2] = {{.elements = rd_init(summary), .item = ds}};
    size_t depth = 0;
    while (depth != SIZE_MAX) {
        enum err e = step(stack, &depth);
        if (e != OK)
            return fault_set(f, e, e == ERR_LIMIT ? "summary too large" : "summary");
    }
    *ret_ds = ds;
    return OK;
}
