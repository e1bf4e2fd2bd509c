// Facts of PS3.6 and PS3.7 Annex E, typed in again from the standard, not from spec/.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "std/index_attr.h"
#include "std/tag.h"

static const struct {
    uint32_t tag;
    enum vr vr[3];
    uint16_t vm_min, vm_max;
    bool retired;
    const char *keyword, *name;
} facts[] = {
    {0x00000000, {VR_UL}, 1, 1, false, "CommandGroupLength", "Command Group Length"},
    {0x00000002, {VR_UI}, 1, 1, false, "AffectedSOPClassUID", "Affected SOP Class UID"},
    {0x00000100, {VR_US}, 1, 1, false, "CommandField", "Command Field"},
    {0x00000110, {VR_US}, 1, 1, false, "MessageID", "Message ID"},
    {0x00000600, {VR_AE}, 1, 1, false, "MoveDestination", "Move Destination"},
    {0x00000900, {VR_US}, 1, 1, false, "Status", "Status"},
    {0x00000901, {VR_AT}, 1, 0, false, "OffendingElement", "Offending Element"},
    {0x00001023, {VR_US}, 1, 1, false, "NumberOfWarningSuboperations", "Number of Warning Sub-operations"},
    {0x00020000,
     {VR_UL},
     1,
     1,
     false,
     "FileMetaInformationGroupLength",
     "File Meta Information Group Length"},
    {0x00020001, {VR_OB}, 1, 1, false, "FileMetaInformationVersion", "File Meta Information Version"},
    {0x00020010, {VR_UI}, 1, 1, false, "TransferSyntaxUID", "Transfer Syntax UID"},
    {0x00020016, {VR_AE}, 1, 1, false, "SourceApplicationEntityTitle", "Source Application Entity Title"},
    {0x00041220, {VR_SQ}, 1, 1, false, "DirectoryRecordSequence", "Directory Record Sequence"},
    {0x00041500, {VR_CS}, 1, 8, false, "ReferencedFileID", "Referenced File ID"},
    {0x00080001, {VR_UL}, 1, 1, true, "LengthToEnd", "Length to End"},
    {0x00080005, {VR_CS}, 1, 0, false, "SpecificCharacterSet", "Specific Character Set"},
    {0x00080008, {VR_CS}, 2, 0, false, "ImageType", "Image Type"},
    {0x00080016, {VR_UI}, 1, 1, false, "SOPClassUID", "SOP Class UID"},
    {0x00080018, {VR_UI}, 1, 1, false, "SOPInstanceUID", "SOP Instance UID"},
    {0x00080020, {VR_DA}, 1, 1, false, "StudyDate", "Study Date"},
    {0x00080030, {VR_TM}, 1, 1, false, "StudyTime", "Study Time"},
    {0x00080050, {VR_SH}, 1, 1, false, "AccessionNumber", "Accession Number"},
    {0x00080052, {VR_CS}, 1, 1, false, "QueryRetrieveLevel", "Query/Retrieve Level"},
    {0x00080054, {VR_AE}, 1, 0, false, "RetrieveAETitle", "Retrieve AE Title"},
    {0x00080056, {VR_CS}, 1, 1, false, "InstanceAvailability", "Instance Availability"},
    {0x00080058, {VR_UI}, 1, 0, false, "FailedSOPInstanceUIDList", "Failed SOP Instance UID List"},
    {0x00080060, {VR_CS}, 1, 1, false, "Modality", "Modality"},
    {0x00080061, {VR_CS}, 1, 0, false, "ModalitiesInStudy", "Modalities in Study"},
    {0x00080090, {VR_PN}, 1, 1, false, "ReferringPhysicianName", "Referring Physician's Name"},
    {0x00080201, {VR_SH}, 1, 1, false, "TimezoneOffsetFromUTC", "Timezone Offset From UTC"},
    {0x00081030, {VR_LO}, 1, 1, false, "StudyDescription", "Study Description"},
    {0x00081190, {VR_UR}, 1, 1, false, "RetrieveURL", "Retrieve URL"},
    {0x00081199, {VR_SQ}, 1, 1, false, "ReferencedSOPSequence", "Referenced SOP Sequence"},
    {0x00100010, {VR_PN}, 1, 1, false, "PatientName", "Patient's Name"},
    {0x00100020, {VR_LO}, 1, 1, false, "PatientID", "Patient ID"},
    {0x00100030, {VR_DA}, 1, 1, false, "PatientBirthDate", "Patient's Birth Date"},
    {0x00100040, {VR_CS}, 1, 1, false, "PatientSex", "Patient's Sex"},
    {0x00101010, {VR_AS}, 1, 1, false, "PatientAge", "Patient's Age"},
    {0x00104000, {VR_LT}, 1, 1, false, "PatientComments", "Patient Comments"},
    {0x00181153, {VR_IS}, 1, 1, false, "ExposureInuAs", "Exposure in \u00b5As"},
    {0x00189073, {VR_FD}, 1, 1, false, "AcquisitionDuration", "Acquisition Duration"},
    {0x0020000D, {VR_UI}, 1, 1, false, "StudyInstanceUID", "Study Instance UID"},
    {0x0020000E, {VR_UI}, 1, 1, false, "SeriesInstanceUID", "Series Instance UID"},
    {0x00200013, {VR_IS}, 1, 1, false, "InstanceNumber", "Instance Number"},
    {0x00200032, {VR_DS}, 3, 3, false, "ImagePositionPatient", "Image Position (Patient)"},
    {0x00200037, {VR_DS}, 6, 6, false, "ImageOrientationPatient", "Image Orientation (Patient)"},
    {0x00280008, {VR_IS}, 1, 1, false, "NumberOfFrames", "Number of Frames"},
    {0x00280009, {VR_AT}, 1, 0, false, "FrameIncrementPointer", "Frame Increment Pointer"},
    {0x00280010, {VR_US}, 1, 1, false, "Rows", "Rows"},
    {0x00280106, {VR_US, VR_SS}, 1, 1, false, "SmallestImagePixelValue", "Smallest Image Pixel Value"},
    {0x00281101,
     {VR_US, VR_SS},
     3,
     3,
     false,
     "RedPaletteColorLookupTableDescriptor",
     "Red Palette Color Lookup Table Descriptor"},
    {0x00281201,
     {VR_OW},
     1,
     1,
     false,
     "RedPaletteColorLookupTableData",
     "Red Palette Color Lookup Table Data"},
    {0x00283006, {VR_US, VR_OW}, 1, 0, false, "LUTData", "LUT Data"},
    {0x00400275, {VR_SQ}, 1, 1, false, "RequestAttributesSequence", "Request Attributes Sequence"},
    {0x0040A120, {VR_DT}, 1, 1, false, "DateTime", "DateTime"},
    {0x0040A160, {VR_UT}, 1, 1, false, "TextValue", "Text Value"},
    {0x00660001, {VR_UL}, 1, 1, false, "NumberOfSurfaces", "Number of Surfaces"},
    {0x300A00B3, {VR_CS}, 1, 1, false, "PrimaryDosimeterUnit", "Primary Dosimeter Unit"},
    {0x54001010, {VR_OB, VR_OW}, 1, 1, false, "WaveformData", "Waveform Data"},
    {0x7FE00001, {VR_OV}, 1, 1, false, "ExtendedOffsetTable", "Extended Offset Table"},
    {0x7FE00008, {VR_OF}, 1, 1, false, "FloatPixelData", "Float Pixel Data"},
    {0x7FE00009, {VR_OD}, 1, 1, false, "DoubleFloatPixelData", "Double Float Pixel Data"},
    {0x7FE00010, {VR_OB, VR_OW}, 1, 1, false, "PixelData", "Pixel Data"},
    {0xFFFAFFFA, {VR_SQ}, 1, 1, false, "DigitalSignaturesSequence", "Digital Signatures Sequence"},
    {0xFFFCFFFC, {VR_OB}, 1, 1, false, "DataSetTrailingPadding", "Data Set Trailing Padding"},
    {0xFFFEE000, {VR_UNKNOWN}, 1, 1, false, "Item", "Item"},
    {0xFFFEE00D, {VR_UNKNOWN}, 1, 1, false, "ItemDelimitationItem", "Item Delimitation Item"},
    {0xFFFEE0DD, {VR_UNKNOWN}, 1, 1, false, "SequenceDelimitationItem", "Sequence Delimitation Item"},
};

