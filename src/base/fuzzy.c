#include "base/fuzzy.h"

#include "base/glob.h"
#include "base/utf8.h"

enum {
    CODE_LETTERS_MIN = 3, // shorter words sound like too many others
    SLIP_LETTERS_MIN = 5,
};

// --- Words --------------------------------------------------------------------------------------

static const char KEY_SIGNS[] = "'*?", NAME_SIGNS[] = "'"; // that words may have besides letters

static bool is_separator(uint8_t c, const char *signs) {
    bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c >= 0x80;
    return !letter && (c == 0 || !strchr(signs, c));
}

// The next word, its bytes as they are; empty when there is none.
static struct slice next_word(struct slice *rest, const char *signs) {
    size_t from = 0;
    while (from < rest->n && is_separator(rest->p[from], signs))
        from++;
    size_t to = from;
    while (to < rest->n && !is_separator(rest->p[to], signs))
        to++;
    struct slice word = slice_sub(*rest, from, to - from);
    *rest = slice_sub(*rest, to, rest->n);
    return word;
}

// ae, oe, ue: how a, o and u with diaeresis are written where there are none.
static bool is_transliterated(const struct fuzzy_word *w, uint32_t c) {
    uint32_t before = w->letters ? w->letter[w->letters - 1] : 0;
    return c == 'e' && (before == 'a' || before == 'o' || before == 'u');
}

static void word_read(struct fuzzy_word *w, struct slice s) {
    w->letters = w->code_bytes = 0;
    w->latin = true;
    bool just = false; // an e has just been left out
    for (size_t i = 0; i < s.n && w->letters < FUZZY_LETTERS_MAX;) {
        uint32_t c = s.p[i];
        size_t n = 1;
        if (c >= 0x80 && (n = utf8_decode(slice_sub(s, i, s.n), &c)) == 0) {
            n = 1;
            c = 0xFFFD;
        }
        i += n;
        if (c == '\'')
            continue;
        if (!just && is_transliterated(w, c)) {
            just = true;
            continue;
        }
        just = false;
        w->latin &= c >= 'a' && c <= 'z';
        w->letter[w->letters++] = c;
    }
}

// --- Sound --------------------------------------------------------------------------------------
//
// After the Kölner Phonetik (H. J. Postel, 1969), which codes consonants by how German pronounces them, with
// three changes, because its codes are too coarse to find one patient among many (Meyer = Maria = Moor):
// m and n differ; vowels count, by the class of the first of each run, but for an e alone, which is often
// not spoken (Kathrin = Catherine); and w after a vowel is one (Brown = Braun) unless one follows.

static bool one_of(uint32_t c, const char *set) {
    return c != 0 && c < 0x80 && strchr(set, (int)c) != NULL;
}

static uint32_t at(const struct fuzzy_word *w, size_t i) {
    return i < w->letters ? w->letter[i] : 0;
}

static bool is_vowel(uint32_t c) {
    return one_of(c, "aeiouy");
}

static bool is_vowel_at(const struct fuzzy_word *w, size_t i) {
    uint32_t c = at(w, i);
    if (c == 'w')
        return i > 0 && is_vowel(at(w, i - 1)) && !is_vowel(at(w, i + 1)) && !one_of(at(w, i + 1), "sckz");
    if (c == 'j')
        return i > 0 && is_vowel(at(w, i - 1)) && !is_vowel(at(w, i + 1));
    return is_vowel(c) && !(c == 'y' && i == 0 && is_vowel(at(w, 1)));
}

// What a run of vowels from `i` to before `end` sounds like; 0: nothing.
static char vowels(const struct fuzzy_word *w, size_t i, size_t end) {
    uint32_t a = at(w, i), b = i + 1 < end ? at(w, i + 1) : 0;
    if (one_of(a, "ae") && one_of(b, "iyj"))
        return 'Y'; // ei, ai, ey, ay
    if ((a == 'e' && b == 'u') || (a == 'o' && one_of(b, "iyj")))
        return 'O'; // eu, oi
    if (one_of(a, "ao") && one_of(b, "uw"))
        return 'W'; // au, ou, ow
    if (a == 'e')
        return b ? 'i' : i == 0 ? 'e' : 0; // ee, ea
    return a == 'y' ? 'i' : (char)a;
}

static char consonant_c(const struct fuzzy_word *w, size_t i) {
    if (i == 0)
        return one_of(at(w, 1), "ahkloqrux") ? '4' : '8';
    bool hard = one_of(at(w, i + 1), "ahkoqux") || !at(w, i + 1) || one_of(at(w, i + 1), "lrt");
    return hard && !one_of(at(w, i - 1), "sz") ? '4' : '8';
}

static char consonant(const struct fuzzy_word *w, size_t i) {
    uint32_t c = at(w, i), after = at(w, i + 1);
    switch (c) {
    case 'b':
        return '1';
    case 'p':
        return after == 'h' ? '3' : '1';
    case 'd':
    case 't':
        return one_of(after, "csz") ? '8' : '2';
    case 'f':
    case 'v':
    case 'w':
        return '3';
    case 'g':
    case 'k':
    case 'q':
        return '4';
    case 'c':
        return consonant_c(w, i);
    case 'l':
        return '5';
    case 'm':
        return 'm';
    case 'n':
        return 'n';
    case 'r':
        return '7';
    case 's':
    case 'z':
        return '8';
    case 'j':
    case 'y':
        return 'j';
    default:
        return 0; // h is not spoken
    }
}

