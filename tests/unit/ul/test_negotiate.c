// Policy: what is accepted with which rights, which transfer syntax, roles, extended items; and what we
// propose ourselves.
#include "ul_test.h"

#include "std/uid.h"

#define CT "1.2.840.10008.5.1.4.1.1.2"
#define FIND "1.2.840.10008.5.1.4.1.2.2.1"
#define GET "1.2.840.10008.5.1.4.1.2.2.3"
#define CSA "1.3.12.2.1107.5.9.1"
#define PRIVATE "1.2.826.0.1.3680043.10.999.1"
enum { ALL = UL_MAY_ECHO | UL_MAY_STORE | UL_MAY_QUERY | UL_MAY_RETRIEVE };

static struct ul_associate answer(const char *abstract, const char *const *transfers, size_t count,
                                  const struct ul_role *role, const struct ul_policy *p,
                                  struct arena *arena) {
    struct ul_associate rq, ac;
    ul_associate_init(&rq, "A", "B");
    rq.contexts = arena_alloc(arena, sizeof *rq.contexts);
    rq.context_count = 1;
    *rq.contexts = (struct ul_context){.id = 1, .abstract = slice_str(abstract), .transfer_count = count};
    rq.contexts->transfers = arena_calloc(arena, count + 1, sizeof(struct slice));
    for (size_t i = 0; i < count; i++)
        rq.contexts->transfers[i] = slice_str(transfers[i]);
    if (role) {
        rq.roles = arena_alloc(arena, sizeof *rq.roles);
        *rq.roles = *role;
        rq.role_count = 1;
    }
    assert_int_equal(ul_negotiate_accept(&rq, p, arena, &ac, NULL), OK);
    assert_int_equal(ac.context_count, 1);
    return ac;
}

static void results(void **state) {
    (void)state;
    static const struct {
        const char *name, *abstract, *transfers[4];
        unsigned rights;
        uint8_t result;
        const char *transfer;
    } cases[] = {
        {"echo", UID_Verification, {"1.2.840.10008.1.2"}, ALL, 0, "1.2.840.10008.1.2"},
        {"echo without the right", UID_Verification, {"1.2.840.10008.1.2"}, UL_MAY_STORE, 1, NULL},
        {"CT, the proposer's first",
         CT,
         {"1.2.840.10008.1.2.4.70", "1.2.840.10008.1.2.1"},
         ALL,
         0,
         "1.2.840.10008.1.2.4.70"},
        {"CT, an unknown syntax passed over",
         CT,
         {"1.2.3", "1.2.840.10008.1.2.2"},
         ALL,
         0,
         "1.2.840.10008.1.2.2"},
        {"CT, implicit before explicit if so proposed",
         CT,
         {"1.2.840.10008.1.2", "1.2.840.10008.1.2.1"},
         ALL,
         0,
         "1.2.840.10008.1.2"},
        {"CT, nothing known", CT, {"1.2.3"}, ALL, 4, NULL},
        {"CT, SMPTE stream", CT, {"1.2.840.10008.1.2.7.1"}, ALL, 4, NULL},
        {"CT, no right", CT, {"1.2.840.10008.1.2"}, UL_MAY_ECHO | UL_MAY_QUERY, 1, NULL},
        {"find", FIND, {"1.2.840.10008.1.2", "1.2.840.10008.1.2.1"}, ALL, 0, "1.2.840.10008.1.2.1"},
        {"find, only compressed", FIND, {"1.2.840.10008.1.2.4.70"}, ALL, 4, NULL},
        {"find, store only", FIND, {"1.2.840.10008.1.2"}, UL_MAY_ECHO | UL_MAY_STORE, 1, NULL},
        {"get, query only", GET, {"1.2.840.10008.1.2"}, UL_MAY_QUERY, 1, NULL},
        {"get", GET, {"1.2.840.10008.1.2"}, UL_MAY_RETRIEVE, 0, "1.2.840.10008.1.2"},
        {"print", "1.2.840.10008.5.1.1.1", {"1.2.840.10008.1.2"}, ALL, 3, NULL},
        {"private", PRIVATE, {"1.2.840.10008.1.2"}, ALL, 3, NULL},
        {"of a manufacturer that is known", CSA, {"1.2.840.10008.1.2"}, ALL, 0, "1.2.840.10008.1.2"},
        {"of a manufacturer, no right", CSA, {"1.2.840.10008.1.2"}, UL_MAY_QUERY, 1, NULL},
        {"no class at all", "1.2.3.4.5", {"1.2.840.10008.1.2"}, ALL, 3, NULL},
        {"retired class", "1.2.840.10008.5.1.4.1.1.3", {"1.2.840.10008.1.2"}, ALL, 0, "1.2.840.10008.1.2"},
        {"media directory", "1.2.840.10008.1.3.10", {"1.2.840.10008.1.2"}, ALL, 3, NULL},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct arena arena = ARENA_INIT(65536);
        size_t n = 0;
        while (n < 4 && cases[i].transfers[n])
            n++;
        const struct ul_policy p = {.rights = cases[i].rights};
        struct ul_associate ac = answer(cases[i].abstract, cases[i].transfers, n, NULL, &p, &arena);
        if (ac.contexts->result != cases[i].result)
            fail_msg("%s: result %u", cases[i].name, ac.contexts->result);
        assert_int_equal(ac.contexts->transfer_count, cases[i].transfer ? 1 : 0);
        if (cases[i].transfer)
            assert_true(slice_eq_str(ac.contexts->transfers[0], cases[i].transfer));
        arena_fini(&arena);
    }
}

