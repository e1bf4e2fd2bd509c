// Numbers written as text (IS, DS of PS3.5 6.2) in the one form in which equal numbers are equal bytes:
// "512", "-0.5", "15e30". No arithmetic, so no digit is lost. Private to src/dicom.
#ifndef DICOM_NUMBER_H
#define DICOM_NUMBER_H

#include "base/buf.h"

// False, and nothing appended, when it is not a number, has more than 64 digits or an exponent beyond ±9999.
bool dicom_number_normalise(struct slice s, struct buf *out);

#endif
