// The tables of the index and how one version of them becomes the next.
//
// A column has the name of its attribute (std/index_attr.h) and holds its matching form; the column with
// '_' at the end holds the value where that differs, or NULL. An empty attribute is NULL in both.
// UIDs of study, series and SOP instance are packed (uid_pack.h); SOP class and transfer syntax are
// numbers of the table uid.
#ifndef INDEX_SCHEMA_H
#define INDEX_SCHEMA_H

#include "base/err.h"

#include <sqlite3.h>
#include <stdbool.h>
#include <stddef.h>

// Step i brings version i to version i + 1. Steps are forever: change the schema by appending one.
extern const char *const schema_steps[];
extern const size_t schema_version;

int schema_get_version(sqlite3 *db, int *ret_version); // 0: an empty database. SQLite's code

// Runs the steps that are missing, in one transaction, or none at all if one fails. With `dry_run` it is
// rolled back. ERR_UNSUPPORTED: the database is newer than `count`.
enum err schema_migrate(sqlite3 *db, const char *const *steps, size_t count, bool dry_run, struct fault *f,
                        int *ret_from);

// What a result code of SQLite means.
enum err schema_error(int rc);
// The same as a fault. The detail has the code only: SQLite's text could hold values.
enum err schema_fault(struct fault *f, int rc, const char *what);

#endif
