// A query, shared by the files that compile its conditions (match.c), choose the way into the tables
// (plan.c) and walk it (query.c).
//
// A query is a list of passes. A pass walks one index of one table (or the table itself), from low to high;
// SQLite only walks and joins, so that each of its steps costs little and a scan can be left at any row.
// Conditions are tested here, on each row, with base/glob.h: the same code as in the worker.
#ifndef INDEX_QUERY_INTERNAL_H
#define INDEX_QUERY_INTERNAL_H

#include "index/internal.h"

enum {
    QUERY_ARENA_MAX = 8 << 20,
    PASSES_MAX = QUERY_MAX_OPERANDS,
    NAME_PASSES_MAX = 256,   // of a list of names; a longer list is tested on every row
    ROWS_PER_STEP = 512,     // looked at before INDEX_AGAIN
    WORK_PER_STEP = 4 << 20, // bytes of patterns times bytes of values, likewise
    FIXED_COLUMNS = 8,       // of the SELECT, before those of attributes
};

struct condition {
    enum index_attr attr;
    enum query_kind kind;
    size_t count, pattern_bytes;
    struct slice *operands; // UID attributes: packed, or the number as text; lists: sorted, no doubles
    int column;             // of the SELECT
    int time_column;        // of MOMENT attributes
};

enum walk {
    WALK_EQUAL,     // column = low
    WALK_RANGE,     // low <= column < high
    WALK_ALL,       // the whole table
    WALK_NEWEST,    // low <= StudyDate < high, descending
    WALK_UNDATED,   // StudyDate IS NULL, later ones first
    WALK_EQUAL_NEWEST, // column = low, sorted
};

struct pass {
    enum walk walk;
    const char *column; // without the table; NULL: none
    bool is_blob;
    unsigned group;     // of a name, 0 to 2
    bool to_end;        // no upper bound
    struct slice low, high;
};

struct index_query {
    struct index *ix;
    struct index_query *next, *previous;
    struct arena arena;
    enum index_level level, top; // top: the table the passes walk
    enum index_order order;
    struct condition *conditions;
    size_t condition_count, pattern_bytes;
    uint16_t *returns;
    size_t return_count;
    uint64_t offset, limit;

    struct pass *passes;
    size_t pass_count, pass_now;
    int overlap_attr;     // what the passes are about if one row may be in several, else -1
    bool joins[INDEX_LEVEL_COUNT_];
    int columns[INDEX_ATTR_COUNT_]; // matching form, then value; -1: not selected
    int column_count;

    int late[INDEX_ATTR_COUNT_]; // columns of the second SELECT, -1: not there
    int late_count;

    sqlite3_stmt *statement; // of pass `prepared`
    sqlite3_stmt *late_statement; // what is costly to compute, for rows that match only
    size_t prepared;
    bool running;   // the statement stands on a row
    bool has_place; // it stood on one when it was suspended
    bool has_row, done;
    int64_t place[3];      // ids of the current row: top table, series, instance
    struct buf place_key;  // value of the pass's column there
    uint64_t pass_rows;    // walked in this pass
    struct index_ref ref;  // of the current row, at instance level
    uint64_t skipped, returned;
    uint64_t work;         // done by patterns in this step
    char (*uid_texts)[65]; // for UIDs among the returns
};

// match.c
enum err conditions_compile(struct index_query *q, const struct index_query_spec *spec, struct fault *f);
bool conditions_hold(struct index_query *q);
bool condition_matches(const struct condition *c, struct slice value); // value: matching form

// plan.c
enum err plan_make(struct index_query *q, struct fault *f);
bool pass_covers(const struct pass *p, struct slice value); // would this pass have walked over it?

// select.c
enum err select_columns(struct index_query *q, const struct index_query_spec *spec, struct fault *f);
enum err select_prepare(struct index_query *q, const struct pass *p, struct fault *f);
enum err select_prepare_late(struct index_query *q, struct fault *f);

struct slice slice_concat(struct arena *a, struct slice x, struct slice y); // p NULL: no memory

#endif
