// Stored objects, one after the other, and parts of their bodies: PS3.18 10.4.
//
// Bodies go from the shared memory straight to the client: while one half of it goes out, the archive opens
// what comes next. No byte of an image is copied or looked at here, but where it must be re-encoded.
#ifndef WEB_RETRIEVE_H
#define WEB_RETRIEVE_H

#include "base/uid.h"
#include "dicom/summary.h"
#include "std/uid.h"
#include "web.h"

// What comes with each object, so that nobody has to ask for it again.
enum retrieval_with {
    RETRIEVAL_WITH_FRONT = 1, // summary and frame table, for retrieval_front()
    RETRIEVAL_WITH_BODY = 2,  // the beginning of its body
    // The same, where each object's body is read once, to its end, and nothing of it after that: then the
    // next object comes while the last piece of this one goes out.
    RETRIEVAL_WITH_BODIES = 4,
};

struct retrieval {
    struct request *rq;
    struct channel *archive;
    unsigned with;    // enum retrieval_with
    uint32_t count;   // objects
    uint32_t given;   // of them came already
    struct buf pairs; // their distinct "class NUL transfer syntax NUL"
    bool open;
    bool asked; // for the next object: the answer is on its way
    // Of the object at hand: what lies in the shared memory of it.
    uint32_t summary_bytes, frames_bytes, read_at, read_bytes;
    uint64_t length;
};

struct object {
    enum err error; // OK: it can be read
    char sop_class[UID_MAX + 1], sop_instance[UID_MAX + 1], transfer[UID_MAX + 1];
    char study[UID_MAX + 1], series[UID_MAX + 1];
    uint64_t length, tag;
};

// What the path names. ERR_NO_SUCH_OBJECT: nothing. retrieval_fini() or _close() in any case.
enum err retrieval_open(struct retrieval *r, struct request *rq, unsigned with, struct fault *f);
// The same with UIDs from study down (count 1 to 3).
enum err retrieval_open_named(struct retrieval *r, struct request *rq, const struct slice *uids, size_t count,
                              unsigned with, struct fault *f);
// Frees it when the request is over: RELEASE ends it in the archive, too.
void retrieval_fini(struct retrieval *r);
// Ends it, so that the request may ask the archive for something else.
void retrieval_close(struct retrieval *r);
bool retrieval_next(struct retrieval *r, struct object *ret_object); // false: there are no more
// Summary and frame table of the object at hand, in the arena; before its body is read.
enum err retrieval_front(struct retrieval *r, struct arena *a, struct slice *ret_summary,
                         struct dicom_frames *ret_frames, struct fault *f);
// Sends a range of its body as it is stored. `last`: the answer ends with it.
enum err retrieval_send(struct retrieval *r, uint64_t offset, uint64_t n, bool last, struct fault *f);

// The same, with each piece to a function of the caller (re-encoding).
typedef enum err retrieval_piece_fn(void *ctx, struct slice piece, bool last, struct fault *f);
enum err retrieval_read(struct retrieval *r, uint64_t offset, uint64_t n, retrieval_piece_fn *fn, void *ctx,
                        struct fault *f);

#endif
