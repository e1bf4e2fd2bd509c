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
    return fault_set(f, ERR_UNSUPPORTED, "its SOP class is no storage class known here");
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

void stow_stored(struct stow *s, const struct incoming *in) {
    struct slice study = incoming_uid(in, INDEX_ATTR_StudyInstanceUID);
    struct slice instance = incoming_uid(in, INDEX_ATTR_SOPInstanceUID);
    struct dicom_dataset *item = dicom_dataset_add_item(s->report, TAG_ReferencedSOPSequence);
    struct buf url = BUF_INIT(2048);
    s->stored++;
    note_study(s, study);
    put_study_url(s, &url, study);
    buf_append_str(&url, "/series/");
    buf_append_slice(&url, incoming_uid(in, INDEX_ATTR_SeriesInstanceUID));
    buf_append_str(&url, "/instances/");
    buf_append_slice(&url, instance);
    if (item) { // without memory for it the report is shorter, and what is stored is stored
        struct slice sop_class = incoming_uid(in, INDEX_ATTR_SOPClassUID);
        (void)dicom_dataset_put(item, TAG_ReferencedSOPClassUID, VR_UI, sop_class);
        (void)dicom_dataset_put(item, TAG_ReferencedSOPInstanceUID, VR_UI, instance);
        (void)dicom_dataset_put(item, TAG_RetrieveURL, VR_UR, buf_slice(&url));
    }
    buf_fini(&url);
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
    if (!item)
        return;
    if (named) {
        (void)dicom_dataset_put(item, TAG_ReferencedSOPClassUID, VR_UI, sop_class);
        (void)dicom_dataset_put(item, TAG_ReferencedSOPInstanceUID, VR_UI, sop_instance);
    }
    bool class_known = std_sop_is_storage(std_sop_find(sop_class));
    (void)dicom_dataset_put_u16(item, TAG_FailureReason, reason_of(e, class_known));
}

void stow_answer(struct stow *s, struct models *out) {
    struct answer a = {.status = s->failed == 0 ? 200 : s->stored > 0 ? 202 : 409};
    struct fault f = {0};
    struct buf url = BUF_INIT(1024);
    if (s->one_study[0] && !s->several_studies) {
        put_study_url(s, &url, slice_str(s->one_study));
        (void)dicom_dataset_put(s->report, TAG_RetrieveURL, VR_UR, buf_slice(&url));
    }
    buf_fini(&url);
    out->single = true; // F.2: the report is one data set
    if (models_put(out, s->report, &f) != OK)
        answer_fault(s->rq, f.code, &f);
    else
        models_finish(out, &a);
}
