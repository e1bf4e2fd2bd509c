// An answer: see find.h.
#include "worker/find.h"

#include <stdlib.h>

#include "dicom/summary.h"
#include "std/tag.h"

struct answer {
    struct find_plan *plan;
    const struct slice *values;
    struct dicom_dataset *object; // the summary; NULL: none
    struct dicom_charset from, to;
    struct dicom_dataset *out;
    struct buf text; // scratch
};

static enum err put_text(struct answer *a, struct dicom_dataset *to, uint32_t tag, enum vr vr,
                         struct slice utf8) {
    buf_reset(&a->text);
    if (!dicom_charset_encode(&a->to, vr, utf8, &a->text))
        return ERR_CHARSET;
    return dicom_dataset_put(to, tag, vr, buf_slice(&a->text));
}

static enum err put_number(struct answer *a, uint32_t tag, struct slice decimal) {
    uint64_t v;
    if (!slice_to_u64(decimal, UINT16_MAX, &v))
        return dicom_dataset_put(a->out, tag, VR_US, slice_of(NULL, 0));
    return dicom_dataset_put_u16(a->out, tag, (uint16_t)v);
}

static enum err put_indexed(struct answer *a, const struct find_key *key) {
    struct slice value = a->values[key->slot];
    if (key->vr == VR_US)
        return put_number(a, key->asked->tag, value);
    return put_text(a, a->out, key->asked->tag, key->vr, value);
}

static enum err put_from_object(struct answer *a, struct dicom_dataset *to, const struct dicom_element *e) {
    if (e->is_ref)
        return dicom_dataset_put(to, e->tag, (enum vr)e->vr, slice_of(NULL, 0)); // bulk is no answer
    const struct std_vr *info = std_vr_info((enum vr)e->vr);
    if (!info->charset)
        return dicom_dataset_put(to, e->tag, (enum vr)e->vr, e->value);
    struct buf utf8 = BUF_INIT(4 * DICOM_VALUE_MAX_DEFAULT);
    (void)dicom_charset_decode(&a->from, (enum vr)e->vr, e->value, &utf8);
    enum err err = put_text(a, to, e->tag, (enum vr)e->vr, buf_slice(&utf8));
    buf_fini(&utf8);
    return err;
}

// A stored sequence into the answer, with the items' keys that were asked for (all, when the key
// had no item). Nesting is followed with a stack of our own.
struct level {
    const struct dicom_element *stored, *asked;
    const struct dicom_match_sq *sq; // only items that match it; NULL: all
    const struct dicom_dataset *from;
    struct dicom_dataset *to;
    size_t item, at;
};

static bool wanted(const struct dicom_element *asked, const struct dicom_element *e,
                   const struct dicom_element **ret_inner) {
    *ret_inner = NULL;
    const struct dicom_dataset *item =
        asked && dicom_items_count(asked) > 0 ? dicom_items_at(asked, 0) : NULL;
    if (!item || dicom_dataset_count(item) == 0)
        return true;
    *ret_inner = dicom_dataset_find(item, e->tag);
    return *ret_inner != NULL;
}

static enum err next_item(const struct answer *a, struct level *l, struct dicom_dataset *parent) {
    do {
        l->from = dicom_items_at(l->stored, l->item++);
    } while (l->from && l->sq && !dicom_match_sq_item(l->sq, l->from, &a->from, DICOM_ZONE_UNKNOWN));
    l->at = 0;
    l->to = l->from ? dicom_dataset_add_item(parent, l->stored->tag) : NULL;
    return !l->from || l->to ? OK : ERR_NO_MEMORY;
}

