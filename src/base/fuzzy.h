// Fuzzy matching of person names (PS3.18 8.3.4.2 leaves the rule to the archive). Both sides are folded as
// base/fold.h says (case, accents), so that the index can compare without a DICOM parser.
//
// Key and name are cut into words at everything that is no letter ('^', '=', blanks, hyphens, dots, commas);
// an apostrophe is left out (O'Brien = OBrien). Every word of the key must match some word of the name, in
// any component of any group. A word matches when
//   - it is the beginning of the other (Schmi … Schmidt), where ae, oe and ue count as a, o and u
//     (Mueller = Müller = Muller);
//   - or both sound alike: the code of fuzzy.c, for words of three Latin letters or more (Meyer = Maier,
//     Schmidt = Smith, Stephen = Steven);
//   - or one slip lies between them: a letter too many, too few, wrong, or two exchanged, for words of five
//     letters or more (Damerau's distance is 1 at most).
// A word of the key with '*' or '?' is a pattern for a whole word of the name. With '*' at its ends only it
// is fuzzy as well: programs put them round what somebody typed. In names they are no letters either.
//
// A key is compiled once; comparing allocates nothing and costs some hundred nanoseconds.
#ifndef BASE_FUZZY_H
#define BASE_FUZZY_H

#include "base/slice.h"

enum {
    FUZZY_WORDS_MAX = 16,   // of a key: what comes after is not looked at
    FUZZY_LETTERS_MAX = 32, // of a word: what comes after is not looked at
    FUZZY_PATTERN_MAX_BYTES = 64, // likewise, of a pattern and of a word that is compared with one
};

// One word. Private to fuzzy.c.
struct fuzzy_word {
    uint32_t letter[FUZZY_LETTERS_MAX]; // code points
    uint8_t letters;
    bool latin;                       // a to z only
    uint8_t code_bytes;               // 0: none
    char code[FUZZY_LETTERS_MAX * 2]; // how it sounds
};

struct fuzzy_key {
    size_t count;
    struct {
        struct slice pattern; // empty: there is none
        bool is_fuzzy;        // `word` counts, too
        struct fuzzy_word word;
    } part[FUZZY_WORDS_MAX];
};

// Compiles a folded key, which must live as long as the result. False: there is no word in it (it is empty,
// or "*"), and it matches every name.
bool fuzzy_key_init(struct fuzzy_key *k, struct slice folded_key);
// A name without words matches only a key without words.
bool fuzzy_match(const struct fuzzy_key *k, struct slice folded_name);

// The same word by word, for who keeps the words of many names: a name matches when its words together set
// all bits of fuzzy_words_of_key().
uint32_t fuzzy_words_of_key(const struct fuzzy_key *k);
struct slice fuzzy_next_word(struct slice *rest_of_name); // empty when there is none
uint32_t fuzzy_match_word(const struct fuzzy_key *k, struct slice word);

#endif
