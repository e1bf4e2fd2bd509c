#include "os/sigfd.h"

#include <signal.h>
#include <sys/signalfd.h>
#include <unistd.h>

enum err os_signal_open(const int *signals, unsigned n, int *ret_fd, struct fault *f) {
    sigset_t set;
    sigemptyset(&set);
    for (unsigned i = 0; i < n; i++)
        sigaddset(&set, signals[i]);
    if (sigprocmask(SIG_BLOCK, &set, NULL) < 0)
        return fault_errno(f, "sigprocmask");
    int fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    if (fd < 0)
        return fault_errno(f, "signalfd");
    *ret_fd = fd;
    return OK;
}

int os_signal_next(int fd) {
    struct signalfd_siginfo info;
    return read(fd, &info, sizeof info) == (ssize_t)sizeof info ? (int)info.ssi_signo : 0;
}
