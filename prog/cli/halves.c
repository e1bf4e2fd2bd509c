#include "halves.h"

#include "base/utf8.h"
#include "os/fd.h"
#include "os/msg.h"
#include "os/proc.h"
#include "os/sandbox.h"

#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

enum { INNER_FDS_MAX = 128 };

// The sandbox of auth is the one for a role that has neither files nor sockets to open.
static _Noreturn void become_inner(int (*inner)(int channel, void *ctx), void *ctx, int channel) {
    struct fault f = {0};
    if (os_proc_harden(INNER_FDS_MAX, &f) != OK || os_proc_die_with_parent(&f) != OK ||
        os_sandbox_enter(OS_ROLE_AUTH, -1, &f) != OK || os_sandbox_selftest(OS_ROLE_AUTH, &f) != OK) {
        struct report r = {.kind = REPORT_FAILED};
        snprintf(r.text, sizeof r.text, "cannot confine itself: %s", f.detail);
        (void)report_send(channel, &r, NULL);
        _exit(1);
    }
    _exit(inner(channel, ctx));
}

enum err halves_fork(int (*inner)(int channel, void *ctx), void *ctx, int *ret_channel, pid_t *ret_pid,
                     struct fault *f) {
    int pair[2];
    enum err e = os_fd_pair_seqpacket(pair, f);
    if (e != OK)
        return e;
    fflush(NULL);
    pid_t pid = fork();
    if (pid < 0) {
        os_fd_close(&pair[0]);
        os_fd_close(&pair[1]);
        return fault_errno(f, "fork");
    }
    if (pid == 0) {
        os_fd_close(&pair[0]);
        become_inner(inner, ctx, pair[1]);
    }
    os_fd_close(&pair[1]);
    *ret_channel = pair[0];
    *ret_pid = pid;
    return OK;
}

int halves_end(int *channel, pid_t pid) {
    int status;
    os_fd_close(channel);
    if (waitpid(pid, &status, 0) != pid || !WIFEXITED(status))
        return -1;
    return WEXITSTATUS(status);
}

enum err order_send(int channel, const struct order *o, int fd, struct fault *f) {
    return os_msg_send(channel, slice_of(o, sizeof *o), &fd, fd >= 0 ? 1 : 0, f);
}

enum err order_recv(int channel, struct order *ret_order, int *ret_fd, struct fault *f) {
    struct order o;
    struct os_msg_fds fds;
    size_t n = 0;
    enum err e = os_msg_recv(channel, &o, sizeof o, 1, &n, &fds, f);
    if (e != OK)
        return e;
    if (n != sizeof o) {
        os_msg_fds_close(&fds);
        return fault_set(f, ERR_PROTOCOL, "an order of the wrong length");
    }
    *ret_order = o;
    *ret_fd = fds.n ? os_msg_fds_take(&fds, 0) : -1;
    return OK;
}

enum err report_send(int channel, const struct report *r, struct fault *f) {
    return os_msg_send(channel, slice_of(r, sizeof *r), NULL, 0, f);
}

// A terminal must not be told to do anything by the name of a file in a ZIP.
static void make_printable(char *text, size_t cap) {
    text[cap - 1] = '\0';
    size_t n = strlen(text);
    for (size_t i = 0; i < n;) {
        uint32_t c;
        size_t took = utf8_decode(slice_of(text + i, n - i), &c);
        bool control =
            took > 0 && (c < 0x20 || (c >= 0x7F && c < 0xA0) || (c >= 0x200E && c <= 0x202E) ||
                         (c >= 0x2066 && c <= 0x2069) || c == 0xFEFF);
        if (took == 0 || control)
            memset(text + i, '?', took ? took : 1);
        i += took ? took : 1;
    }
}

enum err report_recv(int channel, struct report *ret_report, struct fault *f) {
    struct os_msg_fds fds;
    size_t n = 0;
    enum err e = os_msg_recv(channel, ret_report, sizeof *ret_report, 0, &n, &fds, f);
    if (e != OK)
        return e;
    if (n != sizeof *ret_report || ret_report->outcome >= OUTCOME_COUNT_)
        return fault_set(f, ERR_PROTOCOL, "a report of the wrong form");
    make_printable(ret_report->text, sizeof ret_report->text);
    return OK;
}

enum err halves_ask_fd(int channel, const struct report *r, int *ret_fd, struct fault *f) {
    struct order o;
    enum err e = report_send(channel, r, f);
    if (e == OK)
        e = order_recv(channel, &o, ret_fd, f);
    if (e == OK && *ret_fd < 0)
        e = fault_set(f, ERR_PEER_GONE,
                      r->kind == REPORT_CONNECT ? "the server is not there" : "the file cannot be made");
    return e;
}
