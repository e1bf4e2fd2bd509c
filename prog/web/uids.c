#include "uids.h"

#include "base/uid.h"
#include "ipc/query.h"
#include "std/index_attr.h"

enum err uids_conditions_named(const struct slice *uids, size_t count, struct buf *conditions,
                               struct fault *f) {
    static const uint16_t attributes[] = {INDEX_ATTR_StudyInstanceUID, INDEX_ATTR_SeriesInstanceUID,
                                          INDEX_ATTR_SOPInstanceUID};
    for (size_t i = 0; i < count && uids[i].p; i++) {
        if (!uid_tolerable(uids[i]))
            return fault_set(f, ERR_NO_SUCH_OBJECT, "the path names a UID that is none");
        struct query_condition c = {attributes[i], QUERY_SINGLE, 1, &uids[i]};
        query_put(conditions, &c);
    }
    return buf_check(conditions, f, "path");
}

enum err uids_conditions(struct request *rq, struct buf *conditions, struct fault *f) {
    return uids_conditions_named(rq->parts, 3, conditions, f);
}
