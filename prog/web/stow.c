#include "stow.h"

#include "base/uid.h"
#include "std/index_attr.h"
#include "std/tag.h"
#include "std/uid.h"

enum {
    REPORT_ARENA_BYTES = 64 * 1024 * 1024,
    // Failure reasons: PS3.18 Table I.2-2, PS3.3 C.14.1.1
    REASON_OUT_OF_RESOURCES = 0xA700,
    REASON_MISMATCH = 0xA900,
    REASON_CANNOT_UNDERSTAND = 0xC000,
    REASON_TRANSFER_SYNTAX = 0xC122,
    REASON_CLASS_NOT_SUPPORTED = 0x0122,
    REASON_PROCESSING = 0x0110,
};

enum err stow_begin(struct stow *s, struct request *rq, struct fault *f) {
    *s = (struct stow){.rq = rq, .arena = ARENA_INIT(REPORT_ARENA_BYTES)};
    s->report = dicom_dataset_new(&s->arena);
    if (!s->report)
        return fault_set(f, ERR_NO_MEMORY, "report");
    struct slice study = rq->parts[0];
    if (study.p && (!uid_tolerable(study) || !slice_to_cstr(study, s->path_study, sizeof s->path_study)))
        return fault_set(f, ERR_SYNTAX, "the path names a study UID that is none");
    return OK;
}

void stow_free(struct stow *s) {
    arena_fini(&s->arena);
}

enum err stow_check_class(const struct stow *s, struct slice sop_class, struct fault *f) {
    if (std_sop_is_storage(std_sop_find(sop_class)))
        return OK;
    struct slice rest = slice_str(s->rq->web->private_classes);
    while (rest.p)
        if (slice_eq(slice_split(rest, '\n', &rest), sop_class))
            return OK;
    if (!uid_valid(sop_class))
        return fault_set(f, ERR_UNSUPPORTED, "its SOP class is none");
    return fault_set(f, ERR_UNSUPPORTED,
                     "its SOP class is not known here: if it is a storage class, galena.conf takes it with "
                     "private_sop_classes = {\"%.*s\"}",
                     SLICE_FMT(sop_class));
}

static void put_study_url(const struct stow *s, struct buf *url, struct slice study) {
    buf_append_slice(url, request_origin(s->rq));
    buf_append_str(url, "/dicomweb/studies/");
    buf_append_slice(url, study);
}

static void note_study(struct stow *s, struct slice study) {
    if (s->one_study[0] == '\0')
        (void)slice_to_cstr(study, s->one_study, sizeof s->one_study);
    else if (!slice_eq_str(study, s->one_study))
        s->several_studies = true;
}

static void note_stored(struct stow *s, const struct stow_waiting *w) {
    struct dicom_dataset *item = dicom_dataset_add_item(s->report, TAG_ReferencedSOPSequence);
    struct buf url = BUF_INIT(2048);
    s->stored++;
    note_study(s, slice_str(w->study));
    put_study_url(s, &url, slice_str(w->study));
    buf_printf(&url, "/series/%s/instances/%s", w->series, w->sop_instance);
    if (item) { // without memory for it the report is shorter, and what is stored is stored
        (void)dicom_dataset_put(item, TAG_ReferencedSOPClassUID, VR_UI, slice_str(w->sop_class));
        (void)dicom_dataset_put(item, TAG_ReferencedSOPInstanceUID, VR_UI, slice_str(w->sop_instance));
        (void)dicom_dataset_put(item, TAG_RetrieveURL, VR_UR, buf_slice(&url));
    }
    buf_fini(&url);
}

// The oldest of those that wait.
static void settle_one(void *ctx, const struct ipc_msg *m) {
    struct stow *s = ctx;
    const struct stow_waiting *w = &s->waiting[s->oldest];
    enum err e = (enum err)m->u.store_done.error;
    if (s->waiting_count == 0)
        return;
    if (e == OK)
        note_stored(s, w);
    else
        stow_failed(s, slice_str(w->sop_class), slice_str(w->sop_instance), e);
    s->oldest = (s->oldest + 1) % INCOMING_WAITING_MAX;
    s->waiting_count--;
}

