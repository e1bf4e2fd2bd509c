#include "hook.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <unistd.h>

struct hook_block *hook_block;
enum hook_role hook_role = HOOK_ROLES;
static uintptr_t program_at;
extern const char __executable_start; // of the linker's own making

static void *next_of(const char *name) {
    return dlsym(RTLD_NEXT, name);
}

// --- Being told ---------------------------------------------------------------------------------

static void *map_file(const char *folder, const char *name, size_t *ret_bytes) {
    char path[4200];
    struct stat st;
    snprintf(path, sizeof path, "%s/%s", folder, name);
    long fd = syscall(SYS_openat, AT_FDCWD, path, O_RDWR | O_CLOEXEC, 0);
    if (fd < 0)
        return NULL;
    void *p = NULL;
    if (fstat((int)fd, &st) == 0 && st.st_size > 0) {
        *ret_bytes = (size_t)st.st_size;
        p = (void *)syscall(SYS_mmap, NULL, *ret_bytes, PROT_READ | PROT_WRITE, MAP_SHARED, (int)fd, 0L);
    }
    syscall(SYS_close, (int)fd);
    return p == MAP_FAILED ? NULL : p;
}

// The program's first mapping: where its addresses begin.
static uintptr_t begin_of_program(void) {
    char line[64] = "";
    long fd = syscall(SYS_openat, AT_FDCWD, "/proc/self/maps", O_RDONLY | O_CLOEXEC, 0);
    if (fd >= 0) {
        (void)syscall(SYS_read, (int)fd, line, sizeof line - 1);
        syscall(SYS_close, (int)fd);
    }
    return strtoul(line, NULL, 16);
}

__attribute__((constructor)) static void begin(void) {
    static const char *const names[] = {"supervisor", "archive", "auth", "gate", "dimse", "web"};
    char self[4096];
    ssize_t n = readlink("/proc/self/exe", self, sizeof self - 1);
    if (n <= 0)
        return;
    self[n] = '\0';
    char *slash = strrchr(self, '/');
    *slash = '\0';
    enum hook_role role = 0;
    while (role < HOOK_ROLES && strcmp(slash + 1 + strlen("galena-"), names[role]) != 0)
        role++;
    size_t bytes = 0;
    program_at = begin_of_program();
    struct hook_block *b = map_file(self, "hook.ctl", &bytes);
    if (role == HOOK_ROLES || !b || bytes < sizeof *b)
        return;
    hook_role = role;
    if (role == HOOK_ARCHIVE) {
        void *log = map_file(self, "hook.log", &bytes);
        if (log)
            hook_record_open(log, bytes);
    }
    hook_block = b;
}

