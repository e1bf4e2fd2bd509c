// The index's prepared statements. Those that name all attributes of a level are made from the table.
#include "index/internal.h"

#include "base/buf.h"

const char *attr_name(enum index_attr attr) {
    return index_attr_table[attr].name;
}

bool attr_stored(enum index_attr attr, enum index_level level) {
    const struct index_attr_info *a = &index_attr_table[attr];
    bool has_value = a->kind == INDEX_KIND_TEXT || a->kind == INDEX_KIND_MULTI ||
        a->kind == INDEX_KIND_NUMBER;
    return has_value && (a->level == level || (level == INDEX_STUDY && a->level == INDEX_PATIENT));
}

uint64_t attr_mask(enum index_level level) {
    uint64_t mask = 0;
    for (int i = 0; i < INDEX_ATTR_COUNT_; i++)
        if (attr_stored((enum index_attr)i, level))
            mask |= 1ULL << i;
    return mask;
}

// "INSERT INTO study(patient,…)", then all columns of attributes; the values come in this order.
static void put_insert(struct buf *b, const char *table, const char *fixed, unsigned fixed_count,
                       enum index_level level, const char *conflict) {
    unsigned n = fixed_count;
    buf_printf(b, "INSERT INTO %s(%s", table, fixed);
    for (int i = 0; i < INDEX_ATTR_COUNT_; i++) {
        if (!attr_stored((enum index_attr)i, level))
            continue;
        const char *name = attr_name((enum index_attr)i);
        buf_printf(b, ",%s,%s_", name, name);
        n += 2;
        if (i == INDEX_ATTR_PatientName) {
            buf_append_str(b, ",PatientName2,PatientName3");
            n += 2;
        }
    }
    buf_append_str(b, ")VALUES(?");
    for (unsigned i = 1; i < n; i++)
        buf_append_str(b, ",?");
    buf_printf(b, ")%s", conflict);
}

// "SELECT id,patient,<bit mask of attributes without a value> FROM …"
static void put_select(struct buf *b, const char *fixed, enum index_level level, const char *from) {
    buf_printf(b, "SELECT %s,0", fixed);
    for (int i = 0; i < INDEX_ATTR_COUNT_; i++)
        if (attr_stored((enum index_attr)i, level))
            buf_printf(b, "|((%s IS NULL)<<%d)", attr_name((enum index_attr)i), i);
    buf_printf(b, " FROM %s", from);
}

#define REF "segment,front_bytes,offset,length"

