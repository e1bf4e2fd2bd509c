// Deflated data sets (PS3.5 A.5, RFC 1951 without a zlib header), inflated piece by piece with limits on
// size and ratio, so that a small stream can't cost unbounded work. Private to the reader.
#ifndef DICOM_INFLATE_H
#define DICOM_INFLATE_H

#include "base/err.h"
#include "base/slice.h"

struct inflater;

typedef enum err inflate_sink_fn(void *ctx, struct slice bytes, struct fault *f);

struct inflate_limits {
    uint64_t max_bytes, free_bytes;
    unsigned ratio_max;
};

struct inflater *inflater_new(void); // NULL: no memory
void inflater_free(struct inflater *i);
void inflater_reset(struct inflater *i, struct inflate_limits limits);
enum err inflater_feed(struct inflater *i, struct slice bytes, inflate_sink_fn *sink, void *ctx,
                       struct fault *f);
bool inflater_ended(const struct inflater *i);
uint64_t inflater_trailing(const struct inflater *i); // bytes after the end of the deflated stream

#endif
