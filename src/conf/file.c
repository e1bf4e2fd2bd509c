#include "conf/file.h"

#include "base/cleanup.h"
#include "conf/collection.h"

#include <confuse.h>
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

// libconfuse hands no context to its callbacks; reading is neither threaded nor nested.
static struct {
    const struct conf_option *options;
    size_t n;
    void *dst;
    struct fault *f;
    const char *shown;
    int first_line[CONF_OPTIONS_MAX]; // 0 = not seen yet
    unsigned taken[CONF_OPTIONS_MAX]; // values so far
    bool ended[CONF_OPTIONS_MAX];     // a list whose closing brace was read
    bool failed;
} now;

static void fail(const cfg_t *cfg, const char *what) {
    if (!now.failed)
        fault_set(now.f, ERR_CONFIG, "%s:%d: %s", now.shown, cfg->line, what);
    now.failed = true;
}

static void on_error(cfg_t *cfg, const char *fmt, va_list ap) {
    char text[128];
    // The format comes from libconfuse itself.
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
    vsnprintf(text, sizeof text, fmt, ap);
#pragma GCC diagnostic pop
    if (strncmp(text, "no such option", 14) == 0)
        snprintf(text + strlen(text), sizeof text - strlen(text), "; remove the line or mend its name");
    fail(cfg, text);
}

static size_t option_index(const char *name) {
    for (size_t i = 0; i < now.n; i++)
        if (strcmp(now.options[i].name, name) == 0)
            return i;
    bug("an option that is not in the table");
}

static int fail_twice(cfg_t *cfg, const struct conf_option *o, int first_line) {
    char text[128];
    snprintf(text, sizeof text, "%s is given twice, first in line %d; keep one", o->name, first_line);
    fail(cfg, text);
    return -1;
}

// Called after each value was read, and once more at a list's closing brace. Non-zero stops.
static int on_value(cfg_t *cfg, cfg_opt_t *opt) {
    size_t i = option_index(opt->name);
    const struct conf_option *o = &now.options[i];
    unsigned count = cfg_opt_size(opt);
    if (now.ended[i] || (now.first_line[i] && !o->list))
        return fail_twice(cfg, o, now.first_line[i]);
    if (!now.first_line[i])
        now.first_line[i] = cfg->line;
    if (o->list && count == now.taken[i]) {
        now.ended[i] = true;
        return 0;
    }
    now.taken[i] = count;
    const char *value = count > 0 ? cfg_opt_getnstr(opt, count - 1) : NULL;
    struct fault why = {0};
    if (value && o->take(now.dst, o, slice_str(value), &why))
        return 0;
    char text[256];
    snprintf(text, sizeof text, "%s: %s", o->name, why.detail);
    fail(cfg, text);
    return -1;
}

// Comments become blanks: libconfuse counts their lines three times over.
static void blank_comments(char *text) {
    char quote = '\0';
    bool comment = false;
    for (char *c = text; *c; c++) {
        if (*c == '\n')
            comment = false;
        else if (comment)
            *c = ' ';
        else if (quote && *c == '\\' && c[1])
            c++;
        else if (quote)
            quote = *c == quote ? '\0' : quote;
        else if (*c == '"' || *c == '\'')
            quote = *c;
        else if (*c == '#') {
            comment = true;
            *c = ' ';
        }
    }
}

static enum err read_text(int fd, const char *shown, struct buf *out, struct fault *f) {
    struct stat st;
    if (fstat(fd, &st) != 0)
        return fault_set(f, ERR_IO, "%s: %s", shown, strerror(errno));
    if (!S_ISREG(st.st_mode) || st.st_size > CONF_FILE_MAX_BYTES)
        return fault_set(f, ERR_CONFIG, "%s: is not an ordinary file of at most %d bytes", shown,
                         CONF_FILE_MAX_BYTES);
    ssize_t n = 1;
    while (n > 0) {
        uint8_t piece[4096];
        do
            n = read(fd, piece, sizeof piece);
        while (n < 0 && errno == EINTR);
        if (n < 0)
            return fault_set(f, ERR_IO, "%s: %s", shown, strerror(errno));
        buf_append(out, piece, (size_t)n);
    }
    buf_u8(out, '\0');
    if (!buf_ok(out) && st.st_size < CONF_FILE_MAX_BYTES)
        return fault_set(f, ERR_NO_MEMORY, "%s: not enough memory", shown);
    if (!buf_ok(out) || strlen((const char *)out->p) + 1 != out->n)
        return fault_set(f, ERR_CONFIG, "%s: is too long, or no text", shown);
    blank_comments((char *)out->p);
    return OK;
}

