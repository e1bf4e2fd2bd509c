// Confinement of a role, before it reads the first byte from outside.
//
// When root: groups cleared, group and user set to the role's own number. Then no_new_privs,
// Landlock (where the kernel has it), rlimits, and a seccomp filter that lists what the role may
// do. Outside the list: the process is killed; only asking after files, open, socket, exec and
// ptrace answer EACCES, so that the self-test and the C library can try them.
//
// Two stages for roles that are forked from a template: the template's filter also allows
// clone, waiting for orders and putting on a second filter; the worker's (compiled beforehand in
// the template) takes these away. Other roles (auth, archive) have one stage.
//
// With the address sanitizer (GALENA_SANITIZED) the filters also allow what its run-time needs.
#ifndef OS_SANDBOX_H
#define OS_SANDBOX_H

#include "base/err.h"
#include "base/slice.h"

#include <sys/types.h>

enum os_role {
    OS_ROLE_SUPERVISOR,
    OS_ROLE_GATE,
    OS_ROLE_DIMSE,
    OS_ROLE_WEB,
    OS_ROLE_AUTH,
    OS_ROLE_FETCH,
    OS_ROLE_ARCHIVE,
    OS_ROLE_COUNT_,
};

// Numeric users, one a role, group = user; no account needed. 60706 to 61183 is assigned to nobody
// by systemd's "Users, Groups, UIDs and GIDs", and lies outside what distributions hand out.
enum {
    OS_UID_ARCHIVE = 61100,
    OS_UID_GATE = 61101,
    OS_UID_DIMSE = 61102,
    OS_UID_AUTH = 61103,
    OS_UID_DIALER = 61104, // the short-lived child that resolves names and connects
    OS_UID_WEB = 61105,
    OS_UID_FETCH = 61106,
};

const char *os_role_name(enum os_role role); // "gate"
uid_t os_role_uid(enum os_role role);        // 0 for the supervisor

// auth, fetch and archive: enters the role's sandbox. dir_fd: the only folder the archive may still open
// files in (with Landlock); -1 for the others. Descriptors already open stay usable.
//
// fetch is the one role that speaks to the outside of its own accord: it may open TCP and UDP sockets and
// connect them, and read what name resolution and the trusted certificates need below /etc, /usr and /lib
// (with Landlock; as root, its own user besides). It may not bind, listen or accept.
enum err os_sandbox_enter(enum os_role role, int dir_fd, struct fault *f);

// For the next os_sandbox_enter…(): what has been mapped already and does not count against the role's limit
// of memory, such as files that all workers share.
void os_sandbox_allow_memory(size_t bytes);

// gate, dimse and web: the template enters the first stage and compiles the second …
enum err os_sandbox_enter_template(enum os_role role, struct fault *f);
// … and each child puts the second on (os_template_serve does it).
enum err os_sandbox_enter_worker(struct fault *f);

// Tries to open a file, a socket, to exec and to ptrace; ERR_DENIED with what succeeded unless all
// four were refused. The archive may open files of its own folder, so it tries one elsewhere (only where
// Landlock or a user of its own is there to refuse it). fetch may have sockets, but none that takes
// connections: it tries to bind one.
enum err os_sandbox_selftest(enum os_role role, struct fault *f);

int os_sandbox_landlock_abi(void); // 0: the kernel has none

#endif
