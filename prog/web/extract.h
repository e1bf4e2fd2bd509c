// A range of an object's data set as a client can use it: little endian, inflated (dicom/summary.h counts
// so), whatever the object is stored in.
#ifndef WEB_EXTRACT_H
#define WEB_EXTRACT_H

#include "retrieve.h"

// Sends a value, of an element of this VR; `last`: the answer ends with it. What is deflated is inflated
// from its beginning: no table says where a range is in it.
enum err extract_send(struct retrieval *r, const struct object *o, struct dicom_ref value, enum vr vr,
                      bool last, struct fault *f);
// So many bytes of it from `from` on, which may cut words: a word is swapped as a whole.
enum err extract_send_part(struct retrieval *r, const struct object *o, struct dicom_ref value, uint64_t from,
                           uint64_t bytes, enum vr vr, bool last, struct fault *f);

#endif
