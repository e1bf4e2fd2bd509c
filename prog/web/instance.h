// One instance of which parts are sent: frames, bulk data (PS3.18 10.4.1.1.3, .5, .6).
#ifndef WEB_INSTANCE_H
#define WEB_INSTANCE_H

#include "accepts.h"
#include "retrieve.h"

struct instance {
    struct request *rq;
    struct retrieval from;
    struct object object;
    struct arena arena;
    struct slice summary;
    struct dicom_frames table;
    const struct std_ts *ts;
    char type[200]; // of a part
    char boundary[MULTIPART_BOUNDARY_BYTES + 1];
    struct buf head; // what comes before a part
    bool first;
};

// What the path names, the first of them. `with`: RETRIEVAL_WITH_BODY, or 0. instance_close() in any case.
enum err instance_open(struct instance *x, struct request *rq, unsigned with, struct fault *f);
bool instance_next(struct instance *x, struct fault *f); // false: there are no more, or it cannot be read (f)
void instance_close(struct instance *x);

// Of its pixel data: Tables 8.7.3-2 and -5.
const char *instance_media_type(const struct instance *x);
// Can its pixel data be sent as the client takes it? 8.7.3.3: uncompressed as bytes; compressed where it
// asks for this very syntax or for any, or for the media type of it; and where there is only a lossy form
// (8.7.3.5.2).
bool instance_is_sent_as(const struct instance *x, const struct accepted *a);
void instance_choose_type(struct instance *x); // of the parts, for its pixel data

bool instance_has_frame(const struct instance *x, uint32_t frame); // from 0
enum err instance_send_frame(struct instance *x, uint32_t frame, bool last, struct fault *f);

// A multipart of parts of it. `what`: the end of the part's URL, "/frames/1".
bool instance_begin_multipart(struct instance *x, int64_t length);
void instance_put_part(struct instance *x, const char *what); // its header, into x->head
enum err instance_end_multipart(struct instance *x, struct fault *f);

#endif
