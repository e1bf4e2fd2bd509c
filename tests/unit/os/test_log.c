// What a log line may hold: never patient data, never a line break or a terminal's control sequence.
#include "os/clock.h"
#include "os/log.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

static const struct {
    const char *name, *message;
    struct os_log_field field;
    const char *expected;
} lines[] = {
    {"no field", "started", {OS_LOG_KIND_NONE, NULL, {NULL, 0}, 0}, "started"},
    {"text", "m", {OS_LOG_KIND_TEXT, "ae", {(const uint8_t *)"CT1", 3}, 0}, "m ae=CT1"},
    {"empty", "m", {OS_LOG_KIND_TEXT, "ae", {(const uint8_t *)"", 0}, 0}, "m ae=\"\""},
    {"blank", "m", {OS_LOG_KIND_TEXT, "ae", {(const uint8_t *)"A B", 3}, 0}, "m ae=\"A B\""},
    {"equals sign", "m", {OS_LOG_KIND_TEXT, "a", {(const uint8_t *)"x=1", 3}, 0}, "m a=\"x=1\""},
    {"quote", "m", {OS_LOG_KIND_TEXT, "a", {(const uint8_t *)"\"", 1}, 0}, "m a=\"\\x22\""},
    {"number", "m", {OS_LOG_KIND_NUM, "n", {NULL, 0}, -5}, "m n=-5"},
    {"patient data", "m", {OS_LOG_KIND_PATIENT, "p", {(const uint8_t *)"Doe^Jane", 8}, 0}, "m p=(withheld)"},
    {"line feed", "m", {OS_LOG_KIND_TEXT, "a", {(const uint8_t *)"a\nb", 3}, 0}, "m a=\"a\\x0Ab\""},
    {"escape", "m", {OS_LOG_KIND_TEXT, "a", {(const uint8_t *)"\033[2J", 4}, 0}, "m a=\"\\x1B[2J\""},
    {"NUL", "m", {OS_LOG_KIND_TEXT, "a", {(const uint8_t *)"a\0b", 3}, 0}, "m a=\"a\\x00b\""},
    {"C1 control", "m", {OS_LOG_KIND_TEXT, "a", {(const uint8_t *)"\302\233", 2}, 0}, "m a=\\xC2\\x9B"},
    {"right-to-left override", "m", {OS_LOG_KIND_TEXT, "a", {(const uint8_t *)"\342\200\256", 3}, 0},
     "m a=\\xE2\\x80\\xAE"},
    {"broken UTF-8", "m", {OS_LOG_KIND_TEXT, "a", {(const uint8_t *)"\377x", 2}, 0}, "m a=\\xFFx"},
    {"UTF-8", "m", {OS_LOG_KIND_TEXT, "a", {(const uint8_t *)"\303\244", 2}, 0}, "m a=\303\244"},
    {"percent signs", "%s%n", {OS_LOG_KIND_NONE, NULL, {NULL, 0}, 0}, "%s%n"},
    {"line feed in the message", "a\nb", {OS_LOG_KIND_NONE, NULL, {NULL, 0}, 0}, "a\\x0Ab"},
};

static void test_lines(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
        char text[OS_LOG_LINE_MAX + 1];
        size_t n = os_log_format(text, lines[i].message, &lines[i].field, 1);
        assert_int_equal(n, strlen(text));
        if (strcmp(text, lines[i].expected) != 0)
            fail_msg("%s: %s", lines[i].name, text);
    }
}

static void test_length(void **state) {
    (void)state;
    for (size_t length = OS_LOG_LINE_MAX - 1; length <= OS_LOG_LINE_MAX + 1; length++) {
        char message[OS_LOG_LINE_MAX + 2], text[OS_LOG_LINE_MAX + 1];
        memset(message, 'x', length);
        message[length] = '\0';
        size_t n = os_log_format(text, message, NULL, 0);
        assert_int_equal(n, length < OS_LOG_LINE_MAX ? length : OS_LOG_LINE_MAX);
    }
}

static char got[2000];
static unsigned calls;

static void sink(void *ctx, enum os_log_level level, struct slice text) {
    assert_ptr_equal(ctx, &calls);
    assert_int_equal(level, OS_LOG_WARN);
    memcpy(got, text.p, text.n);
    got[text.n] = '\0';
    calls++;
}

static void test_sink(void **state) {
    (void)state;
    os_log_init("test", sink, &calls);
    os_log(OS_LOG_WARN, "hello", OS_LOG_TEXT("a", "b"), OS_LOG_NUM("n", 1),
           OS_LOG_PATIENT("p", SLICE_LIT("x")));
    assert_string_equal(got, "hello a=b n=1 p=(withheld)");
    assert_int_equal(calls, 1);
    struct fault f = {ERR_CONFIG, "line 3"};
    os_log_fault(OS_LOG_WARN, "no", &f);
    assert_string_equal(got, "no error=\"the configuration is wrong\" detail=\"line 3\"");
}

static void test_clock(void **state) {
    (void)state;
    char text[OS_CLOCK_TEXT];
    os_clock_text(0, text);
    assert_string_equal(text, "1970-01-01T00:00:00.000Z");
    os_clock_text(1795471145123, text);
    assert_string_equal(text, "2026-11-23T21:59:05.123Z");
    int64_t a = os_clock_ms();
    assert_true(os_clock_ms() >= a);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_lines), cmocka_unit_test(test_length),
                                       cmocka_unit_test(test_sink), cmocka_unit_test(test_clock)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
