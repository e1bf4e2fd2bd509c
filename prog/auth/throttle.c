#include "throttle.h"

#include "secrets.h"

#include <arpa/inet.h>

static uint64_t tag_of(const struct throttle *t, char kind, struct slice a, struct slice b) {
    struct buf text = BUF_INIT(4096);
    uint8_t mac[DIGEST_SHA256_BYTES];
    uint64_t tag;
    buf_u8(&text, (uint8_t)kind);
    buf_u32le(&text, (uint32_t)a.n);
    buf_append_slice(&text, a);
    buf_append_slice(&text, b);
    digest_hmac_sha256(slice_of(t->key, sizeof t->key), buf_slice(&text), mac);
    buf_fini(&text);
    memcpy(&tag, mac, sizeof tag);
    return tag ? tag : 1;
}

uint64_t throttle_source(const struct throttle *t, struct slice source) {
    static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};
    char text[INET6_ADDRSTRLEN + 1];
    struct in6_addr v6;
    if (!slice_to_cstr(source, text, sizeof text) || inet_pton(AF_INET6, text, &v6) != 1)
        return tag_of(t, 's', source, slice_of(NULL, 0));
    if (memcmp(&v6, mapped, sizeof mapped) != 0)
        return tag_of(t, '6', slice_of(&v6, 8), slice_of(NULL, 0));
    (void)inet_ntop(AF_INET, (const uint8_t *)&v6 + 12, text, sizeof text);
    return tag_of(t, 's', slice_str(text), slice_of(NULL, 0));
}

struct throttle_who throttle_who(const struct throttle *t, struct slice user, struct slice source,
                                 struct slice device) {
    if (device.n > 0)
        return (struct throttle_who){.pair = tag_of(t, 'd', user, device)};
    uint64_t from = throttle_source(t, source);
    return (struct throttle_who){.pair = tag_of(t, 'p', user, slice_of(&from, sizeof from)), .source = from};
}

struct throttle_who throttle_who_code(const struct throttle *t, struct slice user, uint64_t device) {
    return (struct throttle_who){.pair = tag_of(t, 'c', user, slice_of(&device, sizeof device)),
                                 .patient = true};
}

static const struct throttle_slot *find(const struct throttle *t, uint64_t tag) {
    const struct throttle_slot *set = t->slot[tag % THROTTLE_SETS];
    for (unsigned i = 0; tag && i < THROTTLE_WAYS; i++)
        if (set[i].tag == tag)
            return &set[i];
    return NULL;
}

// The one that is there, else the place of whoever failed longest ago.
static struct throttle_slot *find_or_make(struct throttle *t, uint64_t tag) {
    struct throttle_slot *set = t->slot[tag % THROTTLE_SETS], *oldest = set;
    for (unsigned i = 0; i < THROTTLE_WAYS; i++) {
        if (set[i].tag == tag)
            return &set[i];
        if (set[i].last_ms < oldest->last_ms)
            oldest = &set[i];
    }
    *oldest = (struct throttle_slot){.tag = tag};
    return oldest;
}

static int64_t delay_ms(unsigned failures, int64_t most_ms) {
    int64_t ms = failures == 0 ? 0 : THROTTLE_FIRST_MS;
    for (unsigned i = 1; i < failures && ms < most_ms; i++)
        ms *= 2;
    return ms < most_ms ? ms : most_ms;
}

static int64_t pair_delay_ms(const struct throttle_slot *s, bool patient) {
    return delay_ms(s->failures, patient ? THROTTLE_CODE_MOST_MS : THROTTLE_MOST_MS);
}

static int64_t source_delay_ms(const struct throttle_slot *s) {
    return s->failures > THROTTLE_FREE ? delay_ms(s->failures - THROTTLE_FREE, THROTTLE_MOST_MS) : 0;
}

int64_t throttle_due_ms(const struct throttle *t, struct throttle_who who, int64_t now_ms) {
    const struct throttle_slot *pair = find(t, who.pair), *source = find(t, who.source);
    int64_t due_ms = now_ms;
    if (pair && now_ms - pair->last_ms <= THROTTLE_FORGET_MS && pair->next_ms > due_ms)
        due_ms = pair->next_ms;
    if (source && source->next_ms > due_ms)
        due_ms = source->next_ms;
    return due_ms;
}

void throttle_book(struct throttle *t, struct throttle_who who, int64_t due_ms) {
    if (find(t, who.pair)) {
        struct throttle_slot *pair = find_or_make(t, who.pair);
        pair->next_ms = due_ms + pair_delay_ms(pair, who.patient);
    }
    if (find(t, who.source)) {
        struct throttle_slot *source = find_or_make(t, who.source);
        source->next_ms = due_ms + source_delay_ms(source);
    }
}

static void put_off(struct throttle_slot *s, int64_t now_ms, int64_t delay) {
    s->last_ms = now_ms;
    s->next_ms = now_ms + delay > s->next_ms ? now_ms + delay : s->next_ms;
}

static void count_pair(struct throttle_slot *s, bool patient, int64_t now_ms) {
    if (now_ms - s->last_ms > (patient ? THROTTLE_CODE_FORGET_MS : THROTTLE_FORGET_MS))
        s->failures = 0;
    s->failures += s->failures < 32;
    put_off(s, now_ms, pair_delay_ms(s, patient));
}

static void count_source(struct throttle_slot *s, int64_t now_ms) {
    int64_t leaked = (now_ms - s->last_ms) / THROTTLE_LEAK_MS;
    s->failures = leaked < s->failures ? s->failures - (unsigned)leaked : 0;
    s->failures += s->failures < THROTTLE_FREE + 6;
    put_off(s, now_ms, source_delay_ms(s));
}

// A right password clears the pair, not the source: else whoever has one account could try all the others
// with it.
void throttle_note(struct throttle *t, struct throttle_who who, bool valid, int64_t now_ms) {
    if (!valid) {
        count_pair(find_or_make(t, who.pair), who.patient, now_ms);
        if (who.source)
            count_source(find_or_make(t, who.source), now_ms);
    } else if (find(t, who.pair)) {
        *find_or_make(t, who.pair) = (struct throttle_slot){0};
    }
}
