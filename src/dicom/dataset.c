#include "dicom/dataset.h"

#include "base/rd.h"
#include "std/tag.h"

struct dicom_dataset {
    struct arena *arena;
    struct dicom_element *elements; // ascending tags
    size_t count, cap;
};

struct dicom_items {
    size_t count, cap;
    struct dicom_dataset **sets;
};

struct dicom_dataset *dicom_dataset_new(struct arena *a) {
    struct dicom_dataset *ds = arena_alloc(a, sizeof *ds);
    if (ds)
        ds->arena = a;
    return ds;
}

// --- Looking up ---------------------------------------------------------------------------------

size_t dicom_dataset_count(const struct dicom_dataset *ds) {
    return ds->count;
}

const struct dicom_element *dicom_dataset_at(const struct dicom_dataset *ds, size_t i) {
    return i < ds->count ? &ds->elements[i] : NULL;
}

// The first element whose tag is not below `tag`.
static size_t lower_bound(const struct dicom_dataset *ds, uint32_t tag) {
    size_t lo = 0, hi = ds->count;
    if (hi > 0 && ds->elements[hi - 1].tag < tag)
        return hi; // appending in order is the usual case
    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;
        if (ds->elements[mid].tag < tag)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo;
}

static struct dicom_element *find(const struct dicom_dataset *ds, uint32_t tag) {
    size_t i = lower_bound(ds, tag);
    return i < ds->count && ds->elements[i].tag == tag ? &ds->elements[i] : NULL;
}

const struct dicom_element *dicom_dataset_find(const struct dicom_dataset *ds, uint32_t tag) {
    return find(ds, tag);
}

static struct slice without_nuls(struct slice s) {
    while (s.n > 0 && s.p[s.n - 1] == 0)
        s.n--;
    return s;
}

static struct slice trimmed(struct slice s) {
    return slice_trim(without_nuls(s), " ");
}

struct slice dicom_dataset_creator(const struct dicom_dataset *ds, uint32_t tag) {
    uint32_t block = tag_element(tag) >> 8;
    if (!tag_is_private(tag) || block < 0x10)
        return slice_of(NULL, 0);
    return dicom_dataset_trimmed(ds, (tag & 0xFFFF0000u) | block);
}

size_t dicom_items_count(const struct dicom_element *e) {
    return e->items ? e->items->count : 0;
}

struct dicom_dataset *dicom_items_at(const struct dicom_element *e, size_t i) {
    return i < dicom_items_count(e) ? e->items->sets[i] : NULL;
}

// --- Values -------------------------------------------------------------------------------------

struct slice dicom_dataset_value(const struct dicom_dataset *ds, uint32_t tag) {
    const struct dicom_element *e = find(ds, tag);
    return e ? e->value : slice_of(NULL, 0);
}

struct slice dicom_dataset_trimmed(const struct dicom_dataset *ds, uint32_t tag) {
    return trimmed(dicom_dataset_value(ds, tag));
}

bool dicom_dataset_u16(const struct dicom_dataset *ds, uint32_t tag, uint16_t *ret_value) {
    struct slice v = dicom_dataset_value(ds, tag);
    if (v.n < 2)
        return false;
    *ret_value = (uint16_t)(v.p[0] | v.p[1] << 8);
    return true;
}

bool dicom_dataset_u32(const struct dicom_dataset *ds, uint32_t tag, uint32_t *ret_value) {
    struct rd r = rd_init(dicom_dataset_value(ds, tag));
    uint32_t v = rd_left(&r) >= 4 ? rd_u32le(&r) : rd_u16le(&r);
    if (!rd_ok(&r))
        return false;
    *ret_value = v;
    return true;
}

static bool int_of_text(struct slice text, int64_t *ret_value) {
    struct slice rest;
    text = trimmed(slice_split(text, '\\', &rest));
    bool negative = text.n > 0 && text.p[0] == '-';
    if (text.n > 0 && (text.p[0] == '-' || text.p[0] == '+'))
        text = slice_sub(text, 1, text.n - 1);
    uint64_t v;
    if (!slice_to_u64(text, INT64_MAX, &v))
        return false;
    *ret_value = negative ? -(int64_t)v : (int64_t)v;
    return true;
}

bool dicom_dataset_int(const struct dicom_dataset *ds, uint32_t tag, int64_t *ret_value) {
    const struct dicom_element *e = find(ds, tag);
    if (!e)
        return false;
    struct rd r = rd_init(e->value);
    int64_t v;
    switch ((int)e->vr) {
    case VR_US: v = rd_u16le(&r); break;
    case VR_SS: v = (int16_t)rd_u16le(&r); break;
    case VR_UL: v = rd_u32le(&r); break;
    case VR_SL: v = (int32_t)rd_u32le(&r); break;
    case VR_SV:
    case VR_UV: v = (int64_t)rd_u64le(&r); break;
    default: return int_of_text(e->value, ret_value);
    }
    if (!rd_ok(&r) || (e->vr == VR_UV && v < 0))
        return false;
    *ret_value = v;
    return true;
}

// --- Putting ------------------------------------------------------------------------------------

