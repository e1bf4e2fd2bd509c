#include "index/schema.h"

#include "base/buf.h"
#include "base/compose.h"

#include <stdio.h>

// clang-format off
#define PATIENT_COLUMNS                                                                           \
    "PatientName, PatientName_, PatientName2, PatientName3, PatientID, PatientID_,"               \
    "IssuerOfPatientID, IssuerOfPatientID_, PatientBirthDate, PatientBirthDate_,"                 \
    "PatientBirthTime, PatientBirthTime_, PatientSex, PatientSex_, OtherPatientIDs, OtherPatientIDs_"

// Columns have no type: what is bound is what is kept. PatientName2 and 3 are the ideographic and the
// phonetic group of the folded name (PatientName has all of them): few have one, so their indexes are
// partial.
static const char version_1[] =
    "CREATE TABLE patient(id INTEGER PRIMARY KEY, key BLOB NOT NULL, " PATIENT_COLUMNS ");"
    "CREATE UNIQUE INDEX patient_key ON patient(key);"
    "CREATE INDEX patient_id ON patient(PatientID) WHERE PatientID IS NOT NULL;"
    "CREATE INDEX patient_name ON patient(PatientName) WHERE PatientName IS NOT NULL;"
    "CREATE INDEX patient_name2 ON patient(PatientName2) WHERE PatientName2 IS NOT NULL;"
    "CREATE INDEX patient_name3 ON patient(PatientName3) WHERE PatientName3 IS NOT NULL;"

    "CREATE TABLE study(id INTEGER PRIMARY KEY, patient INTEGER NOT NULL, StudyInstanceUID BLOB NOT NULL,"
    "series_count INTEGER NOT NULL, instance_count INTEGER NOT NULL, " PATIENT_COLUMNS ","
    "StudyDate, StudyDate_, StudyTime, StudyTime_, AccessionNumber, AccessionNumber_, StudyID, StudyID_,"
    "ReferringPhysicianName, ReferringPhysicianName_, NameOfPhysiciansReadingStudy,"
    "NameOfPhysiciansReadingStudy_, StudyDescription, StudyDescription_,"
    "TimezoneOffsetFromUTC, TimezoneOffsetFromUTC_);"
    "CREATE UNIQUE INDEX study_uid ON study(StudyInstanceUID);"
    "CREATE INDEX study_patient ON study(patient);"
    "CREATE INDEX study_patient_id ON study(PatientID) WHERE PatientID IS NOT NULL;"
    "CREATE INDEX study_name ON study(PatientName) WHERE PatientName IS NOT NULL;"
    "CREATE INDEX study_name2 ON study(PatientName2) WHERE PatientName2 IS NOT NULL;"
    "CREATE INDEX study_name3 ON study(PatientName3) WHERE PatientName3 IS NOT NULL;"
    "CREATE INDEX study_date ON study(StudyDate);"
    "CREATE INDEX study_accession ON study(AccessionNumber) WHERE AccessionNumber IS NOT NULL;"

    "CREATE TABLE series(id INTEGER PRIMARY KEY, study INTEGER NOT NULL, SeriesInstanceUID BLOB NOT NULL,"
    "instance_count INTEGER NOT NULL,"
    "Modality, Modality_, SeriesNumber, SeriesNumber_, SeriesDate, SeriesDate_, SeriesTime, SeriesTime_,"
    "SeriesDescription, SeriesDescription_, BodyPartExamined, BodyPartExamined_,"
    "PerformedProcedureStepStartDate, PerformedProcedureStepStartDate_,"
    "PerformedProcedureStepStartTime, PerformedProcedureStepStartTime_,"
    "ScheduledProcedureStepID, ScheduledProcedureStepID_, RequestedProcedureID, RequestedProcedureID_,"
    "Manufacturer, Manufacturer_, InstitutionName, InstitutionName_, StationName, StationName_);"
    "CREATE UNIQUE INDEX series_uid ON series(SeriesInstanceUID, study);"
    "CREATE INDEX series_study ON series(study);"

    "CREATE TABLE instance(id INTEGER PRIMARY KEY, series INTEGER NOT NULL, SOPInstanceUID BLOB NOT NULL,"
    "SOPClassUID INTEGER NOT NULL, AvailableTransferSyntaxUID INTEGER NOT NULL,"
    "segment INTEGER NOT NULL, front_bytes INTEGER NOT NULL, offset INTEGER NOT NULL,"
    "length INTEGER NOT NULL,"
    "InstanceNumber, InstanceNumber_, NumberOfFrames, NumberOfFrames_, Rows, Rows_, Columns, Columns_,"
    "BitsAllocated, BitsAllocated_, ContentDate, ContentDate_, ContentTime, ContentTime_, digest BLOB);"
    "CREATE UNIQUE INDEX instance_uid ON instance(SOPInstanceUID, series);"
    "CREATE INDEX instance_series ON instance(series);"

    "CREATE TABLE beside(id INTEGER PRIMARY KEY, instance INTEGER NOT NULL,"
    "SOPClassUID INTEGER NOT NULL, AvailableTransferSyntaxUID INTEGER NOT NULL,"
    "segment INTEGER NOT NULL, front_bytes INTEGER NOT NULL, offset INTEGER NOT NULL,"
    "length INTEGER NOT NULL,"
    "digest BLOB);"
    "CREATE INDEX beside_instance ON beside(instance);"

    "CREATE TABLE uid(id INTEGER PRIMARY KEY, uid TEXT NOT NULL UNIQUE);"
    "CREATE TABLE study_class(study INTEGER, class INTEGER, PRIMARY KEY(study, class)) WITHOUT ROWID;"
    "CREATE TABLE mark(segment INTEGER PRIMARY KEY, end INTEGER NOT NULL, objects INTEGER NOT NULL,"
    "dead_bytes INTEGER NOT NULL);"
    "CREATE TABLE total(id INTEGER PRIMARY KEY CHECK(id = 0), patients INTEGER NOT NULL,"
    "studies INTEGER NOT NULL, series INTEGER NOT NULL, instances INTEGER NOT NULL, beside INTEGER NOT NULL);"
    "INSERT INTO total VALUES(0, 0, 0, 0, 0, 0);";