// Every storage class of the standard with every transfer syntax of a data set.
static void all_of_the_standard(void **state) {
    (void)state;
    const struct ul_policy p = {.rights = UL_MAY_STORE};
    size_t classes = 0, syntaxes = 0;
    for (size_t i = 0; i < std_sop_count(); i++) {
        struct arena arena = ARENA_INIT(65536);
        const char *transfer = "1.2.840.10008.1.2";
        struct ul_associate ac = answer(std_sop_at(i)->uid, &transfer, 1, NULL, &p, &arena);
        assert_int_equal(ac.contexts->result == 0, std_sop_is_storage(std_sop_at(i)));
        classes += ac.contexts->result == 0;
        arena_fini(&arena);
    }
    for (size_t i = 0; i < std_ts_count(); i++) {
        struct arena arena = ARENA_INIT(65536);
        struct ul_associate ac = answer(CT, &std_ts_at(i)->uid, 1, NULL, &p, &arena);
        syntaxes += ac.contexts->result == 0;
        arena_fini(&arena);
    }
    assert_true(classes > 150);
    assert_true(syntaxes > 40);
}

static void private_and_retired(void **state) {
    (void)state;
    struct slice listed[1] = {SLICE_LIT(PRIVATE)};
    const struct {
        struct ul_policy p;
        const char *abstract;
        uint8_t result;
    } cases[] = {
        {{.rights = ALL, .private_storage = true}, PRIVATE, 0},
        {{.rights = ALL, .private_storage = true, .private_classes = listed, .private_class_count = 1},
         PRIVATE,
         0},
        {{.rights = ALL, .private_storage = true, .private_classes = listed, .private_class_count = 1},
         "1.2.3",
         3},
        {{.rights = ALL, .no_retired = true}, "1.2.840.10008.5.1.4.1.1.3", 3},
        {{.rights = ALL, .private_storage = true}, "1.2.840.10008.5.1.1.1", 3},
    };
    const char *transfer = "1.2.840.10008.1.2";
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct arena arena = ARENA_INIT(65536);
        assert_int_equal(answer(cases[i].abstract, &transfer, 1, NULL, &cases[i].p, &arena).contexts->result,
                         cases[i].result);
        arena_fini(&arena);
    }
}

