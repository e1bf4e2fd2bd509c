#include "supervisor.h"

#include "os/fd.h"

#include <sys/epoll.h>

void watch_add(struct supervisor *s, struct watch *w, enum watch_kind kind, int fd, void *owner) {
    *w = (struct watch){kind, fd, owner};
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = w};
    if (epoll_ctl(s->epoll, EPOLL_CTL_ADD, fd, &event) < 0)
        bug("epoll_ctl");
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
