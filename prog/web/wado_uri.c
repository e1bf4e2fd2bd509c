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

// One or several, as in Accept. None: it would be a rendered image (9.1.2.1).
static bool is_dicom_wanted(struct request *rq) {
    struct accept accept;
    struct slice content = request_parameter(rq, "contentType", 0);
    bool wanted = false;
    if (content.n > 0)
        accept_parse(content, &accept);
    for (size_t i = 0; content.n > 0 && i < accept.count; i++)
        wanted = wanted || (accept.range[i].q > 0 && accept_holds(&accept.range[i], "application/dicom"));
    return wanted;
}

// Who asks for an instance without names must never get one with them.
static bool may_have_names(struct request *rq) {
    for (size_t n = 0;; n++) {
        struct slice anonymize = request_parameter(rq, "anonymize", n);
        if (!anonymize.p)
            return true;
        if (!slice_eq_str(anonymize, "no"))
            return false;
    }
}

void wado_uri(struct request *rq) {
    struct slice type = request_parameter(rq, "requestType", 0);
    struct slice transfer = request_parameter(rq, "transferSyntax", 0);
    char wanted[UID_MAX + 1] = "";
    if (!slice_eq_str(type, "WADO")) {
        answer_error(rq, 400, "parameter", "requestType must be WADO.");
        return;
    }
    if (!take_uids(rq))
        return;
    if (!may_have_names(rq)) {
        answer_error(rq, 501, "anonymize", "Instances are not de-identified here: leave anonymize out.");
        return;
    }
    if (!is_dicom_wanted(rq)) {
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
