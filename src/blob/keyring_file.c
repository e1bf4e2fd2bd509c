#include "blob/keyring_file.h"

#include <openssl/crypto.h>
#include <stdlib.h>

#include "digest/digest.h"

static const uint8_t magic[8] = "GALKEYS1";
enum { MAC_AT = KEYS_PAGE - SEAL_MAC, EPOCHS_AT = 32, SLOT_VERSION = 1 };

static void put_u16(uint8_t *p, uint16_t v) {
    p[0] = (uint8_t)v;
    p[1] = (uint8_t)(v >> 8);
}

void key_slot_write(const struct key_slot *s, uint8_t ret[KEYS_SLOT]) {
    memset(ret, 0, KEYS_SLOT);
    ret[0] = s->state;
    if (s->state != KEY_SLOT_LIVE)
        return;
    ret[1] = SLOT_VERSION;
    put_u16(ret + 2, s->epoch);
    memcpy(ret + KEYS_SLOT_ID, s->id, KEYS_ID);
    memcpy(ret + KEYS_SLOT_ID + KEYS_ID, s->wrapped, SEAL_WRAPPED);
}

bool key_slot_read(const uint8_t p[KEYS_SLOT], struct key_slot *ret) {
    static const uint8_t zero[KEYS_SLOT];
    if (p[0] != KEY_SLOT_LIVE) {
        if ((p[0] != KEY_SLOT_FREE && p[0] != KEY_SLOT_ERASED) || memcmp(p + 1, zero, KEYS_SLOT - 1) != 0)
            return false;
        *ret = (struct key_slot){.state = p[0]};
        return true;
    }
    if (p[1] != SLOT_VERSION || memcmp(p + 4, zero, 4) != 0)
        return false;
    ret->state = p[0];
    ret->epoch = (uint16_t)(p[2] | p[3] << 8);
    memcpy(ret->id, p + KEYS_SLOT_ID, KEYS_ID);
    memcpy(ret->wrapped, p + KEYS_SLOT_ID + KEYS_ID, SEAL_WRAPPED);
    return true;
}

// Two keys from the root: one to authenticate the page, one to wrap the epoch keys of this store.
static void root_keys(const uint8_t root[SEAL_KEY], const uint8_t *store_id,
                      uint8_t ret_mac[SEAL_KEY], uint8_t ret_wrap[SEAL_KEY]) {
    uint8_t info[sizeof "galena/keys/epoch" + STORE_ID_BYTES];
    memcpy(info, "galena/keys/epoch", sizeof "galena/keys/epoch");
    memcpy(info + sizeof "galena/keys/epoch", store_id, STORE_ID_BYTES);
    seal_expand(root, SLICE_LIT("galena/keys/header"), ret_mac, SEAL_KEY);
    seal_expand(root, slice_of(info, sizeof info), ret_wrap, SEAL_KEY);
}

void key_header_write(struct sealer *s, const uint8_t root[SEAL_KEY], const struct key_header *h,
                      uint8_t ret_page[KEYS_PAGE]) {
    uint8_t mac[SEAL_KEY], wrap[SEAL_KEY];
    root_keys(root, h->store_id, mac, wrap);
    memset(ret_page, 0, KEYS_PAGE);
    memcpy(ret_page, magic, sizeof magic);
    memcpy(ret_page + 8, h->store_id, STORE_ID_BYTES);
    put_u16(ret_page + 24, h->n_epochs);
    for (size_t i = 0; i < h->n_epochs; i++)
        seal_wrap(s, wrap, h->epochs[i], ret_page + EPOCHS_AT + i * SEAL_WRAPPED);
    digest_hmac_sha256(slice_of(mac, SEAL_KEY), slice_of(ret_page, MAC_AT), ret_page + MAC_AT);
    OPENSSL_cleanse(mac, sizeof mac);
    OPENSSL_cleanse(wrap, sizeof wrap);
}

