#include "os/fd.h"
#include "os/proc.h"
#include "os/sigfd.h"

#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

// Runs a shell command whose descriptor 3 is a pipe; what it wrote there.
static void run(const char *command, char *dst, size_t cap) {
    int pair[2];
    assert_int_equal(pipe2(pair, O_CLOEXEC), 0);
    const char *argv[] = {"sh", "-c", command, NULL};
    struct os_proc_spec spec = {.path = "/bin/sh", .argv = argv, .fd = {pair[1]}, .fd_count = 1};
    pid_t pid = 0;
    struct fault f = {0};
    if (os_proc_spawn(&spec, &pid, &f) != OK)
        fail_msg("%s", f.detail);
    close(pair[1]);
    size_t n = 0;
    for (ssize_t got; n < cap - 1 && (got = read(pair[0], dst + n, cap - 1 - n)) > 0;)
        n += (size_t)got;
    dst[n] = '\0';
    close(pair[0]);
    assert_int_equal(waitpid(pid, NULL, 0), pid);
}

static void test_only_given_descriptors(void **state) {
    (void)state;
    int stray = dup(0); // without close-on-exec
    char text[4096];
    run("ls /proc/self/fd >&3", text, sizeof text);
    assert_string_equal(text, "0\n1\n2\n3\n4\n"); // 4 is the folder that ls reads
    run("readlink /proc/$$/fd/0 >&3", text, sizeof text);
    assert_string_equal(text, "/dev/null\n");
    close(stray);
}

static void test_environment_is_empty(void **state) {
    (void)state;
    assert_int_equal(setenv("SECRET", "1", 1), 0);
    char text[4096];
    run("echo -n \"[$SECRET][$HOME]\" >&3", text, sizeof text);
    assert_string_equal(text, "[][]");
}

static void test_order_of_descriptors(void **state) {
    (void)state;
    // Numbers 3 and 4 themselves, in reverse: neither may overwrite the other.
    int a[2], b[2];
    assert_int_equal(pipe2(a, O_CLOEXEC), 0);
    assert_int_equal(pipe2(b, O_CLOEXEC), 0);
    const char *argv[] = {"sh", "-c", "echo -n three >&3; echo -n four >&4", NULL};
    struct os_proc_spec spec = {.path = "/bin/sh", .argv = argv, .fd = {b[1], a[1]}, .fd_count = 2};
    pid_t pid = 0;
    assert_int_equal(os_proc_spawn(&spec, &pid, NULL), OK);
    assert_int_equal(waitpid(pid, NULL, 0), pid);
    char text[10] = "";
    assert_int_equal(read(b[0], text, sizeof text), 5);
    assert_memory_equal(text, "three", 5);
    assert_int_equal(read(a[0], text, sizeof text), 4);
    assert_memory_equal(text, "four", 4);
    for (int i = 0; i < 2; i++)
        close(a[i]), close(b[i]);
}

static void test_exec_failure_is_reported(void **state) {
    (void)state;
    const char *argv[] = {"nothing", NULL};
    struct os_proc_spec spec = {.path = "/nonexistent/program", .argv = argv};
    struct fault f = {0};
    pid_t pid = -7;
    assert_int_equal(os_proc_spawn(&spec, &pid, &f), ERR_IO);
    assert_int_equal(pid, -7);
    assert_non_null(strstr(f.detail, "/nonexistent/program"));
    while (waitpid(-1, NULL, 0) > 0)
        ;
}

static void test_sibling_is_our_parents_child(void **state) {
    (void)state;
    int pair[2];
    assert_int_equal(pipe2(pair, O_CLOEXEC), 0);
    pid_t middle = fork();
    if (middle == 0) {
        pid_t pid = os_proc_fork_sibling();
        if (pid == 0)
            _exit(42);
        if (write(pair[1], &pid, sizeof pid) != (ssize_t)sizeof pid)
            _exit(1);
        _exit(0);
    }
    pid_t sibling = 0;
    assert_int_equal(read(pair[0], &sibling, sizeof sibling), sizeof sibling);
    int status = 0;
    assert_int_equal(waitpid(sibling, &status, 0), sibling);
    assert_int_equal(WEXITSTATUS(status), 42);
    assert_int_equal(waitpid(middle, &status, 0), middle);
    close(pair[0]);
    close(pair[1]);
}

static void test_harden(void **state) {
    (void)state;
    pid_t pid = fork();
    if (pid == 0) {
        struct rlimit l;
        bool good = os_proc_harden(40, NULL) == OK && getrlimit(RLIMIT_CORE, &l) == 0 && l.rlim_max == 0
            && getrlimit(RLIMIT_NOFILE, &l) == 0 && l.rlim_max == 40;
        _exit(good ? 0 : 1);
    }
    int status = 0;
    waitpid(pid, &status, 0);
    assert_int_equal(status, 0);
}

static void test_signals(void **state) {
    (void)state;
    CLEANUP_FD int fd = -1;
    assert_int_equal(os_signal_open((const int[]){SIGUSR1, SIGUSR2}, 2, &fd, NULL), OK);
    assert_int_equal(os_signal_next(fd), 0);
    raise(SIGUSR2);
    assert_int_equal(os_signal_next(fd), SIGUSR2);
    assert_int_equal(os_signal_next(fd), 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_only_given_descriptors),
        cmocka_unit_test(test_environment_is_empty),
        cmocka_unit_test(test_order_of_descriptors),
        cmocka_unit_test(test_exec_failure_is_reported),
        cmocka_unit_test(test_sibling_is_our_parents_child),
        cmocka_unit_test(test_harden),
        cmocka_unit_test(test_signals),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
