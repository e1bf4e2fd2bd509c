// Every role, every stage: what is forbidden is refused or deadly, what is needed works.
#include "os/fd.h"
#include "os/memfd.h"
#include "os/msg.h"
#include "os/proc.h"
#include "os/sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

enum place {
    GATE_WORKER,
    DIMSE_WORKER,
    WEB_WORKER,
    GATE_TEMPLATE,
    DIMSE_TEMPLATE,
    WEB_TEMPLATE,
    AUTH,
    ARCHIVE,
    FETCH,
    PLACE_COUNT
};
static const char *const place_names[] = {
    "gate", "dimse", "web", "gate template", "dimse template", "web template", "auth", "archive", "fetch"};
static const enum os_role place_roles[] = {OS_ROLE_GATE,  OS_ROLE_DIMSE, OS_ROLE_WEB,
                                           OS_ROLE_GATE,  OS_ROLE_DIMSE, OS_ROLE_WEB,
                                           OS_ROLE_AUTH,  OS_ROLE_ARCHIVE, OS_ROLE_FETCH};
static int folder = -1; // the archive's

static enum err enter(enum place place, struct fault *f) {
    enum os_role role = place_roles[place];
    if (place >= AUTH)
        return os_sandbox_enter(role, place == ARCHIVE ? folder : -1, f);
    enum err e = os_sandbox_enter_template(role, f);
    if (e == OK && place <= WEB_WORKER)
        e = os_sandbox_enter_worker(f);
    return e;
}

// The attempts: true when it succeeded.
static bool try_open(void) {
    return open("/etc/passwd", O_RDONLY) >= 0;
}
static bool try_openat2(void) {
    uint64_t how[3] = {O_RDONLY, 0, 0};
    return syscall(SYS_openat2, AT_FDCWD, "/etc/passwd", how, sizeof how) >= 0;
}
static bool try_create(void) {
    return open("/tmp/galena-must-not-exist", O_WRONLY | O_CREAT, 0600) >= 0;
}
static bool try_tcp(void) {
    return socket(AF_INET, SOCK_STREAM, 0) >= 0;
}
static bool try_create_here(void) {
    return openat(AT_FDCWD, "/var/tmp/galena-must-not-exist", O_RDONLY | O_CREAT, 0600) >= 0;
}
static bool try_open_process(void) {
    return open("/proc/1/environ", O_RDONLY) >= 0;
}
static bool try_raw(void) {
    return socket(AF_INET, SOCK_RAW, IPPROTO_ICMP) >= 0;
}
static bool try_netlink(void) {
    return socket(AF_NETLINK, SOCK_RAW, 0) >= 0;
}
static bool try_listen(void) {
    struct sockaddr_in a = {.sin_family = AF_INET};
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    return bind(fd < 0 ? 0 : fd, (struct sockaddr *)&a, sizeof a) == 0 || listen(fd < 0 ? 0 : fd, 1) == 0;
}
static bool try_pair(void) {
    int p[2];
    return socketpair(AF_UNIX, SOCK_STREAM, 0, p) == 0;
}
static bool try_unix(void) {
    return socket(AF_UNIX, SOCK_STREAM, 0) >= 0;
}
static bool try_exec(void) {
    char *argv[] = {NULL};
    execve("/bin/true", argv, argv);
    return false;
}
static bool try_ptrace(void) {
    return ptrace(PTRACE_ATTACH, 1, NULL, NULL) == 0;
}
static bool try_process_vm(void) {
    return syscall(SYS_process_vm_readv, getpid(), NULL, 0, NULL, 0, 0) >= 0;
}
static bool try_fork(void) {
    pid_t pid = (pid_t)syscall(SYS_clone, SIGCHLD, 0UL, NULL, NULL, 0UL);
    if (pid == 0)
        _exit(0);
    return pid > 0;
}
static bool try_namespace(void) {
    return unshare(CLONE_NEWUSER) == 0;
}
static bool try_kill(void) {
    return kill(getpid(), 0) == 0;
}
static bool try_executable_memory(void) {
    return mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) != MAP_FAILED;
}
static bool try_mprotect(void) {
    void *p = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    return mprotect(p, 4096, PROT_READ | PROT_EXEC) == 0;
}
static bool try_setuid(void) {
    return setuid(0) == 0;
}
static bool try_dumpable(void) {
    return prctl(PR_SET_DUMPABLE, 1, 0, 0, 0) == 0;
}
static bool try_io_uring(void) {
    return syscall(SYS_io_uring_setup, 8, NULL) >= 0;
}
static bool try_bpf(void) {
    return syscall(SYS_bpf, 0, NULL, 0) >= 0;
}
static bool try_keyctl(void) {
    return syscall(SYS_keyctl, 0, 0) >= 0;
}
static bool try_accept(void) {
    return accept(0, NULL, NULL) >= 0;
}
static bool try_connect(void) {
    struct sockaddr_in a = {.sin_family = AF_INET};
    return connect(0, (struct sockaddr *)&a, sizeof a) == 0;
}
static bool try_old_abi(void) {
#ifdef __x86_64__
    return syscall(0x40000000 | SYS_getpid) >= 0; // the x32 numbers
#else
    return false;
#endif
}
static bool try_option(void) {
    int on = 1; // any option but the one that os_tcp_ack_now sets
    return setsockopt(0, SOL_SOCKET, SO_DEBUG, &on, sizeof on) == 0;
}
static bool try_mknod(void) {
    return mknod("/tmp/galena-must-not-exist", S_IFIFO | 0600, 0) == 0;
}