bool key_header_read(struct sealer *s, const uint8_t root[SEAL_KEY], const uint8_t page[KEYS_PAGE],
                     struct key_header *ret) {
    uint8_t mac[SEAL_KEY], wrap[SEAL_KEY], want[SEAL_MAC];
    root_keys(root, page + 8, mac, wrap);
    digest_hmac_sha256(slice_of(mac, SEAL_KEY), slice_of(page, MAC_AT), want);
    unsigned n = (unsigned)(page[24] | page[25] << 8);
    bool ok = memcmp(page, magic, sizeof magic) == 0 && seal_same(want, page + MAC_AT, SEAL_MAC) && n > 0 &&
              n <= KEYS_EPOCHS_MAX;
    struct key_header h = {.n_epochs = (uint16_t)n};
    memcpy(h.store_id, page + 8, STORE_ID_BYTES);
    for (size_t i = 0; ok && i < n; i++)
        ok = seal_unwrap(s, wrap, page + EPOCHS_AT + i * SEAL_WRAPPED, h.epochs[i]);
    if (ok)
        *ret = h;
    OPENSSL_cleanse(&h, sizeof h);
    OPENSSL_cleanse(mac, sizeof mac);
    OPENSSL_cleanse(wrap, sizeof wrap);
    return ok;
}

bool key_table_init(struct key_table *t, uint64_t n_expected) {
    uint64_t cap = 1024;
    while (cap / 4 * 3 <= n_expected)
        cap *= 2;
    if (cap > (uint64_t)1 << 32)
        return false;
    uint64_t *entries = calloc(cap, sizeof *entries);
    if (!entries)
        return false;
    *t = (struct key_table){.entries = entries, .mask = (uint32_t)(cap - 1)};
    return true;
}

void key_table_fini(struct key_table *t) {
    free(t->entries);
    *t = (struct key_table){0};
}

static uint32_t fingerprint(const uint8_t id[KEYS_ID]) {
    uint32_t v;
    memcpy(&v, id, sizeof v);
    return v;
}

static void insert(struct key_table *t, uint64_t entry) {
    uint32_t i = (uint32_t)(entry >> 32) & t->mask;
    while (t->entries[i])
        i = (i + 1) & t->mask;
    t->entries[i] = entry;
    t->n++;
}

bool key_table_room(struct key_table *t) {
    uint64_t cap = (uint64_t)t->mask + 1;
    if (t->n + 1 <= cap / 4 * 3)
        return true;
    struct key_table bigger;
    if (!key_table_init(&bigger, cap)) // twice as large
        return false;
    for (uint64_t i = 0; i < cap; i++) {
        if (t->entries[i])
            insert(&bigger, t->entries[i]);
    }
    key_table_fini(t);
    *t = bigger;
    return true;
}

void key_table_prefetch(const struct key_table *t, const uint8_t id[KEYS_ID]) {
    __builtin_prefetch(&t->entries[fingerprint(id) & t->mask], 1);
}

void key_table_put(struct key_table *t, const uint8_t id[KEYS_ID], uint32_t slot) {
    insert(t, (uint64_t)fingerprint(id) << 32 | (slot + 1));
}

// Moves later entries of the run back into the gap (Knuth 6.4, algorithm R), so that none is ever
// hidden behind an empty place and no tombstones pile up.
static void close_gap(struct key_table *t, uint32_t gap) {
    for (uint32_t i = (gap + 1) & t->mask; t->entries[i]; i = (i + 1) & t->mask) {
        uint32_t home = (uint32_t)(t->entries[i] >> 32) & t->mask;
        if (((i - home) & t->mask) < ((i - gap) & t->mask))
            continue; // its home lies behind the gap
        t->entries[gap] = t->entries[i];
        gap = i;
    }
    t->entries[gap] = 0;
}

void key_table_remove(struct key_table *t, const uint8_t id[KEYS_ID], uint32_t slot) {
    uint64_t entry = (uint64_t)fingerprint(id) << 32 | (slot + 1);
    for (uint32_t i = fingerprint(id) & t->mask; t->entries[i]; i = (i + 1) & t->mask) {
        if (t->entries[i] == entry) {
            close_gap(t, i);
            t->n--;
            return;
        }
    }
}

bool key_table_next(const struct key_table *t, const uint8_t id[KEYS_ID], uint32_t *at, uint32_t *ret_slot) {
    uint32_t fp = fingerprint(id);
    for (;;) {
        uint64_t entry = t->entries[(fp + *at) & t->mask];
        if (!entry)
            return false;
        ++*at;
        if ((uint32_t)(entry >> 32) == fp) {
            *ret_slot = (uint32_t)entry - 1;
            return true;
        }
    }
}
