// The engine from end to end: two of them joined, messages in every fragmentation, limits, timers.
#include "ul_test.h"

#define ECHO_CLASS "1.2.840.10008.1.1"

// Carries everything from one end to the other, `step` bytes at a time; the last event is kept.
struct ends {
    struct ul_assoc *rq, *ac;
};

static bool move_bytes(struct ul_assoc *from, struct ul_assoc *to, size_t step, uint8_t *carrier) {
    struct slice out = slice_sub(ul_assoc_output(from), 0, step);
    if (out.n == 0 || ul_assoc_unread(to))
        return false;
    memcpy(carrier, out.p, out.n);
    ul_assoc_feed(to, slice_of(carrier, out.n), 0);
    ul_assoc_sent(from, out.n, 0);
    return true;
}

static struct ul_assoc *requestor(const struct ul_associate *rq) {
    struct ul_timers t = test_timers();
    struct fault f = {OK, ""};
    struct ul_assoc *a = ul_assoc_new_requestor(&t, rq, 0, &f);
    assert_non_null(a);
    return a;
}

static struct ends establish(unsigned rights, uint32_t their_max, uint32_t our_max) {
    struct arena arena = ARENA_INIT(1 << 20);
    struct ul_timers t = test_timers();
    struct ul_associate rq, ac;
    struct fault f = {OK, ""};
    struct ul_assoc_event ev;
    uint8_t carrier[4096];
    ul_associate_init(&rq, "MODALITY", "GALENA");
    rq.max_pdu = their_max;
    assert_int_equal(ul_negotiate_propose_one(SLICE_LIT(ECHO_CLASS), &arena, &rq), OK);
    assert_int_equal(ul_negotiate_propose_one(SLICE_LIT("1.2.840.10008.5.1.4.1.1.2"), &arena, &rq), OK);
    struct ends e = {requestor(&rq), ul_assoc_new_acceptor(&t, 0)};
    for (;;) {
        bool moved = move_bytes(e.rq, e.ac, 7, carrier);
        if (ul_assoc_next(e.ac, &ev))
            break;
        assert_true(moved);
    }
    assert_int_equal(ev.kind, UL_EV_ASSOCIATE_RQ);
    assert_string_equal(ev.associate->calling, "MODALITY");
    const struct ul_policy policy = {.rights = rights, .max_pdu = our_max};
    assert_int_equal(ul_negotiate_accept(ev.associate, &policy, &arena, &ac, &f), OK);
    assert_int_equal(ul_assoc_accept(e.ac, &ac, 0, &f), OK);
    while (move_bytes(e.ac, e.rq, 11, carrier) && !ul_assoc_next(e.rq, &ev))
        ;
    assert_int_equal(ev.kind, UL_EV_ASSOCIATED);
    assert_true(ul_assoc_established(e.rq) && ul_assoc_established(e.ac));
    arena_fini(&arena);
    return e;
}

static void ends_free(struct ends *e) {
    ul_assoc_free(e->rq);
    ul_assoc_free(e->ac);
}

static void contexts_known_to_both(void **state) {
    (void)state;
    struct ends e = establish(UL_MAY_ECHO | UL_MAY_STORE, 0, 0);
    const struct ul_agreed *g = ul_assoc_find(e.rq, ECHO_CLASS, NULL);
    assert_non_null(g);
    assert_true(g->we_are_scu);
    assert_false(g->we_are_scp);
    assert_string_equal(g->transfer, "1.2.840.10008.1.2.1");
    g = ul_assoc_context(e.ac, g->id);
    assert_true(g->we_are_scp);
    assert_false(g->we_are_scu);
    assert_null(ul_assoc_context(e.ac, 5));
    assert_int_equal(ul_assoc_context_after(e.ac, 0)->id, 1);
    assert_int_equal(ul_assoc_context_after(e.ac, 1)->id, 3);
    assert_null(ul_assoc_context_after(e.ac, 3));
    assert_null(ul_assoc_find(e.ac, ECHO_CLASS, "1.2.840.10008.1.2"));
    ends_free(&e);
}