static enum err put_sequence(struct answer *a, const struct dicom_element *stored,
                             const struct find_key *key) {
    struct level stack[DICOM_DEPTH_MAX];
    unsigned depth = 0;
    stack[0] = (struct level){.stored = stored, .asked = key->asked, .sq = key->sq};
    enum err e = dicom_dataset_put_sequence(a->out, stored->tag);
    if (e == OK)
        e = next_item(a, &stack[0], a->out);
    while (e == OK) {
        struct level *l = &stack[depth];
        if (!l->from) { // no more items: back to the level above
            if (depth == 0)
                return OK;
            depth--;
            continue;
        }
        const struct dicom_element *child = dicom_dataset_at(l->from, l->at++), *inner;
        if (!child) {
            e = next_item(a, l, depth ? stack[depth - 1].to : a->out);
        } else if (wanted(l->asked, child, &inner)) {
            if (!child->is_sequence) {
                e = put_from_object(a, l->to, child);
            } else if (depth + 1 < DICOM_DEPTH_MAX) {
                e = dicom_dataset_put_sequence(l->to, child->tag);
                stack[++depth] = (struct level){.stored = child, .asked = inner};
                if (e == OK)
                    e = next_item(a, &stack[depth], l->to);
            }
        }
    }
    return e;
}

static enum err put_key(struct answer *a, const struct find_key *key) {
    if (key->slot >= 0)
        return put_indexed(a, key);
    if (key->own)
        return dicom_dataset_put_str(a->out, key->asked->tag, key->vr, key->own);
    const struct dicom_element *e = a->object ? dicom_dataset_find(a->object, key->asked->tag) : NULL;
    if (key->asked->is_sequence || (e && e->is_sequence))
        return e && e->is_sequence && e->items ? put_sequence(a, e, key)
                                               : dicom_dataset_put_sequence(a->out, key->asked->tag);
    if (e)
        return put_from_object(a, a->out, e);
    return dicom_dataset_put(a->out, key->asked->tag, key->vr, slice_of(NULL, 0));
}

static enum err build(struct answer *a, const struct dicom_charset *to) {
    struct find_plan *p = a->plan;
    a->to = *to;
    a->out = dicom_dataset_new(&p->row);
    enum err e = a->out ? OK : ERR_NO_MEMORY;
    for (size_t i = 0; e == OK && i < p->count; i++)
        e = put_key(a, &p->keys[i]);
    return e;
}

static bool key_matches(struct answer *a, const struct find_key *key) {
    if (key->own)
        return dicom_match_value(&key->match, slice_str(key->own), DICOM_ZONE_UNKNOWN);
    const struct dicom_element *e = a->object ? dicom_dataset_find(a->object, key->asked->tag) : NULL;
    if (key->sq)
        return dicom_match_sq(key->sq, e && e->is_sequence ? e : NULL, &a->from, DICOM_ZONE_UNKNOWN);
    const struct std_vr *info = std_vr_info(key->vr);
    buf_reset(&a->text);
    if (e && !e->is_ref && info->class_ == VR_CLASS_STRING)
        (void)dicom_charset_decode(&a->from, key->vr, e->value, &a->text);
    else if (e && !e->is_ref)
        buf_append_slice(&a->text, e->value);
    return dicom_match_value(&key->match, buf_slice(&a->text), DICOM_ZONE_UNKNOWN);
}

// Keys the index could not decide, on the stored value; a sequence key's items likewise.
static bool matches_here(struct answer *a) {
    for (size_t i = 0; i < a->plan->count; i++)
        if (a->plan->keys[i].here && !key_matches(a, &a->plan->keys[i]))
            return false;
    return true;
}

enum err find_answer(struct find_plan *p, const struct slice *values, struct slice summary, bool *ret_matches,
                     struct dicom_dataset **ret_answer, struct dicom_charset *ret_charset, struct fault *f) {
    struct answer a = {.plan = p, .values = values, .text = BUF_INIT(1 << 20)};
    arena_reset(&p->row);
    if (summary.n > 0)
        (void)dicom_summary_parse(summary, &p->row, NULL, &a.object);
    p->object = a.object;
    dicom_charset_init(&a.from, a.object ? dicom_dataset_value(a.object, TAG_SpecificCharacterSet)
                                         : slice_of(NULL, 0));
    enum err e = OK;
    *ret_matches = matches_here(&a);
    if (*ret_matches) {
        e = build(&a, &p->id->charset);
        if (e == ERR_CHARSET)
            e = build(&a, &dicom_charset_utf8);
        if (e != OK)
            (void)fault_set(f, e, "an answer could not be built");
        *ret_answer = a.out;
        *ret_charset = a.to;
    }
    buf_fini(&a.text);
    return e;
}
