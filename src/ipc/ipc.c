#include "ipc/ipc.h"

#include "base/cleanup.h"
#include "base/rd.h"
#include "base/uid.h"
#include "base/utf8.h"
#include "ipc/table.h"
#include "os/msg.h"

#include <unistd.h>

const char *ipc_name(enum ipc_type type) {
    return type > IPC_NONE && type < IPC_TYPE_COUNT_ ? ipc_table[type].name : "unknown message";
}

static const struct ipc_row *row_of(unsigned type) {
    return type > IPC_NONE && type < IPC_TYPE_COUNT_ ? &ipc_table[type] : NULL;
}

// A UID or AE title may be empty on the wire: the phase's handler decides whether it may.
static bool slice_obeys(enum ipc_kind kind, struct slice s) {
    switch (kind) {
    case IPC_KIND_UID:
        return s.n == 0 || uid_tolerable(s);
    case IPC_KIND_AET:
        for (size_t i = 0; i < s.n; i++)
            if (s.p[i] < 0x20 || s.p[i] > 0x7E || s.p[i] == '\\')
                return false;
        return true;
    case IPC_KIND_STR:
        return utf8_valid(s) && (s.n == 0 || !memchr(s.p, 0, s.n));
    case IPC_KIND_U8:
    case IPC_KIND_U16:
    case IPC_KIND_U32:
    case IPC_KIND_U64:
    case IPC_KIND_BYTES:
        return true;
    }
    return false;
}

enum err ipc_encode(struct buf *b, enum ipc_type type, const void *body) {
    const struct ipc_row *row = row_of(type);
    bug_unless(row != NULL);
    buf_u16le(b, (uint16_t)type);
    for (size_t i = 0; i < row->field_count; i++) {
        const struct ipc_field *field = &row->fields[i];
        const uint8_t *at = (const uint8_t *)body + field->offset;
        const struct slice *s = (const void *)at;
        switch (field->kind) {
        case IPC_KIND_U8:
            buf_u8(b, *at);
            break;
        case IPC_KIND_U16:
            buf_u16le(b, *(const uint16_t *)(const void *)at);
            break;
        case IPC_KIND_U32:
            buf_u32le(b, *(const uint32_t *)(const void *)at);
            break;
        case IPC_KIND_U64:
            buf_u64le(b, *(const uint64_t *)(const void *)at);
            break;
        case IPC_KIND_UID:
        case IPC_KIND_AET:
        case IPC_KIND_STR:
        case IPC_KIND_BYTES:
            if (s->n > field->max)
                return ERR_LIMIT;
            buf_u32le(b, (uint32_t)s->n);
            buf_append_slice(b, *s);
            break;
        }
    }
    return buf_error(b);
}

static bool decode_field(struct rd *r, const struct ipc_field *field, uint8_t *at) {
    struct slice *s = (void *)at;
    switch (field->kind) {
    case IPC_KIND_U8:
        *at = rd_u8(r);
        return rd_ok(r);
    case IPC_KIND_U16:
        *(uint16_t *)(void *)at = rd_u16le(r);
        return rd_ok(r);
    case IPC_KIND_U32:
        *(uint32_t *)(void *)at = rd_u32le(r);
        return rd_ok(r);
    case IPC_KIND_U64:
        *(uint64_t *)(void *)at = rd_u64le(r);
        return rd_ok(r);
    case IPC_KIND_UID:
    case IPC_KIND_AET:
    case IPC_KIND_STR:
    case IPC_KIND_BYTES: {
        uint32_t n = rd_u32le(r);
        *s = rd_bytes(r, n);
        return rd_ok(r) && n <= field->max && slice_obeys(field->kind, *s);
    }
    }
    return false;
}

