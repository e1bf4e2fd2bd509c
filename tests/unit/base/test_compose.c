// Composing text (UAX 15, Form C).
#include "base/compose.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static const struct {
    const char *name, *in, *out;
} cases[] = {
    {"nothing", "", ""},
    {"ASCII", "Knee left^*?\\", "Knee left^*?\\"},
    {"composed already", "Sch\u00E4del", "Sch\u00E4del"},
    {"a letter and a mark", "Scha\u0308del", "Sch\u00E4del"},
    {"at the end", "Cafe\u0301", "Caf\u00E9"},
    {"a mark after one that joined", "e\u0323\u0302", "\u1EC7"},
    {"the same marks the other way round", "e\u0302\u0323", "\u1EC7"},
    {"the same, half composed", "\u00EA\u0323", "\u1EC7"},
    {"two marks of one class stay in order", "a\u0308\u0301", "\u00E4\u0301"},
    {"and block the second", "a\u0301\u0308", "\u00E1\u0308"},
    {"no such letter", "q\u0308", "q\u0308"},
    {"a mark alone", "\u0308a", "\u0308a"},
    {"after a wildcard", "*\u0308", "*\u0308"},
    {"Cyrillic", "\u0418\u0306", "\u0419"},
    {"voiced kana", "\u304B\u3099", "\u304C"},
    {"jamo", "\u1112\u1161\u11AB", "\uD55C"},
    {"jamo without a trailing consonant", "\u1100\u1161\u1102", "\uAC00\u1102"},
    {"one of two code points", "\uF90A\u212B\u2126", "\u91D1\u00C5\u03A9"},
    {"not composed by the standard", "\u0958", "\u0915\u093C"},
    {"two that stand for themselves join", "\u09C7\u09BE", "\u09CB"},
    {"beyond 16 bits", "\U000110A5\U000110BA\U0002F800", "\U000110AB\u4E3D"},
    {"no compatibility: half width stays", "\uFF76\uFF9E\uFB01", "\uFF76\uFF9E\uFB01"},
    {"no UTF-8", "a\xFF\xE4z", "a\uFFFD\uFFFDz"},
};

static void composed(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct buf out = BUF_INIT(256);
        compose_text(slice_str(cases[i].in), &out);
        print_message("%s\n", cases[i].name);
        assert_true(buf_ok(&out));
        assert_true(slice_eq_str(buf_slice(&out), cases[i].out));
        struct buf again = BUF_INIT(256);
        compose_text(buf_slice(&out), &again);
        assert_true(slice_eq(buf_slice(&again), buf_slice(&out)));
        buf_fini(&again);
        buf_fini(&out);
    }
}

// However many marks there are, they stay, and cost no more than their number.
static void many_marks(void **state) {
    (void)state;
    static char text[1 + 2 * 20000];
    struct buf out = BUF_INIT(sizeof text * COMPOSE_GROWTH_MAX);
    text[0] = 'x';
    for (size_t i = 0; i < 20000; i++)
        memcpy(text + 1 + 2 * i, i % 2 ? "\u0323" : "\u0308", 2);
    compose_text(slice_of(text, sizeof text), &out);
    assert_true(buf_ok(&out));
    assert_int_equal(out.n, sizeof text);
    buf_fini(&out);
}

static void no_room(void **state) {
    (void)state;
    struct buf out = BUF_INIT(3);
    compose_text(slice_str("\u00E4\u00E4"), &out);
    assert_false(buf_ok(&out));
    buf_fini(&out);
}

static void twos(void **state) {
    (void)state;
    assert_int_equal(compose_two('a', 0x308), 0xE4);
    assert_int_equal(compose_two(0x308, 'a'), 0);
    assert_int_equal(compose_two(0, 0), 0);
    assert_int_equal(compose_two(0xAC00, 0x11A7), 0);
    assert_int_equal(compose_two(0xAC00, 0x11A8), 0xAC01);
    assert_int_equal(compose_two(0xAC01, 0x11A8), 0);
    assert_int_equal(compose_two(0xAC00, 0x11C2), 0xAC1B);
    assert_int_equal(compose_two(0xAC00, 0x11C3), 0);
    assert_int_equal(compose_two(0x1112, 0x1175), 0xD788);
    assert_int_equal(compose_two(0x1113, 0x1161), 0);
    assert_int_equal(compose_two(0x1112, 0x1176), 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(composed), cmocka_unit_test(many_marks),
                                       cmocka_unit_test(no_room), cmocka_unit_test(twos)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
