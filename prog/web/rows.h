// The rows of a query of the archive, one after the other, with their summaries.
#ifndef WEB_ROWS_H
#define WEB_ROWS_H

#include "base/rd.h"
#include "web.h"
#include "worker/find.h"

struct rows {
    struct channel *archive;
    size_t return_count;
    bool summaries;
    // of the batch at hand
    struct rd rd;
    unsigned left;
    size_t summary_at;
    bool in_body; // this batch's summaries are in the body area
    bool done, open;
    bool asked; // for the next batch: the archive prepares it while this one is worked on
    // the row
    struct slice values[INDEX_ATTR_COUNT_];
    struct slice summary;
};

struct rows_question {
    enum query_level level;
    struct slice conditions; // ipc/query.h
    const uint16_t *returns; // enum index_attr
    size_t return_count;
    bool summaries;
    uint64_t offset, limit;
    uint8_t order;
};

enum err rows_open(struct rows *r, struct channel *archive, const struct rows_question *q, struct fault *f);
// The next row; false: there are no more, or the archive could not go on (f).
bool rows_next(struct rows *r, struct fault *f);
void rows_close(struct rows *r);
// How many rows there would be.
enum err rows_count(struct channel *archive, enum query_level level, struct slice conditions,
                    uint64_t *ret_count, struct fault *f);

#endif
