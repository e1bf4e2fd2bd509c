#include "dicom/dicomdir.h"

#include "base/uid.h"
#include "dicom/part10.h"
#include "dicom/writer.h"
#include "std/tag.h"
#include "std/uid.h"

#include <stdio.h>
#include <stdlib.h>

// Group 0004, PS3.3 Table F.3-3.
enum {
    FIRST_ROOT = 0x00041200,
    LAST_ROOT = 0x00041202,
    CONSISTENCY = 0x00041212,
    RECORDS = 0x00041220,
    NEXT = 0x00041400,
    IN_USE = 0x00041410,
    LOWER = 0x00041420,
    TYPE = 0x00041430,
    FILE_TRANSFER = 0x00041512,
};
// Each record begins with NEXT (8 + 4 bytes), IN_USE (8 + 2), LOWER (8 + 4): offsets of the two values.
enum { ITEM_HEADER = 8, NEXT_AT = ITEM_HEADER + 8, LOWER_AT = ITEM_HEADER + 12 + 10 + 8 };

#define RECORD_NONE UINT32_MAX

struct record {
    struct dicom_dataset *keys;
    uint32_t next, lower; // indices, RECORD_NONE: none
    uint32_t size;        // encoded, with its item header
    uint32_t at;          // where, from the first byte of the file
};

struct dicomdir {
    struct arena arena;
    struct record *v;
    uint32_t n, cap;
    uint32_t series_record, last_record; // of the series that is being filled
    unsigned series;
    unsigned files_in_series;
};

// Which kind of record an object gets (PS3.3 Table F.4-1), by its class, or by what it begins with when
// that ends in a dot; the first row that fits.
static const struct {
    const char *class, *type;
} types[] = {
    {"1.2.840.10008.5.1.4.1.1.88.59", "KEY OBJECT DOC"},
    {"1.2.840.10008.5.1.4.1.1.88.", "SR DOCUMENT"},
    {"1.2.840.10008.5.1.4.1.1.11.", "PRESENTATION"},
    {"1.2.840.10008.5.1.4.1.1.9.", "WAVEFORM"},
    {"1.2.840.10008.5.1.4.1.1.104.", "ENCAP DOC"},
    {"1.2.840.10008.5.1.4.1.1.481.2", "RT DOSE"},
    {"1.2.840.10008.5.1.4.1.1.481.3", "RT STRUCTURE SET"},
    {"1.2.840.10008.5.1.4.1.1.481.5", "RT PLAN"},
    {"1.2.840.10008.5.1.4.1.1.481.8", "RT PLAN"},
    {"1.2.840.10008.5.1.4.1.1.481.4", "RT TREAT RECORD"},
    {"1.2.840.10008.5.1.4.1.1.481.6", "RT TREAT RECORD"},
    {"1.2.840.10008.5.1.4.1.1.481.7", "RT TREAT RECORD"},
    {"1.2.840.10008.5.1.4.1.1.481.9", "RT TREAT RECORD"},
    {"1.2.840.10008.5.1.4.1.1.66.1", "REGISTRATION"},
    {"1.2.840.10008.5.1.4.1.1.66.3", "REGISTRATION"},
    {"1.2.840.10008.5.1.4.1.1.66.2", "FIDUCIAL"},
    {"1.2.840.10008.5.1.4.1.1.66.5", "SURFACE"},
    {"1.2.840.10008.5.1.4.1.1.66.6", "TRACT"},
    {"1.2.840.10008.5.1.4.1.1.66", "RAW DATA"},
    {"1.2.840.10008.5.1.4.1.1.67", "VALUE MAP"},
    {"1.2.840.10008.5.1.4.1.1.4.2", "SPECTROSCOPY"},
    {"1.2.840.10008.5.1.4.1.1.77.1.5.3", "STEREOMETRIC"},
};

static bool class_fits(const char *row, const char *sop_class) {
    size_t n = strlen(row);
    return row[n - 1] == '.' ? strncmp(row, sop_class, n) == 0 : strcmp(row, sop_class) == 0;
}

static const char *type_of(const char *sop_class) {
    for (size_t i = 0; i < sizeof types / sizeof *types; i++)
        if (class_fits(types[i].class, sop_class))
            return types[i].type;
    return "IMAGE";
}

