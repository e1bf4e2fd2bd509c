// PS3.3 C.12.1.1.2 and PS3.5 6.1.2.5; the names are those of PS3.5 Annexes H to K and of their like.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/utf8.h"
#include "dicom/charset.h"
#include "std/charset.h"

#define FFFD "\xEF\xBF\xBD"

enum {
    REPLACED = DICOM_CHARSET_REPLACED,
    GUESSED = DICOM_CHARSET_GUESSED,
    UNDECLARED = DICOM_CHARSET_UNDECLARED
};

struct row {
    const char *charset;
    enum vr vr;
    const char *raw, *utf8;
    unsigned notes;
};

// Decoded as given; encoded again they are the same bytes.
static const struct row both_ways[] = {
    {"", VR_PN, "Doe^Jane", "Doe^Jane", 0},
    {"ISO_IR 100", VR_PN, "Buc^J\351r\364me", "Buc^Jérôme", 0},
    {"ISO_IR 100", VR_PN, "\304neas^R\374diger", "Äneas^Rüdiger", 0},
    {"ISO_IR 101", VR_PN, "Wa\263\352sa", "Wałęsa", 0},
    {"ISO_IR 109", VR_PN, "\246ajla^\275ija", "Ĥajla^½ija", 0},
    {"ISO_IR 110", VR_PN, "\251\352", "Šę", 0},
    {"ISO_IR 126", VR_PN, "\304\351\357\355\365\363\351\357\362", "Διονυσιος", 0},
    {"ISO_IR 127", VR_PN, "\342\310\307\346\352^\344\346\322\307\321", "قباني^لنزار", 0},
    {"ISO_IR 138", VR_PN, "\371\370\345\357^\343\341\345\370\344", "שרון^דבורה", 0},
    {"ISO_IR 144", VR_PN, "\273\356\332ce\334\321yp\323", "Люкceмбypг", 0},
    {"ISO_IR 148", VR_PN, "\307avu\376o\360lu", "Çavuşoğlu", 0},
    {"ISO_IR 203", VR_LO, "\244 \276", "€ Ÿ", 0},
    {"ISO_IR 166", VR_PN, "\271\322\301\312\241\330\305", "นามสกุล", 0},
    {"ISO_IR 13", VR_PN, "\324\317\300\336^\300\333\263", "ﾔﾏﾀﾞ^ﾀﾛｳ", 0},
    {"ISO_IR 192", VR_PN, "Wang^XiaoDong=王^小東=", "Wang^XiaoDong=王^小東=", 0},
    {"GB18030", VR_PN, "Wang^XiaoDong=\315\365^\320\241\266\253=", "Wang^XiaoDong=王^小东=", 0},
    {"GBK", VR_PN, "Wang^XiaoDong=\315\365^\320\241\266\253=", "Wang^XiaoDong=王^小东=", 0},
    {"GB18030", VR_LO, "\2010\2019 \2260\3045", "\xC2\x89 𢧳", 0}, // four bytes
    // PS3.5 H.3.1, H.3.2
    {"\\ISO 2022 IR 87", VR_PN,
     "Yamada^Tarou=\033$B;3ED\033(B^\033$BB@O:\033(B=\033$B$d$^$@\033(B^\033$B$?$m$&\033(B",
     "Yamada^Tarou=山田^太郎=やまだ^たろう", 0},
    {"ISO 2022 IR 13\\ISO 2022 IR 87", VR_PN,
     "\324\317\300\336^\300\333\263=\033$B;3ED\033(J^\033$BB@O:\033(J=\033$B$d$^$@\033(J^\033$B$?$m$&\033(J",
     "ﾔﾏﾀﾞ^ﾀﾛｳ=山田^太郎=やまだ^たろう", 0},
    {"\\ISO 2022 IR 87\\ISO 2022 IR 159", VR_PN, "=\033$BD3\033$(D0!\033(B", "=蝶丂", 0},
    // bytes 5C, 5E and 3D inside characters are no delimiters
    {"\\ISO 2022 IR 87", VR_PN, "\033$B=\\^=\033(B^\033$B$\\\033(B", "旬渊^ぼ", 0},
    // PS3.5 I.2, I.3
    {"\\ISO 2022 IR 149", VR_PN,
     "Hong^Gildong=\033$)C\373\363^\033$)C\321\316\324\327=\033$)C\310\253^\033$)C\261\346\265\277",
     "Hong^Gildong=洪^吉洞=홍^길동", 0},
    {"\\ISO 2022 IR 149", VR_LT,
     "1: \033$)C\307\321\261\333 and \307\321\261\333\r\n2: \033$)C\307\321\261\333.",
     "1: 한글 and 한글\r\n2: 한글.", 0},
    // PS3.5 K.2
    {"\\ISO 2022 IR 58", VR_PN,
     "Zhang^XiaoDong=\033$)A\325\305^\033$)A\320\241\266\253=", "Zhang^XiaoDong=张^小东=", 0},
    {"ISO 2022 IR 100\\ISO 2022 IR 126", VR_PN, "Dionysios=\033-F\304\351\033-A^\351", "Dionysios=Δι^é", 0},
    {"ISO 2022 IR 6\\ISO 2022 IR 144", VR_LO, "a\033-L\320\\b\033-L\320", "aа\\bа", 0},
    {"ISO 2022 IR 100", VR_LO, "\351\\\351", "é\\é", 0},
    {"ISO_IR 13", VR_LT, "\\100", "¥100", 0},      // the yen sign's place is 5C
    {"ISO_IR 13", VR_SH, "\261\\\262", "ｱ\\ｲ", 0}, // where it separates values
    {"ISO_IR 100", VR_UT, "C:\\t\351l\351", "C:\\télé", 0},
    {"GBK", VR_LO, "\201\\\\\2014", "乗\\" FFFD "4", REPLACED | 64}, // 64: not to be encoded again
};

