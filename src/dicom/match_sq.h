// Sequence matching (PS3.4 C.2.2.2.6): a key that is a sequence has one item, whose attributes are keys in
// turn. It matches when one item of the stored sequence matches all of them; an answer then has the items
// that match.
//
// A key without items, with an empty item, or with universal keys only matches everything, an absent
// sequence included.
#ifndef DICOM_MATCH_SQ_H
#define DICOM_MATCH_SQ_H

#include "dicom/dataset.h"
#include "dicom/match.h"

enum { DICOM_MATCH_SQ_MAX_KEYS = 4096 }; // in one sequence, nested ones included

struct dicom_match_sq;

// Parses a key; it lives in the arena and borrows nothing from `key`. ERR_SYNTAX: more than one item;
// ERR_LIMIT; or as dicom_match_parse(). Nested keys may be of any VR; those that can't be matched must
// be empty.
enum err dicom_match_sq_parse(const struct dicom_element *key, const struct dicom_charset *cs,
                              const struct dicom_match_policy *policy, struct arena *a, struct fault *f,
                              struct dicom_match_sq **ret_sq);

bool dicom_match_sq_is_universal(const struct dicom_match_sq *sq);

// Does one of the items match? stored NULL: absent. cs is that of the data set round it; an item with a
// Specific Character Set of its own is read in that.
bool dicom_match_sq(const struct dicom_match_sq *sq, const struct dicom_element *stored,
                    const struct dicom_charset *cs, int zone_min);
// Does this one?
bool dicom_match_sq_item(const struct dicom_match_sq *sq, const struct dicom_dataset *item,
                         const struct dicom_charset *cs, int zone_min);

#endif
