// A query, shared by the files that compile its conditions (match.c) and scopes (scope.c), choose the way
// into the tables (plan.c), leave rows out while walking (walk.c) and walk it (query.c).
//
// A query is a list of passes. A pass walks one index of one table (or the table itself), from low to high;
// SQLite only walks and joins, so that each of its steps costs little and a scan can be left at any row.
// Conditions are tested here, on each row, with base/glob.h: the same code as in the worker.
//
// Most rows of a pass may be left out by the value of the index alone, before SQLite looks for the row that
// it belongs to: that is walk.c, called by SQLite as a function in the pass's WHERE.
//
// When the rows of such a pass shall come sorted, it is walked twice: first only ids and dates are gathered,
// then sorted, then the rows are read in that order.
#ifndef INDEX_QUERY_INTERNAL_H
#define INDEX_QUERY_INTERNAL_H

#include "base/fuzzy.h"
#include "index/internal.h"

enum {
    QUERY_ARENA_MAX = 8 << 20,
    PASSES_MAX = QUERY_MAX_OPERANDS,
    NAME_PASSES_MAX = 256,   // of a list of names; a longer list is tested on every row
    ROWS_PER_STEP = 512,     // looked at before INDEX_AGAIN
    KEYS_PER_STEP = 8192,    // left out by their key alone, likewise
    WORK_PER_STEP = 4 << 20, // bytes of patterns times bytes of values, likewise
    GATHERED_MAX = 1 << 20,  // ids of a query; more are walked by date
    GATHERED_ALL_MAX_BYTES = 64 << 20, // of all queries
    FIXED_COLUMNS = 11,      // of the SELECT, before those of attributes
    TRY_ROWS = 4000,         // looked at by date before another way is taken
    DISTINCT_MAX = 2000,     // values of an index looked at, when each is one of many studies
    DISTINCT_PASSES_MAX = 256,
    QUICK_COUNT_MAX = 200000, // keys counted in one go
    ROUNDS_MAX = 8,
    ROUNDS_KEYS_MAX = 300000, // keys of all rounds
    FEW_ROWS = 2000,          // are read rather than counted in rounds
    SPELLING_RUNS_MAX = 4096,
};

struct condition {
    enum index_attr attr;
    enum query_kind kind;
    size_t count, pattern_bytes;
    struct slice *operands; // UID attributes: packed, or the number as text; lists: sorted, no doubles
    struct fuzzy_key *fuzzy; // of kind FUZZY, one an operand
    bool universal;         // FUZZY without a word in it
    bool is_common;         // many values have one of its prefixes
    int column;             // of the SELECT
    int time_column;        // of MOMENT attributes
};

struct conditions {
    struct condition *v;
    size_t n;
};

struct scope {
    struct conditions *clauses;
    size_t count;
};

// Which columns a SELECT has for which attributes.
struct columns {
    int at[INDEX_ATTR_COUNT_]; // matching form, then value; -1: not selected
    int count;
};

enum walk {
    WALK_EQUAL,     // column = low
    WALK_RANGE,     // low <= column < high
    WALK_ALL,       // the whole table
    WALK_NEWEST,    // low <= StudyDate < high, descending
    WALK_UNDATED,   // StudyDate IS NULL, later ones first
    WALK_SORTED,    // those gathered, in their order
};

struct pass {
    enum walk walk;
    const char *column; // without the table; NULL: none
    bool is_blob;
    unsigned group;     // of a name, 0 to 2
    bool to_end;        // no upper bound
    bool dated;         // in its index StudyDate comes next
    bool told;          // the condition is known to hold for all its values; told passes do not overlap
    struct slice low, high;
    const struct condition *filter; // tells by the column alone whether this condition holds; NULL: none
};

struct pass_list {
    struct pass *v;
    size_t count;
};

struct gathered {
    uint64_t date; // the first eight characters; 0: none
    int64_t id;
};

struct index_query {
    struct index *ix;
    struct index_query *next, *previous;
    struct arena arena;
    enum index_level level, top; // top: the table the passes walk
    enum index_order order;
    struct condition *conditions; // those of the spec; behind them, those that all scopes need
    size_t condition_count, pattern_bytes;
    const struct condition *the_study; // of those: the one Study Instance UID that is asked for
    uint16_t *returns;
    size_t return_count;
    uint64_t offset, limit;

    struct pass *passes;
    size_t pass_count, pass_now;
    int overlap_attr;     // what the passes are about if one row may be in several, else -1
    bool exact;           // whatever a pass does not leave out by its key is a row of the answer
    const struct condition *date_besides; // exact but for this one, which bounds the passes, too
    bool no_trying;       // it has been tried to find enough by date
    uint64_t dates_left;  // rows that may be looked at by date; 0: no limit
    uint64_t dates_seen;
    struct columns columns;

    int late[INDEX_ATTR_COUNT_]; // columns of the second SELECT, -1: not there
    int late_count;

    struct scope *scopes;
    size_t scope_count;
    struct columns scope_columns;
    bool scopes_in_row;       // what they ask for is among `columns`: no statement of their own
    bool scopes_are_conditions; // all of them are among `conditions` as well
    sqlite3_stmt *scope_statement, *patient_statement;
    int64_t scope_study;           // that was looked at last
    bool scope_holds;
    int64_t scope_patient, first_study; // likewise, and its first study in scope
    bool wants_sums;
    char sums[3][24];              // a patient's studies, series, instances in scope

