#include "supervisor.h"

#include "os/fd.h"

#include <stddef.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>

// The protocol of sd_notify(3): one datagram to the socket named in NOTIFY_SOCKET.
void notify(const char *state) {
    const char *path = getenv("NOTIFY_SOCKET");
    struct sockaddr_un un = {.sun_family = AF_UNIX};
    if (!path || !slice_to_cstr(slice_str(path), un.sun_path, sizeof un.sun_path))
        return;
    size_t n = strlen(path);
    if (un.sun_path[0] == '@') // an abstract name
        un.sun_path[0] = '\0';
    CLEANUP_FD int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd >= 0)
        (void)sendto(fd, state, strlen(state), MSG_NOSIGNAL | MSG_DONTWAIT, (const struct sockaddr *)&un,
                     (socklen_t)(offsetof(struct sockaddr_un, sun_path) + n));
}
