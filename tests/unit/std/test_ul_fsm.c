// PS3.8 Table 9-10, cells of every state and every event, typed in again from the standard.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "std/ul_fsm.h"

static const struct {
    enum ul_state state;
    enum ul_event event;
    enum ul_action action;
    unsigned next, next_alt;
} cells[] = {
    {STA_1, EVT_1, AE_1, 4, 0},     {STA_1, EVT_5, AE_5, 2, 0},    {STA_2, EVT_3, AA_1, 13, 0},
    {STA_2, EVT_6, AE_6, 3, 13},    {STA_2, EVT_10, AA_1, 13, 0},  {STA_2, EVT_16, AA_2, 1, 0},
    {STA_2, EVT_17, AA_5, 1, 0},    {STA_2, EVT_18, AA_2, 1, 0},   {STA_2, EVT_19, AA_1, 13, 0},
    {STA_3, EVT_7, AE_7, 6, 0},     {STA_3, EVT_8, AE_8, 13, 0},   {STA_3, EVT_10, AA_8, 13, 0},
    {STA_3, EVT_15, AA_1, 13, 0},   {STA_3, EVT_16, AA_3, 1, 0},   {STA_3, EVT_17, AA_4, 1, 0},
    {STA_4, EVT_2, AE_2, 5, 0},     {STA_4, EVT_15, AA_2, 1, 0},   {STA_4, EVT_17, AA_4, 1, 0},
    {STA_5, EVT_3, AE_3, 6, 0},     {STA_5, EVT_4, AE_4, 1, 0},    {STA_5, EVT_6, AA_8, 13, 0},
    {STA_6, EVT_9, DT_1, 6, 0},     {STA_6, EVT_10, DT_2, 6, 0},   {STA_6, EVT_11, AR_1, 7, 0},
    {STA_6, EVT_12, AR_2, 8, 0},    {STA_6, EVT_13, AA_8, 13, 0},  {STA_6, EVT_15, AA_1, 13, 0},
    {STA_6, EVT_19, AA_8, 13, 0},   {STA_7, EVT_10, AR_6, 7, 0},   {STA_7, EVT_12, AR_8, 9, 10},
    {STA_7, EVT_13, AR_3, 1, 0},    {STA_8, EVT_9, AR_7, 8, 0},    {STA_8, EVT_10, AA_8, 13, 0},
    {STA_8, EVT_14, AR_4, 13, 0},   {STA_9, EVT_14, AR_9, 11, 0},  {STA_9, EVT_13, AA_8, 13, 0},
    {STA_10, EVT_13, AR_10, 12, 0}, {STA_10, EVT_17, AA_4, 1, 0},  {STA_11, EVT_13, AR_3, 1, 0},
    {STA_11, EVT_12, AA_8, 13, 0},  {STA_12, EVT_14, AR_4, 13, 0}, {STA_12, EVT_16, AA_3, 1, 0},
    {STA_13, EVT_3, AA_6, 13, 0},   {STA_13, EVT_6, AA_7, 13, 0},  {STA_13, EVT_10, AA_6, 13, 0},
    {STA_13, EVT_16, AA_2, 1, 0},   {STA_13, EVT_17, AR_5, 1, 0},  {STA_13, EVT_18, AA_2, 1, 0},
    {STA_13, EVT_19, AA_7, 13, 0},
};

static void steps(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof cells / sizeof cells[0]; i++) {
        struct ul_step s = std_ul_step(cells[i].state, cells[i].event);
        assert_int_equal(s.action, cells[i].action);
        assert_int_equal(s.next, cells[i].next);
        assert_int_equal(s.next_alt, cells[i].next_alt);
    }
}

static void empty_cells(void **state) {
    (void)state;
    static const struct {
        int state, event;
    } cases[] = {
        {STA_1, EVT_2},  {STA_1, EVT_17}, {STA_2, EVT_7},  {STA_3, EVT_9}, {STA_4, EVT_3},   {STA_5, EVT_5},
        {STA_6, EVT_18}, {STA_7, EVT_9},  {STA_8, EVT_11}, {STA_9, EVT_9}, {STA_10, EVT_14}, {STA_13, EVT_15},
        {0, EVT_1},      {STA_1, 0},      {14, EVT_1},     {STA_1, 20},    {-1, EVT_1},      {STA_1, -1},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct ul_step s = std_ul_step((enum ul_state)cases[i].state, (enum ul_event)cases[i].event);
        assert_int_equal(s.action, UL_ACTION_NONE);
        assert_int_equal(s.next, 0);
        assert_int_equal(s.next_alt, 0);
    }
}

// How many cells each state has: the columns of the table, counted in the standard.
static void filled_cells(void **state) {
    (void)state;
    static const unsigned expected[STA_COUNT_ + 1] = {0, 2, 10, 12, 3, 10, 12, 10, 12, 11, 10, 10, 11, 10};
    for (unsigned s = 1; s <= STA_COUNT_; s++) {
        unsigned filled = 0;
        for (unsigned e = 1; e <= EVT_COUNT_; e++) {
            struct ul_step step = std_ul_step((enum ul_state)s, (enum ul_event)e);
            filled += step.action != UL_ACTION_NONE;
            assert_int_equal(step.action == UL_ACTION_NONE, step.next == 0);
        }
        assert_int_equal(filled, expected[s]);
    }
}

// Whatever the peer sends, and whenever it goes away, a connection that is open knows what to do.
static void no_gap_for_the_peer(void **state) {
    (void)state;
    static const enum ul_event from_peer[] = {EVT_3,  EVT_4,  EVT_6,  EVT_10, EVT_12,
                                              EVT_13, EVT_16, EVT_17, EVT_19};
    for (unsigned s = STA_2; s <= STA_COUNT_; s++) {
        for (size_t i = 0; s != STA_4 && i < sizeof from_peer / sizeof from_peer[0]; i++)
            assert_int_not_equal(std_ul_step((enum ul_state)s, from_peer[i]).action, UL_ACTION_NONE);
    }
}

static void texts(void **state) {
    (void)state;
    assert_string_equal(std_ul_state_text(STA_1), "Idle");
    assert_non_null(strstr(std_ul_state_text(STA_13), "close indication"));
    assert_string_equal(std_ul_event_text(EVT_18), "ARTIM timer expired");
    assert_string_equal(std_ul_action_name(AE_1), "AE-1");
    assert_string_equal(std_ul_action_name(DT_2), "DT-2");
    assert_string_equal(std_ul_action_name(AR_10), "AR-10");
    assert_string_equal(std_ul_action_name(AA_8), "AA-8");
    assert_string_equal(std_ul_action_name(UL_ACTION_NONE), "none");
    assert_string_equal(std_ul_action_name(UL_ACTION_COUNT_), "none");
    assert_string_equal(std_ul_state_text((enum ul_state)14), "none");
    assert_string_equal(std_ul_event_text((enum ul_event)99), "none");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(steps),        cmocka_unit_test(empty_cells),
        cmocka_unit_test(filled_cells), cmocka_unit_test(no_gap_for_the_peer),
        cmocka_unit_test(texts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