// What is known of an older index: institution and station. (Whether the patient's identity was removed was
// not kept before, neither here nor with the records: those studies count as identified.) Arrivals are
// hours since 1970, UTC.
static const char version_2[] =
    "ALTER TABLE study ADD COLUMN PatientIdentityRemoved;"
    "ALTER TABLE study ADD COLUMN PatientIdentityRemoved_;"
    "ALTER TABLE study ADD COLUMN StudyInstitution; ALTER TABLE study ADD COLUMN StudyInstitution_;"
    "ALTER TABLE study ADD COLUMN StudyStation; ALTER TABLE study ADD COLUMN StudyStation_;"
    "UPDATE study SET(StudyInstitution, StudyInstitution_)=(SELECT InstitutionName, InstitutionName_ "
    "FROM series WHERE study=study.id AND InstitutionName IS NOT NULL ORDER BY id LIMIT 1);"
    "UPDATE study SET(StudyStation, StudyStation_)=(SELECT StationName, StationName_ FROM series "
    "WHERE study=study.id AND StationName IS NOT NULL ORDER BY id LIMIT 1);"
    "CREATE TABLE arrival(hour INTEGER, peer TEXT, modality TEXT, studies INTEGER NOT NULL,"
    "instances INTEGER NOT NULL, PRIMARY KEY(hour, peer, modality)) WITHOUT ROWID;"
    "CREATE TABLE deletion(id INTEGER PRIMARY KEY, study BLOB NOT NULL, whole INTEGER NOT NULL,"
    "ready INTEGER NOT NULL);"
    "CREATE TABLE deletion_record(id INTEGER PRIMARY KEY, deletion INTEGER NOT NULL, series BLOB NOT NULL,"
    "sop BLOB NOT NULL, segment INTEGER NOT NULL, front_bytes INTEGER NOT NULL, offset INTEGER NOT NULL,"
    "length INTEGER NOT NULL);"
    "CREATE INDEX deletion_record_of ON deletion_record(deletion);"
    "CREATE TABLE tick(n INTEGER NOT NULL); INSERT INTO tick VALUES(0);";