// A command and a data set of `bytes` over every grain of arrival, with a peer's maximum of `max`.
static void transfer(uint32_t max, size_t bytes, size_t grain) {
    struct ends e = establish(UL_MAY_STORE, 0, max);
    struct dimse_command c = {.field = DIMSE_C_STORE_RQ, .has = DIMSE_HAS_MESSAGE_ID, .message_id = 9,
                              .data_set_type = DIMSE_DATA_SET};
    dimse_command_set_uid(&c, DIMSE_HAS_AFFECTED_CLASS, SLICE_LIT("1.2.840.10008.5.1.4.1.1.2"));
    dimse_command_set_uid(&c, DIMSE_HAS_AFFECTED_INSTANCE, SLICE_LIT("1.2.3.4"));
    uint8_t *data = malloc(bytes + 1), *carrier = malloc(grain);
    for (size_t i = 0; i < bytes; i++)
        data[i] = (uint8_t)(i * 7);
    assert_int_equal(ul_assoc_send_command(e.rq, 3, &c, NULL), OK);
    assert_int_equal(ul_assoc_send_data(e.rq, 3, slice_of(data, bytes), true, NULL), OK);
    size_t got = 0;
    bool command = false, last = false;
    do {
        struct ul_assoc_event ev;
        while (ul_assoc_next(e.ac, &ev)) {
            assert_int_equal(ev.context, 3);
            if (ev.kind == UL_EV_COMMAND) {
                assert_false(command);
                command = true;
                assert_int_equal(ev.command->message_id, 9);
                continue;
            }
            assert_int_equal(ev.kind, UL_EV_DATA);
            assert_true(command && !last && got + ev.data.n <= bytes);
            assert_memory_equal(data + got, ev.data.n ? ev.data.p : data, ev.data.n);
            got += ev.data.n;
            last = ev.last;
        }
    } while (move_bytes(e.rq, e.ac, grain, carrier));
    assert_int_equal(got, bytes);
    assert_true(last);
    free(data);
    free(carrier);
    ends_free(&e);
}

static void messages_in_all_grains(void **state) {
    (void)state;
    static const size_t grains[] = {1, 2, 5, 6, 7, 12, 13, 100, 4096, 1 << 20};
    static const size_t sizes[] = {0, 1, 121, 122, 123, 244, 5000};
    for (size_t g = 0; g < sizeof grains / sizeof *grains; g++)
        for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++)
            transfer(128, sizes[s], grains[g]);
    transfer(16384, 100000, 8191);
    transfer(131072, 1000000, 200000);
}

