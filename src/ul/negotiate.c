#include "ul/negotiate.h"

#include "std/uid.h"
#include "ul/assoc.h"

const char ul_application_context[] = UID_DICOMApplicationContext;

// --- the request as a whole

bool ul_negotiate_precheck(const struct ul_associate *rq, struct ul_refusal *ret_why) {
    struct ul_refusal why = {UL_REJECT_PERMANENT, UL_REJECT_BY_USER, 0};
    if (!(rq->version & 1)) {
        why.source = UL_REJECT_BY_ACSE;
        why.reason = UL_REJECT_PROTOCOL_VERSION;
    } else if (!slice_eq_str(rq->application_context, ul_application_context)) {
        why.reason = UL_REJECT_APPLICATION_CONTEXT;
    } else if (!rq->called[0]) {
        why.reason = UL_REJECT_CALLED_AE;
    } else if (!rq->calling[0]) {
        why.reason = UL_REJECT_CALLING_AE;
    } else {
        return true;
    }
    *ret_why = why;
    return false;
}

// --- classes

enum service { SERVICE_NONE, SERVICE_ECHO, SERVICE_STORE, SERVICE_QUERY, SERVICE_RETRIEVE };

static bool is_listed(struct slice uid, const struct ul_policy *p) {
    if (p->private_class_count == 0)
        return true;
    for (size_t i = 0; i < p->private_class_count; i++)
        if (slice_eq(uid, p->private_classes[i]))
            return true;
    return false;
}

static bool is_our_model(uint8_t model) {
    return model == SOP_MODEL_PATIENT_ROOT || model == SOP_MODEL_STUDY_ROOT ||
           model == SOP_MODEL_PATIENT_STUDY_ONLY;
}

static enum service service_of(struct slice uid, const struct ul_policy *p) {
    const struct std_sop *sop = std_sop_find(uid);
    if (!sop)
        return p->private_storage && is_listed(uid, p) ? SERVICE_STORE : SERVICE_NONE;
    switch ((int)sop->kind) {
    case SOP_KIND_VERIFICATION:
        return SERVICE_ECHO;
    case SOP_KIND_STORAGE:
    case SOP_KIND_STORAGE_NONPATIENT:
        return sop->retired && p->no_retired ? SERVICE_NONE : SERVICE_STORE;
    case SOP_KIND_FIND:
        return is_our_model(sop->model) ? SERVICE_QUERY : SERVICE_NONE;
    case SOP_KIND_MOVE:
    case SOP_KIND_GET:
        return is_our_model(sop->model) ? SERVICE_RETRIEVE : SERVICE_NONE;
    default:
        return SERVICE_NONE;
    }
}

static const struct ul_role *role_asked(const struct ul_associate *rq, struct slice sop_class) {
    for (size_t i = 0; i < rq->role_count; i++)
        if (slice_eq(rq->roles[i].sop_class, sop_class))
            return &rq->roles[i];
    return NULL;
}

// What the requestor may be for a class, by its rights; both false: the context is refused.
struct roles {
    bool scu, scp;
};

static struct roles roles_allowed(enum service s, const struct ul_role *asked, unsigned rights) {
    static const unsigned needed[] = {
        [SERVICE_ECHO] = UL_MAY_ECHO, [SERVICE_STORE] = UL_MAY_STORE,
        [SERVICE_QUERY] = UL_MAY_QUERY, [SERVICE_RETRIEVE] = UL_MAY_RETRIEVE,
    };
    bool may = (rights & needed[s]) == needed[s];
    if (!asked)
        return (struct roles){.scu = may};
    // As SCP of a storage class it takes what C-GET sends (PS3.4 C.5.3.1).
    bool scp = s == SERVICE_STORE && (rights & UL_MAY_RETRIEVE);
    return (struct roles){.scu = asked->scu && may, .scp = asked->scp && scp};
}

// --- transfer syntaxes

static bool is_readable(struct slice uid) {
    const struct std_ts *ts = std_ts_find(uid);
    return ts && ts->family != TS_FAMILY_OTHER && ts->family != TS_FAMILY_SMPTE;
}

