// The association request: form (PS3.8), then the archive's word on who this is and what it may
// do, then negotiation within these rights.
#include "base/buf.h"
#include "base/uid.h"
#include "os/clock.h"
#include "std/uid.h"
#include "worker.h"

enum { UNKNOWN_TEXT_MAX = 640 }; // a log line has room for a little more

static void reject(struct worker *w, struct ul_refusal why) {
    ul_assoc_reject(w->client.assoc, why, os_clock_ms());
    (void)link_flush(&w->client);
}

static struct ipc_associate question(const struct ul_associate *rq) {
    struct ipc_associate m = {.calling = slice_str(rq->calling),
                              .called = slice_str(rq->called),
                              .identity_type = rq->identity.type};
    if (rq->identity.type == UL_IDENTITY_USERNAME || rq->identity.type == UL_IDENTITY_USERNAME_PASSCODE)
        m.user = slice_sub(rq->identity.primary, 0, 256);
    if (rq->identity.type == UL_IDENTITY_USERNAME_PASSCODE)
        m.passcode = slice_sub(rq->identity.secondary, 0, 1024);
    return m;
}

static const char *advice(uint8_t result) {
    switch (result) {
    case UL_CONTEXT_USER_REJECTION:
        return "the peer lacks the right: galena peer set … --can store,query,retrieve gives it";
    case UL_CONTEXT_ABSTRACT_UNSUPPORTED:
        return "no such service here";
    default:
        return "none of the proposed transfer syntaxes is known";
    }
}

// A manufacturer's own class, or one of a later edition: of another kind are the services that we know of and
// do not have.
static bool is_unknown(const struct ul_context *c) {
    return c->result == UL_CONTEXT_ABSTRACT_UNSUPPORTED && !std_sop_find(c->abstract);
}

// Proposed once for each transfer syntax, it is named once.
static bool is_repeated(const struct ul_associate *ac, size_t at) {
    for (size_t i = 0; i < at; i++)
        if (slice_eq(ac->contexts[i].abstract, ac->contexts[at].abstract))
            return true;
    return false;
}

// The line says what to write into galena.conf, as it is written there.
static void log_unknown(struct worker *w, const struct ul_associate *ac) {
    struct buf list = BUF_INIT(UNKNOWN_TEXT_MAX);
    size_t left_out = 0;
    for (size_t i = 0; i < ac->context_count; i++) {
        struct slice uid = ac->contexts[i].abstract;
        if (!is_unknown(&ac->contexts[i]) || is_repeated(ac, i))
            continue;
        if (list.n + uid.n + 4 <= UNKNOWN_TEXT_MAX && uid_valid(uid))
            buf_printf(&list, "%s\"%.*s\"", list.n ? ", " : "", SLICE_FMT(uid));
        else
            left_out++;
    }
    if (list.n > 0)
        worker_log(w, OS_LOG_WARN,
                   "peer %s has objects of SOP classes that are not known here: if they are storage classes, "
                   "galena.conf takes them with private_sop_classes = {%.*s}%s%s",
                   w->peer, SLICE_FMT(buf_slice(&list)), left_out ? ", and there are more" : "",
                   w->private_class_count ? ", besides those in that list" : "");
    buf_fini(&list);
}

// One line for all other presentation contexts that were not accepted.
static void log_refused(struct worker *w, const struct ul_associate *ac) {
    const struct ul_context *first = NULL;
    size_t refused = 0;
    for (size_t i = 0; i < ac->context_count; i++) {
        const struct ul_context *c = &ac->contexts[i];
        if (c->result == UL_CONTEXT_ACCEPTED || is_unknown(c))
            continue;
        refused++;
        if (!first)
            first = c;
    }
    if (!first)
        return;
    const struct std_sop *sop = std_sop_find(first->abstract);
    struct slice name = sop ? slice_str(sop->name) : first->abstract;
    worker_log(w, refused == ac->context_count ? OS_LOG_WARN : OS_LOG_INFO,
               "%zu of %zu presentation contexts of peer %s refused, the first for %.*s: %s", refused,
               ac->context_count, w->peer, SLICE_FMT(name), advice(first->result));
}

static bool negotiate(struct worker *w, const struct ul_associate *rq) {
    struct arena arena = ARENA_INIT(UL_ARENA_BYTES_MAX);
    struct ul_policy policy = {.rights = w->rights,
                               .no_retired = w->no_retired,
                               .prefer_uncompressed = w->prefer_uncompressed,
                               .max_pdu = w->max_pdu,
                               .private_storage = w->private_class_count > 0,
                               .private_classes = w->private_classes,
                               .private_class_count = w->private_class_count,
                               .identity_accepted = rq->identity.type == UL_IDENTITY_USERNAME_PASSCODE};
    struct ul_associate ac;
    struct fault f = {0};
    enum err e = ul_negotiate_accept(rq, &policy, &arena, &ac, &f);
    if (e == OK)
        e = ul_assoc_accept(w->client.assoc, &ac, os_clock_ms(), &f);
    if (e != OK) {
        worker_log(w, OS_LOG_WARN, "association of %s refused: %s", rq->calling, f.detail);
        reject(w, (struct ul_refusal){UL_REJECT_TRANSIENT, UL_REJECT_BY_PRESENTATION, UL_REJECT_LOCAL_LIMIT});
    }
    if (e == OK) {
        log_refused(w, &ac);
        log_unknown(w, &ac);
    }
    arena_fini(&arena);
    return e == OK && link_flush(&w->client);
}

bool associate(struct worker *w, const struct ul_assoc_event *ev) {
    const struct ul_associate *rq = ev->associate;
    struct ul_refusal why;
    if (!ul_negotiate_precheck(rq, &why)) {
        worker_log(w, OS_LOG_WARN, "association refused: %s", ul_reject_text(why));
        reject(w, why);
        return false;
    }
    struct ipc_associate m = question(rq);
    struct ipc_msg answer = channel_call(&w->archive, IPC_ASSOCIATE, &m, IPC_ASSOCIATE_RESULT);
    const struct ipc_associate_result *r = &answer.u.associate_result;
    if (!r->accept) { // the archive has said why, in the log
        reject(w, (struct ul_refusal){r->result, r->source, r->reason});
        return false;
    }
    w->rights = r->rights;
    (void)slice_to_cstr(r->peer, w->peer, sizeof w->peer);
    memcpy(w->calling, rq->calling, sizeof w->calling);
    return negotiate(w, rq);
}
