// Sessions, tokens, one-time passwords, and the texts secrets travel as.
#include "auth/sessions.h"
#include "auth/tokens.h"
#include "auth/totp.h"

#include "base/base64url.h"
#include "base/hex.h"
#include "ipc/ipc.h"
#include "os/memfd.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

// RFC 6238 Appendix B, SHA-1; the last six of its eight digits.
static const struct {
    int64_t time_s;
    uint32_t code;
} vectors[] = {
    {59, 287082},       {1111111109, 81804},  {1111111111, 50471},
    {1234567890, 5924}, {2000000000, 279037}, {20000000000, 353130},
};
static const uint8_t secret[] = "12345678901234567890";
enum { SECRET_N = sizeof secret - 1 };

static void test_totp_vectors(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof vectors / sizeof *vectors; i++)
        assert_int_equal(totp_code(secret, SECRET_N, vectors[i].time_s / TOTP_STEP_S), vectors[i].code);
}

static void test_totp_window(void **state) {
    (void)state;
    static const struct {
        const char *name, *code;
        int64_t wall_s, after;
        bool good;
    } cases[] = {
        {"now", "287082", 59, INT64_MIN, true},
        {"with a blank", "287 082", 59, INT64_MIN, true},
        {"a step late", "287082", 89, INT64_MIN, true},
        {"a step early", "287082", 29, INT64_MIN, true},
        {"two steps late", "287082", 90, INT64_MIN, false},
        {"used before", "287082", 59, 1, false},
        {"an older one was used", "287082", 59, 0, true},
        {"five digits", "28708", 59, INT64_MIN, false},
        {"seven digits", "2870821", 59, INT64_MIN, false},
        {"letters", "28708a", 59, INT64_MIN, false},
        {"empty", "", 59, INT64_MIN, false},
        {"wrong", "287083", 59, INT64_MIN, false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        int64_t step = -1;
        bool good = totp_check(slice_of(secret, SECRET_N), slice_str(cases[i].code), cases[i].wall_s * 1000,
                               cases[i].after, &step);
        if (good != cases[i].good || (good && step != 1))
            fail_msg("%s", cases[i].name);
    }
}

static void test_totp_used(void **state) {
    (void)state;
    static struct totp_used used;
    assert_true(totp_used_last(&used, SLICE_LIT("ann")) == INT64_MIN);
    totp_used_note(&used, SLICE_LIT("ann"), 5);
    totp_used_note(&used, SLICE_LIT("bob"), 6);
    totp_used_note(&used, SLICE_LIT("ann"), 7);
    assert_int_equal(totp_used_last(&used, SLICE_LIT("ann")), 7);
    assert_int_equal(totp_used_last(&used, SLICE_LIT("bob")), 6);
}

static void test_totp_uri(void **state) {
    (void)state;
    char uri[TOTP_URI_MAX + 1], text[TOTP_SECRET_CHARS + 1];
    uint8_t back[SECRET_N];
    size_t n;
    base32_encode(slice_of(secret, SECRET_N), text);
    assert_string_equal(text, "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"); // RFC 4648 10 has its beginning
    assert_true(base32_decode(slice_str(text), back, sizeof back, &n));
    assert_int_equal(n, SECRET_N);
    assert_memory_equal(back, secret, n);
    assert_false(base32_decode(SLICE_LIT("GEZ1"), back, sizeof back, &n));
    assert_false(base32_decode(SLICE_LIT(""), back, sizeof back, &n));
    assert_true(totp_uri(text, SLICE_LIT("St. Mary's"), SLICE_LIT("ann"), uri));
    assert_string_equal(uri, "otpauth://totp/St.%20Mary%27s:ann?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"
                             "&issuer=St.%20Mary%27s");
}

static void test_base64url(void **state) {
    (void)state;
    static const struct {
        const char *text;
        bool good;
    } cases[] = {{"", true},      {"Zg", true},    {"Zm8", true},  {"Zm9v", true},
                 {"-_-_", true},  {"Z", false},    {"Zh", false},  {"Zm9", false},
                 {"Zg==", false}, {"Zm 8", false}, {"Zm+8", false}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        uint8_t bytes[8];
        char back[16];
        size_t n;
        bool good = base64url_decode(slice_str(cases[i].text), bytes, sizeof bytes, &n);
        if (good != cases[i].good)
            fail_msg("%s", cases[i].text);
        if (good && (base64url_encode(slice_of(bytes, n), back), strcmp(back, cases[i].text) != 0))
            fail_msg("%s became %s", cases[i].text, back);
    }
    uint8_t two[2];
    size_t n;
    assert_false(base64url_decode(SLICE_LIT("Zm9v"), two, sizeof two, &n));
}

static struct sessions t;

static struct session *sign_in(const char *user, int64_t now_ms, uint8_t digest[DIGEST_SHA256_BYTES]) {
    struct session spec = {0};
    char text[SECRET_CHARS + 1];
    snprintf(spec.user, sizeof spec.user, "%s", user);
    struct session *s = sessions_new(&t, &spec, now_ms, now_ms, text);
    assert_int_equal(strlen(text), SECRET_CHARS);
    digest_sha256(slice_str(text), digest);
    return s;
}

static void start_sessions(void) {
    free(t.v);
    t = (struct sessions){.idle_ms = 1000, .most_ms = 5000};
    assert_true(sessions_init(&t));
}

static void test_session_life(void **state) {
    (void)state;
    uint8_t digest[DIGEST_SHA256_BYTES];
    struct slice key = slice_of(digest, sizeof digest);
    start_sessions();
    struct session *s = sign_in("ann", 100, digest);
    assert_ptr_equal(sessions_find(&t, key, 1099), s);
    for (int64_t now_ms = 1000; now_ms < 5000; now_ms += 900)
        sessions_touch(sessions_find(&t, key, now_ms), now_ms, now_ms);
    assert_ptr_equal(sessions_find(&t, key, 5099), s); // in use all the time, but …
    assert_null(sessions_find(&t, key, 5100));
    s = sign_in("ann", 100, digest);
    assert_null(sessions_find(&t, key, 1100)); // idle
    assert_null(sessions_find(&t, key, 200));  // and it stays ended
    assert_ptr_equal(sessions_find_expired(&t, key), s);
    sessions_end(&t, s);
    assert_null(sessions_find_expired(&t, key));
    assert_null(sessions_find(&t, slice_of(digest, 31), 200));
    assert_null(sessions_find(&t, SLICE_LIT(""), 200));
}

static void test_session_ends(void **state) {
    (void)state;
    uint8_t a[DIGEST_SHA256_BYTES], b[DIGEST_SHA256_BYTES], c[DIGEST_SHA256_BYTES];
    start_sessions();
    (void)sign_in("ann", 100, a);
    struct session *two = sign_in("ann", 100, b);
    (void)sign_in("bob", 100, c);
    assert_null(sessions_by_id(&t, SLICE_LIT("bob"), slice_str(two->id)));
    assert_ptr_equal(sessions_by_id(&t, SLICE_LIT("ann"), slice_str(two->id)), two);
    sessions_end_of_user(&t, SLICE_LIT("ann"));
    assert_null(sessions_find(&t, slice_of(a, sizeof a), 200));
    assert_null(sessions_find(&t, slice_of(b, sizeof b), 200));
    assert_non_null(sessions_find(&t, slice_of(c, sizeof c), 200));
}

static void test_session_bounds(void **state) {
    (void)state;
    uint8_t first[DIGEST_SHA256_BYTES], other[DIGEST_SHA256_BYTES], bob[DIGEST_SHA256_BYTES];
    start_sessions();
    (void)sign_in("bob", 100, bob);
    (void)sign_in("ann", 101, first);
    for (int i = 1; i < SESSIONS_OF_USER_MAX; i++)
        (void)sign_in("ann", 102 + i, other);
    assert_non_null(sessions_find(&t, slice_of(first, sizeof first), 200));
    (void)sign_in("ann", 200, other);
    assert_null(sessions_find(&t, slice_of(first, sizeof first), 200)); // one's own oldest made room
    assert_non_null(sessions_find(&t, slice_of(bob, sizeof bob), 200));
    for (int i = 0; i < SESSIONS_MAX; i++) {
        char name[16];
        snprintf(name, sizeof name, "u%d", i);
        (void)sign_in(name, 300, other);
    }
    assert_null(sessions_find(&t, slice_of(bob, sizeof bob), 300));
    assert_non_null(sessions_find(&t, slice_of(other, sizeof other), 300));
}

static const char line[] =
    "0123456789abcdef\tbackup\tann\t"
    "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff\t6\t1000\t2000\tward\n";

static enum err load(struct tokens *tokens, const char *text) {
    int fd = -1;
    struct fault f = {0};
    assert_int_equal(os_memfd_of("tokens", slice_str(text), &fd, NULL), OK);
    return tokens_load(tokens, fd, &f);
}

static void test_tokens(void **state) {
    (void)state;
    struct tokens tokens = {0};
    assert_int_equal(load(&tokens, line), OK);
    uint8_t digest[CONF_TOKEN_DIGEST_BYTES];
    assert_true(hex_decode(SLICE_LIT("00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"),
                           digest, sizeof digest));
    struct token *found = tokens_find(&tokens, slice_of(digest, sizeof digest));
    assert_non_null(found);
    found->used_s = 42;
    assert_int_equal(tokens_rights(found->c.can), IPC_RIGHT_QUERY | IPC_RIGHT_RETRIEVE);
    assert_int_equal(load(&tokens, "broken\n"), ERR_CONFIG); // the old ones stay
    struct conf_token another = found->c;
    another.digest[0] = 0xff;
    strcpy(another.id, "f");
    assert_true(tokens_add(&tokens, &another));
    assert_int_equal(tokens_of_user(&tokens, SLICE_LIT("ann")), 2);
    assert_null(tokens_by_id(&tokens, SLICE_LIT("bob"), SLICE_LIT("f")));
    tokens_remove(&tokens, tokens_by_id(&tokens, SLICE_LIT("ann"), SLICE_LIT("f")));
    assert_int_equal(load(&tokens, line), OK);
    assert_int_equal(tokens_find(&tokens, slice_of(digest, sizeof digest))->used_s, 42);
    digest[0]++;
    assert_null(tokens_find(&tokens, slice_of(digest, sizeof digest)));
    assert_int_equal(load(&tokens, ""), OK);
    assert_int_equal(tokens.n, 0);
    tokens_fini(&tokens);
}

static void test_token_rights(void **state) {
    (void)state;
    uint32_t all =
        IPC_RIGHT_STORE | IPC_RIGHT_QUERY | IPC_RIGHT_RETRIEVE | IPC_RIGHT_DELETE | IPC_RIGHT_ADMIN;
    assert_int_equal(tokens_rights(31), all);
    assert_int_equal(tokens_can(all | IPC_RIGHT_ECHO), 31);
    assert_int_equal(tokens_can(IPC_RIGHT_ECHO), 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_totp_vectors), cmocka_unit_test(test_totp_window),
        cmocka_unit_test(test_totp_used),    cmocka_unit_test(test_totp_uri),
        cmocka_unit_test(test_base64url),    cmocka_unit_test(test_session_life),
        cmocka_unit_test(test_session_ends), cmocka_unit_test(test_session_bounds),
        cmocka_unit_test(test_tokens),       cmocka_unit_test(test_token_rights),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
