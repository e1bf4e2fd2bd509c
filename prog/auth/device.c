#include "device.h"

#include "base/base64url.h"
#include "secrets.h"

enum { HOUR_MS = 3600000, MAC_BYTES = 32 };

static void mac_of(const uint8_t id[DEVICE_ID_BYTES], struct slice user, struct slice hash,
                   uint8_t ret_mac[DIGEST_SHA256_BYTES]) {
    uint8_t key[DIGEST_SHA256_BYTES], text[DEVICE_ID_BYTES + 256] = {0};
    digest_hmac_sha256(hash, SLICE_LIT("a device of this user"), key);
    memcpy(text, id, DEVICE_ID_BYTES);
    size_t n = user.n < 256 ? user.n : 256;
    memcpy(text + DEVICE_ID_BYTES, user.p, n);
    digest_hmac_sha256(slice_of(key, sizeof key), slice_of(text, DEVICE_ID_BYTES + n), ret_mac);
    explicit_bzero(key, sizeof key);
}

void device_make(struct slice user, struct slice hash, int64_t wall_ms, char ret_proof[DEVICE_CHARS + 1]) {
    uint8_t proof[DEVICE_ID_BYTES + MAC_BYTES];
    uint32_t hour = (uint32_t)(wall_ms / HOUR_MS);
    secrets_random(proof, DEVICE_ID_BYTES - sizeof hour);
    memcpy(proof + DEVICE_ID_BYTES - sizeof hour, &hour, sizeof hour);
    mac_of(proof, user, hash, proof + DEVICE_ID_BYTES);
    base64url_encode(slice_of(proof, sizeof proof), ret_proof);
}

bool device_check(struct slice proof, struct slice user, struct slice hash, int64_t wall_ms,
                  uint8_t ret_id[DEVICE_ID_BYTES]) {
    uint8_t got[DEVICE_ID_BYTES + MAC_BYTES], mac[DIGEST_SHA256_BYTES];
    size_t n = 0;
    if (hash.n == 0 || !base64url_decode(proof, got, sizeof got, &n) || n != sizeof got)
        return false;
    uint32_t hour, now = (uint32_t)(wall_ms / HOUR_MS);
    memcpy(&hour, got + DEVICE_ID_BYTES - sizeof hour, sizeof hour);
    mac_of(got, user, hash, mac);
    if (!secrets_equal(slice_of(mac, sizeof mac), slice_of(got + DEVICE_ID_BYTES, MAC_BYTES)) ||
        hour > now + 1 || now - hour > DEVICE_HOURS)
        return false;
    memcpy(ret_id, got, DEVICE_ID_BYTES);
    return true;
}
