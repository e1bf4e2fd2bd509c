// The association engine: the first byte chooses role and grain, the rest is what the peer sends. We accept
// what we may, answer every command, and look at what comes out.
#include "fuzz.h"

#include "ul/assoc.h"
#include "ul/negotiate.h"

static const struct ul_timers timers = {.artim_ms = 30, .idle_ms = 60, .total_ms = 100000};

struct run {
    struct ul_assoc *a;
    struct slice fed; // what DATA events may point into
    int64_t now_ms;
    bool in_data, over;
};

static struct ul_assoc *requestor(void) {
    struct arena arena = ARENA_INIT(65536);
    struct ul_associate rq;
    ul_associate_init(&rq, "FUZZ", "PEER");
    FUZZ_CHECK(ul_negotiate_propose_one(SLICE_LIT("1.2.840.10008.1.1"), &arena, &rq) == OK);
    FUZZ_CHECK(ul_negotiate_propose_one(SLICE_LIT("1.2.840.10008.5.1.4.1.1.2"), &arena, &rq) == OK);
    struct ul_assoc *a = ul_assoc_new_requestor(&timers, &rq, 0, NULL);
    FUZZ_CHECK(a != NULL);
    arena_fini(&arena);
    return a;
}

static void on_request(struct run *r, const struct ul_associate *rq) {
    static const struct ul_policy policy = {.rights = 15, .private_storage = true};
    struct arena arena = ARENA_INIT(UL_ARENA_BYTES_MAX);
    struct ul_associate ac;
    struct ul_refusal why;
    if (!ul_negotiate_precheck(rq, &why))
        ul_assoc_reject(r->a, why, r->now_ms);
    else if (ul_negotiate_accept(rq, &policy, &arena, &ac, NULL) != OK ||
             ul_assoc_accept(r->a, &ac, r->now_ms, NULL) != OK)
        ul_assoc_abort(r->a, ERR_LIMIT, "cannot accept", r->now_ms);
    arena_fini(&arena);
}

static void on_command(struct run *r, const struct ul_assoc_event *ev) {
    FUZZ_CHECK(!r->in_data && ul_assoc_context(r->a, ev->context));
    r->in_data = dimse_has_data_set(ev->command);
    struct dimse_command rsp = dimse_response(ev->command, DIMSE_SUCCESS);
    (void)ul_assoc_send_command(r->a, ev->context, &rsp, NULL);
}

static void on_data(struct run *r, const struct ul_assoc_event *ev) {
    FUZZ_CHECK(r->in_data);
    if (ev->data.n)
        FUZZ_CHECK(ev->data.p >= r->fed.p && ev->data.p + ev->data.n <= r->fed.p + r->fed.n);
    r->in_data = !ev->last;
}

static void handle(struct run *r, const struct ul_assoc_event *ev) {
    FUZZ_CHECK(!r->over);
    switch (ev->kind) {
    case UL_EV_ASSOCIATE_RQ:
        on_request(r, ev->associate);
        break;
    case UL_EV_ASSOCIATED:
        break;
    case UL_EV_COMMAND:
        on_command(r, ev);
        break;
    case UL_EV_DATA:
        on_data(r, ev);
        break;
    case UL_EV_RELEASE_RQ:
        ul_assoc_release_reply(r->a, r->now_ms);
        break;
    case UL_EV_REJECTED:
    case UL_EV_RELEASED:
    case UL_EV_ABORTED:
    case UL_EV_CLOSED:
        r->over = true;
        break;
    case UL_EV_NONE:
        abort();
    }
}

static void drain(struct run *r) {
    struct ul_assoc_event ev;
    while (ul_assoc_next(r->a, &ev))
        handle(r, &ev);
    FUZZ_CHECK(ul_assoc_unread(r->a) == 0);
    ul_assoc_sent(r->a, ul_assoc_output(r->a).n, r->now_ms);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n) {
    if (n == 0)
        return 0;
    struct run r = {.a = data[0] & 1 ? requestor() : ul_assoc_new_acceptor(&timers, 0)};
    size_t grain = data[0] & 2 ? 1 + (size_t)(data[0] >> 2) : n;
    FUZZ_CHECK(r.a != NULL);
    for (size_t at = 1; at < n; at += r.fed.n) {
        r.fed = slice_of(data + at, n - at < grain ? n - at : grain);
        r.now_ms += 1;
        ul_assoc_feed(r.a, r.fed, r.now_ms);
        drain(&r);
    }
    ul_assoc_eof(r.a, r.now_ms);
    drain(&r);
    ul_assoc_tick(r.a, r.now_ms + 1000000);
    drain(&r);
    FUZZ_CHECK(ul_assoc_closed(r.a));
    ul_assoc_free(r.a);
    return 0;
}
