#include "http/range.h"

#include "http/date.h"

static bool bytes_unit(struct slice *s) {
    if (s->n < 6 || (memcmp(s->p, "bytes=", 6) != 0 && memcmp(s->p, "Bytes=", 6) != 0))
        return false;
    *s = slice_trim(slice_sub(*s, 6, s->n), " \t");
    return true;
}

enum range_kind range_parse(struct slice header, uint64_t size, uint64_t *ret_from, uint64_t *ret_bytes) {
    uint64_t first = 0, last = UINT64_MAX;
    if (!header.p || !bytes_unit(&header) || memchr(header.p, ',', header.n))
        return RANGE_ALL;
    struct slice b, a = slice_split(header, '-', &b);
    if (!b.p || (a.n == 0 && b.n == 0))
        return RANGE_ALL;
    if ((a.n && !slice_to_u64(a, UINT64_MAX, &first)) || (b.n && !slice_to_u64(b, UINT64_MAX, &last)))
        return RANGE_ALL;
    if (a.n == 0) { // the last so many
        if (last == 0 || size == 0)
            return RANGE_NONE;
        *ret_bytes = last < size ? last : size;
        *ret_from = size - *ret_bytes;
        return RANGE_PART;
    }
    if (b.n && last < first)
        return RANGE_ALL;
    if (first >= size)
        return RANGE_NONE;
    *ret_from = first;
    *ret_bytes = (last < size ? last + 1 : size) - first;
    return RANGE_PART;
}

static struct slice opaque(struct slice etag, bool *ret_weak) {
    *ret_weak = etag.n >= 2 && etag.p[0] == 'W' && etag.p[1] == '/';
    return *ret_weak ? slice_sub(etag, 2, etag.n) : etag;
}

static bool etag_same(struct slice a, struct slice b, bool weak) {
    bool weak_a, weak_b;
    struct slice x = opaque(a, &weak_a), y = opaque(b, &weak_b);
    return (weak || (!weak_a && !weak_b)) && x.n >= 2 && slice_eq(x, y);
}

// The next entry of a list; a comma may stand within quotes.
static struct slice next_etag(struct slice *rest) {
    bool quoted = false;
    size_t n = 0;
    for (; n < rest->n && (quoted || rest->p[n] != ','); n++)
        quoted ^= rest->p[n] == '"';
    struct slice tag = slice_sub(*rest, 0, n);
    *rest = slice_sub(*rest, n + 1, rest->n);
    return slice_trim(tag, " \t");
}

bool etag_listed(struct slice list, struct slice etag, bool weak) {
    if (slice_eq_str(slice_trim(list, " \t"), "*"))
        return true;
    while (list.n)
        if (etag_same(next_etag(&list), etag, weak))
            return true;
    return false;
}

bool if_range_holds(struct slice if_range, struct slice etag, int64_t modified_s) {
    int64_t date;
    if (!if_range.p)
        return true;
    if (http_date_parse(if_range, &date))
        return modified_s >= 0 && date == modified_s;
    return etag_same(if_range, etag, false);
}
