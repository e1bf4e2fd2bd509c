// PS3.8 Table 9-10, typed in a second time, against the table the build makes, and the engine against
// the table: every PDU in every state.
#include "ul_test.h"

#include "ul/assoc_int.h"

static const char *const table[EVT_COUNT_] = {
    //         Sta1  Sta2 Sta3 Sta4 Sta5 Sta6 Sta7 Sta8 Sta9 Sta10 Sta11 Sta12 Sta13
    /* 1 */  "AE-1  -    -    -    -    -    -    -    -    -     -     -     -",
    /* 2 */  "-     -    -    AE-2 -    -    -    -    -    -     -     -     -",
    /* 3 */  "-     AA-1 AA-8 -    AE-3 AA-8 AA-8 AA-8 AA-8 AA-8  AA-8  AA-8  AA-6",
    /* 4 */  "-     AA-1 AA-8 -    AE-4 AA-8 AA-8 AA-8 AA-8 AA-8  AA-8  AA-8  AA-6",
    /* 5 */  "AE-5  -    -    -    -    -    -    -    -    -     -     -     -",
    /* 6 */  "-     AE-6 AA-8 -    AA-8 AA-8 AA-8 AA-8 AA-8 AA-8  AA-8  AA-8  AA-7",
    /* 7 */  "-     -    AE-7 -    -    -    -    -    -    -     -     -     -",
    /* 8 */  "-     -    AE-8 -    -    -    -    -    -    -     -     -     -",
    /* 9 */  "-     -    -    -    -    DT-1 -    AR-7 -    -     -     -     -",
    /* 10 */ "-     AA-1 AA-8 -    AA-8 DT-2 AR-6 AA-8 AA-8 AA-8  AA-8  AA-8  AA-6",
    /* 11 */ "-     -    -    -    -    AR-1 -    -    -    -     -     -     -",
    /* 12 */ "-     AA-1 AA-8 -    AA-8 AR-2 AR-8 AA-8 AA-8 AA-8  AA-8  AA-8  AA-6",
    /* 13 */ "-     AA-1 AA-8 -    AA-8 AA-8 AR-3 AA-8 AA-8 AR-10 AR-3  AA-8  AA-6",
    /* 14 */ "-     -    -    -    -    -    -    AR-4 AR-9 -     -     AR-4  -",
    /* 15 */ "-     -    AA-1 AA-2 AA-1 AA-1 AA-1 AA-1 AA-1 AA-1  AA-1  AA-1  -",
    /* 16 */ "-     AA-2 AA-3 -    AA-3 AA-3 AA-3 AA-3 AA-3 AA-3  AA-3  AA-3  AA-2",
    /* 17 */ "-     AA-5 AA-4 AA-4 AA-4 AA-4 AA-4 AA-4 AA-4 AA-4  AA-4  AA-4  AR-5",
    /* 18 */ "-     AA-2 -    -    -    -    -    -    -    -     -     -     AA-2",
    /* 19 */ "-     AA-1 AA-8 -    AA-8 AA-8 AA-8 AA-8 AA-8 AA-8  AA-8  AA-8  AA-7",
};

static const char *cell(int event, int state, char word[8]) {
    const char *p = table[event - 1];
    for (int i = 1; i < state; i++) {
        p += strcspn(p, " ");
        p += strspn(p, " ");
    }
    snprintf(word, 8, "%.*s", (int)strcspn(p, " "), p);
    return word;
}

static void every_cell(void **state) {
    (void)state;
    for (int event = 1; event <= EVT_COUNT_; event++)
        for (int sta = 1; sta <= STA_COUNT_; sta++) {
            char word[8];
            struct ul_step s = std_ul_step((enum ul_state)sta, (enum ul_event)event);
            const char *ours = s.action == UL_ACTION_NONE ? "-" : std_ul_action_name(s.action);
            if (strcmp(ours, cell(event, sta, word)) != 0)
                fail_msg("event %d in Sta%d: %s, the standard has %s", event, sta, ours, word);
        }
}

// What arrives, and the event it is.
static const struct {
    int event;
    const char *hex;
} arrivals[] = {
    {EVT_3, "0200000000ff"},
    {EVT_4, "03000000000400010107"},
    {EVT_6, "0100000000ff"},
    {EVT_10, "0400000000080000000401020000"},
    {EVT_12, "05000000000400000000"},
    {EVT_13, "06000000000400000000"},
    {EVT_16, "07000000000400000000"},
    {EVT_19, "090000000000"},
    {EVT_19, "050000000005"},
};

static struct ul_assoc *engine_in(enum ul_state state) {
    struct ul_timers t = test_timers();
    struct ul_assoc *a = accepted_echo();
    if (state == STA_5) {
        struct ul_associate rq;
        struct arena arena = ARENA_INIT(65536);
        ul_associate_init(&rq, "ME", "YOU");
        assert_int_equal(ul_negotiate_propose_one(SLICE_LIT("1.2.840.10008.1.1"), &arena, &rq), OK);
        ul_assoc_free(a);
        a = ul_assoc_new_requestor(&t, &rq, 0, NULL);
        ul_assoc_sent(a, ul_assoc_output(a).n, 0);
        arena_fini(&arena);
    }
    a->state = state;
    a->in_data = true; // so that a data fragment is in place where P-DATA is
    a->message_context = 1;
    return a;
}

struct outcome {
    const char *action;
    int abort_source;   // of an abort sent; -1: none
    enum ul_event_kind event;
    bool closed;
    int next;           // 0: stays, or not looked at
};

