// Processes: starting a program with exactly the descriptors it is given, forking a sibling,
// and what every Galena process does to itself first.
#ifndef OS_PROC_H
#define OS_PROC_H

#include "base/err.h"
#include "base/slice.h"

#include <sys/types.h>

enum {
    OS_PROC_FDS_MAX = 8,
    OS_PROC_FD_FIRST = 3, // the first given descriptor's number in the new program
};

struct os_proc_spec {
    const char *path;          // absolute, or found beside this program: os_proc_sibling_path()
    const char *const *argv;   // NULL-terminated
    const char *const *env;    // NULL-terminated "NAME=value"; NULL: an empty environment
    int fd[OS_PROC_FDS_MAX];   // fd[i] becomes number 3 + i; they stay the caller's
    unsigned fd_count;
    int stderr_fd;             // becomes standard error; 0: ours is kept
    bool own_session;          // setsid: a Ctrl-C at the terminal reaches the supervisor alone
};

// fork and exec. Standard input and output become /dev/null; every descriptor not given is
// closed, signal handlers and masks are reset, the child dies with its parent.
enum err os_proc_spawn(const struct os_proc_spec *spec, pid_t *ret_pid, struct fault *f);

// "/usr/libexec/galena/galena-gate": name in the folder of the running program.
enum err os_proc_sibling_path(const char *name, char *dst, size_t cap, struct fault *f);

// Forks a child whose parent is our parent (clone with CLONE_PARENT): 0 in the child, its id in
// the caller, -1 with errno. For programs without threads; no atfork handler runs.
pid_t os_proc_fork_sibling(void);

// What each program does first: no core dump, PR_SET_DUMPABLE 0 (no ptrace, no /proc/PID/mem for
// processes of the same user), umask 077, SIGPIPE ignored.
// fd_max: the highest number of descriptors it may hold.
enum err os_proc_harden(unsigned fd_max, struct fault *f);

// Dies with the parent. os_proc_spawn asks for it; to be repeated after fork and after a change of user.
enum err os_proc_die_with_parent(struct fault *f);

#endif
