// What is kept beside an object so that queries and metadata never touch its pixels, built while the object
// streams through the reader:
//
//   - the summary: an Explicit VR Little Endian data set with all attributes but the bulk. A value that
//     is longer than 1024 bytes and of VR OB OD OF OL OV OW UN UC UR UT, Pixel Data of any length, a
//     value of any VR longer than the reader's value_max, and a top-level sequence for which there is no
//     room left, are references instead: a long-form header with VR "BR" whose two reserved bytes hold
//     the original VR, length 16, value = u64le offset, u64le length of the value in the (inflated) data
//     set. For encapsulated Pixel Data and for sequences the reference spans the items, without header
//     and sequence delimiter. Sequences and items have defined lengths, so that readers can pass over
//     them. Values are little endian whatever the object is; text is in the object's own character set.
//   - the frame table: where the pixel data and its fragments are.
//   - picked values: raw values of attributes the caller wants (for the index).
//
// A summary has a maximum; reaching it never fails the store (see `incomplete`).
// UN is left as it is; VRs the standard does not know become UN.
#ifndef DICOM_SUMMARY_H
#define DICOM_SUMMARY_H

#include "base/arena.h"
#include "base/buf.h"
#include "dicom/dataset.h"
#include "dicom/reader.h"

enum {
    DICOM_SUMMARY_MAX_BYTES = 1 << 20,
    DICOM_SUMMARY_BULK_BYTES = 1024,        // longer values of bulk VRs become references
    DICOM_SUMMARY_BR_BYTES = 28,            // of one reference in the summary
    DICOM_FRAMES_MAX_FRAGMENTS = 1 << 20,   // more are not listed; see dicom_frames.incomplete
    DICOM_PICK_MAX = 64,
    DICOM_PICK_VALUE_MAX = 16 * 1024,       // longer values are not picked
};

// An attribute to pick: the tags from the top level down, the last one the element, up to 3, 0 fills up:
// {TAG_PatientID}, {TAG_RequestAttributesSequence, TAG_ScheduledProcedureStepID}.
struct dicom_pick {
    uint32_t path[3];
};

// Several values of one path (an item each) are joined with '\'; of a tag that comes twice the first counts.
struct dicom_picked {
    bool present;        // the element is there (it may be empty)
    uint16_t vr;         // enum vr
    struct slice value;  // raw, little endian, padding included; the summary object's until reset or free
};

// Frame table. Native: one run of bytes. Encapsulated: fragments follow one another, each with an 8-byte item
// header, so that lengths are enough.
struct dicom_frames {
    bool present;            // there is Pixel Data, Float or Double Float Pixel Data at the top level
    bool encapsulated;
    bool incomplete;         // more fragments than listed
    // Photometric Interpretation YBR_FULL_422: 2 samples a pixel, not 3 (PS3.3 C.7.6.3.1.2)
    bool chroma_halved;
    uint8_t pixel_vr;        // enum vr
    uint32_t pixel_tag;
    // the value (encapsulated: from the item header of the offset table to the last item's end)
    uint64_t offset, length;
    uint64_t first_fragment; // offset of the item header of the first fragment (after the offset table)
    const uint32_t *fragment_lengths;
    size_t fragment_count;
    struct slice offset_table;          // Basic Offset Table, raw u32le
    struct slice extended_offset_table; // (7FE0,0001), raw u64le; empty when absent or too long
    // Image pixel attributes as the data set has them; 0 when absent.
    uint16_t rows, columns, samples, bits_allocated;
    uint32_t number_of_frames;          // 1 when absent
};

struct dicom_summary;

// `picks` is the caller's and must live as long. NULL: no memory. max_bytes 0: DICOM_SUMMARY_MAX_BYTES.
struct dicom_summary *dicom_summary_new(const struct dicom_pick *picks, size_t pick_count, size_t max_bytes);
void dicom_summary_free(struct dicom_summary *s);
void dicom_summary_reset(struct dicom_summary *s); // for the next object

// The reader's handler; ctx is the summary.
enum err dicom_summary_event(void *summary, const struct dicom_event *ev, struct fault *f);

// The value picked so far, before the end; borrowed until the next event. Empty: none yet.
struct slice dicom_summary_picked_so_far(const struct dicom_summary *s, size_t pick);

// After DICOM_EV_END. Borrowed until reset or free.
struct slice dicom_summary_bytes(const struct dicom_summary *s);
bool dicom_summary_incomplete(const struct dicom_summary *s); // even the references had no room
const struct dicom_picked *dicom_summary_picked(const struct dicom_summary *s, size_t pick);
const struct dicom_frames *dicom_summary_frames(const struct dicom_summary *s);

// The frame table as stored, and back. Layout in frames.c.
void dicom_frames_write(const struct dicom_frames *f, struct buf *out);
enum err dicom_frames_parse(struct slice bytes, struct arena *a, struct fault *f,
                            struct dicom_frames *ret_frames);
// Where a frame (from 0) is. Native: one run. Encapsulated: fragments [first, first + count), of which
// the n-th is at dicom_frames_fragment(). False when the table does not say (offset table missing and
// fragments not one a frame).
bool dicom_frames_native(const struct dicom_frames *f, uint32_t frame, struct dicom_ref *ret_ref);
bool dicom_frames_locate(const struct dicom_frames *f, uint32_t frame, size_t *ret_first, size_t *ret_count);
bool dicom_frames_fragment(const struct dicom_frames *f, size_t fragment, struct dicom_ref *ret_ref);

// Back to a data set; references become elements with is_ref. Values are borrowed from `summary`, which
// must live as long. ERR_CORRUPT: no summary; ERR_LIMIT: the arena is full.
enum err dicom_summary_parse(struct slice summary, struct arena *a, struct fault *f,
                             struct dicom_dataset **ret_ds);
// One top-level element without parsing the rest (lengths are followed, nothing is copied).
// False when absent. items are not filled in: for a sequence `value` is its encoded items.
bool dicom_summary_find(struct slice summary, uint32_t tag, struct dicom_element *ret_element);

#endif
