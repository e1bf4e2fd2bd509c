// A pack: the files of the site or of the viewer in one file that is mapped before the process is confined,
// so that pages are served without opening anything. Made by tools/pack_site.py; it comes with the program
// and is trusted, but its places are checked all the same.
//
//   "GALENAPK", u32le version 1, u32le count, then `count` entries sorted by path:
//   u32le path_off, path_len, type_off, type_len; u64le plain_off, plain_len, gzip_off, gzip_len (0: none);
//   32 bytes SHA-256 of the plain content
#ifndef WEB_PACK_H
#define WEB_PACK_H

#include "base/err.h"
#include "base/slice.h"

struct pack {
    struct slice bytes; // mapped; empty: no pack
    uint32_t count;
};

struct pack_file {
    struct slice path, type, plain, gzip; // gzip is empty when it would not be smaller
    const uint8_t *sha256;
};

// Maps the file; take_fd is consumed. An empty file or a device is no pack, and no error.
enum err pack_map(int take_fd, struct pack *ret_pack, struct fault *f);
bool pack_find(const struct pack *p, struct slice path, struct pack_file *ret_file);

#endif
