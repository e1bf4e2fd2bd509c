#include "conf/token.h"

#include "base/hex.h"
#include "conf/conf.h"

static bool title_fits(struct slice text) {
    return text.n > 0 && conf_title_valid(text);
}

void conf_token_line_put(struct buf *b, const struct conf_token *t) {
    char digest[2 * sizeof t->digest + 1];
    hex_encode(t->digest, sizeof t->digest, digest);
    buf_printf(b, "%s\t%s\t%s\t%s\t%u\t%lld\t%lld\t%s\n", t->id, t->name, t->user, digest, t->can,
               (long long)t->created_s, (long long)t->expires_s, t->collections);
}

static bool take_texts(const struct slice cell[8], struct conf_token *t) {
    return conf_name_valid(cell[0]) && slice_to_cstr(cell[0], t->id, sizeof t->id) && title_fits(cell[1]) &&
           slice_to_cstr(cell[1], t->name, sizeof t->name) && conf_name_valid(cell[2]) &&
           slice_to_cstr(cell[2], t->user, sizeof t->user) &&
           hex_decode(cell[3], t->digest, sizeof t->digest) &&
           slice_to_cstr(cell[7], t->collections, sizeof t->collections);
}

bool conf_token_line_parse(struct slice line, struct conf_token *ret_token) {
    struct slice cell[8], rest = line;
    struct conf_token t = {0};
    uint64_t can, created, expires;
    size_t n = 0;
    for (; n < 8 && rest.p; n++)
        cell[n] = slice_split(rest, '\t', &rest);
    if (n != 8 || rest.p || !take_texts(cell, &t) || !slice_to_u64(cell[4], 31, &can) ||
        !slice_to_u64(cell[5], INT64_MAX, &created) || !slice_to_u64(cell[6], INT64_MAX, &expires))
        return false;
    t.can = (unsigned)can;
    t.created_s = (int64_t)created;
    t.expires_s = (int64_t)expires;
    *ret_token = t;
    return true;
}