static const struct slice *pick_storage(const struct ul_context *c, const struct ul_policy *p) {
    const struct slice *first = NULL;
    for (size_t i = 0; i < c->transfer_count; i++) {
        if (p->prefer_uncompressed && slice_eq_str(c->transfers[i], UID_ExplicitVRLittleEndian))
            return &c->transfers[i];
        if (!first && is_readable(c->transfers[i]))
            first = &c->transfers[i];
    }
    return first;
}

// Identifiers have no pixels and are short: the uncompressed syntaxes, the explicit first.
static const struct slice *pick_identifier(const struct ul_context *c) {
    static const char *const order[] = {UID_ExplicitVRLittleEndian, UID_ImplicitVRLittleEndian,
                                        UID_ExplicitVRBigEndian};
    for (size_t k = 0; k < sizeof order / sizeof *order; k++)
        for (size_t i = 0; i < c->transfer_count; i++)
            if (slice_eq_str(c->transfers[i], order[k]))
                return &c->transfers[i];
    return NULL;
}

// --- one context

struct answer {
    const struct ul_associate *rq;
    const struct ul_policy *policy;
    struct arena *arena;
    struct ul_associate *ac;
};

static enum err answer_context(struct answer *w, const struct ul_context *c, struct ul_context *out) {
    out->id = c->id;
    out->abstract = c->abstract;
    out->result = UL_CONTEXT_ABSTRACT_UNSUPPORTED;
    enum service s = service_of(c->abstract, w->policy);
    if (s == SERVICE_NONE)
        return OK;
    out->result = UL_CONTEXT_USER_REJECTION;
    struct roles r = roles_allowed(s, role_asked(w->rq, c->abstract), w->policy->rights);
    if (!r.scu && !r.scp)
        return OK;
    out->result = UL_CONTEXT_TRANSFERS_UNSUPPORTED;
    const struct slice *pick = s == SERVICE_STORE ? pick_storage(c, w->policy) : pick_identifier(c);
    if (!pick)
        return OK;
    out->transfers = arena_alloc(w->arena, sizeof *out->transfers);
    if (!out->transfers)
        return ERR_NO_MEMORY;
    *out->transfers = *pick;
    out->transfer_count = 1;
    out->result = UL_CONTEXT_ACCEPTED;
    return OK;
}

static bool has_accepted(const struct ul_associate *ac, struct slice sop_class) {
    for (size_t i = 0; i < ac->context_count; i++)
        if (ac->contexts[i].result == UL_CONTEXT_ACCEPTED && slice_eq(ac->contexts[i].abstract, sop_class))
            return true;
    return false;
}

// PS3.7 D.3.3.4.2: an answer only for what was asked; each role at most as proposed.
static enum err answer_roles(struct answer *w) {
    w->ac->roles = arena_calloc(w->arena, w->rq->role_count + 1, sizeof *w->ac->roles);
    if (!w->ac->roles)
        return ERR_NO_MEMORY;
    for (size_t i = 0; i < w->rq->role_count; i++) {
        const struct ul_role *asked = &w->rq->roles[i];
        if (role_asked(w->rq, asked->sop_class) != asked || !has_accepted(w->ac, asked->sop_class))
            continue;
        enum service s = service_of(asked->sop_class, w->policy);
        struct roles r = roles_allowed(s, asked, w->policy->rights);
        w->ac->roles[w->ac->role_count++] =
            (struct ul_role){.sop_class = asked->sop_class, .scu = r.scu, .scp = r.scp};
    }
    return OK;
}

// PS3.4 C.5.1.1: bytes of the item of a C-FIND class; ours says what we do of what was asked.
enum {
    FIND_RELATIONAL,
    FIND_DATETIME,
    FIND_FUZZY,
    FIND_TIMEZONE,
    FIND_MULTIFRAME,
    FIND_EMPTY,
    FIND_MULTIPLE,
    FIND_BYTES
};
// Fuzzy matching is done in the sense of PS3.4 C.2.2.2.1.1 (names folded); times are not shifted from zone to
// zone (the archive knows none of its site), frames are not converted.
static const uint8_t find_supported[FIND_BYTES] = {1, 1, 1, 0, 0, 1, 1};
// C.5.2.1, C.5.3.1: relational retrieval, conversion of frames.
static const uint8_t retrieve_supported[2] = {1, 0};

