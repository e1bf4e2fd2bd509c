// Statements of queries that are over, kept for the next one with the same text: preparing one costs more
// than most queries do.
#include "index/internal.h"

int statement_prepare(struct index *ix, const char *sql, sqlite3_stmt **ret_statement) {
    for (size_t i = 0; i < ix->reusable_count; i++) {
        sqlite3_stmt *s = ix->reusable[i];
        if (strcmp(sqlite3_sql(s), sql) != 0)
            continue;
        ix->reusable_count--;
        memmove(&ix->reusable[i], &ix->reusable[i + 1], (ix->reusable_count - i) * sizeof s);
        *ret_statement = s;
        return SQLITE_OK;
    }
    return sqlite3_prepare_v3(ix->db, sql, -1, SQLITE_PREPARE_PERSISTENT, ret_statement, NULL);
}

// The oldest are at the beginning.
void statement_give_back(struct index *ix, sqlite3_stmt *take_statement) {
    if (!take_statement)
        return;
    sqlite3_reset(take_statement);
    sqlite3_clear_bindings(take_statement);
    if (ix->reusable_count == STATEMENTS_REUSABLE) {
        sqlite3_finalize(ix->reusable[0]);
        ix->reusable_count--;
        memmove(&ix->reusable[0], &ix->reusable[1], ix->reusable_count * sizeof take_statement);
    }
    ix->reusable[ix->reusable_count++] = take_statement;
}

void statements_finalize(struct index *ix) {
    while (ix->reusable_count > 0)
        sqlite3_finalize(ix->reusable[--ix->reusable_count]);
}