enum err ipc_decode(struct slice bytes, enum ipc_link link, uint32_t phase, struct ipc_msg *ret_msg,
                    struct fault *f) {
    struct rd r = rd_init(bytes);
    uint16_t type = rd_u16le(&r);
    const struct ipc_row *row = row_of(type);
    if (!rd_ok(&r) || !row || !(row->links & link))
        return fault_set(f, ERR_PROTOCOL, "message type %u does not belong here", type);
    if (phase != 0 && !(row->phases & phase))
        return fault_set(f, ERR_PROTOCOL, "%s comes at the wrong time", row->name);
    struct ipc_msg m = {.type = (enum ipc_type)type};
    for (size_t i = 0; i < row->field_count; i++)
        if (!decode_field(&r, &row->fields[i], (uint8_t *)&m.u + row->fields[i].offset))
            return fault_set(f, ERR_PROTOCOL, "%s: field %zu breaks its rule", row->name, i + 1);
    if (!rd_done(&r))
        return fault_set(f, ERR_PROTOCOL, "%s: %zu bytes too many", row->name, rd_left(&r));
    *ret_msg = m;
    return OK;
}

static uint8_t scratch[IPC_MAX_BYTES]; // one thread, and cap == max: the buffer never grows

void ipc_forget_sent(void) {
    explicit_bzero(scratch, sizeof scratch);
}

enum err ipc_send(int fd, enum ipc_type type, const void *body, const int *fds, unsigned fd_count) {
    struct buf b = BUF_ON(scratch);
    enum err e = ipc_encode(&b, type, body);
    if (e != OK)
        return e;
    return os_msg_send(fd, buf_slice(&b), fds, fd_count, NULL);
}

static enum err decode_with_fds(struct slice bytes, enum ipc_link link, uint32_t phase,
                                struct os_msg_fds *fds, struct ipc_msg *ret_msg, struct fault *f) {
    struct ipc_msg m;
    enum err e = ipc_decode(bytes, link, phase, &m, f);
    if (e != OK)
        return e;
    if (fds->n < ipc_table[m.type].fds_least || fds->n > ipc_table[m.type].fds_most)
        return fault_set(f, ERR_PROTOCOL, "%s comes with %u descriptors", ipc_name(m.type), fds->n);
    m.fd_count = fds->n;
    for (unsigned i = 0; i < fds->n; i++)
        m.fds[i] = os_msg_fds_take(fds, i);
    *ret_msg = m;
    return OK;
}

enum err ipc_recv(int fd, enum ipc_link link, uint32_t phase, uint8_t *buffer, struct ipc_msg *ret_msg,
                  struct fault *f) {
    CLEANUP(os_msg_fds_close) struct os_msg_fds fds = {.n = 0};
    size_t n = 0;
    enum err e = os_msg_recv(fd, buffer, IPC_MAX_BYTES, IPC_MAX_FDS, &n, &fds, f);
    return e == OK ? decode_with_fds(slice_of(buffer, n), link, phase, &fds, ret_msg, f) : e;
}

enum err ipc_recv_now(int fd, enum ipc_link link, uint32_t phase, uint8_t *buffer, struct ipc_msg *ret_msg,
                      struct fault *f) {
    CLEANUP(os_msg_fds_close) struct os_msg_fds fds = {.n = 0};
    size_t n = 0;
    enum err e = os_msg_recv_now(fd, buffer, IPC_MAX_BYTES, IPC_MAX_FDS, &n, &fds, f);
    return e == OK ? decode_with_fds(slice_of(buffer, n), link, phase, &fds, ret_msg, f) : e;
}

int ipc_msg_take_fd(struct ipc_msg *m, unsigned i) {
    if (i >= m->fd_count)
        return -1;
    int fd = m->fds[i];
    m->fds[i] = -1;
    return fd;
}

void ipc_msg_close_fds(struct ipc_msg *m) {
    for (unsigned i = 0; i < m->fd_count; i++)
        if (m->fds[i] >= 0)
            close(m->fds[i]);
    m->fd_count = 0;
}
