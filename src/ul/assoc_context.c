// The accepted presentation contexts of an association.
#include "ul/assoc_int.h"

static const struct ul_context *proposed(const struct ul_assoc *a, uint8_t id) {
    for (size_t i = 0; i < a->rq.context_count; i++)
        if (a->rq.contexts[i].id == id)
            return &a->rq.contexts[i];
    return NULL;
}

static const struct ul_role *role_of(const struct ul_associate *m, struct slice sop_class) {
    for (size_t i = 0; i < m->role_count; i++)
        if (slice_eq(m->roles[i].sop_class, sop_class))
            return &m->roles[i];
    return NULL;
}

// PS3.7 D.3.3.4: without an item in both, the requestor is SCU and the acceptor SCP.
static void agree_roles(const struct ul_assoc *a, struct slice sop_class, struct ul_agreed *g) {
    bool requestor_scu = true, requestor_scp = false;
    const struct ul_role *rq = role_of(&a->rq, sop_class), *ac = role_of(&a->ac, sop_class);
    if (rq && ac) {
        requestor_scu = rq->scu && ac->scu;
        requestor_scp = rq->scp && ac->scp;
    }
    g->we_are_scu = a->acceptor ? requestor_scp : requestor_scu;
    g->we_are_scp = a->acceptor ? requestor_scu : requestor_scp;
}

static bool offered(const struct ul_context *c, struct slice transfer) {
    for (size_t i = 0; i < c->transfer_count; i++)
        if (slice_eq(c->transfers[i], transfer))
            return true;
    return false;
}

static enum err agree_context(struct ul_assoc *a, const struct ul_context *c, struct fault *f) {
    const struct ul_context *rq = proposed(a, c->id);
    if (!rq)
        return fault_set(f, ERR_PROTOCOL, "context %u was never proposed", c->id);
    if (c->result != UL_CONTEXT_ACCEPTED)
        return OK;
    if (!offered(rq, c->transfers[0]))
        return fault_set(f, ERR_PROTOCOL, "context %u with a transfer syntax never proposed", c->id);
    struct slice abstract, transfer;
    if (!arena_dup(&a->arena, rq->abstract, &abstract) || !arena_dup(&a->arena, c->transfers[0], &transfer))
        return fault_set(f, ERR_NO_MEMORY, "presentation contexts");
    struct ul_agreed *g = &a->agreed[a->agreed_count];
    g->id = c->id;
    g->abstract = (const char *)abstract.p;
    g->transfer = (const char *)transfer.p;
    agree_roles(a, rq->abstract, g);
    a->by_id[c->id] = ++a->agreed_count;
    return OK;
}

enum err ul_assoc_agree(struct ul_assoc *a, struct fault *f) {
    const struct ul_associate *peer = a->acceptor ? &a->rq : &a->ac;
    uint32_t max = peer->has_max_pdu && peer->max_pdu ? peer->max_pdu : UL_MAX_PDU_SEND;
    if (max < UL_MAX_PDU_FLOOR)
        return fault_set(f, ERR_PROTOCOL, "a maximum PDU length of %u bytes", max);
    a->peer_max_pdu = max < UL_MAX_PDU_SEND ? max : UL_MAX_PDU_SEND;
    const struct ul_associate *ours = a->acceptor ? &a->ac : &a->rq;
    a->our_max_pdu = ours->has_max_pdu && ours->max_pdu ? ours->max_pdu : UINT32_MAX;
    for (size_t i = 0; i < a->ac.context_count; i++) {
        enum err e = agree_context(a, &a->ac.contexts[i], f);
        if (e != OK)
            return e;
    }
    a->has_ac = true;
    return OK;
}

const struct ul_agreed *ul_assoc_context(const struct ul_assoc *a, uint8_t id) {
    return a->by_id[id] ? &a->agreed[a->by_id[id] - 1] : NULL;
}

const struct ul_agreed *ul_assoc_context_after(const struct ul_assoc *a, uint8_t id) {
    for (unsigned next = id + 1u; next < 256; next++)
        if (a->by_id[next])
            return &a->agreed[a->by_id[next] - 1];
    return NULL;
}

const struct ul_agreed *ul_assoc_find(const struct ul_assoc *a, const char *abstract, const char *transfer) {
    for (unsigned i = 0; i < a->agreed_count; i++) {
        const struct ul_agreed *g = &a->agreed[i];
        if (strcmp(g->abstract, abstract) == 0 && (!transfer || strcmp(g->transfer, transfer) == 0))
            return g;
    }
    return NULL;
}

const struct ul_associate *ul_assoc_request(const struct ul_assoc *a) {
    return a->has_rq ? &a->rq : NULL;
}

struct slice ul_assoc_extended(const struct ul_assoc *a, const char *sop_class) {
    for (size_t i = 0; a->has_ac && i < a->ac.extended_count; i++)
        if (slice_eq_str(a->ac.extended[i].sop_class, sop_class))
            return a->ac.extended[i].info;
    return (struct slice){NULL, 0};
}
