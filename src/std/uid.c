#include "std/uid.h"

struct uid_row {
    const char *uid, *name;
};

#include "std/uid.inc"

#define COUNT(rows) (sizeof(rows) / sizeof((rows)[0]))

// Binary search in rows of `size` bytes that begin with a pointer to their UID.
static const void *find_row(const void *rows, size_t count, size_t size, struct slice uid) {
    size_t low = 0, high = count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        const void *row = (const char *)rows + middle * size;
        const char *const *row_uid = row;
        int c = slice_cmp(uid, slice_str(*row_uid));
        if (c == 0)
            return row;
        if (c < 0)
            high = middle;
        else
            low = middle + 1;
    }
    return NULL;
}

const struct std_ts *std_ts_find(struct slice uid) {
    return find_row(ts_rows, COUNT(ts_rows), sizeof(ts_rows[0]), uid);
}

size_t std_ts_count(void) {
    return COUNT(ts_rows);
}

const struct std_ts *std_ts_at(size_t i) {
    return i < COUNT(ts_rows) ? &ts_rows[i] : NULL;
}

size_t std_ts_index(const struct std_ts *ts) {
    return (size_t)(ts - ts_rows);
}

const struct std_sop *std_sop_find(struct slice uid) {
    return find_row(sop_rows, COUNT(sop_rows), sizeof(sop_rows[0]), uid);
}

size_t std_sop_count(void) {
    return COUNT(sop_rows);
}

const struct std_sop *std_sop_at(size_t i) {
    return i < COUNT(sop_rows) ? &sop_rows[i] : NULL;
}

const char *std_uid_name(struct slice uid) {
    const struct std_sop *sop = std_sop_find(uid);
    if (sop != NULL)
        return sop->name;
    const struct std_ts *ts = std_ts_find(uid);
    if (ts != NULL)
        return ts->name;
    const struct uid_row *other = find_row(uid_rows, COUNT(uid_rows), sizeof(uid_rows[0]), uid);
    return other != NULL ? other->name : NULL;
}
