#include "ipc/ipc.h"

#include "base/rd.h"
#include "base/uid.h"
#include "base/utf8.h"
#include "ipc/table.h"

#include <errno.h>
#include <sys/socket.h>
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
    return buf_ok(b) ? OK : ERR_LIMIT;
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

enum err ipc_decode(struct slice bytes, enum ipc_link link, uint32_t phase, struct ipc_msg *ret_msg, struct fault *f) {
    struct rd r = rd_init(bytes);
    uint16_t type = rd_u16le(&r);
    const struct ipc_row *row = row_of(type);
    if (!rd_ok(&r) || !row || row->link != link)
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

static enum err send_error(void) {
    switch (errno) {
    case EPIPE:
    case ECONNRESET:
    case ENOTCONN:
        return ERR_PEER_GONE;
    case EAGAIN:
    case ENOBUFS:
        return ERR_BUSY;
    default:
        return ERR_IO;
    }
}

enum err ipc_send(int fd, enum ipc_type type, const void *body, const int *fds, unsigned fd_count) {
    bug_unless(fd_count <= IPC_MAX_FDS);
    struct buf b = BUF_INIT(IPC_MAX_BYTES);
    enum err e = ipc_encode(&b, type, body);
    if (e == OK) {
        struct iovec iov = {b.p, b.n};
        _Alignas(struct cmsghdr) char control[CMSG_SPACE(sizeof(int) * IPC_MAX_FDS)] = {0};
        struct msghdr h = {.msg_iov = &iov, .msg_iovlen = 1};
        if (fd_count > 0) {
            h.msg_control = control;
            h.msg_controllen = CMSG_SPACE(sizeof(int) * fd_count);
            struct cmsghdr *c = CMSG_FIRSTHDR(&h);
            c->cmsg_level = SOL_SOCKET;
            c->cmsg_type = SCM_RIGHTS;
            c->cmsg_len = CMSG_LEN(sizeof(int) * fd_count);
            memcpy(CMSG_DATA(c), fds, sizeof(int) * fd_count);
        }
        ssize_t n;
        do {
            n = sendmsg(fd, &h, MSG_NOSIGNAL);
        } while (n < 0 && errno == EINTR);
        if (n < 0)
            e = send_error();
    }
    buf_fini(&b);
    return e;
}

// Collects passed descriptors; surplus ones (a hostile sender's) are closed. False when there
// were more than a message may carry.
static bool collect_fds(struct msghdr *h, int *fds, unsigned *ret_count) {
    bool fits = !(h->msg_flags & MSG_CTRUNC);
    unsigned count = 0;
    for (struct cmsghdr *c = CMSG_FIRSTHDR(h); c; c = CMSG_NXTHDR(h, c)) {
        if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
            continue;
        size_t n = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
        for (size_t i = 0; i < n; i++) {
            int fd;
            memcpy(&fd, CMSG_DATA(c) + i * sizeof fd, sizeof fd);
            if (count < IPC_MAX_FDS) {
                fds[count++] = fd;
            } else {
                close(fd);
                fits = false;
            }
        }
    }
    *ret_count = count;
    return fits;
}

static void close_all(const int *fds, unsigned count) {
    for (unsigned i = 0; i < count; i++)
        if (fds[i] >= 0)
            close(fds[i]);
}

enum err ipc_recv(int fd, enum ipc_link link, uint32_t phase, uint8_t *buffer, struct ipc_msg *ret_msg,
                  struct fault *f) {
    struct iovec iov = {buffer, IPC_MAX_BYTES};
    _Alignas(struct cmsghdr) char control[CMSG_SPACE(sizeof(int) * (IPC_MAX_FDS + 1))];
    struct msghdr h = {.msg_iov = &iov, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control};
    ssize_t n;
    do {
        n = recvmsg(fd, &h, MSG_CMSG_CLOEXEC);
    } while (n < 0 && errno == EINTR);
    if (n < 0)
        return fault_set(f, send_error(), "%s", "channel");
    int fds[IPC_MAX_FDS];
    unsigned fd_count = 0;
    bool fits = collect_fds(&h, fds, &fd_count);
    if (n == 0) {
        close_all(fds, fd_count);
        return fault_set(f, ERR_PEER_GONE, "%s", "channel closed");
    }
    struct ipc_msg m;
    enum err e = OK;
    if (!fits || (h.msg_flags & MSG_TRUNC))
        e = fault_set(f, ERR_PROTOCOL, "%s", "message or its descriptors are too many");
    if (e == OK)
        e = ipc_decode(slice_of(buffer, (size_t)n), link, phase, &m, f);
    if (e == OK && (fd_count < ipc_table[m.type].fds_least || fd_count > ipc_table[m.type].fds_most))
        e = fault_set(f, ERR_PROTOCOL, "%s comes with %u descriptors", ipc_name(m.type), fd_count);
    if (e != OK) {
        close_all(fds, fd_count);
        return e;
    }
    m.fd_count = fd_count;
    memcpy(m.fds, fds, sizeof fds);
    *ret_msg = m;
    return OK;
}

int ipc_msg_take_fd(struct ipc_msg *m, unsigned i) {
    if (i >= m->fd_count)
        return -1;
    int fd = m->fds[i];
    m->fds[i] = -1;
    return fd;
}

void ipc_msg_close_fds(struct ipc_msg *m) {
    close_all(m->fds, m->fd_count);
    m->fd_count = 0;
}