static enum err not_opened(int error) {
    switch (error) {
    case ENOENT:
        return ERR_NO_SUCH_OBJECT;
    case ENOMEM:
        return ERR_NO_MEMORY;
    case EIO:
    case EMFILE:
    case ENFILE:
        return ERR_IO;
    default: // a link, another's file: what is there is wrong
        return ERR_CONFIG;
    }
}

static enum err read_file(const char *path, const char *shown, struct buf *out, struct fault *f) {
    int fd = open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0)
        return fault_set(f, not_opened(errno), "%s: %s", shown, strerror(errno));
    enum err e = read_text(fd, shown, out, f);
    close(fd);
    return e;
}

static enum err check_required(struct fault *f) {
    for (size_t i = 0; i < now.n; i++)
        if (now.options[i].required && !now.first_line[i])
            return fault_set(f, ERR_CONFIG, "%s: %s is missing; add a line %s = …", now.shown,
                             now.options[i].name, now.options[i].name);
    return OK;
}

static enum err parse_text(const char *text, struct fault *f) {
    cfg_opt_t opts[CONF_OPTIONS_MAX + 1];
    for (size_t i = 0; i < now.n; i++) {
        cfg_opt_t plain = CFG_STR(now.options[i].name, NULL, CFGF_NONE);
        cfg_opt_t list = CFG_STR_LIST(now.options[i].name, NULL, CFGF_NONE);
        opts[i] = now.options[i].list ? list : plain;
    }
    opts[now.n] = (cfg_opt_t)CFG_END();
    cfg_t *cfg = cfg_init(opts, CFGF_NONE);
    if (!cfg)
        return fault_set(f, ERR_NO_MEMORY, "%s: not enough memory", now.shown);
    cfg_set_error_function(cfg, on_error);
    for (size_t i = 0; i < now.n; i++)
        cfg_set_validate_func(cfg, now.options[i].name, on_value);
    errno = 0;
    int result = cfg_parse_buf(cfg, text);
    bool no_memory = errno == ENOMEM; // which libconfuse takes for a mistake in the text
    cfg_free(cfg);
    if (no_memory && (now.failed || result != CFG_SUCCESS)) {
        if (f)
            *f = (struct fault){0};
        return fault_set(f, ERR_NO_MEMORY, "%s: not enough memory", now.shown);
    }
    if (now.failed)
        return ERR_CONFIG;
    if (result != CFG_SUCCESS)
        return fault_set(f, ERR_CONFIG, "%s: cannot be understood", now.shown);
    return check_required(f);
}

enum err conf_file_parse(const char *path, const char *shown, const struct conf_option *options,
                         size_t n, void *dst, struct fault *f) {
    bug_unless(n <= CONF_OPTIONS_MAX);
    CLEANUP(buf_fini) struct buf text = BUF_INIT(CONF_FILE_MAX_BYTES + 1);
    enum err e = read_file(path, shown, &text, f);
    if (e != OK)
        return e;
    memset(&now, 0, sizeof now);
    now.options = options;
    now.n = n;
    now.dst = dst;
    now.f = f;
    now.shown = shown;
    return parse_text((const char *)text.p, f);
}

bool conf_take_u32(void *dst, const struct conf_option *o, struct slice value, struct fault *f) {
    uint64_t number;
    if (!slice_to_u64(value, o->max, &number) || number < o->min) {
        fault_set(f, ERR_CONFIG, "must be a number from %llu to %llu", (unsigned long long)o->min,
                  (unsigned long long)o->max);
        return false;
    }
    uint32_t narrow = (uint32_t)number;
    memcpy((uint8_t *)dst + o->offset, &narrow, sizeof narrow);
    return true;
}

