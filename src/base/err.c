#include "base/err.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct {
    const char *name, *text;
    uint16_t dimse, http;
} table[ERR_COUNT_] = {
#define X(id, dimse, http, text) [id] = {#id, text, dimse, http},
    ERR_TABLE(X)
#undef X
};

static enum err known(enum err e) {
    return (unsigned)e < ERR_COUNT_ ? e : ERR_IO;
}

const char *err_name(enum err e) {
    return table[known(e)].name;
}

const char *err_text(enum err e) {
    return table[known(e)].text;
}

bool err_of_machine(enum err e) {
    return e == ERR_IO || e == ERR_NO_SPACE || e == ERR_NO_MEMORY;
}

uint16_t err_dimse_status(enum err e) {
    return table[known(e)].dimse;
}

unsigned err_http_status(enum err e) {
    return table[known(e)].http;
}

enum err fault_set_v(struct fault *f, enum err code, const char *fmt, va_list ap) {
    if (!f)
        return code;
    if (f->code != OK)
        return f->code;
    f->code = code;
    vsnprintf(f->detail, sizeof f->detail, fmt, ap);
    return code;
}

enum err fault_set(struct fault *f, enum err code, const char *fmt, ...) {
    va_list ap;
    va_start(ap, fmt);
    enum err e = fault_set_v(f, code, fmt, ap);
    va_end(ap);
    return e;
}

enum err fault_errno(struct fault *f, const char *what) {
    int e = errno;
    enum err code = e == ENOSPC || e == EDQUOT || e == EFBIG ? ERR_NO_SPACE
                    : e == ENOMEM                            ? ERR_NO_MEMORY
                                                             : ERR_IO;
    return fault_set(f, code, "%s: %s", what, strerror(e));
}

_Noreturn void bug_at(const char *file, int line, const char *what) {
    fprintf(stderr, "galena: bug at %s:%d: %s\n", file, line, what);
    abort();
}