#define MODALITIES(study)                                                                         \
    "(SELECT group_concat(m,'\\')FROM(SELECT DISTINCT Modality AS m FROM series WHERE study=" study   \
    " AND Modality IS NOT NULL ORDER BY m))"
#define MODALITIES_SET(study)                                                                     \
    "UPDATE study SET ModalitiesInStudy=" MODALITIES(study) " WHERE id=" study "; END;"
#define MODALITY_IS_NEW                                                                           \
    " ON series WHEN NEW.Modality IS NOT NULL AND NOT EXISTS(SELECT 1 FROM study WHERE id=NEW.study AND " \
    "instr('\\'||ModalitiesInStudy||'\\','\\'||NEW.Modality||'\\')>0) BEGIN "

// What lists of studies are filtered by has an index each. The modalities of a study are kept with it, so
// that they can have one, too.
static const char version_3[] =
    "ALTER TABLE study ADD COLUMN ModalitiesInStudy;"
    "UPDATE study SET ModalitiesInStudy=" MODALITIES("study.id") ";"
    "CREATE TRIGGER series_modality_added AFTER INSERT" MODALITY_IS_NEW MODALITIES_SET("NEW.study")
    "CREATE TRIGGER series_modality_set AFTER UPDATE OF Modality" MODALITY_IS_NEW MODALITIES_SET("NEW.study")
    "CREATE TRIGGER series_modality_gone AFTER DELETE ON series WHEN OLD.Modality IS NOT NULL AND NOT EXISTS"
    "(SELECT 1 FROM series WHERE study=OLD.study AND Modality=OLD.Modality) BEGIN "
    MODALITIES_SET("OLD.study")
    "CREATE INDEX study_modalities ON study(ModalitiesInStudy) WHERE ModalitiesInStudy IS NOT NULL;"
    "CREATE INDEX study_physician ON study(ReferringPhysicianName) WHERE ReferringPhysicianName IS NOT NULL;"
    "CREATE INDEX study_description ON study(StudyDescription) WHERE StudyDescription IS NOT NULL;"
    "CREATE INDEX study_institution ON study(StudyInstitution) WHERE StudyInstitution IS NOT NULL;"
    "CREATE INDEX study_station ON study(StudyStation) WHERE StudyStation IS NOT NULL;";

#define DATED(name, column)                                                                       \
    "DROP INDEX IF EXISTS " name ";"                                                              \
    "CREATE INDEX " name " ON study(" column ",StudyDate) WHERE " column " IS NOT NULL;"

// Beside what lists of studies are filtered by stands the date: the newest of many are found without reading
// the others, and the others counted.
static const char version_4[] =
    DATED("study_patient_id", "PatientID")
    DATED("study_name", "PatientName")
    DATED("study_name2", "PatientName2")
    DATED("study_name3", "PatientName3")
    DATED("study_modalities", "ModalitiesInStudy")
    DATED("study_physician", "ReferringPhysicianName")
    DATED("study_description", "StudyDescription")
    DATED("study_institution", "StudyInstitution")
    DATED("study_station", "StudyStation")
    DATED("study_removed", "PatientIdentityRemoved");

#define COMPOSED(table, column)                                                                   \
    "UPDATE " table " SET " column "=galena_composed(" column ")," column "_=" column             \
    " WHERE " column "_ IS NULL AND galena_composed(" column ")<>" column ";"

// Text is compared composed (base/compose.h); what came decomposed was not found.
static const char version_5[] =
    COMPOSED("patient", "PatientID") COMPOSED("patient", "IssuerOfPatientID")
    COMPOSED("patient", "OtherPatientIDs")
    COMPOSED("study", "PatientID") COMPOSED("study", "IssuerOfPatientID") COMPOSED("study", "OtherPatientIDs")
    COMPOSED("study", "AccessionNumber") COMPOSED("study", "StudyID") COMPOSED("study", "StudyDescription")
    COMPOSED("study", "StudyInstitution") COMPOSED("study", "StudyStation")
    COMPOSED("series", "SeriesDescription") COMPOSED("series", "ScheduledProcedureStepID")
    COMPOSED("series", "RequestedProcedureID") COMPOSED("series", "Manufacturer")
    COMPOSED("series", "InstitutionName") COMPOSED("series", "StationName");