enum fate { SAME, REFUSED, KILLED, EITHER, ALLOWED };
static const struct {
    const char *name;
    bool (*attempt)(void);
    enum fate fate, of_fetch;
} forbidden[] = {
    {"open", try_open, REFUSED, ALLOWED},
    {"openat2", try_openat2, EITHER, SAME},
    {"create a file", try_create, REFUSED, SAME},
    {"create a file elsewhere", try_create_here, REFUSED, SAME},
    {"open a process's file", try_open_process, REFUSED, EITHER},
    {"TCP socket", try_tcp, REFUSED, ALLOWED},
    {"Unix socket", try_unix, REFUSED, SAME},
    {"raw socket", try_raw, REFUSED, SAME},
    {"netlink socket", try_netlink, REFUSED, SAME},
    {"socket that listens", try_listen, EITHER, SAME},
    {"pair of Unix streams", try_pair, EITHER, ALLOWED},
    {"exec", try_exec, REFUSED, SAME},
    {"ptrace", try_ptrace, REFUSED, SAME},
    {"process_vm_readv", try_process_vm, KILLED, SAME},
    {"fork", try_fork, KILLED, SAME},
    {"namespace", try_namespace, KILLED, SAME},
    {"kill", try_kill, KILLED, SAME},
    {"executable memory", try_executable_memory, KILLED, REFUSED},
    {"memory made executable", try_mprotect, KILLED, SAME},
    {"setuid", try_setuid, KILLED, SAME},
    {"become dumpable", try_dumpable, EITHER, SAME},
    {"io_uring", try_io_uring, KILLED, SAME},
    {"bpf", try_bpf, KILLED, SAME},
    {"keyctl", try_keyctl, KILLED, SAME},
    {"accept", try_accept, KILLED, SAME},
    {"connect", try_connect, KILLED, EITHER},
    {"system calls of another ABI", try_old_abi, KILLED, SAME},
    {"socket option", try_option, EITHER, SAME},
    {"mknod", try_mknod, KILLED, SAME},
};

enum { SUCCEEDED = 10, WAS_REFUSED = 11, BROKEN = 12 };

static int in_sandbox(enum place place, bool (*attempt)(void)) {
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        struct fault f = {0};
        if (os_proc_harden(64, &f) != OK || enter(place, &f) != OK) {
            dprintf(2, "%s: %s\n", place_names[place], f.detail);
            _exit(BROKEN);
        }
        _exit(attempt() ? SUCCEEDED : WAS_REFUSED);
    }
    int status = 0;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return status;
}