static void wait_for_one(struct stow *s) {
    struct ipc_msg m = channel_receive(&s->rq->archive, IPC_STORE_DONE);
    settle_one(s, &m);
}

void stow_settle(struct stow *s) {
    while (s->waiting_count > 0)
        wait_for_one(s);
    s->rq->archive.aside = NULL;
}

static void copy_uid(const struct incoming *in, int attr, char ret_uid[65]) {
    if (!slice_to_cstr(incoming_uid(in, attr), ret_uid, 65))
        ret_uid[0] = '\0';
}

enum err stow_commit(struct stow *s, struct incoming *in, struct fault *f) {
    struct channel *archive = &s->rq->archive;
    archive->aside_type = IPC_STORE_DONE;
    archive->aside = settle_one;
    archive->aside_ctx = s;
    if (s->waiting_count == INCOMING_WAITING_MAX)
        wait_for_one(s);
    enum err e = incoming_commit_early(in, f);
    if (e != OK)
        return e;
    struct stow_waiting *w = &s->waiting[(s->oldest + s->waiting_count) % INCOMING_WAITING_MAX];
    copy_uid(in, INDEX_ATTR_SOPClassUID, w->sop_class);
    copy_uid(in, INDEX_ATTR_SOPInstanceUID, w->sop_instance);
    copy_uid(in, INDEX_ATTR_StudyInstanceUID, w->study);
    copy_uid(in, INDEX_ATTR_SeriesInstanceUID, w->series);
    s->waiting_count++;
    return OK;
}

static uint16_t reason_of(enum err e, bool class_known) {
    uint16_t status = err_dimse_status(e);
    if (e == ERR_UNSUPPORTED)
        return class_known ? REASON_TRANSFER_SYNTAX : REASON_CLASS_NOT_SUPPORTED;
    if (status == REASON_MISMATCH || status == REASON_OUT_OF_RESOURCES || status == REASON_CANNOT_UNDERSTAND)
        return status;
    return REASON_PROCESSING;
}

void stow_failed(struct stow *s, struct slice sop_class, struct slice sop_instance, enum err e) {
    bool named = sop_instance.n > 0;
    struct dicom_dataset *item =
        dicom_dataset_add_item(s->report, named ? TAG_FailedSOPSequence : TAG_OtherFailuresSequence);
    s->failed++;
    s->failed_for_now += err_http_status(e) >= 500;
    s->full |= e == ERR_NO_SPACE;
    if (!item)
        return;
    if (named) {
        (void)dicom_dataset_put(item, TAG_ReferencedSOPClassUID, VR_UI, sop_class);
        (void)dicom_dataset_put(item, TAG_ReferencedSOPInstanceUID, VR_UI, sop_instance);
    }
    struct fault f = {0};
    bool class_known = stow_check_class(s, sop_class, &f) == OK;
    (void)dicom_dataset_put_u16(item, TAG_FailureReason, reason_of(e, class_known));
}

static int status_of(const struct stow *s) {
    if (s->failed == 0)
        return 200;
    if (s->stored > 0)
        return 202;
    return s->failed_for_now < s->failed ? 409 : s->full ? 507 : 503;
}

void stow_answer(struct stow *s, struct models *out) {
    struct answer a = {.status = status_of(s)};
    struct fault f = {0};
    if (a.status == 503)
        answer_header(&a, "retry-after", SLICE_LIT("2"));
    struct buf url = BUF_INIT(1024);
    if (s->one_study[0] && !s->several_studies) {
        put_study_url(s, &url, slice_str(s->one_study));
        (void)dicom_dataset_put(s->report, TAG_RetrieveURL, VR_UR, buf_slice(&url));
    }
    buf_fini(&url);
    if (models_put(out, s->report, &f) != OK)
        answer_fault(s->rq, f.code, &f);
    else
        models_finish(out, &a);
}
