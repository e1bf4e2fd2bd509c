// Matching a key attribute of a query with a stored value: PS3.4 C.2.2.2, for C-FIND and for
// QIDO-RS (PS3.18 8.3.4.1), which differ in policy only.
//
// A key is parsed once, to a kind and normalised operands in UTF-8; these travel to the archive as they
// are (ipc/query.h), whose index keeps values normalised by dicom_match_normalise(). Operands and
// normalised values are compared by base/glob.h on either side.
//
// What the standard leaves open, and what Galena does:
//   - PN: compared folded (base/fold.h), so neither case nor diacritics matter; without wildcards the whole
//     name must be equal, trailing empty components ignored; a key of one group matches any group of the name
//     (山田* finds Yamada^Tarou=山田^太郎), a key with '=' group by group.
//   - Other text: case-sensitive, blanks that the VR calls insignificant ignored; composed or not is the same
//     (base/compose.h).
//   - IS, DS and binary numbers: compared as numbers (1.50 = 1.5).
//   - TM, DT: a value is the span its precision names: "10" matches 10:00 up to 10:59:59.999999; a stored
//     value is the start of its span.
//   - Several values in a key where multiple value matching was not negotiated: any of them may match.
//   - A stored element with several values matches when one of them does (PS3.4 C.2.2.3).
//   - A range with its ends exchanged matches nothing.
//   - A time zone in the query (0008,0201) moves its times to the site's, and a range that then crosses
//     midnight becomes two; dates without times stay (a day has no moment). Stored DA and TM are taken
//     to be in the site's zone.
// Wildcards where the VR has none (UI, DA, IS …) are refused: such a key can't mean anything.
//
// Sequence matching is in dicom/match_sq.h.
#ifndef DICOM_MATCH_H
#define DICOM_MATCH_H

#include "base/arena.h"
#include "base/err.h"
#include "dicom/charset.h"
#include "dicom/datetime.h"

enum {
    DICOM_MATCH_MAX_KEY_BYTES = 1 << 20, // of a key as received: long lists of UIDs
    DICOM_MATCH_MAX_OPERANDS = 16384,
    DICOM_MATCH_MAX_OPERAND_BYTES = 4096, // of one operand; a UID: 64
};

enum dicom_match_kind {
    DICOM_MATCH_UNIVERSAL, // no operand; matches everything, also what has no value
    DICOM_MATCH_SINGLE,    // 1 operand: equal (PN: by groups)
    DICOM_MATCH_LIST,      // n operands: equal to one of them
    DICOM_MATCH_ALL,       // n operands: each equal to one of the stored values
    DICOM_MATCH_WILDCARD,  // n operands, any with * and ?: one of them matches
    DICOM_MATCH_RANGE,     // 2n operands: low, high, inclusive, "" is open; in one of the ranges
    DICOM_MATCH_EMPTY,     // no operand: no value, or absent
};

struct dicom_match {
    uint32_t tag;
    enum vr vr;
    enum dicom_match_kind kind;
    size_t count;
    const struct slice *operands; // normalised UTF-8, in the arena of the parser
};

// What was negotiated (PS3.4 C.5.1.1), or what QIDO-RS takes for granted.
struct dicom_match_policy {
    bool empty_value;     // "" matches what is empty
    bool multiple_values; // A\B matches what has both
    int zone_min;         // (0008,0201) of the query, or DICOM_ZONE_UNKNOWN: dates and times stay as they are
    int site_zone_min;    // offset of stored values that don't say, or DICOM_ZONE_UNKNOWN: as the query's
};
#define DICOM_MATCH_POLICY_PLAIN                                                                             \
    ((struct dicom_match_policy){false, false, DICOM_ZONE_UNKNOWN, DICOM_ZONE_UNKNOWN})

// Parses a key. `raw` is the element's value as received: text in the set cs, numbers little endian.
// ERR_SYNTAX: not a value nor a pattern of this VR; ERR_UID; ERR_LIMIT; ERR_NO_MEMORY: the arena is full;
// ERR_UNSUPPORTED: a VR that can't be matched (SQ, OB, UN …) with a value.
enum err dicom_match_parse(struct dicom_match *ret_match, uint32_t tag, enum vr vr, struct slice raw,
                           const struct dicom_charset *cs, const struct dicom_match_policy *policy,
                           struct arena *a, struct fault *f);

// Does this stored element match? `value`: text as UTF-8 (all values, separated by '\'), numbers raw,
// little endian; empty for an absent element. zone_min: (0008,0201) of the stored object, or
// DICOM_ZONE_UNKNOWN (only DT looks at it).
bool dicom_match_value(const struct dicom_match *m, struct slice value, int zone_min);

// The same for one value that is normalised already, as the index has it.
bool dicom_match_normal(const struct dicom_match *m, struct slice normal);

// Appends the normalised form of the values of a stored element (as in dicom_match_value), separated by
// '\\'. False when one is not valid (a date that is none, a number that is none): it is empty in the
// result, and neither in a range nor equal to anything.
bool dicom_match_normalise(enum vr vr, struct slice value, int zone_min, struct buf *out);

// Combined date and time matching (PS3.4 C.2.2.2.5, negotiated; always in QIDO-RS): when both keys, raw as
// received, are ranges of the same form, the pair is matched as one moment. False: they are not; match
// each by itself. ret_match gets kind RANGE, VR DT and tag 0; what it is compared with is the normalised
// date followed by the normalised time (dicom_match_normal).
bool dicom_match_combine(struct slice date_key, struct slice time_key,
                         const struct dicom_match_policy *policy, struct arena *a,
                         struct dicom_match *ret_match);

const char *dicom_match_kind_name(enum dicom_match_kind kind);

#endif
