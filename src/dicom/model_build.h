// Builds a dicom_model from the parts a JSON or XML reader meets, in this order:
//
//   begin { element (text | number | pn … | null)* | binary | uri | item { … } item_end … element_end }* end
//
// Elements may come in any order and are sorted once; a tag that comes twice is an error. The first error
// ends the building: it says where (tags and item numbers, never values). Private to src/dicom.
#ifndef DICOM_MODEL_BUILD_H
#define DICOM_MODEL_BUILD_H

#include "base/buf.h"
#include "dicom/model.h"

struct model_level {
    size_t first; // of its elements among the pending ones
    struct dicom_dataset *ds;
    size_t parent; // the sequence among the pending elements (not at the top)
    size_t item;   // number of the item, from 1
};

struct model_build {
    struct arena *arena;
    struct fault *f;
    struct buf pending; // struct dicom_element, of all levels under way
    struct buf bulk;    // struct dicom_bulk
    struct buf value;   // of the element under way
    struct dicom_element element;
    size_t values;   // of it, so far
    bool null;       // one of them is
    unsigned groups; // of the person name under way
    size_t depth;
    struct model_level level[DICOM_DEPTH_MAX + 1];
};

void model_init(struct model_build *b);
void model_fini(struct model_build *b);

enum err model_begin(struct model_build *b, struct arena *a, struct fault *f);
enum err model_end(struct model_build *b, struct dicom_model *ret_model);
// With vr VR_SQ items follow.
enum err model_element(struct model_build *b, uint32_t tag, enum vr vr);
enum err model_element_end(struct model_build *b);
enum err model_item(struct model_build *b);
enum err model_item_end(struct model_build *b);
enum err model_uri(struct model_build *b, struct slice uri);

// An error at the element under way, or at the item when there is none.
enum err model_wrong(struct model_build *b, enum err code, const char *why);

// Values of the element under way; in model_value.c.
enum err model_text(struct model_build *b, struct slice utf8); // one value, as it is: strings
// one value written as a number: binary numbers, IS and DS (rounded to 16 characters); AT as 8 digits
enum err model_number(struct model_build *b, struct slice text);
enum err model_null(struct model_build *b); // an empty value
enum err model_binary(struct model_build *b, struct slice base64);
enum err model_pn(struct model_build *b); // begins a name; groups follow, 0 to 2, ascending
enum err model_pn_group(struct model_build *b, unsigned group, struct slice utf8);

#endif
