// The requestor's side of negotiation.
#include "std/uid.h"
#include "ul/assoc.h"
#include "ul/negotiate.h"

#include <stdio.h>

enum { TRANSFERS_MAX = 2 };

void ul_associate_init(struct ul_associate *rq, const char *calling, const char *called) {
    *rq = (struct ul_associate){.version = 1, .has_max_pdu = true, .max_pdu = UL_MAX_PDU_OURS};
    snprintf(rq->calling, sizeof rq->calling, "%s", calling);
    snprintf(rq->called, sizeof rq->called, "%s", called);
    rq->application_context = slice_str(ul_application_context);
    rq->implementation_class = slice_str(GALENA_IMPLEMENTATION_CLASS);
    rq->implementation_version = slice_str(GALENA_IMPLEMENTATION_VERSION);
}

static bool has_transfer(const struct ul_context *c, struct slice transfer) {
    for (size_t i = 0; i < c->transfer_count; i++)
        if (slice_eq(c->transfers[i], transfer))
            return true;
    return false;
}

static bool is_proposed(const struct ul_associate *rq, struct slice abstract, struct slice transfer) {
    for (size_t i = 0; i < rq->context_count; i++)
        if (slice_eq(rq->contexts[i].abstract, abstract) && has_transfer(&rq->contexts[i], transfer))
            return true;
    return false;
}

static struct ul_context *add_context(struct ul_associate *rq, struct slice abstract, struct arena *arena) {
    struct ul_context *c = &rq->contexts[rq->context_count];
    *c = (struct ul_context){.id = (uint8_t)(2 * rq->context_count + 1), .abstract = abstract};
    c->transfers = arena_calloc(arena, TRANSFERS_MAX, sizeof *c->transfers);
    if (!c->transfers)
        return NULL;
    rq->context_count++;
    return c;
}

static void add_transfer(struct ul_context *c, struct slice transfer) {
    if (!has_transfer(c, transfer) && c->transfer_count < TRANSFERS_MAX)
        c->transfers[c->transfer_count++] = transfer;
}

static enum err contexts_alloc(struct ul_associate *rq, struct arena *arena) {
    if (rq->contexts)
        return OK;
    rq->contexts = arena_calloc(arena, UL_CONTEXTS_MAX, sizeof *rq->contexts);
    return rq->contexts ? OK : ERR_NO_MEMORY;
}

// A context to itself: where two share one, the acceptor picks, and the other is re-encoded for nothing.
static enum err propose_pair(struct ul_associate *rq, const struct ul_pair *p, struct arena *arena,
                             size_t *left_out) {
    if (is_proposed(rq, p->sop_class, p->transfer))
        return OK;
    if (rq->context_count == UL_CONTEXTS_MAX) {
        ++*left_out;
        return OK;
    }
    struct ul_context *c = add_context(rq, p->sop_class, arena);
    if (!c)
        return ERR_NO_MEMORY;
    add_transfer(c, p->transfer);
    return OK;
}

// What native objects can be re-encoded to for who does not take them as they are. PS3.5 10.1: the
// default transfer syntax is offered for every class.
static enum err propose_fallback(struct ul_associate *rq, struct slice sop_class, struct arena *arena) {
    const struct slice natives[] = {SLICE_LIT(UID_ExplicitVRLittleEndian),
                                    SLICE_LIT(UID_ImplicitVRLittleEndian)};
    struct ul_context *c = NULL;
    for (size_t i = 0; i < sizeof natives / sizeof *natives; i++) {
        if (is_proposed(rq, sop_class, natives[i]))
            continue;
        if (!c && rq->context_count == UL_CONTEXTS_MAX)
            return OK; // nothing waits to be sent in it
        if (!c && !(c = add_context(rq, sop_class, arena)))
            return ERR_NO_MEMORY;
        add_transfer(c, natives[i]);
    }
    return OK;
}

enum err ul_negotiate_propose(const struct ul_pair *pairs, size_t count, struct arena *arena,
                              struct ul_associate *rq, size_t *ret_left_out) {
    size_t left_out = 0;
    enum err e = contexts_alloc(rq, arena);
    for (size_t i = 0; e == OK && i < count; i++)
        e = propose_pair(rq, &pairs[i], arena, &left_out);
    for (size_t i = 0; e == OK && i < count; i++)
        e = propose_fallback(rq, pairs[i].sop_class, arena);
    if (e == OK)
        *ret_left_out = left_out;
    return e;
}

enum err ul_negotiate_propose_one(struct slice sop_class, struct arena *arena, struct ul_associate *rq) {
    enum err e = contexts_alloc(rq, arena);
    if (e != OK || rq->context_count == UL_CONTEXTS_MAX)
        return e != OK ? e : ERR_LIMIT;
    struct ul_context *c = add_context(rq, sop_class, arena);
    if (!c)
        return ERR_NO_MEMORY;
    add_transfer(c, slice_str(UID_ExplicitVRLittleEndian));
    add_transfer(c, slice_str(UID_ImplicitVRLittleEndian));
    return OK;
}
