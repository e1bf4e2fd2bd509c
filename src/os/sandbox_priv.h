// What the parts of the sandbox share; nothing outside src/os includes this.
#ifndef OS_SANDBOX_PRIV_H
#define OS_SANDBOX_PRIV_H

#include "os/sandbox.h"

#include <linux/filter.h>

enum os_stage { OS_STAGE_ONLY, OS_STAGE_TEMPLATE, OS_STAGE_WORKER };

// A compiled seccomp filter. The program belongs to it.
struct os_filter {
    struct sock_filter *code;
    unsigned short n;
};

enum err os_filter_compile(enum os_role role, enum os_stage stage, struct os_filter *ret_filter,
                           struct fault *f);
enum err os_filter_install(const struct os_filter *filter, struct fault *f); // wants no_new_privs
void os_filter_fini(struct os_filter *filter);

// From here on no file can be opened but below dir_fd (-1: none at all), no TCP port bound or
// connected to. OK without doing anything where the kernel has no Landlock.
enum err os_landlock_enter(int dir_fd, struct fault *f);
// For fetch: reading below the system's folders alone, connecting but not binding.
enum err os_landlock_enter_fetch(struct fault *f);

#endif
