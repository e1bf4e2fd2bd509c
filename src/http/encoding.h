// Compressed answers (RFC 9110 8.4, 12.5.3): whether the client wants gzip, and gzip in a stream.
#ifndef HTTP_ENCODING_H
#define HTTP_ENCODING_H

#include "base/buf.h"
#include "base/err.h"

// From Accept-Encoding (p NULL when absent): gzip is named, or "*" is, with a q above 0 and not below
// identity's.
bool gzip_wanted(struct slice accept_encoding);

struct gzip;
struct gzip *gzip_new(int level); // 1 to 6, fast to small; NULL: out of memory
void gzip_free(struct gzip *g);
// Appends what is ready. ERR_LIMIT when `out` is full; then the stream is lost.
enum err gzip_write(struct gzip *g, struct slice in, struct buf *out);
enum err gzip_end(struct gzip *g, struct buf *out);
// All at once.
enum err gzip_whole(int level, struct slice in, struct buf *out);

#endif
