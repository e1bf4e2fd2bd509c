// A query between what is asked and the answers: which keys go to the index as conditions, which are
// matched here on an object's summary, and where each value of an answer comes from.
#ifndef WORKER_FIND_H
#define WORKER_FIND_H

#include "dicom/match.h"
#include "dicom/match_sq.h"
#include "dicom/dataset.h"
#include "ipc/query.h"
#include "std/index_attr.h"

enum { FIND_KEYS_MAX = 1024 };

// What is asked: a level and keys, wherever they came from (a C-FIND identifier, the query of a URL).
struct identifier {
    struct arena arena;
    struct dicom_dataset *keys;
    struct dicom_charset charset; // the requestor's
    enum query_root root;
    enum query_level level;
    enum dicom_syntax syntax; // of the identifier and of answers to it (C-FIND)
};
void identifier_free(struct identifier *id);

// What was negotiated (PS3.4 C.5.1.1); QIDO-RS has all but the first two without asking (PS3.18 8.3.4.1.1).
struct find_options {
    bool empty_value, multiple_value;
    bool datetime; // combined matching
    bool fuzzy;    // names by their words and sound (base/fuzzy.h)
};

struct find_key {
    const struct dicom_element *asked;
    enum vr vr;
    int slot;  // place among the values the index returns; -1: from the summary
    bool here; // to be matched here, on the summary or on `own`
    const char *own; // what the archive says itself, whatever an object says; NULL: not of this key
    struct dicom_match match;
    struct dicom_match_sq *sq; // of a key that is a sequence; NULL: matches all, or done by the index
};

struct find_plan {
    struct identifier *id;
    struct find_key *keys;
    size_t count;
    uint16_t returns[INDEX_ATTR_COUNT_];
    size_t return_count;
    struct buf conditions;
    bool fuzzy;
    bool summaries;   // an answer needs the object's summary
    bool unsupported; // a key was left out: answers are FF01 (PS3.4 C.4.1.1.4)
    struct dicom_match_policy policy;
    bool combined[INDEX_ATTR_COUNT_]; // dates and times that are matched together, as a moment
    // RequestAttributesSequence is built from the index; the slots of its two attributes, or -1
    int step_slot, procedure_slot;
    struct arena row;             // of the answer being made
    struct dicom_dataset *object; // the summary that the last answer was made with; NULL: none
};

enum err find_plan_make(struct find_plan *p, struct identifier *id, const struct find_options *options,
                        struct fault *f);
void find_plan_free(struct find_plan *p);

// One row to one answer: false when a key matched here says no. `values` as returned by the index. The
// answer has the keys that were asked for, empty if unknown (PS3.4 C.4.1.1.3.2), in the requestor's
// character set if that can say it, else in ISO_IR 192: *ret_charset, which is not put into it. It lives
// until the next one is made.
enum err find_answer(struct find_plan *p, const struct slice *values, struct slice summary, bool *ret_matches,
                     struct dicom_dataset **ret_answer, struct dicom_charset *ret_charset, struct fault *f);

#endif
