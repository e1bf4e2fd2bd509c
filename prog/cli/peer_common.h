// What the verbs for peers have in common. Each function says what is wrong.
#ifndef CLI_PEER_COMMON_H
#define CLI_PEER_COMMON_H

#include "archive_dir.h"
#include "ca.h"
#include "cli.h"

// Goes into the archive's folder DIR, and reads the peer NAME there.
bool peer_load(const struct cli_args *args, struct cli_dir *ret_dir, struct conf_peer *ret_peer);

// --ae, --can, --address, --plain and --collections, as far as they are given, change the peer. An empty
// value takes away what may be missing. Rights are those by certificate, unless it has none.
bool peer_options_take(const struct cli_args *args, struct conf_peer *p);

// Read with the caller's own rights: before those of the archive's owner are taken.
bool peer_certificate_read(const char *path, struct ca_found *ret_found);

// In the archive's folder: no other peer could be taken for it.
bool peer_is_unmistakable(const struct conf_peer *p);

#endif
