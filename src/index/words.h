// The different words of many names, each kept once, and which name has which: a fuzzy key is compared with
// each word once. Owned by spellings.c; the names' texts must live as long.
#ifndef INDEX_WORDS_H
#define INDEX_WORDS_H

#include "base/slice.h"

enum { WORDS_MAX = 1 << 21 }; // of all names, those that come again counted again

struct word {
    struct slice text;
    uint32_t matched; // for who compares them: fuzzy_match_word()
};

struct words {
    struct word *v;
    uint32_t count, cap;
    uint32_t *numbers; // of the words of the names, name after name
    uint32_t number_count, number_cap;
    uint32_t *slots; // by hash: a word's number + 1; 0: free
    uint32_t slot_count; // a power of two
};

// The words of a folded name. False: no memory, or too many.
bool words_add_name(struct words *w, struct slice name, uint32_t *ret_at, uint32_t *ret_count);
void words_fini(struct words *w);

#endif