    sqlite3_stmt *statement; // of pass `prepared`
    sqlite3_stmt *late_statement; // what is costly to compute, for rows that match only
    size_t prepared;
    bool planned;   // else names are to be read before
    bool running;   // the statement stands on a row
    bool has_place; // it stood on one when it was suspended
    bool has_row, done;
    bool counting;  // offset is infinite: all rows are skipped, and thereby counted
    int64_t place[5];      // ids of the current row: top table, series, instance, study, patient
    struct buf place_key;  // value of the pass's column there
    struct buf place_date; // StudyDate there, in passes that are dated
    struct index_ref ref;  // of the current row, at instance level
    uint64_t skipped, returned;
    uint64_t work;         // done by patterns in this step
    uint64_t keys;         // looked at in this step
    // After a change a statement begins anew, before its place: what is walked again is no part of a step's
    // measure, or a step might end before it got anywhere.
    uint64_t walked, again; // keys since the statement began; those before the place
    uint64_t behind;        // rows not beyond the place, in this step
    bool tired;            // walk.c let a row through only to end the step
    struct slice last_key; // in last_text: equal names stand together
    bool last_key_holds;
    char last_text[256];

    bool gathering;
    struct gathered *gathered;
    size_t gathered_count, gathered_cap, gathered_at;
    bool has_floor; // what was looked at by date is not looked at again: the last of that
    struct gathered floor;

    struct pass_list rounds[ROUNDS_MAX]; // see rounds.c
    size_t round_count, round_now;
    uint64_t *met_before, *met; // a bit a study: in all rounds before, in this one
    size_t met_words;

    char (*uid_texts)[UID_MAX + 1]; // for UIDs among the returns
};

// Columns of every SELECT before those of attributes.
enum {
    COL_TOP_ID, COL_KEY, COL_SERIES_ID, COL_INSTANCE_ID, COL_REF,
    COL_STUDY_ID = COL_REF + 4, COL_PATIENT_ID, COL_DATE,
};
_Static_assert(COL_DATE + 1 == FIXED_COLUMNS, "the last of them");
void read_place(const struct index_query *q, int64_t place[5]);

// match.c
enum err conditions_compile(struct index_query *q, const struct index_query_spec *spec, struct fault *f);
enum err conditions_of(struct index_query *q, enum index_level level, const struct query_condition *from,
                       size_t count, bool limited, struct condition *ret_conditions, struct fault *f);
bool conditions_hold(struct index_query *q, sqlite3_stmt *s, const struct condition *c, size_t count);
bool condition_matches(const struct condition *c, struct slice value); // value: matching form

// spellings.c: the names that a fuzzy key matches. Not *ret_known: the names are not read, or too many, or
// what matches is too scattered. The runs are valid until the next change or the next key.
struct spelling_run {
    struct slice first, last; // these, and all names between
};
void spellings_match(struct index *ix, const struct condition *c, const struct spelling_run **ret_runs,
                     size_t *ret_count, bool *ret_known);

// plan.c
enum err plan_make(struct index_query *q, struct fault *f);
bool plan_wants_names(const struct index_query *q); // to be read before it is made
enum err plan_by_date(struct index_query *q, struct fault *f); // instead of what was to be gathered
enum err plan_anew(struct index_query *q, struct fault *f);    // instead of going on by date
void plan_bind_dates(struct index_query *q, sqlite3_stmt *s);  // parameters 4 and 5 of date_besides
// How many keys the passes walk over, or (`rows`) let through; more than `most` when it is more or not known.
enum err plan_probe(struct index_query *q, uint64_t most, bool rows, struct fault *f, uint64_t *ret_count);
// The passes of one condition alone, over studies. *ret_told: the indexes tell; else there is no such way.
enum err plan_passes_of(struct index_query *q, const struct condition *c, struct fault *f, bool *ret_told);
bool pass_covers(const struct pass *p, struct slice value); // would this pass have walked over it?

// select.c
void condition_columns(struct columns *columns, struct condition *c);
enum err select_columns(struct index_query *q, const struct index_query_spec *spec, struct fault *f);
enum err select_prepare(struct index_query *q, const struct pass *p, struct fault *f);
enum err select_prepare_late(struct index_query *q, struct fault *f);
enum err select_prepare_scope(struct index_query *q, const char *where, struct fault *f,
                              sqlite3_stmt **ret_statement);

// scope.c: is a study seen?
enum err scopes_compile(struct index_query *q, const struct index_query_spec *spec, struct fault *f);
enum err scope_admits(struct index_query *q, int64_t study, int64_t patient, struct fault *f,
                      bool *ret_admits);
enum err scope_sums(struct index_query *q, int64_t patient,
                    struct fault *f);     // counts what is seen of a patient
void scope_forget(struct index_query *q); // what is remembered of rows that may change
void scope_columns_choose(struct index_query *q); // once it is known what is returned
bool at_patient_in_scope(const struct index_query *q); // patients, made of the studies that are seen

// rounds.c
enum err rounds_try(struct index_query *q, struct fault *f); // instead of the passes of one condition
void rounds_note(struct index_query *q, int64_t study);
void rounds_next(struct index_query *q); // the passes are over
void rounds_free(struct index_query *q);

// walk.c
void walk_begin(struct index_query *q); // a new step
bool place_is_behind(struct index_query *q, sqlite3_stmt *s); // the row it stands on
void place_take(struct index_query *q);  // the row that the statement stands on becomes the place
void gather_floor(struct index_query *q); // the place becomes the floor
void place_at_floor(struct index_query *q);
enum err gather_row(struct index_query *q, struct fault *f, bool *ret_too_many);
void gather_sort(struct index_query *q); // gathered_at is then behind the floor
void gather_free(struct index_query *q);

struct slice slice_concat(struct arena *a, struct slice x, struct slice y); // p NULL: no memory

#endif
