// The system calls each role may use, as tables, compiled with libseccomp.
#include "os/sandbox_priv.h"

#include "os/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/seccomp.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <seccomp.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#define S(call) SCMP_SYS(call)
enum { LIST_END = -9999 }; // no system call has this number (pseudo calls are small negatives)

// Every confined process: talk over descriptors it already has, memory that is never executable, time, end.
static const int common[] = {
    S(read), S(write), S(readv), S(writev), S(close), S(poll), S(ppoll),
    S(recvmsg), S(sendmsg), S(recvfrom), S(sendto), S(shutdown),
    S(munmap), S(mremap), S(madvise), S(brk), S(lseek),
    S(clock_gettime), S(clock_nanosleep), S(nanosleep), S(gettimeofday), S(time), S(getrandom),
    S(getpid), S(gettid), S(getuid), S(geteuid), S(futex), S(restart_syscall), S(sched_yield),
    S(rt_sigaction), S(rt_sigprocmask), S(rt_sigreturn), S(sigaltstack),
    S(exit), S(exit_group), LIST_END};

// A template also makes workers; os_template_serve is all the code that uses these.
static const int template_extra[] = {S(getppid), S(seccomp), LIST_END};

// Threads, as libargon2 and a flusher thread need them.
static const int thread_extra[] = {S(set_robust_list), S(rseq), S(sched_getaffinity), S(membarrier),
                                   LIST_END};

// The archive works on the files of its folder (Landlock and its own user hold it there).
static const int archive_extra[] = {
    S(openat), S(open), S(pread64), S(pwrite64), S(preadv), S(pwritev), S(pwritev2),
    S(fsync), S(fdatasync), S(sync_file_range), S(fallocate), S(ftruncate), S(fadvise64),
    S(fstat), S(newfstatat), S(stat), S(lstat), S(statx), S(statfs), S(fstatfs),
    S(access), S(faccessat), S(faccessat2), S(getdents64), S(readlink), S(readlinkat),
    S(unlink), S(unlinkat), S(rename), S(renameat), S(renameat2), S(mkdir), S(mkdirat), S(rmdir),
    S(fchmod), S(chmod), S(fchmodat), S(fchown), S(umask), S(flock), S(getcwd), S(uname), S(sysinfo),
    S(epoll_create1), S(epoll_ctl), S(epoll_wait), S(epoll_pwait), S(eventfd2),
    S(timerfd_create), S(timerfd_settime), S(signalfd4), S(memfd_create), S(msync), S(mlock),
    S(munlock), S(pipe2), S(getrusage), S(copy_file_range), S(sendfile), S(fcntl), S(dup),
    S(getsockopt), LIST_END};

// fetch asks name servers and web servers: reads the system's settings, connects, waits.
static const int fetch_extra[] = {
    S(pread64), S(fstat), S(newfstatat), S(stat), S(lstat), S(statx), S(access),
    S(faccessat), S(faccessat2), S(readlink), S(readlinkat), S(getdents64), S(uname), S(sysinfo),
    S(connect), S(getsockname), S(getpeername), S(getsockopt), S(setsockopt), S(sendmmsg), S(recvmmsg),
    S(eventfd2), S(pipe2), S(epoll_create1), S(epoll_ctl), S(epoll_wait), S(epoll_pwait), LIST_END};

// Of these it may do a part, by their arguments: allow_network, allow_reading.
static const int fetch_sorted[] = {S(openat), S(open), S(socket), S(socketpair), LIST_END};

// Looked for, then reported or done without: refused instead of killing.
static const int refused[] = {
    S(open), S(openat), S(openat2), S(creat), S(socket), S(socketpair), S(execve), S(execveat),
    S(ptrace), S(stat), S(lstat), S(newfstatat), S(statx), S(access), S(faccessat), S(faccessat2),
    S(readlink), S(readlinkat), S(uname), S(sysinfo), S(sched_getaffinity), S(prctl), S(ioctl),
    S(getsockopt), S(prlimit64), LIST_END};

#ifdef GALENA_SANITIZED
static const int sanitizer_extra[] = {
    S(pipe), S(pipe2), S(mincore), S(msync), S(getrlimit), S(getppid), S(set_robust_list), S(rseq),
    S(fstat), S(dup), LIST_END};
#endif

struct build {
    scmp_filter_ctx ctx;
    int failed; // the first negative errno
};

static void note(struct build *b, int result) {
    if (result < 0 && b->failed == 0)
        b->failed = result;
}

static void allow(struct build *b, const int *list) {
    for (; *list != LIST_END; list++)
        note(b, seccomp_rule_add(b->ctx, SCMP_ACT_ALLOW, *list, 0));
}

static bool listed(const int *list, int call) {
    for (; *list != LIST_END; list++)
        if (*list == call)
            return true;
    return false;
}

static bool has_threads(enum os_role role) {
    return role == OS_ROLE_ARCHIVE || role == OS_ROLE_AUTH || role == OS_ROLE_FETCH;
}

