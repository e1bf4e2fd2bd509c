#include "meta.h"

#include "base/rd.h"

enum { META_VERSION = 1 };

static void put_short(struct buf *b, struct slice s) {
    buf_u16le(b, (uint16_t)s.n);
    buf_append_slice(b, s);
}

static struct slice get_short(struct rd *r) {
    uint16_t n = rd_u16le(r);
    return rd_bytes(r, n);
}

void meta_put(struct buf *b, const struct meta *m) {
    buf_u8(b, META_VERSION);
    buf_u64le(b, m->received_ms);
    put_short(b, m->sop_class);
    put_short(b, m->sop_instance);
    put_short(b, m->study);
    put_short(b, m->series);
    put_short(b, m->transfer_syntax);
    put_short(b, m->peer);
    buf_u32le(b, (uint32_t)m->attributes.n);
    buf_append_slice(b, m->attributes);
}

enum err meta_get(struct slice bytes, struct meta *ret_meta, struct fault *f) {
    struct rd r = rd_init(bytes);
    uint8_t version = rd_u8(&r);
    if (version != META_VERSION)
        return fault_set(f, ERR_CORRUPT, "record metadata have version %u", version);
    struct meta m = {.received_ms = rd_u64le(&r)};
    m.sop_class = get_short(&r);
    m.sop_instance = get_short(&r);
    m.study = get_short(&r);
    m.series = get_short(&r);
    m.transfer_syntax = get_short(&r);
    m.peer = get_short(&r);
    uint32_t n = rd_u32le(&r);
    m.attributes = rd_bytes(&r, n);
    if (!rd_done(&r))
        return fault_set(f, ERR_CORRUPT, "record metadata are cut short");
    *ret_meta = m;
    return OK;
}
