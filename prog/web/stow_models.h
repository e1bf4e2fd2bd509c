// Storing from metadata and bulk data: PS3.18 10.5, application/dicom+json and application/dicom+xml.
//
// Metadata come first: one part with an array of data sets in JSON, or a part for each in XML. Bulk data
// follow, each in a part whose Content-Location is the BulkDataURI of an element. Nothing is ever fetched
// from such a URI.
//
// An instance is stored as soon as its bulk data are complete. What is last of them streams through when
// its length is known; the rest waits in memory, STOW_BULK_MAX_BYTES of all together.
#ifndef WEB_STOW_MODELS_H
#define WEB_STOW_MODELS_H

#include "http/multipart.h"
#include "stow.h"

enum { STOW_METADATA_MAX_BYTES = 32 * 1024 * 1024, STOW_BULK_MAX_BYTES = 64 * 1024 * 1024,
       STOW_GUESS_MIN_BYTES = 16 * 1024 * 1024 };

struct stow_models;
// `type`: of the metadata parts. NULL: no memory.
struct stow_models *stow_models_new(struct stow *s, bool xml);
void stow_models_free(struct stow_models *m);

// A part begins, goes on, ends. An error is that of the whole request: metadata that cannot be read.
enum err stow_models_part(struct stow_models *m, const struct multipart_event *ev, struct fault *f);
enum err stow_models_data(struct stow_models *m, struct slice bytes, struct fault *f);
enum err stow_models_part_end(struct stow_models *m, struct fault *f);
// There are no more parts: instances whose bulk data did not come have failed.
void stow_models_end(struct stow_models *m);

#endif
