// A template as the supervisor sees it: workers are its own children, and a broken one is noticed.
#include "os/fd.h"
#include "os/msg.h"
#include "os/proc.h"
#include "os/template.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

// A worker that answers each message with one letter more, and crashes on 'c'.
static _Noreturn void worker(int ctl) {
    for (;;) {
        char byte;
        size_t n;
        struct os_msg_fds fds;
        if (os_msg_recv(ctl, &byte, 1, 0, &n, &fds, NULL) != OK)
            _exit(7);
        if (byte == 'c')
            abort();
        byte++;
        if (os_msg_send(ctl, slice_of(&byte, 1), NULL, 0, NULL) != OK)
            _exit(8);
    }
}

static pid_t start_template(int *ret_ctl) {
    int pair[2];
    assert_int_equal(os_fd_pair_seqpacket(pair, NULL), OK);
    pid_t pid = fork();
    if (pid == 0) {
        close(pair[0]);
        struct fault f = {0};
        int ctl = -1;
        if (os_proc_harden(64, &f) != OK || os_sandbox_enter_template(OS_ROLE_DIMSE, &f) != OK
            || os_template_serve(OS_ROLE_DIMSE, pair[1], &ctl, &f) != OK)
            _exit(9);
        worker(ctl);
    }
    close(pair[1]);
    assert_int_equal(os_template_await_ready(pair[0], 5000, NULL), OK);
    *ret_ctl = pair[0];
    return pid;
}

static pid_t spawn(int template_ctl, int *ret_ctl) {
    int pair[2];
    pid_t pid = 0;
    assert_int_equal(os_fd_pair_seqpacket(pair, NULL), OK);
    assert_int_equal(os_template_spawn(template_ctl, pair[1], &pid, NULL), OK);
    close(pair[1]);
    *ret_ctl = pair[0];
    return pid;
}

static char ask(int ctl, char byte) {
    size_t n;
    struct os_msg_fds fds;
    assert_int_equal(os_msg_send(ctl, slice_of(&byte, 1), NULL, 0, NULL), OK);
    if (os_msg_recv(ctl, &byte, 1, 0, &n, &fds, NULL) != OK)
        return 0;
    return byte;
}

static void test_workers(void **state) {
    (void)state;
    int template_ctl, a, b, status = 0;
    pid_t template = start_template(&template_ctl);
    pid_t pid_a = spawn(template_ctl, &a), pid_b = spawn(template_ctl, &b);
    assert_int_equal(ask(a, 'x'), 'y');
    assert_int_equal(ask(b, 'p'), 'q');
    assert_int_equal(ask(a, 'c'), 0); // a crashes, b goes on
    assert_int_equal(waitpid(pid_a, &status, 0), pid_a);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
    assert_int_equal(ask(b, 'r'), 's');
    close(b); // the supervisor lets go
    assert_int_equal(waitpid(pid_b, &status, 0), pid_b);
    assert_int_equal(WEXITSTATUS(status), 7);
    close(a);
    close(template_ctl);
    assert_int_equal(waitpid(template, &status, 0), template);
    assert_int_equal(status, 0);
}

static const struct {
    const char *name;
    const char *bytes;
    size_t n;
    unsigned fds;
} garbage[] = {
    {"one byte", "x", 1, 0},
    {"unknown kind", "xxxx", 4, 1},
    {"no descriptor", "WAPS", 4, 0},
    {"two descriptors", "WAPS", 4, 2},
    {"too long", "WAPSx", 5, 1},
};

static void test_garbage_ends_the_template(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof garbage / sizeof *garbage; i++) {
        int ctl, status = 0, fds[2] = {0, 0};
        pid_t template = start_template(&ctl);
        struct slice bytes = slice_of(garbage[i].bytes, garbage[i].n);
        assert_int_equal(os_msg_send(ctl, bytes, fds, garbage[i].fds, NULL), OK);
        assert_int_equal(waitpid(template, &status, 0), template);
        if (!WIFEXITED(status) || WEXITSTATUS(status) != 9)
            fail_msg("%s: status %#x", garbage[i].name, status);
        pid_t pid = -1;
        assert_int_equal(os_template_spawn(ctl, 0, &pid, NULL), ERR_PEER_GONE);
        assert_int_equal(pid, -1);
        close(ctl);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_workers),
                                       cmocka_unit_test(test_garbage_ends_the_template)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
