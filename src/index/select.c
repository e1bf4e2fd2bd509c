// The SELECT of a pass: what it joins, which columns it has. Values are bound, never part of the text.
#include "index/query_internal.h"

enum { SQL_MAX = 32 << 10 };

static const char *const tables[INDEX_LEVEL_COUNT_] = {"patient", "study", "series", "instance"};

static const struct {
    enum index_attr moment, date, time;
} moments[] = {
    {INDEX_ATTR_PatientBirthMoment, INDEX_ATTR_PatientBirthDate, INDEX_ATTR_PatientBirthTime},
    {INDEX_ATTR_StudyMoment, INDEX_ATTR_StudyDate, INDEX_ATTR_StudyTime},
    {INDEX_ATTR_SeriesMoment, INDEX_ATTR_SeriesDate, INDEX_ATTR_SeriesTime},
    {INDEX_ATTR_PerformedProcedureStepStartMoment, INDEX_ATTR_PerformedProcedureStepStartDate,
     INDEX_ATTR_PerformedProcedureStepStartTime},
    {INDEX_ATTR_ContentMoment, INDEX_ATTR_ContentDate, INDEX_ATTR_ContentTime},
};

// --- Which columns ------------------------------------------------------------------------------

static int column_of(struct columns *columns, enum index_attr attr) {
    if (columns->at[attr] < 0) {
        columns->at[attr] = columns->count;
        columns->count += attr_stored(attr, (enum index_level)index_attr_table[attr].level) ? 2 : 1;
    }
    return columns->at[attr];
}

void condition_columns(struct columns *columns, struct condition *c) {
    for (size_t i = 0; i < sizeof moments / sizeof *moments; i++)
        if (moments[i].moment == c->attr) {
            c->column = column_of(columns, moments[i].date);
            c->time_column = column_of(columns, moments[i].time);
            return;
        }
    c->column = column_of(columns, c->attr);
}

static int sum_of_patient(enum index_attr attr) { // which of a patient's counts this is; -1: none
    return attr == INDEX_ATTR_NumberOfPatientRelatedStudies     ? 0
           : attr == INDEX_ATTR_NumberOfPatientRelatedSeries    ? 1
           : attr == INDEX_ATTR_NumberOfPatientRelatedInstances ? 2
                                                                : -1;
}

// What takes a subquery, at the levels where it is one row's: asked for late, unless a condition needs it.
static bool is_late(const struct index_query *q, enum index_attr attr) {
    switch ((int)attr) {
    case INDEX_ATTR_SOPClassesInStudy:
    case INDEX_ATTR_NumberOfPatientRelatedStudies:
    case INDEX_ATTR_NumberOfPatientRelatedSeries:
    case INDEX_ATTR_NumberOfPatientRelatedInstances:
        return q->level <= INDEX_STUDY && q->columns.at[attr] < 0;
    default:
        return false;
    }
}

static void return_column(struct index_query *q, enum index_attr attr) {
    if (q->scope_count > 0 && sum_of_patient(attr) >= 0)
        q->wants_sums = true; // scope.c counts
    else if (!is_late(q, attr))
        (void)column_of(&q->columns, attr);
    else if (q->late[attr] < 0)
        q->late[attr] = q->late_count++;
}

static bool returnable(const struct index_query *q, uint16_t attr) {
    return attr < INDEX_ATTR_COUNT_ && index_attr_table[attr].level <= q->level &&
           index_attr_table[attr].kind != INDEX_KIND_MOMENT;
}

enum err select_columns(struct index_query *q, const struct index_query_spec *spec, struct fault *f) {
    if (spec->return_count > INDEX_RETURNS_MAX)
        return fault_set(f, ERR_LIMIT, "a query returns more than %d attributes", INDEX_RETURNS_MAX);
    q->returns = arena_calloc(&q->arena, spec->return_count + 1, sizeof *q->returns);
    q->uid_texts = arena_calloc(&q->arena, spec->return_count + 1, sizeof *q->uid_texts);
    if (!q->returns || !q->uid_texts)
        return fault_set(f, ERR_NO_MEMORY, "no memory for a query");
    q->columns.count = FIXED_COLUMNS;
    memset(q->columns.at, -1, sizeof q->columns.at);
    memset(q->late, -1, sizeof q->late);
    for (size_t i = 0; i < q->condition_count; i++)
        condition_columns(&q->columns, &q->conditions[i]);
    for (size_t i = 0; i < spec->return_count; i++) {
        if (!returnable(q, spec->returns[i]))
            return fault_set(f, ERR_UNSUPPORTED, "attribute %u cannot be returned at this level",
                             spec->returns[i]);
        q->returns[i] = spec->returns[i];
        return_column(q, (enum index_attr)q->returns[i]);
    }
    q->return_count = spec->return_count;
    scope_columns_choose(q);
    return OK;
}

// --- The text -----------------------------------------------------------------------------------

