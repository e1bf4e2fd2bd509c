#include "dicom/match_sq.h"

#include "std/tag.h"

// A key. The keys inside a sequence stand together, after it.
struct node {
    const struct dicom_element *key; // while parsing only
    uint32_t tag;
    bool sequence, universal;
    size_t first, count; // of a sequence: its keys
    struct dicom_match match;
};

struct dicom_match_sq {
    struct node *nodes; // the first is the sequence itself
    size_t count, cap;
    struct arena *arena;
};

static enum err add_node(struct dicom_match_sq *sq, const struct dicom_element *key, struct fault *f) {
    if (sq->count == DICOM_MATCH_SQ_MAX_KEYS)
        return fault_set(f, ERR_LIMIT, "key (%04X,%04X) SQ: too many keys inside", sq->nodes[0].tag >> 16,
                         sq->nodes[0].tag & 0xFFFFu);
    if (sq->count == sq->cap) {
        size_t cap = sq->cap ? 2 * sq->cap : 8;
        struct node *grown = arena_calloc(sq->arena, cap, sizeof *grown);
        if (!grown)
            return fault_set(f, ERR_NO_MEMORY, "keys");
        if (sq->count)
            memcpy(grown, sq->nodes, sq->count * sizeof *grown);
        sq->nodes = grown;
        sq->cap = cap;
    }
    sq->nodes[sq->count++] = (struct node){.key = key, .tag = key->tag, .sequence = key->is_sequence};
    return OK;
}

// Attributes of an item that say how it is written, and are never matched.
static bool is_control(uint32_t tag) {
    return tag == TAG_SpecificCharacterSet || tag_is_group_length(tag);
}

static enum err add_children(struct dicom_match_sq *sq, size_t at, struct fault *f) {
    const struct dicom_element *key = sq->nodes[at].key;
    size_t items = dicom_items_count(key);
    if (items > 1)
        return fault_set(f, ERR_SYNTAX, "key (%04X,%04X) SQ: more than one item (PS3.4 C.2.2.2.6)",
                         key->tag >> 16, key->tag & 0xFFFFu);
    const struct dicom_dataset *item = items ? dicom_items_at(key, 0) : NULL;
    sq->nodes[at].first = sq->count;
    for (size_t i = 0; item && i < dicom_dataset_count(item); i++) {
        const struct dicom_element *child = dicom_dataset_at(item, i);
        enum err e = is_control(child->tag) ? OK : add_node(sq, child, f);
        if (e != OK)
            return e;
    }
    sq->nodes[at].count = sq->count - sq->nodes[at].first;
    return OK;
}

// The charset of the identifier holds for its items: queries nest no other.
static enum err parse_leaf(struct dicom_match_sq *sq, size_t at, const struct dicom_charset *cs,
                           const struct dicom_match_policy *policy, struct fault *f) {
    struct node *n = &sq->nodes[at];
    return dicom_match_parse(&n->match, n->tag, (enum vr)n->key->vr, n->key->value, cs, policy, sq->arena, f);
}

enum err dicom_match_sq_parse(const struct dicom_element *key, const struct dicom_charset *cs,
                              const struct dicom_match_policy *policy, struct arena *a, struct fault *f,
                              struct dicom_match_sq **ret_sq) {
    bug_unless(key->is_sequence);
    struct dicom_match_sq *sq = arena_alloc(a, sizeof *sq);
    if (!sq)
        return fault_set(f, ERR_NO_MEMORY, "keys");
    sq->arena = a;
    enum err e = add_node(sq, key, f);
    // Breadth first: what is appended is looked at later.
    for (size_t i = 0; e == OK && i < sq->count; i++)
        e = sq->nodes[i].sequence ? add_children(sq, i, f) : parse_leaf(sq, i, cs, policy, f);
    if (e != OK)
        return e;
    // Backwards: keys before the sequence that they are in.
    for (size_t i = sq->count; i-- > 0;) {
        struct node *n = &sq->nodes[i];
        n->key = NULL;
        n->universal = n->sequence || n->match.kind == DICOM_MATCH_UNIVERSAL;
        for (size_t j = 0; j < n->count; j++)
            n->universal &= sq->nodes[n->first + j].universal;
    }
    *ret_sq = sq;
    return OK;
}

bool dicom_match_sq_is_universal(const struct dicom_match_sq *sq) {
    return sq->nodes[0].universal;
}

// A stored sequence being searched for an item that matches.
struct frame {
    const struct node *node;
    const struct dicom_element *stored; // NULL: only the item given
    const struct dicom_dataset *item;   // being looked at, NULL: take the next
    size_t next_item, next_key;
    struct dicom_charset cs, outer; // of the item, and of what it is in
};

