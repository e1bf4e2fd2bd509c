// WADO-URI, PS3.18 9: one instance by its UIDs in the query of the URL.
#include "retrieve.h"
#include "route.h"
#include "wado.h"

#include "base/uid.h"
#include "http/media.h"

// The UIDs as if they stood in a path.
static bool take_uids(struct request *rq) {
    static const char *const names[] = {"studyUID", "seriesUID", "objectUID"};
    for (size_t i = 0; i < 3; i++) {
        rq->parts[i] = request_parameter(rq, names[i], 0);
        if (!uid_tolerable(rq->parts[i])) {
            answer_error(rq, 400, "parameter", "%s must be there and be a UID.", names[i]);
            return false;
        }
    }
    return true;
}

void wado_uri(struct request *rq) {
    struct slice type = request_parameter(rq, "requestType", 0);
    struct slice content = request_parameter(rq, "contentType", 0);
    struct slice transfer = request_parameter(rq, "transferSyntax", 0);
    struct media_type media;
    char wanted[65] = "";
    if (!slice_eq_str(type, "WADO")) {
        answer_error(rq, 400, "parameter", "requestType must be WADO.");
        return;
    }
    if (!take_uids(rq))
        return;
    if (!content.p || !media_parse(content, &media) || !media_is(&media, "application/dicom")) {
        // 9.1.2.1: without contentType it would be a rendered image
        answer_error(rq, 501, "rendered",
                     "Images are not rendered yet: ask for contentType=application/dicom.");
        return;
    }
    if (transfer.p && !slice_to_cstr(transfer, wanted, sizeof wanted)) {
        answer_error(rq, 400, "parameter", "transferSyntax must be a UID.");
        return;
    }
    wado_single(rq, wanted);
}