static void put(struct fuzzy_word *w, char c, bool repeats) {
    if (c && !(repeats && w->code_bytes > 0 && w->code[w->code_bytes - 1] == c))
        w->code[w->code_bytes++] = c;
}

static void word_sound(struct fuzzy_word *w) {
    w->code_bytes = 0;
    if (!w->latin || w->letters < CODE_LETTERS_MIN)
        return;
    bool after_vowel = true;
    for (size_t i = 0; i < w->letters;) {
        if (is_vowel_at(w, i)) {
            size_t end = i + 1;
            while (end < w->letters && is_vowel_at(w, end))
                end++;
            put(w, vowels(w, i, end), false);
            i = end;
            after_vowel = true;
        } else if (at(w, i) == 'x') {
            put(w, '4', !after_vowel);
            put(w, '8', false);
            after_vowel = false;
            i++;
        } else {
            put(w, consonant(w, i), !after_vowel);
            after_vowel = false;
            i++;
        }
    }
}

// --- Comparing ----------------------------------------------------------------------------------

static bool begins_with(const struct fuzzy_word *name, const struct fuzzy_word *key) {
    return key->letters <= name->letters &&
           memcmp(key->letter, name->letter, key->letters * sizeof key->letter[0]) == 0;
}

// At most one letter is inserted, left out, another, or exchanged with its neighbour.
static bool one_slip(const struct fuzzy_word *a, const struct fuzzy_word *b) {
    size_t i = 0, n = a->letters, m = b->letters;
    if (n < SLIP_LETTERS_MIN || m < SLIP_LETTERS_MIN || n > m + 1 || m > n + 1)
        return false;
    while (i < n && i < m && a->letter[i] == b->letter[i])
        i++;
    while (n > i && m > i && a->letter[n - 1] == b->letter[m - 1])
        n--, m--;
    if (n - i <= 1 && m - i <= 1)
        return true;
    return n - i == 2 && m - i == 2 && a->letter[i] == b->letter[i + 1] && a->letter[i + 1] == b->letter[i];
}

// `name` is given its code when it is first needed.
static bool sounds_like(struct fuzzy_word *name, bool *sounded, const struct fuzzy_word *key) {
    if (key->code_bytes == 0 || !name->latin)
        return false;
    if (!*sounded)
        word_sound(name);
    *sounded = true;
    return name->code_bytes == key->code_bytes && memcmp(name->code, key->code, key->code_bytes) == 0;
}

static bool fits_pattern(struct slice pattern, struct slice word) {
    return glob_match(pattern, word.n > FUZZY_PATTERN_MAX_BYTES ? slice_sub(word, 0, FUZZY_PATTERN_MAX_BYTES)
                                                                : word);
}

static uint32_t words_matched(const struct fuzzy_key *k, struct slice raw, uint32_t wanted) {
    struct fuzzy_word name;
    bool sounded = false;
    uint32_t matched = 0;
    word_read(&name, raw);
    for (size_t i = 0; i < k->count; i++) {
        if (!(wanted >> i & 1))
            continue;
        const struct fuzzy_word *w = &k->part[i].word;
        bool yes = k->part[i].pattern.n && fits_pattern(k->part[i].pattern, raw);
        if (!yes && k->part[i].is_fuzzy)
            yes = begins_with(&name, w) || one_slip(&name, w) || sounds_like(&name, &sounded, w);
        matched |= (uint32_t)yes << i;
    }
    return matched;
}

uint32_t fuzzy_words_of_key(const struct fuzzy_key *k) {
    return (uint32_t)((1u << k->count) - 1);
}

struct slice fuzzy_next_word(struct slice *rest_of_name) {
    return next_word(rest_of_name, NAME_SIGNS);
}

uint32_t fuzzy_match_word(const struct fuzzy_key *k, struct slice word) {
    return words_matched(k, word, fuzzy_words_of_key(k));
}

bool fuzzy_match(const struct fuzzy_key *k, struct slice folded_name) {
    uint32_t wanted = fuzzy_words_of_key(k);
    while (wanted) {
        struct slice word = next_word(&folded_name, NAME_SIGNS);
        if (word.n == 0)
            return false;
        wanted &= ~words_matched(k, word, wanted);
    }
    return true;
}

bool fuzzy_key_init(struct fuzzy_key *k, struct slice folded_key) {
    k->count = 0;
    while (k->count < FUZZY_WORDS_MAX) {
        struct slice whole = next_word(&folded_key, KEY_SIGNS), letters = slice_trim(whole, "*");
        if (whole.n == 0)
            break;
        if (letters.n == 0)
            continue;
        size_t n = whole.n < FUZZY_PATTERN_MAX_BYTES ? whole.n : FUZZY_PATTERN_MAX_BYTES;
        bool is_pattern = glob_has_wildcard(slice_trim_right(whole, "*"));
        k->part[k->count].pattern = is_pattern ? slice_sub(whole, 0, n) : slice_of(NULL, 0);
        k->part[k->count].is_fuzzy = !glob_has_wildcard(letters);
        struct fuzzy_word *w = &k->part[k->count].word;
        word_read(w, letters);
        word_sound(w);
        if (w->letters > 0)
            k->count++;
    }
    return k->count > 0;
}
