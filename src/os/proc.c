#include "os/proc.h"

#include "os/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

// What the child reports over a close-on-exec pipe when it did not get as far as exec.
struct spawn_failure {
    int error;
    char step[28];
};

static _Noreturn void fail_in_child(int report, const char *step) {
    struct spawn_failure failure = {.error = errno};
    snprintf(failure.step, sizeof failure.step, "%s", step);
    if (write(report, &failure, sizeof failure) < 0)
        _exit(126);
    _exit(127);
}

static void reset_signals(void) {
    for (int s = 1; s < NSIG; s++)
        signal(s, SIG_DFL); // fails on KILL, STOP and the C library's own: fine
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
}

// Brings fd[i] to number 3 + i, `report` to the one after them, and closes all others.
static int arrange_fds(const struct os_proc_spec *spec, int report) {
    int high[OS_PROC_FDS_MAX + 1];
    for (unsigned i = 0; i <= spec->fd_count; i++) { // first out of the way, so that none is overwritten
        int from = i < spec->fd_count ? spec->fd[i] : report;
        high[i] = fcntl(from, F_DUPFD, OS_PROC_FD_FIRST + OS_PROC_FDS_MAX + 1);
        if (high[i] < 0)
            fail_in_child(report, "fcntl");
    }
    int errors = -1;
    if (spec->stderr_fd > 0)
        errors = fcntl(spec->stderr_fd, F_DUPFD, OS_PROC_FD_FIRST + OS_PROC_FDS_MAX + 1);
    int last = OS_PROC_FD_FIRST + (int)spec->fd_count;
    for (unsigned i = 0; i <= spec->fd_count; i++)
        if (dup2(high[i], OS_PROC_FD_FIRST + (int)i) < 0)
            fail_in_child(high[spec->fd_count], "dup2");
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    if (null < 0 || dup2(null, STDIN_FILENO) < 0 || dup2(null, STDOUT_FILENO) < 0)
        fail_in_child(last, "/dev/null");
    if (errors >= 0 && dup2(errors, STDERR_FILENO) < 0)
        fail_in_child(last, "standard error");
    if (fcntl(last, F_SETFD, FD_CLOEXEC) < 0 || syscall(SYS_close_range, last + 1, ~0U, 0) < 0)
        fail_in_child(last, "close_range");
    return last;
}

// execve takes its arrays without const for historical reasons (POSIX, rationale of exec).
static char *const *unconst(const char *const *v) {
    union {
        const char *const *in;
        char *const *out;
    } u = {v};
    return u.out;
}

static const char *const *environment(const struct os_proc_spec *spec) {
#ifdef GALENA_SANITIZED
    // The leak check at exit needs ptrace and threads, which no sandbox allows.
    static const char *const fallback[] = {"ASAN_OPTIONS=detect_leaks=0:abort_on_error=1:handle_segv=0",
                                           "UBSAN_OPTIONS=halt_on_error=1:print_stacktrace=1", NULL};
#else
    static const char *const fallback[] = {NULL};
#endif
    return spec->env ? spec->env : fallback;
}

static _Noreturn void run_child(const struct os_proc_spec *spec, int report, pid_t parent) {
    report = arrange_fds(spec, report);
    reset_signals();
    if (spec->own_session)
        setsid();
    if (prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) < 0)
        fail_in_child(report, "prctl");
    if (getppid() != parent)
        _exit(127); // the parent was gone before we asked to die with it
    execve(spec->path, unconst(spec->argv), unconst(environment(spec)));
    fail_in_child(report, "exec");
}

enum err os_proc_spawn(const struct os_proc_spec *spec, pid_t *ret_pid, struct fault *f) {
    bug_unless(spec->fd_count <= OS_PROC_FDS_MAX);
    int pair[2];
    if (pipe2(pair, O_CLOEXEC) < 0)
        return fault_errno(f, "pipe");
    CLEANUP_FD int reading = pair[0];
    CLEANUP_FD int writing = pair[1];
    pid_t parent = getpid();
    pid_t pid = fork();
    if (pid < 0)
        return fault_errno(f, "fork");
    if (pid == 0)
        run_child(spec, writing, parent);
    os_fd_close(&writing);
    struct spawn_failure failure;
    if (os_fd_read_full(reading, &failure, sizeof failure, NULL) == OK) {
        failure.step[sizeof failure.step - 1] = '\0';
        return fault_set(f, ERR_IO, "starting %.100s: %s: %s", spec->path, failure.step,
                         strerror(failure.error));
    }
    *ret_pid = pid;
    return OK;
}

enum err os_proc_sibling_path(const char *name, char *dst, size_t cap, struct fault *f) {
    char self[4096];
    ssize_t n = readlink("/proc/self/exe", self, sizeof self - 1);
    if (n <= 0 || n == (ssize_t)sizeof self - 1)
        return fault_errno(f, "/proc/self/exe");
    self[n] = '\0';
    char *slash = strrchr(self, '/');
    bug_unless(slash != NULL);
    *slash = '\0';
    int length = snprintf(dst, cap, "%s/%s", self, name);
    if (length < 0 || (size_t)length >= cap)
        return fault_set(f, ERR_LIMIT, "the path of %s is too long", name);
    return OK;
}

pid_t os_proc_fork_sibling(void) {
    return (pid_t)syscall(SYS_clone, CLONE_PARENT | SIGCHLD, 0UL, NULL, NULL, 0UL);
}

enum err os_proc_die_with_parent(struct fault *f) {
    if (prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) < 0)
        return fault_errno(f, "prctl(PR_SET_PDEATHSIG)");
    return OK;
}

enum err os_proc_harden(unsigned fd_max, struct fault *f) {
    struct rlimit no_core = {0, 0}, fds = {fd_max, fd_max};
    if (setrlimit(RLIMIT_CORE, &no_core) < 0)
        return fault_errno(f, "RLIMIT_CORE");
    if (setrlimit(RLIMIT_NOFILE, &fds) < 0)
        return fault_set(f, ERR_CONFIG, "may not hold %u descriptors: raise the limit (ulimit -Hn)", fd_max);
    if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0)
        return fault_errno(f, "prctl(PR_SET_DUMPABLE)");
    umask(077);
    signal(SIGPIPE, SIG_IGN);
    return OK;
}
