// The attributes that the index keeps, in one table: what the worker extracts from an object, what
// conditions and rows of a query carry (as numbers, see ipc/query.h), and which column each is.
// Header only, so that it can be used without the index.
//
// Levels are those of PS3.4 C.6.1.1 (Patient Root) and C.6.2.1 (Study Root, where the attributes of the
// patient level belong to the study). Included are all their unique and required keys, the common
// optional ones, and PS3.18 Table 10.6.1-5. Any other stored attribute is taken from an object's summary.
//
// A number is forever: stored records carry them. Append new rows at the end, never reuse one.
//
// Columns: name (also of the column), sequence it is in (or 0), tag (0: none, the archive's own), VR,
// level, kind.
//
// StudyInstitution and StudyStation are the index's own copies, in the study, of what its first series with
// such a value says: what collections are made by must be the study's and must not change with a later
// series.
#ifndef STD_INDEX_ATTR_H
#define STD_INDEX_ATTR_H

#include "std/vr.h"

enum index_level { INDEX_PATIENT, INDEX_STUDY, INDEX_SERIES, INDEX_INSTANCE, INDEX_LEVEL_COUNT_ };

enum index_kind {
    INDEX_KIND_UID,      // one UID, given with the object, not among its attributes
    INDEX_KIND_TEXT,     // value and matching form
    INDEX_KIND_MULTI,    // the same, several values separated by '\': matches when one of them does
    INDEX_KIND_NUMBER,   // decimal text outside, an integer in the database
    INDEX_KIND_MOMENT,   // date followed by time, for combined matching (PS3.4 C.2.2.2.5); can't be returned
    INDEX_KIND_COMPUTED, // the archive's own knowledge, never taken from an object
};

