// The Native DICOM Model (PS3.19 A.1), out: what WADO-RS answers with as application/dicom+xml.
//
// The rules are those of dicom/json.h: ascending tags, no group lengths, no group 0002, a reference becomes
// BulkData with a URI, text is UTF-8 and Specific Character Set says so. A private attribute has its creator
// as an XML attribute and 00 in place of its block number (A.1.5); the elements that reserve blocks are
// written as well. Characters that XML 1.0 can't hold (controls, U+FFFE) and bytes that are no UTF-8 become
// U+FFFD.
#ifndef DICOM_XML_WRITE_H
#define DICOM_XML_WRITE_H

#include "dicom/json.h"

// One document. Options as for JSON; `path` in the URI callback is the same. ERR_LIMIT: the buffer's maximum.
enum err dicom_xml_write(const struct dicom_dataset *ds, const struct dicom_json_options *o, struct buf *out,
                         struct fault *f);

#endif
