#include "tokens.h"

#include "ipc/ipc.h"
#include "os/fd.h"
#include "secrets.h"

#include <stdlib.h>

static int by_digest(const void *a, const void *b) {
    const struct token *x = a, *y = b;
    return memcmp(x->c.digest, y->c.digest, sizeof x->c.digest);
}

static enum err parse(struct tokens *t, struct slice text, struct fault *f) {
    size_t lines = 0;
    for (size_t i = 0; i < text.n; i++)
        lines += text.p[i] == '\n';
    t->v = calloc(lines + 1, sizeof *t->v);
    if (!t->v)
        return fault_set(f, ERR_NO_MEMORY, "%zu tokens", lines);
    struct slice rest = text;
    while (rest.p && rest.n > 0) {
        struct slice line = slice_split(rest, '\n', &rest);
        if (!rest.p || !conf_token_line_parse(line, &t->v[t->n].c))
            return fault_set(f, ERR_CONFIG, "record %zu of the tokens is malformed", t->n + 1);
        t->n++;
    }
    qsort(t->v, t->n, sizeof *t->v, by_digest);
    return OK;
}

// What is known of the use of those that are still there goes on.
static void take_over_use(const struct tokens *old, struct tokens *fresh) {
    for (size_t i = 0; i < old->n; i++) {
        struct token *same = tokens_find(fresh, slice_of(old->v[i].c.digest, sizeof old->v[i].c.digest));
        if (same)
            same->used_s = old->v[i].used_s;
    }
}

enum err tokens_load(struct tokens *tokens, int take_fd, struct fault *f) {
    CLEANUP_FD int fd = take_fd;
    CLEANUP(buf_fini) struct buf text = BUF_INIT(TOKENS_MAX_BYTES);
    struct tokens fresh = {0};
    enum err e = os_fd_read_all(fd, &text, f);
    if (e == OK)
        e = parse(&fresh, buf_slice(&text), f);
    if (e != OK) {
        tokens_fini(&fresh);
        return e;
    }
    take_over_use(tokens, &fresh);
    tokens_fini(tokens);
    *tokens = fresh;
    return OK;
}

void tokens_fini(struct tokens *tokens) {
    free(tokens->v);
    *tokens = (struct tokens){0};
}

struct token *tokens_find(const struct tokens *tokens, struct slice digest) {
    struct token key;
    if (tokens->n == 0 || digest.n != sizeof key.c.digest)
        return NULL;
    memcpy(key.c.digest, digest.p, digest.n);
    return bsearch(&key, tokens->v, tokens->n, sizeof *tokens->v, by_digest);
}

struct token *tokens_by_id(const struct tokens *tokens, struct slice user, struct slice id) {
    for (size_t i = 0; i < tokens->n; i++)
        if (slice_eq_str(id, tokens->v[i].c.id) && slice_eq_str(user, tokens->v[i].c.user))
            return &tokens->v[i];
    return NULL;
}

size_t tokens_of_user(const struct tokens *tokens, struct slice user) {
    size_t n = 0;
    for (size_t i = 0; i < tokens->n; i++)
        n += slice_eq_str(user, tokens->v[i].c.user);
    return n;
}

bool tokens_add(struct tokens *tokens, const struct conf_token *t) {
    struct token *grown = reallocarray(tokens->v, tokens->n + 1, sizeof *grown);
    if (!grown)
        return false;
    tokens->v = grown;
    grown[tokens->n++] = (struct token){.c = *t};
    qsort(grown, tokens->n, sizeof *grown, by_digest);
    return true;
}

void tokens_remove(struct tokens *tokens, struct token *t) {
    size_t at = (size_t)(t - tokens->v);
    memmove(t, t + 1, (tokens->n - at - 1) * sizeof *t);
    tokens->n--;
}

static const struct {
    unsigned can;
    uint32_t right;
} rights[] = {
    {CONF_TOKEN_STORE, IPC_RIGHT_STORE},       {CONF_TOKEN_QUERY, IPC_RIGHT_QUERY},
    {CONF_TOKEN_RETRIEVE, IPC_RIGHT_RETRIEVE}, {CONF_TOKEN_DELETE, IPC_RIGHT_DELETE},
    {CONF_TOKEN_ADMIN, IPC_RIGHT_ADMIN},
};

uint32_t tokens_rights(unsigned can) {
    uint32_t found = 0;
    for (size_t i = 0; i < sizeof rights / sizeof *rights; i++)
        found |= can & rights[i].can ? rights[i].right : 0;
    return found;
}

unsigned tokens_can(uint32_t wanted) {
    unsigned can = 0;
    for (size_t i = 0; i < sizeof rights / sizeof *rights; i++)
        can |= wanted & rights[i].right ? rights[i].can : 0;
    return can;
}
