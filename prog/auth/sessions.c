#include "sessions.h"

#include <stdlib.h>

bool sessions_init(struct sessions *t) {
    t->v = calloc(SESSIONS_MAX, sizeof *t->v);
    return t->v != NULL;
}

static struct session **bucket_of(struct sessions *t, const uint8_t digest[DIGEST_SHA256_BYTES]) {
    uint32_t at;
    memcpy(&at, digest, sizeof at);
    return &t->bucket[at % SESSIONS_BUCKETS];
}

void sessions_end(struct sessions *t, struct session *s) {
    struct session **at = bucket_of(t, s->digest);
    while (*at && *at != s)
        at = &(*at)->next;
    if (*at)
        *at = s->next;
    explicit_bzero(s, sizeof *s);
}

int64_t sessions_left_ms(const struct sessions *t, const struct session *s, int64_t now_ms) {
    int64_t most_ms = s->created_ms + t->most_ms - now_ms, idle_ms = s->seen_ms + t->idle_ms - now_ms;
    return s->expired ? 0 : most_ms < idle_ms ? most_ms : idle_ms;
}

// A free place. The user's own oldest makes room first, so that nobody pushes others out by signing in often.
static struct session *make_room(struct sessions *t, const char *user, int64_t now_ms) {
    struct session *free_one = NULL, *oldest = NULL, *own = NULL;
    unsigned owned = 0;
    for (struct session *s = t->v; s < t->v + SESSIONS_MAX; s++) {
        if (!s->used) {
            free_one = s;
            continue;
        }
        if (!oldest || s->seen_ms < oldest->seen_ms)
            oldest = s;
        if (strcmp(s->user, user) != 0 || sessions_left_ms(t, s, now_ms) <= 0)
            continue;
        owned++;
        if (!own || s->seen_ms < own->seen_ms)
            own = s;
    }
    struct session *victim = owned >= SESSIONS_OF_USER_MAX ? own : free_one ? NULL : oldest;
    if (!victim)
        return free_one;
    sessions_end(t, victim);
    return victim;
}

struct session *sessions_new(struct sessions *t, const struct session *spec, int64_t now_ms, int64_t wall_ms,
                             char ret_secret[SECRET_CHARS + 1]) {
    struct session *s = make_room(t, spec->user, now_ms);
    *s = *spec;
    s->used = true;
    s->created_ms = s->seen_ms = now_ms;
    s->wall_created_ms = s->wall_seen_ms = wall_ms;
    secrets_make(ret_secret, s->digest);
    secrets_make_id(s->id);
    struct session **bucket = bucket_of(t, s->digest);
    s->next = *bucket;
    *bucket = s;
    return s;
}

struct session *sessions_find_expired(struct sessions *t, struct slice digest) {
    if (digest.n != DIGEST_SHA256_BYTES)
        return NULL;
    struct session *s = *bucket_of(t, digest.p);
    while (s && !secrets_equal(slice_of(s->digest, DIGEST_SHA256_BYTES), digest))
        s = s->next;
    return s;
}

struct session *sessions_find(struct sessions *t, struct slice digest, int64_t now_ms) {
    struct session *s = sessions_find_expired(t, digest);
    if (s && sessions_left_ms(t, s, now_ms) <= 0)
        s->expired = true; // for good, whatever is set later
    return s && !s->expired ? s : NULL;
}

void sessions_touch(struct session *s, int64_t now_ms, int64_t wall_ms) {
    s->seen_ms = now_ms;
    s->wall_seen_ms = wall_ms;
}

struct session *sessions_by_id(struct sessions *t, struct slice user, struct slice id) {
    for (struct session *s = t->v; s < t->v + SESSIONS_MAX; s++)
        if (s->used && slice_eq_str(id, s->id) && slice_eq_str(user, s->user))
            return s;
    return NULL;
}

void sessions_end_of_user(struct sessions *t, struct slice user) {
    for (struct session *s = t->v; s < t->v + SESSIONS_MAX; s++)
        if (s->used && slice_eq_str(user, s->user))
            sessions_end(t, s);
}
