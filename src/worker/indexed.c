#include "worker/indexed.h"

#include "base/rd.h"
#include "dicom/match.h"
#include "std/tag.h"

// A sequence of 0 means top level: then the tag itself comes first.
#define PICK(sequence, tag)                                                                                  \
    {                                                                                                        \
        { (sequence) ? (sequence) : (tag), (sequence) ? (tag) : 0, 0 }                                       \
    }

const struct dicom_pick indexed_picks[INDEXED_PICKS] = {
#define X(name, sequence, tag, vr, level, kind) [INDEX_ATTR_##name] = PICK(sequence, tag),
    INDEX_ATTR_TABLE(X)
#undef X
        [INDEXED_PICK_CHARSET] = PICK(0, TAG_SpecificCharacterSet),
};

int indexed_find(uint32_t sequence, uint32_t tag) {
    for (int i = 0; tag != 0 && i < INDEX_ATTR_COUNT_; i++)
        if (index_attr_table[i].tag == tag && index_attr_table[i].sequence == sequence)
            return i;
    return -1;
}

bool indexed_is_count(int attr) {
    return attr >= INDEX_ATTR_NumberOfPatientRelatedStudies &&
           attr <= INDEX_ATTR_NumberOfSeriesRelatedInstances;
}

bool indexed_is_taken_from_object(int attr) {
    switch ((enum index_kind)index_attr_table[attr].kind) {
    case INDEX_KIND_TEXT:
    case INDEX_KIND_MULTI:
    case INDEX_KIND_NUMBER:
        return true;
    case INDEX_KIND_UID:
    case INDEX_KIND_MOMENT:
    case INDEX_KIND_COMPUTED:
        return false;
    }
    return false;
}

static bool is_text(enum vr vr) {
    return std_vr_info(vr)->class_ == VR_CLASS_STRING;
}

enum vr indexed_vr(int attr, enum vr of_object) {
    enum vr known = (enum vr)index_attr_table[attr].vr;
    return of_object == VR_UN || (is_text(of_object) && is_text(known)) ? known : of_object;
}

static void show_number(enum vr vr, struct slice raw, struct buf *out) {
    struct rd r = rd_init(raw);
    bool first = true;
    while (rd_left(&r) >= (vr == VR_US ? 2 : 4)) {
        if (!first)
            buf_u8(out, '\\');
        buf_printf(out, "%u", vr == VR_US ? rd_u16le(&r) : rd_u32le(&r));
        first = false;
    }
}

void indexed_decode(const struct dicom_charset *cs, enum vr vr, struct slice raw, struct buf *shown,
                    struct buf *compared) {
    if (vr == VR_US || vr == VR_UL) {
        show_number(vr, raw, shown);
        (void)dicom_match_normalise(vr, raw, DICOM_ZONE_UNKNOWN, compared);
        return;
    }
    (void)dicom_charset_decode(cs, vr, raw, shown);
    shown->n = slice_trim_right(buf_slice(shown), " ").n;
    (void)dicom_match_normalise(vr, buf_slice(shown), DICOM_ZONE_UNKNOWN, compared);
}