// After a good association: what then arrives, and what becomes of it.
static void fragments(void **state) {
    (void)state;
#define ECHO_BODY ECHO_COMMAND_HEX // 68 bytes = 44h
    static const struct {
        const char *name, *hex;
        const char *events;   // C command, D data, L last data, A abort
        uint8_t reason;
    } cases[] = {
        {"a command whole", "0400 0000004a 00000046 0103 " ECHO_BODY, "C", 0},
        {"an empty fragment first", "0400 00000006 00000002 0101 0400 0000004a 00000046 0103 " ECHO_BODY, "C",
         0},
        {"two fragments in one PDU",
         "0400 00000054 00000006 0101 00000000 00000046 0103 0000000004000000"
         "38000000 00000200 12000000 312e322e3834302e31303030382e312e3100 00000001 02000000 3000 00001001"
         " 02000000 0100 00000008 02000000 0101",
         "A", 6},
        {"context not accepted", "0400 0000004a 00000046 0503 " ECHO_BODY, "A", 6},
        {"context even", "0400 0000004a 00000046 0203 " ECHO_BODY, "A", 6},
        {"data without a command", "0400 0000000a 00000006 0102 00000000", "A", 6},
        {"data inside a command", "0400 00000008 00000004 0101 0000 0400 00000008 00000004 0100 0000", "A",
         6},
        {"PDV of 0 bytes", "0400 00000006 00000000 0103", "A", 6},
        {"PDV of 1 byte", "0400 00000006 00000001 0103", "A", 6},
        {"PDV longer than its PDU", "0400 00000008 00000005 0103 0000", "A", 6},
        {"PDV length that wraps round", "0400 00000008 ffffffff 0103 0000", "A", 6},
        {"PDU of 0 bytes", "0400 00000000", "A", 6},
        {"PDU of 5 bytes", "0400 00000005 00000001 01", "A", 6},
        {"stray bytes behind the PDV", "0400 0000004c 00000046 0103 " ECHO_BODY "0000", "CA", 6},
        {"PDU of the agreed maximum", "0400 00020000 00000006 0101 00000000", "", 0},
        {"PDU of the agreed maximum and one", "0400 00020001 00000006 0101 00000000", "A", 6},
        {"PDU of 2^31", "0400 80000000", "A", 6},
        {"PDU of 2^32 - 1", "0400 ffffffff", "A", 6},
        {"unknown PDU", "0800 00000004 00000000", "A", 1},
        {"a second request", "0100 00000044", "A", 2},
        {"a command that is none", "0400 00000008 00000004 0103 0000", "A", 6},
        {"release of 5 bytes", "0500 00000005 0000000000", "A", 6},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct ul_assoc *a = accepted_echo();
        uint8_t raw[1024];
        char seen[16] = "";
        size_t n = 0;
        struct ul_assoc_event ev;
        ul_assoc_feed(a, slice_of(raw, unhex(cases[i].hex, raw, sizeof raw)), 0);
        while (ul_assoc_next(a, &ev) && n < sizeof seen - 1) {
            seen[n++] = ev.kind == UL_EV_COMMAND ? 'C'
                : ev.kind == UL_EV_ABORTED ? 'A' : ev.kind == UL_EV_DATA ? (ev.last ? 'L' : 'D') : '?';
            if (ev.kind == UL_EV_ABORTED) {
                assert_non_null(ev.fault);
                assert_int_equal(ev.refusal.source, UL_ABORT_BY_PROVIDER);
                assert_int_equal(ev.refusal.reason, cases[i].reason);
            }
        }
        if (strcmp(seen, cases[i].events) != 0)
            fail_msg("%s: \"%s\"", cases[i].name, seen);
        struct slice out = ul_assoc_output(a);
        assert_int_equal(out.n, strchr(seen, 'A') ? 10 : 0);
        ul_assoc_free(a);
    }
}

static void command_inside_data_set(void **state) {
    (void)state;
    struct ends e = establish(UL_MAY_STORE | UL_MAY_ECHO, 0, 0);
    struct dimse_command c = {.field = DIMSE_C_STORE_RQ, .has = DIMSE_HAS_MESSAGE_ID, .data_set_type = 0};
    dimse_command_set_uid(&c, DIMSE_HAS_AFFECTED_CLASS, SLICE_LIT("1.2.840.10008.5.1.4.1.1.2"));
    dimse_command_set_uid(&c, DIMSE_HAS_AFFECTED_INSTANCE, SLICE_LIT("1.2.3.4"));
    uint8_t carrier[1024];
    assert_int_equal(ul_assoc_send_command(e.rq, 3, &c, NULL), OK);
    assert_int_equal(ul_assoc_send_data(e.rq, 3, SLICE_LIT("ab"), false, NULL), OK);
    assert_int_equal(ul_assoc_send_command(e.rq, 3, &c, NULL), OK);
    assert_true(move_bytes(e.rq, e.ac, sizeof carrier, carrier));
    struct ul_assoc_event ev;
    assert_true(ul_assoc_next(e.ac, &ev));
    assert_int_equal(ev.kind, UL_EV_COMMAND);
    assert_true(ul_assoc_next(e.ac, &ev));
    assert_int_equal(ev.kind, UL_EV_DATA);
    assert_true(ul_assoc_next(e.ac, &ev));
    assert_int_equal(ev.kind, UL_EV_ABORTED);
    assert_true(ev.ours);
    ends_free(&e);
}

