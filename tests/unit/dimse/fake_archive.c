#include "fake_archive.h"

#include "os/memfd.h"
#include "ul/pdu.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

enum { BODY_BYTES = 1 << 20, AUX_BYTES = 1 << 20 };

struct server {
    struct fake_archive *a;
    int fd;
    struct os_shm ring;
    unsigned next_object;
    bool fresh; // the next body part begins an object
};

struct fake_archive *fake_archive_new(void) {
    struct fake_archive *a =
        mmap(NULL, sizeof *a, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (a == MAP_FAILED)
        abort();
    a->rights = 15;
    return a;
}

uint8_t fake_object_byte(unsigned k, size_t i) {
    return (uint8_t)(k * 31 + i * 7 + (i >> 8));
}

static void say(struct server *s, enum ipc_type type, const void *body) {
    if (ipc_send(s->fd, type, body, NULL, 0) != OK)
        exit(0);
}

static void take(struct server *s, uint32_t offset, uint32_t length) {
    if (s->fresh)
        s->a->body_n = 0;
    s->fresh = false;
    if (s->a->body_n + length > FAKE_BODY_MAX)
        abort();
    memcpy(s->a->body + s->a->body_n, s->ring.p + offset, length);
    s->a->body_n += length;
}

static void on_commit(struct server *s, const struct ipc_store_commit *m) {
    take(s, m->ring_offset, m->length);
    s->fresh = true;
    s->a->commits++;
    (void)slice_to_cstr(m->sop_instance, s->a->sop_instance, sizeof s->a->sop_instance);
    (void)slice_to_cstr(m->study, s->a->study, sizeof s->a->study);
    (void)slice_to_cstr(m->transfer_syntax, s->a->transfer, sizeof s->a->transfer);
    say(s, IPC_STORE_DONE,
        &(struct ipc_store_done){.error = (uint16_t)s->a->commit_error,
                                 .detail = slice_str("as the test wants it")});
}

static void on_ring(struct server *s) {
    struct fault f = {OK, ""};
    if (os_shm_create("test", BODY_BYTES + AUX_BYTES, &s->ring, &f) != OK)
        abort();
    struct ipc_ring m = {.body_bytes = BODY_BYTES, .aux_bytes = AUX_BYTES};
    if (ipc_send(s->fd, IPC_RING, &m, &s->ring.fd, 1) != OK)
        exit(0);
}

static void on_query(struct server *s, const struct ipc_query *m) {
    struct buf rows = BUF_INIT(57344);
    for (unsigned r = 0; r < s->a->rows; r++)
        for (size_t i = 0; i < m->returns.n / 2; i++) {
            buf_u16le(&rows, 2);
            buf_append(&rows, "7 ", 2);
        }
    say(s, IPC_QUERY_ROWS,
        &(struct ipc_query_rows){.done = 1, .count = (uint16_t)s->a->rows, .rows = buf_slice(&rows)});
    buf_fini(&rows);
}

#define CT "1.2.840.10008.5.1.4.1.1.2"
#define EXPLICIT "1.2.840.10008.1.2.1"

static void put_bytes(struct server *s, size_t offset, uint32_t ring_offset, size_t n) {
    for (size_t i = 0; i < n; i++)
        s->ring.p[ring_offset + i] = fake_object_byte(s->next_object, offset + i);
}

static void on_object_next(struct server *s, uint32_t ring_offset, uint32_t max) {
    char uid[65];
    struct ipc_object m = {.done = s->next_object == s->a->objects};
    snprintf(uid, sizeof uid, "1.2.3.%u", ++s->next_object);
    if (!m.done)
        m = (struct ipc_object){.sop_class = slice_str(CT), .sop_instance = slice_str(uid),
                                .transfer_syntax = slice_str(EXPLICIT), .length = s->a->object_bytes};
    if (!m.done && s->next_object == s->a->unreadable)
        m.error = ERR_CORRUPT;
    else if (!m.done) {
        m.read_bytes = (uint32_t)(m.length < max ? m.length : max);
        put_bytes(s, 0, ring_offset, m.read_bytes);
    }
    say(s, IPC_OBJECT, &m);
}

static void on_locate(struct server *s, const struct ipc_locate *m) {
    static const char pairs[] = CT "\0" EXPLICIT; // and the NUL behind
    unsigned objects = s->a->objects; // once this is said, the test may be at its next case
    s->next_object = 0;
    say(s, IPC_LOCATED, &(struct ipc_located){.count = objects, .pairs = slice_of(pairs, sizeof pairs)});
    if (m->first && objects > 0)
        on_object_next(s, 0, m->max);
}

static void on_object_read(struct server *s, const struct ipc_object_read *m) {
    size_t left = s->a->object_bytes - m->offset, n = left < m->max ? left : m->max;
    put_bytes(s, m->offset, m->ring_offset, n);
    say(s, IPC_OBJECT_DATA,
        &(struct ipc_object_data){.ring_offset = m->ring_offset, .length = (uint32_t)n, .last = n == left});
}

static void on_dial(struct server *s, struct slice title) {
    if (!slice_eq_str(title, "DEST")) {
        say(s, IPC_PEER_DIALED, &(struct ipc_peer_dialed){.error = ERR_DESTINATION});
        return;
    }
    int pair[2];
    if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair) != 0)
        abort();
    if (fork() == 0) {
        close(pair[0]);
        fake_destination_run(pair[1]);
        _exit(0);
    }
    close(pair[1]);
    struct ipc_peer_dialed m = {.error = OK};
    if (ipc_send(s->fd, IPC_PEER_DIALED, &m, &pair[0], 1) != OK)
        exit(0);
    close(pair[0]);
}

