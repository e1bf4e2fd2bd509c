// A-ASSOCIATE-RQ and -AC, PS3.8 9.3.2 and 9.3.3: nested items, each with a 16-bit length that must
// stay inside its parent. Unknown items are passed over (PS3.8 9.3.1), known ones are checked.
#include "ul/pdu.h"

#include "base/rd.h"
#include "base/uid.h"

enum {
    ITEM_APPLICATION_CONTEXT = 0x10,
    ITEM_CONTEXT_RQ = 0x20,
    ITEM_CONTEXT_AC = 0x21,
    ITEM_ABSTRACT = 0x30,
    ITEM_TRANSFER = 0x40,
    ITEM_USER_INFORMATION = 0x50,
    ITEM_MAX_LENGTH = 0x51,
    ITEM_IMPLEMENTATION_CLASS = 0x52,
    ITEM_ASYNC = 0x53,
    ITEM_ROLE = 0x54,
    ITEM_IMPLEMENTATION_VERSION = 0x55,
    ITEM_EXTENDED = 0x56,
    ITEM_COMMON_EXTENDED = 0x57,
    ITEM_IDENTITY_RQ = 0x58,
    ITEM_IDENTITY_AC = 0x59,
    FIXED_BYTES = 68, // version, reserved, two titles, 32 reserved
};

struct decoder {
    enum ul_pdu_type type;
    struct arena *arena;
    struct ul_associate *out;
    struct fault *f;
    bool seen_user_information;
    uint8_t seen_ids[32]; // bitmap of context identifiers
};

struct item {
    uint8_t type;
    struct rd body;
    size_t length;
};

static enum err item_next(struct rd *r, struct item *ret_item, struct fault *f) {
    uint8_t type = rd_u8(r);
    rd_skip(r, 1);
    uint16_t length = rd_u16be(r);
    if (!rd_ok(r) || length > rd_left(r))
        return fault_set(f, ERR_TRUNCATED, "item %02Xh overruns its parent", type);
    *ret_item = (struct item){.type = type, .body = rd_sub(r, length), .length = length};
    return OK;
}

static struct slice rd_rest(struct rd *r) {
    return rd_bytes(r, rd_left(r));
}

static enum err take_uid(struct rd *r, size_t n, const char *what, struct slice *ret_uid, struct fault *f) {
    struct slice s = uid_trim(rd_bytes(r, n));
    if (!rd_ok(r))
        return fault_set(f, ERR_TRUNCATED, "%s overruns its item", what);
    if (!uid_tolerable(s))
        return fault_set(f, ERR_UID, "%s is no UID", what);
    *ret_uid = s;
    return OK;
}

static enum err uid16(struct rd *r, const char *what, struct slice *ret_uid, struct fault *f) {
    uint16_t n = rd_u16be(r);
    return take_uid(r, n, what, ret_uid, f);
}

// Grows an array in the arena by doubling; what it leaves behind counts against the arena's cap.
static void *grow(struct decoder *d, void *array, size_t count, size_t size, size_t max, const char *what) {
    if (count >= max) {
        fault_set(d->f, ERR_LIMIT, "more than %zu %s", max, what);
        return NULL;
    }
    bool full = count == 0 || (count >= 4 && (count & (count - 1)) == 0);
    if (!full)
        return array;
    void *p = arena_calloc(d->arena, count ? count * 2 : 4, size);
    if (!p)
        fault_set(d->f, ERR_LIMIT, "the association request is too large");
    else if (count)
        memcpy(p, array, count * size);
    return p;
}

static enum err context_transfer(struct decoder *d, struct ul_context *c, struct item *it) {
    struct slice uid;
    enum err e;
    // An AC's refused context carries a transfer syntax item without meaning, often empty.
    if (d->type == UL_PDU_ASSOCIATE_AC && c->result != UL_CONTEXT_ACCEPTED)
        return OK;
    if ((e = take_uid(&it->body, it->length, "a transfer syntax", &uid, d->f)) != OK)
        return e;
    struct slice *p = grow(d, c->transfers, c->transfer_count, sizeof *p, UL_TRANSFERS_MAX,
                           "transfer syntaxes in one context");
    if (!p)
        return d->f->code;
    c->transfers = p;
    c->transfers[c->transfer_count++] = uid;
    return OK;
}

