// The Native DICOM Model (PS3.19 A.1) in: one document, one data set, as STOW-RS receives them.
//
// As strict as dicom/json_read.h: an element or attribute the model does not have is an error, numbers must
// ascend (what they leave out is an empty value), and nothing recurses. The namespace may be missing, as
// some writers leave it out. UTF-8 only. Any document type declaration is refused, so that there are no
// entities but those of XML itself; nothing is ever fetched.
//
// A private attribute comes with its creator, and 00 or its block number in the tag (A.1.5); the block is the
// one that is reserved for the creator in the same data set or item before it, or else the first free one.
//
// Parsing is expat's, which asks the kernel for random bytes (getrandom) to salt its tables.
#ifndef DICOM_XML_READ_H
#define DICOM_XML_READ_H

#include "dicom/model.h"

// Everything is copied into the arena. ERR_SYNTAX: no XML, or not this model (with the place, never a value);
// ERR_LIMIT: longer than DICOM_MODEL_TEXT_MAX, or the arena is full; ERR_DEPTH.
enum err dicom_xml_read(struct slice text, struct arena *a, struct fault *f, struct dicom_model *ret_model);

#endif