static const char *const texts[ST_COUNT_] = {
    [ST_BEGIN] = "BEGIN IMMEDIATE",
    [ST_COMMIT] = "COMMIT",
    [ST_ROLLBACK] = "ROLLBACK",
    [ST_SAVEPOINT] = "SAVEPOINT one",
    [ST_RELEASE] = "RELEASE one",
    [ST_ROLLBACK_TO] = "ROLLBACK TO one",
    [ST_UID_BY_TEXT] = "SELECT id FROM uid WHERE uid=?",
    [ST_UID_BY_ID] = "SELECT uid FROM uid WHERE id=?",
    [ST_UID_ADD] = "INSERT INTO uid(uid)VALUES(?)",
    [ST_STUDY_SERIES_ADDED] = "UPDATE study SET series_count=series_count+? WHERE id=?",
    [ST_STUDY_COUNT] = "UPDATE study SET instance_count=instance_count+? WHERE id=?",
    [ST_SERIES_COUNT] = "UPDATE series SET instance_count=instance_count+? WHERE id=?",
    [ST_CLASS_ADD] = "INSERT OR IGNORE INTO study_class(study,class)VALUES(?,?)",
    [ST_INSTANCE_GET] = "SELECT id," REF ",digest FROM instance WHERE SOPInstanceUID=? AND series=?",
    [ST_INSTANCE_BY_SOP] = "SELECT id," REF " FROM instance WHERE SOPInstanceUID=? ORDER BY id LIMIT 1",
    [ST_BESIDE_OF] = "SELECT id," REF ",digest FROM beside WHERE instance=? ORDER BY id",
    [ST_BESIDE_ADD] = "INSERT INTO beside(instance,SOPClassUID,AvailableTransferSyntaxUID," REF ",digest)"
                      "VALUES(?,?,?,?,?,?,?,?)",
    [ST_MARK_SET] = "INSERT OR REPLACE INTO mark(segment,end,objects,dead_bytes)VALUES(?,?,?,?)",
    [ST_MARKS] = "SELECT segment,end,objects,dead_bytes FROM mark ORDER BY segment",
    [ST_TOTAL_GET] = "SELECT patients,studies,series,instances,beside FROM total",
    [ST_TOTAL_SET] = "UPDATE total SET patients=?,studies=?,series=?,instances=?,beside=?",
    [ST_STUDY_KEYS] = "SELECT PatientID,IssuerOfPatientID,PatientName,PatientBirthDate,patient "
                      "FROM study WHERE id=?",
    [ST_STUDY_RELINK] = "UPDATE study SET patient=? WHERE id=?",
    [ST_PATIENT_DROP] = "DELETE FROM patient WHERE id=?1 "
                        "AND NOT EXISTS(SELECT 1 FROM study WHERE patient=?1)",
    [ST_DELETION_ADD] = "INSERT INTO deletion(id,study,whole,ready)"
                        "VALUES(max(?3,(SELECT coalesce(max(id),0)FROM deletion))+1,?1,?2,0)",
    [ST_DELETION_READY] = "UPDATE deletion SET ready=1 WHERE id=?",
    [ST_DELETION_NEXT_READY] = "SELECT id,study,whole FROM deletion WHERE ready=1 AND id>?1"
                               " ORDER BY id LIMIT 1",
    [ST_DELETION_DROP] = "DELETE FROM deletion WHERE id=?",
    [ST_DELETION_RECORDS_DROP] = "DELETE FROM deletion_record WHERE deletion=?",
    [ST_DELETIONS_UNREADY_DROP] = "DELETE FROM deletion WHERE ready=0",
    [ST_DELETION_RECORDS_UNREADY_DROP] = "DELETE FROM deletion_record WHERE deletion IN"
                                         "(SELECT id FROM deletion WHERE ready=0)",
    [ST_DELETION_SERIES] =
        "SELECT id,SeriesInstanceUID FROM series WHERE study=? AND id>? ORDER BY id LIMIT 1",
    [ST_DELETION_LIST] = "INSERT INTO deletion_record(deletion,series,sop," REF ")"
                         "SELECT ?1,?2,SOPInstanceUID," REF " FROM instance WHERE series=?3 "
                         "AND(?4 IS NULL OR SOPInstanceUID=?4)",
    [ST_DELETION_LIST_BESIDE] =
        "INSERT INTO deletion_record(deletion,series,sop," REF ")"
        "SELECT ?1,?2,SOPInstanceUID,b.segment,b.front_bytes,b.offset,b.length FROM instance "
        "CROSS JOIN beside AS b ON b.instance=instance.id WHERE series=?3 AND(?4 IS NULL OR "
        "SOPInstanceUID=?4)",
    [ST_DELETION_RECORD] = "SELECT id,series,sop," REF " FROM deletion_record WHERE deletion=? AND id>? "
                           "ORDER BY id LIMIT 1",
    [ST_STUDY_IDENTIFIED] = "UPDATE study SET PatientIdentityRemoved=?1,PatientIdentityRemoved_=NULL "
                            "WHERE id=?2",
    [ST_ARRIVAL_ADD] = "INSERT INTO arrival(hour,peer,modality,studies,instances)VALUES(?,?,?,?,?)"
                       "ON CONFLICT DO UPDATE SET studies=studies+excluded.studies,"
                       "instances=instances+excluded.instances",
    [ST_ARRIVALS] = "SELECT hour,peer,modality,studies,instances FROM arrival WHERE hour>=? "
                    "ORDER BY hour,peer,modality",
    [ST_ARRIVALS_DROP] = "DELETE FROM arrival WHERE hour<?",
    [ST_INSTANCE_DROP] = "DELETE FROM instance WHERE id=?",
    [ST_BESIDE_KEEP] = "INSERT INTO beside(instance,SOPClassUID,AvailableTransferSyntaxUID," REF ",digest)"
                       "SELECT id,SOPClassUID,AvailableTransferSyntaxUID," REF ",digest FROM instance "
                       "WHERE id=?",
    [ST_INSTANCE_REPLACE] = "UPDATE instance SET SOPClassUID=?,AvailableTransferSyntaxUID=?,segment=?,"
                            "front_bytes=?,offset=?,length=?,digest=? WHERE id=?",
    [ST_DELETION_HAS] = "SELECT 1 FROM deletion_record WHERE deletion=? AND segment=? AND offset=?",
    [ST_BESIDE_DROP] = "DELETE FROM beside WHERE id=?",
    [ST_INSTANCE_PROMOTE] =
        "UPDATE instance SET(SOPClassUID,AvailableTransferSyntaxUID," REF ",digest)="
        "(SELECT SOPClassUID,AvailableTransferSyntaxUID," REF ",digest FROM beside WHERE beside.id=?1)"
        "WHERE instance.id=?2",
    [ST_SERIES_DROP] = "DELETE FROM series WHERE id=?1 "
                       "AND NOT EXISTS(SELECT 1 FROM instance WHERE series=?1)",
    [ST_STUDY_DROP] = "DELETE FROM study WHERE id=?1 AND NOT EXISTS(SELECT 1 FROM series WHERE study=?1)",
    [ST_CLASS_OF_INSTANCE] = "INSERT OR IGNORE INTO study_class(study,class)"
                             "SELECT ?1,SOPClassUID FROM instance WHERE id=?2",
    [ST_CLASSES_DROP] = "DELETE FROM study_class WHERE study=?",
    [ST_CLASS_DROP] = "DELETE FROM study_class WHERE study=?1 "
                      "AND NOT EXISTS(SELECT 1 FROM series JOIN instance "
                      "ON instance.series=series.id WHERE series.study=?1 AND SOPClassUID=class)",
    [ST_REF_OF_SERIES] = "SELECT " REF " FROM instance WHERE series=? ORDER BY id LIMIT 1",
    [ST_REF_OF_STUDY] = "SELECT " REF " FROM instance WHERE series=(SELECT id FROM series WHERE study=? "
                        "ORDER BY id LIMIT 1) ORDER BY id LIMIT 1",
    [ST_REF_OF_PATIENT] = "SELECT " REF " FROM instance WHERE series=(SELECT id FROM series WHERE study="
                          "(SELECT id FROM study WHERE patient=? ORDER BY id LIMIT 1) ORDER BY id LIMIT 1)"
                          "ORDER BY id LIMIT 1",
};

