// What the two forms of a store share (PS3.18 10.5): objects one after the other, and the report of what
// became of each (Store Instances Response, Annex I).
#ifndef WEB_STOW_H
#define WEB_STOW_H

#include "models.h"

// An object that the archive has taken and that is not durable yet.
struct stow_waiting {
    char sop_class[65], sop_instance[65], study[65], series[65];
};

struct stow {
    struct request *rq;
    struct arena arena; // of the report
    struct dicom_dataset *report;
    char path_study[65]; // that all objects must be of; "": any
    uint32_t stored, failed;
    uint32_t failed_for_now; // of those: by fault of the disk, of memory, of others' load
    bool full;               // a disk among them
    struct stow_waiting waiting[INCOMING_WAITING_MAX]; // in the order of their commits, from `oldest` on
    unsigned oldest, waiting_count;
    char one_study[65]; // that all stored objects are of; "": none yet
    bool several_studies;
};

enum err stow_begin(struct stow *s, struct request *rq, struct fault *f);
void stow_free(struct stow *s);
// One object's fate. sop_class and sop_instance may be empty: then it cannot be named, and counts among the
// other failures (0008,119A).
// What has come in completely is handed over; it counts as stored once the archive says that it is durable.
enum err stow_commit(struct stow *s, struct incoming *in, struct fault *f);
void stow_settle(struct stow *s); // waits until all are durable, or are not
void stow_failed(struct stow *s, struct slice sop_class, struct slice sop_instance, enum err e);
// 200 all, 202 some, 409 none: Table 10.5.3-1. But 507 or 503 when none was, for no fault of theirs: after
// those, programs send again.
void stow_answer(struct stow *s, struct models *out);
// May objects of this class be stored here? ERR_UNSUPPORTED.
enum err stow_check_class(const struct stow *s, struct slice sop_class, struct fault *f);

#endif
