// galena-web: the template of the web workers, and one worker a connection.
#include <poll.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "dicom/charset.h"
#include "ipc/ipc.h"
#include "os/fd.h"
#include "os/log.h"
#include "os/proc.h"
#include "os/template.h"
#include "worker/incoming.h"

enum {
    FDS_MAX = 128,
    // Descriptors the supervisor gives the template after its own socket (os/template.h); /dev/null: none.
    SITE_FD = 4,
    VIEWER_FD = 5,
};

static struct slice site, viewer;

static enum err map_pack(int take_fd, struct slice *ret_pack, struct fault *f) {
    CLEANUP_FD int fd = take_fd;
    struct stat st;
    if (fstat(fd, &st) < 0)
        return fault_errno(f, "pack");
    if (!S_ISREG(st.st_mode) || st.st_size <= 0)
        return OK;
    void *p = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_SHARED, fd, 0);
    if (p == MAP_FAILED)
        return fault_errno(f, "pack");
    *ret_pack = slice_of(p, (size_t)st.st_size);
    return OK;
}

static enum err map_packs(struct fault *f) {
    enum err e = map_pack(SITE_FD, &site, f);
    if (e == OK)
        e = map_pack(VIEWER_FD, &viewer, f);
    os_sandbox_allow_memory(site.n + viewer.n);
    return e;
}

// Waits for the connection; false when there will be none.
static bool await_connect(int ctl, uint8_t *message, int *ret_client, int *ret_archive) {
    struct ipc_msg m;
    if (ipc_recv(ctl, IPC_SUPERVISOR_TO_CHILD, 0, message, &m, NULL) != OK || m.fd_count != 2)
        return false;
    *ret_client = ipc_msg_take_fd(&m, 0);
    *ret_archive = ipc_msg_take_fd(&m, 1);
    return true;
}

static int work(int ctl) {
    static const char answer[] = "HTTP/1.1 503 Service Unavailable\r\n"
                                 "Content-Length: 0\r\nConnection: close\r\n\r\n";
    CLEANUP_FREE uint8_t *message = malloc(IPC_MAX_BYTES);
    CLEANUP_FD int client = -1, archive = -1;
    if (!message || !await_connect(ctl, message, &client, &archive))
        return 0;
    struct pollfd p[] = {{client, POLLIN, 0}, {ctl, POLLIN, 0}}; // ctl: the server stops
    if (poll(p, 2, -1) > 0 && p[0].revents == 0)
        return 0;
    if (recv(client, message, IPC_MAX_BYTES, 0) > 0)
        (void)send(client, answer, sizeof answer - 1, MSG_NOSIGNAL);
    return 0;
}

int main(void) {
    struct fault f = {0};
    int ctl = -1;
    os_log_init("web", NULL, NULL);
    enum err e = os_proc_harden(FDS_MAX, &f);
    if (e == OK)
        e = dicom_charset_preload(&f);
    if (e == OK)
        e = incoming_preload(&f);
    if (e == OK)
        e = map_packs(&f);
    if (e == OK)
        e = os_sandbox_enter_template(OS_ROLE_WEB, &f);
    if (e == OK)
        e = os_template_serve(OS_ROLE_WEB, OS_TEMPLATE_CTL, &ctl, &f);
    if (e != OK) {
        os_log_fault(OS_LOG_ERROR, "the web worker cannot start", &f);
        return 1;
    }
    return work(ctl);
}
