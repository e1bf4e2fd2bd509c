// The keys of the store: root key → epoch key → one key-encryption key a study.
//
//   DIR/keys/root.key       32 random bytes, mode 0600. Whoever has it and the files has everything.
//   DIR/keys/studies.keys   page of 4096 bytes, twice: store id, wrapped epoch keys, MAC. Then slots of
//                           64 bytes: state, epoch, HMAC of the study UID (so that the file names no
//                           study), the study's key wrapped (RFC 3394) under an epoch-derived key
//                           that is bound to slot number and study. A slot never straddles a sector.
//
// Erasing a study overwrites its slots and syncs: every copy of its objects, here and in backups
// that do not hold an older studies.keys, is noise from then on. (A flash disk may keep the old
// sector for a while: it is still wrapped under the epoch key.) Slot numbers are never used again.
//
// Memory: 11 to 22 bytes a study; keys are unwrapped on demand and a few hundred kept.
// A keyring belongs to one thread, but for keyring_sync_run().
//
// It is not for users, peers or TLS keys.
#ifndef BLOB_KEYRING_H
#define BLOB_KEYRING_H

#include "base/err.h"
#include "base/slice.h"

enum {
    KEY_BYTES = 32,
    KEY_SLOTS_MAX = 0x7fffffff,
    STORE_ID_BYTES = 16,
};

struct keyring;

// Makes root.key and studies.keys in an existing folder and syncs them. ERR_MISMATCH: one is there already.
enum err keyring_create(const char *keys_dir, struct fault *f);
// ERR_CONFIG: root.key missing, of the wrong size, or readable by others. ERR_CORRUPT: the header page
// does not authenticate (wrong root key, or damage). A damaged slot is not an error: its study is unreadable.
enum err keyring_open(const char *keys_dir, struct fault *f, struct keyring **ret_keyring);
// ERR_BUSY: another process has it open for writing.
// Without a lock, and unable to make or erase keys: for verify beside a running archive.
enum err keyring_open_read_only(const char *keys_dir, struct fault *f, struct keyring **ret_keyring);
void keyring_close(struct keyring *k);

const uint8_t *keyring_store_id(const struct keyring *k); // STORE_ID_BYTES
// A key for another purpose (index pages, audit log, …), bound to the label; stable over restarts.
void keyring_derive(struct keyring *k, const char *label, uint8_t ret_key[KEY_BYTES]);

// The slot of a study; ERR_NO_SUCH_OBJECT when it has none.
enum err keyring_find(struct keyring *k, struct slice study_uid, uint32_t *ret_slot);
// Makes it when it has none. Durable only after the next sync.
enum err keyring_need(struct keyring *k, struct slice study_uid, struct fault *f, uint32_t *ret_slot);
// The key in a slot. ERR_NO_SUCH_OBJECT: erased. ERR_CORRUPT: damaged or never written. ERR_IO.
enum err keyring_kek(struct keyring *k, uint32_t slot, struct fault *f, uint8_t ret_kek[KEY_BYTES]);
// Destroys the key of a study, durably, before it returns OK. ERR_NO_SUCH_OBJECT: has none.
// After ERR_IO the key is gone from memory and perhaps from the disk: call again after the restart.
enum err keyring_erase(struct keyring *k, struct slice study_uid, struct fault *f);

// Unwraps every key; counts the slots that fail. About 2 µs a study.
enum err keyring_verify(struct keyring *k, struct fault *f, uint64_t *ret_damaged);

// Sync in three steps, as the store does it (blob/store.h): begin and end on the owner's thread, run
// on any. A failed sync burns the slots it was to make durable: their studies get new ones.
bool keyring_sync_begin(struct keyring *k);        // false: nothing to sync
bool keyring_sync_run(struct keyring *k);          // only fdatasync; errno
void keyring_sync_end(struct keyring *k, bool ok);
// New slots start above this one: a record that names it was found by recovery, its slot lost with the power.
void keyring_pass_over(struct keyring *k, uint32_t slot);

#endif
