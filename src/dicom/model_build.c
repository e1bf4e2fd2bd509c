#include "dicom/model_build.h"

#include <stdio.h>
#include <stdlib.h>

#include "std/tag.h"

enum {
    PATH_CHARS = (DICOM_DEPTH_MAX + 1) * 24,
    PATH_SHOWN = 100, // of a long path the end
};

void model_init(struct model_build *b) {
    *b = (struct model_build){.pending = BUF_INIT(SIZE_MAX / 2),
                              .bulk = BUF_INIT(SIZE_MAX / 2),
                              .value = BUF_INIT(2 * (size_t)DICOM_MODEL_TEXT_MAX)};
}

void model_fini(struct model_build *b) {
    buf_fini(&b->pending);
    buf_fini(&b->bulk);
    buf_fini(&b->value);
}

static struct dicom_element *pending(const struct model_build *b, size_t i) {
    return (struct dicom_element *)(void *)b->pending.p + i;
}

static size_t pending_count(const struct model_build *b) {
    return b->pending.n / sizeof(struct dicom_element);
}

// --- Where --------------------------------------------------------------------------------------

static size_t path_of(const struct model_build *b, char path[PATH_CHARS]) {
    size_t n = 0;
    path[0] = 0;
    for (size_t d = 1; d <= b->depth; d++)
        n += (size_t)snprintf(path + n, PATH_CHARS - n, "%s%08X/%zu", d > 1 ? "/" : "",
                              pending(b, b->level[d].parent)->tag, b->level[d].item);
    if (b->element.tag)
        n += (size_t)snprintf(path + n, PATH_CHARS - n, "%s%08X", n ? "/" : "", b->element.tag);
    return n;
}

enum err model_wrong(struct model_build *b, enum err code, const char *why) {
    char path[PATH_CHARS];
    size_t n = path_of(b, path);
    const char *shown = n > PATH_SHOWN ? path + n - PATH_SHOWN : path;
    return fault_set(b->f, code, "%s%s%s", shown, *shown ? ": " : "", why);
}

static enum err too_large(struct model_build *b) {
    return model_wrong(b, ERR_LIMIT, "the data set is too large");
}

// --- Sets ---------------------------------------------------------------------------------------

enum err model_begin(struct model_build *b, struct arena *a, struct fault *f) {
    buf_reset(&b->pending);
    buf_reset(&b->bulk);
    b->arena = a;
    b->f = f;
    b->depth = 0;
    b->element = (struct dicom_element){.tag = 0};
    b->level[0] = (struct model_level){.ds = dicom_dataset_new(a)};
    return b->level[0].ds ? OK : too_large(b);
}

static int by_tag(const void *a, const void *b) {
    const struct dicom_element *x = a, *y = b;
    return (x->tag > y->tag) - (x->tag < y->tag);
}

// Puts the pending elements of the innermost set into it.
static enum err finish_set(struct model_build *b) {
    const struct model_level *l = &b->level[b->depth];
    size_t n = pending_count(b) - l->first;
    struct dicom_element *e = n ? pending(b, l->first) : NULL;
    bool ascending = true;
    for (size_t i = 1; i < n; i++)
        ascending &= e[i - 1].tag < e[i].tag;
    if (!ascending)
        qsort(e, n, sizeof *e, by_tag);
    for (size_t i = 0; i < n; i++) {
        b->element.tag = e[i].tag;
        if (i > 0 && e[i].tag == e[i - 1].tag)
            return model_wrong(b, ERR_SYNTAX, "an attribute that comes twice");
        if (dicom_dataset_put_shared(l->ds, &e[i]) != OK)
            return too_large(b);
    }
    b->element.tag = 0;
    b->pending.n = l->first * sizeof *e;
    return OK;
}

// Group 0002 is no part of the data set.
static enum err take_meta(struct model_build *b, struct dicom_model *m) {
    const struct dicom_element *e;
    while ((e = dicom_dataset_at(m->ds, 0)) && tag_group(e->tag) == 0x0002) {
        if (!m->meta)
            m->meta = dicom_dataset_new(b->arena);
        if (!m->meta || dicom_dataset_put_shared(m->meta, e) != OK)
            return too_large(b);
        dicom_dataset_remove(m->ds, e->tag);
    }
    return OK;
}