static const char *table_of(const struct index_query *q, enum index_attr attr) {
    enum index_level level = (enum index_level)index_attr_table[attr].level;
    bool of_study = level == INDEX_PATIENT && (q->level != INDEX_PATIENT || at_patient_in_scope(q));
    return tables[of_study ? INDEX_STUDY : level];
}

#define OF_PATIENT(what) "(SELECT " what " FROM study AS other WHERE other.patient=%s)"

static void put_computed(const struct index_query *q, enum index_attr attr, struct buf *b) {
    const char *patient = q->level == INDEX_PATIENT ? "patient.id" : "study.patient";
    switch ((int)attr) {
    case INDEX_ATTR_ModalitiesInStudy:
        buf_append_str(b, "study.ModalitiesInStudy");
        break;
    case INDEX_ATTR_SOPClassesInStudy:
        buf_append_str(b,
                       "(SELECT group_concat(u,'\\')FROM(SELECT uid.uid AS u FROM study_class CROSS JOIN uid "
                          "ON uid.id=class WHERE study_class.study=study.id ORDER BY u))");
        break;
    case INDEX_ATTR_NumberOfPatientRelatedStudies:
        buf_printf(b, OF_PATIENT("count(*)"), patient);
        break;
    case INDEX_ATTR_NumberOfPatientRelatedSeries:
        buf_printf(b, OF_PATIENT("sum(series_count)"), patient);
        break;
    case INDEX_ATTR_NumberOfPatientRelatedInstances:
        buf_printf(b, OF_PATIENT("sum(instance_count)"), patient);
        break;
    case INDEX_ATTR_NumberOfStudyRelatedSeries:
        buf_append_str(b, "study.series_count");
        break;
    case INDEX_ATTR_NumberOfStudyRelatedInstances:
        buf_append_str(b, "study.instance_count");
        break;
    case INDEX_ATTR_NumberOfSeriesRelatedInstances:
        buf_append_str(b, "series.instance_count");
        break;
    default:
        bug("a computed attribute without an expression");
    }
}

static void put_column(const struct index_query *q, enum index_attr attr, struct buf *b) {
    const char *table = table_of(q, attr), *name = attr_name(attr);
    buf_u8(b, ',');
    if (index_attr_table[attr].kind == INDEX_KIND_COMPUTED)
        put_computed(q, attr, b);
    else if (index_attr_table[attr].kind == INDEX_KIND_UID)
        buf_printf(b, "%s.%s", table, name);
    else
        buf_printf(b, "%s.%s,%s.%s_", table, name, table, name);
}

// In the order of their numbers, which is the order in which they were asked for.
static void put_attributes(const struct index_query *q, const struct columns *columns, int from,
                           struct buf *b) {
    for (int at = from; at < columns->count;) {
        int before = at;
        for (int i = 0; i < INDEX_ATTR_COUNT_; i++)
            if (columns->at[i] == at) {
                put_column(q, (enum index_attr)i, b);
                at += attr_stored((enum index_attr)i, (enum index_level)index_attr_table[i].level) ? 2 : 1;
                break;
            }
        bug_unless(at > before);
    }
}

static bool names_study(const struct index_query *q) { // is table study there for its ids?
    return q->level != INDEX_PATIENT && q->scope_count > 0;
}

static void put_columns(const struct index_query *q, const struct pass *p, struct buf *b) {
    const char *top = tables[q->top];
    buf_printf(b, "SELECT %s.id,%s%s", top, p->column ? top : "", p->column ? "." : "NULL");
    buf_append_str(b, p->column ? p->column : "");
    buf_append_str(b, q->level < INDEX_SERIES ? ",0" : q->top == INDEX_INSTANCE ? ",instance.series"
                   : ",series.id");
    buf_append_str(b, q->level < INDEX_INSTANCE ? ",0,0,0,0,0"
                                                : ",instance.id,instance.segment,instance.front_bytes,"
                                                  "instance.offset,instance.length");
    bool ids = !q->gathering && (names_study(q) || at_patient_in_scope(q)); // else the index alone tells
    buf_append_str(b, ids ? ",study.id,study.patient" : ",0,0");
    buf_append_str(b, (q->gathering && q->round_count == 0) || p->dated ? ",study.StudyDate" : ",NULL");
    if (!q->gathering)
        put_attributes(q, &q->columns, FIXED_COLUMNS, b);
}

// CROSS JOIN keeps SQLite from changing the order: the table that is walked comes first.
static void put_tables(const struct index_query *q, struct buf *b) {
    bool study = names_study(q);
    for (int i = 0; i < INDEX_ATTR_COUNT_; i++)
        if (q->columns.at[i] >= 0 && index_attr_table[i].level <= INDEX_STUDY)
            study = true;
    buf_printf(b, " FROM %s", tables[q->top]);
    if (q->top <= INDEX_STUDY && q->level >= INDEX_SERIES)
        buf_append_str(b, " CROSS JOIN series ON series.study=study.id");
    if (q->top <= INDEX_SERIES && q->level == INDEX_INSTANCE)
        buf_append_str(b, " CROSS JOIN instance ON instance.series=series.id");
    if (q->top == INDEX_INSTANCE)
        buf_append_str(b, " CROSS JOIN series ON series.id=instance.series");
    if (q->top >= INDEX_SERIES && study)
        buf_append_str(b, " CROSS JOIN study ON study.id=series.study");
}