static bool grow(struct dicom_dataset *ds) {
    if (ds->count < ds->cap)
        return true;
    size_t cap = ds->cap ? ds->cap * 2 : 8;
    struct dicom_element *e = arena_calloc(ds->arena, cap, sizeof *e);
    if (!e)
        return false;
    if (ds->count > 0)
        memcpy(e, ds->elements, ds->count * sizeof *e);
    ds->elements = e;
    ds->cap = cap;
    return true;
}

// The element for a tag, empty; new or not. NULL when the arena is full.
static struct dicom_element *slot(struct dicom_dataset *ds, uint32_t tag, enum vr vr) {
    size_t i = lower_bound(ds, tag);
    if (i == ds->count || ds->elements[i].tag != tag) {
        if (!grow(ds))
            return NULL;
        memmove(&ds->elements[i + 1], &ds->elements[i], (ds->count - i) * sizeof ds->elements[0]);
        ds->count++;
    }
    ds->elements[i] = (struct dicom_element){.tag = tag, .vr = (uint16_t)vr};
    return &ds->elements[i];
}

enum err dicom_dataset_put_borrowed(struct dicom_dataset *ds, uint32_t tag, enum vr vr, struct slice value) {
    struct dicom_element *e = slot(ds, tag, vr);
    if (!e)
        return ERR_NO_MEMORY;
    e->value = value.p ? value : slice_of("", 0);
    return OK;
}

enum err dicom_dataset_put(struct dicom_dataset *ds, uint32_t tag, enum vr vr, struct slice value) {
    struct slice copy = slice_of("", 0);
    if (value.n > 0 && !arena_dup(ds->arena, value, &copy))
        return ERR_NO_MEMORY;
    return dicom_dataset_put_borrowed(ds, tag, vr, copy);
}

enum err dicom_dataset_put_str(struct dicom_dataset *ds, uint32_t tag, enum vr vr, const char *s) {
    return dicom_dataset_put(ds, tag, vr, slice_str(s));
}

enum err dicom_dataset_put_u16(struct dicom_dataset *ds, uint32_t tag, uint16_t v) {
    return dicom_dataset_put(ds, tag, VR_US, slice_of((uint8_t[]){(uint8_t)v, (uint8_t)(v >> 8)}, 2));
}

enum err dicom_dataset_put_u32(struct dicom_dataset *ds, uint32_t tag, uint32_t v) {
    uint8_t le[4] = {(uint8_t)v, (uint8_t)(v >> 8), (uint8_t)(v >> 16), (uint8_t)(v >> 24)};
    return dicom_dataset_put(ds, tag, VR_UL, slice_of(le, 4));
}

enum err dicom_dataset_put_ref(struct dicom_dataset *ds, uint32_t tag, enum vr vr, struct dicom_ref ref) {
    struct dicom_element *e = slot(ds, tag, vr);
    if (!e)
        return ERR_NO_MEMORY;
    e->is_ref = true;
    e->ref = ref;
    return OK;
}

enum err dicom_dataset_put_sequence(struct dicom_dataset *ds, uint32_t tag) {
    struct dicom_element *e = slot(ds, tag, VR_SQ);
    if (!e)
        return ERR_NO_MEMORY;
    e->is_sequence = true;
    return OK;
}

static bool items_grow(struct arena *a, struct dicom_items *it) {
    if (it->count < it->cap)
        return true;
    size_t cap = it->cap ? it->cap * 2 : 2;
    struct dicom_dataset **sets = arena_calloc(a, cap, sizeof *sets);
    if (!sets)
        return false;
    if (it->count > 0)
        memcpy(sets, it->sets, it->count * sizeof *sets);
    it->sets = sets;
    it->cap = cap;
    return true;
}

struct dicom_dataset *dicom_element_add_item(struct dicom_element *e, struct arena *a) {
    if (!e->items)
        e->items = arena_alloc(a, sizeof *e->items);
    struct dicom_dataset *item = dicom_dataset_new(a);
    if (!e->items || !item || !items_grow(a, e->items))
        return NULL;
    e->items->sets[e->items->count++] = item;
    return item;
}

struct dicom_dataset *dicom_dataset_add_item(struct dicom_dataset *ds, uint32_t tag) {
    struct dicom_element *e = find(ds, tag);
    if (!e || !e->is_sequence) {
        if (dicom_dataset_put_sequence(ds, tag) != OK)
            return NULL;
        e = find(ds, tag);
    }
    return dicom_element_add_item(e, ds->arena);
}

enum err dicom_dataset_put_shared(struct dicom_dataset *ds, const struct dicom_element *e) {
    struct dicom_element *to = slot(ds, e->tag, e->vr);
    if (!to)
        return ERR_NO_MEMORY;
    *to = *e;
    return OK;
}

void dicom_dataset_remove(struct dicom_dataset *ds, uint32_t tag) {
    struct dicom_element *e = find(ds, tag);
    if (!e)
        return;
    size_t after = ds->count - (size_t)(e - ds->elements) - 1;
    memmove(e, e + 1, after * sizeof *e);
    ds->count--;
}

// --- Copying ------------------------------------------------------------------------------------

