// UIDs of PS3.6 Annex A as facts: transfer syntaxes (spec/xfer.tsv), SOP classes (spec/sop.tsv; storage
// classes of manufacturers: spec/private.tsv) and the others (spec/uids.tsv). UID_ExplicitVRLittleEndian and
// its like, as string literals, are in the generated std/uids.h, included here. The grammar of UIDs is in
// base/uid.h.
#ifndef STD_UID_H
#define STD_UID_H

#include "base/slice.h"
#include "std/uids.h" // generated: #define UID_<Keyword> "1.2.840.10008…"

// How this software names itself to its peers and in files: Implementation Class UID (PS3.7 D.3.3.2,
// PS3.10 7.1; made from a UUID of ours) and Version Name (16 characters at most).
#define GALENA_IMPLEMENTATION_CLASS "2.25.39037845771762653854267623358810963165"
#define GALENA_IMPLEMENTATION_VERSION "GALENA_" GALENA_VERSION

enum ts_family { // how a frame is coded
    TS_FAMILY_NATIVE,    // not compressed (also encapsulated uncompressed)
    TS_FAMILY_RLE,
    TS_FAMILY_JPEG,      // ISO 10918-1: baseline, extended, lossless
    TS_FAMILY_JPEGLS,
    TS_FAMILY_JPEG2000,
    TS_FAMILY_HTJ2K,
    TS_FAMILY_JPEGXL,
    TS_FAMILY_DEFLATE,   // Deflated Image Frame Compression
    TS_FAMILY_MPEG2,
    TS_FAMILY_MPEG4,
    TS_FAMILY_HEVC,
    TS_FAMILY_JPIP,      // pixels by reference to a JPIP server
    TS_FAMILY_SMPTE,     // DICOM-RTV, never stored
    TS_FAMILY_OTHER,     // retired MIME, XML and Papyrus encodings: not data sets we read
};

struct std_ts {
    const char *uid;
    const char *keyword;
    const char *name;
    uint8_t family;      // enum ts_family
    bool explicit_vr;
    bool big_endian;
    bool encapsulated;   // Pixel Data in fragments
    bool deflated;       // the data set as a whole (PS3.5 A.5)
    bool lossy;          // may lose information
    bool fragmentable;   // video: one frame stream may span fragments
    bool retired;
};

// A UID as in a file or an A-ASSOCIATE item, trailing NUL already taken off. NULL if unknown.
const struct std_ts *std_ts_find(struct slice uid);
size_t std_ts_count(void);
const struct std_ts *std_ts_at(size_t i); // NULL past the end; the order is that of the UIDs
size_t std_ts_index(const struct std_ts *ts);

enum sop_kind {
    SOP_KIND_OTHER,               // print, worklist, notification …: known, nothing of ours
    SOP_KIND_VERIFICATION,
    SOP_KIND_STORAGE,             // composite instances of a patient (PS3.4 B.5)
    SOP_KIND_STORAGE_NONPATIENT,  // palettes, templates, hanging protocols … (PS3.4 GG)
    SOP_KIND_FIND,
    SOP_KIND_MOVE,
    SOP_KIND_GET,
    SOP_KIND_COMMITMENT,          // storage commitment
    SOP_KIND_WORKLIST,            // modality worklist and other workflow queries
};

enum sop_model { // information model of FIND, MOVE, GET
    SOP_MODEL_NONE,
    SOP_MODEL_PATIENT_ROOT,
    SOP_MODEL_STUDY_ROOT,
    SOP_MODEL_PATIENT_STUDY_ONLY, // retired
    SOP_MODEL_COMPOSITE,          // Composite Instance Root, Composite Without Bulk Data
    SOP_MODEL_NONPATIENT,         // hanging protocol, palette, template, … Q/R
    SOP_MODEL_REPOSITORY,         // Repository Query
};

struct std_sop {
    const char *uid;
    const char *keyword; // "": a manufacturer's own
    const char *name;
    uint8_t kind;        // enum sop_kind
    uint8_t model;       // enum sop_model
    bool retired;
};

const struct std_sop *std_sop_find(struct slice uid);
size_t std_sop_count(void);
const struct std_sop *std_sop_at(size_t i); // NULL past the end; in the order of the UIDs

// What PS3.6 calls any UID of its registry, or a manufacturer its storage class; or NULL.
const char *std_uid_name(struct slice uid);

static inline bool std_sop_is_storage(const struct std_sop *s) {
    return s != NULL && (s->kind == SOP_KIND_STORAGE || s->kind == SOP_KIND_STORAGE_NONPATIENT);
}

#endif
