// The way through a data set and the items of its sequences that both models take, JSON and XML, without
// recursion. Private to dicom/json.c and dicom/xml_write.c.
//
// Left out: group lengths and group 0002 (PS3.18 10.4.1.1.2), group 0000. Put in: Specific Character Set,
// where the data set has none, or an empty one, and text that is not ASCII.
#ifndef DICOM_MODEL_WALK_H
#define DICOM_MODEL_WALK_H

#include "dicom/json.h"

// A data set on the way, and the sequence whose item it is.
struct model_level {
    const struct dicom_dataset *ds;
    size_t next;
    bool any; // it has had an element
    const struct dicom_element *parent;
    size_t item;
    struct dicom_charset charset;
};

struct model_walk {
    const struct dicom_json_options *options;
    struct buf text; // scratch
    size_t depth;
    bool undeclared; // Specific Character Set is still to be put in
    struct model_level levels[DICOM_DEPTH_MAX + 1];
};

enum model_step {
    MODEL_ELEMENT,      // one without items
    MODEL_SEQUENCE,     // one with items: the first has been entered
    MODEL_ITEM,         // the next item of the sequence has been entered
    MODEL_SEQUENCE_END, // the last item has been left
    MODEL_END,
    MODEL_TOO_DEEP, // more than DICOM_DEPTH_MAX
};

// The data set stays the caller's. NULL options: none.
void model_walk_init(struct model_walk *w, const struct dicom_dataset *ds,
                     const struct dicom_json_options *o);
void model_walk_fini(struct model_walk *w);

// Sets the element at MODEL_ELEMENT and MODEL_SEQUENCE.
enum model_step model_walk_next(struct model_walk *w, const struct dicom_element **ret_e);

static inline struct model_level *model_walk_level(struct model_walk *w) {
    return &w->levels[w->depth];
}

// The URI of a reference at this level, valid until `text` is used again. False: it has none.
bool model_walk_uri(struct model_walk *w, const struct dicom_element *e, struct slice *ret_uri);

// Its only value is to be ISO_IR 192, since text is written in UTF-8.
bool model_walk_is_charset(const struct model_walk *w, const struct dicom_element *e);

// A new line, indented; nothing if it is not for people.
void model_walk_newline(const struct model_walk *w, struct buf *out, size_t levels);

#endif