static void command_too_long(void **state) {
    (void)state;
    struct ul_assoc *a = accepted_echo();
    uint8_t *pdu = calloc(1, 12 + 65000);
    ul_pdv_header_encode(1, true, false, 65000, pdu);
    struct ul_assoc_event ev;
    ul_assoc_feed(a, slice_of(pdu, 12 + 65000), 0);
    assert_false(ul_assoc_next(a, &ev));
    ul_assoc_feed(a, slice_of(pdu, 12 + 65000), 0);
    assert_true(ul_assoc_next(a, &ev));
    assert_int_equal(ev.kind, UL_EV_ABORTED);
    assert_int_equal(ev.fault->code, ERR_LIMIT);
    ul_assoc_free(a);
    free(pdu);
}

static void rejection(void **state) {
    (void)state;
    struct ul_timers t = test_timers();
    struct arena arena = ARENA_INIT(65536);
    struct ul_associate rq;
    struct ul_assoc_event ev;
    uint8_t carrier[1024];
    ul_associate_init(&rq, "A", "B");
    assert_int_equal(ul_negotiate_propose_one(SLICE_LIT(ECHO_CLASS), &arena, &rq), OK);
    struct ul_assoc *r = requestor(&rq), *a = ul_assoc_new_acceptor(&t, 0);
    assert_true(move_bytes(r, a, sizeof carrier, carrier));
    assert_true(ul_assoc_next(a, &ev));
    ul_assoc_reject(a, (struct ul_refusal){1, 1, 7}, 10);
    assert_int_equal(ul_assoc_deadline(a), 30010);
    assert_true(move_bytes(a, r, sizeof carrier, carrier));
    assert_true(ul_assoc_next(r, &ev));
    assert_int_equal(ev.kind, UL_EV_REJECTED);
    assert_int_equal(ev.refusal.reason, 7);
    assert_true(ul_assoc_closed(r));
    ul_assoc_eof(a, 20);
    assert_false(ul_assoc_next(a, &ev));
    assert_true(ul_assoc_closed(a));
    ul_assoc_free(a);
    ul_assoc_free(r);
    arena_fini(&arena);
}

static void release(void **state) {
    (void)state;
    struct ends e = establish(UL_MAY_ECHO, 0, 0);
    uint8_t carrier[64];
    struct ul_assoc_event ev;
    ul_assoc_release(e.rq, 0);
    assert_int_not_equal(ul_assoc_send_data(e.rq, 1, SLICE_LIT("x"), true, NULL), OK);
    assert_true(move_bytes(e.rq, e.ac, sizeof carrier, carrier));
    assert_true(ul_assoc_next(e.ac, &ev));
    assert_int_equal(ev.kind, UL_EV_RELEASE_RQ);
    ul_assoc_release_reply(e.ac, 0);
    assert_true(move_bytes(e.ac, e.rq, sizeof carrier, carrier));
    assert_true(ul_assoc_next(e.rq, &ev));
    assert_int_equal(ev.kind, UL_EV_RELEASED);
    assert_true(ul_assoc_closed(e.rq));
    ul_assoc_eof(e.ac, 0);
    assert_false(ul_assoc_next(e.ac, &ev));
    assert_true(ul_assoc_closed(e.ac));
    ends_free(&e);
}

// Both ask at once (PS3.8 9.2.2.2): the requestor answers first.
static void release_collision(void **state) {
    (void)state;
    struct ends e = establish(UL_MAY_ECHO, 0, 0);
    uint8_t to_ac[64], to_rq[64];
    struct ul_assoc_event ev;
    ul_assoc_release(e.rq, 0);
    ul_assoc_release(e.ac, 0);
    assert_true(move_bytes(e.rq, e.ac, sizeof to_ac, to_ac));
    assert_true(move_bytes(e.ac, e.rq, sizeof to_rq, to_rq));
    assert_true(ul_assoc_next(e.ac, &ev));
    assert_int_equal(ev.kind, UL_EV_RELEASE_RQ);
    ul_assoc_release_reply(e.ac, 0); // held back: Sta10 may not answer yet
    assert_int_equal(ul_assoc_output(e.ac).n, 0);
    assert_true(ul_assoc_next(e.rq, &ev));
    ul_assoc_release_reply(e.rq, 0);
    assert_true(move_bytes(e.rq, e.ac, sizeof to_ac, to_ac));
    assert_false(ul_assoc_next(e.ac, &ev));
    assert_int_equal(ul_assoc_output(e.ac).n, 10);
    assert_true(move_bytes(e.ac, e.rq, sizeof to_rq, to_rq));
    assert_true(ul_assoc_next(e.rq, &ev));
    assert_int_equal(ev.kind, UL_EV_RELEASED);
    ends_free(&e);
}

