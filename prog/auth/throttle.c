#include "auth.h"

// FNV-1a, keyed: it only spreads names over slots.
static size_t slot_of(const struct throttle *t, struct slice name) {
    uint64_t h = 0xCBF29CE484222325u ^ t->key;
    for (size_t i = 0; i < name.n; i++)
        h = (h ^ name.p[i]) * 0x100000001B3u;
    h = (h ^ t->key) * 0x9E3779B97F4A7C15u;
    return (size_t)(h >> 52) % THROTTLE_SLOTS;
}

static int64_t delay_ms(unsigned failures) {
    int64_t ms = failures == 0 ? 0 : THROTTLE_FIRST_MS;
    for (unsigned i = 1; i < failures && ms < THROTTLE_MOST_MS; i++)
        ms *= 2;
    return ms < THROTTLE_MOST_MS ? ms : THROTTLE_MOST_MS;
}

int64_t throttle_due_ms(struct throttle *t, struct slice name, int64_t now_ms) {
    size_t i = slot_of(t, name);
    if (t->slot[i].failures > 0 && now_ms - t->slot[i].last_failure_ms > THROTTLE_FORGET_MS)
        t->slot[i].failures = 0;
    // Checks that come at once queue up behind each other: guessing in parallel is not faster.
    int64_t start = t->slot[i].free_at_ms > now_ms ? t->slot[i].free_at_ms : now_ms;
    int64_t due = start + delay_ms(t->slot[i].failures);
    t->slot[i].free_at_ms = due;
    return due;
}

void throttle_note(struct throttle *t, struct slice name, bool valid, int64_t now_ms) {
    size_t i = slot_of(t, name);
    if (valid) {
        t->slot[i].failures = 0;
        return;
    }
    t->slot[i].last_failure_ms = now_ms;
    if (t->slot[i].failures < 32)
        t->slot[i].failures++;
}
