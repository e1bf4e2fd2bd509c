// What both targets of metadata check: bulk data that the data set only refers to.
#ifndef FUZZ_MODEL_H
#define FUZZ_MODEL_H

#include "fuzz.h"

#include "dicom/json.h"
#include "dicom/model.h"

// dicom_json_uri_fn of a struct dicom_model: the URI it was read with, at the place where it was read.
static inline bool model_uri_of(void *ctx, const char *path, const struct dicom_element *e, struct buf *out) {
    const struct dicom_model *m = ctx;
    FUZZ_CHECK(e->ref.offset < m->bulk_count);
    FUZZ_CHECK(strcmp(m->bulk[e->ref.offset].path, path) == 0);
    buf_append_slice(out, m->bulk[e->ref.offset].uri);
    return true;
}

#endif
