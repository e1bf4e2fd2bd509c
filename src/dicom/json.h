// The DICOM JSON model (PS3.18 Annex F), out only.
//
// Keys of 8 upper-case hex digits, ascending; no group lengths, no group 0002 (PS3.18 10.4.1.1.2); an empty
// attribute has only "vr", an empty value is null, an empty item {} (F.2.5); PN with its non-empty groups
// (F.2.2); IS, DS, SV, UV that a JSON number can't say exactly are strings (F.2.3); one InlineBinary an
// element, little endian (F.2.7). A reference (VR BR in a summary) becomes a BulkDataURI and is never
// dropped.
//
// NaN and the infinities of FL and FD, which no JSON number says, are the strings "NaN", "inf", "-inf".
//
// Text is UTF-8, so Specific Character Set is written as ISO_IR 192 where the data set had one. UTF-8 is the
// model's default (F.2), but not that of the data sets which are made of it: so it is written, too, where
// there was none and text that is not ASCII. Where all is ASCII nothing is added.
#ifndef DICOM_JSON_H
#define DICOM_JSON_H

#include "base/buf.h"
#include "dicom/charset.h"
#include "dicom/dataset.h"

// Makes the URI of a reference: appends it, unescaped, to `out`. `path` is "00480105/1/…/7FE00010": tags and
// item numbers from 1 down to the element. Returning false leaves out the member (then only "vr" is written).
typedef bool dicom_json_uri_fn(void *ctx, const char *path, const struct dicom_element *e, struct buf *out);

struct dicom_json_options {
    bool indent;              // for people
    bool keep_charset;        // Specific Character Set as it was (the caller re-labels)
    dicom_json_uri_fn *uri;   // NULL: references have only "vr"
    void *uri_ctx;
};

// One data set as an object. ERR_LIMIT: the buffer's maximum. Files of any size: through a summary
// (dicom/summary.h).
enum err dicom_json_write(const struct dicom_dataset *ds, const struct dicom_json_options *o, struct buf *out,
                          struct fault *f);

// Appends a JSON string with its quotes; bytes that are not UTF-8 become U+FFFD.
void dicom_json_string(struct buf *out, struct slice utf8);

#endif