// clang-format on

const char *const schema_steps[] = {version_1, version_2, version_3, version_4, version_5};
const size_t schema_version = sizeof schema_steps / sizeof *schema_steps;

enum err schema_error(int rc) {
    if (rc == SQLITE_IOERR_DATA || rc == SQLITE_IOERR_SHORT_READ || rc == SQLITE_IOERR_CORRUPTFS)
        return ERR_CORRUPT;
    switch (rc & 0xff) {
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
    case SQLITE_ERROR: // a table or column that is not there
    case SQLITE_CONSTRAINT:
        return ERR_CORRUPT;
    case SQLITE_FULL:
        return ERR_NO_SPACE;
    case SQLITE_NOMEM:
        return ERR_NO_MEMORY;
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
        return ERR_BUSY;
    default:
        return ERR_IO;
    }
}

enum err schema_fault(struct fault *f, int rc, const char *what) {
    return fault_set(f, schema_error(rc), "index: %s failed (SQLite %d)", what, rc);
}

int schema_get_version(sqlite3 *db, int *ret_version) {
    sqlite3_stmt *s = NULL;
    int rc = sqlite3_prepare_v2(db, "PRAGMA user_version", -1, &s, NULL);
    if (rc == SQLITE_OK)
        rc = sqlite3_step(s);
    if (rc == SQLITE_ROW)
        *ret_version = sqlite3_column_int(s, 0);
    sqlite3_finalize(s);
    return rc == SQLITE_ROW ? SQLITE_OK : rc;
}

static void composed(sqlite3_context *c, int n, sqlite3_value **v) {
    (void)n;
    if (sqlite3_value_type(v[0]) != SQLITE_TEXT) {
        sqlite3_result_value(c, v[0]);
        return;
    }
    struct buf b = BUF_INIT(SIZE_MAX);
    const uint8_t *p = sqlite3_value_text(v[0]);
    compose_text(slice_of(p, p ? (size_t)sqlite3_value_bytes(v[0]) : 0), &b);
    if (buf_ok(&b))
        sqlite3_result_text64(c, (const char *)b.p, b.n, SQLITE_TRANSIENT, SQLITE_UTF8);
    else
        sqlite3_result_error_nomem(c);
    buf_fini(&b);
}

static int run_steps(sqlite3 *db, const char *const *steps, size_t from, size_t count) {
    char sql[48];
    int rc = SQLITE_OK;
    for (size_t i = from; i < count && rc == SQLITE_OK; i++)
        rc = sqlite3_exec(db, steps[i], NULL, NULL, NULL);
    snprintf(sql, sizeof sql, "PRAGMA user_version=%zu", count);
    return rc == SQLITE_OK ? sqlite3_exec(db, sql, NULL, NULL, NULL) : rc;
}

enum err schema_migrate(sqlite3 *db, const char *const *steps, size_t count, bool dry_run, struct fault *f,
                        int *ret_from) {
    int version = 0;
    int rc = schema_get_version(db, &version);
    if (rc != SQLITE_OK)
        return schema_fault(f, rc, "reading its version");
    if (version < 0 || (size_t)version > count)
        return fault_set(f, ERR_UNSUPPORTED, "index: its version is %d, we know %zu", version, count);
    *ret_from = version;
    if ((size_t)version == count)
        return OK;
    rc = sqlite3_create_function_v2(db, "galena_composed", 1, SQLITE_UTF8 | SQLITE_DETERMINISTIC, NULL,
                                    composed, NULL, NULL, NULL);
    if (rc == SQLITE_OK)
        rc = sqlite3_exec(db, "BEGIN IMMEDIATE", NULL, NULL, NULL);
    if (rc == SQLITE_OK)
        rc = run_steps(db, steps, (size_t)version, count);
    if (rc == SQLITE_OK && !dry_run)
        rc = sqlite3_exec(db, "COMMIT", NULL, NULL, NULL);
    if (!sqlite3_get_autocommit(db))
        (void)sqlite3_exec(db, "ROLLBACK", NULL, NULL, NULL);
    return rc == SQLITE_OK ? OK : schema_fault(f, rc, "bringing it up to date");
}
