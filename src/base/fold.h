// The form of text in which names of persons are compared, by whoever compares them: the worker, which parses
// objects and queries, and the archive, which has names in its settings. No DICOM is parsed here.
//
// Folding is Galena's documented rule for matching names, where the standard leaves it to the archive
// (PS3.4 C.2.2.2.1, C.2.2.2.4). It makes equal:
//   - upper and lower case (full case folding: ß = ss, final sigma = sigma);
//   - letters with and without diacritics: ä = a, é = e, ø = o, ł = l, æ = ae, ё = е (but й stays a
//     letter of its own, and Müller is not Mueller); Hebrew and Arabic vowel signs don't count;
//   - full width and half width, hiragana and katakana (with their voicing marks: が is not か);
//   - compatibility forms of ideographs (the two code points for 金 in Korean sets), and Hangul
//     composed or not.
// It keeps vowels and tone marks of Thai and the Indic scripts. The table is spec/fold.tsv.
#ifndef BASE_FOLD_H
#define BASE_FOLD_H

#include "base/buf.h"
#include "base/slice.h"

enum {
    FOLD_GROWTH_MAX = 4,  // bytes of folded text for one
    FOLD_NAME_GROUPS = 3, // alphabetic, ideographic, phonetic; what is behind them is left out
};

// Appends text folded, without looking for components.
void fold_text(struct slice utf8, struct buf *out);
// Appends one name (PS3.5 6.2.1: groups separated by '=', components by '^') folded and tidied: blanks round
// components, trailing empty components and groups dropped. '*' and '?' pass through.
void fold_name(struct slice utf8, struct buf *out);

#endif
