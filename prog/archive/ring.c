// The shared memory of a worker: mapped while it is used, and only so many at a time, so that a
// thousand workers do not add up in the archive's memory.
#include <sys/mman.h>

#include "archive.h"
#include "os/fd.h"

static void unlink_ring(struct archive *a, struct session *s) {
    struct ring *r = &s->ring;
    if (r->newer)
        r->newer->ring.older = r->older;
    else
        a->newest_ring = r->older;
    if (r->older)
        r->older->ring.newer = r->newer;
    else
        a->oldest_ring = r->newer;
    r->newer = r->older = NULL;
}

static void link_newest(struct archive *a, struct session *s) {
    s->ring.older = a->newest_ring;
    s->ring.newer = NULL;
    if (a->newest_ring)
        a->newest_ring->ring.newer = s;
    else
        a->oldest_ring = s;
    a->newest_ring = s;
}

static void unmap(struct archive *a, struct session *s) {
    if (!s->ring.p)
        return;
    unlink_ring(a, s);
    munmap(s->ring.p, RING_BODY_BYTES + RING_AUX_BYTES);
    s->ring.p = NULL;
    a->rings_mapped--;
}

enum err ring_make(struct archive *a, struct session *s, struct fault *f) {
    struct os_shm shm;
    enum err e = os_shm_create("galena-ring", RING_BODY_BYTES + RING_AUX_BYTES, &shm, f);
    if (e != OK)
        return e;
    ring_close(a, s);
    s->ring.fd = shm.fd;
    s->ring.p = shm.p;
    link_newest(a, s);
    a->rings_mapped++;
    return OK;
}

uint8_t *ring_map(struct archive *a, struct session *s) {
    if (s->ring.fd < 0)
        return NULL;
    if (s->ring.p) {
        if (a->newest_ring != s) {
            unlink_ring(a, s);
            link_newest(a, s);
        }
        return s->ring.p;
    }
    while (a->rings_mapped >= RINGS_MAPPED_MAX)
        unmap(a, a->oldest_ring);
    void *p = mmap(NULL, RING_BODY_BYTES + RING_AUX_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, s->ring.fd, 0);
    if (p == MAP_FAILED)
        return NULL;
    s->ring.p = p;
    link_newest(a, s);
    a->rings_mapped++;
    return s->ring.p;
}

void ring_close(struct archive *a, struct session *s) {
    unmap(a, s);
    os_fd_close(&s->ring.fd);
}

bool ring_body_range(uint32_t offset, uint32_t length) {
    return offset <= RING_BODY_BYTES && length <= RING_BODY_BYTES - offset;
}