static enum err context_items(struct decoder *d, struct ul_context *c, struct rd *r) {
    enum err e;
    while (rd_left(r)) {
        struct item it;
        if ((e = item_next(r, &it, d->f)) != OK)
            return e;
        if (it.type == ITEM_TRANSFER) {
            e = context_transfer(d, c, &it);
        } else if (it.type == ITEM_ABSTRACT && d->type == UL_PDU_ASSOCIATE_RQ) {
            if (c->abstract.p)
                return fault_set(d->f, ERR_PROTOCOL, "context %u has two abstract syntaxes", c->id);
            e = take_uid(&it.body, it.length, "an abstract syntax", &c->abstract, d->f);
        }
        if (e != OK)
            return e;
    }
    return OK;
}

static enum err context_check(struct decoder *d, const struct ul_context *c) {
    if (d->type == UL_PDU_ASSOCIATE_RQ) {
        if (!c->abstract.p || c->transfer_count == 0)
            return fault_set(d->f, ERR_PROTOCOL, "context %u lacks an abstract or transfer syntax", c->id);
    } else if (c->result == UL_CONTEXT_ACCEPTED && c->transfer_count != 1) {
        return fault_set(d->f, ERR_PROTOCOL, "accepted context %u has %zu transfer syntaxes", c->id,
                         c->transfer_count);
    }
    return OK;
}

static enum err decode_context(struct decoder *d, struct rd *r) {
    struct ul_associate *a = d->out;
    struct ul_context c = {.id = rd_u8(r)};
    rd_skip(r, 1);
    c.result = rd_u8(r);
    rd_skip(r, 1);
    if (!rd_ok(r))
        return fault_set(d->f, ERR_TRUNCATED, "presentation context item of less than 4 bytes");
    if (d->type == UL_PDU_ASSOCIATE_RQ)
        c.result = 0;
    if (!(c.id & 1))
        return fault_set(d->f, ERR_PROTOCOL, "presentation context identifier %u is even", c.id);
    if (d->seen_ids[c.id >> 3] & (1u << (c.id & 7)))
        return fault_set(d->f, ERR_PROTOCOL, "presentation context identifier %u comes twice", c.id);
    d->seen_ids[c.id >> 3] = (uint8_t)(d->seen_ids[c.id >> 3] | 1u << (c.id & 7));
    enum err e = context_items(d, &c, r);
    if (e == OK)
        e = context_check(d, &c);
    if (e != OK)
        return e;
    struct ul_context *p = grow(d, a->contexts, a->context_count, sizeof *p, UL_CONTEXTS_MAX,
                                "presentation contexts");
    if (!p)
        return d->f->code;
    a->contexts = p;
    a->contexts[a->context_count++] = c;
    return OK;
}

static enum err decode_role(struct decoder *d, struct rd *r) {
    struct ul_associate *a = d->out;
    struct ul_role role;
    enum err e = uid16(r, "the class of a role selection", &role.sop_class, d->f);
    if (e != OK)
        return e;
    role.scu = rd_u8(r) == 1;
    role.scp = rd_u8(r) == 1;
    if (!rd_done(r))
        return fault_set(d->f, ERR_PROTOCOL, "role selection item of wrong length");
    struct ul_role *p = grow(d, a->roles, a->role_count, sizeof *p, UL_ITEMS_MAX, "role selections");
    if (!p)
        return d->f->code;
    a->roles = p;
    a->roles[a->role_count++] = role;
    return OK;
}

static enum err decode_extended(struct decoder *d, struct rd *r) {
    struct ul_associate *a = d->out;
    struct ul_extended x;
    enum err e = uid16(r, "the class of an extended negotiation", &x.sop_class, d->f);
    if (e != OK)
        return e;
    x.info = rd_rest(r);
    struct ul_extended *p = grow(d, a->extended, a->extended_count, sizeof *p, UL_ITEMS_MAX,
                                 "extended negotiations");
    if (!p)
        return d->f->code;
    a->extended = p;
    a->extended[a->extended_count++] = x;
    return OK;
}

