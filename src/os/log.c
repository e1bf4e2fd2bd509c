#include "os/log.h"

#include "base/utf8.h"
#include "os/clock.h"

#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

static struct {
    char role[16];
    os_log_sink *sink;
    void *ctx;
} state = {.role = "galena"};

static const char *const level_names[] = {"error", "warn", "info"};

// A line under construction; what does not fit is left off.
struct line {
    char *p;
    size_t n, cap;
};

static void put(struct line *l, const void *p, size_t n) {
    if (n > l->cap - l->n)
        n = l->cap - l->n;
    memcpy(l->p + l->n, p, n);
    l->n += n;
}

static void put_str(struct line *l, const char *s) {
    put(l, s, strlen(s));
}

static void put_escaped(struct line *l, uint8_t byte) {
    char hex[5];
    snprintf(hex, sizeof hex, "\\x%02X", byte);
    put_str(l, hex);
}

// Right-to-left marks and other format characters could make a line read as something else.
static bool is_plain_char(uint32_t c) {
    if (c < 0x20 || (c >= 0x7F && c < 0xA0) || c == 0x61C || c == 0xFEFF)
        return false;
    return !(c >= 0x200B && c <= 0x200F) && !(c >= 0x2028 && c <= 0x202E) && !(c >= 0x2060 && c <= 0x206F)
        && !(c >= 0xFFF0 && c <= 0xFFFF) && c < 0xE0000;
}

static void put_sanitised(struct line *l, struct slice s, bool quoted) {
    while (s.n > 0) {
        uint32_t c = 0;
        size_t n = utf8_decode(s, &c);
        if (n > 0 && is_plain_char(c) && !(quoted && (c == '"' || c == '\\'))) {
            put(l, s.p, n);
        } else {
            n = n > 0 ? n : 1;
            for (size_t i = 0; i < n; i++)
                put_escaped(l, s.p[i]);
        }
        s = slice_sub(s, n, s.n - n);
    }
}

static bool needs_quotes(struct slice s) {
    for (size_t i = 0; i < s.n; i++)
        if (s.p[i] <= ' ' || s.p[i] == '"' || s.p[i] == '=')
            return true;
    return s.n == 0;
}

static void put_field(struct line *l, const struct os_log_field *field) {
    if (field->kind == OS_LOG_KIND_NONE)
        return;
    put_str(l, " ");
    put_str(l, field->name);
    put_str(l, "=");
    char number[24];
    switch (field->kind) {
    case OS_LOG_KIND_NUM:
        snprintf(number, sizeof number, "%" PRId64, field->num);
        put_str(l, number);
        break;
    case OS_LOG_KIND_TEXT:
        if (needs_quotes(field->text)) {
            put_str(l, "\"");
            put_sanitised(l, field->text, true);
            put_str(l, "\"");
        } else {
            put_sanitised(l, field->text, false);
        }
        break;
    case OS_LOG_KIND_NONE:
    case OS_LOG_KIND_PATIENT:
    default:
        put_str(l, "(withheld)");
    }
}

size_t os_log_format(char dst[OS_LOG_LINE_MAX + 1], const char *message, const struct os_log_field *fields,
                     size_t n) {
    struct line l = {dst, 0, OS_LOG_LINE_MAX};
    put_sanitised(&l, slice_str(message), false);
    for (size_t i = 0; i < n; i++)
        put_field(&l, &fields[i]);
    dst[l.n] = '\0';
    return l.n;
}

void os_log_init(const char *role, os_log_sink *sink, void *ctx) {
    snprintf(state.role, sizeof state.role, "%s", role);
    state.sink = sink;
    state.ctx = ctx;
}

void os_log_relay(enum os_log_level level, const char *role, const char *peer, struct slice text) {
    char dst[OS_LOG_LINE_MAX + 1], time[OS_CLOCK_TEXT];
    struct line l = {dst, 0, OS_LOG_LINE_MAX};
    os_clock_text(os_clock_wall_ms(), time);
    put_str(&l, time);
    put_str(&l, " ");
    put_str(&l, level_names[level <= OS_LOG_INFO ? level : OS_LOG_INFO]);
    put_str(&l, " ");
    put_str(&l, role);
    if (peer && *peer) {
        put_str(&l, " [");
        put_sanitised(&l, slice_str(peer), false);
        put_str(&l, "]");
    }
    put_str(&l, " ");
    put_sanitised(&l, text, false);
    dst[l.n] = '\n';
    // One write, so that lines of several processes do not mix. A full log must not stop us.
    if (write(STDERR_FILENO, dst, l.n + 1) < 0)
        return;
}

void os_log_write(enum os_log_level level, const char *message, const struct os_log_field *fields, size_t n) {
    char text[OS_LOG_LINE_MAX + 1];
    size_t length = os_log_format(text, message, fields, n);
    if (state.sink)
        state.sink(state.ctx, level, slice_of(text, length));
    else
        os_log_relay(level, state.role, NULL, slice_of(text, length));
}

void os_log_fault(enum os_log_level level, const char *message, const struct fault *f) {
    os_log(level, message, OS_LOG_TEXT("error", err_text(f->code)), OS_LOG_TEXT("detail", f->detail));
}
