// Re-encoding a data set from one uncompressed transfer syntax to another as it streams by: VR
// explicit or not, byte order, inflated. Pixels keep their values; nothing is decompressed.
//
// For receivers that accept an object's SOP class but not the transfer syntax it is stored in.
// Sequences and items come out with undefined lengths, group lengths are left out (PS3.5 7.2, 7.5).
#ifndef DICOM_RECODE_H
#define DICOM_RECODE_H

#include "base/buf.h"
#include "base/err.h"
#include "std/uid.h"

// Both uncompressed, and `to` not deflated.
bool dicom_recode_possible(const struct std_ts *from, const struct std_ts *to);

struct dicom_recoder;
struct dicom_recoder *dicom_recoder_new(const struct std_ts *from,
                                        const struct std_ts *to); // NULL: no memory
void dicom_recoder_free(struct dicom_recoder *r);
// Appends to `out` what `in` becomes; errors are the reader's, or ERR_LIMIT of `out`.
enum err dicom_recoder_feed(struct dicom_recoder *r, struct slice in, struct buf *out, struct fault *f);
enum err dicom_recoder_finish(struct dicom_recoder *r, struct buf *out, struct fault *f);

#endif