// Keys of the records (PS3.3 F.5). `made_up` is for what is required and empty; NULL: may stay empty;
// the type "" is for all records below SERIES.
static const struct {
    const char *type;
    uint32_t tag;
    uint8_t vr;
    const char *made_up;
} keys[] = {
    {"PATIENT", TAG_PatientName, VR_PN, NULL},
    {"PATIENT", TAG_PatientID, VR_LO, "UNKNOWN"},
    {"STUDY", TAG_StudyDate, VR_DA, "19000101"},
    {"STUDY", TAG_StudyTime, VR_TM, "000000"},
    {"STUDY", TAG_AccessionNumber, VR_SH, NULL},
    {"STUDY", TAG_StudyDescription, VR_LO, NULL},
    {"STUDY", TAG_StudyInstanceUID, VR_UI, NULL},
    {"STUDY", TAG_StudyID, VR_SH, "1"},
    {"SERIES", TAG_Modality, VR_CS, "OT"},
    {"SERIES", TAG_SeriesInstanceUID, VR_UI, NULL},
    {"SERIES", TAG_SeriesNumber, VR_IS, "#"}, // # counts
    {"SR DOCUMENT", TAG_CompletionFlag, VR_CS, "PARTIAL"},
    {"SR DOCUMENT", TAG_VerificationFlag, VR_CS, "UNVERIFIED"},
    {"SR DOCUMENT", TAG_ContentDate, VR_DA, "19000101"},
    {"SR DOCUMENT", TAG_ContentTime, VR_TM, "000000"},
    {"SR DOCUMENT", TAG_ConceptNameCodeSequence, VR_SQ, NULL},
    {"KEY OBJECT DOC", TAG_ContentDate, VR_DA, "19000101"},
    {"KEY OBJECT DOC", TAG_ContentTime, VR_TM, "000000"},
    {"KEY OBJECT DOC", TAG_ConceptNameCodeSequence, VR_SQ, NULL},
    {"PRESENTATION", TAG_PresentationCreationDate, VR_DA, "19000101"},
    {"PRESENTATION", TAG_PresentationCreationTime, VR_TM, "000000"},
    {"PRESENTATION", TAG_ContentLabel, VR_CS, "UNNAMED"},
    {"PRESENTATION", TAG_ContentDescription, VR_LO, NULL},
    {"PRESENTATION", TAG_ContentCreatorName, VR_PN, NULL},
    {"PRESENTATION", TAG_ReferencedSeriesSequence, VR_SQ, NULL},
    {"WAVEFORM", TAG_ContentDate, VR_DA, "19000101"},
    {"WAVEFORM", TAG_ContentTime, VR_TM, "000000"},
    {"ENCAP DOC", TAG_ContentDate, VR_DA, NULL},
    {"ENCAP DOC", TAG_ContentTime, VR_TM, NULL},
    {"ENCAP DOC", TAG_DocumentTitle, VR_ST, NULL},
    {"ENCAP DOC", TAG_ConceptNameCodeSequence, VR_SQ, NULL},
    {"ENCAP DOC", TAG_MIMETypeOfEncapsulatedDocument, VR_LO, "application/octet-stream"},
    {"RT DOSE", TAG_DoseSummationType, VR_CS, "PLAN"},
    {"RT STRUCTURE SET", TAG_StructureSetLabel, VR_SH, "UNNAMED"},
    {"RT STRUCTURE SET", TAG_StructureSetDate, VR_DA, NULL},
    {"RT STRUCTURE SET", TAG_StructureSetTime, VR_TM, NULL},
    {"RT PLAN", TAG_RTPlanLabel, VR_SH, "UNNAMED"},
    {"RT PLAN", TAG_RTPlanDate, VR_DA, NULL},
    {"RT PLAN", TAG_RTPlanTime, VR_TM, NULL},
    {"RT TREAT RECORD", TAG_TreatmentDate, VR_DA, NULL},
    {"RT TREAT RECORD", TAG_TreatmentTime, VR_TM, NULL},
    {"RAW DATA", TAG_ContentDate, VR_DA, "19000101"},
    {"RAW DATA", TAG_ContentTime, VR_TM, "000000"},
    {"REGISTRATION", TAG_ContentDate, VR_DA, "19000101"},
    {"REGISTRATION", TAG_ContentTime, VR_TM, "000000"},
    {"REGISTRATION", TAG_ContentLabel, VR_CS, "UNNAMED"},
    {"FIDUCIAL", TAG_ContentDate, VR_DA, "19000101"},
    {"FIDUCIAL", TAG_ContentTime, VR_TM, "000000"},
    {"FIDUCIAL", TAG_ContentLabel, VR_CS, "UNNAMED"},
    {"VALUE MAP", TAG_ContentDate, VR_DA, "19000101"},
    {"VALUE MAP", TAG_ContentTime, VR_TM, "000000"},
    {"VALUE MAP", TAG_ContentLabel, VR_CS, "UNNAMED"},
    {"SPECTROSCOPY", TAG_ImageType, VR_CS, NULL},
    {"SPECTROSCOPY", TAG_ContentDate, VR_DA, "19000101"},
    {"SPECTROSCOPY", TAG_ContentTime, VR_TM, "000000"},
    {"SURFACE", TAG_ContentDate, VR_DA, "19000101"},
    {"SURFACE", TAG_ContentTime, VR_TM, "000000"},
    {"", TAG_InstanceNumber, VR_IS, "#"},
};