enum err model_end(struct model_build *b, struct dicom_model *ret_model) {
    struct dicom_model m = {.ds = b->level[0].ds, .bulk_count = b->bulk.n / sizeof(struct dicom_bulk)};
    struct slice bulk;
    enum err e = finish_set(b);
    if (e == OK)
        e = take_meta(b, &m);
    if (e != OK)
        return e;
    if (dicom_dataset_put_str(m.ds, TAG_SpecificCharacterSet, VR_CS, "ISO_IR 192") != OK ||
        !arena_dup(b->arena, buf_slice(&b->bulk), &bulk))
        return too_large(b);
    m.bulk = (const struct dicom_bulk *)(const void *)bulk.p;
    *ret_model = m;
    return OK;
}

// --- Elements -----------------------------------------------------------------------------------

enum err model_element(struct model_build *b, uint32_t tag, enum vr vr) {
    b->element = (struct dicom_element){.tag = tag, .vr = (uint16_t)vr, .is_sequence = vr == VR_SQ};
    b->values = 0;
    b->null = false;
    buf_reset(&b->value);
    uint16_t group = tag_group(tag);
    if (group == 0 || group == 0xFFFE || group == 0xFFFF || (group == 0x0002 && b->depth > 0))
        return model_wrong(b, ERR_SYNTAX, "not an attribute of a data set");
    if (vr == VR_UNKNOWN)
        return model_wrong(b, ERR_SYNTAX, "no such VR");
    return OK;
}

static enum err keep(struct model_build *b) {
    buf_append(&b->pending, &b->element, sizeof b->element);
    return buf_ok(&b->pending) ? OK : too_large(b);
}

enum err model_element_end(struct model_build *b) {
    struct dicom_element *e = &b->element;
    struct slice value = buf_slice(&b->value);
    if (tag_is_group_length(e->tag)) {
        e->tag = 0;
        return OK;
    }
    if (b->null && b->values > 1 && std_vr_info(e->vr)->class_ != VR_CLASS_STRING)
        return model_wrong(b, ERR_SYNTAX, "null among numbers");
    if (e->tag == TAG_SpecificCharacterSet && value.n > 0)
        value = SLICE_LIT("ISO_IR 192");
    e->value = slice_of("", 0);
    if (!buf_ok(&b->value) || (value.n > 0 && !arena_dup(b->arena, value, &e->value)))
        return too_large(b);
    enum err err = keep(b);
    e->tag = 0;
    return err;
}

enum err model_uri(struct model_build *b, struct slice uri) {
    struct dicom_bulk k = {.tag = b->element.tag, .vr = b->element.vr};
    char path[PATH_CHARS];
    struct slice path_copy;
    if (b->element.vr == VR_SQ)
        return model_wrong(b, ERR_SYNTAX, "a sequence as bulk data");
    if (uri.n == 0 || uri.n > DICOM_MODEL_URI_MAX)
        return model_wrong(b, uri.n ? ERR_LIMIT : ERR_SYNTAX, "bulk data with no URI, or too long a one");
    if (!arena_dup(b->arena, uri, &k.uri) ||
        !arena_dup(b->arena, slice_of(path, path_of(b, path)), &path_copy))
        return too_large(b);
    k.path = (const char *)path_copy.p;
    b->element.is_ref = true;
    b->element.ref.offset = b->bulk.n / sizeof k;
    buf_append(&b->bulk, &k, sizeof k);
    return buf_ok(&b->bulk) ? OK : too_large(b);
}

// --- Items --------------------------------------------------------------------------------------

// The sequence goes among the pending elements with its first item, and comes back after each.
enum err model_item(struct model_build *b) {
    if (b->depth == DICOM_DEPTH_MAX)
        return model_wrong(b, ERR_DEPTH, "nested too deeply");
    bug_unless(b->element.is_sequence);
    struct dicom_dataset *ds = dicom_element_add_item(&b->element, b->arena);
    if (!ds || keep(b) != OK)
        return too_large(b);
    size_t n = pending_count(b);
    b->level[++b->depth] =
        (struct model_level){.first = n, .ds = ds, .parent = n - 1, .item = dicom_items_count(&b->element)};
    b->element.tag = 0;
    return OK;
}

enum err model_item_end(struct model_build *b) {
    bug_unless(b->depth > 0);
    enum err e = finish_set(b);
    if (e != OK)
        return e;
    b->element = *pending(b, b->level[b->depth--].parent);
    b->pending.n -= sizeof b->element;
    buf_reset(&b->value);
    b->values = 0;
    b->null = false;
    return OK;
}
