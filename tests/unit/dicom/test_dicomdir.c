// clang-format off
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
// clang-format on

#include "dicom/dicomdir.h"
#include "dicom/part10.h"
#include "std/tag.h"
#include "std/uid.h"

#include <stdio.h>

#define COUNT(t) (sizeof(t) / sizeof *(t))

// A record as it lies in the file at an offset.
struct seen {
    uint32_t next, lower;
    char type[20], file[40];
    const struct dicom_dataset *ds;
};

static struct arena arena;

static struct seen record_at(struct slice file, uint32_t offset) {
    struct seen s = {0};
    assert_true(offset + 8 < file.n);
    assert_memory_equal(file.p + offset, "\xFE\xFF\x00\xE0", 4);
    uint32_t length;
    memcpy(&length, file.p + offset + 4, 4);
    assert_true(offset + 8 + length <= file.n);
    struct dicom_reader_options o = {.syntax = DICOM_EXPLICIT_LE};
    struct dicom_dataset *ds;
    struct fault f = {0};
    assert_int_equal(dicom_dataset_parse(slice_sub(file, offset + 8, length), &o, &arena, &f, &ds), OK);
    assert_true(dicom_dataset_u32(ds, 0x00041400, &s.next));
    assert_true(dicom_dataset_u32(ds, 0x00041420, &s.lower));
    assert_true(slice_to_cstr(dicom_dataset_trimmed(ds, 0x00041430), s.type, sizeof s.type));
    assert_true(slice_to_cstr(dicom_dataset_trimmed(ds, TAG_ReferencedFileID), s.file, sizeof s.file));
    s.ds = ds;
    return s;
}

static uint32_t root_of(struct slice file) {
    struct dicom_meta m;
    struct dicom_reader_options o = {.syntax = DICOM_EXPLICIT_LE};
    struct dicom_dataset *ds;
    struct fault f = {0};
    uint32_t first, last;
    assert_int_equal(dicom_meta_parse(file, true, &m, &f), OK);
    assert_string_equal(m.sop_class, UID_MediaStorageDirectoryStorage);
    struct slice body = slice_sub(file, (size_t)m.data_set_offset, file.n);
    assert_int_equal(dicom_dataset_parse(body, &o, &arena, &f, &ds), OK);
    assert_true(dicom_dataset_u32(ds, 0x00041200, &first));
    assert_true(dicom_dataset_u32(ds, 0x00041202, &last));
    assert_int_equal(first, last);
    return first;
}

static struct dicom_dataset *object(const char *series_number, const char *instance_number) {
    struct dicom_dataset *ds = dicom_dataset_new(&arena);
    dicom_dataset_put_str(ds, TAG_SpecificCharacterSet, VR_CS, "ISO_IR 100");
    dicom_dataset_put_str(ds, TAG_PatientName, VR_PN, "M\xFCller^Eva");
    dicom_dataset_put_str(ds, TAG_StudyInstanceUID, VR_UI, "1.2.3");
    dicom_dataset_put_str(ds, TAG_SeriesNumber, VR_IS, series_number);
    dicom_dataset_put_str(ds, TAG_InstanceNumber, VR_IS, instance_number);
    return ds;
}

static void add(struct dicomdir *d, unsigned series, unsigned number, const char *sop_class,
                const struct dicom_dataset *ds) {
    char id[40], instance[40];
    struct fault f = {0};
    snprintf(id, sizeof id, "DICOM\\S%u\\I%u", series, number);
    snprintf(instance, sizeof instance, "1.2.3.%u.%u", series, number);
    struct dicomdir_file file = {id, sop_class, instance, UID_ExplicitVRLittleEndian, series};
    assert_int_equal(dicomdir_add(d, &file, ds, &f), OK);
}

