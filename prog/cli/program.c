#include "program.h"

#include "cli.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

int cli_program_open(const char *name, char *ret_path, size_t cap) {
    static const char *const places[] = {"", "../libexec/galena/"};
    char self[4096];
    ssize_t n = readlink("/proc/self/exe", self, sizeof self - 1);
    if (n <= 0)
        return cli_fail("/proc/self/exe: %s", strerror(errno)), -1;
    self[n] = '\0';
    *(strrchr(self, '/') + 1) = '\0';
    for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
        if ((size_t)snprintf(ret_path, cap, "%s%s%s", self, places[i], name) >= cap)
            continue;
        int fd = open(ret_path, O_PATH | O_CLOEXEC);
        if (fd >= 0)
            return fd;
    }
    return cli_fail("%s is neither beside galena nor in ../libexec/galena; install it again", name), -1;
}

int cli_program_exec(int fd, const char *path, char *const *argv) {
    // By descriptor: the way to the file may be closed to the user we have become.
    execveat(fd, "", argv, environ, AT_EMPTY_PATH);
    return cli_fail("%s: %s", path, strerror(errno));
}
