// Further channels of a web connection: each is a session of its own, with nobody identified on it yet. A
// worker gains nothing by them but company: what a channel may do is what its own credential allows.
#include <sys/socket.h>

#include "archive.h"
#include "os/fd.h"

// Altogether: the rest of our descriptors is for who connects next, such as a modality.
enum { SESSIONS_MAX = 6144 };

static bool is_room(const struct archive *a, uint64_t id) {
    unsigned all = 0, siblings = 0;
    for (const struct session *s = a->sessions; s; s = s->next) {
        siblings += s->id == id;
        all++;
    }
    return siblings < CHANNELS_MAX && all < SESSIONS_MAX;
}

void channels_on_new(struct archive *a, struct session *s) {
    struct ipc_channel m = {.error = ERR_LIMIT};
    int pair[2];
    if (!is_room(a, s->id) ||
        socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) != 0) {
        session_reply(a, s, IPC_CHANNEL, &m, -1);
        return;
    }
    CLEANUP_FD int theirs = pair[0];
    struct ipc_session_new another = {
        .session = s->id, .lane = (uint8_t)s->proof.lane, .source = slice_str(s->source)};
    session_new(a, &another, pair[1], -1);
    m.error = OK;
    session_reply(a, s, IPC_CHANNEL, &m, theirs);
}
