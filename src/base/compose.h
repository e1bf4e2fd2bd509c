// Text in its composed form: Unicode Normalization Form C (UAX 15). The same letters may be written composed,
// as nearly everybody does (ä), or as a letter and marks, as some keyboards and file systems do (a and a
// diaeresis); compared byte by byte they would differ. What is compared is brought into this form; what is
// stored and handed out is not.
//
// Names have more in common than that when they are compared: base/fold.h. The table is spec/compose.tsv.
#ifndef BASE_COMPOSE_H
#define BASE_COMPOSE_H

#include "base/buf.h"
#include "base/slice.h"

enum {
    COMPOSE_GROWTH_MAX = 3, // bytes of composed text for one
    COMPOSE_RUN_MAX = 64,   // marks on one letter beyond these stay in the order they come in
};

// Appends text composed. Bytes that are not UTF-8 become U+FFFD.
void compose_text(struct slice utf8, struct buf *out);

// The character that is canonically these two, one after the other; 0: there is none.
uint32_t compose_two(uint32_t first, uint32_t second);

#endif