// Only a disk gives errors; what processes pass to each other, and memory files, can at most be interrupted.
static int fits(int due, int fd) {
    struct stat st;
    bool ours = due == EINTR || (syscall(SYS_fstat, fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_nlink > 0);
    if (!ours)
        hook_block->fired--;
    return ours ? due : 0;
}

int hook_due(enum hook_kind kind, const void *from) {
    struct hook_block *b = hook_block;
    if (!b)
        return 0;
    uint32_t n = ++b->counts[hook_role][kind];
    if (kind == HOOK_SYNC && hook_role == HOOK_ARCHIVE && b->sync_us > 0)
        usleep(b->sync_us);
    if (!b->armed || b->role != hook_role || b->kind != kind || n < b->nth || (n > b->nth && !b->forever))
        return 0;
    if (b->fired++ == 0) {
        b->fired_at = (uintptr_t)from - program_at;
        b->fired_pid = (uint32_t)syscall(SYS_getpid);
    }
    return b->error;
}

// --- The calls ----------------------------------------------------------------------------------

#define FROM __builtin_return_address(0)
#define EXPORT __attribute__((visibility("default")))

// A call that either passes or fails as a whole.
#define PLAIN(kind, type, bad, name, parameters, arguments)                                                  \
    EXPORT type name parameters;                                                                             \
    EXPORT type name parameters {                                                                            \
        static type(*real) parameters;                                                                       \
        if (!real)                                                                                           \
            real = (type(*) parameters)next_of(#name);                                                       \
        int due = hook_due(kind, FROM);                                                                      \
        if (due) {                                                                                           \
            errno = due > 0 ? due : EIO;                                                                     \
            return bad;                                                                                      \
        }                                                                                                    \
        return real arguments;                                                                               \
    }

// Bytes: n of them, or half. What was written is recorded.
#define BYTES(kind, name, parameters, full, half)                                                            \
    EXPORT ssize_t name parameters;                                                                          \
    EXPORT ssize_t name parameters {                                                                         \
        static ssize_t(*real) parameters;                                                                    \
        if (!real)                                                                                           \
            real = (ssize_t(*) parameters)next_of(#name);                                                    \
        int due = hook_due(kind, FROM);                                                                      \
        if (due && (kind == HOOK_READ || kind == HOOK_WRITE))                                                \
            due = fits(due, fd);                                                                             \
        if (due > 0) {                                                                                       \
            errno = due;                                                                                     \
            return -1;                                                                                       \
        }                                                                                                    \
        return due == HOOK_HALF && n > 1 ? half : full;                                                      \
    }

static ssize_t wrote(int fd, uint64_t at, ssize_t n, const void *p) {
    if (n > 0)
        hook_record(HOOK_WROTE, fd, at, (uint64_t)n, p);
    return n;
}

BYTES(HOOK_READ, read, (int fd, void *p, size_t n), real(fd, p, n), real(fd, p, n / 2))
BYTES(HOOK_READ, __read_chk, (int fd, void *p, size_t n, size_t max), real(fd, p, n, max),
      real(fd, p, n / 2, max))
BYTES(HOOK_READ, pread64, (int fd, void *p, size_t n, off_t at), real(fd, p, n, at), real(fd, p, n / 2, at))
BYTES(HOOK_READ, pread, (int fd, void *p, size_t n, off_t at), real(fd, p, n, at), real(fd, p, n / 2, at))
BYTES(HOOK_READ, __pread64_chk, (int fd, void *p, size_t n, off_t at, size_t max), real(fd, p, n, at, max),
      real(fd, p, n / 2, at, max))
BYTES(HOOK_WRITE, pwrite64, (int fd, const void *p, size_t n, off_t at),
      wrote(fd, (uint64_t)at, real(fd, p, n, at), p), wrote(fd, (uint64_t)at, real(fd, p, n / 2, at), p))
BYTES(HOOK_WRITE, pwrite, (int fd, const void *p, size_t n, off_t at),
      wrote(fd, (uint64_t)at, real(fd, p, n, at), p), wrote(fd, (uint64_t)at, real(fd, p, n / 2, at), p))
BYTES(HOOK_SEND, send, (int fd, const void *p, size_t n, int flags), real(fd, p, n, flags),
      real(fd, p, n / 2, flags))
BYTES(HOOK_RECV, recv, (int fd, void *p, size_t n, int flags), real(fd, p, n, flags),
      real(fd, p, n / 2, flags))
BYTES(HOOK_RECV, __recv_chk, (int fd, void *p, size_t n, size_t max, int flags), real(fd, p, n, max, flags),
      real(fd, p, n / 2, max, flags))

EXPORT ssize_t write(int fd, const void *p, size_t n);
EXPORT ssize_t write(int fd, const void *p, size_t n) {
    static ssize_t (*real)(int, const void *, size_t);
    if (!real)
        real = (ssize_t(*)(int, const void *, size_t))next_of("write");
    int due = hook_due(HOOK_WRITE, FROM);
    if (due)
        due = fits(due, fd);
    if (due > 0) {
        errno = due;
        return -1;
    }
    uint64_t at = hook_role == HOOK_ARCHIVE ? (uint64_t)syscall(SYS_lseek, fd, 0L, SEEK_CUR) : 0;
    return wrote(fd, at, real(fd, p, due == HOOK_HALF && n > 1 ? n / 2 : n), p);
}

EXPORT int close(int fd);
EXPORT int close(int fd) {
    static int (*real)(int);
    if (!real)
        real = (int (*)(int))next_of("close");
    hook_record_close(fd);
    return real(fd);
}

PLAIN(HOOK_SEND, ssize_t, -1, sendmsg, (int fd, const struct msghdr *m, int flags), (fd, m, flags))
PLAIN(HOOK_SEND, ssize_t, -1, sendto,
      (int fd, const void *p, size_t n, int flags, const struct sockaddr *to, socklen_t to_n),
      (fd, p, n, flags, to, to_n))
PLAIN(HOOK_RECV, ssize_t, -1, recvmsg, (int fd, struct msghdr *m, int flags), (fd, m, flags))

PLAIN(HOOK_FD, int, -1, socketpair, (int domain, int type, int protocol, int pair[2]),
      (domain, type, protocol, pair))
PLAIN(HOOK_FD, int, -1, socket, (int domain, int type, int protocol), (domain, type, protocol))
PLAIN(HOOK_FD, int, -1, accept4, (int fd, struct sockaddr *a, socklen_t *n, int flags), (fd, a, n, flags))
PLAIN(HOOK_FD, int, -1, memfd_create, (const char *name, unsigned flags), (name, flags))
PLAIN(HOOK_FD, int, -1, pipe2, (int pair[2], int flags), (pair, flags))
PLAIN(HOOK_FD, int, -1, eventfd, (unsigned n, int flags), (n, flags))
PLAIN(HOOK_FD, int, -1, epoll_create1, (int flags), (flags))
PLAIN(HOOK_FD, int, -1, dup2, (int from, int to), (from, to))
PLAIN(HOOK_FD, int, -1, dup, (int from), (from))

PLAIN(HOOK_PROCESS, pid_t, -1, fork, (void), ())
PLAIN(HOOK_PROCESS, int, due > 0 ? due : EAGAIN, pthread_create,
      (pthread_t *t, const pthread_attr_t *a, void *(*run)(void *), void *arg), (t, a, run, arg))

PLAIN(HOOK_WAIT, int, -1, poll, (struct pollfd *p, nfds_t n, int ms), (p, n, ms))
PLAIN(HOOK_WAIT, int, -1, __poll_chk, (struct pollfd *p, nfds_t n, int ms, size_t max), (p, n, ms, max))
PLAIN(HOOK_WAIT, int, -1, epoll_wait, (int ep, struct epoll_event *e, int n, int ms), (ep, e, n, ms))

PLAIN(HOOK_MAP, void *, MAP_FAILED, mmap64, (void *at, size_t n, int prot, int flags, int fd, off_t from),
      (at, n, prot, flags, fd, from))
PLAIN(HOOK_MAP, void *, MAP_FAILED, mmap, (void *at, size_t n, int prot, int flags, int fd, off_t from),
      (at, n, prot, flags, fd, from))

PLAIN(HOOK_FILE, int, -1, fstat64, (int fd, struct stat64 *st), (fd, st))
PLAIN(HOOK_FILE, int, -1, stat64, (const char *name, struct stat64 *st), (name, st))
PLAIN(HOOK_FILE, int, -1, lstat64, (const char *name, struct stat64 *st), (name, st))
PLAIN(HOOK_FILE, int, -1, fstatvfs64, (int fd, struct statvfs64 *st), (fd, st))

// Those that change the disk: recorded when they have.
#define RECORDED(kind, name, parameters, arguments, note)                                                    \
    EXPORT int name parameters;                                                                              \
    EXPORT int name parameters {                                                                             \
        static int(*real) parameters;                                                                        \
        if (!real)                                                                                           \
            real = (int(*) parameters)next_of(#name);                                                        \
        int due = hook_due(kind, FROM);                                                                      \
        if (due) {                                                                                           \
            errno = due > 0 ? due : EIO;                                                                     \
            return -1;                                                                                       \
        }                                                                                                    \
        int result = real arguments;                                                                         \
        if (result == 0)                                                                                     \
            note;                                                                                            \
        return result;                                                                                       \
    }

static int truncated(int fd, off_t n) {
    hook_record(HOOK_LENGTH, fd, (uint64_t)n, 0, NULL);
    return 0;
}

static int allocated(int fd, int mode, off_t at, off_t n) {
    hook_record(mode ? HOOK_PUNCHED : HOOK_LENGTH, fd, (uint64_t)(mode ? at : at + n), (uint64_t)n, NULL);
    return 0;
}

RECORDED(HOOK_SYNC, fsync, (int fd), (fd), hook_record(HOOK_SYNCED, fd, 0, 0, NULL))
RECORDED(HOOK_SYNC, fdatasync, (int fd), (fd), hook_record(HOOK_SYNCED, fd, 0, 0, NULL))
RECORDED(HOOK_FILE, ftruncate64, (int fd, off_t n), (fd, n), truncated(fd, n))
RECORDED(HOOK_FILE, ftruncate, (int fd, off_t n), (fd, n), truncated(fd, n))
RECORDED(HOOK_FILE, fallocate64, (int fd, int mode, off_t at, off_t n), (fd, mode, at, n),
         allocated(fd, mode, at, n))
RECORDED(HOOK_FILE, fallocate, (int fd, int mode, off_t at, off_t n), (fd, mode, at, n),
         allocated(fd, mode, at, n))
RECORDED(HOOK_FILE, renameat, (int dir, const char *from, int to_dir, const char *to),
         (dir, from, to_dir, to), hook_record_name(HOOK_RENAMED, dir, from, to_dir, to))
RECORDED(HOOK_FILE, unlinkat, (int dir, const char *name, int flags), (dir, name, flags),
         hook_record_name(HOOK_UNLINKED, dir, name, -1, NULL))
RECORDED(HOOK_FILE, unlink, (const char *name), (name), hook_record_name(HOOK_UNLINKED, -1, name, -1, NULL))
RECORDED(HOOK_FILE, mkdir, (const char *name, mode_t mode), (name, mode),
         hook_record_name(HOOK_MADE_DIR, -1, name, -1, NULL))

// Those with optional arguments.
#define OPENS(name, dir, file, parameters, arguments)                                                        \
    EXPORT int name parameters;                                                                              \
    EXPORT int name parameters {                                                                             \
        static int (*real)(int, const char *, int, mode_t);                                                  \
        va_list ap;                                                                                          \
        va_start(ap, flags);                                                                                 \
        mode_t mode = flags & (O_CREAT | O_TMPFILE) ? va_arg(ap, mode_t) : 0;                                \
        va_end(ap);                                                                                          \
        if (!real)                                                                                           \
            real = (int (*)(int, const char *, int, mode_t))next_of("openat64");                             \
        int due = hook_due(HOOK_FD, FROM);                                                                   \
        if (due) {                                                                                           \
            errno = due > 0 ? due : EMFILE;                                                                  \
            return -1;                                                                                       \
        }                                                                                                    \
        int fd = real(dir, file, flags, mode);                                                               \
        hook_record_fd(dir, file, fd, flags &O_CREAT);                                                       \
        return fd;                                                                                           \
    }

OPENS(open, AT_FDCWD, file, (const char *file, int flags, ...), )
OPENS(open64, AT_FDCWD, file, (const char *file, int flags, ...), )
OPENS(openat, dir, file, (int dir, const char *file, int flags, ...), )
OPENS(openat64, dir, file, (int dir, const char *file, int flags, ...), )

EXPORT int epoll_ctl(int ep, int op, int fd, struct epoll_event *e) {
    static int (*real)(int, int, int, struct epoll_event *);
    if (!real)
        real = (int (*)(int, int, int, struct epoll_event *))next_of("epoll_ctl");
    int due = op == EPOLL_CTL_ADD ? hook_due(HOOK_FD, FROM) : 0; // taking out needs nothing
    if (due) {
        errno = due > 0 ? due : ENOMEM;
        return -1;
    }
    return real(ep, op, fd, e);
}

EXPORT int fcntl64(int fd, int command, ...);
EXPORT int fcntl64(int fd, int command, ...) {
    static int (*real)(int, int, ...);
    va_list ap;
    va_start(ap, command);
    void *arg = va_arg(ap, void *);
    va_end(ap);
    if (!real)
        real = (int (*)(int, int, ...))next_of("fcntl64");
    bool copies = command == F_DUPFD || command == F_DUPFD_CLOEXEC;
    int due = copies ? hook_due(HOOK_FD, FROM) : 0;
    if (due) {
        errno = due > 0 ? due : EMFILE;
        return -1;
    }
    int result = real(fd, command, arg);
    if (copies && result >= 0)
        hook_record_dup(fd, result);
    return result;
}

// clone for a sibling, which the C library has no function for.
EXPORT long syscall(long number, ...) {
    static long (*real)(long, long, long, long, long, long, long);
    va_list ap;
    long a[6];
    va_start(ap, number);
    for (int i = 0; i < 6; i++)
        a[i] = va_arg(ap, long);
    va_end(ap);
    if (!real)
        real = (long (*)(long, long, long, long, long, long, long))next_of("syscall");
    int due = number == SYS_clone ? hook_due(HOOK_PROCESS, FROM) : 0;
    if (due) {
        errno = due > 0 ? due : EAGAIN;
        return -1;
    }
    return real(number, a[0], a[1], a[2], a[3], a[4], a[5]);
}
