// The DICOM JSON model (PS3.18 Annex F) in: one data set, or an array of them, as STOW-RS receives them.
//
// Strict, so that nothing is stored that was not meant: attributes are keyed by 8 hexadecimal digits (not by
// keyword), each has a "vr", and at most one of Value, InlineBinary and BulkDataURI; every other key is an
// error, and so is one that comes twice. Numbers keep their text (a DS of JSON is what was written; more than
// 16 characters are rounded, PS3.5 Table 6.2-1). IS, DS, SV, UV may be strings (F.2.3), FL and FD the
// strings NaN, inf, -inf. Nothing recurses; nesting is limited to DICOM_DEPTH_MAX sequences.
//
// Errors say where, "00400275/1/00100010: …", and never a value.
#ifndef DICOM_JSON_READ_H
#define DICOM_JSON_READ_H

#include "base/json.h"
#include "dicom/model.h"

enum { DICOM_JSON_TOKENS_MAX = 4 << 20 };

struct dicom_json_reader {
    struct json json;
    size_t next, end; // of the data sets, in tokens
    size_t number;    // of the data set read last, from 1
};

// Takes a text, which must live as long. ERR_SYNTAX: no JSON, or no data set; ERR_LIMIT; ERR_DEPTH.
enum err dicom_json_reader_init(struct dicom_json_reader *r, struct slice text, struct fault *f);
void dicom_json_reader_fini(struct dicom_json_reader *r);
size_t dicom_json_reader_count(const struct dicom_json_reader *r);
bool dicom_json_reader_more(const struct dicom_json_reader *r); // there is a next data set
// The next data set, everything copied into the arena. ERR_LIMIT: it is full. The data set with an error is
// passed over, and the next call takes the one after it.
enum err dicom_json_read(struct dicom_json_reader *r, struct arena *a, struct fault *f,
                         struct dicom_model *ret_model);

#endif
