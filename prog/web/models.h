// Data sets as an answer: in the DICOM JSON model, an array (PS3.18 F.2), or in the Native DICOM Model,
// each a part of a multipart (PS3.18 8.7.3.2). What the client accepts decides.
#ifndef WEB_MODELS_H
#define WEB_MODELS_H

#include "dicom/json.h"
#include "web.h"

enum {
    MODELS_PAGE_BYTES = 4 * 1024 * 1024
}; // of an answer that is made whole; a longer one is sent as it is made

struct models {
    struct request *rq;
    bool xml, single; // single: one data set, not an array of one
    dicom_json_uri_fn *uri;
    void *uri_ctx;
    struct buf body; // what is not sent yet
    size_t count;
    char boundary[MULTIPART_BOUNDARY_BYTES + 1], type[128];
};

// Looks at Accept (8.7.5); `single`: one data set, not a list of them. false: 406 is out. models_free() in
// any case.
bool models_choose(struct models *m, struct request *rq, bool single);
void models_free(struct models *m);
enum err models_put(struct models *m, const struct dicom_dataset *ds, struct fault *f);
// When enough has gathered, it goes out (the head first: 200). False: the client is gone.
bool models_flush(struct models *m);
// What is left goes out: with the head `a` when nothing is out yet.
void models_finish(struct models *m, struct answer *a);

#endif
