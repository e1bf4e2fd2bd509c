// The data dictionary of PS3.6 (and the command elements of PS3.7 Annex E) as facts, from
// spec/tags.tsv. TAG_PatientName and its like are in the generated std/tags.h, included here.
// What it is not: private dictionaries, and IOD or module tables.
#ifndef STD_TAG_H
#define STD_TAG_H

#include "base/slice.h"
#include "std/vr.h"
#include "std/tags.h" // generated: #define TAG_<Keyword> 0xGGGGEEEEu; for repeating groups with x = 0

// One row. All rows are read-only and live for ever. No pointers inside, so that the table needs
// no relocation and all processes share its pages.
struct std_tag {
    uint32_t tag;          // GGGGEEEE; digits that vary in a repeating group are 0
    uint32_t mask;         // 0xFFFFFFFF, or 0 where a digit varies (60xx: 0xFF00FFFF)
    uint32_t name_at;      // see std_tag_name()
    uint32_t keyword_at;   // see std_tag_keyword()
    uint8_t vr[3];         // enum vr; the alternatives as listed in PS3.6, VR_UNKNOWN fills up
    uint8_t retired;       // 1: retired
    uint16_t vm_min;
    uint16_t vm_max;       // 0: n, no upper limit
    uint8_t vm_step;       // 1; 2 for "2-2n", 3 for "3-3n"
};

// The row for a tag, repeating groups included, or NULL (private, unknown, group length).
const struct std_tag *std_tag_find(uint32_t tag);
const struct std_tag *std_tag_by_keyword(struct slice keyword); // NULL when there is none
const char *std_tag_name(const struct std_tag *t);              // "Patient's Name"
const char *std_tag_keyword(const struct std_tag *t);           // "PatientName", never ""

size_t std_tag_count(void);
const struct std_tag *std_tag_at(size_t i); // ascending; the repeating groups last; NULL past the end

// The VR to take for an element that comes without one (Implicit VR Little Endian), and what
// UN may be re-read as: PS3.5 A.1 (OW for Pixel, Overlay and Waveform Data), UL for group
// lengths (gggg,0000), LO for private creators (odd group, 0010–00FF). Of "US or SS" it says US: the
// caller who knows Pixel Representation knows better (std_tag_find()->vr). VR_UN for what is unknown,
// VR_UNKNOWN for items and delimiters (FFFE,xxxx), which have no VR.
enum vr std_tag_vr_implicit(uint32_t tag);

static inline uint16_t tag_group(uint32_t tag) {
    return (uint16_t)(tag >> 16);
}
static inline uint16_t tag_element(uint32_t tag) {
    return (uint16_t)(tag & 0xFFFFu);
}
static inline bool tag_is_private(uint32_t tag) {
    return (tag & 0x00010000u) != 0;
}
static inline bool tag_is_private_creator(uint32_t tag) {
    return tag_is_private(tag) && (tag & 0xFFFFu) >= 0x0010u && (tag & 0xFFFFu) <= 0x00FFu;
}
static inline bool tag_is_group_length(uint32_t tag) {
    return (tag & 0xFFFFu) == 0;
}

#endif
