// Names: PS3.5 6.2.1, and Galena's rule for comparing them (base/fold.h).
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/fold.h"
#include "base/utf8.h"

// Folded to the same.
static const char *const equal[][2] = {
    {"DOE^JANE", "doe^jane"},
    {"Doe^Jane^^^", "Doe^Jane"},
    {" Doe ^ Jane ", "Doe^Jane"},
    {"van  der  Berg", "van der berg"},
    {"Doe=", "Doe"},
    {"Doe==", "Doe"},
    {"Doe^=^", "doe"},
    {"Müller", "MULLER"},
    {"Mu\xCC\x88ller", "Müller"}, // the umlaut as a mark of its own
    {"Straße", "STRASSE"},
    {"ẞ", "ss"},
    {"Sørensen", "SORENSEN"},
    {"Łukasiewicz", "lukasiewicz"},
    {"Đorđević", "DORDEVIC"},
    {"Æther", "aether"},
    {"Œuvre", "OEUVRE"},
    {"Þór", "thor"},
    {"Çavuşoğlu", "CAVUSOGLU"},
    {"İstanbul", "istanbul"},
    {"ISPARTA", "ısparta"},
    {"Nguyễn", "NGUYEN"},
    {"Jérôme", "jerome"},
    {"O’Brien", "O'BRIEN"},
    {"Smith–Jones", "smith-jones"},
    {"Διονύσιος", "ΔΙΟΝΥΣΙΟΣ"}, // final sigma and accent
    {"Фёдоров", "ФЕДОРОВ"},
    {"АЛЕКСЕЙ", "алексей"},
    {"И\xCC\x86", "Й"}, // the same letter, composed or not
    {"שָׁלוֹם", "שלום"},
    {"مُحَمَّد", "محمد"},
    {"أحمد", "احمد"},
    {"محـــمد", "محمد"}, // stretched
    {"ヤマダ^タロウ", "やまだ^たろう"},
    {"ﾔﾏﾀﾞ^ﾀﾛｳ", "やまだ^たろう"},
    {"ﾊﾟ", "ぱ"},
    {"か\xE3\x82\x99", "が"},
    {"ｳﾞ", "ゔ"},
    {"ゝ\xE3\x82\x99", "ゞ"},
    {"Ｙａｍａｄａ", "yamada"},
    {"山田　^太郎", "山田^太郎"},
    {"山田　太郎", "山田 太郎"},                    // ideographic space
    {"\xEF\xA4\x8A", "\xE9\x87\x91"},               // 金 as in the Korean set
    {"\xE1\x84\x92\xE1\x85\xA9\xE1\x86\xBC", "홍"}, // jamo
    {"ﬁsher", "FISHER"},
    {"a\xE2\x80\x8E\xE2\x80\x8B"
     "b\xC2\xAD",
     "ab"}, // direction mark, zero width space, soft hyphen
    {"Doe^Jane=山田^", "doe^jane=山田"},
};

// Not the same.
static const char *const different[][2] = {
    {"Doe", "Doe^Jane"},
    {"Doe^Jane", "Jane^Doe"},
    {"^Doe", "Doe"},
    {"=Doe", "Doe"},
    {"Müller", "Mueller"},
    {"か", "が"},
    {"は", "ぱ"},
    {"ば", "ぱ"},
    {"й", "и"},
    {"ไทย", "ไท"},
    {"กี", "กิ"},   // Thai vowels
    {"कि", "की"}, // Devanagari vowels
    {"山田", "山本"},
    {"홍", "호"},
    {"van der", "vander"},
    {"＊", "*"},
    {"？", "?"},
    {"＝", "="},
    {"＾", "^"},
    {"＼", "\\"},
    {"", "a"},
};

static struct buf folded(const char *s) {
    struct buf b = BUF_INIT(1000);
    fold_name(slice_str(s), &b);
    assert_true(buf_ok(&b));
    return b;
}

static bool same(const char *s, const char *t) {
    struct buf a = folded(s), b = folded(t);
    bool eq = slice_eq(buf_slice(&a), buf_slice(&b));
    buf_fini(&a);
    buf_fini(&b);
    return eq;
}

static void test_fold(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof equal / sizeof *equal; i++)
        if (!same(equal[i][0], equal[i][1]))
            fail_msg("'%s' and '%s' differ", equal[i][0], equal[i][1]);
    for (size_t i = 0; i < sizeof different / sizeof *different; i++)
        if (same(different[i][0], different[i][1]))
            fail_msg("'%s' and '%s' are the same", different[i][0], different[i][1]);
}

// Every character: folding is valid UTF-8, no more than 4 bytes for 1, done in one go, and makes no
// delimiters.
static void test_every_character(void **state) {
    (void)state;
    for (uint32_t c = 1; c <= 0x10FFFF; c++) {
        uint8_t in[4], out[32], again[32];
        size_t n = utf8_encode(c, in);
        if (n == 0)
            continue;
        struct buf b = BUF_ON(out),
                   d = BUF_ON(again);
        fold_text(slice_of(in, n), &b);
        fold_text(buf_slice(&b), &d);
        bool special = false;
        for (size_t i = 0; i < b.n && c > 0x7F; i++)
            special |= memchr("*?^=\\", out[i], 5) != NULL;
        if (b.n > 4 * n || !utf8_valid(buf_slice(&b)) || !slice_eq(buf_slice(&b), buf_slice(&d)) || special)
            fail_msg("U+%04X", c);
    }
}

static void test_tidy(void **state) {
    (void)state;
    static const char *const rows[][2] = {
        {"", ""},
        {"Doe^Jane", "doe^jane"},
        {"Doe^Jane^^", "doe^jane"},
        {" Doe ^ Jane ^ ", "doe^jane"},
        {"^Jane", "^jane"},
        {"^^^^", ""},
        {"==", ""},
        {"=山田^太郎=", "=山田^太郎"},
        {"a^b=c^d=e^f", "a^b=c^d=e^f"},
        {"a=b=c=d", "a=b=c"}, // there is no fourth group
        {"a^b^c^d^e^f", "a^b^c^d^e^f"},
        {"^^^Dr.^", "^^^dr."},
        {"DOE*", "doe*"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct buf b = BUF_INIT(100);
        buf_append_str(&b, "kept ");
        fold_name(slice_str(rows[i][0]), &b);
        if (!slice_eq_str(slice_sub(buf_slice(&b), 5, b.n), rows[i][1]))
            fail_msg("'%s': '%.*s'", rows[i][0], SLICE_FMT(buf_slice(&b)));
        buf_fini(&b);
    }
}

// What is not UTF-8, or too long for the caller's buffer.
static void test_hostile(void **state) {
    (void)state;
    struct buf b = BUF_INIT(100);
    fold_name(slice_str("a\xFF\xC3^\xE5\xB1"), &b);
    assert_true(utf8_valid(buf_slice(&b)));
    buf_fini(&b);
    struct buf small = BUF_INIT(3);
    fold_name(slice_str("abcd^e=f"), &small);
    assert_false(buf_ok(&small));
    assert_true(small.n <= 3);
    buf_fini(&small);
    struct buf exact = BUF_INIT(4);
    fold_name(slice_str("ABCD"), &exact);
    assert_true(buf_ok(&exact));
    buf_fini(&exact);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_fold),
        cmocka_unit_test(test_every_character),
        cmocka_unit_test(test_tidy),
        cmocka_unit_test(test_hostile),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
