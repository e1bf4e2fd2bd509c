// What a record in the store says about its object besides the bytes: enough to build the index
// again. Version 1: u8 version, u64 received (ms since 1970), then u16 length and bytes each of:
// SOP class, SOP instance, study, series, transfer syntax, peer, and u32 length and bytes of the
// indexed attributes (u16 attribute number, u16 length, UTF-8 value, repeated).
#ifndef ARCHIVE_META_H
#define ARCHIVE_META_H

#include "base/buf.h"
#include "base/err.h"

struct meta {
    uint64_t received_ms;
    struct slice sop_class, sop_instance, study, series, transfer_syntax, peer;
    struct slice attributes;
};

void meta_put(struct buf *b, const struct meta *m);
enum err meta_get(struct slice bytes, struct meta *ret_meta, struct fault *f); // borrows from bytes

#endif
