// C-GET, PS3.4 C.4.3: the objects come back on the same association.
#include "retrieve.h"

void c_get(struct worker *w, const struct ul_assoc_event *ev) {
    struct retrieval r;
    if (!retrieval_begin(&r, w, ev))
        return;
    r.subops.to = &w->client;
    subops_run(&r.subops);
    subops_finish(&r.subops);
    retrieval_end(&r);
}
