#include "local.h"

#include "cli.h"

#include "os/fd.h"
#include "os/listen.h"

#include <sys/socket.h>

int local_connect(void) {
    int fd = -1;
    return os_connect_unix("run/dicom.sock", SOCK_STREAM, &fd, NULL) == OK ? fd : -1;
}

bool local_is_served(const char *shown_dir) {
    CLEANUP_FD int fd = local_connect();
    if (fd < 0)
        cli_fail("%s is not being served; start it in another terminal with galena serve %s", shown_dir,
                 shown_dir);
    return fd >= 0;
}
