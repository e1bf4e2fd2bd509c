#include "dicom/model_walk.h"

#include <stdio.h>

#include "base/utf8.h"
#include "std/tag.h"

enum {
    TEXT_MAX = 64 << 20,
    PATH_CHARS = (DICOM_DEPTH_MAX + 1) * 24,
};

static void enter(struct model_level *l, const struct dicom_dataset *ds, const struct dicom_charset *outer) {
    const struct dicom_element *e = dicom_dataset_find(ds, TAG_SpecificCharacterSet);
    l->ds = ds;
    l->next = 0;
    l->any = false;
    if (e)
        dicom_charset_init(&l->charset, e->value);
    else
        l->charset = *outer;
}

static bool is_beyond_ascii(const struct dicom_element *e) {
    if (e->tag == TAG_SpecificCharacterSet)
        return e->value.n > 0;
    return !e->is_ref && std_vr_info(e->vr)->charset && utf8_ascii(e->value) < e->value.n;
}

static void begin(struct model_walk *w, const struct dicom_dataset *ds) {
    w->depth = 0;
    w->undeclared = false;
    enter(&w->levels[0], ds, &dicom_charset_ascii);
}

// No character set is named at the top, and there is something for which one has to be.
static bool is_undeclared(struct model_walk *w, const struct dicom_dataset *ds) {
    const struct dicom_element *e = dicom_dataset_find(ds, TAG_SpecificCharacterSet);
    if (w->options->keep_charset || (e && e->value.n > 0))
        return false;
    enum model_step step;
    do {
        step = model_walk_next(w, &e);
        if (step == MODEL_ELEMENT && is_beyond_ascii(e))
            return true;
    } while (step != MODEL_END && step != MODEL_TOO_DEEP);
    return false;
}

void model_walk_init(struct model_walk *w, const struct dicom_dataset *ds,
                     const struct dicom_json_options *o) {
    static const struct dicom_json_options plain;
    w->options = o ? o : &plain;
    w->text = BUF_INIT(TEXT_MAX);
    begin(w, ds);
    bool undeclared = is_undeclared(w, ds);
    begin(w, ds);
    w->undeclared = undeclared;
}

void model_walk_fini(struct model_walk *w) {
    buf_fini(&w->text);
}

static bool is_left_out(const struct dicom_element *e) {
    return tag_is_group_length(e->tag) || tag_group(e->tag) == 0x0002 || tag_group(e->tag) == 0x0000;
}

static enum model_step enter_first(struct model_walk *w, const struct dicom_element *e) {
    if (w->depth == DICOM_DEPTH_MAX)
        return MODEL_TOO_DEEP;
    struct model_level *outer = &w->levels[w->depth++];
    struct model_level *l = outer + 1;
    l->parent = e;
    l->item = 0;
    enter(l, dicom_items_at(e, 0), &outer->charset);
    return MODEL_SEQUENCE;
}

static enum model_step leave(struct model_walk *w) {
    if (w->depth == 0)
        return MODEL_END;
    struct model_level *l = &w->levels[w->depth];
    if (++l->item < dicom_items_count(l->parent)) {
        enter(l, dicom_items_at(l->parent, l->item), &l[-1].charset);
        return MODEL_ITEM;
    }
    w->depth--;
    return MODEL_SEQUENCE_END;
}

// At its place among the others, and in the place of an empty one.
static bool is_place_for_charset(const struct model_walk *w, const struct dicom_element *next) {
    return w->undeclared && w->depth == 0 && (!next || next->tag >= TAG_SpecificCharacterSet);
}

static enum model_step declare(struct model_walk *w, const struct dicom_element *next,
                               const struct dicom_element **ret_e) {
    static const uint8_t term[] = "ISO_IR 192";
    static const struct dicom_element utf8 = {
        .tag = TAG_SpecificCharacterSet, .vr = VR_CS, .value = {term, sizeof term - 1}};
    w->undeclared = false;
    w->levels[0].next += next && next->tag == TAG_SpecificCharacterSet;
    *ret_e = &utf8;
    return MODEL_ELEMENT;
}

enum model_step model_walk_next(struct model_walk *w, const struct dicom_element **ret_e) {
    struct model_level *l = &w->levels[w->depth];
    const struct dicom_element *e;
    do {
        e = dicom_dataset_at(l->ds, l->next);
        if (is_place_for_charset(w, e))
            return declare(w, e, ret_e);
        l->next++;
        if (!e)
            return leave(w);
    } while (is_left_out(e));
    *ret_e = e;
    return e->is_sequence && dicom_items_count(e) > 0 ? enter_first(w, e) : MODEL_ELEMENT;
}

static void path_of(const struct model_walk *w, const struct dicom_element *e, char path[PATH_CHARS]) {
    size_t n = 0;
    for (size_t i = 1; i <= w->depth; i++)
        n += (size_t)snprintf(path + n, PATH_CHARS - n, "%08X/%zu/", w->levels[i].parent->tag,
                              w->levels[i].item + 1);
    snprintf(path + n, PATH_CHARS - n, "%08X", e->tag);
}

bool model_walk_uri(struct model_walk *w, const struct dicom_element *e, struct slice *ret_uri) {
    char path[PATH_CHARS];
    if (!w->options->uri)
        return false;
    path_of(w, e, path);
    buf_reset(&w->text);
    if (!w->options->uri(w->options->uri_ctx, path, e, &w->text))
        return false;
    *ret_uri = buf_slice(&w->text);
    return true;
}

bool model_walk_is_charset(const struct model_walk *w, const struct dicom_element *e) {
    return e->tag == TAG_SpecificCharacterSet && !w->options->keep_charset && e->value.n > 0;
}

void model_walk_newline(const struct model_walk *w, struct buf *out, size_t levels) {
    if (!w->options->indent)
        return;
    buf_u8(out, '\n');
    for (size_t i = 0; i < levels; i++)
        buf_append(out, "  ", 2);
}
