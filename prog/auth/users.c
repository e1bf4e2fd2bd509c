#include "users.h"

#include "os/fd.h"

#include <stdlib.h>

enum { CELLS = 6 };

static int by_name(const void *a, const void *b) {
    const struct user *x = a, *y = b;
    return slice_cmp(x->name, y->name);
}

static bool parse_line(struct slice line, struct user *ret_user) {
    struct slice cell[CELLS], rest = line;
    size_t n = 0;
    for (; n < CELLS && rest.p; n++)
        cell[n] = slice_split(rest, '\t', &rest);
    uint64_t roles = 0;
    if (n != CELLS || rest.p || cell[0].n == 0 || !slice_to_u64(cell[1], UINT32_MAX, &roles))
        return false;
    *ret_user = (struct user){.name = cell[0],
                              .roles = (uint32_t)roles,
                              .hash = cell[2],
                              .totp = cell[3],
                              .collections = cell[4],
                              .physician = cell[5]};
    return true;
}

static enum err parse(struct users *u, struct fault *f) {
    size_t lines = 0;
    for (size_t i = 0; i < u->text.n; i++)
        lines += u->text.p[i] == '\n';
    u->v = calloc(lines + 1, sizeof *u->v);
    if (!u->v)
        return fault_set(f, ERR_NO_MEMORY, "%zu users", lines);
    struct slice rest = buf_slice(&u->text);
    while (rest.p && rest.n > 0) {
        struct slice line = slice_split(rest, '\n', &rest);
        if (!rest.p || !parse_line(line, &u->v[u->n]))
            return fault_set(f, ERR_CONFIG, "record %zu of the users is malformed", u->n + 1);
        u->n++;
    }
    qsort(u->v, u->n, sizeof *u->v, by_name);
    return OK;
}

enum err users_load(struct users *users, int take_fd, struct fault *f) {
    CLEANUP_FD int fd = take_fd;
    struct users fresh = {.text = BUF_INIT(USERS_MAX_BYTES)};
    enum err e = os_fd_read_all(fd, &fresh.text, f);
    if (e == OK)
        e = parse(&fresh, f);
    if (e != OK) {
        users_fini(&fresh);
        return e;
    }
    users_fini(users);
    *users = fresh;
    return OK;
}

static void wipe_text(char **text) {
    if (*text)
        explicit_bzero(*text, strlen(*text));
    free(*text);
    *text = NULL;
}

void users_fini(struct users *users) {
    if (users->text.p)
        explicit_bzero(users->text.p, users->text.n);
    buf_fini(&users->text);
    for (size_t i = 0; i < users->n; i++) {
        wipe_text(&users->v[i].own_hash);
        wipe_text(&users->v[i].own_totp);
    }
    free(users->v);
    *users = (struct users){.text = BUF_INIT(USERS_MAX_BYTES)};
}

struct user *users_find(const struct users *users, struct slice name) {
    if (users->n == 0)
        return NULL;
    struct user key = {.name = name};
    return bsearch(&key, users->v, users->n, sizeof *users->v, by_name);
}

static bool set(char **own, struct slice *at, struct slice text) {
    char *copy = strndup((const char *)text.p, text.n);
    if (!copy)
        return false;
    wipe_text(own);
    *own = copy;
    *at = slice_str(copy);
    return true;
}

bool users_set_hash(struct user *u, struct slice hash) {
    return set(&u->own_hash, &u->hash, hash);
}

bool users_set_totp(struct user *u, struct slice totp) {
    return set(&u->own_totp, &u->totp, totp);
}