static void known(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof facts / sizeof facts[0]; i++) {
        const struct std_tag *t = std_tag_find(facts[i].tag);
        assert_non_null(t);
        assert_int_equal(t->tag, facts[i].tag);
        assert_int_equal(t->mask, 0xFFFFFFFF);
        for (size_t v = 0; v < 3; v++)
            assert_int_equal(t->vr[v], facts[i].vr[v]);
        assert_int_equal(t->vm_min, facts[i].vm_min);
        assert_int_equal(t->vm_max, facts[i].vm_max);
        assert_int_equal(t->retired, facts[i].retired);
        assert_string_equal(std_tag_keyword(t), facts[i].keyword);
        assert_string_equal(std_tag_name(t), facts[i].name);
        assert_ptr_equal(std_tag_by_keyword(slice_str(facts[i].keyword)), t);
    }
}

// Private, group lengths, gaps, and what only looks like a repeating group.
static void unknown(void **state) {
    (void)state;
    static const uint32_t tags[] = {0x00090010, 0x00091001,        0x00080000, 0x7FE00000, 0x60000000,
                                    0x00080002, 0x00000003 + 0x10, 0xFFFFFFFF, 0x60010010, 0x6000FFFF,
                                    0x50010005, 0x7F010010,        0x00203200, 0x00280405, 0x10000006,
                                    0x10020000, 0x61000010,        0x4FFE0005};
    for (size_t i = 0; i < sizeof tags / sizeof tags[0]; i++)
        assert_null(std_tag_find(tags[i]));
    static const char *const keywords[] = {"",  "patientName", "PatientNam", "PatientNames", "Patient's Name",
                                           "A", "zzz",         "00100010",   "\xff"};
    for (size_t i = 0; i < sizeof keywords / sizeof keywords[0]; i++)
        assert_null(std_tag_by_keyword(slice_str(keywords[i])));
    assert_null(std_tag_by_keyword(SLICE_LIT("PatientName\0")));
}