static const struct row decoded[] = {
    // Padding
    {"", VR_LO, "", "", 0},
    {"", VR_LO, "a ", "a ", 0},
    // Broken
    {"ISO_IR 192", VR_LO, "a\377b", "a" FFFD "b", REPLACED},
    {"ISO_IR 192", VR_LO, "a\345\261", "a" FFFD FFFD, REPLACED},
    {"ISO_IR 192", VR_LO, "\300\257", FFFD FFFD, REPLACED},
    {"ISO_IR 192", VR_LO, "\033$B;3", FFFD "$B;3", REPLACED},
    {"ISO_IR 127", VR_LO, "\241", FFFD, REPLACED},
    {"ISO_IR 166", VR_LO, "\377", FFFD, REPLACED},
    {"ISO_IR 13", VR_LO, "\240\377", FFFD FFFD, REPLACED},
    {"ISO_IR 144", VR_LO, "\200", FFFD, REPLACED},
    {"GB18030", VR_LO, "\201", FFFD, REPLACED},
    {"GB18030", VR_LO, "\200a", FFFD "a", REPLACED},
    {"GB18030", VR_LO, "\2010", FFFD "0", REPLACED},
    {"GB18030", VR_LO, "\2010\201", FFFD "0" FFFD, REPLACED},
    {"GB18030", VR_LO, "\3769\3769", FFFD, REPLACED},
    {"\\ISO 2022 IR 87", VR_PN, "\033$B;", FFFD, REPLACED},
    {"\\ISO 2022 IR 87", VR_PN, "\033$B;\033(B^a", FFFD "^a", REPLACED},
    {"\\ISO 2022 IR 87", VR_PN, "\033$B))\033(B", FFFD, REPLACED},
    {"\\ISO 2022 IR 87", VR_PN, "\033", FFFD, REPLACED},
    {"\\ISO 2022 IR 87", VR_PN, "\033$", FFFD "$", REPLACED},
    {"\\ISO 2022 IR 87", VR_PN, "\033$(Qab", FFFD "ab", REPLACED},
    {"\\ISO 2022 IR 87", VR_PN, "\033[1mab", FFFD "[1mab", REPLACED},
    {"\\ISO 2022 IR 149", VR_LO, "\033$)C\307\\b", FFFD "\\b", REPLACED}, // never swallows a separator
    {"\\ISO 2022 IR 149", VR_LO, "\033$)C\307 b", FFFD " b", REPLACED},
    {"\\ISO 2022 IR 149", VR_LO, "\033$)C\307", FFFD, REPLACED},
    // Sets end with the value: what comes after a delimiter, a line or a control character is in the first
    // one
    {"\\ISO 2022 IR 87\\ISO 2022 IR 58", VR_LT, "\033$B;3\r;3", "山\r;3", 0},
    {"\\ISO 2022 IR 87\\ISO 2022 IR 58", VR_LT, "\033$B;3\t;3", "山\t;3", 0},
    {"ISO 2022 IR 100\\ISO 2022 IR 126", VR_PN, "\033-F\304^\344", "Δ^ä", 0},
    {"ISO 2022 IR 100\\ISO 2022 IR 126", VR_PN, "\033-F\304=\344", "Δ=ä", 0},
    {"ISO 2022 IR 100\\ISO 2022 IR 126", VR_LO, "\033-F\304=\304", "Δ=Δ", 0}, // '=' delimits in PN only
    {"ISO 2022 IR 100\\ISO 2022 IR 126", VR_LO, "\033-F\304\\\344", "Δ\\ä", 0},
    {"ISO 2022 IR 100\\ISO 2022 IR 126", VR_LT, "\033-F\304\\\304", "Δ\\Δ", 0},
    {"ISO 2022 IR 100\\ISO 2022 IR 126", VR_LT, "\033-F\304\n\344", "Δ\nä", 0},
    // What senders do
    {"", VR_PN, "Buc^J\351r\364me", "Buc^Jérôme", GUESSED},
    {"", VR_PN, "Buc^Jérôme", "Buc^Jérôme", GUESSED},
    {"ISO_IR 6", VR_PN, "\223Bob\224", "“Bob”", GUESSED},
    {"ISO_IR 100", VR_LO, "it\222s", "it’s", GUESSED},
    {"", VR_LO, "\201", FFFD, GUESSED | REPLACED},
    {"NONSENSE", VR_LO, "\351", "é", GUESSED},
    {"", VR_CS, "\351", "é", GUESSED},
    {"ISO_IR 144", VR_CS, "\351", "é", GUESSED}, // CS is in the default repertoire whatever is declared
    {"ISO_IR 100", VR_PN, "\033$B;3ED\033(B", "山田", UNDECLARED},
    {"", VR_PN, "\033-F\304", "Δ", UNDECLARED},
    {"\\ISO 2022 IR 149", VR_PN, "\033$)C\310\253^\261\346\265\277", "홍^길동", GUESSED},
    {"\\ISO 2022 IR 149\\ISO 2022 IR 58", VR_PN, "\261\346", "±æ", GUESSED}, // which of them?
    {"ISO 2022 IR 149", VR_PN, "\310\253^\261\346\265\277", "홍^길동", 0},
    {"ISO 2022 IR 87", VR_PN, "Yamada=\033$B;3ED\033(B", "Yamada=山田", 0},
    {"ISO 2022 IR 13\\ISO 2022 IR 87", VR_PN, "\033$B;3ED\033(B^a~", "山田^a‾", 0},
    {"iso_ir 100", VR_LO, "\351", "é", 0},
    {"\\ISO_IR 192", VR_LO, "é", "é", 0},
    {"ISO_IR 192\\ISO 2022 IR 87", VR_LO, "é", "é", 0},
    {"ISO 2022 IR 100\\ISO_IR 192", VR_LO, "\351", "é", 0},
};