static void put_generated(struct buf *b, enum stmt_id id) {
    switch ((int)id) {
    case ST_PATIENT_GET:
        put_select(b, "id", INDEX_PATIENT, "patient WHERE key=?");
        break;
    case ST_PATIENT_ADD:
        put_insert(b, "patient", "key", 1, INDEX_PATIENT, "");
        break;
    case ST_STUDY_GET:
        put_select(b, "id,patient,PatientIdentityRemoved='YES'", INDEX_STUDY,
                   "study WHERE StudyInstanceUID=?");
        break;
    case ST_STUDY_ADD:
        put_insert(b, "study", "patient,StudyInstanceUID,series_count,instance_count,ModalitiesInStudy", 5,
                   INDEX_STUDY, "");
        break;
    case ST_SERIES_GET:
        put_select(b, "id", INDEX_SERIES, "series WHERE SeriesInstanceUID=? AND study=?");
        break;
    case ST_SERIES_ADD:
        put_insert(b, "series", "study,SeriesInstanceUID,instance_count", 3, INDEX_SERIES, "");
        break;
    case ST_INSTANCE_ADD:
        put_insert(b, "instance",
                   "series,SOPInstanceUID,SOPClassUID,AvailableTransferSyntaxUID," REF ",digest", 9,
                   INDEX_INSTANCE, " ON CONFLICT DO NOTHING");
        break;
    default:
        bug("a statement without a text");
    }
}

const char *index_statement_sql(enum stmt_id id, struct buf *b) {
    if (texts[id])
        return texts[id];
    put_generated(b, id);
    buf_u8(b, 0);
    return buf_ok(b) ? (const char *)b->p : NULL;
}
