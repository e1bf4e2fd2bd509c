// Facts of PS3.6 Table A-1 and PS3.5 Annex A, typed in again from the standard, not from spec/.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/uid.h"
#include "std/uid.h"

enum { EXPLICIT = 1, BIG = 2, ENCAPSULATED = 4, DEFLATED = 8, LOSSY = 16, FRAGMENTABLE = 32, RETIRED = 64 };

static const struct {
    const char *uid, *name;
    enum ts_family family;
    int flags;
} syntaxes[] = {
    {"1.2.840.10008.1.2", "Implicit VR Little Endian", TS_FAMILY_NATIVE, 0},
    {"1.2.840.10008.1.2.1", "Explicit VR Little Endian", TS_FAMILY_NATIVE, EXPLICIT},
    {"1.2.840.10008.1.2.1.98", "Encapsulated Uncompressed Explicit VR Little Endian", TS_FAMILY_NATIVE,
     EXPLICIT | ENCAPSULATED},
    {"1.2.840.10008.1.2.1.99", "Deflated Explicit VR Little Endian", TS_FAMILY_NATIVE, EXPLICIT | DEFLATED},
    {"1.2.840.10008.1.2.2", "Explicit VR Big Endian", TS_FAMILY_NATIVE, EXPLICIT | BIG | RETIRED},
    {"1.2.840.10008.1.2.4.50", "JPEG Baseline (Process 1)", TS_FAMILY_JPEG, EXPLICIT | ENCAPSULATED | LOSSY},
    {"1.2.840.10008.1.2.4.52", "JPEG Extended (Process 3 and 5)", TS_FAMILY_JPEG,
     EXPLICIT | ENCAPSULATED | LOSSY | RETIRED},
    {"1.2.840.10008.1.2.4.70",
     "JPEG Lossless, Non-Hierarchical, First-Order Prediction (Process 14 [Selection Value 1])",
     TS_FAMILY_JPEG, EXPLICIT | ENCAPSULATED},
    {"1.2.840.10008.1.2.4.80", "JPEG-LS Lossless Image Compression", TS_FAMILY_JPEGLS,
     EXPLICIT | ENCAPSULATED},
    {"1.2.840.10008.1.2.4.81", "JPEG-LS Lossy (Near-Lossless) Image Compression", TS_FAMILY_JPEGLS,
     EXPLICIT | ENCAPSULATED | LOSSY},
    {"1.2.840.10008.1.2.4.90", "JPEG 2000 Image Compression (Lossless Only)", TS_FAMILY_JPEG2000,
     EXPLICIT | ENCAPSULATED},
    {"1.2.840.10008.1.2.4.91", "JPEG 2000 Image Compression", TS_FAMILY_JPEG2000,
     EXPLICIT | ENCAPSULATED | LOSSY},
    {"1.2.840.10008.1.2.4.95", "JPIP Referenced Deflate", TS_FAMILY_JPIP, EXPLICIT | DEFLATED | LOSSY},
    {"1.2.840.10008.1.2.4.100.1", "Fragmentable MPEG2 Main Profile / Main Level", TS_FAMILY_MPEG2,
     EXPLICIT | ENCAPSULATED | LOSSY | FRAGMENTABLE},
    {"1.2.840.10008.1.2.4.102", "MPEG-4 AVC/H.264 High Profile / Level 4.1", TS_FAMILY_MPEG4,
     EXPLICIT | ENCAPSULATED | LOSSY},
    {"1.2.840.10008.1.2.4.108", "HEVC/H.265 Main 10 Profile / Level 5.1", TS_FAMILY_HEVC,
     EXPLICIT | ENCAPSULATED | LOSSY},
    {"1.2.840.10008.1.2.4.110", "JPEG XL Lossless", TS_FAMILY_JPEGXL, EXPLICIT | ENCAPSULATED},
    {"1.2.840.10008.1.2.4.202",
     "High-Throughput JPEG 2000 with RPCL Options Image Compression (Lossless Only)", TS_FAMILY_HTJ2K,
     EXPLICIT | ENCAPSULATED},
    {"1.2.840.10008.1.2.4.203", "High-Throughput JPEG 2000 Image Compression", TS_FAMILY_HTJ2K,
     EXPLICIT | ENCAPSULATED | LOSSY},
    {"1.2.840.10008.1.2.5", "RLE Lossless", TS_FAMILY_RLE, EXPLICIT | ENCAPSULATED},
    {"1.2.840.10008.1.2.7.1", "SMPTE ST 2110-20 Uncompressed Progressive Active Video", TS_FAMILY_SMPTE,
     EXPLICIT},
    {"1.2.840.10008.1.2.8.1", "Deflated Image Frame Compression", TS_FAMILY_DEFLATE, EXPLICIT | ENCAPSULATED},
};

static int flags_of(const struct std_ts *t) {
    return (t->explicit_vr ? EXPLICIT : 0) | (t->big_endian ? BIG : 0) |
           (t->encapsulated ? ENCAPSULATED : 0) | (t->deflated ? DEFLATED : 0) | (t->lossy ? LOSSY : 0) |
           (t->fragmentable ? FRAGMENTABLE : 0) | (t->retired ? RETIRED : 0);
}

