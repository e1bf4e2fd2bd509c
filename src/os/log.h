// One line an event: time, level, role, [peer], message, name=value fields.
//
//   os_log(OS_LOG_WARN, "handshake failed", OS_LOG_TEXT("why", why), OS_LOG_NUM("after_ms", ms));
//
// A field is declared plain or patient data. Patient data are never written: the line says
// "name=(withheld)". Control and direction characters and invalid UTF-8 are written as \xNN,
// a value with blanks or quotes in quotes; a line has at most 1024 bytes.
#ifndef OS_LOG_H
#define OS_LOG_H

#include "base/err.h"
#include "base/slice.h"

enum os_log_level { OS_LOG_ERROR, OS_LOG_WARN, OS_LOG_INFO };
enum { OS_LOG_LINE_MAX = 1024 };

enum os_log_kind { OS_LOG_KIND_NONE, OS_LOG_KIND_TEXT, OS_LOG_KIND_NUM, OS_LOG_KIND_PATIENT };
struct os_log_field {
    enum os_log_kind kind;
    const char *name;
    struct slice text;
    int64_t num;
};

#define OS_LOG_TEXT(name_, cstr_) \
    ((struct os_log_field){OS_LOG_KIND_TEXT, (name_), slice_str(cstr_), 0})
#define OS_LOG_SLICE(name_, slice_) ((struct os_log_field){OS_LOG_KIND_TEXT, (name_), (slice_), 0})
#define OS_LOG_NUM(name_, num_) ((struct os_log_field){OS_LOG_KIND_NUM, (name_), {NULL, 0}, (num_)})
#define OS_LOG_PATIENT(name_, slice_) \
    ((struct os_log_field){OS_LOG_KIND_PATIENT, (name_), (slice_), 0})

// Where finished text goes: "message name=value …" without time and role. The sink of a worker
// sends it over its ctl socket; the supervisor adds time, role and peer and writes it.
typedef void os_log_sink(void *ctx, enum os_log_level level, struct slice text);

// role: "archive". Without a sink (NULL) whole lines go to standard error.
void os_log_init(const char *role, os_log_sink *sink, void *ctx);

void os_log_write(enum os_log_level level, const char *message, const struct os_log_field *fields, size_t n);
#define os_log(level_, message_, ...)                                                              \
    os_log_write((level_), (message_),                                                             \
        (const struct os_log_field[]){{OS_LOG_KIND_NONE, NULL, {NULL, 0}, 0}, ##__VA_ARGS__},       \
        sizeof((const struct os_log_field[]){{OS_LOG_KIND_NONE, NULL, {NULL, 0}, 0}, ##__VA_ARGS__}) \
            / sizeof(struct os_log_field))
void os_log_fault(enum os_log_level level, const char *message, const struct fault *f);

// Writes a line on behalf of another process (its text is sanitised again).
void os_log_relay(enum os_log_level level, const char *role, const char *peer, struct slice text);

// The line as it would be written, for tests; returns its length without the NUL.
size_t os_log_format(char dst[OS_LOG_LINE_MAX + 1], const char *message, const struct os_log_field *fields,
    size_t n);

#endif
