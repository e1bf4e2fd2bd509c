// The attributes that the index knows, as the worker sees them: where they stand in a data set, and
// a value's two forms (std/index_attr.h).
#ifndef WORKER_INDEXED_H
#define WORKER_INDEXED_H

#include "base/buf.h"
#include "dicom/charset.h"
#include "dicom/summary.h"
#include "std/index_attr.h"

// What to pick from a passing object: an attribute's number is its place; one more for the character set.
enum { INDEXED_PICK_CHARSET = INDEX_ATTR_COUNT_, INDEXED_PICKS };
extern const struct dicom_pick indexed_picks[INDEXED_PICKS];

// The attribute of this tag, inside this sequence or (0) at top level; -1 when the index does not know it.
int indexed_find(uint32_t sequence, uint32_t tag);
bool indexed_is_taken_from_object(int attr); // else the archive knows it by itself
bool indexed_is_count(int attr); // of related entities: these come back, but are not matched (PS3.4 C.3.4)

// The VR by which an attribute of an object is kept. UN, and text of another kind than the standard's, are
// what the standard says: names are compared as names.
enum vr indexed_vr(int attr, enum vr of_object);

// Appends a raw value as it is shown and as it is compared.
void indexed_decode(const struct dicom_charset *cs, enum vr vr, struct slice raw, struct buf *shown,
                    struct buf *compared);

#endif
