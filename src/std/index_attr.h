// The attributes the index keeps: the unique and required keys of PS3.4 Tables C.6-1 to C.6-5, the
// keys of PS3.18 Table 10.6.1-5, and what every viewer asks for. Everything else an object says is
// in its summary, where the worker finds it.
//
// The number of an attribute is what travels between processes (ipc/query.h, STORE_COMMIT) and what
// the records of the store keep: never renumber, only append (before INDEX_ATTR_COUNT_).
// An attribute list is u16 number × 2 + form, u16 length, UTF-8 bytes, repeated, ascending. Form 0 is
// the value as it is shown; form 1 is the form it is compared in (names folded, dates and times
// completed; dicom/match.h), present only where it differs. Conditions compare with form 1.
#ifndef STD_INDEX_ATTR_H
#define STD_INDEX_ATTR_H

#include <stdint.h>

// X(keyword, level, tag, tag inside the sequence or 0, VR, kind)
//   level: PATIENT STUDY SERIES IMAGE        kind: STORED, or COMPUTED from other rows
// clang-format off
#define INDEX_ATTR_TABLE(X)                                                            \
    X(SpecificCharacterSet,            IMAGE,   0x00080005, 0,          CS, STORED)    \
    X(PatientName,                     PATIENT, 0x00100010, 0,          PN, STORED)    \
    X(PatientID,                       PATIENT, 0x00100020, 0,          LO, STORED)    \
    X(IssuerOfPatientID,               PATIENT, 0x00100021, 0,          LO, STORED)    \
    X(PatientBirthDate,                PATIENT, 0x00100030, 0,          DA, STORED)    \
    X(PatientSex,                      PATIENT, 0x00100040, 0,          CS, STORED)    \
    X(StudyInstanceUID,                STUDY,   0x0020000D, 0,          UI, STORED)    \
    X(StudyDate,                       STUDY,   0x00080020, 0,          DA, STORED)    \
    X(StudyTime,                       STUDY,   0x00080030, 0,          TM, STORED)    \
    X(AccessionNumber,                 STUDY,   0x00080050, 0,          SH, STORED)    \
    X(StudyID,                         STUDY,   0x00200010, 0,          SH, STORED)    \
    X(ReferringPhysicianName,          STUDY,   0x00080090, 0,          PN, STORED)    \
    X(StudyDescription,                STUDY,   0x00081030, 0,          LO, STORED)    \
    X(TimezoneOffsetFromUTC,           STUDY,   0x00080201, 0,          SH, STORED)    \
    X(SeriesInstanceUID,               SERIES,  0x0020000E, 0,          UI, STORED)    \
    X(Modality,                        SERIES,  0x00080060, 0,          CS, STORED)    \
    X(SeriesNumber,                    SERIES,  0x00200011, 0,          IS, STORED)    \
    X(SeriesDescription,               SERIES,  0x0008103E, 0,          LO, STORED)    \
    X(BodyPartExamined,                SERIES,  0x00180015, 0,          CS, STORED)    \
    X(PerformedProcedureStepStartDate, SERIES,  0x00400244, 0,          DA, STORED)    \
    X(PerformedProcedureStepStartTime, SERIES,  0x00400245, 0,          TM, STORED)    \
    X(ScheduledProcedureStepID,        SERIES,  0x00400275, 0x00400009, SH, STORED)    \
    X(RequestedProcedureID,            SERIES,  0x00400275, 0x00401001, SH, STORED)    \
    X(SOPInstanceUID,                  IMAGE,   0x00080018, 0,          UI, STORED)    \
    X(SOPClassUID,                     IMAGE,   0x00080016, 0,          UI, STORED)    \
    X(InstanceNumber,                  IMAGE,   0x00200013, 0,          IS, STORED)    \
    X(NumberOfFrames,                  IMAGE,   0x00280008, 0,          IS, STORED)    \
    X(Rows,                            IMAGE,   0x00280010, 0,          US, STORED)    \
    X(Columns,                         IMAGE,   0x00280011, 0,          US, STORED)    \
    X(BitsAllocated,                   IMAGE,   0x00280100, 0,          US, STORED)    \
    X(AvailableTransferSyntaxUID,      IMAGE,   0x00083002, 0,          UI, COMPUTED)  \
    X(ModalitiesInStudy,               STUDY,   0x00080061, 0,          CS, COMPUTED)  \
    X(SOPClassesInStudy,               STUDY,   0x00080062, 0,          UI, COMPUTED)  \
    X(NumberOfPatientRelatedStudies,   PATIENT, 0x00201200, 0,          IS, COMPUTED)  \
    X(NumberOfPatientRelatedSeries,    PATIENT, 0x00201202, 0,          IS, COMPUTED)  \
    X(NumberOfPatientRelatedInstances, PATIENT, 0x00201204, 0,          IS, COMPUTED)  \
    X(NumberOfStudyRelatedSeries,      STUDY,   0x00201206, 0,          IS, COMPUTED)  \
    X(NumberOfStudyRelatedInstances,   STUDY,   0x00201208, 0,          IS, COMPUTED)  \
    X(NumberOfSeriesRelatedInstances,  SERIES,  0x00201209, 0,          IS, COMPUTED)
// clang-format on

enum index_attr {
#define X(keyword, level, tag, inner, vr, kind) INDEX_ATTR_##keyword,
    INDEX_ATTR_TABLE(X)
#undef X
    INDEX_ATTR_COUNT_,
};

enum { INDEX_ATTR_VALUE_MAX = 4096 }; // bytes of one value; longer ones are in the summary only

#endif
