// Names people mean, and names they do not (base/fuzzy.h). Both sides are folded already.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/fuzzy.h"

static const struct {
    const char *key, *name;
    bool expected;
} rows[] = {
    // the beginning of a word, anywhere in the name
    {"muller", "muller^eva", true},
    {"eva", "muller^eva", true},
    {"mul", "muller^eva", true},
    {"ller", "muller^eva", false},
    {"mullers", "schmidt^eva", false},
    {"eva muller", "muller^eva", true},
    {"muller^e", "muller^eva", true},
    {"muller^o", "muller^eva", false},
    {"muller^eva^maria", "muller^eva", false},
    {"yamada", "yamada^tarou=\xE5\xB1\xB1\xE7\x94\xB0^\xE5\xA4\xAA\xE9\x83\x8E", true},
    {"\xE5\xB1\xB1", "yamada^tarou=\xE5\xB1\xB1\xE7\x94\xB0^\xE5\xA4\xAA\xE9\x83\x8E", true},
    {"\xE7\x94\xB0", "yamada^tarou=\xE5\xB1\xB1\xE7\x94\xB0^\xE5\xA4\xAA\xE9\x83\x8E", false},
    // what separates words
    {"meyer", "muller-meyer^eva", true},
    {"muller-meyer", "meyer^eva^muller", true},
    {"obrien", "o'brien^pat", true},
    {"o'brien", "obrien^pat", true},
    {"john", "doe^j.r.,john", true},
    // transliteration
    {"mueller", "muller^eva", true},
    {"muller", "mueller^eva", true},
    {"goethe", "gothe^j", true},
    {"schroed", "schroder^k", true},
    {"baer", "bar^k", true},
    // sound
    {"meyer", "maier^k", true},
    {"mayr", "meyer^k", true},
    {"meier", "maria^k", false},
    {"meyer", "moor^k", false},
    {"meyer", "maurer^k", false},
    {"schmidt", "smith^k", true},
    {"smyth", "schmid^k", true},
    {"smith", "schmitz^k", false},
    {"stephen", "steven", true},
    {"catherine", "kathrin", true},
    {"philip", "filipp", true},
    {"jannick", "yanik", true},
    {"brown", "braun", true},
    {"nowak", "novak", true},
    {"weiss", "weis", true},
    {"xaver", "ksafer", true},
    {"lee", "leigh", false},
    {"ng", "nk", false}, // two letters: too short to go by sound
    {"kuh", "kuk", false},
    {"karl", "carl", true},
    // one slip
    {"johnson", "jonhson", true},
    {"johnson", "johnsen", true},
    {"johnson", "johnsson", true},
    {"hernandez", "fernandez", true},
    {"hernandez", "fernandes", false},
    {"ivanov", "petrov", false},
    {"bond", "pund", false},
    {"bondy", "pondy", true},
    {"pond", "bold", false}, // four letters
    {"\xD0\xB8\xD0\xB2\xD0\xB0\xD0\xBD\xD0\xBE\xD0\xB2", "\xD0\xB8\xD0\xB2\xD0\xB0\xD0\xBD\xD0\xB5\xD0\xB2",
     true},
    {"\xD0\xB8\xD0\xB2\xD0\xB0\xD0\xBD", "\xD0\xB8\xD0\xB2\xD0\xB5\xD0\xBD", false}, // four, of eight bytes
    // wildcards
    {"mul*", "muller", true},
    {"mueller*", "muller", true},
    {"*ler", "muller", true},
    {"m?ller", "muller", true},
    {"m?ller", "maeller", false},
    {"*lex", "muller", false},
    {"m*^e*", "muller^eva", true},
    {"*lle*", "muller", true},
    {"*lle", "muller", false},
    {"m?ll*", "muller", true},
    {"m*e", "muller^mev", false}, // a pattern, not a beginning
    {"*smyth*", "smith", true},   // wildcards round a word: fuzzy, too
    {"*smyth*", "goldsmyth^x", true},
    {"*e", "muller^eva", true},
    {"s*yth", "smith", false},
    {"?myth", "smith", false},
    {"ev", "muller^*eva?", true},
    {"*ev*", "muller^*eva?", true},
    {"*va", "muller^*eva?", true},
    // neither
    {"muller", "", false},
    {"muller", "^^=", false},
    {"a", "'", false},
    {"\xFF", "\xFF", true},
};

