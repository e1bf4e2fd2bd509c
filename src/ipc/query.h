// The conditions of a query as they travel from worker to archive in the auxiliary area.
//
// The worker has parsed the identifier (PS3.4 C.2.2.2), decoded and normalised its values; the
// archive sees attribute numbers (std/index_attr.h), a kind of matching and UTF-8 operands, and
// checks them all again. Encoded: u16 attribute, u8 kind, u16 count, then for each operand u32
// length and bytes; condition after condition.
#ifndef IPC_QUERY_H
#define IPC_QUERY_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"

enum {
    QUERY_MAX_CONDITIONS = 128,
    QUERY_MAX_OPERANDS = 16384, // of all conditions: a UID list may be long
    QUERY_MAX_OPERAND_BYTES = 4096,
    QUERY_MAX_BYTES = 768 * 1024, // of all, encoded
};

enum query_root { QUERY_ROOT_PATIENT, QUERY_ROOT_STUDY };
enum query_level { QUERY_LEVEL_PATIENT, QUERY_LEVEL_STUDY, QUERY_LEVEL_SERIES, QUERY_LEVEL_IMAGE };

enum query_kind {
    QUERY_SINGLE,   // one operand, equal
    QUERY_LIST,     // equal to one of the operands
    QUERY_WILDCARD, // operands with * and ?, one of which must match
    QUERY_RANGE,    // pairs of operands, inclusive, of which one must hold; an empty operand is open
    QUERY_EMPTY,    // no operand: the stored value is empty
    QUERY_FUZZY,    // names only: one operand, folded, as base/fuzzy.h compares
    QUERY_KIND_COUNT_,
};

enum query_flag {
    QUERY_FLAG_SUMMARY = 1, // hand over a representative object's summary with each row
    // The summaries of the second batch of rows, and of every other from then on, lie in the body area, so
    // that the worker can ask for a batch before it has done with the last.
    QUERY_FLAG_BY_TURNS = 2,
};

struct query_condition {
    uint16_t attribute;
    uint8_t kind; // enum query_kind
    uint16_t count;
    const struct slice *operands;
};

void query_put(struct buf *b, const struct query_condition *c);

// Decodes all conditions; the array, the operand arrays and copies of their bytes live in `a`.
// ERR_PROTOCOL on anything that breaks the rules above, ERR_NO_MEMORY when the arena is full.
enum err query_get_all(struct slice bytes, struct arena *a, struct query_condition **ret_conditions,
                       size_t *ret_count, struct fault *f);

#endif
