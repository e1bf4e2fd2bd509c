#include "std/tag.h"

#include "std/tag.inc"

static const struct std_tag *find_exact(uint32_t tag) {
    uint32_t at = (tag * TAG_HASH_MULTIPLIER) >> (32 - TAG_HASH_BITS);
    for (;; at = (at + 1) & ((1u << TAG_HASH_BITS) - 1)) { // ends: the table is never full
        unsigned row = tag_hash[at];
        if (row == 0)
            return NULL;
        if (tag_rows[row - 1].tag == tag)
            return &tag_rows[row - 1];
    }
}

// Only these groups repeat, or vary in their element number; the test keeps the others fast.
static bool may_repeat(uint32_t tag) {
    switch (tag >> 24) {
    case 0x50:
    case 0x60:
    case 0x7F:
        return true;
    case 0x00:
        return (tag >> 8) == 0x002031 || (tag >> 8) == 0x002804 || (tag >> 8) == 0x002808;
    case 0x10:
        return (tag >> 16) == 0x1000 || (tag >> 16) == 0x1010;
    default:
        return false;
    }
}

static const struct std_tag *find_repeating(uint32_t tag) {
    for (size_t i = TAG_EXACT_COUNT; i < TAG_COUNT; i++) {
        if ((tag & tag_rows[i].mask) == tag_rows[i].tag)
            return &tag_rows[i];
    }
    return NULL;
}

const struct std_tag *std_tag_find(uint32_t tag) {
    if (tag_is_private(tag))
        return NULL;
    const struct std_tag *t = find_exact(tag);
    if (t == NULL && may_repeat(tag) && !tag_is_group_length(tag))
        t = find_repeating(tag);
    return t;
}

const struct std_tag *std_tag_by_keyword(struct slice keyword) {
    size_t low = 0, high = TAG_COUNT;
    while (low < high) {
        size_t middle = (low + high) / 2;
        const struct std_tag *t = &tag_rows[tag_by_keyword[middle]];
        int c = slice_cmp(keyword, slice_str(std_tag_keyword(t)));
        if (c == 0)
            return t;
        if (c < 0)
            high = middle;
        else
            low = middle + 1;
    }
    return NULL;
}

const char *std_tag_name(const struct std_tag *t) {
    return &tag_text[t->name_at];
}

const char *std_tag_keyword(const struct std_tag *t) {
    return &tag_text[t->keyword_at];
}

size_t std_tag_count(void) {
    return TAG_COUNT;
}

const struct std_tag *std_tag_at(size_t i) {
    return i < TAG_COUNT ? &tag_rows[i] : NULL;
}

// PS3.5 A.1: with implicit VR, of several the one whose bytes need no more knowledge: words for
// pixels, overlays, waveforms and look-up tables; US where only the sign is open.
static enum vr choose_vr(const struct std_tag *t) {
    for (size_t i = 0; i < 3; i++) {
        if (t->vr[i] == VR_OW)
            return VR_OW;
    }
    return (enum vr)t->vr[0];
}

enum vr std_tag_vr_implicit(uint32_t tag) {
    if (tag_group(tag) == 0xFFFE)
        return VR_UNKNOWN;
    if (tag_is_group_length(tag))
        return VR_UL;
    if (tag_is_private_creator(tag))
        return VR_LO;
    const struct std_tag *t = std_tag_find(tag);
    return t != NULL ? choose_vr(t) : VR_UN;
}
