// Of HTTP itself, until src/http has it.
#ifndef WEB_INTERIM_H
#define WEB_INTERIM_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"

enum { HTTP_SEGMENTS_MAX = 32 };
struct http_path {
    struct slice segments[HTTP_SEGMENTS_MAX];
    size_t count;
};
enum err http_path_split(struct slice path, struct arena *a, struct http_path *ret, struct fault *f);
bool http_query_next(struct slice *rest, struct arena *a, struct slice *key, struct slice *value);
void http_escape(struct buf *b, struct slice s);
struct slice http_cookie(struct slice header, const char *name);
bool http_etag_listed(struct slice list, struct slice etag);
bool http_gzip_wanted(struct slice accept_encoding);
enum err http_gzip(struct slice in, int level, struct buf *out);

#endif