static void timers(void **state) {
    (void)state;
    struct ul_timers t = test_timers();
    struct ul_assoc_event ev;
    struct ul_assoc *a = ul_assoc_new_acceptor(&t, 1000);
    assert_int_equal(ul_assoc_deadline(a), 31000);
    ul_assoc_feed(a, SLICE_LIT("\1"), 30000); // a byte now and then buys no time
    assert_false(ul_assoc_next(a, &ev));
    assert_int_equal(ul_assoc_deadline(a), 31000);
    ul_assoc_tick(a, 30999);
    assert_false(ul_assoc_closed(a));
    ul_assoc_tick(a, 31000);
    assert_true(ul_assoc_next(a, &ev));
    assert_int_equal(ev.fault->code, ERR_TIMEOUT);
    assert_true(ul_assoc_closed(a));
    ul_assoc_free(a);

    a = accepted_echo();
    assert_int_equal(ul_assoc_deadline(a), 60000);
    ul_assoc_feed(a, SLICE_LIT("\4\0\0"), 59000); // half a header is no sign of life
    assert_false(ul_assoc_next(a, &ev));
    ul_assoc_tick(a, 60000);
    assert_true(ul_assoc_next(a, &ev));
    assert_int_equal(ev.kind, UL_EV_ABORTED);
    assert_int_equal(ul_assoc_output(a).p[0], UL_PDU_ABORT);
    ul_assoc_free(a);

    a = accepted_echo();
    uint8_t raw[128];
    size_t n = unhex("0400 0000004a 00000046 0103 " ECHO_COMMAND_HEX, raw, sizeof raw);
    for (int64_t now = 50000; now < 600000; now += 50000) {
        ul_assoc_feed(a, slice_of(raw, n), now);
        assert_true(ul_assoc_next(a, &ev));
        assert_int_equal(ul_assoc_deadline(a), now + 60000 < 600000 ? now + 60000 : 600000);
    }
    ul_assoc_tick(a, 600000);
    assert_true(ul_assoc_next(a, &ev));
    assert_int_equal(ev.kind, UL_EV_ABORTED);
    ul_assoc_free(a);
}

static void wrong_protocol_is_named(void **state) {
    (void)state;
    static const struct {
        const char *bytes;
        size_t n;
        const char *word;
    } cases[] = {
        {"\x16\x03\x01\x02\x00\x01\x00\x01", 8, "TLS"},
        {"GET / HTTP/1.1\r\n", 16, "HTTP"},
        {"\x99\x00\x00\x00\x00\x00", 6, "unknown type 99h"},
    };
    struct ul_timers t = test_timers();
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct ul_assoc *a = ul_assoc_new_acceptor(&t, 0);
        struct ul_assoc_event ev;
        ul_assoc_feed(a, slice_of(cases[i].bytes, cases[i].n), 0);
        assert_true(ul_assoc_next(a, &ev));
        assert_int_equal(ev.kind, UL_EV_ABORTED);
        assert_non_null(strstr(ev.fault->detail, cases[i].word));
        ul_assoc_free(a);
    }
}

