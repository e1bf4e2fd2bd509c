// C-MOVE destinations: only configured peers, dialled by the supervisor, proven by a gate in
// client mode before the worker gets the stream.
#include "archive.h"

#include "os/fd.h"

static void refuse(struct archive *a, struct session *s, enum err code, const char *detail) {
    session_log(a, s, OS_LOG_WARN, "move destination: %s", detail);
    struct ipc_peer_dialed m = {.error = (uint16_t)code, .detail = slice_str(detail)};
    s->phase = IPC_PHASE_RETRIEVING;
    session_reply(a, s, IPC_PEER_DIALED, &m, -1);
}

static void hand_over(struct archive *a, struct session *s) {
    CLEANUP_FD int fd = os_fd_take(&s->dialled_fd), shm_fd = os_fd_take(&s->dialled_shm_fd);
    watch_close(a, &s->dialled_gate);
    struct ipc_peer_dialed m = {.error = OK};
    s->phase = IPC_PHASE_RETRIEVING;
    session_reply_fds(a, s, IPC_PEER_DIALED, &m, (const int[]){fd, shm_fd}, shm_fd >= 0 ? 2 : 1);
}

void dialling_on_request(struct archive *a, struct session *s, const struct ipc_dial_peer *m) {
    char text[192];
    const struct conf_peer *peer = conf_peers_destination(&a->peers, m->ae_title);
    if (!peer) {
        snprintf(text, sizeof text,
                 "no peer with AE title %.*s has an address: galena peer set … --address HOST:PORT",
                 SLICE_FMT(m->ae_title));
        refuse(a, s, ERR_DESTINATION, text);
        return;
    }
    s->wanted_count = peer->address_plain ? 0 : peer->fingerprint_count;
    memcpy(s->wanted_fingerprints, peer->fingerprints, sizeof s->wanted_fingerprints);
    if (!peer->address_plain && s->wanted_count == 0) {
        refuse(a, s, ERR_DESTINATION, "the destination has no certificate to prove itself with");
        return;
    }
    s->request = ++a->next_request;
    s->phase = IPC_PHASE_DIALLING;
    struct ipc_dial dial = {.request = s->request,
                            .tls = !peer->address_plain,
                            .host = slice_str(peer->address.host),
                            .port = peer->address.port};
    if (ipc_send(a->supervisor.fd, IPC_DIAL, &dial, NULL, 0) != OK)
        refuse(a, s, ERR_BUSY, "the supervisor cannot dial now");
}

void dialling_on_dialed(struct archive *a, struct ipc_msg *m) {
    struct session *s = session_by_request(a, m->u.dialed.request, IPC_PHASE_DIALLING);
    if (!s || s->dialled_fd >= 0)
        return; // gone meanwhile; the caller closes what came
    if (m->u.dialed.error != OK || m->fd_count == 0 || (s->wanted_count > 0 && m->fd_count != 3)) {
        char text[192];
        snprintf(text, sizeof text, "%.*s", SLICE_FMT(m->u.dialed.detail));
        refuse(a, s, m->u.dialed.error ? (enum err)m->u.dialed.error : ERR_IO, text);
        return;
    }
    s->dialled_fd = ipc_msg_take_fd(m, 0);
    if (s->wanted_count == 0) {
        hand_over(a, s);
        return;
    }
    s->dialled_shm_fd = ipc_msg_take_fd(m, 2);
    if (!watch_add(a, &s->dialled_gate, WATCH_GATE, ipc_msg_take_fd(m, 1), s)) {
        os_fd_close(&s->dialled_fd);
        os_fd_close(&s->dialled_shm_fd);
        refuse(a, s, ERR_IO, "the destination's gate cannot be watched");
    }
}

static bool is_wanted(const struct session *s, struct slice fingerprint) {
    if (fingerprint.n != CONF_FINGERPRINT_BYTES)
        return false;
    for (size_t i = 0; i < s->wanted_count; i++)
        if (memcmp(s->wanted_fingerprints[i], fingerprint.p, CONF_FINGERPRINT_BYTES) == 0)
            return true;
    return false;
}

void dialling_on_proof(struct archive *a, struct session *s) {
    struct ipc_msg m;
    struct fault f = {0};
    enum err e = ipc_recv_now(s->dialled_gate.fd, IPC_GATE_TO_ARCHIVE, 0, a->buffer, &m, &f);
    if (e == ERR_BUSY)
        return;
    if (e == OK && is_wanted(s, m.u.proven.fingerprint)) {
        hand_over(a, s);
        return;
    }
    dialling_end(a, s);
    refuse(a, s, ERR_DENIED, // known it is: no A801
           e == OK ? "another machine answered: its certificate is not the destination's"
                   : "the TLS handshake with the destination failed");
}

void dialling_end(struct archive *a, struct session *s) {
    watch_close(a, &s->dialled_gate);
    os_fd_close(&s->dialled_fd);
    os_fd_close(&s->dialled_shm_fd);
}
