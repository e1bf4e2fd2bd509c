// What comes out of reading metadata (PS3.18 10.5: STOW-RS): a data set of dicom/json_read.h or
// dicom/xml_read.h, and the bulk data it only refers to.
//
// An element that is a reference has is_ref set; ref.offset is its index in `bulk`, ref.length means
// nothing. dicom/assemble.h puts the bytes in when they come.
//
// Text is UTF-8, so that the data set says Specific Character Set ISO_IR 192, whatever it said before.
// Group lengths are dropped. Values are checked for what their VR can't hold at all (a '\' inside a value, a
// number out of range), not for length or sense; UIDs are the caller's to check.
#ifndef DICOM_MODEL_H
#define DICOM_MODEL_H

#include "dicom/dataset.h"

enum {
    DICOM_MODEL_TEXT_MAX = 64 << 20, // bytes of JSON or XML
    DICOM_MODEL_URI_MAX = 2048,
};

struct dicom_bulk {
    struct slice uri; // as given: not resolved, not checked. Nothing is ever fetched from it
    const char *path; // "00480105/1/7FE00010", tags and item numbers from 1, as in dicom/json.h
    uint32_t tag;
    uint16_t vr; // enum vr
};

// All in the arena it was read into.
struct dicom_model {
    struct dicom_dataset *ds;
    struct dicom_dataset *meta; // group 0002, which some senders include; NULL: there was none
    const struct dicom_bulk *bulk;
    size_t bulk_count;
};

#endif
