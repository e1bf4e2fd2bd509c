// What somebody may see of the archive: a list of scopes, of which all must hold (index/index.h). Made by
// rights.c from collections and roles; put into every query, count, retrieval and deletion of a session.
//
// Counted, because what is remembered of a credential and the sessions that came with it share one. NULL is a
// view of everything; there is no way from less to more: views are only ever joined.
#ifndef ARCHIVE_VIEW_H
#define ARCHIVE_VIEW_H

#include "base/arena.h"
#include "conf/collection.h"
#include "index/index.h"

enum { VIEW_SCOPES_MAX = 8 };

struct view {
    unsigned refs;
    struct arena arena;
    struct index_scope scopes[VIEW_SCOPES_MAX];
    size_t count;
};

struct view *view_ref(struct view *v); // NULL is fine
void view_free(struct view *v);        // one reference less; NULL is fine
struct view *view_nothing(void);       // of which every study is left out
bool view_is_nothing(const struct view *v); // that one; memory was too short to make what should have been

// Joins two: what both see. Consumes both; the result may be one of them. Never more than either, even when
// memory is short: then it sees nothing.
struct view *view_join(struct view *take_a, struct view *take_b);

// Of the studies in any of these collections ("a,b"; "" is no limit: NULL). Those that are not there hold
// nothing; the first one's name comes back (else "").
struct view *view_of_collections(const struct conf_collections *all, struct slice names,
                                 char ret_missing[CONF_NAME_MAX + 1]);

// Of the studies for which one of two holds: their Referring Physician's Name is this one (empty: of none),
// their patients' identities were removed (if `removed`).
struct view *view_of_studies(struct slice physician, bool removed);

void view_limit(const struct view *v, struct index_query_spec *spec); // borrows from v

#endif
