#include "export_list.h"

#include "dicom/dataset.h"
#include "dicom/writer.h"
#include "std/tag.h"
#include "std/uid.h"

#include <stdlib.h>

enum { AVAILABLE_TRANSFER_SYNTAX = 0x00083002, ANSWER_MAX_BYTES = 64 * 1024 };

static enum dicom_syntax syntax_of(const struct ul_agreed *c) {
    return strcmp(c->transfer, UID_ImplicitVRLittleEndian) == 0 ? DICOM_IMPLICIT_LE : DICOM_EXPLICIT_LE;
}

// The identifier: of a study without a series its series are asked for, else the objects of the series.
static void write_identifier(struct buf *out, enum dicom_syntax s, const char *study,
                             const char *series) {
    if (series) {
        dicom_write_str(out, s, TAG_SOPClassUID, VR_UI, "");
        dicom_write_str(out, s, TAG_SOPInstanceUID, VR_UI, "");
    }
    dicom_write_str(out, s, TAG_QueryRetrieveLevel, VR_CS, series ? "IMAGE" : "SERIES");
    if (series)
        dicom_write_str(out, s, AVAILABLE_TRANSFER_SYNTAX, VR_UI, "");
    dicom_write_str(out, s, TAG_StudyInstanceUID, VR_UI, study);
    dicom_write_str(out, s, TAG_SeriesInstanceUID, VR_UI, series ? series : "");
    if (series)
        dicom_write_str(out, s, TAG_InstanceNumber, VR_IS, "");
}

// The first of several values, if it is a UID.
static bool take_uid(const struct dicom_dataset *ds, uint32_t tag, char dst[UID_MAX + 1]) {
    struct slice rest, value = slice_split(dicom_dataset_trimmed(ds, tag), '\\', &rest);
    dst[0] = '\0';
    return uid_tolerable(value) && slice_to_cstr(value, dst, UID_MAX + 1);
}

static enum err take_series(struct export_list *l, const struct dicom_dataset *ds, struct fault *f) {
    void *grown = reallocarray(l->series, l->series_count + 1, sizeof *l->series);
    if (!grown)
        return fault_set(f, ERR_NO_MEMORY, "not enough memory");
    l->series = grown;
    if (take_uid(ds, TAG_SeriesInstanceUID, l->series[l->series_count]))
        l->series_count++;
    return OK;
}

static enum err take_object(struct export_list *l, unsigned series, const struct dicom_dataset *ds,
                            struct fault *f) {
    bool power_of_two = (l->object_count & (l->object_count - 1)) == 0;
    if (power_of_two) {
        size_t cap = l->object_count ? l->object_count * 2 : 1;
        void *grown =
            cap <= 2 * EXPORT_OBJECTS_MAX ? reallocarray(l->objects, cap, sizeof *l->objects) : NULL;
        if (!grown)
            return fault_set(f, ERR_LIMIT, "the study has too many objects");
        l->objects = grown;
    }
    struct export_object o = {.series = series};
    if (!take_uid(ds, TAG_SOPClassUID, o.sop_class) || !take_uid(ds, TAG_SOPInstanceUID, o.sop_instance))
        return fault_set(f, ERR_PROTOCOL, "the archive named an object without its UIDs");
    take_uid(ds, AVAILABLE_TRANSFER_SYNTAX, o.transfer);
    l->objects[l->object_count++] = o;
    return OK;
}

static enum err take_answer(struct export_list *l, const char *series, struct slice bytes,
                            enum dicom_syntax s, struct fault *f) {
    struct arena arena = ARENA_INIT(1 << 20);
    struct dicom_reader_options o = {.syntax = s};
    struct dicom_dataset *ds;
    enum err e = dicom_dataset_parse(bytes, &o, &arena, f, &ds);
    if (e == OK && series)
        e = take_object(l, (unsigned)(series - l->series[0]) / sizeof *l->series, ds, f);
    else if (e == OK)
        e = take_series(l, ds, f);
    arena_fini(&arena);
    return e;
}

// One C-FIND with all its answers. series points into l->series, or is NULL.
static enum err find(struct scu *s, const char *study, const char *series, struct export_list *l,
                     struct fault *f) {
    const struct ul_agreed *context =
        ul_assoc_find(scu_assoc(s), UID_StudyRootQueryRetrieveInformationModelFind, NULL);
    if (!context)
        return fault_set(f, ERR_DENIED, "the archive does not answer queries here");
    struct dimse_command c = {.field = DIMSE_C_FIND_RQ,
                              .has = DIMSE_HAS_MESSAGE_ID | DIMSE_HAS_PRIORITY,
                              .message_id = scu_next_id(s),
                              .data_set_type = DIMSE_DATA_SET};
    dimse_command_set_uid(&c, DIMSE_HAS_AFFECTED_CLASS, slice_str(context->abstract));
    struct buf data = BUF_INIT(ANSWER_MAX_BYTES);
    write_identifier(&data, syntax_of(context), study, series);
    enum err e = scu_send_command(s, context->id, &c, f);
    if (e == OK)
        e = scu_send_piece(s, context->id, buf_slice(&data), true, f);
    struct dimse_command rsp = {.status = DIMSE_PENDING};
    while (e == OK) {
        uint8_t id;
        e = scu_wait_command(s, &rsp, &id, f);
        if (e != OK || !dimse_has_data_set(&rsp))
            break;
        buf_reset(&data);
        e = scu_wait_data(s, &data, f);
        if (e == OK)
            e = take_answer(l, series, buf_slice(&data), syntax_of(context), f);
    }
    buf_fini(&data);
    if (e == OK && rsp.status != DIMSE_SUCCESS)
        e = fault_set(f, ERR_DENIED, "the archive answered the query with status %04X", rsp.status);
    return e;
}

enum err export_list_find(struct scu *s, const char *study, struct export_list *ret_list,
                          struct fault *f) {
    struct export_list l = {0};
    enum err e = find(s, study, NULL, &l, f);
    for (size_t i = 0; e == OK && i < l.series_count; i++)
        e = find(s, study, l.series[i], &l, f);
    if (e == OK && l.object_count == 0)
        e = fault_set(f, ERR_NO_SUCH_OBJECT, "the archive has no study with this UID");
    if (e != OK) {
        export_list_fini(&l);
        return e;
    }
    *ret_list = l;
    return OK;
}

void export_list_fini(struct export_list *l) {
    free(l->series);
    free(l->objects);
    *l = (struct export_list){0};
}