static void test_forbidden(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof forbidden / sizeof *forbidden; i++)
        for (enum place place = 0; place < PLACE_COUNT; place++) {
            int status = in_sandbox(place, forbidden[i].attempt);
            bool killed = WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS;
            bool refused = WIFEXITED(status) && WEXITSTATUS(status) == WAS_REFUSED;
            bool succeeded = WIFEXITED(status) && WEXITSTATUS(status) == SUCCEEDED;
            enum fate fate = forbidden[i].fate;
            if (place == FETCH && forbidden[i].of_fetch != SAME)
                fate = forbidden[i].of_fetch;
            if (!(killed && (fate == KILLED || fate == EITHER)) &&
                !(refused && (fate == REFUSED || fate == EITHER)) && !(succeeded && fate == ALLOWED))
                fail_msg("%s in %s: status %#x", forbidden[i].name, place_names[place], status);
        }
}

static enum os_role tested;
static bool selftest(void) {
    struct fault f = {0};
    enum err e = os_sandbox_selftest(tested, &f);
    if (e != OK)
        dprintf(2, "%s\n", f.detail);
    return e == OK;
}

static void test_selftest_passes_inside(void **state) {
    (void)state;
    for (enum place place = 0; place < PLACE_COUNT; place++) {
        tested = place_roles[place];
        int status = in_sandbox(place, selftest);
        if (!WIFEXITED(status) || WEXITSTATUS(status) != SUCCEEDED)
            fail_msg("%s: status %#x", place_names[place], status);
    }
}

static void test_selftest_fails_outside(void **state) {
    (void)state;
    struct fault f = {0};
    assert_int_equal(os_sandbox_selftest(OS_ROLE_GATE, &f), ERR_DENIED);
    assert_non_null(strstr(f.detail, "opening a file"));
}

static int pair[2];
static struct os_shm ring;

// What a worker does all day.
static bool work(void) {
    char byte;
    size_t n;
    struct os_msg_fds fds;
    if (os_msg_recv(pair[1], &byte, 1, 1, &n, &fds, NULL) != OK || fds.n != 1)
        return false;
    struct os_shm s = OS_SHM_NONE;
    if (os_shm_adopt(os_msg_fds_take(&fds, 0), 65536, &s, NULL) != OK || s.p[0] != 42)
        return false;
    void *p = malloc(3 << 20);
    if (!p)
        return false;
    memset(p, 1, 3 << 20);
    free(p);
    os_shm_close(&s);
    return os_msg_send(pair[1], SLICE_LIT("x"), NULL, 0, NULL) == OK
        && os_fd_set_nonblock(pair[1], true, NULL) == OK;
}

static void test_work_is_possible(void **state) {
    (void)state;
    assert_int_equal(os_shm_create("ring", 65536, &ring, NULL), OK);
    ring.p[0] = 42;
    for (enum place place = 0; place < PLACE_COUNT; place++) {
        assert_int_equal(os_fd_pair_seqpacket(pair, NULL), OK);
        assert_int_equal(os_msg_send(pair[0], SLICE_LIT("r"), &ring.fd, 1, NULL), OK);
        int status = in_sandbox(place, work);
        if (!WIFEXITED(status) || WEXITSTATUS(status) != SUCCEEDED)
            fail_msg("%s: status %#x", place_names[place], status);
        close(pair[0]);
        close(pair[1]);
    }
    os_shm_close(&ring);
}

static bool bug_in_sandbox(void) {
    bug("on purpose");
}

static void test_bug_is_an_abort(void **state) {
    (void)state;
    for (enum place place = 0; place < PLACE_COUNT; place++) {
        int status = in_sandbox(place, bug_in_sandbox);
        assert_true(WIFSIGNALED(status));
        assert_int_equal(WTERMSIG(status), SIGABRT);
    }
}

static bool archive_channel(void) {
    int p[2];
    return socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, p) == 0;
}

