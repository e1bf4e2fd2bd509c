// The shape of the generated message table; only the codec (and its tests) look at it.
#ifndef IPC_TABLE_H
#define IPC_TABLE_H

#include "ipc_gen.h"

enum ipc_kind {
    IPC_KIND_U8,
    IPC_KIND_U16,
    IPC_KIND_U32,
    IPC_KIND_U64,
    IPC_KIND_UID,
    IPC_KIND_AET,
    IPC_KIND_STR,
    IPC_KIND_BYTES,
};

struct ipc_field {
    size_t offset; // in the message's struct
    enum ipc_kind kind;
    uint32_t max;
};

struct ipc_row {
    const char *name;
    uint32_t links; // enum ipc_link
    uint32_t phases;
    uint8_t fds_least, fds_most;
    uint8_t field_count;
    const struct ipc_field *fields;
};

extern const struct ipc_row ipc_table[IPC_TYPE_COUNT_];

#endif
