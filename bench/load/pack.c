// The objects to send: one file of data sets, mapped, and a list of what lies where.
#include "load.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

static bool add_class(struct pack *p, const char *uid) {
    for (size_t i = 0; i < p->class_count; i++)
        if (strcmp(p->classes[i], uid) == 0)
            return true;
    if (p->class_count == LOAD_CONTEXTS_MAX - 1)
        return false;
    p->classes[p->class_count++] = strdup(uid);
    return true;
}

static bool read_index(FILE *f, const uint8_t *base, size_t size, struct pack *p) {
    size_t room = 0, offset;
    struct object o;
    while (fscanf(f, "%64s %64s %64s %64s %zu %zu", o.sop_class, o.instance, o.study, o.series, &offset,
                  &o.bytes) == 6) {
        if (offset > size || o.bytes > size - offset || !add_class(p, o.sop_class))
            return false;
        if (p->n == room) {
            room = room ? room * 2 : 1024;
            p->v = realloc(p->v, room * sizeof *p->v);
        }
        if (!p->v)
            return false;
        o.data = base + offset;
        p->v[p->n++] = o;
    }
    return p->n > 0;
}

bool pack_open(const char *path, struct pack *ret_pack) {
    char index[4096];
    struct stat st;
    struct pack p = {0};
    snprintf(index, sizeof index, "%s.index", path);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    FILE *f = fopen(index, "re");
    if (fd < 0 || !f || fstat(fd, &st) < 0)
        return false;
    void *base = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_SHARED, fd, 0);
    bool ok = base != MAP_FAILED && read_index(f, base, (size_t)st.st_size, &p);
    fclose(f);
    if (ok)
        *ret_pack = p;
    return ok;
}
