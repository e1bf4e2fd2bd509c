#include "os/sandbox.h"

#include "os/fd.h"
#include "os/proc.h"
#include "os/sandbox_priv.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <netinet/in.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

static const struct {
    const char *name;
    uid_t uid;
    rlim_t memory_bytes; // address space; 0: not limited
} roles[OS_ROLE_COUNT_] = {
    [OS_ROLE_SUPERVISOR] = {"supervisor", 0, 0},
    [OS_ROLE_GATE] = {"gate", OS_UID_GATE, 256u << 20},
    [OS_ROLE_DIMSE] = {"dimse", OS_UID_DIMSE, 1024u << 20},
    [OS_ROLE_WEB] = {"web", OS_UID_WEB, 512u << 20},
    [OS_ROLE_AUTH] = {"auth", OS_UID_AUTH, 2048u << 20},
    [OS_ROLE_FETCH] = {"fetch", OS_UID_FETCH, 512u << 20},
    [OS_ROLE_ARCHIVE] = {"archive", OS_UID_ARCHIVE, 0},
};

static struct os_filter worker_filter; // compiled in the template for its workers
static size_t mapped_bytes;             // besides the limit

const char *os_role_name(enum os_role role) {
    return roles[role].name;
}

void os_sandbox_allow_memory(size_t bytes) {
    mapped_bytes = bytes;
}

uid_t os_role_uid(enum os_role role) {
    return roles[role].uid;
}

static enum err become_role_user(enum os_role role, struct fault *f) {
    uid_t uid = roles[role].uid;
    if (geteuid() != 0 || uid == 0)
        return OK;
    if (setgroups(0, NULL) < 0 || setresgid(uid, uid, uid) < 0 || setresuid(uid, uid, uid) < 0)
        return fault_set(f, ERR_CONFIG, "root without CAP_SETUID and CAP_SETGID may not become user %u; "
                         "start as an ordinary user instead", (unsigned)uid);
    if (setuid(0) == 0)
        return fault_set(f, ERR_CONFIG, "could become root again");
    // The change of user has undone both.
    if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0)
        return fault_errno(f, "prctl(PR_SET_DUMPABLE)");
    return os_proc_die_with_parent(f);
}

static enum err limit_memory(enum os_role role, struct fault *f) {
#ifdef GALENA_SANITIZED
    (void)role, (void)f; // the address sanitizer reserves terabytes
#else
    rlim_t most = roles[role].memory_bytes + mapped_bytes;
    struct rlimit memory = {most, most};
    if (roles[role].memory_bytes > 0 && setrlimit(RLIMIT_AS, &memory) < 0)
        return fault_errno(f, "RLIMIT_AS");
#endif
    return OK;
}

// All but the filter.
static enum err prepare(enum os_role role, int dir_fd, struct fault *f) {
    enum err e = become_role_user(role, f);
    if (e != OK)
        return e;
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
        return fault_errno(f, "prctl(PR_SET_NO_NEW_PRIVS)");
    e = role == OS_ROLE_FETCH ? os_landlock_enter_fetch(f) : os_landlock_enter(dir_fd, f);
    return e == OK ? limit_memory(role, f) : e;
}

static enum err enter(enum os_role role, enum os_stage stage, int dir_fd, struct fault *f) {
    struct os_filter filter;
    enum err e = os_filter_compile(role, stage, &filter, f);
    if (e != OK)
        return e;
    e = prepare(role, dir_fd, f);
    if (e == OK)
        e = os_filter_install(&filter, f);
    os_filter_fini(&filter);
    return e;
}

enum err os_sandbox_enter(enum os_role role, int dir_fd, struct fault *f) {
    bug_unless(role == OS_ROLE_AUTH || role == OS_ROLE_FETCH || role == OS_ROLE_ARCHIVE);
    return enter(role, OS_STAGE_ONLY, dir_fd, f);
}

enum err os_sandbox_enter_template(enum os_role role, struct fault *f) {
    bug_unless(role == OS_ROLE_GATE || role == OS_ROLE_DIMSE || role == OS_ROLE_WEB);
    os_filter_fini(&worker_filter);
    enum err e = os_filter_compile(role, OS_STAGE_WORKER, &worker_filter, f);
    return e == OK ? enter(role, OS_STAGE_TEMPLATE, -1, f) : e;
}

enum err os_sandbox_enter_worker(struct fault *f) {
    bug_unless(worker_filter.code != NULL);
    return os_filter_install(&worker_filter, f);
}

static enum err expect_refused(bool succeeded, const char *what, struct fault *f) {
    if (succeeded)
        return fault_set(f, ERR_DENIED, "self-test: %s was possible", what);
    if (errno != EACCES)
        return fault_errno(f, what); // it failed, but not because of the sandbox
    return OK;
}

static bool may_try_open(enum os_role role) {
    return (role != OS_ROLE_ARCHIVE && role != OS_ROLE_FETCH) || os_sandbox_landlock_abi() > 0;
}

static enum err try_open(enum os_role role, struct fault *f) {
    if (!may_try_open(role))
        return OK;
    // What fetch needs lies below /etc; the folder of processes does not.
    const char *path = role == OS_ROLE_FETCH ? "/proc/self/status" : "/etc/passwd";
    CLEANUP_FD int fd = open(path, O_RDONLY | O_CLOEXEC);
    return expect_refused(fd >= 0, "opening a file", f);
}

static enum err try_socket(struct fault *f) {
    CLEANUP_FD int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    return expect_refused(fd >= 0, "opening a socket", f);
}

// fetch has sockets; what it must not have is one that others can reach.
static enum err try_bind(struct fault *f) {
    CLEANUP_FD int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_in any = {.sin_family = AF_INET};
    if (fd < 0)
        return fault_errno(f, "opening a socket");
    return expect_refused(bind(fd, (const struct sockaddr *)&any, sizeof any) == 0, "binding a socket", f);
}

static enum err try_exec(struct fault *f) {
    static const char *const argv[] = {"true", NULL};
    union {
        const char *const *in;
        char *const *out;
    } args = {argv};
    execve("/bin/true", args.out, args.out + 1); // if it succeeds, we never say READY
    return expect_refused(false, "exec", f);
}

static enum err try_ptrace(struct fault *f) {
    return expect_refused(ptrace(PTRACE_TRACEME, 0, NULL, NULL) == 0, "ptrace", f);
}

enum err os_sandbox_selftest(enum os_role role, struct fault *f) {
    enum err e = try_open(role, f);
    if (e == OK)
        e = role == OS_ROLE_FETCH ? try_bind(f) : try_socket(f);
    if (e == OK)
        e = try_exec(f);
    return e == OK ? try_ptrace(f) : e;
}
