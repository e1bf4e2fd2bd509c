// Encodes data sets: Implicit VR Little Endian, Explicit VR Little and Big Endian (PS3.5 7.1 and Annex A).
// Defined lengths throughout, values padded to even length as their VR asks, no group lengths.
// Not for bulk: see dicom/part10.h and the stored bytes themselves.
//
// Output goes into a struct buf; check buf_ok() once at the end.
#ifndef DICOM_WRITER_H
#define DICOM_WRITER_H

#include "base/buf.h"
#include "dicom/dataset.h"

// The whole data set, ascending tags. ERR_LIMIT: the buffer's maximum; ERR_UNSUPPORTED: the data set
// holds references; ERR_SYNTAX: a value of 4 GB or more.
enum err dicom_dataset_write(const struct dicom_dataset *ds, enum dicom_syntax syntax, struct buf *out,
                             struct fault *f);

// One element; the value is little endian and swapped for big endian. For short VRs a value of 65,534
// bytes at most, longer ones are written as UN (PS3.5 6.2.2 note 7).
void dicom_write_element(struct buf *out, enum dicom_syntax syntax, uint32_t tag, enum vr vr,
                         struct slice value);
void dicom_write_str(struct buf *out, enum dicom_syntax syntax, uint32_t tag, enum vr vr, const char *value);
void dicom_write_u16(struct buf *out, enum dicom_syntax syntax, uint32_t tag, uint16_t value); // US
void dicom_write_u32(struct buf *out, enum dicom_syntax syntax, uint32_t tag, uint32_t value); // UL
// The header alone, for a value that follows; length may be DICOM_LENGTH_UNDEFINED for SQ, UN, OB, OW.
void dicom_write_header(struct buf *out, enum dicom_syntax syntax, uint32_t tag, enum vr vr, uint32_t length);

#endif