// What is left out by its key (walk.c): decided before SQLite reads the row.
static void put_filter(const struct index_query *q, const struct pass *p, struct buf *b) {
    const char *t = tables[q->top];
    bool skips = q->exact && !q->gathering && q->offset > 0;
    if (p->walk == WALK_SORTED || (!p->filter && !skips && q->round_count == 0))
        return;
    if (q->round_count > 0)
        buf_printf(b, " AND galena_keep(%s.%s,%s.id)", t, p->column, t);
    else if (p->column)
        buf_printf(b, " AND galena_keep(%s.%s)", t, p->column);
    else
        buf_append_str(b, " AND galena_keep(NULL)");
}

// Parameters: ?1 low or id, ?2 high or id (see bind() in query.c).
static void put_order(const struct index_query *q, const struct pass *p, struct buf *b) {
    const char *t = tables[q->top], *c = p->column;
    const char *date = p->dated ? "study.StudyDate," : "";
    switch (p->walk) {
    case WALK_EQUAL:
    case WALK_ALL:
        buf_printf(b, " ORDER BY %s%s.id", date, t);
        break;
    case WALK_RANGE:
        buf_printf(b, " ORDER BY %s.%s,%s%s.id", t, c, date, t);
        break;
    case WALK_NEWEST:
        buf_printf(b, " ORDER BY %s.%s DESC,%s.id DESC", t, c, t);
        break;
    case WALK_UNDATED:
        buf_printf(b, " ORDER BY %s.id DESC", t);
        break;
    case WALK_SORTED:
        break;
    }
}

static void put_walk(const struct index_query *q, const struct pass *p, struct buf *b) {
    const char *t = tables[q->top], *c = p->column;
    switch (p->walk) {
    case WALK_EQUAL:
        buf_printf(b, p->dated ? " WHERE %s.%s=?1" : " WHERE %s.%s=?1 AND %s.id>=?2", t, c, t);
        break;
    case WALK_RANGE:
    case WALK_NEWEST:
        buf_printf(b, " WHERE %s.%s>=?1 AND %s.%s<?2", t, c, t, c);
        break;
    case WALK_ALL:
        buf_printf(b, " WHERE %s.id>=?1", t);
        break;
    case WALK_UNDATED:
        buf_printf(b, " WHERE %s.%s IS NULL AND %s.id<=?1", t, c, t);
        break;
    case WALK_SORTED:
        buf_printf(b, " WHERE %s.id=?1", t);
        break;
    }
    if (q->date_besides && p->dated)
        buf_append_str(b, " AND study.StudyDate>=?4 AND study.StudyDate<?5");
    put_filter(q, p, b);
    put_order(q, p, b);
}

static enum err prepare(struct index_query *q, struct buf *take_sql, struct fault *f,
                        sqlite3_stmt **ret_statement) {
    buf_u8(take_sql, 0);
    statement_give_back(q->ix, *ret_statement);
    *ret_statement = NULL;
    int rc = buf_ok(take_sql) ? statement_prepare(q->ix, (const char *)take_sql->p, ret_statement)
                              : SQLITE_NOMEM;
    buf_fini(take_sql);
    return rc == SQLITE_OK ? OK : index_fail(q->ix, rc, "preparing a query", f);
}

enum err select_prepare_late(struct index_query *q, struct fault *f) {
    const char *table = tables[q->level];
    struct buf b = BUF_INIT(SQL_MAX);
    buf_append_str(&b, "SELECT ");
    for (int at = 0; at < q->late_count; at++)
        for (int i = 0; i < INDEX_ATTR_COUNT_; i++)
            if (q->late[i] == at) {
                buf_append_str(&b, at > 0 ? "," : "");
                put_computed(q, (enum index_attr)i, &b);
            }
    buf_printf(&b, " FROM %s WHERE %s.id=?1", table, table);
    return prepare(q, &b, f, &q->late_statement);
}

// A study, or all of a patient, with what the scopes' conditions ask for.
enum err select_prepare_scope(struct index_query *q, const char *where, struct fault *f,
                              sqlite3_stmt **ret_statement) {
    struct buf b = BUF_INIT(SQL_MAX);
    buf_append_str(&b, "SELECT id,series_count,instance_count");
    put_attributes(q, &q->scope_columns, 3, &b);
    buf_printf(&b, " FROM study WHERE %s", where);
    return prepare(q, &b, f, ret_statement);
}

enum err select_prepare(struct index_query *q, const struct pass *p, struct fault *f) {
    struct buf b = BUF_INIT(SQL_MAX);
    put_columns(q, p, &b);
    put_tables(q, &b);
    put_walk(q, p, &b);
    return prepare(q, &b, f, &q->statement);
}
