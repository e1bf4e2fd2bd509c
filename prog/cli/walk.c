#include "walk.h"

#include "cli.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

static bool push(struct walk *w, const char *path, const char *folder, bool named) {
    if (w->n == w->cap) {
        size_t cap = w->cap ? w->cap * 2 : 64;
        void *grown = cap <= WALK_FILES_MAX ? reallocarray(w->v, cap, sizeof *w->v) : NULL;
        if (!grown)
            return cli_fail("too many files; import them in parts"), false;
        w->v = grown;
        w->cap = cap;
    }
    struct walk_file f = {strdup(path), folder ? strdup(folder) : NULL, named, false};
    if (!f.path || (folder && !f.folder)) {
        free(f.path);
        return cli_fail("not enough memory"), false;
    }
    w->v[w->n++] = f;
    return true;
}

static int by_name(const struct dirent **a, const struct dirent **b) {
    return strcmp((*a)->d_name, (*b)->d_name);
}

static int is_entry(const struct dirent *e) {
    return strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0;
}

// The folders still to be listed: a stack, so that the depth of the tree is not the depth of calls.
struct folders {
    char **v;
    size_t n, cap;
};

static bool folders_push(struct folders *s, char *take_path) {
    if (s->n == s->cap) {
        size_t cap = s->cap ? s->cap * 2 : 64;
        void *grown = reallocarray(s->v, cap, sizeof *s->v);
        if (!grown) {
            free(take_path);
            return false;
        }
        s->v = grown;
        s->cap = cap;
    }
    s->v[s->n++] = take_path;
    return true;
}

static bool take_entry(struct walk *w, struct folders *s, int folder, const char *path,
                       const char *name) {
    struct stat st;
    char *full;
    if (fstatat(folder, name, &st, AT_SYMLINK_NOFOLLOW) != 0 || asprintf(&full, "%s/%s", path, name) < 0)
        return cli_fail("%s/%s: %s", path, name, strerror(errno)), false;
    if (S_ISDIR(st.st_mode))
        return folders_push(s, full);
    bool good = !S_ISREG(st.st_mode) || strcasecmp(name, "DICOMDIR") == 0 || push(w, full, NULL, false);
    free(full);
    return good;
}

static bool list_folder(struct walk *w, struct folders *s, const char *path) {
    struct dirent **entries = NULL;
    int fd = openat(w->home, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int n = fd < 0 ? -1 : scandirat(fd, ".", &entries, is_entry, by_name);
    bool good = n >= 0;
    if (!good)
        cli_fail("%s: %s", path, strerror(errno));
    for (int i = 0; i < n; i++) {
        good = good && take_entry(w, s, fd, path, entries[i]->d_name);
        free(entries[i]);
    }
    free(entries);
    if (fd >= 0)
        close(fd);
    return good;
}

bool walk_add(struct walk *w, const char *path) {
    struct stat st;
    struct folders todo = {0};
    if (fstatat(w->home, path, &st, 0) != 0)
        return cli_fail("%s: %s", path, strerror(errno)), false;
    if (!S_ISDIR(st.st_mode))
        return push(w, path, NULL, true);
    char *first = strdup(path);
    bool good = first && folders_push(&todo, first);
    while (good && todo.n > 0) {
        char *next = todo.v[--todo.n];
        good = list_folder(w, &todo, next);
        free(next);
    }
    while (todo.n > 0)
        free(todo.v[--todo.n]);
    free(todo.v);
    return good;
}

bool walk_add_reference(struct walk *w, const char *directory, const char *name) {
    char folder[4096];
    const char *slash = strrchr(directory, '/');
    snprintf(folder, sizeof folder, "%.*s", slash ? (int)(slash - directory) : 1,
             slash ? directory : ".");
    return push(w, name, slash == directory ? "/" : folder, true);
}

// Some systems show the names on a CD in lower case, and some writers have never heard of upper case.
static int open_beneath(int folder, const char *name) {
    struct open_how how = {.flags = O_RDONLY | O_CLOEXEC | O_NONBLOCK,
                           .resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS};
    int fd = (int)syscall(SYS_openat2, folder, name, &how, sizeof how);
    char lower[1024];
    size_t n = strlen(name);
    if (fd >= 0 || errno != ENOENT || n >= sizeof lower)
        return fd;
    for (size_t i = 0; i <= n; i++)
        lower[i] = (char)tolower((unsigned char)name[i]);
    return (int)syscall(SYS_openat2, folder, lower, &how, sizeof how);
}

int walk_open(const struct walk *w, const struct walk_file *file) {
    int fd;
    if (file->folder) {
        int folder = openat(w->home, file->folder, O_PATH | O_DIRECTORY | O_CLOEXEC);
        fd = folder < 0 ? -1 : open_beneath(folder, file->path);
        if (folder >= 0)
            close(folder);
    } else {
        fd = openat(w->home, file->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    }
    struct stat st;
    if (fd >= 0 && (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode))) {
        close(fd);
        errno = EINVAL;
        return -1;
    }
    return fd;
}

void walk_fini(struct walk *w) {
    for (size_t i = 0; i < w->n; i++) {
        free(w->v[i].path);
        free(w->v[i].folder);
    }
    free(w->v);
    *w = (struct walk){.home = w->home};
}