struct dicomdir *dicomdir_new(void) {
    struct dicomdir *d = calloc(1, sizeof *d);
    if (!d)
        return NULL;
    d->arena = ARENA_INIT(DICOMDIR_ARENA_MAX_BYTES);
    return d;
}

void dicomdir_free(struct dicomdir *d) {
    if (!d)
        return;
    arena_fini(&d->arena);
    free(d->v);
    free(d);
}

static enum err full(struct fault *f) {
    return fault_set(f, ERR_LIMIT, "too many objects for one DICOMDIR");
}

static enum err put_key(struct dicom_dataset *into, const struct dicom_dataset *object, size_t k,
                        unsigned count) {
    const struct dicom_element *e = dicom_dataset_find(object, keys[k].tag);
    char number[16];
    if (e && !e->is_ref && (e->is_sequence || slice_trim(e->value, " ").n > 0))
        return dicom_dataset_put_copy(into, e);
    if (keys[k].vr == VR_SQ)
        return OK; // each of them is needed only when the object has it
    snprintf(number, sizeof number, "%u", count);
    const char *made_up = keys[k].made_up ? keys[k].made_up : "";
    return dicom_dataset_put_str(into, keys[k].tag, (enum vr)keys[k].vr,
                                 strcmp(made_up, "#") == 0 ? number : made_up);
}

// A record with its keys, not yet linked to others.
static enum err new_record(struct dicomdir *d, const char *type, bool leaf,
                           const struct dicom_dataset *object, unsigned count, uint32_t *ret_index,
                           struct fault *f) {
    if (d->n == d->cap) {
        uint32_t cap = d->cap ? d->cap * 2 : 64;
        void *grown = reallocarray(d->v, cap, sizeof *d->v);
        if (!grown)
            return full(f);
        d->v = grown;
        d->cap = cap;
    }
    struct dicom_dataset *ds = dicom_dataset_new(&d->arena);
    const struct dicom_element *charset = dicom_dataset_find(object, TAG_SpecificCharacterSet);
    bool good = ds && dicom_dataset_put_u32(ds, NEXT, 0) == OK &&
                dicom_dataset_put_u16(ds, IN_USE, 0xFFFF) == OK &&
                dicom_dataset_put_u32(ds, LOWER, 0) == OK &&
                dicom_dataset_put_str(ds, TYPE, VR_CS, type) == OK;
    if (good && charset && charset->value.n > 0)
        good = dicom_dataset_put_copy(ds, charset) == OK;
    for (size_t k = 0; good && k < sizeof keys / sizeof *keys; k++)
        if (strcmp(keys[k].type, type) == 0 || (leaf && keys[k].type[0] == '\0'))
            good = put_key(ds, object, k, count) == OK;
    if (!good)
        return full(f);
    d->v[d->n] = (struct record){.keys = ds, .next = RECORD_NONE, .lower = RECORD_NONE};
    *ret_index = d->n++;
    return OK;
}

static enum err put_reference(struct dicom_dataset *ds, const struct dicomdir_file *file,
                              struct fault *f) {
    bool good =
        dicom_dataset_put_str(ds, TAG_ReferencedFileID, VR_CS, file->file_id) == OK &&
        dicom_dataset_put_str(ds, TAG_ReferencedSOPClassUIDInFile, VR_UI, file->sop_class) == OK &&
        dicom_dataset_put_str(ds, TAG_ReferencedSOPInstanceUIDInFile, VR_UI, file->sop_instance) == OK &&
        dicom_dataset_put_str(ds, FILE_TRANSFER, VR_UI, file->transfer) == OK;
    return good ? OK : full(f);
}

static enum err add_roots(struct dicomdir *d, const struct dicom_dataset *object, struct fault *f) {
    uint32_t patient, study;
    enum err e = new_record(d, "PATIENT", false, object, 1, &patient, f);
    if (e == OK)
        e = new_record(d, "STUDY", false, object, 1, &study, f);
    if (e == OK)
        d->v[patient].lower = study;
    return e;
}

