// Shared by the upper layer's tests: hex to bytes, and two ends that talk to each other.
#ifndef TESTS_UL_TEST_H
#define TESTS_UL_TEST_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "ul/assoc.h"
#include "ul/negotiate.h"

// A P-DATA-TF etc. in hex, blanks ignored.
static inline size_t unhex(const char *hex, uint8_t *dst, size_t cap) {
    size_t n = 0;
    int high = -1;
    for (; *hex; hex++) {
        if (*hex == ' ' || *hex == '\n')
            continue;
        int v = *hex <= '9' ? *hex - '0' : (*hex | 32) - 'a' + 10;
        if (high < 0) {
            high = v;
            continue;
        }
        if (n == cap)
            abort();
        dst[n++] = (uint8_t)(high << 4 | v);
        high = -1;
    }
    return n;
}

// echoscu of DCMTK 3.6.7, proposing Verification with two transfer syntaxes.
#define ECHO_RQ_HEX                                                                                \
    "0100000000e40001000047414c454e41202020202020202020204d4f44414c495459202020202020202000000000" \
    "00000000000000000000000000000000000000000000000000000000"                                     \
    "10000015312e322e3834302e31303030382e332e312e312e31"                                           \
    "200000450100ff0030000011312e322e3834302e31303030382e312e3140000011312e322e3834302e31303030382e312e32" \
    "40000013312e322e3834302e31303030382e312e322e31"                                               \
    "5000003a51000004000040005200001b312e322e3237362e302e373233303031302e332e302e332e362e37"       \
    "5500000f4f464649535f44434d544b5f333637"

// C-ECHO-RQ, message 1, alone in a P-DATA-TF on context 1.
#define ECHO_COMMAND_HEX                                                                           \
    "00000000 04000000 38000000 00000200 12000000 312e322e3834302e31303030382e312e3100 "            \
    "00000001 02000000 3000 00001001 02000000 0100 00000008 02000000 0101"

static inline struct ul_timers test_timers(void) {
    return (struct ul_timers){.artim_ms = 30000, .idle_ms = 60000, .total_ms = 600000};
}

// An acceptor that has accepted the golden request; its answer is taken off the output.
static inline struct ul_assoc *accepted_echo(void) {
    static uint8_t rq[512];
    struct ul_timers t = test_timers();
    struct ul_assoc *a = ul_assoc_new_acceptor(&t, 0);
    struct ul_assoc_event ev;
    struct ul_policy policy = {.rights = UL_MAY_ECHO};
    struct arena arena = ARENA_INIT(65536);
    struct ul_associate ac;
    struct fault f = {OK, ""};
    ul_assoc_feed(a, slice_of(rq, unhex(ECHO_RQ_HEX, rq, sizeof rq)), 0);
    assert_true(ul_assoc_next(a, &ev));
    assert_int_equal(ev.kind, UL_EV_ASSOCIATE_RQ);
    assert_int_equal(ul_negotiate_accept(ev.associate, &policy, &arena, &ac, &f), OK);
    assert_int_equal(ul_assoc_accept(a, &ac, 0, &f), OK);
    assert_false(ul_assoc_next(a, &ev));
    ul_assoc_sent(a, ul_assoc_output(a).n, 0);
    arena_fini(&arena);
    return a;
}

#endif
