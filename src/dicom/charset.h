// Text of a data set to UTF-8 and back: Specific Character Set (0008,0005) with all defined terms
// of PS3.3 C.12.1.1.2 (edition 2024e), code extensions of PS3.5 6.1.2.5 included.
//
// Decoding never fails: what can't be read becomes U+FFFD and is flagged, so that an odd name never
// stands in the way of storing an image. Encoding says "can't be said in this set" and the caller
// takes ISO_IR 192 instead (PS3.4 C.4.1.1.3.2).
//
// The conversion tables are made once, by dicom_charset_preload(), with the C library's iconv;
// afterwards no file is opened and no iconv code runs, so that bytes from outside never reach it.
// Read-only after preload: processes forked later share them.
//
// What UTF-8 comes out may be split: a '\' in it is a separator of values (in VRs that have
// several), '^' and '=' in PN are delimiters; bytes 5C, 5E and 3D inside characters of several
// bytes (GBK, GB18030, ISO 2022) never show up as such.
#ifndef DICOM_CHARSET_H
#define DICOM_CHARSET_H

#include "base/buf.h"
#include "base/err.h"
#include "base/slice.h"
#include "std/vr.h"

// Makes the tables; to be called once, before confinement, by every program that reads data sets.
// ERR_IO when the C library lacks a character set (the detail names it). Again: does nothing.
enum err dicom_charset_preload(struct fault *f);

enum { DICOM_CHARSET_MAX_TERMS = 16 }; // values of (0008,0005) that are looked at

// What (0008,0005) said. A plain value: copy it freely, look into it only in dicom/charset*.c.
struct dicom_charset {
    uint8_t alone;  // enum charset_alone: UTF-8, GB18030, GBK; or none of these
    uint8_t g0, g1; // ISO registration numbers of the first value: active at the start and after delimiters
    uint8_t term_count;
    uint8_t terms[DICOM_CHARSET_MAX_TERMS];    // index in the table of std/charset.h, for the label
    uint8_t sets[2 * DICOM_CHARSET_MAX_TERMS]; // ISO registration numbers, as declared, for encoding
    uint8_t set_count;
    bool extended; // code extensions are allowed
    uint8_t notes; // enum dicom_charset_note
};

enum dicom_charset_note {
    DICOM_CHARSET_REPLACED = 1, // something could not be decoded and is U+FFFD now
    // bytes above 7F in no declared set: read as UTF-8 or Latin 1, whichever fits
    DICOM_CHARSET_GUESSED = 2,
    DICOM_CHARSET_UNDECLARED = 4, // an escape sequence for a set (0008,0005) does not name: followed
    // a term was not written as in the standard ("ISO-IR 100", "utf8"): understood
    DICOM_CHARSET_MISSPELT = 8,
    DICOM_CHARSET_UNKNOWN = 16, // a term was not understood at all, or there were too many
};

extern const struct dicom_charset dicom_charset_ascii; // the default repertoire: no (0008,0005)
extern const struct dicom_charset dicom_charset_utf8;  // ISO_IR 192

// From the raw value of (0008,0005), with separators and padding; see cs->notes for what was odd.
void dicom_charset_init(struct dicom_charset *cs, struct slice value);

// Appends the value to label an answer with, unpadded: "ISO 2022 IR 13\ISO 2022 IR 87", "" for the default.
void dicom_charset_label(const struct dicom_charset *cs, struct buf *out);

// Appends the whole value (all values of the element) as UTF-8 and returns the notes, 0 when all was well.
// Trailing NULs are padding and left out; blanks stay. At most 3 bytes come out for 1. VRs that (0008,0005)
// does not concern (UI, CS, DA …) are read in the default repertoire. Check buf_ok(out).
unsigned dicom_charset_decode(const struct dicom_charset *cs, enum vr vr, struct slice raw, struct buf *out);

// Appends UTF-8 in the set cs; with code extensions it designates sets as needed and returns to the first
// before delimiters and at the end. False, and nothing appended, when a character can't be said in it (or
// the buffer is full: see buf_ok(out)). The UTF-8 must be as dicom_charset_decode() makes it: in VRs with
// several values a '\' separates.
bool dicom_charset_encode(const struct dicom_charset *cs, enum vr vr, struct slice utf8, struct buf *out);

// The next value of a raw element, split at true separators only; while (rest.p) … as slice_split().
struct slice dicom_charset_split(const struct dicom_charset *cs, enum vr vr, struct slice raw,
                                 struct slice *ret_rest);

#endif