static void transfer_syntaxes(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof syntaxes / sizeof syntaxes[0]; i++) {
        const struct std_ts *t = std_ts_find(slice_str(syntaxes[i].uid));
        assert_non_null(t);
        assert_string_equal(t->name, syntaxes[i].name);
        assert_int_equal(t->family, syntaxes[i].family);
        assert_int_equal(flags_of(t), syntaxes[i].flags);
    }
    assert_int_equal(std_ts_count(), 63);
    assert_string_equal(UID_ExplicitVRLittleEndian, "1.2.840.10008.1.2.1");
    assert_string_equal(UID_RLELossless, "1.2.840.10008.1.2.5");
}

static const struct {
    const char *uid, *keyword;
    enum sop_kind kind;
    enum sop_model model;
    bool retired;
} classes[] = {
    {"1.2.840.10008.1.1", "Verification", SOP_KIND_VERIFICATION, SOP_MODEL_NONE, false},
    {"1.2.840.10008.5.1.4.1.1.1", "ComputedRadiographyImageStorage", SOP_KIND_STORAGE, SOP_MODEL_NONE, false},
    {"1.2.840.10008.5.1.4.1.1.2", "CTImageStorage", SOP_KIND_STORAGE, SOP_MODEL_NONE, false},
    {"1.2.840.10008.5.1.4.1.1.4", "MRImageStorage", SOP_KIND_STORAGE, SOP_MODEL_NONE, false},
    {"1.2.840.10008.5.1.4.1.1.7", "SecondaryCaptureImageStorage", SOP_KIND_STORAGE, SOP_MODEL_NONE, false},
    {"1.2.840.10008.5.1.4.1.1.6", "UltrasoundImageStorageRetired", SOP_KIND_STORAGE, SOP_MODEL_NONE, true},
    {"1.2.840.10008.5.1.1.29", "HardcopyGrayscaleImageStorage", SOP_KIND_STORAGE, SOP_MODEL_NONE, true},
    {"1.2.840.10008.5.1.4.1.1.79.1", "MacularGridThicknessAndVolumeReportStorage", SOP_KIND_STORAGE,
     SOP_MODEL_NONE, false},
    {"1.2.840.10008.5.1.4.1.1.88.11", "BasicTextSRStorage", SOP_KIND_STORAGE, SOP_MODEL_NONE, false},
    {"1.2.840.10008.5.1.4.1.1.104.1", "EncapsulatedPDFStorage", SOP_KIND_STORAGE, SOP_MODEL_NONE, false},
    {"1.2.840.10008.5.1.4.1.1.481.5", "RTPlanStorage", SOP_KIND_STORAGE, SOP_MODEL_NONE, false},
    {"1.2.840.10008.5.1.4.1.1.66.7", "LabelMapSegmentationStorage", SOP_KIND_STORAGE, SOP_MODEL_NONE, false},
    {"1.2.840.10008.5.1.4.38.1", "HangingProtocolStorage", SOP_KIND_STORAGE_NONPATIENT, SOP_MODEL_NONE,
     false},
    {"1.2.840.10008.5.1.4.39.1", "ColorPaletteStorage", SOP_KIND_STORAGE_NONPATIENT, SOP_MODEL_NONE, false},
    {"1.2.840.10008.5.1.4.1.2.1.1", "PatientRootQueryRetrieveInformationModelFind", SOP_KIND_FIND,
     SOP_MODEL_PATIENT_ROOT, false},
    {"1.2.840.10008.5.1.4.1.2.1.2", "PatientRootQueryRetrieveInformationModelMove", SOP_KIND_MOVE,
     SOP_MODEL_PATIENT_ROOT, false},
    {"1.2.840.10008.5.1.4.1.2.2.1", "StudyRootQueryRetrieveInformationModelFind", SOP_KIND_FIND,
     SOP_MODEL_STUDY_ROOT, false},
    {"1.2.840.10008.5.1.4.1.2.2.3", "StudyRootQueryRetrieveInformationModelGet", SOP_KIND_GET,
     SOP_MODEL_STUDY_ROOT, false},
    {"1.2.840.10008.5.1.4.1.2.3.1", "PatientStudyOnlyQueryRetrieveInformationModelFind", SOP_KIND_FIND,
     SOP_MODEL_PATIENT_STUDY_ONLY, true},
    {"1.2.840.10008.5.1.4.1.2.4.3", "CompositeInstanceRootRetrieveGet", SOP_KIND_GET, SOP_MODEL_COMPOSITE,
     false},
    {"1.2.840.10008.5.1.4.38.2", "HangingProtocolInformationModelFind", SOP_KIND_FIND, SOP_MODEL_NONPATIENT,
     false},
    {"1.2.840.10008.5.1.4.1.1.201.6", "RepositoryQuery", SOP_KIND_FIND, SOP_MODEL_REPOSITORY, false},
    {"1.2.840.10008.5.1.4.31", "ModalityWorklistInformationModelFind", SOP_KIND_WORKLIST, SOP_MODEL_NONE,
     false},
    {"1.2.840.10008.1.20.1", "StorageCommitmentPushModel", SOP_KIND_COMMITMENT, SOP_MODEL_NONE, false},
    {"1.2.840.10008.1.3.10", "MediaStorageDirectoryStorage", SOP_KIND_OTHER, SOP_MODEL_NONE, false},
    {"1.2.840.10008.5.1.1.9", "BasicGrayscalePrintManagementMeta", SOP_KIND_OTHER, SOP_MODEL_NONE, false},
    {"1.2.840.10008.3.1.2.3.3", "ModalityPerformedProcedureStep", SOP_KIND_OTHER, SOP_MODEL_NONE, false},
    {"1.3.12.2.1107.5.9.1", "", SOP_KIND_STORAGE, SOP_MODEL_NONE, false},
    {"1.2.276.0.48.5.1.4.1.1.7", "", SOP_KIND_STORAGE, SOP_MODEL_NONE, false},
    {"2.16.840.1.114033.5.1.4.1.1.130", "", SOP_KIND_STORAGE, SOP_MODEL_NONE, false},
};

