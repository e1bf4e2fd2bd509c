// The query of a QIDO-RS URL (PS3.18 8.3.4) as a question to the index: the same keys as a C-FIND
// identifier, under the policy of the web (8.3.4.1.1).
#ifndef WEB_QIDO_QUERY_H
#define WEB_QIDO_QUERY_H

#include "web.h"
#include "worker/find.h"

enum { QIDO_DEPTH_MAX = 4 };

struct qido_query {
    struct identifier id;
    struct find_options options;
    uint64_t limit, offset;
    bool limited; // a limit was given; 0 is one, too
    bool all;   // includefield=all
    bool count; // the answer says how many match altogether
};

// Level and the UIDs of the path, then what the query string says. ERR_SYNTAX, ERR_UNSUPPORTED: what is
// wrong with it, in words for its author. identifier_free(&q->id) in any case.
enum err qido_query_parse(struct request *rq, enum query_level level, struct qido_query *ret_query,
                          struct fault *f);

#endif
