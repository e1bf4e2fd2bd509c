// A data set as text for people, one line an element:
//
//   (0010,0010) PN #10 [Doe^Jane]                       PatientName
//
// Everything from the data set is safe to print on a terminal: control characters, direction marks and
// invalid bytes are escaped (\n, \x1b, \u{202e}). Values are cut to a width; long ones are shown by
// offset and length.
#ifndef DICOM_TEXT_H
#define DICOM_TEXT_H

#include "base/buf.h"
#include "dicom/charset.h"
#include "dicom/reader.h"

enum { DICOM_TEXT_CREATORS = 64 };

// Who reserved a block of private elements (PS3.5 7.8.1).
struct dicom_text_creator {
    uint32_t block; // (gggg,bb00)
    unsigned depth;
    uint8_t n;
    uint8_t name[64];
};

struct dicom_text {
    struct buf *out;           // the caller's, who takes away what is there between feeding slices
    size_t value_chars;        // longest value shown; 0: 64
    // a data set in an item may have its own (PS3.3 C.12.1.1.2)
    size_t creator_count;
    struct dicom_text_creator creators[DICOM_TEXT_CREATORS]; // more are not named
    struct dicom_charset charset[DICOM_DEPTH_MAX + 1];
};

void dicom_text_init(struct dicom_text *t, struct buf *out, size_t value_chars);
enum err dicom_text_event(void *text, const struct dicom_event *ev, struct fault *f); // a reader's handler

// Appends text with what could harm a terminal escaped; bytes that are not UTF-8 as \xNN.
void dicom_text_escape(struct buf *out, struct slice utf8);

#endif