static void test_archive_makes_channels(void **state) {
    (void)state;
    int status = in_sandbox(ARCHIVE, archive_channel);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), SUCCEEDED);
}

// To a port of ours: a server of names or of the web is reached the same way.
static struct sockaddr_in reachable = {.sin_family = AF_INET};

static bool fetch_work(void) {
    struct addrinfo *found = NULL, hints = {.ai_family = AF_INET, .ai_socktype = SOCK_STREAM};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), on = 1;
    bool good = setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on) == 0
        && connect(fd, (struct sockaddr *)&reachable, sizeof reachable) == 0
        && getaddrinfo("localhost", "443", &hints, &found) == 0;
    if (found)
        freeaddrinfo(found);
    return good;
}

static void test_fetch_reaches_others(void **state) {
    (void)state;
    socklen_t n = sizeof reachable;
    CLEANUP_FD int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    reachable.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    assert_int_equal(bind(fd, (struct sockaddr *)&reachable, n), 0);
    assert_int_equal(listen(fd, 1), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&reachable, &n), 0);
    int status = in_sandbox(FETCH, fetch_work);
    if (!WIFEXITED(status) || WEXITSTATUS(status) != SUCCEEDED)
        fail_msg("status %#x", status);
}

// A web worker maps its pages before it is confined: they come on top of what it may have.
static bool much_memory(void) {
    void *volatile p = malloc(600u << 20); // volatile: else a compiler may leave the allocation out
    return p != NULL;
}

static void test_web_memory(void **state) {
    (void)state;
#ifdef GALENA_SANITIZED
    skip();
#endif
    int status = in_sandbox(WEB_WORKER, much_memory);
    assert_int_equal(WEXITSTATUS(status), WAS_REFUSED);
    os_sandbox_allow_memory(256u << 20);
    status = in_sandbox(WEB_WORKER, much_memory);
    os_sandbox_allow_memory(0);
    assert_int_equal(WEXITSTATUS(status), SUCCEEDED);
}

static bool archive_work(void) {
    CLEANUP_FD int fd = openat(folder, "seg", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    return fd >= 0 && fallocate(fd, 0, 0, 4096) == 0 && pwrite(fd, "x", 1, 0) == 1 && fdatasync(fd) == 0
        && ftruncate(fd, 10) == 0 && renameat(folder, "seg", folder, "seg2") == 0
        && unlinkat(folder, "seg2", 0) == 0;
}

static void test_archive_has_its_folder(void **state) {
    (void)state;
    int status = in_sandbox(ARCHIVE, archive_work);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), SUCCEEDED);
}

static bool has_role_user(void) {
    return getuid() == os_role_uid(tested) && geteuid() == os_role_uid(tested);
}

static void test_root_is_left(void **state) {
    (void)state;
    if (geteuid() != 0)
        skip();
    for (enum place place = 0; place < PLACE_COUNT; place++) {
        tested = place_roles[place];
        int status = in_sandbox(place, has_role_user);
        assert_true(WIFEXITED(status));
        assert_int_equal(WEXITSTATUS(status), SUCCEEDED);
    }
}

int main(void) {
    char path[] = "/tmp/galena-test-XXXXXX";
    if (!mkdtemp(path))
        return 1;
    if (geteuid() == 0 && chown(path, OS_UID_ARCHIVE, OS_UID_ARCHIVE) < 0)
        return 1;
    folder = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_forbidden),
        cmocka_unit_test(test_selftest_passes_inside),
        cmocka_unit_test(test_selftest_fails_outside),
        cmocka_unit_test(test_work_is_possible),
        cmocka_unit_test(test_bug_is_an_abort),
        cmocka_unit_test(test_archive_has_its_folder),
        cmocka_unit_test(test_archive_makes_channels),
        cmocka_unit_test(test_fetch_reaches_others),
        cmocka_unit_test(test_web_memory),
        cmocka_unit_test(test_root_is_left),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    rmdir(path);
    return failed;
}