static enum err decode_related(struct decoder *d, struct rd *r, struct ul_common_extended *c) {
    while (rd_left(r)) {
        struct slice *p = grow(d, c->related, c->related_count, sizeof *p, UL_RELATED_MAX,
                               "related general classes");
        if (!p)
            return d->f->code;
        c->related = p;
        enum err e = uid16(r, "a related general class", &c->related[c->related_count], d->f);
        if (e != OK)
            return e;
        c->related_count++;
    }
    return OK;
}

static enum err decode_common(struct decoder *d, struct rd *r) {
    struct ul_associate *a = d->out;
    struct ul_common_extended c = {.related_count = 0};
    enum err e = uid16(r, "the class of a common extended negotiation", &c.sop_class, d->f);
    if (e == OK)
        e = uid16(r, "the service class of a common extended negotiation", &c.service_class, d->f);
    if (e != OK)
        return e;
    uint16_t n = rd_u16be(r);
    struct rd sub = rd_sub(r, n); // what follows is reserved for later versions
    if (!rd_ok(r))
        return fault_set(d->f, ERR_TRUNCATED, "related general classes overrun their item");
    if ((e = decode_related(d, &sub, &c)) != OK)
        return e;
    struct ul_common_extended *p = grow(d, a->common, a->common_count, sizeof *p, UL_ITEMS_MAX,
                                        "common extended negotiations");
    if (!p)
        return d->f->code;
    a->common = p;
    a->common[a->common_count++] = c;
    return OK;
}

static enum err decode_identity(struct decoder *d, struct rd *r) {
    struct ul_identity *id = &d->out->identity;
    if (id->type != UL_IDENTITY_NONE)
        return fault_set(d->f, ERR_PROTOCOL, "two user identity items");
    uint8_t type = rd_u8(r);
    bool want = rd_u8(r) == 1;
    struct slice primary = rd_bytes(r, rd_u16be(r));
    struct slice secondary = rd_bytes(r, rd_u16be(r));
    if (!rd_done(r))
        return fault_set(d->f, ERR_PROTOCOL, "user identity item of wrong length");
    if (type == UL_IDENTITY_NONE || type > UL_IDENTITY_JWT)
        return fault_set(d->f, ERR_PROTOCOL, "user identity of unknown type %u", type);
    if (secondary.n && type != UL_IDENTITY_USERNAME_PASSCODE)
        return fault_set(d->f, ERR_PROTOCOL, "user identity of type %u with a second field", type);
    *id = (struct ul_identity){
        .type = type, .want_response = want, .primary = primary, .secondary = secondary};
    return OK;
}

static enum err decode_identity_response(struct decoder *d, struct rd *r) {
    if (d->out->has_identity_response)
        return fault_set(d->f, ERR_PROTOCOL, "two user identity items");
    struct slice s = rd_bytes(r, rd_u16be(r));
    if (!rd_done(r))
        return fault_set(d->f, ERR_PROTOCOL, "user identity response of wrong length");
    d->out->has_identity_response = true;
    d->out->identity_response = s;
    return OK;
}

static enum err decode_max_length(struct decoder *d, struct rd *r) {
    if (d->out->has_max_pdu)
        return fault_set(d->f, ERR_PROTOCOL, "two maximum length items");
    uint32_t max = rd_u32be(r);
    if (!rd_done(r))
        return fault_set(d->f, ERR_PROTOCOL, "maximum length item of wrong length");
    d->out->has_max_pdu = true;
    d->out->max_pdu = max;
    return OK;
}

static enum err decode_async(struct decoder *d, struct rd *r) {
    uint16_t invoked = rd_u16be(r), performed = rd_u16be(r);
    if (!rd_done(r))
        return fault_set(d->f, ERR_PROTOCOL, "asynchronous operations window of wrong length");
    d->out->has_async = true;
    d->out->async_invoked = invoked;
    d->out->async_performed = performed;
    return OK;
}