// In libseccomp a rule without conditions replaces those before it: what the role has must be left out.
static void refuse(struct build *b, enum os_role role, enum os_stage stage) {
    for (const int *call = refused; *call != LIST_END; call++) {
        if (role == OS_ROLE_ARCHIVE && (listed(archive_extra, *call) || *call == SCMP_SYS(socketpair)))
            continue;
        if (role == OS_ROLE_FETCH
            && (listed(fetch_extra, *call) || listed(fetch_sorted, *call)))
            continue;
        if (has_threads(role) && listed(thread_extra, *call))
            continue;
        if (stage == OS_STAGE_TEMPLATE && *call == SCMP_SYS(prctl))
            continue;
        note(b, seccomp_rule_add(b->ctx, SCMP_ACT_ERRNO(EACCES), *call, 0));
    }
}

static void allow_if(struct build *b, int call, unsigned arg, enum scmp_compare op, uint64_t a, uint64_t c) {
    struct scmp_arg_cmp condition = {.arg = arg, .op = op, .datum_a = a, .datum_b = c};
    note(b, seccomp_rule_add_array(b->ctx, SCMP_ACT_ALLOW, call, 1, &condition));
}

static void allow_arg(struct build *b, int call, unsigned arg, uint64_t value) {
    allow_if(b, call, arg, SCMP_CMP_EQ, value, 0);
}

// Memory may never become executable: no PROT_EXEC in mmap and mprotect.
static void allow_plain_memory(struct build *b) {
    allow_if(b, SCMP_SYS(mmap), 2, SCMP_CMP_MASKED_EQ, PROT_EXEC, 0);
    allow_if(b, SCMP_SYS(mprotect), 2, SCMP_CMP_MASKED_EQ, PROT_EXEC, 0);
}

static void allow_flag_fcntl(struct build *b) {
    const int commands[] = {F_GETFL, F_SETFL, F_GETFD, F_SETFD, F_GET_SEALS};
    for (unsigned i = 0; i < sizeof commands / sizeof *commands; i++)
        allow_arg(b, SCMP_SYS(fcntl), 1, (uint64_t)commands[i]);
}

// abort() sends the signal to itself; a signal to any other process is none of its business.
// A worker's number is not known beforehand, so there the signal is what is checked.
static void allow_abort(struct build *b) {
    allow_arg(b, SCMP_SYS(tgkill), 2, SIGABRT);
}

static void allow_template_calls(struct build *b) {
    allow(b, template_extra);
    allow_arg(b, SCMP_SYS(clone), 0, CLONE_PARENT | SIGCHLD);
    allow_arg(b, SCMP_SYS(prctl), 0, PR_SET_PDEATHSIG);
}

static void allow_threads(struct build *b) {
    allow(b, thread_extra);
    allow_if(b, SCMP_SYS(clone), 0, SCMP_CMP_MASKED_EQ, CLONE_THREAD, CLONE_THREAD);
    // Its flags lie in memory where no filter sees them: the C library falls back to clone.
    note(b, seccomp_rule_add(b->ctx, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(clone3), 0));
}

// Two conditions: TCP, and the one option that os_tcp_ack_now sets. Anything else is refused.
static void allow_ack_now(struct build *b) {
    int call = SCMP_SYS(setsockopt);
    note(b, seccomp_rule_add(b->ctx, SCMP_ACT_ALLOW, call, 2, SCMP_A1(SCMP_CMP_EQ, IPPROTO_TCP, 0),
                             SCMP_A2(SCMP_CMP_EQ, TCP_QUICKACK, 0)));
}

// The archive makes channels for a web worker that serves several requests at once. Other kinds: deadly.
static void allow_channel_pair(struct build *b) {
    uint64_t kind = ~(uint64_t)(SOCK_CLOEXEC | SOCK_NONBLOCK);
    note(b, seccomp_rule_add(b->ctx, SCMP_ACT_ALLOW, SCMP_SYS(socketpair), 2,
                             SCMP_A0(SCMP_CMP_EQ, AF_UNIX, 0),
                             SCMP_A1(SCMP_CMP_MASKED_EQ, kind, SOCK_SEQPACKET)));
}

static void refuse_if(struct build *b, int call, unsigned arg, enum scmp_compare op, uint64_t a, uint64_t c) {
    struct scmp_arg_cmp condition = {.arg = arg, .op = op, .datum_a = a, .datum_b = c};
    note(b, seccomp_rule_add_array(b->ctx, SCMP_ACT_ERRNO(EACCES), call, 1, &condition));
}

// To the internet, not to the sockets of this machine's other programs. The C library also tries kinds of
// which it can do without (netlink, a name cache), and modules for names that it would have to load.
static void allow_network(struct build *b) {
    allow(b, fetch_extra);
    allow_arg(b, SCMP_SYS(socket), 0, AF_INET);
    allow_arg(b, SCMP_SYS(socket), 0, AF_INET6);
    refuse_if(b, SCMP_SYS(socket), 0, SCMP_CMP_LE, AF_UNIX, 0);
    refuse_if(b, SCMP_SYS(socket), 0, SCMP_CMP_GT, AF_INET6, 0);
    allow_arg(b, SCMP_SYS(socketpair), 0, AF_UNIX); // how libcurl wakes itself
    note(b, seccomp_rule_add(b->ctx, SCMP_ACT_ERRNO(EACCES), SCMP_SYS(bind), 0));
    refuse_if(b, SCMP_SYS(mmap), 2, SCMP_CMP_MASKED_EQ, PROT_EXEC, PROT_EXEC);
}

