#include "os/memfd.h"

#include "os/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#define RING_SEALS (F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL)

static enum err map(int fd, size_t bytes, uint8_t **ret_p, struct fault *f) {
    void *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (p == MAP_FAILED)
        return fault_errno(f, "mmap of shared memory");
    *ret_p = p;
    return OK;
}

enum err os_shm_make(const char *name, size_t bytes, int *ret_fd, struct fault *f) {
    CLEANUP_FD int fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (fd < 0)
        return fault_errno(f, "memfd_create");
    if (ftruncate(fd, (off_t)bytes) < 0)
        return fault_errno(f, "ftruncate of shared memory");
    if (fcntl(fd, F_ADD_SEALS, RING_SEALS) < 0)
        return fault_errno(f, "sealing of shared memory");
    *ret_fd = os_fd_take(&fd);
    return OK;
}

enum err os_shm_create(const char *name, size_t bytes, struct os_shm *ret_shm, struct fault *f) {
    CLEANUP_FD int fd = -1;
    uint8_t *p;
    enum err e = os_shm_make(name, bytes, &fd, f);
    if (e == OK)
        e = map(fd, bytes, &p, f);
    if (e != OK)
        return e;
    *ret_shm = (struct os_shm){p, bytes, os_fd_take(&fd)};
    return OK;
}

enum err os_shm_adopt(int take_fd, size_t expected_bytes, struct os_shm *ret_shm, struct fault *f) {
    CLEANUP_FD int fd = take_fd;
    int seals = fcntl(fd, F_GET_SEALS); // EINVAL on anything but a memfd
    if (seals < 0 || (seals & RING_SEALS) != RING_SEALS || (seals & F_SEAL_WRITE))
        return fault_set(f, ERR_PROTOCOL, "shared memory is not sealed as agreed");
    // lseek, not fstat: the C library's fstat is newfstatat, which a sandboxed worker may not call.
    off_t size = lseek(fd, 0, SEEK_END);
    if (size < 0 || (uint64_t)size != expected_bytes || expected_bytes == 0)
        return fault_set(f, ERR_PROTOCOL, "shared memory has not the agreed size");
    uint8_t *p;
    enum err e = map(fd, expected_bytes, &p, f);
    if (e != OK)
        return e;
    *ret_shm = (struct os_shm){p, expected_bytes, os_fd_take(&fd)};
    return OK;
}

void os_shm_drop_fd(struct os_shm *s) {
    os_fd_close(&s->fd);
}

void os_shm_close(struct os_shm *s) {
    if (s->p)
        munmap(s->p, s->n);
    s->p = NULL;
    s->n = 0;
    os_fd_close(&s->fd);
}

enum err os_memfd_of(const char *name, struct slice bytes, int *ret_fd, struct fault *f) {
    CLEANUP_FD int fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (fd < 0)
        return fault_errno(f, "memfd_create");
    enum err e = os_fd_write_full(fd, bytes.p, bytes.n, f);
    if (e != OK)
        return e;
    if (lseek(fd, 0, SEEK_SET) < 0 || fcntl(fd, F_ADD_SEALS, RING_SEALS | F_SEAL_WRITE) < 0)
        return fault_errno(f, "sealing of a memory file");
    *ret_fd = os_fd_take(&fd);
    return OK;
}