// What was announced is what is enforced.
static void our_own_maximum(void **state) {
    (void)state;
    static const struct {
        uint32_t announced, sent;
        bool accepted;
    } cases[] = {{4096, 4096, true}, {4096, 4097, false}, {200000, 200000, true}, {200000, 200001, false}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct ends e = establish(UL_MAY_STORE, 0, cases[i].announced);
        uint8_t pdu[12] = {0};
        struct ul_assoc_event ev;
        ul_pdv_header_encode(3, true, false, cases[i].sent - 6, pdu);
        ul_assoc_feed(e.ac, slice_of(pdu, sizeof pdu), 0);
        assert_int_equal(ul_assoc_next(e.ac, &ev), !cases[i].accepted);
        ends_free(&e);
    }
}

static void answers_nobody_asked_for(void **state) {
    (void)state;
    static const char *const hex[] = { // A-ASSOCIATE-AC: a context never proposed; a syntax never proposed
        "21000019 05000000 40000011 312e322e3834302e31303030382e312e32",
        "2100000e 01000000 40000006 312e322e332e",
        "2100000d 01000000 40000005 312e322e33",
    };
    for (size_t i = 0; i < sizeof hex / sizeof *hex; i++) {
        struct arena arena = ARENA_INIT(65536);
        struct ul_associate rq;
        struct ul_assoc_event ev;
        uint8_t body[256], pdu[512] = {2, 0, 0, 0};
        ul_associate_init(&rq, "A", "B");
        assert_int_equal(ul_negotiate_propose_one(SLICE_LIT(ECHO_CLASS), &arena, &rq), OK);
        struct ul_assoc *a = requestor(&rq);
        size_t n = unhex(hex[i], body, sizeof body);
        memset(pdu + 6, ' ', 68);
        memcpy(pdu + 6 + 68, body, n);
        pdu[5] = (uint8_t)(68 + n);
        ul_assoc_feed(a, slice_of(pdu, 6 + 68 + n), 0);
        assert_true(ul_assoc_next(a, &ev));
        assert_int_equal(ev.kind, UL_EV_ABORTED);
        assert_true(ev.ours);
        ul_assoc_free(a);
        arena_fini(&arena);
    }
}

static void maximum_length(void **state) {
    (void)state;
    static const struct {
        uint32_t max;
        enum err expected;
        size_t pdv;
    } cases[] = {{0, OK, 131066}, {1, ERR_PROTOCOL, 0}, {127, ERR_PROTOCOL, 0}, {128, OK, 122},
                 {129, OK, 122},  {16384, OK, 16378},   {131072, OK, 131066},   {UINT32_MAX, OK, 131066}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct ul_timers t = test_timers();
        struct arena arena = ARENA_INIT(65536);
        struct ul_associate rq, ac;
        struct ul_assoc_event ev;
        struct ul_policy policy = {.rights = UL_MAY_ECHO};
        uint8_t carrier[1024];
        ul_associate_init(&rq, "A", "B");
        rq.max_pdu = cases[i].max;
        assert_int_equal(ul_negotiate_propose_one(SLICE_LIT(ECHO_CLASS), &arena, &rq), OK);
        struct ul_assoc *r = requestor(&rq), *a = ul_assoc_new_acceptor(&t, 0);
        move_bytes(r, a, sizeof carrier, carrier);
        assert_true(ul_assoc_next(a, &ev));
        assert_int_equal(ul_negotiate_accept(ev.associate, &policy, &arena, &ac, NULL), OK);
        assert_int_equal(ul_assoc_accept(a, &ac, 0, NULL), cases[i].expected);
        if (cases[i].expected == OK)
            assert_int_equal(ul_assoc_pdv_max(a), cases[i].pdv);
        ul_assoc_free(a);
        ul_assoc_free(r);
        arena_fini(&arena);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(contexts_known_to_both), cmocka_unit_test(messages_in_all_grains),
        cmocka_unit_test(fragments),              cmocka_unit_test(command_inside_data_set),
        cmocka_unit_test(command_too_long),       cmocka_unit_test(rejection),
        cmocka_unit_test(release),                cmocka_unit_test(release_collision),
        cmocka_unit_test(timers),                 cmocka_unit_test(wrong_protocol_is_named),
        cmocka_unit_test(answers_nobody_asked_for), cmocka_unit_test(maximum_length),
        cmocka_unit_test(our_own_maximum),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