// Where Landlock is missing, files can be read, but none made or changed.
static void allow_reading(struct build *b) {
    static const struct {
        int call;
        unsigned flags_arg;
    } opens[] = {{SCMP_SYS(openat), 2}, {SCMP_SYS(open), 1}};
    static const uint64_t changing[] = {O_WRONLY, O_RDWR, O_CREAT, O_TRUNC};
    for (unsigned i = 0; i < sizeof opens / sizeof *opens; i++) {
        uint64_t all = 0;
        for (unsigned k = 0; k < sizeof changing / sizeof *changing; k++) {
            refuse_if(b, opens[i].call, opens[i].flags_arg, SCMP_CMP_MASKED_EQ, changing[k], changing[k]);
            all |= changing[k];
        }
        allow_if(b, opens[i].call, opens[i].flags_arg, SCMP_CMP_MASKED_EQ, all, 0);
    }
}

static void add_rules(struct build *b, enum os_role role, enum os_stage stage) {
    allow(b, common);
    allow_plain_memory(b);
    allow_abort(b);
    if (role == OS_ROLE_ARCHIVE) {
        allow(b, archive_extra);
        allow_channel_pair(b);
    } else {
        allow_flag_fcntl(b);
    }
    if (role == OS_ROLE_FETCH) {
        allow_network(b);
        allow_reading(b);
    }
    if (role == OS_ROLE_GATE || role == OS_ROLE_DIMSE)
        allow_ack_now(b);
    if (has_threads(role))
        allow_threads(b);
    if (stage == OS_STAGE_TEMPLATE)
        allow_template_calls(b);
#ifdef GALENA_SANITIZED
    allow(b, sanitizer_extra);
#endif
    refuse(b, role, stage);
}

static enum err export_code(scmp_filter_ctx ctx, struct os_filter *ret_filter, struct fault *f) {
    CLEANUP_FD int fd = memfd_create("filter", MFD_CLOEXEC);
    if (fd < 0)
        return fault_errno(f, "memfd_create");
    int failed = seccomp_export_bpf(ctx, fd);
    off_t size = lseek(fd, 0, SEEK_END);
    if (failed < 0 || size <= 0 || size % (off_t)sizeof(struct sock_filter) != 0)
        return fault_set(f, ERR_CONFIG, "compiling the seccomp filter: %s", strerror(-failed));
    CLEANUP_FREE void *code = malloc((size_t)size);
    if (!code)
        return fault_set(f, ERR_NO_MEMORY, "seccomp filter");
    if (lseek(fd, 0, SEEK_SET) < 0)
        return fault_errno(f, "lseek");
    enum err e = os_fd_read_full(fd, code, (size_t)size, f);
    if (e != OK)
        return e;
    *ret_filter = (struct os_filter){TAKE(code), (unsigned short)(size / (off_t)sizeof(struct sock_filter))};
    return OK;
}

static enum err compile(enum os_role role, enum os_stage stage, struct os_filter *ret_filter,
                        struct fault *f) {
    struct build b = {.ctx = seccomp_init(SCMP_ACT_KILL_PROCESS)};
    if (!b.ctx)
        return fault_set(f, ERR_NO_MEMORY, "seccomp filter");
    note(&b, seccomp_attr_set(b.ctx, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS));
    note(&b, seccomp_attr_set(b.ctx, SCMP_FLTATR_CTL_OPTIMIZE, 2)); // a binary tree instead of a list
    add_rules(&b, role, stage);
    enum err e = b.failed ? fault_set(f, ERR_CONFIG, "seccomp rules: %s", strerror(-b.failed))
                          : export_code(b.ctx, ret_filter, f);
    seccomp_release(b.ctx);
    return e;
}

// libseccomp says nothing of a rule that it has left out for want of memory, and who needs that call is
// killed later. So the same must come out twice.
enum err os_filter_compile(enum os_role role, enum os_stage stage, struct os_filter *ret_filter,
                           struct fault *f) {
    struct os_filter first, second = {NULL, 0};
    enum err e = compile(role, stage, &first, f);
    if (e != OK)
        return e;
    e = compile(role, stage, &second, f);
    size_t bytes = first.n * sizeof *first.code;
    if (e == OK && (first.n != second.n || memcmp(first.code, second.code, bytes) != 0))
        e = fault_set(f, ERR_NO_MEMORY, "seccomp filter");
    os_filter_fini(&second);
    if (e == OK)
        *ret_filter = first;
    else
        os_filter_fini(&first);
    return e;
}

enum err os_filter_install(const struct os_filter *filter, struct fault *f) {
    struct sock_fprog program = {.len = filter->n, .filter = filter->code};
    if (syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program) < 0)
        return fault_errno(f, "installing the seccomp filter");
    return OK;
}

void os_filter_fini(struct os_filter *filter) {
    free(filter->code);
    *filter = (struct os_filter){NULL, 0};
}
