// A range of an object's data set as a client can use it: little endian, inflated (dicom/summary.h counts
// so), whatever the object is stored in.
#ifndef WEB_EXTRACT_H
#define WEB_EXTRACT_H

#include "retrieve.h"

// Sends n bytes from `offset` on, of an element of this VR; `last`: the answer ends with them. What is
// deflated is inflated from its beginning: no table says where a range is in it.
enum err extract_send(struct retrieval *r, const struct object *o, struct dicom_ref range, enum vr vr,
                      bool last, struct fault *f);

#endif
