// DICOM files (PS3.10 chapter 7): preamble, "DICM", File Meta Information.
//
// Reading is incremental and tolerant: no preamble, no File Meta Information at all (the transfer syntax is
// then guessed from the first element), no group length, a wrong one, an unknown transfer syntax UID.
// What is in the preamble is never looked at and never kept (PS3.10 7.5).
#ifndef DICOM_PART10_H
#define DICOM_PART10_H

#include "base/buf.h"
#include "base/uid.h"
#include "dicom/reader.h"

enum { DICOM_META_MAX_BYTES = 64 * 1024 }; // longer File Meta Information is refused

struct dicom_meta {
    char transfer_syntax[UID_MAX + 1];
    char sop_class[UID_MAX + 1];    // (0002,0002); "" when absent: then see the data set
    char sop_instance[UID_MAX + 1]; // (0002,0003)
    uint64_t meta_offset;           // in the file: where File Meta Information begins, when there is any
    uint64_t data_set_offset;       // in the file
    bool has_preamble, has_meta;
    bool guessed;                   // the transfer syntax is a guess (implicit LE, explicit LE or BE)
};

// Reads the head of a file from its first bytes (all that are there so far). OK; or ERR_TRUNCATED: more bytes
// are needed, come again with them (when `complete`: the file ends too early, f is set); ERR_SYNTAX: no DICOM
// file; ERR_LIMIT: File Meta Information longer than DICOM_META_MAX_BYTES.
enum err dicom_meta_parse(struct slice head, bool complete, struct dicom_meta *ret_meta, struct fault *f);

// The reader options for the file's data set. ERR_UNSUPPORTED: a transfer syntax we don't read.
// An unknown one is read as Explicit VR Little Endian, as all syntaxes since 1993 are.
enum err dicom_meta_reader_options(const struct dicom_meta *m, struct dicom_reader_options *ret_options,
                                   struct fault *f);

// Appends 128 zeros, "DICM" and File Meta Information; the data set follows as stored.
// `source_ae` is (0002,0016), or NULL.
void dicom_meta_write(struct buf *out, struct slice sop_class, struct slice sop_instance,
                      struct slice transfer_syntax, const char *source_ae);

#endif