// clang-format off
#define INDEX_ATTR_TABLE(X)                                                                            \
    /* name                              sequence    tag         VR  level     kind     */             \
    X(PatientName,                       0,          0x00100010, PN, PATIENT,  TEXT)                   \
    X(PatientID,                         0,          0x00100020, LO, PATIENT,  TEXT)                   \
    X(IssuerOfPatientID,                 0,          0x00100021, LO, PATIENT,  TEXT)                   \
    X(PatientBirthDate,                  0,          0x00100030, DA, PATIENT,  TEXT)                   \
    X(PatientBirthTime,                  0,          0x00100032, TM, PATIENT,  TEXT)                   \
    X(PatientSex,                        0,          0x00100040, CS, PATIENT,  TEXT)                   \
    X(OtherPatientIDs,                   0,          0x00101000, LO, PATIENT,  MULTI)                  \
    X(StudyInstanceUID,                  0,          0x0020000D, UI, STUDY,    UID)                    \
    X(StudyDate,                         0,          0x00080020, DA, STUDY,    TEXT)                   \
    X(StudyTime,                         0,          0x00080030, TM, STUDY,    TEXT)                   \
    X(AccessionNumber,                   0,          0x00080050, SH, STUDY,    TEXT)                   \
    X(StudyID,                           0,          0x00200010, SH, STUDY,    TEXT)                   \
    X(ReferringPhysicianName,            0,          0x00080090, PN, STUDY,    TEXT)                   \
    X(NameOfPhysiciansReadingStudy,      0,          0x00081060, PN, STUDY,    MULTI)                  \
    X(StudyDescription,                  0,          0x00081030, LO, STUDY,    TEXT)                   \
    X(TimezoneOffsetFromUTC,             0,          0x00080201, SH, STUDY,    TEXT)                   \
    X(SeriesInstanceUID,                 0,          0x0020000E, UI, SERIES,   UID)                    \
    X(Modality,                          0,          0x00080060, CS, SERIES,   TEXT)                   \
    X(SeriesNumber,                      0,          0x00200011, IS, SERIES,   NUMBER)                 \
    X(SeriesDate,                        0,          0x00080021, DA, SERIES,   TEXT)                   \
    X(SeriesTime,                        0,          0x00080031, TM, SERIES,   TEXT)                   \
    X(SeriesDescription,                 0,          0x0008103E, LO, SERIES,   TEXT)                   \
    X(BodyPartExamined,                  0,          0x00180015, CS, SERIES,   TEXT)                   \
    X(PerformedProcedureStepStartDate,   0,          0x00400244, DA, SERIES,   TEXT)                   \
    X(PerformedProcedureStepStartTime,   0,          0x00400245, TM, SERIES,   TEXT)                   \
    X(ScheduledProcedureStepID,          0x00400275, 0x00400009, SH, SERIES,   MULTI)                  \
    X(RequestedProcedureID,              0x00400275, 0x00401001, SH, SERIES,   MULTI)                  \
    X(Manufacturer,                      0,          0x00080070, LO, SERIES,   TEXT)                   \
    X(InstitutionName,                   0,          0x00080080, LO, SERIES,   TEXT)                   \
    X(StationName,                       0,          0x00081010, SH, SERIES,   TEXT)                   \
    X(SOPInstanceUID,                    0,          0x00080018, UI, INSTANCE, UID)                    \
    X(SOPClassUID,                       0,          0x00080016, UI, INSTANCE, UID)                    \
    X(AvailableTransferSyntaxUID,        0,          0x00083002, UI, INSTANCE, UID)                    \
    X(InstanceNumber,                    0,          0x00200013, IS, INSTANCE, NUMBER)                 \
    X(NumberOfFrames,                    0,          0x00280008, IS, INSTANCE, NUMBER)                 \
    X(Rows,                              0,          0x00280010, US, INSTANCE, NUMBER)                 \
    X(Columns,                           0,          0x00280011, US, INSTANCE, NUMBER)                 \
    X(BitsAllocated,                     0,          0x00280100, US, INSTANCE, NUMBER)                 \
    X(ContentDate,                       0,          0x00080023, DA, INSTANCE, TEXT)                   \
    X(ContentTime,                       0,          0x00080033, TM, INSTANCE, TEXT)                   \
    X(ModalitiesInStudy,                 0,          0x00080061, CS, STUDY,    COMPUTED)               \
    X(SOPClassesInStudy,                 0,          0x00080062, UI, STUDY,    COMPUTED)               \
    X(NumberOfPatientRelatedStudies,     0,          0x00201200, IS, PATIENT,  COMPUTED)               \
    X(NumberOfPatientRelatedSeries,      0,          0x00201202, IS, PATIENT,  COMPUTED)               \
    X(NumberOfPatientRelatedInstances,   0,          0x00201204, IS, PATIENT,  COMPUTED)               \
    X(NumberOfStudyRelatedSeries,        0,          0x00201206, IS, STUDY,    COMPUTED)               \
    X(NumberOfStudyRelatedInstances,     0,          0x00201208, IS, STUDY,    COMPUTED)               \
    X(NumberOfSeriesRelatedInstances,    0,          0x00201209, IS, SERIES,   COMPUTED)               \
    X(PatientBirthMoment,                0,          0,          DT, PATIENT,  MOMENT)                 \
    X(StudyMoment,                       0,          0,          DT, STUDY,    MOMENT)                 \
    X(SeriesMoment,                      0,          0,          DT, SERIES,   MOMENT)                 \
    X(PerformedProcedureStepStartMoment, 0,          0,          DT, SERIES,   MOMENT)                 \
    X(ContentMoment,                     0,          0,          DT, INSTANCE, MOMENT)                 \
    X(PatientIdentityRemoved,            0,          0x00120062, CS, STUDY,    TEXT)                   \
    X(StudyInstitution,                  0,          0,          LO, STUDY,    TEXT)                   \
    X(StudyStation,                      0,          0,          SH, STUDY,    TEXT)
// clang-format on

enum index_attr {
#define X(name, sequence, tag, vr, level, kind) INDEX_ATTR_##name,
    INDEX_ATTR_TABLE(X)
#undef X
    INDEX_ATTR_COUNT_
};

// An object's attributes travel and are stored as: u16 number, u16 length, UTF-8 bytes, repeated, in
// ascending order of number. There are two numbers an attribute: its value as it shall be returned
// (text; numbers as decimal text; several values separated by '\'), and its matching form
// (dicom_match_normalise) where that differs from the value: for PN nearly always, for most never.
// An empty attribute is left out. UID and COMPUTED rows are never among them.
#define INDEX_ATTR_VALUE(attr) ((uint16_t)(2 * (attr)))
#define INDEX_ATTR_MATCHING(attr) ((uint16_t)(2 * (attr) + 1))

// Of one attribute in one form; the worker leaves out longer ones, the index refuses them.
enum { INDEX_VALUE_MAX_BYTES = 2048 };

struct index_attr_info {
    const char *name;
    uint32_t sequence, tag;
    uint8_t vr;    // enum vr
    uint8_t level; // enum index_level
    uint8_t kind;  // enum index_kind
};

// Indexed by enum index_attr. `static` in a header: whoever uses it has a copy of 1.5 KB.
static const struct index_attr_info index_attr_table[INDEX_ATTR_COUNT_] __attribute__((unused)) = {
#define X(name, sequence, tag, vr, level, kind) \
    {#name, sequence, tag, VR_##vr, INDEX_##level, INDEX_KIND_##kind},
    INDEX_ATTR_TABLE(X)
#undef X
};

#endif