static enum err decode_user_item(struct decoder *d, struct item *it) {
    struct rd *r = &it->body;
    bool rq = d->type == UL_PDU_ASSOCIATE_RQ;
    switch (it->type) {
    case ITEM_MAX_LENGTH:
        return decode_max_length(d, r);
    case ITEM_IMPLEMENTATION_CLASS:
        // Not worth an association: some senders leave it empty or invent one.
        d->out->implementation_class = uid_trim(rd_rest(r));
        return OK;
    case ITEM_IMPLEMENTATION_VERSION:
        d->out->implementation_version = slice_trim(rd_rest(r), " ");
        return OK;
    case ITEM_ASYNC:
        return decode_async(d, r);
    case ITEM_ROLE:
        return decode_role(d, r);
    case ITEM_EXTENDED:
        return decode_extended(d, r);
    case ITEM_COMMON_EXTENDED:
        return rq ? decode_common(d, r) : OK;
    case ITEM_IDENTITY_RQ:
        return rq ? decode_identity(d, r) : OK;
    case ITEM_IDENTITY_AC:
        return rq ? OK : decode_identity_response(d, r);
    default:
        return OK;
    }
}

static enum err decode_user_information(struct decoder *d, struct rd *r) {
    if (d->seen_user_information)
        return fault_set(d->f, ERR_PROTOCOL, "two user information items");
    d->seen_user_information = true;
    while (rd_left(r)) {
        struct item it;
        enum err e = item_next(r, &it, d->f);
        if (e == OK)
            e = decode_user_item(d, &it);
        if (e != OK)
            return e;
    }
    return OK;
}

static enum err decode_item(struct decoder *d, struct item *it) {
    struct ul_associate *a = d->out;
    bool rq = d->type == UL_PDU_ASSOCIATE_RQ;
    if (it->type == ITEM_APPLICATION_CONTEXT) {
        if (a->application_context.p)
            return fault_set(d->f, ERR_PROTOCOL, "two application context items");
        return take_uid(&it->body, it->length, "the application context", &a->application_context, d->f);
    }
    if (it->type == (rq ? ITEM_CONTEXT_RQ : ITEM_CONTEXT_AC))
        return decode_context(d, &it->body);
    if (it->type == ITEM_USER_INFORMATION)
        return decode_user_information(d, &it->body);
    return OK;
}

static enum err decode_fixed(struct rd *r, struct ul_associate *a, struct fault *f) {
    a->version = rd_u16be(r);
    rd_skip(r, 2);
    struct slice called = rd_bytes(r, UL_AE_MAX), calling = rd_bytes(r, UL_AE_MAX);
    rd_skip(r, 32);
    if (!rd_ok(r))
        return fault_set(f, ERR_TRUNCATED, "association PDU of less than %d bytes", FIXED_BYTES);
    // A bad title is no bad PDU: the standard has a reject reason of its own for each.
    ul_ae_parse(called, a->called);
    ul_ae_parse(calling, a->calling);
    return OK;
}

enum err ul_associate_decode(enum ul_pdu_type type, struct slice body, struct arena *arena,
                             struct ul_associate *ret_associate, struct fault *f) {
    bug_unless(type == UL_PDU_ASSOCIATE_RQ || type == UL_PDU_ASSOCIATE_AC);
    if (body.n > UL_ASSOCIATE_BYTES_MAX)
        return fault_set(f, ERR_LIMIT, "association PDU of %zu bytes", body.n);
    struct fault own = {OK, ""};
    struct ul_associate a = {.version = 0};
    struct decoder d = {.type = type, .arena = arena, .out = &a, .f = f ? f : &own};
    struct rd r = rd_init(body);
    enum err e = decode_fixed(&r, &a, d.f);
    while (e == OK && rd_left(&r)) {
        struct item it;
        e = item_next(&r, &it, d.f);
        if (e == OK)
            e = decode_item(&d, &it);
    }
    if (e != OK)
        return e;
    // An RQ without contexts says nothing that could be accepted; a missing application context is
    // left to policy, which has a reject reason for it.
    if (type == UL_PDU_ASSOCIATE_RQ && a.context_count == 0)
        return fault_set(d.f, ERR_PROTOCOL, "no presentation context");
    *ret_associate = a;
    return OK;
}