static void enter_item(struct frame *fr, const struct dicom_dataset *item) {
    fr->item = item;
    fr->next_key = 0;
    fr->cs = fr->outer;
    const struct dicom_element *own = item ? dicom_dataset_find(item, TAG_SpecificCharacterSet) : NULL;
    if (own)
        dicom_charset_init(&fr->cs, own->value);
}

static bool leaf_matches(const struct node *n, const struct dicom_dataset *item,
                         const struct dicom_charset *cs, int zone_min, struct buf *text) {
    const struct dicom_element *e = dicom_dataset_find(item, n->tag);
    struct slice value = e && !e->is_ref && !e->is_sequence ? e->value : slice_of(NULL, 0);
    if (e && e->is_ref)
        return false; // too long to be kept, so surely not empty nor what the key says
    if (std_vr_info(n->match.vr)->class_ == VR_CLASS_STRING) {
        buf_reset(text);
        (void)dicom_charset_decode(cs, n->match.vr, value, text);
        value = buf_ok(text) ? buf_slice(text) : slice_of(NULL, 0);
    }
    return dicom_match_value(&n->match, value, zone_min);
}

enum step { STEP_KEY, STEP_ITEM_MATCHES, STEP_ITEM_FAILS, STEP_DEEPER };

// The next key of the item in the frame. STEP_DEEPER: ret_inner is to be searched first.
static enum step look(const struct dicom_match_sq *sq, struct frame *fr, int zone_min, struct buf *text,
                      struct frame *ret_inner) {
    if (fr->next_key == fr->node->count)
        return STEP_ITEM_MATCHES;
    const struct node *n = &sq->nodes[fr->node->first + fr->next_key++];
    if (n->universal)
        return STEP_KEY;
    if (!n->sequence)
        return leaf_matches(n, fr->item, &fr->cs, zone_min, text) ? STEP_KEY : STEP_ITEM_FAILS;
    const struct dicom_element *inner = dicom_dataset_find(fr->item, n->tag);
    if (!inner || !inner->is_sequence)
        return STEP_ITEM_FAILS;
    *ret_inner = (struct frame){.node = n, .stored = inner, .outer = fr->cs};
    enter_item(ret_inner, NULL);
    return STEP_DEEPER;
}

// Each stored item is looked at once for each key that stands at its place, so the cost is at most
// items x keys.
static bool search(const struct dicom_match_sq *sq, const struct frame *first, int zone_min) {
    struct frame stack[DICOM_DEPTH_MAX + 1];
    size_t depth = 0;
    bool found = false;
    struct buf text = BUF_INIT(3 * (size_t)DICOM_VALUE_MAX_DEFAULT);
    stack[0] = *first;
    for (;;) {
        struct frame *fr = &stack[depth];
        if (!fr->item && fr->stored)
            enter_item(fr, dicom_items_at(fr->stored, fr->next_item++));
        enum step step = STEP_ITEM_FAILS;
        bool over = !fr->item; // no item left
        if (!over)
            step = look(sq, fr, zone_min, &text, &stack[depth < DICOM_DEPTH_MAX ? depth + 1 : depth]);
        if (step == STEP_DEEPER) {
            bug_unless(depth < DICOM_DEPTH_MAX); // keys nest no deeper than the reader lets them
            depth++;
        } else if (step == STEP_ITEM_MATCHES || over) {
            found = !over;
            if (depth == 0)
                break;
            depth--; // found: on with the next key of the item outside; else that item fails
            stack[depth].item = found ? stack[depth].item : NULL;
        } else if (step == STEP_ITEM_FAILS) {
            found = false;
            fr->item = NULL;
        }
        if (!stack[depth].item && !stack[depth].stored)
            break; // the one item given has failed
    }
    buf_fini(&text);
    return found;
}

bool dicom_match_sq(const struct dicom_match_sq *sq, const struct dicom_element *stored,
                    const struct dicom_charset *cs, int zone_min) {
    if (sq->nodes[0].universal)
        return true;
    if (!stored || !stored->is_sequence)
        return false;
    struct frame first = {.node = &sq->nodes[0], .stored = stored, .outer = *cs};
    enter_item(&first, NULL);
    return search(sq, &first, zone_min);
}

bool dicom_match_sq_item(const struct dicom_match_sq *sq, const struct dicom_dataset *item,
                         const struct dicom_charset *cs, int zone_min) {
    if (sq->nodes[0].universal)
        return true;
    struct frame first = {.node = &sq->nodes[0], .outer = *cs};
    enter_item(&first, item);
    return search(sq, &first, zone_min);
}