static void check_decode(const char *table, size_t i, const struct row *r) {
    struct dicom_charset cs;
    dicom_charset_init(&cs, slice_str(r->charset));
    struct buf b = BUF_INIT(3 * strlen(r->raw)); // never more than 3 bytes for 1
    unsigned notes = dicom_charset_decode(&cs, r->vr, slice_str(r->raw), &b);
    if (!buf_ok(&b) || !slice_eq_str(buf_slice(&b), r->utf8))
        fail_msg("%s %zu (%s): '%.*s' instead of '%s'", table, i, r->charset, SLICE_FMT(buf_slice(&b)),
                 r->utf8);
    if (notes != (r->notes & 63))
        fail_msg("%s %zu (%s): notes %u", table, i, r->charset, notes);
    buf_fini(&b);
}

static void check_encode(size_t i, const struct row *r) {
    struct dicom_charset cs;
    dicom_charset_init(&cs, slice_str(r->charset));
    struct buf b = BUF_INIT(1000);
    buf_append_str(&b, "kept");
    if (!dicom_charset_encode(&cs, r->vr, slice_str(r->utf8), &b))
        fail_msg("row %zu (%s) can't be encoded", i, r->charset);
    if (!slice_eq_str(slice_sub(buf_slice(&b), 4, b.n), r->raw))
        fail_msg("row %zu (%s): encoded differently", i, r->charset);
    buf_fini(&b);
}

