#include "blob/segment.h"

#include "blob/store.h"
#include "digest/digest.h"

static const uint8_t page_magic[8] = "GALSEG1\n";
static const uint8_t live_magic[4] = "GREC", dropped_magic[4] = "GDED", run_magic[4] = "GRUN";
enum { PAGE_MAC_AT = 64, RECORD_MAC_AT = RECORD_HEADER - RECORD_MAC, VERSION = 1, OPEN = 'O', CLOSED = 'C' };

static void put_le(uint8_t *p, uint64_t v, int n) {
    for (int i = 0; i < n; i++)
        p[i] = (uint8_t)(v >> 8 * i);
}

static uint64_t get_le(const uint8_t *p, int n) {
    uint64_t v = 0;
    for (int i = n; i-- > 0;)
        v = v << 8 | p[i];
    return v;
}

// --- The page -------------------------------------------------------------------------------------

void segment_page_write(const struct segment_id *id, const struct segment_page *p,
                        uint8_t ret[SEGMENT_PAGE]) {
    memset(ret, 0, SEGMENT_PAGE);
    memcpy(ret, page_magic, sizeof page_magic);
    memcpy(ret + 8, id->store_id, STORE_ID_BYTES);
    put_le(ret + 24, id->number, 4);
    ret[28] = p->closed ? CLOSED : OPEN;
    put_le(ret + 32, p->closed ? p->end : 0, 8);
    put_le(ret + 40, p->gone_from < id->number ? p->gone_from : 0, 4);
    digest_hmac_sha256(slice_of(id->mac_key, SEAL_KEY), slice_of(ret, PAGE_MAC_AT), ret + PAGE_MAC_AT);
}

bool segment_page_read(const struct segment_id *id, const uint8_t p[SEGMENT_PAGE],
                       struct segment_page *ret) {
    uint8_t want[SEAL_MAC];
    if (memcmp(p, page_magic, sizeof page_magic) != 0 || memcmp(p + 8, id->store_id, STORE_ID_BYTES) != 0 ||
        get_le(p + 24, 4) != id->number || (p[28] != OPEN && p[28] != CLOSED))
        return false;
    digest_hmac_sha256(slice_of(id->mac_key, SEAL_KEY), slice_of(p, PAGE_MAC_AT), want);
    if (!seal_same(want, p + PAGE_MAC_AT, SEAL_MAC))
        return false;
    uint32_t gone_from = (uint32_t)get_le(p + 40, 4);
    *ret = (struct segment_page){
        .closed = p[28] == CLOSED,
        .end = get_le(p + 32, 8),
        .gone_from = gone_from > 0 && gone_from < id->number ? gone_from : id->number,
    };
    return true;
}

// --- The record -----------------------------------------------------------------------------------

static uint64_t front_sealed(const struct record *r) {
    return seal_sealed_bytes(r->plain[SEAL_META]) + seal_sealed_bytes(r->plain[SEAL_SUMMARY]) +
           seal_sealed_bytes(r->plain[SEAL_FRAMES]);
}

static bool sizes_ok(const struct record *r) {
    return r->plain[SEAL_BODY] < SEGMENT_BYTES_MAX / 2 && r->plain[SEAL_META] <= STORE_META_MAX &&
           r->plain[SEAL_SUMMARY] <= STORE_SUMMARY_MAX && r->plain[SEAL_FRAMES] <= STORE_FRAMES_MAX;
}

static uint64_t padded(uint64_t n) {
    return (n + RECORD_ALIGN - 1) / RECORD_ALIGN * RECORD_ALIGN;
}

bool record_lay_out(struct record *r) {
    if (!sizes_ok(r))
        return false;
    uint64_t front = front_sealed(r), body = seal_sealed_bytes(r->plain[SEAL_BODY]);
    if (r->body_at == 0)
        r->body_at = RECORD_HEADER + front;
    bool fits = r->body_at >= RECORD_HEADER + front;
    r->front_at = fits ? RECORD_HEADER : r->body_at + body;
    r->bytes = padded(fits ? r->body_at + body : r->front_at + front);
    return true;
}

uint64_t record_range_at(const struct record *r, enum seal_range range) {
    uint64_t at = r->front_at;
    switch (range) {
    case SEAL_FRAMES:
        at += seal_sealed_bytes(r->plain[SEAL_SUMMARY]);
        __attribute__((fallthrough));
    case SEAL_SUMMARY:
        at += seal_sealed_bytes(r->plain[SEAL_META]);
        __attribute__((fallthrough));
    case SEAL_META:
        return at;
    case SEAL_BODY:
    case SEAL_RANGES_:
        break;
    }
    return r->body_at;
}

uint64_t record_front_bytes(const struct record *r) {
    return r->front_at < r->body_at ? record_range_at(r, SEAL_FRAMES) : 0;
}

// Over everything but the magic, and over where it stands.
static void record_mac(const struct segment_id *id, uint64_t offset,
                       const uint8_t p[RECORD_HEADER], uint8_t ret[SEAL_MAC]) {
    uint8_t in[RECORD_MAC_AT - 4 + 12];
    memcpy(in, p + 4, RECORD_MAC_AT - 4);
    put_le(in + RECORD_MAC_AT - 4, id->number, 4);
    put_le(in + RECORD_MAC_AT, offset, 8);
    digest_hmac_sha256(slice_of(id->mac_key, SEAL_KEY), slice_of(in, sizeof in), ret);
}