static void roles(void **state) {
    (void)state;
    static const struct {
        const char *abstract;
        bool scu, scp;
        unsigned rights;
        uint8_t result;
        bool got_scu, got_scp;
    } cases[] = {
        {CT, true, true, ALL, 0, true, true},
        {CT, false, true, ALL, 0, false, true},
        {CT, false, true, UL_MAY_RETRIEVE, 0, false, true},
        {CT, true, true, UL_MAY_RETRIEVE, 0, false, true},
        {CT, true, true, UL_MAY_STORE, 0, true, false},
        {CT, false, true, UL_MAY_STORE, 1, false, false},
        {CT, false, false, ALL, 1, false, false},
        {FIND, true, true, ALL, 0, true, false},
        {FIND, false, true, ALL, 1, false, false},
    };
    const char *transfer = "1.2.840.10008.1.2";
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct arena arena = ARENA_INIT(65536);
        struct ul_role role = {slice_str(cases[i].abstract), cases[i].scu, cases[i].scp};
        const struct ul_policy p = {.rights = cases[i].rights};
        struct ul_associate ac = answer(cases[i].abstract, &transfer, 1, &role, &p, &arena);
        if (ac.contexts->result != cases[i].result)
            fail_msg("case %zu: result %u", i, ac.contexts->result);
        assert_int_equal(ac.role_count, cases[i].result == 0);
        if (ac.role_count) {
            assert_int_equal(ac.roles->scu, cases[i].got_scu);
            assert_int_equal(ac.roles->scp, cases[i].got_scp);
        }
        arena_fini(&arena);
    }
}

static void extended_and_the_rest(void **state) {
    (void)state;
    struct arena arena = ARENA_INIT(65536);
    struct ul_associate rq, ac;
    ul_associate_init(&rq, "CALLER", "CALLED");
    assert_int_equal(ul_negotiate_propose_one(SLICE_LIT(FIND), &arena, &rq), OK);
    assert_int_equal(ul_negotiate_propose_one(SLICE_LIT(GET), &arena, &rq), OK);
    struct ul_extended x[3] = {
        {SLICE_LIT(FIND), SLICE_LIT("\1\0\1\1\1\1\1\1\1")},
        {SLICE_LIT(GET), SLICE_LIT("\1\1")},
        {SLICE_LIT("1.2.3"), SLICE_LIT("\1")},
    };
    rq.extended = x;
    rq.extended_count = 3;
    rq.has_async = true;
    rq.async_invoked = rq.async_performed = 0;
    rq.identity = (struct ul_identity){UL_IDENTITY_USERNAME, true, SLICE_LIT("u"), {NULL, 0}};
    struct ul_policy p = {.rights = ALL, .identity_accepted = true, .max_pdu = 40000};
    assert_int_equal(ul_negotiate_accept(&rq, &p, &arena, &ac, NULL), OK);
    assert_int_equal(ac.extended_count, 2);
    // No zones, no frame conversion; 7 bytes at most.
    assert_true(slice_eq(ac.extended[0].info, SLICE_LIT("\1\0\1\0\0\1\1")));
    assert_true(slice_eq(ac.extended[1].info, SLICE_LIT("\1\0")));
    assert_int_equal(ac.async_invoked, 1);
    assert_int_equal(ac.async_performed, 1);
    assert_true(ac.has_identity_response);
    assert_int_equal(ac.max_pdu, 40000);
    assert_string_equal(ac.calling, "CALLER");
    assert_string_equal(ac.called, "CALLED");
    struct ul_query_options o = ul_query_options_decode(ac.extended[0].info);
    assert_true(o.relational && !o.datetime && o.fuzzy && !o.timezone && o.empty_value && o.multiple_value);
    o = ul_query_options_decode((struct slice){NULL, 0});
    assert_false(o.relational || o.datetime || o.fuzzy || o.timezone || o.empty_value || o.multiple_value);
    rq.identity.want_response = false;
    rq.has_async = false;
    assert_int_equal(ul_negotiate_accept(&rq, &p, &arena, &ac, NULL), OK);
    assert_false(ac.has_identity_response);
    assert_false(ac.has_async);
    arena_fini(&arena);
}

