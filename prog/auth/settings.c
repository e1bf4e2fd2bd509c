#include "settings.h"

#include "base/buf.h"
#include "os/fd.h"

enum { SETTINGS_MAX_BYTES = 64 * 1024 };

enum kind { TEXT, NUMBER, ALGORITHM, ROLE };
#define AT(member) offsetof(struct settings, member)
#define ROOM(member) sizeof(((struct settings *)NULL)->member)
static const struct {
    const char *name;
    enum kind kind;
    size_t offset, room;
} rows[] = {
    {"session_idle_s", NUMBER, AT(session_idle_s), 0},
    {"session_max_s", NUMBER, AT(session_max_s), 0},
    {"archive_name", TEXT, AT(archive_name), ROOM(archive_name)},
    {"url", TEXT, AT(url), ROOM(url)},
    {"issuer", TEXT, AT(issuer), ROOM(issuer)},
    {"client_id", TEXT, AT(client_id), ROOM(client_id)},
    {"client_secret", TEXT, AT(client_secret), ROOM(client_secret)},
    {"audience", TEXT, AT(audience), ROOM(audience)},
    {"scopes", TEXT, AT(scopes), ROOM(scopes)},
    {"user_claim", TEXT, AT(user_claim), ROOM(user_claim)},
    {"roles_claim", TEXT, AT(roles_claim), ROOM(roles_claim)},
    {"physician_claim", TEXT, AT(physician_claim), ROOM(physician_claim)},
    {"algorithm", ALGORITHM, 0, 0},
    {"role", ROLE, 0, 0},
};

// "roles TAB value of the claim"
static bool add_role(struct settings *s, struct slice text) {
    struct slice value, number = slice_split(text, '\t', &value);
    uint64_t roles;
    if (s->role_count == SETTING_ROLES_MAX || !slice_to_u64(number, UINT32_MAX, &roles) || !value.p)
        return false;
    struct settings_role *r = &s->roles[s->role_count++];
    r->roles = (uint32_t)roles;
    return slice_to_cstr(value, r->value, sizeof r->value);
}

static bool take(struct settings *s, size_t row, struct slice value) {
    uint8_t *at = (uint8_t *)s + rows[row].offset;
    uint64_t number;
    switch (rows[row].kind) {
    case TEXT:
        return slice_to_cstr(value, (char *)at, rows[row].room);
    case NUMBER:
        if (!slice_to_u64(value, UINT32_MAX, &number))
            return false;
        *(uint32_t *)(void *)at = (uint32_t)number;
        return true;
    case ALGORITHM:
        return s->algorithm_count < SETTING_ALGORITHMS_MAX &&
               slice_to_cstr(value, s->algorithms[s->algorithm_count++], sizeof s->algorithms[0]);
    case ROLE:
        return add_role(s, value);
    }
    return false;
}

static bool take_line(struct settings *s, struct slice line) {
    struct slice value, name = slice_split(line, '\t', &value);
    for (size_t i = 0; value.p && i < sizeof rows / sizeof *rows; i++)
        if (slice_eq_str(name, rows[i].name))
            return take(s, i, value);
    return false;
}

enum err settings_parse(struct settings *ret_settings, struct slice text, struct fault *f) {
    struct settings s = {0};
    for (size_t line = 1; text.p && text.n > 0; line++)
        if (!take_line(&s, slice_split(text, '\n', &text)))
            return fault_set(f, ERR_CONFIG, "line %zu of the settings is malformed", line);
    if (s.session_idle_s == 0 || s.session_max_s == 0)
        return fault_set(f, ERR_CONFIG, "the settings say nothing about sessions");
    *ret_settings = s;
    return OK;
}

enum err settings_load(struct settings *settings, int take_fd, struct fault *f) {
    CLEANUP_FD int fd = take_fd;
    struct buf text = BUF_INIT(SETTINGS_MAX_BYTES);
    enum err e = os_fd_read_all(fd, &text, f);
    if (e == OK)
        e = settings_parse(settings, buf_slice(&text), f);
    if (text.p)
        explicit_bzero(text.p, text.n);
    buf_fini(&text);
    return e;
}