static void sop_classes(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof classes / sizeof classes[0]; i++) {
        const struct std_sop *s = std_sop_find(slice_str(classes[i].uid));
        assert_non_null(s);
        assert_string_equal(s->keyword, classes[i].keyword);
        assert_int_equal(s->kind, classes[i].kind);
        assert_int_equal(s->model, classes[i].model);
        assert_int_equal(s->retired, classes[i].retired);
        assert_int_equal(std_sop_is_storage(s),
                         s->kind == SOP_KIND_STORAGE || s->kind == SOP_KIND_STORAGE_NONPATIENT);
    }
    assert_false(std_sop_is_storage(NULL));
    assert_string_equal(UID_CTImageStorage, "1.2.840.10008.5.1.4.1.1.2");
    assert_string_equal(UID_DICOMApplicationContext, "1.2.840.10008.3.1.1.1");
}

static void unknown(void **state) {
    (void)state;
    static const char *const uids[] = {"",
                                       "1",
                                       "1.2.840.10008.1",
                                       "1.2.840.10008.1.2.",
                                       "1.2.840.10008.1.2.1 ",
                                       "1.2.840.10008.1.2.1.1",
                                       "1.2.840.10008.1.3",
                                       "9.9",
                                       "~",
                                       "1.2.840.10008.5.1.4"};
    for (size_t i = 0; i < sizeof uids / sizeof uids[0]; i++) {
        assert_null(std_ts_find(slice_str(uids[i])));
        assert_null(std_sop_find(slice_str(uids[i])));
        assert_null(std_uid_name(slice_str(uids[i])));
    }
    assert_null(std_ts_find(slice_of("1.2.840.10008.1.2\0", 18)));      // the padding is still on
    assert_null(std_ts_find(slice_str("1.2.840.10008.1.1")));           // a SOP class
    assert_null(std_sop_find(slice_str("1.2.840.10008.1.2")));          // a transfer syntax
    assert_null(std_sop_find(slice_str("1.2.840.10008.5.1.4.1.1.40"))); // retired, without a name
}

static void names(void **state) {
    (void)state;
    assert_string_equal(std_uid_name(slice_str("1.2.840.10008.1.1")), "Verification SOP Class");
    assert_string_equal(std_uid_name(slice_str("1.2.840.10008.1.2")), "Implicit VR Little Endian");
    assert_string_equal(std_uid_name(slice_str("1.2.840.10008.3.1.1.1")), "DICOM Application Context Name");
    assert_string_equal(std_uid_name(slice_str("1.3.12.2.1107.5.9.1")), "Siemens CSA Non-Image Storage");
    assert_string_equal(std_uid_name(slice_str("1.2.840.10008.1.5.1")),
                        "Hot Iron Color Palette SOP Instance");
}

static void all_rows(void **state) {
    (void)state;
    for (size_t i = 0; i < std_ts_count(); i++) {
        const struct std_ts *t = std_ts_at(i);
        assert_true(uid_valid(slice_str(t->uid)));
        assert_ptr_equal(std_ts_find(slice_str(t->uid)), t);
        assert_int_equal(std_ts_index(t), i);
    }
    size_t storage = 0;
    for (size_t i = 0; i < std_sop_count(); i++) {
        const struct std_sop *s = std_sop_at(i);
        assert_true(uid_valid(slice_str(s->uid)));
        assert_ptr_equal(std_sop_find(slice_str(s->uid)), s);
        storage += std_sop_is_storage(s);
    }
    assert_true(storage > 200);
    assert_null(std_ts_at(std_ts_count()));
    assert_null(std_sop_at(std_sop_count()));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(transfer_syntaxes), cmocka_unit_test(sop_classes),
        cmocka_unit_test(unknown),           cmocka_unit_test(names),
        cmocka_unit_test(all_rows),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