void record_write(const struct segment_id *id, uint64_t offset, const struct record *r,
                  uint8_t ret[RECORD_HEADER]) {
    uint8_t mac[SEAL_MAC];
    memset(ret, 0, RECORD_HEADER);
    memcpy(ret, live_magic, sizeof live_magic);
    ret[4] = VERSION;
    put_le(ret + 8, r->bytes, 8);
    put_le(ret + 16, r->plain[SEAL_BODY], 8);
    put_le(ret + 24, r->plain[SEAL_META], 4);
    put_le(ret + 28, r->plain[SEAL_SUMMARY], 4);
    put_le(ret + 32, r->plain[SEAL_FRAMES], 4);
    put_le(ret + 36, r->slot, 4);
    memcpy(ret + 40, r->salt, SEAL_SALT);
    memcpy(ret + 64, r->commitment, SEAL_COMMITMENT);
    put_le(ret + 96, r->front_at, 8);
    put_le(ret + 104, r->body_at, 8);
    record_mac(id, offset, ret, mac);
    memcpy(ret + RECORD_MAC_AT, mac, RECORD_MAC);
}

void record_drop_mark(uint8_t ret[4]) {
    memcpy(ret, dropped_magic, sizeof dropped_magic);
}

// The layout follows from the sizes and body_at: anything else was not written by us.
static bool layout_ok(const struct record *r) {
    struct record want = *r;
    if (r->body_at < RECORD_HEADER || r->body_at > SEGMENT_BYTES_MAX)
        return false;
    return record_lay_out(&want) && want.bytes == r->bytes && want.front_at == r->front_at;
}

bool record_read(const struct segment_id *id, uint64_t offset,
                 const uint8_t p[RECORD_HEADER], struct record *ret) {
    bool dropped = memcmp(p, dropped_magic, sizeof dropped_magic) == 0;
    uint8_t mac[SEAL_MAC];
    if ((!dropped && memcmp(p, live_magic, sizeof live_magic) != 0) || p[4] != VERSION)
        return false;
    record_mac(id, offset, p, mac);
    if (!seal_same(mac, p + RECORD_MAC_AT, RECORD_MAC))
        return false;
    struct record r = {
        .dropped = dropped,
        .bytes = get_le(p + 8, 8),
        .plain = {[SEAL_BODY] = get_le(p + 16, 8), [SEAL_META] = get_le(p + 24, 4),
                  [SEAL_SUMMARY] = get_le(p + 28, 4), [SEAL_FRAMES] = get_le(p + 32, 4)},
        .slot = (uint32_t)get_le(p + 36, 4),
        .front_at = get_le(p + 96, 8),
        .body_at = get_le(p + 104, 8),
    };
    memcpy(r.salt, p + 40, SEAL_SALT);
    memcpy(r.commitment, p + 64, SEAL_COMMITMENT);
    if (!layout_ok(&r)) // authentic, but of a later version or our own mistake
        return false;
    *ret = r;
    return true;
}

bool record_keys(const struct segment_id *id, uint64_t offset, struct record *r,
                 bool sealing, const uint8_t kek[KEY_BYTES], struct seal_keys *ret_keys) {
    uint8_t context[STORE_ID_BYTES + 4 + 8 + 4];
    memcpy(context, id->store_id, STORE_ID_BYTES);
    put_le(context + STORE_ID_BYTES, id->number, 4);
    put_le(context + STORE_ID_BYTES + 4, offset, 8);
    put_le(context + STORE_ID_BYTES + 12, r->slot, 4);
    struct seal_keys k;
    seal_derive(kek, r->salt, slice_of(context, sizeof context), &k);
    if (sealing)
        memcpy(r->commitment, k.commitment, SEAL_COMMITMENT);
    bool ok = seal_same(k.commitment, r->commitment, SEAL_COMMITMENT);
    if (ok)
        *ret_keys = k;
    seal_keys_wipe(&k);
    return ok;
}

// --- The run --------------------------------------------------------------------------------------

static void run_mac(const struct segment_id *id, uint64_t at, const uint8_t p[RUN_NOTE],
                    uint8_t ret[SEAL_MAC]) {
    uint8_t in[RUN_NOTE - RECORD_MAC + 12];
    memcpy(in, p, RUN_NOTE - RECORD_MAC);
    put_le(in + RUN_NOTE - RECORD_MAC, id->number, 4);
    put_le(in + RUN_NOTE - RECORD_MAC + 4, at, 8);
    digest_hmac_sha256(slice_of(id->mac_key, SEAL_KEY), slice_of(in, sizeof in), ret);
}

void run_note_write(const struct segment_id *id, uint64_t at, const struct run *run, uint8_t ret[RUN_NOTE]) {
    uint8_t mac[SEAL_MAC];
    memset(ret, 0, RUN_NOTE);
    memcpy(ret, run_magic, sizeof run_magic);
    put_le(ret + 8, run->from, 8);
    put_le(ret + 16, run->to, 8);
    run_mac(id, at, ret, mac);
    memcpy(ret + RUN_NOTE - RECORD_MAC, mac, RECORD_MAC);
}

bool run_note_read(const struct segment_id *id, uint64_t at, const uint8_t p[RUN_NOTE], struct run *ret) {
    uint8_t mac[SEAL_MAC];
    struct run run = {get_le(p + 8, 8), get_le(p + 16, 8)};
    if (memcmp(p, run_magic, sizeof run_magic) != 0 ||
        (at != run.from + RECORD_HEADER && at != run.to - RUN_NOTE))
        return false;
    run_mac(id, at, p, mac);
    if (!seal_same(mac, p + RUN_NOTE - RECORD_MAC, RECORD_MAC))
        return false;
    *ret = run;
    return true;
}