static void on_associate(struct server *s) {
    struct ipc_associate_result m = {.accept = s->a->reject_reason == 0, .rights = s->a->rights, .result = 1,
                                     .source = 1, .reason = (uint8_t)s->a->reject_reason,
                                     .peer = slice_str("test")};
    if (m.accept)
        m.result = m.source = 0;
    say(s, IPC_ASSOCIATE_RESULT, &m);
}

static void serve(struct server *s, struct ipc_msg *m) {
    switch ((int)m->type) {
    case IPC_ASSOCIATE:
        on_associate(s);
        break;
    case IPC_RING_GET:
        on_ring(s);
        break;
    case IPC_STORE_BODY:
        s->a->bodies++;
        take(s, m->u.store_body.ring_offset, m->u.store_body.length);
        say(s, IPC_STORE_BODY_TAKEN, &(struct ipc_store_body_taken){.error = (uint16_t)s->a->body_error});
        break;
    case IPC_STORE_COMMIT:
        on_commit(s, &m->u.store_commit);
        break;
    case IPC_STORE_ABORT:
        s->fresh = true;
        s->a->aborts++;
        break;
    case IPC_QUERY:
        on_query(s, &m->u.query);
        break;
    case IPC_LOCATE:
        on_locate(s, &m->u.locate);
        break;
    case IPC_OBJECT_NEXT:
        on_object_next(s, m->u.object_next.ring_offset, m->u.object_next.max);
        break;
    case IPC_OBJECT_READ:
        on_object_read(s, &m->u.object_read);
        break;
    case IPC_DIAL_PEER:
        on_dial(s, m->u.dial_peer.ae_title);
        break;
    default:
        s->a->ends++;
    }
}

void fake_archive_run(struct fake_archive *a, int fd) {
    static uint8_t buffer[IPC_MAX_BYTES];
    struct server s = {.a = a, .fd = fd, .fresh = true};
    struct ipc_msg m;
    struct fault f = {OK, ""};
    while (ipc_recv(fd, IPC_DIMSE_TO_ARCHIVE, 0, buffer, &m, &f) == OK)
        serve(&s, &m);
    if (f.code != OK && f.code != ERR_PEER_GONE)
        abort();
}