static void test_rows(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct fuzzy_key k;
        assert_true(fuzzy_key_init(&k, slice_str(rows[i].key)));
        if (fuzzy_match(&k, slice_str(rows[i].name)) != rows[i].expected)
            fail_msg("%s : %s", rows[i].key, rows[i].name);
    }
}

static void test_no_word(void **state) {
    (void)state;
    static const char *const keys[] = {"", "*", "**", "^^", " ^*=", "'", "-"};
    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
        struct fuzzy_key k;
        assert_false(fuzzy_key_init(&k, slice_str(keys[i])));
        assert_true(fuzzy_match(&k, slice_str("muller")));
        assert_true(fuzzy_match(&k, slice_str("")));
    }
}

static void test_limits(void **state) {
    (void)state;
    struct fuzzy_key k;
    char words[2 * (FUZZY_WORDS_MAX + 1) + 1] = "";
    for (int i = 0; i < FUZZY_WORDS_MAX - 1; i++)
        strcat(words, "a ");
    assert_true(fuzzy_key_init(&k, slice_str(words)));
    assert_int_equal(k.count, FUZZY_WORDS_MAX - 1);
    strcat(words, "a b");
    assert_true(fuzzy_key_init(&k, slice_str(words)));
    assert_int_equal(k.count, FUZZY_WORDS_MAX);
    assert_true(fuzzy_match(&k, slice_str("a"))); // the word beyond is not looked at
    char letters[FUZZY_LETTERS_MAX + 2];
    memset(letters, 'q', sizeof letters);
    for (size_t n = FUZZY_LETTERS_MAX - 1; n <= FUZZY_LETTERS_MAX + 1; n++) {
        assert_true(fuzzy_key_init(&k, slice_of(letters, n)));
        assert_int_equal(k.part[0].word.letters, n < FUZZY_LETTERS_MAX ? n : FUZZY_LETTERS_MAX);
        assert_true(fuzzy_match(&k, slice_of(letters, n)));
    }
    memset(letters, 'x', sizeof letters); // two sounds a letter
    assert_true(fuzzy_key_init(&k, slice_of(letters, sizeof letters)));
    assert_true(fuzzy_match(&k, slice_of(letters, sizeof letters)));
}

// A pattern costs its length times the word's: of both no more is looked at than this.
static void test_pattern_limits(void **state) {
    (void)state;
    struct fuzzy_key k;
    char pattern[FUZZY_PATTERN_MAX_BYTES + 1], word[FUZZY_PATTERN_MAX_BYTES + 2];
    memset(pattern, '?', sizeof pattern);
    memset(word, 'a', sizeof word);
    for (size_t n = FUZZY_PATTERN_MAX_BYTES - 1; n <= FUZZY_PATTERN_MAX_BYTES + 1; n++) {
        assert_true(fuzzy_key_init(&k, slice_of(pattern, n)));
        assert_int_equal(k.part[0].pattern.n, n < FUZZY_PATTERN_MAX_BYTES ? n : FUZZY_PATTERN_MAX_BYTES);
        assert_true(fuzzy_match(&k, slice_of(word, n)));
        assert_false(fuzzy_match(&k, slice_of(word, n - 2)));
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rows),
        cmocka_unit_test(test_no_word),
        cmocka_unit_test(test_limits),
        cmocka_unit_test(test_pattern_limits),
    };
    return cmocka_run_group_tests_name("base/fuzzy", tests, NULL, NULL);
}
