#include "os/template.h"

#include "os/fd.h"
#include "os/msg.h"
#include "os/proc.h"

#include <errno.h>
#include <poll.h>
#include <unistd.h>

// READY is a reply with id 0; a failed fork answers a negative errno.
enum request_kind { REQUEST_SPAWN = 0x53504157 };
struct request {
    uint32_t kind;
};
struct reply {
    int32_t pid;
};

static enum err send_reply(int ctl, pid_t pid, struct fault *f) {
    struct reply reply = {.pid = (int32_t)pid};
    return os_msg_send(ctl, slice_of(&reply, sizeof reply), NULL, 0, f);
}

enum err os_template_say_ready(int ctl, struct fault *f) {
    return send_reply(ctl, 0, f);
}

static enum err receive_request(int ctl, int *ret_child_ctl, struct fault *f) {
    struct request request;
    struct os_msg_fds fds;
    size_t n = 0;
    enum err e = os_msg_recv(ctl, &request, sizeof request, 1, &n, &fds, f);
    if (e != OK)
        return e;
    if (n != sizeof request || request.kind != REQUEST_SPAWN || fds.n != 1) {
        os_msg_fds_close(&fds);
        return fault_set(f, ERR_PROTOCOL, "unknown request to a template");
    }
    *ret_child_ctl = os_msg_fds_take(&fds, 0);
    return OK;
}

// What a fresh worker does before anything else.
static enum err become_worker(enum os_role role, struct fault *f) {
    enum err e = os_proc_die_with_parent(f);
    if (e == OK)
        e = os_sandbox_enter_worker(f);
    return e == OK ? os_sandbox_selftest(role, f) : e;
}

enum err os_template_serve(enum os_role role, int template_ctl, int *ret_child_ctl, struct fault *f) {
    enum err e = os_sandbox_selftest(role, f);
    if (e == OK)
        e = os_template_say_ready(template_ctl, f);
    while (e == OK) {
        CLEANUP_FD int child_ctl = -1;
        e = receive_request(template_ctl, &child_ctl, f);
        if (e == ERR_PEER_GONE)
            _exit(0);
        if (e != OK)
            break;
        pid_t pid = os_proc_fork_sibling();
        if (pid == 0) {
            os_fd_close(&template_ctl);
            e = become_worker(role, f);
            if (e == OK)
                *ret_child_ctl = os_fd_take(&child_ctl);
            return e;
        }
        e = send_reply(template_ctl, pid > 0 ? pid : -errno, f);
    }
    return e;
}

static enum err receive_reply(int ctl, int timeout_ms, pid_t *ret_pid, struct fault *f) {
    struct pollfd p = {.fd = ctl, .events = POLLIN};
    int n;
    do
        n = poll(&p, 1, timeout_ms);
    while (n < 0 && errno == EINTR);
    if (n <= 0)
        return fault_set(f, ERR_TIMEOUT, "the template does not answer");
    struct reply reply;
    struct os_msg_fds fds;
    size_t got = 0;
    enum err e = os_msg_recv(ctl, &reply, sizeof reply, 0, &got, &fds, f);
    if (e != OK)
        return e;
    if (got != sizeof reply)
        return fault_set(f, ERR_PROTOCOL, "answer of a template");
    *ret_pid = reply.pid;
    return OK;
}

enum err os_template_await_ready(int template_ctl, int timeout_ms, struct fault *f) {
    pid_t pid = -1;
    enum err e = receive_reply(template_ctl, timeout_ms, &pid, f);
    if (e == OK && pid != 0)
        return fault_set(f, ERR_PROTOCOL, "answer of a template");
    return e;
}

enum err os_template_spawn(int template_ctl, int child_ctl, pid_t *ret_pid, struct fault *f) {
    enum { ANSWER_MS = 5000 };
    struct request request = {REQUEST_SPAWN};
    enum err e = os_msg_send(template_ctl, slice_of(&request, sizeof request), &child_ctl, 1, f);
    pid_t pid = -1;
    if (e == OK)
        e = receive_reply(template_ctl, ANSWER_MS, &pid, f);
    if (e == OK && pid <= 0)
        return fault_set(f, ERR_BUSY, "fork: %s", strerror(-pid));
    if (e == OK)
        *ret_pid = pid;
    return e;
}