static const struct outcome outcomes[] = {
    {"AA-1", 0, UL_EV_ABORTED, false, STA_13},  {"AA-2", -1, UL_EV_NONE, true, STA_1},
    {"AA-3", -1, UL_EV_ABORTED, true, STA_1},   {"AA-6", -1, UL_EV_NONE, false, STA_13},
    {"AA-7", 2, UL_EV_NONE, false, STA_13},     {"AA-8", 2, UL_EV_ABORTED, false, STA_13},
    {"AE-4", -1, UL_EV_REJECTED, true, STA_1},  {"AR-2", -1, UL_EV_RELEASE_RQ, false, STA_8},
    {"AR-3", -1, UL_EV_RELEASED, true, STA_1},  {"AR-8", -1, UL_EV_RELEASE_RQ, false, STA_10},
    {"AR-10", -1, UL_EV_NONE, false, STA_12},   {"AE-3", -1, UL_EV_NONE, false, STA_5},
    {"AE-6", -1, UL_EV_NONE, false, STA_2},     {"DT-2", -1, UL_EV_DATA, false, STA_6},
    {"AR-6", -1, UL_EV_DATA, false, STA_7},
};

static void check(const struct outcome *o, int sta, size_t arrival) {
    uint8_t raw[64];
    struct ul_assoc *a = engine_in((enum ul_state)sta);
    struct ul_assoc_event ev = {.kind = UL_EV_NONE};
    ul_assoc_feed(a, slice_of(raw, unhex(arrivals[arrival].hex, raw, sizeof raw)), 0);
    bool got = ul_assoc_next(a, &ev);
    struct slice out = ul_assoc_output(a);
    int source = out.n == 10 && out.p[0] == UL_PDU_ABORT ? out.p[8] : -1;
    bool right = (got ? ev.kind : UL_EV_NONE) == o->event && source == o->abort_source &&
                 ul_assoc_closed(a) == o->closed && (int)a->state == o->next;
    if (!right)
        fail_msg("arrival %zu in Sta%d (%s): event %d, abort source %d, closed %d, Sta%d", arrival, sta,
                 o->action, got ? (int)ev.kind : 0, source, ul_assoc_closed(a), (int)a->state);
    assert_false(ul_assoc_next(a, &ev) && ev.kind != UL_EV_DATA);
    ul_assoc_free(a);
}

static void every_pdu_in_every_state(void **state) {
    (void)state;
    for (int sta = STA_2; sta <= STA_13; sta++) {
        if (sta == STA_4)
            continue; // the transport is not open yet: nothing can arrive
        for (size_t i = 0; i < sizeof arrivals / sizeof *arrivals; i++) {
            char word[8];
            const struct outcome *o = NULL;
            cell(arrivals[i].event, sta, word);
            for (size_t k = 0; k < sizeof outcomes / sizeof *outcomes; k++)
                if (strcmp(outcomes[k].action, word) == 0)
                    o = &outcomes[k];
            assert_non_null(o);
            check(o, sta, i);
        }
    }
}

static void transport_closed_in_every_state(void **state) {
    (void)state;
    for (int sta = STA_2; sta <= STA_13; sta++) {
        if (sta == STA_4)
            continue;
        struct ul_assoc *a = engine_in((enum ul_state)sta);
        struct ul_assoc_event ev;
        ul_assoc_eof(a, 5);
        bool got = ul_assoc_next(a, &ev);
        assert_int_equal(got, sta != STA_13);
        if (got)
            assert_int_equal(ev.kind, UL_EV_CLOSED);
        assert_true(ul_assoc_closed(a));
        assert_false(ul_assoc_next(a, &ev));
        assert_int_equal(ul_assoc_output(a).n, 0);
        ul_assoc_free(a);
    }
}

static void our_abort_in_every_state(void **state) {
    (void)state;
    for (int sta = STA_2; sta <= STA_13; sta++) {
        if (sta == STA_4)
            continue;
        struct ul_assoc *a = engine_in((enum ul_state)sta);
        struct ul_assoc_event ev;
        ul_assoc_abort(a, ERR_BUSY, "because", 5);
        assert_int_equal(ul_assoc_output(a).n, sta == STA_13 ? 0 : 10);
        assert_int_equal(ul_assoc_next(a, &ev), sta != STA_13);
        assert_int_equal(a->state, STA_13);
        if (sta != STA_13)
            assert_int_equal(ul_assoc_deadline(a), 5 + 30000);
        ul_assoc_free(a);
    }
}

// A peer that goes on sending nonsense gets two aborts and no more.
static void nonsense_for_ever(void **state) {
    (void)state;
    struct ul_assoc *a = accepted_echo();
    uint8_t raw[4096];
    memset(raw, 1, sizeof raw);
    for (int i = 0; i < 1000; i++) {
        struct ul_assoc_event ev;
        ul_assoc_feed(a, slice_of(raw, sizeof raw), i);
        while (ul_assoc_next(a, &ev))
            ;
        assert_int_equal(ul_assoc_unread(a), 0);
    }
    assert_true(ul_assoc_output(a).n <= 20);
    ul_assoc_tick(a, 1000000);
    assert_true(ul_assoc_closed(a));
    ul_assoc_free(a);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_cell),
        cmocka_unit_test(every_pdu_in_every_state),
        cmocka_unit_test(transport_closed_in_every_state),
        cmocka_unit_test(our_abort_in_every_state),
        cmocka_unit_test(nonsense_for_ever),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
