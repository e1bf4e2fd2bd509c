// A push reader of DICOM data sets (PS3.5 chapter 7): it is fed slices of any size as they arrive
// and tells a handler what it meets. It does no I/O, keeps no more than one small value, and passes
// over a value of 4 GB at no cost but that of counting the bytes.
//
// It reads Implicit VR Little Endian, Explicit VR Little and Big Endian, the deflated syntax
// (inflated inside, with limits) and encapsulated Pixel Data; defined and undefined lengths; UN of
// undefined length (implicit little endian inside, PS3.5 6.2.2 note 2).
//
// It reads what real equipment writes (see reader.c for the list): headers in implicit VR inside an
// explicit data set, unknown or misspelt VRs, odd lengths, tags out of order or twice, group lengths
// that lie, group 0002 inside the data set, zero padding at the end. It refuses what can't be followed:
// lengths that leave their parent, nesting deeper than DICOM_DEPTH_MAX, sequences without items.
//
// Not its business: text, values, modules, whether attributes belong together.
#ifndef DICOM_READER_H
#define DICOM_READER_H

#include "base/err.h"
#include "base/slice.h"
#include "std/vr.h"

struct std_ts;

enum {
    DICOM_DEPTH_MAX = 64,                    // sequences inside one another
    DICOM_VALUE_MAX_DEFAULT = 64 * 1024,
    DICOM_PATH_MAX = 120,                    // of dicom_reader_path()
};
#define DICOM_LENGTH_UNDEFINED UINT32_MAX

enum dicom_syntax {
    DICOM_IMPLICIT_LE,
    DICOM_EXPLICIT_LE,
    DICOM_EXPLICIT_BE,
};

enum dicom_event_kind {
    DICOM_EV_ELEMENT,           // an element with its whole value
    // an element whose value is longer than value_max: header only; `value` is empty
    DICOM_EV_BULK,
    DICOM_EV_SEQUENCE,          // a sequence begins; items and SEQUENCE_END follow, also when it is empty
    DICOM_EV_SEQUENCE_END,      // `total` is what its items took, delimiter not counted
    DICOM_EV_ITEM,              // depth is one more than the sequence's; `item` counts from 0
    DICOM_EV_ITEM_END,
    DICOM_EV_ENCAPSULATED,      // Pixel Data in fragments begins (PS3.5 A.4)
    // `item` 0 is the Basic Offset Table, with its value (unless longer than value_max)
    DICOM_EV_FRAGMENT,
    DICOM_EV_ENCAPSULATED_END,  // `total` likewise
    DICOM_EV_CHUNK,             // bytes of the BULK or FRAGMENT before it; only when options.chunks
    DICOM_EV_END,               // the data set is complete
};

// `value` and the event itself are the reader's, valid during the call.
struct dicom_event {
    enum dicom_event_kind kind;
    enum vr vr;            // as the header says it, or from the dictionary; VR_UNKNOWN: see vr_code
    uint32_t tag;          // of the element; for items and fragments that of their sequence
    uint32_t length;       // as in the header; may be DICOM_LENGTH_UNDEFINED
    uint32_t item;         // index of the item or fragment
    unsigned depth;        // 0 at top level; inside an item one more than its sequence has
    enum dicom_syntax syntax; // of this element: UN of undefined length holds implicit VR
    uint8_t vr_code[2];    // the two bytes of the header, 0 in implicit VR
    uint64_t header_at;    // offset of the header in the (inflated) data set
    uint64_t offset;       // offset of the value; for CHUNK of its first byte
    uint64_t total;        // SEQUENCE_END, ENCAPSULATED_END: bytes from `offset` to the end of the last item
    struct slice value;    // raw, in the byte order of `syntax`, padding included
};

// Returns OK to go on. Anything else ends the reading with this error; set *f with fault_set() to say why.
typedef enum err dicom_event_fn(void *ctx, const struct dicom_event *ev, struct fault *f);

struct dicom_reader_options {
    enum dicom_syntax syntax;
    bool deflated;                  // raw deflate round an explicit little endian data set (PS3.5 A.5)
    bool chunks;                    // hand out the bytes of long values as they pass
    uint32_t value_max;             // longest value delivered whole; 0: DICOM_VALUE_MAX_DEFAULT
    uint64_t inflate_max_bytes;     // 0: 4 GiB. Inflated data sets longer than this are refused
    uint64_t inflate_free_bytes;    // 0: 64 MiB. Up to here any ratio is taken …
    unsigned inflate_ratio_max;     // 0: 200. … and beyond, this many bytes for each received one
};

// Options for a transfer syntax; false for one whose data sets we don't read (retired MIME, XML, RTV).
bool dicom_reader_options_for(const struct std_ts *ts, struct dicom_reader_options *ret_options);

struct dicom_reader;

// The handler's ctx must live as long as the reader. NULL when there is no memory.
struct dicom_reader *dicom_reader_new(const struct dicom_reader_options *o, dicom_event_fn *fn, void *ctx);
void dicom_reader_free(struct dicom_reader *r);
// Begins another data set with the same memory (a connection stores many).
enum err dicom_reader_reset(struct dicom_reader *r, const struct dicom_reader_options *o, void *ctx);

// After an error every further call returns the same error and does nothing. f says where: tag path and
// offset.
enum err dicom_reader_feed(struct dicom_reader *r, struct slice bytes, struct fault *f);
// No more bytes will come. ERR_TRUNCATED when something is incomplete; otherwise DICOM_EV_END was delivered.
enum err dicom_reader_finish(struct dicom_reader *r, struct fault *f);
// All at once: feed and finish.
enum err dicom_read(const struct dicom_reader_options *o, struct slice bytes, dicom_event_fn *fn, void *ctx,
                    struct fault *f);

// How many of the next bytes can be skipped instead of fed (to seek in a file): those of a long value
// being passed over. Tell with dicom_reader_skip(). Always 0 when deflated or with options.chunks.
uint64_t dicom_reader_skippable(const struct dicom_reader *r);
void dicom_reader_skip(struct dicom_reader *r, uint64_t n); // n ≤ dicom_reader_skippable()

// Where it stands, "(0040,0275)[0].(0040,0009)", for messages; NUL-terminated. No values.
void dicom_reader_path(const struct dicom_reader *r, char ret_path[DICOM_PATH_MAX]);

// What was odd so far. For logs; none of it stands in the way of storing.
struct dicom_oddities {
    uint32_t out_of_order;    // tags descending or twice at the top level
    uint32_t odd_lengths;
    uint32_t unknown_vrs;
    uint32_t implicit_in_explicit; // headers, or whole items, in the other form than declared
    uint32_t stray_delimiters;
    uint64_t trailing_bytes;  // zeros after the data set, or anything after deflated data
    bool group_0002;          // File Meta Information inside the data set
    bool wrong_syntax;        // the data set as a whole is not in the syntax declared (explicit ↔ implicit)
};
const struct dicom_oddities *dicom_reader_oddities(const struct dicom_reader *r);

// Reverses byte order in place for a VR (PS3.5 7.3): n is rounded down to whole units.
void dicom_swap(enum vr vr, uint8_t *p, size_t n);

// "(0010,0010)"
void dicom_tag_format(uint32_t tag, char ret_text[12]);

#endif
