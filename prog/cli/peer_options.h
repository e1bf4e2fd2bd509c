// What galena peer add and peer set have in common. Each says what is wrong.
#ifndef CLI_PEER_OPTIONS_H
#define CLI_PEER_OPTIONS_H

#include "ca.h"
#include "cli.h"

// --ae, --can, --address, --plain and --collections, as far as they are given, change the peer. An empty
// value takes away what may be missing. Rights are those by certificate, unless it has none.
bool peer_options_take(const struct cli_args *args, struct conf_peer *p);

// Read with the caller's own rights: before those of the archive's owner are taken.
bool peer_certificate_read(const char *path, struct ca_found *ret_found);

// In the archive's folder: no other peer could be taken for it.
bool peer_is_unmistakable(const struct conf_peer *p);

#endif