static void test_both_ways(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof both_ways / sizeof *both_ways; i++) {
        check_decode("both ways", i, &both_ways[i]);
        if (!(both_ways[i].notes & 64))
            check_encode(i, &both_ways[i]);
    }
}

static void test_decode(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof decoded / sizeof *decoded; i++)
        check_decode("decoded", i, &decoded[i]);
}

static void test_nul(void **state) {
    (void)state;
    struct buf b = BUF_INIT(100);
    assert_int_equal(dicom_charset_decode(&dicom_charset_ascii, VR_LO, slice_of("ab\0\0", 4), &b), 0);
    assert_true(slice_eq_str(buf_slice(&b), "ab"));
    buf_reset(&b);
    assert_int_equal(dicom_charset_decode(&dicom_charset_utf8, VR_LO, slice_of("a\0b", 3), &b), REPLACED);
    assert_true(slice_eq_str(buf_slice(&b), "a" FFFD "b"));
    buf_reset(&b);
    assert_int_equal(dicom_charset_decode(&dicom_charset_utf8, VR_LO, slice_of("\0\0", 2), &b), 0);
    assert_int_equal(b.n, 0);
    buf_fini(&b);
}

// What can't be said in a set, with the reason.
static void test_not_representable(void **state) {
    (void)state;
    static const struct {
        const char *charset;
        enum vr vr;
        const char *utf8;
    } rows[] = {
        {"", VR_PN, "é"},
        {"ISO_IR 6", VR_PN, "é"},
        {"ISO_IR 100", VR_PN, "Д"},
        {"ISO_IR 100", VR_PN, "’"}, // in Windows-1252 only
        {"ISO_IR 100", VR_PN, "山"},
        {"ISO_IR 100\\ISO_IR 192", VR_PN, "山"},
        {"ISO_IR 144", VR_PN, "é"},
        {"ISO_IR 166", VR_LO, "é"},
        {"ISO_IR 13", VR_LO, "é"},
        {"ISO_IR 13", VR_LO, "~"},  // its place holds the overline
        {"ISO_IR 13", VR_LT, "\\"}, // its place holds the yen sign
        {"ISO_IR 13", VR_LO, "¥"},  // would be read as a separator
        {"GBK", VR_LO, "ä"},
        {"GBK", VR_LO, "\xF0\xA0\x80\x8B"}, // GB18030 only
        {"\\ISO 2022 IR 87", VR_PN, "홍"},
        {"\\ISO 2022 IR 149", VR_PN, "ő"},
        {"\\ISO 2022 IR 58", VR_PN, "홍"},
        {"ISO 2022 IR 126", VR_PN, "д"},
        {"ISO_IR 100", VR_LO, FFFD},      // what could not be read can't be written
        {"ISO_IR 100", VR_LO, "\033$Bé"}, // no escape sequence from text
        {"GB18030", VR_LO, "\033é"},
        {"ISO_IR 100", VR_LO, "\xC3"}, // not UTF-8
        {"ISO_IR 192", VR_LO, "\xC3"},
        {"ISO_IR 100", VR_CS, "é"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct dicom_charset cs;
        dicom_charset_init(&cs, slice_str(rows[i].charset));
        struct buf b = BUF_INIT(100);
        buf_append_str(&b, "kept");
        if (dicom_charset_encode(&cs, rows[i].vr, slice_str(rows[i].utf8), &b))
            fail_msg("row %zu (%s) was encoded", i, rows[i].charset);
        if (!buf_ok(&b) || !slice_eq_str(buf_slice(&b), "kept"))
            fail_msg("row %zu (%s): something was appended", i, rows[i].charset);
        buf_fini(&b);
    }
    struct buf full = BUF_INIT(3);
    assert_false(dicom_charset_encode(&dicom_charset_utf8, VR_LO, slice_str("éé"), &full));
    assert_false(buf_ok(&full));
    buf_fini(&full);
}

// Terms as senders write them, and the label an answer in this set gets.
static void test_terms(void **state) {
    (void)state;
    enum { MISSPELT = DICOM_CHARSET_MISSPELT, UNKNOWN = DICOM_CHARSET_UNKNOWN };
    static const struct {
        const char *value, *label;
        unsigned notes;
    } rows[] = {
        {"", "", 0},
        {" ", "", 0},
        {"ISO_IR 6", "", 0},
        {"ISO 2022 IR 6", "", 0},
        {"ISO_IR 100", "ISO_IR 100", 0},
        {"ISO_IR 100 ", "ISO_IR 100", 0},
        {"ISO_IR_100", "ISO_IR 100", MISSPELT},
        {"ISO-IR 100", "ISO_IR 100", MISSPELT},
        {"ISO_IR100", "ISO_IR 100", MISSPELT},
        {"ISO IR 100", "ISO_IR 100", MISSPELT},
        {"iso_ir 100", "ISO_IR 100", MISSPELT},
        {"ISO 2022-IR 100", "ISO 2022 IR 100", MISSPELT},
        {"ISO_2022_IR_87", "ISO 2022 IR 87", MISSPELT},
        {"ISO2022 IR 149", "ISO 2022 IR 149", MISSPELT},
        {"LATIN1", "ISO_IR 100", MISSPELT},
        {"latin-1", "ISO_IR 100", MISSPELT},
        {"ISO8859-1", "ISO_IR 100", MISSPELT},
        {"ISO-8859-15", "ISO_IR 203", MISSPELT},
        {"UTF8", "ISO_IR 192", MISSPELT},
        {"utf-8", "ISO_IR 192", MISSPELT},
        {"UTF-8 ", "ISO_IR 192", MISSPELT},
        {"ISO_IR 192", "ISO_IR 192", 0},
        {"GB18030", "GB18030", 0},
        {"gb 18030", "GB18030", MISSPELT},
        {"GBK", "GBK", 0},
        {"GB2312", "GBK", MISSPELT},
        {"\\ISO 2022 IR 87", "\\ISO 2022 IR 87", 0},
        {"ISO 2022 IR 6\\ISO 2022 IR 87", "\\ISO 2022 IR 87", 0},
        {"ISO 2022 IR 13\\ISO 2022 IR 87\\ISO 2022 IR 159", "ISO 2022 IR 13\\ISO 2022 IR 87\\ISO 2022 IR 159",
         0},
        {"ISO_IR 100\\ISO_IR 126", "ISO 2022 IR 100\\ISO 2022 IR 126", 0},
        {"ISO_IR 87", "ISO 2022 IR 87", MISSPELT},
        {"ISO_IR 192\\ISO 2022 IR 87", "ISO_IR 192", UNKNOWN},
        {"ISO 2022 IR 100\\ISO_IR 192", "ISO 2022 IR 100", UNKNOWN},
        {"\\ISO_IR 192", "ISO_IR 192", MISSPELT},
        {"\\ISO 2022 IR 87\\ISO_IR 192", "\\ISO 2022 IR 87", UNKNOWN},
        {"KLINGON", "", UNKNOWN},
        {"KLINGON\\ISO 2022 IR 87", "ISO 2022 IR 87", UNKNOWN},
        {"ISO_IR 1000", "", UNKNOWN},
        {"ISO_IR 999999999999999999999999999999", "", UNKNOWN},
        {"%s%n\033[31m", "", UNKNOWN},
        {"\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\", "", UNKNOWN}, // more values than are looked at
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct dicom_charset cs;
        dicom_charset_init(&cs, slice_str(rows[i].value));
        struct buf b = BUF_INIT(1000);
        dicom_charset_label(&cs, &b);
        if (!slice_eq_str(buf_slice(&b), rows[i].label) || cs.notes != rows[i].notes)
            fail_msg("row %zu (%s): '%.*s', notes %u", i, rows[i].value, SLICE_FMT(buf_slice(&b)), cs.notes);
        buf_fini(&b);
    }
}

static void test_split(void **state) {
    (void)state;
    static const struct {
        const char *charset;
        enum vr vr;
        const char *raw;
        size_t count;
        const char *parts[4];
    } rows[] = {
        {"", VR_LO, "", 1, {""}},
        {"", VR_LO, "a", 1, {"a"}},
        {"", VR_LO, "a\\b\\", 3, {"a", "b", ""}},
        {"", VR_LT, "a\\b", 1, {"a\\b"}},
        {"ISO_IR 13", VR_LO, "\261\\\262", 2, {"\261", "\262"}},
        {"GBK", VR_LO, "\201\\\\b", 2, {"\201\\", "b"}},
        {"GB18030", VR_LO, "\201\\", 1, {"\201\\"}},
        {"GB18030", VR_CS, "\201\\", 2, {"\201", ""}}, // CS is not in that set
        {"\\ISO 2022 IR 87",
         VR_LO,
         "\033$B$\\\033(B\\\033$B$\\\033(B",
         2,
         {"\033$B$\\\033(B", "\033$B$\\\033(B"}},
        {"\\ISO 2022 IR 87", VR_LO, "\033$B$\\", 1, {"\033$B$\\"}},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct dicom_charset cs;
        dicom_charset_init(&cs, slice_str(rows[i].charset));
        struct slice rest = slice_str(rows[i].raw);
        size_t n = 0;
        while (rest.p) {
            struct slice part = dicom_charset_split(&cs, rows[i].vr, rest, &rest);
            if (n >= rows[i].count || !slice_eq_str(part, rows[i].parts[n]))
                fail_msg("row %zu: part %zu", i, n);
            n++;
        }
        assert_int_equal(n, rows[i].count);
    }
}

// Every two bytes in every set: valid UTF-8, at most three times as long, and the same when split first.
static void test_all_pairs(void **state) {
    (void)state;
    static const char *const charsets[] = {
        "",    "ISO_IR 100", "ISO_IR 13",        "ISO_IR 192",
        "GBK", "GB18030",    "\\ISO 2022 IR 87", "\\ISO 2022 IR 149\\ISO 2022 IR 58"};
    for (size_t i = 0; i < sizeof charsets / sizeof *charsets; i++) {
        struct dicom_charset cs;
        dicom_charset_init(&cs, slice_str(charsets[i]));
        for (unsigned pair = 0; pair < 0x10000; pair++) {
            uint8_t store[6], raw[2] = {(uint8_t)(pair >> 8), (uint8_t)pair};
            struct buf b = BUF_ON(store);
            dicom_charset_decode(&cs, VR_LO, slice_of(raw, 2), &b);
            size_t separators = 0, parts = 0;
            for (size_t j = 0; j < b.n; j++)
                separators += store[j] == '\\';
            for (struct slice rest = slice_of(raw, 2); rest.p; parts++)
                dicom_charset_split(&cs, VR_LO, rest, &rest);
            if (!buf_ok(&b) || !utf8_valid(buf_slice(&b)) || parts != separators + 1)
                fail_msg("%s: %04X", charsets[i], pair);
        }
    }
}

// Each defined term: its whole repertoire comes back as it went.
static void test_repertoires(void **state) {
    (void)state;
    const struct std_charset *term;
    size_t seen = 0;
    for (size_t i = 0; (term = std_charset_at(i)) != NULL; i++) {
        struct dicom_charset cs;
        dicom_charset_init(&cs, slice_str(term->term));
        assert_int_equal(cs.notes, 0);
        for (uint32_t c = 0xA0; c < 0x10000; c++) {
            uint8_t text[4], there[16], back[16];
            size_t n = utf8_encode(c, text);
            struct buf b = BUF_ON(there);
            if (n == 0 || !dicom_charset_encode(&cs, VR_LO, slice_of(text, n), &b))
                continue;
            struct buf d = BUF_ON(back);
            unsigned notes = dicom_charset_decode(&cs, VR_LO, buf_slice(&b), &d);
            if (notes != 0 || !slice_eq(buf_slice(&d), slice_of(text, n)))
                fail_msg("%s: U+%04X", term->term, c);
            seen++;
        }
    }
    assert_true(seen > 100000);
}

static int preload(void **state) {
    (void)state;
    struct fault f = {OK, {0}};
    return dicom_charset_preload(&f) == OK && dicom_charset_preload(NULL) == OK ? 0 : -1;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_both_ways), cmocka_unit_test(test_decode),
        cmocka_unit_test(test_nul),       cmocka_unit_test(test_not_representable),
        cmocka_unit_test(test_terms),     cmocka_unit_test(test_split),
        cmocka_unit_test(test_all_pairs), cmocka_unit_test(test_repertoires),
    };
    return cmocka_run_group_tests(tests, preload, NULL);
}
