// Values of one element in the DICOM JSON model (PS3.18 F.2.3 to F.2.7). Private to dicom/json.c and
// dicom/xml_write.c.
#ifndef DICOM_JSON_VALUE_H
#define DICOM_JSON_VALUE_H

#include "base/buf.h"
#include "dicom/charset.h"
#include "dicom/dataset.h"

// Appends `,"Value":[…]` or `,"InlineBinary":"…"`, or nothing for an empty value. `text` is scratch.
void json_value_write(struct buf *out, struct buf *text, const struct dicom_element *e,
                      const struct dicom_charset *cs);

// A number as text (IS, DS): as a JSON number where this says the same, else as a string.
void json_value_decimal(struct buf *out, struct slice text);

// The VR to write: what is UN only because the sender did not know the attribute gets its own (PS3.5 6.2.2,
// note 3). Sequences stay UN, and so do private attributes.
enum vr json_value_vr(const struct dicom_element *e);

// Without the blanks that have no meaning in this VR.
struct slice json_value_trim(enum vr vr, struct slice s);

void json_value_base64(struct buf *out, struct slice s);

#endif