static struct slice agree_bytes(struct answer *w, struct slice asked, const uint8_t *supported, size_t max) {
    size_t n = asked.n < max ? asked.n : max;
    uint8_t *p = arena_alloc(w->arena, n + 1);
    if (!p)
        return (struct slice){NULL, 0};
    for (size_t i = 0; i < n; i++)
        p[i] = asked.p[i] == 1 && supported[i];
    return slice_of(p, n);
}

static enum err answer_extended(struct answer *w) {
    w->ac->extended = arena_calloc(w->arena, w->rq->extended_count + 1, sizeof *w->ac->extended);
    if (!w->ac->extended)
        return ERR_NO_MEMORY;
    for (size_t i = 0; i < w->rq->extended_count; i++) {
        const struct ul_extended *asked = &w->rq->extended[i];
        enum service s = service_of(asked->sop_class, w->policy);
        if (!has_accepted(w->ac, asked->sop_class) || (s != SERVICE_QUERY && s != SERVICE_RETRIEVE))
            continue;
        struct slice info = s == SERVICE_QUERY ? agree_bytes(w, asked->info, find_supported, FIND_BYTES)
                                               : agree_bytes(w, asked->info, retrieve_supported, 2);
        if (info.n)
            w->ac->extended[w->ac->extended_count++] =
                (struct ul_extended){.sop_class = asked->sop_class, .info = info};
    }
    return OK;
}

struct ul_query_options ul_query_options_decode(struct slice info) {
    bool on[FIND_BYTES] = {false};
    for (size_t i = 0; i < FIND_BYTES && i < info.n; i++)
        on[i] = info.p[i] == 1;
    return (struct ul_query_options){.relational = on[FIND_RELATIONAL],
                                     .datetime = on[FIND_DATETIME],
                                     .fuzzy = on[FIND_FUZZY],
                                     .timezone = on[FIND_TIMEZONE],
                                     .empty_value = on[FIND_EMPTY],
                                     .multiple_value = on[FIND_MULTIPLE]};
}

static void answer_fixed(struct answer *w) {
    struct ul_associate *ac = w->ac;
    const struct ul_associate *rq = w->rq;
    // PS3.8 Table 9-17: the titles come back as they were sent.
    ul_associate_init(ac, rq->calling, rq->called);
    if (w->policy->max_pdu)
        ac->max_pdu = w->policy->max_pdu;
    if (rq->has_async) { // 1/1 is what leaving it out means, too; we serve one operation at a time
        ac->has_async = true;
        ac->async_invoked = ac->async_performed = 1;
    }
    // PS3.7 D.3.3.7.2: a server response only to types that have one, and here it is empty.
    ac->has_identity_response = rq->identity.type != UL_IDENTITY_NONE && rq->identity.want_response &&
                                w->policy->identity_accepted;
}

enum err ul_negotiate_accept(const struct ul_associate *rq, const struct ul_policy *policy,
                             struct arena *arena, struct ul_associate *ret_ac, struct fault *f) {
    struct ul_associate ac = {.version = 1};
    struct answer w = {.rq = rq, .policy = policy, .arena = arena, .ac = &ac};
    answer_fixed(&w);
    ac.contexts = arena_calloc(arena, rq->context_count + 1, sizeof *ac.contexts);
    enum err e = ac.contexts ? OK : ERR_NO_MEMORY;
    for (size_t i = 0; e == OK && i < rq->context_count; i++)
        e = answer_context(&w, &rq->contexts[i], &ac.contexts[ac.context_count++]);
    if (e == OK)
        e = answer_roles(&w);
    if (e == OK)
        e = answer_extended(&w);
    if (e != OK)
        return fault_set(f, e, "the answer to an association request");
    *ret_ac = ac;
    return OK;
}