static enum err put_flat(struct dicom_dataset *ds, const struct dicom_element *e) {
    if (e->is_sequence)
        return dicom_dataset_put_sequence(ds, e->tag);
    if (e->is_ref)
        return dicom_dataset_put_ref(ds, e->tag, e->vr, e->ref);
    return dicom_dataset_put(ds, e->tag, e->vr, e->value);
}

struct copy_frame {
    struct dicom_dataset *to;           // where the sequence goes
    const struct dicom_element *from;   // a sequence
    size_t item, next;                  // which item, and which of its elements is next
    struct dicom_dataset *to_item;
};

enum err dicom_dataset_put_copy(struct dicom_dataset *ds, const struct dicom_element *e) {
    struct copy_frame stack[DICOM_DEPTH_MAX + 1] = {{.to = ds, .from = e}};
    size_t depth = 1;
    enum err err = put_flat(ds, e);
    while (depth > 0 && err == OK) {
        struct copy_frame *fr = &stack[depth - 1];
        const struct dicom_dataset *item = dicom_items_at(fr->from, fr->item);
        if (!item) {
            depth--;
            continue;
        }
        if (fr->next == 0 && !(fr->to_item = dicom_dataset_add_item(fr->to, fr->from->tag)))
            return ERR_NO_MEMORY;
        const struct dicom_element *child = dicom_dataset_at(item, fr->next++);
        if (!child) {
            fr->item++;
            fr->next = 0;
            continue;
        }
        err = put_flat(fr->to_item, child);
        if (dicom_items_count(child) > 0 && depth > DICOM_DEPTH_MAX)
            return ERR_DEPTH;
        if (dicom_items_count(child) > 0)
            stack[depth++] = (struct copy_frame){.to = fr->to_item, .from = child};
    }
    return err;
}

// --- From a reader ------------------------------------------------------------------------------

enum err dicom_builder_init(struct dicom_builder *b, struct arena *a) {
    *b = (struct dicom_builder){.arena = a, .root = dicom_dataset_new(a)};
    b->stack[0] = b->root;
    return b->root ? OK : ERR_NO_MEMORY;
}

// A tag that came before is left out, with all that is inside.
static enum err build_value(struct dicom_dataset *ds, const struct dicom_event *ev) {
    if (find(ds, ev->tag))
        return OK;
    if (ev->kind == DICOM_EV_BULK || ev->kind == DICOM_EV_ENCAPSULATED_END)
        return dicom_dataset_put_ref(
            ds, ev->tag, ev->vr,
            (struct dicom_ref){ev->offset, ev->kind == DICOM_EV_BULK ? ev->length : ev->total});
    enum err e = dicom_dataset_put(ds, ev->tag, ev->vr == VR_UNKNOWN ? VR_UN : ev->vr, ev->value);
    if (e == OK && ev->syntax == DICOM_EXPLICIT_BE) {
        // The copy is the arena's own, so it may be changed.
        struct slice v = dicom_dataset_value(ds, ev->tag);
        dicom_swap(ev->vr, (uint8_t *)(uintptr_t)v.p, v.n);
    }
    return e;
}

static enum err build(struct dicom_builder *b, const struct dicom_event *ev) {
    struct dicom_dataset *ds = b->stack[ev->depth];
    switch (ev->kind) {
    case DICOM_EV_ELEMENT:
    case DICOM_EV_BULK:
    case DICOM_EV_ENCAPSULATED_END: return ds ? build_value(ds, ev) : OK;
    case DICOM_EV_SEQUENCE:
        b->sequence_skipped[ev->depth] = !ds || find(ds, ev->tag);
        return b->sequence_skipped[ev->depth] ? OK : dicom_dataset_put_sequence(ds, ev->tag);
    case DICOM_EV_ITEM:
        b->stack[ev->depth] = NULL;
        if (b->sequence_skipped[ev->depth - 1])
            return OK;
        b->stack[ev->depth] = dicom_dataset_add_item(b->stack[ev->depth - 1], ev->tag);
        return b->stack[ev->depth] ? OK : ERR_NO_MEMORY;
    case DICOM_EV_SEQUENCE_END:
    case DICOM_EV_ITEM_END:
    case DICOM_EV_ENCAPSULATED:
    case DICOM_EV_FRAGMENT:
    case DICOM_EV_CHUNK:
    case DICOM_EV_END: break;
    }
    return OK;
}

enum err dicom_builder_event(void *builder, const struct dicom_event *ev, struct fault *f) {
    enum err e = build(builder, ev);
    return e == ERR_NO_MEMORY ? fault_set(f, ERR_LIMIT, "the data set is too large") : e;
}

enum err dicom_dataset_parse(struct slice bytes, const struct dicom_reader_options *o, struct arena *a,
                             struct fault *f, struct dicom_dataset **ret_ds) {
    struct dicom_builder b;
    if (dicom_builder_init(&b, a) != OK)
        return fault_set(f, ERR_NO_MEMORY, "for a data set");
    enum err e = dicom_read(o, bytes, dicom_builder_event, &b, f);
    if (e == OK)
        *ret_ds = b.root;
    return e;
}
