// SOP classes and transfer syntaxes: few different ones, so an instance has their number only.
#include "index/internal.h"

static void remember(struct index *ix, int64_t id, struct slice uid) {
    if (id <= NO_ID || id >= UIDS_CACHED || !slice_to_cstr(uid, ix->uids[id], sizeof ix->uids[id]))
        return;
    if (id > ix->uids_known)
        ix->uids_known = id;
}

static bool recall(const struct index *ix, struct slice uid, int64_t *ret_id) {
    for (int64_t i = 1; i <= ix->uids_known; i++)
        if (slice_eq_str(uid, ix->uids[i])) {
            *ret_id = i;
            return true;
        }
    return false;
}

static enum err find(struct index *ix, struct slice uid, struct fault *f, int64_t *ret_id) {
    sqlite3_stmt *s = NULL;
    enum err e = index_statement(ix, ST_UID_BY_TEXT, f, &s);
    if (e != OK)
        return e;
    bind_slice(s, 1, uid);
    int rc = sqlite3_step(s);
    *ret_id = rc == SQLITE_ROW ? sqlite3_column_int64(s, 0) : NO_ID;
    sqlite3_reset(s);
    return rc == SQLITE_ROW || rc == SQLITE_DONE ? OK : index_fail(ix, rc, "reading UIDs", f);
}

static enum err insert(struct index *ix, struct slice uid, struct fault *f, int64_t *ret_id) {
    sqlite3_stmt *s = NULL;
    enum err e = index_statement(ix, ST_UID_ADD, f, &s);
    if (e != OK)
        return e;
    bind_slice(s, 1, uid);
    int rc = sqlite3_step(s);
    sqlite3_reset(s);
    if (rc != SQLITE_DONE)
        return index_fail(ix, rc, "adding a UID", f);
    *ret_id = sqlite3_last_insert_rowid(ix->db);
    return OK;
}

enum err uid_number(struct index *ix, struct slice uid, bool add, struct fault *f, int64_t *ret_id) {
    int64_t id;
    if (recall(ix, uid, ret_id))
        return OK;
    enum err e = find(ix, uid, f, &id);
    if (e == OK && id == NO_ID && add)
        e = insert(ix, uid, f, &id);
    if (e != OK)
        return e;
    remember(ix, id, uid);
    *ret_id = id;
    return OK;
}

struct slice uid_text(struct index *ix, int64_t id) {
    struct slice none = {NULL, 0};
    sqlite3_stmt *s = NULL;
    if (id <= NO_ID)
        return none;
    if (id < UIDS_CACHED && ix->uids[id][0])
        return slice_str(ix->uids[id]);
    if (index_statement(ix, ST_UID_BY_ID, NULL, &s) != OK)
        return none;
    sqlite3_bind_int64(s, 1, id);
    if (sqlite3_step(s) == SQLITE_ROW) {
        char (*slot)[UID_MAX + 1] = &ix->uids[id < UIDS_CACHED ? id
                                     : 0]; // row 0 is for those that have none of their own
        if (!slice_to_cstr(column_slice(s, 0), *slot, sizeof *slot))
            (*slot)[0] = '\0';
        none = slice_str(*slot);
        if (id < UIDS_CACHED && id > ix->uids_known)
            ix->uids_known = id;
    }
    sqlite3_reset(s);
    return none;
}
