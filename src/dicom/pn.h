// Person names (PN, PS3.5 6.2.1) and the form of text in which names are compared.
//
// A value is up to three groups (alphabetic, ideographic, phonetic) separated by '=', each up to
// five components (family, given, middle, prefix, suffix) separated by '^'.
//
// The form in which names are compared is base/fold.h's, where the archive finds it, too.
#ifndef DICOM_PN_H
#define DICOM_PN_H

#include "base/buf.h"
#include "base/fold.h"
#include "base/slice.h"

enum {
    DICOM_PN_GROUPS = 3,
    DICOM_PN_COMPONENTS = 5,
    DICOM_FOLD_MAX_GROWTH = FOLD_GROWTH_MAX, // bytes of folded text for one
};

// One name, split; slices borrow from it. What is missing is empty. Blanks round components are dropped.
struct dicom_pn {
    struct slice group[DICOM_PN_GROUPS]; // without trailing '^' and blanks
    struct slice part[DICOM_PN_GROUPS][DICOM_PN_COMPONENTS];
    // more groups or components than the standard knows: they are in no group or in the last part
    bool excess;
};

void dicom_pn_split(struct slice utf8, struct dicom_pn *ret_pn);

// Appends one name tidied but not folded: blanks round components, trailing empty components and
// groups dropped.
void dicom_pn_normalise(struct slice utf8, struct buf *out);

// Appends one name tidied and folded: what the index keeps and what operands are compared with
// (glob_match_name). '*' and '?' pass through, so that it serves for keys as well.
void dicom_pn_fold(struct slice utf8, struct buf *out);

// Folding alone, of any text, without looking for components.
void dicom_text_fold(struct slice utf8, struct buf *out);

#endif
