// An object's attributes taken apart (the encoding is in std/index_attr.h) and bound to columns.
#ifndef INDEX_ATTRIBUTES_H
#define INDEX_ATTRIBUTES_H

#include "index/internal.h"

struct attributes {
    struct slice value[INDEX_ATTR_COUNT_], matching[INDEX_ATTR_COUNT_]; // borrowed; empty: none
    uint64_t present;
    size_t composed_n;
    uint8_t composed[2048]; // matching forms that were made here: it must not be moved
};

// Text that came without a matching form is compared composed (base/compose.h): records of older programs do
// not say so. What does not fit is compared as it is.
// ERR_SYNTAX: not in order, cut short, empty, too long, no UTF-8, or not to be given with an object.
// Numbers beyond the table are skipped: a newer program wrote them.
enum err attributes_parse(struct slice bytes, struct attributes *ret_attributes, struct fault *f);

// Binds all columns of a level from parameter `at` on, in the order of the generated INSERTs.
void attributes_bind(const struct attributes *a, enum index_level level, sqlite3_stmt *s, int at);

// Binds value and matching form of one attribute to the two parameters at `at`.
void attribute_bind(const struct attributes *a, enum index_attr attr, sqlite3_stmt *s, int at);

// Group 1 or 2 (from 0) of a folded name, empty if it has none.
struct slice name_group(struct slice folded, unsigned group);

#endif
