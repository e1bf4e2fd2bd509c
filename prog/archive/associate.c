// May this association be? Rights from the peer's proof, narrowed by the user's roles when the
// requestor also names a user (PS3.7 D.3.3.7).
#include "archive.h"

enum { IDENTITY_USERNAME = 1, IDENTITY_PASSCODE = 2 };
enum { REJECT_PERMANENT = 1, REJECT_TRANSIENT = 2, SOURCE_ACSE = 2, ACSE_NO_REASON = 1 };

// By no fault of the requestor's.
static const struct verdict not_now = {
    .result = REJECT_TRANSIENT,
    .source = SOURCE_ACSE,
    .reason = ACSE_NO_REASON,
    .advice = "who associates cannot be checked just now: the requestor may try again"};

static void answer(struct archive *a, struct session *s, const struct verdict *v) {
    if (v->accept && view_is_nothing(v->view)) // no memory for it
        v = &not_now;
    struct ipc_associate_result m = {.accept = v->accept,
                                     .result = v->result,
                                     .source = v->source,
                                     .reason = v->reason,
                                     .rights = v->accept ? v->rights : 0,
                                     .peer = slice_str(v->peer)};
    s->phase = v->accept ? IPC_PHASE_READY : IPC_PHASE_NEW;
    session_set_view(s, v->view);
    if (v->accept) {
        s->rights = v->rights;
        if (v->missing[0])
            session_log(a, s, OS_LOG_WARN,
                        "%s is limited to collection %s, which is not there: it sees nothing "
                        "of it",
                        v->peer, v->missing);
        struct ipc_session_proven proven = {.session = s->id, .peer = slice_str(v->peer)};
        (void)ipc_send(a->supervisor.fd, IPC_SESSION_PROVEN, &proven, NULL, 0);
    } else {
        session_log(a, s, OS_LOG_WARN, "association refused: %s", v->advice);
    }
    session_reply(a, s, IPC_ASSOCIATE_RESULT, &m, -1);
}

struct policy policy_of(const struct archive *a) {
    return (struct policy){&a->conf, &a->peers, &a->collections};
}

// What a user may who proved to be one in an association: the roles are auth's word, the limits the file's.
static struct verdict of_user(struct archive *a, const char *name, uint32_t roles) {
    struct conf_user u;
    struct fault f = {0};
    enum err e = conf_user_load(a->dir, name, &u, &f);
    if (e != OK)
        return err_of_machine(e) ? not_now : (struct verdict){.accept = false};
    struct policy policy = policy_of(a);
    struct signed_in user = {.name = slice_str(u.name),
                             .roles = roles & u.roles,
                             .collections = slice_str(u.collections),
                             .physician = slice_str(u.physician)};
    struct verdict v = rights_of_user(&policy, &user);
    explicit_bzero(&u, sizeof u);
    return v;
}

static void ask_auth(struct archive *a, struct session *s, const struct ipc_associate *m) {
    s->request = ++a->next_request;
    s->phase = IPC_PHASE_ASKING;
    // Whoever guesses is this peer, wherever it comes from.
    struct ipc_auth_check check = {
        .request = s->request, .user = m->user, .passcode = m->passcode, .source = slice_str(s->peer)};
    if (a->auth.fd >= 0 && ipc_send(a->auth.fd, IPC_AUTH_CHECK, &check, NULL, 0) == OK)
        return;
    answer(a, s, &not_now);
}

void associate_on_request(struct archive *a, struct session *s, const struct ipc_associate *m) {
    struct policy policy = policy_of(a);
    struct verdict v = rights_of_association(&policy, &s->proof, m->calling, m->called);
    if (!v.accept) {
        answer(a, s, &v);
        return;
    }
    memcpy(s->peer, v.peer, sizeof s->peer);
    s->user[0] = '\0';
    (void)slice_to_cstr(m->calling, s->calling, sizeof s->calling);
    (void)slice_to_cstr(m->called, s->called, sizeof s->called);
    s->rights = v.rights;
    switch (m->identity_type) {
    case IDENTITY_PASSCODE:
        session_set_view(s, v.view);
        if (!slice_to_cstr(m->user, s->user, sizeof s->user))
            s->user[0] = '\0'; // no user has such a name: auth says so in its own time
        ask_auth(a, s, m);
        return;
    case IDENTITY_USERNAME: // a name alone proves nothing, and takes nothing away: the peer's rights hold
    default:
        answer(a, s, &v);
    }
}

void associate_on_auth(struct archive *a, const struct ipc_auth_result *m) {
    struct session *s = session_by_request(a, m->request, IPC_PHASE_ASKING);
    if (!s || s->who.ask != ASK_NOTHING)
        return; // gone meanwhile
    if (m->valid > 1) {
        answer(a, s, &not_now);
        return;
    }
    struct verdict peer = {.accept = true,
                           .result = REJECT_PERMANENT,
                           .source = SOURCE_ACSE,
                           .reason = ACSE_NO_REASON,
                           .rights = s->rights,
                           .view = view_ref(s->view)};
    struct verdict user = m->valid == 1 ? of_user(a, s->user, m->roles) : (struct verdict){.accept = false};
    if (user.result == REJECT_TRANSIENT) {
        view_free(peer.view);
        answer(a, s, &not_now);
        return;
    }
    memcpy(peer.peer, s->peer, sizeof peer.peer);
    struct verdict v = rights_of_both(&peer, &user);
    if (!v.accept)
        snprintf(v.advice, sizeof v.advice, "the user name or pass code that peer %s sent is wrong", s->peer);
    answer(a, s, &v);
}

void associate_on_reload(struct archive *a) {
    struct policy policy = policy_of(a);
    for (struct session *s = a->sessions, *next; s; s = next) {
        next = s->next;
        if (s->phase == IPC_PHASE_NEW || s->proof.lane == IPC_LANE_HTTPS) // a request's rights last no longer
            continue;
        struct verdict v =
            rights_of_association(&policy, &s->proof, slice_str(s->calling), slice_str(s->called));
        if (s->user[0] && s->phase != IPC_PHASE_ASKING) {
            struct verdict user = of_user(a, s->user, UINT32_MAX);
            v = rights_of_both(&v, &user);
        }
        s->rights &= v.rights;
        session_set_view(s, v.view);
        if (!v.accept)
            session_end(a, s, "its peer may not associate any more");
    }
}

void associate_on_auth_gone(struct archive *a) {
    for (struct session *s = a->sessions, *next; s; s = next) {
        next = s->next;
        if (s->phase == IPC_PHASE_ASKING && s->who.ask == ASK_NOTHING)
            answer(a, s, &not_now);
    }
}
