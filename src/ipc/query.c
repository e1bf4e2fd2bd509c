#include "ipc/query.h"

#include "base/rd.h"
#include "base/utf8.h"

void query_put(struct buf *b, const struct query_condition *c) {
    buf_u16le(b, c->attribute);
    buf_u8(b, c->kind);
    buf_u16le(b, c->count);
    for (size_t i = 0; i < c->count; i++) {
        buf_u32le(b, (uint32_t)c->operands[i].n);
        buf_append_slice(b, c->operands[i]);
    }
}

static bool count_fits(uint8_t kind, uint16_t count) {
    switch (kind) {
    case QUERY_SINGLE:
    case QUERY_FUZZY:
        return count == 1;
    case QUERY_RANGE:
        return count >= 2 && count % 2 == 0;
    case QUERY_EMPTY:
        return count == 0;
    case QUERY_LIST:
    case QUERY_WILDCARD:
        return count >= 1;
    default:
        return false;
    }
}

static enum err get_operands(struct rd *r, struct arena *a, struct query_condition *c, struct fault *f) {
    struct slice *operands = arena_calloc(a, c->count ? c->count : 1, sizeof *operands);
    if (!operands)
        return fault_set(f, ERR_NO_MEMORY, "query conditions");
    for (size_t i = 0; i < c->count; i++) {
        uint32_t n = rd_u32le(r);
        if (n > QUERY_MAX_OPERAND_BYTES)
            return fault_set(f, ERR_PROTOCOL, "query operand of %u bytes", n);
        struct slice bytes = rd_bytes(r, n);
        if (!rd_ok(r) || !utf8_valid(bytes))
            return fault_set(f, ERR_PROTOCOL, "query operand is cut short or not UTF-8");
        if (!arena_dup(a, bytes, &operands[i]))
            return fault_set(f, ERR_NO_MEMORY, "query conditions");
    }
    c->operands = operands;
    return OK;
}

enum err query_get_all(struct slice bytes, struct arena *a, struct query_condition **ret_conditions,
                       size_t *ret_count, struct fault *f) {
    if (bytes.n > QUERY_MAX_BYTES)
        return fault_set(f, ERR_PROTOCOL, "query conditions of %zu bytes", bytes.n);
    struct query_condition *all = arena_calloc(a, QUERY_MAX_CONDITIONS, sizeof *all);
    if (!all)
        return fault_set(f, ERR_NO_MEMORY, "query conditions");
    struct rd r = rd_init(bytes);
    size_t n = 0, operands = 0;
    while (rd_ok(&r) && rd_left(&r) > 0) {
        struct query_condition c = {.attribute = rd_u16le(&r), .kind = rd_u8(&r), .count = rd_u16le(&r)};
        operands += c.count;
        if (!rd_ok(&r) || n == QUERY_MAX_CONDITIONS || operands > QUERY_MAX_OPERANDS ||
            !count_fits(c.kind, c.count))
            return fault_set(f, ERR_PROTOCOL, "query condition %zu is malformed", n);
        enum err e = get_operands(&r, a, &c, f);
        if (e != OK)
            return e;
        all[n++] = c;
    }
    *ret_conditions = all;
    *ret_count = n;
    return OK;
}
