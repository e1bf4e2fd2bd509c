// Deleting a study, a series, an instance (PS3.18 10.8 is about work items; the form follows the retrieve
// paths). Who may is the archive's to say: administrators anything, others what they alone have uploaded.
#include "route.h"

#include "base/uid.h"
#include "ipc/ipc.h"

void delete_objects(struct request *rq) {
    struct ipc_delete_objects ask = {
        .study = rq->parts[0], .series = rq->parts[1], .sop_instance = rq->parts[2]};
    for (size_t i = 0; i < 3 && rq->parts[i].p; i++)
        if (!uid_tolerable(rq->parts[i])) {
            answer_error(rq, 404, "not_found", "There is no such study, series or instance.");
            return;
        }
    struct ipc_msg m = channel_call(&rq->archive, IPC_DELETE_OBJECTS, &ask, IPC_DELETED);
    const struct ipc_deleted *got = &m.u.deleted;
    if (got->error == OK) {
        web_log(rq->web, OS_LOG_INFO, "%s deleted %llu objects", rq->user, (unsigned long long)got->count);
        answer_empty(rq, 204);
    } else if (got->error == ERR_NO_SUCH_OBJECT) {
        answer_error(rq, 404, "not_found", "There is no such study, series or instance.");
    } else {
        answer_error(rq, (int)err_http_status((enum err)got->error), err_name((enum err)got->error),
                     "%s%s%.*s", err_text((enum err)got->error), got->detail.n ? ": " : "",
                     SLICE_FMT(got->detail));
    }
}
