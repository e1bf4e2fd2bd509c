// May this association be? Rights from the peer's proof, narrowed by the user's roles when the
// requestor also names a user (PS3.7 D.3.3.7).
#include "archive.h"

enum { IDENTITY_USERNAME = 1, IDENTITY_PASSCODE = 2 };
enum { REJECT_PERMANENT = 1, REJECT_TRANSIENT = 2, SOURCE_ACSE = 2, ACSE_NO_REASON = 1 };

static void answer(struct archive *a, struct session *s, const struct verdict *v) {
    struct ipc_associate_result m = {.accept = v->accept,
                                     .result = v->result,
                                     .source = v->source,
                                     .reason = v->reason,
                                     .rights = v->accept ? v->rights : 0,
                                     .peer = slice_str(v->peer)};
    s->phase = v->accept ? IPC_PHASE_READY : IPC_PHASE_NEW;
    if (v->accept) {
        s->rights = v->rights;
        struct ipc_session_proven proven = {.session = s->id, .peer = slice_str(v->peer)};
        (void)ipc_send(a->supervisor.fd, IPC_SESSION_PROVEN, &proven, NULL, 0);
    } else {
        session_log(a, s, OS_LOG_WARN, "association refused: %s", v->advice);
    }
    session_reply(a, s, IPC_ASSOCIATE_RESULT, &m, -1);
}

static void cannot_check(struct archive *a, struct session *s) {
    struct verdict v = {.result = REJECT_TRANSIENT,
                        .source = SOURCE_ACSE,
                        .reason = ACSE_NO_REASON,
                        .advice = "user names cannot be checked just now: the requestor may try again"};
    answer(a, s, &v);
}

static void ask_auth(struct archive *a, struct session *s, const struct ipc_associate *m) {
    s->request = ++a->next_request;
    s->phase = IPC_PHASE_ASKING;
    struct ipc_auth_check check = {.request = s->request, .user = m->user, .passcode = m->passcode};
    if (a->auth.fd >= 0 && ipc_send(a->auth.fd, IPC_AUTH_CHECK, &check, NULL, 0) == OK)
        return;
    cannot_check(a, s);
}

void associate_on_request(struct archive *a, struct session *s, const struct ipc_associate *m) {
    struct verdict v = rights_of_association(&a->conf, &a->peers, &s->proof, m->calling, m->called);
    if (!v.accept) {
        answer(a, s, &v);
        return;
    }
    memcpy(s->peer, v.peer, sizeof s->peer);
    (void)slice_to_cstr(m->calling, s->calling, sizeof s->calling);
    (void)slice_to_cstr(m->called, s->called, sizeof s->called);
    s->rights = v.rights;
    switch (m->identity_type) {
    case IDENTITY_PASSCODE:
        ask_auth(a, s, m);
        return;
    case IDENTITY_USERNAME: // a name alone proves nothing, and takes nothing away: the peer's rights hold
    default:
        answer(a, s, &v);
    }
}

void associate_on_auth(struct archive *a, const struct ipc_auth_result *m) {
    struct session *s = session_by_request(a, m->request, IPC_PHASE_ASKING);
    if (!s)
        return; // gone meanwhile
    struct verdict v = {.accept = m->valid == 1,
                        .result = REJECT_PERMANENT,
                        .source = SOURCE_ACSE,
                        .reason = ACSE_NO_REASON,
                        .rights = s->rights & rights_of_roles(m->roles)};
    memcpy(v.peer, s->peer, sizeof v.peer);
    if (!v.accept)
        snprintf(v.advice, sizeof v.advice, "the user name or pass code that peer %s sent is wrong", s->peer);
    answer(a, s, &v);
}

void associate_on_reload(struct archive *a) {
    for (struct session *s = a->sessions, *next; s; s = next) {
        next = s->next;
        if (s->phase == IPC_PHASE_NEW)
            continue;
        struct verdict v = rights_of_association(&a->conf, &a->peers, &s->proof, slice_str(s->calling),
                                                 slice_str(s->called));
        s->rights &= v.rights;
        if (!v.accept)
            session_end(a, s, "its peer may not associate any more");
    }
}

void associate_on_auth_gone(struct archive *a) {
    for (struct session *s = a->sessions, *next; s; s = next) {
        next = s->next;
        if (s->phase == IPC_PHASE_ASKING)
            cannot_check(a, s);
    }
}