static void records_are_linked(void **state) {
    (void)state;
    struct dicomdir *d = dicomdir_new();
    struct buf out = BUF_INIT(1 << 20);
    struct fault f = {0};
    arena = ARENA_INIT(1 << 20);
    add(d, 0, 1, UID_CTImageStorage, object("7", "1"));
    add(d, 0, 2, UID_CTImageStorage, object("7", ""));
    add(d, 2, 1, UID_BasicTextSRStorage, object("", "5")); // a series between them had nothing
    assert_int_equal(dicomdir_encode(d, "2.25.1", &out, &f), OK);
    struct slice file = buf_slice(&out);
    struct seen patient = record_at(file, root_of(file));
    assert_string_equal(patient.type, "PATIENT");
    assert_int_equal(patient.next, 0);
    assert_true(slice_eq_str(dicom_dataset_trimmed(patient.ds, TAG_PatientName), "M\xFCller^Eva"));
    assert_true(slice_eq_str(dicom_dataset_trimmed(patient.ds, TAG_SpecificCharacterSet), "ISO_IR 100"));
    assert_true(slice_eq_str(dicom_dataset_trimmed(patient.ds, TAG_PatientID), "UNKNOWN")); // is required
    struct seen study = record_at(file, patient.lower);
    assert_string_equal(study.type, "STUDY");
    struct seen first = record_at(file, study.lower), second = record_at(file, first.next);
    assert_string_equal(first.type, "SERIES");
    assert_string_equal(second.type, "SERIES");
    assert_int_equal(second.next, 0);
    assert_true(slice_eq_str(dicom_dataset_trimmed(second.ds, TAG_SeriesNumber), "3")); // counted
    struct seen a = record_at(file, first.lower), b = record_at(file, a.next),
                sr = record_at(file, second.lower);
    assert_string_equal(a.type, "IMAGE");
    assert_string_equal(a.file, "DICOM\\S0\\I1");
    assert_string_equal(b.file, "DICOM\\S0\\I2");
    assert_true(slice_eq_str(dicom_dataset_trimmed(b.ds, TAG_InstanceNumber), "2"));
    assert_int_equal(b.next, 0);
    assert_string_equal(sr.type, "SR DOCUMENT");
    assert_true(slice_eq_str(dicom_dataset_trimmed(sr.ds, TAG_CompletionFlag), "PARTIAL"));
    buf_fini(&out);
    dicomdir_free(d);
    arena_fini(&arena);
}

static void kinds_of_records(void **state) {
    (void)state;
    static const struct {
        const char *sop_class, *type;
    } cases[] = {
        {UID_MRImageStorage, "IMAGE"},
        {"1.2.3.4", "IMAGE"},
        {UID_KeyObjectSelectionDocumentStorage, "KEY OBJECT DOC"},
        {UID_EnhancedSRStorage, "SR DOCUMENT"},
        {UID_GrayscaleSoftcopyPresentationStateStorage, "PRESENTATION"},
        {UID_TwelveLeadECGWaveformStorage, "WAVEFORM"},
        {UID_EncapsulatedPDFStorage, "ENCAP DOC"},
        {UID_RTImageStorage, "IMAGE"},
        {UID_RTDoseStorage, "RT DOSE"},
        {UID_RTStructureSetStorage, "RT STRUCTURE SET"},
        {UID_RTPlanStorage, "RT PLAN"},
        {UID_RTBeamsTreatmentRecordStorage, "RT TREAT RECORD"},
        {UID_RawDataStorage, "RAW DATA"},
        {UID_SpatialRegistrationStorage, "REGISTRATION"},
        {UID_SegmentationStorage, "IMAGE"},
        {UID_MRSpectroscopyStorage, "SPECTROSCOPY"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct dicomdir *d = dicomdir_new();
        struct buf out = BUF_INIT(1 << 20);
        struct fault f = {0};
        arena = ARENA_INIT(1 << 20);
        add(d, 0, 1, cases[i].sop_class, object("1", "1"));
        assert_int_equal(dicomdir_encode(d, "2.25.1", &out, &f), OK);
        struct slice file = buf_slice(&out);
        struct seen study = record_at(file, record_at(file, root_of(file)).lower);
        struct seen leaf = record_at(file, record_at(file, study.lower).lower);
        assert_string_equal(leaf.type, cases[i].type);
        buf_fini(&out);
        dicomdir_free(d);
        arena_fini(&arena);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(records_are_linked),
                                       cmocka_unit_test(kinds_of_records)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
