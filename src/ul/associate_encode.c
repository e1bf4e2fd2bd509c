// A-ASSOCIATE-RQ and -AC out, PS3.8 9.3.2 and 9.3.3, PS3.7 D.3.3. Lengths are patched in once an
// item's content is known; one that does not fit its 16 bits fails the whole PDU.
#include "ul/pdu.h"

struct encoder {
    struct buf *out;
    bool overflow;
};

static size_t item_begin(struct encoder *e, uint8_t type) {
    buf_u8(e->out, type);
    buf_u8(e->out, 0);
    buf_u16be(e->out, 0);
    return e->out->n;
}

static void item_end(struct encoder *e, size_t start) {
    if (!buf_ok(e->out))
        return;
    size_t n = e->out->n - start;
    if (n > UINT16_MAX) {
        e->overflow = true;
        return;
    }
    e->out->p[start - 2] = (uint8_t)(n >> 8);
    e->out->p[start - 1] = (uint8_t)n;
}

static void put_item(struct encoder *e, uint8_t type, struct slice s) {
    size_t at = item_begin(e, type);
    buf_append_slice(e->out, s);
    item_end(e, at);
}

static void put_slice16(struct encoder *e, struct slice s) {
    if (s.n > UINT16_MAX) {
        e->overflow = true;
        return;
    }
    buf_u16be(e->out, (uint16_t)s.n);
    buf_append_slice(e->out, s);
}

static void put_title(struct encoder *e, const char *title) {
    char padded[UL_AE_MAX];
    memset(padded, ' ', sizeof padded);
    memcpy(padded, title, strnlen(title, sizeof padded));
    buf_append(e->out, padded, sizeof padded);
}

static void put_context(struct encoder *e, bool rq, const struct ul_context *c) {
    size_t at = item_begin(e, rq ? 0x20 : 0x21);
    buf_u8(e->out, c->id);
    buf_u8(e->out, 0);
    buf_u8(e->out, rq ? 0 : c->result);
    buf_u8(e->out, 0);
    if (rq)
        put_item(e, 0x30, c->abstract);
    for (size_t i = 0; i < c->transfer_count; i++)
        put_item(e, 0x40, c->transfers[i]);
    // A refused context still has the item, "not significant" (Table 9-18); some readers want a UID.
    if (!rq && c->transfer_count == 0)
        put_item(e, 0x40, SLICE_LIT("1.2.840.10008.1.2"));
    item_end(e, at);
}

static void put_roles(struct encoder *e, const struct ul_associate *a) {
    for (size_t i = 0; i < a->role_count; i++) {
        size_t at = item_begin(e, 0x54);
        put_slice16(e, a->roles[i].sop_class);
        buf_u8(e->out, a->roles[i].scu);
        buf_u8(e->out, a->roles[i].scp);
        item_end(e, at);
    }
}

static void put_extended(struct encoder *e, const struct ul_associate *a) {
    for (size_t i = 0; i < a->extended_count; i++) {
        size_t at = item_begin(e, 0x56);
        put_slice16(e, a->extended[i].sop_class);
        buf_append_slice(e->out, a->extended[i].info);
        item_end(e, at);
    }
}

static void put_common(struct encoder *e, const struct ul_associate *a) {
    for (size_t i = 0; i < a->common_count; i++) {
        const struct ul_common_extended *c = &a->common[i];
        size_t at = item_begin(e, 0x57);
        put_slice16(e, c->sop_class);
        put_slice16(e, c->service_class);
        size_t related = 0;
        for (size_t k = 0; k < c->related_count; k++)
            related += 2 + c->related[k].n;
        if (related > UINT16_MAX)
            e->overflow = true;
        buf_u16be(e->out, (uint16_t)related);
        for (size_t k = 0; k < c->related_count; k++)
            put_slice16(e, c->related[k]);
        item_end(e, at);
    }
}

static void put_identity(struct encoder *e, bool rq, const struct ul_associate *a) {
    if (rq && a->identity.type != UL_IDENTITY_NONE) {
        size_t at = item_begin(e, 0x58);
        buf_u8(e->out, a->identity.type);
        buf_u8(e->out, a->identity.want_response);
        put_slice16(e, a->identity.primary);
        put_slice16(e, a->identity.secondary);
        item_end(e, at);
    } else if (!rq && a->has_identity_response) {
        size_t at = item_begin(e, 0x59);
        put_slice16(e, a->identity_response);
        item_end(e, at);
    }
}

static void put_user_information(struct encoder *e, bool rq, const struct ul_associate *a) {
    size_t at = item_begin(e, 0x50);
    if (a->has_max_pdu) {
        size_t item = item_begin(e, 0x51);
        buf_u32be(e->out, a->max_pdu);
        item_end(e, item);
    }
    if (a->implementation_class.n)
        put_item(e, 0x52, a->implementation_class);
    if (a->has_async) {
        size_t item = item_begin(e, 0x53);
        buf_u16be(e->out, a->async_invoked);
        buf_u16be(e->out, a->async_performed);
        item_end(e, item);
    }
    put_roles(e, a);
    if (a->implementation_version.n)
        put_item(e, 0x55, a->implementation_version);
    put_extended(e, a);
    if (rq)
        put_common(e, a);
    put_identity(e, rq, a);
    item_end(e, at);
}

enum err ul_associate_encode(enum ul_pdu_type type, const struct ul_associate *a, struct buf *out,
                             struct fault *f) {
    bug_unless(type == UL_PDU_ASSOCIATE_RQ || type == UL_PDU_ASSOCIATE_AC);
    bool rq = type == UL_PDU_ASSOCIATE_RQ;
    struct encoder e = {.out = out};
    static const uint8_t zeros[32] = {0};
    size_t start = out->n;
    buf_u8(out, (uint8_t)type);
    buf_u8(out, 0);
    buf_u32be(out, 0);
    buf_u16be(out, 1);
    buf_u16be(out, 0);
    put_title(&e, a->called);
    put_title(&e, a->calling);
    buf_append(out, zeros, sizeof zeros);
    if (a->application_context.n)
        put_item(&e, 0x10, a->application_context);
    for (size_t i = 0; i < a->context_count; i++)
        put_context(&e, rq, &a->contexts[i]);
    put_user_information(&e, rq, a);
    if (!buf_ok(out))
        return fault_set(f, ERR_LIMIT, "the association PDU is too large");
    if (e.overflow) {
        out->n = start;
        return fault_set(f, ERR_LIMIT, "an item of the association PDU exceeds 65535 bytes");
    }
    size_t n = out->n - start - UL_PDU_HEADER_BYTES;
    for (int i = 0; i < 4; i++)
        out->p[start + 2 + (size_t)i] = (uint8_t)(n >> (24 - 8 * i));
    return OK;
}