static enum err add_series(struct dicomdir *d, unsigned series, const struct dicom_dataset *object,
                           struct fault *f) {
    enum { STUDY_RECORD = 1 };
    uint32_t before = d->n > 2 ? d->series_record : RECORD_NONE;
    enum err e = new_record(d, "SERIES", false, object, series + 1, &d->series_record, f);
    if (e != OK)
        return e;
    if (before == RECORD_NONE)
        d->v[STUDY_RECORD].lower = d->series_record;
    else
        d->v[before].next = d->series_record;
    d->series = series;
    d->last_record = RECORD_NONE;
    d->files_in_series = 0;
    return OK;
}

enum err dicomdir_add(struct dicomdir *d, const struct dicomdir_file *file,
                      const struct dicom_dataset *object, struct fault *f) {
    enum err e = OK;
    bool first = d->n == 0;
    if (first)
        e = add_roots(d, object, f);
    if (e == OK && (first || d->series != file->series))
        e = add_series(d, file->series, object, f);
    uint32_t at = 0;
    if (e == OK)
        e = new_record(d, type_of(file->sop_class), true, object, ++d->files_in_series, &at, f);
    if (e == OK)
        e = put_reference(d->v[at].keys, file, f);
    if (e != OK)
        return e;
    if (d->last_record == RECORD_NONE)
        d->v[d->series_record].lower = at;
    else
        d->v[d->last_record].next = at;
    d->last_record = at;
    return OK;
}

static enum err encode_records(const struct dicomdir *d, struct buf *out, struct fault *f) {
    for (uint32_t i = 0; i < d->n; i++) {
        size_t start = out->n;
        buf_u16le(out, 0xFFFE);
        buf_u16le(out, 0xE000);
        buf_u32le(out, 0);
        enum err e = dicom_dataset_write(d->v[i].keys, DICOM_EXPLICIT_LE, out, f);
        if (e != OK || !buf_ok(out))
            return e != OK ? e : full(f);
        d->v[i].size = (uint32_t)(out->n - start);
        uint32_t length = d->v[i].size - ITEM_HEADER;
        memcpy(out->p + start + 4, &length, sizeof length);
    }
    return OK;
}

// Now that the sizes are known: offsets count from the first byte of the file (PS3.3 F.3.2.2).
static void patch_offsets(const struct dicomdir *d, uint8_t *records, uint32_t first_at) {
    for (uint32_t i = 0, sum = first_at; i < d->n; i++) {
        d->v[i].at = sum;
        sum += d->v[i].size;
    }
    for (uint32_t i = 0; i < d->n; i++) {
        const struct record *r = &d->v[i];
        uint8_t *record = records + (r->at - first_at);
        uint32_t next = r->next == RECORD_NONE ? 0 : d->v[r->next].at;
        uint32_t lower = r->lower == RECORD_NONE ? 0 : d->v[r->lower].at;
        memcpy(record + NEXT_AT, &next, sizeof next);
        memcpy(record + LOWER_AT, &lower, sizeof lower);
    }
}

enum err dicomdir_encode(const struct dicomdir *d, const char *instance_uid, struct buf *out,
                         struct fault *f) {
    enum { SEQUENCE_HEADER = 12, ROOT_ELEMENTS = 12 + 12 + 10 };
    struct buf records = BUF_INIT(DICOMDIR_MAX_BYTES);
    enum err e = encode_records(d, &records, f);
    dicom_meta_write(out, SLICE_LIT(UID_MediaStorageDirectoryStorage), slice_str(instance_uid),
                     SLICE_LIT(UID_ExplicitVRLittleEndian), NULL);
    dicom_write_str(out, DICOM_EXPLICIT_LE, TAG_FileSetID, VR_CS, "");
    uint32_t first_at = (uint32_t)out->n + ROOT_ELEMENTS + SEQUENCE_HEADER;
    dicom_write_u32(out, DICOM_EXPLICIT_LE, FIRST_ROOT, first_at);
    dicom_write_u32(out, DICOM_EXPLICIT_LE, LAST_ROOT, first_at);
    dicom_write_u16(out, DICOM_EXPLICIT_LE, CONSISTENCY, 0);
    dicom_write_header(out, DICOM_EXPLICIT_LE, RECORDS, VR_SQ, (uint32_t)records.n);
    if (e == OK) {
        patch_offsets(d, records.p, first_at);
        buf_append_slice(out, buf_slice(&records));
    }
    buf_fini(&records);
    return e == OK && !buf_ok(out) ? full(f) : e;
}
