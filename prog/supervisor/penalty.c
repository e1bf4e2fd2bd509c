#include "penalty.h"

#include <stdio.h>
#include <stdlib.h>

enum { BUCKETS = 1024, SOURCE_TEXT = 64 };

struct source {
    struct source *next;
    char name[SOURCE_TEXT];
    uint32_t connections, unproven;
    unsigned crashes;
    int64_t last_crash_ms, waits_until_ms;
    bool told; // its refusal is in the log
};

struct penalties {
    struct penalty_limits limits;
    struct source *bucket[BUCKETS];
    size_t count;
};

struct penalties *penalties_new(const struct penalty_limits *limits) {
    struct penalties *p = calloc(1, sizeof *p);
    if (p)
        p->limits = *limits;
    return p;
}

void penalties_free(struct penalties *p) {
    for (size_t i = 0; p && i < BUCKETS; i++)
        while (p->bucket[i]) {
            struct source *s = p->bucket[i];
            p->bucket[i] = s->next;
            free(s);
        }
    free(p);
}

void penalties_set_limits(struct penalties *p, const struct penalty_limits *limits) {
    p->limits = *limits;
}

size_t penalties_count(const struct penalties *p) {
    return p->count;
}

static size_t bucket_of(const char *source) {
    uint32_t h = 2166136261u;
    for (; *source; source++)
        h = (h ^ (uint8_t)*source) * 16777619u;
    return h % BUCKETS;
}

static void decay(struct source *s, int64_t now_ms) {
    while (s->crashes > 0 && now_ms - s->last_crash_ms >= PENALTY_FORGET_MS) {
        s->crashes--;
        s->last_crash_ms += PENALTY_FORGET_MS;
    }
}

static bool is_forgettable(struct source *s, int64_t now_ms) {
    decay(s, now_ms);
    return s->connections == 0 && s->crashes == 0 && s->waits_until_ms <= now_ms;
}

// Drops what need not be remembered, as far as it lies in the way.
static void sweep(struct penalties *p, size_t bucket, int64_t now_ms) {
    for (struct source **at = &p->bucket[bucket]; *at;) {
        struct source *s = *at;
        if (!is_forgettable(s, now_ms)) {
            at = &s->next;
            continue;
        }
        *at = s->next;
        free(s);
        p->count--;
    }
}

static struct source *find(const struct penalties *p, const char *source) {
    struct source *s = p->bucket[bucket_of(source)];
    while (s && strcmp(s->name, source) != 0)
        s = s->next;
    return s;
}

static struct source *find_or_add(struct penalties *p, const char *source) {
    struct source *s = find(p, source);
    if (s)
        return s;
    s = calloc(1, sizeof *s);
    if (!s)
        return NULL;
    snprintf(s->name, sizeof s->name, "%s", source);
    size_t b = bucket_of(s->name);
    s->next = p->bucket[b];
    p->bucket[b] = s;
    p->count++;
    return s;
}

enum penalty_verdict penalty_admit(struct penalties *p, const char *source, int64_t now_ms) {
    sweep(p, bucket_of(source), now_ms);
    struct source *s = find_or_add(p, source);
    if (!s)
        return PENALTY_NO_MEMORY;
    if (s->waits_until_ms > now_ms)
        return PENALTY_WAITS;
    if (s->connections >= p->limits.per_source)
        return PENALTY_TOO_MANY;
    if (s->unproven >= p->limits.unproven_per_source)
        return PENALTY_TOO_MANY_UNPROVEN;
    s->connections++;
    s->unproven++;
    s->told = false;
    return PENALTY_ADMIT;
}

void penalty_proven(struct penalties *p, const char *source) {
    struct source *s = find(p, source);
    if (s && s->unproven > 0)
        s->unproven--;
}

void penalty_leave(struct penalties *p, const char *source, bool proven, int64_t now_ms) {
    struct source *s = find(p, source);
    if (!s || s->connections == 0)
        return;
    s->connections--;
    if (!proven && s->unproven > 0)
        s->unproven--;
    sweep(p, bucket_of(source), now_ms);
}

int64_t penalty_crash(struct penalties *p, const char *source, int64_t now_ms) {
    struct source *s = find_or_add(p, source);
    if (!s || p->limits.most_ms == 0)
        return 0;
    decay(s, now_ms);
    int64_t wait_ms = p->limits.first_ms;
    for (unsigned i = 0; i < s->crashes && wait_ms < p->limits.most_ms; i++)
        wait_ms *= 2;
    if (wait_ms > p->limits.most_ms)
        wait_ms = p->limits.most_ms;
    if (s->crashes < 32)
        s->crashes++;
    s->last_crash_ms = now_ms;
    s->waits_until_ms = now_ms + wait_ms;
    s->told = false;
    return wait_ms;
}

bool penalty_is_news(struct penalties *p, const char *source) {
    struct source *s = find(p, source);
    bool news = s && !s->told;
    if (s)
        s->told = true;
    return news;
}