static void repeating(void **state) {
    (void)state;
    static const struct {
        uint32_t tag, row, mask;
        const char *keyword;
    } cases[] = {
        {0x60000010, 0x60000010, 0xFF00FFFF, "OverlayRows"},
        {0x60020010, 0x60000010, 0xFF00FFFF, "OverlayRows"},
        {0x601E3000, 0x60003000, 0xFF00FFFF, "OverlayData"},
        {0x60FE3000, 0x60003000, 0xFF00FFFF, "OverlayData"},
        {0x50003000, 0x50003000, 0xFF00FFFF, "CurveData"},
        {0x501E0005, 0x50000005, 0xFF00FFFF, "CurveDimensions"},
        {0x7F020010, 0x7F000010, 0xFF00FFFF, "VariablePixelData"},
        {0x00203100, 0x00203100, 0xFFFFFF00, "SourceImageIDs"},
        {0x002031FF, 0x00203100, 0xFFFFFF00, "SourceImageIDs"},
        {0x00280410, 0x00280400, 0xFFFFFF0F, "RowsForNthOrderCoefficients"},
        {0x002808A8, 0x00280808, 0xFFFFFF0F, "ImageDataLocation"},
        {0x10000010, 0x10000000, 0xFFFF000F, "EscapeTriplet"},
        {0x1000FFF5, 0x10000005, 0xFFFF000F, "ShiftTableTriplet"},
        {0x10101234, 0x10100000, 0xFFFF0000, "ZonalMap"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const struct std_tag *t = std_tag_find(cases[i].tag);
        assert_non_null(t);
        assert_int_equal(t->tag, cases[i].row);
        assert_int_equal(t->mask, cases[i].mask);
        assert_string_equal(std_tag_keyword(t), cases[i].keyword);
    }
    // An element of its own goes before the group it might repeat.
    assert_string_equal(std_tag_keyword(std_tag_find(0x00280400)), "TransformLabel");
    assert_string_equal(std_tag_keyword(std_tag_find(0x7FE00010)), "PixelData");
}

static void without_vr(void **state) {
    (void)state;
    static const struct {
        uint32_t tag;
        enum vr vr;
    } cases[] = {
        {TAG_PatientName, VR_PN},
        {TAG_PixelData, VR_OW},
        {TAG_WaveformData, VR_OW},
        {0x60043000, VR_OW},
        {0x60040010, VR_US},
        {TAG_LUTData, VR_OW},
        {TAG_PixelPaddingValue, VR_US},
        {0x00080000, VR_UL},
        {0x00090000, VR_UL},
        {0x00090010, VR_LO},
        {0x000900FF, VR_LO},
        {0x0009000F, VR_UN},
        {0x00090100, VR_UN},
        {0x00091001, VR_UN},
        {0x00080002, VR_UN},
        {TAG_Item, VR_UNKNOWN},
        {0xFFFEE0DD, VR_UNKNOWN},
        {0xFFFE0000, VR_UNKNOWN},
        {TAG_ImageType, VR_CS},
        {TAG_FloatPixelData, VR_OF},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        assert_int_equal(std_tag_vr_implicit(cases[i].tag), cases[i].vr);
}

static void multiplicity(void **state) {
    (void)state;
    static const struct {
        uint32_t tag;
        uint16_t min, max, step;
    } cases[] = {
        {TAG_PatientName, 1, 1, 1},       {TAG_ImageType, 2, 0, 1},
        {TAG_ContourData, 3, 0, 3},       {TAG_PixelSpacing, 2, 2, 1},
        {TAG_OtherPatientNames, 1, 0, 1}, {TAG_VerticesOfThePolygonalShutter, 2, 0, 2},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const struct std_tag *t = std_tag_find(cases[i].tag);
        assert_int_equal(t->vm_min, cases[i].min);
        assert_int_equal(t->vm_max, cases[i].max);
        assert_int_equal(t->vm_step, cases[i].step);
    }
}

// Every row finds itself, by number and by keyword; the order is as promised.
static void all_rows(void **state) {
    (void)state;
    assert_true(std_tag_count() > 5200);
    bool repeating_seen = false;
    for (size_t i = 0; i < std_tag_count(); i++) {
        const struct std_tag *t = std_tag_at(i), *before = i ? std_tag_at(i - 1) : NULL;
        bool repeats = t->mask != 0xFFFFFFFF;
        assert_true(!repeating_seen || repeats);
        assert_true(before == NULL || repeats || t->tag > before->tag);
        repeating_seen |= repeats;
        assert_ptr_equal(std_tag_by_keyword(slice_str(std_tag_keyword(t))), t);
        if (!repeats)
            assert_ptr_equal(std_tag_find(t->tag), t);
        else
            assert_ptr_equal(std_tag_find(t->tag | (~t->mask & 0x00AAAAAA)), t);
        assert_true(std_tag_name(t)[0] != '\0');
    }
    assert_true(repeating_seen);
    assert_null(std_tag_at(std_tag_count()));
    assert_null(std_tag_at(SIZE_MAX));
}

static void properties(void **state) {
    (void)state;
    assert_int_equal(tag_group(0x12345678), 0x1234);
    assert_int_equal(tag_element(0x12345678), 0x5678);
    assert_true(tag_is_private(0x00090000));
    assert_false(tag_is_private(0x00080001));
    assert_false(tag_is_private_creator(0x0009000F));
    assert_true(tag_is_private_creator(0x00090010));
    assert_true(tag_is_private_creator(0x000900FF));
    assert_false(tag_is_private_creator(0x00090100));
    assert_false(tag_is_private_creator(0x00080018));
    assert_true(tag_is_group_length(0x00080000));
    assert_false(tag_is_group_length(0x00080001));
}

// The attributes of the index are attributes of the standard, with its tag and VR.
static void index_attributes(void **state) {
    (void)state;
#define X(name_, sequence_, tag_, code_, level_, kind_) {#name_, sequence_, tag_, #code_},
    static const struct {
        const char *keyword;
        uint32_t sequence, tag;
        const char *vr;
    } cases[] = {INDEX_ATTR_TABLE(X)};
#undef X
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        if (cases[i].tag == 0) // of our own: a date with its time
            continue;
        const struct std_tag *t = std_tag_by_keyword(slice_str(cases[i].keyword));
        assert_non_null(t);
        assert_int_equal(t->tag, cases[i].tag);
        assert_string_equal(std_vr_info((enum vr)t->vr[0])->code, cases[i].vr);
        assert_true(cases[i].sequence == 0 || std_tag_find(cases[i].sequence)->vr[0] == VR_SQ);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(known),      cmocka_unit_test(unknown),          cmocka_unit_test(repeating),
        cmocka_unit_test(without_vr), cmocka_unit_test(multiplicity),     cmocka_unit_test(all_rows),
        cmocka_unit_test(properties), cmocka_unit_test(index_attributes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
