// A SQLite VFS that seals what SQLite writes: AES-256-GCM, every page and every WAL frame on its own.
//
//   database   pages of 4096 bytes at their usual place. SQLite uses 4064 of them (reserved bytes 32);
//              the last 32 hold IV (16) and tag (16). Authenticated with: "page", page number.
//   WAL        SQLite's 32-byte header in clear (salts and counters), then for each frame IV (16), frame
//              header and page image sealed as one, tag (16): SQLite's own frame checksums would tell
//              about the contents and so are inside. Authenticated with: "frame", frame number.
//
// IVs count up from a random 128-bit start of each opening, so that none repeats under a key.
//
// All other kinds of file are refused: no journal, no temporary file, no shared memory, no mmap. The
// connection must use journal_mode WAL, locking_mode EXCLUSIVE, temp_store MEMORY, page size 4096.
//
// A page that fails to authenticate gives SQLITE_IOERR_DATA. A frame that does is the end of the log
// when SQLite recovers (a torn write looks the same), SQLITE_IOERR_DATA otherwise.
//
// What it does not hide: sizes, which pages change when. What it does not stop: putting back an older
// state of a page or of all files. (The index is derived; a forged one cannot be made without the key.)
#ifndef INDEX_VFS_SEAL_H
#define INDEX_VFS_SEAL_H

#include "base/err.h"

#include <sqlite3.h>

enum { VFS_SEAL_KEY_BYTES = 32, VFS_SEAL_PAGE_BYTES = 4096, VFS_SEAL_RESERVED_BYTES = 32 };

struct vfs_seal;

// Registers a VFS of its own with this key (copied, wiped on free).
enum err vfs_seal_new(const uint8_t key[VFS_SEAL_KEY_BYTES], struct fault *f, struct vfs_seal **ret_vfs);
void vfs_seal_free(struct vfs_seal *v); // after the last connection was closed; NULL is fine

// Opens a connection and sets it up as above. `path`: of the database, its folder exists. SQLite's
// result code; *ret_db may be set on failure too (for its message) and is the caller's to close.
int vfs_seal_open_db(struct vfs_seal *v, const char *path, int flags, sqlite3 **ret_db);

#endif
