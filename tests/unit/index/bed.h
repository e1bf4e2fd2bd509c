// What the index's tests share: a folder of their own, objects made in a line, queries run to their end.
#ifndef TEST_INDEX_BED_H
#define TEST_INDEX_BED_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "index/internal.h"

extern const uint8_t bed_key[INDEX_KEY_BYTES];

// A new folder; removed with all in it by bed_clean().
const char *bed_folder(void);
void bed_clean(const char *dir);
void bed_path(const char *dir, const char *name, char path[256]);

struct index *bed_open(const char *dir);

// An object in the making. UIDs are 1.2.<study>, 1.2.<study>.<series>, 1.2.<study>.<series>.<sop>.
struct bed_object {
    char study[65], series[65], sop[65];
    struct buf attributes;
    struct index_object o;
};
void bed_object_init(struct bed_object *b, int study, int series, int sop);
// In ascending order of attributes. NULL matching: the same as the value.
void bed_put(struct bed_object *b, enum index_attr attr, const char *value, const char *matching);
enum index_outcome bed_add(struct index *ix, struct bed_object *b); // asserts OK; frees the attributes
enum err bed_try_add(struct index *ix, struct bed_object *b, enum index_outcome *ret_outcome);

// Runs a query with one condition (kind < 0: none) and one returned attribute; values joined with '|'.
const char *bed_find(struct index *ix, enum index_level level, enum index_attr returned, enum index_attr attr,
                     int kind, const char *first, const char *second);

void bed_commit(struct index *ix);
struct index_info bed_status(struct index *ix);

#endif
