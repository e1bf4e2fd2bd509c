// A small data set in memory: identifiers of queries, command sets, responses, summaries. A tree
// of elements, sorted by tag, in an arena with a cap.
//
// Not for images: what is bulk in the stream is a reference here (VR BR, dicom/summary.h).
//
// Values are raw bytes, little endian whatever the source was, padding included; text in the set that
// Specific Character Set names (dicom/charset.h decodes and splits). A tag that comes twice: the first
// counts.
#ifndef DICOM_DATASET_H
#define DICOM_DATASET_H

#include "base/arena.h"
#include "dicom/reader.h"

// Where the bytes of a long value are in the (inflated) data set of the object.
struct dicom_ref {
    uint64_t offset;
    uint64_t length;
};

struct dicom_items;

struct dicom_element {
    uint32_t tag;
    uint16_t vr;                // enum vr: the element's own, also for a reference
    bool is_ref;                // the value is elsewhere: ref
    bool is_sequence;           // items
    struct slice value;         // borrowed from the arena, or from the caller of dicom_dataset_put_borrowed()
    struct dicom_ref ref;
    struct dicom_items *items;  // NULL for an empty sequence
};

struct dicom_dataset;

// Everything below lives in the arena. NULL when the arena is full.
struct dicom_dataset *dicom_dataset_new(struct arena *a);

size_t dicom_dataset_count(const struct dicom_dataset *ds);
// ascending tags; NULL past the end
const struct dicom_element *dicom_dataset_at(const struct dicom_dataset *ds, size_t i);
const struct dicom_element *dicom_dataset_find(const struct dicom_dataset *ds, uint32_t tag); // or NULL

// The creator that reserved the block of a private element, trimmed; empty when there is none.
struct slice dicom_dataset_creator(const struct dicom_dataset *ds, uint32_t tag);

size_t dicom_items_count(const struct dicom_element *e);
struct dicom_dataset *dicom_items_at(const struct dicom_element *e, size_t i); // NULL past the end

// Values. Absent elements give an empty slice, false or the default.
// raw; p is NULL when absent
struct slice dicom_dataset_value(const struct dicom_dataset *ds, uint32_t tag);
// without padding NULs and outer blanks
struct slice dicom_dataset_trimmed(const struct dicom_dataset *ds, uint32_t tag);
// first value of US or SS
bool dicom_dataset_u16(const struct dicom_dataset *ds, uint32_t tag, uint16_t *ret_value);
bool dicom_dataset_u32(const struct dicom_dataset *ds, uint32_t tag, uint32_t *ret_value); // first of UL, US
// first of IS or a binary integer
bool dicom_dataset_int(const struct dicom_dataset *ds, uint32_t tag, int64_t *ret_value);

// Putting replaces what was there. The value is copied. ERR_NO_MEMORY when the arena is full.
// The value is not padded; the writer does that.
enum err dicom_dataset_put(struct dicom_dataset *ds, uint32_t tag, enum vr vr, struct slice value);
enum err dicom_dataset_put_borrowed(struct dicom_dataset *ds, uint32_t tag, enum vr vr, struct slice value);
enum err dicom_dataset_put_str(struct dicom_dataset *ds, uint32_t tag, enum vr vr, const char *s);
enum err dicom_dataset_put_u16(struct dicom_dataset *ds, uint32_t tag, uint16_t v);  // US
enum err dicom_dataset_put_u32(struct dicom_dataset *ds, uint32_t tag, uint32_t v);  // UL
enum err dicom_dataset_put_ref(struct dicom_dataset *ds, uint32_t tag, enum vr vr, struct dicom_ref ref);
enum err dicom_dataset_put_sequence(struct dicom_dataset *ds, uint32_t tag); // empty
// Appends an empty item to a sequence (made when absent). NULL when the arena is full.
struct dicom_dataset *dicom_dataset_add_item(struct dicom_dataset *ds, uint32_t tag);
// For builders that do not put elements one after the other: appends an empty item to a sequence that is in
// no data set yet, and puts an element as it is, its value and items shared. The arena is the data set's.
struct dicom_dataset *dicom_element_add_item(struct dicom_element *e, struct arena *a);
enum err dicom_dataset_put_shared(struct dicom_dataset *ds, const struct dicom_element *e);
// Puts an element of another data set, items and all (copied).
enum err dicom_dataset_put_copy(struct dicom_dataset *ds, const struct dicom_element *e);
void dicom_dataset_remove(struct dicom_dataset *ds, uint32_t tag);

// Builds a data set from events: give dicom_builder_event to a reader with the builder as ctx.
struct dicom_builder {
    struct arena *arena;
    struct dicom_dataset *stack[DICOM_DEPTH_MAX + 1];
    bool sequence_skipped[DICOM_DEPTH_MAX + 1]; // its tag was there before
    struct dicom_dataset *root;
};
enum err dicom_builder_init(struct dicom_builder *b, struct arena *a);
enum err dicom_builder_event(void *builder, const struct dicom_event *ev, struct fault *f);

// A whole data set (a C-FIND identifier, a command set). Errors of the reader; ERR_LIMIT when the arena
// is full.
enum err dicom_dataset_parse(struct slice bytes, const struct dicom_reader_options *o, struct arena *a,
                             struct fault *f, struct dicom_dataset **ret_ds);

#endif