bool conf_take_bool(void *dst, const struct conf_option *o, struct slice value, struct fault *f) {
    bool on = slice_eq_str(value, "yes") || slice_eq_str(value, "true");
    if (!on && !slice_eq_str(value, "no") && !slice_eq_str(value, "false")) {
        fault_set(f, ERR_CONFIG, "must be yes or no");
        return false;
    }
    memcpy((uint8_t *)dst + o->offset, &on, sizeof on);
    return true;
}

static const struct {
    const char *unit;
    uint64_t factor;
} units[] = {
    {"", 1},
    {"GiB", 1ull << 30},
    {"MiB", 1ull << 20},
    {"KiB", 1ull << 10},
    {"TiB", 1ull << 40},
    {"GB", 1000000000ull},
    {"MB", 1000000ull},
    {"kB", 1000ull},
    {"TB", 1000000000000ull},
};

bool conf_bytes_parse(struct slice text, uint64_t *ret_bytes) {
    size_t digits = 0;
    while (digits < text.n && isdigit(text.p[digits]))
        digits++;
    uint64_t number;
    struct slice unit = slice_trim(slice_sub(text, digits, text.n - digits), " ");
    if (!slice_to_u64(slice_sub(text, 0, digits), UINT64_MAX, &number))
        return false;
    for (size_t i = 0; i < sizeof units / sizeof *units; i++)
        if (slice_eq_str(unit, units[i].unit) &&
            !__builtin_mul_overflow(number, units[i].factor, &number)) {
            *ret_bytes = number;
            return true;
        }
    return false;
}

void conf_bytes_format(uint64_t bytes, char ret_text[32]) {
    for (size_t i = 1; i < 4; i++)
        if (bytes >= units[i].factor && bytes % units[i].factor == 0) {
            snprintf(ret_text, 32, "%llu %s", (unsigned long long)(bytes / units[i].factor),
                     units[i].unit);
            return;
        }
    snprintf(ret_text, 32, "%llu", (unsigned long long)bytes);
}

bool conf_take_bytes(void *dst, const struct conf_option *o, struct slice value, struct fault *f) {
    uint64_t bytes;
    if (!conf_bytes_parse(value, &bytes)) {
        fault_set(f, ERR_CONFIG, "must be a size such as \"500 MB\" or \"2 GiB\"");
        return false;
    }
    memcpy((uint8_t *)dst + o->offset, &bytes, sizeof bytes);
    return true;
}

bool conf_take_addr(void *dst, const struct conf_option *o, struct slice value, struct fault *f) {
    struct conf_addr a;
    if (conf_addr_parse(value, &a, f) != OK)
        return false;
    memcpy((uint8_t *)dst + o->offset, &a, sizeof a);
    return true;
}

bool conf_take_ae(void *dst, const struct conf_option *o, struct slice value, struct fault *f) {
    if (conf_ae_parse(value, (char *)dst + o->offset))
        return true;
    fault_set(f, ERR_CONFIG,
              "an AE title has 1 to 16 characters, no backslash and no control characters");
    return false;
}

bool conf_take_collections(void *dst, const struct conf_option *o, struct slice value, struct fault *f) {
    if (conf_collection_names_parse(value, (char *)dst + o->offset))
        return true;
    fault_set(f, ERR_CONFIG, "must be a list of names of collections, such as \"ward3,research\"");
    return false;
}

void conf_put_comment(struct buf *b, const char *comment) {
    struct slice rest = slice_str(comment);
    while (rest.p) {
        struct slice line = slice_split(rest, '\n', &rest);
        buf_printf(b, "# %.*s\n", SLICE_FMT(line));
    }
}

void conf_put_quoted(struct buf *b, const char *value) {
    buf_u8(b, '"');
    for (const char *c = value; *c; c++) {
        // '$' would begin "${VARIABLE}" in libconfuse.
        if (*c == '"' || *c == '\\' || *c == '$')
            buf_u8(b, '\\');
        buf_u8(b, (uint8_t)*c);
    }
    buf_u8(b, '"');
}

void conf_put_text(struct buf *b, const char *name, const char *value) {
    buf_printf(b, "%s = ", name);
    conf_put_quoted(b, value);
    buf_u8(b, '\n');
}
