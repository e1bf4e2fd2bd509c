// The layout of studies.keys, and the table that finds a study's slot in it. Internal to the key ring.
#ifndef BLOB_KEYRING_FILE_H
#define BLOB_KEYRING_FILE_H

#include "base/err.h"
#include "blob/keyring.h"
#include "blob/seal.h"

enum {
    KEYS_PAGE = 4096,
    KEYS_SLOTS_AT = 2 * KEYS_PAGE, // behind the two copies of the header page
    KEYS_SLOT = 64,
    KEYS_EPOCHS_MAX = 64,
    KEYS_ID = 16,
    KEYS_SLOT_ID = 8, // where it stands in a slot
};

enum key_slot_state {
    KEY_SLOT_FREE = 0,
    KEY_SLOT_LIVE = 'L',
    KEY_SLOT_ERASED = 'E',
};

struct key_slot {
    uint8_t state; // enum key_slot_state, or anything when damaged
    uint16_t epoch;
    uint8_t id[KEYS_ID];
    uint8_t wrapped[SEAL_WRAPPED];
};
void key_slot_write(const struct key_slot *s, uint8_t ret[KEYS_SLOT]);
bool key_slot_read(const uint8_t p[KEYS_SLOT], struct key_slot *ret); // false: damaged

struct key_header {
    uint8_t store_id[STORE_ID_BYTES];
    uint16_t n_epochs; // the last is the current one
    uint8_t epochs[KEYS_EPOCHS_MAX][SEAL_KEY];
};
void key_header_write(struct sealer *s, const uint8_t root[SEAL_KEY], const struct key_header *h,
                      uint8_t ret_page[KEYS_PAGE]);
bool key_header_read(struct sealer *s, const uint8_t root[SEAL_KEY], const uint8_t page[KEYS_PAGE],
                     struct key_header *ret);

// Open addressing with linear probing; an entry is 32 bits of the id (a PRF output, so already
// spread) and the slot. Whoever finds a candidate compares the whole id in the file.
struct key_table {
    uint64_t *entries; // fingerprint << 32 | slot + 1; 0: empty
    uint32_t mask;
    uint32_t n;
};
bool key_table_init(struct key_table *t, uint64_t n_expected);
void key_table_fini(struct key_table *t);
bool key_table_room(struct key_table *t); // makes room for one more; false: no memory
void key_table_put(struct key_table *t, const uint8_t id[KEYS_ID], uint32_t slot);
void key_table_prefetch(const struct key_table *t, const uint8_t id[KEYS_ID]);
void key_table_remove(struct key_table *t, const uint8_t id[KEYS_ID], uint32_t slot);
// The slots that may be it, one after the other; *at starts at 0. False: no more.
bool key_table_next(const struct key_table *t, const uint8_t id[KEYS_ID], uint32_t *at, uint32_t *ret_slot);

#endif
