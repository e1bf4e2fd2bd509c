#include "supervisor.h"

#include "os/fd.h"

#include <sys/epoll.h>

enum err watch_add(struct supervisor *s, struct watch *w, enum watch_kind kind, int fd, void *owner,
                   struct fault *f) {
    *w = (struct watch){kind, -1, owner};
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = w};
    if (epoll_ctl(s->epoll, EPOLL_CTL_ADD, fd, &event) < 0)
        return fault_errno(f, "epoll_ctl");
    w->fd = fd;
    return OK;
}

enum err watch_take(struct supervisor *s, struct watch *w, enum watch_kind kind, int take_fd, void *owner,
                    struct fault *f) {
    enum err e = watch_add(s, w, kind, take_fd, owner, f);
    if (e != OK)
        os_fd_close(&take_fd);
    return e;
}

void watch_forget(struct supervisor *s, struct watch *w) {
    if (w->fd >= 0)
        epoll_ctl(s->epoll, EPOLL_CTL_DEL, w->fd, NULL);
    w->fd = -1;
}

void watch_close(struct supervisor *s, struct watch *w) {
    int fd = w->fd;
    watch_forget(s, w);
    os_fd_close(&fd);
}