static void precheck(void **state) {
    (void)state;
    struct ul_associate rq;
    struct ul_refusal why;
    ul_associate_init(&rq, "A", "B");
    assert_true(ul_negotiate_precheck(&rq, &why));
    rq.version = 3; // a later version as well
    assert_true(ul_negotiate_precheck(&rq, &why));
    rq.version = 2;
    assert_false(ul_negotiate_precheck(&rq, &why));
    assert_true(why.source == 2 && why.reason == 2);
    rq.version = 1;
    rq.calling[0] = 0;
    assert_false(ul_negotiate_precheck(&rq, &why));
    assert_true(why.source == 1 && why.reason == UL_REJECT_CALLING_AE);
    rq.called[0] = 0;
    assert_false(ul_negotiate_precheck(&rq, &why));
    assert_int_equal(why.reason, UL_REJECT_CALLED_AE);
    rq.application_context = SLICE_LIT("1.2");
    assert_false(ul_negotiate_precheck(&rq, &why));
    assert_int_equal(why.reason, UL_REJECT_APPLICATION_CONTEXT);
}

static void proposals(void **state) {
    (void)state;
    struct arena arena = ARENA_INIT(1 << 20);
    struct ul_associate rq;
    size_t left_out = 9;
    const struct ul_pair pairs[] = {
        {SLICE_LIT(CT), SLICE_LIT("1.2.840.10008.1.2.1")},
        {SLICE_LIT(CT), SLICE_LIT("1.2.840.10008.1.2.4.70")},
        {SLICE_LIT(CT), SLICE_LIT("1.2.840.10008.1.2.1")},
        {SLICE_LIT("1.2.840.10008.5.1.4.1.1.4"), SLICE_LIT("1.2.840.10008.1.2.4.90")},
    };
    ul_associate_init(&rq, "A", "B");
    assert_int_equal(ul_negotiate_propose(pairs, 4, &arena, &rq, &left_out), OK);
    assert_int_equal(left_out, 0);
    static const struct {
        const char *abstract, *transfers[2];
    } expected[] = {
        {CT, {"1.2.840.10008.1.2.1"}}, // each stored syntax alone …
        {CT, {"1.2.840.10008.1.2.4.70"}},
        {"1.2.840.10008.5.1.4.1.1.4", {"1.2.840.10008.1.2.4.90"}},
        {CT, {"1.2.840.10008.1.2"}}, // … then what can always be offered
        {"1.2.840.10008.5.1.4.1.1.4", {"1.2.840.10008.1.2.1", "1.2.840.10008.1.2"}},
    };
    assert_int_equal(rq.context_count, sizeof expected / sizeof *expected);
    for (size_t i = 0; i < rq.context_count; i++) {
        const struct ul_context *c = &rq.contexts[i];
        assert_int_equal(c->id, 2 * i + 1);
        assert_true(slice_eq_str(c->abstract, expected[i].abstract));
        assert_int_equal(c->transfer_count, expected[i].transfers[1] ? 2 : 1);
        for (size_t k = 0; k < c->transfer_count; k++)
            assert_true(slice_eq_str(c->transfers[k], expected[i].transfers[k]));
    }

    struct ul_pair many[140];
    char uid[140][32];
    for (size_t i = 0; i < 140; i++) {
        snprintf(uid[i], sizeof uid[i], "1.2.3.%zu", i);
        many[i] = (struct ul_pair){slice_str(uid[i]), SLICE_LIT("1.2.840.10008.1.2.4.70")};
    }
    ul_associate_init(&rq, "A", "B");
    assert_int_equal(ul_negotiate_propose(many, 140, &arena, &rq, &left_out), OK);
    assert_int_equal(rq.context_count, 128);
    assert_int_equal(rq.contexts[127].id, 255);
    assert_int_equal(left_out, 12);
    assert_int_equal(ul_negotiate_propose_one(SLICE_LIT("1.2"), &arena, &rq), ERR_LIMIT);
    arena_fini(&arena);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(results),
        cmocka_unit_test(all_of_the_standard),
        cmocka_unit_test(private_and_retired),
        cmocka_unit_test(roles),
        cmocka_unit_test(extended_and_the_rest),
        cmocka_unit_test(precheck),
        cmocka_unit_test(proposals),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
