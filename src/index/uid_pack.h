// UIDs in half the room: two characters a byte. Only equality survives, not the order of the text.
#ifndef INDEX_UID_PACK_H
#define INDEX_UID_PACK_H

#include "base/slice.h"
#include "base/uid.h"

enum { UID_PACKED_MAX = 32 };

struct uid_packed {
    uint8_t p[UID_PACKED_MAX];
    uint8_t n;
};

// Digits and dots, 1 to 64 of them; false (untouched) otherwise.
bool uid_pack(struct slice uid, struct uid_packed *ret_packed);
// Length of the text; 0 when the bytes are not a packed UID.
size_t uid_unpack(struct slice packed, char ret_text[UID_MAX + 1]);

static inline struct slice uid_packed_slice(const struct uid_packed *u) {
    return (struct slice){u->p, u->n};
}

#endif
