// Landlock by its system calls: the C library of Debian 12 has no wrappers, and its header knows less
// than newer kernels do.
#include "os/sandbox_priv.h"

#include "os/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/landlock.h>
#include <sys/syscall.h>
#include <unistd.h>

// From linux/landlock.h of Linux 6.12.
enum {
    FS_REFER_BIT = 13,     // ABI 2
    FS_TRUNCATE_BIT = 14,  // ABI 3
    FS_IOCTL_DEV_BIT = 15, // ABI 5
    NET_ALL = 3,           // bind and connect of TCP, ABI 4
    NET_BIND = 1,
    SCOPE_ALL = 3,         // abstract Unix sockets and signals, ABI 6
};

struct ruleset {
    uint64_t fs, net, scoped;
};

int os_sandbox_landlock_abi(void) {
    static int known = -1; // asked once: inside the sandbox the call is forbidden
    if (known < 0) {
        long abi = syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);
        known = abi < 0 ? 0 : (int)abi;
    }
    return known;
}

static uint64_t all_fs_rights(int abi) {
    unsigned bits = FS_REFER_BIT;
    if (abi >= 2)
        bits = FS_REFER_BIT + 1;
    if (abi >= 3)
        bits = FS_TRUNCATE_BIT + 1;
    if (abi >= 5)
        bits = FS_IOCTL_DEV_BIT + 1;
    return (1ULL << bits) - 1;
}

// The archive keeps plain files and folders: no devices, sockets, pipes, and nothing to execute.
static uint64_t folder_rights(uint64_t all) {
    uint64_t files = LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_WRITE_FILE
        | LANDLOCK_ACCESS_FS_MAKE_REG | LANDLOCK_ACCESS_FS_REMOVE_FILE
        | 1ULL << FS_REFER_BIT | 1ULL << FS_TRUNCATE_BIT;
    uint64_t folders = LANDLOCK_ACCESS_FS_READ_DIR | LANDLOCK_ACCESS_FS_MAKE_DIR
        | LANDLOCK_ACCESS_FS_REMOVE_DIR;
    return all & (files | folders);
}

// All that can be handled is forbidden, but for what is added to the set; `net`: what is forbidden of TCP.
static enum err new_set(int abi, uint64_t net, int *ret_set, struct fault *f) {
    struct ruleset r = {.fs = all_fs_rights(abi), .net = net, .scoped = SCOPE_ALL};
    size_t size = abi >= 6 ? sizeof r : abi >= 4 ? 2 * sizeof(uint64_t) : sizeof(uint64_t);
    int set = (int)syscall(SYS_landlock_create_ruleset, &r, size, 0);
    if (set < 0)
        return fault_errno(f, "landlock_create_ruleset");
    *ret_set = set;
    return OK;
}

static enum err allow_below(int set, int dir_fd, uint64_t rights, struct fault *f) {
    struct landlock_path_beneath_attr below = {.allowed_access = rights, .parent_fd = dir_fd};
    if (syscall(SYS_landlock_add_rule, set, LANDLOCK_RULE_PATH_BENEATH, &below, 0) < 0)
        return fault_errno(f, "landlock_add_rule");
    return OK;
}

static enum err restrict_self(int set, struct fault *f) {
    if (syscall(SYS_landlock_restrict_self, set, 0) < 0)
        return fault_errno(f, "landlock_restrict_self");
    return OK;
}

enum err os_landlock_enter(int dir_fd, struct fault *f) {
    int abi = os_sandbox_landlock_abi();
    if (abi == 0)
        return OK;
    CLEANUP_FD int set = -1;
    enum err e = new_set(abi, NET_ALL, &set, f);
    if (e == OK && dir_fd >= 0)
        e = allow_below(set, dir_fd, folder_rights(all_fs_rights(abi)), f);
    return e == OK ? restrict_self(set, f) : e;
}

enum err os_landlock_enter_fetch(struct fault *f) {
    // Settings of the resolver and the trusted certificates; what the C library loads to resolve names. Where
    // systemd resolves them, resolv.conf is a link to /run.
    static const char *const readable[] = {"/etc", "/usr", "/lib", "/lib64", "/run/systemd/resolve"};
    int abi = os_sandbox_landlock_abi();
    if (abi == 0)
        return OK;
    CLEANUP_FD int set = -1;
    enum err e = new_set(abi, NET_BIND, &set, f);
    for (size_t i = 0; e == OK && i < sizeof readable / sizeof *readable; i++) {
        CLEANUP_FD int fd = open(readable[i], O_PATH | O_DIRECTORY | O_CLOEXEC);
        if (fd >= 0)
            e = allow_below(set, fd, LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR, f);
    }
    return e == OK ? restrict_self(set, f) : e;
}
